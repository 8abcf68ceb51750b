"""Read blocks of a layer's features from the files of shards, on any number of threads."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ventral.activations.shardfile import CHECKSUM, crc32c

if TYPE_CHECKING:
    import zarr

# Bytes of an index entry: the start and the length of one chunk.
ENTRY = 16


class BlockReader:
    """Reader of blocks of columns of one layer's features (n, p).

    zarr reads no faster on several threads than on one. This reader therefore reads a chunk as wide as the block into
    its place, and compares the chunk with its checksum. zarr reads every other layout, and reports damaged files.

    Parameters
    ----------
    arrays : sequence of (rows, p) arrays
        The features, cut into shards by rows.
    """

    def __init__(self, arrays: Sequence["zarr.Array"]) -> None:
        self._arrays = arrays
        self.shape = (sum(array.shape[0] for array in arrays), arrays[0].shape[1])
        self.dtype = arrays[0].dtype
        self._plain = [_is_plain(array) for array in arrays]
        self._indices: dict[Path, NDArray[np.int64] | None] = {}

    def read(self, start: int, stop: int, out: NDArray | None = None) -> NDArray:
        """Return a range of columns (n, stop - start), written to `out` if given.

        Raises
        ------
        InputError
            If a chunk is damaged or lost.
        """
        block = np.empty((self.shape[0], stop - start), self.dtype) if out is None else out
        row = 0
        for array, plain in zip(self._arrays, self._plain, strict=True):
            rows = block[row : row + array.shape[0]]
            row += array.shape[0]
            if plain and _is_one_chunk(array, start, stop):
                self._read_chunks(array, start, rows)
            else:
                rows[:] = array[:, start:stop]
        return block

    def _read_chunks(self, array: "zarr.Array", start: int, rows: NDArray) -> None:
        n_rows, columns = array.chunks
        for first in range(0, len(rows), n_rows):
            of_chunk = rows[first : first + n_rows]
            path = Path(array.store.root, array.path, "c", str(first // n_rows), "0")
            whole = of_chunk.shape == array.chunks and of_chunk.flags.c_contiguous
            chunk = of_chunk if whole else np.empty(array.chunks, array.dtype)
            if not self._read_chunk(path, start // columns, -(-array.shape[1] // columns), chunk):
                of_chunk[:] = array[first : first + n_rows, start : start + rows.shape[1]]
            elif not whole:
                of_chunk[:] = chunk[: of_chunk.shape[0], : of_chunk.shape[1]]

    def _read_chunk(self, path: Path, number: int, n_chunks: int, chunk: NDArray) -> bool:
        """Read one chunk of a shard; return False if the chunk is missing, incomplete or differs from its checksum."""
        checksum = bytearray(CHECKSUM)
        try:
            with path.open("rb", buffering=0) as file:
                if path not in self._indices:
                    self._indices[path] = _read_index(file, n_chunks)
                index = self._indices[path]
                if index is None or index[number, 1] != chunk.nbytes + CHECKSUM:
                    return False
                content = chunk.reshape(-1).view(np.uint8)
                file.seek(index[number, 0])
                complete = file.readinto(content) == chunk.nbytes and file.readinto(checksum) == CHECKSUM
        except OSError:
            return False
        return complete and crc32c(content) == int.from_bytes(checksum, "little")


def _is_plain(array: "zarr.Array") -> bool:
    """Return whether an array has the layout of stored features: one row of uncompressed chunks in each shard."""
    import zarr
    from zarr.codecs import BytesCodec, Crc32cCodec, ShardingCodec

    if not (isinstance(array, zarr.Array) and isinstance(array.store, zarr.storage.LocalStore) and array.shards):
        return False
    plain = ShardingCodec(chunk_shape=array.chunks, codecs=[BytesCodec(), Crc32cCodec()])
    one_row = array.shards[0] == array.chunks[0] and array.shards[1] >= array.shape[1]
    return one_row and array.metadata.codecs == (plain,)


def _is_one_chunk(array: "zarr.Array", start: int, stop: int) -> bool:
    columns = array.chunks[1]
    return start % columns == 0 and stop == min(start + columns, array.shape[1])


def _read_index(file, n_chunks: int) -> NDArray[np.int64] | None:
    """Return start and length of each chunk of a shard (chunks, 2), or None if the index is damaged."""
    content = bytearray(n_chunks * ENTRY + CHECKSUM)
    file.seek(-len(content), 2)
    if file.readinto(content) != len(content):
        return None
    index, checksum = bytes(content[:-CHECKSUM]), int.from_bytes(content[-CHECKSUM:], "little")
    if crc32c(np.frombuffer(index, np.uint8)) != checksum:
        return None
    return np.frombuffer(index, "<u8").astype(np.int64).reshape(n_chunks, 2)
