"""Number of threads of the BLAS libraries of this process."""

import importlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import OpenBLASController, ThreadpoolController, threadpool_limits


def limit_blas() -> None:
    """Give one thread to each BLAS library of this process until the process ends."""
    # Only loaded libraries can be limited; NumPy and SciPy have one each.
    importlib.import_module("numpy")
    importlib.import_module("scipy.linalg")
    threadpool_limits(1)


class _OneBlasThread:
    """Limits the BLAS libraries of this process to one thread as long as any thread is inside the block.

    Limits hold for the whole process. If two overlapping blocks each restored the limits that they had found, the first
    to end would lift the limit of the other. The second would then leave its limit in place for ever.
    """

    def __init__(self) -> None:
        self._lock, self._inside, self._limits = threading.Lock(), 0, None

    def __enter__(self) -> None:
        with self._lock:
            libraries = ThreadpoolController().select(user_api="blas")
            if not self._inside and any(library.num_threads != 1 for library in libraries.lib_controllers):
                with _controlling_blas():
                    self._limits = libraries.limit(limits=1)
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside and self._limits:
                with _controlling_blas():
                    self._limits.restore_original_limits()
                self._limits = None


one_blas_thread = _OneBlasThread()


@contextmanager
def _controlling_blas() -> Iterator[None]:
    """Allow any thread to set limits; threadpoolctl otherwise obeys only the first thread that did."""
    OpenBLASController.clear_controlling_thread(force=True)
    try:
        yield
    finally:
        OpenBLASController.clear_controlling_thread(force=True)
