"""Arrays of responses in files: NumPy's npy and npz, MATLAB's mat in versions 5 and 7.3, and NIfTI.

MATLAB stores arrays with the first axis fastest. Version 7.3 is HDF5, where other programs see the axes reversed. Both
versions are read with the axes as MATLAB shows them (https://docs.h5py.org/en/stable/mats.html).
"""

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ventral.errors import InputError, allowed_instead
from ventral.recordings.arrays import MAT_5, MAT_73, NPY, NPZ, open_array, other_kind, reason, start_of
from ventral.recordings.volumes import is_volume, read_voxels, voxels_of

# Classes of MATLAB's arrays of numbers.
NUMERIC = {"double", "single", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))}
HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


@dataclass(frozen=True)
class Held:
    """An array of numbers in a file.

    Attributes
    ----------
    shape : tuple of int
    dtype : dtype
    read : callable
        Returns the array.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    read: Callable[[], NDArray]


def open_responses(spec: dict, key: str, expected: str, *, unread: bool = False) -> NDArray:
    """Return the responses of a recording, an array of numbers of an npy, npz, mat or NIfTI file.

    Parameters
    ----------
    spec : dict
        Description of the recording. `responses` is the path of the file. The array of an npy file stays on disk.
        `array` is the name of the array in an npz or mat file, `struct.field` within a MATLAB structure; without it,
        the only array is taken. `mask` chooses the voxels of a NIfTI file, whose array is (voxels, volumes).
    key : str
        Config key of the recording, for messages.
    expected : str
        Description of a right file, for messages.
    unread : bool
        Return an array of the same shape without its values, if the file tells the shape by itself.

    Raises
    ------
    InputError
        If the file is missing or cannot be read, or the array is not in the file.
    """
    path, name = spec["responses"], spec.get("array")
    if is_volume(path):
        return read_voxels(path, voxels_of(spec, key)[0], key, unread=unread)
    place = f"{key}.responses: {path}"
    start = start_of(path, f"{key}.responses")
    if start.startswith(NPY):
        if name is not None:
            raise InputError(f"{key}.array: {path} is an npy file, whose one array has no name; leave `array` out")
        return open_array(path, f"{key}.responses", expected)
    readers = {NPZ: _in_npz, (MAT_5,): _in_mat_5, (MAT_73,): _in_mat_73}
    reader = next((reader for marks, reader in readers.items() if start.startswith(marks)), None)
    if reader is None:
        raise InputError(f"{place}: cannot be read, cut short, or not an npy file: {other_kind(start)}; {expected}")
    try:
        held = _chosen(reader(Path(path)), name, path, key)
        return np.broadcast_to(np.zeros((), held.dtype), held.shape) if unread else held.read()
    except (InputError, MemoryError):
        raise
    except Exception as error:  # zipfile, SciPy and h5py raise more kinds than they document
        raise InputError(f"{place}: cannot be read, or cut short: {reason(error)}; {expected}") from error


def _chosen(arrays: dict[str, Held], name: str | None, path: str | Path, key: str) -> Held:
    listed = ", ".join(f"`{other}` {held.shape}" for other, held in arrays.items())
    if not arrays:
        raise InputError(f"{key}.responses: {path}: no array of numbers is in it; save the responses in it, as one")
    if name is None:
        if len(arrays) > 1:
            raise InputError(
                f"{key}.responses: {path}: it has {len(arrays)} arrays, {listed}; say which one by `array: NAME`"
            )
        return next(iter(arrays.values()))
    if name not in arrays:
        raise InputError(
            f"{key}.array: {path} has no array of numbers {name!r}; {allowed_instead(name, arrays)} (shapes: {listed})"
        )
    return arrays[name]


def _in_npz(path: Path) -> dict[str, Held]:
    def read(name: str) -> NDArray:
        with np.load(path, allow_pickle=False) as archive:
            return archive[name]

    found = {}
    with zipfile.ZipFile(path) as archive:
        for member in archive.namelist():
            name = member.removesuffix(".npy")
            with archive.open(member) as file:
                header = HEADERS.get(np.lib.format.read_magic(file))
                shape, _, dtype = header(file) if header else (read(name).shape, None, read(name).dtype)
            found[name] = Held(shape, dtype, partial(read, name))
    return found


def _in_mat_5(path: Path) -> dict[str, Held]:
    from scipy.io import loadmat, whosmat

    def read(name: str) -> NDArray:
        return loadmat(path, variable_names=[name])[name]

    found = {}
    for name, shape, kind in whosmat(path):
        if kind in NUMERIC:
            found[name] = Held(shape, np.dtype(kind), partial(read, name))
        elif kind == "struct" and shape == (1, 1):
            structure = read(name)[0, 0]
            for field in structure.dtype.names or ():
                array = structure[field]
                if array.dtype.kind in "fiu":
                    found[f"{name}.{field}"] = Held(array.shape, array.dtype, partial(structure.__getitem__, field))
    return found


def _in_mat_73(path: Path) -> dict[str, Held]:
    import h5py

    def read(name: str) -> NDArray:
        with h5py.File(path, "r") as file:
            return file[name][()].T

    found = {}

    def add(name: str, content: "h5py.Dataset | h5py.Group") -> None:
        # For an empty array, the file stores the shape as values.
        is_array = isinstance(content, h5py.Dataset) and "MATLAB_empty" not in content.attrs
        if is_array and content.attrs.get("MATLAB_class", b"").decode() in NUMERIC and not name.startswith("#"):
            found[name.replace("/", ".")] = Held(content.shape[::-1], content.dtype, partial(read, name))

    with h5py.File(path, "r") as file:
        file.visititems(add)
    return found
