"""Killed at any stage and started again, the workflow ends where an undisturbed run ends."""

import os
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from tests.workflow.conftest import finish

STAGES = {
    "stimuli": "logs/stimuli/mine.log",
    "recording": "recordings/.rec.zarr.unfinished",
    "extract": "logs/activations/tiny/mine/0.log",
    "gram": "logs/grams/tiny/mine.log",
    "fit": "logs/scores/rec/tiny.log",
    "join": "scores.parquet",
    "layer_profile": "figures",
}


def wait_until_at_work(process: subprocess.Popen, stage: str, sign: Path) -> psutil.Process:
    """Return the job of a stage once it has left a sign of being at work."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        for child in psutil.Process(process.pid).children(recursive=True):
            try:
                arguments = child.cmdline()
            except psutil.Error:
                continue
            if arguments[1:4] == ["-m", "ventral", stage]:
                at_work = time.monotonic() + 60
                while not sign.exists() and child.is_running() and time.monotonic() < at_work:
                    time.sleep(0.001)
                return child
        time.sleep(0.005)
    raise AssertionError(f"no job of stage {stage} was seen")


def assert_ends_like(experiment, undisturbed, finished_before):
    printed = experiment.run()
    assert not list(experiment.folder.glob("results/**/.*.unfinished"))
    after = experiment.outputs()
    assert {path: after[path] for path in finished_before if path in after} == {
        path: made for path, made in finished_before.items() if path in after
    }, printed
    for name in ("scores.parquet", "figures/layer_profile.csv", "figures/layer_profile.svg"):
        assert (experiment.folder / "results" / name).read_bytes() == (
            undisturbed.folder / "results" / name
        ).read_bytes()


@pytest.mark.parametrize("stage", STAGES)
def test_a_job_is_killed(undisturbed, experiment, stage):
    process = experiment.start()
    wait_until_at_work(process, stage, experiment.folder / "results" / STAGES[stage]).kill()
    finish(process, expect=1)
    assert_ends_like(experiment, undisturbed, experiment.outputs())


@pytest.mark.parametrize("stage", ["stimuli", "extract", "fit"])
def test_the_workflow_is_asked_to_stop(undisturbed, experiment, stage):
    process = experiment.start()
    wait_until_at_work(process, stage, experiment.folder / "results" / STAGES[stage])
    process.send_signal(signal.SIGTERM)
    finish(process, expect=None)
    assert process.returncode != 0
    assert_ends_like(experiment, undisturbed, experiment.outputs())


def test_the_disk_is_full(undisturbed, experiment, tmp_path):
    """On a file system of two megabytes, which only root can make."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", small], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"a small file system cannot be mounted: {mounted.stderr}")
    try:
        printed = finish(experiment.start(results=str(small / "results")), expect=1)
        assert "no space left for" in printed
        assert "start again: what is finished is kept" in printed
        assert "Traceback" not in printed
        assert not list(small.glob("results/**/.*.unfinished"))
        subprocess.run(["mount", "-o", "remount,size=100m", small], check=True)
        experiment.run(results=str(small / "results"))
        scores = small / "results" / "scores.parquet"
        assert scores.read_bytes() == (undisturbed.folder / "results" / "scores.parquet").read_bytes()
    finally:
        subprocess.run(["umount", small], check=True)
