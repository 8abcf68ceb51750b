"""The folders below a folder, links to folders among them, each of them once."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path


def walk(
    folder: str | Path, entries_of: Callable[[Path], Sequence[os.DirEntry]]
) -> Iterator[tuple[str, Sequence[os.DirEntry] | None]]:
    """Yield a folder and all below it, linked ones after all others.

    A folder that was entered already, by another way, or that contains the first one, is not entered: a link to it
    would bring files twice, or have no end.

    Parameters
    ----------
    folder : path
    entries_of : callable
        The entries of a folder that count.

    Yields
    ------
    inside : str
        Path within the folder, with slashes; empty of the folder itself.
    entries : sequence of DirEntry or None
        None of a folder that is not entered.
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
            # A link may lead to a place that only somebody else may enter.
            elif entry.is_symlink() and os.path.isdir(entry.path):  # noqa: PTH112 (pathlib raises)
                linked.append(name)
