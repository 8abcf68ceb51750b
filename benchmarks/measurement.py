"""Run each measurement in its own process, with a cold start and its own peak memory.

A question's file has one function for each way to answer the question. A function marked as `task` runs as
`python FILE NAME ARGUMENTS` in the environment that it names, and returns its result as JSON. Only the block
`with timed()` is timed, without imports and the reading of inputs. Peak memory is that of the whole process.
"""

import datetime
import functools
import json
import math
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

FOLDER = Path(__file__).parent
ENVIRONMENTS = {
    "ventral": Path(sys.executable),
    "peers": FOLDER / ".venv/peers/bin/python",
    "brainscore": FOLDER / ".venv/brainscore/bin/python",
}
TASKS: dict[str, Callable] = {}


def task(environment: str) -> Callable:
    """Mark a function that runs in its own process; calling it starts the process and returns the measurement.

    Arguments must have a form in JSON. The number of BLAS threads is the number of cores, or `threads` if that is
    among the arguments.
    """

    def mark(function: Callable) -> Callable:
        TASKS[function.__name__] = function

        @functools.wraps(function)
        def in_process(**arguments) -> dict:
            threads = str(arguments.get("threads", cores()))
            limits = {f"{library}_NUM_THREADS": threads for library in ("OPENBLAS", "OMP", "MKL")}
            command = [ENVIRONMENTS[environment], function.__code__.co_filename, function.__name__]
            print(f"{Path(command[1]).stem}: {function.__name__} {arguments}", file=sys.stderr, flush=True)
            finished = subprocess.run(
                [*command, json.dumps(arguments, default=str)],
                stdout=subprocess.PIPE,
                env={**os.environ, **limits, "PYTHONWARNINGS": "ignore"},
                text=True,
                check=True,
            )
            return json.loads(finished.stdout.splitlines()[-1])

        return in_process

    return mark


def run_task() -> None:
    """Run the task that the command line names, if any; belongs at the end of a question's file."""
    _, name, arguments = sys.argv
    figures = TASKS[name](**json.loads(arguments)) or {}
    print(json.dumps({**figures, "peak_mb": round(peak_mb())}))


@contextmanager
def timed() -> Iterator[dict]:
    """Give a dict that holds `seconds` and `cpu_seconds` of the block when it has ended."""
    taken = {}
    wall, cpu = time.perf_counter(), time.process_time()
    yield taken
    taken["seconds"] = time.perf_counter() - wall
    taken["cpu_seconds"] = time.process_time() - cpu


def repeated(times: int, function: Callable) -> tuple[dict, object]:
    """Return the timing of the median of several calls, and the result of the last one."""
    timings = []
    for _ in range(times):
        with timed() as taken:
            result = function()
        timings.append(taken)
    timings.sort(key=lambda taken: taken["seconds"])
    return {**timings[times // 2], "repeats": times}, result


def peak_mb() -> float:
    """Return the largest resident memory of this process so far, in MiB."""
    status = Path("/proc/self/status")
    if status.exists():
        # What getrusage says begins with the memory of the process that started this one.
        return int(status.read_text().split("VmHWM:")[1].split()[0]) / 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 1024


def available_gib() -> float:
    """Return the memory of this machine that is not in use."""
    info = Path("/proc/meminfo")
    if info.exists():
        return int(info.read_text().split("MemAvailable:")[1].split()[0]) / 2**20
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


@task("ventral")
def versions_ventral() -> dict:
    return _versions()


@task("peers")
def versions_peers() -> dict:
    return _versions()


@task("brainscore")
def versions_brainscore() -> dict:
    return _versions()


def _versions() -> dict:
    """Return every installed package's version, and the BLAS libraries that NumPy and SciPy run on."""
    from importlib.metadata import distributions

    import numpy  # noqa: F401  loads its BLAS
    import scipy.linalg  # noqa: F401
    from threadpoolctl import threadpool_info

    packages = {found.metadata["Name"]: found.version for found in distributions() if found.metadata["Name"]}
    blas = [
        {key: library.get(key) for key in ("internal_api", "version", "architecture", "num_threads")}
        for library in threadpool_info()
        if library["user_api"] == "blas"
    ]
    return {
        "python": platform.python_version(),
        "packages": dict(sorted(packages.items(), key=lambda item: item[0].lower())),
        "blas": blas,
    }


def now() -> str:
    """Return the date and time, in UTC."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="minutes")


def environments() -> dict:
    """Return the packages of every environment."""
    versions = {
        "ventral": versions_ventral(),
        "peers": versions_peers(),
        "brainscore": versions_brainscore(),
    }
    for of_one in versions.values():
        of_one.pop("peak_mb")
    return versions


def entry(figures: dict | list) -> dict:
    """Return a measurement for storing, with four significant digits, the date and the machine."""
    return {"date": now(), "machine": machine(), "figures": rounded(figures)}


def rounded(value):
    """Return a measurement with four significant digits, as types of JSON."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(item) for item in value]
    # As NumPy's types have it. NumPy itself is not for this file to load, into every process that is measured.
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float):
        return float(f"{value:.4g}") if math.isfinite(value) else None
    return value


def machine() -> dict:
    """Return the machine of this process."""
    return {
        "cpu": _cpu_model(),
        "cores": cores(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": platform.platform(),
    }


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        fields = dict(line.split(":", 1) for line in info.read_text().split("\n\n")[0].splitlines() if ":" in line)
        fields = {key.strip(): value.strip() for key, value in fields.items()}
        widest = "AVX-512" if "avx512f" in fields.get("flags", "") else "AVX2" if "avx2" in fields["flags"] else ""
        return f"{fields['model name']}, family {fields['cpu family']} model {fields['model']}, {widest}".rstrip(", ")
    return platform.processor()


if __name__ == "__main__":
    run_task()
