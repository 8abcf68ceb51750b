"""Correlation of predictions with responses within held-out folds, and its correction for noise."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ventral.mappings.standardisation import ROUNDING, varies


@dataclass(frozen=True)
class Sums:
    """Sums over stimuli of squares and products of deviations from the means of folds.

    A row is a fold, a resample of all folds, or all folds together.

    Attributes
    ----------
    xx, yy, xy : (rows, targets) arrays
        Sums for predictions x and responses y. Exactly 0 where deviations are only rounding.
    n : (rows, targets) array
        Number, or sum of weights, of the stimuli with both.
    """

    xx: NDArray[np.float64]
    yy: NDArray[np.float64]
    xy: NDArray[np.float64]
    n: NDArray[np.float64]

    @property
    def r(self) -> NDArray[np.float64]:
        """Pearson's r (rows, targets); NaN where predictions or responses do not vary."""
        defined = (self.xx > 0) & (self.yy > 0)
        size = np.sqrt(np.where(defined, self.xx, np.nan)) * np.sqrt(np.where(defined, self.yy, np.nan))
        return self.xy / size

    def __add__(self, other: "Sums") -> "Sums":
        """Return the sums over the stimuli of both."""
        return Sums(self.xx + other.xx, self.yy + other.yy, self.xy + other.xy, self.n + other.n)

    def pooled(self, rows: ArrayLike | slice = slice(None)) -> "Sums":
        """Return the sums over rows, as one row."""
        return Sums(*(part[rows].sum(axis=0, keepdims=True) for part in (self.xx, self.yy, self.xy, self.n)))


def sums_within_folds(predictions: NDArray, responses: NDArray, folds: Sequence[NDArray]) -> Sums:
    """Return the sums of squares and products of each fold.

    Parameters
    ----------
    predictions, responses : (n, targets) arrays
        A target skips the stimuli for which either is NaN.
    folds : sequence of integer arrays
        Rows of each held-out fold, none empty. Stimuli in no fold are not scored.

    Returns
    -------
    Sums
        One row for each fold. A fold with one stimulus, or with constant predictions or responses, has covariance 0.
    """
    known = np.isfinite(predictions) & np.isfinite(responses)
    x = deviations_within_folds(predictions, known, folds)
    y = deviations_within_folds(responses, known, folds)
    rows = np.concatenate(folds)
    products = (sums_by_fold(product, folds) for product in (x * x, y * y, x * y))
    return Sums(*products, sums_by_fold(known[rows].astype(float), folds))


def deviations_within_folds(values: NDArray, known: NDArray[np.bool_], folds: Sequence[NDArray]) -> NDArray[np.float64]:
    """Return deviations from the means of folds, rows in the order of the folds; 0 where not known or constant.

    Parameters
    ----------
    values : (n, targets) array
    known : (n, targets) array
        True for the values that count.
    folds : sequence of integer arrays
        Rows of each fold, none empty.

    Returns
    -------
    (stimuli in folds, targets) array
    """
    rows, sizes = np.concatenate(folds), [len(fold) for fold in folds]
    known = known[rows]
    values = np.where(known, values[rows], 0.0)
    means = sums_by_fold(values, folds) / np.maximum(sums_by_fold(known.astype(float), folds), 1)
    deviations = np.where(known, values - np.repeat(means, sizes, axis=0), 0.0)
    varying = varies(*(np.sqrt(sums_by_fold(part**2, folds)) for part in (deviations, values)))
    return np.where(np.repeat(varying, sizes, axis=0), deviations, 0.0)


def sums_by_fold(values: NDArray, folds: Sequence[NDArray]) -> NDArray[np.float64]:
    """Return the sums (folds, targets) over each fold of values whose rows are in the order of the folds."""
    starts = np.cumsum([0, *(len(fold) for fold in folds[:-1])])
    return np.add.reduceat(values, starts, axis=0)


def pooled_r(sums: Sums) -> NDArray[np.float64]:
    """Return r over all folds together: predictions and responses are centred within folds.

    Returns
    -------
    (targets,) array
        NaN only where predictions or responses are constant within every fold.
    """
    return sums.pooled().r[0]


def r_folds(sums: Sums) -> NDArray[np.float64]:
    """Return the mean of r over folds, for comparison with published numbers.

    Returns
    -------
    (targets,) array
        Over the folds in which a target has stimuli; NaN where r is not defined in one of these.
    """
    asked = sums.n > 0
    total = np.where(asked, sums.r, 0).sum(axis=0)
    return np.divide(total, asked.sum(axis=0), out=np.full(total.shape, np.nan), where=asked.any(axis=0))


def r_squared(r: NDArray) -> NDArray[np.float64]:
    """Return r squared, 0 where r is negative or not defined (Tuckute et al. 2023, PLoS Biology 21:e3002366)."""
    return np.where(r > 0, r, 0.0) ** 2


def resampled_sums(predictions: NDArray, responses: NDArray, folds: Sequence[NDArray], weights: NDArray) -> Sums:
    """Return the sums over all folds of resampled stimuli, centred within each resampled fold.

    Parameters
    ----------
    predictions, responses : (n, targets) arrays
        NaN where a value is missing.
    folds : sequence of integer arrays
        Rows of each fold, none empty.
    weights : (resamples, n) array
        Number of times that each stimulus is drawn.

    Returns
    -------
    Sums
        One row for each resample; its `r` is the pooled r of the resample.
    """
    known = np.isfinite(predictions) & np.isfinite(responses)
    rows, ends = np.concatenate(folds), np.cumsum([len(fold) for fold in folds])
    x = deviations_within_folds(predictions, known, folds)
    y = deviations_within_folds(responses, known, folds)
    total = np.zeros((4, len(weights), predictions.shape[1]))
    for start, end in zip([0, *ends], ends, strict=False):
        w, known_of_fold = weights[:, rows[start:end]].astype(float), known[rows[start:end]]
        # Without missing values, the sum of weights is the same for all targets.
        size = w.sum(axis=1)[:, None] if known_of_fold.all() else w @ known_of_fold
        for sums, of_fold in zip(total, (*_resampled_products(x[start:end], y[start:end], w, size), size), strict=True):
            sums += of_fold
    return Sums(*total)


def _resampled_products(x: NDArray, y: NDArray, w: NDArray, size: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """Return xx, yy and xy (resamples, targets) of one fold, 0 where one stimulus was drawn again and again."""
    n = np.maximum(size, 1)
    # One product of all is faster than five.
    sums = w @ np.concatenate([x, y, x * x, y * y, x * y], axis=1)
    sum_x, sum_y, square_x, square_y, products = np.split(sums, 5, axis=1)
    xx, yy = square_x - sum_x**2 / n, square_y - sum_y**2 / n
    varying_x, varying_y = varies(xx, square_x, ROUNDING), varies(yy, square_y, ROUNDING)
    xy = products - sum_x * sum_y / n
    return np.where(varying_x, xx, 0), np.where(varying_y, yy, 0), np.where(varying_x & varying_y, xy, 0)


def predictivity(r: NDArray, *reliabilities: NDArray) -> NDArray[np.float64]:
    """Return r divided by the square roots of reliabilities; NaN where a reliability is not positive.

    The first is the reliability of the responses. The second, if given, is that of the predictions, which are noisy
    because fits are (Yamins et al. 2014, PNAS 111:8619; Muzellec and Kar 2026). The quotient is then the correlation
    of noiseless responses with the predictions of a fit with the same penalty on noiseless responses.
    """
    for rho in reliabilities:
        r = r / np.sqrt(np.where(np.asarray(rho) > 0, rho, np.nan))
    return r


def explained_variance(r: NDArray, *reliabilities: NDArray) -> NDArray[np.float64]:
    """Return r |r| divided by reliabilities: the explained share of explainable variance, negative for a negative r."""
    quotient = predictivity(r, *reliabilities)
    return quotient * np.abs(quotient)


def median_predictivity(r: NDArray, reliability: NDArray) -> float:
    """Return the median of r / sqrt(rho) over neurons, including those without a positive reliability.

    The score of a neuron whose estimated reliability is not positive counts as infinite, with the sign of its r.
    Leaving out such neurons would select neurons by the estimate in the denominator, and would lower the median.

    Parameters
    ----------
    r, reliability : (neurons,) arrays
        Neurons that lack either are skipped.

    Returns
    -------
    float
        NaN without neurons; infinite where most have no positive reliability.
    """
    known = np.isfinite(r) & np.isfinite(reliability)
    if not known.any():
        return float("nan")
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.median(r[known] / np.sqrt(np.maximum(reliability[known], 0))))


def summed_predictivity(r: NDArray, reliability: NDArray) -> float:
    """Return sqrt(sum r |r| / sum rho) over neurons, which needs no threshold of reliability.

    Parameters
    ----------
    r, reliability : (neurons,) arrays
        Reliabilities are not clipped. Neurons that lack either are skipped.

    Returns
    -------
    float
        Negative if the sum of r |r| is; NaN if the sum of reliabilities is not positive.
    """
    known = np.isfinite(r) & np.isfinite(reliability)
    explained, explainable = (r[known] * np.abs(r[known])).sum(), reliability[known].sum()
    if not explainable > 0:
        return float("nan")
    return float(np.sign(explained) * np.sqrt(np.abs(explained) / explainable))


def smallest_significant_r(n: NDArray) -> NDArray[np.float64]:
    """Return the r over n values, 3 or more, that is above chance at the level of 5 %, one-sided."""
    from scipy.special import stdtrit

    df = np.asarray(n, dtype=np.float64) - 2
    t = stdtrit(df, 0.95)
    return t / np.sqrt(df + t**2)


def reliability_over_pairs(values: NDArray) -> NDArray[np.float64]:
    """Return the reliability of means over repetitions, from the correlations of single repetitions.

    Let m be the median of r over pairs of k repetitions. The reliability is k m / (1 + (k - 1) m), by the formula of
    Spearman and Brown. It is at least the smallest r that is above chance, 0.182 for 83 stimuli. Tuckute et al. 2023
    (PLoS Biology 21:e3002366) correct r squared by such reliabilities of responses and of predictions.

    Parameters
    ----------
    values : (repetitions, n, targets) array
        Responses, or predictions by fits on single repetitions; NaN where missing. A pair with fewer than 3 stimuli is
        skipped. Where values do not vary, r is 0.

    Returns
    -------
    (targets,) array
        NaN for targets without a pair.
    """
    everything = [np.arange(values.shape[1])]
    sums = [sums_within_folds(*pair, everything) for pair in combinations(values, 2)]
    reliability = np.full(values.shape[2], np.nan)
    if not sums:
        return reliability
    n = np.concatenate([of_pair.n for of_pair in sums])
    r = np.where(n >= 3, np.nan_to_num(np.concatenate([of_pair.r for of_pair in sums])), np.nan)
    paired = (n >= 3).any(axis=0)
    m = np.maximum(np.nanmedian(r[:, paired], axis=0), 0)
    k = np.isfinite(values[:, :, paired]).any(axis=1).sum(axis=0)
    floor = smallest_significant_r(n[:, paired].max(axis=0))
    reliability[paired] = np.maximum(k * m / (1 + (k - 1) * m), floor)
    return reliability


def prediction_reliability(first: NDArray, second: NDArray, folds: Sequence[NDArray]) -> NDArray[np.float64]:
    """Return the reliability of predictions by fits on all repetitions, from fits on halves of the repetitions.

    r is the correlation between the predictions of two fits on disjoint halves, pooled over folds and splits. The
    formula 2 r / (1 + r) corrects r to twice the repetitions (Spearman 1910 and Brown 1910, British Journal of
    Psychology 3:271 and 3:296). For a linear fit with one penalty the correction is exact, because the prediction by
    all repetitions is the mean of both.

    Parameters
    ----------
    first, second : (splits, n, targets) arrays
        Held-out predictions of the fits on either half, in each of several random splits.
    folds : sequence of integer arrays
        Rows of each held-out fold, none empty.

    Returns
    -------
    (targets,) array
        NaN where predictions are constant within every fold.
    """
    of_splits = [sums_within_folds(a, b, folds).pooled() for a, b in zip(first, second, strict=True)]
    sums = Sums(*(np.sum([getattr(part, name) for part in of_splits], axis=0) for name in ("xx", "yy", "xy", "n")))
    r = sums.r[0]
    return np.divide(2 * r, 1 + r, out=np.full(r.shape, np.nan), where=1 + r > ROUNDING)
