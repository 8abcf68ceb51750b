"""Inverse and Cholesky factor of a positive definite matrix, without Python's global lock and in place.

SciPy's own wrappers of LAPACK hold the lock, so threads take turns. In measurements, two factorisations in two threads
took as long as one after the other. SciPy also publishes the addresses of the routines for Cython. Calling these
through ctypes releases the lock and needs no copy.
"""

import ctypes
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cython_lapack

# Blocks with this number of rows stay in the processor's cache during transposition.
ROWS_AT_ONCE = 256


@cache
def _routine(name: str):
    capsule = cython_lapack.__pyx_capi__[name]
    get_name = ctypes.pythonapi.PyCapsule_GetName
    get_name.restype, get_name.argtypes = ctypes.c_char_p, [ctypes.py_object]
    get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
    get_pointer.restype, get_pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    # CFUNCTYPE without argument types: all arguments are pointers, which ctypes passes as they are.
    return ctypes.CFUNCTYPE(None)(get_pointer(capsule, get_name(capsule)))


def invert(matrix: NDArray) -> None:
    """Replace a symmetric positive definite (n, n) matrix, float32 or float64 in C order, by its inverse.

    Raises
    ------
    numpy.linalg.LinAlgError
        If the matrix is not positive definite to working precision.
    """
    factorise(matrix)
    n = len(matrix)
    _call("potri", matrix, n, matrix, n)
    blocks = [slice(start, start + ROWS_AT_ONCE) for start in range(0, n, ROWS_AT_ONCE)]
    for k, rows in enumerate(blocks):
        for columns in blocks[:k]:
            matrix[rows, columns] = matrix[columns, rows].T
        block = matrix[rows, rows]
        block[:] = np.triu(block) + np.triu(block, 1).T


def factorise(matrix: NDArray) -> None:
    """Replace the upper triangle of a matrix M as for `invert` by its Cholesky factor R, M = R^T R.

    Raises
    ------
    numpy.linalg.LinAlgError
        If the matrix is not positive definite to working precision.
    """
    if not (matrix.flags.c_contiguous and matrix.ndim == 2):
        raise ValueError("a matrix in C order is needed")
    _call("potrf", matrix, len(matrix), matrix, len(matrix))


def solve(factor: NDArray, right: NDArray) -> NDArray:
    """Return M^-1 right (n, m), given the factor of M from `factorise`."""
    solution = np.array(right, dtype=factor.dtype, order="F")
    n, m = right.shape
    _call("potrs", factor, n, m, factor, n, solution, n)
    return solution


def _call(routine: str, like: NDArray, *arguments: int | NDArray) -> None:
    """Call a LAPACK routine for lower triangles, which are upper triangles in C order."""
    info = ctypes.c_int(0)
    _routine({"float32": "s", "float64": "d"}[like.dtype.name] + routine)(
        ctypes.byref(ctypes.c_char(b"L")),
        *(
            ctypes.c_void_p(value.ctypes.data) if isinstance(value, np.ndarray) else ctypes.byref(ctypes.c_int(value))
            for value in arguments
        ),
        ctypes.byref(info),
    )
    if info.value:
        raise np.linalg.LinAlgError(f"the matrix is not positive definite (pivot {info.value} of {len(like)})")
