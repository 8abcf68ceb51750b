"""One command a stage: what it prints and how it ends."""

import errno
import logging
import subprocess
import sys

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
        "from ventral.config import resolve, check_inputs\n"
        "from ventral.__main__ import main\n"
        "resolve({'dataset': 'cowley2023', 'models': ['efficientnet_lite0', 'resnet18', 'pixels']})\n"
        "print([name for name in ('torch', 'matplotlib', 'sklearn', 'scipy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
