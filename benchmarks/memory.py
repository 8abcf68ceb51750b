"""Measure peak memory of jobs: a Gram matrix of very many features, and a whole VGG16 from images to scores.

Both need tens of minutes and tens of gigabytes of disk, which are freed afterwards.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from measurement import FOLDER, run_task, task, timed

ROWS_AT_ONCE = 32


def measure_gram(scratch: Path, options) -> dict:
    """Return the peak memory of the job `gram` with more features than any layer of today has."""
    size = {"n": 96, "p": 10_000} if options.quick else {"n": 3200, "p": 1_000_000}
    write_features(folder=scratch, **size)
    return {**size, **gram(folder=scratch, memory_mb=1024, threads=options.threads)}


@task("ventral")
def write_features(folder: str, n: int, p: int) -> None:
    from activations_on_disk import write_activations

    rng = np.random.default_rng(0)
    blocks = (
        rng.standard_normal((min(ROWS_AT_ONCE, n - row), p), dtype=np.float32) for row in range(0, n, ROWS_AT_ONCE)
    )
    write_activations(Path(folder) / "activations/0.zarr", n, p, blocks)


@task("ventral")
def gram(folder: str, memory_mb: int, threads: int) -> dict:
    from ventral.__main__ import main

    command = ["gram", "--input", "parts", f"{folder}/activations", "--output", "output", f"{folder}/gram.zarr.zip"]
    command += ["--options", '{"seed": 0}']
    with timed() as taken:
        status = main([*command, "--memory-mb", str(memory_mb), "--cores", str(threads)])
    if status:
        raise SystemExit(status)
    return {**taken, "memory_mb": memory_mb}


def measure_vgg16(scratch: Path, options) -> dict:
    """Return the peak memory of each kind of job of a workflow that scores every layer of VGG16 against V4."""
    # All that `features` has: convolutions, rectifiers and poolings.
    model = {"layers": ["features.*"], "size": 32 if options.quick else 224}
    config = {
        "results": str(scratch / "results"),
        "dataset": "cowley2023",
        "sessions": [210325],
        "data_dir": str(options.data_dir.resolve()),
        "models": {"vgg16_random": model},
        # A layer of this size is what memory goes to: as few images at a time as keep the cores busy.
        "extraction": {"batch_size": 8},
        "grams": {"memory_mb": 2048},
    }
    (scratch / "config.yaml").write_text(json.dumps(config))
    peaks = scratch / "peaks.jsonl"
    snakemake = [sys.executable, "-m", "snakemake", scratch / "results/scores.parquet", "--quiet", "rules"]
    snakemake += ["--snakefile", FOLDER.parent / "Snakefile", "--configfile", "config.yaml"]
    began = time.perf_counter()
    subprocess.run(
        [*snakemake, "--cores", str(options.threads)],
        cwd=scratch,
        env={**os.environ, "PEAKS": str(peaks), "PYTHONPATH": str(FOLDER / "peaks")},
        stdout=sys.stderr,
        check=True,
    )
    return {
        "seconds": time.perf_counter() - began,
        "jobs": _peak_by_stage(peaks),
        **layers_scored(scores=scratch / "results/scores.parquet", grams=scratch / "results/grams/vgg16_random"),
    }


def _peak_by_stage(path: Path) -> dict[str, int]:
    peaks = {}
    for line in path.read_text().splitlines():
        job = json.loads(line)
        program, *arguments = job["command"]
        if program.endswith("ventral/__main__.py") and arguments:
            peaks[arguments[0]] = max(job["peak_mb"], peaks.get(arguments[0], 0))
    return peaks


@task("ventral")
def layers_scored(scores: str, grams: str) -> dict:
    import pandas as pd

    from ventral.store import open_store

    (path,) = Path(grams).glob("*.zarr.zip")
    layers = open_store(path).attrs["layers"]
    table = pd.read_parquet(scores)
    neurons = table[(table["target_kind"] == "neuron") & (table["split"] == "images")]
    return {
        "layers": len(layers),
        "features": sum(layer["n_features"] for layer in layers),
        "most_features": max(layer["n_features"] for layer in layers),
        "images": int(neurons["n_stimuli"].max()),
        "best_median_predictivity": float(neurons.groupby("layer")["predictivity"].median().max()),
    }


if __name__ == "__main__":
    run_task()
