"""One command a stage: what it prints and how it ends."""

import errno
import logging
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from ventral.__main__ import main
from ventral.errors import InputError
from ventral.scores import table as score_table


@pytest.fixture(autouse=True)
def logging_of_one_test():
    before, level = list(logging.getLogger().handlers), logging.getLogger("ventral").level
    yield
    logging.getLogger("ventral").setLevel(level)
    for handler in set(logging.getLogger().handlers) - set(before):
        logging.getLogger().removeHandler(handler)
        handler.close()


def joined(tmp_path, *tables):
    return main(
        ["join", *map(str, tables), "--output", str(tmp_path / "out.parquet"), "--log", str(tmp_path / "a/log")]
    )


def test_a_stage_that_ends_well(tmp_path):
    table = pd.DataFrame({column: [] for column in score_table.COLUMNS})
    table.to_parquet(tmp_path / "in.parquet")
    assert joined(tmp_path, tmp_path / "in.parquet") == 0
    assert (tmp_path / "out.parquet").exists()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_explained(tmp_path, monkeypatch, code):
    def full(**options):
        raise OSError(code, "No space left on device", "somewhere")

    monkeypatch.setattr(score_table, "join", full)
    assert joined(tmp_path, "in.parquet") == 1
    log = (tmp_path / "a" / "log").read_text()
    assert f"join: no space left for {tmp_path / 'out.parquet'}" in log
    assert "Traceback" not in log


def test_a_bug_leaves_its_traceback_in_the_log(tmp_path, monkeypatch):
    def broken(**options):
        raise ZeroDivisionError

    monkeypatch.setattr(score_table, "join", broken)
    assert joined(tmp_path, "in.parquet") == 1
    assert "ZeroDivisionError" in (tmp_path / "a" / "log").read_text()


def test_a_mistake_of_the_user_is_one_message(tmp_path, monkeypatch):
    def mistaken(**options):
        raise InputError("set `folds` to 3")

    monkeypatch.setattr(score_table, "join", mistaken)
    assert joined(tmp_path, "in.parquet") == 1
    assert (tmp_path / "a" / "log").read_text().endswith("ERROR join: set `folds` to 3\n")


def test_light_stages_start_without_the_heavy_libraries():
    script = (
        "import sys; sys.path.insert(0, 'workflow')\n"
        "from ventral.configuration.resolution import resolve, check_inputs\n"
        "from ventral.__main__ import main\n"
        "resolve({'dataset': 'cowley2023', 'models': ['efficientnet_lite0', 'resnet18', 'pixels']})\n"
        "print([name for name in ('torch', 'matplotlib', 'sklearn', 'scipy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


SENTENCES = {
    "memory": (
        MemoryError("Unable to allocate 3 TiB"),
        "memory does not suffice: Unable to allocate 3 TiB; raise `mem_mb`",
    ),
    "memory of Python": (MemoryError(), "memory does not suffice: none is left; raise `mem_mb`"),
    "array": (None, "memory does not suffice: Unable to allocate"),
    "missing": (
        FileNotFoundError(errno.ENOENT, "No such file or directory", "a.csv"),
        "a.csv: No such file or directory",
    ),
    "missing Parquet": (FileNotFoundError("a.parquet"), "a.parquet: no such file or folder"),
    "closed": (PermissionError(errno.EACCES, "Permission denied", "a.npy"), "a.npy: Permission denied"),
    "folder": (IsADirectoryError(errno.EISDIR, "Is a directory", "a"), "a: Is a directory"),
    "broken disk": (OSError(errno.EIO, "Input/output error", "a.zarr/c/0"), "a.zarr/c/0: Input/output error"),
    "ended": (SystemExit(0), "some code ended the program, with exit status 0, before the stage was done"),
    "ended with a message": (SystemExit("bye"), "some code ended the program, with exit status 'bye'"),
    "interrupted": (KeyboardInterrupt(), "interrupted before the stage was done"),
}


@pytest.mark.parametrize("name", SENTENCES)
def test_what_is_no_fault_of_the_program_is_one_sentence(tmp_path, monkeypatch, name):
    error, said = SENTENCES[name]

    def failing(**options):
        if error is None:
            np.empty((2**40, 2**15))
        raise error

    monkeypatch.setattr(score_table, "join", failing)
    record = tmp_path / "record.json"
    arguments = ["join", "in.parquet", "--output", str(tmp_path / "out"), "--log", str(tmp_path / "log")]
    assert main([*arguments, "--provenance", str(record)]) == (130 if name == "interrupted" else 1)
    log = (tmp_path / "log").read_text()
    assert f"ERROR join: {said}" in log
    assert "Traceback" not in log
    assert not record.exists()


def test_an_input_that_is_not_there_is_named(tmp_path):
    assert joined(tmp_path, tmp_path / "no_such.parquet") == 1
    log = (tmp_path / "a" / "log").read_text()
    assert "no_such.parquet: no such file" in log
    assert "Traceback" not in log


def test_a_log_that_cannot_be_written_is_named(tmp_path, capsys):
    (tmp_path / "a").write_text("no folder")
    assert joined(tmp_path, "in.parquet") == 1
    said = capsys.readouterr().err
    assert f"{tmp_path / 'a'}" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("option", "text", "said"),
    [
        ("--spec", "{name: net}", "no JSON"),
        ("--spec", '["net"]', "JSON of an object is right, not"),
        ("--spec", "", "no JSON"),
        ("--together", '{"a": 1}', "JSON of a list is right, not"),
        ("--together", "a", "no JSON"),
    ],
)
def test_an_option_that_is_no_json_of_its_kind_is_named(capsys, option, text, said):
    arguments = {"--spec": "{}", "--output": "out"} | {option: text}
    with pytest.raises(SystemExit) as ended:
        main(["model", *(part for pair in arguments.items() for part in pair)])
    assert ended.value.code == 2
    assert f"error: argument {option}: {said}" in capsys.readouterr().err


def test_units_are_a_number_or_none(capsys):
    with pytest.raises(SystemExit):
        main(["decode_areas", "a", "b", "--units", "[2]"])
    assert "argument --units: JSON of a whole number or null is right, not [2]" in capsys.readouterr().err
