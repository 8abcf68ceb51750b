"""Choose each model's best layer on some neurons and folds, and score it on the others.

The maximum over layers uses the same data to choose and to score a layer. Its optimism grows with the number of layers
(circular analysis, Kriegeskorte et al. 2009, Nature Neuroscience 12:535). A layer's errors are alike for all neurons,
because all neurons saw the same stimuli. Scoring on other neurons therefore removes little optimism, and the folds are
halved, too.

Fits that predict one half of the folds are also trained on the other half, so that some optimism remains with few
stimuli. In simulations of 18 equal layers with ridge regression (benchmarks/optimism.py), optimism was 0.111, 0.054 and
0.030 with 120, 300 and 640 stimuli. Halving neurons and folds left 0.066, 0.017 and 0.006; halving neurons alone left
0.075, 0.039 and 0.022.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ventral.grams.recorded import FAMILY
from ventral.outputs import writing
from ventral.statistics.summaries import LAYER, PANEL, medians_of_samples, read_scores
from ventral.targets.ceilings import HALVES
from ventral.targets.selection import attainable, ceilings_of_chosen, over_ceilings

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
    "r_squared_best",
    "share_chosen",
    "chosen",
]
N_SPLITS = 500


@dataclass(frozen=True)
class Halves:
    """Scores of one panel in each half of the folds, with layers as rows and neuroids as columns.

    Attributes
    ----------
    measure : str
        `predictivity`, or `r` for recordings without repetitions.
    whole : (layers,) Series
        Median r over the included neuroids, or the mean over both halves of the median predictivity.
    even, odd : (layers, neuroids) DataFrames
        Scores; NaN if missing, infinite if a reliability is not positive.
    """

    measure: str
    whole: pd.Series
    even: pd.DataFrame
    odd: pd.DataFrame


def best_layers(scores: Path, output: Path, reliability_threshold: float, seed: int) -> None:
    """Write the best layer of each model for every recorded area, split and mapping.

    Parameters
    ----------
    scores : path
        The joined score table.
    output : path
        CSV to write, with the rows of `best_layers_of`.
    reliability_threshold : float
        Lowest reliability of an included neuroid.
    seed : int
        Seed of the random halves.

    Raises
    ------
    InputError
        If the file is not a score table, or lacks the scores in halves of the folds.
    """
    with writing(output) as unfinished:
        table = best_layers_of(read_scores(scores), reliability_threshold, seed=seed)
        if table.empty:
            logger.warning("no best layer: no layer of a model has a score for a reliable neuron")
        table.to_csv(unfinished, index=False, lineterminator="\n")


def best_layers_of(
    scores: pd.DataFrame, reliability_threshold: float, seed: int, n_splits: int = N_SPLITS
) -> pd.DataFrame:
    """Return the best layer of each model, for each recorded area, time bin, split and mapping.

    A random half of an area's neurons chooses the layer with the highest median in every other fold. The median over
    the other neurons in the folds between is its score. All four combinations are used, for many random halves, which
    are the same for all models and time bins. The reliability in one half of the folds chooses the neurons to score in
    the other half.

    Parameters
    ----------
    scores : DataFrame
        Score table. Rows of matrices, which have no neurons to halve, and of recorded areas are skipped.
    reliability_threshold : float
        Lowest reliability, in the other folds, of an included neuroid.
    seed, n_splits : int
        Seed and number of the random halves.

    Returns
    -------
    DataFrame
        Table with these columns. `measure` is `predictivity`, or `r` for recordings without repetitions. `n_layers` and
        `n_neuroids` count layers, and neuroids included in at least one half of the folds. `best_layer` is chosen by
        all neurons and folds, and `best_depth` is its depth. `maximum` is its score: the median r, or the mean over
        both halves of the folds of the median predictivity. `corrected` is the mean score of layers chosen on other
        neurons and other folds. `optimism` is `maximum` minus `corrected`. `r_squared_best` is from `over_draws`.
        `share_chosen` is how often the best layer was chosen, and `chosen` how often each layer was. Columns that need
        halves are NaN with fewer than two neurons.
    """
    # Comparisons of models skip recorded areas.
    neurons = scores[(scores["target_kind"] == "neuron") & (scores["family"] != FAMILY)]
    over_bins = [name for name in PANEL if name != "time_bin"]
    found = [
        dict(zip(over_bins, key, strict=True)) | row
        for key, rows in neurons.groupby(over_bins)
        for row in _choose_best_layers(rows, reliability_threshold, n_splits, seed)
    ]
    return pd.DataFrame(found, columns=COLUMNS).sort_values(PANEL, kind="stable", ignore_index=True)


def values_in_halves(rows: pd.DataFrame, threshold: float) -> Halves:
    """Return the scores of one panel's neuroids in each half of the folds.

    Parameters
    ----------
    rows : DataFrame
        Rows of the score table for one panel.
    threshold : float
        Lowest reliability, in the other half of the folds, of an included neuroid; the reliability must be positive. If
        no neuroid has a reliability, lowest square of a given ceiling.
    """
    of_all = rows.pivot(index=LAYER, columns="target", values="r").astype(float)
    r = [rows.pivot(index=LAYER, columns="target", values=f"r_{half}").astype(float) for half in HALVES]
    # A neuroid without r over all folds has no score in the table.
    r = [half.where(of_all.notna()) for half in r]
    first = rows.groupby("target").first()
    rho = np.stack([first[f"reliability_{half}"][of_all.columns].astype(float) for half in HALVES])
    if np.isnan(rho).all():
        taken = attainable(first["given_ceiling"][of_all.columns].astype(float), threshold)
        of_all, even, odd = (table.where(taken, axis=1) for table in (of_all, *r))
        return Halves("r", of_all.median(axis=1), even, odd)
    even, odd = map(over_ceilings, r, ceilings_of_chosen(rho, threshold))
    everyone = np.ones((1, even.shape[1]), dtype=int)
    medians = [medians_of_halves(half.to_numpy(), everyone)[:, 0] for half in (even, odd)]
    return Halves("predictivity", pd.Series(np.mean(medians, axis=0), even.index), even, odd)


def corrected_over_halves(
    even: NDArray[np.float64], odd: NDArray[np.float64], first: NDArray[np.bool_]
) -> tuple[float, NDArray[np.float64]]:
    """Return the mean score of layers chosen on other neurons and other folds.

    Parameters
    ----------
    even, odd : (layers, neuroids) arrays
        Scores in each half of the folds.
    first : (splits, neuroids) array
        Mask of the neuroids in the first half, for each random split into halves.

    Returns
    -------
    corrected : float
        Mean over the combinations in which both halves have a score; NaN if there is none.
    shares : (layers,) array
        Share of choices that fell on each layer.
    """
    members = first.astype(int)
    of_parts = [[medians_of_halves(part, some) for some in (members, 1 - members)] for part in (even, odd)]
    ways = [chosen_and_scored(of_parts[f][k], of_parts[1 - f][1 - k]) for f in (0, 1) for k in (0, 1)]
    chosen, _, scored = (np.concatenate(parts) for parts in zip(*ways, strict=True))
    known = np.isfinite(scored)
    counts = np.bincount(chosen[known], minlength=len(even)) / max(1, known.sum())
    return float(scored[known].mean()) if known.any() else float("nan"), counts


def medians_of_halves(values: NDArray[np.float64], members: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return the median of each layer's values (layers, neuroids) over subsets of neuroids.

    The medians are those of `medians_of_samples`: infinite values count, but infinite medians become NaN.
    """
    medians = medians_of_samples(values, members)
    return np.where(np.isfinite(medians), medians, np.nan)


def halves_of(n_neuroids: int, n_splits: int, seed: int) -> NDArray[np.bool_]:
    """Draw random halves, and return masks (n_splits, n_neuroids) of the n_neuroids // 2 neuroids in the first half."""
    keys = np.random.default_rng(seed).random((n_splits, n_neuroids))
    return np.argsort(np.argsort(keys, axis=1), axis=1) < n_neuroids // 2


def chosen_and_scored(medians: NDArray[np.float64], others: NDArray[np.float64]) -> tuple[NDArray, NDArray, NDArray]:
    """Choose a layer by some medians, and score it by others.

    Parameters
    ----------
    medians, others : (layers, samples) arrays
        Medians; NaN if a layer has none.

    Returns
    -------
    chosen : (samples,) integer array
        Layer with the highest of `medians`, the first if several are equal; -1 if no layer has a median.
    apparent, scored : (samples,) arrays
        The chosen layer's values in `medians` and in `others`.
    """
    samples = np.arange(medians.shape[1])
    chosen = np.where(np.isnan(medians), -np.inf, medians).argmax(axis=0)
    apparent = medians[chosen, samples]
    none = np.isnan(apparent)
    return np.where(none, -1, chosen), apparent, np.where(none, np.nan, others[chosen, samples])


def _choose_best_layers(rows: pd.DataFrame, threshold: float, n_splits: int, seed: int) -> Iterator[dict]:
    of_bins = {time_bin: values_in_halves(of_bin, threshold) for time_bin, of_bin in rows.groupby("time_bin")}
    # All time bins share the same halves of the same neurons.
    names = reduce(pd.Index.union, [taken_neuroids(halves) for halves in of_bins.values()])
    first = halves_of(len(names), n_splits, seed)
    for time_bin, halves in of_bins.items():
        even, odd = (table.reindex(columns=names) for table in (halves.even, halves.odd))
        of_draws = over_draws(rows[rows["time_bin"] == time_bin])
        for row in _choose_in_bin(halves.whole, even, odd, first):
            found = {"measure": halves.measure, "r_squared_best": of_draws.get(row["model"], np.nan)}
            yield {"time_bin": time_bin} | found | row


def over_draws(rows: pd.DataFrame) -> pd.Series:
    """Return r squared of each model at layers that half of the random draws chose, in the other draws.

    Each neuroid has its own layers, from `ventral.scores.best_of_draws`. The median over neuroids is NaN for other
    splits.
    """
    of_layers = (rows["share_best"] * rows["r_squared_best"]).astype(float)
    of_neuroids = of_layers.groupby([rows["model"], rows["target"]]).sum(min_count=1)
    return of_neuroids.groupby("model").median()


def taken_neuroids(halves: Halves) -> pd.Index:
    """Return the names of the neuroids for which any layer has a score."""
    return halves.even.columns[(halves.even.notna() | halves.odd.notna()).any()]


def _choose_in_bin(whole: pd.Series, even: pd.DataFrame, odd: pd.DataFrame, first: NDArray[np.bool_]) -> Iterator[dict]:
    """Yield the best layer of each model, given scores (layers, neuroids) and masks of first halves."""
    for (model, family), of_model in whole.groupby(level=["model", "family"]):
        if of_model.isna().all():
            continue
        layers, maxima = of_model.index.get_level_values("layer"), of_model.to_numpy()
        parts = [table.loc[of_model.index].to_numpy(float) for table in (even, odd)]
        best = int(np.nanargmax(maxima))
        corrected, shares = corrected_over_halves(*parts, first)
        often = [k for k in np.argsort(-shares, kind="stable") if shares[k]]
        yield {
            "model": model,
            "family": family,
            "n_layers": len(layers),
            "n_neuroids": int(np.any([~np.isnan(part[best]) for part in parts], axis=0).sum()),
            "best_layer": layers[best],
            "best_depth": of_model.index.get_level_values("depth")[best],
            "maximum": maxima[best],
            "corrected": corrected,
            "optimism": maxima[best] - corrected,
            "share_chosen": shares[best] if shares.any() else np.nan,
            "chosen": ", ".join(f"{layers[k]} {shares[k]:.3f}" for k in often),
        }
