"""Prepare training data: stimuli, targets, and the parts for training, validation and test."""

import hashlib
import json
import logging
import math
from collections.abc import Mapping, Sequence
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
    trace_stimuli,
    with_outputs,
)
from ventral.models.layers import choose_layers
from ventral.models.passes import telling_errors
from ventral.models.zoo import modality_asked, on_stimuli
from ventral.recordings.ingestion import mean_responses
from ventral.recordings.time_bins import bins_of, read_recording
from ventral.stimuli.modality import Training
from ventral.stimuli.places import as_list
from ventral.store import open_store, read_dataset
from ventral.targets.benchmark import read_stimuli
from ventral.targets.splits import folds_of_stimuli
from ventral.targets.values import labels_of, texts_of
from ventral.training.exclusion import training_rows

logger = logging.getLogger("ventral")

ROWS_PER_READ = 1024
# Number of the label of a stimulus without one.
NONE = -1


@dataclass(frozen=True)
class Task:
    """Network options and data of one training; the same in all processes.

    Attributes
    ----------
    spec : dict
        As for `train`.
    fingerprint : str
        Hash of everything that the result depends on.
    network : dict
        Description of the network before training, for stimuli of this set.
    stimuli : DataFrame
        Names (`stimulus`) and labels of the stimuli.
    shape : tuple of int
        Shape of a stimulus in the store.
    kept : (n, ...) tensor
        These stimuli, as `Training.kept` of their modality returns them.
    targets : (n, labels) int64 tensor, or (n, neuroids) float32 tensor
        Number of the name under each label, `NONE` without one. Or z-scored mean responses; NaN if missing.
    classes : dict of lists of str
        Names under each label, in the order of the network's outputs; empty for a recording.
    parts : dict of integer arrays
        Rows of `train` and `validation`. Also `test`, for a recording, or if values of a column are held out.
    neuroids : DataFrame or None
        Columns `neuroid`, `area`, `time_bin` and `reliability` of a recording, in the order of the network's outputs.
    """

    spec: dict
    fingerprint: str
    network: dict
    stimuli: pd.DataFrame
    shape: tuple[int, ...]
    kept: Tensor
    targets: Tensor
    classes: dict[str, list[str]]
    parts: dict[str, NDArray[np.intp]]
    neuroids: pd.DataFrame | None

    @property
    def training(self) -> Training:
        """Functions that vary and show stimuli of this modality."""
        return modality_asked(self.spec["network"]).training

    @property
    def n_outputs(self) -> list[int]:
        """Number of outputs for each label, or for all neuroids."""
        return [len(self.neuroids)] if self.neuroids is not None else [*map(len, self.classes.values())]

    @property
    def outputs(self) -> list[str] | dict[str, list[str]]:
        """Names of the outputs: neuroids, names under the label, or names under each of several labels."""
        if self.neuroids is not None:
            return self.neuroids["neuroid"].tolist()
        return self.classes if len(self.classes) > 1 else next(iter(self.classes.values()))

    @property
    def there(self) -> Tensor:
        """Mask of the targets that are known."""
        return self.targets != NONE if self.neuroids is None else ~self.targets.isnan()

    @property
    def n_batches(self) -> int:
        """Number of batches in an epoch, whose sizes differ by one at most, so that no batch is a small remainder."""
        return max(1, len(self.parts["train"]) // self.spec["batch_size"])

    @property
    def largest_batch(self) -> int:
        """Largest number of stimuli in a batch."""
        return -(-len(self.parts["train"]) // self.n_batches)


def prepare(stimuli, spec: dict, tested, recording) -> Task:
    """Read the training data."""
    dataset = read_stimuli(stimuli, [recording] if spec["recording"] else [])
    texts = texts_of(dataset)
    rows = _left(spec, dataset, texts, tested)
    if spec["recording"]:
        targets, neuroids, parts = _read_neuroids(spec, recording, dataset, texts, rows)
        classes = {}
    else:
        neuroids = None
        targets, classes = _numbered(texts, as_list(spec["label"]), rows)
        parts = _parts(spec, texts, rows)
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
    columns = dict.fromkeys([*labels_of(dataset), *as_list(spec["label"] or []), *spec.get("apart", [])])
    array = open_store(stimuli)[modality_asked(network).array]
    return Task(
        spec=spec,
        fingerprint=digest.hexdigest(),
        network=network,
        stimuli=pd.DataFrame({"stimulus": dataset["stimulus"].values, **{name: texts[name] for name in columns}})
        .iloc[used]
        .reset_index(drop=True),
        shape=array.shape[1:],
        kept=_kept(array, used, network),
        targets=targets,
        classes=classes,
        parts={part: np.searchsorted(used, held) for part, held in parts.items()},
        neuroids=neuroids,
    )


def _left(spec: dict, dataset, texts: Mapping[str, NDArray], tested) -> NDArray[np.intp]:
    """Return the rows that may be trained on, and log the exclusions."""
    stores = [read_dataset(path) for path in tested]
    sets = {store.attrs["name"]: labels_of(store) for store in stores}
    rows, excluded = training_rows(spec, texts, dataset.sizes["stimulus"], sets)
    for name in [name for name, of_set in sets.items() if labels_of(dataset) and not of_set]:
        logger.warning("train %s: the stimuli of %s have no labels, so none can be excluded", spec["name"], name)
    _refuse_tested(spec, dataset, rows, [store for store in stores if not (labels_of(store) and labels_of(dataset))])
    logger.info(
        "train %s: training uses %d of %d stimuli of %s; excluded: %s",
        spec["name"],
        len(rows),
        dataset.sizes["stimulus"],
        dataset.attrs["name"],
        "; ".join(f"{kind} {shown(names, 8)}" for kind, names in excluded.items() if names) or "nothing",
    )
    return rows


def _refuse_tested(spec: dict, dataset, rows: NDArray[np.intp], tested: Sequence) -> None:
    """Refuse to train on stimuli that are equal to stimuli of tested sets from which labels exclude nothing."""
    array = modality_asked(spec["network"]).array
    known = {digest: store.attrs["name"] for store in tested for digest in _digests(store, array)}
    if not known:
        return
    digests = _digests(dataset, array)
    if equal := [row for row in rows if digests[row] in known]:
        raise InputError(
            f"models.{spec['name']}.train.stimuli: {len(equal)} stimuli of {dataset.attrs['name']} are tested, too, in "
            f"{known[digests[equal[0]]]}: {shown(dataset['stimulus'].values[equal], 4)}; train on others"
        )


def _digests(dataset, array: str) -> list[bytes]:
    """Return the SHA-256 of each stimulus."""
    starts = range(0, dataset.sizes["stimulus"], ROWS_PER_READ)
    blocks = (dataset[array][start : start + ROWS_PER_READ].values for start in starts)
    return [hashlib.sha256(stimulus).digest() for block in blocks for stimulus in block]


def _numbered(texts: Mapping[str, NDArray], labels: list[str], rows: NDArray[np.intp]):
    """Return the number (n, labels) of each stimulus's name under each label, and the names in some rows by label."""
    classes = {label: np.unique(texts[label][rows][texts[label][rows] != ""]) for label in labels}
    numbers = [
        np.where(texts[label] == "", NONE, np.searchsorted(names, texts[label])) for label, names in classes.items()
    ]
    return torch.from_numpy(np.stack(numbers, axis=1)), {label: names.tolist() for label, names in classes.items()}


def _read_neuroids(spec: dict, recording, dataset, texts: Mapping[str, NDArray], rows: NDArray[np.intp]):
    """Return z-scored mean responses (n, neuroids), the table of neuroids, and the rows of each part."""
    responses = read_recording(recording)
    name, key = responses.attrs["recording"], f"models.{spec['name']}.train.recording"
    source = f"stimuli {dataset.attrs['name']}"
    kinds = texts.get("object", texts.get("category"))
    test = folds_of_stimuli(kinds, dataset.sizes["stimulus"], spec["folds"], spec["folds_seed"], source)[0]
    kinds = np.full(dataset.sizes["stimulus"], "") if kinds is None else kinds
    generator = np.random.default_rng(spec["network"]["seed"])
    train, validation = _divided(np.setdiff1d(rows, test), [kinds], np.arange(len(kinds)), spec, generator)
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


def _parts(spec: dict, texts: Mapping[str, NDArray], rows: NDArray[np.intp]) -> dict[str, NDArray[np.intp]]:
    """Return the rows of each part of labelled stimuli."""
    labels, apart = as_list(spec["label"]), spec.get("apart", [])
    strata, parts = _strata(texts, labels), {}
    groups = np.arange(len(strata[0]))
    generator = np.random.default_rng(spec["network"]["seed"])
    if apart:
        groups = np.unique(np.stack([texts[column] for column in apart]), axis=1, return_inverse=True)[1]
        rows, parts["test"] = _divided(rows, strata, groups, spec, generator)
    train, parts["validation"] = _divided(rows, strata, groups, spec, generator)
    parts = {"train": train, **parts}
    for part, held in parts.items():
        for label in labels:
            _check_learned(texts[label], train, held, spec, label, part)
    return parts


def _strata(texts: Mapping[str, NDArray], labels: list[str]) -> tuple[NDArray, NDArray]:
    """Return the first label of each stimulus that is not empty, with its column, and the column alone."""
    columns = np.array(labels)[np.argmax([texts[label] != "" for label in labels], axis=0)]
    names = np.select([columns == label for label in labels], [texts[label] for label in labels], "")
    return np.char.add(np.char.add(columns, " "), names), columns


def _check_learned(
    names: NDArray, train: NDArray[np.intp], held: NDArray[np.intp], spec: dict, label: str, part: str
) -> None:
    """Refuse a part without names under a label, or with names that training does not show."""
    key = f"models.{spec['name']}.train"
    there = {*np.unique(names[held])} - {""}
    if not there:
        raise InputError(
            f"{key}.validation: no stimulus of the {part} part has a `{label}`; set a higher share, or train on more "
            f"stimuli"
        )
    if unknown := sorted(there - {*names[train]}):
        option, more = "validation", "more stimuli, or a lower share"
        if "apart" in spec:
            option, more = "apart", f"stimuli that differ in {shown(spec['apart'])}"
        raise InputError(
            f"{key}.{option}: {label} {shown(unknown, 4)} would be in the {part} part and never trained on; every "
            f"`{label}` needs {more}"
        )


def _divided(
    rows: NDArray[np.intp], strata: Sequence[NDArray], groups: NDArray, spec: dict, generator: np.random.Generator
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Divide rows into those that stay and those that are held out, in whole groups, stratified.

    Parameters
    ----------
    rows : integer array
        Rows to divide.
    strata : sequence of (n,) arrays
        Stratum of every stimulus, from fine to coarse. The stratum of a group is the finest that its stimuli share.
    groups : (n,) array
        Group of every stimulus.
    spec : dict
        `validation` is the share to hold out; `name`, for messages.
    generator : Generator
        Draws the groups.
    """
    units, first, unit = np.unique(groups[rows], return_index=True, return_inverse=True)
    of_units = np.full(len(units), "", dtype=object)
    for values in [values[rows] for values in reversed(strata)]:
        shared = np.ones(len(units), dtype=bool)
        shared[unit[values != values[first][unit]]] = False
        of_units[shared] = values[first][shared]
    held = np.zeros(len(units), dtype=bool)
    for stratum in np.unique(of_units):
        places = generator.permutation(np.flatnonzero(of_units == stratum))
        # At least one unit of each stratum is trained on; halves are rounded up.
        held[places[: min(len(places) - 1, math.floor(len(places) * spec["validation"] + 0.5))]] = True
    if not held.any():
        of = f"{len(units)} stimuli with {len(np.unique(of_units))} labels is less than one stimulus of each"
        if "apart" in spec:
            of = f"{len(units)} values of {' and '.join(spec['apart'])} is less than one that training can do without"
        raise InputError(
            f"models.{spec['name']}.train.validation: {spec['validation']} of {of}; set a higher share, or train on "
            f"more stimuli"
        )
    return rows[~held[unit]], rows[held[unit]]


def _kept(stored, rows: NDArray[np.intp], network: dict) -> Tensor:
    """Return some rows of the array of a store, as training keeps them."""
    modality, blocks = modality_asked(network), []
    kept = modality.training.kept or modality.prepare
    for start in range(0, stored.shape[0], ROWS_PER_READ):
        wanted = rows[(rows >= start) & (rows < start + ROWS_PER_READ)]
        if len(wanted):
            read = stored[start : start + ROWS_PER_READ][wanted - start]
            blocks.append(kept(torch.from_numpy(read), network))
    return torch.cat(blocks)


def network_for(task: Task) -> nn.Module:
    """Build the network before training, with a readout for the task."""
    network = task.spec["network"]
    return with_outputs(build(network, new_readout=True), task.n_outputs, network).requires_grad_(True)


def steps_of(network: nn.Module) -> int:
    """Return the number of steps at which a network is read out: `steps_read_out` of the network, else 1."""
    return getattr(network, "steps_read_out", 1)


def check_network(task: Task, layers: dict | None) -> None:
    """Refuse a network that lacks a requested layer, or whose output is not the output of its last linear layer.

    With several steps, the output (n, steps, outputs) has that of each step.
    """
    spec = task.spec["network"]
    network = network_for(task)
    n_steps, n_outputs = steps_of(network), sum(task.n_outputs)
    expected = (2, n_outputs) if n_steps == 1 else (2, n_steps, n_outputs)
    traced = trace_stimuli(network.eval(), task.shape, task.network)
    if layers:
        chosen = choose_layers(network, traced, {**task.network, **layers})
        check_layers_repeatable(network, chosen, task.shape, task.network)
    example = task.training.shown(torch.cat([task.kept[:1]] * 2), spec)
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
