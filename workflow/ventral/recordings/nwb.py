"""Recordings in NWB files: spikes of sorted units, counted in windows of time after each presentation.

h5py reads the files by the schema NWB 2 (nwb-schema.readthedocs.io). Presentations are rows of a table of
`/intervals`, such as `trials`, or numbers of an `IndexSeries` in `/stimulus/presentation`. Spikes are in `/units`, and
the area of a unit is the `location` of its electrodes. Times are in s.
"""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ventral.errors import InputError, allowed_instead, shown
from ventral.recordings.arrays import start_of
from ventral.recordings.presentations import arranged, as_text, in_turn, match_ids
from ventral.recordings.time_bins import TimeBins, bins_between, windows_of
from ventral.stimuli.places import as_list
from ventral.stimuli.tables import MISSING

if TYPE_CHECKING:
    import h5py
    import pandas as pd

logger = logging.getLogger("ventral")

TRIALS, ONSET = "trials", "start_time"
# Columns with the stimulus of a presentation. The first that a table has counts.
STIMULUS_COLUMNS = (
    "stimulus",
    "stimulus_id",
    "image_id",
    "stimulus_name",
    "image_name",
    "stimulus_filename",
    "stim_ID",
    "image",
)
# Columns of units with the area, for units without electrodes.
AREA_COLUMNS = ("area", "brain_area", "location", "region")
SPIKES, OBSERVED, ELECTRODES = "spike_times", "obs_intervals", "electrodes"
TABLE_OF_ELECTRODES = "general/extracellular_ephys/electrodes"


def check(spec: dict, key: str, stimuli: Mapping[str, NDArray] | None) -> tuple["pd.DataFrame", TimeBins]:
    """Check the files of a recording without reading spikes; return the table of units and the bins of time.

    Parameters
    ----------
    spec : dict
        `nwb` has one file or several. `time_bins` or `bins`, and optionally `baseline`, have the windows in ms.
        Optional keys: `presentations` is the table or series of presentations, and `stimulus_column` its column with
        the stimulus. `onset` has columns, in s, and numbers, in ms, whose sum is the time of the onset.
    key : str
        Config key of the recording, for messages.
    stimuli : mapping of (n,) arrays, or None
        Columns of the stimulus set, including `stimulus`, if they are known.

    Raises
    ------
    InputError
        If a file cannot be read, lacks a part, or presents a stimulus that is not in the set.
    """
    bins, units = bins_between(windows_of(spec, key), f"{key}.time_bins"), []
    for path in _files(spec, key):
        with _opened(path, key) as (file, place):
            ids, _ = _presented(file, spec, place)
            if stimuli is not None:
                _rows(ids, stimuli, place)
            units.append(_units(file, path, place))
    return _joined(units), bins


def read(spec: dict, key: str, stimuli: Mapping[str, NDArray]) -> tuple[NDArray[np.float64], "pd.DataFrame", TimeBins]:
    """Read spike counts, with the stimuli in the order of the stimulus set.

    Parameters
    ----------
    spec, key
        As for `check`.
    stimuli : mapping of (n,) arrays
        Columns of the stimulus set, including `stimulus`.

    Returns
    -------
    responses : (neuroids, n, repetitions, bins) array
        NaN where not shown, or where a unit was not observed. Repetitions are in the order of their onsets.
    neuroids : DataFrame
        One row for each unit, by its name, with `area`, `animal`, `session` and the columns of the file.
    bins : TimeBins

    Raises
    ------
    InputError
        As for `check`, and if no spike is in any window.
    """
    windows, responses, units = windows_of(spec, key), [], []
    for path in _files(spec, key):
        with _opened(path, key) as (file, place):
            ids, onsets = _presented(file, spec, place)
            rows, repetitions = _rows(ids, stimuli, place), in_turn(ids, onsets)
            counts = _counts(file["units"], onsets, np.asarray(windows) / 1000, place)
            # Each presentation of a stimulus has its own number, so that none is there twice.
            responses.append(arranged(counts, rows, repetitions, len(stimuli["stimulus"]), lambda *_: "twice"))
            units.append(_units(file, path, place))
    most = max(array.shape[2] for array in responses)
    padded = [
        np.pad(array, [(0, 0), (0, 0), (0, most - array.shape[2]), (0, 0)], constant_values=np.nan)
        for array in responses
    ]
    return np.concatenate(padded), _joined(units), bins_between(windows, f"{key}.time_bins")


def _files(spec: dict, key: str) -> list[str]:
    files = as_list(spec["nwb"])
    for name, number in Counter(Path(path).stem for path in files).items():
        if number > 1:
            raise InputError(f"{key}.nwb: {number} files are called {name}; sessions need names of their own")
    return files


@contextmanager
def _opened(path: str, key: str) -> Iterator[tuple["h5py.File", str]]:
    """Give an opened file, and its place for messages."""
    import h5py

    place = f"{key}.nwb: {path}"
    start_of(path, f"{key}.nwb")
    try:
        with h5py.File(path, "r") as file:
            yield file, place
    except InputError:
        raise
    # Damage may show only in the values of a file.
    except (OSError, KeyError, RuntimeError, ValueError) as error:
        raise InputError(
            f"{place}: cannot be read as HDF5, or is cut short: {error}; an NWB file (HDF5) is right"
        ) from error


def _presented(file: "h5py.File", spec: dict, place: str) -> tuple[NDArray, NDArray[np.float64]]:
    """Return the stimulus of each presentation, and the time of its onset in s."""
    tables, presented = file.get("intervals", {}), file.get("stimulus/presentation", {})
    series = [name for name in presented if kind_of(presented[name]) == "IndexSeries"]
    known = [*tables, *series]
    default = TRIALS if TRIALS in tables or len(series) != 1 else series[0]
    name = spec.get("presentations") or default
    if name not in known:
        raise InputError(
            f"{place}: no table `/intervals/{name}`, nor a series `/stimulus/presentation/{name}`, of presentations; "
            f"name one by `presentations`: {allowed_instead(name, known)}"
        )
    if name in tables:
        ids, onsets = _presented_in_table(tables[name], spec, f"{place}: {tables[name].name}")
    else:
        ids, onsets = _presented_in_series(presented[name], spec, f"{place}: {presented[name].name}")
    kept = np.isfinite(onsets) & ~np.isin(np.char.lower(ids), list(MISSING))
    if not kept.any():
        raise InputError(f"{place}: {name}: none of {len(kept)} presentations has a stimulus and a time of onset")
    if not kept.all():
        logger.warning(
            "%s: %s: %d of %d presentations have no stimulus or no time of onset, and are left out",
            place,
            name,
            (~kept).sum(),
            len(kept),
        )
    return ids[kept], onsets[kept]


def kind_of(entry: "h5py.Group | h5py.Dataset") -> str:
    """Return the type of a group or dataset in the schema of NWB."""
    return str(entry.attrs.get("neurodata_type", ""))


def _presented_in_table(table: "h5py.Group", spec: dict, place: str) -> tuple[NDArray, NDArray[np.float64]]:
    columns = [name for name in table if name != "id" and not name.endswith("_index")]
    name = spec.get("stimulus_column") or next((name for name in STIMULUS_COLUMNS if name in table), None)
    if name not in columns:
        missing = f"no column `{name}`" if name else f"no column {' nor '.join(f'`{c}`' for c in STIMULUS_COLUMNS)}"
        raise InputError(
            f"{place}: {missing}, which names the stimulus; name it by `stimulus_column`: "
            f"{allowed_instead(name or '', columns)}"
        )
    ids = as_text(_column(table, name, place).astype(object)).astype(str)
    return ids, _onsets(table, spec, len(ids), place)


def _onsets(table: "h5py.Group", spec: dict, n: int, place: str) -> NDArray[np.float64]:
    """Return the sum (n,) of the parts of `onset` in s; columns are in s, and numbers in ms."""
    given = spec.get("onset") or ONSET
    parts = given if isinstance(given, list) else [given]
    if not any(isinstance(part, str) for part in parts):
        parts = [ONSET, *parts]
    onsets = np.zeros(n)
    for part in parts:
        if not isinstance(part, str):
            onsets += part / 1000
            continue
        columns = [name for name, column in table.items() if name != "id" and column.dtype.kind in "fiu"]
        if part not in columns:
            raise InputError(f"{place}: no numeric column `{part}`, of `onset`; {allowed_instead(part, columns)}")
        onsets += _column(table, part, place)
    return onsets


def _column(table: "h5py.Group", name: str, place: str) -> NDArray:
    """Return a column (rows,) with one value in each row; text is str, and truths are numbers."""
    column = table[name]
    if f"{name}_index" in table or column.ndim != 1:
        raise InputError(f"{place}: column `{name}` has several values in a row; one in each is right")
    values = column.asstr()[:] if column.dtype.kind == "O" else column[:]
    return values.astype(float) if values.dtype.kind == "b" else values


def _presented_in_series(series: "h5py.Group", spec: dict, place: str) -> tuple[NDArray, NDArray[np.float64]]:
    """Return the names of images, where a series has them in order, else their numbers; and when they appeared."""
    for option in ("stimulus_column", "onset"):
        if spec.get(option):
            raise InputError(f"{place}: a series has no columns; leave `{option}` out")
    numbers = series["data"][:].astype(np.int64)
    if "timestamps" in series:
        onsets = series["timestamps"][:]
    else:
        start = series["starting_time"]
        onsets = start[()] + np.arange(len(numbers)) / start.attrs["rate"]
    images = series.get("indexed_images")
    if images is None:
        return numbers.astype(str), onsets
    if "order_of_images" not in images:
        raise InputError(
            f"{place}: the images of `indexed_images` have no `order_of_images`, so that nothing says which one a "
            f"number is of; name a table by `presentations`"
        )
    names = np.array([images.file[image].name.rpartition("/")[2] for image in images["order_of_images"][:]])
    if len(numbers) and numbers.max() >= len(names):
        raise InputError(f"{place}: number {numbers.max()} of an image, where there are {len(names)}, from 0")
    return names[numbers], onsets


def _rows(ids: NDArray, stimuli: Mapping[str, NDArray], place: str) -> NDArray[np.intp]:
    """Return the row of each presentation in the stimulus set, by its name with or without folders and extension."""
    match = match_ids(ids, stimuli)
    if match.missing:
        bare = np.array([PurePosixPath(name).stem for name in ids.tolist()])
        by_bare = match_ids(bare, stimuli)
        if not by_bare.missing and by_bare.is_unique and len(np.unique(bare)) == len(np.unique(ids)):
            return by_bare.rows(bare)
        raise InputError(
            f"{place}: {len(match.missing)} stimuli are not in the stimulus set, by its {match.kind}: "
            f"{shown(match.missing, 3)}; there, they are called {shown(match.names.tolist(), 3)}"
        )
    if not match.is_unique:
        raise InputError(f"{place}: the stimulus set's {match.kind} has the stimuli, but not every one once")
    return match.rows(ids)


def _counts(
    units: "h5py.Group", onsets: NDArray[np.float64], windows: NDArray[np.float64], place: str
) -> NDArray[np.float64]:
    """Return spike counts (presentations, units, windows) in windows of s; a spike at the end is not in a window.

    If the file has the times of observation of a unit, counts outside are NaN.
    """
    edges = onsets[:, None, None] + windows
    first, last = edges.min(axis=(1, 2)), edges.max(axis=(1, 2))
    spikes, observed = _ragged(units, SPIKES), _ragged(units, OBSERVED)
    counts = np.empty((len(onsets), len(units["id"]), len(windows)))
    times = [np.inf, -np.inf]
    for unit in range(counts.shape[1]):
        own = np.sort(spikes(unit))
        before = np.searchsorted(own, edges)
        counts[:, unit] = before[..., 1] - before[..., 0]
        times = [min([times[0], *own[:1]]), max([times[1], *own[-1:]])]
        if observed is not None:
            start, end = observed(unit).T[..., None]
            counts[~((start <= first) & (last <= end)).any(axis=0), unit] = np.nan
    if not np.nansum(counts):
        raise InputError(
            f"{place}: no spike is in any window: spikes are from {times[0]:g} to {times[1]:g} s, and windows from "
            f"{first.min():g} to {last.max():g} s; `onset` says when stimuli appeared, `time_bins` are in ms after"
        )
    return counts


def _ragged(table: "h5py.Group", name: str):
    """Return a reader of one row of a column with several values in each row; None if the column has one value."""
    if f"{name}_index" not in table:
        return None
    ends = table[f"{name}_index"][:].astype(np.int64)
    starts = np.concatenate([[0], ends[:-1]])
    return lambda row: table[name][starts[row] : ends[row]]


def _units(file: "h5py.File", path: str, place: str) -> "pd.DataFrame":
    """Return `neuroid`, `area`, `animal` and `session` of each unit, and other columns with one value per unit."""
    import pandas as pd

    units = file.get("units")
    if units is None or SPIKES not in units or f"{SPIKES}_index" not in units:
        raise InputError(
            f"{place}: {'no `/units`' if units is None else f'`/units` has no `{SPIKES}`'}; sorted units with "
            f"`{SPIKES}` and `{SPIKES}_index` are right"
        )
    ids, subject = units["id"][:], file.get("general/subject/subject_id")
    if not len(ids):
        raise InputError(f"{place}: `/units` has no unit")
    known = {
        "neuroid": [f"unit_{number}" for number in ids],
        "area": _areas(file, units, place),
        **({} if subject is None else {"animal": subject.asstr()[()]}),
        "session": Path(path).stem,
    }
    others = [name for name in units if name not in (*known, "id", "animal", ELECTRODES) and _is_alone(units, name)]
    return pd.DataFrame(known | {name: _column(units, name, place) for name in others})


def _is_alone(units: "h5py.Group", name: str) -> bool:
    """Say whether a column has one number or text for each unit."""
    import h5py

    column = units[name]
    plain = column.dtype.kind in "fiub" or h5py.check_string_dtype(column.dtype) is not None
    return plain and not name.endswith("_index") and f"{name}_index" not in units and column.shape == units["id"].shape


def _areas(file: "h5py.File", units: "h5py.Group", place: str) -> list[str]:
    """Return the area of most electrodes of each unit; the first of equally frequent areas."""
    n_units = len(units["id"])
    if ELECTRODES not in units:
        column = next((name for name in AREA_COLUMNS if name in units), None)
        return [""] * n_units if column is None else as_text(_column(units, column, place).astype(object)).tolist()
    region = units[ELECTRODES]
    table = file[region.attrs["table"]] if "table" in region.attrs else file[TABLE_OF_ELECTRODES]
    if "location" not in table:
        raise InputError(f"{place}: {table.name}: no column `location`, the area of each electrode")
    locations = _column(table, "location", place)
    of_unit = _ragged(units, ELECTRODES) or (lambda row: region[row : row + 1])
    counted = [Counter(locations[of_unit(unit)].tolist()).most_common(1) for unit in range(n_units)]
    return [found[0][0] if found else "" for found in counted]


def _joined(units: list["pd.DataFrame"]) -> "pd.DataFrame":
    """Return the units of all files by name; with several files, the name begins with the session."""
    import pandas as pd

    if len(units) > 1:
        units = [table.assign(neuroid=table["session"] + "_" + table["neuroid"]) for table in units]
    joined = pd.concat(units).set_index("neuroid")
    text = joined.select_dtypes(exclude=["number", "bool"]).columns
    return joined.fillna(dict.fromkeys(text, ""))
