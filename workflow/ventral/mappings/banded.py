"""Banded ridge regression over several layers of a model: what each layer adds to the others.

With a penalty of its own for each layer l, ridge regression on all features together minimises

    |y - b - sum_l X_l w_l|^2 + sum_l a_l |w_l|^2

(Nunez-Elizalde, Huth and Gallant 2019, NeuroImage 197:482). With a_l = a / g_l, where the g_l are not negative and sum
to 1, that is ridge regression with the penalty a on the features sqrt(g_l) X_l side by side, whose Gram matrix is
K = sum_l g_l K_l. So layers' Gram matrices suffice, and the penalties are chosen among points g and values of a, for
each target and held-out part, by the inner cross-validation of `ventral.mappings.ridge`: a random search (Dupre la
Tour, Eickenberg, Nunez-Elizalde and Gallant 2022, NeuroImage 264:119728). Each K_l is first divided by the mean squared
distance of the layer's feature vectors from their mean, so that g weights layers, not the scales of their units.

What a layer adds to the others is the difference between the fit on all layers and that on all but this one. Both
search the same points: those of the fit without a layer are the points of the other with g_l = 0.
"""

import logging
from collections.abc import Sequence
from pathlib import Path

import dask
import numpy as np
import pandas as pd
from dask.delayed import delayed
from numpy.typing import NDArray

from ventral.errors import InputError, nearest
from ventral.mappings.ridge import NestedRidge, nested_errors
from ventral.outputs import writing
from ventral.running.parallel import computing
from ventral.running.progress import Progress
from ventral.scores.table import prediction_rows, write_table
from ventral.statistics.summaries import bootstrap_medians
from ventral.store import open_store
from ventral.tables import read_parquet
from ventral.targets.benchmark import read_benchmark
from ventral.targets.values import grouped_over_splits

logger = logging.getLogger(__name__)

# Random points in each face of the simplex that is searched, alternately near its corners and even, as the paper's
# implementation (himalaya) draws them.
DRAWS = 10
CONCENTRATIONS = (0.1, 1.0)
# Deviations from a mean at this share of the values are rounding.
ROUNDING = 1e-12
JOINED_BY = " + "
CONTRIBUTIONS = [
    *("model", "recording", "area", "split", "layer"),
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
    splits: Sequence[str],
    n_folds: int,
    seed: int,
    penalties: Sequence[float],
    cores: int = 1,
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
    splits, n_folds, seed, penalties, cores
        As for `ventral.scores.fitting.fit`; the seed is that of the points that are searched, too.

    Raises
    ------
    InputError
        If the model has no such layer, or the stores do not fit together.
    """
    group = open_store(gram)
    described = {layer["name"]: layer for layer in group.attrs["layers"]}
    check_layers(layers, list(described), group.attrs["model"])
    benchmark = read_benchmark([gram], recording, stimuli, splits, n_folds, seed)
    kernels = np.stack([standardised(group[layer]["gram"][:], layer) for layer in layers])
    n_features = np.array([described[layer]["n_features"] for layer in layers])
    points = simplex(len(layers), seed)
    parts = grouped_over_splits(benchmark.neurons, benchmark.folds)
    progress = Progress(f"banded {group.attrs['model']}", len(points) * len(parts), "weightings of layers")
    tables = []
    with writing(output) as unfinished, computing(cores):
        for targets, rows, folds in parts:
            of_rows = kernels[:, rows[:, None], rows]
            results = banded_ridge(of_rows, targets.values, list(folds.values()), penalties, points, progress)
            for split, of_split in zip(folds, results, strict=True):
                for taken, (fit, weights) in of_split.items():
                    table = prediction_rows(fit.predictions, targets, folds[split], split, "banded", fit.penalty)
                    table["layer"] = JOINED_BY.join(layers[k] for k in taken)
                    table["n_features"] = n_features[list(taken)].sum()
                    table["weights"] = weights.mean(axis=0)[:, taken].tolist()
                    tables.append(table)
        table = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()
        write_table(benchmark.described(table, group.attrs["model"], group.attrs["family"]), unfinished, "weights")


def check_layers(wanted: Sequence[str], layers: Sequence[str], model: str) -> None:
    """Raise InputError if some of the layers of a model that are wanted are not among those that are taken of it."""
    for layer in wanted:
        if layer not in layers:
            raise InputError(
                f"config key banded.{model}: {layer!r} is none of the layers that are taken of the model; the nearest "
                f"are {nearest(layer, layers)}"
            )


def simplex(n_layers: int, seed: int) -> NDArray[np.float64]:
    """Return the weightings of layers to search (points, layers), each row's sum 1.

    The corners; and of all layers, and of all but each one, the centre and `DRAWS` points drawn from Dirichlet
    distributions.
    """
    rng = np.random.default_rng(seed)
    points = [*np.eye(n_layers)]
    for taken in subsets(n_layers):
        if len(taken) > 1:
            drawn = [rng.dirichlet(np.full(len(taken), CONCENTRATIONS[k % 2])) for k in range(DRAWS)]
            for weights in [np.full(len(taken), 1 / len(taken)), *drawn]:
                points.append(np.zeros(n_layers))
                points[-1][list(taken)] = weights
    return np.stack(points)


def subsets(n_layers: int) -> list[tuple[int, ...]]:
    """Return which layers are fitted together: all of them, and all but each."""
    everything = tuple(range(n_layers))
    return [everything, *(everything[:k] + everything[k + 1 :] for k in everything)]


def standardised(gram: NDArray, layer: str = "") -> NDArray[np.float64]:
    """Return the Gram matrix (n, n) of centred features, their mean squared length 1; 0 where they do not vary."""
    centred = gram - gram.mean(axis=0)
    centred -= centred.mean(axis=1)[:, None]
    scale = np.trace(centred) / len(gram)
    if scale <= ROUNDING * np.abs(gram).max():
        logger.warning("layer %s: its features are the same for all stimuli: it adds nothing to other layers", layer)
        return np.zeros_like(centred)
    return centred / scale


def banded_ridge(
    kernels: NDArray,
    responses: NDArray,
    splits: Sequence[Sequence[NDArray]],
    penalties: Sequence[float],
    points: NDArray,
    progress: Progress | None = None,
) -> list[dict[tuple[int, ...], tuple[NestedRidge, NDArray]]]:
    """Predict every target from all layers together, and from all but each, weights and penalty chosen per target.

    Parameters
    ----------
    kernels : (layers, n, n) array
        From `standardised`.
    responses : (n, targets) array
        Finite.
    splits : sequence of sequences of integer arrays
        Outer folds of each split; the inner folds of each are the other ones.
    penalties : (m,) sequence
        Candidates, ascending.
    points : (points, layers) array
        From `simplex`. A fit on some layers searches those with weight 0 on all others.
    progress : Progress, optional
        Advanced by each point.

    Returns
    -------
    list, for each split, of dict
        For each of `subsets`, the held-out predictions with their penalty, and the weights (folds, targets, layers)
        that were chosen: those with the smallest sum of squared errors over the inner folds.
    """
    tasks = [
        delayed(_errors_at_point, pure=False, traverse=False)(kernels, point, responses, splits, penalties, progress)
        for point in points
    ]
    of_points = dask.compute(*tasks)
    results = []
    for s, folds in enumerate(splits):
        inner, predictions, penalty = (np.stack(parts) for parts in zip(*(fit[s] for fit in of_points), strict=True))
        fold_of = np.empty(len(responses), dtype=int)
        for i, fold in enumerate(folds):
            fold_of[fold] = i
        of_split = {}
        for taken in subsets(len(kernels)):
            searched = np.flatnonzero(np.delete(points, taken, axis=1).sum(axis=1) == 0)
            chosen = searched[np.argmin(inner[searched], axis=0)]
            fit = NestedRidge(
                np.take_along_axis(predictions, chosen[fold_of][None], axis=0)[0],
                np.take_along_axis(penalty, chosen[None], axis=0)[0],
                chosen,
            )
            of_split[taken] = fit, points[chosen]
        results.append(of_split)
    return results


def _errors_at_point(kernels, point, responses, splits, penalties, progress):
    result = nested_errors(np.tensordot(point, kernels, axes=1), responses, splits, penalties)
    if progress:
        progress.advance()
    return result


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

    Parameters
    ----------
    scores : DataFrame
        Rows of one model and recording, from `banded`.
    reliability_threshold : float
        Lowest reliability of a neuroid that is taken; all are, where none has a reliability.
    n_bootstrap, seed : int
        Number of bootstrap samples of neuroids, and the seed of their draw.

    Returns
    -------
    DataFrame
        A row for each `area`, `split` and `layer`, in the order of the config, with `r` and `r2`, medians of the fit
        on all layers over neuroids (r2 is the square of r, 0 where r is negative: such a prediction explains nothing);
        `unique_r` and `unique_r2`, these less the medians of the fit on all other layers over the same neuroids, each
        with the ends of its 95 % interval over bootstrap samples of neuroids (`_low`, `_high`; NaN with fewer than
        two); `weight`, mean over neuroids and folds of the layer's g in the fit on all layers, which sum to 1; and
        `n_neuroids`, `n_left_out`.
    """
    rows = []
    for (area, split), of_area in scores.groupby(["area", "split"]):
        together = of_area["layer"].loc[of_area["weights"].map(len).idxmax()]
        layers = together.split(JOINED_BY)
        r = of_area.pivot(index="layer", columns="target", values="r")
        reliability = of_area.groupby("target")["reliability"].first()[r.columns]
        reliable = (reliability >= reliability_threshold).to_numpy() | reliability.isna().all()
        taken = reliable & r.notna().all().to_numpy()
        weights = of_area[of_area["layer"] == together].set_index("target")["weights"][r.columns[taken]]
        for k, layer in enumerate(layers):
            others = JOINED_BY.join(layers[:k] + layers[k + 1 :])
            of_fits = r.loc[[together, others]].to_numpy(float)[:, taken]
            row = {name: of_area[name].iloc[0] for name in ("model", "recording")}
            row |= {"area": area, "split": split, "layer": layer}
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
