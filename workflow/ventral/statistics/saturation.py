"""Extrapolate a score that grows with the number of predicting neurons to a population of any size.

The curve is c(p) = c_inf - b p^-a for p neurons, with b >= 0. Consistency between subjects has been extrapolated so
before, with an exponential in place of the power (Schrimpf et al. 2021, PNAS 118:e2105646118). With p neurons that are
a random sample, the unexplained share falls as a power of p, as long as the neurons' signals have a spectrum that falls
as a power. The exponent a is chosen among `EXPONENTS` by the squared error. Exponents below 0.5 are left out, because
the data of few sizes would not limit c_inf then.
"""

import numpy as np
from numpy.typing import NDArray

EXPONENTS = np.linspace(0.5, 3, 11)


def saturated(sizes: NDArray, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return c_inf of the least-squares curve through the values at some sizes.

    Parameters
    ----------
    sizes : (sizes,) array
        Numbers of predicting neurons, three different ones or more.
    values : (samples, sizes) array
        Values of each of several curves.

    Returns
    -------
    (samples,) array
        Their mean where no curve that grows fits better than a constant. NaN where a value is not finite.
    """
    known = np.isfinite(values).all(axis=1)
    values = np.where(known[:, None], values, np.nan)
    means = values.mean(axis=1)
    levels, errors = [means], [np.square(values - means[:, None]).sum(axis=1)]
    for exponent in EXPONENTS:
        x = (np.asarray(sizes, dtype=float) / np.max(sizes)) ** -exponent
        x_centred = x - x.mean()
        slope = np.minimum(values @ x_centred / (x_centred @ x_centred), 0)
        levels.append(means - slope * x.mean())
        errors.append(np.square(values - levels[-1][:, None] - slope[:, None] * x).sum(axis=1))
    best = np.stack(errors).argmin(axis=0)
    return np.take_along_axis(np.stack(levels), best[None], axis=0)[0]
