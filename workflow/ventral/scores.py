"""How well every layer of a model predicts every target, on stimuli held out of the fit."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import dask
import numpy as np
import pandas as pd
import zarr
from dask.delayed import Delayed, delayed
from numpy.typing import NDArray

from ventral.categorisation import svm_balanced_accuracy
from ventral.errors import InputError
from ventral.parallel import computing
from ventral.progress import Progress
from ventral.recorded import FAMILY, Halved, averaged, halved, neurons_elsewhere, recorded_areas, representation_of
from ventral.recordings import published_matrices
from ventral.representations import Representation, read_representation
from ventral.ridge import nested_ridge_graph
from ventral.rsa import Matrices, agreement, correlation_distances, standardised_ranks
from ventral.score_table import prediction_rows, write_table
from ventral.splits import make_folds
from ventral.store import read_dataset, writing
from ventral.targets import Targets, grouped_by_missing, labels_of, neurons, properties, together

logger = logging.getLogger(__name__)


def fit(
    gram: str | Path,
    recording: str | Path,
    stimuli: str | Path,
    output: str | Path,
    *,
    mappings: Sequence[str] = ("ridge",),
    splits: Sequence[str],
    n_folds: int,
    seed: int,
    penalties: Sequence[float],
    cores: int = 1,
) -> None:
    """Score every layer of one model against one recording, and write the rows of the score table.

    A recording given as dissimilarity matrices is compared with the layer's own dissimilarities, without any fit: these
    rows have split `none`.

    Parameters
    ----------
    gram, recording, stimuli : paths
        Stores of the model's Gram matrices, of the recording, and of the stimuli that both are of.
    output : path
        Parquet file to write.
    mappings : sequence of str
        How targets are predicted: `ridge`; or compared without a fit.
    splits : sequence of str
        Of `images`, `objects`, `categories`.
    n_folds, seed : int
        Folds of split `images`, and the seed of their deal.
    penalties : sequence of float
        Candidates, times the mean squared distance of the stimuli's feature vectors from their mean.
    cores : int
        Threads that Dask spreads layers, splits and penalties over.

    Raises
    ------
    InputError
        If the stores are of other stimuli or of an earlier version, or a split cannot be made of these stimuli.
    """
    stimulus_set, responses = read_dataset(stimuli), read_dataset(recording)
    grams = zarr.open_group(gram, mode="r")
    for path, found in ((gram, grams.attrs["stimuli_sha256"]), (recording, responses.attrs["stimuli_sha256"])):
        if found != stimulus_set.attrs["sha256"]:
            raise InputError(f"{path}: made from other stimuli than {stimuli}; delete it, and it will be made again")
    if "family" not in grams.attrs:
        raise InputError(f"{gram}: does not say which kind of model it is of; delete it, and it will be made again")
    labels = labels_of(stimulus_set)
    n = stimulus_set.sizes["stimulus"]
    folds = {
        split: make_folds(split, labels, n, n_folds, seed, f"stimuli {stimulus_set.attrs['name']}") for split in splits
    }
    targets = of_stimuli = properties(stimulus_set)
    matrices = ranks = None
    # A recording's own areas, where they stand for a model: they predict each other, and never themselves.
    own = grams.attrs["family"] == FAMILY and grams.attrs["model"] == responses.attrs["recording"]
    areas = {area.name: area for area in recorded_areas(responses)} if own else {}
    if "dissimilarities" in responses:
        matrices = published_matrices(responses)
        ranks = standardised_ranks(matrices.dissimilarities)
    else:
        targets = together(targets, neurons(responses))
    layers = grams.attrs["layers"]
    progress = Progress(f"fit {grams.attrs['model']}", len(layers), "layers")
    with writing(output) as unfinished, computing(cores):
        graph = []
        for layer in layers:
            representation = delayed(read_representation, pure=False)(str(gram), layer["name"])
            if own:
                targets = together(of_stimuli, neurons_elsewhere(responses, areas[layer["name"]]))
            rows = [
                part
                for split in splits
                for part in _rows_of_split(representation, split, folds[split], targets, labels, penalties)
            ]
            if own:
                rows += _rows_of_halves(list(halved(responses, areas[layer["name"]], seed)), folds, penalties)
            if matrices:
                rows.append(delayed(_rsa_rows, pure=False)(representation, layer["name"], matrices, ranks))
            graph.append(delayed(_concatenated, pure=False)(rows, progress))
        tables = dask.compute(*graph)
        for layer, table in zip(layers, tables, strict=True):
            table["layer"], table["depth"], table["n_features"] = layer["name"], layer["depth"], layer["n_features"]
        table = pd.concat(tables, ignore_index=True)
        table["model"], table["family"] = grams.attrs["model"], grams.attrs["family"]
        table["stimuli"] = stimulus_set.attrs["name"]
        table["recording"] = responses.attrs["recording"]
        table["simulated"] = bool(responses.attrs.get("simulated", False))
        write_table(table, unfinished)


def penalty_scale(gram: NDArray) -> float:
    """Return the mean squared distance of the feature vectors from their mean, trace of the centred Gram / n.

    1 where the features do not vary between stimuli: any penalty then predicts the mean.
    """
    n = len(gram)
    scale = (np.trace(gram) - gram.sum() / n) / n
    return float(scale) if scale > 1e-12 * np.abs(gram).max() else 1.0


def _rows_of_split(
    representation: Delayed,
    split: str,
    folds: Sequence[NDArray],
    targets: Targets,
    labels: Mapping[str, NDArray],
    penalties: Sequence[float],
) -> list[Delayed]:
    scale = delayed(penalty_scale, pure=False)(representation.gram)
    scaled = [delayed(np.multiply, pure=False)(scale, penalty) for penalty in penalties]
    parts = []
    for group, rows, group_folds in grouped_by_missing(targets, folds):
        part = representation.of_stimuli(rows) if len(rows) < len(targets.values) else representation
        ridge = nested_ridge_graph(part.gram, group.values, group_folds, scaled)
        parts.append(
            delayed(prediction_rows, pure=False)(ridge.predictions, group, group_folds, split, "ridge", ridge.penalty)
        )
    parts += [
        delayed(_svm_rows, pure=False)(representation.gram, labels[label], folds, split, label)
        for label in ("category", "object")
        if label in labels and _seen_in_training(labels[label], folds)
    ]
    return parts


def _rows_of_halves(
    halves: Sequence[Halved], folds: Mapping[str, Sequence[NDArray]], penalties: Sequence[float]
) -> list[Delayed]:
    parts, gains = [], []
    for half in halves:
        representation = delayed(representation_of, pure=False)(half.features)
        of_half = [
            part
            for split in folds
            for part in _rows_of_split(representation, split, folds[split], half.targets, {}, penalties)
        ]
        parts += of_half
        gains += [half.gain] * len(of_half)
    return [delayed(averaged, pure=False)(parts, gains)] if parts else []


def _seen_in_training(labels: NDArray, folds: Sequence[NDArray]) -> bool:
    everything = np.arange(len(labels))
    return len(np.unique(labels)) > 1 and all(
        np.isin(labels[fold], labels[np.setdiff1d(everything, fold)]).all() for fold in folds
    )


def _svm_rows(gram: NDArray, labels: NDArray, folds: Sequence[NDArray], split: str, label: str) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "area": "",
            "target": [label],
            "target_kind": "category",
            "split": split,
            "mapping": "svm",
            "n_stimuli": len(labels),
            "n_folds": len(folds),
            "balanced_accuracy": svm_balanced_accuracy(gram, labels, folds),
            "chance": 1 / len(np.unique(labels)),
        }
    )


def _rsa_rows(representation: Representation, layer: str, matrices: Matrices, ranks: NDArray) -> pd.DataFrame:
    distances = correlation_distances(representation.gram, representation.row_sums, representation.n_features)
    constant = np.flatnonzero(np.isnan(np.diag(distances)))
    if len(constant):
        logger.warning(
            "layer %s: its %d features are all the same for %d stimuli (the first in row %d): no correlation distance",
            layer,
            representation.n_features,
            len(constant),
            constant[0] + 1,
        )
    r = agreement(distances, ranks)
    names = list(dict.fromkeys(matrices.names))
    return pd.DataFrame(
        {
            "area": [matrices.areas[matrices.names == name][0] for name in names],
            "target": names,
            "target_kind": "matrix",
            "split": "none",
            "mapping": "rsa",
            "n_stimuli": matrices.n_stimuli,
            "n_folds": 0,
            "r": [r[matrices.names == name].mean() for name in names],
        }
    )


def _concatenated(parts: Sequence[pd.DataFrame], progress: Progress) -> pd.DataFrame:
    progress.advance()
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
