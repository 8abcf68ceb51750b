"""Identical rounding on any number of cores."""

import os

from threadpoolctl import threadpool_limits


def round_alike_on_any_cores() -> None:
    """Make products in this process, and in processes that it starts, round as on one core.

    The BLAS libraries of NumPy and SciPy get one thread, because a sum over several threads rounds differently for
    every number of threads. Tasks run side by side instead (`ventral.running.parallel`). The Intel MKL in PyTorch keeps
    its threads. Its mode of conditional numerical reproducibility gives the same bits for any number of threads. The
    MKL reads the mode from the environment at its first use. A mode that the user has set is left unchanged.
    """
    os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")
    # SciPy's library may not be loaded yet; it reads the variable when it is.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    threadpool_limits(1, user_api="blas")
