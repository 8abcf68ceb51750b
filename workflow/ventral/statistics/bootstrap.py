"""Resampled stimuli and neuroids, the same for every layer, model and mapping, so that all differences are paired."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ventral.errors import InputError
from ventral.mappings.standardisation import ROUNDING, varies
from ventral.tables import read_parquet, write_parquet
from ventral.targets.values import Targets

COLUMNS = {
    "model": "string",
    "family": "string",
    "recording": "string",
    "layer": "string",
    "depth": "float64",
    "area": "string",
    "time_bin": "string",
    "split": "string",
    "mapping": "string",
    "n_neuroids": "int64",
    "median": "float64",
}
# Medians of every resample, a list in each row: over all neuroids, and over each of two halves of them.
RESAMPLED = ["medians", "first_halves", "second_halves"]
SORTED_BY = ["recording", "area", "time_bin", "split", "mapping", "model", "depth", "layer"]
VALUES_AT_ONCE = 2**20


@dataclass(frozen=True)
class Resamples:
    """Stimuli and neuroids drawn with replacement; number 0 is not drawn, but the sample itself.

    Attributes
    ----------
    stimuli : (1 + n_bootstrap, n) array of uint8
        How often each stimulus is drawn: from each fold, as many as the fold has.
    neuroids : mapping of (1 + n_bootstrap, k) integer arrays
        Of each area and bin of time, which of the recording's targets are drawn: the same k neuroids in all bins of an
        area, -1 where a neuroid is no target in this bin. The first k // 2 are drawn from one random half of the area's
        neuroids and the others from the rest, so that no neuroid is in both.
    """

    stimuli: NDArray[np.uint8]
    neuroids: Mapping[tuple[str, str], NDArray[np.intp]]


def draw(neurons: Targets, folds: Sequence[NDArray], stimuli_sha256: str, n_bootstrap: int, seed: int) -> Resamples:
    """Draw the resamples of a recording, which depend on its stimuli and neuroids, and on nothing of any model.

    Parameters
    ----------
    neurons : Targets
        All neuroids of the recording, in each bin of time.
    folds : sequence of integer arrays
        Rows of each fold, together all n stimuli.
    stimuli_sha256 : str
        Hash of the stimulus set: recordings of the same stimuli draw the same ones.
    n_bootstrap, seed : int
        Number of resamples, and the seed of their draw.
    """
    rng = np.random.default_rng([seed, int(stimuli_sha256[:16], 16)])
    stimuli = np.ones((1 + n_bootstrap, sum(map(len, folds))), dtype=np.uint8)
    for fold in folds:
        drawn = rng.integers(len(fold), size=(n_bootstrap, len(fold)))
        cells = drawn + len(fold) * np.arange(n_bootstrap)[:, None]
        stimuli[1:, fold] = np.bincount(cells.ravel(), minlength=cells.size).reshape(cells.shape)
    neuroids = {}
    for area in sorted(set(neurons.areas)):
        columns = np.flatnonzero(neurons.areas == area)
        names = list(dict.fromkeys(neurons.names[columns]))
        n, half = len(names), len(names) // 2
        rng = np.random.default_rng([seed, zlib.crc32(area.encode()), n])
        first = np.arange(n) < half
        order = np.argsort(rng.random((n_bootstrap, n)), axis=1)
        of_half = np.floor(rng.random((n_bootstrap, n)) * np.where(first, half, n - half)).astype(int)
        drawn = np.take_along_axis(order, of_half + np.where(first, 0, half), axis=1)
        drawn = np.concatenate([np.arange(n)[None], drawn])
        for time_bin in sorted(set(neurons.time_bins[columns])):
            of_bin = columns[neurons.time_bins[columns] == time_bin]
            column_of = dict(zip(neurons.names[of_bin], of_bin, strict=True))
            neuroids[area, time_bin] = np.array([column_of.get(name, -1) for name in names])[drawn]
    return Resamples(stimuli, neuroids)


def bootstrap_rows(
    parts: Sequence[tuple[NDArray, Targets, NDArray]],
    neurons: Targets,
    folds: Sequence[NDArray],
    split: str,
    mapping: str,
    reliability_threshold: float,
    resamples: Resamples,
) -> pd.DataFrame:
    """Return a row for each area and bin of time that neuroids were predicted of, with its median in every resample.

    Parameters
    ----------
    parts : sequence of (predictions, group, rows)
        Held-out predictions of each group of targets that have the same stimuli, and which stimuli these are, as
        `ventral.targets.values.grouped_by_missing` gives them. Of other targets than neurons there are no rows.
    neurons : Targets
        All neuroids of the recording.
    folds : sequence of integer arrays
        Rows of each fold.
    split, mapping : str
        Names of the split that the folds are of, and of the mapping.
    reliability_threshold : float
        Lowest reliability of a neuroid that is taken, as for `ventral.statistics.summaries.area_summary`.
    resamples : Resamples
        From `draw`, for the same neuroids and folds.

    Returns
    -------
    DataFrame
        `area`, `time_bin`, `split`, `mapping`, `n_neuroids`, `median` (of predictivity, or of r in an area without any
        reliability), and the lists of `RESAMPLED`, float32. No row of an area that no neuroid is predicted of.
    """
    column_of = {place: column for column, place in enumerate(zip(neurons.names, neurons.time_bins, strict=True))}
    predictions = np.full(neurons.values.shape, np.nan)
    for predicted, group, of_stimuli in parts:
        chosen = np.flatnonzero(group.kinds == "neuron")
        columns = [column_of[group.names[k], group.time_bins[k]] for k in chosen]
        predictions[np.ix_(of_stimuli, columns)] = predicted[:, chosen]
    ceilings = _ceilings(neurons, reliability_threshold)
    medians = resampled_medians(predictions, neurons.values, folds, ceilings, resamples)
    # In the last place what -1 draws: no target.
    taken = np.append(np.isfinite(predictions).any(axis=0) & np.isfinite(ceilings), False)
    table = [
        {
            "area": area,
            "time_bin": time_bin,
            "split": split,
            "mapping": mapping,
            "n_neuroids": int(taken[resamples.neuroids[area, time_bin][0]].sum()),
            "median": of_area[0, 0],
            **dict(zip(RESAMPLED, of_area[:, 1:].astype(np.float32), strict=True)),
        }
        for (area, time_bin), of_area in medians.items()
        if np.isfinite(of_area[0, 0])
    ]
    return pd.DataFrame(table, columns=["area", "time_bin", "split", "mapping", "n_neuroids", "median", *RESAMPLED])


def _ceilings(neurons: Targets, reliability_threshold: float) -> NDArray[np.float64]:
    """Return the square root of each neuroid's reliability, NaN where it is too low.

    1 in an area that has none in this bin of time.
    """
    rho = neurons.reliability
    ceilings = np.sqrt(np.where((rho >= reliability_threshold) & (rho > 0), rho, np.nan))
    for area, time_bin in set(zip(neurons.areas, neurons.time_bins, strict=True)):
        of_area = (neurons.areas == area) & (neurons.time_bins == time_bin)
        if np.isnan(rho[of_area]).all():
            ceilings[of_area] = 1.0
    return ceilings


def write_bootstraps(table: pd.DataFrame, path: Path) -> None:
    """Write a table of resampled medians, its rows in one order."""
    table = table.reindex(columns=[*COLUMNS, *RESAMPLED]).astype(COLUMNS)
    write_parquet(table.sort_values(SORTED_BY, ignore_index=True, kind="stable"), path)


def read_bootstraps(paths: Sequence[str | Path]) -> pd.DataFrame:
    """Read and join the tables that `ventral.scores.fitting.fit` wrote of several models and recordings.

    Raises
    ------
    InputError
        If one of them is no such table, or they have different numbers of resamples.
    """
    tables = []
    for path in paths:
        table = read_parquet(path)
        if missing := [column for column in (*COLUMNS, *RESAMPLED) if column not in table]:
            raise InputError(f"{path}: no table of resampled medians: it lacks the columns {', '.join(missing)}")
        tables.append(table)
    joined = pd.concat(tables, ignore_index=True).sort_values(SORTED_BY, ignore_index=True, kind="stable")
    if joined["medians"].map(len).nunique() > 1:
        counts = ", ".join(map(str, sorted(joined["medians"].map(len).unique())))
        raise InputError(f"{paths[0]} and others: resampled {counts} times; delete them, and they will be made again")
    return joined


def intervals(bootstraps: pd.DataFrame) -> pd.DataFrame:
    """Return the 95 % interval of each row's median, `both_low` and `both_high`, with what the row is of."""
    table = bootstraps[["recording", "area", "time_bin", "split", "mapping", "model", "layer"]].copy()
    if table.empty:
        return table.assign(both_low=np.nan, both_high=np.nan)
    medians = np.stack(bootstraps["medians"]).astype(float)
    table["both_low"], table["both_high"] = np.nanpercentile(medians, [2.5, 97.5], axis=1)
    return table


def resampled_medians(
    predictions: NDArray,
    values: NDArray,
    folds: Sequence[NDArray],
    ceilings: NDArray[np.float64],
    resamples: Resamples,
) -> dict[tuple[str, str], NDArray[np.float64]]:
    """Return the median over an area's neuroids of r within folds, divided by the ceiling, in every resample.

    Stimuli and neuroids are resampled both and independently (the pigeonhole bootstrap, Owen 2007, Annals of Applied
    Statistics 1:386). It errs on the side of caution: noise that belongs to single pairs of a neuroid and a stimulus is
    counted three times, so that intervals of differences that come of nothing else are the square root of 3 too wide.
    r is Pearson's within each fold of the resampled stimuli, averaged over folds. Predictions and ceilings are held as
    they are: no model is fitted anew.

    Parameters
    ----------
    predictions, values : (n, targets) arrays
        Held-out predictions and what was measured; NaN where a target has no value for a stimulus.
    folds : sequence of integer arrays
        Rows of each fold.
    ceilings : (targets,) array
        What r is divided by; NaN leaves a neuroid out.
    resamples : Resamples
        From `draw`, for the same folds.

    Returns
    -------
    dict of (3, 1 + n_bootstrap) arrays
        Of each area and bin of time: the medians over all neuroids of a resample, over its first and over its second
        half; number 0 is the sample itself, whose halves mean nothing. A neuroid whose r is not defined in the sample
        is left out, a fold in which it is not defined in a resample is skipped; NaN where no neuroid is left.
    """
    n_resamples, n = resamples.stimuli.shape
    n_targets = predictions.shape[1]
    medians = {place: np.empty((3, n_resamples)) for place in resamples.neuroids}
    rows_at_once, columns_at_once = max(1, VALUES_AT_ONCE // max(1, n_targets)), max(1, VALUES_AT_ONCE // n)
    for start in range(0, n_resamples, rows_at_once):
        block = slice(start, start + rows_at_once)
        weights = resamples.stimuli[block]
        # In the last place what -1 draws: no target.
        measure = np.full((len(weights), n_targets + 1), np.nan)
        for first in range(0, n_targets, columns_at_once):
            some = slice(first, min(first + columns_at_once, n_targets))
            measure[:, some] = resampled_correlations(predictions[:, some], values[:, some], folds, weights)
        measure[:, :-1] /= ceilings
        for place, neuroids in resamples.neuroids.items():
            drawn = np.take_along_axis(measure, neuroids[block], axis=1)
            half = drawn.shape[1] // 2
            for k, part in enumerate((drawn, drawn[:, :half], drawn[:, half:])):
                medians[place][k, block] = _medians(part)
    return medians


def resampled_correlations(
    predictions: NDArray, values: NDArray, folds: Sequence[NDArray], weights: NDArray
) -> NDArray[np.float64]:
    """Return Pearson's r of stimuli that count as often as they are drawn, within each fold, averaged over folds.

    Parameters
    ----------
    predictions, values : (n, targets) arrays
        NaN where a target has no value for a stimulus.
    folds : sequence of integer arrays
        Rows of each fold. Folds in which a target has no values are not its folds.
    weights : (resamples, n) array
        How often each stimulus is drawn.

    Returns
    -------
    (resamples, targets) array
        Over the folds in which it is defined in the resample; NaN where in some fold predictions or values do not vary
        although every stimulus is there.
    """
    known = np.isfinite(predictions) & np.isfinite(values)
    total = np.zeros((len(weights), predictions.shape[1]))
    n_defined = np.zeros_like(total)
    undefined = ~known.any(axis=0)
    for fold in folds:
        of_fold = known[fold]
        x, y = _standardised_where_known(predictions[fold], of_fold), _standardised_where_known(values[fold], of_fold)
        undefined |= of_fold.any(axis=0) & np.isnan(x + y).any(axis=0)
        x, y = np.nan_to_num(x), np.nan_to_num(y)
        w = weights[:, fold].astype(float)
        # With every value there, the sum of weights is the same for all targets.
        size = w.sum(axis=1)[:, None] if of_fold.all() else w @ of_fold
        sum_x, sum_y = w @ x, w @ y
        square_x, square_y = w @ (x * x), w @ (y * y)
        spread_x, spread_y = size * square_x - sum_x**2, size * square_y - sum_y**2
        # The variance of stimuli that are all the same one, drawn again and again, is rounding.
        rounding = ROUNDING * size
        defined = varies(spread_x, square_x, rounding) & varies(spread_y, square_y, rounding)
        product = size * (w @ (x * y)) - sum_x * sum_y
        total += np.where(defined, product, 0) / np.sqrt(np.where(defined, spread_x * spread_y, 1))
        n_defined += defined
    return np.divide(total, n_defined, out=np.full_like(total, np.nan), where=(n_defined > 0) & ~undefined)


def _standardised_where_known(values: NDArray, known: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return values (n, targets) with mean 0 and variance 1 over those known, else 0; NaN where all are the same."""
    values = np.where(known, values, 0.0)
    n = np.maximum(known.sum(axis=0), 1)
    centred = np.where(known, values - values.sum(axis=0) / n, 0.0)
    size = np.linalg.norm(centred, axis=0)
    return centred / np.where(varies(size, np.linalg.norm(values, axis=0)), size / np.sqrt(n), np.nan)


def _medians(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the median of each row, over what is known of it."""
    ordered = np.sort(np.append(values, np.full((len(values), 1), np.nan), axis=1), axis=1)
    n_known = np.isfinite(values).sum(axis=1)
    rows = np.arange(len(values))
    return (ordered[rows, np.maximum(n_known - 1, 0) // 2] + ordered[rows, n_known // 2]) / 2
