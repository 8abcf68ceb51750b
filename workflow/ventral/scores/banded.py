"""Scores of layers that predict together, and what each layer adds to the others."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ventral.mappings.banded import banded_ridge, banded_ridge_of_tensors, layer_kernel, simplex
from ventral.models.zoo import check_taken
from ventral.outputs import writing
from ventral.running.device_queue import device_queue
from ventral.running.parallel import computing
from ventral.running.progress import Progress
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
    """Score some layers of a model together, and all but each of them, against a recording of neuroids.

    Parameters
    ----------
    gram, recording, stimuli : paths
        Stores of the model's Gram matrices, of the recording, and of the stimuli that both are of.
    output : path
        Parquet file to write: rows of the score table with mapping `banded`, `layer` the names joined by ' + ', no
        `depth`, and, beside its columns, `weights`: mean over the folds of the g chosen for each of these layers.
    layers : sequence of str
        Two or more.
    splits, n_folds, seed, penalties, cores, device
        As for `ventral.scores.fitting.fit`, of splits whose folds are held out in turn; the seed is that of the points
        that are searched, too.

    Raises
    ------
    InputError
        If the model has no such layer, the stores do not fit together, or there is no such device or its memory does
        not suffice.
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
    tables = []
    with writing(output) as unfinished, computing(cores):
        for targets, rows, among in parts:
            folds = {name: split.folds for name, split in among.items()}
            of_rows = kernels[:, rows[:, None], rows]
            asked = list(folds.values()), penalties, points
            if queue is None:
                results = banded_ridge(of_rows, targets.values, *asked, progress)
            else:
                # The matrix of each point, as made and as centred.
                with fitting_in_memory(len(rows), queue.device, 2 * len(points)):
                    of_device = [as_tensor(values, queue.device) for values in (of_rows, targets.values)]
                    results = banded_ridge_of_tensors(*of_device, *asked)
                progress.advance(len(points))
            for split, of_split in zip(folds, results, strict=True):
                for taken, (fit, weights) in of_split.items():
                    table = prediction_rows(fit.predictions, targets, folds[split], split, "banded", fit.penalty)
                    table["layer"] = JOINED_BY.join(layers[k] for k in taken)
                    table["n_features"] = n_features[list(taken)].sum()
                    table["weights"] = weights.mean(axis=0)[:, taken].tolist()
                    tables.append(table)
        table = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()
        write_table(benchmark.described(table, group.attrs["model"], group.attrs["family"]), unfinished, "weights")


def contributions(
    tables: Sequence[str | Path], output: str | Path, *, reliability_threshold: float, n_bootstrap: int, seed: int
) -> None:
    """Write what each layer adds to the others, as medians over the neuroids of an area.

    Parameters
    ----------
    tables : sequence of paths
        From `banded`.
    output : path
        CSV to write, from `unique_contributions`.
    reliability_threshold : float
        Lowest reliability of a neuroid that is taken.
    n_bootstrap, seed : int
        Number of bootstrap samples of neuroids, and the seed of their draw.
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
    """Return what each layer adds to the others in predicting the neuroids of an area.

    All numbers are of raw r. Reliability chooses neuroids and divides nothing, so that no noise which raised it is
    counted as signal.

    Parameters
    ----------
    scores : DataFrame
        Rows of one model and recording, from `banded`.
    reliability_threshold : float
        Lowest reliability, over all folds, of a neuroid that is taken; all are, where none has a reliability.
    n_bootstrap, seed : int
        Number of bootstrap samples of neuroids, and the seed of their draw.

    Returns
    -------
    DataFrame
        A row for each `area`, `time_bin`, `split` and `layer`, in the order of the config, with `r` and `r2`, medians
        of the fit on all layers over neuroids (r2 is the square of r, 0 where r is negative: such a prediction explains
        nothing);
        `unique_r` and `unique_r2`, these less the medians of the fit on all other layers over the same neuroids, each
        with the ends of its 95 % interval over bootstrap samples of neuroids (`_low`, `_high`; NaN with fewer than
        two); `weight`, mean over neuroids and folds of the layer's g in the fit on all layers, which sum to 1; and
        `n_neuroids`, `n_left_out`.
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
    """Return the median of values (2, neuroids) in the first row, and how much it is above that in the second."""
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
