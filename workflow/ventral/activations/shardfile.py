"""Write the files of a sharded Zarr array chunk by chunk, several files at once."""

import ctypes
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Self

import google_crc32c
import numpy as np
import zarr
from numpy.typing import NDArray

CHECKSUM = 4
# Bytes of one write to the system if chunks are smaller.
PIECE = 2**20
PAGE = 4096


class ShardWriter:
    """Writer of whole shards of uncompressed, checksummed arrays, with at most one copy of the values.

    zarr writes the same bytes with four copies, each into new memory. Beside a forward pass on the same cores, these
    copies took a third of the time. The layout follows the Zarr v3 ``sharding_indexed`` codec. The chunks come first,
    each with its CRC-32C. Their index follows: the offset and length of each chunk, and a CRC-32C.
    """

    def __init__(self) -> None:
        self._bytes = np.empty(0, np.uint8)

    def write(self, array: zarr.Array, row: int, values: NDArray) -> None:
        """Write the shard that begins at a row of a two-dimensional array and spans its whole width.

        Parameters
        ----------
        array : zarr.Array
            Uncompressed array from `ventral.store.create_array`, in a local store; shards hold one row of chunks.
        row : int
            First row, a multiple of the shard's rows.
        values : (rows, columns) array
            The shard's content; only the last shard of the array may have fewer rows.
        """
        columns = array.chunks[1]
        starts = range(0, array.shape[1], columns)
        size = array.chunks[0] * columns * array.dtype.itemsize + CHECKSUM
        at_once = max(1, PIECE // size)
        path = _path(array, row)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            if values.shape == array.chunks and values.flags.c_contiguous and values.dtype == array.dtype:
                content = values.reshape(-1).view(np.uint8)
                file.write(content)
                file.write(_checksum(content))
            else:
                for first in range(0, len(starts), at_once):
                    parts = [values[:, start : start + columns] for start in starts[first : first + at_once]]
                    file.write(self._encoded(parts, array.chunks, array.dtype, first * size))
            file.write(_index(len(starts), size))

    def _encoded(self, parts: list[NDArray], shape: tuple[int, int], dtype: np.dtype, offset: int) -> NDArray[np.uint8]:
        """Join parts into chunks (rows, columns), and return chunks and checksums as bytes for a place in a file."""
        content_size = shape[0] * shape[1] * dtype.itemsize
        size = content_size + CHECKSUM
        if len(self._bytes) < len(parts) * size + 2 * PAGE:
            self._bytes = np.empty(len(parts) * size + 2 * PAGE, np.uint8)
        # Alignment lets the system copy whole pages of memory to whole pages of the file.
        begin = -self._bytes.ctypes.data % PAGE + offset % PAGE
        encoded = self._bytes[begin : begin + len(parts) * size]
        for k, part in enumerate(parts):
            chunk = encoded[k * size : k * size + content_size]
            table = chunk.view(dtype).reshape(shape)
            table[: len(part), : part.shape[1]] = part
            table[len(part) :] = 0
            table[:, part.shape[1] :] = 0
            encoded[k * size + content_size : (k + 1) * size] = np.frombuffer(_checksum(chunk), np.uint8)
        return encoded


class ShardWriters:
    """Threads that write shards in parallel, with one thread for each file.

    Each thread has memory for one chunk, or for one mebibyte of smaller chunks. Leaving the `with` block waits for the
    shards that are being written. After an error, shards that are not begun are skipped.
    """

    def __init__(self, threads: int) -> None:
        self._pool = ThreadPoolExecutor(threads, "writer")
        self._own = threading.local()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, error_type, *_) -> None:
        self._pool.shutdown(cancel_futures=error_type is not None)

    def submit(self, array: zarr.Array, row: int, values: NDArray) -> Future:
        """Begin to write a shard as `ShardWriter.write` does; the values must not change until the future is done."""
        return self._pool.submit(self._write, array, row, values)

    def _write(self, array: zarr.Array, row: int, values: NDArray) -> None:
        if not hasattr(self._own, "writer"):
            self._own.writer = ShardWriter()
        self._own.writer.write(array, row, values)


def _path(array: zarr.Array, row: int) -> Path:
    return Path(array.store.root, array.path, "c", str(row // array.shards[0]), "0")


def _index(n_chunks: int, size: int) -> bytes:
    """Return the index of a shard as bytes: offset and length of each chunk, and the index's checksum."""
    index = np.array([(k * size, size) for k in range(n_chunks)], "<u8").view(np.uint8).ravel()
    return index.tobytes() + _checksum(index)


def _checksum(content: NDArray[np.uint8]) -> bytes:
    return crc32c(content).to_bytes(CHECKSUM, "little")


def _crc32c() -> Callable[[NDArray[np.uint8]], int]:
    """Return a function that computes the CRC-32C of an array of bytes while other threads run.

    `google_crc32c.value` holds Python's global lock, so that many threads check no faster than one. The underlying C
    function is called without the lock if its library can be loaded.
    """
    try:
        from google_crc32c import _crc32c as extension

        function = ctypes.CDLL(extension.__file__).crc32c_value
    except (ImportError, OSError, AttributeError, TypeError):
        return google_crc32c.value
    function.argtypes, function.restype = [ctypes.c_void_p, ctypes.c_size_t], ctypes.c_uint32
    return lambda content: function(content.ctypes.data, content.size)


crc32c = _crc32c()
