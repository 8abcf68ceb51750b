"""Zarr stores are read as they were written, and a flipped bit is noticed."""

import warnings

import numpy as np
import pytest
import xarray as xr
import zarr

from ventral.errors import InputError
from ventral.outputs import packing
from ventral.store import create_array, open_store, read_dataset, write_dataset


def test_a_packed_store_is_one_file_and_reads_like_a_folder(tmp_path):
    values = np.random.default_rng(0).normal(size=(50, 7))
    for name in ("a.zip", "b.zip"):
        with packing(tmp_path / name) as folder:
            group = zarr.open_group(folder, mode="w", attributes={"model": "net"})
            create_array(group.create_group("layer.1"), "gram", (50, 7), "float64", (8, 7), (50, 7))[:] = values
    store = open_store(tmp_path / "a.zip")
    assert store.attrs["model"] == "net"
    np.testing.assert_array_equal(store["layer.1"]["gram"][:], values)
    np.testing.assert_array_equal(store["layer.1"]["gram"][20:30], values[20:30])
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip", "b.zip"]


def test_a_flipped_bit_in_a_packed_store(tmp_path):
    with packing(tmp_path / "a.zip") as folder:
        create_array(zarr.open_group(folder, mode="w"), "x", (50, 7), "float64", (8, 7), (50, 7), compress=False)[:] = 1
    content = bytearray((tmp_path / "a.zip").read_bytes())
    content[content.index(np.ones(7).tobytes()) + 5] ^= 1
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.zip: array `x` cannot be read \(Bad CRC-32.*delete .*a\.zip"):
        open_store(tmp_path / "a.zip")["x"][:]


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


def test_a_hidden_file_of_a_workflow_is_no_reason_to_warn(tmp_path):
    write_dataset(xr.Dataset({"x": ("a", [1.0, 2.0])}), tmp_path / "s.zarr")
    (tmp_path / "s.zarr" / ".snakemake_timestamp").touch()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_dataset(tmp_path / "s.zarr")
