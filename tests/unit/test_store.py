"""Outputs are whole or absent, and a flipped bit is noticed."""

import errno
import hashlib
import warnings

import numpy as np
import pytest
import xarray as xr
import zarr

from ventral.store import create_array, read_dataset, sha256, write_dataset, writing


def test_a_file_appears_only_when_complete(tmp_path):
    target = tmp_path / "deep" / "table.csv"
    with writing(target) as unfinished:
        unfinished.write_text("half")
        assert not target.exists()
    assert target.read_text() == "half"
    assert [path.name for path in target.parent.iterdir()] == ["table.csv"]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left on device")])
def test_nothing_remains_of_an_interrupted_folder(tmp_path, error):
    target = tmp_path / "store.zarr"
    with pytest.raises(type(error)), writing(target) as unfinished:
        unfinished.mkdir()
        (unfinished / "chunk").write_text("half")
        raise error
    assert list(tmp_path.iterdir()) == []


def test_an_earlier_output_stands_until_its_successor_is_complete(tmp_path):
    target = tmp_path / "store.zarr"
    for version in ("first", "second"):
        with writing(target) as unfinished:
            unfinished.mkdir()
            (unfinished / "chunk").write_text(version)
            if version == "second":
                assert (target / "chunk").read_text() == "first"
    with pytest.raises(RuntimeError), writing(target):
        raise RuntimeError
    assert (target / "chunk").read_text() == "second"


def test_leftovers_of_a_killed_job_are_cleared(tmp_path):
    leftover = tmp_path / ".store.zarr.unfinished"
    leftover.mkdir()
    (leftover / "stale").touch()
    with writing(tmp_path / "store.zarr") as unfinished:
        assert unfinished == leftover
        unfinished.mkdir()
    assert not (tmp_path / "store.zarr" / "stale").exists()


def test_a_dataset_returns_as_it_was_written(tmp_path):
    dataset = xr.Dataset(
        {"responses": (("stimulus", "neuroid"), np.random.default_rng(0).normal(size=(3, 2)))},
        coords={
            "stimulus": ["a", "bb", "käse"],
            "area": ("neuroid", ["V4", "IT"]),
            "x": ("stimulus", [1.0, np.nan, 3]),
        },
        attrs={"n_repetitions": 4},
    )
    write_dataset(dataset, tmp_path / "d.zarr")
    read = read_dataset(tmp_path / "d.zarr")
    assert read["stimulus"].values.astype(str).tolist() == ["a", "bb", "käse"]
    assert read["area"].values.astype(str).tolist() == ["V4", "IT"]
    np.testing.assert_array_equal(read["responses"], dataset["responses"])
    np.testing.assert_array_equal(read["x"], dataset["x"])
    assert read.attrs == {"n_repetitions": 4}


def test_one_flipped_bit_in_a_chunk_is_an_error(tmp_path):
    group = zarr.open_group(tmp_path / "a.zarr", mode="w")
    array = create_array(group, "layer.1", (8, 100), "float16", (4, 10), (4, 100), compress=False)
    array[:] = np.arange(800).reshape(8, 100)
    shard = next(path for path in (tmp_path / "a.zarr" / "layer.1").rglob("*") if path.is_file() and path.suffix == "")
    content = bytearray(shard.read_bytes())
    content[7] ^= 1
    shard.write_bytes(content)
    with pytest.raises(ValueError, match="[Cc]hecksum"):
        zarr.open_group(tmp_path / "a.zarr", mode="r")["layer.1"][:]


def test_an_array_is_few_files(tmp_path):
    group = zarr.open_group(tmp_path / "a.zarr", mode="w")
    array = create_array(group, "x", (100, 10000), "float32", (16, 512), (100, 10000))
    array[:] = 1.0
    assert len([path for path in (tmp_path / "a.zarr" / "x" / "c").rglob("*") if path.is_file()]) == 1


def test_sha256_of_a_file(tmp_path):
    (tmp_path / "file").write_bytes(b"abc" * 1000)
    assert sha256(tmp_path / "file") == hashlib.sha256(b"abc" * 1000).hexdigest()


def test_a_hidden_file_of_a_workflow_is_no_reason_to_warn(tmp_path):
    write_dataset(xr.Dataset({"x": ("a", [1.0, 2.0])}), tmp_path / "s.zarr")
    (tmp_path / "s.zarr" / ".snakemake_timestamp").touch()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_dataset(tmp_path / "s.zarr")
