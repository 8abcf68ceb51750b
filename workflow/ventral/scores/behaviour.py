"""Compare choices that are read from layers, or from a network's own outputs, with the choices of subjects."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ventral.mappings.behaviour import (
    NONE,
    Choices,
    accuracy_of_subjects,
    confusions,
    confusions_of,
    correlations,
    error_consistency,
    mean_over_pairs,
    patterns,
)
from ventral.mappings.correlation import explained_variance, predictivity
from ventral.mappings.logistic import label_probabilities
from ventral.outputs import writing
from ventral.tables import by_run, read_parquet

if TYPE_CHECKING:
    import xarray as xr

KIND, READOUT, OUTPUTS = "behaviour", "logistic", "outputs"
ACCURACY, CONSISTENCY = "accuracy", "error_consistency"
N_SPLITS = 100
# Standard errors from the value to the end of its 95 % interval.
REACH = 1.96
TABLE = ["recording", "stimuli", "model", "family", "layer", "depth", "split", "mapping", "measure", "value", "low"]
TABLE += ["high", "ceiling", "ceiling_low", "ceiling_high", "over_ceiling", "chance", "n_stimuli", "best_layer"]


@dataclass(frozen=True)
class Subjects:
    """The choices of the subjects of a recording, with everything about them that no model changes.

    Attributes
    ----------
    choices : Choices
    accuracy : (subjects, n) array
        Share of right choices; NaN if not shown.
    of_stimuli : (resamples, n) array
        How often each stimulus is in each bootstrap sample.
    of_subjects : (resamples, subjects) array
        How often each subject is in each bootstrap sample.
    reliability : dict of float
        Reliability of each pattern of choices, by the name of the pattern.
    ceilings : dict of (float, float)
        Accuracy of subjects and mean error consistency of pairs of subjects, each with its standard error.
    """

    choices: Choices
    accuracy: NDArray[np.float64]
    of_stimuli: NDArray[np.float64]
    of_subjects: NDArray[np.float64]
    reliability: dict[str, float]
    ceilings: dict[str, tuple[float, float]]


def resampled_subjects(choices: Choices, n_bootstrap: int, seed: int, n_splits: int = N_SPLITS) -> Subjects:
    """Return the choices of subjects with their reliabilities, ceilings and resamples.

    Patterns of random halves of the subjects correlate by r on average. The reliability of the pattern of all subjects
    is 2 r / (1 + r).

    Parameters
    ----------
    choices : Choices
    n_bootstrap, seed : int
        Number of bootstrap samples of stimuli and subjects, and seed of these and of the halves.
    n_splits : int
        Number of random halves.
    """
    rng = np.random.default_rng(seed)
    n, n_subjects = len(choices.truth), choices.n_subjects
    accuracy = accuracy_of_subjects(choices)
    of_stimuli = rng.multinomial(n, np.full(n, 1 / n), size=n_bootstrap).astype(float)
    of_subjects = rng.multinomial(n_subjects, np.full(n_subjects, 1 / n_subjects), size=n_bootstrap).astype(float)
    ones = np.ones(n), np.ones(n_subjects)
    resampled = [_ceilings(accuracy, *weights) for weights in zip(of_stimuli, of_subjects, strict=True)]
    errors = np.nanstd(np.array(resampled), axis=0)
    ceilings = dict(
        zip((ACCURACY, CONSISTENCY), zip(_ceilings(accuracy, *ones), errors.tolist(), strict=True), strict=True)
    )
    halves = [_correlated_halves(choices, rng.permutation(n_subjects)) for _ in range(n_splits)]
    mean = pd.DataFrame(halves).mean()
    return Subjects(choices, accuracy, of_stimuli, of_subjects, dict(2 * mean / (1 + mean)), ceilings)


def _ceilings(accuracy: NDArray, of_stimuli: NDArray, of_subjects: NDArray) -> tuple[float, float]:
    """Return the mean accuracy of subjects, and the mean error consistency of their pairs."""
    pairs = error_consistency(accuracy, accuracy, of_stimuli)
    return _mean_accuracy(accuracy, of_stimuli, of_subjects), mean_over_pairs(pairs, of_subjects)


def _mean_accuracy(accuracy: NDArray, of_stimuli: NDArray, of_subjects: NDArray) -> float:
    """Return the mean over stimuli of the share of right choices of all subjects who were shown the stimulus."""
    by_stimulus = _over_subjects(accuracy, of_subjects)
    known = np.isfinite(by_stimulus) & (of_stimuli > 0)
    return float(np.average(by_stimulus[known], weights=of_stimuli[known]))


def _over_subjects(accuracy: NDArray, of_subjects: NDArray) -> NDArray[np.float64]:
    """Return the weighted mean (n,) over the subjects who were shown a stimulus; NaN without any."""
    known = np.isfinite(accuracy)
    weights = of_subjects @ known
    total = of_subjects @ np.where(known, accuracy, 0.0)
    return np.divide(total, weights, out=np.full(len(total), np.nan), where=weights > 0)


def _patterns_of_subjects(choices: Choices, accuracy: NDArray, of_stimuli: NDArray, of_subjects: NDArray) -> dict:
    by_stimulus = _over_subjects(accuracy, of_subjects)
    return patterns(confusions(choices, of_subjects), by_stimulus, choices.truth, of_stimuli)


def _correlated_halves(choices: Choices, order: NDArray) -> dict[str, float]:
    accuracy, ones = accuracy_of_subjects(choices), np.ones(len(choices.truth))
    first = np.isin(np.arange(choices.n_subjects), order[: len(order) // 2])
    halves = (_patterns_of_subjects(choices, accuracy, ones, half.astype(float)) for half in (first, ~first))
    return correlations(*halves)


def readout_rows(
    gram: NDArray, labels: Sequence[str], subjects: Subjects, folds: Sequence[NDArray], split: str
) -> pd.DataFrame:
    """Return the rows of the score table for choices that are read from a layer on held-out stimuli.

    Parameters
    ----------
    gram : (n, n) array
        Inner products of the stimuli's features.
    labels : (n,) sequence of str
        Right label of each stimulus.
    subjects : Subjects
    folds : sequence of integer arrays
        Rows of each fold.
    split : str
        Name of the split.
    """
    probabilities, costs = label_probabilities(gram, labels, folds)
    rows = choice_rows(probabilities, subjects)
    return rows.assign(split=split, mapping=READOUT, n_folds=len(folds), alpha=np.exp(np.log(costs).mean()))


def output_rows(probabilities: NDArray, label_of_class: NDArray, subjects: Subjects) -> pd.DataFrame:
    """Return the rows of the score table for the choices of a network's own outputs.

    The probability of a label is the mean over its classes, as by Geirhos et al. 2018 and 2021.

    Parameters
    ----------
    probabilities : (n, classes) array
        Probability of each class of the network for each stimulus.
    label_of_class : (classes,) integer array
        Label of each class, -1 for classes of no label.
    subjects : Subjects
    """
    member = np.equal.outer(np.arange(subjects.choices.n_labels), label_of_class).astype(float)
    of_labels = probabilities @ (member / member.sum(axis=1, keepdims=True)).T
    rows = choice_rows(of_labels / of_labels.sum(axis=1, keepdims=True), subjects)
    return rows.assign(split="none", mapping=OUTPUTS, n_folds=0)


def choice_rows(probabilities: NDArray, subjects: Subjects) -> pd.DataFrame:
    """Return a row of the score table for each measure of behaviour, without split and mapping.

    Parameters
    ----------
    probabilities : (n, labels) array
        Probability of each label for each stimulus; NaN where it is unknown. The choice is the most probable label.
    subjects : Subjects

    Returns
    -------
    DataFrame
        `target` is the measure and `r` its value. `r_error` is the standard error of the value for other stimuli and
        subjects. `reliability` is that of the subjects' pattern, and `predictivity` is r over its root. `ceiling_low`
        and `ceiling_high` are both the ceiling: the root of the reliability, the accuracy of subjects, or the error
        consistency of pairs of subjects. `standard_error` is that of the latter two.
    """
    choices, known = subjects.choices, np.isfinite(probabilities).all(axis=1)
    right = np.where(known, probabilities[np.arange(len(probabilities)), choices.truth], np.nan)
    chosen = np.where(known, np.where(known[:, None], probabilities, 0.0).argmax(axis=1), NONE)
    correct = np.where(known, chosen == choices.truth, np.nan)
    confused = confusions_of(probabilities, choices)

    def measured(of_stimuli: NDArray, of_subjects: NDArray) -> dict[str, float]:
        weights = of_stimuli * known
        model = patterns(confused, right, choices.truth, weights)
        consistency = error_consistency(correct[None], subjects.accuracy, weights)[0]
        kept = np.isfinite(consistency) & (of_subjects > 0)
        return {
            ACCURACY: float(np.average(correct[known], weights=weights[known])) if weights.any() else np.nan,
            CONSISTENCY: float(np.average(consistency[kept], weights=of_subjects[kept])) if kept.any() else np.nan,
            **correlations(model, _patterns_of_subjects(choices, subjects.accuracy, weights, of_subjects)),
        }

    values = pd.Series(measured(np.ones(len(known)), np.ones(choices.n_subjects)))
    resamples = zip(subjects.of_stimuli, subjects.of_subjects, strict=True)
    errors = pd.DataFrame([measured(*weights) for weights in resamples], columns=values.index).std(ddof=0)
    reliability = pd.Series(subjects.reliability).reindex(values.index)
    ceilings = pd.DataFrame(subjects.ceilings, index=["value", "error"]).T.reindex(values.index)
    ceiling = np.sqrt(reliability.clip(lower=0)).where(reliability.notna(), ceilings["value"])
    return pd.DataFrame(
        {
            "area": "",
            "time_bin": "",
            "target": values.index,
            "target_kind": KIND,
            "n_stimuli": int(known.sum()),
            "r": values.to_numpy(),
            "r_error": errors.to_numpy(),
            "reliability": reliability.to_numpy(),
            "predictivity": predictivity(values.to_numpy(), reliability.to_numpy()),
            "explained_variance": explained_variance(values.to_numpy(), reliability.to_numpy()),
            "standard_error": ceilings["error"].to_numpy(),
            "ceiling_low": ceiling.to_numpy(),
            "ceiling_high": ceiling.to_numpy(),
            "chance": np.where(values.index == ACCURACY, 1 / choices.n_labels, np.nan),
        }
    )


def behaviour(scores: str | Path, output: str | Path) -> None:
    """Write the table of the measures of behaviour, with 95 % intervals.

    Parameters
    ----------
    scores : path
        The joined score table.
    output : path
        CSV to write. `value` is the measure, from `low` to `high`, and `ceiling` its ceiling, with an interval if one
        is known. `over_ceiling` is r over the root of the reliability of subjects. `best_layer` marks the highest value
        among a model's layers with this split and mapping, which this choice flatters; of equals, the first layer.
    """
    table = behaviour_table(read_parquet(scores))
    with writing(output) as unfinished:
        table.to_csv(unfinished, index=False, lineterminator="\n")


def behaviour_table(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the content of `behaviour.csv`, best layers first, given the score table."""
    rows = scores[scores["target_kind"] == KIND].rename(columns={"target": "measure", "r": "value"})
    reach, reach_of_ceiling = REACH * rows["r_error"], REACH * rows["standard_error"]
    keys = ["recording", "measure", "split", "mapping", "model"]
    table = rows.assign(
        low=rows["value"] - reach,
        high=rows["value"] + reach,
        ceiling=rows["ceiling_high"],
        ceiling_low=rows["ceiling_high"] - reach_of_ceiling,
        ceiling_high=rows["ceiling_high"] + reach_of_ceiling,
        over_ceiling=rows["predictivity"],
    )
    table = table.sort_values([*keys, "value", "layer"], ascending=[True] * len(keys) + [False, True], key=by_run)
    table["best_layer"] = ~table.duplicated(keys) & table["value"].notna()
    return table[TABLE].reset_index(drop=True)


def subjects_of(dataset: "xr.Dataset", n_bootstrap: int, seed: int) -> tuple[Subjects, NDArray[np.str_]]:
    """Return the subjects of a recording of behaviour, and the right label (n,) of each stimulus."""
    from ventral.recordings.choices import choices_of

    choices = choices_of(dataset)
    return resampled_subjects(choices, n_bootstrap, seed), dataset["label"].values.astype(str)[choices.truth]
