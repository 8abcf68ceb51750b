"""The recordings of Zhang et al. 2011 (PNAS 108:8850): single trials of macaque IT in time, 7 objects at 3 positions.

The pictures are not published with the spikes, so no model can be run on them. One folder has `spike_counts_10ms.npz`:

- `counts` (neurons, stimuli, trials, bins) int8, spikes in bins of 10 ms, -1 without a trial;
- `bin_start_ms` (bins,), the start of each bin after the onset, in ms;
- `object` and `position` (stimuli,), and `neuron` (neurons,), as text.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ventral.datasets import Dataset, made_by
from ventral.datasets.folders import folder_with
from ventral.errors import InputError
from ventral.outputs import writing
from ventral.recordings.time_bins import sliding_windows

if TYPE_CHECKING:
    import pandas as pd

NAME = "zhang2011"
COUNTS = "spike_counts_10ms.npz"
# Folders below the given one that may have the file: its own folder, and that in a collection of data sets.
FOLDERS = ("", NAME, "zhang2011_it")
AREA = "IT"
POSITIONS = ("lower", "middle", "upper")
NO_TRIAL = -1
WIDTH = 10
KINDS = {"counts": "i", "bin_start_ms": "iuf", "object": "U", "position": "U", "neuron": "U"}
BINS = {"start": -100, "stop": 500, "width": 100, "step": 50}


def expand(folder: str | None, results: str, *, bins: Mapping[str, int], within: list[str]) -> dict:
    """Return the stimulus sets and recordings in the form of the config.

    Parameters
    ----------
    folder : str or None
        Folder with the file, or with a folder `zhang2011_it` that has it.
    results : str
        Folder of all outputs. The standard files are in ``datasets/zhang2011`` below it.
    bins : mapping of str to int
        `start`, `stop`, `width` and `step` of the bins in ms, for `ventral.recordings.time_bins.sliding_windows`.
    within : list of str
        Positions whose trials alone make a further recording.

    Returns
    -------
    dict
        Has `stimuli` and `recordings` with the names `zhang2011`, which holds out positions in turn, and
        `zhang2011_middle` and others, which hold out trials at one position. Also has `unpacks`.

    Raises
    ------
    InputError
        If `folder` is missing or lacks the file, or the bins are not made of whole bins of the file.
    """
    if folder is None:
        raise InputError(
            f"folder: missing; the data set {NAME} is not downloaded by itself: get the rasters (github.com/emeyers/"
            f"NeuroDecodeR, folder data-raw/raster/Zhang_Desimone_7object_raster_data_mat), add them up as {COUNTS} "
            f"(workflow/ventral/datasets/{NAME}.py says how), and name its folder"
        )
    counts = {"counts": str(folder_with(Path(folder), [COUNTS], FOLDERS, NAME) / COUNTS)}
    bins = BINS | bins
    windows = sliding_windows(**bins, place="bins")
    if uneven := [name for name, value in bins.items() if value % WIDTH]:
        raise InputError(f"bins.{uneven[0]}: {bins[uneven[0]]:g} ms; a multiple of {WIDTH} is right")
    neuroids = f"{results}/datasets/{NAME}/neuroids.csv"
    expanded: dict[str, dict] = {"stimuli": {}, "recordings": {}, "unpacks": {}}
    expanded["unpacks"][neuroids] = made_by(NAME, "neuroids", counts)
    for position in [None, *within]:
        name = f"{NAME}_{position}" if position else NAME
        responses, table = (f"{results}/datasets/{NAME}/{name}.{ending}" for ending in ("npy", "csv"))
        expanded["stimuli"][name] = {"table": table}
        expanded["recordings"][name] = {
            "stimuli": name,
            "responses": responses,
            "axes": ["neuroid", "stimulus", "time_bin"],
            "time_bins": windows,
            "neuroids": neuroids,
            "area": AREA,
            "models": [],
            "splits": [{"column": "trial" if position else "position"}],
        }
        expanded["unpacks"] |= {
            responses: made_by(NAME, "responses", counts, windows=windows, position=position),
            table: made_by(NAME, "table", counts, position=position),
        }
    return expanded


def write_responses(output: Path, *, counts: str | Path, windows: list[list[int]], position: str | None) -> None:
    """Write an npy file with spike counts (neurons, trials, windows) float32, trials in the order of `write_table`.

    Parameters
    ----------
    output : path
        The npy file.
    counts : path
        Path of `spike_counts_10ms.npz`.
    windows : list of pairs of int
        Start and end of each window in ms after the onset.
    position : str or None
        Position of the written trials; None writes all.

    Raises
    ------
    InputError
        As for `read`, and if the file ends before a window.
    """
    spikes, table, starts = read(counts)
    rows = np.flatnonzero(_taken(table, position))
    for start, end in windows:
        if start < starts[0] or end > starts[-1] + WIDTH:
            raise InputError(
                f"{NAME}: bins: from {start:g} to {end:g} ms; {counts} has bins from {starts[0]:g} to "
                f"{starts[-1] + WIDTH:g} ms"
            )
    summed = [spikes[:, rows][:, :, (starts >= start) & (starts < end)].sum(axis=2) for start, end in windows]
    with writing(output) as unfinished, unfinished.open("wb") as file:
        np.save(file, np.stack(summed, axis=2).astype(np.float32))


def write_table(output: Path, *, counts: str | Path, position: str | None) -> None:
    """Write the CSV of the trials with the columns of `trials` of `read`; `position` is as for `write_responses`."""
    table = read(counts)[1]
    with writing(output) as unfinished:
        table[_taken(table, position)].to_csv(unfinished, index=False, lineterminator="\n")


def write_neuroids(output: Path, *, counts: str | Path) -> None:
    """Write the CSV with the names of the neurons, in the column `neuroid`."""
    names = _arrays(counts)["neuron"].tolist()
    with writing(output) as unfinished:
        unfinished.write_text("\n".join(["neuroid", *names]) + "\n", encoding="utf-8")


def read(path: str | Path) -> tuple[NDArray[np.int8], "pd.DataFrame", NDArray]:
    """Read the trials that all neurons have.

    Neurons were recorded one or a few at a time, so trial 3 of one neuron is not trial 3 of another.

    Returns
    -------
    spikes : (neurons, trials, bins) array
        Spike counts.
    trials : DataFrame
        One row for each trial, all text: `stimulus`, such as `car_lower_03`, `shown` (`car_lower`), `object`,
        `position` and `trial` (`trial03`).
    starts : (bins,) array
        Start of each bin in ms after the onset.

    Raises
    ------
    InputError
        If the file cannot be read, or an array is missing or has another type or size.
    """
    import pandas as pd

    arrays = _arrays(path)
    counts = arrays["counts"]
    _, n_stimuli, n_trials, _ = counts.shape
    numbers = np.tile(np.arange(1, n_trials + 1), n_stimuli)
    table = pd.DataFrame({name: np.repeat(arrays[name], n_trials) for name in ("object", "position")})
    table.insert(0, "shown", table["object"] + "_" + table["position"])
    table["trial"] = [f"trial{number:02d}" for number in numbers]
    table.insert(0, "stimulus", [f"{name}_{number:02d}" for name, number in zip(table["shown"], numbers, strict=True)])
    complete = (counts != NO_TRIAL).all(axis=(0, 3)).ravel()
    spikes = counts.reshape(len(counts), n_stimuli * n_trials, -1)[:, complete]
    return spikes, table[complete].reset_index(drop=True), arrays["bin_start_ms"]


def _taken(table: "pd.DataFrame", position: str | None) -> NDArray[np.bool_]:
    return np.ones(len(table), dtype=bool) if position is None else (table["position"] == position).to_numpy()


def _arrays(path: str | Path) -> dict[str, NDArray]:
    from ventral.recordings.arrays import named_arrays

    right = f"an npz file with the arrays {', '.join(KINDS)} is right"
    arrays = named_arrays(path, KINDS, NAME, right)
    for name, kinds in KINDS.items():
        if name not in arrays:
            raise InputError(f"{NAME}: {path}: no array `{name}`; {right}")
        if arrays[name].dtype.kind not in kinds:
            raise InputError(f"{NAME}: {path}: array `{name}` is of {arrays[name].dtype}; {right}")
    shape, sizes = arrays["counts"].shape, [len(arrays[name]) for name in ("neuron", "object", "bin_start_ms")]
    if len(shape) != 4 or [shape[0], shape[1], shape[3]] != sizes or len(arrays["position"]) != sizes[1]:
        raise InputError(
            f"{NAME}: {path}: array `counts` {shape}; neurons, stimuli, trials and bins are right, with "
            f"{sizes[0]} `neuron`, {sizes[1]} `object` and `position`, and {sizes[2]} `bin_start_ms`"
        )
    return arrays


DATASET = Dataset(
    meaning="Single trials of macaque IT in time, seven objects at three positions, without pictures.",
    expand=expand,
    reference="Zhang et al. 2011",
    work=(
        "Zhang Y, Meyers EM, Bichot NP, et al. (2011). Proceedings of the National Academy of Sciences of the United "
        "States of America 108:8850."
    ),
    options={
        "bins": {
            "description": (
                "Bins of time in ms after the onset. The first begins at `start`, each has the `width`, each begins "
                "one `step` after the one before, and none ends after `stop`. Multiples of 10."
            ),
            "type": "object",
            "additionalProperties": False,
            "properties": {
                name: {"description": meaning, "type": "integer", "default": BINS[name]}
                for name, meaning in {
                    "start": "Start of the first bin.",
                    "stop": "Latest end of a bin.",
                    "width": "Width of a bin.",
                    "step": "From the start of a bin to the start of the next.",
                }.items()
            },
            "default": dict(BINS),
        },
        "within": {
            "description": "Positions that are also a recording of their own, in which trials are held out.",
            "type": "array",
            "uniqueItems": True,
            "items": {"enum": list(POSITIONS)},
            "default": list(POSITIONS),
        },
    },
    writers={"responses": write_responses, "table": write_table, "neuroids": write_neuroids},
    licence="GPL-3.0",
    size="0.5 MB",
    source="github.com/emeyers/NeuroDecodeR, folder data-raw/raster/Zhang_Desimone_7object_raster_data_mat",
)
