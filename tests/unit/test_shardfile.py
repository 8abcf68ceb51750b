"""Shards as zarr itself reads and writes them."""

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from ventral.activations.shardfile import ShardWriter, read_chunks
from ventral.errors import InputError
from ventral.integrity import seal
from ventral.store import create_array, open_store


def arrays(folder, shape, dtype, chunk, shard_rows):
    groups = [zarr.open_group(folder / name, mode="w", zarr_format=3) for name in ("ours", "theirs")]
    chunks, shards = (shard_rows, chunk), (shard_rows, shape[1])
    return [create_array(group, "x", shape, dtype, chunks, shards, compress=False) for group in groups]


# A machine may be busy: no test depends on its speed.
@settings(deadline=None)
@given(
    shape=st.tuples(st.integers(1, 9), st.integers(1, 23)),
    dtype=st.sampled_from(["float16", "float32"]),
    chunk=st.integers(1, 30),
    shard_rows=st.integers(1, 12),
)
def test_the_bytes_are_those_of_zarr(tmp_path_factory, shape, dtype, chunk, shard_rows):
    folder = tmp_path_factory.mktemp("shards")
    ours, theirs = arrays(folder, shape, dtype, chunk, shard_rows)
    values = np.random.default_rng(0).normal(size=shape).astype(dtype)
    writer = ShardWriter()
    step = ours.shards[0]
    for row in range(0, shape[0], step):
        writer.write(ours, row, values[row : row + step])
        theirs[row : row + step] = values[row : row + step]
    np.testing.assert_array_equal(ours[:], values)
    files = [sorted((folder / name).rglob("*")) for name in ("ours", "theirs")]
    assert [path.relative_to(folder / "ours") for path in files[0]] == [
        path.relative_to(folder / "theirs") for path in files[1]
    ]
    # zarr has the chunks of a shard in an order of its own; of one chunk there is one order.
    for mine, other in zip(*files, strict=True):
        if mine.is_file():
            assert mine.stat().st_size == other.stat().st_size
            if ours.chunks[1] == shape[1] or mine.name == "zarr.json":
                assert mine.read_bytes() == other.read_bytes()


def chunks_of(array):
    return np.concatenate([read_chunks(array, start) for start in range(0, array.shape[1], array.chunks[1])], axis=1)


@pytest.mark.parametrize("shape", [(8, 12), (9, 11), (3, 3), (12, 17)])
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_chunks_are_read_as_by_zarr(tmp_path, monkeypatch, shape, dtype):
    ours, theirs = arrays(tmp_path, shape, dtype, 4, 4)
    values = np.random.default_rng(0).normal(size=shape).astype(dtype)
    for row in range(0, shape[0], ours.shards[0]):
        ShardWriter().write(ours, row, values[row : row + ours.shards[0]])
    # zarr has the chunks in an order of its own.
    theirs[:] = values
    np.testing.assert_array_equal(chunks_of(theirs), values)
    monkeypatch.setattr(zarr.Array, "__getitem__", None)
    np.testing.assert_array_equal(chunks_of(ours), values)


def test_chunks_that_are_compressed_are_read(tmp_path):
    values = np.arange(70, dtype="float32").reshape(7, 10)
    array = create_array(zarr.open_group(tmp_path / "g", mode="w"), "x", (7, 10), "float32", (4, 4), (4, 10))
    array[:] = values
    np.testing.assert_array_equal(chunks_of(array), values)


@pytest.mark.parametrize("place", [5, -50, None])
def test_a_damaged_chunk_is_an_error_that_names_the_store(tmp_path, place):
    ours, _ = arrays(tmp_path, (4, 10), "float32", 4, 4)
    ShardWriter().write(ours, 0, np.ones((4, 10), "float32"))
    path = tmp_path / "ours" / "x" / "c" / "0" / "0"
    seal(tmp_path / "ours")
    store = open_store(tmp_path / "ours")
    content = bytearray(path.read_bytes())
    if place is None:
        content = content[:60]
    else:
        content[place] ^= 4
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"ours: array `x` cannot be read"):
        chunks_of(store["x"])


@pytest.mark.parametrize("place", [5, -30, -2])
def test_a_flipped_bit_is_an_error(tmp_path, place):
    ours, _ = arrays(tmp_path, (4, 10), "float32", 4, 4)
    ShardWriter().write(ours, 0, np.ones((4, 10), "float32"))
    path = tmp_path / "ours" / "x" / "c" / "0" / "0"
    content = bytearray(path.read_bytes())
    content[place] ^= 4
    path.write_bytes(content)
    with pytest.raises(ValueError, match="checksum"):
        ours[:]
