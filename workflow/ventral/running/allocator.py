"""How this process gets memory from the system."""

import ctypes

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
LARGEST_INT = 2**31 - 1


def keep_freed_memory() -> None:
    """Keep freed memory for the next array, instead of giving it back to the system and asking anew.

    A forward pass and a product of blocks free and allocate arrays of many megabytes all the time. By default glibc
    maps each of them afresh, and the system clears every page again: a forward pass on the CPU can spend most of its
    time on that (``benchmarks/extraction.py`` compares both). With another C library nothing is changed.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    mallopt(M_MMAP_MAX, 0)
    mallopt(M_TRIM_THRESHOLD, LARGEST_INT)
