"""Which claims of the published work hold on the recordings of a run, with the numbers that say so.

The claims are those of Yamins et al. 2014 (PNAS 111:8619) and Hong et al. 2016 (Nature Neuroscience 19:613).
"""

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ventral.outputs import writing
from ventral.statistics.summaries import (
    COMPARED,
    RECORDED,
    area_summary,
    bootstrap_means,
    bootstrap_medians,
    categorisation_summary,
    drawn_measure,
    read_scores,
)
from ventral.tables import read_csv, read_parquet

logger = logging.getLogger(__name__)

HOLDS, FAILS, OPEN = "holds", "fails", "undecided"
# Of a model of family `unknown` nothing is claimed that depends on its training.
TRAINED = ("pretrained", "trained")
# Where along a network's depth an area is expected to be predicted best, by the last word of its name.
PLACES = {"EVC": (0.0, 0.6), "V1": (0.0, 0.4), "V2": (0.0, 0.6), "V4": (0.2, 0.8), "IT": (0.6, 1.0)}
# What is claimed of training and categorisation is claimed of V4 and IT.
NOT_CLAIMED = ("EVC", "V1")
# Properties of rendered stimuli that Hong et al. read out: position, size and pose.
PROPERTIES = ("position_x", "position_y", "size", "rotation_x", "rotation_y", "rotation_z")
LATE = 0.5
USUAL = (["ridge", "", ""], ["rsa", "correlation", "spearman"])
# Balanced accuracy from which on a category counts as decoded; chance is 0.5.
DECODED = 0.6

# The parts of the table of networks fitted to neurons.
TRAIN, TEST = "stimuli it was trained on", "held-out stimuli"
RIDGE = "ridge on the best layer of a network trained on objects, held-out stimuli"


def claims(
    scores: Path,
    output: Path,
    reliability_threshold: float,
    n_bootstrap: int,
    seed: int,
    fitted: Path | None = None,
    selectivity: Path | None = None,
) -> None:
    """Write the table of claims: `claim`, `recording`, `area`, `time_bin`, `split`, `simulated`, `evidence`, `verdict`.

    A verdict is `undecided` where a 95 % interval includes no difference, or there is no interval and the difference is
    too small to be sure of (0.02 in r).

    Parameters
    ----------
    scores : path
        The joined score table.
    output : path
        CSV to write.
    reliability_threshold : float
        Lowest reliability of a neuroid that is taken.
    n_bootstrap, seed : int
        Number of bootstrap samples of neuroids, and the seed of their draw.
    fitted, selectivity : paths, optional
        Tables of the networks fitted to neurons (`ventral.figures.fitted`) and of a category that was never seen
        (`ventral.scores.selectivity`).
    """
    whole = read_parquet(scores)
    rows = read_scores(scores)
    # With few stimuli, biased CKA is near 1 whatever the features: it decides nothing.
    rows = rows[rows["comparison"] != "biased"]
    summary = area_summary(rows, reliability_threshold, n_bootstrap, seed)
    summary["median"] = drawn_measure(summary)["median"]
    simulated = whole.groupby("recording")["simulated"].first()
    found = [
        *_judge_panels(rows, summary, reliability_threshold, n_bootstrap, seed),
        *_judge_categorisation(categorisation_summary(rows, summary.drop(columns="median"))),
        *_judge_properties(whole),
        *(_judge_fitted(read_csv(fitted)) if fitted else ()),
    ]
    table = pd.DataFrame(found, columns=["claim", "recording", "area", "time_bin", "split", "evidence", "verdict"])
    if selectivity:
        table = pd.concat([table, pd.DataFrame(_judge_unseen(read_csv(selectivity)), columns=table.columns)])
    if table.empty:
        logger.warning("no claim can be judged: no two kinds of models, and no trained network, have scores of an area")
    # What is said of stimuli alone is of no recording, simulated or not.
    table.insert(5, "simulated", table["recording"].map(simulated))
    with writing(output) as unfinished:
        table.to_csv(unfinished, index=False, lineterminator="\n")


def _judge_panels(
    scores: pd.DataFrame, summary: pd.DataFrame, threshold: float, n_bootstrap: int, seed: int
) -> Iterator[tuple]:
    """Give the claims that compare representations of an area, and that of where its best layer lies."""
    for key, panel in summary.groupby(COMPARED):
        recording, area, time_bin, split, *how = key
        place = (recording, area, time_bin, split)
        by = _by(how)
        best = {
            name: panel.loc[chosen["median"].idxmax()]
            for name, chosen in {
                "a pretrained network": panel[panel["family"] == "pretrained"],
                "a network trained here": panel[panel["family"] == "trained"],
                "an untrained network": panel[panel["family"] == "untrained"],
                "pixels": panel[panel["model"] == "pixels"],
            }.items()
            if chosen["median"].notna().any()
        }
        values, of_matrices = _values(scores, dict(zip(COMPARED, key, strict=True)), threshold)
        if area.split()[-1] in NOT_CLAIMED:
            best = {}
        for better, worse in (
            ("a pretrained network", "an untrained network"),
            ("a network trained here", "an untrained network"),
            ("an untrained network", "pixels"),
        ):
            if better in best and worse in best:
                compared = _compared(best[better], best[worse], values, of_matrices, n_bootstrap, seed)
                yield (f"{better} predicts better than {worse}{by}", *place, *compared)
        trained = panel[panel["family"].isin(TRAINED)]
        word = area.split()[-1]
        if word in PLACES and trained["median"].notna().any():
            top = trained.loc[trained["median"].idxmax()]
            low, high = PLACES[word]
            yield (
                f"the best layer for {word} lies at a depth of {low:g} to {high:g}{by}",
                *place,
                f"{top['model']} {top['layer']}, depth {top['depth']:.2f}, {top['median']:.2f}",
                HOLDS if low <= top["depth"] <= high else FAILS,
            )


def _by(how: list[str]) -> str:
    """Return how it was compared; ridge regression, and Spearman's r of correlation distances, go without saying."""
    return "" if how in USUAL else f" ({', '.join(filter(None, how))})"


def _values(scores: pd.DataFrame, panel: dict[str, str], threshold: float) -> tuple[pd.DataFrame, bool]:
    """Return the score of every neuroid (columns) for every layer (rows), and whether they are matrices instead."""
    rows = scores[(scores[list(panel)] == pd.Series(panel)).all(axis=1) & scores["target_kind"].isin(RECORDED)]
    of_matrices = rows["target_kind"].iloc[0] == "matrix"
    if rows["reliability"].notna().any():
        rows = rows[rows["reliability"] >= threshold]
        return rows.pivot_table(index=["model", "layer"], columns="target", values="predictivity"), of_matrices
    return rows.pivot_table(index=["model", "layer"], columns="target", values="r"), of_matrices


def _compared(
    better: pd.Series, worse: pd.Series, values: pd.DataFrame, of_matrices: bool, n_bootstrap: int, seed: int
) -> tuple[str, str]:
    """Return what the two are, with the interval of the median difference over neurons, and what follows.

    Of matrices, it is the mean difference over subjects.
    """
    text = (
        f"{better['model']} {better['layer']} {better['median']:.2f}, "
        f"{worse['model']} {worse['layer']} {worse['median']:.2f}"
    )
    pairs = values.loc[[(better["model"], better["layer"]), (worse["model"], worse["layer"])]].dropna(axis=1).to_numpy()
    if pairs.shape[1] < 2:
        return text, _verdict(*(2 * [better["median"] - worse["median"]]), margin=0.02)
    low, high = _interval(pairs[0] - pairs[1], of_matrices, n_bootstrap, seed)
    return f"{text}; {'mean' if of_matrices else 'median'} difference {low:.2f} to {high:.2f}", _verdict(low, high)


def _interval(differences: NDArray, of_matrices: bool, n_bootstrap: int, seed: int) -> tuple[float, float]:
    resampled = bootstrap_means if of_matrices else bootstrap_medians
    low, high = np.percentile(resampled(differences[None], n_bootstrap, seed), [2.5, 97.5])
    return float(low), float(high)


def _verdict(low: float, high: float, margin: float = 0.0) -> str:
    return HOLDS if low > margin else FAILS if high < -margin else OPEN


def _judge_categorisation(points: pd.DataFrame) -> Iterator[tuple]:
    points = points[~points["area"].str.split().str[-1].isin(NOT_CLAIMED)]
    for (recording, area, time_bin, split, *how, label), rows in points.groupby([*COMPARED, "label"]):
        r, low, high, n = rows[
            ["models_correlation", "models_correlation_low", "models_correlation_high", "models_n_points"]
        ].iloc[0]
        if label and np.isfinite(low):
            yield (
                f"the better a model categorises ({label}), the better it predicts{_by(how)}",
                recording,
                area,
                time_bin,
                split,
                f"r = {r:.2f} ({low:.2f} to {high:.2f}) over {n:.0f} models",
                _verdict(low, high),
            )


def _judge_properties(scores: pd.DataFrame) -> Iterator[tuple]:
    """Give, for each property, whether late layers of the best network make it more explicit than the first."""
    rows = scores[
        (scores["target_kind"] == "property")
        & scores["target"].isin(PROPERTIES)
        & (scores["split"] == "stimuli")
        & scores["family"].isin(TRAINED)
        & scores["r"].notna()
    ]
    for (stimuli, target), of_property in rows.groupby(["stimuli", "target"]):
        of_property = of_property.drop_duplicates(["model", "layer"])
        best = of_property.loc[of_property["r"].idxmax(), "model"]
        layers = of_property[of_property["model"] == best].sort_values("depth")
        first, late = layers.iloc[0], layers[layers["depth"] >= LATE]["r"].max()
        if len(layers) < 2 or np.isnan(late):
            continue
        yield (
            f"{target} is more explicit in late layers than in the first",
            f"{stimuli} (stimuli)",
            "",
            "",
            "stimuli",
            f"{best}: r = {first['r']:.2f} in its first layer, {late:.2f} at best in its later half",
            _verdict(late - first["r"], late - first["r"], margin=0.02),
        )


def _judge_fitted(table: pd.DataFrame) -> Iterator[tuple]:
    """Give, for each network fitted to neurons, whether one trained on objects predicts better."""
    for (model, recording, area, time_bin), rows in table.groupby(["model", "recording", "area", "time_bin"]):
        parts = {part: of_part.sort_values("epoch")["r"] for part, of_part in rows.groupby("part")}
        if RIDGE not in parts:
            continue
        ridge, test, train = parts[RIDGE].iloc[-1], parts[TEST].max(), parts[TRAIN].max()
        yield (
            "networks trained on objects predict better than a network fitted to the neurons",
            recording,
            area,
            time_bin,
            "stimuli",
            f"raw r: {ridge:.2f}; {model} {test:.2f} on held-out stimuli at its best epoch, {train:.2f} on its own",
            _verdict(ridge - test, ridge - test, margin=0.02),
        )


def _judge_unseen(table: pd.DataFrame) -> list[tuple]:
    """Return whether trained networks tell a category from all others; the order of models is that of the config."""
    category = table["category"].iloc[0]
    best = table.loc[table.groupby("model", sort=False)["balanced_accuracy"].idxmax()]
    evidence = "; ".join(
        f"{row['model']} {row['balanced_accuracy']:.2f}, {100 * row['selective']:.0f} % of units selective"
        for _, row in best.iterrows()
    )
    accuracies = best.loc[best["family"].isin(TRAINED), "balanced_accuracy"]
    verdict = OPEN if accuracies.empty else HOLDS if (accuracies > DECODED).all() else FAILS
    return [
        (
            f"trained networks tell {category} from others, whether or not they saw any (chance 0.5)",
            "",
            "",
            "",
            "stimuli",
            evidence,
            verdict,
        )
    ]
