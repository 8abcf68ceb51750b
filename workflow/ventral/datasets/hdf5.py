"""Arrays of HDF5 files, by their name, or a message that says which file lacks which name."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ventral.errors import InputError
from ventral.recordings.arrays import MAT_73, start_of

if TYPE_CHECKING:
    import h5py

# MATLAB puts a text of its own before.
HDF5 = (b"\x89HDF", MAT_73)


@contextmanager
def opened(path: str | Path, key: str) -> Iterator["h5py.File"]:
    """Give an HDF5 file.

    Raises
    ------
    InputError
        If there is no such file, or it is of another kind, damaged or cut short.
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
    """Return an array of numbers of an HDF5 file, still unread.

    Parameters
    ----------
    file : File
    name : str
        Of the array, with slashes.
    key : str
        Of the data set, for messages.
    right : str
        What the array should be, for messages.
    n_axes : int
        Number of its axes.

    Raises
    ------
    InputError
        If there is no such array, or it has other axes.
    """
    import h5py

    found = file.get(name)
    if not isinstance(found, h5py.Dataset):
        raise InputError(f"{key}: {file.filename}: no array `{name}`; it has {', '.join(file) or 'nothing'}; {right}")
    if found.dtype.kind not in "fiu" or found.ndim != n_axes:
        raise InputError(f"{key}: {file.filename}: array `{name}` {found.shape} of {found.dtype}; {right}")
    return found
