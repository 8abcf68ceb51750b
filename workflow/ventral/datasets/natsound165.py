"""The components of Norman-Haignere, Kanwisher and McDermott 2015 (Neuron 88:1281): human auditory cortex, 165 sounds.

Six components explain most of the fMRI responses of voxels to the sounds. Each has a name and a response to every
sound. The files are not downloaded, since the source states no licence. A folder has `components.mat` and a folder
`wav`, or the source's folders `data` and `sounds` (in older versions `stimuli`) with these.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ventral.datasets import Dataset, made_by
from ventral.errors import InputError
from ventral.outputs import writing

if TYPE_CHECKING:
    import pandas as pd

NAME = "natsound165"
FILE = "components.mat"
# Folders below the given one that may have the files.
FOLDERS = ("", NAME)
# Places of components and sounds: in one folder, and in versions of the source.
PLACES = ((FILE, "wav"), (f"data/{FILE}", "sounds/wav"), (f"data/{FILE}", "stimuli/wav"))
# As Tuckute et al. 2023 (PLoS Biology 21:e3002366) present the sounds to networks.
SOUNDS = {"rate": 20000, "seconds": 2, "level": 0.1}
# Training and test sets of Tuckute et al. 2023: 83 sounds and the other 82, with penalties by leave-one-out.
SPLITS = ["stimuli", {"name": "random", "random": 10, "train": 83, "leave_one_out": True}]
ARRAYS = ("R", "component_names", "stim_names", "category_labels")


def expand(folder: str | None, results: str) -> dict:
    """Return the stimulus set and the recording in the form of the config.

    Parameters
    ----------
    folder : str or None
        Folder with the files, or with a folder `natsound165` that has them.
    results : str
        Folder of all outputs. The standard files are in ``datasets/natsound165`` below it.

    Returns
    -------
    dict
        Has `stimuli` and `recordings`, each with the only name `natsound165`, and `unpacks`, the writers of table,
        responses and neuroids by path. Each component is an area.

    Raises
    ------
    InputError
        If `folder` is missing or lacks a file.
    """
    components, _ = published(folder)
    responses, neuroids = (f"{results}/datasets/{NAME}/{file}" for file in ("responses.npy", "neuroids.csv"))
    shared, inputs = stimuli(folder, results), {"components": components}
    recording = {"stimuli": NAME, "responses": responses, "neuroids": neuroids, "splits": [*SPLITS]}
    return shared | {
        "recordings": {NAME: recording},
        "unpacks": shared["unpacks"]
        | {responses: made_by(NAME, "responses", inputs), neuroids: made_by(NAME, "neuroids", inputs)},
    }


def stimuli(folder: str | None, results: str) -> dict:
    """Return the stimulus set alone, as `expand` does; its order is that of the components."""
    components, sounds = published(folder)
    table = f"{results}/datasets/{NAME}/stimuli.csv"
    return {
        "stimuli": {NAME: {"sounds": sounds, "table": table, **SOUNDS}},
        "unpacks": {table: made_by(NAME, "table", {"components": components})},
    }


def published(folder: str | None) -> tuple[str, str]:
    """Return the paths of `components.mat` and of the folder of sounds.

    Raises
    ------
    InputError
        If `folder` is missing or lacks a file.
    """
    if folder is None:
        raise InputError(
            f"folder: missing; the data set {NAME} is not downloaded by itself, as its source states no licence: get "
            f"github.com/snormanhaignere/natsound165-neuron2015, and name its folder"
        )
    given = Path(folder)
    if not given.is_dir():
        raise InputError(f"folder: no such folder: {given}")
    for below in FOLDERS:
        for components, sounds in PLACES:
            found = given / below / components, given / below / sounds
            if found[0].is_file() and found[1].is_dir():
                return str(found[0]), str(found[1])
    either = ", or ".join(f"{components} and the folder {sounds}" for components, sounds in PLACES)
    raise InputError(f"folder: {given}: data set {NAME} needs {either}, there or in its folder {NAME}")


def write_table(output: Path, *, components: str | Path) -> None:
    """Write the CSV of the sounds, with `stimulus` and `category`, in the order of the components."""
    _, sounds = read(components)
    with writing(output) as unfinished:
        sounds.to_csv(unfinished, index=False, lineterminator="\n")


def write_responses(output: Path, *, components: str | Path) -> None:
    """Write an npy file with the response of each component to each sound (6, 165)."""
    responses, _ = read(components)
    with writing(output) as unfinished, unfinished.open("wb") as file:
        np.save(file, responses.to_numpy().T)


def write_neuroids(output: Path, *, components: str | Path) -> None:
    """Write the CSV of the components, each with its name as `neuroid` and as `area`."""
    responses, _ = read(components)
    names = responses.columns
    with writing(output) as unfinished:
        names.to_frame(index=False, name="neuroid").assign(area=names).to_csv(
            unfinished, index=False, lineterminator="\n"
        )


def read(components: str | Path) -> tuple["pd.DataFrame", "pd.DataFrame"]:
    """Read the source's `components.mat`.

    Returns
    -------
    responses : DataFrame
        Responses (sounds, components), with the names of the components.
    sounds : DataFrame
        `stimulus` (such as `stim28_big_band_music`) and `category`, of the same sounds.

    Raises
    ------
    InputError
        If the file is not the source's.
    """
    import pandas as pd
    import scipy.io

    place, wrong = f"{NAME}: {components}", f"the file {FILE} of the source is right"
    if not Path(components).is_file():
        raise InputError(f"{place}: no such file; {wrong}")
    try:
        content = scipy.io.loadmat(components, variable_names=ARRAYS, simplify_cells=True)
    except Exception as error:  # SciPy's reader raises whatever the bytes make it stumble over
        raise InputError(f"{place}: cannot be read, or cut short: {error}; {wrong}") from error
    if missing := [name for name in ARRAYS if name not in content]:
        raise InputError(f"{place}: it has no {', '.join(missing)}; {wrong}")
    responses, names, stimuli, categories = (np.atleast_1d(content[name]) for name in ARRAYS)
    if responses.shape != (len(stimuli), len(names)) or len(categories) != len(stimuli):
        raise InputError(
            f"{place}: R {responses.shape}, {len(stimuli)} stim_names, {len(categories)} category_labels and "
            f"{len(names)} component_names; {wrong}"
        )
    return (
        pd.DataFrame(responses.astype(np.float64), columns=[str(name) for name in names]),
        pd.DataFrame({"stimulus": stimuli, "category": categories}).astype(str),
    )


def in_order(stimuli: NDArray, components: str | Path, place: str) -> NDArray[np.intp]:
    """Return the row of each sound of the stimulus set among the sounds of another file.

    Parameters
    ----------
    stimuli : (n,) array of str
        Names of that file's sounds, such as `stim28_big_band_music.wav`.
    components : path
        The source's `components.mat`.
    place : str
        That file, for messages.

    Raises
    ------
    InputError
        If the sounds are not the same.
    """
    _, sounds = read(components)
    rows = {str(name).removesuffix(".wav"): row for row, name in enumerate(stimuli)}
    wanted = list(sounds["stimulus"])
    if len(rows) != len(stimuli) or set(rows) != set(wanted):
        apart = sorted(set(rows) ^ set(wanted)) or ["a sound with several rows"]
        raise InputError(
            f"{place}: its {len(stimuli)} sounds are not the {len(wanted)} of {components}, each once: {apart[0]}"
        )
    return np.array([rows[name] for name in wanted])


DATASET = Dataset(
    meaning="Six components of human auditory cortex (fMRI), for 165 sounds, to be downloaded by hand.",
    expand=expand,
    reference="Norman-Haignere et al. 2015",
    work="Norman-Haignere S, Kanwisher NG, McDermott JH (2015). Neuron 88:1281.",
    writers={"table": write_table, "responses": write_responses, "neuroids": write_neuroids},
    licence="none stated",
    size="25 MB",
    source="github.com/snormanhaignere/natsound165-neuron2015",
)
