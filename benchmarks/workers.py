"""Measure the speed-up of Dask from one worker to several, on threads, processes and a cluster.

The work is that of the job `fit`: nested ridge for several layers, with a task for each penalty. Only the number of
workers changes, so the times of one worker and of all give the speed-up.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
from measurement import repeated, run_task, task, timed
from synthetic import equal_folds, responses

N_FOLDS, N_PENALTIES = 5, 20


def measure(scratch: Path, options) -> dict:
    size = {"n": 100, "layers": 2, "targets": 16} if options.quick else {"n": 1000, "layers": 4, "targets": 1000}
    make(folder=scratch, **size)
    repeats = 1 if options.quick else 3
    result = {**size, "scheduler": {}}
    for scheduler in ("threads", "processes", "cluster"):
        timings = {
            str(workers): fit(folder=scratch, scheduler=scheduler, workers=workers, repeats=repeats)
            for workers in (1, max(2, options.threads))
        }
        one, several = timings.values()
        result["scheduler"][scheduler] = {
            "workers": timings,
            "speed_up": one["seconds"] / several["seconds"],
        }
    # Whatever runs it, the predictions are the same, to the last bit.
    checksums = {timing["checksum"] for of in result["scheduler"].values() for timing in of["workers"].values()}
    result["same_bits"] = len(checksums) == 1
    result["scheduler_overhead"] = overhead(folder=scratch, repeats=repeats)
    return result


@task("ventral")
def make(folder: str, n: int, layers: int, targets: int) -> None:
    rng = np.random.default_rng(0)
    for layer in range(layers):
        features = rng.standard_normal((n, 2 * n)) / np.sqrt(np.arange(1, 2 * n + 1))
        np.save(Path(folder) / f"gram_{layer}.npy", features @ features.T)
    np.save(Path(folder) / "responses.npy", responses(n, targets, seed=0))


def _problem(folder: str):
    folder = Path(folder)
    grams = [np.load(path) for path in sorted(folder.glob("gram_*.npy"))]
    values = np.load(folder / "responses.npy")
    folds = equal_folds(len(values), N_FOLDS, seed=0)
    penalties = np.trace(grams[0]) / len(values) * np.geomspace(1e-4, 1e4, N_PENALTIES)
    return grams, values, folds, penalties


@task("ventral")
def fit(folder: str, scheduler: str, workers: int, repeats: int) -> dict:
    """Return the time of nested ridge for all layers, and the number of BLAS threads of a task.

    The environment sets as many BLAS threads as there are cores: that a task has one is ventral's doing.
    """
    import hashlib

    import dask
    from dask.delayed import delayed

    from ventral.mappings.ridge import nested_ridge_graphs
    from ventral.running.parallel import SETTING, computing

    grams, values, folds, penalties = _problem(folder)

    def run():
        graph = [
            nested_ridge_graphs([(delayed(gram), penalty) for penalty in penalties], values, [folds])[0]
            for gram in grams
        ]
        return dask.compute(*graph)

    def probe():
        return dask.compute(*[delayed(_blas_threads, pure=False)(k) for k in range(8)])

    with _place(scheduler, workers) as place, dask.config.set({SETTING: place}), computing(workers):
        found = probe()
        taken, results = repeated(repeats, run)
    checksum = hashlib.sha256(b"".join(result.predictions.tobytes() for result in results)).hexdigest()
    return {**taken, "blas_threads_of_a_task": max(found), "checksum": checksum}


def _blas_threads(_) -> int:
    """Return the most threads that a BLAS product would use in this task, after making one."""
    from threadpoolctl import threadpool_info

    matrix = np.ones((64, 64))
    matrix @ matrix
    return max(library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas")


@contextmanager
def _place(scheduler: str, workers: int) -> Iterator[str]:
    """Give the place of work: `threads`, `processes`, or the address of a cluster that is started here."""
    if scheduler != "cluster":
        yield scheduler
        return
    from distributed import Client

    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        known = Path(folder) / "scheduler.json"
        programs = [("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")]
        programs += [("worker", "--nworkers", "1", "--nthreads", "1", "--no-dashboard")] * workers
        for program, *arguments in programs:
            command = [sys.executable, "-m", f"distributed.cli.dask_{program}", *arguments, "--scheduler-file", known]
            process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            stack.callback(process.wait)
            stack.callback(process.terminate)
        while not known.exists():
            time.sleep(0.1)
        address = json.loads(known.read_text())["address"]
        with Client(address) as client:
            client.wait_for_workers(workers)
        yield address


@task("ventral")
def overhead(folder: str, repeats: int) -> dict:
    """Return the time of as many empty tasks as `fit` has, as a share of the time of `fit`, on one thread."""
    import dask
    from dask.delayed import delayed

    from ventral.mappings.ridge import nested_ridge_graphs
    from ventral.running.parallel import computing

    grams, values, folds, penalties = _problem(folder)
    graph = [
        nested_ridge_graphs([(delayed(gram), penalty) for penalty in penalties], values, [folds])[0] for gram in grams
    ]
    tasks = len({key for result in graph for key in result.dask})
    empty = delayed(len, pure=False)([delayed(_nothing, pure=False)(k) for k in range(tasks)])
    with computing(1):
        with timed() as of_fit:
            dask.compute(*graph)
        of_empty, _ = repeated(repeats, lambda: dask.compute(empty))
    return {
        "tasks": tasks,
        "empty_seconds": of_empty["seconds"],
        "seconds": of_fit["seconds"],
        "share": of_empty["seconds"] / of_fit["seconds"],
    }


def _nothing(_) -> None:
    return None


if __name__ == "__main__":
    run_task()
