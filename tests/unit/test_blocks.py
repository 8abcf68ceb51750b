"""Blocks of features read straight from files, beside zarr."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import zarr

from ventral.activations.blocks import BlockReader
from ventral.activations.shardfile import ShardWriter
from ventral.errors import InputError
from ventral.store import create_array, open_store

COLUMNS, BLOCKS = 23, [(0, 5), (5, 10), (10, 15), (15, 20), (20, 23)]


def written(path, values, *, rows=4, columns=5, own=True, compress=False):
    """An array of shards of one row of chunks, by our own writer or by zarr, which orders chunks in another way."""
    group = zarr.open_group(path, mode="w", zarr_format=3)
    chunks, shards = (rows, columns), (rows, values.shape[1])
    array = create_array(group, "layer", values.shape, str(values.dtype), chunks, shards, compress=compress)
    if own:
        for row in range(0, len(values), rows):
            ShardWriter().write(array, row, values[row : row + rows])
    else:
        array[:] = values
    return open_store(path)["layer"]


@pytest.fixture
def parts():
    values = np.random.default_rng(0).normal(size=(19, COLUMNS)).astype(np.float16)
    return values[:6], values[6:]


@pytest.fixture
def no_zarr(monkeypatch):
    def refused(*_):
        raise AssertionError("read by zarr")

    monkeypatch.setattr(zarr.Array, "__getitem__", refused)


@pytest.mark.parametrize("own", [True, False])
def test_chunks_are_read_into_their_place(tmp_path, parts, own, no_zarr):
    reader = BlockReader([written(tmp_path / f"{k}.zarr", part, own=own) for k, part in enumerate(parts)])
    assert (reader.shape, reader.dtype) == ((19, COLUMNS), np.float16)
    with ThreadPoolExecutor(3) as threads:
        blocks = list(threads.map(lambda block: reader.read(*block), BLOCKS))
    np.testing.assert_array_equal(np.concatenate(blocks, axis=1), np.concatenate(parts))
    out = np.empty((19, 5), np.float16)
    assert reader.read(5, 10, out) is out
    np.testing.assert_array_equal(out, blocks[1])


@pytest.mark.parametrize(
    ("options", "block"), [({"compress": True}, (5, 10)), ({}, (3, 17)), ({"columns": 30}, (0, 5))]
)
def test_what_is_laid_out_otherwise_is_read_by_zarr(tmp_path, parts, options, block):
    own = not options.get("compress")
    reader = BlockReader([written(tmp_path / f"{k}.zarr", part, own=own, **options) for k, part in enumerate(parts)])
    np.testing.assert_array_equal(reader.read(*block), np.concatenate(parts)[:, slice(*block)])


@pytest.mark.parametrize("place", [60, -30, -2])
def test_a_flipped_bit_is_the_error_that_zarr_gives(tmp_path, parts, place):
    array = written(tmp_path / "0.zarr", parts[0])
    file = tmp_path / "0.zarr" / "layer" / "c" / "0" / "0"
    content = bytearray(file.read_bytes())
    content[place] ^= 4
    file.write_bytes(content)
    with pytest.raises(InputError, match=r"0\.zarr: array `layer` cannot be read \(.*checksum") as found:
        for block in BLOCKS:
            BlockReader([array]).read(*block)
    with pytest.raises(InputError) as expected:
        array[:]
    assert str(found.value) == str(expected.value)


def test_a_file_that_was_lost_or_cut(tmp_path, parts):
    array = written(tmp_path / "0.zarr", parts[0])
    file = tmp_path / "0.zarr" / "layer" / "c" / "1" / "0"
    content = file.read_bytes()
    file.write_bytes(content[:30])
    with pytest.raises(InputError, match=r"0\.zarr: array `layer` cannot be read"):
        BlockReader([array]).read(0, 5)
    file.unlink()
    with pytest.raises(InputError, match=r"`layer/c/1/0` is missing"):
        BlockReader([array]).read(0, 5)
