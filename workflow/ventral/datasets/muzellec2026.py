"""The recordings of Muzellec and Kar (bioRxiv 2025.08.08.669382): macaque IT to 1,320 images, in bins of time.

Layout and window follow the authors' code (github.com/vital-kolab/reverse_pred, `prediction_utils.py`). The file
`rates_m1_active.h5` has the responses of a monkey as `/m1/active` (bins, images, neurons, repetitions). The 26 bins are
at 0, 10, ... 250 ms after the onset. These times count as the beginnings of the bins. The authors average the bins at
70 to 170 ms.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ventral.datasets import Dataset, made_by
from ventral.datasets.folders import folder_with
from ventral.datasets.hdf5 import array_of, opened
from ventral.errors import InputError
from ventral.outputs import writing

if TYPE_CHECKING:
    import h5py

NAME = "muzellec2026"
FILE = "rates_{}_active.h5"
IMAGES = ("images", "images.zip")
# Folders below the given one that may have the files, as the source has them.
FOLDERS = ("", NAME, "neural_data")
MONKEYS = ("m1", "m2")
AREA = "IT"
# Width of a bin in ms, and the number of bins.
WIDTH, N_BINS = 10, 26
ALL = "all"


def expand(
    folder: str | None, results: str, *, monkeys: Sequence[str], time_bins: Sequence[Sequence[int]] | str
) -> dict:
    """Return the stimulus set and the recording of each monkey in the form of the config.

    Parameters
    ----------
    folder : str or None
        Folder with the source's files, or one above, and with the images as `images` or `images.zip`.
    results : str
        Folder of all outputs. The standard files are in ``datasets/muzellec2026`` below it.
    monkeys : sequence of str
        `m1`, `m2` or both.
    time_bins : sequence of pairs of int, or `all`
        Start and end of the bins of the recording in ms, multiples of 10. Each is the mean of bins of the file.

    Returns
    -------
    dict
        Has `stimuli` with the only name `muzellec2026`, `recordings` with the names `muzellec2026_m1` and
        `muzellec2026_m2`, and `unpacks`.

    Raises
    ------
    InputError
        If `folder` is missing or lacks a file, or the file has no such bins.
    """
    files = [FILE.format(monkey) for monkey in monkeys]
    if folder is None:
        raise InputError(
            f"folder: missing; the data set {NAME} is not downloaded by itself: get {', '.join(files)} of "
            f"osf.io/y3qmk, put the 1,320 images beside them as a folder `{IMAGES[0]}` or as {IMAGES[1]}, and name "
            f"their folder"
        )
    found = folder_with(Path(folder), files, FOLDERS, NAME)
    windows = [[k * WIDTH, (k + 1) * WIDTH] for k in range(N_BINS)] if time_bins == ALL else _windows(time_bins)
    responses = {monkey: f"{results}/datasets/{NAME}/{monkey}.npy" for monkey in monkeys}
    return {
        "stimuli": {NAME: {"images": _images([Path(folder), found])}},
        "recordings": {
            f"{NAME}_{monkey}": {
                "stimuli": NAME,
                "responses": file,
                "axes": ["time_bin", "stimulus", "neuroid", "repetition"],
                "time_bins": windows,
                "area": AREA,
                "animal": monkey,
                "splits": ["stimuli"],
            }
            for monkey, file in responses.items()
        },
        "unpacks": {
            file: made_by(
                NAME, "responses", {"rates": str(found / FILE.format(monkey))}, monkey=monkey, windows=windows
            )
            for monkey, file in responses.items()
        },
    }


def _windows(time_bins: Sequence[Sequence[int]] | str) -> list[list[int]]:
    if isinstance(time_bins, str):
        raise InputError(f"time_bins: {time_bins!r}; `{ALL}`, or start and end of each bin in ms, are right")
    last = N_BINS * WIDTH
    for start, end in time_bins:
        if start % WIDTH or end % WIDTH or not 0 <= start < end <= last:
            raise InputError(
                f"time_bins: from {start:g} to {end:g} ms; multiples of {WIDTH} from 0 to {last} are right, the end "
                f"after the start"
            )
    return [list(window) for window in time_bins]


def _images(folders: Sequence[Path]) -> str:
    places = [folder / name for folder in folders for name in IMAGES]
    found = next((place for place in places if place.exists()), None)
    if found is None:
        raise InputError(
            f"folder: {folders[0]}: no images there; put the 1,320 images there as a folder `{IMAGES[0]}` or as "
            f"{IMAGES[1]}, with names in the order of the responses, such as image_0000.png"
        )
    return str(found)


def write_responses(output: Path, *, rates: str | Path, monkey: str, windows: Sequence[Sequence[int]]) -> None:
    """Write an npy file with an array (windows, images, neurons, repetitions) float32, NaN where not shown.

    A window is the mean over the bins that begin in it. One bin of the file is in memory at a time.

    Parameters
    ----------
    output : path
        The npy file.
    rates : path
        File of the monkey.
    monkey : str
        Name of the monkey in the file, `m1` or `m2`.
    windows : sequence of pairs of int
        Start and end in ms.

    Raises
    ------
    InputError
        If the file is not the file of the source.
    """
    right = f"({N_BINS} bins, images, neurons, repetitions) is right"
    with opened(rates, NAME) as file:
        active = array_of(file, f"{monkey}/active", NAME, right, 4)
        if len(active) != N_BINS:
            raise InputError(f"{NAME}: {rates}: array `{monkey}/active` {active.shape}; {right}")
        with writing(output) as unfinished:
            shape = (len(windows), *active.shape[1:])
            responses = np.lib.format.open_memmap(unfinished, mode="w+", dtype=np.float32, shape=shape)
            for k, (start, end) in enumerate(windows):
                responses[k] = _mean(active, range(start // WIDTH, end // WIDTH))
            responses.flush()


def _mean(active: "h5py.Dataset", bins: range) -> NDArray[np.float64]:
    """Return the mean over some bins (images, neurons, repetitions), NaN where no bin is known."""
    total, known = np.zeros(active.shape[1:]), np.zeros(active.shape[1:], dtype=np.uint8)
    for k in bins:
        values = active[k]
        there = ~np.isnan(values)
        total[there] += values[there]
        known += there
    return np.divide(total, known, out=np.full_like(total, np.nan), where=known > 0)


DATASET = Dataset(
    meaning="Spikes of macaque IT to 1,320 images, in 26 bins of 10 ms, to be downloaded by hand.",
    expand=expand,
    reference="Muzellec and Kar 2025",
    work="Muzellec S, Kar K (2025). bioRxiv 2025.08.08.669382 (reverse predictivity).",
    options={
        "monkeys": {
            "description": "Monkeys: `m1`, `m2` or both.",
            "type": "array",
            "minItems": 1,
            "uniqueItems": True,
            "items": {"enum": list(MONKEYS)},
            "default": list(MONKEYS),
        },
        "time_bins": {
            "description": (
                "Start and end in ms of each bin of the recording, multiples of 10. Each bin is the mean of the file's "
                "bins in it. `all` takes the 26 bins of the file."
            ),
            "type": ["array", "string"],
            "minItems": 1,
            "items": {"type": "array", "minItems": 2, "maxItems": 2, "items": {"type": "integer"}},
            "default": [[70, 180]],
        },
    },
    writers={"responses": write_responses},
    licence="as OSF states it with the files",
    size="not measured",
    source="osf.io/y3qmk",
)
