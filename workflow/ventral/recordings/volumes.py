"""Volumes of NIfTI files, by nibabel, with the axes as the file has them: x, y, z and, where there is one, a fourth."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ventral.errors import InputError
from ventral.recordings.arrays import start_of

if TYPE_CHECKING:
    from nibabel.spatialimages import SpatialImage

SUFFIXES = (".nii", ".nii.gz")


def is_volume(path: str | Path) -> bool:
    """Say whether a file is NIfTI, by its name."""
    return str(path).lower().endswith(SUFFIXES)


def open_volume(path: str | Path, key: str, n_axes: int) -> "SpatialImage":
    """Return an image whose values are still unread; slices along its last axis, taken in order, read a file once.

    Parameters
    ----------
    path : path
        NIfTI file, compressed or not.
    key : str
        Its place in the config, for messages.
    n_axes : int
        3 for a volume, 4 for a series of them.

    Raises
    ------
    InputError
        If nibabel is not installed, there is no such file, it cannot be read, or it has more or fewer axes.
    """
    try:
        import nibabel
    except ImportError as error:
        raise InputError(
            f"{key}: {path}: NIfTI files need nibabel, which is not installed: pip install 'ventral[fmri]'"
        ) from error
    start_of(path, key)
    try:
        # Without indexed_gzip, a compressed file that is opened anew for each slice is read from its start each time.
        image = nibabel.load(path, keep_file_open=True)
    except Exception as error:  # nibabel and zlib raise more kinds than they document
        raise InputError(f"{key}: {path}: cannot be read as NIfTI, damaged or cut short: {error}") from error
    if len(image.shape) != n_axes:
        raise InputError(f"{key}: {path}: its shape is {image.shape}; {n_axes} axes are right")
    return image


def values_of(image: "SpatialImage", key: str, part: slice | None = None) -> NDArray:
    """Return the values of an image, or of a part along its last axis.

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
