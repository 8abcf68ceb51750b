"""Dask on the threads or processes of one job, or on a cluster, each task with one BLAS thread."""

import logging
import os
import re
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import cache

import dask
from dask.callbacks import Callback
from dask.delayed import Delayed
from threadpoolctl import threadpool_limits

from ventral.errors import InputError
from ventral.provenance import loaded_elsewhere
from ventral.running.blas import limit_blas, one_blas_thread
from ventral.running.progress import Progress
from ventral.running.slurm import allocated_cores, allocation

# Setting of the command line: Dask's name of a scheduler, `slurm`, or the address of a cluster's scheduler.
SETTING = "ventral.dask"
# Setting for the folder of the logs of the SLURM jobs that serve as Dask workers.
WORKER_LOGS = "ventral.worker-logs"
LOCAL = ("threads", "processes")
SECONDS_TO_CONNECT = 30
WORKER_JOBS = 4
# Marks threads that run tasks of `computed`.
_task = threading.local()


def slurm_jobs(where: str) -> int | None:
    """Return the number of SLURM jobs that `slurm` (4 jobs) or `slurm:8` requests; None for other settings."""
    match = re.fullmatch(r"slurm(?::([1-9][0-9]*))?", where)
    return int(match[1] or WORKER_JOBS) if match else None


def check_place(where: str) -> None:
    """Raise InputError if tasks shall run in SLURM jobs and this process is not in a SLURM job."""
    if slurm_jobs(where):
        allocation()


@contextmanager
def computing(cores: int) -> Iterator[int]:
    """Run Dask inside the block on `cores` threads or processes, or on the cluster of the config.

    Each task gets one BLAS thread. A BLAS library that splits one product over several threads rounds differently for
    every number of threads. With one thread a task gives the same bits on any number of cores.
    `ventral.running.slurm.allocated_cores` limits `cores`.

    Yields
    ------
    int
        Number of tasks that run at once.

    Raises
    ------
    InputError
        If no scheduler answers at the address in the config, or the config has `slurm` outside of a SLURM job.
    """
    where = dask.config.get(SETTING, "threads")
    cores = allocated_cores(cores)
    with ExitStack() as stack:
        stack.enter_context(threadpool_limits(1))
        if where in LOCAL:
            # Given a name, Dask would load the package distributed.
            scheduler = dask.base.named_schedulers[where]
            settings = {"scheduler": scheduler, "num_workers": cores, "multiprocessing.initializer": limit_blas}
            stack.enter_context(dask.config.set(settings))
            yield cores
        elif jobs := slurm_jobs(where):
            from ventral.running.workers import worker_jobs

            address = stack.enter_context(worker_jobs(jobs, cores, dask.config.get(WORKER_LOGS, None)))
            stack.enter_context(_client(address))
            yield (jobs + 1) * cores
        else:
            client = stack.enter_context(_client(where))
            yield max(cores, sum(client.nthreads().values()))


def compute(graphs: Sequence[Delayed], progress: Progress) -> list:
    """Return the values of several graphs, and count each value on `progress` when it is computed."""
    if not graphs:
        return []
    if dask.config.get(SETTING, "threads") not in LOCAL:
        from distributed import as_completed, get_client

        futures = get_client().compute(list(graphs))
        for _ in as_completed(futures):
            progress.advance()
        values = get_client().gather(futures)
        for modules in get_client().run(_modules_loaded, on_error="ignore").values():
            loaded_elsewhere(modules)
        return values
    keys = {graph.key for graph in graphs}
    with Callback(posttask=lambda key, *_: progress.advance() if key in keys else None):
        # A task reports the modules, because only the processes that do the work have loaded them.
        modules = dask.delayed(_modules_loaded, pure=False)(graphs[-1])
        *values, modules = dask.compute(*graphs, modules)
    loaded_elsewhere(modules)
    return values


def computed(*graphs: Delayed) -> tuple:
    """Return the values of graphs, computed with one BLAS thread per task, such as in a notebook.

    A scheduler, pool or number of workers that is set in Dask takes precedence; `computing` sets these. Otherwise all
    calls share one pool of `ventral.running.slurm.allocated_cores` threads. A call from a task of that pool computes in
    the thread of the task. The BLAS libraries get their threads back when the last call ends, even by an error.
    """
    with one_blas_thread:
        if dask.base.get_scheduler() or dask.config.get("pool", None) or dask.config.get("num_workers", None):
            return dask.compute(*graphs)
        if getattr(_task, "runs", False):
            return dask.compute(*graphs, scheduler="synchronous")
        return dask.compute(*graphs, scheduler="threads", pool=_pool(os.getpid(), allocated_cores()))


@cache
def _pool(process: int, cores: int) -> ThreadPoolExecutor:
    """Return the pool of threads of a process; a forked process needs a pool of its own."""
    return ThreadPoolExecutor(cores, "ventral", initializer=lambda: setattr(_task, "runs", True))


@contextmanager
def _client(address: str):
    from distributed import Client, WorkerPlugin
    from distributed.comm import resolve_address

    # Responses are part of the graph on purpose.
    dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 TB"})

    class OneBlasThread(WorkerPlugin):
        def setup(self, worker: object) -> None:
            limit_blas()

    try:
        # A client with an invalid address would stay registered and get all later computations.
        resolve_address(address)
        client = Client(address, timeout=SECONDS_TO_CONNECT)
    except (OSError, ValueError, TypeError) as error:
        raise InputError(
            f"config key dask: no Dask scheduler answers at {address}: {error}; start one with `dask scheduler` and "
            f"give the address that it prints, such as tcp://host:8786; or set the key to `threads` or `processes`"
        ) from error
    with client:
        client.register_plugin(OneBlasThread(), name="one BLAS thread")
        client.forward_logging("ventral", logging.WARNING)
        yield client


def _modules_loaded(_done: object = None) -> list[str]:
    """Return the names of the modules that the calling process has loaded."""
    return list(sys.modules)
