"""Crossnobis distances: cross-validated squared Mahalanobis distances between patterns with repetitions.

Squared distances between noisy patterns are too large, because noise adds to them. A product of the differences in two
different repetitions has independent noise in its two factors. Its mean is the squared distance without noise (Nili et
al. 2014, PLoS Computational Biology 10:e1003553; Walther et al. 2016, NeuroImage 137:188). Estimates of small distances
may be negative. Patterns are whitened first, so that noise that neurons share does not count twice.

The noise is estimated from the same repetitions, so that all distances keep a small positive bias. The bias is the same
for all pairs, and of all comparisons only `whitened_cosine` sees it (`benchmarks/crossnobis.py`).
"""

import numpy as np
from numpy.typing import NDArray

from ventral.mappings.rsa import upper_triangle

# Fewer repetitions of a stimulus have no second one to multiply with.
FEWEST_REPETITIONS = 2


def complete_trials(responses: NDArray) -> NDArray[np.float64]:
    """Return responses (repetitions, n, neurons), with NaN for all neurons in trials that lack one of them."""
    return np.where(np.isfinite(responses).all(axis=2, keepdims=True), responses, np.nan)


def residuals(responses: NDArray) -> tuple[NDArray[np.float64], int]:
    """Return the deviations of responses from the mean over repetitions, and their degrees of freedom.

    Parameters
    ----------
    responses : (repetitions, n, neurons) array
        From `complete_trials`, with a complete trial of every stimulus.

    Returns
    -------
    deviations : (trials, neurons) array
    freedom : int
        Number of trials less the number of stimuli.
    """
    shown = np.isfinite(responses[:, :, 0])
    deviations = (responses - np.nanmean(responses, axis=0))[shown]
    return deviations, len(deviations) - responses.shape[1]


def shrunken_covariance(deviations: NDArray, freedom: int) -> NDArray[np.float64]:
    """Return a covariance of noise whose correlations are shrunk towards 0.

    Schaefer and Strimmer 2005 (Statistical Applications in Genetics and Molecular Biology 4:32), by the lemma of Ledoit
    and Wolf. This estimate is `shrinkage_diag`, the default of rsatoolbox. Unlike shrinkage to a multiple of the
    identity matrix, it does not depend on the units of each neuron.

    Parameters
    ----------
    deviations : (trials, neurons) array
        From `residuals`; each neuron has some that are not 0.
    freedom : int
        Degrees of freedom.

    Returns
    -------
    (neurons, neurons) array
    """
    n, p = deviations.shape
    covariance = deviations.T @ deviations / freedom
    scaled = deviations / np.sqrt(np.diag(covariance))
    products, squares = (part.T @ part / (n - 1) for part in (scaled, np.square(scaled)))
    pairs = ~np.eye(p, dtype=bool)
    size = np.square(products[pairs]).sum()
    variance = n / freedom**2 * (squares - np.square(products))[pairs].sum()
    shrinkage = np.clip(variance / size, 0, 1) if size > 0 else 1.0
    return np.where(pairs, (1 - shrinkage) * covariance, covariance)


def whitened_patterns(responses: NDArray) -> NDArray[np.float64]:
    """Return responses in units of their noise, times the symmetric inverse root of the noise correlations.

    The noise of whitened neurons is uncorrelated and of unit variance. This transformation keeps each whitened neuron
    as correlated as possible with the neuron itself (Kessy et al. 2018, The American Statistician 72:309).

    Parameters
    ----------
    responses : (repetitions, n, neurons) array
        From `complete_trials`, with a complete trial of every stimulus.

    Returns
    -------
    (repetitions, n, neurons) array
    """
    covariance = shrunken_covariance(*residuals(responses))
    size = np.sqrt(np.diag(covariance))
    variances, axes = np.linalg.eigh(covariance / np.outer(size, size))
    return responses / size @ (axes / np.sqrt(variances)) @ axes.T


def crossvalidated_distances(patterns: NDArray) -> NDArray[np.float64]:
    """Return cross-validated squared distances of the patterns of all pairs of stimuli, over the number of neurons.

    The similarity of stimuli i and j is the mean inner product of a trial of i and a trial of j in different
    repetitions. The distance is s_ii + s_jj - 2 s_ij. If all stimuli are shown in all repetitions, this distance is the
    mean over held-out repetitions in `calc_rdm` of rsatoolbox. Otherwise it is that of `calc_rdm_unbalanced`.

    Parameters
    ----------
    patterns : (repetitions, n, neurons) array
        NaN in trials that are missing; each stimulus has at least two others. If trials are missing, distances are more
        exact with neurons that are centred over stimuli.

    Returns
    -------
    (n (n - 1) / 2,) array
        In the order of `ventral.mappings.rsa.upper_triangle`; may be negative.
    """
    shown = np.isfinite(patterns[:, :, 0]).astype(float)
    values = np.nan_to_num(patterns)
    totals, counts = values.sum(axis=0), shown.sum(axis=0)
    products, n_products = totals @ totals.T, np.outer(counts, counts)
    for trial, present in zip(values, shown, strict=True):
        products -= trial @ trial.T
        n_products -= np.outer(present, present)
    similarities = products / n_products / patterns.shape[2]
    own = np.diag(similarities)
    return upper_triangle(own[:, None] + own - 2 * similarities)
