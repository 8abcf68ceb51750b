"""Scores of predictions against single repetitions, as other benchmarks publish them.

Unlike r, these scores do not centre within folds, and take only stimuli with at least two repetitions. With one test
set, they are therefore exactly the published numbers. With several folds, a different intercept in each fold lowers
them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ventral.mappings.standardisation import varies

MEASURES = ("feve", "cc_norm", "r_average", "r_single_trial")


@dataclass(frozen=True)
class Repetitions:
    """Everything that scores against single repetitions need to know of the responses.

    Attributes
    ----------
    counts, means : (n, targets) arrays
        Number of repetitions of each stimulus, and the mean response.
    squares : (n, targets) array
        Sum of squared deviations of the responses to a stimulus from their mean.
    noise : (n, targets) array
        Noise variance of each mean response, without drifts that all stimuli of a repetition share.
    """

    counts: NDArray[np.intp]
    means: NDArray[np.float64]
    squares: NDArray[np.float64]
    noise: NDArray[np.float64]

    def taken(self, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> "Repetitions":
        """Return the repetitions of some stimuli and targets, by position."""
        places = np.ix_(rows, columns)
        return Repetitions(self.counts[places], self.means[places], self.squares[places], self.noise[places])


def scores_over_repetitions(predictions: NDArray, responses: Repetitions) -> dict[str, NDArray[np.float64]]:
    """Return the scores of predictions (n, targets) against single repetitions, each an array (targets,).

    Let y be single responses, and p the prediction of their stimulus. m and s2 are the mean and the variance of the
    responses to a stimulus. Variances divide by the count less one.

    - `feve`, the fraction of explainable variance explained, is 1 - (mean (y - p)^2 - E) / (Var y - E). E is the mean
      of s2 over stimuli (Cadena et al. 2019, PLoS Computational Biology 15:e1006897; Willeke et al. 2022,
      arXiv:2206.08666).
    - `cc_norm` is Cov(p, m) / sqrt(Var p S), where S is the signal power (Schoppe et al. 2016, Frontiers in
      Computational Neuroscience 10:10). S is Var m minus the mean noise variance of m. If the same stimuli were shown
      in every repetition, S is Schoppe's formula.
    - `r_average` is Pearson's r of p and m, and `r_single_trial` of p and y (Willeke et al. 2022).

    Returns
    -------
    dict
        The keys are `MEASURES`. All are NaN for fewer than two repeated stimuli. Correlations are NaN for constant
        predictions or responses. `feve` is NaN if Var y <= E, and `cc_norm` if S <= 0.
    """
    used = (responses.counts > 1) & np.isfinite(predictions)
    counts = np.where(used, responses.counts, 0).astype(float)
    n, n_responses = used.sum(axis=0), counts.sum(axis=0)
    p, m, squares, noise = (
        np.where(used, part, 0.0) for part in (predictions, responses.means, responses.squares, responses.noise)
    )
    within = squares.sum(axis=0)
    within = np.where(varies(np.sqrt(within), np.sqrt(_weighted_sum(counts, m, m))), within, 0.0)
    expected = _quotient((squares / np.maximum(counts - 1, 1)).sum(axis=0), n)
    error = _quotient(within + _weighted_sum(counts, m - p, m - p), n_responses)
    pp, mm, pm = _weighted_products(p, m, counts)
    total = _quotient(mm + within, n_responses - 1)
    scores = {
        "feve": 1 - _quotient(error - expected, total - expected),
        "r_single_trial": _quotient(pm, np.sqrt(pp * (mm + within))),
    }
    pp, mm, pm = _weighted_products(p, m, used.astype(float))
    signal = mm - noise.sum(axis=0) * (n - 1) / np.maximum(n, 1)
    scores |= {
        "cc_norm": _quotient(pm, np.sqrt(pp * np.maximum(signal, 0))),
        "r_average": _quotient(pm, np.sqrt(pp * mm)),
    }
    return {name: np.where(n > 1, scores[name], np.nan) for name in MEASURES}


def _weighted_products(x: NDArray, y: NDArray, weights: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """Return weighted sums of squares and products (targets,) of deviations from weighted means."""
    size = np.maximum(weights.sum(axis=0), 1)
    deviations = []
    for values in (x, y):
        centred = values - np.einsum("ij,ij->j", weights, values) / size
        squares = (_weighted_sum(weights, part, part) for part in (centred, values))
        deviations.append(np.where(varies(*map(np.sqrt, squares)), centred, 0.0))
    x, y = deviations
    return tuple(_weighted_sum(weights, *pair) for pair in ((x, x), (y, y), (x, y)))


def _weighted_sum(weights: NDArray, x: NDArray, y: NDArray) -> NDArray[np.float64]:
    return np.einsum("ij,ij,ij->j", weights, x, y)


def _quotient(above: NDArray, below: NDArray) -> NDArray[np.float64]:
    return np.divide(above, below, out=np.full(np.shape(above), np.nan), where=below > 0)
