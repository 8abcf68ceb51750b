"""The judgements of Mur et al. 2013 (Frontiers in Psychology 4:128): similarity of 92 images, by 16 people.

The images are those of Kriegeskorte et al. 2008, in the same order. People arranged them on a screen.
"""

from pathlib import Path

import numpy as np

from ventral.datasets import Dataset, kriegeskorte2008, made_by
from ventral.datasets.folders import folder_with
from ventral.errors import InputError
from ventral.outputs import writing

NAME = "mur2013_judgements"
FILE = "92_behavRDMs.mat"
# The same matrices as an array, in a collection of data.
ARRAY = "mur2013_similarity_judgements_92.npz"
SOURCE = (
    "https://raw.githubusercontent.com/rsagroup/rsatoolbox/f1f83cadb7243492a1aae7460466e0f0140b20ac/"
    f"demos/92imageData/{FILE}"
)
DOWNLOADS = {
    f"{NAME}/{FILE}": {"url": SOURCE, "sha256": "7a8e118c144c3840adeeeef6ea0706a0be2b3e80df719af15fbb56fc62562f5f"}
}
STIMULI, MATRICES = "kriegeskorte2008", "judgements"
SHAPE = (16, 92, 92)


def expand(folder: str | None, results: str, *, resources: str = "resources") -> dict:
    """Return the stimulus set and the recording in the form of the config, with the stimuli of kriegeskorte2008.

    Parameters
    ----------
    folder : str or None
        Folder with the source's file, and with that of kriegeskorte2008, each there or in a folder of the data set's
        name; None downloads them.
    results : str
        Folder of all outputs.
    resources : str
        Folder of downloads.

    Raises
    ------
    InputError
        If a file is not in `folder`.
    """
    shown = kriegeskorte2008.expand(folder, results, resources=resources)
    source = f"{resources}/{NAME}/{FILE}" if folder is None else _found(Path(folder))
    matrices = f"{results}/datasets/{NAME}/matrices.npz"
    unpacks = {path: made for path, made in shown["unpacks"].items() if made["writer"] != "matrices"}
    unpacks[matrices] = made_by(NAME, "matrices", {"source": source})
    downloads = {source: DOWNLOADS[f"{NAME}/{FILE}"]} if folder is None else {}
    return {
        "stimuli": shown["stimuli"],
        "recordings": {NAME: {"stimuli": STIMULI, "matrices": matrices, "area": MATRICES, "splits": ["stimuli"]}},
        "unpacks": unpacks,
        "downloads": {**shown["downloads"], **downloads},
    }


def write_matrices(output: Path, *, source: str) -> None:
    """Write an npz file with the matrices (16, 92, 92) of all people, called `judgements`."""
    matrices = read(source)
    with writing(output) as unfinished, unfinished.open("wb") as file:
        np.savez(file, **{MATRICES: matrices})


def read(source: str) -> np.ndarray:
    """Read the dissimilarities (16, 92, 92) in the source's file, or in the array of a collection.

    Raises
    ------
    InputError
        If the file is not the source's.
    """
    import scipy.io

    try:
        if source.endswith(".npz"):
            with np.load(source) as arrays:
                matrices = arrays["human_similarity"].astype(float)
        else:
            content = scipy.io.loadmat(source, simplify_cells=True)
            matrices = np.array([entry["RDM"] for entry in content["rdms_behav_92"]], dtype=float)
    except Exception as error:  # SciPy's reader raises whatever the bytes make it stumble over
        raise InputError(
            f"{NAME}: {source}: cannot be read: {error!r}; the file {FILE} of {SOURCE} is right"
        ) from error
    if matrices.shape != SHAPE:
        raise InputError(f"{NAME}: {source}: matrices {matrices.shape}; {SHAPE} is right, as in {SOURCE}")
    return matrices


def _found(given: Path) -> str:
    try:
        return str(folder_with(given, [FILE], ("", NAME), NAME) / FILE)
    except InputError:
        if (given / NAME / ARRAY).is_file():
            return str(given / NAME / ARRAY)
        raise


DATASET = Dataset(
    meaning="Similarity judgements of 16 people on the 92 images of kriegeskorte2008.",
    expand=expand,
    reference="Mur et al. 2013",
    work="Mur M, Meys M, Bodurka J, et al. (2013). Frontiers in Psychology 4:128.",
    downloads=DOWNLOADS,
    writers={"matrices": write_matrices},
    licence="MIT, the licence of the repository",
    size="1 MB, and 3 MB of kriegeskorte2008",
    source="github.com/rsagroup/rsatoolbox, folder demos/92imageData",
)
