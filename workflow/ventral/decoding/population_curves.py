"""How decoding grows with the number of units, and what more units than there are would add.

The score of n units is taken for

    s(n) = chance + a / (1 + (k / n)^c),    0 <= a <= 1 - chance,

which starts at chance, grows as a power of n and ends at chance + a; k units make half of that. Few sizes cannot tell
the exponent c from the end: it is 0.7, and bootstrap samples have others, from 0.5 to 0.9, so that the interval has
what is not known of it. (Layers of EfficientNet-Lite0 read from up to 32, 64, 128 units, six targets of two
stimulus sets: extrapolated to 1000 units, s is off by 0.06, 0.05, 0.05, root mean square. With c fitted, too, by 0.18,
0.10, 0.08; s_inf - b n^-c by 0.15, 0.12, 0.09.)
"""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

EXPONENT, EXPONENTS = 0.7, (0.5, 0.6, 0.7, 0.8, 0.9)
# With fewer sizes than this, the parameters fit anything.
FEWEST_SIZES = 4
# Half of the growth beyond so many times the largest size: what was measured does not bend.
FARTHEST_HALF = 10
N_HALVES = 300
SAMPLES_OF_EXPONENT = 40
# Of the bootstrap samples, so many may not bend before there is no interval.
FEW = 0.1


def saturating_curves(
    sizes: ArrayLike, scores: ArrayLike, chance: float, exponent: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fit curves to scores by least squares.

    Parameters
    ----------
    sizes : (m,) array
        Numbers of units.
    scores : (curves, m) array
        Finite.
    chance : float
        Score without units.
    exponent : float
        c.

    Returns
    -------
    a, k : (curves,) arrays
        NaN where the fit is undetermined: with fewer than four sizes, and where the curve grows without a bend, k above
        ten times the largest size. Scores that do not rise above chance have a = 0.
    """
    sizes = np.asarray(sizes, dtype=float)
    above = np.atleast_2d(np.asarray(scores, dtype=float)) - chance
    if len(np.unique(sizes)) < FEWEST_SIZES:
        return np.full(len(above), np.nan), np.full(len(above), np.nan)
    halves = np.geomspace(sizes.min() / FARTHEST_HALF, sizes.max() * FARTHEST_HALF, N_HALVES)
    shapes = 1 / (1 + (halves[:, None] / sizes) ** exponent)
    # With k given, a is linear.
    products, squares = above @ shapes.T, np.square(shapes).sum(axis=1)
    heights = np.clip(products / squares, 0, 1 - chance)
    best = (heights * (heights * squares - 2 * products)).argmin(axis=1)
    a, k = np.take_along_axis(heights, best[:, None], axis=1)[:, 0], halves[best]
    endless = (a > 0) & (best == N_HALVES - 1)
    return np.where(endless, np.nan, a), np.where(endless, np.nan, k)


def extrapolated(scores: pd.DataFrame, chance: float, units: int, seed: int) -> tuple[float, float, float]:
    """Return the score that a number of units would have, with a 95 % interval over bootstrap samples of draws.

    Parameters
    ----------
    scores : DataFrame
        Scores of one population: a row a draw, a column a number of units.
    chance : float
        Score without units.
    units : int
        Number of units to extrapolate to.
    seed : int
        Seed of the bootstrap samples.

    Returns
    -------
    score, low, high : float
        NaN where a score is, or where the fit is undetermined; low and high also with a single draw, or where more than
        a tenth of the samples have no determined fit.
    """
    values, sizes = scores.to_numpy(float), scores.columns.to_numpy(float)
    n = len(values)
    if not np.isfinite(values).all():
        return (np.nan,) * 3

    def predicted(means: NDArray, exponent: float) -> NDArray:
        a, k = saturating_curves(sizes, means, chance, exponent)
        return chance + a / (1 + (k / units) ** exponent)

    score = float(predicted(values.mean(axis=0), EXPONENT)[0])
    rng = np.random.default_rng(seed)
    samples = np.concatenate(
        [
            predicted(values[rng.integers(n, size=(SAMPLES_OF_EXPONENT, n))].mean(axis=1), exponent)
            for exponent in EXPONENTS
        ]
    )
    low = high = np.nan
    if n > 1 and np.isfinite(score) and np.isnan(samples).mean() <= FEW:
        low, high = np.nanpercentile(samples, [2.5, 97.5])
    return score, float(low), float(high)
