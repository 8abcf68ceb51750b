"""Volumes of NIfTI files, read by nibabel, with the axes of the file: x, y, z and possibly a fourth.

In the responses of a recording, the voxels of a mask are the neuroids, in the order of a NumPy array: z fastest.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ventral.errors import InputError, allowed_instead
from ventral.recordings.arrays import start_of

if TYPE_CHECKING:
    import pandas as pd
    from nibabel.spatialimages import SpatialImage

SUFFIXES = (".nii", ".nii.gz")
AT_ONCE = 25


def is_volume(path: str | Path) -> bool:
    """Say whether a file is NIfTI, by its name."""
    return str(path).lower().endswith(SUFFIXES)


def open_volume(path: str | Path, key: str, n_axes: int) -> "SpatialImage":
    """Return an image with unread values; slices along its last axis in order read the file once.

    Parameters
    ----------
    path : path
        NIfTI file, compressed or not.
    key : str
        Config key of the recording, for messages.
    n_axes : int
        3 for a volume, 4 for a series of volumes.

    Raises
    ------
    InputError
        If nibabel is not installed, or the file is missing, cannot be read, or has more or fewer axes.
    """
    try:
        import nibabel
    except ImportError as error:
        raise InputError(
            f"{key}: {path}: NIfTI files need nibabel, which is not installed: pip install 'ventral[fmri]'"
        ) from error
    start_of(path, key)
    try:
        # Without indexed_gzip, each opening of a compressed file reads it from the start.
        image = nibabel.load(path, keep_file_open=True)
    except Exception as error:  # nibabel and zlib raise more kinds than they document
        raise InputError(f"{key}: {path}: cannot be read as NIfTI, damaged or cut short: {error}") from error
    if len(image.shape) != n_axes:
        raise InputError(f"{key}: {path}: its shape is {image.shape}; {n_axes} axes are right")
    return image


def values_of(image: "SpatialImage", key: str, part: slice | None = None) -> NDArray:
    """Return the values of an image, or a part of them along its last axis.

    Raises
    ------
    InputError
        If the file is damaged or cut short.
    """
    try:
        return np.asanyarray(image.dataobj if part is None else image.dataobj[..., part])
    except MemoryError:
        raise
    except Exception as error:  # as in `open_volume`
        raise InputError(f"{key}: {image.get_filename()}: damaged or cut short: {error}") from error


def read_volume(path: str | Path, key: str) -> NDArray:
    """Return the values (x, y, z) of a volume.

    Raises
    ------
    InputError
        As for `open_volume` and `values_of`.
    """
    return values_of(open_volume(path, key, 3), key)


def voxels_of(spec: dict, key: str) -> tuple[NDArray[np.bool_], "pd.DataFrame"]:
    """Return the voxels that are the neuroids of a recording, and their table.

    Parameters
    ----------
    spec : dict
        A recording with `mask`, a NIfTI volume, and `area`. Voxels with another value than 0 in the mask are the
        neuroids. If `area` has areas by value of the mask, only voxels with these values are neuroids.
    key : str
        Config key of the recording, for messages.

    Returns
    -------
    taken : (x, y, z) array
        True for the neuroids.
    voxels : DataFrame
        One row for each neuroid, with `neuroid` (such as 40_12_33: x, y and z from 0), and `area` if values have areas.

    Raises
    ------
    InputError
        If the mask cannot be read, has only zeros, or lacks a value that has an area.
    """
    import pandas as pd

    mask, area = spec["mask"], spec.get("area")
    values = np.nan_to_num(read_volume(mask, f"{key}.mask"))
    if not values.any():
        raise InputError(f"{key}.mask: {mask}: all its values are 0; a voxel is taken where they are not")
    areas = _areas_of_values(area, values, mask, key) if isinstance(area, dict) else None
    taken = values != 0 if areas is None else np.isin(values, list(areas))
    voxels = pd.DataFrame({"neuroid": ["_".join(map(str, place)) for place in np.argwhere(taken).tolist()]})
    return taken, voxels if areas is None else voxels.assign(area=[areas[value] for value in values[taken].tolist()])


def _areas_of_values(area: Mapping[str, str], values: NDArray, mask: str, key: str) -> dict[float, str]:
    present = {f"{value:g}": value for value in np.unique(values).tolist()}
    for name in area:
        if name not in present:
            raise InputError(f"{key}.area: no voxel of {mask} has the value {name!r}; {allowed_instead(name, present)}")
    return {present[name]: area[name] for name in area}


def read_voxels(path: str | Path, taken: NDArray[np.bool_], key: str, *, unread: bool = False) -> NDArray:
    """Return the values (voxels, volumes) of some voxels of a series, or an array of this shape without values.

    Parameters
    ----------
    path : path
        NIfTI file (x, y, z, volumes), read some volumes at a time.
    taken : (x, y, z) array
        True for the voxels.
    key : str
        Config key of the recording, for messages.
    unread : bool
        True to leave the values in the file.

    Raises
    ------
    InputError
        If the file cannot be read, or its volumes have another shape than the mask.
    """
    place = f"{key}.responses"
    image = open_volume(path, place, 4)
    if image.shape[:3] != taken.shape:
        raise InputError(
            f"{place}: {path}: volumes {image.shape[:3]}, where the mask is {taken.shape}; a mask of the same space "
            f"and resolution is right"
        )
    n_volumes = image.shape[3]
    if unread:
        return np.broadcast_to(np.zeros((), image.get_data_dtype()), (taken.sum(), n_volumes))
    parts = [slice(start, start + AT_ONCE) for start in range(0, n_volumes, AT_ONCE)]
    return np.concatenate([values_of(image, place, part)[taken] for part in parts], axis=1)
