"""Resample stimuli and neuroids, equally for all layers, models and mappings, so that differences are paired."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ventral.errors import InputError
from ventral.mappings.correlation import pooled_r, resampled_sums, sums_within_folds
from ventral.tables import by_run, read_parquet, write_parquet
from ventral.targets.ceilings import HALVES, ceilings_in_order
from ventral.targets.selection import attainable, ceilings_of_chosen, over_ceilings
from ventral.targets.splits import halves_of
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
# Columns with the medians of every resample as lists: over all neuroids, and over each half of them.
RESAMPLED = ["medians", "first_halves", "second_halves"]
SORTED_BY = ["recording", "area", "time_bin", "split", "mapping", "model", "depth", "layer"]
# Scores of resamples in memory at once, and sums of resamples that stay in the processor's cache.
VALUES_AT_ONCE, SUMS_AT_ONCE = 2**21, 2**17


@dataclass(frozen=True)
class Resamples:
    """Stimuli and neuroids drawn with replacement; resample 0 is the original sample.

    Attributes
    ----------
    stimuli : (1 + n_bootstrap, n) array of uint8
        Number of draws of each stimulus; the draws within a fold sum to the size of the fold.
    neuroids : mapping of (1 + n_bootstrap, k) integer arrays
        Drawn targets of the recording, for each area and time bin. All bins of an area have the same k neuroids; -1
        marks a neuroid that is no target in a bin. The first k // 2 are drawn from one random half of the area's
        neuroids, and the others from the other half.
    """

    stimuli: NDArray[np.uint8]
    neuroids: Mapping[tuple[str, str], NDArray[np.intp]]


@dataclass(frozen=True)
class Predictions:
    """Held-out predictions for neuroids that have responses to the same m stimuli.

    Attributes
    ----------
    predictions, values : (m, k) arrays
        Predictions and mean responses.
    rows : (m,) integer array
        Rows of these stimuli.
    folds : sequence of integer arrays
        Folds of the m stimuli.
    columns : (k,) integer array
        Positions of the neuroids among the recording's targets.
    """

    predictions: NDArray[np.float64]
    values: NDArray[np.float64]
    rows: NDArray[np.intp]
    folds: Sequence[NDArray[np.intp]]
    columns: NDArray[np.intp]


def draw(neurons: Targets, folds: Sequence[NDArray], stimuli_sha256: str, n_bootstrap: int, seed: int) -> Resamples:
    """Draw the resamples of a recording, which depend on its stimuli and neuroids but not on models.

    Parameters
    ----------
    neurons : Targets
        All neuroids of the recording, in each time bin.
    folds : sequence of integer arrays
        Rows of each fold. Stimuli outside all folds are not drawn.
    stimuli_sha256 : str
        Hash of the stimulus set; recordings with the same stimuli share the draws of stimuli.
    n_bootstrap, seed : int
        Number of resamples, and seed of their draw.
    """
    rng = np.random.default_rng([seed, int(stimuli_sha256[:16], 16)])
    stimuli = np.ones((1 + n_bootstrap, len(neurons.values)), dtype=np.uint8)
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
    parts: Sequence[tuple[NDArray, Targets, NDArray, Sequence[NDArray]]],
    neurons: Targets,
    ceilings: pd.DataFrame,
    split: str,
    mapping: str,
    reliability_threshold: float,
    resamples: Resamples,
) -> pd.DataFrame:
    """Return the median score in every resample, with a row for each predicted area and time bin.

    Parameters
    ----------
    parts : sequence of (predictions, group, rows, folds)
        Held-out predictions, targets, stimuli and folds of each group of targets with the same stimuli, as from
        `ventral.targets.values.grouped_by_missing`. Only targets that are neurons give rows.
    neurons : Targets
        All neuroids of the recording.
    ceilings : DataFrame
        Ceilings from `ventral.targets.ceilings.ceilings_of_neurons`.
    split, mapping : str
        Names of the folds' split and of the mapping.
    reliability_threshold : float
        Lowest reliability, within one half of the folds, of a neuroid scored on the other half, as for
        `ventral.statistics.summaries.area_summary`.
    resamples : Resamples
        Resamples from `draw`, for the same neuroids and folds.

    Returns
    -------
    DataFrame
        Columns `area`, `time_bin`, `split`, `mapping`, `n_neuroids`, `median` and the float32 lists of `RESAMPLED`.
        `median` equals that of `area_summary`: of predictivity, or of r in an area without any reliability. Areas
        without a predicted neuroid have no row.
    """
    placed = [placed_among(neurons, *part) for part in parts]
    divisors, unknown = divisors_in_halves(ceilings_in_order(ceilings, neurons, split), neurons, reliability_threshold)
    medians = resampled_medians(placed, divisors, unknown, resamples)
    # The last entry stands for index -1: no target.
    taken = np.zeros(len(neurons.names) + 1, dtype=bool)
    for part in placed:
        scored = np.isfinite(pooled_r(sums_within_folds(part.predictions, part.values, part.folds)))
        taken[part.columns] = scored & np.isfinite(divisors[:, part.columns]).any(axis=0)
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


def divisors_in_halves(
    ceilings: pd.DataFrame, neurons: Targets, reliability_threshold: float
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return what divides r within even and odd folds, for the neurons that the other folds choose.

    Parameters
    ----------
    ceilings : DataFrame
        From `ventral.targets.ceilings.ceilings_in_order`.
    neurons : Targets
    reliability_threshold : float
        As for `bootstrap_rows`.

    Returns
    -------
    divisors : (2, targets) array
        As for `resampled_medians`; 1 without a known ceiling.
    unknown : (targets,) boolean array
        Mask of the neuroids in areas and time bins without any known ceiling.
    """
    unknown = _without_ceiling(neurons, ceilings["reliability"].isna().to_numpy())
    of_halves = np.stack([ceilings[f"reliability_{half}"].to_numpy(float) for half in HALVES])
    of_halves = np.where(ceilings["reliability"].notna(), of_halves, np.nan)
    raw = np.where(attainable(ceilings["given_ceiling"].to_numpy(float), reliability_threshold), 1.0, np.nan)
    return np.where(unknown, raw, ceilings_of_chosen(of_halves, reliability_threshold)), unknown


def placed_among(
    neurons: Targets, predictions: NDArray, group: Targets, rows: NDArray, folds: Sequence[NDArray]
) -> Predictions:
    """Return predictions of a group's neuroids with their positions among the recording's targets."""
    chosen = np.flatnonzero(group.kinds == "neuron")
    columns = neurons.places_of(group.names[chosen], group.time_bins[chosen])
    return Predictions(predictions[:, chosen], group.values[:, chosen], rows, folds, columns)


def _without_ceiling(neurons: Targets, unknown: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return a mask of neuroids in areas and time bins where no neuroid has a known reliability."""
    places = pd.Series(unknown).groupby([neurons.areas, neurons.time_bins])
    return places.transform("all").to_numpy(bool)


def write_bootstraps(table: pd.DataFrame, path: Path) -> None:
    """Write a table of resampled medians with sorted rows."""
    table = table.reindex(columns=[*COLUMNS, *RESAMPLED]).astype(COLUMNS)
    write_parquet(table.sort_values(SORTED_BY, ignore_index=True, kind="stable", key=by_run), path)


def read_bootstraps(paths: Sequence[str | Path]) -> pd.DataFrame:
    """Read and join the tables that `ventral.scores.fitting.fit` wrote for several models and recordings.

    Raises
    ------
    InputError
        If a file is not such a table, or if tables have different numbers of resamples.
    """
    tables = []
    for path in paths:
        table = read_parquet(path)
        if missing := [column for column in (*COLUMNS, *RESAMPLED) if column not in table]:
            raise InputError(f"{path}: not a table of resampled medians: the columns {', '.join(missing)} are missing")
        tables.append(table)
    joined = pd.concat(tables).sort_values(SORTED_BY, ignore_index=True, kind="stable", key=by_run)
    if joined["medians"].map(len).nunique() > 1:
        counts = ", ".join(map(str, sorted(joined["medians"].map(len).unique())))
        raise InputError(
            f"{paths[0]} and others: numbers of resamples differ: {counts}; delete these files, and a rerun makes "
            f"them again"
        )
    return joined


def intervals(bootstraps: pd.DataFrame) -> pd.DataFrame:
    """Return the 95 % interval of each row's median, `both_low` and `both_high`, with the identifying columns."""
    table = bootstraps[["recording", "area", "time_bin", "split", "mapping", "model", "layer"]].copy()
    if table.empty:
        return table.assign(both_low=np.nan, both_high=np.nan)
    medians = np.stack(bootstraps["medians"]).astype(float)
    table["both_low"], table["both_high"] = np.nanpercentile(medians, [2.5, 97.5], axis=1)
    return table


def resampled_medians(
    parts: Sequence[Predictions],
    divisors: NDArray[np.float64],
    unchosen: NDArray[np.bool_],
    resamples: Resamples,
) -> dict[tuple[str, str], NDArray[np.float64]]:
    """Return the median over an area's neuroids of r within folds, divided by the ceiling, in every resample.

    Stimuli and neuroids are resampled independently (the pigeonhole bootstrap, Owen 2007, Annals of Applied Statistics
    1:386). This bootstrap is conservative, because noise of single pairs of neuroid and stimulus counts three times. If
    differences come only from such noise, their intervals are too wide by the square root of 3. Predictions and
    ceilings stay fixed: no model is refitted.

    r is pooled over folds 0, 2, ... and over the folds between, or over each half of a single test set. The medians of
    the two scores are averaged. For neuroids without a known ceiling, r is pooled over all folds.

    Parameters
    ----------
    parts : sequence of Predictions
    divisors : (2, targets) array
        Divisors of r within even and odd folds; NaN leaves a neuroid out, 0 makes its score infinite.
    unchosen : (targets,) boolean array
        Mask of neuroids without a known ceiling; their divisors are the same for all folds.
    resamples : Resamples
        Resamples from `draw`.

    Returns
    -------
    dict of (3, 1 + n_bootstrap) arrays
        Medians over all neuroids of a resample, over its first half and over its second half, for each area and time
        bin. Resample 0 is the original sample, whose halves have no meaning. Neuroids with undefined r are left out. A
        median is NaN if no neuroid is left, or if the median is infinite.
    """
    n_resamples, n = resamples.stimuli.shape
    n_targets = divisors.shape[1]
    medians = {place: np.empty((3, n_resamples)) for place in resamples.neuroids}
    rows_at_once = min(n_resamples, max(1, VALUES_AT_ONCE // max(1, n_targets)))
    columns_at_once = max(1, min(VALUES_AT_ONCE // n, SUMS_AT_ONCE // rows_at_once))
    for start in range(0, n_resamples, rows_at_once):
        block = slice(start, start + rows_at_once)
        # The last entry stands for index -1: no target.
        scores = np.full((2, len(resamples.stimuli[block]), n_targets + 1), np.nan)
        for part in parts:
            weights = resamples.stimuli[block][:, part.rows]
            for first in range(0, len(part.columns), columns_at_once):
                some = slice(first, first + columns_at_once)
                columns = part.columns[some]
                scores[:, :, columns] = _resampled_r(part, some, weights, unchosen[columns])
        scores[:, :, :-1] = over_ceilings(scores[:, :, :-1], divisors[:, None])
        for place, neuroids in resamples.neuroids.items():
            drawn = np.take_along_axis(scores, neuroids[block][None], axis=2)
            half = drawn.shape[2] // 2
            for k, values in enumerate((drawn, drawn[:, :, :half], drawn[:, :, half:])):
                medians[place][k, block] = median_of_both(values)
    return medians


def _resampled_r(part: Predictions, some: slice, weights: NDArray, unchosen: NDArray) -> NDArray[np.float64]:
    """Return r of some neuroids (2, resamples, k), pooled over even and odd folds, or twice over all folds."""
    x, y = part.predictions[:, some], part.values[:, some]
    even, odd = (resampled_sums(x, y, half, weights) for half in halves_of(part.folds))
    r = np.stack([even.r, odd.r])
    if unchosen.any():
        # Both halves of a single test set share one mean.
        pooled = even + odd if len(part.folds) > 1 else resampled_sums(x, y, part.folds, weights)
        r[:, :, unchosen] = pooled.r[:, unchosen]
    return r


def median_of_both(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean (resamples,) of the medians of scores (2, resamples, neuroids); NaN if not finite."""
    with np.errstate(invalid="ignore"):
        median = (_medians(scores[0]) + _medians(scores[1])) / 2
    return np.where(np.isfinite(median), median, np.nan)


def _medians(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the median of the known values of each row."""
    ordered = np.sort(np.append(values, np.full((len(values), 1), np.nan), axis=1), axis=1)
    n_known = (~np.isnan(values)).sum(axis=1)
    rows = np.arange(len(values))
    lower, upper = ordered[rows, np.maximum(n_known - 1, 0) // 2], ordered[rows, n_known // 2]
    with np.errstate(invalid="ignore"):
        return (lower + upper) / 2
