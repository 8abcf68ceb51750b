"""The data of Kriegeskorte et al. 2008 (Neuron 60:1126): dissimilarities of 92 images in macaque and in human IT.

Dissimilarities in macaque IT come from 674 neurons (Kiani, Esteky, Mirpour and Tanaka 2007, Journal of Neurophysiology
97:4296). Those in human IT come from 316 voxels. Both are means, without single neurons, voxels or subjects.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ventral.datasets import Dataset, made_by
from ventral.datasets.archives import png, write_zip
from ventral.errors import InputError
from ventral.outputs import writing

if TYPE_CHECKING:
    import pandas as pd

NAME = "kriegeskorte2008"
FILE = "Kriegeskorte_Neuron2008_supplementalData.mat"
SOURCE = f"https://raw.githubusercontent.com/rsagroup/rsatoolbox_matlab/develop/Demos/92imageData/{FILE}"
DOWNLOADS = {
    f"{NAME}/{FILE}": {"url": SOURCE, "sha256": "06f21214399a5d43dc264eed19a7f4b8daf11c8622a59eec3e106064ce5e3504"}
}
# Folders below the given one that may have the file: those of the source's repository and of a collection of data.
FOLDERS = ("", NAME, "92imageData", "Demos/92imageData")
AREAS = {"mIT_674neurons": "macaque IT", "hITvisStim_316vx": "human IT"}
STIMULI, MATRICES = "stimuli_92objs", "RDMs_mIT_hIT_fig1"


def expand(folder: str | None, results: str, *, resources: str = "resources") -> dict:
    """Return the stimulus set and the recording in the form of the config.

    Parameters
    ----------
    folder : str or None
        Folder with the source's file, or with a folder `kriegeskorte2008` that has it; None downloads it.
    results : str
        Folder of all outputs. The standard files are in ``datasets/kriegeskorte2008`` below it.
    resources : str
        Folder of downloads.

    Returns
    -------
    dict
        Has `stimuli` and `recordings`, each with the only name `kriegeskorte2008`, and `unpacks`, the writers of
        images, table and matrices by path. `downloads` has `url` and `sha256` by path, and is empty with a `folder`.

    Raises
    ------
    InputError
        If the file is not in `folder`.
    """
    source = f"{resources}/{NAME}/{FILE}" if folder is None else _found(Path(folder))
    images, table, matrices = (
        f"{results}/datasets/{NAME}/{file}" for file in ("images.zip", "stimuli.csv", "matrices.npz")
    )
    inputs = {"source": source}
    return {
        "stimuli": {NAME: {"images": images, "table": table}},
        "recordings": {NAME: {"stimuli": NAME, "matrices": matrices, "area": AREAS, "splits": ["stimuli"]}},
        "unpacks": {
            images: made_by(NAME, "images", inputs),
            table: made_by(NAME, "table", inputs),
            matrices: made_by(NAME, "matrices", inputs),
        },
        "downloads": {source: DOWNLOADS[f"{NAME}/{FILE}"]} if folder is None else {},
    }


def write_images(output: Path, *, source: str | Path) -> None:
    """Write a zip of PNG files, image01.png and so on, in the order of the matrices.

    Parameters
    ----------
    output : path
        The zip.
    source : path
        The source's MAT file.

    Raises
    ------
    InputError
        If the file is not the source's.
    """
    pixels, labels, _ = read(source)
    write_zip(output, zip(labels["stimulus"], map(png, pixels), strict=True))


def write_table(output: Path, *, source: str | Path) -> None:
    """Write the CSV of the stimuli with the columns of `labels` of `read`; `object` is the label of the source."""
    _, labels, _ = read(source)
    with writing(output) as unfinished:
        labels.to_csv(unfinished, index=False, lineterminator="\n")


def write_matrices(output: Path, *, source: str | Path) -> None:
    """Write an npz file with a matrix (92, 92) for each name in the source."""
    *_, matrices = read(source)
    with writing(output) as unfinished, unfinished.open("wb") as file:
        np.savez(file, **matrices)


def read(source: str | Path) -> tuple[NDArray[np.uint8], "pd.DataFrame", dict[str, NDArray[np.float64]]]:
    """Read the source's MAT file.

    Returns
    -------
    pixels : (n, H, W, 3) array
        RGB.
    labels : DataFrame
        `stimulus`, `object` and `category` of each image.
    matrices : dict of (n, n) arrays
        Matrices by the source's names.

    Raises
    ------
    InputError
        If the file is not the source's.
    """
    import pandas as pd
    import scipy.io
    from scipy.spatial.distance import squareform

    place = f"{NAME}: {source}"
    wrong = f"the file {FILE} of {SOURCE} is right"
    if not Path(source).is_file():
        raise InputError(f"{place}: no such file; {wrong}")
    try:
        content = scipy.io.loadmat(source, variable_names=[STIMULI, MATRICES], simplify_cells=True)
    except Exception as error:  # SciPy's reader raises whatever the bytes make it stumble over
        raise InputError(f"{place}: cannot be read, or cut short: {error}; {wrong}") from error
    missing = [name for name in (STIMULI, MATRICES) if name not in content]
    if missing:
        raise InputError(f"{place}: it has no {', '.join(missing)}; {wrong}")
    try:
        pixels = np.stack([stimulus["image"] for stimulus in content[STIMULI]])
        objects = [stimulus["category"].strip() for stimulus in content[STIMULI]]
        categories = [_category(stimulus) for stimulus in content[STIMULI]]
        matrices = {entry["name"]: squareform(entry["RDM"]).astype(np.float64) for entry in content[MATRICES]}
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise InputError(f"{place}: {STIMULI} or {MATRICES} is not what the source has: {error!r}; {wrong}") from error
    sizes = {len(matrix) for matrix in matrices.values()}
    if sizes != {len(pixels)} or set(matrices) != set(AREAS) or pixels.dtype != np.uint8 or pixels.ndim != 4:
        raise InputError(
            f"{place}: images {pixels.shape} of {pixels.dtype}, and matrices "
            f"{', '.join(f'{name} {matrix.shape}' for name, matrix in matrices.items())}; {wrong}"
        )
    names = [f"image{k:02d}.png" for k in range(1, len(pixels) + 1)]
    return pixels, pd.DataFrame({"stimulus": names, "object": objects, "category": categories}), matrices


def _category(stimulus: dict) -> str:
    if stimulus["face"]:
        return "face"
    return "body" if stimulus["animal"] else "inanimate"


def _found(given: Path) -> str:
    if not given.is_dir():
        raise InputError(f"folder: no such folder: {given}")
    for below in FOLDERS:
        if (given / below / FILE).is_file():
            return str(given / below / FILE)
    raise InputError(
        f"folder: {given}: data set {NAME} has no file {FILE} there, nor in its folders {', '.join(FOLDERS[1:])}; "
        f"without `folder` it is downloaded"
    )


DATASET = Dataset(
    meaning="Dissimilarities of 92 images in macaque and in human IT.",
    expand=expand,
    reference="Kriegeskorte et al. 2008b",
    work="Kriegeskorte N, Mur M, Ruff DA, et al. (2008). Neuron 60:1126.",
    downloads=DOWNLOADS,
    writers={"images": write_images, "table": write_table, "matrices": write_matrices},
    licence="LGPL-3.0, the licence of the repository",
    size="3 MB",
    source="github.com/rsagroup/rsatoolbox_matlab, folder Demos/92imageData",
)
