"""Killed at any stage and started again, the workflow ends where an undisturbed run ends."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from itertools import cycle
from pathlib import Path

import psutil
import pytest

from tests.command_lines import command_line
from tests.workflow.conftest import ROOT, environment, finish
from ventral.launch import lock as runs
from ventral.models.zoo import resolve_model
from ventral.provenance import digest

# What a job leaves when it has begun; extraction is stopped in the middle of its store.
BEGUN = {
    "model": "logs/models/*.log",
    "stimuli": "logs/stimuli/*.log",
    "recording": "logs/recordings/rec.log",
    "extract": "activations/tiny/mine/.0.*/output/.*.zarr.*/output/zarr.json",
    "gram": "logs/grams/tiny/mine.log",
    "fit": "logs/scores/rec/*.log",
    "join": "logs/join.log",
    "layer_profile": "logs/figures/layer_profile.log",
}
RULES = {"stimuli": "ingest"}
# A network that waits with its third batch, and all after it, while there is a file called slow.
STOPPING = """
import time
from itertools import cycle
from pathlib import Path

import torch
from torch import nn

passes = []


class Network(nn.Sequential):
    def forward(self, images):
        passes.append(len(images) > 3)
        while sum(passes) > 2 and Path("slow").exists():
            time.sleep(0.01)
        return super().forward(images)


def make():
    torch.manual_seed(7)
    return Network(nn.Conv2d(3, 8, 3, stride=2), nn.ReLU())
"""


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


def wait_for(condition, process: subprocess.Popen) -> None:
    """Wait until something is so, while a process runs."""
    deadline = time.monotonic() + 120
    while not condition():
        assert process.poll() is None, "it has ended"
        assert time.monotonic() < deadline
        time.sleep(0.002)


def kill_the_job(_process, job):
    job.kill()


def ask_the_workflow_to_stop(process, _job):
    process.send_signal(signal.SIGTERM)


def test_stopped_at_every_stage_it_ends_like_an_undisturbed_run(undisturbed, experiment):
    finished = {}
    for stage, stop in zip(BEGUN, cycle([kill_the_job, ask_the_workflow_to_stop]), strict=False):
        before, finished = finished, interrupt(experiment, stage, stop)
        # Activations go when their Gram matrix stands; whatever else was finished is never made again.
        again = {path for path in before.keys() & finished.keys() if before[path] != finished[path]}
        assert not again, stage
    experiment.run("results/scores.parquet", "results/figures/layer_profile.svg")
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


def test_a_killed_extraction_goes_on_after_its_last_whole_shard(undisturbed, tmp_path):
    (tmp_path / "stopping.py").write_text(STOPPING)
    spec = resolve_model("m", {"architecture": "stopping:make", "size": 32, "layers": ["0", "1"], "weights": "random"})
    stimuli = undisturbed.folder / "results" / "stimuli" / "mine.zarr"
    part = {"part": 0, "parts": 1, "shards": 5}

    def start(output):
        more = ["--device", "cpu", "--log", f"{output}.log"]
        arguments = command_line("extract", {"stimuli": stimuli}, {"output": output}, *more, spec=spec, **part)
        command = [sys.executable, "-m", "ventral", *arguments]
        package = os.pathsep.join([str(ROOT / "workflow"), str(tmp_path)])
        return subprocess.Popen(command, cwd=tmp_path, env=environment(tmp_path) | {"PYTHONPATH": package})

    assert start("never stopped").wait() == 0
    (tmp_path / "slow").touch()
    job = start("killed")
    wait_for(lambda: list(tmp_path.glob(".killed.*/output/.2.zarr.*")), job)
    job.kill()
    job.wait()
    (tmp_path / "slow").unlink()
    (unfinished,) = tmp_path.glob(".killed.*/output")
    made = {shard: (unfinished / f"{shard}.zarr" / "zarr.json").stat().st_mtime_ns for shard in (0, 1)}
    assert start("killed").wait() == 0
    assert "2 of 5 shards are kept from an earlier attempt" in (tmp_path / "killed.log").read_text()
    for shard, when in made.items():
        assert (tmp_path / "killed" / f"{shard}.zarr" / "zarr.json").stat().st_mtime_ns == when
    assert digest(tmp_path / "killed") == digest(tmp_path / "never stopped")
    assert not list(tmp_path.glob(".*"))


def test_what_jobs_have_made_after_snakemake_was_killed_is_made_anew_when_its_config_changes(undisturbed, experiment):
    shutil.copytree(undisturbed.folder, experiment.folder, dirs_exist_ok=True)
    results = experiment.folder / "results"
    shutil.rmtree(experiment.folder / ".snakemake")
    (results / runs.RECORD).write_text(json.dumps({"folder": str(experiment.folder), "logs": []}))
    (results / "claims.csv").unlink()
    printed = finish(experiment.start("results/claims.csv", folds=4), expect=1)
    assert "made by a job of a run that was killed, by another config (config `n_folds`: recorded 5, now 4)" in printed
    finished = experiment.outputs()
    experiment.run("results/claims.csv")
    assert experiment.outputs() == finished
    assert re.search(r"^fit +2$", experiment.run("--dry-run", "results/claims.csv", folds=4), re.MULTILINE)


def test_a_chunk_of_a_store_is_lost(undisturbed, experiment):
    shutil.copytree(undisturbed.folder, experiment.folder, dirs_exist_ok=True)
    results = experiment.folder / "results"
    gram = results / "grams" / "tiny" / "mine.zarr.zip"
    before = gram.read_bytes()
    gram.unlink()
    (results / "stimuli" / "mine.zarr" / "pixels" / "c" / "0" / "0" / "0" / "0").unlink()
    printed = finish(experiment.start("results/grams/tiny/mine.zarr.zip"), expect=1)
    assert "results/stimuli/mine.zarr: array `pixels`: 1 of its 1 files are missing or empty" in printed
    assert "Traceback" not in printed
    assert not gram.exists()
    # As the message says.
    assert "delete results/stimuli/mine.zarr and start the same command again" in printed
    shutil.rmtree(results / "stimuli" / "mine.zarr")
    experiment.run("results/grams/tiny/mine.zarr.zip")
    assert gram.read_bytes() == before


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
        scores = small / "results" / "scores.parquet"
        printed = finish(experiment.start(str(scores), results=str(small / "results")), expect=1)
        assert "no space left for" in printed
        assert "start again: finished outputs are kept" in printed
        assert "Traceback" not in printed
        # Shards that were whole are kept, as everything else that is.
        unfinished = [path.relative_to(small) for path in small.glob("results/**/.*.unfinished")]
        assert {path.parts[:2] for path in unfinished} <= {("results", "activations")}
        subprocess.run(["mount", "-o", "remount,size=100m", small], check=True)
        experiment.run(str(scores), results=str(small / "results"))
        assert scores.read_bytes() == (undisturbed.folder / "results" / "scores.parquet").read_bytes()
    finally:
        subprocess.run(["umount", small], check=True)
