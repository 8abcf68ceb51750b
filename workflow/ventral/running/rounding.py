"""The same rounding whatever the number of cores."""

import os

from threadpoolctl import threadpool_limits


def round_alike_on_any_cores() -> None:
    """Let the products of this process, and of those that it starts, round as they do on one core.

    NumPy's and SciPy's BLAS get one thread: split over several, a sum is rounded differently for every number of them;
    cores are used side by side instead (`ventral.running.parallel`). The Intel MKL in PyTorch keeps its threads; its
    conditional numerical reproducibility, a mode that it takes from the environment when it is first used, gives the
    same bits for any number of them. A mode that somebody has chosen is left.
    """
    os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")
    # SciPy's library may not be loaded yet: it will read this. NumPy's is.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    threadpool_limits(1, user_api="blas")
