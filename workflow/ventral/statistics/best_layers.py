"""Each model's best layer, chosen on one half of the neurons and scored on the other."""

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ventral.grams.recorded import FAMILY
from ventral.outputs import writing
from ventral.statistics.summaries import PANEL, medians_of_samples, read_scores, values_in_bins

logger = logging.getLogger(__name__)

COLUMNS = [
    *PANEL,
    "model",
    "family",
    "measure",
    "n_layers",
    "n_neuroids",
    "best_layer",
    "best_depth",
    "maximum",
    "corrected",
    "optimism",
    "share_chosen",
    "chosen",
]
N_SPLITS = 500


def best_layers(scores: Path, output: Path, reliability_threshold: float, seed: int) -> None:
    """Write the best layer of each model for every recorded area, split and mapping.

    Parameters
    ----------
    scores : path
        The joined score table.
    output : path
        CSV to write: the rows of `best_layers_of`.
    reliability_threshold : float
        Lowest reliability of a neuroid that is taken.
    seed : int
        Seed of the halves.
    """
    with writing(output) as unfinished:
        table = best_layers_of(read_scores(scores), reliability_threshold, seed=seed)
        if table.empty:
            logger.warning("no best layer: no layer of a model has a score of a neuron that is taken")
        table.to_csv(unfinished, index=False, lineterminator="\n")


def best_layers_of(
    scores: pd.DataFrame, reliability_threshold: float, seed: int, n_splits: int = N_SPLITS
) -> pd.DataFrame:
    """Return a row for each model, recorded area, bin of time, split and mapping.

    The maximum over layers is scored by the neurons that chose it, and the more layers there are, the more it flatters
    (circular analysis, Kriegeskorte et al. 2009, Nature Neuroscience 12:535). Here the layer with the highest median
    over a random half of an area's neurons is scored by the median over the other half, both ways, for many halves, the
    same for all models and bins of time.

    Parameters
    ----------
    scores : DataFrame
        Score table; rows of matrices, which have no neurons to halve, and of recorded areas are not taken.
    reliability_threshold : float
        As for `ventral.statistics.summaries.area_summary`.
    seed, n_splits : int
        Seed of the random splits into halves, and their number.

    Returns
    -------
    DataFrame
        `measure` (`predictivity`, or `r` of recordings without repetitions), `n_layers`, `n_neuroids`; `best_layer` by
        all neurons, its `best_depth`, and the median there, `maximum`; `corrected`, the mean over halves of the median
        of neurons that had no part in the choice; `optimism`, by how much the halves that chose exceed it (0 of a
        single layer); `share_chosen`, how often the best layer was chosen, and `chosen`, how often each layer was. What
        takes halves is NaN with fewer than two neurons.
    """
    # How models compare is asked of models: a recorded area is none.
    neurons = scores[(scores["target_kind"] == "neuron") & (scores["family"] != FAMILY)]
    over_bins = [name for name in PANEL if name != "time_bin"]
    found = [
        dict(zip(over_bins, key, strict=True)) | row
        for key, rows in neurons.groupby(over_bins)
        for row in _choose_best_layers(rows, reliability_threshold, n_splits, seed)
    ]
    return pd.DataFrame(found, columns=COLUMNS).sort_values(PANEL, kind="stable", ignore_index=True)


def halves_of(n_neuroids: int, n_splits: int, seed: int) -> NDArray[np.bool_]:
    """Return which n_neuroids // 2 neuroids are in the first of two random halves, (n_splits, n_neuroids)."""
    keys = np.random.default_rng(seed).random((n_splits, n_neuroids))
    return np.argsort(np.argsort(keys, axis=1), axis=1) < n_neuroids // 2


def chosen_and_scored(medians: NDArray[np.float64], others: NDArray[np.float64]) -> tuple[NDArray, NDArray, NDArray]:
    """Return what the choice of a layer by some medians is worth by others.

    Parameters
    ----------
    medians, others : (layers, samples) arrays
        NaN where a layer has none.

    Returns
    -------
    chosen : (samples,) integer array
        Layer with the highest of `medians`, the first of several; -1 where no layer has one.
    apparent, scored : (samples,) arrays
        The chosen layer's median, and the other one.
    """
    samples = np.arange(medians.shape[1])
    chosen = np.where(np.isnan(medians), -np.inf, medians).argmax(axis=0)
    apparent = medians[chosen, samples]
    none = np.isnan(apparent)
    return np.where(none, -1, chosen), apparent, np.where(none, np.nan, others[chosen, samples])


def _choose_best_layers(rows: pd.DataFrame, threshold: float, n_splits: int, seed: int) -> Iterator[dict]:
    of_bins, members = values_in_bins(rows, threshold)
    first = halves_of(int(members.sum()), n_splits, seed).astype(int)
    for time_bin, (values, has_ceiling) in of_bins.items():
        measure = "predictivity" if has_ceiling else "r"
        for row in _choose_in_bin(values[measure].loc[:, members], first):
            yield {"time_bin": time_bin, "measure": measure} | row


def _choose_in_bin(table: pd.DataFrame, first: NDArray[np.integer]) -> Iterator[dict]:
    """Give the best layer of each model, of scores (layers, neuroids) and the neuroids in the first of two halves."""
    for (model, family), of_model in table.groupby(level=["model", "family"]):
        layers = of_model.index.get_level_values("layer")
        numbers = of_model.to_numpy(float)
        if np.isnan(numbers).all():
            continue
        medians = medians_of_samples(numbers, np.ones((1, numbers.shape[1]), dtype=int))[:, 0]
        best = int(np.nanargmax(medians))
        halves = [medians_of_samples(numbers, members) for members in (first, 1 - first)]
        both = [chosen_and_scored(*pair) for pair in (halves, halves[::-1])]
        chosen, apparent, scored = (np.concatenate(parts) for parts in zip(*both, strict=True))
        known = np.isfinite(scored)
        counts = np.bincount(chosen[known], minlength=len(layers)) / max(1, known.sum())
        often = np.argsort(-counts, kind="stable")
        yield {
            "model": model,
            "family": family,
            "n_layers": len(layers),
            "n_neuroids": int(np.isfinite(numbers[best]).sum()),
            "best_layer": layers[best],
            "best_depth": of_model.index.get_level_values("depth")[best],
            "maximum": medians[best],
            "corrected": scored[known].mean() if known.any() else np.nan,
            "optimism": (apparent - scored)[known].mean() if known.any() else np.nan,
            "share_chosen": counts[best] if known.any() else np.nan,
            "chosen": ", ".join(f"{layers[k]} {counts[k]:.3f}" for k in often if counts[k]),
        }
