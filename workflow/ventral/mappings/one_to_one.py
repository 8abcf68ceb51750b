"""One-to-one mapping: each neuron is predicted by the single unit that correlates best with the neuron.

Units are not combined, so only the axes of a representation are compared with neurons (Khosla and Williams 2023, PMLR
243:133, explain why axes matter). The rule is that of Arend et al. 2018 (Single units in a deep neural network
functionally correspond with neurons in the brain, CBMM Memo). Brain-Score has the rule as `neuron_to_neuron`. It takes
the unit with the highest correlation, sign included, on the training part. Several neurons may share a unit.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ventral.mappings.standardisation import unit_columns

VALUES_AT_ONCE = 2**22


def one_to_one_predictions(units: ArrayLike, responses: ArrayLike, folds: Sequence[ArrayLike]) -> NDArray[np.float64]:
    """Predict every target for every stimulus by the one unit that correlates best with it on the other folds.

    The regression of the target on the unit, with the absolute value of its slope, brings the unit to the scale of the
    target. So Pearson's r of the prediction is that of the unit itself. It is negative if the correlation of the best
    unit is negative.

    Parameters
    ----------
    units : (n, u) array
        The features to choose among, of any float type.
    responses : (n, targets) array
        Finite values.
    folds : sequence of integer arrays
        Rows of each fold; each row in one fold at most. Rows in no fold are part of every fit, and their predictions
        are NaN.

    Returns
    -------
    (n, targets) array
        The mean of the training part if no unit can be chosen, because the target or all units are constant there.

    Raises
    ------
    ValueError
        If there is no unit, or units and responses have different numbers of stimuli.
    """
    units, responses = np.asarray(units), np.asarray(responses, dtype=np.float64)
    n = len(responses)
    if units.ndim != 2 or len(units) != n or not units.shape[1]:
        raise ValueError(f"units have shape {units.shape}; ({n}, units), at least one unit, is needed")
    predictions = np.full(responses.shape, np.nan)
    for fold in folds:
        training = np.setdiff1d(np.arange(n), fold)
        chosen, r = best_units(units[training], responses[training])
        of_chosen = units[:, chosen].astype(np.float64)
        mean, spread = responses[training].mean(axis=0), responses[training].std(axis=0)
        unit_mean, unit_spread = of_chosen[training].mean(axis=0), of_chosen[training].std(axis=0)
        slope = np.divide(np.abs(r) * spread, unit_spread, out=np.zeros_like(spread), where=np.isfinite(r))
        predictions[fold] = mean + slope * (of_chosen[fold] - unit_mean)
    return predictions


def best_units(units: NDArray, responses: NDArray) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return, for each target, the unit with the highest Pearson's r, the first of equals, and that r.

    Parameters
    ----------
    units : (n, u) array
    responses : (n, targets) array

    Returns
    -------
    chosen : (targets,) integer array
    r : (targets,) array
        NaN, with unit 0 as the choice, for a constant target, and for all targets if all units are constant.
    """
    targets, varies = unit_columns(responses)
    best, chosen = np.full(responses.shape[1], -np.inf), np.zeros(responses.shape[1], dtype=np.intp)
    size = max(1, VALUES_AT_ONCE // max(responses.shape))
    for start in range(0, units.shape[1], size):
        block, unit_varies = unit_columns(units[:, start : start + size].astype(np.float64))
        r = block.T @ targets
        r[~unit_varies] = -np.inf
        highest = r.argmax(axis=0)
        r = np.take_along_axis(r, highest[None], axis=0)[0]
        better = r > best
        best[better], chosen[better] = r[better], start + highest[better]
    defined = varies & np.isfinite(best)
    return np.where(defined, chosen, 0), np.where(defined, best, np.nan)
