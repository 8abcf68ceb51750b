"""Files of a sharded Zarr array, written in one piece."""

from pathlib import Path

import google_crc32c
import numpy as np
import zarr
from numpy.typing import NDArray

CHECKSUM = 4


class ShardWriter:
    """Write whole shards of uncompressed, checksummed arrays, with one copy of the values and no new memory.

    zarr writes the same bytes with four copies, each into new memory; beside a forward pass on the same cores that
    took a third of the time. The layout is that of the Zarr v3 ``sharding_indexed`` codec: the chunks, each with its
    CRC-32C, then the offset and length of each chunk, then the CRC-32C of those.
    """

    def __init__(self) -> None:
        self._bytes = np.empty(0, np.uint8)

    def write(self, array: zarr.Array, row: int, values: NDArray) -> None:
        """Write the shard that begins at a row of a two-dimensional array, and is as wide as the array.

        Parameters
        ----------
        array : zarr.Array
            From `ventral.store.create_array` without compression, in a local store; shards hold one row of chunks.
        row : int
            A multiple of the shard's rows.
        values : (rows, columns) array
            The shard's content; fewer rows than a shard has only at the end of the array.
        """
        rows, columns = array.chunks
        bounds = range(0, array.shape[1], columns)
        chunk_size = rows * columns * array.dtype.itemsize
        index = np.array([(k * (chunk_size + CHECKSUM), chunk_size + CHECKSUM) for k in range(len(bounds))], "<u8")
        size = len(bounds) * (chunk_size + CHECKSUM) + index.nbytes + CHECKSUM
        if len(self._bytes) < size:
            self._bytes = np.empty(size, np.uint8)
        for first, (offset, _) in zip(bounds, index.tolist(), strict=True):
            part = values[:, first : first + columns]
            chunk = self._bytes[offset : offset + chunk_size]
            table = chunk.view(array.dtype).reshape(rows, columns)
            table[: len(part), : part.shape[1]] = part
            table[len(part) :] = 0
            table[:, part.shape[1] :] = 0
            self._bytes[offset + chunk_size : offset + chunk_size + CHECKSUM] = _checksum(chunk)
        end = size - CHECKSUM
        self._bytes[end - index.nbytes : end] = index.view(np.uint8).ravel()
        self._bytes[end:size] = _checksum(self._bytes[end - index.nbytes : end])
        path = Path(array.store.root, array.path, "c", str(row // array.shards[0]), "0")
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.write(self._bytes[:size])


def _checksum(content: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.array([google_crc32c.value(content)], "<u4").view(np.uint8)
