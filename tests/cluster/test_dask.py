"""A stage that computes with Dask on SLURM jobs of its own, and what it does when these are lost, or it is."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import xarray as xr
import zarr

from tests.command_lines import command_line
from tests.workflow.conftest import ROOT
from ventral.store import create_array, write_dataset

N_STIMULI, N_NEUROIDS, N_LAYERS, N_FEATURES = 400, 60, 8, 5000
STORES = {"gram": "gram.zarr", "recording": "recording.zarr", "stimuli": "stimuli.zarr"}
FITTED = {"mappings": ["ridge", "pls"], "components": 10, "splits": ["stimuli", "objects"], "n_folds": 5, "seed": 0}
FITTED |= {"penalties": [0.001, 0.01, 0.1, 1, 10, 100], "n_bootstrap": 3000}
PATIENCE_S = 600
# The stage, which looks for lost workers every second rather than every ten.
IMPATIENT = """
import sys
from ventral.running import workers
from ventral.__main__ import main
workers.SECONDS_BETWEEN_LOOKS = 1
sys.exit(main())
"""


@pytest.fixture(scope="module")
def folder(cluster, tmp_path_factory) -> Path:
    """A folder with stimuli, a recording, activations of a model, and what is made of them by one thread."""
    folder = tmp_path_factory.mktemp("dask")
    rng = np.random.default_rng(0)
    stimuli = xr.Dataset(
        coords={
            "stimulus": [f"image{k}" for k in range(N_STIMULI)],
            "object": ("stimulus", np.repeat(["bear", "car", "dog", "plane"], N_STIMULI // 4)),
        },
        attrs={"name": "mine", "sha256": "a" * 64},
    )
    write_dataset(stimuli, folder / "stimuli.zarr")
    layers = [
        {"name": f"layer{k}", "depth": k / N_LAYERS, "shape": [N_FEATURES], "n_features": N_FEATURES}
        for k in range(N_LAYERS)
    ]
    features = {layer["name"]: rng.normal(size=(N_STIMULI, N_FEATURES)).astype(np.float16) for layer in layers}
    signal = features["layer0"].astype(float) @ rng.normal(size=(N_FEATURES, N_NEUROIDS)) / N_FEATURES**0.5
    recording = xr.Dataset(
        {
            "responses": (("repetition", "stimulus", "neuroid"), signal + rng.normal(size=(4, *signal.shape))),
            "reliability": ("neuroid", rng.uniform(0.2, 0.9, N_NEUROIDS)),
            "left_out": ("neuroid", [""] * N_NEUROIDS),
        },
        coords={
            "stimulus": stimuli["stimulus"].values,
            "neuroid": [f"n{k}" for k in range(N_NEUROIDS)],
            "area": ("neuroid", ["V4"] * N_NEUROIDS),
        },
        attrs={"recording": "rec", "stimuli": "mine", "stimuli_sha256": "a" * 64, "has_repetitions": True},
    )
    write_dataset(recording, folder / "recording.zarr")
    group = zarr.open_group(folder / "activations" / "0.zarr", mode="w", zarr_format=3)
    group.attrs.update(model="net", family="untrained", preprocessing={}, dtype="float16", device="cpu", layers=layers)
    group.attrs.update(stimuli="mine", stimuli_sha256="a" * 64, weights_sha256="b" * 64)
    group.attrs.update(start=0, stop=N_STIMULI, n_stimuli=N_STIMULI)
    for name, values in features.items():
        array = create_array(group, name, values.shape, "float16", (64, 4096), values.shape, compress=False)
        array[:] = values
    for stage in (gram("gram.zarr"), fit("fit")):
        subprocess.run(python(*stage), cwd=folder, env=environment(), check=True)
    return folder


def gram(output: str, *more: str) -> list[str]:
    return command_line("gram", {"parts": "activations"}, {"output": output}, "--memory-mb", "1000", *more, seed=0)


def fit(output: str, *more: str) -> list[str]:
    return command_line("fit", STORES, {"output": output, "bootstraps": f"{output}.resamples"}, *more, **FITTED)


def python(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "ventral", *arguments]


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT / "workflow"), "OPENBLAS_NUM_THREADS": "1"}


def submit(folder: Path, *stage: str) -> str:
    """Submit a stage as a job of one core that has two more jobs for Dask, and return the number of the job."""
    asked = ["--partition=cpu", "--account=lab", "--cpus-per-task=1", "--mem=1500", "--time=20", "--output=%j.out"]
    (folder / "job.sh").write_text('#!/bin/sh\nexec "$@"\n')
    command = [
        "sbatch",
        "--parsable",
        *asked,
        "job.sh",
        sys.executable,
        "-c",
        IMPATIENT,
        *stage,
        "--dask",
        "slurm:2",
        "--cores",
        "1",
    ]
    return subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, text=True, check=True
    ).stdout.strip()


def queued() -> dict[str, str]:
    """Return the names of the jobs that are waiting or running, by number."""
    answer = subprocess.run(["squeue", "--noheader", "--format=%i %j"], capture_output=True, text=True, check=True)
    return dict(line.split(maxsplit=1) for line in answer.stdout.splitlines())


def states_of_workers(job: str) -> list[str]:
    """Return how the worker jobs of a stage stand in the cluster's accounts."""
    asked = ["sacct", "--allocations", "--noheader", "--parsable2", "--format=JobName,State"]
    answer = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    return [line.split("|")[1] for line in answer.splitlines() if line.startswith(f"dask-{job}-")]


def process_of(job: str, part: str) -> psutil.Process:
    """Return the process of a job of the cluster with some words in its command line."""
    for process in psutil.process_iter(["cmdline", "environ"]):
        inside = (process.info["environ"] or {}).get("SLURM_JOB_ID") == job
        if inside and any(part in argument for argument in process.info["cmdline"] or []):
            return process
    pytest.fail(f"no process of job {job} runs {part}")


def until(condition, what: str):
    """Wait for something, and return it."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.3)
    pytest.fail(f"{what}: not within {PATIENCE_S} s")


def registered(folder: Path, name: str, job: str) -> list[str]:
    """Return the worker jobs that have reported to the scheduler of a stage."""
    assert job in queued(), f"the stage ended before its workers came: {(folder / f'{job}.out').read_text()}"
    return [log.stem for log in (folder / f"{name}.workers").glob("*.log") if "Registered to" in log.read_text()]


def all_cancelled(job: str) -> bool:
    """Whether each worker job of a stage was cancelled, rather than left to find that it is alone."""
    states = states_of_workers(job)
    return bool(states) and all(state.startswith("CANCELLED") for state in states)


def test_grams_on_worker_jobs_have_the_same_bytes(folder):
    job = submit(folder, *gram("gram.dask.zarr", "--log", "gram.log"))
    until(lambda: job not in queued(), "the end of the stage")
    printed = (folder / f"{job}.out").read_text()
    assert (folder / "gram.dask.zarr").exists(), printed
    assert (folder / "gram.dask.zarr").read_bytes() == (folder / "gram.zarr").read_bytes()
    until(lambda: all_cancelled(job), "the end of the workers")
    assert not list(folder.glob("*.workers"))
    assert not list(folder.glob("slurm-*.out"))


def test_a_fit_that_loses_a_worker_process_and_a_worker_job_has_the_same_bytes(folder):
    job = submit(folder, *fit("lost", "--log", "lost.log"))
    first, second = until(lambda: len(found := registered(folder, "lost", job)) == 2 and found, "two workers")
    # The stage's own worker waits, or the fit may be over before another job has come.
    own = process_of(job, "distributed.cli.dask_worker")
    own.suspend()
    process_of(first, "spawn_main").kill()
    subprocess.run(["scancel", second], check=True)
    until(lambda: len(states_of_workers(job)) == 3 or job not in queued(), "another job for the one that is lost")
    own.resume()
    until(lambda: job not in queued(), "the end of the stage")
    printed = (folder / f"{job}.out").read_text()
    assert f"worker jobs ended too early and are replaced: {second}" in printed
    for made, whole in (("lost", "fit"), ("lost.resamples", "fit.resamples")):
        assert (folder / made).read_bytes() == (folder / whole).read_bytes(), printed
    until(lambda: all_cancelled(job), "the end of the workers")


def test_a_cancelled_fit_takes_its_worker_jobs_along(folder):
    job = submit(folder, *fit("stopped", "--log", "stopped.log"))
    until(lambda: registered(folder, "stopped", job), "a worker")
    subprocess.run(["scancel", job], check=True)
    until(lambda: job not in queued(), "the end of the stage")
    until(lambda: all_cancelled(job), "the end of the workers")
    assert len(states_of_workers(job)) == 2
    assert not [
        path
        for path in (*folder.glob("stopped*"), *folder.glob(".stopped*"))
        if path.suffix not in (".log", ".workers")
    ]
