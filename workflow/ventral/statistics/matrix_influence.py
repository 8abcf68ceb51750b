"""Compute the influence of every stimulus on RSA and CKA scores, to compare layers with `contrast`.

A pair of stimuli i and j has the weight w_i w_j. The influence of stimulus i is the derivative by w_i at w = 1: the
infinitesimal jackknife (Jaeckel 1972, Bell Laboratories MM 72-1215-11). Unlike in a bootstrap, no stimulus is drawn
twice, which would add a distance of 0 from itself. The derivative of centring vanishes: centring changes constants in
rows or columns, over which the other, centred matrix sums to 0.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ventral.mappings.cka import linear_cka
from ventral.mappings.rsa import matrix_of_pairs, standardised_ranks, standardised_values, tau_a, upper_triangle
from ventral.mappings.whitened import WHITENED
from ventral.statistics.influence import Estimates, sampled_influences

# The jackknife of tau-a needs one computation for each stimulus, and is limited to this many stimuli.
MOST_JACKKNIFED = 100


def stimulus_influences(
    mapping: str, comparison: str, layer: NDArray, measured: NDArray
) -> tuple[float, NDArray[np.float64]]:
    """Return the similarity of a layer and a recorded matrix, with the influence of each stimulus.

    Parameters
    ----------
    mapping, comparison : str
        Mapping and comparison: `cka` with `biased` or `debiased`, or `rsa` with `pearson`, `spearman`, `kendall`,
        `whitened_cosine` or `whitened_correlation`.
    layer, measured : arrays
        Matrices to compare: (n, n) from `ventral.mappings.cka.unit_centred_gram` or
        `ventral.mappings.whitened.unit_whitened`, or (n (n - 1) / 2,) from `ventral.mappings.rsa.comparable`.

    Returns
    -------
    value : float
    influences : (n,) array
        Influences; (0,) for `kendall` with more than 100 stimuli, which would take too long.
    """
    if mapping == "cka" or comparison in WHITENED:
        return cka_influences(layer, measured)
    if comparison == "kendall":
        return tau_a(layer, measured), _tau_influences(matrix_of_pairs(layer), matrix_of_pairs(measured))
    influences = {"pearson": _pearson_influences, "spearman": _rank_influences}[comparison]
    r, of_pairs = influences(layer, measured)
    return r, _summed_over_pairs(of_pairs)


def rsa_influences(layer: NDArray, measured: NDArray, comparison: str) -> tuple[float, NDArray[np.float64]]:
    """Return the correlation of two sets of dissimilarities, with the influence of each stimulus.

    Parameters
    ----------
    layer, measured : (n (n - 1) / 2,) arrays
        Dissimilarities in the order of `ventral.mappings.rsa.upper_triangle`.
    comparison : str
        `pearson` or `spearman`. For `spearman`, influences include the change of all ranks. Kendall's tau-a has no form
        that costs less than all pairs of pairs; use `jackknifed_influences`.

    Returns
    -------
    r : float
    influences : (n,) array
        Influences, which sum to 0; NaN if r is NaN.
    """
    influences = {"pearson": _pearson_influences, "spearman": _spearman_influences}[comparison]
    r, of_pairs = influences(layer, measured)
    return r, _summed_over_pairs(of_pairs)


def cka_influences(first: NDArray, second: NDArray) -> tuple[float, NDArray[np.float64]]:
    """Return the linear CKA of two representations, with the influence of each stimulus.

    Parameters
    ----------
    first, second : (n, n) arrays
        Matrices from `ventral.mappings.cka.unit_centred_gram`, with the same comparison, or from
        `ventral.mappings.whitened.unit_whitened`.

    Returns
    -------
    value : float
    influences : (n,) array
    """
    value = linear_cka(first, second)
    influences = 2 * (first * second).sum(axis=1) - value * (np.square(first) + np.square(second)).sum(axis=1)
    return value, _small_sample(influences)


def deleted_groups(n: int, n_groups: int, seed: int) -> list[NDArray[np.intp]]:
    """Divide n stimuli or neurons into random groups, and return the rows left without each group."""
    groups = np.array_split(np.random.default_rng(seed).permutation(n), n_groups)
    return [np.setdiff1d(np.arange(n), group) for group in groups]


def jackknifed_influences(values: NDArray) -> NDArray[np.float64]:
    """Return the influence of each group on a statistic, from its values (groups,) on `deleted_groups`.

    The squares sum to the delete-group jackknife's variance (Shao and Tu 1995, The Jackknife and Bootstrap). This
    jackknife serves any statistic, at the cost of one computation for each group. Groups are then the units.
    """
    return np.sqrt((len(values) - 1) / len(values)) * (values.mean() - values)


def matrix_estimates(layers: Sequence[Sequence[tuple[float, NDArray]]]) -> Estimates:
    """Return estimates for `contrast` from the value and influences of each layer for each subject.

    Parameters
    ----------
    layers : sequence of sequences of (value, influences)
        One pair for each layer and subject. An area without subjects has one pair for each layer, and stimuli as its
        only units.
    """
    values = np.array([[value for value, _ in subjects] for subjects in layers])
    units = np.array([np.mean([influences for _, influences in subjects], axis=0) for subjects in layers])
    return Estimates(values.mean(axis=1), units, sampled_influences(values))


def _tau_influences(layer: NDArray, measured: NDArray) -> NDArray[np.float64]:
    """Return the influence of each stimulus on tau-a of two square matrices, by leaving each out; (0,) if too many."""
    n = len(layer)
    if n > MOST_JACKKNIFED:
        return np.empty(0)
    left = [np.delete(np.arange(n), k) for k in range(n)]
    without = [tau_a(*(upper_triangle(part[np.ix_(rows, rows)]) for part in (layer, measured))) for rows in left]
    return jackknifed_influences(np.array(without))


def _summed_over_pairs(influences: NDArray) -> NDArray[np.float64]:
    """Sum the influences of each stimulus over all of its pairs."""
    return _small_sample(matrix_of_pairs(influences).sum(axis=1))


def _small_sample(influences: NDArray) -> NDArray[np.float64]:
    """Scale influences of pairs to the size of the delete-one jackknife's, to the order of 1/n."""
    n = len(influences)
    return influences * np.sqrt(n / max(n - 2, 1))


def _pearson_influences(first: NDArray, second: NDArray) -> tuple[float, NDArray]:
    x, y = standardised_values(first), standardised_values(second)
    r = float(np.clip(x @ y, -1, 1))
    return r, x * y - r / 2 * (np.square(x) + np.square(y))


def _spearman_influences(first: NDArray, second: NDArray) -> tuple[float, NDArray[np.float64]]:
    return _rank_influences(standardised_ranks(first), standardised_ranks(second))


def _rank_influences(u: NDArray, v: NDArray) -> tuple[float, NDArray[np.float64]]:
    """Return Spearman's r, with the influence of each pair of stimuli through its own rank and all other ranks.

    Parameters
    ----------
    u, v : (pairs,) arrays
        Ranks from `ventral.mappings.rsa.standardised_ranks`.
    """
    r = float(np.clip(u @ v, -1, 1))
    if not np.isfinite(r):
        return r, np.full(len(u), np.nan)
    own = u * v - r / 2 * (np.square(u) + np.square(v))
    return r, own + _sums_above(u, v - r * u) + _sums_above(v, u - r * v)


def _sums_above(ranks: NDArray, weights: NDArray) -> NDArray[np.float64]:
    """Return, for each value, the weights of larger values plus half of those of equal values, over the ranks' norm.

    The largest rank and its number of ties give the norm that divided the ranks, so that nothing is sorted again.
    """
    largest = ranks.max()
    norm = (len(ranks) - (ranks == largest).sum()) / 2 / largest
    place = np.rint(2 * norm * (largest - ranks)).astype(np.intp)
    sums = np.bincount(place, weights)
    return (sums.cumsum() - sums / 2)[place] / norm
