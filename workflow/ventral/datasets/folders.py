"""Search for the files of a published data set in a user's folder."""

from collections.abc import Sequence
from pathlib import Path

from ventral.errors import InputError


def folder_with(given: Path, files: Sequence[str], folders: Sequence[str], name: str) -> Path:
    """Return the first of some folders that has all files of a data set.

    Parameters
    ----------
    given : path
        Folder that the user gives as `folder`.
    files : sequence of str
        Names of the files.
    folders : sequence of str
        Folders below `given`, of which the first is '' for `given` itself.
    name : str
        Name of the data set.

    Raises
    ------
    InputError
        If the folder is missing, or none of the folders has all files.
    """
    if not given.is_dir():
        raise InputError(f"folder: no such folder: {given}")
    lacking = {folder: [file for file in files if not (given / folder / file).is_file()] for folder in folders}
    for folder, absent in lacking.items():
        if not absent:
            return given / folder
    nearest = min(lacking, key=lambda folder: len(lacking[folder]))
    raise InputError(
        f"folder: {given}: data set {name} has no {', '.join(lacking[nearest])} in {given / nearest}; it needs "
        f"{', '.join(files)} there, or in its folder {' or '.join(folders[1:])}"
    )
