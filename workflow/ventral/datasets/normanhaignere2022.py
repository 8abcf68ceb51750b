"""The recordings of Norman-Haignere et al. 2022 (Current Biology 32:1470): human auditory cortex in time, 165 sounds.

High-gamma power of electrodes on the cortex. The sounds are those of `natsound165`, and last from 0 to 2 s. The files
are not downloaded, since the source states no licence. One file, `song_ecog.npz`, has the arrays of the source's MAT
files under these names:

- `component_response` (sounds, bins of 40 ms, components) and `component_time_s`;
- `hypothesis_component` (components, sounds, bins of 40 ms) and `hypothesis_name`, with the same times;
- `electrode_response` (electrodes, sounds, bins of 10 ms), `electrode_time_s` and `electrode`;
- `sound`, the sounds' names, in another order than in `natsound165`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ventral.datasets import Dataset, made_by, natsound165
from ventral.datasets.folders import folder_with
from ventral.errors import InputError
from ventral.outputs import writing

if TYPE_CHECKING:
    import pandas as pd

NAME = "normanhaignere2022"
FILE = "song_ecog.npz"
# Folders below the given one that may have the file: its own folder, and that in a collection of data sets.
FOLDERS = ("", NAME, "normanhaignere2022_ecog")
RECORDINGS = ("components", "electrodes")
# Width of the longer bins in ms, and the end of the last.
WIDTH, END = 40, 3000
ALL = "all"
# Area of components that no hypothesis chose.
COMPONENT = "component"
# Axes of the arrays of a recording.
AXES = {
    "component_response": ("sound", "component_time_s", None),
    "hypothesis_component": ("hypothesis_name", "sound", "component_time_s"),
    "electrode_response": ("electrode", "sound", "electrode_time_s"),
}


def expand(folder: str | None, results: str, *, time_bins: Sequence[Sequence[int]] | str) -> dict:
    """Return the stimulus set and both recordings in the form of the config.

    Parameters
    ----------
    folder : str or None
        Folder with `song_ecog.npz`, or with a folder `normanhaignere2022_ecog` that has it, and with the files of
        `natsound165`, as that data set needs them.
    results : str
        Folder of all outputs. The standard files are in ``datasets/normanhaignere2022`` below it.
    time_bins : sequence of pairs of int, or `all`
        Start and end of the bins of the recordings in ms, multiples of 40. Each is the mean of bins of the file.

    Returns
    -------
    dict
        Has `stimuli` with the only name `natsound165`, `recordings` with the names `normanhaignere2022_components` and
        `normanhaignere2022_electrodes`, and `unpacks`.

    Raises
    ------
    InputError
        If `folder` is missing or lacks a file, or the file has no such bins.
    """
    if folder is None:
        raise InputError(
            f"folder: missing; the data set {NAME} is not downloaded by itself, as its source states no licence: get "
            f"github.com/snormanhaignere/song-ecog-current-biology, repack it as {FILE} "
            f"(workflow/ventral/datasets/{NAME}.py says how), and name a folder that has it and the sounds of "
            f"{natsound165.NAME}"
        )
    components, _ = natsound165.published(folder)
    source = str(folder_with(Path(folder), [FILE], FOLDERS, NAME) / FILE)
    windows = _windows(time_bins)
    shared = natsound165.stimuli(folder, results)
    recordings, unpacks = {}, dict(shared["unpacks"])
    for kind in RECORDINGS:
        responses, neuroids = (f"{results}/datasets/{NAME}/{kind}.{suffix}" for suffix in ("npy", "csv"))
        recordings[f"{NAME}_{kind}"] = {
            "stimuli": natsound165.NAME,
            "responses": responses,
            "axes": ["neuroid", "stimulus", "time_bin"],
            "time_bins": windows,
            "neuroids": neuroids,
            # Nothing to summarise over animals: the file does not name the subjects of electrodes.
            "group": None,
            "splits": [*natsound165.SPLITS],
        }
        inputs = {"source": source, "components": components}
        unpacks[responses] = made_by(NAME, "responses", inputs, kind=kind, windows=windows)
        unpacks[neuroids] = made_by(NAME, "neuroids", {"source": source}, kind=kind)
    return shared | {"recordings": recordings, "unpacks": unpacks}


def _windows(time_bins: Sequence[Sequence[int]] | str) -> list[list[int]]:
    if time_bins == ALL:
        return [[start, start + WIDTH] for start in range(0, END, WIDTH)]
    if isinstance(time_bins, str):
        raise InputError(f"time_bins: {time_bins!r}; `{ALL}`, or start and end of each bin in ms, are right")
    for start, end in time_bins:
        if start % WIDTH or end % WIDTH or not 0 <= start < end <= END:
            raise InputError(
                f"time_bins: from {start:g} to {end:g} ms; multiples of {WIDTH} from 0 to {END} are right, the end "
                f"after the start"
            )
    return [list(window) for window in time_bins]


def write_responses(
    output: Path, *, source: str | Path, components: str | Path, kind: str, windows: Sequence[Sequence[int]]
) -> None:
    """Write an npy file with responses (neuroids, sounds, windows) float32, in the order of the stimulus set.

    Parameters
    ----------
    output : path
        The npy file.
    source, components : paths
        `song_ecog.npz`, and `components.mat` of `natsound165`, which has the order of the stimulus set.
    kind : str
        `components` or `electrodes`.
    windows : sequence of pairs of int
        Start and end in ms. A window is the mean over the bins that begin in it.

    Raises
    ------
    InputError
        If the files are not those of the sources.
    """
    arrays = read(source)
    responses, times = _responses(arrays, kind)
    order = natsound165.in_order(arrays["sound"], components, f"{NAME}: {source}")
    means = [responses[..., (times >= start) & (times < end)].mean(axis=2) for start, end in windows]
    with writing(output) as unfinished, unfinished.open("wb") as file:
        np.save(file, np.stack(means, axis=2)[:, order].astype(np.float32))


def write_neuroids(output: Path, *, source: str | Path, kind: str) -> None:
    """Write the CSV of the components or electrodes, with `neuroid` and `area`."""
    with writing(output) as unfinished:
        _neuroids(read(source), kind).to_csv(unfinished, index=False, lineterminator="\n")


def _responses(arrays: dict[str, NDArray], kind: str) -> tuple[NDArray, NDArray]:
    """Return responses (neuroids, sounds, bins) and the beginning of each bin in ms."""
    if kind == "electrodes":
        return arrays["electrode_response"], _milliseconds(arrays["electrode_time_s"])
    found = arrays["component_response"].transpose(2, 0, 1), arrays["hypothesis_component"]
    return np.concatenate(found), _milliseconds(arrays["component_time_s"])


def _milliseconds(seconds: NDArray) -> NDArray:
    return np.rint(1000 * np.asarray(seconds, dtype=np.float64))


def _neuroids(arrays: dict[str, NDArray], kind: str) -> "pd.DataFrame":
    """Return the names; the area is the category that an electrode or a component responds to, where that is known."""
    import pandas as pd

    if kind == "electrodes":
        names = [str(name) for name in arrays["electrode"]]
        return pd.DataFrame({"neuroid": names, "area": [name.partition("-")[0] for name in names]})
    found, chosen = arrays["component_response"].shape[2], [str(name) for name in arrays["hypothesis_name"]]
    names = [f"{COMPONENT}{k}" for k in range(1, found + 1)]
    return pd.DataFrame({"neuroid": names + chosen, "area": [COMPONENT] * found + chosen})


def read(source: str | Path) -> dict[str, NDArray]:
    """Read the arrays of `song_ecog.npz`.

    Raises
    ------
    InputError
        If an array is missing or has another shape, or the file cannot be read.
    """
    from ventral.recordings.arrays import named_arrays

    wanted = sorted({*AXES, *(name for axes in AXES.values() for name in axes if name)})
    right = f"an npz file with {', '.join(wanted)} is right"
    arrays = named_arrays(source, wanted, NAME, right)
    if missing := [name for name in wanted if name not in arrays]:
        raise InputError(f"{NAME}: {source}: it has no {', '.join(missing)}; {right}")
    for name, axes in AXES.items():
        shape = arrays[name].shape
        expected = tuple(len(arrays[axis]) if axis else None for axis in axes)
        if len(shape) != len(axes) or any(n not in (None, size) for n, size in zip(expected, shape, strict=True)):
            lengths = ", ".join("components" if axis is None else f"{len(arrays[axis])} {axis}" for axis in axes)
            raise InputError(f"{NAME}: {source}: array `{name}` {shape}; ({lengths}) is right")
    return arrays


DATASET = Dataset(
    meaning="High-gamma power in human auditory cortex to the sounds of `natsound165`, to be downloaded by hand.",
    expand=expand,
    reference="Norman-Haignere et al. 2022",
    work="Norman-Haignere SV, Feather J, Boebinger D, et al. (2022). Current Biology 32:1470.",
    options={
        "time_bins": {
            "description": (
                "Start and end in ms of each bin of the recordings, multiples of 40. Each bin is the mean of the "
                "file's bins in it. `all` takes 75 bins of 40 ms."
            ),
            "type": ["array", "string"],
            "minItems": 1,
            "items": {"type": "array", "minItems": 2, "maxItems": 2, "items": {"type": "integer"}},
            "default": [[0, 2000]],
        }
    },
    writers={"responses": write_responses, "neuroids": write_neuroids},
    licence="none stated",
    size="7 MB",
    source="github.com/snormanhaignere/song-ecog-current-biology",
)
