"""Data of the Algonauts Challenge 2023 (Gifford et al. 2023, arXiv:2301.03198): NSD on the surface of the cortex.

Eight subjects have responses at vertices of both hemispheres, as means over the trials of an image. Responses to the
training images are public. Repetitions and noise ceilings are not.
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ventral.datasets import Dataset, made_by
from ventral.datasets.folders import folder_with
from ventral.datasets.nsd import AREAS, named_rois
from ventral.errors import InputError
from ventral.outputs import writing

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger("ventral")

NAME = "algonauts2023"
FOLDERS = ("", NAME, "algonauts_2023_challenge_data")
IMAGES = "training_split/training_images"
RESPONSES = "training_split/training_fmri/{}_training_fmri.npy"
ROIS = "roi_masks/{}.{}_challenge_space.npy"
HEMISPHERES = ("lh", "rh")
AXES = ("stimulus", "neuroid")
AT_ONCE = 200


def expand(folder: str | None, results: str, *, subjects: Sequence[int]) -> dict:
    """Return the stimulus set and the recording of each subject in the form of the config.

    Parameters
    ----------
    folder : str or None
        Folder with the source's folders `subj01` and so on.
    results : str
        Folder of all outputs. The standard files are in ``datasets/algonauts2023`` below it.
    subjects : sequence of int
        Numbers from 1 to 8.

    Returns
    -------
    dict
        Has `stimuli` and `recordings`, each with names such as `algonauts2023_subj01`, and `unpacks`, the writers of
        the files of the recordings by path. Images are read from the given folder: the row of a response is the place
        of its image by name.

    Raises
    ------
    InputError
        If `folder` is missing or lacks a file.
    """
    if folder is None:
        raise InputError(
            f"folder: missing; the data set {NAME} is not downloaded by itself, as its source asks for an agreement: "
            f"sign it at algonauts.csail.mit.edu (2023), get the folders subj01 and so on, and name the folder of these"
        )
    stimuli, recordings, unpacks = {}, {}, {}
    for number in subjects:
        subject = f"subj{number:02d}"
        name, unpacked = f"{NAME}_{subject}", f"{results}/datasets/{NAME}/{subject}"
        fmri = {side: f"{subject}/{RESPONSES.format(side)}" for side in HEMISPHERES}
        rois = {
            f"{side}_{kind}": f"{subject}/{ROIS.format(side, file)}"
            for side in HEMISPHERES
            for kind, file in (("visual", "prf-visualrois"), ("streams", "streams"))
        }
        place = folder_with(Path(folder), [*fmri.values(), *rois.values()], FOLDERS, NAME)
        if not (place / subject / IMAGES).is_dir():
            raise InputError(f"folder: {place}: no folder {subject}/{IMAGES}, with the images that {subject} saw")
        stimuli[name] = {"images": str(place / subject / IMAGES)}
        recordings[name] = {
            "stimuli": name,
            "responses": f"{unpacked}_responses.npy",
            "axes": list(AXES),
            "neuroids": f"{unpacked}_neuroids.csv",
            "animal": subject,
            "splits": ["stimuli"],
        }
        for kind, inputs in (("responses", fmri | rois), ("neuroids", rois)):
            paths = {key: str(place / file) for key, file in inputs.items()}
            unpacks[recordings[name][kind]] = made_by(NAME, kind, paths)
    return {"stimuli": stimuli, "recordings": recordings, "unpacks": unpacks}


def write_responses(output: Path, *, lh: str, rh: str, **rois: str) -> None:
    """Write the responses (stimulus, neuroid) float32 of the chosen vertices, the left hemisphere first.

    Parameters
    ----------
    output : path
        The npy file.
    lh, rh : paths
        Responses (stimuli, vertices) of each hemisphere, npy.
    **rois : paths
        As for `write_neuroids`.

    Raises
    ------
    InputError
        If an array is not as in the source, or the hemispheres differ in the number of stimuli. Also if a mask and the
        responses differ in the number of vertices.
    """
    from ventral.recordings.arrays import open_array

    right = "an array (stimuli, vertices) of numbers is right"
    paths = dict(zip(HEMISPHERES, (lh, rh), strict=True))
    arrays = {side: open_array(path, NAME, right) for side, path in paths.items()}
    named = {side: _named(side, rois) for side in HEMISPHERES}
    for side, array in arrays.items():
        _check(array, paths[side], 2, right)
        if array.shape[1] != len(named[side]):
            raise InputError(
                f"{NAME}: {paths[side]}: {array.shape[1]} vertices (its shape is {array.shape}), where "
                f"{rois[f'{side}_visual']} has {len(named[side])}; files of one subject, in challenge space, are right"
            )
    n_stimuli = len(arrays["lh"])
    if len(arrays["rh"]) != n_stimuli:
        raise InputError(
            f"{NAME}: {rh}: responses to {len(arrays['rh'])} stimuli, where {lh} has {n_stimuli}; files of one subject "
            f"are right"
        )
    places = {side: np.flatnonzero(names != "") for side, names in named.items()}
    with writing(output) as unfinished:
        shape = (n_stimuli, sum(map(len, places.values())))
        file = np.lib.format.open_memmap(unfinished, "w+", np.float32, shape)
        for start in range(0, n_stimuli, AT_ONCE):
            rows = slice(start, start + AT_ONCE)
            file[rows] = np.concatenate([array[rows][:, places[side]] for side, array in arrays.items()], axis=1)
        file.flush()
    logger.info("unpacked %s and %s: %d stimuli, %d vertices", lh, rh, *shape)


def write_neuroids(output: Path, **rois: str) -> None:
    """Write a CSV of the chosen vertices with `neuroid` (such as lh_00012), `area`, `roi` and `hemisphere`.

    Parameters
    ----------
    output : path
    **rois : paths
        Labels (vertices,) of each hemisphere, npy: `lh_visual` and `rh_visual` of `prf-visualrois`, and `lh_streams`
        and `rh_streams` of `streams`.

    Raises
    ------
    InputError
        If an array is not as in the source, the two arrays of a hemisphere differ in length, or no vertex has a label.
    """
    import pandas as pd

    vertices = pd.concat([_vertices(side, rois) for side in HEMISPHERES])
    if vertices.empty:
        raise InputError(f"{NAME}: {rois['lh_visual']}: no vertex of {', '.join(AREAS)} in any of {', '.join(rois)}")
    with writing(output) as unfinished:
        vertices.to_csv(unfinished, index=False, lineterminator="\n")


def _vertices(side: str, rois: Mapping[str, str]) -> "pd.DataFrame":
    import pandas as pd

    named = _named(side, rois)
    places = np.flatnonzero(named != "")
    return pd.DataFrame(
        {
            "neuroid": [f"{side}_{place:05d}" for place in places],
            "area": [AREAS[roi] for roi in named[places]],
            "roi": named[places],
            "hemisphere": side,
        }
    )


def _named(side: str, rois: Mapping[str, str]) -> NDArray[np.object_]:
    """Return the name of the region of each vertex of a hemisphere, '' for vertices that are not chosen."""
    from ventral.recordings.arrays import open_array

    right = "an array (vertices,) of labels is right"
    visual, streams = rois[f"{side}_visual"], rois[f"{side}_streams"]
    labels = [open_array(path, NAME, right) for path in (visual, streams)]
    for path, array in zip((visual, streams), labels, strict=True):
        _check(array, path, 1, right)
    if len(labels[0]) != len(labels[1]):
        raise InputError(
            f"{NAME}: {streams}: {len(labels[1])} vertices, where {visual} has {len(labels[0])}; masks of one subject, "
            f"in challenge space, are right"
        )
    return named_rois(*labels)


def _check(array: NDArray, path: str, n_axes: int, right: str) -> None:
    if array.ndim != n_axes or array.dtype.kind not in "fiu":
        raise InputError(f"{NAME}: {path}: its shape is {array.shape}, its values {array.dtype}; {right}")


DATASET = Dataset(
    meaning="Responses of human visual cortex (fMRI of NSD) at vertices, eight subjects, to be downloaded by hand.",
    expand=expand,
    reference="Gifford et al. 2023",
    work="Gifford AT, Lahner B, Saba-Sadiya S, et al. (2023). arXiv:2301.03198.",
    options={
        "subjects": {
            "description": "Subjects, 1 to 8; the recordings are called `algonauts2023_subj01` and so on.",
            "type": "array",
            "minItems": 1,
            "uniqueItems": True,
            "items": {"type": "integer", "minimum": 1, "maximum": 8},
            "default": [1],
        }
    },
    licence="terms and conditions of NSD, to be agreed to (naturalscenesdataset.org)",
    size="1.6 GB of responses of a subject with 9,841 images, and the images",
    source="algonauts.csail.mit.edu, challenge of 2023",
    writers={"responses": write_responses, "neuroids": write_neuroids},
)
