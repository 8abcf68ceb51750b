"""Effective dimensionality: the number of directions in which a representation varies over stimuli."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ventral.mappings.held_out import row_blocks
from ventral.mappings.standardisation import largest_size, varies


def effective_dimensionality(gram: NDArray) -> float:
    """Return the participation ratio of the variances along the principal components, (sum v)^2 / sum v^2.

    Gao et al. 2017 (bioRxiv 214262) define the ratio; Del Giudice 2021 (Multivariate Behavioral Research 56:527) calls
    it n2. The variances are the eigenvalues of the centred Gram matrix K, up to a factor. So the ratio is (trace K)^2 /
    trace(K^2).

    Parameters
    ----------
    gram : (n, n) array
        Inner products of the stimuli's feature vectors.

    Returns
    -------
    float
        1 to n - 1; NaN where no feature varies over stimuli.
    """
    largest = largest_size(gram)
    if not largest > 0:
        return np.nan
    means = gram.mean(axis=0)
    means -= means.mean() / 2
    trace = squares = 0.0
    for rows in row_blocks(len(gram)):
        # Squares of very large and very small numbers would overflow or underflow.
        centred = (gram[rows] - means[rows, None] - means) / largest
        trace += np.trace(centred[:, rows])
        squares += np.vdot(centred, centred)
    return float(trace**2 / squares) if varies(trace, len(gram)) else np.nan


def signal_traces(half: NDArray, other: NDArray) -> tuple[float, float]:
    """Return the trace of the signal's centred Gram matrix, and of its square, from two halves of the repetitions.

    Noise varies in as many directions as there are neuroids, and adds to the participation ratio of measured responses.
    Let A and B be two halves, centred over stimuli. Their noise is independent, so the expectation of M = A B^T is the
    matrix of inner products of the signal. For i other than j, the expectation of M_ij M_ji is the square of such an
    inner product. So trace M and trace(M M) replace trace K and trace(K^2).

    Parameters
    ----------
    half, other : (n, neuroids) arrays
        Mean responses.
    """
    products = (half - half.mean(axis=0)) @ (other - other.mean(axis=0)).T
    return float(np.trace(products)), float(np.vdot(products, products.T))


def dimensionality_of_signal(traces: Sequence[tuple[float, float]]) -> float:
    """Return the participation ratio of the signal's variances, without the noise.

    Noise in the squares of M_ii makes the ratio somewhat too small. The error is 5 % if the noise has twice the
    standard deviation of the signal, with 20 repetitions.

    Parameters
    ----------
    traces : sequence
        From `signal_traces`, for each of several splits of the repetitions.

    Returns
    -------
    float
        NaN without splits, and where the halves share no variance.
    """
    trace, trace_of_square = np.mean(traces, axis=0) if traces else (0, 0)
    return float(trace**2 / trace_of_square) if trace > 0 and trace_of_square > 0 else np.nan
