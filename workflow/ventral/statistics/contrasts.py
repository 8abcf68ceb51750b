"""Test whether the best of some layers scores better than the best of others.

A beats B if every layer of B is beaten by some layer of A. This is an intersection-union test (Berger 1982,
Technometrics 24:295) of max-t tests (Westfall and Young 1993, Resampling-Based Multiple Testing). Ties of best layers,
on one side or on both, are therefore no evidence. The test also corrects for the search for the best layer.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ventral.mappings.standardisation import varies
from ventral.statistics.influence import Estimates

HOLDS, FAILS, OPEN = "holds", "fails", "undecided"
# One-sided error rate: claims are decided in at most 5 % of null experiments.
LEVEL = 0.025
N_DRAWS = 1000
# Candidates for the best layer of a side lie within this many standard errors of its highest score.
NEAR_BEST = 3.0
POWER = 0.8


@dataclass(frozen=True)
class Contrast:
    """The difference of the best layers of two sides.

    Attributes
    ----------
    best, other : int
        Layer of each side with the highest score.
    difference : float
        Score of the first layer minus the score of the second.
    low, high : float
        95 % interval of the difference. The interval excludes 0 unless the verdict is `undecided`.
    p : float
        Two-sided p value.
    verdict : str
        `holds` if the first side beats the second, `fails` if the second beats the first, else `undecided`.
    degrees_of_freedom : int
    detectable : float
        Difference of these two layers that 80 % of experiments would decide.
    """

    best: int
    other: int
    difference: float
    low: float
    high: float
    p: float
    verdict: str
    degrees_of_freedom: int
    detectable: float


def contrast(estimates: Estimates, better: Sequence[int], worse: Sequence[int], seed: int) -> Contrast:
    """Test whether the best of some layers scores better than the best of others.

    Let d be the difference of a layer a of A and a layer b of B, and s its standard error. Let q_b be the critical
    value of the largest d/s over A under the null hypothesis. A beats B if for every b some a has d > q_b s. The
    inverted test gives the interval of max theta_A - max theta_B. Its lower end is the minimum over b of the maximum
    over a of d - q_b s.

    Parameters
    ----------
    estimates : Estimates
        Estimates of all layers, on the same stimuli and neurons.
    better, worse : sequences of int
        Layers of A and of B, with none in common.
    seed : int
        Seed of the normal draws that give critical values.

    Raises
    ------
    ValueError
        If a side is empty, layers are in both, a score is not finite, or there are fewer than two units or neurons.
    """
    better, worse = np.asarray(better, dtype=int), np.asarray(worse, dtype=int)
    chosen = np.concatenate([better, worse])
    if not (len(better) and len(worse)) or len(set(chosen)) < len(chosen):
        raise ValueError(f"two sides must have no common layer, got {better.tolist()} and {worse.tolist()}")
    theta, df = estimates.theta, estimates.degrees_of_freedom
    if not np.isfinite(theta[chosen]).all() or df < 1:
        raise ValueError(
            f"scores must be finite, from at least two units and neurons; got {theta[chosen]}, {df + 1} units"
        )
    covariance = estimates.covariance
    draws = np.random.default_rng(seed).multivariate_normal(
        np.zeros(len(theta)), covariance, size=N_DRAWS, method="eigh", check_valid="ignore"
    )
    low, p_better = _beaten_by(theta, covariance, draws, better, worse, df)
    minus_high, p_worse = _beaten_by(theta, covariance, draws, worse, better, df)
    best, other = better[theta[better].argmax()], worse[theta[worse].argmax()]
    error = _standard_errors(covariance, [best], [other])[0, 0]
    return Contrast(
        best=int(best),
        other=int(other),
        difference=float(theta[best] - theta[other]),
        low=low,
        high=-minus_high,
        p=min(1.0, 2 * min(p_better, p_worse)),
        verdict=HOLDS if low > 0 else FAILS if minus_high > 0 else OPEN,
        degrees_of_freedom=df,
        detectable=detectable_difference(error, df),
    )


def detectable_difference(error: float, df: int) -> float:
    """Return the difference that a two-sided t test at 5 % detects with 80 % power, given its standard error."""
    from scipy.special import stdtrit

    return float(-(stdtrit(df, LEVEL) + stdtrit(df, 1 - POWER)) * error)


def holm_adjusted(p: NDArray) -> NDArray[np.float64]:
    """Adjust p values for their number (Holm 1979, Scandinavian Journal of Statistics 6:65); NaN stays NaN."""
    p = np.asarray(p, dtype=float)
    adjusted = np.full(len(p), np.nan)
    order = np.argsort(p)[: np.isfinite(p).sum()]
    steps = p[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return adjusted


def _beaten_by(
    theta: NDArray, covariance: NDArray, draws: NDArray, better: NDArray, worse: NDArray, df: int
) -> tuple[float, float]:
    """Return the lower end of the interval of best `better` minus best `worse`, and the one-sided p value."""
    better = _near_best(theta, covariance, better)
    errors = _standard_errors(covariance, better, worse)
    # Layers with equal predictions differ only by rounding, which counts as no difference.
    differences = np.where(errors > 0, theta[better][:, None] - theta[worse], 0.0)
    ratios = np.divide(differences, errors, out=np.zeros_like(errors), where=errors > 0)
    low, p = np.inf, 0.0
    for b, layer in enumerate(worse):
        drawn = draws[:, better] - draws[:, [layer]]
        scaled = np.divide(drawn, errors[:, b], out=np.zeros_like(drawn), where=errors[:, b] > 0).max(axis=1)
        low = min(low, (differences[:, b] - _critical(scaled, len(better), df) * errors[:, b]).max())
        p = max(p, _p_value(ratios[:, b].max(), scaled, len(better), df))
    return float(low), float(p)


def _near_best(theta: NDArray, covariance: NDArray, layers: NDArray) -> NDArray:
    best = layers[theta[layers].argmax()]
    near = theta[best] - theta[layers] <= NEAR_BEST * _standard_errors(covariance, [best], layers)[0]
    return layers[near]


def _standard_errors(covariance: NDArray, first: Sequence[int], second: Sequence[int]) -> NDArray[np.float64]:
    """Return the standard error of every difference (first, second); 0 if only rounding makes layers differ."""
    variances = np.diag(covariance)
    sums = variances[first][:, None] + variances[second]
    of_differences = sums - 2 * covariance[np.ix_(first, second)]
    return np.sqrt(np.where(varies(of_differences, sums), of_differences, 0.0))


def _critical(scaled: NDArray, n_layers: int, df: int) -> float:
    """Return the critical value of the largest of several t, from draws or Bonferroni's if that is smaller."""
    from scipy.special import ndtr, stdtrit

    of_all = -stdtrit(df, LEVEL / n_layers)
    drawn = np.sort(scaled)[-int(LEVEL * (len(scaled) + 1))]
    return float(of_all if n_layers == 1 else min(-stdtrit(df, ndtr(-drawn)), of_all))


def _p_value(ratio: float, scaled: NDArray, n_layers: int, df: int) -> float:
    """Return the one-sided p value of the largest of several t, at most `LEVEL` if `_critical` is exceeded."""
    from scipy.special import ndtri, stdtr

    of_one = stdtr(df, -ratio)
    of_all = n_layers * of_one
    exceeding = (scaled >= -ndtri(of_one)).sum()
    return float(of_all if n_layers == 1 else min((1 + exceeding) / (1 + len(scaled)), of_all))
