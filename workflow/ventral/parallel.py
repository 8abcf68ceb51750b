"""Dask on the cores of one job, each task with one BLAS thread."""

from collections.abc import Iterator
from contextlib import contextmanager

import dask
from threadpoolctl import threadpool_limits


@contextmanager
def computing(cores: int) -> Iterator[None]:
    """Run what Dask computes inside the block on `cores` threads.

    A BLAS that splits one product over several threads rounds differently for every number of threads; with one thread
    a task gives the same bits however many run beside it, and cores are not asked for twice.
    """
    with dask.config.set(scheduler="threads", num_workers=cores), threadpool_limits(1):
        yield
