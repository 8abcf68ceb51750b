"""Fit whole models together and apart, and partition what they explain of the neurons.

A model has one Gram matrix: the mean of the Gram matrices of its layers. Each is first divided by the mean squared
distance of the layer's feature vectors from their mean. So ridge regression has all layers of the model side by side,
in equal shares. No layer is chosen, so that a model with many layers has no advantage. Models are then fitted together
by banded ridge regression, with a penalty for each (Dupre la Tour et al. 2022, NeuroImage 264:119728).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ventral.mappings.banded import every_subset, layer_kernel, simplex
from ventral.mappings.standardisation import scaled_gram
from ventral.outputs import writing
from ventral.running.device_queue import device_queue
from ventral.running.parallel import computing
from ventral.running.progress import Progress
from ventral.scores.banded import fits_of_bands
from ventral.statistics.bootstrap import Predictions, draw, placed_among
from ventral.statistics.partition import partition_rows
from ventral.store import open_store
from ventral.tables import read_csv, write_parquet
from ventral.targets.benchmark import Benchmark, read_benchmark
from ventral.targets.columns import check_column, column_features
from ventral.targets.values import grouped_over_splits, nested_alone

if TYPE_CHECKING:
    import xarray as xr

OF_PLACE = ["partition", "recording", "area", "time_bin", "split"]
OF_NEURONS = [
    *(*OF_PLACE, "target", "kind", "models", "r2", "r2_low", "r2_high", "reliability"),
    *("explained_variance", "explained_variance_low", "explained_variance_high"),
]
OF_AREAS = [*OF_PLACE, "kind", "models", "measure", "median", "low", "high", "n_neuroids", "n_left_out"]


def partition(
    grams: Sequence[str | Path],
    recording: str | Path,
    stimuli: str | Path,
    output: str | Path,
    areas: str | Path,
    *,
    name: str,
    models: Sequence[str | Mapping[str, str]],
    periods: Mapping[str, float],
    splits: Sequence[str | Mapping],
    n_folds: int,
    seed: int,
    penalties: Sequence[float],
    reliability_threshold: float,
    n_bootstrap: int,
    cores: int = 1,
    device: str = "cpu",
) -> None:
    """Partition the variance of a recording's neurons that two or three models explain.

    Parameters
    ----------
    grams, recording, stimuli : paths
        Stores of the models' Gram matrices, of the recording, and of the stimuli of all.
    output, areas : paths
        Parquet file of the neurons' rows, and CSV of the areas' medians, from
        `ventral.statistics.partition.partition_rows`.
    name : str
        Name of the partition.
    models : sequence of str or dict
        Names of models, or `{column: NAME}` for a column of the stimuli.
    periods : mapping of float
        Periods of circular properties of the stimuli, by name.
    splits, n_folds, seed, penalties, cores, device
        As for `ventral.scores.fitting.fit`. Only splits whose folds are held out in turn are used. The seed also draws
        the weightings to search.
    reliability_threshold, n_bootstrap
        As for `ventral.scores.fitting.fit`.

    Raises
    ------
    InputError
        If the stores do not fit together, a column cannot be used, the device is missing, or its memory does not
        suffice.
    """
    queue = device_queue(device)
    benchmark = read_benchmark(grams, recording, stimuli, splits, n_folds, seed)
    kernels = np.stack(kernels_of_models(grams, benchmark.stimulus_set, models, periods, f"partitions.{name}"))
    points, together = simplex(len(models), seed), every_subset(len(models))
    nested = nested_alone(benchmark.splits, "partitions")
    parts = grouped_over_splits(benchmark.neurons, nested)
    progress = Progress(f"partition {name}", len(points) * len(parts), "weightings of models")
    groups: dict[str, list[list[Predictions]]] = {split: [] for split in nested}
    with writing(output) as unfinished, writing(areas) as areas_unfinished, computing(cores):
        for targets, rows, among in parts:
            folds = {split: of_split.folds for split, of_split in among.items()}
            asked = list(folds.values()), penalties, points, together
            results = fits_of_bands(kernels[:, rows[:, None], rows], targets.values, *asked, queue, progress)
            for split, of_split in zip(folds, results, strict=True):
                fits = [fit.predictions for fit, _ in of_split.values()]
                groups[split].append(
                    [placed_among(benchmark.neurons, fit, targets, rows, folds[split]) for fit in fits]
                )
        tables = _tables(groups, benchmark, models, reliability_threshold, n_bootstrap, seed)
        described = {"partition": name, "recording": benchmark.recording}
        of_neurons, of_areas = (pd.concat([pd.DataFrame(), *some]).assign(**described) for some in tables)
        write_parquet(of_neurons.reindex(columns=OF_NEURONS), unfinished)
        of_areas.reindex(columns=OF_AREAS).to_csv(areas_unfinished, index=False, lineterminator="\n")


def partitions(tables: Sequence[str | Path], output: str | Path) -> None:
    """Join the tables of areas that `partition` wrote for all partitions and recordings."""
    table = pd.concat([read_csv(path) for path in tables], ignore_index=True)
    with writing(output) as unfinished:
        table.to_csv(unfinished, index=False, lineterminator="\n")


def name_of_model(model: str | Mapping[str, str]) -> str:
    """Return the name of a model, or of the column of the stimuli that stands for one."""
    return model if isinstance(model, str) else model["column"]


def kernels_of_models(
    grams: Sequence[str | Path],
    stimulus_set: "xr.Dataset",
    models: Sequence[str | Mapping[str, str]],
    periods: Mapping[str, float],
    key: str,
) -> list[NDArray[np.float64]]:
    """Return the Gram matrix (n, n) of each model, with features of mean squared length 1.

    Parameters
    ----------
    grams, models, periods
        As for `partition`.
    stimulus_set : Dataset
        Store of the stimuli.
    key : str
        Config key of the models, for messages.

    Raises
    ------
    InputError
        If a column cannot stand for a model.
    """
    stores = {store.attrs["model"]: store for store in map(open_store, grams)}
    columns = {name: values.values for name, values in stimulus_set.coords.items() if name != "stimulus"}
    found = []
    for model in models:
        name = name_of_model(model)
        if isinstance(model, str):
            layers = [layer["name"] for layer in stores[name].attrs["layers"]]
            found.append(scaled_gram(sum(layer_kernel(stores[name][layer]["gram"][:], layer) for layer in layers)))
        else:
            check_column(name, columns, stimulus_set.attrs["name"], key)
            features = column_features(columns[name], periods.get(name))
            found.append(layer_kernel(features @ features.T, name))
    return found


def _tables(
    groups: Mapping[str, Sequence[Sequence[Predictions]]],
    benchmark: Benchmark,
    models: Sequence[str | Mapping[str, str]],
    reliability_threshold: float,
    n_bootstrap: int,
    seed: int,
) -> tuple[list[pd.DataFrame], list[pd.DataFrame]]:
    """Return the tables of neurons, and those of areas, of each split."""
    neurons, names = benchmark.neurons, [name_of_model(model) for model in models]
    found = []
    for split, of_split in groups.items():
        folds, sha256 = benchmark.splits[split].folds, benchmark.stimulus_set.attrs["sha256"]
        resamples = draw(neurons, folds, sha256, n_bootstrap, seed)
        found.append(
            partition_rows(of_split, names, neurons, benchmark.ceilings, split, reliability_threshold, resamples)
        )
    return [neurons for neurons, _ in found], [areas for _, areas in found]
