"""Recordings: responses of neuroids to stimuli, with the reliability of each; or published dissimilarity matrices."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ventral.errors import InputError, shown
from ventral.mappings.standardisation import varies
from ventral.recordings import brainio
from ventral.recordings.axes import (
    NEUROID,
    REPETITION,
    TIME_BIN,
    axes_of,
    copies,
    doubts,
    exchanged,
    in_order,
    line_of,
    read_as,
    with_stimuli_elsewhere,
)
from ventral.recordings.baseline import report_baseline
from ventral.recordings.files import open_responses
from ventral.recordings.given_ceilings import COLUMN, RATIO, check_repetitions, numbers_given, with_given_ceilings
from ventral.recordings.matrices import Matrices, areas_of, read_matrices, report_negative, upper_triangle
from ventral.recordings.time_bins import (
    END,
    START,
    TimeBins,
    bins_between,
    columns_of,
    numbered_bins,
    windows_of,
    with_baseline,
)
from ventral.recordings.trials import Trials, read_trials, report_trials, responses_of, rows_presented
from ventral.recordings.volumes import voxels_of
from ventral.stimuli.tables import read_table, report_columns

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

logger = logging.getLogger("ventral")

# Said of all neuroids at once, where the table does not say it of each; and what it is where nobody says.
DEFAULTS = {"area": "unknown", "animal": None}
# Columns of the table of neuroids that are text, whatever they look like.
TEXT = ("neuroid", *DEFAULTS)
RESERVED = ("responses", COLUMN, RATIO, "left_out", "repetition", "stimulus", TIME_BIN, START, END)
EXPECTED = (
    "an npy, npz or mat file with a numeric array (neuroids, stimuli, repetitions) or (neuroids, stimuli) is right"
)


def check(
    spec: dict,
    n_stimuli: int | None = None,
    key: str = "recordings",
    stimuli: Mapping[str, NDArray] | None = None,
) -> int | None:
    """Check that a recording's files are there and fit together, reading no more than the header of the responses.

    Parameters
    ----------
    spec : dict
        `responses`, path of an npy, npz or mat file with an array (neuroids, stimuli, repetitions) or, averaged,
        (neuroids, stimuli), NaN where not shown; optionally `array`, its name in the file; `axes`, the names of its
        axes where their order is another, or where one is of bins of time; `time_bins`, start and end of each bin in
        ms; `baseline`, which of these is before the stimulus; `neuroids`, a CSV or Parquet file with one row a neuroid,
        in the array's order; `area` and `animal` of all neuroids; and `ceiling`, as for
        `ventral.recordings.given_ceilings.numbers_given`. `responses` may also be a NIfTI file with a `mask`, as for
        `ventral.recordings.volumes.voxels_of`; or a BrainIO assembly, as for
        `ventral.recordings.brainio.read`, which has its own table of neuroids and bins of time. Or `trials`, as for
        `ventral.recordings.trials.read_trials`. Or `matrices`, as for `ventral.recordings.matrices.read_matrices`, with
        `area` of all of them or by name.
    n_stimuli : int, optional
        Number of stimuli in the set that was shown, where it is known.
    key : str
        Place of `spec` in the config, for messages.
    stimuli : mapping of (n,) arrays, optional
        Columns of the set, `stimulus` among them, where they are known.

    Returns
    -------
    int or None
        Number of neuroids, times that of bins of time; None of matrices.

    Raises
    ------
    InputError
        If a file cannot be read, or the array is not of this kind.
    """
    if "matrices" in spec:
        areas_of(spec, list(read_matrices(spec, n_stimuli, key)), key)
        return None
    if "trials" in spec:
        trials, neuroids, bins = _presented(spec, key, unread=True)
        numbers_given(spec, neuroids, key)
        if stimuli is not None:
            rows_presented(trials, stimuli, spec, key)
        return len(neuroids) * _number_of(bins)
    if _is_assembly(spec, key):
        neuroids, bins = brainio.check(spec["responses"], f"{key}.responses", n_stimuli)
        with_baseline(bins, spec.get("baseline"), key)
        neuroids = _neuroids_of_assembly(neuroids, spec)
        numbers_given(spec, neuroids, key)
        return len(neuroids) * _number_of(bins)
    array, axes, bins = _responses(spec, n_stimuli, key, unread=True)
    shape = in_order(array, axes).shape
    neuroids = _neuroids(spec, shape, axes, key)
    if given := numbers_given(spec, neuroids, key):
        check_repetitions(given, spec, shape[2] > 1, key)
    return len(neuroids) * _number_of(bins)


def _number_of(bins: TimeBins | None) -> int:
    return len(bins.names) if bins else 1


def ingest(
    spec: dict, stimuli: str | Path, output: str | Path, *, name: str, n_splits: int = 100, seed: int = 0
) -> None:
    """Write the store of a recording.

    It holds `responses` (repetition, stimulus, neuroid) float64, NaN where not shown; `reliability` (neuroid), NaN
    without repetitions; `left_out` (neuroid), the reason why a neuroid cannot be used, '' for those that can; the
    coordinates `stimulus`, `neuroid`, `area`, and the other columns of the neuroid table; and the attributes
    `recording`, `stimuli`, `stimuli_sha256`, `n_repetitions`, `has_repetitions`. Where ceilings came with the data, the
    coordinate `given_ceiling` (neuroid) is the largest attainable r, and the attributes `given_ceiling_kind` and
    `given_ceiling_from` say what it is made of (`ventral.recordings.given_ceilings`). Where the ceiling depends on the
    stimuli that are scored, so is `given_signal_to_noise` (neuroid).

    Of a recording with bins of time all three have a last dimension `time_bin`, with its names as the coordinate, and
    `time_bin_start` and `time_bin_end` in ms where they are known. A neuroid may be left out in some bins alone.
    `ventral.recordings.time_bins.columns_of` makes columns of neuroids in bins.

    A recording given as dissimilarity matrices has `dissimilarities` (matrix, pair) instead, one row for each matrix of
    each subject, with the coordinates `name`, `subject` (from 1) and `area` of each row, and `stimulus`.

    Parameters
    ----------
    spec : dict
        As for `check`.
    stimuli : path
        Store of the stimuli that were shown.
    output : path
        The store to write.
    name : str
        Name of the recording.
    n_splits, seed : int
        As for `split_half_reliability`.

    Raises
    ------
    InputError
        As for `check`, and if no neuroid can be used.
    """
    from ventral.store import read_dataset, write_dataset

    stimulus_set = read_dataset(stimuli)
    key = f"recordings.{name}"
    if "matrices" in spec:
        write_dataset(_matrices(spec, stimulus_set, name), output)
        return
    source = "trials" if "trials" in spec else "responses"
    place = f"{key}.{source}: {spec[source]}"
    columns = {column: values.values for column, values in stimulus_set.coords.items()}
    if "trials" in spec:
        array, neuroids, bins = _read_presented(spec, columns, key)
    elif _is_assembly(spec, key):
        array, neuroids, bins = brainio.read(spec["responses"], f"{key}.responses", columns)
        _report_dropped(neuroids, place)
        neuroids = _neuroids_of_assembly(neuroids, spec)
        bins = with_baseline(bins, spec.get("baseline"), key)
    else:
        array, neuroids, bins = _read(spec, stimulus_set.sizes["stimulus"], key)
    responses = np.ascontiguousarray(array.swapaxes(0, 2), dtype=np.float64)
    _report_not_shown(responses, stimulus_set["stimulus"].values, place)
    neuroids, ceilings = with_given_ceilings(spec, neuroids, responses, key)
    dataset = dataset_of(responses, neuroids, stimulus_set, name, place, n_splits, seed, bins)
    report_baseline(dataset, place)
    write_dataset(dataset.assign_attrs(ceilings), output)


def dataset_of(
    responses: NDArray[np.float64],
    neuroids: "pd.DataFrame",
    stimulus_set: "xr.Dataset",
    name: str,
    place: str,
    n_splits: int = 100,
    seed: int = 0,
    bins: TimeBins | None = None,
) -> "xr.Dataset":
    """Return the store of a recording of neuroids, as `ingest` describes it, before it is written.

    Parameters
    ----------
    responses : (repetitions, n, neuroids) array, or (repetitions, n, neuroids, bins) with `bins`
        NaN where not shown.
    neuroids : DataFrame
        One row a neuroid, by its id, with the column `area`.
    stimulus_set : Dataset
        The stimuli that were shown.
    name : str
        Name of the recording.
    place : str
        Where the responses come from, for messages.
    n_splits, seed : int
        As for `split_half_reliability`.
    bins : TimeBins, optional
        Of a recording with an axis of time.

    Raises
    ------
    InputError
        If no neuroid can be used.
    """
    import xarray as xr

    from ventral.recordings.reliability import split_half_reliability

    columns = responses.reshape(*responses.shape[:2], -1)
    names = neuroids.index if bins is None else [f"{name} in {time}" for name in neuroids.index for time in bins.names]
    left_out = _left_out(columns, stimulus_set["stimulus"].values)
    kept = left_out == ""
    _report(left_out, names, place)
    reliability = np.full(len(kept), np.nan)
    # Without a copy where none is left out: recordings of voxels fill the memory.
    usable = columns if kept.all() else columns[:, :, kept]
    reliability[kept] = split_half_reliability(usable, n_splits, seed)
    of_target = (NEUROID, TIME_BIN) if bins else (NEUROID,)
    repeated = bool(((~np.isnan(responses)).sum(axis=0) > 1).any())
    logger.info(
        "recording %s: %d neuroids, %s%d stimuli, %s",
        name,
        kept.reshape(len(neuroids), -1).any(axis=1).sum(),
        f"{len(bins.names)} bins of time, " if bins else "",
        responses.shape[1],
        f"{len(responses)} repetitions, median reliability {np.nanmedian(reliability):.2f}"
        if np.isfinite(reliability).any()
        else "no repetitions, hence no reliability",
    )
    return xr.Dataset(
        {
            "responses": (("repetition", "stimulus", *of_target), responses),
            "reliability": (of_target, reliability.reshape(responses.shape[2:])),
            "left_out": (of_target, left_out.reshape(responses.shape[2:])),
        },
        coords={
            "stimulus": stimulus_set["stimulus"].values.astype(object),
            "neuroid": neuroids.index.to_numpy(object),
            **{column: ("neuroid", values.to_numpy()) for column, values in neuroids.items()},
            **(bins.coordinates if bins else {}),
        },
        attrs={
            "recording": name,
            "stimuli": stimulus_set.attrs["name"],
            "stimuli_sha256": stimulus_set.attrs["sha256"],
            "n_repetitions": len(responses),
            "has_repetitions": repeated,
        },
    )


def mean_responses(dataset: "xr.Dataset") -> "xr.DataArray":
    """Return the mean response (stimulus, neuroid) over the repetitions that were shown; NaN where none was.

    Neuroids in several bins of time are as many columns.
    """
    return columns_of(dataset)["responses"].mean("repetition", skipna=True).transpose("stimulus", "neuroid")


def published_matrices(dataset: "xr.Dataset") -> Matrices:
    """Return the dissimilarity matrices of a store."""
    return Matrices(
        dissimilarities=dataset["dissimilarities"].values,
        names=dataset["name"].values.astype(str),
        areas=dataset["area"].values.astype(str),
        n_stimuli=dataset.sizes["stimulus"],
    )


def _matrices(spec: dict, stimulus_set: "xr.Dataset", name: str) -> "xr.Dataset":
    import xarray as xr

    matrices = read_matrices(spec, stimulus_set.sizes["stimulus"], f"recordings.{name}")
    report_negative(matrices, f"recordings.{name}")
    areas = dict(zip(matrices, areas_of(spec, list(matrices), f"recordings.{name}"), strict=True))
    rows = [(matrix, subject) for matrix, array in matrices.items() for subject in range(1, len(array) + 1)]
    logger.info(
        "recording %s: %s, of %d stimuli",
        name,
        ", ".join(
            f"{matrix} ({areas[matrix]}{f', {len(array)} subjects' if len(array) > 1 else ''})"
            for matrix, array in matrices.items()
        ),
        stimulus_set.sizes["stimulus"],
    )
    return xr.Dataset(
        {"dissimilarities": (("matrix", "pair"), upper_triangle(np.concatenate(list(matrices.values()))))},
        coords={
            "stimulus": stimulus_set["stimulus"].values.astype(object),
            "name": ("matrix", np.array([matrix for matrix, _ in rows], dtype=object)),
            "subject": ("matrix", np.array([subject for _, subject in rows])),
            "area": ("matrix", np.array([areas[matrix] for matrix, _ in rows], dtype=object)),
        },
        attrs={
            "recording": name,
            "stimuli": stimulus_set.attrs["name"],
            "stimuli_sha256": stimulus_set.attrs["sha256"],
            "n_repetitions": 1,
            "has_repetitions": False,
        },
    )


def _read_presented(
    spec: dict, columns: Mapping[str, NDArray], key: str
) -> tuple[NDArray, "pd.DataFrame", TimeBins | None]:
    """Return responses of a trial table as `_read` does, and log what there is to say of it."""
    trials, neuroids, bins = _presented(spec, key)
    report_trials(trials, neuroids, spec, key)
    if spec.get("neuroids"):
        report_columns(neuroids, f"{key}.neuroids: {spec['neuroids']}")
    return responses_of(trials, neuroids, columns, spec, key), neuroids, bins


def _presented(spec: dict, key: str, *, unread: bool = False) -> tuple[Trials, "pd.DataFrame", TimeBins | None]:
    """Return a trial table with its responses, what is known of each neuroid, and the bins of time."""
    listed = None
    if spec.get("neuroids") and not spec.get("responses"):
        table = read_table(spec["neuroids"], f"{key}.neuroids", TEXT, RESERVED, strict=False)
        if NEUROID not in table:
            raise InputError(
                f"{key}.neuroids: {spec['neuroids']}: no column `neuroid`, which says how `counts` or `spikes` call "
                f"each neuroid; columns: {', '.join(table.columns)}"
            )
        listed = table[NEUROID].tolist()
    bins, windows = None, []
    if spec.get("spikes"):
        windows = windows_of(spec)
        bins = bins_between(windows, f"{key}.time_bins")
    trials = read_trials(spec, key, windows, listed, unread=unread)
    if spec.get("responses"):
        bins = _time_bins(spec, trials.in_file, trials.axes, key)
        if bins is None and TIME_BIN in trials.axes:
            trials = replace(trials, values=trials.values[..., 0])
    neuroids = _neuroids(spec, (trials.values.shape[1], 0, 0), trials.axes, key, trials.neuroids)
    return trials, neuroids, with_baseline(bins, spec.get("baseline"), key)


def _read(spec: dict, n_stimuli: int, key: str) -> tuple[NDArray, "pd.DataFrame", TimeBins | None]:
    """Return responses, still unread, what is known of each neuroid, and the bins of time; warn of doubts.

    The responses are (neuroids, n, repetitions), or (neuroids, n, repetitions, bins).
    """
    array, axes, bins = _responses(spec, n_stimuli, key)
    ordered = in_order(array, axes)
    neuroids = _neuroids(spec, ordered.shape, axes, key)
    if spec.get("neuroids"):
        report_columns(neuroids, f"{key}.neuroids: {spec['neuroids']}")
    of_bins = [ordered[..., k] for k in range(ordered.shape[3])]
    found = [] if spec.get("axes") else [doubt for responses in of_bins for doubt in doubts(responses, axes)]
    for doubt in dict.fromkeys(found):
        logger.warning(
            "%s.responses: %s: shape %s, read as %s: %s",
            key,
            spec["responses"],
            array.shape,
            read_as(array.shape, axes),
            doubt,
        )
    if copied := max(map(copies, of_bins)):
        logger.warning(
            "%s.responses: %s: %d of %d repetitions have the same responses as the repetition before, to the last "
            "digit; copies make ceilings too high: give every measurement once",
            key,
            spec["responses"],
            copied,
            ordered.shape[2],
        )
    return ordered if bins else of_bins[0], neuroids, bins


def _responses(
    spec: dict, n_stimuli: int | None, key: str, *, unread: bool = False
) -> tuple[NDArray, list[str], TimeBins | None]:
    """Return the responses as they lie in the file, the names of their axes, and their bins of time."""
    array = open_responses(spec, key, EXPECTED, unread=unread)
    place = f"{key}.responses: {spec['responses']}"
    if array.dtype.kind not in "fiu":
        raise InputError(f"{place}: its values are {array.dtype}; {EXPECTED}")
    if array.ndim not in (2, 3, 4) or 0 in array.shape:
        raise InputError(f"{place}: its shape is {array.shape}; {EXPECTED}")
    axes = axes_of(spec, array.ndim, key)
    bins = with_baseline(_time_bins(spec, array.shape, axes, key), spec.get("baseline"), key)
    if n_stimuli is not None and array.shape[axes.index("stimulus")] != n_stimuli:
        other = with_stimuli_elsewhere(array.shape, axes, n_stimuli)
        raise InputError(
            f"{place}: responses to {array.shape[axes.index('stimulus')]} stimuli, where the set {spec['stimuli']!r} "
            f"has {n_stimuli} (shape {array.shape}, read as {read_as(array.shape, axes)})"
            + (f"; if it is {read_as(array.shape, other)}, say {line_of(other)}" if other else "")
        )
    return array, axes, bins


def _time_bins(spec: dict, shape: tuple[int, ...], axes: list[str], key: str) -> TimeBins | None:
    """Return the bins of an array of some shape; None without an axis of them, or of one bin that nobody named."""
    n_bins = shape[axes.index(TIME_BIN)] if TIME_BIN in axes else None
    edges = spec.get("time_bins")
    if not edges:
        return numbered_bins(n_bins) if (n_bins or 1) > 1 else None
    if n_bins is None:
        raise InputError(
            f"{key}.time_bins: {spec['responses']} has the axes {', '.join(axes)}, and none of time; name one "
            f"`{TIME_BIN}` in `axes`, or leave `time_bins` out"
        )
    if len(edges) != n_bins:
        raise InputError(
            f"{key}.time_bins: {len(edges)} bins, where {spec['responses']} has {n_bins} (shape {shape}, read as "
            f"{read_as(shape, axes)}); give start and end of each"
        )
    return bins_between(edges, f"{key}.time_bins")


def _neuroids(
    spec: dict, shape: tuple[int, ...], axes: list[str], key: str, names: Sequence[str] | None = None
) -> "pd.DataFrame":
    """Return what is known of each neuroid, one row each, by its id.

    Parameters
    ----------
    spec : dict
        The recording.
    shape : tuple of int
        Number of neuroids, stimuli and repetitions.
    axes : list of str
        Names of the axes in the file.
    key : str
        Place of `spec` in the config.
    names : sequence of str, optional
        What the neuroids are called where no table says it; without it, they are numbered.
    """
    import pandas as pd

    n_neuroids = shape[0]
    digits = len(str(n_neuroids))
    names = names or [f"neuroid_{k:0{digits}d}" for k in range(1, n_neuroids + 1)]
    known = voxels_of(spec, key)[1] if spec.get("mask") else pd.DataFrame({"neuroid": names})
    table = known
    if spec.get("neuroids"):
        place = f"{key}.neuroids"
        table = read_table(spec["neuroids"], place, TEXT, RESERVED, strict=False)
        place = f"{place}: {spec['neuroids']}"
        if len(table) != n_neuroids:
            other = line_of(exchanged(axes, NEUROID, REPETITION)) if len(table) == shape[2] else ""
            raise InputError(
                f"{place}: {len(table)} rows, where {spec['responses']} has {n_neuroids} neuroids (its axis "
                f"{axes.index(NEUROID) + 1} of {len(axes)}); one row a neuroid is right"
                + (f"; if neuroids were read as repetitions, say {other}" if other else "")
            )
        table = table.assign(**{column: known[column] for column in known if column not in table})
        wrong = np.flatnonzero(table["neuroid"].duplicated() | (table["neuroid"] == ""))
        if len(wrong):
            neuroid = table["neuroid"][wrong[0]]
            earlier = table.index[table["neuroid"] == neuroid][0]
            problem = f"the same as data row {earlier + 1}" if neuroid else "empty"
            raise InputError(
                f"{place}: column `neuroid`, data row {wrong[0] + 1}: {neuroid!r} is {problem}; every neuroid needs a "
                f"name of its own, or leave the column out"
            )
    return _with_defaults(table, spec).set_index("neuroid")


def _is_assembly(spec: dict, key: str) -> bool:
    if Path(spec["responses"]).suffix.lower() != ".nc":
        return False
    if spec.get("neuroids"):
        raise InputError(
            f"{key}.neuroids: {spec['responses']} is a BrainIO assembly, which says itself what its neuroids are; "
            f"leave `neuroids` out"
        )
    for option, said in (
        ("axes", "names its axes"),
        ("time_bins", "says itself when its bins are"),
        ("array", "is one array"),
    ):
        if spec.get(option):
            raise InputError(
                f"{key}.{option}: {spec['responses']} is a BrainIO assembly, which {said}; leave `{option}` out"
            )
    return True


def _neuroids_of_assembly(table: "pd.DataFrame", spec: dict) -> "pd.DataFrame":
    return _with_defaults(table.drop(columns=[column for column in RESERVED if column in table]), spec)


def _with_defaults(table: "pd.DataFrame", spec: dict) -> "pd.DataFrame":
    for column, default in DEFAULTS.items():
        value = spec.get(column) or default
        # Areas of the values of a mask are known by voxel.
        if value is not None and not isinstance(value, dict):
            table[column] = table[column].where(table[column] != "", value) if column in table else value
    return table


def _left_out(responses: NDArray[np.float64], stimuli: NDArray) -> NDArray[np.object_]:
    """Return why each neuroid (repetitions, n, neuroids) cannot be used, '' where it can."""
    reasons = np.full(responses.shape[2], "", dtype=object)
    for neuroid in range(responses.shape[2]):
        values = responses[:, :, neuroid]
        shown = ~np.isnan(values)
        counts = shown.sum(axis=0)
        infinite = np.flatnonzero(np.isinf(values).any(axis=0))
        if not counts.any():
            reasons[neuroid] = "no responses"
        elif len(infinite):
            reasons[neuroid] = f"infinite response to {stimuli[infinite[0]]}"
        else:
            means = np.where(shown, values, 0)[:, counts > 0].sum(axis=0) / counts[counts > 0]
            # Means of equal responses, over different numbers of repetitions, differ by rounding.
            if not varies(np.ptp(means), np.abs(means).max()):
                reasons[neuroid] = "constant"
    return reasons


def _report_not_shown(responses: NDArray[np.float64], stimuli: NDArray, place: str) -> None:
    """Warn of stimuli to which no neuroid (repetitions, n, neuroids, ...) has a response."""
    absent = np.isnan(responses).all(axis=(0, *range(2, responses.ndim)))
    if absent.any() and not absent.all():
        names = shown([str(name) for name in stimuli[absent]])
        logger.warning("%s: %d of %d stimuli were not shown: %s", place, absent.sum(), len(absent), names)


def _report_dropped(neuroids: "pd.DataFrame", place: str) -> None:
    if dropped := [column for column in RESERVED if column in neuroids]:
        logger.warning(
            "%s: coordinates of neuroids left out, as the store has its own of this name: %s", place, shown(dropped)
        )


def _report(left_out: NDArray[np.object_], neuroids: Sequence[str], place: str) -> None:
    wrong = np.flatnonzero(left_out != "")
    if len(wrong) == len(left_out):
        raise InputError(
            f"{place}: no neuroid can be used: "
            + ", ".join(f"{reason} ({count})" for reason, count in Counter(left_out).most_common(10))
        )
    if len(wrong):
        named = ", ".join(f"{neuroids[k]} ({left_out[k]})" for k in wrong)
        logger.warning("%s: %d of %d neuroids left out: %s", place, len(wrong), len(left_out), named)
