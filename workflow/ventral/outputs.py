"""Outputs that are whole or absent: they are written under another name and renamed when complete."""

import errno
import hashlib
import json
import os
import platform
import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

MEBIBYTE = 2**20
UNFINISHED = ".unfinished"
MACHINE = platform.node().partition(".")[0]
MADE_OF = "made_of.json"


@contextmanager
def writing(path: str | Path) -> Iterator[Path]:
    """Give a temporary path beside `path` to write a file or folder to, and rename it to `path` at the end.

    Zarr's `LocalStore` writes array by array and chunk by chunk, so a killed job leaves half a store. Renaming keeps
    the output at `path` whole at all times. When the block raises, nothing remains. The leftovers of a killed job on
    this machine are removed at once. Those of a job on another machine are removed when the new output is complete.

    Two processes may write the same output at once. A cluster that has lost a node starts its jobs on another one, and
    the jobs on the lost node may still run. Each process writes to a folder of its own, and the output of the process
    that began last is kept.

    Parameters
    ----------
    path : str or Path
        Final name of the output. An output of an earlier run there is replaced.

    Yields
    ------
    Path
        Path to write to. Its parent exists, the path itself does not.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    earlier = [folder for folder in _unfinished(path) if not _cleared(folder)]
    own = Path(tempfile.mkdtemp(prefix=f".{path.name}.{MACHINE}-{os.getpid()}-", suffix=UNFINISHED, dir=path.parent))
    # Zarr recreates a folder that another process took away, but not this file in the folder.
    mine = own / "mine"
    try:
        mine.touch()
        yield own / "output"
        if not mine.exists():
            raise FileNotFoundError(errno.ENOENT, "taken away by another process", str(own))
        _replace(path, own / "output")
        for folder in earlier:
            _take_away(folder)
    except FileNotFoundError:
        # A process that began later has written the output meanwhile.
        if mine.exists() or not path.exists():
            raise
    finally:
        _remove(own)


def _unfinished(path: Path) -> list[Path]:
    """Return the temporary folders in which other processes write an output, or have left parts of it."""
    name = re.compile(rf"\.{re.escape(path.name)}\.[^.]+-\d+-\w+{re.escape(UNFINISHED)}")
    return [folder for folder in path.parent.iterdir() if name.fullmatch(folder.name)]


def _cleared(folder: Path) -> bool:
    """Remove a folder if its process ran on this machine and is dead; return whether the folder was removed."""
    machine, process, _ = folder.name.removesuffix(UNFINISHED).rpartition(".")[2].rsplit("-", 2)
    if machine != MACHINE or _alive(int(process)):
        return False
    _remove(folder)
    return True


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        # The process belongs to another user.
        return True
    return True


def _take_away(folder: Path) -> None:
    # Once renamed, the folder can no longer become an output, even if its process still runs.
    taken = folder.with_suffix(".taken")
    with suppress(FileNotFoundError):
        folder.rename(taken)
    shutil.rmtree(taken, ignore_errors=True)


def _replace(path: Path, whole: Path) -> None:
    # A file replaces a file in one step. A folder is absent only for the time between two renames.
    if path.is_dir() or whole.is_dir():
        with suppress(FileNotFoundError):
            path.rename(whole.with_name("replaced"))
    whole.rename(path)


@contextmanager
def resuming(path: str | Path, made_of: dict, *, pack: bool = False) -> Iterator[Path]:
    """Give a folder beside `path` to write parts to, and rename it to `path` at the end; parts survive a failure.

    The output at `path` is always whole, as with `writing`. The folder holds the parts of an earlier attempt that
    raised or was killed, if these were made of the same inputs. The process that began last takes over the folder of an
    earlier attempt, even of one that still runs. The takeover is one rename, so no lock is needed that a lost node
    could keep.

    Parameters
    ----------
    path : str or Path
        Final name of the output. An output of an earlier run there is replaced.
    made_of : dict
        All values that the parts depend on, in types of JSON.
    pack : bool
        Pack the folder into one file at the end, as `packing` does.

    Yields
    ------
    Path
        Folder for the parts. Each part must be whole or absent, as `writing` ensures.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    earlier = _unfinished(path)
    own = Path(tempfile.mkdtemp(prefix=f".{path.name}.{MACHINE}-{os.getpid()}-", suffix=UNFINISHED, dir=path.parent))
    mine, parts = own / "mine", own / "output"
    text = json.dumps(made_of, sort_keys=True)
    (own / MADE_OF).write_text(text, encoding="utf-8")
    parts.mkdir()
    mine.touch()
    for folder in earlier:
        _take_over(folder, own, text)
    try:
        yield parts
        if not mine.exists():
            raise FileNotFoundError(errno.ENOENT, "taken away by another process", str(own))
        # Packing deletes files one by one, so no later attempt may take these over as parts.
        whole = parts.rename(own / "whole")
        if pack:
            _pack(whole, own / "packed")
        _replace(path, own / "packed" if pack else whole)
    except FileNotFoundError:
        # A process that began later has written the output meanwhile.
        if mine.exists() or not path.exists():
            raise
    finally:
        # Without parts, a later attempt has nothing to resume from.
        if not mine.exists() or not _parts_of(own):
            _remove(own)


def _take_over(folder: Path, own: Path, made_of: str) -> None:
    """Move the parts of an earlier attempt to this one, if both have the same inputs, and remove the rest."""
    taken = own / "earlier"
    with suppress(FileNotFoundError):
        folder.rename(taken)
        if (taken / MADE_OF).read_text(encoding="utf-8") == made_of:
            for part in _parts_of(taken):
                if not (own / "output" / part.name).exists():
                    part.rename(own / "output" / part.name)
    _remove(taken)


def _parts_of(folder: Path) -> list[Path]:
    return [part for part in (folder / "output").glob("*") if not part.name.startswith(".")]


@contextmanager
def packing(path: str | Path) -> Iterator[Path]:
    """Give a folder to write a store to, and pack it into one file at `path` when the block ends without an error.

    A store of Gram matrices has hundreds of small files, and a large run has thousands of such stores. The file is a
    zip without compression, and the same store gives the same bytes. `ventral.store.open_store` reads the file without
    unpacking it.

    Parameters
    ----------
    path : str or Path
        Final name of the file.

    Yields
    ------
    Path
        Path to write to. Its parent exists, the path itself does not.
    """
    with writing(path) as unfinished:
        folder = unfinished.with_name(f"{unfinished.name}.folder")
        _remove(folder)
        try:
            yield folder
            _pack(folder, unfinished)
        finally:
            _remove(folder)


def _pack(folder: Path, archive: Path) -> None:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as packed:
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            # The default date of an entry is constant, which keeps the bytes reproducible.
            entry = zipfile.ZipInfo(file.relative_to(folder).as_posix())
            entry.file_size = file.stat().st_size
            with file.open("rb") as source, packed.open(entry, "w") as target:
                shutil.copyfileobj(source, target, MEBIBYTE)
            # Delete at once, so that the disk never holds the whole store twice.
            file.unlink()


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
