"""Recordings in BrainIO's format, a NetCDF assembly of presentations by neuroids.

BrainIO (the data of Brain-Score: Schrimpf et al. 2020, Neuron 108:413) has one row for every presentation of a
stimulus. Coordinates along `presentation` identify the stimulus (`stimulus_id`, in older files `image_id`) and the
repetition (`repetition`). Coordinates along `neuroid` identify the neuroid (`neuroid_id`, `region`, `animal` or
`subject`, and more).
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ventral.errors import InputError, shown
from ventral.recordings.arrays import start_of
from ventral.recordings.axes import TIME_BIN
from ventral.recordings.presentations import IDS, arranged, as_text, match_ids, numbered
from ventral.recordings.time_bins import END, START, TimeBins, bins_between, check_names, numbered_bins

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

DIMENSIONS = ("presentation", "neuroid", TIME_BIN)
# Columns in the table of neuroids for coordinates of the assembly.
COLUMNS = {"region": "area", "animal": "animal", "subject": "animal"}


def check(path: str | Path, key: str, n_stimuli: int | None = None) -> tuple["pd.DataFrame", TimeBins | None]:
    """Check that a file is an assembly, reading only coordinates; return its neuroids and bins of time.

    Parameters
    ----------
    path : path
        NetCDF file.
    key : str
        Config key of the file, for messages.
    n_stimuli : int, optional
        Number of stimuli in the set that was shown, if it is known.

    Returns
    -------
    neuroids : DataFrame
    bins : TimeBins or None
        As from `read`.

    Raises
    ------
    InputError
        If the file cannot be read, or its variables are not those of an assembly.
    """
    with _opened(path, key) as (assembly, place):
        ids = np.unique(_ids(assembly, place))
        if n_stimuli is not None and len(ids) > n_stimuli:
            raise InputError(
                f"{place}: {len(ids)} stimuli were presented, where the set has {n_stimuli}; give the set they are of"
            )
        return _neuroids(assembly, place), _time_bins(assembly, place)


def read(
    path: str | Path, key: str, stimuli: Mapping[str, NDArray]
) -> tuple[NDArray[np.float64], "pd.DataFrame", TimeBins | None]:
    """Read an assembly, stimuli in the order of the set that was shown.

    The assembly's ids are matched to the set's columns `stimulus_id` and `image_id`, to its stimuli's names, and to
    these names without folders and extension. The first of these with all ids is used. Rows of one stimulus and
    repetition are joined if they have different neuroids, such as those of two animals.

    Parameters
    ----------
    path, key
        As for `check`.
    stimuli : mapping of (n,) arrays
        Columns of the stimulus set, `stimulus` among them.

    Returns
    -------
    responses : (neuroids, n, repetitions) array, or (neuroids, n, repetitions, bins)
        NaN where not shown. Repetitions are in the order of the coordinate `repetition`. They are in the order of each
        stimulus's presentations without that coordinate, or if it continues counting from stimulus to stimulus.
    neuroids : DataFrame
        One row for each neuroid, by its id, with the other coordinates as columns. The column `area` is the assembly's
        `region`, and `animal` is its `animal` or `subject`.
    bins : TimeBins or None
        None unless the assembly has several bins along `time_bin`.

    Raises
    ------
    InputError
        As for `check`, and if a presented stimulus is not in the set, or two presentations disagree about a response.
    """
    with _opened(path, key) as (assembly, place):
        neuroids = _neuroids(assembly, place)
        ids = _ids(assembly, place)
        rows = _rows(ids, stimuli, place)
        repetitions = numbered(_repetitions(assembly), ids)
        bins = _time_bins(assembly, place)
        values = assembly.transpose("presentation", "neuroid", ...).values.astype(np.float64)

    def conflict(presentation: int, neuroid: int, number: int) -> str:
        return (
            f"{place}: neuroid {neuroids.index[neuroid]!r} has more than one response to `{ids[presentation]}` in "
            f"the same `repetition` (one is presentation {presentation + 1}; {number} such responses); number "
            f"the repetitions of every stimulus"
        )

    return arranged(values, rows, repetitions, len(stimuli["stimulus"]), conflict), neuroids, bins


@contextmanager
def _opened(path: str | Path, key: str) -> Iterator[tuple["xr.DataArray", str]]:
    """Give the assembly of a file, without reading its values, and its name for messages."""
    place = f"{key}: {path}"
    if start_of(path, key).startswith(b"CDF"):
        raise InputError(f"{place}: NetCDF 3; NetCDF 4 is right, as xarray's `to_netcdf(format='NETCDF4')` writes")
    try:
        with _dataset(path) as dataset:
            yield _assembly(dataset, place), place
    except InputError:
        raise
    # A damaged file may be noticed only when its values are read.
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise InputError(f"{place}: cannot be read as NetCDF, or is cut short: {error}") from error


def _dataset(path: str | Path) -> "xr.Dataset":
    import h5py
    import xarray as xr

    # h5netcdf would print a traceback on deletion of a file that h5py cannot open.
    with h5py.File(os.fspath(path), "r") as file:
        list(file.values())
    return xr.open_dataset(os.fspath(path), engine="h5netcdf")


def _assembly(dataset: "xr.Dataset", place: str) -> "xr.DataArray":
    """Return the only variable of presentations by neuroids, without reading its values."""
    found = [name for name, variable in dataset.data_vars.items() if {"presentation", "neuroid"} <= {*variable.dims}]
    if len(found) != 1:
        described = ", ".join(f"{name} {variable.dims}" for name, variable in dataset.data_vars.items())
        raise InputError(
            f"{place}: one variable with the dimensions `presentation` and `neuroid` is right; it has "
            f"{len(found)} ({described or 'no variables'})"
        )
    assembly = dataset[found[0]]
    if assembly.dtype.kind not in "fiu":
        raise InputError(f"{place}: its values are {assembly.dtype}; responses are numbers")
    for dimension, size in assembly.sizes.items():
        if dimension not in DIMENSIONS and size != 1:
            raise InputError(
                f"{place}: {size} values along `{dimension}`; one response to each presentation is right: select "
                f"one, or average them, and save the assembly again"
            )
    if 0 in assembly.shape:
        raise InputError(f"{place}: it is empty: {dict(assembly.sizes)}")
    return assembly.squeeze([dim for dim in assembly.dims if dim not in DIMENSIONS[:2] and assembly.sizes[dim] == 1])


def _time_bins(assembly: "xr.DataArray", place: str) -> TimeBins | None:
    """Return the bins along `time_bin`, named by their edges in ms, by the coordinate, or by their numbers."""
    if TIME_BIN not in assembly.dims:
        return None
    coordinates = _along(assembly, TIME_BIN)
    if START in coordinates and END in coordinates:
        return bins_between(np.column_stack([coordinates[START], coordinates[END]]).tolist(), place)
    if TIME_BIN not in coordinates:
        return numbered_bins(assembly.sizes[TIME_BIN])
    names = as_text(coordinates[TIME_BIN]).tolist()
    check_names(names, place)
    return TimeBins(names)


def _along(assembly: "xr.DataArray", dimension: str) -> dict[str, NDArray]:
    """Return the coordinates along a dimension, and scalar coordinates of the assembly repeated along it."""
    return {
        str(name): np.broadcast_to(coordinate.values, assembly.sizes[dimension])
        for name, coordinate in assembly.coords.items()
        if coordinate.dims in ((), (dimension,))
    }


def _ids(assembly: "xr.DataArray", place: str) -> NDArray:
    coordinates = _along(assembly, "presentation")
    for name in IDS:
        if name in coordinates:
            return as_text(coordinates[name])
    raise InputError(
        f"{place}: no coordinate `stimulus_id` (nor `image_id`) along `presentation`; it has "
        f"{', '.join(coordinates) or 'none'}"
    )


def _neuroids(assembly: "xr.DataArray", place: str) -> "pd.DataFrame":
    import pandas as pd

    coordinates = _along(assembly, "neuroid")
    if "neuroid_id" not in coordinates:
        raise InputError(
            f"{place}: no coordinate `neuroid_id` along `neuroid`; it has {', '.join(coordinates) or 'none'}"
        )
    names = pd.Index(as_text(coordinates.pop("neuroid_id")).astype(object), name="neuroid")
    if names.has_duplicates:
        name = names[names.duplicated()][0]
        rows = (np.flatnonzero(names == name) + 1).tolist()
        raise InputError(
            f"{place}: neuroids {', '.join(map(str, rows))} are all called {name!r} in `neuroid_id`; every neuroid "
            f"needs a name of its own"
        )
    table = {}
    for coordinate, values in coordinates.items():
        column = COLUMNS.get(coordinate, coordinate)
        along_neuroids = assembly[coordinate].dims == ("neuroid",) and coordinate != "neuroid"
        if column not in table and (along_neuroids or coordinate in COLUMNS):
            table[column] = values if values.dtype.kind in "fiub" else values.astype(str).astype(object)
    return pd.DataFrame(table, index=names)


def _rows(ids: NDArray, stimuli: Mapping[str, NDArray], place: str) -> NDArray[np.intp]:
    """Return the row in the stimulus set of each presentation."""
    match = match_ids(ids, stimuli)
    if match.missing:
        raise InputError(
            f"{place}: {len(match.missing)} of {len(np.unique(ids))} stimuli that were presented are not in the "
            f"stimulus set, by its {match.kind}: {shown(match.missing, 3)}; there, they are called "
            f"{shown(match.names.tolist(), 3)}. Give the stimulus table a column `stimulus_id` with the assembly's ids"
        )
    if not match.is_unique:
        raise InputError(f"{place}: the stimulus set's {match.kind} has the assembly's ids, but not every one once")
    return match.rows(ids)


def _repetitions(assembly: "xr.DataArray") -> NDArray | None:
    """Return the label of each presentation's repetition; None without labels."""
    return _along(assembly, "presentation").get("repetition")
