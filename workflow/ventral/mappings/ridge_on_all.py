"""Ridge regression on all stimuli, from one Gram matrix, its penalty chosen by cross-validation on all stimuli.

Let K (n, n) be the Gram matrix of centred features, Y (n, targets) centred responses, a a penalty, and

    P = (K + a I)^-1 on the vectors orthogonal to 1, and 0 on 1.

The fit on all stimuli has the weights w = X^T c with c = P Y. The fit without the stimuli S of a fold predicts them
with the errors e_S = (P_SS)^-1 (P Y)_S (Golub, Heath and Wahba 1979, Technometrics 21:215; with an intercept, Cawley
and Talbot 2007, JMLR 8:841). All is float64: a readout is made once, and used often.
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
        c, which sums to 0 over stimuli: the weights of the features X (n, p), of any centring, are X^T c.
    penalty : (targets,) array
        Penalty of each target.
    candidate : (targets,) integer array
        Its place among the candidates.
    """

    coefficients: NDArray[np.float64]
    penalty: NDArray[np.float64]
    candidate: NDArray[np.intp]


def ridge_on_all(gram: ArrayLike, responses: ArrayLike, folds: Sequence[ArrayLike], penalties: ArrayLike) -> RidgeOnAll:
    """Fit every target on all stimuli, at the penalty with the smallest squared error on stimuli held out of the fit.

    The intercept, which is not penalised, is the mean response less the prediction of the mean features. Equal to
    scikit-learn's ``Ridge(alpha=penalty)`` up to rounding.

    Parameters
    ----------
    gram : (n, n) array
        Inner products of the stimuli's feature vectors, K = X X^T, of any centring.
    responses : (n, targets) or (n,) array
        Finite values.
    folds : sequence of integer arrays
        Rows that are held out together; three folds at least, each row in exactly one.
    penalties : (m,) array
        Positive candidates, in the units of the Gram matrix; of equal errors the earlier is chosen.

    Raises
    ------
    ValueError
        If shapes disagree, values are not finite, folds are not a partition, or a penalty is not positive.
    """
    gram = np.asarray(gram, dtype=np.float64)
    responses, folds, penalties = checked(responses, folds, penalties)
    n = len(responses)
    if gram.shape != (n, n) or not np.isfinite(gram).all():
        raise ValueError(f"a finite gram ({n}, {n}) is needed for {n} stimuli in responses; got shape {gram.shape}")
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
    # Fitted again at the penalties that were chosen: all inverses together would take too much memory.
    fits = [
        delayed(_coefficients_of_chosen, pure=False)(filled, penalty, centred, candidate, m)
        for m, penalty in enumerate(penalties)
    ]
    return delayed(_assembled, pure=False)(fits, candidate, penalties, responses.shape)


def _centred_and_filled(gram: NDArray) -> NDArray[np.float64]:
    """Return K (n, n) of centred features, with their mean squared length in the direction of 1, which is empty."""
    gram = np.array(gram, dtype=np.float64)
    n, means = len(gram), gram.mean(axis=0)
    gram -= means[:, None]
    gram -= means[None, :] - means.mean()
    mean_square = float(np.trace(gram)) / n
    gram += (mean_square if mean_square > 0 else 1.0) / n
    return gram


def _held_out_squares(filled: NDArray, penalty: float, responses: NDArray, folds: Sequence[NDArray]) -> NDArray:
    """Return the sums of squared errors (targets,) on stimuli that were held out of the fit."""
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
    # Centred responses have no part in the direction of 1, nor does what solves for them, but for rounding.
    coefficients = lapack.solve(factor, responses[:, columns])
    return coefficients - coefficients.mean(axis=0)


def _assembled(
    fits: Sequence[NDArray], candidate: NDArray[np.intp], penalties: Sequence[float], shape: tuple[int, int]
) -> RidgeOnAll:
    coefficients = np.empty(shape)
    for m, of_candidate in enumerate(fits):
        coefficients[:, candidate == m] = of_candidate
    return RidgeOnAll(coefficients, np.array(penalties)[candidate], candidate)
