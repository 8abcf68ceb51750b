"""Killed at any stage and started again, the workflow ends where an undisturbed run ends."""

import os
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from tests.workflow.conftest import finish

# What a job leaves when it has begun; extraction is stopped in the middle of its store.
BEGUN = {
    "model": "logs/models/*.log",
    "stimuli": "logs/stimuli/*.log",
    "recording": "logs/recordings/rec.log",
    "extract": "activations/tiny/mine/.*.zarr.unfinished/zarr.json",
    "gram": "logs/grams/tiny/mine.log",
    "fit": "logs/scores/rec/*.log",
    "join": "logs/join.log",
    "layer_profile": "logs/figures/layer_profile.log",
}
RULES = {"stimuli": "ingest"}


def wait_until_begun(process: subprocess.Popen, stage: str, results: Path) -> psutil.Process:
    """Return the job of a stage, once it has left a sign of having begun."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        for child in psutil.Process(process.pid).children(recursive=True):
            try:
                arguments = child.cmdline()
            except psutil.Error:
                continue
            if arguments[1:4] == ["-m", "ventral", stage] and list(results.glob(BEGUN[stage])):
                return child
        time.sleep(0.002)
    raise AssertionError(f"no job of stage {stage} was seen")


def interrupt(experiment, stage: str, stop) -> dict[str, float]:
    """Start the workflow, stop it at a stage, and return what was finished."""
    results = experiment.folder / "results"
    for sign in results.glob(BEGUN[stage]):
        sign.unlink()
    slow = experiment.folder / "slow"
    if stage == "extract":
        slow.touch()
    # No further than this stage, or a later one may be over before this one begins.
    process = experiment.start("--until", RULES.get(stage, stage))
    job = wait_until_begun(process, stage, results)
    stop(process, job)
    slow.unlink(missing_ok=True)
    finish(process, expect=1)
    return experiment.outputs()


def kill_the_job(_process, job):
    job.kill()


def ask_the_workflow_to_stop(process, _job):
    process.send_signal(signal.SIGTERM)


@pytest.mark.parametrize("stop", [kill_the_job, ask_the_workflow_to_stop])
def test_stopped_at_every_stage_it_ends_like_an_undisturbed_run(undisturbed, experiment, stop):
    finished = {}
    for stage in BEGUN:
        before, finished = finished, interrupt(experiment, stage, stop)
        # Activations go when their Gram matrix stands; whatever else was finished is never made again.
        again = {path for path in before.keys() & finished.keys() if before[path] != finished[path]}
        assert not again, stage
    experiment.run()
    assert experiment.outputs().keys() == undisturbed.outputs().keys()
    assert {path: made for path, made in experiment.outputs().items() if path in finished}.items() <= finished.items()
    assert not list(experiment.folder.glob("results/**/.*.unfinished"))
    for name in (
        "scores.parquet",
        "figures/layer_profile.csv",
        "figures/layer_profile.svg",
        "figures/layer_profile.pdf",
    ):
        produced, expected = (run.folder / "results" / name for run in (experiment, undisturbed))
        assert produced.read_bytes() == expected.read_bytes()


def test_the_disk_is_full(undisturbed, experiment, tmp_path):
    """On a small file system, which only root can make."""
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
