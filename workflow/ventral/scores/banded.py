"""Score layers that predict together, and measure the unique contribution of each."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ventral.mappings.banded import banded_ridge, banded_ridge_of_tensors, layer_kernel, simplex, subsets
from ventral.mappings.ridge import NestedRidge
from ventral.models.zoo import check_taken
from ventral.outputs import writing
from ventral.running.device_queue import DeviceQueue, device_queue
from ventral.running.parallel import computing
from ventral.running.progress import Progress
from ventral.scores.repetitions import repetitions_of, with_scores_over_repetitions
from ventral.scores.ridges import as_tensor, fitting_in_memory
from ventral.scores.table import prediction_rows, write_table
from ventral.statistics.summaries import bootstrap_medians
from ventral.store import open_store
from ventral.tables import read_parquet
from ventral.targets.benchmark import read_benchmark
from ventral.targets.selection import attainable
from ventral.targets.values import grouped_over_splits, nested_alone

JOINED_BY = " + "
CONTRIBUTIONS = [
    *("model", "recording", "area", "time_bin", "split", "layer"),
    *("r", "unique_r", "unique_r_low", "unique_r_high"),
    *("r2", "unique_r2", "unique_r2_low", "unique_r2_high"),
    *("weight", "n_neuroids", "n_left_out"),
]


def banded(
    gram: str | Path,
    recording: str | Path,
    stimuli: str | Path,
    output: str | Path,
    *,
    layers: Sequence[str],
    splits: Sequence[str | Mapping],
    n_folds: int,
    seed: int,
    penalties: Sequence[float],
    cores: int = 1,
    device: str = "cpu",
) -> None:
    """Score some layers of a model together against a recording, and again without each of them.

    Parameters
    ----------
    gram, recording, stimuli : paths
        Stores of the model's Gram matrices, of the recording, and of the stimuli of both.
    output : path
        Parquet file to write, with rows of the score table for mapping `banded`. `layer` has the names joined by ' + ',
        and `depth` is missing. An additional column `weights` has the mean over folds of the chosen weight g of each
        layer.
    layers : sequence of str
        Names of two or more layers.
    splits, n_folds, seed, penalties, cores, device
        As for `ventral.scores.fitting.fit`. Only splits whose folds are held out in turn are used. The seed also draws
        the weightings to search.

    Raises
    ------
    InputError
        If a layer is missing, the stores do not fit together, the device is missing, or its memory does not suffice.
    """
    queue = device_queue(device)
    group = open_store(gram)
    described = {layer["name"]: layer for layer in group.attrs["layers"]}
    check_taken(layers, list(described), f"banded.{group.attrs['model']}", group.attrs["model"])
    benchmark = read_benchmark([gram], recording, stimuli, splits, n_folds, seed)
    kernels = np.stack([layer_kernel(group[layer]["gram"][:], layer) for layer in layers])
    n_features = np.array([described[layer]["n_features"] for layer in layers])
    points = simplex(len(layers), seed)
    parts = grouped_over_splits(benchmark.neurons, nested_alone(benchmark.splits, "banded"))
    progress = Progress(f"banded {group.attrs['model']}", len(points) * len(parts), "weightings of layers")
    repetitions = repetitions_of(benchmark)
    tables = []
    with writing(output) as unfinished, computing(cores):
        for targets, rows, among in parts:
            folds = {name: split.folds for name, split in among.items()}
            of_rows = kernels[:, rows[:, None], rows]
            asked = list(folds.values()), penalties, points, subsets(len(layers))
            results = fits_of_bands(of_rows, targets.values, *asked, queue, progress)
            for split, of_split in zip(folds, results, strict=True):
                for taken, (fit, weights) in of_split.items():
                    table = prediction_rows(fit.predictions, targets, folds[split], split, "banded", fit.penalty)
                    table = with_scores_over_repetitions(table, fit.predictions, targets, rows, repetitions)
                    table["layer"] = JOINED_BY.join(layers[k] for k in taken)
                    table["n_features"] = n_features[list(taken)].sum()
                    table["weights"] = weights.mean(axis=0)[:, taken].tolist()
                    tables.append(table)
        table = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()
        write_table(benchmark.described(table, group.attrs["model"], group.attrs["family"]), unfinished, "weights")


def fits_of_bands(
    kernels: NDArray,
    responses: NDArray,
    splits: Sequence[Sequence[NDArray]],
    penalties: Sequence[float],
    points: NDArray,
    together: Sequence[tuple[int, ...]],
    queue: DeviceQueue | None,
    progress: Progress,
) -> list[dict[tuple[int, ...], tuple[NestedRidge, NDArray]]]:
    """Compute `ventral.mappings.banded.banded_ridge` on the GPU of a queue, or on the CPU if there is none.

    Raises
    ------
    InputError
        If the memory of the GPU does not suffice.
    """
    asked = splits, penalties, points, together
    if queue is None:
        return banded_ridge(kernels, responses, *asked, progress)
    # Each weighting has two matrices, raw and centred.
    with fitting_in_memory(len(responses), queue.device, 2 * len(points)):
        results = banded_ridge_of_tensors(*(as_tensor(given, queue.device) for given in (kernels, responses)), *asked)
    progress.advance(len(points))
    return results


def contributions(
    tables: Sequence[str | Path], output: str | Path, *, reliability_threshold: float, n_bootstrap: int, seed: int
) -> None:
    """Write the unique contribution of each layer, as medians over the neuroids of an area.

    Parameters
    ----------
    tables : sequence of paths
        Tables from `banded`.
    output : path
        CSV to write, with the table of `unique_contributions`.
    reliability_threshold : float
        Lowest reliability of an included neuroid.
    n_bootstrap, seed : int
        Number of bootstrap samples of neuroids, and seed of their draw.
    """
    table = pd.concat(
        [unique_contributions(read_parquet(path), reliability_threshold, n_bootstrap, seed) for path in tables],
        ignore_index=True,
    )
    with writing(output) as unfinished:
        table.to_csv(unfinished, index=False, lineterminator="\n")


def unique_contributions(
    scores: pd.DataFrame, reliability_threshold: float, n_bootstrap: int, seed: int
) -> pd.DataFrame:
    """Return the unique contribution of each layer to predicting the neuroids of an area.

    All numbers use raw r. Reliability only chooses neuroids, so that noise in its estimate does not count as signal.

    Parameters
    ----------
    scores : DataFrame
        Rows of one model and recording, from `banded`.
    reliability_threshold : float
        Lowest reliability, over all folds, of an included neuroid. If no neuroid has a reliability, all are included.
    n_bootstrap, seed : int
        Number of bootstrap samples of neuroids, and seed of their draw.

    Returns
    -------
    DataFrame
        A row for each `area`, `time_bin`, `split` and `layer`, in the order of the config. `r` and `r2` are medians
        over neuroids of the fit on all layers. r2 is the square of r, or 0 if r is negative, because such a prediction
        explains nothing. `unique_r` and `unique_r2` subtract the medians of the fit on all other layers over the same
        neuroids. Each has the ends `_low` and `_high` of its 95 % interval over bootstrap samples of neuroids, NaN with
        fewer than two. `weight` is the mean over neuroids and folds of the layer's g in the fit on all layers; these
        weights sum to 1. `n_neuroids` and `n_left_out` count neuroids.
    """
    rows = []
    for (area, time_bin, split), of_area in scores.groupby(["area", "time_bin", "split"]):
        together = of_area["layer"].loc[of_area["weights"].map(len).idxmax()]
        layers = together.split(JOINED_BY)
        r = of_area.pivot(index="layer", columns="target", values="r")
        reliability = of_area.groupby("target")["reliability"].first()[r.columns]
        given = of_area.groupby("target")["given_ceiling"].first()[r.columns].to_numpy(float)
        reliable = (reliability >= reliability_threshold).to_numpy()
        if reliability.isna().all():
            reliable = attainable(given, reliability_threshold)
        taken = reliable & r.notna().all().to_numpy()
        weights = of_area[of_area["layer"] == together].set_index("target")["weights"][r.columns[taken]]
        for k, layer in enumerate(layers):
            others = JOINED_BY.join(layers[:k] + layers[k + 1 :])
            of_fits = r.loc[[together, others]].to_numpy(float)[:, taken]
            row = {name: of_area[name].iloc[0] for name in ("model", "recording")}
            row |= {"area": area, "time_bin": time_bin, "split": split, "layer": layer}
            row |= _difference("r", of_fits, n_bootstrap, seed)
            row |= _difference("r2", np.square(np.maximum(of_fits, 0)), n_bootstrap, seed)
            row["weight"] = np.mean([weight[k] for weight in weights]) if taken.any() else np.nan
            rows.append(row | {"n_neuroids": taken.sum(), "n_left_out": (~taken).sum()})
    return pd.DataFrame(rows, columns=CONTRIBUTIONS)


def _difference(measure: str, values: NDArray, n_bootstrap: int, seed: int) -> dict[str, float]:
    """Return the median of the first row of values (2, neuroids), and its difference from the second row's."""
    medians, low, high = np.full(2, np.nan), np.nan, np.nan
    if values.shape[1]:
        medians = np.median(values, axis=1)
    if values.shape[1] > 1:
        resampled = bootstrap_medians(values, n_bootstrap, seed)
        low, high = np.percentile(resampled[0] - resampled[1], [2.5, 97.5])
    return {
        measure: medians[0],
        f"unique_{measure}": medians[0] - medians[1],
        f"unique_{measure}_low": low,
        f"unique_{measure}_high": high,
    }
