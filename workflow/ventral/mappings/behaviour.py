"""Patterns of choices, and their agreement between subjects and models.

The signatures i1, i2n and o2 are those of Rajalingham et al. 2018 (Journal of Neuroscience 38:7255). False alarms are
averaged for each object and distractor, as by Schrimpf et al. 2018 (bioRxiv 407007). Error consistency is Cohen's
kappa, as by Geirhos, Meding and Wichmann 2020 (NeurIPS 33:13890).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Largest absolute d', which a rate of 0 or 1 would make infinite.
LARGEST_SENSITIVITY = 5.0
NONE = -1
# Names of the patterns that are correlated.
PATTERNS = ("accuracy_by_stimulus", "i1", "i2n", "o2")


@dataclass(frozen=True)
class Choices:
    """Choices of labels by subjects, one entry a trial.

    Attributes
    ----------
    truth : (n,) integer array
        Label of each stimulus.
    n_labels, n_subjects : int
    stimulus, subject : (trials,) integer arrays
    choice : (trials,) integer array
        Chosen label; -1 if the subject chose none.
    distractor : (trials,) integer array or None
        Wrong label that was offered beside the right one; None if all labels were offered.
    """

    truth: NDArray[np.intp]
    n_labels: int
    n_subjects: int
    stimulus: NDArray[np.intp]
    subject: NDArray[np.intp]
    choice: NDArray[np.intp]
    distractor: NDArray[np.intp] | None = None

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Correctness of each trial's choice; no choice is wrong."""
        return self.choice == self.truth[self.stimulus]


def accuracy_of_subjects(choices: Choices) -> NDArray[np.float64]:
    """Return the share of right choices (subjects, n) of each subject for each stimulus; NaN if it was not shown."""
    shape = choices.n_subjects, len(choices.truth)
    cells = choices.subject * shape[1] + choices.stimulus
    shown = np.bincount(cells, minlength=shape[0] * shape[1])
    right = np.bincount(cells, weights=choices.correct, minlength=shape[0] * shape[1])
    return _ratio(right, shown).reshape(shape)


def confusions(choices: Choices, of_subjects: NDArray | None = None) -> NDArray[np.float64]:
    """Return how often a wrong label is chosen rather than the right one.

    Parameters
    ----------
    choices : Choices
    of_subjects : (subjects,) array, optional
        Weight of each subject's trials.

    Returns
    -------
    (n, labels) array
        Share of the choices of a wrong label among the choices of this and the right label. With distractors, only
        trials with this distractor count. NaN for the right label, and without such choices.
    """
    weights = np.ones(choices.n_subjects) if of_subjects is None else of_subjects
    made = choices.choice != NONE
    if choices.distractor is not None:
        made &= (choices.choice == choices.distractor) | choices.correct
    stimulus, chosen, weights = choices.stimulus[made], choices.choice[made], weights[choices.subject[made]]
    shape = len(choices.truth), choices.n_labels
    if choices.distractor is None:
        cells = stimulus * shape[1] + chosen
        return confusions_of(np.bincount(cells, weights=weights, minlength=shape[0] * shape[1]).reshape(shape), choices)
    cells = stimulus * shape[1] + choices.distractor[made]
    wrong = np.bincount(cells, weights=weights * ~choices.correct[made], minlength=shape[0] * shape[1])
    offered = np.bincount(cells, weights=weights, minlength=shape[0] * shape[1])
    return _without_truth(_ratio(wrong, offered).reshape(shape), choices.truth)


def confusions_of(amounts: NDArray, choices: Choices) -> NDArray[np.float64]:
    """Return the confusions (n, labels) in numbers of choices, or probabilities, of each label for each stimulus.

    A wrong label c has p_c / (p_c + p_truth); NaN for the right label, and if both are 0.
    """
    right = amounts[np.arange(len(amounts)), choices.truth][:, None]
    return _without_truth(_ratio(amounts, amounts + right), choices.truth)


def sensitivities(confused: NDArray, truth: NDArray, weights: NDArray) -> NDArray[np.float64]:
    """Return d' of each stimulus against each wrong label: z(hit rate) - z(false alarm rate), at most 5 either way.

    The hit rate is 1 minus the confusion. The false alarm rate of a label against another is the mean confusion with
    the label over stimuli of the other one. Where both rates are 0 or both are 1, d' is 0.

    Parameters
    ----------
    confused : (n, labels) array
        From `confusions`.
    truth : (n,) integer array
        Label of each stimulus.
    weights : (n,) array
        How often each stimulus counts.

    Returns
    -------
    (n, labels) array
        NaN for the right label, and where a rate is unknown.
    """
    from scipy.special import ndtri

    false_alarms = means_of_labels(confused, truth, weights).T
    return _clipped(-ndtri(confused), ndtri(false_alarms)[truth])


def sensitivities_of_labels(confused: NDArray, truth: NDArray, weights: NDArray) -> NDArray[np.float64]:
    """Return d' (labels, labels) of each label against each other one, from mean confusions over stimuli."""
    from scipy.special import ndtri

    rates = means_of_labels(confused, truth, weights)
    return _clipped(-ndtri(rates), ndtri(rates.T))


def means_of_labels(values: NDArray, truth: NDArray, weights: NDArray) -> NDArray[np.float64]:
    """Return the weighted means (labels, labels) of values (n, labels) over the stimuli of each label.

    NaN are left out; a mean without values is NaN.
    """
    known = np.isfinite(values)
    member = np.zeros((values.shape[1], len(truth)))
    member[truth, np.arange(len(truth))] = weights
    return _ratio(member @ np.where(known, values, 0.0), member @ known)


def patterns(
    confused: NDArray, accuracy: NDArray, truth: NDArray, weights: NDArray
) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Return the patterns of choices by name, each as values and their weights, flat.

    Parameters
    ----------
    confused : (n, labels) array
        From `confusions`.
    accuracy : (n,) array
        Share of right choices, or probability of the right label.
    truth : (n,) integer array
    weights : (n,) array
        How often each stimulus counts.

    Returns
    -------
    dict
        `accuracy_by_stimulus` (n,) is the accuracy. `i1` (n,) is the mean d' over wrong labels. `i2n` (n * labels,) is
        d' minus its mean over the stimuli of the same label. `o2` (labels * labels,) is d' of labels.
    """
    against = sensitivities(confused, truth, weights)
    expected = means_of_labels(against, truth, weights)[truth]
    return {
        "accuracy_by_stimulus": (accuracy, weights),
        "i1": (_mean_over_labels(against), weights),
        "i2n": ((against - expected).ravel(), np.repeat(weights, against.shape[1])),
        "o2": (sensitivities_of_labels(confused, truth, weights).ravel(), np.ones(confused.shape[1] ** 2)),
    }


def i1_of(confused: NDArray, truth: NDArray) -> NDArray[np.float64]:
    """Return i1 (n,), the mean d' of each stimulus over wrong labels, from confusions (n, labels)."""
    return _mean_over_labels(sensitivities(confused, truth, np.ones(len(truth))))


def _mean_over_labels(against: NDArray) -> NDArray[np.float64]:
    known = np.isfinite(against)
    return _ratio(np.where(known, against, 0.0).sum(axis=1), known.sum(axis=1))


def correlations(one: Mapping, other: Mapping) -> dict[str, float]:
    """Return Pearson's r between two results of `patterns` over the same stimuli, by name."""
    return {name: weighted_r(one[name][0], other[name][0], one[name][1]) for name in PATTERNS}


def weighted_r(a: NDArray, b: NDArray, weights: NDArray) -> float:
    """Return Pearson's r of two arrays with weights, where both are known; NaN if one does not vary."""
    kept = np.isfinite(a) & np.isfinite(b) & (weights > 0)
    a, b, weights = a[kept], b[kept], weights[kept]
    if len(a) < 2:
        return float("nan")
    a, b = a - np.average(a, weights=weights), b - np.average(b, weights=weights)
    size = np.sqrt((weights @ a**2) * (weights @ b**2))
    return float((weights * a) @ b / size) if size > 1e-12 else float("nan")


def error_consistency(one: NDArray, other: NDArray, weights: NDArray) -> NDArray[np.float64]:
    """Return Cohen's kappa of right and wrong choices: (observed - expected) / (1 - expected) agreement.

    The expected agreement of choices with accuracies p and q is p q + (1 - p) (1 - q). Kappa keeps its sign.

    Parameters
    ----------
    one, other : (subjects, n), (others, n) arrays
        1 for a right choice and 0 for a wrong one; a share if a stimulus was shown several times; NaN if not shown.
    weights : (n,) array
        How often each stimulus counts.

    Returns
    -------
    (subjects, others) array
        Over the stimuli that both were shown; NaN without any, and if both are always right or always wrong.
    """
    known_one, known_other = np.isfinite(one).astype(float), np.isfinite(other).astype(float)
    one, other = np.where(known_one > 0, one, 0.0), np.where(known_other > 0, other, 0.0)
    shared = (known_one * weights) @ known_other.T
    p, q = _ratio((one * weights) @ known_other.T, shared), _ratio((known_one * weights) @ other.T, shared)
    both = _ratio((one * weights) @ other.T, shared)
    observed, expected = 1 - p - q + 2 * both, p * q + (1 - p) * (1 - q)
    return np.divide(observed - expected, 1 - expected, out=np.full_like(expected, np.nan), where=expected < 1)


def mean_over_pairs(values: NDArray, of_subjects: NDArray) -> float:
    """Return the weighted mean over pairs of different subjects of values (subjects, subjects); NaN are left out."""
    pairs = np.outer(of_subjects, of_subjects) * ~np.eye(len(values), dtype=bool)
    kept = np.isfinite(values) & (pairs > 0)
    return float(np.average(values[kept], weights=pairs[kept])) if kept.any() else float("nan")


def _clipped(z_of_hits: NDArray, z_of_false_alarms: NDArray) -> NDArray[np.float64]:
    same = np.isinf(z_of_hits) & (z_of_hits == z_of_false_alarms)
    with np.errstate(invalid="ignore"):
        difference = np.where(same, 0.0, z_of_hits - z_of_false_alarms)
    return np.clip(difference, -LARGEST_SENSITIVITY, LARGEST_SENSITIVITY)


def _without_truth(rates: NDArray, truth: NDArray) -> NDArray[np.float64]:
    rates[np.arange(len(truth)), truth] = np.nan
    return rates


def _ratio(part: NDArray, whole: NDArray) -> NDArray[np.float64]:
    """Return part / whole; NaN where the whole is 0."""
    return np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=np.asarray(whole) > 0)
