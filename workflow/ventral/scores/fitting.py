"""Score how well every layer of a model predicts every target on held-out stimuli."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from dask.delayed import Delayed, delayed
from numpy.typing import NDArray

from ventral.errors import InputError
from ventral.grams.recorded import FAMILY, RecordedArea, recorded_areas, representation_of
from ventral.grams.representations import read_representation
from ventral.mappings.dimensionality import effective_dimensionality
from ventral.mappings.registry import MAPPINGS
from ventral.mappings.svm import balanced_accuracy, chosen_costs, svm_predictions
from ventral.outputs import writing
from ventral.recordings.choices import CHOSEN
from ventral.recordings.ingestion import published_matrices
from ventral.recordings.time_bins import read_recording
from ventral.running.device_queue import device_queue
from ventral.running.parallel import compute, computing
from ventral.running.progress import Progress
from ventral.scores.behaviour import OUTPUTS, Subjects, output_rows, readout_rows, subjects_of
from ventral.scores.best_of_draws import with_best_of_draws
from ventral.scores.geometry import (
    check_repetitions,
    comparisons_of,
    geometries_of_matrices,
    geometries_of_neuroids,
    geometry_rows,
    warn_of_left_out,
)
from ventral.scores.halves import averaged, halved, neurons_elsewhere
from ventral.scores.penalty_edges import choices_at_edges, warn_of_edges
from ventral.scores.prediction import Options, Predicted, predict
from ventral.scores.prediction_reliability import (
    halves_of_repetitions,
    predict_from_halves,
    with_prediction_reliability,
)
from ventral.scores.repetitions import RepeatedNeurons, repetitions_of, with_scores_over_repetitions
from ventral.scores.single_repetitions import (
    key_of,
    reliabilities_over_repetitions,
    single_repetitions,
    with_r_squared_corrected,
)
from ventral.scores.table import median_over_draws, prediction_rows, write_table
from ventral.scores.versa import PredictedArea, predicted_areas, versa_comparisons, versa_rows
from ventral.statistics.bootstrap import bootstrap_rows, draw, write_bootstraps
from ventral.statistics.influence_table import (
    Compared,
    influence_rows,
    matrix_influence_rows,
    panels_of,
    write_influences,
)
from ventral.store import open_store, read_dataset
from ventral.targets.benchmark import Benchmark, read_benchmark
from ventral.targets.ceilings import ceilings_in_order
from ventral.targets.splits import Split
from ventral.targets.values import Targets, labels_of, nested_alone, properties, together

if TYPE_CHECKING:
    import xarray as xr

logger = logging.getLogger(__name__)

# Columns that identify the rows of one target of a layer.
OF_TARGET = ["area", "time_bin", "target", "target_kind", "split", "mapping"]


def fit(
    gram: str | Path,
    recording: str | Path,
    stimuli: str | Path,
    output: str | Path,
    bootstraps: str | Path | None = None,
    influences: str | Path | None = None,
    probabilities: str | Path | None = None,
    *,
    mappings: Sequence[str] = ("ridge",),
    splits: Sequence[str | Mapping],
    n_folds: int,
    seed: int,
    penalties: Sequence[float],
    components: int = MAPPINGS["pls"].defaults["components"],
    rsa: Mapping[str, Sequence[str] | bool] | None = None,
    n_bootstrap: int,
    reliability_threshold: float = 0.1,
    prediction_reliability: bool = False,
    r_squared_corrected: bool = False,
    first_fold: bool = False,
    cores: int = 1,
    device: str = "cpu",
) -> None:
    """Score every layer of one model against one recording, and write the rows of the score table.

    A recording of dissimilarity matrices is always compared with the layer's own dissimilarities. A recording of
    neuroids is compared so with the mappings `rsa` and `cka`. These rows need no fit, and have split `none`. Choices in
    a recording of behaviour are compared with choices that a logistic regression reads from the layer.

    Parameters
    ----------
    gram, recording, stimuli : paths
        Stores of the model's Gram matrices, of the recording, and of the stimuli of both.
    output : path
        Parquet file to write.
    bootstraps : path, optional
        Parquet file to write with medians over neuroids in resamples of stimuli and neuroids, as described in
        `ventral.statistics.bootstrap`. A recording's own areas have no rows, because their r is a mean over halves.
    influences : path, optional
        Parquet file to write with the influence of each stimulus and neuroid on a layer's score, as described in
        `ventral.statistics.influence_table`. A recording's own areas have no rows.
    probabilities : path, optional
        Store of `ventral.activations.class_probabilities`, by which the model's own outputs choose. It serves
        recordings of behaviour whose labels have classes.
    mappings : sequence of str
        Mappings that predict targets (`ridge`, `ols`, `pls`, `one_to_one`, `soft_matching`), compare predictions of
        `ridge` (`versa`), or compare without a fit (`rsa`, `cka`).
    splits, n_folds, seed
        As for `ventral.targets.splits.make_splits`.
    penalties : sequence of float
        Candidate penalties, in units of the mean squared distance of the stimuli's feature vectors from their mean.
    components : int
        Number of components of `pls`.
    rsa : dict, optional
        Options of mapping `rsa`: `distances` and `comparisons`, as in `geometry.Comparison`, also for `versa`, and
        `two_factor`. Missing ones have their defaults.
    n_bootstrap : int
        Number of resamples.
    reliability_threshold : float
        Lowest reliability of an included neuroid: for resampled medians within the other half of the folds, and for
        influences within all folds.
    prediction_reliability : bool
        True to also fit on halves of the repetitions, and write the reliability of predictions. A recording's own
        areas, which are always fitted on halves, have none.
    r_squared_corrected : bool
        True to also fit on each single repetition, and write r squared corrected for noise in responses and predictions
        (`ventral.scores.single_repetitions`). A recording's own areas have none.
    first_fold : bool
        True to also write the influences of ridge regression on fold 0 of split `stimuli` alone, where networks fitted
        to the recording are tested.
    cores : int
        Threads that Dask spreads layers, splits and penalties over.
    device : str
        Device of ridge regressions: 'auto', 'cpu' or 'cuda'. A GPU computes one layer after the other, while the CPU
        cores compute everything else.

    Raises
    ------
    InputError
        If a store was made from other stimuli or by an earlier version, or if these stimuli do not allow a split. Also
        if a recording lacks the repetitions of crossnobis distances, the device is missing, or its memory does not
        suffice.
    """
    grams = open_store(gram)
    if "family" not in grams.attrs:
        raise InputError(f"{gram}: the model's family is missing; delete {gram}, and a rerun makes it again")
    model, family, layers = (grams.attrs[name] for name in ("model", "family", "layers"))
    rsa = MAPPINGS["rsa"].defaults | dict(rsa or {})
    if "crossnobis" in rsa["distances"]:
        _check_crossnobis(recording, mappings, model if family == FAMILY else None)
    benchmark = read_benchmark([gram], recording, stimuli, splits, n_folds, seed)
    # If a recording's own areas serve as a model, they predict each other but never themselves.
    own_areas = {}
    if family == FAMILY and model == benchmark.recording:
        own_areas = {area.name: area for area in recorded_areas(benchmark.responses)}
    if len(own_areas) == 1:
        logger.warning("recording %s: %s is the only area, so no other area predicts its neurons", model, *own_areas)
    options = Options(mappings, penalties, components, device_queue(device))
    if benchmark.neurons is not None and not own_areas and {"rsa", "cka", "versa"} & set(mappings):
        warn_of_left_out(benchmark.responses)
    geometries, comparisons = _geometries(benchmark, bool(own_areas), mappings, rsa, seed)
    areas = []
    if "versa" in mappings and benchmark.neurons is not None and not own_areas:
        areas = predicted_areas(benchmark.responses, benchmark.splits, versa_comparisons(rsa), seed)
    compared = _compared_splits(benchmark.splits)
    resamples = {}
    if bootstraps and benchmark.neurons and not own_areas:
        for name, split in compared.items():
            drawn = draw(benchmark.neurons, split.folds, benchmark.stimulus_set.attrs["sha256"], n_bootstrap, seed)
            resamples[name] = delayed(drawn, pure=False, traverse=False)
    repeated = benchmark.neurons is not None and not own_areas
    halves = halves_of_repetitions(benchmark.responses, seed) if repeated and prediction_reliability else []
    singles = single_repetitions(benchmark.responses) if repeated and r_squared_corrected else []
    panels = {}
    if influences and not own_areas:
        panels = _shared_panels(benchmark, compared, mappings, reliability_threshold, first_fold)
    rows_of_matrices = {(geometry.area, geometry.time_bin, geometry.target): geometry.rows for geometry in geometries}
    labels = labels_of(benchmark.stimulus_set)
    read = nested_alone(benchmark.splits, "labels read from layers") if labels else {}
    repetitions = None if own_areas else repetitions_of(benchmark)
    subjects = right = None
    if CHOSEN in benchmark.responses:
        subjects, right = subjects_of(benchmark.responses, n_bootstrap, seed)
    progress = Progress(f"fit {model}", len(layers), "layers")
    with writing(output) as unfinished, computing(cores):
        graph = []
        for layer in layers:
            name = layer["name"]
            representation = delayed(read_representation, pure=False)(str(gram), name)
            targets = _targets_of(benchmark, own_areas.get(name))
            predicted = predict(representation, layer, targets, benchmark.splits, options)
            noise = reliabilities_over_repetitions(representation, layer, singles, benchmark.splits, options)
            rows = _rows(predicted, repetitions, noise) + _label_rows(representation, read, labels)
            rows += _versa_rows(predicted, areas, reliability_threshold, seed)
            if subjects is not None:
                rows += _behaviour_rows(representation, read, right, subjects)
            if name in own_areas:
                rows += _rows_of_halves(benchmark, own_areas[name], options, seed)
            influenced = _influenced(predicted, panels)
            if geometries:
                of_geometries = delayed(geometry_rows, pure=False)(
                    representation,
                    name,
                    geometries,
                    comparisons,
                    reliability_threshold,
                    seed,
                    n_bootstrap if rsa["two_factor"] else 0,
                )
                rows.append(of_geometries)
                influenced.append(
                    delayed(matrix_influence_rows, pure=False)(
                        of_geometries, reliability_threshold, rows_of_matrices, benchmark.stimulus_set.attrs["sha256"]
                    )
                )
            resampled = _resampled(predicted, benchmark, reliability_threshold, resamples)
            dimensionality = delayed(effective_dimensionality, pure=False)(representation.gram)
            of_halves = predict_from_halves(representation, layer, halves, benchmark.splits, options)
            edges = _edges(predicted, name, len(penalties))
            joined = delayed(_join_rows, pure=False)(rows, dimensionality, layer, of_halves)
            graph.append(delayed((joined, resampled, edges, influenced), pure=False))
        tables, resampled, edges, influenced = zip(*compute(graph, progress), strict=True)
        table = pd.concat([*tables, *_rows_of_outputs(probabilities, benchmark, subjects)], ignore_index=True)
        table = with_best_of_draws(table, OF_TARGET, seed)
        edges = [pd.DataFrame(), *(found for of_layer in edges for found in of_layer)]
        warn_of_edges(pd.concat(edges), model, benchmark.recording, penalties)
        write_table(benchmark.described(table, model, family), unfinished)
        described = {"model": model, "family": family, "recording": benchmark.recording}
        if bootstraps:
            _write_bootstraps(layers, resampled, described, bootstraps)
        if influences:
            _write_influences(
                layers, influenced, described | {"stimuli": benchmark.stimulus_set.attrs["name"]}, influences
            )


def _check_crossnobis(recording: str | Path, mappings: Sequence[str], own: str | None) -> None:
    """Refuse crossnobis distances of a recording without the repetitions, unless no area of it is compared by RSA."""
    responses = read_recording(recording)
    if "dissimilarities" in responses or ("rsa" in mappings and responses.attrs["recording"] != own):
        check_repetitions(responses)


def _compared_splits(splits: Mapping[str, Split]) -> dict[str, Split]:
    """Return the splits on which layers are compared, without random test sets, which overlap."""
    if repeated := [name for name, split in splits.items() if split.repeated]:
        logger.warning(
            "split %s: random test sets overlap, so that scores have no intervals over stimuli, and claims skip this "
            "split",
            ", ".join(repeated),
        )
    return {name: split for name, split in splits.items() if not split.repeated}


def _targets_of(benchmark: Benchmark, own_area: RecordedArea | None) -> Targets:
    """Return the targets of a layer; an own area of the recording predicts only neurons from other trials."""
    targets = properties(benchmark.stimulus_set)
    if own_area is not None:
        return together(targets, neurons_elsewhere(benchmark.responses, own_area))
    return targets if benchmark.neurons is None else together(targets, benchmark.neurons)


def _geometries(
    benchmark: Benchmark, own_areas: bool, mappings: Sequence[str], rsa: Mapping[str, Sequence[str]], seed: int
):
    """Return the dissimilarities or inner products to compare layers with, and the comparisons."""
    if benchmark.neurons is None:
        comparisons = comparisons_of({"rsa", *mappings}, rsa)
        if CHOSEN in benchmark.responses:
            return [], comparisons
        return geometries_of_matrices(published_matrices(benchmark.responses), comparisons), comparisons
    comparisons = comparisons_of(mappings, rsa)
    # Areas recorded together share noise, which would make them more alike.
    if own_areas or not comparisons:
        return [], comparisons
    return geometries_of_neuroids(benchmark.responses, comparisons, seed=seed), comparisons


def _resampled(
    predicted: Sequence[Predicted], benchmark: Benchmark, reliability_threshold: float, resamples: Mapping
) -> list[Delayed]:
    return [
        delayed(bootstrap_rows, pure=False)(
            parts,
            benchmark.neurons,
            benchmark.ceilings,
            split,
            mapping,
            reliability_threshold,
            resamples[split],
        )
        for (split, mapping), parts in _parts(predicted).items()
        if split in resamples
    ]


def compared_in(benchmark: Benchmark, split: Split, reliability_threshold: float) -> Compared:
    """Return the panels on which layers are compared in one split."""
    targets = _with_reliability_of_split(_targets_of(benchmark, None), benchmark, split.name)
    given = np.full(len(targets.names), np.nan)
    if benchmark.neurons is not None:
        of_neurons = ceilings_in_order(benchmark.ceilings, benchmark.neurons, split.name)["given_ceiling"]
        given[targets.kinds == "neuron"] = of_neurons.to_numpy(float)
    panels = panels_of(targets, split, reliability_threshold, _animals(benchmark.responses), given)
    return Compared(split.name, targets, panels, benchmark.stimulus_set.attrs["sha256"])


def _shared_panels(
    benchmark: Benchmark, splits: Mapping[str, Split], mappings: Sequence[str], threshold: float, first_fold: bool
) -> dict[tuple[str, str], list[Delayed]]:
    """Return the panels for comparing layers by split and mapping, and on fold 0 alone if requested."""
    compared = {name: compared_in(benchmark, split, threshold) for name, split in splits.items()}
    shared = {name: delayed(of_split, pure=False, traverse=False) for name, of_split in compared.items()}
    panels = {(name, mapping): [of_split] for name, of_split in shared.items() for mapping in mappings}
    if first_fold and ("stimuli", "ridge") in panels:
        apart = compared["stimuli"].in_first_fold(splits["stimuli"].folds[0])
        panels["stimuli", "ridge"].append(delayed(apart, pure=False, traverse=False))
    return panels


def _with_reliability_of_split(targets: Targets, benchmark: Benchmark, split: str) -> Targets:
    """Return targets with the reliability of exactly the responses that the split scores."""
    if benchmark.neurons is None:
        return targets
    reliability = targets.reliability.copy()
    of_split = ceilings_in_order(benchmark.ceilings, benchmark.neurons, split)["reliability"]
    reliability[targets.kinds == "neuron"] = of_split.to_numpy(float)
    return replace(targets, reliability=reliability)


def _animals(responses: "xr.Dataset") -> dict[str, str]:
    """Return the animal of each neuroid, if known."""
    if "animal" not in responses.coords:
        return {}
    return dict(zip(responses["neuroid"].values.astype(str), responses["animal"].values.astype(str), strict=True))


def _influenced(predicted: Sequence[Predicted], panels: Mapping[tuple[str, str], Sequence[Delayed]]) -> list[Delayed]:
    return [
        delayed(influence_rows, pure=False)(parts, compared, mapping)
        for (split, mapping), parts in _parts(predicted).items()
        for compared in panels.get((split, mapping), [])
    ]


def _parts(predicted: Sequence[Predicted]) -> dict[tuple[str, str], list[tuple]]:
    """Return predictions, targets, stimuli and folds of all groups of targets, by split and mapping."""
    parts: dict[tuple[str, str], list] = {}
    for part in predicted:
        of_part = (part.predictions, part.targets, part.rows, part.folds)
        parts.setdefault((part.split, part.mapping), []).append(of_part)
    return parts


def _rows(
    predicted: Sequence[Predicted],
    repetitions: RepeatedNeurons | None = None,
    noise: Mapping[tuple, Delayed] | None = None,
) -> list[Delayed]:
    """Return a table of score rows for each part, joining the random draws of a part."""
    of_parts: dict[tuple, list[Delayed]] = {}
    for k, part in enumerate(predicted):
        rows = delayed(prediction_rows, pure=False)(
            part.predictions,
            part.targets,
            part.folds,
            part.split,
            part.mapping,
            part.penalty,
            part.halves,
            part.matched,
        )
        rows = delayed(with_scores_over_repetitions, pure=False)(
            rows, part.predictions, part.targets, part.rows, repetitions
        )
        if noise and key_of(part) in noise:
            rows = delayed(with_r_squared_corrected, pure=False)(rows, noise[key_of(part)])
        key = k if part.draw is None else (part.split, part.mapping, *_places(part.targets))
        of_parts.setdefault(key, []).append(rows)
    return [
        rows[0] if len(rows) == 1 else delayed(median_over_draws, pure=False)(rows, OF_TARGET)
        for rows in of_parts.values()
    ]


def _versa_rows(
    predicted: Sequence[Predicted], areas: Sequence[PredictedArea], reliability_threshold: float, seed: int
) -> list[Delayed]:
    """Return a table for each part with all neurons of some areas, predicted by ridge regression."""
    tables = []
    for part in (part for part in predicted if part.mapping == "ridge"):
        names = set(zip(part.targets.names, part.targets.time_bins, strict=True))
        of_part = [area for area in areas if area.split == part.split and (area.names[0], area.time_bin) in names]
        if of_part:
            tables.append(
                delayed(versa_rows, pure=False)(
                    part.predictions, part.targets, of_part, len(part.folds), reliability_threshold, seed
                )
            )
    return tables


def _places(targets: Targets) -> Iterator[tuple[str, str, str]]:
    return zip(targets.kinds, targets.names, targets.time_bins, strict=True)


def _edges(predicted: Sequence[Predicted], layer: str, n_penalties: int) -> list[Delayed]:
    return [
        delayed(choices_at_edges, pure=False)(
            layer, part.split, part.predictions, part.targets.values, part.folds, part.candidate, n_penalties
        )
        for part in predicted
        if part.candidate is not None
    ]


def _label_rows(representation: Delayed, splits: Mapping[str, Split], labels: Mapping[str, NDArray]) -> list[Delayed]:
    return [
        delayed(_svm_rows, pure=False)(representation.gram, labels[label], split.folds, name, label)
        for name, split in splits.items()
        for label in ("category", "object")
        if label in labels and _seen_in_training(labels[label], split.folds)
    ]


def _behaviour_rows(
    representation: Delayed, splits: Mapping[str, Split], right: NDArray, subjects: Subjects
) -> list[Delayed]:
    shared = delayed(subjects, pure=False, traverse=False)
    return [
        delayed(readout_rows, pure=False)(representation.gram, right, shared, split.folds, name)
        for name, split in splits.items()
        if _seen_in_training(right, split.folds)
    ]


def _rows_of_outputs(
    probabilities: str | Path | None, benchmark: Benchmark, subjects: Subjects | None
) -> list[pd.DataFrame]:
    """Return the rows of the choices of the model's own outputs, as of a layer of this name; none without classes."""
    found = None if probabilities is None else read_dataset(probabilities)["probability"].values
    if found is None or subjects is None or not found.size or "label_of_class" not in benchmark.responses:
        return []
    rows = output_rows(found, benchmark.responses["label_of_class"].values, subjects)
    return [rows.assign(layer=OUTPUTS, depth=1.0, n_features=found.shape[1], step=pd.NA)]


def _rows_of_halves(benchmark: Benchmark, area: RecordedArea, options: Options, seed: int) -> list[Delayed]:
    parts, shares = [], []
    for half in halved(benchmark.responses, area, seed):
        representation = delayed(representation_of, pure=False)(half.features)
        layer = {"name": area.name, "n_features": half.features.shape[1]}
        of_half = _rows(predict(representation, layer, half.targets, benchmark.splits, options))
        parts += of_half
        shares += [half.share] * len(of_half)
    return [delayed(averaged, pure=False)(parts, shares, benchmark.ceilings)] if parts else []


def _write_bootstraps(
    layers: Sequence[dict], tables: Sequence[Sequence[pd.DataFrame]], described: Mapping[str, str], path: str | Path
) -> None:
    """Write the resampled medians of every layer of a model for a recording."""
    rows = [
        table.assign(layer=layer["name"], depth=layer["depth"])
        for layer, of_layer in zip(layers, tables, strict=True)
        for table in of_layer
    ]
    rows = pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=["model"])
    with writing(path) as unfinished:
        write_bootstraps(rows.assign(**described), unfinished)


def _write_influences(
    layers: Sequence[dict], rows: Sequence[Sequence[Sequence[dict]]], described: Mapping[str, str], path: str | Path
) -> None:
    """Write the influences of every layer of a model for a recording."""
    table = [
        row | {"layer": layer["name"], "depth": layer["depth"]}
        for layer, of_layer in zip(layers, rows, strict=True)
        for of_part in of_layer
        for row in of_part
    ]
    with writing(path) as unfinished:
        write_influences(pd.DataFrame(table).assign(**described), unfinished)


def _seen_in_training(labels: NDArray, folds: Sequence[NDArray]) -> bool:
    everything = np.arange(len(labels))
    return len(np.unique(labels)) > 1 and all(
        np.isin(labels[fold], labels[np.setdiff1d(everything, fold)]).all() for fold in folds
    )


def _svm_rows(gram: NDArray, labels: NDArray, folds: Sequence[NDArray], split: str, label: str) -> pd.DataFrame:
    costs = chosen_costs(gram, labels, folds)
    predictions = svm_predictions(gram, labels, folds, costs)
    return pd.DataFrame(
        {
            "area": "",
            "time_bin": "",
            "target": [label],
            "target_kind": "category",
            "split": split,
            "mapping": "svm",
            "n_stimuli": len(labels),
            "n_folds": len(folds),
            "alpha": np.exp(np.log(costs).mean()),
            "balanced_accuracy": balanced_accuracy(labels, predictions, folds),
            "chance": 1 / len(np.unique(labels)),
        }
    )


def _join_rows(
    parts: Sequence[pd.DataFrame],
    dimensionality: float,
    layer: Mapping,
    of_halves: Sequence[pd.DataFrame],
) -> pd.DataFrame:
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    table = with_prediction_reliability(table, of_halves)
    if "r_squared_corrected" in table:
        # As published, after the median over draws.
        table["r_squared_corrected"] = table["r_squared_corrected"].clip(upper=1)
    columns = {"layer": layer["name"], "depth": layer["depth"], "n_features": layer["n_features"]}
    # Each step of a recurrent layer is a separate representation.
    columns["step"] = layer.get("step", pd.NA)
    return table.assign(dimensionality=dimensionality, **columns)
