"""The recordings of Hénaff et al. 2021 (Nature Communications 12:5982): spikes of macaque V1 to frames of ten movies.

The files are not downloaded, since the source states no licence. One folder has all four:

- `spike_counts.npz`: `counts` (units, rows, repetitions) uint8, spikes in 200 ms, 255 where not shown.
- `stimuli.csv`: one row for each row of `counts`, with `image`, `zoom`, `kind`, `movie`, `title` and `frame`.
- `images.zip`: the images, by the name in `image`.
- `neuroids.csv`: a row for each unit, with columns such as `animal` and `penetration`.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ventral.datasets import Dataset, made_by
from ventral.datasets.folders import folder_with
from ventral.errors import InputError
from ventral.outputs import writing

if TYPE_CHECKING:
    import pandas as pd

NAME = "henaff2021"
COUNTS, ROWS, IMAGES, NEUROIDS = "spike_counts.npz", "stimuli.csv", "images.zip", "neuroids.csv"
# Folders below the given one that may have the files: its own folder, and that in a collection of data sets.
FOLDERS = ("", NAME, "henaff2021_v1")
AREA = "V1"
NOT_SHOWN = 255
COLUMNS = ("image", "zoom", "kind", "movie", "title", "frame")
# Whole movies are held out, because the frames of a movie are nearly the same image at any zoom and of any kind.
SPLIT = {"column": "movie", "folds": 5}


def expand(folder: str | None, results: str) -> dict:
    """Return the stimulus set and the recording in the form of the config.

    Parameters
    ----------
    folder : str or None
        Folder with the files, or with a folder `henaff2021_v1` that has them.
    results : str
        Folder of all outputs. The standard files are in ``datasets/henaff2021`` below it.

    Returns
    -------
    dict
        Has `stimuli` and `recordings`, each with the only name `henaff2021`, and `unpacks`, the writers of responses
        and table by path.

    Raises
    ------
    InputError
        If `folder` is missing or lacks a file.
    """
    files = [COUNTS, ROWS, IMAGES, NEUROIDS]
    if folder is None:
        raise InputError(
            f"folder: missing; the data set {NAME} is not downloaded by itself, as its source states no licence: get "
            f"the spike counts (osf.io/gwtcs; github.com/wongyoJung/Primary-visual-cortex-straightens-natural-video-"
            f"trajectories, folder V1_responses) and the images (github.com/olivierhenaff/neural-straightening, folder "
            f"images/acute), repack them as {', '.join(files)} (workflow/ventral/datasets/{NAME}.py says how), and "
            f"name their folder"
        )
    found = folder_with(Path(folder), files, FOLDERS, NAME)
    responses, table = (f"{results}/datasets/{NAME}/{file}" for file in ("responses.npy", "stimuli.csv"))
    recording = {
        "stimuli": NAME,
        "responses": responses,
        "neuroids": str(found / NEUROIDS),
        "area": AREA,
        "splits": [dict(SPLIT)],
    }
    return {
        "stimuli": {NAME: {"images": str(found / IMAGES), "table": table}},
        "recordings": {NAME: recording},
        "unpacks": {
            responses: made_by(NAME, "responses", {"counts": str(found / COUNTS), "rows": str(found / ROWS)}),
            table: made_by(NAME, "table", {"rows": str(found / ROWS)}),
        },
    }


def write_responses(output: Path, *, counts: str | Path, rows: str | Path) -> None:
    """Write an npy file with an array (units, images, repetitions) float32, NaN where not shown.

    Parameters
    ----------
    output : path
        The npy file.
    counts : path
        Path of `spike_counts.npz`.
    rows : path
        Path of `stimuli.csv`.

    Raises
    ------
    InputError
        As for `read`.
    """
    spikes, _ = read(counts, rows)
    with writing(output) as unfinished, unfinished.open("wb") as file:
        np.save(file, spikes)


def write_table(output: Path, *, rows: str | Path) -> None:
    """Write the CSV of the images with the columns of `images` of `read`."""
    images = _images(_rows(rows))
    with writing(output) as unfinished:
        images.to_csv(unfinished, index=False, lineterminator="\n")


def read(counts: str | Path, rows: str | Path) -> tuple[NDArray[np.float32], "pd.DataFrame"]:
    """Read the spikes and the images, each image once.

    Some images have two rows, of which the first is kept. In most cases both rows have the same trials. Row 11 of a
    `contrast` series shows frame 1, but has the trials of frame 11. So it must not be averaged with the kept row.

    Returns
    -------
    spikes : (units, images, repetitions) array
        NaN where not shown.
    images : DataFrame
        One row for each image of `spikes`, all text: `stimulus` (name of the image), `zoom`, `kind`, `movie` (such as
        `movie1`), `title` and `frame`.

    Raises
    ------
    InputError
        If a file cannot be read, an array or column is missing or has another kind, or a row has an empty column. Also
        if the files differ in the number of rows.
    """
    table, array = _rows(rows), _counts(counts)
    if array.shape[1] != len(table):
        raise InputError(
            f"{NAME}: {counts}: array `counts` {array.shape} has {array.shape[1]} rows on its axis 2, where {rows} has "
            f"{len(table)}; as many are right"
        )
    images = _images(table)
    spikes = array[:, images.index].astype(np.float32)
    spikes[spikes == NOT_SHOWN] = np.nan
    return spikes, images.reset_index(drop=True)


def _images(table: "pd.DataFrame") -> "pd.DataFrame":
    """Return the first row of each image, with its index."""
    images = table.drop_duplicates("image")
    return images.assign(movie="movie" + images["movie"]).rename(columns={"image": "stimulus"})


def _rows(path: str | Path) -> "pd.DataFrame":
    from ventral.stimuli.tables import read_table

    table = read_table(path, NAME, labels=COLUMNS, reserved=(), strict=True)
    if missing := [column for column in COLUMNS if column not in table]:
        raise InputError(
            f"{NAME}: {path}: no column {', '.join(f'`{column}`' for column in missing)}; columns: "
            f"{', '.join(table.columns)}"
        )
    for column in COLUMNS:
        empty = np.flatnonzero(table[column] == "")
        if len(empty):
            raise InputError(f"{NAME}: {path}: column `{column}`, data row {empty[0] + 1}: empty; every row needs one")
    return table[list(COLUMNS)]


def _counts(path: str | Path) -> NDArray[np.uint8]:
    from ventral.recordings.arrays import NPZ, other_kind, reason, start_of

    right = "an npz file with an array `counts` (units, rows, repetitions) of uint8 is right"
    start = start_of(path, NAME)
    if not start.startswith(NPZ):
        raise InputError(f"{NAME}: {path}: cannot be read, or cut short: {other_kind(start)}; {right}")
    try:
        with np.load(path, allow_pickle=False) as arrays:
            names = arrays.files
            array = arrays["counts"] if "counts" in names else None
    except MemoryError:
        raise
    except Exception as error:  # NumPy and zipfile raise more kinds than they document
        raise InputError(f"{NAME}: {path}: cannot be read, or cut short: {reason(error)}; {right}") from error
    if array is None:
        raise InputError(f"{NAME}: {path}: it has {', '.join(names) or 'no array'}; {right}")
    if array.dtype != np.uint8 or array.ndim != 3:
        raise InputError(f"{NAME}: {path}: array `counts` {array.shape} of {array.dtype}; {right}")
    return array


DATASET = Dataset(
    meaning="Spikes of macaque V1 to frames of ten movies, to be downloaded by hand.",
    expand=expand,
    reference="Hénaff et al. 2021",
    work="Hénaff OJ, Bai Y, Charlton JA, et al. (2021). Nature Communications 12:5982.",
    writers={"responses": write_responses, "table": write_table},
    licence="none stated",
    size="38 MB",
    source="osf.io/gwtcs; github.com/olivierhenaff/neural-straightening, folder images/acute",
)
