"""Published sets of Brain-Score: where the files are, and the table of a set of stimuli (Schrimpf et al. 2020).

The files are in the layout of BrainIO: an assembly of responses, in NetCDF, which the workflow reads as it is, and a
set of stimuli, a CSV with a row for each file of a zip.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ventral.datasets.folders import folder_with
from ventral.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

ADDRESS = "https://brainscore-storage.s3.amazonaws.com/brainio-brainscore"
SOURCE = "storage of Brain-Score (github.com/brain-score/vision)"
# What the CSV calls the id of a stimulus, now and in older files.
IDS = ("stimulus_id", "image_id")


def downloads_of(name: str, sha1: Mapping[str, str]) -> dict[str, dict]:
    """Return what can be downloaded of a data set, from the SHA-1 of each file that Brain-Score's registry states."""
    return {f"{name}/{file}": {"url": f"{ADDRESS}/{file}", "sha1": digest} for file, digest in sha1.items()}


def files_of(
    folder: str | None, files: list[str], name: str, downloads: Mapping[str, dict], resources: str
) -> tuple[list[str], dict[str, dict]]:
    """Return the paths of a data set's files, and those of them that are to be downloaded.

    Parameters
    ----------
    folder : str or None
        As the user names it; None downloads the files.
    files : list of str
        Their names.
    name : str
        Of the data set, and of the folder that may hold them.
    downloads : dict of dicts
        What can be downloaded, by the path below `resources`.
    resources : str
        Folder of downloads.

    Raises
    ------
    InputError
        If a file is not in `folder`.
    """
    if folder is None:
        return [f"{resources}/{name}/{file}" for file in files], {
            f"{resources}/{name}/{file}": downloads[f"{name}/{file}"] for file in files
        }
    found = folder_with(Path(folder), files, ("", name), name)
    return [str(found / file) for file in files], {}


def read_stimuli(path: str | Path, name: str, labels: Mapping[str, str]) -> "pd.DataFrame":
    """Read the CSV of a set of stimuli.

    Parameters
    ----------
    path : path
        The CSV.
    name : str
        Of the data set, for messages.
    labels : dict of str
        Columns that are kept, and what they are called here.

    Returns
    -------
    DataFrame
        All text: `stimulus`, the name of the file in the zip; `stimulus_id` or `image_id`, by which the assembly names
        it; and the columns of `labels`.

    Raises
    ------
    InputError
        If the file cannot be read, or lacks a column.
    """
    from ventral.stimuli.tables import read_table

    table = read_table(path, name, labels=(*IDS, "filename", *labels), reserved=(), strict=False)
    ids = [column for column in IDS if column in table][:1]
    lacking = [column for column in ("filename", *labels) if column not in table] + ([] if ids else [IDS[0]])
    if lacking:
        raise InputError(
            f"{name}: {path}: no column {', '.join(f'`{column}`' for column in lacking)}; columns: "
            f"{', '.join(table.columns)}"
        )
    return table[["filename", *ids, *labels]].rename(columns={"filename": "stimulus", **labels})
