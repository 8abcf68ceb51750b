"""Score readouts that factorise into space and channels."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import zarr
from numpy.typing import NDArray

from ventral.activations.parts import open_parts, scale_of
from ventral.mappings.factorised import averaged_down, factorised_readout, principal_channels
from ventral.outputs import writing
from ventral.running.parallel import computing
from ventral.running.progress import Progress
from ventral.scores.repetitions import RepeatedNeurons, repetitions_of, with_scores_over_repetitions
from ventral.scores.table import prediction_rows, write_table
from ventral.shards import stores_of_parts
from ventral.targets.benchmark import read_benchmark
from ventral.targets.splits import Split
from ventral.targets.values import Targets, grouped_by_missing, nested_alone

logger = logging.getLogger(__name__)


def factorise(
    parts: Sequence[str | Path],
    recording: str | Path,
    stimuli: str | Path,
    output: str | Path,
    *,
    splits: Sequence[str | Mapping],
    n_folds: int,
    seed: int,
    cores: int = 1,
) -> None:
    """Score the factorised readout of every layer with maps against a recording of neuroids.

    Layers without spatial maps are left out and named in the log, because their factorised readout would be a ridge
    regression. One layer's maps are in memory at a time, as float32, averaged down to `LONGEST_SIDE`. If a layer has
    more than `MOST_CHANNELS` channels, the first principal components replace the channels.

    Parameters
    ----------
    parts : sequence of paths
        Activation stores of one model, or folders of stores, that together hold every stimulus once.
    recording, stimuli : paths
        Stores of the recording and of the stimuli.
    output : path
        Parquet file to write, with rows of the score table for mapping `factorised`. `n_features` counts features after
        averaging. `alpha` is the penalty as a share of the smallest penalty at which all weights are 0.
    splits, n_folds, seed
        As for `ventral.scores.fitting.fit`; only splits whose folds are held out in turn are used.
    cores : int
        Threads that Dask spreads fits over.

    Raises
    ------
    InputError
        If the stores do not fit together, or if these stimuli do not allow a split.
    """
    stores = open_parts(parts)
    attributes = stores[0].attrs
    benchmark = read_benchmark(stores_of_parts(parts), recording, stimuli, splits, n_folds, seed)
    with_maps = [layer for layer in attributes["layers"] if _has_maps(layer["shape"])]
    without = [layer["name"] for layer in attributes["layers"] if not _has_maps(layer["shape"])]
    if without:
        logger.info(
            "factorised: left out layers without channels x height x width, where it would be a ridge regression: %s",
            ", ".join(without),
        )
    nested = nested_alone(benchmark.splits, "factorised")
    progress = Progress(f"factorise {attributes['model']}", len(with_maps), "layers")
    repetitions = repetitions_of(benchmark)
    tables = []
    with writing(output) as unfinished, computing(cores):
        for layer in with_maps:
            maps = principal_channels(read_maps([store[layer["name"]] for store in stores], layer["shape"]))
            tables += _rows_of_layer(maps, layer, benchmark.neurons, nested, repetitions)
            progress.advance()
        table = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()
        write_table(benchmark.described(table, attributes["model"], attributes["family"]), unfinished)


def _has_maps(shape: Sequence[int]) -> bool:
    return len(shape) == 3 and shape[1] * shape[2] > 1


def _rows_of_layer(
    maps: NDArray, layer: dict, neurons: Targets, splits: Mapping[str, Split], repetitions: RepeatedNeurons | None
) -> list[pd.DataFrame]:
    tables = []
    for name, split in splits.items():
        for group, rows, among in grouped_by_missing(neurons, split):
            fit = factorised_readout(maps[rows], group.values, among.folds)
            table = prediction_rows(fit.predictions, group, among.folds, name, "factorised", fit.penalty)
            table = with_scores_over_repetitions(table, fit.predictions, group, rows, repetitions)
            tables.append(table.assign(layer=layer["name"], depth=layer["depth"], n_features=maps[0].size))
    return tables


def read_maps(arrays: Sequence[zarr.Array], shape: Sequence[int]) -> NDArray[np.float32]:
    """Return the maps of a layer (n, channels, positions), averaged down to sides of at most `LONGEST_SIDE`.

    Parameters
    ----------
    arrays : sequence of (rows, p) arrays
        Features of the layer, cut into shards by rows.
    shape : (3,) sequence
        Channels, height and width, whose product is p.
    """
    parts = []
    for array in arrays:
        # One chunk of rows fits into memory, because extraction held the same rows.
        for start in range(0, array.shape[0], array.chunks[0]):
            features = array[start : start + array.chunks[0]].astype(np.float32) / np.float32(scale_of(array))
            averaged = averaged_down(features.reshape(-1, *shape))
            parts.append(averaged.reshape(*averaged.shape[:2], -1))
    return np.concatenate(parts)
