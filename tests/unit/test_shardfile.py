"""Shards as zarr itself reads and writes them."""

import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st

from ventral.activations.shardfile import ShardWriter
from ventral.store import create_array


def arrays(folder, shape, dtype, chunk, shard_rows):
    groups = [zarr.open_group(folder / name, mode="w", zarr_format=3) for name in ("ours", "theirs")]
    chunks, shards = (shard_rows, chunk), (shard_rows, shape[1])
    return [create_array(group, "x", shape, dtype, chunks, shards, compress=False) for group in groups]


# A machine may be busy: no test depends on its speed.


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
