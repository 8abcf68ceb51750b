"""Open the score table as labelled arrays for xarray, and in the form of BrainIO."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ventral.errors import InputError, allowed_instead
from ventral.tables import read_parquet

if TYPE_CHECKING:
    import xarray as xr

# Columns that define the places on each axis. Each comparison without a fit is a separate measure.
AXES = {
    "layer": ["model", "layer", "step"],
    "target": ["recording", "area", "time_bin", "target", "target_kind", "subject"],
    "measure": ["split", "mapping", "distance", "comparison"],
}
# Columns that have one value for each place on an axis.
BESIDE = {"layer": ["family", "depth", "n_features"], "target": ["stimuli", "simulated"], "measure": []}
# Columns of `target` that only tables with given ceilings have.
OF_CEILINGS = ["given_ceiling_kind"]


def open_scores(path: str | Path) -> "xr.Dataset":
    """Open a score table as a labelled dataset.

    Parameters
    ----------
    path : path
        `scores.parquet` of a finished run.

    Returns
    -------
    Dataset
        Every number of the table by (layer, target, measure); NaN if the table has no row. Coordinates along `layer`
        are `model`, `layer_name`, `step`, `family`, `depth` and `n_features`. Coordinates along `target` are
        `recording`, `area`, `time_bin`, `target_name`, `target_kind`, `subject`, `stimuli`, `simulated` and
        `given_ceiling_kind`. Coordinates along `measure` are `split`, `mapping`, `distance` and `comparison`.

    Raises
    ------
    InputError
        If the file is missing, or is not a score table.
    """
    table = _read(path)
    beside = {**BESIDE, "target": [*BESIDE["target"], *(name for name in OF_CEILINGS if name in table)]}
    places, coordinates = {}, {}
    for axis, keys in AXES.items():
        places[axis] = table.groupby(keys, dropna=False, sort=False).ngroup().to_numpy()
        first = ~pd.Series(places[axis]).duplicated().to_numpy()
        for column in (*keys, *beside[axis]):
            name = f"{column}_name" if column == axis else column
            coordinates[name] = (axis, _plain(table.loc[first, column]))
    named = {name for axis in AXES for name in (*AXES[axis], *beside[axis])}
    index = pd.MultiIndex.from_arrays(list(places.values()), names=list(places))
    numbers = table[[name for name in table if name not in named]].astype("float64").set_index(index)
    arrays = numbers.to_xarray()
    return arrays.drop_vars(list(AXES)).assign_coords(coordinates)


def brainio_scores(
    path: str | Path, recording: str, split: str, mapping: str = "ridge", value: str = "r"
) -> "xr.DataArray":
    """Return the scores of a recording's neurons with the names of BrainIO's coordinates.

    `brainio_scores(...).to_netcdf(FILE)` writes a NetCDF file with one variable, like BrainIO's assemblies.

    Parameters
    ----------
    path : path
        `scores.parquet` of a finished run.
    recording, split, mapping : str
        Names that select the rows.
    value : str
        Numeric column of the table, such as `r`, `predictivity` or `explained_variance`.

    Returns
    -------
    DataArray
        (layer, neuroid); NaN if the table has no row. Coordinates along `layer` are `model`, `layer_name` and `depth`.
        Coordinates along `neuroid` are `neuroid_id`, `region` and `ceiling`, and `time_bin` for recordings with time
        bins. `ceiling` is the square root of the reliability within folds, or NaN if that is not positive. The
        attributes are `identifier` and `stimulus_set_identifier`, as in BrainIO.

    Raises
    ------
    InputError
        If the file is missing, or the table lacks the recording, split, mapping or column.
    """
    scores = open_scores(path)
    if value not in scores:
        raise InputError(f"{path}: no column {value!r} of numbers; {allowed_instead(value, scores)}")
    for axis, name, wanted in (
        ("target", "recording", recording),
        ("measure", "split", split),
        ("measure", "mapping", mapping),
    ):
        present = sorted(set(scores[name].values))
        if wanted not in present:
            raise InputError(f"{path}: no {name} {wanted!r}; {allowed_instead(wanted, present)}")
        scores = scores.isel({axis: (scores[name] == wanted).values})
    scores = scores.isel(target=(scores["target_kind"] == "neuron").values)
    if scores.sizes["measure"] != 1 or not scores[value].notnull().any():
        raise InputError(
            f"{path}: no neuron of recording {recording!r} has a {value} by mapping {mapping!r} with split {split!r}; "
            f"choose a mapping that predicts neurons, such as ridge"
        )
    scores = scores.isel(measure=0)
    # The maximum finds a neuron's ceiling, which is equal for all layers but missing for layers without a row.
    reliability = scores["reliability"].max("layer").values
    bins = {"time_bin": ("neuroid", scores["time_bin"].values)} if (scores["time_bin"] != "").any() else {}
    array = scores[value].transpose("layer", "target").rename(target="neuroid").reset_coords(drop=True)
    coordinates = {name: ("layer", scores[name].values) for name in ("model", "layer_name", "depth")} | {
        "neuroid_id": ("neuroid", scores["target_name"].values),
        "region": ("neuroid", scores["area"].values),
        "ceiling": ("neuroid", np.sqrt(np.where(reliability > 0, reliability, np.nan))),
    }
    return array.assign_coords(coordinates | bins).assign_attrs(
        identifier=f"{recording}.{split}.{mapping}.{value}",
        stimulus_set_identifier=str(scores["stimuli"].values[0]),
    )


def _read(path: str | Path) -> pd.DataFrame:
    table = read_parquet(path)
    missing = [name for axis in AXES for name in (*AXES[axis], *BESIDE[axis]) if name not in table]
    if missing:
        raise InputError(
            f"{path}: not a score table: the columns {', '.join(missing)} are missing; open `scores.parquet` in the "
            f"folder of results"
        )
    return table


def _plain(column: pd.Series) -> np.ndarray:
    """Return a column as a NumPy array: text as objects, numbers as float with NaN for missing values."""
    if pd.api.types.is_string_dtype(column.dtype):
        return column.fillna("").to_numpy(dtype=object)
    return column.to_numpy(dtype="float64", na_value=np.nan)
