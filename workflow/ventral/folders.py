"""A walk through all folders below a folder that follows links and enters each folder once."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path


def walk(
    folder: str | Path, entries_of: Callable[[Path], Sequence[os.DirEntry]]
) -> Iterator[tuple[str, Sequence[os.DirEntry] | None]]:
    """Yield a folder and all folders below it, linked ones after all others.

    A folder is not entered if it was entered before by another path, or if it contains the first folder. A link to such
    a folder would yield files twice, or would never end.

    Parameters
    ----------
    folder : path
    entries_of : callable
        Returns the entries of a folder that are yielded and followed.

    Yields
    ------
    inside : str
        Path within the folder, with slashes; empty for the folder itself.
    entries : sequence of DirEntry or None
        Entries of the folder; None for a folder that is not entered.
    """
    first, entered = os.path.realpath(folder), set()
    pending, linked = [""], deque()
    while pending or linked:
        inside = pending.pop() if pending else linked.popleft()
        real = os.path.realpath(Path(folder, inside))
        if real in entered or (inside and Path(first).is_relative_to(real)):
            yield inside, None
            continue
        entered.add(real)
        entries = sorted(entries_of(Path(folder, inside)), key=lambda entry: entry.name)
        yield inside, entries
        for entry in entries:
            name = f"{inside}/{entry.name}".lstrip("/")
            if entry.is_dir(follow_symlinks=False):
                pending.append(name)
            # A link may lead to a folder that this user may not enter.
            elif entry.is_symlink() and os.path.isdir(entry.path):  # noqa: PTH112 (pathlib raises)
                linked.append(name)
