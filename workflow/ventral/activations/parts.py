"""Open the activation stores of all jobs that extracted one model's features as one."""

from collections.abc import Sequence
from pathlib import Path

import zarr

from ventral.errors import InputError
from ventral.shards import stores_of_parts
from ventral.store import open_store


def open_parts(parts: Sequence[str | Path]) -> list[zarr.Group]:
    """Open activation stores, in the order of their rows.

    Parameters
    ----------
    parts : sequence of paths
        Stores, or folders of stores, that together hold every stimulus once.

    Raises
    ------
    InputError
        If the stores are not parts of one model's features, or if rows are missing.
    """
    stores = sorted((open_store(shard) for shard in stores_of_parts(parts)), key=lambda store: store.attrs["start"])
    _check_together(stores)
    return stores


def scale_of(array: zarr.Array) -> float:
    """Return the power of two that the features of a layer were multiplied by."""
    return array.attrs.get("scale", 1.0)


def _check_together(stores: Sequence[zarr.Group]) -> None:
    """Refuse activation stores, sorted by their rows, that are not parts of one model's features."""
    first = stores[0].attrs
    row = 0
    for store in stores:
        for key in ("model", "stimuli", "stimuli_sha256", "weights_sha256", "dtype", "layers"):
            if store.attrs[key] != first[key]:
                raise InputError(f"{store.store}: {key} differs from {key} of {stores[0].store}; extract both again")
        if store.attrs["start"] != row:
            raise InputError(f"{store.store}: starts at stimulus {store.attrs['start']}, expected stimulus {row}")
        row = store.attrs["stop"]
        for name in (layer["name"] for layer in first["layers"]):
            scale, expected = scale_of(store[name]), scale_of(stores[0][name])
            if scale != expected:
                raise InputError(
                    f"{store.store}: features of layer {name} are multiplied by {scale:g}, but those of "
                    f"{stores[0].store} by {expected:g}; extract both again"
                )
    if row != first["n_stimuli"]:
        raise InputError(f"{stores[-1].store}: ends at stimulus {row} of {first['n_stimuli']}; extract the rest")
