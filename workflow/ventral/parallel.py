"""Dask on the threads or processes of one job, or on a cluster, each task with one BLAS thread."""

import importlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import dask
from dask.callbacks import Callback
from dask.delayed import Delayed
from threadpoolctl import threadpool_limits

from ventral.errors import InputError
from ventral.progress import Progress

# Where tasks run, set by the command line: Dask's own name of a scheduler, or the address of a cluster's.
SETTING = "ventral.dask"
SECONDS_TO_CONNECT = 30


@contextmanager
def computing(cores: int) -> Iterator[None]:
    """Run what Dask computes inside the block on `cores` threads or processes, or on the cluster that is set.

    A BLAS that splits one product over several threads rounds differently for every number of threads; with one thread
    a task gives the same bits however many run beside it and wherever, and cores are not asked for twice.

    Raises
    ------
    InputError
        If no scheduler answers at the address that is set.
    """
    where = dask.config.get(SETTING, "threads")
    with ExitStack() as stack:
        stack.enter_context(threadpool_limits(1))
        if where in ("threads", "processes"):
            settings = {"scheduler": where, "num_workers": cores, "multiprocessing.initializer": _limit_blas}
            stack.enter_context(dask.config.set(settings))
        else:
            stack.enter_context(_client(where))
        yield


def compute(graphs: Sequence[Delayed], progress: Progress) -> list:
    """Return the values of several graphs, and count each on `progress` when it is there."""
    if dask.config.get(SETTING, "threads") not in ("threads", "processes"):
        from distributed import as_completed, get_client

        futures = get_client().compute(list(graphs))
        for _ in as_completed(futures):
            progress.advance()
        return get_client().gather(futures)
    keys = {graph.key for graph in graphs}
    with Callback(posttask=lambda key, *_: progress.advance() if key in keys else None):
        return list(dask.compute(*graphs))


def _client(address: str):
    from distributed import Client, WorkerPlugin

    class OneBlasThread(WorkerPlugin):
        def setup(self, worker: object) -> None:
            _limit_blas()

    try:
        client = Client(address, timeout=SECONDS_TO_CONNECT)
    except (OSError, ValueError, TypeError) as error:
        raise InputError(
            f"config key dask: no Dask scheduler answers at {address}: {error}; start one with `dask scheduler`, give "
            f"the address that it prints, such as tcp://host:8786, or take `threads` or `processes`"
        ) from error
    client.register_plugin(OneBlasThread(), name="one BLAS thread")
    return client


def _limit_blas() -> None:
    """Give one thread to each BLAS of this process, for as long as it lives."""
    # Only a library that is loaded can be limited; NumPy and SciPy have one each.
    importlib.import_module("numpy")
    importlib.import_module("scipy.linalg")
    threadpool_limits(1)
