"""The five LAPACK and BLAS routines of the engine, called without Python's global lock and in place.

SciPy's own wrappers of these routines hold the lock, so that threads take turns (measured: two factorisations in two
threads take as long as one after the other). SciPy also publishes the routines' addresses for Cython; calling those
through ctypes releases the lock and needs no copy. All matrices are in Fortran order, float32 or float64; of a
symmetric matrix only the lower triangle is read or written.
"""

import ctypes
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cython_blas, cython_lapack


@cache
def _routine(name: str):
    module = cython_lapack if name[1:] in ("potrf", "potri") else cython_blas
    capsule = module.__pyx_capi__[name]
    get_name = ctypes.pythonapi.PyCapsule_GetName
    get_name.restype, get_name.argtypes = ctypes.c_char_p, [ctypes.py_object]
    get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
    get_pointer.restype, get_pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    # CFUNCTYPE without argument types: all arguments are pointers, which ctypes passes as they are.
    return ctypes.CFUNCTYPE(None)(get_pointer(capsule, get_name(capsule)))


def _prefix(array: NDArray) -> str:
    return {"float32": "s", "float64": "d"}[array.dtype.name]


def _number(value: int):
    return ctypes.byref(ctypes.c_int(value))


def _letter(value: str):
    return ctypes.byref(ctypes.c_char(value.encode()))


def _scalar(value: float, like: NDArray):
    return ctypes.byref((ctypes.c_float if like.dtype == np.float32 else ctypes.c_double)(value))


def _address(array: NDArray):
    return ctypes.c_void_p(array.ctypes.data)


def _leading(array: NDArray) -> int:
    """Return the leading dimension of a Fortran-ordered matrix or of a block of one."""
    if array.strides[0] != array.itemsize and array.shape[0] > 1:
        raise ValueError("a matrix in Fortran order is needed")
    return max(array.strides[1] // array.itemsize if array.shape[1] > 1 else array.shape[0], array.shape[0], 1)


def cholesky(matrix: NDArray) -> None:
    """Replace the lower triangle of a positive definite (n, n) matrix by that of its Cholesky factor L, M = L L^T.

    Raises
    ------
    numpy.linalg.LinAlgError
        If the matrix is not positive definite to working precision.
    """
    info = ctypes.c_int(0)
    n = matrix.shape[0]
    _routine(_prefix(matrix) + "potrf")(
        _letter("L"), _number(n), _address(matrix), _number(_leading(matrix)), ctypes.byref(info)
    )
    if info.value:
        raise np.linalg.LinAlgError(f"the matrix is not positive definite (pivot {info.value} of {n})")


def invert_from_cholesky(factor: NDArray) -> None:
    """Replace the lower triangle of a Cholesky factor (n, n) by that of the inverse of the factorised matrix.

    Raises
    ------
    numpy.linalg.LinAlgError
        If the factor is singular.
    """
    info = ctypes.c_int(0)
    _routine(_prefix(factor) + "potri")(
        _letter("L"), _number(factor.shape[0]), _address(factor), _number(_leading(factor)), ctypes.byref(info)
    )
    if info.value:
        raise np.linalg.LinAlgError(f"the Cholesky factor is singular (row {info.value})")


def solve_triangular(factor: NDArray, right: NDArray, transpose: bool = False) -> None:
    """Replace right (n, m) by L^-1 right, or by L^-T right, with L the lower triangle of factor (n, n)."""
    _routine(_prefix(right) + "trsm")(
        _letter("L"),
        _letter("L"),
        _letter("T" if transpose else "N"),
        _letter("N"),
        _number(right.shape[0]),
        _number(right.shape[1]),
        _scalar(1.0, right),
        _address(factor),
        _number(_leading(factor)),
        _address(right),
        _number(_leading(right)),
    )


def subtract_gram(result: NDArray, factor: NDArray) -> None:
    """Subtract factor^T factor from the lower triangle of result (n, n), with factor (m, n)."""
    _routine(_prefix(result) + "syrk")(
        _letter("L"),
        _letter("T"),
        _number(result.shape[0]),
        _number(factor.shape[0]),
        _scalar(-1.0, result),
        _address(factor),
        _number(_leading(factor)),
        _scalar(1.0, result),
        _address(result),
        _number(_leading(result)),
    )


def multiply_symmetric(matrix: NDArray, right: NDArray) -> NDArray:
    """Return M right (n, m), with M given by the lower triangle of matrix (n, n)."""
    result = np.empty(right.shape, right.dtype, order="F")
    _routine(_prefix(right) + "symm")(
        _letter("L"),
        _letter("L"),
        _number(right.shape[0]),
        _number(right.shape[1]),
        _scalar(1.0, right),
        _address(matrix),
        _number(_leading(matrix)),
        _address(right),
        _number(_leading(right)),
        _scalar(0.0, right),
        _address(result),
        _number(_leading(result)),
    )
    return result
