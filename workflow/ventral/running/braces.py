"""Many paths in one short bash command, by braces, because Linux limits commands to 128 KiB."""

import re
import shlex
from collections.abc import Iterable
from itertools import groupby

# `PATH` matches paths whose names bash leaves as they are, `WORD` a word with braces after a folder, quoted or not.
PATH = re.compile(r"(.*/)([\w-][\w.-]*?)((?:\.\w+)?)", re.ASCII | re.DOTALL)
WORD = re.compile(
    r"""(?<!\S)((?:'[^']*'|"[^"]*"|[^\s'"{}])+)(?:(?<=/)|(?<=/'))\{([\w.,-]+)\}([\w.]*)(?!\S)""", re.ASCII
)


def in_braces(paths: Iterable[str]) -> str:
    """Return words of bash that expand to some paths, in the same order.

    Consecutive paths with the same folder and suffix become one word.
    """
    words = []
    for shared, of_one in groupby(map(_parts, paths), lambda parts: (parts[0], parts[2])):
        folder, suffix = shared
        names = [name for _, name, _ in of_one]
        if folder and len(names) > 1:
            words.append(f"{shlex.quote(folder)}{{{','.join(names)}}}{suffix}")
        else:
            words += [shlex.quote(f"{folder}{name}{suffix}") for name in names]
    return " ".join(words)


def expanded(command: str) -> str:
    """Return a command in which the words that `in_braces` made are expanded, as bash expands them."""
    return WORD.sub(lambda word: " ".join(f"{word[1]}{name}{word[3]}" for name in word[2].split(",")), command)


def _parts(path: str) -> tuple[str, str, str]:
    """Return folder, name and suffix of a path; a path that cannot be in braces is all name."""
    match = PATH.fullmatch(path)
    return match.groups() if match else ("", path, "")
