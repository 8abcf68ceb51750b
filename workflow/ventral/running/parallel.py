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

# Where tasks run, set by the command line: Dask's own name of a scheduler, `slurm`, or the address of a cluster's.
SETTING = "ventral.dask"
# Where jobs that SLURM starts for Dask are to say what went wrong.
WORKER_LOGS = "ventral.worker-logs"
LOCAL = ("threads", "processes")
SECONDS_TO_CONNECT = 30
WORKER_JOBS = 4
# What says of a thread that it runs tasks of `computed`.
_task = threading.local()


def slurm_jobs(where: str) -> int | None:
    """Return how many SLURM jobs `slurm` (4) or such as `slurm:8` asks for, None for another place."""
    match = re.fullmatch(r"slurm(?::([1-9][0-9]*))?", where)
    return int(match[1] or WORKER_JOBS) if match else None


def check_place(where: str) -> None:
    """Raise InputError if tasks are to run in jobs of SLURM's and this process is in none."""
    if slurm_jobs(where):
        allocation()


@contextmanager
def computing(cores: int) -> Iterator[int]:
    """Run what Dask computes inside the block on `cores` threads or processes, or on the cluster that is set.

    A BLAS that splits one product over several threads rounds differently for every number of threads; with one thread
    a task gives the same bits however many run beside it and wherever, and cores are not asked for twice. Of `cores`,
    no more are used than `ventral.running.slurm.allocated_cores` allows.

    Yields
    ------
    int
        How many tasks run at once.

    Raises
    ------
    InputError
        If no scheduler answers at the address that is set, or it is `slurm` outside of a SLURM job.
    """
    where = dask.config.get(SETTING, "threads")
    cores = allocated_cores(cores)
    with ExitStack() as stack:
        stack.enter_context(threadpool_limits(1))
        if where in LOCAL:
            settings = {"scheduler": where, "num_workers": cores, "multiprocessing.initializer": limit_blas}
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
    """Return the values of several graphs, and count each on `progress` when it is there."""
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
        # By a process that has done a part of the work.
        modules = dask.delayed(_modules_loaded, pure=False)(graphs[-1])
        *values, modules = dask.compute(*graphs, modules)
    loaded_elsewhere(modules)
    return values


def computed(*graphs: Delayed) -> tuple:
    """Return the values of graphs, of which each task gets one BLAS thread: for calls such as from a notebook.

    A scheduler, pool or number of workers that is set in Dask, as `computing` does, stands. Else calls from any number
    of threads share one pool, of `ventral.running.slurm.allocated_cores` threads; a call from one of its tasks computes
    in the thread of that task. The BLAS libraries get their threads back when the last call ends, whether well or not.
    """
    with one_blas_thread:
        if dask.base.get_scheduler() or dask.config.get("pool", None) or dask.config.get("num_workers", None):
            return dask.compute(*graphs)
        if getattr(_task, "runs", False):
            return dask.compute(*graphs, scheduler="synchronous")
        return dask.compute(*graphs, scheduler="threads", pool=_pool(os.getpid(), allocated_cores()))


@cache
def _pool(process: int, cores: int) -> ThreadPoolExecutor:
    """Return the pool of a process: one that was forked has none of the threads of the other."""
    return ThreadPoolExecutor(cores, "ventral", initializer=lambda: setattr(_task, "runs", True))


@contextmanager
def _client(address: str):
    from distributed import Client, WorkerPlugin
    from distributed.comm import resolve_address

    # Responses are a part of the graph, and rightly.
    dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 TB"})

    class OneBlasThread(WorkerPlugin):
        def setup(self, worker: object) -> None:
            limit_blas()

    try:
        # A client that cannot take its address is left half made, and gets all that is computed later.
        resolve_address(address)
        client = Client(address, timeout=SECONDS_TO_CONNECT)
    except (OSError, ValueError, TypeError) as error:
        raise InputError(
            f"config key dask: no Dask scheduler answers at {address}: {error}; start one with `dask scheduler`, give "
            f"the address that it prints, such as tcp://host:8786, or take `threads` or `processes`"
        ) from error
    with client:
        client.register_plugin(OneBlasThread(), name="one BLAS thread")
        client.forward_logging("ventral", logging.WARNING)
        yield client


def _modules_loaded(_done: object = None) -> list[str]:
    """Return the names of the modules that the process that runs this has loaded."""
    return list(sys.modules)
