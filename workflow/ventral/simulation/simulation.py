"""Simulate recordings from a network's layers, so that the right answers are known."""

from pathlib import Path

import numpy as np

from ventral.simulation.neurons import NOISE, noisy, population, random_numbers, true_reliability
from ventral.simulation.teacher import check_field, layers_of_teacher


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
            check_field(wanted, layers[wanted["layer"]][1], f"{key}.areas.{area}")
    tables, rates, responses = [], [], []
    with layers_of_teacher(spec, stimuli, n, output, key, **options) as layers:
        for area, wanted in spec["areas"].items():
            features, shape = layers[wanted["layer"]]
            table, of_area = population(
                features, shape, objects, area, wanted, spikes=spec["spikes"], seed=spec["seed"]
            )
            tables.append(table)
            rates.append(of_area)
            for k, of_neuron in enumerate(of_area.T):
                random = random_numbers(spec["seed"], area, k, NOISE)
                responses.append(noisy(of_neuron, spec["repetitions"], spec["fano"], random))
    neuroids, rates = pd.concat(tables), np.concatenate(rates, axis=1)
    neuroids["true_reliability"] = true_reliability(rates, spec["fano"], spec["repetitions"])
    dataset = dataset_of(np.stack(responses, axis=2), neuroids, stimulus_set, name, key, n_splits, seed)
    dataset["rates"] = (("stimulus", "neuroid"), rates)
    write_dataset(dataset.assign_attrs(simulated=True), output)
