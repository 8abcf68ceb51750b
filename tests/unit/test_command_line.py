"""One command a stage: what it prints and how it ends."""

import errno
import inspect
import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.command_lines import command_line
from ventral.__main__ import main
from ventral.commands import READS, arguments_of, function_of, parse, stages
from ventral.errors import InputError
from ventral.provenance import Command
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
    more = ["--log", str(tmp_path / "a" / "log")]
    return main(command_line("join", {"tables": tables}, {"output": tmp_path / "out.parquet"}, *more))


def test_a_stage_that_ends_well(tmp_path):
    table = pd.DataFrame({"model": ["net"], "n_stimuli": 9, "n_features": 9, "n_folds": 3, "n_leaked": 0})
    table.to_parquet(tmp_path / "in.parquet")
    assert joined(tmp_path, tmp_path / "in.parquet") == 0
    assert (tmp_path / "out.parquet").exists()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_explained(tmp_path, monkeypatch, code):
    def full(tables, output):
        raise OSError(code, "No space left on device", "somewhere")

    monkeypatch.setattr(score_table, "join", full)
    assert joined(tmp_path, "in.parquet") == 1
    log = (tmp_path / "a" / "log").read_text()
    assert f"join: no space left for {tmp_path / 'out.parquet'}" in log
    assert "Traceback" not in log


def test_a_bug_leaves_its_traceback_in_the_log(tmp_path, monkeypatch):
    def broken(tables, output):
        raise ZeroDivisionError

    monkeypatch.setattr(score_table, "join", broken)
    assert joined(tmp_path, "in.parquet") == 1
    assert "ZeroDivisionError" in (tmp_path / "a" / "log").read_text()


def test_a_mistake_of_the_user_is_one_message(tmp_path, monkeypatch):
    def mistaken(tables, output):
        raise InputError("set `folds` to 3")

    monkeypatch.setattr(score_table, "join", mistaken)
    assert joined(tmp_path, "in.parquet") == 1
    assert (tmp_path / "a" / "log").read_text().endswith("ERROR join: set `folds` to 3\n")


# Stages that build networks.
NETWORKS = ("model", "train")
SLOW = ("torch", "sklearn", "distributed", "matplotlib.pyplot", "scipy.stats", "scipy.spatial", "scipy.optimize")
SLOW += ("scipy.signal", "soundfile")


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


def test_no_stage_without_a_network_starts_with_libraries_that_take_long():
    # Whole libraries for single functions: each would add half a second or more to every job.
    script = (
        "import importlib, sys\n"
        "from ventral.commands import stages\n"
        f"for module in {{place.rsplit('.', 1)[0] for stage, place in stages().items() if stage not in {NETWORKS}}}:\n"
        "    importlib.import_module(f'ventral.{module}')\n"
        f"print([name for name in {SLOW} if name in sys.modules])"
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

    def failing(tables, output):
        if error is None:
            np.empty((2**40, 2**15))
        raise error

    monkeypatch.setattr(score_table, "join", failing)
    record = tmp_path / "record.json"
    arguments = command_line("join", {"tables": "in.parquet"}, {"output": tmp_path / "out"})
    assert main([*arguments, "--log", str(tmp_path / "log"), "--provenance", str(record)]) == (
        130 if name == "interrupted" else 1
    )
    log = (tmp_path / "log").read_text()
    assert f"ERROR join: {said}" in log
    assert "Traceback" not in log
    assert not record.exists()


def test_an_input_that_is_not_there_is_named(tmp_path):
    assert joined(tmp_path, tmp_path / "no_such.parquet") == 1
    log = (tmp_path / "a" / "log").read_text()
    assert "no_such.parquet: the file is missing" in log
    assert "Traceback" not in log


def test_a_log_that_cannot_be_written_is_named(tmp_path, capsys):
    (tmp_path / "a").write_text("no folder")
    assert joined(tmp_path, "in.parquet") == 1
    said = capsys.readouterr().err
    assert f"{tmp_path / 'a'}" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("option", ["--options", "--checked"])
@pytest.mark.parametrize(
    ("text", "said"),
    [("{name: net}", "not JSON"), ('["net"]', "a JSON object is right, not"), ("", "not JSON"), ("a", "not JSON")],
)
def test_an_option_that_is_no_json_object_is_named(capsys, option, text, said):
    with pytest.raises(SystemExit) as ended:
        main(["model", "--output", "output", "out", option, text])
    assert ended.value.code == 2
    assert f"error: argument {option}: {said}" in capsys.readouterr().err


def test_a_command_line_says_what_is_read_written_and_told():
    arguments = "fit --input gram g --input reads a b --input reads b --output output o --output bootstraps m --cores 2"
    command = parse([*arguments.split(), "--options", '{"seed": 3}', "--checked", '{"layers": []}', "--log", "l"])
    paths = {name: tuple(map(Path, names)) for name, names in {"gram": "g", "reads": "abb"}.items()}
    outputs = {"output": Path("o"), "bootstraps": Path("m")}
    assert command == Command("fit", paths, outputs, {"seed": 3}, {"layers": []}, {"cores": 2}, Path("l"))
    assert command.read == [Path("g"), Path("a"), Path("b")]
    assert command.written == [Path("o"), Path("m")]


def test_a_function_gets_one_path_or_a_list_and_never_what_is_only_recorded():
    inputs = {"stimuli": (Path("s"),), "tested": (Path("t"),), "recording": (), READS: (Path("weights"),)}
    command = Command("train", inputs, {"output": Path("o")}, {"spec": {}}, {"layers": {}}, {"device": "cpu"})
    assert arguments_of(command, function_of("train")) == {
        "stimuli": Path("s"),
        "tested": [Path("t")],
        "output": Path("o"),
        "spec": {},
        "layers": {},
        "device": "cpu",
    }


BEST = {"reliability_threshold": 0.1, "seed": 0}
MISTAKEN = {
    "unknown option": (
        ["--options", '{"reliability_threshold": 0.1, "seed": 0, "sed": 1}'],
        "unknown: `sed`; stage best_layers takes `scores`, `output`",
    ),
    "unknown input": (["--input", "table", "a"], "unknown: `table`; stage best_layers takes"),
    "unknown how": (["--device", "cpu"], "unknown: `device`; stage best_layers takes"),
    "missing options": (["--options", "{}"], "it needs `reliability_threshold`, `seed`"),
    "two paths": (["--input", "scores", "b"], "--input scores: one path is right, not 2"),
}


@pytest.mark.parametrize("name", MISTAKEN)
def test_a_name_that_a_stage_does_not_know_or_lacks_is_told_before_anything_runs(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    more, said = MISTAKEN[name]
    line = command_line("best_layers", {"scores": "a"}, {"output": "out.csv"}, **BEST)
    assert main([*line, *more, "--log", "log"]) == 1
    assert f"ERROR best_layers: {said}" in Path("log").read_text()
    assert not Path("out.csv").exists()


def test_how_a_job_runs_is_no_option():
    command = Command("join", {"tables": ()}, {"output": Path("o")}, {"cores": 2})
    with pytest.raises(InputError, match="`cores`"):
        arguments_of(command, function_of("join"))
    command = Command("gram", {"parts": ()}, {"output": Path("o")}, {"cores": 2, "seed": 0})
    with pytest.raises(InputError, match="`cores`: give an argument of its own"):
        arguments_of(command, function_of("gram"))


@pytest.mark.parametrize("stage", stages())
def test_every_parameter_of_a_stage_can_be_told(stage):
    parameters = inspect.signature(function_of(stage)).parameters
    assert READS not in parameters
    assert not [one for one in parameters.values() if one.kind in (one.VAR_KEYWORD, one.VAR_POSITIONAL)]
