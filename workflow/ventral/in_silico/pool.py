"""Predict responses to a pool of stimuli by the readouts of several models or layers."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ventral.errors import InputError
from ventral.readouts.loading import BATCH_SIZE, load_readout
from ventral.recordings.time_bins import place_of
from ventral.running.progress import Progress
from ventral.stimuli.modality import declared_modality
from ventral.store import open_store, read_dataset, write_dataset

if TYPE_CHECKING:
    import xarray as xr

    from ventral.readouts.loading import Readout

BEST, FEWEST = "best", 2


def predict_pool(
    readouts: Sequence[str | Path],
    pool: str | Path,
    output: str | Path,
    *,
    candidates: Mapping[str, str | Sequence[str]],
    device: str = "auto",
    batch_size: int = BATCH_SIZE,
    cores: int = 1,
) -> None:
    """Write the responses to a pool of stimuli that the readouts of candidates predict.

    Parameters
    ----------
    readouts : sequence of paths
        Folders of readouts of one recording, from `ventral.readouts.making.readout`.
    pool : path
        Store of the stimuli.
    output : path
        Store to write, with the content of `predictions_for`. Its attributes `alike` are lists of the names of stimuli
        that are the same or nearly the same.
    candidates : mapping
        Layers of each model: `best`, its best layer for each area and time bin, `all`, or names of layers.
    device : str
        'auto', 'cpu' or 'cuda'.
    batch_size : int
        Stimuli in a forward pass.
    cores : int
        Threads of a CPU.

    Raises
    ------
    InputError
        If fewer than two candidates have readouts, stimuli differ in shape from those of the readouts, or a network
        cannot be loaded.
    """
    from ventral.activations.forward import exact_products

    stimulus_set = read_dataset(pool)
    stimuli = open_store(pool)[declared_modality(stimulus_set.attrs, str(pool)).array]
    files = [file for folder in readouts for file in sorted(Path(folder).glob("*.zarr.zip"))]
    taken = [readout for readout in map(load_readout, files) if _is_candidate(readout, candidates)]
    if len(taken) < FEWEST:
        raise InputError(
            f"config key in_silico.next_experiment: {len(taken)} candidates of {', '.join(candidates)} have readouts, "
            f"and two or more are told apart; name other layers or models"
        )
    for readout in taken:
        if readout.shape != stimuli.shape[1:]:
            raise InputError(
                f"{pool}: stimuli of shape {stimuli.shape[1:]}, but {readout.path} predicts responses to stimuli of "
                f"shape {readout.shape}; give the pool the `size` of the recording's stimuli"
            )
    attributes = {
        "pool": stimulus_set.attrs["name"],
        "stimuli_sha256": stimulus_set.attrs["sha256"],
        "alike": stimulus_set.attrs["duplicates"] + stimulus_set.attrs.get("near_duplicates", []),
    }
    best = [model for model, wanted in candidates.items() if wanted == BEST]
    names = stimulus_set["stimulus"].values.astype(str)
    with exact_products(cores):
        predicted = predictions_for(taken, stimuli, names, best, device=device, batch_size=batch_size)
    write_dataset(predicted.assign_attrs(attributes), output)


def _is_candidate(readout: "Readout", candidates: Mapping[str, str | Sequence[str]]) -> bool:
    wanted = candidates[readout.attributes["model"]["name"]]
    if isinstance(wanted, str):
        return wanted != BEST or bool(readout.attributes["best_of"])
    return readout.attributes["layer"]["name"] in wanted


def predictions_for(
    readouts: Sequence["Readout"],
    stimuli: NDArray | Sequence,
    names: Sequence[str],
    best: Sequence[str] = (),
    *,
    device: str = "auto",
    batch_size: int = BATCH_SIZE,
) -> "xr.Dataset":
    """Return the predictions of readouts of the same neuroids for the same stimuli.

    Parameters
    ----------
    readouts : sequence of Readout
    stimuli : (n, ...) array or sequence of n
        As for `ventral.readouts.loading.Readout.predict`; also an array of zarr.
    names : sequence of n str
        Names of the stimuli.
    best : sequence of str
        Models of which a layer stands only for the areas and time bins for which it is the best.
    device, batch_size
        As for `predict_pool`.

    Returns
    -------
    Dataset
        `predicted` (candidate, stimulus, neuroid) are the predictions. `predictivity` (candidate, neuroid) is the
        correlation of held-out predictions with responses without noise. `stands` (candidate, neuroid) is true where
        the candidate is to be told apart from others. The coordinates `model` and `layer` name the candidate, and
        `area` and `time_bin` the place of the neuroid.

    Raises
    ------
    InputError
        If readouts are of different recordings.
    """
    import xarray as xr

    if other := next((one for one in readouts if not _same_neuroids(one, readouts[0])), None):
        raise InputError(
            f"{other.path}: a readout of other neuroids than {readouts[0].path}; compare readouts of one recording"
        )
    progress = Progress("predict the pool", len(readouts) * len(names), "predictions")
    predicted = []
    for readout in readouts:
        batches = []
        for start in range(0, len(names), batch_size):
            batch = stimuli[start : start + batch_size]
            batches.append(readout.predict(batch, device=device, batch_size=batch_size).values)
            progress.advance(len(batch))
        predicted.append(np.concatenate(batches))
    described = [readout.attributes for readout in readouts]
    of_neuroids = {name: ("neuroid", np.array(described[0][name], object)) for name in ("area", "time_bin")}
    return xr.Dataset(
        {
            "predicted": (("candidate", "stimulus", "neuroid"), np.array(predicted)),
            "predictivity": (("candidate", "neuroid"), np.array([_held_out(readout) for readout in readouts])),
            "stands": (("candidate", "neuroid"), np.array([_stands(one, best) for one in described])),
        },
        coords={
            "stimulus": np.array(names, object),
            "neuroid": np.array(described[0]["neuroid"], object),
            "model": ("candidate", np.array([one["model"]["name"] for one in described], object)),
            "layer": ("candidate", np.array([one["layer"]["name"] for one in described], object)),
            **of_neuroids,
        },
        attrs={"recording": described[0]["recording"], "split": described[0]["splits"][0], "alike": []},
    )


def _same_neuroids(one: "Readout", other: "Readout") -> bool:
    return all(one.attributes[name] == other.attributes[name] for name in ("recording", "neuroid", "area", "time_bin"))


def _held_out(readout: "Readout") -> NDArray[np.float64]:
    """Return the predictivity (neuroids,) on the first split."""
    table = readout.neuroids
    return table.loc[table["split"] == readout.attributes["splits"][0], "predictivity"].to_numpy(float)


def _stands(described: Mapping, best: Sequence[str]) -> NDArray[np.bool_]:
    places = map(place_of, described["area"], described["time_bin"])
    return np.array([described["model"]["name"] not in best or place in described["best_of"] for place in places])
