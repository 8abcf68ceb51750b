"""Compare two makings of one output: numbers by their difference, everything else for equality."""

import re
import warnings
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ventral.integrity import CHECKSUMS

if TYPE_CHECKING:
    import pandas as pd
    import zarr

# Largest difference allowed between two makings where processor, BLAS or graphics card differ, relative to the largest
# value of an array or column. The resolution of float16, in which features are stored, is half of this.
TOLERANCE = 1e-3
# The same for stages that compute in float64, or in float32 with proven precision; docs/audit.md says why.
BOUNDS = {"gram": 1e-5, "fit": 1e-6, "reverse": 1e-6, "banded": 1e-6, "partition": 1e-6, "predictions": 1e-6}
NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
STREAM = re.compile(rb"stream\r?\n(.*?)\r?\nendstream", re.DOTALL)
# Attributes that say how a store was made, or follow from its content, are not compared.
HOW = ("device", CHECKSUMS)
VALUES_AT_ONCE = 2**24


@dataclass(frozen=True, order=True)
class Difference:
    """The largest difference between two makings of an output.

    Attributes
    ----------
    size : float
        For an array or a column: the largest absolute difference over the first making's largest absolute value. For a
        number in a text: the difference over the larger of the numbers and 1. Infinite where anything else differs:
        names, shapes, text, integers, or the positions of missing values.
    where : str
        Array, column, file or attribute that differs most; empty where nothing differs.
    """

    size: float
    where: str = ""

    def __str__(self) -> str:
        if not self.where:
            return "no value differs"
        if np.isinf(self.size):
            return f"{self.where} differs"
        return f"{self.where} differs by {self.size:.2g} of its largest value"


def difference(first: str | Path, second: str | Path) -> Difference:
    """Return the largest difference between two files, stores or folders of the same kind."""
    first, second = Path(first), Path(second)
    with warnings.catch_warnings():
        # Snakemake may keep a time stamp of its own in a store.
        warnings.filterwarnings("ignore", r"Object at \..* is not recognized as a component of a Zarr hierarchy")
        return max(_differences(first, second), default=Difference(0.0))


def bound_of(stages: Iterable[str]) -> float:
    """Return the largest difference allowed between two makings of an output, by the stages that were rerun."""
    return max(BOUNDS.get(stage, TOLERANCE) for stage in stages)


def compare_arrays(first: NDArray, second: NDArray, where: str) -> Difference:
    """Return the largest difference between two arrays of numbers, or of anything else."""
    if first.shape != second.shape:
        return Difference(np.inf, f"{where}, shape {first.shape} and {second.shape},")
    if not all(np.issubdtype(array.dtype, np.floating) for array in (first, second)):
        same = first.dtype == second.dtype and all(_same(*pair) for pair in zip(first.flat, second.flat, strict=True))
        return Difference(0.0) if same else Difference(np.inf, where)
    apart, scale = _extent(first, second)
    return _relative(apart, scale, where)


def _differences(first: Path, second: Path) -> Iterator[Difference]:
    name = first.name
    if name.endswith(".zarr.zip") or (first / "zarr.json").is_file():
        yield from _compare_stores(first, second)
    elif first.is_dir():
        yield from _compare_folders(first, second)
    elif first.suffix in (".parquet", ".csv"):
        yield from _compare_tables(first, second)
    elif first.suffix in (".npz", ".safetensors"):
        yield from _compare_named_arrays(_arrays(first), _arrays(second))
    elif first.suffix in (".json", ".svg", ".md", ".pdf"):
        yield _compare_texts(*map(_text, (first, second)), name)
    elif first.read_bytes() != second.read_bytes():
        yield Difference(np.inf, f"the content of {name}")


def _compare_folders(first: Path, second: Path) -> Iterator[Difference]:
    names = [{path.name for path in folder.iterdir() if not path.name.startswith(".")} for folder in (first, second)]
    if names[0] != names[1]:
        yield Difference(np.inf, f"what there is ({', '.join(sorted(names[0] ^ names[1]))})")
    for name in sorted(names[0] & names[1]):
        for found in _differences(first / name, second / name):
            yield Difference(found.size, f"{name}: {found.where}" if found.where else "")


def _compare_stores(first: Path, second: Path) -> Iterator[Difference]:
    import zarr

    from ventral.store import open_store

    stores = [open_store(path) for path in (first, second)]
    members = [{"": store, **dict(store.members(max_depth=None))} for store in stores]
    if members[0].keys() != members[1].keys():
        yield Difference(np.inf, f"what there is ({', '.join(sorted(members[0].keys() ^ members[1].keys()))})")
    for name in members[0].keys() & members[1].keys():
        one, other = (found[name] for found in members)
        said = [{key: value for key, value in member.attrs.items() if key not in HOW} for member in (one, other)]
        yield _compare_texts(*map(repr, map(_sorted, said)), f"what {name or 'the store'} says of itself")
        if isinstance(one, zarr.Array) and isinstance(other, zarr.Array):
            yield _compare_zarr_arrays(one, other, name)


def _compare_zarr_arrays(first: "zarr.Array", second: "zarr.Array", name: str) -> Difference:
    if first.shape != second.shape or first.dtype.kind != "f" or not first.ndim or second.dtype.kind != "f":
        return compare_arrays(np.asarray(first[...]), np.asarray(second[...]), name)
    rows = max(1, VALUES_AT_ONCE // max(1, int(np.prod(first.shape[1:]))))
    extents = [
        _extent(first[start : start + rows], second[start : start + rows]) for start in range(0, first.shape[0], rows)
    ]
    apart, scale = np.max(extents, axis=0) if extents else (0.0, 0.0)
    return _relative(apart, scale, name)


def _compare_tables(first: Path, second: Path) -> Iterator[Difference]:
    import pandas as pd

    from ventral.tables import read_parquet

    read = read_parquet if first.suffix == ".parquet" else pd.read_csv
    tables = [read(path) for path in (first, second)]
    if tables[0].shape != tables[1].shape or list(tables[0]) != list(tables[1]):
        yield Difference(np.inf, f"the number of rows or columns of {first.name}")
        return
    for column in tables[0]:
        one, other = (table[column] for table in tables)
        lists = [_numbers_of_lists(table[column]) for table in tables]
        if all(numbers is not None for numbers in lists):
            yield compare_arrays(*lists, f"column {column}")
        elif one.dtype.kind == other.dtype.kind == "f":
            yield compare_arrays(one.to_numpy(float), other.to_numpy(float), f"column {column}")
        elif not one.equals(other):
            yield Difference(np.inf, f"column {column}")


def _numbers_of_lists(column: "pd.Series") -> NDArray | None:
    """Join the numbers of a column of lists of numbers; return None for any other column."""
    lists = column.to_list()
    if not lists or not all(isinstance(value, np.ndarray) and value.dtype.kind == "f" for value in lists):
        return None
    return np.concatenate(lists)


def _compare_named_arrays(first: dict[str, NDArray], second: dict[str, NDArray]) -> Iterator[Difference]:
    if first.keys() != second.keys():
        yield Difference(np.inf, f"what there is ({', '.join(sorted(first.keys() ^ second.keys()))})")
    for name in first.keys() & second.keys():
        yield compare_arrays(first[name], second[name], name)


def _compare_texts(first: str, second: str, where: str) -> Difference:
    if first == second:
        return Difference(0.0)
    if NUMBER.split(first) != NUMBER.split(second):
        return Difference(np.inf, where)
    pairs = zip(NUMBER.findall(first), NUMBER.findall(second), strict=True)
    unlike = [tuple(map(float, pair)) for pair in pairs if pair[0] != pair[1]]
    sizes = [abs(one - other) / max(abs(one), abs(other), 1.0) for one, other in unlike]
    return Difference(max(sizes) if np.isfinite(sizes).all() else np.inf, where)


def _arrays(path: Path) -> dict[str, NDArray]:
    if path.suffix == ".safetensors":
        from safetensors.numpy import load_file

        return load_file(path)
    with np.load(path, allow_pickle=False) as arrays:
        return dict(arrays)


def _text(path: Path) -> str:
    content = path.read_bytes()
    if path.suffix == ".pdf":
        # The content of a PDF is compressed.
        content = STREAM.sub(lambda found: _inflated(found[1]), content)
    return content.decode("latin-1")


def _inflated(stream: bytes) -> bytes:
    try:
        return zlib.decompress(stream)
    except zlib.error:
        return stream


def _extent(first: NDArray, second: NDArray) -> tuple[float, float]:
    """Return the largest difference and the first's largest value; infinite if other values are finite."""
    first, second = first.astype(np.float64, copy=False), second.astype(np.float64, copy=False)
    finite = np.isfinite(first)
    if not np.array_equal(first[~finite], second[~finite], equal_nan=True):
        return np.inf, 0.0
    apart = np.abs(first[finite] - second[finite])
    return apart.max(initial=0.0), np.abs(first[finite]).max(initial=0.0)


def _relative(apart: float, scale: float, where: str) -> Difference:
    if not apart:
        return Difference(0.0)
    # NaN, where the other making has it and the first a number.
    size = apart / scale if scale and np.isfinite(apart) else np.inf
    return Difference(float(size), where)


def _same(first: object, second: object) -> bool:
    return first == second or (first != first and second != second)


def _sorted(value: object) -> object:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list) else value
