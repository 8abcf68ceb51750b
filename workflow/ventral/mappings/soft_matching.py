"""Soft matching: each neuron is matched with a share of a layer's units, and each unit with a share of the neurons.

Khosla and Williams (2024, PMLR 243:326) match two populations of different sizes by optimal transport. Each of the U
units has the mass 1 / U, and each of the N neurons the mass 1 / N. The plan T (U, N) moves the mass of the units to the
neurons. It maximises sum T_ui r_ui, where r_ui is Pearson's r of unit u and neuron i. This largest sum is their
correlation score. With as many units as neurons, the plan is the best one-to-one assignment. In contrast to
`ventral.mappings.one_to_one`, all units take part, and no unit can serve all neurons.

The plan is fitted on the training part. On held-out stimuli, neuron i has the score N sum_u T_ui r_ui, the weighted
mean of its correlations with its units (`matched`). The mean of these scores over neurons is the cross-validated
correlation score. The predictions are the weighted means of the standardised units themselves. The mean of several
units has less noise than a unit, so its correlation with the neuron is higher than the mean of the correlations.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ventral.mappings.standardisation import unit_columns

# Regularisation of the first approximations, in standard deviations of the costs, and steps at each.
SMOOTHING, STEPS = (0.1, 0.03, 0.01, 0.003), 40
# Reduced costs below which pairs enter the first linear programme, in standard deviations of the costs.
CLOSE = 0.02
TOLERANCE = 1e-10


def soft_matching_predictions(
    units: ArrayLike, responses: ArrayLike, folds: Sequence[ArrayLike]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Predict every target from its matched units, with the plan fitted on the other folds.

    Parameters
    ----------
    units : (n, u) array
        The features to match, of any float type. Units that are constant in training are left out.
    responses : (n, targets) array
        Finite values of the neurons of an area.
    folds : sequence of integer arrays
        Rows of each fold; each row in one fold at most. Rows in no fold are part of every fit, and their predictions
        are NaN.

    Returns
    -------
    predictions : (n, targets) array
        Weighted mean of the standardised units, on the scale of the target, as in `one_to_one_predictions`. The mean of
        the training part for a target that is constant there, and for all targets if all units are.
    matched : (folds, targets) array
        Weighted mean of the held-out correlations of the target with its units. A unit that is constant on held-out
        stimuli has correlation 0. NaN if the target is constant in training or on held-out stimuli.

    Raises
    ------
    ValueError
        If there is no unit, or units and responses have different numbers of stimuli.
    """
    units, responses = np.asarray(units), np.asarray(responses, dtype=np.float64)
    n = len(responses)
    if units.ndim != 2 or len(units) != n or not units.shape[1]:
        raise ValueError(f"units have shape {units.shape}; ({n}, units), at least one unit, is needed")
    predictions, matched = np.full(responses.shape, np.nan), np.full((len(folds), responses.shape[1]), np.nan)
    for k, fold in enumerate(folds):
        training = np.setdiff1d(np.arange(n), fold)
        of_units, units_vary = unit_columns(units[training].astype(np.float64))
        of_targets, targets_vary = unit_columns(responses[training])
        predictions[fold] = responses[training].mean(axis=0)
        if not units_vary.any() or not targets_vary.any():
            continue
        varying = units[:, units_vary].astype(np.float64)
        of_units, of_targets = of_units[:, units_vary], of_targets[:, targets_vary]
        weights = optimal_plan(1 - of_units.T @ of_targets) * targets_vary.sum()
        standardised = (varying - varying[training].mean(axis=0)) / varying[training].std(axis=0)
        predictions[np.ix_(fold, targets_vary)] = _on_scale(
            standardised @ weights, responses[:, targets_vary], training, fold
        )
        matched[k, targets_vary] = _matched(varying[fold], responses[fold][:, targets_vary], weights)
    return predictions, matched


def _on_scale(means: NDArray, responses: NDArray, training: NDArray, fold: ArrayLike) -> NDArray[np.float64]:
    """Return weighted means of units (n, t) for a fold, regressed on the targets with the size of the slope."""
    of_training, measured = means[training], responses[training]
    x, varies = unit_columns(of_training)
    r = (x * unit_columns(measured)[0]).sum(axis=0)
    slope = np.divide(np.abs(r) * measured.std(axis=0), of_training.std(axis=0), out=np.zeros(len(r)), where=varies)
    return measured.mean(axis=0) + slope * (means[fold] - of_training.mean(axis=0))


def _matched(units: NDArray, responses: NDArray, weights: NDArray) -> NDArray[np.float64]:
    targets, varies = unit_columns(responses)
    return np.where(varies, (weights * (unit_columns(units)[0].T @ targets)).sum(axis=0), np.nan)


def optimal_plan(costs: NDArray) -> NDArray[np.float64]:
    """Return the transport plan with the smallest cost, between u sources and t sinks of equal masses.

    The linear programme is solved for the few pairs that may be in the plan. Its dual values give every other pair a
    reduced cost. A pair with a negative reduced cost enters, until no pair has one: the plan is then optimal among all
    pairs. Few pairs enter, because the first pairs follow from a regularised plan (Cuturi 2013, NeurIPS 26:2292).

    Parameters
    ----------
    costs : (u, t) array
        Finite.

    Returns
    -------
    (u, t) array
        Each row sums to 1 / u, and each column to 1 / t. At most u + t - 1 entries are not 0. They are multiples of the
        greatest common divisor of u and t, over u t. Among plans of equal cost, the solver chooses.
    """
    from scipy.optimize import linprog

    n_sources, n_sinks = costs.shape
    divisor = np.gcd(n_sources, n_sinks)
    # Masses in whole numbers make the masses of the plan whole numbers.
    masses = np.repeat([n_sinks // divisor, n_sources // divisor], [n_sources, n_sinks])
    scale = costs.std() or 1.0
    reduced = _reduced_costs(costs / scale)
    taken = reduced < CLOSE
    taken[_some_plan(reduced, masses)] = True
    options = {"primal_feasibility_tolerance": TOLERANCE, "dual_feasibility_tolerance": TOLERANCE}
    while True:
        rows, columns = np.nonzero(taken)
        solved = linprog(
            reduced[rows, columns], A_eq=_sums(rows, columns, costs.shape), b_eq=masses, method="highs", options=options
        )
        left = reduced - solved.eqlin.marginals[:n_sources, None] - solved.eqlin.marginals[n_sources:]
        left[taken] = 0
        if left.min() >= -10 * TOLERANCE:
            break
        for axis in (0, 1):
            # The lowest pair of each source and of each sink enters.
            taken |= (left == left.min(axis=axis, keepdims=True)) & (left < -10 * TOLERANCE)
    plan = np.zeros(costs.shape)
    plan[rows, columns] = np.abs(np.round(solved.x))
    return plan * divisor / (n_sources * n_sinks)


def _reduced_costs(costs: NDArray) -> NDArray[np.float64]:
    """Return costs minus potentials of sources and sinks, near an optimal plan's; 0 or more, 0 in each row and column.

    Potentials follow from Sinkhorn's iterations for plans with less and less regularisation.
    """
    n_sources, n_sinks = costs.shape
    reduced = _without_minima(costs)
    for smoothing in SMOOTHING:
        kernel = np.exp(-reduced / smoothing)
        sinks = np.ones(n_sinks)
        for _ in range(STEPS):
            sources = 1 / n_sources / (kernel @ sinks)
            sinks = 1 / n_sinks / (sources @ kernel)
        reduced = _without_minima(reduced - smoothing * (np.log(sources)[:, None] + np.log(sinks)))
    return reduced


def _without_minima(costs: NDArray) -> NDArray[np.float64]:
    costs = costs - costs.min(axis=1, keepdims=True)
    return costs - costs.min(axis=0)


def _some_plan(reduced: NDArray, masses: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the pairs of some plan, by the north-west corner rule, sources in the order of their nearest sink."""
    n_sources = len(reduced)
    order = np.argsort(reduced.argmin(axis=1), kind="stable")
    of_sources, of_sinks = np.cumsum(masses[:n_sources]), np.cumsum(masses[n_sources:])
    inside = np.union1d(of_sources, of_sinks) - 0.5
    return order[np.searchsorted(of_sources, inside)], np.searchsorted(of_sinks, inside)


def _sums(rows: NDArray[np.intp], columns: NDArray[np.intp], shape: tuple[int, int]):
    """Return the sparse matrix (u + t, pairs) whose product with masses of pairs sums over sources and sinks."""
    from scipy.sparse import csc_array

    pairs = np.arange(len(rows))
    ones = np.ones(2 * len(rows))
    return csc_array((ones, (np.r_[rows, shape[0] + columns], np.r_[pairs, pairs])), shape=(sum(shape), len(rows)))
