"""Published sets of Brain-Score: addresses of files, and the table of a set of stimuli (Schrimpf et al. 2020).

The files are in the layout of BrainIO. The assembly of responses is a NetCDF file, which the workflow reads as it is.
The set of stimuli is a CSV with one row for each file of a zip.
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
# Columns of the CSV with the id of a stimulus, in new and in older files.
IDS = ("stimulus_id", "image_id")


def downloads_of(name: str, sha1: Mapping[str, str]) -> dict[str, dict]:
    """Return the downloads of a data set from the SHA-1 of each file in the registry of Brain-Score."""
    return {f"{name}/{file}": {"url": f"{ADDRESS}/{file}", "sha1": digest} for file, digest in sha1.items()}


def files_of(
    folder: str | None, files: list[str], name: str, downloads: Mapping[str, dict], resources: str
) -> tuple[list[str], dict[str, dict]]:
    """Return the paths of the files of a data set, and the downloads among them.

    Parameters
    ----------
    folder : str or None
        Folder that the user gives; None downloads the files.
    files : list of str
        Names of the files.
    name : str
        Name of the data set, and of the folder that may have the files.
    downloads : dict of dicts
        Downloads by the path below `resources`.
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
        Name of the data set, for messages.
    labels : dict of str
        New name of each column that is kept.

    Returns
    -------
    DataFrame
        All text: `stimulus` is the name of the file in the zip, and `stimulus_id` or `image_id` is its name in the
        assembly. The columns of `labels` follow.

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
