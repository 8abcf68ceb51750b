"""By how much noise lowers RSA and CKA with a recorded population, and by how much its few neurons lower CKA.

Let f be what is compared of mean responses, one value for each pair of stimuli, and a and b the same of two halves of
the repetitions. If f is an inner product of responses, the noise of f, a and b has mean 0, and that of a is independent
of that of b: cov(a, b) estimates the variance of the signal in f, and cov(a, b) / var(f) the reliability of exactly f.
The Spearman-Brown formula does not hold: squares of noise are part of f, so that a half is up to four times as noisy.

Inner products are the entries of the Gram matrix that debiased CKA compares, and 1 - the correlation or cosine distance
of two stimuli, where every pattern is divided by its length in the mean over all repetitions. Squared Euclidean
distances and biased CKA are none: the noise of each stimulus adds to them.
"""

from collections.abc import Iterable
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
        Of the score of a perfect model, as far as rho varies with stimuli: that of rho over 2 rho; NaN if rho <= 0.
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
        In the order of `ventral.mappings.rsa.upper_triangle`; of the whole itself, 1 - its distances.
    """
    if distance == "correlation":
        responses, whole = (patterns - patterns.mean(axis=1, keepdims=True) for patterns in (responses, whole))
    length = np.linalg.norm(whole, axis=1, keepdims=True)
    patterns = responses / np.where(length > 0, length, np.nan)
    return upper_triangle(patterns @ patterns.T)


def centred_products(responses: NDArray) -> NDArray[np.float64]:
    """Return what debiased CKA compares of responses (n, neurons), in the order of `upper_triangle`."""
    return upper_triangle(centred_off_diagonal(responses @ responses.T))


def matrix_reliability(splits: Iterable[tuple[NDArray, NDArray, NDArray, NDArray]], n: int) -> MatrixReliability:
    """Return the reliability of a measured matrix, from several splits of the repetitions.

    Parameters
    ----------
    splits : iterable of (first, second, whole, stimuli)
        What is compared of the two halves and of all repetitions (pairs,), and the rows (q,) of the stimuli that the
        pairs are of.
    n : int
        Number of all stimuli.

    Returns
    -------
    MatrixReliability
        NaN without splits, or where the whole does not vary. The error is the infinitesimal jackknife's over stimuli,
        as in `ventral.statistics.matrix_influence`.
    """
    shared, whole_variance = np.zeros(n), np.zeros(n)
    for first, second, whole, stimuli in splits:
        a, b, f = (values - values.mean() for values in (first, second, whole))
        shared[stimuli] += matrix_of_pairs(a * b).sum(axis=1)
        whole_variance[stimuli] += matrix_of_pairs(f * f).sum(axis=1)
    total = whole_variance.sum()
    if not total > 0:
        return MatrixReliability(np.nan, np.nan)
    rho = shared.sum() / total
    influences = 2 * (shared - rho * whole_variance) / total
    error = np.linalg.norm(influences) * np.sqrt(n / max(n - 2, 1))
    return MatrixReliability(float(rho), float(error / (2 * rho)) if rho > 0 else np.nan)


def rank_reliability(reliability: MatrixReliability) -> MatrixReliability:
    """Return the reliability of ranks, whose root is Spearman's correlation with the signal.

    Of normal values with correlation r it is 6 / pi arcsin(r / 2) (Pearson 1907, Drapers' Company Research Memoirs 4).
    """
    root = 6 / np.pi * np.arcsin(min(np.sqrt(abs(reliability.rho)), 1) / 2)
    return MatrixReliability(float(np.copysign(root**2, reliability.rho)), reliability.standard_error)


def population_share(halves: Iterable[tuple[NDArray, NDArray, NDArray]]) -> float:
    """Return the square of what debiased CKA is multiplied by, because of noise and of few neurons.

    The neurons are a random sample of a population. Inner products of the Gram matrices of two different ones have the
    population's as their mean, and products of one with itself are left out (Song et al. 2012, there for stimuli).

    Parameters
    ----------
    halves : iterable of (first, second, whole)
        Mean responses (q, neurons) in two halves of the repetitions, and in all. Without repetitions all three are the
        same, and noise is taken out only as far as neurons do not share it.

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
