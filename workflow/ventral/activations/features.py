"""Open the features of one layer as a labelled array, for notebooks."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ventral.activations.parts import open_parts, scale_of
from ventral.errors import InputError, allowed_instead, shown
from ventral.store import read_dataset

if TYPE_CHECKING:
    import xarray as xr

# Names of the axes of one stimulus's features, by the number of axes.
AXES = {2: ("row", "column"), 3: ("channel", "row", "column")}


def open_features(results: str | Path, model: str, stimuli: str, layer: str) -> "xr.DataArray":
    """Open the features of one layer of a finished run in the network's own units, with all shards joined.

    Values are read chunk by chunk when they are used: `open_features(...)[:100].values` reads 100 stimuli.

    Parameters
    ----------
    results : path
        Folder of the run's results.
    model, stimuli, layer : str
        Names of the model and the stimulus set in the config, and of the layer in the model's description.

    Returns
    -------
    DataArray
        (stimulus, feature), float32. `stimulus` has the columns of the stimulus set. `feature` has coordinates
        `channel`, `row` and `column` for maps of channels, and `row` and `column` for two-dimensional features.
        Features of one dimension have no further coordinates. Attributes name the model, the layer, the set, and the
        SHA-256 of weights and of stimuli.

    Raises
    ------
    InputError
        If the run kept no features of this model and set, or the model does not have this layer.
    """
    import dask.array as da
    import xarray as xr

    stores = _shards(Path(results), model, stimuli)
    layers = {described["name"]: described for described in stores[0].attrs["layers"]}
    if layer not in layers:
        raise InputError(f"{results}: model {model} has no layer {layer!r}; {allowed_instead(layer, list(layers))}")
    shown_to = read_dataset(Path(results) / "stimuli" / f"{stimuli}.zarr")
    if shown_to.attrs["sha256"] != stores[0].attrs["stimuli_sha256"]:
        raise InputError(
            f"{results}: the features of {model} are out of date: {stimuli}.zarr holds other stimuli now; rerun the "
            f"workflow to extract them again"
        )
    arrays = [store[layer] for store in stores]
    values = da.concatenate([da.from_array(array, chunks=array.shards or array.chunks) for array in arrays])
    attributes = ("model", "family", "stimuli", "stimuli_sha256", "weights_sha256")
    described = layers[layer]
    return xr.DataArray(
        # Dividing by the scale is exact, because the scale is a power of two.
        values.astype(np.float32) / np.float32(scale_of(arrays[0])),
        dims=("stimulus", "feature"),
        coords={
            **{name: ("stimulus", of_set.values) for name, of_set in shown_to.coords.items() if of_set.ndim == 1},
            **_places(described["shape"]),
        },
        name=layer,
        attrs={
            **{name: stores[0].attrs[name] for name in attributes},
            "layer": layer,
            "depth": described["depth"],
            "shape": list(described["shape"]),
        },
    )


def _shards(results: Path, model: str, stimuli: str) -> list:
    folder = results / "activations" / model / stimuli
    parts = sorted((part for part in folder.glob("[0-9]*") if part.is_dir()), key=lambda part: int(part.name))
    if not parts:
        kept = sorted(f"{path.parent.name} of {path.name}" for path in (results / "activations").glob("*/*"))
        raise InputError(
            f"{folder}: features are missing; set `extraction: {{keep: true}}` to keep them. This results folder has "
            f"{shown(kept) if kept else 'no features of any model'}"
        )
    return open_parts(parts)


def _places(shape: Sequence[int]) -> Mapping[str, tuple[str, np.ndarray]]:
    """Return coordinates of each feature within its layer, in the order of the flattened features."""
    names = AXES.get(len(shape), ())
    places = np.unravel_index(np.arange(int(np.prod(shape))), shape) if names else ()
    return {name: ("feature", place) for name, place in zip(names, places, strict=True)}
