"""The score table: how well every layer of a model predicts every target, on stimuli held out of the fit."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import dask
import numpy as np
import pandas as pd
import xarray as xr
import zarr
from dask.delayed import Delayed, delayed
from numpy.typing import NDArray

from ventral.categorisation import svm_balanced_accuracy
from ventral.errors import InputError
from ventral.parallel import computing
from ventral.progress import Progress
from ventral.recordings import mean_responses, published_matrices
from ventral.ridge import nested_ridge_graph
from ventral.rsa import Matrices, agreement, correlation_distances, standardised_ranks
from ventral.splits import FEWEST_FOLDS, make_folds
from ventral.store import read_dataset, writing

logger = logging.getLogger(__name__)

COLUMNS = {
    "model": "string",
    "family": "string",
    "layer": "string",
    "depth": "float64",
    "stimuli": "string",
    "recording": "string",
    "simulated": "boolean",
    "area": "string",
    "target": "string",
    "target_kind": "string",
    "split": "string",
    "mapping": "string",
    "n_stimuli": "int64",
    "n_features": "int64",
    "n_folds": "int64",
    "r": "float64",
    "reliability": "float64",
    "predictivity": "float64",
    "explained_variance": "float64",
    "alpha": "float64",
    "balanced_accuracy": "float64",
    "chance": "float64",
}
SORTED_BY = ["recording", "split", "mapping", "target_kind", "model", "depth", "layer", "area", "target"]


@dataclass(frozen=True)
class Targets:
    """Values to be predicted, one column a target.

    Attributes
    ----------
    values : (n, targets) array
        NaN where a target has no value for a stimulus.
    kinds, names, areas : (targets,) arrays of str
        Of each target whether it is a 'neuron' or a 'property', its name, and its area ('' for a property).
    reliability : (targets,) array
        Split-half reliability, NaN where there is none.
    """

    values: NDArray[np.float64]
    kinds: NDArray
    names: NDArray
    areas: NDArray
    reliability: NDArray[np.float64]


def fit(
    gram: str | Path,
    recording: str | Path,
    stimuli: str | Path,
    output: str | Path,
    *,
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
    targets = properties(stimulus_set)
    matrices = ranks = None
    if "dissimilarities" in responses:
        matrices = published_matrices(responses)
        ranks = standardised_ranks(matrices.dissimilarities)
    else:
        targets = _together(targets, neurons(responses))
    layers = grams.attrs["layers"]
    progress = Progress(f"fit {grams.attrs['model']}", len(layers), "layers")
    with writing(output) as unfinished, computing(cores):
        graph = []
        for layer in layers:
            matrix = delayed(_read_gram, pure=False)(str(gram), layer["name"])
            rows = [
                part
                for split in splits
                for part in _rows_of_split(matrix, split, folds[split], targets, labels, penalties)
            ]
            if matrices:
                rows.append(delayed(_rsa_rows, pure=False)(matrix, str(gram), layer, matrices, ranks))
            graph.append(delayed(_concatenated, pure=False)(rows, progress))
        tables = dask.compute(*graph)
        for layer, table in zip(layers, tables, strict=True):
            table["layer"], table["depth"], table["n_features"] = layer["name"], layer["depth"], layer["n_features"]
        table = pd.concat(tables, ignore_index=True)
        table["model"], table["family"] = grams.attrs["model"], grams.attrs["family"]
        table["stimuli"] = stimulus_set.attrs["name"]
        table["recording"] = responses.attrs["recording"]
        table["simulated"] = bool(responses.attrs.get("simulated", False))
        _write(table, unfinished)


def join(tables: Sequence[str | Path], output: str | Path) -> None:
    """Join the tables of all models and recordings into the one that every figure is a query on."""
    with writing(output) as unfinished:
        _write(pd.concat([pd.read_parquet(table) for table in tables], ignore_index=True), unfinished)


def neurons(responses: xr.Dataset) -> Targets:
    """Return the mean responses of the neuroids of a recording that are not left out."""
    kept = responses.isel(neuroid=np.flatnonzero(responses["left_out"].values == ""))
    return Targets(
        values=mean_responses(kept).transpose("stimulus", "neuroid").values,
        kinds=np.full(kept.sizes["neuroid"], "neuron"),
        names=kept["neuroid"].values.astype(str),
        areas=kept["area"].values.astype(str),
        reliability=kept["reliability"].values,
    )


def properties(stimuli: xr.Dataset) -> Targets:
    """Return the numeric properties of the stimuli that vary."""
    columns = {
        name: coordinate.values.astype(float)
        for name, coordinate in sorted(stimuli.coords.items())
        if coordinate.dtype.kind in "fiu" and name != "stimulus"
    }
    columns = {name: values for name, values in columns.items() if len(np.unique(values[np.isfinite(values)])) > 1}
    names = np.array(list(columns), dtype=str)
    values = np.column_stack(list(columns.values())) if columns else np.empty((stimuli.sizes["stimulus"], 0))
    n = len(names)
    return Targets(values, np.full(n, "property"), names, np.full(n, ""), np.full(n, np.nan))


def _together(*targets: Targets) -> Targets:
    """Return all targets as one: those with values for the same stimuli share one factorisation for each penalty."""
    return Targets(
        np.concatenate([some.values for some in targets], axis=1),
        *(
            np.concatenate([getattr(some, name) for some in targets])
            for name in ("kinds", "names", "areas", "reliability")
        ),
    )


def labels_of(stimuli: xr.Dataset) -> dict[str, NDArray]:
    """Return the labels of the stimuli, `object` and `category` where there are any, as text."""
    return {name: stimuli[name].values.astype(str) for name in ("object", "category") if name in stimuli.coords}


def penalty_scale(gram: NDArray) -> float:
    """Return the mean squared distance of the feature vectors from their mean, trace of the centred Gram / n.

    1 where the features do not vary between stimuli: any penalty then predicts the mean.
    """
    n = len(gram)
    scale = (np.trace(gram) - gram.sum() / n) / n
    return float(scale) if scale > 1e-12 * np.abs(gram).max() else 1.0


def correlation_in_folds(predictions: NDArray, values: NDArray, folds: Sequence[NDArray]) -> NDArray:
    """Return Pearson's r of each column, computed within each fold and averaged over folds.

    Parameters
    ----------
    predictions, values : (n, targets) arrays
        Held-out predictions and what was measured.
    folds : sequence of integer arrays
        Rows of each fold.

    Returns
    -------
    (targets,) array
        NaN where predictions or values do not vary within some fold.
    """
    return np.mean([_pearson(predictions[fold], values[fold]) for fold in folds], axis=0)


def _pearson(a: NDArray, b: NDArray) -> NDArray:
    deviations = []
    for values in (a, b):
        centred = values - values.mean(axis=0)
        size = np.linalg.norm(centred, axis=0)
        # Deviations at the size of rounding carry no sign.
        constant = size <= 1e-12 * np.linalg.norm(values, axis=0)
        deviations.append(np.divide(centred, size, out=np.full_like(centred, np.nan), where=~constant & (size > 0)))
    return np.einsum("ij,ij->j", *deviations)


def _read_gram(path: str, layer: str) -> NDArray:
    return zarr.open_group(path, mode="r")[layer]["gram"][:]


def _rows_of_split(
    gram: Delayed,
    split: str,
    folds: Sequence[NDArray],
    targets: Targets,
    labels: Mapping[str, NDArray],
    penalties: Sequence[float],
) -> list[Delayed]:
    scale = delayed(penalty_scale, pure=False)(gram)
    scaled = [delayed(np.multiply, pure=False)(scale, penalty) for penalty in penalties]
    parts = [
        delayed(_ridge_rows, pure=False)(ridge, group, group_folds, split)
        for group, rows, group_folds in grouped_by_missing(targets, folds)
        for ridge in [nested_ridge_graph(_restricted(gram, rows), group.values, group_folds, scaled)]
    ]
    parts += [
        delayed(_svm_rows, pure=False)(gram, labels[label], folds, split, label)
        for label in ("category", "object")
        if label in labels and _seen_in_training(labels[label], folds)
    ]
    return parts


def _restricted(gram: Delayed, rows: NDArray) -> Delayed:
    return delayed(lambda matrix: matrix[np.ix_(rows, rows)] if len(rows) < len(matrix) else matrix, pure=False)(gram)


def grouped_by_missing(targets: Targets, folds: Sequence[NDArray]):
    """Give the targets in groups that have values for the same stimuli.

    Yields
    ------
    group : Targets
        Targets of the group, their values (m, targets) for the m stimuli they have.
    rows : (m,) integer array
        Which stimuli these are.
    folds : list of integer arrays
        The folds among the m stimuli. Targets with fewer than three folds left are not given, and are named in a
        warning.
    """
    present = np.isfinite(targets.values)
    patterns, group_of = np.unique(present, axis=1, return_inverse=True) if present.shape[1] else (present, [])
    for k in range(patterns.shape[1]):
        columns = np.flatnonzero(np.ravel(group_of) == k)
        rows = np.flatnonzero(patterns[:, k])
        place = np.full(len(present), -1)
        place[rows] = np.arange(len(rows))
        remaining = [place[fold][place[fold] >= 0] for fold in folds]
        remaining = [fold for fold in remaining if len(fold)]
        if len(remaining) < FEWEST_FOLDS:
            logger.warning(
                "left out: %s: values for %d stimuli in %d folds, at least %d folds are needed",
                ", ".join(targets.names[columns]),
                len(rows),
                len(remaining),
                FEWEST_FOLDS,
            )
            continue
        group = Targets(
            targets.values[np.ix_(rows, columns)],
            targets.kinds[columns],
            targets.names[columns],
            targets.areas[columns],
            targets.reliability[columns],
        )
        yield group, rows, remaining


def _seen_in_training(labels: NDArray, folds: Sequence[NDArray]) -> bool:
    everything = np.arange(len(labels))
    return len(np.unique(labels)) > 1 and all(
        np.isin(labels[fold], labels[np.setdiff1d(everything, fold)]).all() for fold in folds
    )


def _ridge_rows(ridge, targets: Targets, folds: Sequence[NDArray], split: str) -> pd.DataFrame:
    r = correlation_in_folds(ridge.predictions, targets.values, folds)
    with np.errstate(invalid="ignore"):
        ceiling = np.sqrt(np.where(targets.reliability > 0, targets.reliability, np.nan))
    return pd.DataFrame(
        {
            "area": targets.areas,
            "target": targets.names,
            "target_kind": targets.kinds,
            "split": split,
            "mapping": "ridge",
            "n_stimuli": len(targets.values),
            "n_folds": len(folds),
            "r": r,
            "reliability": targets.reliability,
            "predictivity": r / ceiling,
            "explained_variance": np.square(r / ceiling),
            "alpha": np.exp(np.log(ridge.penalty).mean(axis=0)),
        }
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


def _rsa_rows(gram: NDArray, path: str, layer: Mapping, matrices: Matrices, ranks: NDArray) -> pd.DataFrame:
    row_sums = zarr.open_group(path, mode="r")[layer["name"]]["row_sums"][:]
    distances = correlation_distances(gram, row_sums, layer["n_features"])
    constant = np.flatnonzero(np.isnan(np.diag(distances)))
    if len(constant):
        logger.warning(
            "layer %s: its %d features are all the same for %d stimuli (the first in row %d): no correlation distance",
            layer["name"],
            layer["n_features"],
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
    return pd.concat(parts, ignore_index=True)


def _write(table: pd.DataFrame, path: Path) -> None:
    table = table.reindex(columns=list(COLUMNS)).astype(COLUMNS)
    table.sort_values(SORTED_BY, ignore_index=True, kind="stable").to_parquet(path, index=False)
