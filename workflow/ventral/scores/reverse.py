"""Score reverse predictivity: how well recorded neurons predict the units of a model (Muzellec and Kar 2025).

A model may represent everything that the neurons do, and much more. The model then predicts the neurons better than the
neurons predict the model. Splits, folds, penalties and ridge regression are those of the forward direction. Neurons are
now the features, and units the targets.
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import dask
import numpy as np
import pandas as pd
from dask.delayed import Delayed
from numpy.typing import NDArray

from ventral.grams.recorded import area_and_bin
from ventral.grams.representations import Representation, read_representation
from ventral.mappings.standardisation import varies
from ventral.outputs import writing
from ventral.running.device_queue import DeviceQueue, device_queue
from ventral.running.parallel import computing
from ventral.running.progress import Progress
from ventral.scores.prediction import penalty_scale
from ventral.scores.ridges import NestedFits, TestSetFit, queued_ridges
from ventral.scores.table import median_over_draws, prediction_rows, write_table
from ventral.store import open_store
from ventral.targets.benchmark import read_stimuli
from ventral.targets.splits import Split
from ventral.targets.values import Targets, n_leaked, splits_of

logger = logging.getLogger(__name__)

# Layers whose units share the factorisations; more layers would need more memory.
LAYERS_AT_ONCE = 4


def reverse(
    areas: str | Path,
    gram: str | Path,
    stimuli: str | Path,
    output: str | Path,
    *,
    splits: Sequence[str | Mapping],
    n_folds: int,
    seed: int,
    penalties: Sequence[float],
    cores: int = 1,
    device: str = "cpu",
) -> None:
    """Predict sampled units of every layer from every area of a recording, and write rows of a score table.

    Parameters
    ----------
    areas : path
        Store of the recording's areas, from `ventral.grams.recorded.recorded_gram`.
    gram : path
        Store of the model's Gram matrices, whose `sample` holds at most 2000 units of a layer.
    stimuli : path
        Store of the stimuli of both.
    output : path
        Parquet file to write, with the columns of the score table. `target_kind` is 'unit', and `target` the index of
        the unit among the layer's features. `area` and `time_bin` name the predicting neuroids, and `n_features` is
        their number. `r` is NaN for units that do not vary over all stimuli or within every fold. The reliability is
        missing, because units have no noise.
    splits, n_folds, seed, penalties, cores, device
        As for `ventral.scores.fitting.fit`.

    Raises
    ------
    InputError
        If a store was made from other stimuli, or if these stimuli do not allow a split. Also if the device is missing
        or its memory does not suffice.
    """
    queue = device_queue(device)
    stimulus_set = read_stimuli(stimuli, [areas, gram])
    recorded, model = (open_store(path).attrs for path in (areas, gram))
    made = splits_of(stimulus_set, splits, n_folds, seed)
    predictors = {area_and_bin(layer): read_representation(areas, layer["name"]) for layer in recorded["layers"]}
    layers = model["layers"]
    progress = Progress(f"reverse {model['model']}", len(layers), "layers")
    tables = []
    with writing(output) as unfinished, computing(cores):
        for start in range(0, len(layers), LAYERS_AT_ONCE):
            some = {layer["name"]: layer for layer in layers[start : start + LAYERS_AT_ONCE]}
            units = {name: read_representation(gram, name) for name in some}
            for (area, time_bin), predictor in predictors.items():
                for name, rows in unit_rows(predictor, area, units, made, penalties, queue).items():
                    rows = rows.assign(layer=name, depth=some[name]["depth"], n_features=predictor.n_features)
                    tables.append(rows.assign(time_bin=time_bin))
            progress.advance(len(some))
        table = pd.concat(tables, ignore_index=True)
        table["model"], table["family"] = model["model"], model["family"]
        table["stimuli"] = stimulus_set.attrs["name"]
        table["n_leaked"] = table["split"].map(n_leaked(stimulus_set, made))
        table["recording"], table["simulated"] = recorded["model"], recorded["simulated"]
        write_table(table, unfinished)


def unit_rows(
    predictor: Representation,
    area: str,
    layers: Mapping[str, Representation],
    splits: Mapping[str, Split],
    penalties: Sequence[float],
    queue: DeviceQueue | None = None,
) -> dict[str, pd.DataFrame]:
    """Return the rows of the score table for the sampled units of some layers, by layer.

    Parameters
    ----------
    predictor : Representation
        Representation of the area's neuroids.
    area : str
        Name of the area.
    layers : dict of Representation
        Layers whose `units` are predicted. Units that do not vary are not fitted, and their r is NaN.
    splits : dict of Split
        Splits by name.
    penalties : sequence of float
        Candidate penalties, in units of the mean squared distance of the predictor's feature vectors from their mean.
    queue : DeviceQueue, optional
        Queue of the GPU that computes the fits, if any.
    """
    values = np.concatenate([layer.units for layer in layers.values()], axis=1, dtype=np.float64)
    varying = np.flatnonzero(varies(np.ptp(values, axis=0), np.abs(values).max(axis=0)))
    scale = penalty_scale(predictor.gram)
    parts = _parts(splits)
    scaled = [scale * penalty for penalty in penalties]
    results = dask.compute(*_graphs(predictor, scaled, values[:, varying], parts, queue))
    rows: dict[str, dict[str, list]] = {name: {} for name in layers}
    for part, ridge in zip(parts, results, strict=True):
        scored = np.arange(len(values)) if part.is_nested else part.folds[0]
        folds = [np.searchsorted(scored, fold) for fold in part.folds]
        predictions, penalty = np.zeros((len(scored), values.shape[1])), np.full((len(folds), values.shape[1]), np.nan)
        predictions[:, varying], penalty[:, varying] = ridge.predictions, ridge.penalty
        halves = tuple([np.searchsorted(scored, fold) for fold in half] for half in part.halves)
        start = 0
        for name, layer in layers.items():
            n_units = len(layer.unit_features)
            columns = slice(start, start + n_units)
            units = Targets(
                values[scored, columns],
                kinds=np.full(n_units, "unit"),
                names=layer.unit_features.astype(str),
                areas=np.full(n_units, area),
                reliability=np.full(n_units, np.nan),
            )
            table = prediction_rows(
                predictions[:, columns], units, folds, part.name, "ridge", penalty[:, columns], halves
            )
            rows[name].setdefault(part.name, []).append(table)
            start += n_units
    return {
        name: pd.concat([median_over_draws(tables, ["target"]) for tables in of_layer.values()], ignore_index=True)
        for name, of_layer in rows.items()
    }


def _parts(splits: Mapping[str, Split]) -> list[Split]:
    """Return the splits whose folds are held out in turn, then each training and test set of the other splits."""
    nested = [split for split in splits.values() if split.is_nested]
    return nested + [one for split in splits.values() if not split.is_nested for one in split.sets]


def _graphs(
    predictor: Representation,
    penalties: Sequence[float],
    values: NDArray,
    parts: Sequence[Split],
    queue: DeviceQueue | None,
) -> list[Delayed]:
    """Return the fits of all units (n, units), with a graph for each part."""
    nested = [part.folds for part in parts if part.is_nested]
    fits = [NestedFits(np.arange(len(values)), values, nested)] if nested else []
    fits += [TestSetFit(values, *part.fits[0], part.inner[0]) for part in parts if not part.is_nested]
    if queue is None:
        features = predictor.gram, predictor.units, predictor.n_features, penalties
        return [graph for fit in fits for graph in fit.graphs(*features)]
    return [ridge for of_fit in queued_ridges(queue, predictor.gram, penalties, fits) for ridge in of_fit]
