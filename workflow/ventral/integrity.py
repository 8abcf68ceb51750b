"""Checks that a Zarr store is complete: its descriptions are unchanged, and all files of its arrays are there."""

import errno
import json
import os
import re
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import NamedTuple

from ventral.errors import InputError, shown

# Name of the file in which zarr describes an array or a group.
DESCRIPTION = "zarr.json"
# Attribute of a store with the CRC-32 of each description, by name of the array or group; "" is the store itself.
CHECKSUMS = "checksums"


class _Description(NamedTuple):
    """The description of an array or a group: the bytes of its file, and the parsed content."""

    content: bytes
    says: dict


def seal(path: Path) -> None:
    """Write the checksums of all descriptions into the attributes of a complete store.

    Chunks have checksums of their own. Seal a store again after every change.
    """
    described = dict(_descriptions_in_folder(path))
    store = _unsealed(described[""].says)
    store["attributes"][CHECKSUMS] = _checksums(described)
    (path / DESCRIPTION).write_text(json.dumps(store, indent=2), encoding="utf-8")


def check_store(path: str | Path) -> None:
    """Check that a store (a folder or a zip file) is complete, without reading values.

    The shape and chunks of an array determine its files. Earlier versions did not seal stores; such a store can lose a
    whole array unnoticed.

    Raises
    ------
    InputError
        If the store is missing, or a description or a file of an array is missing or damaged. The message names the
        store, the array, the number of missing files and the first of them.
    """
    path = Path(path)
    if path.is_file():
        status = path.stat()
        _check_archive(path, status.st_mtime_ns, status.st_size)
    elif path.is_dir():
        with _damage_of(path):
            _check(path, dict(_descriptions_in_folder(path)), lambda name: _has_content(path / name))
    else:
        raise InputError(f"{path}: the store is missing; start the same command again to make missing outputs")


def damaged(path: str | Path, problem: str) -> InputError:
    """Return the error for a damaged store, with the way to repair it."""
    path = Path(path)
    # One job makes a numbered folder of numbered shards, so the whole folder has to go.
    made = path.parent if path.stem.isdecimal() and path.parent.name.isdecimal() else path
    return InputError(
        f"{path}: {problem}; the store was damaged, or an earlier version wrote it: delete {made} and start the same "
        f"command again: the workflow makes the store again"
    )


def array_of_file(file: str) -> str:
    """Return the name of the array to which a file belongs."""
    return re.sub(r"/c([/.]\d+)*$", "", file)


# A job opens the file of Gram matrices once for every layer.
@lru_cache(maxsize=256)
def _check_archive(path: Path, modified: int, size: int) -> None:
    with _damage_of(path), zipfile.ZipFile(path) as archive:
        names = {entry.filename for entry in archive.infolist() if entry.file_size}
        described = {}
        for file in sorted(names):
            name, _, last = file.rpartition("/")
            if last == DESCRIPTION:
                content = archive.read(file)
                described[name] = _Description(content, _parsed(path, name, content))
        _check(path, described, names.__contains__)


@contextmanager
def _damage_of(path: Path) -> Iterator[None]:
    """Turn any exception that a damaged description or archive raises into an error that names the store."""
    try:
        yield
    except (InputError, MemoryError):
        raise
    except Exception as error:
        # A damaged archive may point to a place before its beginning. Other errors of the system are no damage.
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise
        raise damaged(path, f"its content cannot be read ({error})") from error


def _descriptions_in_folder(path: Path, name: str = "") -> Iterator[tuple[str, _Description]]:
    """Yield the name and description of each group and array of a store."""
    try:
        content = (path / name / DESCRIPTION).read_bytes()
    except FileNotFoundError as error:
        raise damaged(path, f"`{Path(name, DESCRIPTION)}` is missing") from error
    described = _Description(content, _parsed(path, name, content))
    yield name, described
    if described.says["node_type"] != "array":
        # Workflow managers, file systems and archivers may put folders of their own among the arrays.
        inner = (entry.name for entry in os.scandir(path / name) if entry.is_dir())
        for part in sorted(part for part in inner if not part.startswith((".", "@", "__MACOSX"))):
            yield from _descriptions_in_folder(path, f"{name}/{part}" if name else part)


def _has_content(file: Path) -> bool:
    # zarr reads an empty file of a sharded array as one that is absent on purpose.
    try:
        status = file.stat()
        return stat.S_ISREG(status.st_mode) and status.st_size > 0
    except (FileNotFoundError, NotADirectoryError):
        return False


def _parsed(path: Path, name: str, content: bytes) -> dict:
    try:
        says = json.loads(content)
        says["node_type"], says["attributes"]
    except (ValueError, TypeError, KeyError) as error:
        raise damaged(path, f"`{Path(name, DESCRIPTION)}` cannot be read ({error})") from error
    return says


def _check(path: Path, described: dict[str, _Description], has: Callable[[str], bool]) -> None:
    if "" not in described:
        raise damaged(path, f"`{DESCRIPTION}` is missing")
    recorded = described[""].says["attributes"].get(CHECKSUMS, {})
    if recorded:
        _check_descriptions(path, recorded, _checksums(described))
    problems = []
    for name, (_, says) in described.items():
        if says["node_type"] == "array":
            files = list(_files_of_array(name, says))
            missing = [file for file in files if not has(file)]
            if missing:
                problems.append(
                    f"array `{name}`: {len(missing)} of its {len(files)} files are missing or empty, first "
                    f"`{missing[0]}`"
                )
    if problems:
        raise damaged(path, shown(problems))


def _check_descriptions(path: Path, recorded: dict[str, int], found: dict[str, int]) -> None:
    if lost := [name for name in recorded if name not in found]:
        raise damaged(path, f"array or group `{lost[0]}` is missing, with its `{DESCRIPTION}`")
    if changed := [name for name, checksum in recorded.items() if checksum != found[name]]:
        raise damaged(path, f"`{Path(changed[0], DESCRIPTION)}` has changed since it was written")


def _checksums(described: dict[str, _Description]) -> dict[str, int]:
    """Return the CRC-32 of each description; the store's own description is taken without its checksums."""
    of_store = json.dumps(_unsealed(described[""].says), sort_keys=True).encode()
    return {name: zlib.crc32(content) for name, (content, _) in described.items()} | {"": zlib.crc32(of_store)}


def _unsealed(store: dict) -> dict:
    """Return the description of a store without checksums."""
    attributes = {key: value for key, value in store["attributes"].items() if key != CHECKSUMS}
    return store | {"attributes": attributes}


def _files_of_array(name: str, says: dict) -> Iterator[str]:
    """Yield the name of every file of an array."""
    chunks = says["chunk_grid"]["configuration"]["chunk_shape"]
    separator = says["chunk_key_encoding"].get("configuration", {}).get("separator", "/")
    grid = (range(-(-extent // chunk)) for extent, chunk in zip(says["shape"], chunks, strict=True))
    for place in product(*grid):
        yield f"{name}/{separator.join(['c', *map(str, place)])}"
