"""Reading and checking of published dissimilarity matrices.

Pairs (i, j), i < j, are always in the order of the rows of the upper triangle, as in
`scipy.spatial.distance.squareform` and in MATLAB.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ventral.errors import InputError, allowed_instead
from ventral.mappings.rsa import upper_triangle
from ventral.recordings.arrays import NPY, NPZ, open_array, other_kind, reason, start_of

logger = logging.getLogger("ventral")

# Matrices in float32 are symmetric with a zero diagonal up to about this share of their largest value.
ROUNDING = 1e-5
EXPECTED = "an npz file with an array (stimuli, stimuli) or (subjects, stimuli, stimuli) for each name is right"


@dataclass(frozen=True)
class Matrices:
    """Measured dissimilarities, one row for each matrix of each subject.

    Attributes
    ----------
    dissimilarities : (rows, pairs) array
        Dissimilarities in any unit, since only their order counts.
    names, areas : (rows,) arrays of str
        Rows with the same name have different subjects.
    n_stimuli : int
        Number of stimuli n; there are n (n - 1) / 2 pairs.
    """

    dissimilarities: NDArray[np.float64]
    names: NDArray
    areas: NDArray
    n_stimuli: int


def read_matrices(spec: dict, n_stimuli: int | None = None, key: str = "recordings") -> dict[str, NDArray[np.float64]]:
    """Read published dissimilarity matrices, and check them.

    Parameters
    ----------
    spec : dict
        Has `matrices`, the path of an npz file with an array (n, n) or (subjects, n, n) for each name. The path may
        also be that of an npy file with one such array, whose name is that of the file. Or `matrices` has paths of
        files with one array each, by name.
    n_stimuli : int, optional
        Number of stimuli in the set that was shown, if it is known.
    key : str
        Config key of `spec`, for messages.

    Returns
    -------
    dict of (subjects, n, n) arrays
        Matrices by name, in the order of the file.

    Raises
    ------
    InputError
        If a file cannot be read, or a matrix is not square, finite and symmetric with a zero diagonal. Also if a matrix
        has another number of stimuli, equal dissimilarities, or only negative ones.
    """
    if not isinstance(spec["matrices"], dict):
        path = Path(spec["matrices"])
        arrays = _arrays(path, f"{key}.matrices")
        return {
            name: _checked(array, n_stimuli, f"{key}.matrices: {path}: array `{name}`", spec)
            for name, array in arrays.items()
        }
    found = {}
    for name, path in spec["matrices"].items():
        arrays = _arrays(Path(path), f"{key}.matrices.{name}")
        if len(arrays) > 1:
            raise InputError(
                f"{key}.matrices.{name}: {path}: it has {len(arrays)} arrays, {', '.join(arrays)}; a file of one name "
                f"has one, or name the file alone: its arrays bring their own names"
            )
        (array,) = arrays.values()
        found[name] = _checked(array, n_stimuli, f"{key}.matrices.{name}: {path}", spec)
    return found


def _arrays(path: Path, key: str) -> dict[str, NDArray]:
    start = start_of(path, key)
    if start.startswith(NPY):
        return {path.stem: np.asarray(open_array(path, key, EXPECTED))}
    if not start.startswith(NPZ):
        raise InputError(
            f"{key}: {path}: cannot be read, cut short, or neither npz nor npy: {other_kind(start)}; {EXPECTED}"
        )
    try:
        with np.load(path, allow_pickle=False) as loaded:
            arrays = {name: loaded[name] for name in loaded.files}
    except MemoryError:
        raise
    except Exception as error:  # NumPy and zipfile raise more kinds than they document
        raise InputError(
            f"{key}: {path}: cannot be read, cut short, or neither npz nor npy: {reason(error)}; {EXPECTED}"
        ) from error
    if not arrays:
        raise InputError(f"{key}: {path}: there is no array in it")
    return arrays


def report_negative(matrices: dict[str, NDArray[np.float64]], key: str) -> None:
    """Warn of matrices (subjects, n, n) with negative dissimilarities."""
    for name, of_subjects in matrices.items():
        share = (upper_triangle(of_subjects) < 0).mean()
        if share > 0:
            logger.warning(
                "%s.matrices: `%s`: %.1f %% of its dissimilarities are negative, as cross-validated ones may be; if "
                "they are similarities, such as correlations r, give 1 - r",
                key,
                name,
                100 * share,
            )


def areas_of(spec: dict, names: Sequence[str], key: str = "recordings") -> list[str]:
    """Return the area of each matrix: the `area` of all matrices or of its name, or else its name.

    Raises
    ------
    InputError
        If `area` names a matrix that does not exist.
    """
    area = spec.get("area")
    if not isinstance(area, dict):
        return [area or name for name in names]
    for name in area:
        if name not in names:
            raise InputError(
                f"{key}.area: no matrix in {_named(spec['matrices'])} is called {name!r}; "
                f"{allowed_instead(name, names)}"
            )
    return [area.get(name) or name for name in names]


def _named(matrices: str | dict[str, str]) -> str:
    return ", ".join(matrices.values()) if isinstance(matrices, dict) else matrices


def _checked(array: NDArray, n_stimuli: int | None, place: str, spec: dict) -> NDArray[np.float64]:
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
        found = array.dtype if isinstance(array, np.ndarray) else "no array"
        raise InputError(f"{place}: its values are {found}; dissimilarities are numbers")
    if array.ndim not in (2, 3) or array.shape[-1] != array.shape[-2] or 0 in array.shape:
        hint = "; scipy.spatial.distance.squareform makes a matrix of the pairs of its triangle" * (array.ndim == 1)
        raise InputError(
            f"{place}: its shape is {array.shape}; (stimuli, stimuli) or (subjects, stimuli, stimuli) is right{hint}"
        )
    if n_stimuli is not None and array.shape[-1] != n_stimuli:
        raise InputError(
            f"{place}: dissimilarities of {array.shape[-1]} stimuli, where the set {spec['stimuli']!r} has {n_stimuli}"
        )
    matrices = np.array(array, dtype=np.float64, ndmin=3)
    for subject, matrix in enumerate(matrices, 1):
        _check_matrix(matrix, f"{place}, subject {subject}" if array.ndim == 3 else place)
    return matrices


def _check_matrix(matrix: NDArray, place: str) -> None:
    def first(wrong: NDArray) -> tuple[int, int] | None:
        found = np.argwhere(wrong)
        return tuple(found[0].tolist()) if len(found) else None

    if entry := first(~np.isfinite(matrix)):
        raise InputError(f"{place}: {_entry(matrix, *entry)}; every pair of stimuli needs a finite dissimilarity")
    rounding = ROUNDING * np.abs(matrix).max()
    if entry := first(np.abs(np.diag(np.diag(matrix))) > rounding):
        raise InputError(
            f"{place}: {_entry(matrix, *entry)}, though a stimulus is not dissimilar to itself: the diagonal is 0; "
            f"similarities, such as correlations r, become dissimilarities as 1 - r"
        )
    if entry := first(np.abs(matrix - matrix.T) > rounding):
        raise InputError(
            f"{place}: {_entry(matrix, *entry)}, but {_entry(matrix, *entry[::-1])}; dissimilarities are symmetric"
        )
    if upper_triangle(matrix).max(initial=-1) < 0:
        raise InputError(
            f"{place}: all of its dissimilarities are negative; similarities, such as correlations r, become "
            f"dissimilarities as 1 - r"
        )
    if len(matrix) < 3 or np.ptp(upper_triangle(matrix)) == 0:
        raise InputError(f"{place}: all pairs of stimuli are equally dissimilar: there is nothing to compare")


def _entry(matrix: NDArray, row: int, column: int) -> str:
    return f"row {row + 1}, column {column + 1} is {matrix[row, column]:g}"
