"""Linear centred kernel alignment (CKA): the similarity of two Gram matrices of the same stimuli.

CKA is HSIC(K, L) / sqrt(HSIC(K, K) HSIC(L, L)) (Kornblith, Norouzi, Lee and Hinton 2019, ICML, PMLR 97:3519). HSIC is
the inner product of the two centred matrices, up to a factor (Gretton et al. 2005, ALT:63). So both forms of CKA are
the cosine of the angle between two matrices. They differ in the centring:

- `biased` centres rows and columns: the CKA of that paper. With few stimuli and many features it nears 1 even for
  unrelated features.
- `debiased` centres without the diagonal, which makes HSIC unbiased (Song et al. 2012, Journal of Machine Learning
  Research 13:1393, equation 5). Nguyen, Raghu and Kornblith (2021, ICLR) use this HSIC in CKA. Unrelated features give
  about 0, and possibly less.
"""

import numpy as np
from numpy.typing import NDArray

from ventral.mappings.standardisation import largest_size, varies


def linear_cka(first: NDArray, second: NDArray) -> float:
    """Return the linear CKA of two representations of the same stimuli.

    Parameters
    ----------
    first, second : (n, n) arrays
        From `unit_centred_gram`, with the same comparison.

    Returns
    -------
    float
        0 to 1 if biased, -1 to 1 if debiased; NaN where a representation does not vary over stimuli.
    """
    return float(np.clip(np.vdot(first, second), -1, 1))


def unit_centred_gram(gram: NDArray, comparison: str) -> NDArray[np.float64]:
    """Return a centred Gram matrix, scaled to unit length as a vector.

    Parameters
    ----------
    gram : (n, n) array
        Symmetric.
    comparison : str
        `biased` or `debiased`.

    Returns
    -------
    (n, n) array
        NaN where nothing varies over stimuli, and with fewer than four stimuli if debiased.
    """
    n = len(gram)
    largest = largest_size(gram)
    if not largest > 0 or (comparison == "debiased" and n < 4):
        return np.full((n, n), np.nan)
    # Squares of very large and very small numbers would overflow or underflow.
    matrix = doubly_centred(gram / largest)
    if not varies(largest_size(matrix), 1):
        return np.full((n, n), np.nan)
    if comparison == "debiased":
        # Centring first improves the precision and changes nothing else.
        scale = np.linalg.norm(matrix)
        matrix = centred_off_diagonal(matrix)
        if not varies(np.linalg.norm(matrix), scale):
            return np.full((n, n), np.nan)
    return matrix / np.linalg.norm(matrix)


def centred_off_diagonal(matrix: NDArray) -> NDArray[np.float64]:
    """Return a symmetric matrix with zero diagonal whose other entries are centred so that all rows sum to 0.

    The inner product of two such matrices is the unbiased HSIC, up to a factor. At least four rows are needed.
    """
    n = len(matrix)
    hollow = matrix - np.diag(np.diag(matrix))
    means = hollow.sum(axis=0) / (n - 2)
    hollow -= means[:, None] + means - means.sum() / (n - 1)
    np.fill_diagonal(hollow, 0)
    return hollow


def products_of_single_features(first: NDArray, second: NDArray) -> NDArray[np.float64]:
    """Return the inner products of the `centred_off_diagonal` Gram matrices of single features.

    With x and y centred: (x . y)^2 - n / (n - 2) sum x^2 y^2 + sum x^2 sum y^2 / ((n - 1)(n - 2)), from equation 5 of
    Song et al. 2012.

    Parameters
    ----------
    first, second : (n, p) arrays
        Column k of `first` is paired with column k of `second`.

    Returns
    -------
    (p,) array
    """
    n = len(first)
    x, y = first - first.mean(axis=0), second - second.mean(axis=0)
    squares = np.square(x), np.square(y)
    of_sums = squares[0].sum(axis=0) * squares[1].sum(axis=0) / ((n - 1) * (n - 2))
    return np.square((x * y).sum(axis=0)) - n / (n - 2) * (squares[0] * squares[1]).sum(axis=0) + of_sums


def doubly_centred(matrix: NDArray) -> NDArray[np.float64]:
    """Return a symmetric matrix minus the means of its rows and columns, J M J with J = I - 1 1^T / n."""
    means = matrix.mean(axis=0)
    return matrix - means[:, None] - means + means.mean()


def gram_of_dissimilarities(dissimilarities: NDArray) -> NDArray[np.float64]:
    """Return the centred Gram matrix of points with given squared distances, -1/2 J D J.

    Gower 1966 (Biometrika 53:325), with J as in `doubly_centred`.

    1 - r is half the squared distance of two feature vectors that are centred and of unit length. For a published
    matrix of 1 - r, the result is half the Gram matrix of response vectors with that scaling.

    Parameters
    ----------
    dissimilarities : (n, n) array
        Symmetric, 0 on the diagonal.
    """
    return -doubly_centred(dissimilarities) / 2
