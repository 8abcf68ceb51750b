"""Ridge regression on all stimuli from one Gram matrix, with penalties chosen by cross-validation on all stimuli.

Let K (n, n) be the Gram matrix of centred features, Y (n, targets) centred responses, a a penalty, and

    P = (K + a I)^-1 on the vectors orthogonal to 1, and 0 on 1.

The fit on all stimuli has the weights w = X^T c with c = P Y. The fit without the stimuli S of a fold predicts them
with the errors `e_S = (P_SS)^-1 (P Y)_S` (Golub, Heath and Wahba 1979, Technometrics 21:215). Cawley and Talbot (2007,
JMLR 8:841) have the identity with an intercept. All numbers are float64, because a readout is made once and used often.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from dask.delayed import Delayed, delayed
from numpy.typing import ArrayLike, NDArray

from ventral.mappings import lapack
from ventral.mappings.held_out import inverse_in, penalised, squared_errors
from ventral.mappings.ridge import checked
from ventral.running.parallel import computed


@dataclass(frozen=True)
class RidgeOnAll:
    """A fit on all stimuli.

    Attributes
    ----------
    coefficients : (n, targets) array
        c, which sums to 0 over stimuli. The weights of features X (n, p) with any centring are X^T c.
    penalty : (targets,) array
        Penalty of each target.
    candidate : (targets,) integer array
        Index of the penalty among the candidates.
    """

    coefficients: NDArray[np.float64]
    penalty: NDArray[np.float64]
    candidate: NDArray[np.intp]


def ridge_on_all(gram: ArrayLike, responses: ArrayLike, folds: Sequence[ArrayLike], penalties: ArrayLike) -> RidgeOnAll:
    """Fit every target on all stimuli, at the penalty with the smallest squared error on held-out stimuli.

    The intercept is not penalised. It is the mean response minus the prediction for the mean features. The result
    equals scikit-learn's ``Ridge(alpha=penalty)`` up to rounding.

    Parameters
    ----------
    gram : (n, n) array
        Inner products of the stimuli's feature vectors, K = X X^T, with any centring.
    responses : (n, targets) or (n,) array
        Finite values.
    folds : sequence of integer arrays
        Rows that are held out together; three folds at least, each row in exactly one fold.
    penalties : (m,) array
        Positive candidates, in the units of the Gram matrix; the earlier one is chosen among equal errors.

    Raises
    ------
    ValueError
        If shapes disagree, values are not finite, folds are not a partition, or a penalty is not positive.
    """
    gram = np.asarray(gram, dtype=np.float64)
    responses, folds, penalties = checked(responses, folds, penalties)
    n = len(responses)
    if gram.shape != (n, n) or not np.isfinite(gram).all():
        raise ValueError(f"gram must be finite, with shape ({n}, {n}) as responses have {n} stimuli; got {gram.shape}")
    (result,) = computed(ridge_on_all_graph(gram, responses, folds, list(penalties)))
    return result


def ridge_on_all_graph(
    gram: NDArray | Delayed, responses: NDArray, folds: Sequence[NDArray], penalties: Sequence[float | Delayed]
) -> Delayed:
    """Return the computation of `ridge_on_all` as a Dask graph, with a task for each penalty.

    Parameters
    ----------
    gram : (n, n) array
        Given or delayed.
    responses, folds
        As `ventral.mappings.ridge.checked` returns them.
    penalties : sequence of floats
        Each given or delayed.
    """
    filled = delayed(_centred_and_filled, pure=False)(gram)
    centred = delayed(responses - responses.mean(axis=0), pure=False)
    errors = [delayed(_held_out_squares, pure=False)(filled, penalty, centred, folds) for penalty in penalties]
    candidate = delayed(_smallest, pure=False)(errors)
    # Fit again at the chosen penalties, because all inverses together would take too much memory.
    fits = [
        delayed(_coefficients_of_chosen, pure=False)(filled, penalty, centred, candidate, m)
        for m, penalty in enumerate(penalties)
    ]
    return delayed(_assembled, pure=False)(fits, candidate, penalties, responses.shape)


def _centred_and_filled(gram: NDArray) -> NDArray[np.float64]:
    """Return K (n, n) of centred features, with their mean squared length filled in for the empty direction 1."""
    gram = np.array(gram, dtype=np.float64)
    n, means = len(gram), gram.mean(axis=0)
    gram -= means[:, None]
    gram -= means[None, :] - means.mean()
    mean_square = float(np.trace(gram)) / n
    gram += (mean_square if mean_square > 0 else 1.0) / n
    return gram


def _held_out_squares(filled: NDArray, penalty: float, responses: NDArray, folds: Sequence[NDArray]) -> NDArray:
    """Return the sums of squared errors (targets,) on held-out stimuli."""
    return squared_errors(inverse_in(np.float64, filled, penalty), responses, folds).sum(axis=0)


def _smallest(errors: Sequence[NDArray]) -> NDArray[np.intp]:
    return np.argmin(errors, axis=0)


def _coefficients_of_chosen(
    filled: NDArray, penalty: float, responses: NDArray, candidate: NDArray[np.intp], m: int
) -> NDArray[np.float64]:
    """Return c (n, some targets) of the targets that chose candidate m."""
    columns = np.flatnonzero(candidate == m)
    if not len(columns):
        return np.empty((len(filled), 0))
    factor = penalised(np.float64, filled, penalty)
    lapack.factorise(factor)
    # Centred responses and their solutions have no part in the direction of 1, except for rounding.
    coefficients = lapack.solve(factor, responses[:, columns])
    return coefficients - coefficients.mean(axis=0)


def _assembled(
    fits: Sequence[NDArray], candidate: NDArray[np.intp], penalties: Sequence[float], shape: tuple[int, int]
) -> RidgeOnAll:
    coefficients = np.empty(shape)
    for m, of_candidate in enumerate(fits):
        coefficients[:, candidate == m] = of_candidate
    return RidgeOnAll(coefficients, np.array(penalties)[candidate], candidate)
