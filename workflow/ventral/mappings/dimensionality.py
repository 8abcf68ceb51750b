"""Effective dimensionality: in how many directions a representation varies over stimuli."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ventral.mappings.held_out import row_blocks
from ventral.mappings.standardisation import largest_size, varies


def effective_dimensionality(gram: NDArray) -> float:
    """Return the participation ratio of the variances along the principal components, (sum v)^2 / sum v^2.

    Gao et al. 2017 (bioRxiv 214262); Del Giudice 2021 (Multivariate Behavioral Research 56:527), there n2. The
    variances are, but for a factor, the eigenvalues of the centred Gram matrix K: it is (trace K)^2 / trace(K^2).

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
        # Squares of the largest and of the smallest numbers leave the range of numbers.
        centred = (gram[rows] - means[rows, None] - means) / largest
        trace += np.trace(centred[:, rows])
        squares += np.vdot(centred, centred)
    return float(trace**2 / squares) if varies(trace, len(gram)) else np.nan


def signal_traces(half: NDArray, other: NDArray) -> tuple[float, float]:
    """Return the trace of the signal's centred Gram matrix, and of its square, from two halves of the repetitions.

    Noise varies in as many directions as there are neuroids, and adds to the participation ratio of measured responses.
    Of two halves A and B, centred over stimuli, M = A B^T has the inner products of the signal as its expectation,
    since their noise is independent. So have M_ij M_ji their squares, for i other than j: trace M and trace(M M) take
    the place of trace K and trace(K^2).

    Parameters
    ----------
    half, other : (n, neuroids) arrays
        Mean responses.
    """
    products = (half - half.mean(axis=0)) @ (other - other.mean(axis=0)).T
    return float(np.trace(products)), float(np.vdot(products, products.T))


def dimensionality_of_signal(traces: Sequence[tuple[float, float]]) -> float:
    """Return the participation ratio of the signal's variances, without the noise.

    What is left of noise in the squares of M_ii makes it somewhat too small: by 5 % where noise has twice the signal's
    standard deviation in 20 repetitions.

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
