"""Partition the variance that models explain: unique parts, and parts that several models share.

Let V(S) be the variance that the models S explain together. The part of the models T is explained by each of T, and by
no other model. By inclusion and exclusion it is

    P(T) = -sum over U in T, U = {} included, of (-1)^(|T| - |U|) V(all without U),

so that V(S) is the sum of P(T) over all T that share a model with S. The parts of two models are V(AB) - V(B), V(AB) -
V(A) and V(A) + V(B) - V(AB). Sources are Lescroart, Stansbury and Gallant 2015 (Frontiers in Computational Neuroscience
9:135) and, with three models, de Heer et al. 2017 (Journal of Neuroscience 37:6539).

V is r |r| on held-out stimuli. A prediction that does not vary explains 0.
"""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ventral.mappings.banded import every_subset
from ventral.mappings.correlation import Sums, resampled_sums
from ventral.statistics.bootstrap import VALUES_AT_ONCE, Predictions, Resamples, divisors_in_halves, median_of_both
from ventral.targets.ceilings import ceilings_in_order
from ventral.targets.splits import halves_of
from ventral.targets.values import Targets

JOINED_BY = " + "
EXPLAINED, UNIQUE, SHARED = "explained", "unique", "shared"


def coefficients(n_models: int) -> NDArray[np.float64]:
    """Return the matrix (parts, fits) that makes the parts P(T) of the explained variances V(S).

    Rows and columns are in the order of `ventral.mappings.banded.every_subset`.
    """
    sets = every_subset(n_models)
    found = np.zeros((len(sets), len(sets)))
    for k, part in enumerate(sets):
        for size in range(len(part) + 1):
            for left_out in combinations(part, size):
                # No models explain no variance.
                if remaining := tuple(model for model in sets[-1] if model not in left_out):
                    found[k, sets.index(remaining)] = -((-1) ** (len(part) - size))
    return found


def partition_rows(
    groups: Sequence[Sequence[Predictions]],
    models: Sequence[str],
    neurons: Targets,
    ceilings: pd.DataFrame,
    split: str,
    reliability_threshold: float,
    resamples: Resamples,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the explained variance of every set of models, and its parts, for each neuron and area.

    Parameters
    ----------
    groups : sequence of sequences of Predictions
        For each group of neurons with the same stimuli, held-out predictions by each set of `every_subset`.
    models : sequence of str
        Names of the models.
    neurons, ceilings, split, reliability_threshold, resamples
        As for `ventral.statistics.bootstrap.bootstrap_rows`.

    Returns
    -------
    of_neurons : DataFrame
        A row for each neuron and each `kind` and `models`. `explained` is what the models explain together, `unique`
        what one of them alone explains, and `shared` what each of several explains and no other. `r2` is r |r| over
        all folds or a part of it, and `explained_variance` is r2 over the reliability; NaN without a positive
        reliability. Ends `_low` and `_high` are those of the 95 % interval over stimuli.
    of_areas : DataFrame
        Medians over the neurons of each area, with the ends `low` and `high` of their 95 % interval over stimuli and
        neurons. Neurons are chosen in one half of the folds and scored in the other, as by `bootstrap_rows`.
        `measure` is `explained_variance`, or `r2` in an area without any ceiling.
    """
    of_split = ceilings_in_order(ceilings, neurons, split)
    divisors, unknown = divisors_in_halves(of_split, neurons, reliability_threshold)
    reliability = of_split["reliability"].to_numpy(float)
    kinds, weights = _rows_and_weights(models)
    of_neurons, of_areas = [], []
    for (area, time_bin), drawn in resamples.neuroids.items():
        columns = drawn[0][drawn[0] >= 0]
        explained = explained_in_resamples(groups, columns, resamples, len(kinds) // 2)
        scored = np.isfinite(explained[:, 2, 0]).all(axis=0)
        taken = scored & np.isfinite(divisors[:, columns]).any(axis=0)
        # The last place stands for index -1: no target.
        place_of = np.full(len(neurons.names) + 1, len(columns))
        place_of[columns] = np.arange(len(columns))
        place = {"area": area, "time_bin": time_bin, "split": split}
        for (kind, named), weight in zip(kinds, weights, strict=True):
            part = np.tensordot(weight, explained, axes=1)
            halves = np.where(unknown[columns], part[2], part[:2])
            medians = _medians(halves, divisors[:, columns], place_of[drawn])
            row = place | {"kind": kind, "models": named}
            of_neurons.append(_neuron_rows(part[2][:, scored], reliability[columns[scored]]).assign(**row))
            of_neurons[-1]["target"] = neurons.names[columns[scored]]
            low, high = _interval(medians[1:, None])
            of_areas.append(
                row
                | {"measure": "r2" if unknown[columns].all() else "explained_variance"}
                | {"median": medians[0], "low": low[0], "high": high[0]}
                | {"n_neuroids": taken.sum(), "n_left_out": (~taken).sum()}
            )
    return pd.concat(of_neurons, ignore_index=True), pd.DataFrame(of_areas)


def explained_in_resamples(
    groups: Sequence[Sequence[Predictions]], columns: NDArray[np.intp], resamples: Resamples, n_sets: int
) -> NDArray[np.float64]:
    """Return r |r| of some targets in every resample of stimuli, by each set of models.

    Parameters
    ----------
    groups, resamples
        As for `partition_rows`.
    columns : (k,) integer array
        Positions of the targets.
    n_sets : int
        Number of sets of models.

    Returns
    -------
    (sets, 3, 1 + n_bootstrap, k) array
        Over folds 0, 2, ..., over the folds between, and over all folds; NaN for targets without predictions.
    """
    explained = np.full((n_sets, 3, len(resamples.stimuli), len(columns)), np.nan)
    for group in groups:
        inside = np.flatnonzero(np.isin(group[0].columns, columns))
        places = np.array([np.flatnonzero(columns == column)[0] for column in group[0].columns[inside]], dtype=int)
        weights = resamples.stimuli[:, group[0].rows]
        at_once = max(1, VALUES_AT_ONCE // len(group[0].rows))
        for start in range(0, len(inside), at_once):
            some, of_some = inside[start : start + at_once], places[start : start + at_once]
            for k, fit in enumerate(group):
                values = fit.predictions[:, some], fit.values[:, some]
                even, odd = (resampled_sums(*values, half, weights) for half in halves_of(fit.folds))
                explained[k][:, :, of_some] = [signed_r2(sums) for sums in (even, odd, even + odd)]
    return explained


def signed_r2(sums: Sums) -> NDArray[np.float64]:
    """Return r |r| (rows, targets); 0 if predictions do not vary, NaN if responses do not."""
    r = np.where((sums.xx == 0) & (sums.yy > 0), 0.0, sums.r)
    return r * np.abs(r)


def _rows_and_weights(models: Sequence[str]) -> tuple[list[tuple[str, str]], NDArray[np.float64]]:
    """Return kind and models of each row, and its weights (rows, fits): what is explained, and its parts."""
    sets = every_subset(len(models))
    named = [JOINED_BY.join(models[k] for k in taken) for taken in sets]
    parts = [(UNIQUE if len(taken) == 1 else SHARED, name) for taken, name in zip(sets, named, strict=True)]
    return [(EXPLAINED, name) for name in named] + parts, np.vstack([np.eye(len(sets)), coefficients(len(models))])


def _medians(halves: NDArray, divisors: NDArray, drawn: NDArray) -> NDArray[np.float64]:
    """Return the median (resamples,) over drawn neurons of parts (2, resamples, k) over squared divisors (2, k)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        # Nothing is 0 whatever the ceiling.
        divided = np.where((halves == 0) & np.isfinite(divisors)[:, None], 0.0, halves / np.square(divisors)[:, None])
    padded = np.concatenate([divided, np.full((*divided.shape[:2], 1), np.nan)], axis=2)
    return median_of_both(np.take_along_axis(padded, drawn[None], axis=2))


def _neuron_rows(part: NDArray, reliability: NDArray) -> pd.DataFrame:
    """Return the rows of neurons from a part (1 + n_bootstrap, k), with its intervals."""
    ends = dict(zip(("", "_low", "_high"), (part[0], *_interval(part[1:])), strict=True))
    divisor = np.where(reliability > 0, reliability, np.nan)
    return pd.DataFrame(
        {f"r2{end}": values for end, values in ends.items()}
        | {"reliability": reliability}
        | {f"explained_variance{end}": values / divisor for end, values in ends.items()}
    )


def _interval(values: NDArray) -> NDArray[np.float64]:
    """Return the ends (2, k) of 95 % intervals from resampled values (resamples, k); NaN if none is known."""
    found = np.full((2, values.shape[1]), np.nan)
    known = np.isfinite(values).any(axis=0)
    if known.any():
        found[:, known] = np.nanpercentile(values[:, known], [2.5, 97.5], axis=0)
    return found
