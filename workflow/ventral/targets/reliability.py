"""The reliability of exactly the responses that are scored: the share of their variance within folds that is no noise.

    rho = 1 - N / SS,

where SS is the sum of squares of mean responses within folds, and N what noise alone would give: the sum over folds of
(1 - 1/n_f) times the sum over a fold's n_f stimuli of noise variance / count, times 1 - (5/3) / df for small samples
(`small_sample_factor`). rho is not clipped: without clipping its mean over neurons is that of the truth. A perfect
model's pooled r is the root of it, whatever the counts and the folds.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ventral.mappings.correlation import deviations_within_folds, sums_by_fold
from ventral.recordings.noise import Noise

# Standard error of a perfect model's score, up to which a number that is divided by the ceiling counts as valid.
LARGEST_STANDARD_ERROR = 0.25
SMALL_SAMPLE = 5 / 3
# Degrees of freedom of its noise, from which on it does.
FEWEST_DEGREES_OF_FREEDOM = 20
# Degrees of freedom of the responses' sum of squares, below which there is no reliability.
FEWEST_OF_SAMPLE = 10


@dataclass(frozen=True)
class Reliability:
    """Reliability of the scored responses of each neuroid.

    Attributes
    ----------
    squares, noise : (folds, neuroids) arrays
        SS and N of each fold, N with the factor for small samples. The noise is NaN where the neuroid was shown no
        stimulus twice.
    standard_error : (neuroids,) array
        Of the score of a perfect model; infinite where rho is not positive.
    degrees_of_freedom : (neuroids,) array
        Of the estimate of the noise.
    """

    squares: NDArray[np.float64]
    noise: NDArray[np.float64]
    standard_error: NDArray[np.float64]
    degrees_of_freedom: NDArray[np.float64]

    @property
    def rho(self) -> NDArray[np.float64]:
        """Reliability (neuroids,); NaN where no fold varies, nothing was repeated, or too few stimuli share folds."""
        return _reliability(self.noise.sum(axis=0), self.squares.sum(axis=0))

    @property
    def valid(self) -> NDArray[np.bool_]:
        """Whether a score divided by the ceiling has a standard error (neuroids,) that lets it be read.

        The standard error itself is an estimate that needs some degrees of freedom of noise.
        """
        enough = self.degrees_of_freedom >= FEWEST_DEGREES_OF_FREEDOM
        return enough & (self.standard_error <= LARGEST_STANDARD_ERROR)


def reliability_within_folds(
    noise: Noise, folds: Sequence[NDArray], scored: NDArray[np.bool_] | None = None
) -> Reliability:
    """Return the reliability of mean responses within held-out folds.

    A fold in which a neuroid's responses are constant adds nothing to SS, but its estimated noise to N: noise can make
    few counts of spikes equal by chance, and to leave just these folds out would raise rho.

    Parameters
    ----------
    noise : Noise
        From `ventral.recordings.noise.noise_of`.
    folds : sequence of integer arrays
        Rows of each fold, none empty.
    scored : (n, neuroids) array, optional
        Which responses are scored; all that there are, if not given.
    """
    known = np.isfinite(noise.means) if scored is None else np.isfinite(noise.means) & scored
    deviations = deviations_within_folds(noise.means, known, folds)
    squares = sums_by_fold(deviations**2, folds)
    of_folds = small_sample_factor(noise, known, folds) * noise_within_folds(noise.variances_of_means, known, folds)
    rho = _reliability(of_folds.sum(axis=0), squares.sum(axis=0))
    error = standard_error(rho, noise, known, folds)
    return Reliability(squares, of_folds, error, noise.degrees_of_freedom)


def noise_within_folds(variances: NDArray, known: NDArray[np.bool_], folds: Sequence[NDArray]) -> NDArray[np.float64]:
    """Return the sum of squares (folds, neuroids) that noise alone would give within each fold.

    Parameters
    ----------
    variances : (n, neuroids) array
        Noise variance of each mean response.
    known : (n, neuroids) array
        Which responses are scored.
    folds : sequence of integer arrays
        Rows of each fold, none empty.
    """
    rows = np.concatenate(folds)
    n = sums_by_fold(known[rows].astype(float), folds)
    return (1 - 1 / np.maximum(n, 1)) * sums_by_fold(np.where(known[rows], variances[rows], 0.0), folds)


def standard_error(
    rho: NDArray, noise: Noise, known: NDArray[np.bool_], folds: Sequence[NDArray]
) -> NDArray[np.float64]:
    """Return the standard error of the score of a perfect model, about

        (1 - rho) / (2 rho) sqrt(2 n / (n - folds) sum m^-2 / (sum m^-1)^2 + 2 / sum (m - 1)),

    with the sums over counts m of the n scored stimuli and of all repeated ones. The first term under the root is the
    variance of the noise's sum of squares in the responses, of which each fold's mean takes one degree of freedom. The
    second is that of the estimate of noise.

    Parameters
    ----------
    rho : (neuroids,) array
    noise : Noise
    known : (n, neuroids) array
        Which responses are scored.
    folds : sequence of integer arrays
        Rows of each fold, none empty.

    Returns
    -------
    (neuroids,) array
        Infinite where rho is not positive, NaN where there is none.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        of_sample = 2 / degrees_of_freedom_of_sample(noise, known, folds)
        error = (1 - rho) / (2 * rho) * np.sqrt(of_sample + 2 / noise.degrees_of_freedom)
    return np.where(rho <= 0, np.inf, error)


def degrees_of_freedom_of_sample(
    noise: Noise, known: NDArray[np.bool_], folds: Sequence[NDArray]
) -> NDArray[np.float64]:
    """Return the degrees of freedom (neuroids,) of the noise's sum of squares in the scored responses.

    (n - folds) / n (sum m^-1)^2 / sum m^-2 over counts m, for noise of equal variance (Satterthwaite 1946, Biometrics
    Bulletin 2:110); each fold's mean takes one. NaN where nothing is scored.
    """
    rows = np.concatenate(folds)
    inverse = np.where(known[rows], 1 / np.maximum(noise.counts[rows], 1), 0.0)
    n = known[rows].sum(axis=0)
    n_folds = (sums_by_fold(known[rows].astype(float), folds) > 0).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return (n - n_folds) / n * inverse.sum(axis=0) ** 2 / (inverse**2).sum(axis=0)


def small_sample_factor(noise: Noise, known: NDArray[np.bool_], folds: Sequence[NDArray]) -> NDArray[np.float64]:
    """Return 1 - (5/3) / df (neuroids,), which N is multiplied by; NaN where df is below 10.

    The responses' sum of squares varies from sample to sample, and so N / SS is too large on average: a perfect model's
    median score is 0.98 to 1.06 with 100 stimuli at rho = 0.2 to 0.3, in seven designs of counts. With the factor it is
    0.95 to 1.02 there, and sqrt(sum r |r| / sum rho) 1.00 to 1.04 in place of 1.02 to 1.09. With 600 stimuli both
    change by 0.01 at most. The 5/3 comes of these simulations.

    Parameters
    ----------
    noise, known, folds
        As for `standard_error`.
    """
    df = degrees_of_freedom_of_sample(noise, known, folds)
    with np.errstate(divide="ignore"):
        factor = 1 - SMALL_SAMPLE / df
    # So few responses vary too much from sample to sample for any ceiling.
    return np.where(df >= FEWEST_OF_SAMPLE, factor, np.nan)


def _reliability(noise: NDArray, squares: NDArray) -> NDArray[np.float64]:
    return 1 - np.divide(noise, squares, out=np.full(squares.shape, np.nan), where=squares > 0)
