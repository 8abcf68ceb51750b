"""Opening of NumPy's files of arrays, and messages about other kinds of files."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ventral.errors import InputError
from ventral.stimuli.files import FILE, FOLDER, kind_of

NPY, NPZ = b"\x93NUMPY", (b"PK\x03\x04", b"PK\x05\x06")
MAT_5, MAT_73 = b"MATLAB 5.0", b"MATLAB 7.3"
# First bytes of other kinds of files, and advice for each kind.
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
    """Return the array of an npy file, without reading its values.

    Parameters
    ----------
    path : path
        Path of the file.
    key : str
        Config key of the file, for messages.
    expected : str
        Description of a right file, for messages.

    Raises
    ------
    InputError
        If the file is missing, or its content is not one whole array of plain values.
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


def named_arrays(path: str | Path, names: Iterable[str], key: str, right: str) -> dict[str, NDArray]:
    """Return the arrays of an npz file that have some of the names.

    Raises
    ------
    InputError
        If the file cannot be read. The message begins with `key` and ends with `right`, which says what is right.
    """
    start = start_of(path, key)
    if not start.startswith(NPZ):
        raise InputError(f"{key}: {path}: cannot be read, or cut short: {other_kind(start)}; {right}")
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in names if name in file.files}
    except MemoryError:
        raise
    except Exception as error:  # NumPy and zipfile raise more kinds than they document
        raise InputError(f"{key}: {path}: cannot be read, or cut short: {reason(error)}; {right}") from error


def start_of(path: str | Path, key: str) -> bytes:
    """Return the first bytes of a file, which identify its kind.

    Raises
    ------
    InputError
        If the file is missing or cannot be read.
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
    """Return a description of a file that is not an npy file, by its first bytes."""
    if not start:
        return "an empty file"
    known = [text for beginning, text in OTHER_KINDS.items() if start.startswith(beginning)]
    return known[0] if known else f"it begins with {start!r}, no mark of a file of arrays"


def reason(error: Exception) -> str:
    """Return the problem with an array, without NumPy's advice to load it unsafely."""
    return "it holds Python objects, not numbers" if "object" in str(error).lower() else str(error)
