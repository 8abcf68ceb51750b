"""Probabilities of a network's classes, from the outputs of networks with the classes of published tables."""

import logging
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ventral.models.zoo import completed, is_baseline, modality_asked, on_stimuli
from ventral.recordings.choices import N_CLASSES
from ventral.store import open_store, read_dataset, write_dataset

logger = logging.getLogger("ventral")


def classify(
    stimuli: str | Path, output: str | Path, *, spec: dict, device: str = "auto", batch_size: int = 32, cores: int = 1
) -> None:
    """Write the probability of each class for each stimulus, the softmax of a network's outputs.

    Parameters
    ----------
    stimuli : path
        Store of the stimuli.
    output : path
        Store to write, with `probability` (stimulus, class). It has no class if the model is no network, or if its
        outputs are not 1000 numbers for each stimulus.
    spec : dict
        From `resolve_model`.
    device : str
        'auto', 'cpu' or 'cuda'.
    batch_size : int
        Stimuli in a forward pass.
    cores : int
        Threads of the forward pass on the CPU.
    """
    import xarray as xr

    spec, dataset = completed(spec), read_dataset(stimuli)
    spec = on_stimuli(spec, dataset.attrs)
    shown = open_store(stimuli)[modality_asked(spec).array]
    found = None if is_baseline(spec) else _probabilities(shown, spec, device, batch_size, cores)
    if found is None:
        logger.info("model %s: its outputs are no %d classes, so it makes no choices itself", spec["name"], N_CLASSES)
        found = np.empty((dataset.sizes["stimulus"], 0), np.float32)
    made = xr.Dataset(
        {"probability": (("stimulus", "class"), found)},
        coords={"stimulus": dataset["stimulus"].values.astype(object)},
        attrs={"model": spec["name"], "stimuli_sha256": dataset.attrs["sha256"]},
    )
    write_dataset(made, output)


def _probabilities(shown, spec: dict, device: str, batch_size: int, cores: int) -> NDArray[np.float32] | None:
    """Return the probabilities (n, classes) of stimuli in a store; None if the outputs are no classes."""
    import torch

    from ventral.activations.forward import exact_products
    from ventral.models.description import build, preprocess
    from ventral.models.outputs import families_of_network, output_by
    from ventral.running.devices import choose_device

    place = torch.device(choose_device(device))
    network, output_of = build(spec).to(place), output_by(families_of_network(spec))
    parts = []
    with exact_products(cores), torch.inference_mode():
        for start in range(0, shown.shape[0], batch_size):
            batch = torch.from_numpy(shown[start : start + batch_size]).to(place)
            outputs = output_of(network, network(preprocess(batch, spec)))
            if not isinstance(outputs, torch.Tensor) or outputs.shape[1:] != (N_CLASSES,):
                return None
            parts.append(torch.softmax(outputs.float(), dim=1).cpu().numpy())
    return np.concatenate(parts)
