"""How well every layer of a model predicts every target, on stimuli held out of the fit."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
import zarr
from dask.delayed import Delayed, delayed
from numpy.typing import NDArray

from ventral.errors import InputError
from ventral.grams.dimensionality import effective_dimensionality
from ventral.grams.recorded import (
    FAMILY,
    RecordedArea,
    averaged,
    halved,
    neurons_elsewhere,
    recorded_areas,
    representation_of,
)
from ventral.grams.representations import read_representation
from ventral.mappings.prediction import Options, Predicted, predict
from ventral.parallel import compute, computing
from ventral.progress import Progress
from ventral.recordings.ingestion import published_matrices
from ventral.scores.categorisation import svm_balanced_accuracy
from ventral.scores.fold_ceilings import fold_reliabilities, with_fold_ceilings
from ventral.scores.geometry import comparisons_of, geometries_of_matrices, geometries_of_neuroids, geometry_rows
from ventral.scores.table import prediction_rows, write_table
from ventral.scores.targets import (
    Targets,
    check_same_stimuli,
    folds_of,
    labels_of,
    n_leaked,
    neurons,
    properties,
    together,
)
from ventral.statistics.bootstrap import bootstrap_rows, draw, write_bootstraps
from ventral.store import read_dataset, writing

logger = logging.getLogger(__name__)

RSA = {"distances": ("correlation",), "comparisons": ("spearman",)}


def fit(
    gram: str | Path,
    recording: str | Path,
    stimuli: str | Path,
    output: str | Path,
    bootstraps: str | Path | None = None,
    *,
    mappings: Sequence[str] = ("ridge",),
    splits: Sequence[str],
    n_folds: int,
    seed: int,
    penalties: Sequence[float],
    components: int = 25,
    rsa: Mapping[str, Sequence[str]] | None = None,
    n_bootstrap: int = 1000,
    reliability_threshold: float = 0.1,
    cores: int = 1,
) -> None:
    """Score every layer of one model against one recording, and write the rows of the score table.

    A recording given as dissimilarity matrices is compared with the layer's own dissimilarities, whatever the mappings;
    by `rsa` and `cka`, so is one of neuroids. Nothing is fitted for these rows, and they have split `none`.

    Parameters
    ----------
    gram, recording, stimuli : paths
        Stores of the model's Gram matrices, of the recording, and of the stimuli that both are of.
    output : path
        Parquet file to write.
    bootstraps : path, optional
        Parquet file to write, of the medians over neuroids in resamples of stimuli and neuroids, as
        `ventral.statistics.bootstrap` describes it. A recording's own areas have none: their r is a mean over halves.
    mappings : sequence of str
        How targets are predicted, `ridge`, `ols`, `pls`, `one_to_one`; or compared without a fit, `rsa`, `cka`.
    splits : sequence of str
        Of `images`, `objects`, `categories`.
    n_folds, seed : int
        Folds of split `images`, and the seed of their deal.
    penalties : sequence of float
        Candidates, times the mean squared distance of the stimuli's feature vectors from their mean.
    components : int
        Of `pls`.
    rsa : dict, optional
        `distances` and `comparisons` of mapping `rsa`, those of `geometry.Comparison`; by default correlation
        distances, and Spearman's correlation between them.
    n_bootstrap : int
        Number of resamples.
    reliability_threshold : float
        Lowest reliability of a neuroid that is taken for their medians.
    cores : int
        Threads that Dask spreads layers, splits and penalties over.

    Raises
    ------
    InputError
        If the stores are of other stimuli or of an earlier version, or a split cannot be made of these stimuli.
    """
    stimulus_set, responses = read_dataset(stimuli), read_dataset(recording)
    grams = zarr.open_group(gram, mode="r")
    made = {gram: grams.attrs["stimuli_sha256"], recording: responses.attrs["stimuli_sha256"]}
    check_same_stimuli(stimulus_set, stimuli, made)
    if "family" not in grams.attrs:
        raise InputError(f"{gram}: does not say which kind of model it is of; delete it, and it will be made again")
    labels = labels_of(stimulus_set)
    name, sha256 = stimulus_set.attrs["name"], stimulus_set.attrs["sha256"]
    folds = folds_of(stimulus_set, splits, n_folds, seed)
    # A recording's own areas, where they stand for a model: they predict each other, and never themselves.
    own = grams.attrs["family"] == FAMILY and grams.attrs["model"] == responses.attrs["recording"]
    benchmark = _Benchmark(
        responses=responses,
        labels=labels,
        folds=folds,
        properties=properties(stimulus_set),
        neurons=None if "dissimilarities" in responses else neurons(responses),
        own_areas={area.name: area for area in recorded_areas(responses)} if own else {},
        seed=seed,
    )
    options = Options(mappings, penalties, components)
    geometries, comparisons = _geometries(benchmark, mappings, rsa or RSA)
    resamples = {}
    if bootstraps and benchmark.neurons and not own:
        for split in splits:
            drawn = draw(benchmark.neurons.areas, folds[split], sha256, n_bootstrap, seed)
            resamples[split] = delayed(drawn, pure=False, traverse=False)
    layers = grams.attrs["layers"]
    described = {
        "model": grams.attrs["model"],
        "family": grams.attrs["family"],
        "recording": responses.attrs["recording"],
    }
    leaks = n_leaked(stimulus_set, folds)
    progress = Progress(f"fit {grams.attrs['model']}", len(layers), "layers")
    with writing(output) as unfinished, computing(cores):
        graph = []
        for layer in layers:
            representation = delayed(read_representation, pure=False)(str(gram), layer["name"])
            predicted = predict(representation, layer, benchmark.targets_of(layer["name"]), folds, options)
            rows = _rows(predicted) + _label_rows(representation, folds, labels)
            if own:
                rows += _rows_of_halves(benchmark, layer["name"], options)
            if geometries:
                rows.append(delayed(geometry_rows, pure=False)(representation, layer["name"], geometries, comparisons))
            resampled = _resampled(predicted, benchmark, reliability_threshold, resamples)
            dimensionality = delayed(effective_dimensionality, pure=False)(representation.gram)
            graph.append(delayed(_of_layer, pure=False)(rows, dimensionality, layer, resampled))
        reliabilities = fold_reliabilities(responses, folds, seed=seed)
        tables = compute(graph, progress)
        table = with_fold_ceilings(pd.concat([table for table, _ in tables], ignore_index=True), reliabilities)
        table = table.assign(
            **described,
            stimuli=name,
            n_leaked=table["split"].map(leaks).fillna(0) if len(table) else 0,
            simulated=bool(responses.attrs.get("simulated", False)),
        )
        write_table(table, unfinished)
        if bootstraps:
            _write_bootstraps(layers, [resampled for _, resampled in tables], described, bootstraps)


@dataclass(frozen=True)
class _Benchmark:
    """What every layer is scored against.

    Attributes
    ----------
    responses : Dataset
        The recording.
    labels : dict of (n,) arrays
    folds : dict of lists of integer arrays
    properties : Targets
        Of the stimuli.
    neurons : Targets or None
        Of the recording, None where it has dissimilarity matrices instead.
    own_areas : dict
        The recording's areas by name, where they are the layers; else empty.
    seed : int
    """

    responses: xr.Dataset
    labels: Mapping[str, NDArray]
    folds: Mapping[str, Sequence[NDArray]]
    properties: Targets
    neurons: Targets | None
    own_areas: Mapping[str, RecordedArea]
    seed: int

    def __post_init__(self) -> None:
        if len(self.own_areas) == 1:
            name = self.responses.attrs["recording"]
            logger.warning("recording %s: %s is its only area, and predicts no neurons of it", name, *self.own_areas)

    def targets_of(self, layer: str) -> Targets:
        """Return what a layer predicts: one of the recording's own areas, nothing that shares its trials."""
        if self.own_areas:
            return together(self.properties, neurons_elsewhere(self.responses, self.own_areas[layer]))
        return self.properties if self.neurons is None else together(self.properties, self.neurons)


def _geometries(benchmark: _Benchmark, mappings: Sequence[str], rsa: Mapping[str, Sequence[str]]):
    """Return the dissimilarities or inner products that layers are compared with, and how."""
    if benchmark.neurons is None:
        comparisons = comparisons_of({"rsa", *mappings}, rsa)
        return geometries_of_matrices(published_matrices(benchmark.responses), comparisons), comparisons
    comparisons = comparisons_of(mappings, rsa)
    # Areas that were recorded together are alike by the noise that they share, too.
    if benchmark.own_areas or not comparisons:
        return [], comparisons
    return geometries_of_neuroids(benchmark.responses, comparisons, seed=benchmark.seed), comparisons


def _resampled(
    predicted: Sequence[Predicted], benchmark: _Benchmark, reliability_threshold: float, resamples: Mapping
) -> list[Delayed]:
    groups: dict[tuple[str, str], list] = {}
    for part in predicted:
        groups.setdefault((part.split, part.mapping), []).append((part.predictions, part.targets, part.rows))
    return [
        delayed(bootstrap_rows, pure=False)(
            parts,
            benchmark.neurons,
            benchmark.folds[split],
            split,
            mapping,
            reliability_threshold,
            resamples[split],
        )
        for (split, mapping), parts in groups.items()
        if split in resamples
    ]


def _rows(predicted: Sequence[Predicted]) -> list[Delayed]:
    return [
        delayed(prediction_rows, pure=False)(
            part.predictions, part.targets, part.folds, part.split, part.mapping, part.penalty
        )
        for part in predicted
    ]


def _label_rows(
    representation: Delayed, folds: Mapping[str, Sequence[NDArray]], labels: Mapping[str, NDArray]
) -> list[Delayed]:
    return [
        delayed(_svm_rows, pure=False)(representation.gram, labels[label], of_split, split, label)
        for split, of_split in folds.items()
        for label in ("category", "object")
        if label in labels and _seen_in_training(labels[label], of_split)
    ]


def _rows_of_halves(benchmark: _Benchmark, area: str, options: Options) -> list[Delayed]:
    parts, gains = [], []
    for half in halved(benchmark.responses, benchmark.own_areas[area], benchmark.seed):
        representation = delayed(representation_of, pure=False)(half.features)
        layer = {"name": area, "n_features": half.features.shape[1]}
        of_half = _rows(predict(representation, layer, half.targets, benchmark.folds, options))
        parts += of_half
        gains += [half.gain] * len(of_half)
    return [delayed(averaged, pure=False)(parts, gains)] if parts else []


def _write_bootstraps(
    layers: Sequence[dict], tables: Sequence[Sequence[pd.DataFrame]], described: Mapping[str, str], path: str | Path
) -> None:
    """Write the resampled medians of every layer, of the model and recording that are described."""
    rows = [
        table.assign(layer=layer["name"], depth=layer["depth"])
        for layer, of_layer in zip(layers, tables, strict=True)
        for table in of_layer
    ]
    rows = pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=["model"])
    with writing(path) as unfinished:
        write_bootstraps(rows.assign(**described), unfinished)


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


def _of_layer(
    parts: Sequence[pd.DataFrame], dimensionality: float, layer: Mapping, resampled: Sequence[pd.DataFrame]
) -> tuple[pd.DataFrame, Sequence[pd.DataFrame]]:
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    columns = {"layer": layer["name"], "depth": layer["depth"], "n_features": layer["n_features"]}
    return table.assign(dimensionality=dimensionality, **columns), resampled
