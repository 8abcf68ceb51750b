"""Attenuation of RSA and CKA with a recorded population, by noise, and for CKA also by the small number of neurons.

Let f hold a similarity of mean responses for each pair of stimuli. Let a and b hold the same for two halves of the
repetitions. If f is an inner product of responses, the noise of f, a and b has mean 0. The noises of a and b are
independent. Then cov(a, b) estimates the variance of the signal in f, and cov(a, b) / var(f) is the reliability of f
itself. The Spearman-Brown formula does not hold, because f has squares of noise: a half is up to four times as noisy.

The entries of the Gram matrix that debiased CKA compares are inner products. So are 1 - the correlation or cosine
distance of two stimuli, if every pattern is divided by its length in the mean over all repetitions. Squared Euclidean
distances and biased CKA are not inner products, because the noise of each stimulus adds to them. Crossnobis distances
are differences of inner products of different repetitions, whose noise has mean 0, too.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ventral.mappings.cka import centred_off_diagonal, products_of_single_features
from ventral.mappings.rsa import matrix_of_pairs, upper_triangle


@dataclass(frozen=True)
class MatrixReliability:
    """Reliability of a measured matrix.

    Attributes
    ----------
    rho : float
        Not clipped.
    standard_error : float
        Standard error of the score of a perfect model that is due to rho. It is the standard error of rho divided by 2
        rho; NaN if rho <= 0.
    """

    rho: float
    standard_error: float


def similarities(responses: NDArray, whole: NDArray, distance: str) -> NDArray[np.float64]:
    """Return the inner products of patterns, each divided by its length in the mean over all repetitions.

    Parameters
    ----------
    responses, whole : (n, neurons) arrays
        Mean responses in some repetitions, and in all.
    distance : str
        `correlation`: patterns are centred over neurons first; or `cosine`.

    Returns
    -------
    (n (n - 1) / 2,) array
        In the order of `ventral.mappings.rsa.upper_triangle`. For `whole` itself these are 1 - its distances.
    """
    if distance == "correlation":
        responses, whole = (patterns - patterns.mean(axis=1, keepdims=True) for patterns in (responses, whole))
    length = np.linalg.norm(whole, axis=1, keepdims=True)
    patterns = responses / np.where(length > 0, length, np.nan)
    return upper_triangle(patterns @ patterns.T)


def centred_products(responses: NDArray) -> NDArray[np.float64]:
    """Return the products of responses (n, neurons) that debiased CKA compares, in the order of `upper_triangle`."""
    return upper_triangle(centred_off_diagonal(responses @ responses.T))


def centred_matrix(values: NDArray) -> NDArray[np.float64]:
    """Return similarities or distances (pairs,) less their mean, as a symmetric matrix with zero diagonal."""
    return matrix_of_pairs(values - values.mean())


def matrix_reliability(
    splits: Iterable[tuple[NDArray, NDArray, NDArray, NDArray]],
    n: int,
    centred: Callable[[NDArray], NDArray] = centred_matrix,
) -> MatrixReliability:
    """Return the reliability of a measured matrix, from several splits of the repetitions.

    Parameters
    ----------
    splits : iterable of (first, second, whole, stimuli)
        Similarities (pairs,) of the two halves and of all repetitions, and the rows (q,) of the stimuli in the pairs.
    n : int
        Number of all stimuli.
    centred : callable
        Returns the matrix of pairs whose inner products a comparison takes.

    Returns
    -------
    MatrixReliability
        NaN without splits, or where the whole does not vary. The standard error is that of the infinitesimal jackknife
        over stimuli, as in `ventral.statistics.matrix_influence`.
    """
    shared, whole_variance = np.zeros(n), np.zeros(n)
    for first, second, whole, stimuli in splits:
        a, b, f = map(centred, (first, second, whole))
        shared[stimuli] += (a * b).sum(axis=1)
        whole_variance[stimuli] += (f * f).sum(axis=1)
    total = whole_variance.sum()
    if not total > 0:
        return MatrixReliability(np.nan, np.nan)
    rho = shared.sum() / total
    influences = 2 * (shared - rho * whole_variance) / total
    error = np.linalg.norm(influences) * np.sqrt(n / max(n - 2, 1))
    return MatrixReliability(float(rho), float(error / (2 * rho)) if rho > 0 else np.nan)


def rank_reliability(reliability: MatrixReliability) -> MatrixReliability:
    """Return the reliability of ranks, whose square root is Spearman's correlation with the signal.

    Spearman's correlation of normal values with correlation r is 6 / pi arcsin(r / 2) (Pearson 1907, Drapers' Company
    Research Memoirs 4).
    """
    root = 6 / np.pi * np.arcsin(min(np.sqrt(abs(reliability.rho)), 1) / 2)
    return MatrixReliability(float(np.copysign(root**2, reliability.rho)), reliability.standard_error)


def population_share(halves: Iterable[tuple[NDArray, NDArray, NDArray]]) -> float:
    """Return the square of the factor by which noise and the small number of neurons reduce debiased CKA.

    The neurons are a random sample of a population. The inner product of the Gram matrices of two different neurons has
    that of the population as its mean. Products of a neuron with itself are left out (as Song et al. 2012 do for
    stimuli).

    Parameters
    ----------
    halves : iterable of (first, second, whole)
        Mean responses (q, neurons) in two halves of the repetitions, and in all. Without repetitions all three are the
        same, and only noise that neurons do not share is removed.

    Returns
    -------
    float
        NaN with a single neuron.
    """
    between, squares, n_neurons = 0.0, 0.0, 0
    for first, second, whole in halves:
        n_neurons = whole.shape[1]
        of_pairs = 2 * np.vdot(centred_products(first), centred_products(second))
        between += of_pairs - products_of_single_features(first, second).sum()
        squares += 2 * np.square(centred_products(whole)).sum()
    if n_neurons < 2 or not squares > 0:
        return np.nan
    return float(n_neurons / (n_neurons - 1) * between / squares)
