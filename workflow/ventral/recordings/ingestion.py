"""Ingestion of recordings: responses of neuroids with their reliability, or published dissimilarity matrices."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ventral.errors import InputError, nearest, shown
from ventral.mappings.standardisation import varies
from ventral.recordings import brainio, nwb
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
from ventral.recordings.choices import check_choices, choices_dataset
from ventral.recordings.files import open_responses
from ventral.recordings.given_ceilings import COLUMN, RATIO, check_repetitions, numbers_given, with_given_ceilings
from ventral.recordings.matrices import Matrices, areas_of, read_matrices, report_negative, upper_triangle
from ventral.recordings.time_bins import (
    END,
    START,
    TimeBins,
    bins_between,
    chosen_bins,
    columns_of,
    edges_of,
    has_counts,
    in_chosen_bins,
    numbered_bins,
    windows_of,
    with_baseline,
)
from ventral.recordings.trials import Trials, read_trials, report_trials, responses_of, rows_presented
from ventral.recordings.volumes import voxels_of
from ventral.stimuli.places import as_list
from ventral.stimuli.tables import read_table, report_columns

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

logger = logging.getLogger("ventral")

# Keys that hold for all neuroids if the table has no such column, with their defaults.
DEFAULTS = {"area": "unknown", "animal": None}
# Columns of the table of neuroids that are text even if their values look like numbers.
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
    asked: Sequence[str] = (),
) -> int | None:
    """Check that a recording's files exist and match, reading only the header of the responses.

    Parameters
    ----------
    spec : dict
        A recording in one of seven forms:

        - `responses` is the path of an npy, npz or mat file with an array (neuroids, stimuli, repetitions) or,
          averaged, (neuroids, stimuli), NaN where not shown. Optional keys follow below.
        - `responses` is a NIfTI file with a `mask`, as for `ventral.recordings.volumes.voxels_of`.
        - `responses` is a BrainIO assembly, as for `ventral.recordings.brainio.read`, with its own neuroids and bins.
        - `trials` is a trial table, as for `ventral.recordings.trials.read_trials`.
        - `nwb` is one NWB file or several, as for `ventral.recordings.nwb.check`.
        - `matrices` has matrices, as for `ventral.recordings.matrices.read_matrices`; `area` is one, or one by name.
        - `behaviour` has choices, as for `ventral.recordings.choices.check_choices`.

        Optional keys: `array` is the name of the array in the file. `axes` names axes in another order, or with bins of
        time. `time_bins` has start and end of each bin in ms, and `baseline` is the bin before the stimulus. `bins` has
        windows that join bins of the file, as for `ventral.recordings.time_bins.in_chosen_bins`. `neuroids` is a CSV or
        Parquet file with one row for each neuroid, in the order of the array. `area` and `animal` hold for all
        neuroids. `ceiling` is as for `ventral.recordings.given_ceilings.numbers_given`.
    n_stimuli : int, optional
        Number of stimuli in the set that was shown, if it is known.
    key : str
        Config key of `spec`, for messages.
    stimuli : mapping of (n,) arrays, optional
        Columns of the set, including `stimulus`, if they are known.
    asked : sequence of str
        Names of neuroids that `in_silico.drive` names.

    Returns
    -------
    int or None
        Number of neuroids times number of bins of time; None for matrices and behaviour.

    Raises
    ------
    InputError
        If a file cannot be read, the array is not of this kind, or a neuroid is unknown.
    """
    if "matrices" in spec:
        areas_of(spec, list(read_matrices(spec, n_stimuli, key)), key)
        return None
    if "behaviour" in spec:
        check_choices(spec, key, stimuli)
        return None
    if "trials" in spec:
        trials, neuroids, bins = _presented(spec, key, unread=True)
        numbers_given(spec, neuroids, key)
        _check_asked(neuroids, asked)
        if stimuli is not None:
            rows_presented(trials, stimuli, spec, key)
        return len(neuroids) * _number_of(bins)
    if "nwb" in spec or _is_assembly(spec, key):
        if "nwb" in spec:
            neuroids, bins = nwb.check(spec, key, stimuli)
            with_baseline(bins, spec.get("baseline"), key)
        else:
            neuroids, bins = brainio.check(spec["responses"], f"{key}.responses", n_stimuli)
            bins = chosen_bins(bins, spec, key)
        neuroids = _neuroids_of_file(neuroids, spec)
        numbers_given(spec, neuroids, key)
        _check_asked(neuroids, asked)
        return len(neuroids) * _number_of(bins)
    array, axes, bins = _responses(spec, n_stimuli, key, unread=True)
    bins = chosen_bins(bins, spec, key)
    shape = in_order(array, axes).shape
    neuroids = _neuroids(spec, shape, axes, key)
    _check_asked(neuroids, asked)
    if given := numbers_given(spec, neuroids, key):
        check_repetitions(given, spec, shape[2] > 1, key)
    return len(neuroids) * _number_of(bins)


def n_repetitions(spec: dict, n_stimuli: int | None = None, key: str = "recordings") -> int | None:
    """Return the number of repetitions in a file of responses, by its header; None for recordings of other forms.

    Parameters
    ----------
    spec, n_stimuli, key
        As for `check`.
    """
    if "responses" not in spec or "trials" in spec or _is_assembly(spec, key):
        return None
    array, axes, _ = _responses(spec, n_stimuli, key, unread=True)
    return in_order(array, axes).shape[2]


def _check_asked(neuroids: "pd.DataFrame", asked: Sequence[str]) -> None:
    known = neuroids.index.astype(str).tolist()
    for name in asked:
        if name not in known:
            raise InputError(
                f"config key in_silico.drive.neuroids: no neuroid of the recording is called {name!r}; "
                f"similar or first names: {nearest(name, known)}"
            )


def _number_of(bins: TimeBins | None) -> int:
    return len(bins.names) if bins else 1


def ingest(
    spec: dict, stimuli: str | Path, output: str | Path, *, name: str, n_splits: int = 100, seed: int = 0
) -> None:
    """Write the store of a recording.

    The store has three variables:

    - `responses` (repetition, stimulus, neuroid) float64, NaN where not shown;
    - `reliability` (neuroid), NaN without repetitions;
    - `left_out` (neuroid), the reason why a neuroid cannot be used, '' for usable neuroids.

    Coordinates are `stimulus`, `neuroid`, `area`, and the other columns of the neuroid table. Attributes are
    `recording`, `stimuli`, `stimuli_sha256`, `n_repetitions` and `has_repetitions`.

    With published ceilings, the coordinate `given_ceiling` (neuroid) is the largest attainable r. The attributes
    `given_ceiling_kind` and `given_ceiling_from` give its origin (`ventral.recordings.given_ceilings`). If the ceiling
    depends on the scored stimuli, there is also a coordinate `given_signal_to_noise` (neuroid).

    In a recording with bins of time all three variables have a last dimension `time_bin`. Its coordinates are the names
    of bins and, if known, `time_bin_start` and `time_bin_end` in ms. A neuroid may be left out in some bins alone. The
    attribute `counted_in_bins` says that responses are counts, which grow with the width of a bin.
    `ventral.recordings.time_bins.columns_of` turns neuroids in bins into columns.

    A recording of dissimilarity matrices has `dissimilarities` (matrix, pair) instead, with one row for each matrix of
    each subject. Its coordinates are `stimulus`, and `name`, `subject` (from 1) and `area` of each row. A recording of
    behaviour has the content of `ventral.recordings.choices.choices_dataset`.

    Parameters
    ----------
    spec : dict
        As for `check`.
    stimuli : path
        Store of the stimuli that were shown.
    output : path
        Store to write.
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
    if "behaviour" in spec:
        write_dataset(choices_dataset(spec, stimulus_set, name), output)
        return
    source = next(source for source in ("trials", "nwb", "responses") if source in spec)
    place = f"{key}.{source}: {', '.join(as_list(spec[source]))}"
    columns = {column: values.values for column, values in stimulus_set.coords.items()}
    if "trials" in spec:
        array, neuroids, bins = _read_presented(spec, columns, key)
    elif "nwb" in spec or _is_assembly(spec, key):
        if "nwb" in spec:
            array, neuroids, bins = nwb.read(spec, key, columns)
            bins = with_baseline(bins, spec.get("baseline"), key)
        else:
            array, neuroids, bins = brainio.read(spec["responses"], f"{key}.responses", columns)
            array, bins = in_chosen_bins(array, bins, spec, key), chosen_bins(bins, spec, key)
        _report_dropped(neuroids, place)
        neuroids = _neuroids_of_file(neuroids, spec)
    else:
        array, neuroids, bins = _read(spec, stimulus_set.sizes["stimulus"], key)
    responses = np.ascontiguousarray(array.swapaxes(0, 2), dtype=np.float64)
    _report_not_shown(responses, stimulus_set["stimulus"].values, place)
    neuroids, ceilings = with_given_ceilings(spec, neuroids, responses, key)
    dataset = dataset_of(responses, neuroids, stimulus_set, name, place, n_splits, seed, bins)
    report_baseline(dataset, place)
    counted = {"counted_in_bins": True} if has_counts(spec) else {}
    write_dataset(dataset.assign_attrs(ceilings | counted), output)


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
    """Return the content of the store of a recording of neuroids, as `ingest` describes it.

    Parameters
    ----------
    responses : (repetitions, n, neuroids) array, or (repetitions, n, neuroids, bins) with `bins`
        NaN where not shown.
    neuroids : DataFrame
        One row for each neuroid, by its id, with the column `area`.
    stimulus_set : Dataset
        Stimuli that were shown.
    name : str
        Name of the recording.
    place : str
        Source of the responses, for messages.
    n_splits, seed : int
        As for `split_half_reliability`.
    bins : TimeBins, optional
        Bins of time of a recording with such an axis.

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
    """Return the mean response (stimulus, neuroid) over repetitions; NaN where a stimulus was not shown.

    A neuroid has one column for each bin of time.
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
    """Return the responses of a trial table in the form of `_read`, and log remarks about the table."""
    trials, neuroids, bins = _presented(spec, key)
    report_trials(trials, neuroids, spec, key)
    if spec.get("neuroids"):
        report_columns(neuroids, f"{key}.neuroids: {spec['neuroids']}")
    return responses_of(trials, neuroids, columns, spec, key), neuroids, bins


def _presented(spec: dict, key: str, *, unread: bool = False) -> tuple[Trials, "pd.DataFrame", TimeBins | None]:
    """Return a trial table with its responses, the table of neuroids, and the bins of time."""
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
        windows = windows_of(spec, key)
        bins = bins_between(windows, f"{key}.time_bins")
    trials = read_trials(spec, key, windows, listed, unread=unread)
    if spec.get("responses"):
        bins = _time_bins(spec, trials.in_file, trials.axes, key)
        if bins is None and TIME_BIN in trials.axes:
            trials = replace(trials, values=trials.values[..., 0])
        elif not unread:
            trials = replace(trials, values=in_chosen_bins(trials.values, bins, spec, key))
    neuroids = _neuroids(spec, (trials.values.shape[1], 0, 0), trials.axes, key, trials.neuroids)
    if spec.get("responses"):
        return trials, neuroids, chosen_bins(bins, spec, key)
    return trials, neuroids, with_baseline(bins, spec.get("baseline"), key)


def _read(spec: dict, n_stimuli: int, key: str) -> tuple[NDArray, "pd.DataFrame", TimeBins | None]:
    """Return unread responses, the table of neuroids, and the bins of time; warn of doubtful axes.

    The responses are (neuroids, n, repetitions), or (neuroids, n, repetitions, bins).
    """
    array, axes, bins = _responses(spec, n_stimuli, key)
    chosen = chosen_bins(bins, spec, key)
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
    return in_chosen_bins(ordered, bins, spec, key) if bins else of_bins[0], neuroids, chosen


def _responses(
    spec: dict, n_stimuli: int | None, key: str, *, unread: bool = False
) -> tuple[NDArray, list[str], TimeBins | None]:
    """Return the responses in the order of the file, the names of their axes, and the file's bins of time."""
    array = open_responses(spec, key, EXPECTED, unread=unread)
    place = f"{key}.responses: {spec['responses']}"
    if array.dtype.kind not in "fiu":
        raise InputError(f"{place}: its values are {array.dtype}; {EXPECTED}")
    if array.ndim not in (2, 3, 4) or 0 in array.shape:
        raise InputError(f"{place}: its shape is {array.shape}; {EXPECTED}")
    axes = axes_of(spec, array.ndim, key)
    bins = _time_bins(spec, array.shape, axes, key)
    if n_stimuli is not None and array.shape[axes.index("stimulus")] != n_stimuli:
        other = with_stimuli_elsewhere(array.shape, axes, n_stimuli)
        raise InputError(
            f"{place}: responses to {array.shape[axes.index('stimulus')]} stimuli, where the set {spec['stimuli']!r} "
            f"has {n_stimuli} (shape {array.shape}, read as {read_as(array.shape, axes)})"
            + (f"; if it is {read_as(array.shape, other)}, say {line_of(other)}" if other else "")
        )
    return array, axes, bins


def _time_bins(spec: dict, shape: tuple[int, ...], axes: list[str], key: str) -> TimeBins | None:
    """Return the bins of time of an array; None without such an axis, or for a single bin without a name."""
    n_bins = shape[axes.index(TIME_BIN)] if TIME_BIN in axes else None
    edges = edges_of(spec.get("time_bins") or [], f"{key}.time_bins")
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
    """Return the table of neuroids, one row for each, by its id.

    Parameters
    ----------
    spec : dict
        The recording.
    shape : tuple of int
        Number of neuroids, stimuli and repetitions.
    axes : list of str
        Names of the axes in the file.
    key : str
        Config key of `spec`.
    names : sequence of str, optional
        Names of neuroids without a table. By default they are numbered.
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
            f"{key}.neuroids: {spec['responses']} is a BrainIO assembly, which has its own table of neuroids; "
            f"leave `neuroids` out"
        )
    for option, said in (
        ("axes", "names its axes"),
        ("time_bins", "has its own times of bins"),
        ("array", "is one array"),
    ):
        if spec.get(option):
            raise InputError(
                f"{key}.{option}: {spec['responses']} is a BrainIO assembly, which {said}; leave `{option}` out"
            )
    return True


def _neuroids_of_file(table: "pd.DataFrame", spec: dict) -> "pd.DataFrame":
    return _with_defaults(table.drop(columns=[column for column in RESERVED if column in table]), spec)


def _with_defaults(table: "pd.DataFrame", spec: dict) -> "pd.DataFrame":
    for column, default in DEFAULTS.items():
        value = spec.get(column) or default
        # Areas of the values of a mask are known by voxel.
        if value is not None and not isinstance(value, dict):
            table[column] = table[column].where(table[column] != "", value) if column in table else value
    return table


def _left_out(responses: NDArray[np.float64], stimuli: NDArray) -> NDArray[np.object_]:
    """Return the reason why each neuroid (repetitions, n, neuroids) cannot be used; '' if it can."""
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
