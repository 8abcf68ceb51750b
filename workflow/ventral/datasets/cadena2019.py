"""The recordings of Cadena et al. 2019 (PLoS Computational Biology 15:e1006897): spikes of macaque V1 to images.

The images are 1,450 photographs, and four textures of each. A texture has the statistics of its photograph in the
first layers of a network. The pickle `cadena_ploscb_data.pkl` (doi.org/10.12751/g-node.2e31e3) is read without
executing code. Its layout follows the authors' code (github.com/sacadena/Cadena2019PlosCB, `cnn_sys_ident/data.py`).
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ventral.datasets import Dataset, made_by
from ventral.datasets.archives import png, write_zip
from ventral.datasets.folders import folder_with
from ventral.errors import InputError
from ventral.outputs import writing

NAME = "cadena2019"
FILE = "cadena_ploscb_data.pkl"
# Folders below the given one that may have the file, as the source has them.
FOLDERS = ("", NAME, "data_binned_responses", "Cadena_PlosCB19_data/data_binned_responses")
AREA = "V1"
SHAPES = {
    "images": "(images, rows, columns)",
    "responses": "(repetitions, images, neurons)",
    "image_ids": "one for each image",
    "image_types": "one for each image",
    "subject_id": "one for each neuron",
    "repetitions": "one for each neuron",
}
# The textures of a photograph look like it.
SPLIT = {"column": "photograph", "folds": 5}


def expand(folder: str | None, results: str, *, crop: int) -> dict:
    """Return the stimulus set and the recording in the form of the config.

    Parameters
    ----------
    folder : str or None
        Folder with the source's file, or one above.
    results : str
        Folder of all outputs. The standard files are in ``datasets/cadena2019`` below it.
    crop : int
        Number of pixels cut off each side of the images.

    Returns
    -------
    dict
        Has `stimuli` and `recordings`, each with the only name `cadena2019`, and `unpacks`.

    Raises
    ------
    InputError
        If `folder` is missing or lacks the file.
    """
    if folder is None:
        raise InputError(
            f"folder: missing; the data set {NAME} is not downloaded by itself, as its licence asks to contact the "
            f"authors first: get {FILE} of doi.org/10.12751/g-node.2e31e3, and name its folder"
        )
    source = str(folder_with(Path(folder), [FILE], FOLDERS, NAME) / FILE)
    images, table, responses, neuroids = (
        f"{results}/datasets/{NAME}/{file}" for file in ("images.zip", "stimuli.csv", "responses.npy", "neuroids.csv")
    )
    inputs = {"source": source}
    return {
        "stimuli": {NAME: {"images": images, "table": table}},
        "recordings": {
            NAME: {
                "stimuli": NAME,
                "responses": responses,
                "axes": ["repetition", "stimulus", "neuroid"],
                "neuroids": neuroids,
                "area": AREA,
                "splits": [dict(SPLIT)],
            }
        },
        "unpacks": {
            images: made_by(NAME, "images", inputs, crop=crop),
            table: made_by(NAME, "table", inputs),
            responses: made_by(NAME, "responses", inputs),
            neuroids: made_by(NAME, "neuroids", inputs),
        },
    }


def write_images(output: Path, *, source: str | Path, crop: int) -> None:
    """Write a zip of PNG files, image0001.png and so on, in the order of the responses.

    Parameters
    ----------
    output : path
        The zip.
    source : path
        Pickle of the source.
    crop : int
        Number of pixels cut off each side.

    Raises
    ------
    InputError
        As for `read`, and if values are outside 0 to 255, or the cut leaves nothing.
    """
    images = read(source)["images"]
    side = min(images.shape[1:])
    if 2 * crop >= side:
        raise InputError(
            f"{NAME}: dataset.{NAME}.crop: {crop} pixels off each side leave nothing of {side}; less than "
            f"{side // 2} is right"
        )
    lowest, highest = images.min(), images.max()
    # A comparison with NaN is false.
    if not (lowest >= 0 and highest <= 255):
        raise InputError(f"{NAME}: {source}: `images` from {lowest:g} to {highest:g}; from 0 to 255 is right")
    cut = images[:, crop : images.shape[1] - crop, crop : images.shape[2] - crop]
    grey = (np.rint(image).astype(np.uint8) for image in cut)
    write_zip(output, zip(_names(len(images)), map(png, grey), strict=True))


def write_table(output: Path, *, source: str | Path) -> None:
    """Write the CSV of the images.

    Its columns are `stimulus`, `photograph` and `kind`. `photograph` is the image itself, or the photograph of the
    texture. `kind` is `original`, or the layer of the statistics of the texture, `conv1` to `conv4`.

    Parameters
    ----------
    output : path
        The CSV.
    source : path
        Pickle of the source.

    Raises
    ------
    InputError
        As for `read`.
    """
    import pandas as pd

    content = read(source)
    photographs = [f"photograph{name}" for name in content["image_ids"]]
    with writing(output) as unfinished:
        pd.DataFrame(
            {"stimulus": _names(len(photographs)), "photograph": photographs, "kind": content["image_types"]}
        ).to_csv(unfinished, index=False, lineterminator="\n")


def write_responses(output: Path, *, source: str | Path) -> None:
    """Write an npy file with an array (repetitions, images, neurons) float32, NaN where not shown.

    Neurons with two repetitions have NaN in the others: copies of the first two would make ceilings too high.

    Parameters
    ----------
    output : path
        The npy file.
    source : path
        Pickle of the source.

    Raises
    ------
    InputError
        As for `read`.
    """
    content = read(source)
    responses = content["responses"].astype(np.float32)
    shown = np.arange(len(responses))[:, None] < content["repetitions"].astype(np.int64)
    responses.transpose(0, 2, 1)[~shown] = np.nan
    with writing(output) as unfinished, unfinished.open("wb") as file:
        np.save(file, responses)


def write_neuroids(output: Path, *, source: str | Path) -> None:
    """Write the CSV of the neurons, in the order of the responses: `neuroid`, `animal` and `repetitions`.

    Parameters
    ----------
    output : path
        The CSV.
    source : path
        Pickle of the source.

    Raises
    ------
    InputError
        As for `read`.
    """
    import pandas as pd

    content = read(source)
    animals = [f"monkey{name}" for name in content["subject_id"]]
    names = [f"neuron{k:03d}" for k in range(1, len(animals) + 1)]
    with writing(output) as unfinished:
        pd.DataFrame({"neuroid": names, "animal": animals, "repetitions": content["repetitions"]}).to_csv(
            unfinished, index=False, lineterminator="\n"
        )


def _names(n_images: int) -> list[str]:
    return [f"image{k:04d}.png" for k in range(1, n_images + 1)]


def read(source: str | Path) -> dict[str, NDArray]:
    """Read the pickle of the source without executing code.

    Returns
    -------
    dict of arrays
        `images` (images, rows, columns), `responses` (repetitions, images, neurons), `image_ids` and `image_types`
        (images,) of text, `subject_id` (neurons,) of text, and `repetitions` (neurons,).

    Raises
    ------
    InputError
        If the file is not the file of the source.
    """
    from ventral.datasets.pickles import read_pickle

    content, place = read_pickle(source, NAME), f"{NAME}: {source}"
    right = f"{', '.join(f'`{name}` {shape}' for name, shape in SHAPES.items())} are right, as in the source's {FILE}"
    if not isinstance(content, dict):
        raise InputError(f"{place}: a {type(content).__name__}, not a dict; {right}")
    for name in SHAPES:
        if name not in content:
            raise InputError(f"{place}: no `{name}`; it has {', '.join(map(str, content))}; {right}")
    found = {name: np.asarray(content[name]) for name in SHAPES}
    for name in ("images", "responses"):
        if found[name].ndim != 3 or found[name].dtype.kind not in "fiu":
            raise InputError(f"{place}: `{name}` {found[name].shape} of {found[name].dtype}; {right}")
    n_images, n_neurons = found["responses"].shape[1:]
    for name, number in zip(SHAPES, (n_images, None, n_images, n_images, n_neurons, n_neurons), strict=True):
        # The numbers and types of images have a second axis of length 1.
        length = len(found[name]) if name == "images" else found[name].size
        if number is not None and length != number:
            raise InputError(
                f"{place}: `{name}` {found[name].shape}, where `responses` {found['responses'].shape} has {n_images} "
                f"images and {n_neurons} neurons; {right}"
            )
    if found["repetitions"].dtype.kind not in "fiu":
        raise InputError(f"{place}: `repetitions` is of {found['repetitions'].dtype}; numbers are right")
    texts = {name: _texts(found[name]) for name in ("image_ids", "image_types", "subject_id")}
    return found | texts | {"repetitions": found["repetitions"].ravel()}


def _texts(values: NDArray) -> NDArray[np.str_]:
    """Return numbers, text or bytes as text, along one axis."""
    plain = [value.decode("latin1") if isinstance(value, bytes) else value for value in values.ravel().tolist()]
    return np.array([f"{value:g}" if isinstance(value, float) else str(value) for value in plain])


DATASET = Dataset(
    meaning="Spikes of macaque V1 to photographs and textures made of them, to be downloaded by hand.",
    expand=expand,
    reference="Cadena et al. 2019",
    work="Cadena SA, Denfield GH, Walker EY, et al. (2019). PLoS Computational Biology 15:e1006897.",
    options={
        "crop": {
            "description": "Number of pixels cut off each side of the 140 x 140 images. The authors cut off 30.",
            "type": "integer",
            "minimum": 0,
            "maximum": 69,
            "default": 0,
        }
    },
    writers={
        "images": write_images,
        "table": write_table,
        "responses": write_responses,
        "neuroids": write_neuroids,
    },
    licence="CC BY-NC-ND 4.0; the authors ask to be contacted before use",
    size="not measured",
    source="doi.org/10.12751/g-node.2e31e3",
)
