"""Representational similarity analysis: comparison of two representations by the dissimilarities of their stimuli.

Kriegeskorte, Mur and Bandettini 2008 (Frontiers in Systems Neuroscience 2:4). Dissimilarities follow from the inner
products of the stimuli's feature vectors, for any number of features.
"""

import math

import numpy as np
from numpy.typing import NDArray

from ventral.mappings.standardisation import varies

# With few features, many pairs are equally dissimilar except for rounding, which must not decide their ranks.
DECIMALS = 10


def correlation_distances(gram: NDArray, row_sums: NDArray, n_features: int) -> NDArray[np.float64]:
    """Return 1 - Pearson's r between the feature vectors of all pairs of stimuli, from their inner products alone.

    The covariance of two vectors x and y of p features is (x . y - sum x sum y / p) / p.

    Parameters
    ----------
    gram : (n, n) array
        Inner products of the stimuli's feature vectors.
    row_sums : (n,) array
        Sum of each stimulus's features.
    n_features : int
        p.

    Returns
    -------
    (n, n) array
        0 to 2, and NaN for every pair with a stimulus whose features are all the same.
    """
    covariance = gram - np.outer(row_sums, row_sums) / n_features
    # Constant features differ from their mean by rounding.
    return _one_minus_cosine(covariance, varies(np.diag(covariance), np.diag(gram)))


def cosine_distances(gram: NDArray) -> NDArray[np.float64]:
    """Return 1 - the cosine of the angle between the feature vectors of all pairs of stimuli.

    Parameters
    ----------
    gram : (n, n) array
        Inner products of the stimuli's feature vectors.

    Returns
    -------
    (n, n) array
        0 to 2, and NaN for every pair with a stimulus whose features are all 0.
    """
    return _one_minus_cosine(gram, np.diag(gram) > 0)


def euclidean_distances(gram: NDArray, n_features: int) -> NDArray[np.float64]:
    """Return the squared Euclidean distances of the feature vectors, divided by their length p.

    rsatoolbox calls this distance `euclidean` (Schuett et al. 2023, eLife 12:e82566). It is the mean squared difference
    of features, so layers of different width are on one scale.

    Parameters
    ----------
    gram : (n, n) array
        Inner products of the stimuli's feature vectors.
    n_features : int
        p.

    Returns
    -------
    (n, n) array
        In squared units of the features, 0 or more.
    """
    squared_norms = np.diag(gram)
    distances = np.maximum(squared_norms[:, None] + squared_norms - 2 * gram, 0) / n_features
    distances[np.diag_indices(len(gram))] = 0
    return distances


def upper_triangle(matrices: NDArray) -> NDArray:
    """Return the pairs (..., n (n - 1) / 2) of matrices (..., n, n)."""
    return matrices[(..., *np.triu_indices(matrices.shape[-1], k=1))]


def matrix_of_pairs(pairs: NDArray) -> NDArray:
    """Return the symmetric matrix (n, n) with zero diagonal, given its `upper_triangle` (n (n - 1) / 2,)."""
    n = (1 + math.isqrt(1 + 8 * len(pairs))) // 2
    matrix = np.zeros((n, n), dtype=pairs.dtype)
    matrix[np.triu_indices(n, k=1)] = pairs
    return matrix + matrix.T


def dissimilarities(gram: NDArray, row_sums: NDArray, n_features: int, distance: str) -> NDArray[np.float64]:
    """Return the dissimilarity of every pair of stimuli, rounded to the precision of the Gram matrix.

    Parameters
    ----------
    gram : (n, n) array
        Inner products of the stimuli's feature vectors.
    row_sums : (n,) array
        Sum of each stimulus's features.
    n_features : int
        Length of the feature vectors.
    distance : str
        `correlation`, `cosine` or `euclidean`.

    Returns
    -------
    (n (n - 1) / 2,) array
        In the order of `upper_triangle`; NaN where a distance is not defined.
    """
    if distance == "euclidean":
        # The precision of a difference of large inner products is a share of the products, not of the difference.
        unit = np.diag(gram).max() / n_features
        return np.round(upper_triangle(euclidean_distances(gram, n_features)) / (unit or 1), DECIMALS) * unit
    distances = cosine_distances(gram) if distance == "cosine" else correlation_distances(gram, row_sums, n_features)
    return np.round(upper_triangle(distances), DECIMALS)


def standardised_values(values: NDArray) -> NDArray[np.float64]:
    """Return values (..., pairs) centred and of unit length; the inner product of two such vectors is Pearson's r.

    NaN where a value is NaN, or all are the same.
    """
    # Squares of very large and very small numbers would overflow or underflow.
    centred = values - values.mean(axis=-1, keepdims=True)
    largest = np.abs(centred).max(axis=-1, keepdims=True)
    constant = np.ptp(values, axis=-1, keepdims=True) == 0
    return _unit_vectors(centred / np.where(constant | (largest == 0), np.nan, largest))


def standardised_ranks(values: NDArray) -> NDArray[np.float64]:
    """Return the ranks (..., pairs) of values, ties averaged, centred and of unit length.

    The inner product of two such vectors is Spearman's correlation (1904, American Journal of Psychology 15:72). NaN
    where a value is NaN, or all are the same.
    """
    n = values.shape[-1]
    ranks = np.stack([_ranks(of_one) for of_one in values.reshape(-1, n)]).reshape(values.shape)
    ranks -= (n + 1) / 2
    return _unit_vectors(ranks)


def comparable(values: NDArray, comparison: str) -> NDArray[np.float64]:
    """Return the input of `compare`: values (..., pairs) for `pearson`, their ranks for `spearman` and `kendall`."""
    return standardised_values(values) if comparison == "pearson" else standardised_ranks(values)


def compare(layer: NDArray, measured: NDArray, comparison: str) -> NDArray[np.float64]:
    """Return the correlation of a layer's dissimilarities with each of the measured ones.

    Parameters
    ----------
    layer : (pairs,) array
        From `comparable`, with the same comparison.
    measured : (rows, pairs) array
        From `comparable`, with the same comparison.
    comparison : str
        `pearson`, `spearman`, or `kendall`, which is tau-a (`tau_a`).

    Returns
    -------
    (rows,) array
        -1 to 1; NaN where a dissimilarity is not defined, or all are the same.
    """
    if comparison == "kendall":
        return np.array([tau_a(layer, row) for row in measured])
    return np.clip(measured @ layer, -1, 1)


def tau_a(x: NDArray, y: NDArray) -> float:
    """Return Kendall's tau-a (1938, Biometrika 30:81): concordant minus discordant pairs of values, over all pairs.

    Unlike tau-b, tau-a gives no advantage to a model that predicts ties (Nili et al. 2014, PLoS Computational Biology
    10:e1003553). SciPy's tau-b is `(concordant - discordant) / sqrt((all - tied in x) (all - tied in y))`. Deriving
    tau-a from tau-b takes m log m steps for m values.

    Parameters
    ----------
    x, y : (m,) arrays

    Returns
    -------
    float
        NaN where a value is NaN, or all of x or of y are the same.
    """
    from scipy.stats import kendalltau

    if np.isnan(x).any() or np.isnan(y).any():
        return np.nan
    untied = [_untied_pairs(values) for values in (x, y)]
    n_pairs = len(x) * (len(x) - 1) / 2
    if min(untied) == 0:
        return np.nan
    # Take roots before multiplying, because the product of two counts up to m^2 / 2 may exceed 53 bits.
    difference = kendalltau(x, y).statistic * np.sqrt(untied[0]) * np.sqrt(untied[1])
    return float(np.round(difference) / n_pairs)


def subject_ceilings(measured: NDArray, comparison: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the agreement of each subject's dissimilarities with the mean of the others, and with the mean of all.

    The means of both over subjects are the ends of the noise ceiling (Nili et al. 2014, PLoS Computational Biology
    10:e1003553). A model that knows the truth agrees with subjects about as well as the mean of the others does. No
    model agrees better than the mean of all, which includes each subject. The means are over ranks for `spearman`, and
    over values in units of their standard deviation for `pearson`. For Spearman's correlation the upper end holds for
    rankings without ties.

    For tau-a, another ranking can agree better than the mean of ranks. So `high` is how often each subject orders two
    pairs of stimuli as most subjects do, minus how often the subject does not. The mean over subjects is an upper bound
    for every model. No ranking reaches the bound if majorities are not transitive.

    Parameters
    ----------
    measured : (subjects, pairs) array
        From `comparable`, with the same comparison.
    comparison : str
        As for `compare`.

    Returns
    -------
    low, high : (subjects,) arrays
        NaN with a single subject.
    """
    n_subjects = len(measured)
    if n_subjects < 2:
        return np.full(n_subjects, np.nan), np.full(n_subjects, np.nan)
    total = measured.sum(axis=0)
    # Equal sums of ranks may differ by rounding, which must not decide their ranks.
    decimals = DECIMALS + 4
    others = comparable(np.round(total - measured, decimals), comparison)
    low = [compare(mean, row[None], comparison)[0] for mean, row in zip(others, measured, strict=True)]
    if comparison == "kendall":
        return np.array(low), agreement_with_majorities(measured)
    return np.array(low), compare(comparable(np.round(total, decimals), comparison), measured, comparison)


def agreement_with_majorities(measured: NDArray) -> NDArray[np.float64]:
    """Return Kendall's tau-a of each subject with the majority's order of each pair of values.

    Let s be the sign of the difference of two values in one subject, and S the sum of s over subjects. The result is
    the mean of s sign(S) over all pairs of values. Its mean over subjects equals the mean of |S| / subjects, which is
    at least the mean tau-a of any ranking. Time grows with the square of the number of values.

    Parameters
    ----------
    measured : (subjects, m) array

    Returns
    -------
    (subjects,) array
        NaN where one of a subject's values is NaN.
    """
    m = measured.shape[1]
    agreement = np.zeros(len(measured))
    for first in range(m - 1):
        signs = np.sign(measured[:, first + 1 :] - measured[:, first, None])
        agreement += signs @ np.sign(np.nan_to_num(signs).sum(axis=0))
    return agreement / (m * (m - 1) / 2)


def _ranks(values: NDArray) -> NDArray[np.float64]:
    """Return the ranks (n,) of values from 1 to n, ties averaged; all NaN if any value is NaN."""
    if np.isnan(values).any():
        return np.full(len(values), np.nan)
    order = np.argsort(values)
    steps = np.diff(values[order]) != 0
    bounds = np.concatenate([[0], np.flatnonzero(steps) + 1, [len(values)]])
    ranks = np.empty(len(values))
    ranks[order] = np.repeat((bounds[:-1] + bounds[1:] + 1) / 2, np.diff(bounds))
    return ranks


def _one_minus_cosine(products: NDArray, defined: NDArray[np.bool_]) -> NDArray[np.float64]:
    # Take roots first, because the product of two squared lengths may overflow or underflow.
    length = np.sqrt(np.where(defined, np.diag(products), np.nan))
    distances = 1 - np.clip(products / np.outer(length, length), -1, 1)
    distances[np.diag_indices(len(products))] = np.where(defined, 0, np.nan)
    return distances


def _unit_vectors(centred: NDArray) -> NDArray[np.float64]:
    length = np.linalg.norm(centred, axis=-1, keepdims=True)
    return centred / np.where(length > 0, length, np.nan)


def _untied_pairs(values: NDArray) -> float:
    counts = np.unique(values, return_counts=True)[1].astype(float)
    return (len(values) * (len(values) - 1) - (counts * (counts - 1)).sum()) / 2
