"""Prepare training data: images, targets, and the parts for training, validation and test."""

import hashlib
import json
import logging
import math
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ventral.errors import InputError, shown
from ventral.models.description import (
    build,
    check_layers_repeatable,
    naming,
    preprocess,
    trace_stimuli,
    with_outputs,
)
from ventral.models.layers import choose_layers
from ventral.models.passes import telling_errors
from ventral.models.zoo import on_stimuli
from ventral.recordings.ingestion import mean_responses
from ventral.recordings.time_bins import bins_of, read_recording
from ventral.stimuli.images import read_pixels, resize
from ventral.store import read_dataset
from ventral.targets.benchmark import read_stimuli
from ventral.targets.splits import folds_of_stimuli
from ventral.targets.values import labels_of
from ventral.training.exclusion import training_rows

logger = logging.getLogger("ventral")

ROWS_PER_READ = 1024


@dataclass(frozen=True)
class Task:
    """Network options and data of one training; the same in all processes.

    Attributes
    ----------
    spec : dict
        As for `train`.
    fingerprint : str
        Hash of everything that the result depends on.
    stimuli : DataFrame
        Names (`stimulus`) and labels of the images.
    pixels : (n, 3, size, size) uint8 tensor
        Pixels of these images.
    targets : (n,) int64 tensor, or (n, neuroids) float32 tensor
        Number of the label, or z-scored mean response; NaN if missing.
    outputs : list of str
        Labels or neuroids, in the order of the network's outputs.
    parts : dict of integer arrays
        Rows of `train`, `validation` and, for a recording, `test`.
    neuroids : DataFrame or None
        Columns `neuroid`, `area` and `reliability` of a recording.
    """

    spec: dict
    fingerprint: str
    stimuli: pd.DataFrame
    pixels: Tensor
    targets: Tensor
    outputs: list[str]
    parts: dict[str, NDArray[np.intp]]
    neuroids: pd.DataFrame | None

    @property
    def n_batches(self) -> int:
        """Number of batches in an epoch, whose sizes differ by one at most, so that no batch is a small remainder."""
        return max(1, len(self.parts["train"]) // self.spec["batch_size"])

    @property
    def most_images(self) -> int:
        """Largest number of images in a batch."""
        return -(-len(self.parts["train"]) // self.n_batches)


def prepare(stimuli, spec: dict, tested, recording) -> Task:
    """Read the training data."""
    dataset = read_stimuli(stimuli, [recording] if spec["recording"] else [])
    labels, n = labels_of(dataset), dataset.sizes["stimulus"]
    rows = _left(spec, dataset, labels, tested)
    if spec["recording"]:
        targets, neuroids, parts = _read_neuroids(spec, recording, dataset, labels, rows)
        outputs = neuroids["neuroid"].tolist()
    else:
        names = labels[spec["label"]]
        outputs, neuroids = np.unique(names[rows]), None
        targets = torch.from_numpy(np.searchsorted(outputs, names))
        parts = dict(zip(("train", "validation"), _divided(rows, names, spec), strict=True))
        outputs = outputs.tolist()
    used = np.sort(np.concatenate(list(parts.values())))
    targets = targets[used]
    network = on_stimuli(spec["network"], dataset.attrs)
    content = [
        {key: value for key, value in (spec | {"network": network}).items() if key != "tested"},
        dataset.attrs["sha256"],
        {part: held.tolist() for part, held in parts.items()},
    ]
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode())
    digest.update(targets.numpy().tobytes())
    return Task(
        spec=spec,
        fingerprint=digest.hexdigest(),
        stimuli=pd.DataFrame({"stimulus": dataset["stimulus"].values, **labels}).iloc[used].reset_index(drop=True),
        pixels=_read_resized(stimuli, n, used, network),
        targets=targets,
        outputs=outputs,
        parts={part: np.searchsorted(used, held) for part, held in parts.items()},
        neuroids=neuroids,
    )


def _left(spec: dict, dataset, labels: Mapping[str, NDArray], tested) -> NDArray[np.intp]:
    """Return the rows that may be trained on, and log the exclusions."""
    stores = [read_dataset(path) for path in tested]
    sets = {store.attrs["name"]: labels_of(store) for store in stores}
    rows, excluded = training_rows(spec, labels, dataset.sizes["stimulus"], sets)
    for name in [name for name, of_set in sets.items() if not of_set]:
        logger.warning("train %s: the stimuli of %s have no labels, so none can be excluded", spec["name"], name)
    logger.info(
        "train %s: training uses %d of %d stimuli of %s; excluded: %s",
        spec["name"],
        len(rows),
        dataset.sizes["stimulus"],
        dataset.attrs["name"],
        "; ".join(f"{kind} {shown(names, 8)}" for kind, names in excluded.items() if names) or "nothing",
    )
    return rows


def _read_neuroids(spec: dict, recording, dataset, labels: Mapping[str, NDArray], rows: NDArray[np.intp]):
    """Return z-scored mean responses (n, neuroids), the table of neuroids, and the rows of each part."""
    responses = read_recording(recording)
    name, key = responses.attrs["recording"], f"models.{spec['name']}.train.recording"
    source = f"stimuli {dataset.attrs['name']}"
    kinds = labels.get("object", labels.get("category"))
    test = folds_of_stimuli(kinds, dataset.sizes["stimulus"], spec["folds"], spec["folds_seed"], source)[0]
    train, validation = _divided(np.setdiff1d(rows, test), kinds, spec)
    means = mean_responses(responses).values
    present = (~np.isnan(means[train])).any(axis=0) & (responses["left_out"].values == "")
    scale = np.full(means.shape[1], np.nan)
    scale[present] = np.nanstd(means[train][:, present], axis=0)
    kept = scale > 0
    if not kept.any():
        raise InputError(f"{key}: no neuroid of {name} has responses that differ between the training stimuli")
    logger.info("train %s: fitted to %d of %d neuroids of %s", spec["name"], kept.sum(), len(kept), name)
    targets = (means[:, kept] - np.nanmean(means[train][:, kept], axis=0)) / scale[kept]
    table = {column: responses[column].values[kept] for column in ("neuroid", "area", "reliability")}
    table["time_bin"] = bins_of(responses)[kept]
    parts = {"train": train, "validation": validation, "test": test}
    return torch.from_numpy(targets.astype(np.float32)), pd.DataFrame(table), parts


def _divided(rows: NDArray[np.intp], labels: NDArray | None, spec: dict) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Divide rows into training and validation parts, stratified by label."""
    generator = np.random.default_rng(spec["network"]["seed"])
    of_rows = np.zeros(len(rows), dtype=int) if labels is None else labels[rows]
    held = np.zeros(len(rows), dtype=bool)
    for label in np.unique(of_rows):
        places = generator.permutation(np.flatnonzero(of_rows == label))
        # At least one stimulus of each label is trained on; halves are rounded up.
        held[places[: min(len(places) - 1, math.floor(len(places) * spec["validation"] + 0.5))]] = True
    if not held.any():
        raise InputError(
            f"models.{spec['name']}.train.validation: {spec['validation']} of {len(rows)} stimuli with "
            f"{len(np.unique(of_rows))} labels is less than one stimulus of each; set a higher share, or train on "
            f"more stimuli"
        )
    return rows[~held], rows[held]


def _read_resized(stimuli, n_stimuli: int, rows: NDArray[np.intp], network: dict) -> Tensor:
    """Return the pixels of some rows, resized to the network's input size."""
    blocks = []
    for start in range(0, n_stimuli, ROWS_PER_READ):
        wanted = rows[(rows >= start) & (rows < start + ROWS_PER_READ)]
        if len(wanted):
            pixels = read_pixels(stimuli, start, min(start + ROWS_PER_READ, n_stimuli))[wanted - start]
            blocks.append(resize(torch.from_numpy(pixels), network))
    return torch.cat(blocks)


def network_for(task: Task) -> nn.Module:
    """Build the network before training, with a readout for the task."""
    network = task.spec["network"]
    return with_outputs(build(network, new_readout=True), len(task.outputs), network).requires_grad_(True)


def check_network(task: Task, layers: dict | None) -> None:
    """Refuse a network that lacks a requested layer, or whose output is not the output of its last linear layer."""
    spec = task.spec["network"]
    network, expected = network_for(task), (2, len(task.outputs))
    shape = tuple(task.pixels.shape[1:])
    traced = trace_stimuli(network.eval(), shape, spec)
    if layers:
        check_layers_repeatable(network, choose_layers(network, traced, {**spec, **layers}), shape, spec)
    example = preprocess(torch.cat([task.pixels[:1]] * 2), spec)
    for state in ("evaluation", "training"):
        tried = deepcopy(network).train(state == "training")
        with naming(spec), telling_errors(tried, example), torch.no_grad(), torch.random.fork_rng(devices=[]):
            outputs = tried(example)
        found = tuple(outputs.shape) if isinstance(outputs, Tensor) else type(outputs).__name__
        if found != expected:
            raise InputError(
                f"models.{spec['name']}.architecture: in {state}, {spec['architecture']} gives {found} for 2 stimuli; "
                f"training needs a tensor {expected}, the output of its last linear layer"
            )
