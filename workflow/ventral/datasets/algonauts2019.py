"""Data of the Algonauts Challenge 2019 (Cichy et al. 2019, arXiv:1905.05675): 78 images in human visual cortex.

Dissimilarities of early visual cortex and of inferior temporal cortex, measured with fMRI in 15 subjects.
"""

from pathlib import Path

from ventral.errors import InputError

NAME = "algonauts2019"
IMAGES = "images.zip"
MATRICES = {"EVC": "fmri_EVC_RDMs.npz", "IT": "fmri_IT_RDMs.npz"}
AREAS = {"EVC": "human EVC", "IT": "human IT"}
# Folders below the given one that may hold the files: a folder of this data set alone, and one of a collection of data.
FOLDERS = ("", NAME, "algonauts2019_78")
# Most images are 400 pixels wide, some 399 or 402.
SIZE = 400


def expand(data_dir: str | None) -> dict:
    """Return the stimulus set and the recording, as a user would write them in the config.

    Parameters
    ----------
    data_dir : str or None
        Folder with the source's files, or with a folder `algonauts2019_78` that has them.

    Returns
    -------
    dict
        `stimuli` and `recordings`, each with the one name `algonauts2019`.

    Raises
    ------
    InputError
        If there is no `data_dir`, or a file is not in it.
    """
    files = [IMAGES, *MATRICES.values()]
    if data_dir is None:
        raise InputError(
            f"data_dir: missing; the data set {NAME} is not downloaded by itself: get {', '.join(files)} of the "
            f"Algonauts Challenge 2019 (78 images; among the tests of github.com/cvai-roig-lab/Net2Brain), and "
            f"name their folder"
        )
    folder = _found(Path(data_dir), files)
    matrices = {name: str(folder / file) for name, file in MATRICES.items()}
    return {
        "stimuli": {NAME: {"images": str(folder / IMAGES), "size": SIZE}},
        "recordings": {NAME: {"stimuli": NAME, "matrices": matrices, "area": dict(AREAS), "splits": ["images"]}},
    }


def _found(data_dir: Path, files: list[str]) -> Path:
    if not data_dir.is_dir():
        raise InputError(f"data_dir: no such folder: {data_dir}")
    lacking = {folder: [file for file in files if not (data_dir / folder / file).is_file()] for folder in FOLDERS}
    for folder, absent in lacking.items():
        if not absent:
            return data_dir / folder
    nearest = min(lacking, key=lambda folder: len(lacking[folder]))
    raise InputError(
        f"data_dir: {data_dir}: data set {NAME} has no {', '.join(lacking[nearest])} in {data_dir / nearest}; it needs "
        f"{', '.join(files)} there, or in its folder {' or '.join(FOLDERS[1:])}"
    )
