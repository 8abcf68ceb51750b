"""Outputs are whole or absent, and a flipped bit is noticed."""

import errno
import hashlib
import shutil
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr

from ventral.store import (
    create_array,
    open_store,
    packing,
    read_dataset,
    resuming,
    sha256,
    write_dataset,
    writing,
)


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


def write(target, text: str) -> None:
    with writing(target) as unfinished:
        unfinished.mkdir()
        (unfinished / "chunk").write_text(text)


def begin(target, text: str) -> subprocess.Popen:
    """Another process in the middle of writing a folder, which goes on when it is sent a line."""
    program = (
        "import sys; from pathlib import Path; from ventral.store import writing\n"
        "with writing(sys.argv[1]) as unfinished:\n"
        "    unfinished.mkdir(); print(unfinished, flush=True); sys.stdin.readline()\n"
        # As Zarr does.
        "    unfinished.mkdir(parents=True, exist_ok=True); (unfinished / 'chunk').write_text(sys.argv[2])\n"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    process = subprocess.Popen([sys.executable, "-c", program, str(target), text], **pipes)
    process.folder = Path(process.stdout.readline().strip())
    return process


def test_what_a_killed_process_left_is_cleared(tmp_path):
    target = tmp_path / "store.zarr"
    process = begin(target, "half")
    process.kill()
    process.communicate()
    assert process.folder.is_dir()
    with writing(target) as unfinished:
        assert not process.folder.exists()
        unfinished.mkdir()
    assert list(tmp_path.iterdir()) == [target]


def test_what_a_process_on_another_machine_left_is_cleared_when_there_is_something_whole(tmp_path):
    target = tmp_path / "store.zarr"
    left = tmp_path / ".store.zarr.elsewhere-1-abcd_123.unfinished"
    others = [tmp_path / ".store.zarr.zip.elsewhere-1-abcd_123.unfinished", tmp_path / ".store.zarr.zip"]
    for folder in (left, *others):
        (folder / "output").mkdir(parents=True)
    with pytest.raises(RuntimeError), writing(target):
        raise RuntimeError
    assert left.exists()
    write(target, "whole")
    assert sorted(tmp_path.iterdir()) == sorted([target, *others])


def test_two_processes_write_one_output_and_who_began_last_has_the_last_word(tmp_path):
    target = tmp_path / "store.zarr"
    first = begin(target, "first")
    # On a node that is lost to the cluster, and lives on.
    with writing(target) as unfinished:
        unfinished.mkdir()
        (unfinished / "chunk").write_text("second")
        assert first.folder.exists()
    assert (target / "chunk").read_text() == "second"
    first.communicate("go on\n")
    assert first.returncode == 0
    assert (target / "chunk").read_text() == "second"
    assert list(tmp_path.iterdir()) == [target]


def test_who_began_first_and_ends_first_is_replaced(tmp_path):
    target = tmp_path / "store.zarr"
    first = begin(target, "first")
    with writing(target) as unfinished:
        unfinished.mkdir()
        (unfinished / "chunk").write_text("second")
        first.communicate("go on\n")
        assert first.returncode == 0
        assert (target / "chunk").read_text() == "first"
    assert (target / "chunk").read_text() == "second"
    assert list(tmp_path.iterdir()) == [target]


def test_taken_away_with_nothing_in_its_place_is_an_error(tmp_path):
    target = tmp_path / "table.csv"
    with pytest.raises(FileNotFoundError, match="another process"), writing(target) as unfinished:
        unfinished.write_text("half")
        shutil.rmtree(unfinished.parent)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_file_within_the_block_is_an_error(tmp_path):
    (tmp_path / "table.csv").write_text("earlier")
    with pytest.raises(FileNotFoundError, match="absent"), writing(tmp_path / "table.csv"):
        (tmp_path / "absent").read_text()


def finish_one_part(path, made_of):
    """Begin an output of two parts, and be killed after the first."""
    with pytest.raises(KeyboardInterrupt), resuming(path, made_of) as folder:
        (folder / "part").touch()
        raise KeyboardInterrupt


def test_parts_are_found_again_if_they_were_made_of_the_same(tmp_path):
    finish_one_part(tmp_path / "out", {"seed": 1, "of": {3: (0, 1)}})
    with resuming(tmp_path / "out", {"of": {"3": [0, 1]}, "seed": 1}) as folder:
        assert (folder / "part").exists()
        (folder / "other").touch()
        assert not (tmp_path / "out").exists()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["other", "part"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_parts_made_of_something_else_are_cleared(tmp_path):
    finish_one_part(tmp_path / "out", {"seed": 1})
    with resuming(tmp_path / "out", {"seed": 2}) as folder:
        assert not (folder / "part").exists()


def test_who_began_last_goes_on_with_the_parts_of_an_attempt_that_lives_on(tmp_path):
    first = resuming(tmp_path / "out", {})
    folder = first.__enter__()
    (folder / "part").write_text("whole")
    (folder / ".half").touch()
    with resuming(tmp_path / "out", {}) as parts:
        assert [path.name for path in parts.iterdir()] == ["part"]
        # The first goes on all the same, into a folder that it makes anew.
        folder.mkdir(parents=True)
        (folder / "other").touch()
        (parts / "another").touch()
    first.__exit__(None, None, None)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["another", "part"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


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


def test_nothing_remains_of_an_interrupted_packed_store(tmp_path):
    with pytest.raises(KeyboardInterrupt), packing(tmp_path / "a.zip") as folder:
        zarr.open_group(folder, mode="w")
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())


def test_a_flipped_bit_in_a_packed_store(tmp_path):
    with packing(tmp_path / "a.zip") as folder:
        create_array(zarr.open_group(folder, mode="w"), "x", (50, 7), "float64", (8, 7), (50, 7), compress=False)[:] = 1
    content = bytearray((tmp_path / "a.zip").read_bytes())
    content[content.index(np.ones(7).tobytes()) + 5] ^= 1
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(zipfile.BadZipFile, match="Bad CRC-32"):
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


def test_sha256_of_a_file(tmp_path):
    (tmp_path / "file").write_bytes(b"abc" * 1000)
    assert sha256(tmp_path / "file") == hashlib.sha256(b"abc" * 1000).hexdigest()


def test_a_hidden_file_of_a_workflow_is_no_reason_to_warn(tmp_path):
    write_dataset(xr.Dataset({"x": ("a", [1.0, 2.0])}), tmp_path / "s.zarr")
    (tmp_path / "s.zarr" / ".snakemake_timestamp").touch()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_dataset(tmp_path / "s.zarr")
