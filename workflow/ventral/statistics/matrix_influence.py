"""What every stimulus adds to RSA and to CKA, in the form in which layers are compared by `contrast`.

A pair of stimuli i and j has the weight w_i w_j, and the influence of stimulus i is the derivative by w_i at w = 1: the
infinitesimal jackknife (Jaeckel 1972, Bell Laboratories MM 72-1215-11). No stimulus is drawn twice, so that no distance
of 0 of a stimulus from itself comes in, as happens in a bootstrap. Centring has no part in it: what it changes is
constant in rows or columns, over which the other, centred matrix sums to 0.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ventral.mappings.cka import linear_cka
from ventral.mappings.rsa import matrix_of_pairs, standardised_ranks, standardised_values, tau_a, upper_triangle
from ventral.statistics.influence import Estimates, sampled_influences

# Without one stimulus at a time, tau-a is computed as often as there are stimuli.
MOST_JACKKNIFED = 100


def stimulus_influences(
    mapping: str, comparison: str, layer: NDArray, measured: NDArray
) -> tuple[float, NDArray[np.float64]]:
    """Return how alike a layer and a recorded matrix are, and what each stimulus adds to that value.

    Parameters
    ----------
    mapping, comparison : str
        `cka` with `biased` or `debiased`, or `rsa` with `pearson`, `spearman` or `kendall`.
    layer, measured : arrays
        What is compared: (n, n) from `ventral.mappings.cka.unit_centred_gram`, or (n (n - 1) / 2,) from
        `ventral.mappings.rsa.comparable`.

    Returns
    -------
    value : float
    influences : (n,) array
        (0,) for `kendall` of more than 100 stimuli, which would take too long.
    """
    if mapping == "cka":
        return cka_influences(layer, measured)
    if comparison == "kendall":
        return tau_a(layer, measured), _tau_influences(matrix_of_pairs(layer), matrix_of_pairs(measured))
    influences = {"pearson": _pearson_influences, "spearman": _rank_influences}[comparison]
    r, of_pairs = influences(layer, measured)
    return r, _summed_over_pairs(of_pairs)


def rsa_influences(layer: NDArray, measured: NDArray, comparison: str) -> tuple[float, NDArray[np.float64]]:
    """Return the correlation of two sets of dissimilarities, and what each stimulus adds to it.

    Parameters
    ----------
    layer, measured : (n (n - 1) / 2,) arrays
        In the order of `ventral.mappings.rsa.upper_triangle`.
    comparison : str
        `pearson` or `spearman`. The ranks of Spearman's change with every stimulus, too, which is part of its
        influence. Kendall's tau-a has no form that costs less than all pairs of pairs: take `jackknifed_influences`.

    Returns
    -------
    r : float
    influences : (n,) array
        They sum to 0; NaN with r.
    """
    influences = {"pearson": _pearson_influences, "spearman": _spearman_influences}[comparison]
    r, of_pairs = influences(layer, measured)
    return r, _summed_over_pairs(of_pairs)


def cka_influences(first: NDArray, second: NDArray) -> tuple[float, NDArray[np.float64]]:
    """Return the linear CKA of two representations, and what each stimulus adds to it.

    Parameters
    ----------
    first, second : (n, n) arrays
        From `ventral.mappings.cka.unit_centred_gram`, with the same comparison.

    Returns
    -------
    value : float
    influences : (n,) array
    """
    value = linear_cka(first, second)
    influences = 2 * (first * second).sum(axis=1) - value * (np.square(first) + np.square(second)).sum(axis=1)
    return value, _small_sample(influences)


def deleted_groups(n: int, n_groups: int, seed: int) -> list[NDArray[np.intp]]:
    """Return the rows that are left when each of some random groups of n stimuli or neurons is taken away."""
    groups = np.array_split(np.random.default_rng(seed).permutation(n), n_groups)
    return [np.setdiff1d(np.arange(n), group) for group in groups]


def jackknifed_influences(values: NDArray) -> NDArray[np.float64]:
    """Return what each group adds to a statistic, from its values (groups,) on `deleted_groups`.

    Squares sum to the delete-group jackknife's variance (Shao and Tu 1995, The Jackknife and Bootstrap). It serves any
    statistic, at the cost of one computation a group, which is then the unit.
    """
    return np.sqrt((len(values) - 1) / len(values)) * (values.mean() - values)


def matrix_estimates(layers: Sequence[Sequence[tuple[float, NDArray]]]) -> Estimates:
    """Return what `contrast` compares, given the value and influences of each layer for each subject.

    Parameters
    ----------
    layers : sequence of sequences of (value, influences)
        Of each layer, one pair for each subject, or one for an area without subjects: then stimuli are the only units.
    """
    values = np.array([[value for value, _ in subjects] for subjects in layers])
    units = np.array([np.mean([influences for _, influences in subjects], axis=0) for subjects in layers])
    return Estimates(values.mean(axis=1), units, sampled_influences(values))


def _tau_influences(layer: NDArray, measured: NDArray) -> NDArray[np.float64]:
    """Return what each stimulus adds to tau-a of two square matrices, by leaving each out; (0,) of too many stimuli."""
    n = len(layer)
    if n > MOST_JACKKNIFED:
        return np.empty(0)
    left = [np.delete(np.arange(n), k) for k in range(n)]
    without = [tau_a(*(upper_triangle(part[np.ix_(rows, rows)]) for part in (layer, measured))) for rows in left]
    return jackknifed_influences(np.array(without))


def _summed_over_pairs(influences: NDArray) -> NDArray[np.float64]:
    """Return what each stimulus adds, by all of its pairs."""
    return _small_sample(matrix_of_pairs(influences).sum(axis=1))


def _small_sample(influences: NDArray) -> NDArray[np.float64]:
    """Return influences as large as those of the delete-one jackknife are, to the order of 1/n, for pairs."""
    n = len(influences)
    return influences * np.sqrt(n / max(n - 2, 1))


def _pearson_influences(first: NDArray, second: NDArray) -> tuple[float, NDArray]:
    x, y = standardised_values(first), standardised_values(second)
    r = float(np.clip(x @ y, -1, 1))
    return r, x * y - r / 2 * (np.square(x) + np.square(y))


def _spearman_influences(first: NDArray, second: NDArray) -> tuple[float, NDArray[np.float64]]:
    return _rank_influences(standardised_ranks(first), standardised_ranks(second))


def _rank_influences(u: NDArray, v: NDArray) -> tuple[float, NDArray[np.float64]]:
    """Return Spearman's r of ranks, and the influence of each pair of stimuli: through its own rank, and on all others.

    Parameters
    ----------
    u, v : (pairs,) arrays
        From `ventral.mappings.rsa.standardised_ranks`.
    """
    r = float(np.clip(u @ v, -1, 1))
    if not np.isfinite(r):
        return r, np.full(len(u), np.nan)
    own = u * v - r / 2 * (np.square(u) + np.square(v))
    return r, own + _sums_above(u, v - r * u) + _sums_above(v, u - r * v)


def _sums_above(ranks: NDArray, weights: NDArray) -> NDArray[np.float64]:
    """Return for each value the weights of larger ones and half of those of equal ones, by the norm of the ranks.

    The largest rank, and with it the norm that ranks were divided by, follows from the number of its ties. Nothing is
    sorted again.
    """
    largest = ranks.max()
    norm = (len(ranks) - (ranks == largest).sum()) / 2 / largest
    place = np.rint(2 * norm * (largest - ranks)).astype(np.intp)
    sums = np.bincount(place, weights)
    return (sums.cumsum() - sums / 2)[place] / norm
