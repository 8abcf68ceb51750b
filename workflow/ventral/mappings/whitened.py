"""Whitened comparison of dissimilarity matrices: correlated errors of distances that share a stimulus are taken out.

Diedrichsen et al. 2021 (Neurons, Behavior, Data Analysis, and Theory 5:3). Where patterns differ only by independent
noise, the errors of squared distances d have a covariance proportional to V = (C C^T) squared element by element. C
takes the differences of all pairs. V is 4 for a pair with itself, 1 for pairs that share a stimulus, and otherwise 0.
The whitened cosine of d and e is d^T V^-1 e over the roots of d^T V^-1 d and e^T V^-1 e.

V = 4 I + A, where A says which pairs share a stimulus (the triangular graph). A and V have three eigenspaces. The
eigenvalues of V are 2 n for constants, n for sums a_i + a_j with mean 0, and 2 for the rest.

Let J = I - 1 1^T / n, and let D and E be the square matrices of d and e. J D J maps the same eigenspaces to orthogonal
ones, and its squared length is 4 d^T V^-1 d on each of them. So the inner product of the matrices J D J and J E J is 4
d^T V^-1 e. The whitened cosine is therefore biased CKA. It takes n^2 steps, and V is never made.
"""

import numpy as np
from numpy.typing import NDArray

from ventral.mappings.cka import doubly_centred
from ventral.mappings.standardisation import largest_size, varies

WHITENED = ("whitened_cosine", "whitened_correlation")


def whitened(
    dissimilarities: NDArray, comparison: str, present: NDArray[np.bool_] | None = None
) -> NDArray[np.float64]:
    """Return a centred matrix; the inner products of such matrices are proportional to d^T V^-1 e.

    Parameters
    ----------
    dissimilarities : (n, n) array
        Symmetric, 0 on the diagonal.
    comparison : str
        `whitened_cosine`, or `whitened_correlation`, which first subtracts the mean dissimilarity.
    present : (n, n) boolean array, optional
        Symmetric, true on the diagonal. False leaves a pair out, such as two copies of a stimulus in a bootstrap.

    Returns
    -------
    (n, n) array
        0 for pairs that are left out; NaN where a dissimilarity is.
    """
    matrix = dissimilarities
    if comparison == "whitened_correlation":
        pairs = ~np.eye(len(matrix), dtype=bool)
        matrix = np.where(pairs, matrix - matrix[pairs if present is None else pairs & present].mean(), 0)
    if present is None:
        return doubly_centred(matrix)
    # Least squares on the present entries. Without missing ones, the effects are means of rows and columns.
    known = np.where(present, matrix, 0)
    effects = np.linalg.solve(np.diag(present.sum(axis=1)) + present, known.sum(axis=1))
    return np.where(present, known - effects[:, None] - effects, 0)


def unit_whitened(
    dissimilarities: NDArray, comparison: str, present: NDArray[np.bool_] | None = None
) -> NDArray[np.float64]:
    """Return the matrix of `whitened` at unit length; the inner product of two is the whitened comparison.

    The comparisons are `cosine_cov` and `corr_cov` of rsatoolbox, without a covariance of stimuli. The result is NaN
    where dissimilarities do not differ from 0, or for `whitened_correlation` from their mean, by more than rounding.
    """
    largest = largest_size(dissimilarities)
    matrix = whitened(dissimilarities / (largest or 1.0), comparison, present)
    if not varies(largest_size(matrix), 1):
        return np.full(matrix.shape, np.nan)
    return matrix / np.linalg.norm(matrix)
