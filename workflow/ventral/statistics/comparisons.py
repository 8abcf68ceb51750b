"""Test which layers and which models differ in how well they predict an area, with the paired bootstrap."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ventral.outputs import writing
from ventral.statistics.best_layers import chosen_and_scored
from ventral.statistics.bootstrap import RESAMPLED, read_bootstraps
from ventral.statistics.contrasts import holm_adjusted
from ventral.statistics.summaries import PANEL
from ventral.tables import read_csv

logger = logging.getLogger(__name__)

COLUMNS = [
    *PANEL,
    "compared",
    "model_a",
    "layer_a",
    "model_b",
    "layer_b",
    "score_a",
    "score_b",
    "difference",
    "low",
    "high",
    "p",
    "p_holm",
    "p_stepdown",
    "q",
    "differs",
    "n_comparisons",
    "n_bootstrap",
]
LEVEL = 0.05


def compare(bootstraps: Sequence[Path], best_layers: Path, output: Path) -> None:
    """Write a test for every pair of layers of a model, and for every pair of models at their best layers.

    Parameters
    ----------
    bootstraps : sequence of paths
        Resampled medians of all models and recordings.
    best_layers : path
        Table of `ventral.statistics.best_layers`.
    output : path
        CSV to write, with the rows of `comparisons_of`.
    """
    with writing(output) as unfinished:
        table = comparisons_of(read_bootstraps(bootstraps), read_csv(best_layers, "best_layer"))
        table.to_csv(unfinished, index=False, lineterminator="\n")


def comparisons_of(bootstraps: pd.DataFrame, best: pd.DataFrame) -> pd.DataFrame:
    """Return a test for each pair of layers of a model, and for each pair of models, in each panel.

    All pairs of a model's layers in a panel are one family of tests, and all pairs of models in a panel another.

    Parameters
    ----------
    bootstraps : DataFrame
        Resampled medians from `ventral.statistics.bootstrap.read_bootstraps`.
    best : DataFrame
        Best layers from `ventral.statistics.best_layers.best_layers_of`.

    Returns
    -------
    DataFrame
        Table with these columns. `compared` is 'layers' or 'models'; `model_a`, `layer_a`, `model_b` and `layer_b` are
        the pair. `score_a` and `score_b` are the median over neurons for layers. For models they are `corrected`, the
        score of layers chosen on other neurons and other folds; the named layer is the best by all data. `difference`
        has the 95 % interval from `low` to `high`. `p` is two-sided; `p_holm`, `p_stepdown` and `q` are corrected for
        `n_comparisons`. `differs` is true if `p_stepdown` is below 0.05. A family then has any false difference in at
        most 5 % of experiments.
    """
    families = [family for _, panel in bootstraps.groupby(PANEL) for family in _families(panel, best)]
    if not families:
        logger.warning("nothing is compared: no area has scores of two layers of a model, or of two models")
        return pd.DataFrame(columns=COLUMNS)
    _warn_of_few_resamples(families)
    return pd.concat(families, ignore_index=True)[COLUMNS]


def corrected_scores(first_halves: NDArray, second_halves: NDArray) -> NDArray[np.float64]:
    """Return a model's score in each resample, using neurons that had no part in the choice of its layer.

    Parameters
    ----------
    first_halves, second_halves : (layers, n_bootstrap) arrays
        Medians over each half of a resample's neurons.

    Returns
    -------
    (n_bootstrap,) array
        Mean over both ways to choose by one half and score by the other.
    """
    return (chosen_and_scored(first_halves, second_halves)[2] + chosen_and_scored(second_halves, first_halves)[2]) / 2


def resampled_scores(panel: pd.DataFrame, corrected: Mapping[str, float]) -> dict[str, NDArray[np.float64]]:
    """Return the score of each model in each resample (n_bootstrap,), centred on the reported score.

    Parameters
    ----------
    panel : DataFrame
        Rows of a panel of resampled medians.
    corrected : mapping
        Score of each compared model, from `ventral.statistics.best_layers`. Other models are left out.
    """
    return {
        model: centred_on(
            corrected_scores(*(np.stack(rows[halves]).astype(float) for halves in RESAMPLED[1:])), corrected[model]
        )
        for model, rows in panel.groupby("model")
        if model in corrected
    }


def centred_on(resampled: NDArray[np.float64], score: float) -> NDArray[np.float64]:
    """Return resampled scores (n_bootstrap,), shifted so that their mean is the reported score.

    A resample halves only neurons, so that the optimism of its scores grows with the number of layers. The spread of
    these scores is used, but their mean is biased.
    """
    return resampled if np.isnan(resampled).all() else resampled - np.nanmean(resampled) + score


def interval_and_p(differences: NDArray[np.float64]) -> tuple[NDArray, NDArray, NDArray]:
    """Return the 95 % interval of resampled differences, and the two-sided p value of no difference.

    The interval is the percentile interval, and p is the level at which the interval just reaches 0. p is twice the
    smaller share of resamples at 0 or beyond, counted as (k + 1) / (B + 1). B resamples therefore give p of 2 / (B + 1)
    or more (Davison and Hinkley 1997, Bootstrap Methods and their Application, chapters 4 and 5).

    Parameters
    ----------
    differences : (pairs, B) array

    Returns
    -------
    low, high, p : (pairs,) arrays
        Computed over the resamples in which the difference is defined; NaN if there is none.
    """
    n_defined = np.isfinite(differences).sum(axis=1)
    low, high, p = np.full((3, len(differences)), np.nan)
    some = n_defined > 0
    if some.any():
        low[some], high[some] = np.nanpercentile(differences[some], [2.5, 97.5], axis=1)
        beyond = np.minimum((differences <= 0).sum(axis=1), (differences >= 0).sum(axis=1))
        p[some] = np.minimum(1, 2 * (beyond[some] + 1) / (n_defined[some] + 1))
    return low, high, p


def benjamini_hochberg(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return q (m,), the lowest false discovery rate that rejects each (Benjamini, Hochberg 1995, JRSS B 57:289)."""
    order = np.argsort(p)[::-1]
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(1, np.minimum.accumulate(p[order] * len(p) / np.arange(len(p), 0, -1)))
    return adjusted


def stepdown(observed: NDArray[np.float64], differences: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return p values (m,) corrected for all pairs jointly, using their covariation over resamples.

    This is the studentised step-down test of Romano and Wolf (2005, Econometrica 73:1237; 2016, Statistics and
    Probability Letters 113:38). The largest |d| / s is compared with the resampled distribution of the largest |d* - d|
    / s of all pairs. The next is compared with the distribution for all pairs but the first, and so on. Like Holm's
    method, the test controls the probability of any false rejection. Pairs of layers covary, which gives this test more
    power. With B resamples, its p can reach 1 / (B + 1) for any number of pairs, but Holm's only 2 m / (B + 1).

    Parameters
    ----------
    observed : (m,) array
        Difference d of each pair.
    differences : (m, B) array
        Differences d* in each resample; resamples with an undefined difference are skipped.
    """
    complete = differences[:, np.isfinite(differences).all(axis=0)]
    spread = complete.std(axis=1)
    scale = np.where(spread > 0, spread, 1)
    statistic = np.where(spread > 0, np.abs(observed) / scale, np.where(observed == 0, 0, np.inf))
    order = np.argsort(statistic)
    # Accumulating from the smallest up gives each row the largest of the pairs not yet rejected.
    largest = np.maximum.accumulate(np.abs(complete - observed[:, None])[order] / scale[order, None], axis=0)
    p = ((largest >= statistic[order, None]).sum(axis=1) + 1) / (complete.shape[1] + 1)
    adjusted = np.empty_like(p)
    adjusted[order] = np.maximum.accumulate(p[::-1])[::-1]
    return adjusted


def _families(panel: pd.DataFrame, best: pd.DataFrame) -> Iterator[pd.DataFrame]:
    place = panel[PANEL].iloc[0].to_dict()
    for model, rows in panel.groupby("model"):
        if len(rows) > 1:
            medians = np.stack(rows["medians"]).astype(float)
            layers = pd.DataFrame(
                {"model": model, "layer": rows["layer"].to_numpy(), "score": rows["median"].to_numpy()}
            )
            yield _family(layers, medians).assign(**place, compared="layers")
    of_panel = best[(best[PANEL] == pd.Series(place)).all(axis=1) & best["corrected"].notna()].sort_values("model")
    scores = resampled_scores(panel, of_panel.set_index("model")["corrected"])
    of_panel = of_panel[of_panel["model"].isin(scores)]
    if len(of_panel) > 1:
        models = of_panel[["model", "best_layer", "corrected"]].set_axis(["model", "layer", "score"], axis=1)
        yield _family(models, np.stack([scores[model] for model in models["model"]])).assign(**place, compared="models")


def _family(compared: pd.DataFrame, scores: NDArray[np.float64]) -> pd.DataFrame:
    """Test every pair of rows with `model`, `layer` and `score`, given scores (rows, B) in resamples."""
    first, second = np.triu_indices(len(compared), k=1)
    table = pd.concat(
        [compared.iloc[rows].reset_index(drop=True).add_suffix(end) for rows, end in ((first, "_a"), (second, "_b"))],
        axis=1,
    )
    table["difference"] = table["score_a"] - table["score_b"]
    differences = scores[first] - scores[second]
    table["low"], table["high"], table["p"] = interval_and_p(differences)
    known = (table["p"].notna() & table["difference"].notna()).to_numpy()
    table[["p_holm", "p_stepdown", "q"]] = np.nan
    if known.any():
        p = table.loc[known, "p"].to_numpy()
        together = stepdown(table.loc[known, "difference"].to_numpy(), differences[known])
        table.loc[known, "p_holm"], table.loc[known, "q"] = holm_adjusted(p), benjamini_hochberg(p)
        # The corrected p of a pair is never below its uncorrected p.
        table.loc[known, "p_stepdown"] = np.maximum(p, together)
    table["differs"] = table["p_stepdown"] < LEVEL
    return table.assign(n_comparisons=int(known.sum()), n_bootstrap=scores.shape[1])


def _warn_of_few_resamples(families: Sequence[pd.DataFrame]) -> None:
    largest = max(families, key=lambda family: family["n_comparisons"].iloc[0]).iloc[0]
    m, n_bootstrap = int(largest["n_comparisons"]), int(largest["n_bootstrap"])
    if 2 * m / (n_bootstrap + 1) >= LEVEL:
        logger.warning(
            "%d resamples of %d comparisons (%s of %s, %s) allow at best p_holm = %.2f; set `bootstrap: %d` for values "
            "below %g; p_stepdown, which decides `differs`, has no such limit",
            n_bootstrap,
            m,
            largest["compared"],
            largest["model_a"] if largest["compared"] == "layers" else "all",
            largest["recording"],
            min(1, 2 * m / (n_bootstrap + 1)),
            int(np.ceil(2 * m / LEVEL)),
            LEVEL,
        )
