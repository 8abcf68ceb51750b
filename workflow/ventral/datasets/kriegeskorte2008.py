"""The data of Kriegeskorte et al. 2008 (Neuron 60:1126): dissimilarities of 92 images in macaque and in human IT.

Dissimilarities in macaque IT come from 674 neurons (Kiani, Esteky, Mirpour and Tanaka 2007, Journal of Neurophysiology
97:4296). Those in human IT come from 316 voxels. Both are means, without single neurons, voxels or subjects.
"""

import io
import logging
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ventral.datasets import Dataset
from ventral.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger("ventral")

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
        Folder of all outputs. `unpack` writes its files to ``datasets/kriegeskorte2008`` below it.
    resources : str
        Folder of downloads.

    Returns
    -------
    dict
        Has `stimuli` and `recordings`, each with the only name `kriegeskorte2008`, and `sources`, the source's file by
        that name. `downloads` has `url` and `sha256` by path, and is empty with a `folder`.

    Raises
    ------
    InputError
        If the file is not in `folder`.
    """
    unpacked = f"{results}/datasets/{NAME}"
    source = f"{resources}/{NAME}/{FILE}" if folder is None else _found(Path(folder))
    recording = {"stimuli": NAME, "matrices": f"{unpacked}/matrices.npz", "area": AREAS, "splits": ["stimuli"]}
    return {
        "stimuli": {NAME: {"images": f"{unpacked}/images.zip", "table": f"{unpacked}/stimuli.csv"}},
        "recordings": {NAME: recording},
        "sources": {NAME: source},
        "downloads": {source: DOWNLOADS[f"{NAME}/{FILE}"]} if folder is None else {},
    }


def unpack(source: str | Path, *, images: str | Path, table: str | Path, matrices: str | Path) -> None:
    """Write the images, labels and dissimilarity matrices of the source's file, as files that a user could give.

    Parameters
    ----------
    source : path
        The source's MAT file.
    images : path
        Zip of PNG files, image01.png and so on, in the order of the matrices.
    table : path
        CSV with the columns `stimulus`, `object` (the source's own label, such as `human face`), and `category`:
        `face`, `body` or `inanimate`.
    matrices : path
        npz file with a matrix (92, 92) for each name of the source's.

    Raises
    ------
    InputError
        If the file is not the source's.
    """
    from PIL import Image

    from ventral.outputs import writing

    pixels, labels, arrays = read(source)
    with writing(images) as unfinished, zipfile.ZipFile(unfinished, "w") as archive:
        for name, image in zip(labels["stimulus"], pixels, strict=True):
            png = io.BytesIO()
            Image.fromarray(image).save(png, format="png")
            # With the time of writing, the same images would be another file every time.
            archive.writestr(zipfile.ZipInfo(name), png.getvalue())
    with writing(table) as unfinished:
        labels.to_csv(unfinished, index=False, lineterminator="\n")
    with writing(matrices) as unfinished, unfinished.open("wb") as file:
        np.savez(file, **arrays)
    logger.info("unpacked %s: %d images, matrices %s", source, len(pixels), ", ".join(arrays))


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
)
