"""Fit readouts of layers by ridge regression on all stimuli of a recording, and write them for later use."""

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

import dask
import numpy as np
import pandas as pd
import zarr
from dask.delayed import delayed
from numpy.typing import NDArray

from ventral.activations.parts import open_parts, scale_of
from ventral.errors import shown
from ventral.grams.representations import read_representation
from ventral.grams.streaming import FEATURES_PER_BLOCK
from ventral.mappings.ridge_on_all import ridge_on_all_graph
from ventral.models.layer_names import MARK
from ventral.models.zoo import check_taken
from ventral.outputs import packing, writing
from ventral.readouts.card import described_versions, model_card
from ventral.recordings.time_bins import place_of, read_recording
from ventral.running.parallel import computing
from ventral.running.progress import Progress
from ventral.scores.prediction import penalty_scale
from ventral.shards import stores_of_parts
from ventral.statistics.best_layers import best_layers_of
from ventral.statistics.summaries import read_scores
from ventral.stimuli.modality import declared_modality
from ventral.store import create_array, new_store
from ventral.targets.benchmark import read_stimuli
from ventral.targets.splits import FEWEST_FOLDS, Split
from ventral.targets.values import Targets, neurons, same_stimuli, splits_of

logger = logging.getLogger(__name__)

FORMAT = "readout of ventral, 1"
MAPPING = "ridge"
# Split whose folds choose a readout's penalty, and which `best` uses if the split is scored.
SPLIT = "stimuli"
# Columns of the score table that a readout repeats for each neuroid.
ACCURACY = ("r", "reliability", "predictivity")
MEBIBYTE = 2**20


@dataclass(frozen=True)
class Group:
    """A group of neuroids that have responses to the same m stimuli.

    Attributes
    ----------
    columns : (neuroids,) integer array
        Positions of the neuroids among all targets.
    rows : (m,) integer array
        Rows of these stimuli.
    folds : list of integer arrays
        Folds of the m stimuli.
    """

    columns: NDArray[np.intp]
    rows: NDArray[np.intp]
    folds: list[NDArray[np.intp]]


@dataclass(frozen=True)
class Fit:
    """Fitted readouts of one layer.

    Attributes
    ----------
    coefficients : (n, targets) array
        Coefficients c of `ventral.mappings.ridge_on_all`; 0 for stimuli without a response.
    penalty : (targets,) array
        Penalties in the units of the layer's Gram matrix.
    """

    coefficients: NDArray[np.float64]
    penalty: NDArray[np.float64]


def readout(
    parts: Sequence[str | Path],
    gram: str | Path,
    recording: str | Path,
    stimuli: str | Path,
    scores: str | Path,
    output: str | Path,
    *,
    layers: str | Sequence[str],
    spec: dict,
    dtype: str,
    autocast: str | None,
    channels_last: bool,
    penalties: Sequence[float],
    reliability_threshold: float,
    n_folds: int,
    seed: int,
    cores: int = 1,
) -> None:
    """Write readouts of a model's layers that predict the neuroids of a recording for new stimuli.

    Each neuroid is fitted on all stimuli with responses. Its penalty has the smallest squared error on held-out stimuli
    in the folds of split `stimuli`. Weights w = X^T c are computed from one block of features at a time.

    Parameters
    ----------
    parts : sequence of paths
        Activation stores of the model, or folders of stores, that together hold every stimulus once.
    gram, recording, stimuli : paths
        Stores of the model's Gram matrices, of the recording, and of the stimuli of all stores.
    scores : path
        Score table of this model and recording.
    output : path
        Folder to write, with a store `LAYER.zarr.zip` and a model card `LAYER.md` for each layer. The store has
        `weights` (features, neuroids) float32, and `intercept`, `penalty` and `n_stimuli` (neuroids,). `r`,
        `reliability` and `predictivity` (splits, neuroids) come from the score table. Attributes have everything else.
    layers : str or sequence of str
        `best`, the layer with the highest score for each area and time bin; `all`; or names of layers.
    spec : dict
        The model, from `ventral.models.zoo.resolve_model`.
    dtype, autocast, channels_last
        Precision of the features, as for `ventral.activations.extraction.Extraction.opened`.
    penalties : sequence of float
        Candidate penalties, in units of the mean squared distance of the stimuli's feature vectors from their mean.
    reliability_threshold : float
        As for `ventral.statistics.best_layers.best_layers`.
    n_folds, seed : int
        Number of folds of split `stimuli`, and seed of their deal and of the halves that choose best layers.
    cores : int
        Threads that Dask spreads penalties and blocks of features over.

    Raises
    ------
    InputError
        If the stores do not fit together, the folds cannot be dealt, or a named layer is missing.
    """
    shards = stores_of_parts(parts)
    stores = open_parts(shards)
    stimulus_set = read_stimuli(stimuli, [recording, gram, *shards])
    responses = read_recording(recording)
    targets, groups = fitted_targets(neurons(responses), splits_of(stimulus_set, [SPLIT], n_folds, seed)[SPLIT])
    table = ridge_scores(scores)
    best = best_places(table, reliability_threshold, seed)
    taken = taken_layers(layers, stores[0].attrs["layers"], best, spec["name"], "readouts")
    if not groups:
        logger.warning("recording %s: no neuroid can be fitted, so no readout is made", responses.attrs["recording"])
        taken = []
    modality = declared_modality(stimulus_set.attrs, str(stimuli))
    described = {
        "format": FORMAT,
        # The stores have the complete preprocessing, also if only a library knows it.
        "model": {**spec, **stores[0].attrs["preprocessing"]},
        "family": stores[0].attrs["family"],
        "weights_sha256": stores[0].attrs["weights_sha256"],
        "precision": {"dtype": dtype, "autocast": autocast, "channels_last": channels_last},
        "preprocessing": stores[0].attrs["preprocessing"],
        "stimuli": {
            "name": stimulus_set.attrs["name"],
            "sha256": stimulus_set.attrs["sha256"],
            "n_stimuli": stimulus_set.sizes["stimulus"],
            "modality": modality.name,
            "shape": list(stimulus_set[modality.array].shape[1:]),
            "dtype": modality.dtype,
            **modality.stored(stimulus_set.attrs),
        },
        "recording": responses.attrs["recording"],
        "mapping": MAPPING,
        "penalties": list(penalties),
        "n_folds": n_folds,
        "seed": seed,
        "splits": splits_in_order(table),
        "neuroid": targets.names.tolist(),
        "area": targets.areas.tolist(),
        "time_bin": targets.time_bins.tolist(),
        "versions": described_versions(),
    }
    megabytes = sum(layer["n_features"] for layer in taken) * len(targets.names) * 4 / MEBIBYTE
    logger.info("readouts of %d layers for %d neuroids: %.1f MiB", len(taken), len(targets.names), megabytes)
    progress = Progress(f"readout {spec['name']}", len(taken), "layers")
    with writing(output) as folder, computing(cores) as at_once:
        folder.mkdir()
        for layer in taken:
            of_layer = {"layer": layer, "best_of": best.get(layer["name"], [])}
            accuracy = accuracy_of_layer(table, layer["name"], targets, described["splits"])
            fit = fit_layer(read_representation(gram, layer["name"]).gram, targets, groups, penalties)
            arrays = [store[layer["name"]] for store in stores]
            file = folder / f"{quote(layer['name'], safe=MARK)}.zarr.zip"
            write_readout(file, described | of_layer, arrays, fit, targets, groups, accuracy, at_once)
            progress.advance()


def fitted_targets(targets: Targets, split: Split) -> tuple[Targets, list[Group]]:
    """Return the targets with enough values for a fit, in groups that have values for the same stimuli.

    Targets with values in fewer than three folds are left out with a warning.
    """
    groups = []
    for columns, rows in same_stimuli(targets.values):
        remaining = split.placed(rows).folds
        if len(remaining) >= FEWEST_FOLDS:
            groups.append(Group(columns, rows, remaining))
            continue
        names = list(map(place_of, targets.names[columns], targets.time_bins[columns]))
        logger.warning("no readout for neuroids with values in fewer than %d folds: %s", FEWEST_FOLDS, shown(names))
    kept = np.sort(np.concatenate([group.columns for group in groups])) if groups else np.empty(0, dtype=np.intp)
    groups = [replace(group, columns=np.searchsorted(kept, group.columns)) for group in groups]
    return targets.taken(kept, np.arange(len(targets.values))), groups


def ridge_scores(scores: str | Path) -> pd.DataFrame:
    """Return the rows of a score table for neurons predicted by ridge regression."""
    table = read_scores(Path(scores))
    return table[(table["target_kind"] == "neuron") & (table["mapping"] == MAPPING)]


def splits_in_order(table: pd.DataFrame) -> list[str]:
    """Return the names of the splits of a score table, with `stimuli` first if the table has this split."""
    return sorted(table["split"].unique(), key=lambda split: (split != SPLIT, split))


def best_places(table: pd.DataFrame, reliability_threshold: float, seed: int) -> dict[str, list[str]]:
    """Return the areas and time bins for which each layer is best, by name of layer.

    The best layer is that of `ventral.statistics.best_layers` by all neurons and folds, on the first split of
    `splits_in_order`. Scores of other models do not matter.
    """
    splits = splits_in_order(table)
    found = best_layers_of(table[table["split"].isin(splits[:1])], reliability_threshold, seed=seed, n_splits=1)
    best: dict[str, list[str]] = {}
    for row in found.itertuples():
        best.setdefault(row.best_layer, []).append(place_of(row.area, row.time_bin))
    return best


def taken_layers(
    wanted: str | Sequence[str], layers: Sequence[Mapping], best: Collection[str], model: str, output: str
) -> list[Mapping]:
    """Return the layers of a model requested for an output: `all`, the `best` for some area, or named layers."""
    if wanted == "best" and not best:
        logger.warning("model %s: no %s: no layer has a score for a reliable enough neuron", model, output)
    known = [layer["name"] for layer in layers]
    names = {"all": known, "best": best}[wanted] if isinstance(wanted, str) else wanted
    check_taken(names, known, f"outputs.{output}", model)
    return [layer for layer in layers if layer["name"] in names]


def accuracy_of_layer(table: pd.DataFrame, layer: str, targets: Targets, splits: Sequence[str]) -> dict[str, NDArray]:
    """Return the columns `ACCURACY` (splits, neuroids) of one layer; NaN if the score table has no row."""
    of_layer = table[table["layer"] == layer].set_index(["split", "target", "time_bin"])
    places = [
        pd.MultiIndex.from_arrays([[split] * len(targets.names), targets.names, targets.time_bins]) for split in splits
    ]
    return {
        name: np.array([of_layer[name].reindex(place).to_numpy(float) for place in places]).reshape(
            len(splits), len(targets.names)
        )
        for name in ACCURACY
    }


def fit_layer(gram: NDArray, targets: Targets, groups: Sequence[Group], penalties: Sequence[float]) -> Fit:
    """Fit all targets on one layer.

    Parameters
    ----------
    gram : (n, n) array
        Gram matrix of the layer.
    targets, groups
        Targets and their groups, from `fitted_targets`.
    penalties : sequence of float
        Candidate penalties, in units of `penalty_scale`.
    """
    scale = penalty_scale(gram)
    whole = delayed(gram, pure=False)
    graphs = [
        ridge_on_all_graph(
            whole if len(group.rows) == len(gram) else delayed(_square, pure=False)(whole, group.rows),
            targets.values[np.ix_(group.rows, group.columns)],
            group.folds,
            [scale * penalty for penalty in penalties],
        )
        for group in groups
    ]
    coefficients, penalty = np.zeros(targets.values.shape), np.full(targets.values.shape[1], np.nan)
    for group, fit in zip(groups, dask.compute(*graphs), strict=True):
        coefficients[np.ix_(group.rows, group.columns)] = fit.coefficients
        penalty[group.columns] = fit.penalty
    return Fit(coefficients, penalty)


def _square(matrix: NDArray, rows: NDArray[np.intp]) -> NDArray:
    return matrix[np.ix_(rows, rows)]


def write_readout(
    path: Path,
    attributes: dict,
    arrays: Sequence[zarr.Array],
    fit: Fit,
    targets: Targets,
    groups: Sequence[Group],
    accuracy: Mapping[str, NDArray],
    at_once: int = 1,
) -> None:
    """Write the readout of one layer, and its model card beside it; equal fits give equal bytes.

    Parameters
    ----------
    path : path
        File to write, LAYER.zarr.zip; the card is LAYER.md.
    attributes : dict
        Description of the readout, for its attributes and its card.
    arrays : sequence of (rows, p) arrays
        Features of the layer, cut into shards by rows.
    fit, targets, groups
        Fit and targets of the layer, from `fit_layer` and `fitted_targets`.
    accuracy : mapping of (splits, neuroids) arrays
        Accuracy from `accuracy_of_layer`.
    at_once : int
        Blocks of features in flight at a time.
    """
    n_stimuli = np.isfinite(targets.values).sum(axis=0)
    card = model_card(attributes, {**accuracy, "penalty": fit.penalty, "n_stimuli": n_stimuli})
    with packing(path) as unfinished, new_store(unfinished) as group:
        group.attrs.update({**attributes, "card": card})
        shape = (arrays[0].shape[1], len(targets.names))
        block = (FEATURES_PER_BLOCK, shape[1])
        weights = create_array(
            group, "weights", shape, "float32", block, block, compress=False, dimension_names=("feature", "neuroid")
        )
        offset = fill_weights(weights, arrays, fit.coefficients, groups, at_once)
        intercept = np.nanmean(targets.values, axis=0) - offset
        for name, values in {"intercept": intercept, "penalty": fit.penalty, "n_stimuli": n_stimuli}.items():
            _write_array(group, name, values, ("neuroid",))
        for name, values in accuracy.items():
            _write_array(group, name, values, ("split", "neuroid"))
    path.with_name(f"{path.name.removesuffix('.zarr.zip')}.md").write_text(card, encoding="utf-8")


def fill_weights(
    weights: zarr.Array, arrays: Sequence[zarr.Array], coefficients: NDArray, groups: Sequence[Group], at_once: int
) -> NDArray[np.float64]:
    """Write X^T c in blocks of features, and return the weights applied to each target's mean features.

    Parameters
    ----------
    weights : (p, targets) zarr array
        Array to fill.
    arrays : sequence of (rows, p) arrays
        X, cut into shards by rows, with features multiplied by the scale of the arrays.
    coefficients : (n, targets) array
        c.
    groups : sequence of Group
        Groups of targets with their fitted stimuli.
    at_once : int
        Blocks in flight at a time, each in float64.
    """
    n_features, n_targets = weights.shape
    averages, group_of = np.zeros((len(coefficients), len(groups))), np.zeros(n_targets, dtype=np.intp)
    for k, group in enumerate(groups):
        averages[group.rows, k] = 1 / len(group.rows)
        group_of[group.columns] = k
    both = delayed(np.concatenate([coefficients, averages], axis=1), pure=False)
    offset = np.zeros(n_targets)
    starts = range(0, n_features, FEATURES_PER_BLOCK)
    for first in range(0, len(starts), at_once):
        wave = starts[first : first + at_once]
        tasks = [delayed(_block_products, pure=False, traverse=False)(arrays, start, both) for start in wave]
        for start, products in zip(wave, dask.compute(*tasks), strict=True):
            rounded = products[:, :n_targets].astype(np.float32)
            weights[start : start + len(rounded)] = rounded
            offset += np.einsum("ij,ij->j", products[:, n_targets:][:, group_of], rounded)
    return offset


def _block_products(arrays: Sequence[zarr.Array], start: int, right: NDArray) -> NDArray[np.float64]:
    """Return X^T right (features, columns) of one block of features, in the network's own units."""
    stop = min(start + FEATURES_PER_BLOCK, arrays[0].shape[1])
    block = np.concatenate([array[:, start:stop] for array in arrays]).astype(np.float64)
    return block.T @ right / scale_of(arrays[0])


def _write_array(group: zarr.Group, name: str, values: NDArray, axes: tuple[str, ...]) -> None:
    array = create_array(group, name, values.shape, values.dtype.name, values.shape, values.shape, dimension_names=axes)
    array[...] = values
