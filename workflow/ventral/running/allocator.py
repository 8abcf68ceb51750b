"""Memory that this process gets from the system."""

import ctypes

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
LARGEST_INT = 2**31 - 1


def keep_freed_memory() -> None:
    """Keep freed memory for the next array instead of returning it to the system.

    A forward pass and a product of blocks free and allocate arrays of many megabytes all the time. By default glibc
    maps each array afresh, and the system clears every page again. A forward pass on the CPU can spend most of its time
    on clearing pages (``benchmarks/extraction.py`` compares both). Other C libraries are left unchanged.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    mallopt(M_MMAP_MAX, 0)
    mallopt(M_TRIM_THRESHOLD, LARGEST_INT)
