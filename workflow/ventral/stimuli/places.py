"""Several folders or zips of a stimulus set, treated as one."""

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

from ventral.errors import InputError
from ventral.stimuli.files import Listing, list_files, opener


def as_list(given: str | Sequence[str]) -> list[str]:
    """Return the path or paths of a config key as a list."""
    return [given] if isinstance(given, str) else list(given)


def list_places(given: str | Sequence[str], suffixes: Collection[str], key: str, kind: str) -> Listing:
    """List the files of one kind in a folder or zip, or in several, one after the other.

    With several places, names of files begin with the shortest end of the place's path that identifies the place.

    Parameters
    ----------
    given : str or sequence of str
        Folders and zips.
    suffixes, key, kind
        As for `ventral.stimuli.files.list_files`.

    Raises
    ------
    InputError
        As for `list_files`, and if a place is named twice or lies within another.
    """
    places = as_list(given)
    if len(places) > 1:
        _check_apart(places, key)
    joined = Listing()
    for place, prefix in zip(places, _prefixes(places), strict=True):
        listing = list_files(Path(place), suffixes, key, kind)
        joined.files.extend(prefix + file for file in listing.files)
        for remark, names in listing.remarks.items():
            joined.remarks[remark].extend(prefix + name for name in names)
    return joined


@contextmanager
def open_places(given: str | Sequence[str]) -> Iterator[Callable[[str], BinaryIO]]:
    """Give a function that opens one listed file of one or several folders or zips, and that threads may call."""
    places = as_list(given)
    with ExitStack() as stack:
        openers = {
            prefix: stack.enter_context(opener(Path(place)))
            for place, prefix in zip(places, _prefixes(places), strict=True)
        }

        def opened(file: str) -> BinaryIO:
            prefix = max((prefix for prefix in openers if file.startswith(prefix)), key=len)
            return openers[prefix](file.removeprefix(prefix))

        yield opened


def _prefixes(places: Sequence[str]) -> list[str]:
    """Return the prefix of names in each place: empty for one place, otherwise the shortest distinct ends of paths."""
    if len(places) == 1:
        return [""]
    parts = [Path(os.path.abspath(place)).parts for place in places]  # noqa: PTH100 (links keep their names)
    for length in range(1, max(map(len, parts)) + 1):
        ends = ["/".join(of_place[-length:]).lstrip("/") for of_place in parts]
        if len({end.casefold() for end in ends}) == len(ends):
            break
    return [f"{end}/" for end in ends]


def _check_apart(places: Sequence[str], key: str) -> None:
    real = [Path(place).resolve() for place in places]
    for k, place in enumerate(real):
        for other, path in enumerate(real):
            if k != other and place.is_relative_to(path):
                raise InputError(
                    f"{key}: {places[k]} {'is' if place == path else 'lies in'} {places[other]}, and its files would "
                    f"be taken twice; name each folder once"
                )
