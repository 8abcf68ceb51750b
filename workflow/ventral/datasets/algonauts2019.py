"""Data of the Algonauts Challenge 2019 (Cichy et al. 2019, arXiv:1905.05675): 78 images in human visual cortex.

Dissimilarities of early visual cortex and of inferior temporal cortex, measured with fMRI in 15 subjects.
"""

from pathlib import Path

from ventral.datasets import Dataset
from ventral.datasets.folders import folder_with
from ventral.errors import InputError

NAME = "algonauts2019"
IMAGES = "images.zip"
MATRICES = {"EVC": "fmri_EVC_RDMs.npz", "IT": "fmri_IT_RDMs.npz"}
AREAS = {"EVC": "human EVC", "IT": "human IT"}
# Folders below the given one that may have the files: its own folder, and that in a collection of data sets.
FOLDERS = ("", NAME, "algonauts2019_78")
# Most images are 400 pixels wide, some 399 or 402.
SIZE = 400


def expand(folder: str | None, results: str) -> dict:
    """Return the stimulus set and the recording in the form of the config.

    Parameters
    ----------
    folder : str or None
        Folder with the source's files, or with a folder `algonauts2019_78` that has them.
    results : str
        Folder of all outputs, which is not used because the files need no unpacking.

    Returns
    -------
    dict
        Has `stimuli` and `recordings`, each with the only name `algonauts2019`.

    Raises
    ------
    InputError
        If `folder` is missing or lacks a file.
    """
    files = [IMAGES, *MATRICES.values()]
    if folder is None:
        raise InputError(
            f"folder: missing; the data set {NAME} is not downloaded by itself: get {', '.join(files)} of the "
            f"Algonauts Challenge 2019 (78 images; among the tests of github.com/cvai-roig-lab/Net2Brain), and "
            f"name their folder"
        )
    found = folder_with(Path(folder), files, FOLDERS, NAME)
    matrices = {name: str(found / file) for name, file in MATRICES.items()}
    return {
        "stimuli": {NAME: {"images": str(found / IMAGES), "size": SIZE}},
        "recordings": {NAME: {"stimuli": NAME, "matrices": matrices, "area": dict(AREAS), "splits": ["stimuli"]}},
    }


DATASET = Dataset(
    meaning="Dissimilarities of 78 images in early visual cortex and IT of 15 subjects, to be downloaded by hand.",
    expand=expand,
    reference="Cichy et al. 2019",
    work="Cichy RM, Roig G, Andonian A, et al. (2019). arXiv:1905.05675.",
    licence="none stated",
    size="4 MB",
    source="github.com/cvai-roig-lab/Net2Brain",
)
