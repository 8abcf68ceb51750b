"""Simulate recordings from a network's layers, so that the right answers are known."""

from pathlib import Path

import numpy as np

from ventral.recordings.time_bins import bins_between
from ventral.simulation.neurons import NOISE, noisy, population, random_numbers, true_reliability
from ventral.simulation.teacher import check_field, layers_of_teacher
from ventral.stimuli.places import as_list


def simulate(
    spec: dict,
    stimuli: str | Path,
    output: str | Path,
    *,
    name: str,
    device: str = "auto",
    batch_size: int = 32,
    cores: int = 1,
    n_splits: int = 100,
    seed: int = 0,
) -> None:
    """Write the store of a simulated recording.

    The store has the form of an ingested recording (`ventral.recordings.ingestion`), with the attribute `simulated` and
    areas called `simulated V1` and so on. The variable `rates` (stimulus, neuroid) has the responses without noise.
    Each neuroid has `mean_rate` (over stimuli), `true_reliability` (see the function) and `preferred_object`, '' if the
    neuroid prefers none.

    With `time_bins`, every bin is simulated from its own layer, and from the same random numbers of each neuroid.
    Layers of one shape are then read with the same receptive field and weights. `rates` and `true_reliability` have a
    last dimension `time_bin`, and `mean_rate` is the mean over bins.

    Parameters
    ----------
    spec : dict
        Description of the recording, from `ventral.simulation.teacher.resolve_simulation`.
    stimuli : path
        Store of the stimuli shown.
    output : path
        Store to write; the teacher's layers lie beside it during the job.
    name : str
        Name of the recording.
    device, batch_size, cores
        Options of the teacher's forward pass, as for `ventral.activations.extraction.extract_part`.
    n_splits, seed : int
        As for `ventral.recordings.reliability.split_half_reliability`.

    Raises
    ------
    InputError
        If the teacher or its layers cannot be loaded, or if an area's field needs a map and its layer has none.
    """
    import pandas as pd

    from ventral.recordings.ingestion import dataset_of
    from ventral.store import read_dataset, write_dataset

    stimulus_set = read_dataset(stimuli)
    n = stimulus_set.sizes["stimulus"]
    objects = stimulus_set["object"].values.astype(str) if "object" in stimulus_set.coords else None
    key = f"recordings.{name}.simulate"
    options = {"device": device, "batch_size": batch_size, "threads": cores}
    # One stimulus comes first, so that a layer without a map is reported before the long forward pass.
    with layers_of_teacher(spec, stimuli, 1, output, key, **options | {"batch_size": 1}) as layers:
        for area, wanted in spec["areas"].items():
            for layer in as_list(wanted["layer"]):
                check_field(wanted["field"], layer, layers[layer][1], f"{key}.areas.{area}")
    bins = bins_between(spec["time_bins"], f"{key}.time_bins") if spec.get("time_bins") else None
    n_bins = len(bins.names) if bins else 1
    tables, rates, responses = [], [], []
    with layers_of_teacher(spec, stimuli, n, output, key, **options) as layers:
        for area, wanted in spec["areas"].items():
            of_bins = [
                population(*layers[layer], objects, area, wanted, spikes=spec["spikes"], seed=spec["seed"])
                for layer in _layers_of_bins(wanted, n_bins)
            ]
            of_area = np.stack([of_bin for _, of_bin in of_bins], axis=2)
            tables.append(of_bins[0][0].assign(mean_rate=of_area.mean(axis=(0, 2))))
            rates.append(of_area)
            for k in range(wanted["neuroids"]):
                random = random_numbers(spec["seed"], area, k, NOISE)
                drawn = [noisy(of_bin, spec["repetitions"], spec["fano"], random) for of_bin in of_area[:, k].T]
                responses.append(np.stack(drawn, axis=2))
    neuroids, rates, responses = pd.concat(tables), np.concatenate(rates, axis=1), np.stack(responses, axis=2)
    reliability = true_reliability(rates, spec["fano"], spec["repetitions"])
    of_target = ("neuroid", "time_bin") if bins else ("neuroid",)
    if bins is None:
        rates, responses, reliability = rates[..., 0], responses[..., 0], reliability[..., 0]
    dataset = dataset_of(responses, neuroids, stimulus_set, name, key, n_splits, seed, bins)
    dataset["rates"] = (("stimulus", *of_target), rates)
    dataset = dataset.assign_coords(true_reliability=(of_target, reliability))
    write_dataset(dataset.assign_attrs(simulated=True), output)


def _layers_of_bins(area: dict, n_bins: int) -> list[str]:
    """Return the layer of an area in each bin."""
    return area["layer"] if isinstance(area["layer"], list) else [area["layer"]] * n_bins
