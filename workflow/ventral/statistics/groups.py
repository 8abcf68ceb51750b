"""Claims whose units are few: held-out objects and categories, animals, and networks.

Fits for different held-out groups share most of their training stimuli, so that results of two groups correlate. Where
the correlation is rho, and s^2 is the variance over k groups, the variance of their mean is

    (1 / k + rho / (1 - rho)) s^2

(Nadeau and Bengio 2003, Machine Learning 52:239). rho cannot be estimated from the groups. Nadeau and Bengio take the
tested share of stimuli, 1 / k. Here rho is tested over training groups, 1 / (k - 1), and the variance is f s^2 / k with

    f = 2 (k - 1) / (k - 2).

In simulations with ridge regression (benchmarks/held_out_groups.py), f should have been 2.3 to 3.0 with 5 objects, 1.8
to 2.2 with 8, 2.2 with 12, and 1.7 to 2.1 with 20; the formula has 2.67, 2.33, 2.20 and 2.11. Without f, 7 to 17 % of
null experiments were decided. With f, 2 to 6.5 % are. With a rho of 1 / k, 7.3 % were in one design: 5 objects, neurons
much alike.
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

# With fewer units nothing is decided; with fewer than the second number, a verdict says how many there are.
FEWEST_UNITS, MANY_UNITS = 5, 8
FEWEST_PAIRS = 3
ONLY_THESE = "of these networks only"


@dataclass(frozen=True)
class Judged:
    """A verdict, and what a reader has to know of it.

    Attributes
    ----------
    estimate, low, high : float
        What the claim is about, and its 95 % interval; NaN where there is none.
    p : float
        Two-sided.
    verdict : str
        `holds`, `fails` or `undecided`.
    note : str
        How many units there are where these are few, and what could be detected with them; else ''.
    """

    estimate: float
    low: float
    high: float
    p: float
    verdict: str
    note: str


def group_estimates(predictions: Iterable[NDArray], responses: NDArray, groups: Sequence[NDArray]) -> Estimates:
    """Return the score of each layer as the mean over held-out groups, which are its units.

    r is Pearson's within a group, averaged over neurons; groups have equal weights, whatever their size. Neurons are
    the second unit. r is not divided by a ceiling: the reliability within a single group is not known. Influences of
    groups lack the error of training parts, which `with_training` adds.

    Parameters
    ----------
    predictions : iterable of (n, K) arrays
        Held-out predictions of each layer.
    responses : (n, K) array
        NaN where a neuron has no response.
    groups : sequence of integer arrays
        Rows of each object or category.

    Returns
    -------
    Estimates
        `units` has a column for each group in which some neuron's responses vary: `varying_groups`.
    """
    groups = [group for group, varying in zip(groups, varying_groups(responses, groups), strict=True) if varying]
    found = [_group_influences(of_layer, responses, groups) for of_layer in predictions]
    values, neurons = (np.stack(parts) for parts in zip(*found, strict=True))
    return Estimates(values.mean(axis=1), sampled_influences(values), neurons)


def varying_groups(responses: NDArray, groups: Sequence[NDArray]) -> NDArray[np.bool_]:
    """Return in which groups the responses (n, K) of some neuron vary; no prediction has a part in it."""
    return np.array([_unit(responses[group]).any() for group in groups])


def training_factor(n_groups: ArrayLike) -> NDArray[np.float64]:
    """Return the variance of a mean over held-out groups with that of training parts, over that without.

    Parameters
    ----------
    n_groups : array of int
        Each is held out in turn. Two, which decide nothing, have the factor of three.
    """
    n_groups = np.maximum(np.asarray(n_groups, dtype=float), 3)
    return 2 * (n_groups - 1) / (n_groups - 2)


def with_training(estimates: Estimates) -> Estimates:
    """Return estimates of `group_estimates` whose influences of groups hold the error of training parts, too."""
    return replace(estimates, units=estimates.units * np.sqrt(training_factor(estimates.units.shape[1])))


def group_differences(estimates: Estimates, first: int, second: int) -> NDArray[np.float64]:
    """Return the difference of two layers in each group."""
    size = estimates.units.shape[1]
    deviations = (estimates.units[first] - estimates.units[second]) * np.sqrt(size * (size - 1))
    return estimates.theta[first] - estimates.theta[second] + deviations


def judged_over_groups(
    estimates: Estimates, better: Sequence[int], worse: Sequence[int], noun: str, seed: int
) -> tuple[Contrast, str]:
    """Return the contrast of two sides over held-out groups, and a note where groups are few.

    Parameters
    ----------
    estimates : Estimates
        From `group_estimates`.
    better, worse : sequences of int
        Layers of the two sides.
    noun : str
        What the groups are, in the plural.
    seed : int
        As for `contrast`.

    Returns
    -------
    contrast : Contrast
        `undecided` with fewer than five groups, and with no interval.
    note : str
        Of fewer than five groups, the difference in each; of five to seven, the smallest detectable difference.
    """
    size = estimates.units.shape[1]
    if size < 2:
        raise ValueError(f"a contrast over {noun} needs two of them at least, got {size}")
    found = contrast(with_training(estimates), better, worse, seed)
    if size < FEWEST_UNITS:
        each = ", ".join(f"{value:+.2f}" for value in group_differences(estimates, found.best, found.other))
        return replace(found, low=np.nan, high=np.nan, p=np.nan, verdict=OPEN), f"{size} {noun}: {each}"
    return found, few_units(size, noun, found.detectable)


def few_units(size: int, noun: str, detectable: float) -> str:
    """Return what a verdict of five to seven units says beside it; '' with more."""
    return f"{size} {noun}; smallest detectable difference {detectable:.2f}" if size < MANY_UNITS else ""


def trained_against_untrained(
    estimates: Estimates, pairs: Sequence[tuple[Sequence[int], Sequence[int]]], seed: int
) -> Judged:
    """Return whether trained networks score better than untrained ones of the same architecture.

    The unit is the architecture: the best layer of its trained network less the best of its untrained one, which has as
    many layers. Errors of stimuli and neurons, common to all pairs, are added to those of architectures.

    Parameters
    ----------
    estimates : Estimates
        Of all layers of all networks.
    pairs : sequence of pairs of sequences of int
        Layers of the trained and of the untrained network of each architecture.
    seed : int
        As for `contrast`.

    Returns
    -------
    Judged
        With fewer than three pairs, the contrast of all trained and all untrained layers, which is of these networks
        only.
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
    """Return whether two measures of networks go together, by Pearson's r.

    Its interval is that of Fisher's z (1921, Metron 1:3).

    Parameters
    ----------
    x, y : (rows,) arrays
        Rows that lack one are left out.
    networks : sequence of str
        Network of each row: its checkpoints are one, by their means.

    Returns
    -------
    Judged
        `undecided` with fewer than five networks.
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
    # Without any spread the error is unknown.
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
    """Return the values (n, K) of one group centred and of unit length; 0 where unknown or nowhere varying."""
    return unit_within_folds(values, [np.arange(len(values))])
