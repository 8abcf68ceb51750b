"""Arrays of HDF5 files by their names, with messages about missing arrays."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ventral.errors import InputError
from ventral.recordings.arrays import MAT_73, start_of

if TYPE_CHECKING:
    import h5py

# MATLAB puts its own text before.
HDF5 = (b"\x89HDF", MAT_73)


@contextmanager
def opened(path: str | Path, key: str) -> Iterator["h5py.File"]:
    """Give an HDF5 file.

    Raises
    ------
    InputError
        If the file is missing, of another kind, damaged or cut short.
    """
    import h5py

    if not start_of(path, key).startswith(HDF5):
        raise InputError(f"{key}: {path}: no HDF5 file; the published one is right")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise InputError(f"{key}: {path}: cannot be read, or cut short: {error}; get the file again") from error
    with file:
        yield file


def array_of(file: "h5py.File", name: str, key: str, right: str, n_axes: int) -> "h5py.Dataset":
    """Return an unread array of numbers of an HDF5 file.

    Parameters
    ----------
    file : File
        An open file.
    name : str
        Name of the array, with slashes.
    key : str
        Name of the data set, for messages.
    right : str
        Description of a right array, for messages.
    n_axes : int
        Number of axes of the array.

    Raises
    ------
    InputError
        If the file has no such array, or the array has other axes.
    """
    import h5py

    found = file.get(name)
    if not isinstance(found, h5py.Dataset):
        raise InputError(f"{key}: {file.filename}: no array `{name}`; it has {', '.join(file) or 'nothing'}; {right}")
    if found.dtype.kind not in "fiu" or found.ndim != n_axes:
        raise InputError(f"{key}: {file.filename}: array `{name}` {found.shape} of {found.dtype}; {right}")
    return found
