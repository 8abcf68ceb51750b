"""The THINGS Ventral Stream Spiking Dataset (Papale et al. 2025, Neuron): V1, V4 and IT of two macaques.

1,024 channels have multi-unit activity to 22,248 images that were shown once, and to 100 that were shown 30 times. The
files are those of the source (gin.g-node.org/paolo_papale/TVSD). Axes are in the order of h5py:

- `monkeyX/THINGS_normMUA.mat`: `train_MUA` (stimuli, channels), `test_MUA_reps` (repetitions, stimuli, channels),
  `reliab` (pairs of repetitions, channels), and `oracle`, one number for each channel.
- `monkeyX/_logs/things_imgs.mat`: groups `train_imgs` and `test_imgs`, each with `class` and `things_path`, references
  to text, in the order of the stimuli.
- `object_images`: the images of THINGS, in a folder for each concept.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ventral.datasets import Dataset, made_by
from ventral.datasets.archives import write_zip
from ventral.datasets.folders import folder_with
from ventral.datasets.hdf5 import array_of, opened
from ventral.errors import InputError, shown
from ventral.outputs import writing

if TYPE_CHECKING:
    import h5py
    import pandas as pd

NAME = "tvsd"
ACTIVITY, LOGS, IMAGES = "monkey{}/THINGS_normMUA.mat", "monkey{}/_logs/things_imgs.mat", "object_images"
# Folders below the given one that may have the files.
FOLDERS = ("", NAME, "TVSD")
PARTS = ("train", "test")
# First channel of each area, in the order of the arrays. This order differs between the animals.
FIRST_CHANNELS = {"F": {"V1": 0, "IT": 512, "V4": 832}, "N": {"V1": 0, "V4": 512, "IT": 768}}
CHANNELS, CHANNELS_OF_ARRAY = 1024, 64
# Largest reliability with a useful ratio of signal and noise.
LARGEST = 0.999
RIGHT = "arrays in the order of axes of the published file, as h5py shows them, are right"


def expand(folder: str | None, results: str, *, monkeys: Sequence[str], size: int) -> dict:
    """Return the stimulus set and the recordings in the form of the config.

    Parameters
    ----------
    folder : str or None
        Folder with `monkeyF`, `monkeyN` and `object_images`, or one above.
    results : str
        Folder of all outputs. The standard files are in ``datasets/tvsd`` below it.
    monkeys : sequence of str
        `F`, `N` or both.
    size : int
        Side of the images, in pixels.

    Returns
    -------
    dict
        Has `stimuli` with the only name `tvsd`, `recordings` with the names `tvsd_F` and `tvsd_N`, and `unpacks`.

    Raises
    ------
    InputError
        If `folder` is missing or lacks a file.
    """
    files = [path.format(monkey) for monkey in monkeys for path in (ACTIVITY, LOGS)]
    if folder is None:
        raise InputError(
            f"folder: missing; the data set {NAME} is not downloaded by itself: get {', '.join(files)} of "
            f"gin.g-node.org/paolo_papale/TVSD, and the folder {IMAGES} of THINGS (osf.io/jum2f), whose terms you "
            f"accept there, and name the folder that has all of them"
        )
    found = folder_with(Path(folder), files, FOLDERS, NAME)
    if not (found / IMAGES).is_dir():
        raise InputError(f"folder: {found}: data set {NAME} has no folder {IMAGES} there, with the images of THINGS")
    logs = [str(found / LOGS.format(monkey)) for monkey in monkeys]
    made = f"{results}/datasets/{NAME}"
    images, table = f"{made}/images.zip", f"{made}/stimuli.csv"
    unpacks = {
        images: made_by(NAME, "images", {"logs": logs[:1], "images": str(found / IMAGES)}),
        table: made_by(NAME, "table", {"logs": logs}),
    }
    recordings = {}
    for monkey in monkeys:
        activity = {"activity": str(found / ACTIVITY.format(monkey))}
        responses, neuroids = f"{made}/{monkey}_responses.npy", f"{made}/{monkey}_neuroids.csv"
        unpacks[responses] = made_by(NAME, "responses", activity)
        unpacks[neuroids] = made_by(NAME, "neuroids", activity, monkey=monkey)
        recordings[f"{NAME}_{monkey}"] = {
            "stimuli": NAME,
            "responses": responses,
            "neuroids": neuroids,
            "ceiling": {"column": "signal_to_noise", "kind": "snr"},
            "splits": [{"partition": "part", "name": "published"}],
        }
    return {
        "stimuli": {NAME: {"images": images, "table": table, "size": size}},
        "recordings": recordings,
        "unpacks": unpacks,
    }


def write_images(output: Path, *, logs: Sequence[str], images: str) -> None:
    """Write a zip of the images that were shown, without those of THINGS that were not.

    Parameters
    ----------
    output : path
        The zip, with the names of `stimuli_of`.
    logs : sequence of path
        Paths of files `things_imgs.mat`.
    images : path
        Folder of the images of THINGS.

    Raises
    ------
    InputError
        As for `stimuli_of`, and if images are missing.
    """
    folder, names = Path(images), stimuli_of(logs)["stimulus"].tolist()
    if absent := [name for name in names if not (folder / name).is_file()]:
        raise InputError(f"{NAME}: {folder}: {len(absent)} of {len(names)} images are not there: {shown(absent, 3)}")
    write_zip(output, ((name, (folder / name).read_bytes()) for name in names))


def write_table(output: Path, *, logs: Sequence[str]) -> None:
    """Write the CSV of the stimuli that all animals saw, with the columns of `stimuli_of`."""
    table = stimuli_of(logs)
    with writing(output) as unfinished:
        table.to_csv(unfinished, index=False, lineterminator="\n")


def write_responses(output: Path, *, activity: str) -> None:
    """Write an npy file with an array (channels, stimuli, repetitions) float32, NaN where not shown.

    Stimuli of the training set come first, each with one repetition.

    Parameters
    ----------
    output : path
        The npy file.
    activity : path
        The file `THINGS_normMUA.mat` of an animal.

    Raises
    ------
    InputError
        If the file is not the file of the source.
    """
    with opened(activity, NAME) as file:
        train, test = _activity(file)
        n_train, (n_repetitions, n_test, _) = len(train), test.shape
        shape = (CHANNELS, n_train + n_test, n_repetitions)
        with writing(output) as unfinished:
            # The array of an animal has 2.7 GB, so it is never whole in memory.
            array = np.lib.format.open_memmap(unfinished, mode="w+", dtype=np.float32, shape=shape)
            array[:, :n_train, 1:] = np.nan
            array[:, :n_train, 0] = train[:].T
            array[:, n_train:] = test[:].transpose(2, 1, 0)
            array.flush()


def write_neuroids(output: Path, *, activity: str, monkey: str) -> None:
    """Write the CSV of an animal's channels.

    `area` and `array` follow the order of the channels. `reliab` is the mean correlation of two single repetitions of
    the test images, over all pairs. S is the variance of the signal, and N that of the noise of one response. `reliab`
    is S / (S + N), and `signal_to_noise` is S / N.

    Parameters
    ----------
    output : path
        The CSV.
    activity : path
        The file `THINGS_normMUA.mat` of the animal.
    monkey : str
        `F` or `N`.

    Raises
    ------
    InputError
        If the file is not the file of the source.
    """
    import pandas as pd

    with opened(activity, NAME) as file:
        reliability = np.nanmean(_by_channel(file, "reliab"), axis=0)
        oracle = _by_channel(file, "oracle").ravel()
    share = np.clip(reliability, 0, LARGEST)
    table = pd.DataFrame(
        {
            "neuroid": [f"{monkey}{channel:04d}" for channel in range(CHANNELS)],
            "area": areas_of(monkey),
            "animal": monkey,
            "array": [f"array{channel // CHANNELS_OF_ARRAY:02d}" for channel in range(CHANNELS)],
            "reliab": reliability,
            "oracle": oracle,
            "signal_to_noise": share / (1 - share),
        }
    )
    with writing(output) as unfinished:
        table.to_csv(unfinished, index=False, lineterminator="\n")


def areas_of(monkey: str) -> NDArray[np.str_]:
    """Return the area of each channel (1024,) of an animal."""
    areas, first = zip(*FIRST_CHANNELS[monkey].items(), strict=True)
    return np.repeat(areas, np.diff([*first, CHANNELS]))


def stimuli_of(logs: Sequence[str | Path]) -> "pd.DataFrame":
    """Return the stimuli that the logs of all animals name, in the order of the responses.

    Parameters
    ----------
    logs : sequence of path
        Paths of files `things_imgs.mat`.

    Returns
    -------
    DataFrame
        `stimulus` (path below the images of THINGS), `concept` (such as `aardvark`) and `part` (`train` or `test`).

    Raises
    ------
    InputError
        If a file is not the file of the source, or the animals saw different stimuli.
    """
    first, *others = (_stimuli(path) for path in logs)
    for path, other in zip(logs[1:], others, strict=True):
        if not first.equals(other):
            raise InputError(
                f"{NAME}: {path}: other stimuli than in {logs[0]}, or in another order; choose one of `monkeys`"
            )
    return first


def _stimuli(path: str | Path) -> "pd.DataFrame":
    import pandas as pd

    with opened(path, NAME) as file:
        parts = [
            pd.DataFrame(
                {
                    "stimulus": [name.replace("\\", "/") for name in _texts(file, f"{part}_imgs/things_path")],
                    "concept": list(_texts(file, f"{part}_imgs/class")),
                    "part": part,
                }
            )
            for part in PARTS
        ]
    return pd.concat(parts, ignore_index=True)


def _texts(file: "h5py.File", name: str) -> Iterator[str]:
    """Yield the texts behind an array of MATLAB references."""
    import h5py

    found = file.get(name)
    if not isinstance(found, h5py.Dataset) or h5py.check_ref_dtype(found.dtype) is not h5py.Reference:
        raise InputError(
            f"{NAME}: {file.filename}: no array `{name}` of references to text; it has {', '.join(file) or 'nothing'}; "
            f"the published file is right"
        )
    for reference in found[()].ravel():
        yield file[reference][()].astype(np.uint16).tobytes().decode("utf-16-le")


def _activity(file: "h5py.File") -> tuple["h5py.Dataset", "h5py.Dataset"]:
    """Return the unread responses to training stimuli, and to each repetition of test stimuli."""
    train, test = array_of(file, "train_MUA", NAME, RIGHT, 2), array_of(file, "test_MUA_reps", NAME, RIGHT, 3)
    for array in (train, test):
        _check_channels(file, array, array.shape[-1])
    return train, test


def _by_channel(file: "h5py.File", name: str) -> NDArray[np.float64]:
    """Return an array (k, channels); with one number for each channel, MATLAB may have either order."""
    array = array_of(file, name, NAME, RIGHT, 2)
    values = array[:].T if array.shape == (CHANNELS, 1) else array[:]
    _check_channels(file, array, values.shape[-1])
    return values


def _check_channels(file: "h5py.File", array: "h5py.Dataset", found: int) -> None:
    if found != CHANNELS:
        raise InputError(
            f"{NAME}: {file.filename}: array `{array.name[1:]}` {array.shape}: {CHANNELS} channels on its last "
            f"axis are right; {RIGHT}"
        )


DATASET = Dataset(
    meaning="Multi-unit activity of V1, V4 and IT to 22,348 images of objects, to be downloaded by hand.",
    expand=expand,
    reference="Papale et al. 2025",
    work="Papale P, Wang F, Self MW, Roelfsema PR (2025). Neuron 113:539.",
    options={
        "monkeys": {
            "description": "Animals; the recordings are called `tvsd_F` and `tvsd_N`.",
            "type": "array",
            "minItems": 1,
            "uniqueItems": True,
            "items": {"enum": list(FIRST_CHANNELS)},
            "default": list(FIRST_CHANNELS),
        },
        "size": {
            "description": "Side of the images in pixels, as `stimuli.NAME.size`. The animals saw them at 500.",
            "type": "integer",
            "minimum": 1,
            "default": 224,
        },
    },
    writers={
        "images": write_images,
        "table": write_table,
        "responses": write_responses,
        "neuroids": write_neuroids,
    },
    licence="as the pages of both sources state",
    size="0.5 GB of recordings, 5 GB of images (estimated)",
    source="gin.g-node.org/paolo_papale/TVSD; images: THINGS, osf.io/jum2f",
)
