"""Pickles of numbers, text and arrays, read without executing code.

A pickle may call anything that Python can import. This reader imports nothing: it knows the few names by which NumPy
writes arrays, and rebuilds these arrays itself from their bytes, shape and type. Every other name is refused.
"""

import pickle
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ventral.errors import InputError

# Kinds of numbers and text in arrays. Objects, "O", are lists of other content of the pickle.
KINDS = "biufcSU"
RIGHT = "arrays of NumPy, dict, list, tuple, text and numbers are right"


class _RefusedError(pickle.UnpicklingError):
    """Content of a pickle that is not read."""


@dataclass
class _Type:
    """The type of an array, as NumPy pickles it."""

    name: str
    state: tuple = field(default=(3, "|", None, None, None, -1, -1, 0))

    def __setstate__(self, state: tuple) -> None:
        self.state = state

    @property
    def made(self) -> np.dtype:
        """The type, if numbers or text can have its kind."""
        known = np.dtype(self.name) if str(self.name).lstrip("<>|=")[:1] in (*KINDS, "O") else None
        if known is None or known.kind not in (*KINDS, "O") or self.state[2] or self.state[3] or self.state[4]:
            raise _RefusedError(f"an array of type {self.name!r}")
        return known.newbyteorder(self.state[1]) if self.state[1] in "<>" else known


def _type(name: str, *_: object) -> _Type:
    return _Type(name)


class _Array:
    """An array, as NumPy pickles it: its state follows later."""

    def __init__(self, *_: object) -> None:
        self.values: NDArray | None = None

    def __setstate__(self, state: tuple) -> None:
        _, shape, kind, fortran, content = state
        self.values = _from_bytes(content, kind, shape, "F" if fortran else "C")


def _from_bytes(content: bytes | list, kind: _Type, shape: tuple[int, ...], order: str = "C") -> NDArray:
    if kind.made.kind == "O":
        if not isinstance(content, list) or len(content) != np.prod(shape, dtype=int):
            raise _RefusedError("an array of objects that is not a list")
        values = np.empty(len(content), dtype=object)
        values[:] = content
    else:
        # Pickles of Python 2 have bytes as text.
        values = np.frombuffer(content.encode("latin1") if isinstance(content, str) else content, dtype=kind.made)
    return values.reshape(shape, order=order)


def _number(kind: _Type, content: bytes) -> object:
    return _from_bytes(content, kind, (1,))[0]


def _bytes(text: str, coding: str = "latin1") -> bytes:
    """Return bytes that old protocols of Python 3 pickle as text."""
    if coding not in ("latin1", "latin-1"):
        raise _RefusedError(f"bytes in {coding!r}")
    return text.encode("latin1")


def _no_bytes() -> bytes:
    """Return bytes of length 0, for which old protocols call a function."""
    return b""


# Replacements by module and name in the pickle. The modules of NumPy 2 have an underscore.
KNOWN = {
    ("numpy", "dtype"): _type,
    ("numpy", "ndarray"): _Array,
    ("_codecs", "encode"): _bytes,
    ("__builtin__", "bytes"): _no_bytes,
    **{
        (f"numpy.{core}.{module}", name): made
        for core in ("core", "_core")
        for module, name, made in (
            ("multiarray", "_reconstruct", _Array),
            ("multiarray", "scalar", _number),
            ("numeric", "_frombuffer", _from_bytes),
        )
    },
}


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> object:
        """Return the replacement of a name that arrays have, and refuse all others."""
        if (module, name) not in KNOWN:
            raise _RefusedError(f"`{module}.{name}`")
        return KNOWN[module, name]


def read_pickle(path: str | Path, key: str) -> object:
    """Return the content of a pickle of numbers, text and arrays.

    Parameters
    ----------
    path : path
        The file.
    key : str
        Name of the data set, for messages.

    Raises
    ------
    InputError
        If the file cannot be read, or has other content, which is not executed.
    """
    place = f"{key}: {path}"
    try:
        with Path(path).open("rb") as file:
            return _plain(_Reader(file, encoding="latin1").load())
    except MemoryError:
        raise
    except FileNotFoundError:
        raise InputError(f"{place}: no such file; a pickle of Python is right") from None
    except _RefusedError as error:
        raise InputError(f"{place}: it has {error}, which is not read, as it could run any code; {RIGHT}") from error
    except Exception as error:  # a damaged pickle raises whatever its bytes ask for
        raise InputError(f"{place}: cannot be read, or cut short: {error!r}; a pickle of Python is right") from error


def _plain(value: object) -> object:
    """Return a value with arrays instead of their replacements, also within dicts, lists and tuples."""
    if isinstance(value, _Array):
        return _plain(value.values)
    if isinstance(value, np.ndarray) and value.dtype.kind == "O":
        plain = np.empty(value.size, dtype=object)
        plain[:] = [_plain(entry) for entry in value.ravel()]
        return plain.reshape(value.shape)
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(_plain, value))
    return value
