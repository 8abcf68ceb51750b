"""Which layers of a model, and which models, differ in how well they predict an area, by the paired bootstrap."""

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
    """Write every pair of layers of a model, and every pair of models at their best layers, with the test of each.

    Parameters
    ----------
    bootstraps : sequence of paths
        Resampled medians of all models and recordings.
    best_layers : path
        Table of `ventral.statistics.best_layers`.
    output : path
        CSV to write: the rows of `comparisons_of`.
    """
    with writing(output) as unfinished:
        table = comparisons_of(read_bootstraps(bootstraps), read_csv(best_layers, "best_layer"))
        table.to_csv(unfinished, index=False, lineterminator="\n")


def comparisons_of(bootstraps: pd.DataFrame, best: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each pair of layers of a model, and each pair of models, in each panel.

    All pairs of a model's layers in a panel are one family of tests, and all pairs of models in a panel another.

    Parameters
    ----------
    bootstraps : DataFrame
        From `ventral.statistics.bootstrap.read_bootstraps`.
    best : DataFrame
        From `ventral.statistics.best_layers.best_layers_of`.

    Returns
    -------
    DataFrame
        `compared` ('layers' or 'models'), `model_a`, `layer_a`, `model_b`, `layer_b`; `score_a` and `score_b`, the
        median over neurons of layers, and of models `corrected`, the score of layers that other neurons and other folds
        chose (the layer named is the best by all); their `difference` with the ends of its 95 % interval, `low` and
        `high`; `p`, two-sided;
        `p_holm`, `p_stepdown` and `q`, corrected for `n_comparisons`; and `differs`, whether `p_stepdown` is below
        0.05: any false difference in a whole family at most one time in twenty.
    """
    families = [family for _, panel in bootstraps.groupby(PANEL) for family in _families(panel, best)]
    if not families:
        logger.warning("nothing is compared: no two layers of a model, and no two models, have scores of an area")
        return pd.DataFrame(columns=COLUMNS)
    _warn_of_few_resamples(families)
    return pd.concat(families, ignore_index=True)[COLUMNS]


def corrected_scores(first_halves: NDArray, second_halves: NDArray) -> NDArray[np.float64]:
    """Return a model's score in each resample, by neurons that had no part in the choice of its layer.

    Parameters
    ----------
    first_halves, second_halves : (layers, n_bootstrap) arrays
        Medians over either half of a resample's neurons.

    Returns
    -------
    (n_bootstrap,) array
        Mean over both ways of choosing by one half and scoring by the other.
    """
    return (chosen_and_scored(first_halves, second_halves)[2] + chosen_and_scored(second_halves, first_halves)[2]) / 2


def resampled_scores(panel: pd.DataFrame, corrected: Mapping[str, float]) -> dict[str, NDArray[np.float64]]:
    """Return the score of each model in each resample (n_bootstrap,), spread around the printed one.

    Parameters
    ----------
    panel : DataFrame
        Rows of a panel of resampled medians.
    corrected : mapping
        Score of each model that is compared, from `ventral.statistics.best_layers`. Others are left out.
    """
    return {
        model: centred_on(
            corrected_scores(*(np.stack(rows[halves]).astype(float) for halves in RESAMPLED[1:])), corrected[model]
        )
        for model, rows in panel.groupby("model")
        if model in corrected
    }


def centred_on(resampled: NDArray[np.float64], score: float) -> NDArray[np.float64]:
    """Return resampled scores (n_bootstrap,), moved so that their mean is the score that is printed.

    Within a resample neurons alone are halved, so that the more layers a model has, the more its scores there flatter.
    Their spread says how sure the score is; where they lie does not.
    """
    return resampled if np.isnan(resampled).all() else resampled - np.nanmean(resampled) + score


def interval_and_p(differences: NDArray[np.float64]) -> tuple[NDArray, NDArray, NDArray]:
    """Return the 95 % interval of resampled differences and the two-sided p of there being none.

    The interval is that of percentiles; p is the level at which it just reaches 0: twice the smaller share of resamples
    with a difference of 0 or beyond, (k + 1) / (B + 1), so that B resamples never say less than 2 / (B + 1) (Davison
    and Hinkley 1997, Bootstrap Methods and their Application, chapters 4 and 5).

    Parameters
    ----------
    differences : (pairs, B) array

    Returns
    -------
    low, high, p : (pairs,) arrays
        Over the resamples in which a difference is defined; NaN where it is in none.
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
    """Return p (m,) corrected for all pairs together, as they vary together over the same resamples.

    The studentised step-down test of Romano and Wolf (2005, Econometrica 73:1237; 2016, Statistics and Probability
    Letters 113:38): the largest |d| / s is held against the resampled distribution of the largest |d* - d| / s of all
    pairs, the next against that of all but the first, and so on. Like Holm's, it keeps any false rejection as rare as
    stated; but pairs of layers vary together, so that it says more, and B resamples can say 1 / (B + 1) of however many
    pairs, where Holm's product says no less than 2 m / (B + 1).

    Parameters
    ----------
    observed : (m,) array
        d, the difference of each pair.
    differences : (m, B) array
        d*, that of each resample; a resample in which one is not defined is not taken.
    """
    complete = differences[:, np.isfinite(differences).all(axis=0)]
    spread = complete.std(axis=1)
    scale = np.where(spread > 0, spread, 1)
    statistic = np.where(spread > 0, np.abs(observed) / scale, np.where(observed == 0, 0, np.inf))
    order = np.argsort(statistic)
    # From the smallest up: each row has the largest of the pairs that are not rejected before it.
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
    """Return the test of every pair of what has a `model`, `layer` and `score`, and scores (rows, B) in resamples."""
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
        # A pair is never surer among others than alone.
        table.loc[known, "p_stepdown"] = np.maximum(p, together)
    table["differs"] = table["p_stepdown"] < LEVEL
    return table.assign(n_comparisons=int(known.sum()), n_bootstrap=scores.shape[1])


def _warn_of_few_resamples(families: Sequence[pd.DataFrame]) -> None:
    largest = max(families, key=lambda family: family["n_comparisons"].iloc[0]).iloc[0]
    m, n_bootstrap = int(largest["n_comparisons"]), int(largest["n_bootstrap"])
    if 2 * m / (n_bootstrap + 1) >= LEVEL:
        logger.warning(
            "%d resamples say of %d comparisons (%s of %s, %s) at best p_holm = %.2f; `bootstrap: %d` could say less "
            "than %g; p_stepdown, which `differs` goes by, has no such limit",
            n_bootstrap,
            m,
            largest["compared"],
            largest["model_a"] if largest["compared"] == "layers" else "all",
            largest["recording"],
            min(1, 2 * m / (n_bootstrap + 1)),
            int(np.ceil(2 * m / LEVEL)),
            LEVEL,
        )
