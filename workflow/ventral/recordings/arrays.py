"""Arrays as NumPy saves them, opened unread, or refused by what the file is instead."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ventral.errors import InputError
from ventral.stimuli.files import FILE, FOLDER, kind_of

NPY, NPZ = b"\x93NUMPY", (b"PK\x03\x04", b"PK\x05\x06")
MAT_5, MAT_73 = b"MATLAB 5.0", b"MATLAB 7.3"
# What other files begin with, and what to make of them.
OTHER_KINDS = {
    b"MATLAB": "a MATLAB file; read it with scipy.io.loadmat, or version 7.3 with h5py, and numpy.save its array",
    b"\x89HDF": "an HDF5 file; read it with h5py, and numpy.save its array; a BrainIO assembly ends in .nc",
    b"CDF": "a NetCDF file; a BrainIO assembly ends in .nc",
    b"PK": "an archive of arrays; numpy.load it, and numpy.save one of them",
    b"\x80": "a pickle, which is not opened, as it could run any code; numpy.save its array",
    b"PAR1": "a Parquet table; numpy.save its numbers",
}
LONGEST_START = max(map(len, [NPY, MAT_5, MAT_73, *OTHER_KINDS]))


def open_array(path: str | Path, key: str, expected: str) -> NDArray:
    """Return the array of an npy file, still unread.

    Parameters
    ----------
    path : path
        The file.
    key : str
        Its place in the config, for messages.
    expected : str
        What would be right, for messages.

    Raises
    ------
    InputError
        If there is no such file, or its content is not one whole array of plain values.
    """
    place = f"{key}: {path}"
    start = start_of(path, key)
    if not start.startswith(NPY):
        raise InputError(f"{place}: cannot be read, cut short, or not an npy file: {other_kind(start)}; {expected}")
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except MemoryError:
        raise
    except Exception as error:  # NumPy raises more kinds than it documents
        raise InputError(
            f"{place}: cannot be read, cut short, or not an npy file: {reason(error)}; {expected}"
        ) from error
    left_over = Path(path).stat().st_size - array.offset - array.nbytes
    if left_over > 0 and array.size:
        raise InputError(f"{place}: {left_over} bytes follow the array: one array in a file is right; {expected}")
    return array


def start_of(path: str | Path, key: str) -> bytes:
    """Return the first bytes of a file, which tell its kind.

    Raises
    ------
    InputError
        If there is no such file, or it cannot be read.
    """
    if kind_of(path) == FOLDER:
        raise InputError(f"{key}: {path}: a folder, not a file")
    if kind_of(path) != FILE:
        raise InputError(f"{key}: no such file: {path}")
    try:
        with Path(path).open("rb") as file:
            return file.read(LONGEST_START)
    except OSError as error:
        raise InputError(f"{key}: {path}: cannot be read: {error.strerror}") from error


def other_kind(start: bytes) -> str:
    """Return what a file is that begins with some bytes, and is not an npy file."""
    if not start:
        return "an empty file"
    known = [text for beginning, text in OTHER_KINDS.items() if start.startswith(beginning)]
    return known[0] if known else f"it begins with {start!r}, no mark of a file of arrays"


def reason(error: Exception) -> str:
    """Return what is wrong with an array, never that it could be loaded unsafely."""
    return "it holds Python objects, not numbers" if "object" in str(error).lower() else str(error)
