"""Outputs are whole or absent, whoever is killed or writes beside."""

import errno
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import zarr

from ventral.outputs import packing, resuming, sha256, writing


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
        "import sys; from pathlib import Path; from ventral.outputs import writing\n"
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


def test_sha256_of_a_file(tmp_path):
    (tmp_path / "file").write_bytes(b"abc" * 1000)
    assert sha256(tmp_path / "file") == hashlib.sha256(b"abc" * 1000).hexdigest()


def test_nothing_remains_of_an_interrupted_packed_store(tmp_path):
    with pytest.raises(KeyboardInterrupt), packing(tmp_path / "a.zip") as folder:
        zarr.open_group(folder, mode="w")
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())
