"""Listing of the files of a folder or zip, with remarks on files that are left out."""

import io
import logging
import os
import re
import stat
import zipfile
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from ventral.errors import InputError, shown
from ventral.folders import walk

logger = logging.getLogger("ventral")

FOLDER, FILE = "folder", "file"
# Names that operating systems add to folders, besides names that begin with a dot.
OF_THE_SYSTEM = {"__macosx", "thumbs.db", "desktop.ini"}
ENCRYPTED, NAMED_IN_UTF8 = 0x1, 0x800
NAMED_IN_MESSAGE = 10

LINKED = "left out, behind a link to a folder that is taken already, or that contains this one"
OUTSIDE = "left out, as the path leads out of the zip"
EMPTY = "folders without files"
ALIKE = "names that differ only in capital letters, and are one file on other systems"
NOT_UTF8 = "names that the zip does not mark as UTF-8, and that are read in code page 437"


@dataclass
class Listing:
    """Names of the files of one kind in a folder or zip.

    Attributes
    ----------
    files : list of str
        Paths within the folder or zip, with slashes, in natural order.
    remarks : dict
        Names to which each remark applies, by remark.
    """

    files: list[str] = field(default_factory=list)
    remarks: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def warn(self, place: str) -> None:
        """Log each remark as a warning."""
        for remark, names in self.remarks.items():
            logger.warning("%s: %s: %d (%s)", place, remark, len(names), shown(sorted(names, key=natural)))


def list_files(place: Path, suffixes: Collection[str], key: str, kind: str, beside: Collection[str] = ()) -> Listing:
    """List the files of one kind in a folder, with its sub-folders, or in a zip.

    Parameters
    ----------
    place : path
        Folder or zip.
    suffixes : collection of str
        Suffixes of files of that kind, in lower case.
    key : str
        Config key of the folder, for messages.
    kind : str
        Name of such files in messages.
    beside : collection of str
        Suffixes of files that accompany those of the kind, and need no remark.

    Raises
    ------
    InputError
        If the place cannot be read or has no such files, or a file occurs twice, is encrypted, or is no regular file.
    """
    kind_of_place = kind_of(place)
    if kind_of_place == FOLDER:
        found, remarks = _in_folder(place, suffixes, key)
    elif kind_of_place == FILE:
        with _opened_zip(place, key) as archive:
            found, remarks = _in_zip(archive, suffixes, f"{key}: {place}")
    else:
        raise InputError(f"{key}: no such file or folder: {place}")
    listing = Listing(sorted((file for file in found if _suffix(file) in suffixes), key=natural), remarks)
    endings = ", ".join(sorted(suffixes))
    others = [file for file in found if _suffix(file) not in suffixes]
    if not listing.files:
        also = "".join(f"; {remark}: {len(names)} ({shown(names)})" for remark, names in remarks.items())
        raise InputError(
            f"{key}: {place}: no {kind} in it ({len(others)} other files); their names end in {endings}{also}"
        )
    if unused := [file for file in others if _suffix(file) not in beside]:
        listing.remarks[f"left out, as the name does not end in {endings}"] = unused
    if alike := _alike(listing.files):
        listing.remarks[ALIKE] = alike
    return listing


def kind_of(path: str | Path) -> str | None:
    """Return whether a path is a `FOLDER` or a `FILE`; None for pipes, sockets, links to nothing, and nothing."""
    try:
        mode = Path(path).stat().st_mode
    except (OSError, ValueError):
        return None
    return FOLDER if stat.S_ISDIR(mode) else FILE if stat.S_ISREG(mode) else None


@contextmanager
def opener(place: Path) -> Iterator[Callable[[str], BinaryIO]]:
    """Give a function that opens one listed file of a folder or zip, and that several threads may call."""
    if place.is_dir():
        yield lambda file: (place / file).open("rb")
        return
    with zipfile.ZipFile(place) as archive:
        members = {_member_name(entry): entry for entry in archive.infolist()}
        # A zip file checks only members that are read to their end.
        yield lambda file: io.BytesIO(archive.read(members[file]))


def unusable(problems: Mapping[str, str], place: str, n_files: int, kind: str) -> str:
    """Return one message about all files that cannot be used.

    Parameters
    ----------
    problems : mapping of str
        Problem with each such file, by its name.
    place : str
        Config key or argument that names the files.
    n_files : int
        Number of all files.
    kind : str
        Name of such files.
    """
    lines = [f"{file}: {problem}" for file, problem in problems.items()]
    more = [f"and {len(lines) - NAMED_IN_MESSAGE} more"] if len(lines) > NAMED_IN_MESSAGE else []
    listed = "\n  ".join([*lines[:NAMED_IN_MESSAGE], *more])
    return f"{place}: {len(problems)} of {n_files} {kind} cannot be used; replace them:\n  {listed}"


def natural(text: str) -> tuple[list[str | tuple[int, str]], str]:
    """Return the sorting key of a name, such that image2 comes before image10."""
    parts = re.split(r"([0-9]+)", text.casefold())
    # Python refuses to parse integers of more than a few thousand digits.
    numbers = [part.lstrip("0") for part in parts]
    return [(len(numbers[k]), numbers[k]) if k % 2 else part for k, part in enumerate(parts)], text


def _in_folder(folder: Path, suffixes: Collection[str], key: str) -> tuple[list[str], dict[str, list[str]]]:
    files, no_files, remarks = [], [], defaultdict(list)
    for inside, entries in walk(folder, partial(_entries, key=key)):
        if entries is None:
            remarks[LINKED].append(inside)
            continue
        if inside and not entries:
            remarks[EMPTY].append(inside)
        for entry in entries:
            name = f"{inside}/{entry.name}".lstrip("/")
            if entry.is_file(follow_symlinks=False) or kind_of(entry.path) == FILE:
                files.append(name)
            elif kind_of(entry.path) != FOLDER and _suffix(name) in suffixes:
                no_files.append(name)
    if no_files:
        raise InputError(
            f"{key}: {folder}: {shown(no_files)} is a link to nothing, or a pipe or socket, no file; put the file "
            f"there, or take the name out of the folder"
        )
    return files, remarks


def _entries(folder: Path, key: str) -> list[os.DirEntry]:
    try:
        with os.scandir(folder) as entries:
            found = [entry for entry in entries if not _hidden(entry.name)]
    except OSError as error:
        raise InputError(f"{key}: {folder}: the folder cannot be read: {error.strerror}") from error
    for entry in found:
        if not _is_text(entry.name):
            raise InputError(
                f"{key}: {folder}: the name {os.fsencode(entry.name)!r} is not in UTF-8; rename the file, such as by "
                f"`convmv -f latin1 -t utf8 --notest`"
            )
    return found


@contextmanager
def _opened_zip(path: Path, key: str) -> Iterator[zipfile.ZipFile]:
    try:
        archive = zipfile.ZipFile(path)
    except Exception as error:  # zipfile raises more kinds than it documents
        raise InputError(f"{key}: {path}: not a folder, nor a whole zip file: {error}") from error
    with archive:
        yield archive


def _in_zip(archive: zipfile.ZipFile, suffixes: Collection[str], place: str) -> tuple[list[str], dict[str, list[str]]]:
    remarks = defaultdict(list)
    entries = [entry for entry in archive.infolist() if not any(map(_hidden, _parts(entry)))]
    remarks |= {EMPTY: _empty_folders(entries), OUTSIDE: [entry.filename for entry in entries if _leads_out(entry)]}
    entries = [entry for entry in entries if not entry.is_dir() and not _leads_out(entry)]
    taken = [entry for entry in entries if _suffix(entry.filename) in suffixes]
    remarks[NOT_UTF8] = [
        entry.filename for entry in taken if not entry.flag_bits & NAMED_IN_UTF8 and not entry.filename.isascii()
    ]
    if encrypted := [entry.filename for entry in taken if entry.flag_bits & ENCRYPTED]:
        raise InputError(f"{place}: {shown(encrypted)}: encrypted; make the zip again without a password")
    counts = Counter(map(_member_name, taken))
    if double := [name for name, count in counts.items() if count > 1]:
        raise InputError(
            f"{place}: the zip has {shown(double)} more than once, and does not tell which was shown; make the zip "
            f"again with one of each"
        )
    return [_member_name(entry) for entry in entries], {text: names for text, names in remarks.items() if names}


def _member_name(entry: zipfile.ZipInfo) -> str:
    """Return the path of a member within the zip, without a leading slash, as `unzip` does."""
    return PurePosixPath(entry.filename.lstrip("/")).as_posix()


def _parts(entry: zipfile.ZipInfo) -> list[str]:
    return [part for part in re.split(r"[/\\]", entry.filename) if part not in ("", ".", "..")]


def _leads_out(entry: zipfile.ZipInfo) -> bool:
    return ".." in re.split(r"[/\\]", entry.filename)


def _empty_folders(entries: Sequence[zipfile.ZipInfo]) -> list[str]:
    above = {str(parent) for entry in entries for parent in PurePosixPath(entry.filename).parents}
    folders = {str(PurePosixPath(entry.filename)) for entry in entries if entry.is_dir()}
    return sorted(folders - above)


def _hidden(name: str) -> bool:
    return name.startswith(".") or name.casefold() in OF_THE_SYSTEM


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _suffix(file: str) -> str:
    return PurePosixPath(file).suffix.lower()


def _alike(files: Iterable[str]) -> list[str]:
    """Return the names that equal other names except for capital letters."""
    by_name = defaultdict(list)
    for file in files:
        by_name[file.casefold()].append(file)
    return [file for same in by_name.values() if len(same) > 1 for file in same]
