"""The store of a stimulus set, with names and properties, and the stimuli if there are files."""

import hashlib
import json
import math
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ventral.stimuli.modality import Modality
from ventral.stimuli.near_duplicates import near_duplicates

if TYPE_CHECKING:
    import pandas as pd
    import zarr

ROWS_PER_CHUNK = 16
ROWS_PER_SHARD = 1024
BYTES_PER_SHARD = 256 * 2**20


def create_set(path: Path, table: "pd.DataFrame", modality: Modality, shape: tuple[int, ...]) -> "zarr.Array":
    """Create the store of a set with names and properties, and return its array of stimuli, to be filled.

    Parameters
    ----------
    path : path
        Path of the new store.
    table : DataFrame
        One row for each stimulus, as `ventral.stimuli.ingestion.describe` returns it.
    modality : Modality
        Modality of the set.
    shape : tuple of int
        Shape of every stimulus.

    Returns
    -------
    (n, *shape) zarr array
        Array of the modality's type.
    """
    from ventral.store import changing, create_array

    write_properties(path, table)
    bytes_each = math.prod(shape) * np.dtype(modality.dtype).itemsize
    with changing(path) as group:
        return create_array(
            group,
            modality.array,
            (len(table), *shape),
            modality.dtype,
            chunks=(ROWS_PER_CHUNK, *shape),
            shards=(_rows_per_shard(bytes_each), *shape),
            dimension_names=("stimulus", *modality.axes),
        )


def write_properties(path: Path, table: "pd.DataFrame") -> None:
    """Create the store of a set without files, with names and properties alone.

    Parameters
    ----------
    path, table
        As for `create_set`.
    """
    import pandas as pd
    import xarray as xr

    from ventral.store import write_dataset

    columns = {
        column: ("stimulus", values.to_numpy(float if pd.api.types.is_float_dtype(values) else object))
        for column, values in table.items()
    }
    write_dataset(xr.Dataset(coords={"stimulus": table.index.to_numpy(object), **columns}), path)


def complete_set(
    path: Path,
    name: str,
    table: "pd.DataFrame",
    digests: Sequence[bytes],
    outlines: NDArray | None = None,
    **attributes: object,
) -> list[list[str]]:
    """Write the attributes of the store of a set, and return the names of stimuli with the same content.

    Parameters
    ----------
    path : path
        Store, with all its stimuli written.
    name : str
        Name of the set.
    table : DataFrame
        As for `create_set`.
    digests : sequence of bytes
        SHA-256 of the content of each stimulus; empty for a table alone.
    outlines : (n, p) array, optional
        Outline of each stimulus, by which near-duplicates are recognised.
    attributes
        Further attributes, such as the modality.
    """
    from ventral.store import changing

    duplicates = _duplicates(table.index, digests) if digests else []
    near = [] if outlines is None else near_duplicates(list(table.index), digests, outlines)
    if near:
        attributes["near_duplicates"] = near
    with changing(path) as group:
        group.attrs.update(name=name, sha256=_fingerprint(table, digests), duplicates=duplicates, **attributes)
    return duplicates


def _rows_per_shard(bytes_per_row: int) -> int:
    rows = min(ROWS_PER_SHARD, BYTES_PER_SHARD // bytes_per_row)
    return max(ROWS_PER_CHUNK, rows // ROWS_PER_CHUNK * ROWS_PER_CHUNK)


def _duplicates(names: Sequence[str], digests: Sequence[bytes]) -> list[list[str]]:
    by_digest = defaultdict(list)
    for name, digest in zip(names, digests, strict=True):
        by_digest[digest].append(name)
    return [same for same in by_digest.values() if len(same) > 1]


def _fingerprint(table: "pd.DataFrame", digests: Sequence[bytes]) -> str:
    """Return the SHA-256 of names and properties, and of contents if there are any."""
    columns = {column: values.tolist() for column, values in table.items()}
    digest = hashlib.sha256(json.dumps([table.index.tolist(), columns], sort_keys=True).encode())
    digest.update(b"".join(digests))
    return digest.hexdigest()
