"""Judge claims with few units: held-out objects and categories, animals, and networks.

Fits for different held-out groups share most of their training stimuli, so that results of two groups correlate. If the
correlation is rho, and s^2 is the variance over k groups, the variance of their mean is

    (1 / k + rho / (1 - rho)) s^2

(Nadeau and Bengio 2003, Machine Learning 52:239). rho cannot be estimated from the groups. Nadeau and Bengio use the
tested share of stimuli, 1 / k. Here rho is the ratio of tested to training groups, 1 / (k - 1), and the variance is f
s^2 / k with

    f = 2 (k - 1) / (k - 2).

Simulations with ridge regression (benchmarks/held_out_groups.py) gave the right f. f was 2.3 to 3.0 with 5 objects, 1.8
to 2.2 with 8, 2.2 with 12, and 1.7 to 2.1 with 20. The formula gives 2.67, 2.33, 2.20 and 2.11. Without f, 7 to 17 % of
null experiments were decided; with f, 2 to 6.5 %. With rho = 1 / k, 7.3 % were decided in one design, with 5 objects
and similar neurons.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ventral.statistics.contrasts import (
    FAILS,
    HOLDS,
    LEVEL,
    OPEN,
    Contrast,
    contrast,
    detectable_difference,
)
from ventral.statistics.influence import Estimates, sampled_influences, unit_within_folds

# Fewer units than the first number decide nothing; fewer than the second are counted in the note.
FEWEST_UNITS, MANY_UNITS = 5, 8
FEWEST_PAIRS = 3
ONLY_THESE = "these networks only"


@dataclass(frozen=True)
class Judged:
    """A verdict on a claim, with its numbers and a note for the reader.

    Attributes
    ----------
    estimate, low, high : float
        Estimate of the claimed effect, and its 95 % interval; NaN if missing.
    p : float
        Two-sided p value.
    verdict : str
        `holds`, `fails` or `undecided`.
    note : str
        Number of units and smallest detectable effect if units are few; else ''.
    """

    estimate: float
    low: float
    high: float
    p: float
    verdict: str
    note: str


def group_estimates(predictions: Iterable[NDArray], responses: NDArray, groups: Sequence[NDArray]) -> Estimates:
    """Return the score of each layer as the mean over held-out groups, which are the units.

    r is Pearson's r within a group, averaged over neurons. Groups of all sizes have equal weights. Neurons are the
    second unit. r is not divided by a ceiling, because the reliability within a single group is unknown. Influences of
    groups lack the error from training sets, which `with_training` adds.

    Parameters
    ----------
    predictions : iterable of (n, K) arrays
        Held-out predictions of each layer.
    responses : (n, K) array
        Responses; NaN if missing.
    groups : sequence of integer arrays
        Rows of each object or category.

    Returns
    -------
    Estimates
        `units` has a column for each group in which some neuron's responses vary (`varying_groups`).
    """
    groups = [group for group, varying in zip(groups, varying_groups(responses, groups), strict=True) if varying]
    found = [_group_influences(of_layer, responses, groups) for of_layer in predictions]
    values, neurons = (np.stack(parts) for parts in zip(*found, strict=True))
    return Estimates(values.mean(axis=1), sampled_influences(values), neurons)


def varying_groups(responses: NDArray, groups: Sequence[NDArray]) -> NDArray[np.bool_]:
    """Return a mask of the groups in which the responses (n, K) of some neuron vary, independent of predictions."""
    return np.array([_unit(responses[group]).any() for group in groups])


def training_factor(n_groups: ArrayLike) -> NDArray[np.float64]:
    """Return the factor f of the variance of a mean over held-out groups, due to shared training stimuli.

    Parameters
    ----------
    n_groups : array of int
        Number of groups, each held out in turn. Two groups, which decide nothing, have the factor of three.
    """
    n_groups = np.maximum(np.asarray(n_groups, dtype=float), 3)
    return 2 * (n_groups - 1) / (n_groups - 2)


def with_training(estimates: Estimates) -> Estimates:
    """Add the error from training sets to the influences of groups in estimates from `group_estimates`."""
    return replace(estimates, units=estimates.units * np.sqrt(training_factor(estimates.units.shape[1])))


def group_differences(estimates: Estimates, first: int, second: int) -> NDArray[np.float64]:
    """Return the difference of two layers in each group."""
    size = estimates.units.shape[1]
    deviations = (estimates.units[first] - estimates.units[second]) * np.sqrt(size * (size - 1))
    return estimates.theta[first] - estimates.theta[second] + deviations


def judged_over_groups(
    estimates: Estimates, better: Sequence[int], worse: Sequence[int], noun: str, seed: int
) -> tuple[Contrast, str]:
    """Contrast two sides over held-out groups, with a note if groups are few.

    Parameters
    ----------
    estimates : Estimates
        Estimates from `group_estimates`.
    better, worse : sequences of int
        Layers of the two sides.
    noun : str
        Plural noun for the groups, such as 'objects'.
    seed : int
        As for `contrast`.

    Returns
    -------
    contrast : Contrast
        Contrast; `undecided` and without interval for fewer than five groups.
    note : str
        Difference in each group for fewer than five groups; smallest detectable difference for five to seven; else ''.
    """
    size = estimates.units.shape[1]
    if size < 2:
        raise ValueError(f"a contrast over {noun} needs at least two of them, got {size}")
    found = contrast(with_training(estimates), better, worse, seed)
    if size < FEWEST_UNITS:
        each = ", ".join(f"{value:+.2f}" for value in group_differences(estimates, found.best, found.other))
        return replace(found, low=np.nan, high=np.nan, p=np.nan, verdict=OPEN), f"{size} {noun}: {each}"
    return found, few_units(size, noun, found.detectable)


def few_units(size: int, noun: str, detectable: float) -> str:
    """Return the note of a verdict over five to seven units; '' for more units."""
    return f"{size} {noun}; smallest detectable difference {detectable:.2f}" if size < MANY_UNITS else ""


def trained_against_untrained(
    estimates: Estimates, pairs: Sequence[tuple[Sequence[int], Sequence[int]]], seed: int
) -> Judged:
    """Test whether trained networks score better than untrained ones of the same architecture.

    The unit is the architecture: the best layer of its trained network minus the best of its untrained one, which has
    as many layers. Errors of stimuli and neurons, common to all pairs, are added to those of architectures.

    Parameters
    ----------
    estimates : Estimates
        Estimates of all layers of all networks.
    pairs : sequence of pairs of sequences of int
        Layers of the trained and of the untrained network of each architecture.
    seed : int
        As for `contrast`.

    Returns
    -------
    Judged
        Verdict. With fewer than three pairs, the verdict contrasts all trained with all untrained layers, and holds for
        these networks only.
    """
    if len(pairs) < FEWEST_PAIRS:
        trained, untrained = (np.concatenate(side) for side in zip(*pairs, strict=True))
        found = contrast(estimates, trained, untrained, seed)
        return Judged(found.difference, found.low, found.high, found.p, found.verdict, ONLY_THESE)
    theta = estimates.theta
    best = np.array([[side[theta[list(side)].argmax()] for side in map(np.asarray, pair)] for pair in pairs])
    differences = theta[best[:, 0]] - theta[best[:, 1]]
    weights = np.zeros(len(theta))
    np.add.at(weights, best[:, 0], 1 / len(pairs))
    np.add.at(weights, best[:, 1], -1 / len(pairs))
    variance = differences.var(ddof=1) / len(pairs) + weights @ estimates.covariance @ weights
    df = min(len(pairs) - 1, estimates.degrees_of_freedom)
    note = few_units(len(pairs), "architectures", detectable_difference(np.sqrt(variance), df))
    return _judged_by_t(differences.mean(), np.sqrt(variance), df, note)


def correlation_over_networks(x: NDArray, y: NDArray, networks: Sequence[str]) -> Judged:
    """Test whether two measures of networks correlate, by Pearson's r.

    The interval uses Fisher's z (1921, Metron 1:3).

    Parameters
    ----------
    x, y : (rows,) arrays
        Measures; rows with a missing value are left out.
    networks : sequence of str
        Network of each row; the checkpoints of a network are averaged to one point.

    Returns
    -------
    Judged
        Verdict; `undecided` with fewer than five networks.
    """
    known = np.isfinite(x) & np.isfinite(y)
    names, member = np.unique(np.asarray(networks)[known], return_inverse=True)
    size = len(names)
    counts = np.bincount(member, minlength=size)
    means = [np.bincount(member, np.asarray(values)[known], minlength=size) / counts for values in (x, y)]
    if size < 3 or np.ptp(means, axis=1).min() == 0:
        return Judged(np.nan, np.nan, np.nan, np.nan, OPEN, f"{size} networks")
    r = float(np.clip(np.corrcoef(means)[0, 1], -1, 1))
    if size < FEWEST_UNITS:
        return Judged(r, np.nan, np.nan, np.nan, OPEN, f"{size} networks")
    from scipy.special import ndtr, ndtri

    with np.errstate(divide="ignore"):
        z = np.arctanh(r)
    half = -ndtri(LEVEL) / np.sqrt(size - 3)
    note = f"{size} networks" if size < MANY_UNITS else ""
    p = float(2 * ndtr(-abs(z) * np.sqrt(size - 3)))
    return Judged(r, float(np.tanh(z - half)), float(np.tanh(z + half)), p, _verdict(z - half, z + half), note)


def _judged_by_t(estimate: float, error: float, df: int, note: str) -> Judged:
    from scipy.special import stdtr, stdtrit

    half = -stdtrit(df, LEVEL) * error
    low, high = float(estimate - half), float(estimate + half)
    p = float(2 * stdtr(df, -abs(estimate) / error)) if error > 0 else np.nan
    # Without spread over units, the error is unknown.
    return Judged(float(estimate), low, high, p, _verdict(low, high) if error > 0 else OPEN, note)


def _verdict(low: float, high: float) -> str:
    return HOLDS if low > 0 else FAILS if high < 0 else OPEN


def _group_influences(predictions: NDArray, responses: NDArray, groups: Sequence[NDArray]) -> tuple[NDArray, NDArray]:
    """Return the mean over neurons in each group (groups,) and the influence of each neuron (K,) of one layer."""
    size = responses.shape[1]
    values, influences = np.empty(len(groups)), np.zeros(size)
    for j, group in enumerate(groups):
        y = _unit(responses[group])
        x = _unit(np.where(np.isfinite(responses[group]), predictions[group], np.nan))
        varying = y.any(axis=0)
        r = (x * y).sum(axis=0)
        values[j] = r[varying].mean()
        influences += np.where(varying, r - values[j], 0) / varying.sum() / len(groups)
    return values, influences * np.sqrt(size / (size - 1)) if size > 1 else influences[:0]


def _unit(values: NDArray) -> NDArray[np.float64]:
    """Centre values (n, K) of one group and scale them to unit length; 0 if unknown or constant."""
    return unit_within_folds(values, [np.arange(len(values))])
