"""Define the score table's columns, and compute its rows from held-out predictions."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ventral.errors import InputError, shown
from ventral.mappings.correlation import pooled_r, r_folds, r_squared, sums_within_folds
from ventral.mappings.repetitions import MEASURES as OVER_REPETITIONS
from ventral.mappings.standardisation import unit_columns
from ventral.outputs import writing
from ventral.tables import by_run, read_parquet, write_parquet
from ventral.targets.splits import halves_of
from ventral.targets.values import Targets

logger = logging.getLogger("ventral")

COLUMNS = {
    "model": "string",
    "family": "string",
    "layer": "string",
    "step": "Int64",
    "depth": "float64",
    "stimuli": "string",
    "recording": "string",
    "simulated": "boolean",
    "area": "string",
    "time_bin": "string",
    "target": "string",
    "target_kind": "string",
    "split": "string",
    "mapping": "string",
    "distance": "string",
    "comparison": "string",
    "subject": "Int64",
    "n_stimuli": "int64",
    "n_neuroids": "Int64",
    "n_features": "int64",
    "dimensionality": "float64",
    "n_folds": "int64",
    "n_leaked": "int64",
    "r": "float64",
    "r_folds": "float64",
    "r_squared": "float64",
    "r_squared_corrected": "float64",
    "share_best": "float64",
    "r_squared_best": "float64",
    "r_error": "float64",
    "r_error_both": "float64",
    "r_population": "float64",
    "r_matched": "float64",
    "reliability": "float64",
    "predictivity": "float64",
    "explained_variance": "float64",
    "standard_error": "float64",
    "marked": "boolean",
    "fold_reliability": "float64",
    "given_ceiling": "float64",
    "given_ceiling_kind": "string",
    "predictivity_given": "float64",
    "prediction_reliability": "float64",
    "predictivity_both": "float64",
    "r_even": "float64",
    "reliability_even": "float64",
    "r_odd": "float64",
    "reliability_odd": "float64",
    **dict.fromkeys(OVER_REPETITIONS, "float64"),
    "n_alone": "Int64",
    "target_dimensionality": "float64",
    "ceiling_low": "float64",
    "ceiling_high": "float64",
    "alpha": "float64",
    "balanced_accuracy": "float64",
    "chance": "float64",
}
# Column with the list of each draw's r squared, corrected where that is known, which is not written.
OF_DRAWS = "of_draws"
SORTED_BY = ["recording", "split", "mapping", "target_kind", "model", "depth", "layer", "area", "time_bin", "target"]
SORTED_BY += ["distance", "comparison", "subject"]


def join(tables: Sequence[str | Path], output: str | Path) -> None:
    """Join the tables of all models and recordings into the score table, from which all figures are made.

    Raises
    ------
    InputError
        If there are tables but none has a row. Without tables, because nothing is scored, the score table has no rows.
    """
    if not tables:
        logger.warning("the score table has no rows, because no model or area is scored against a recording")
    rows = [read_parquet(table) for table in tables]
    if rows and not any(map(len, rows)):
        raise InputError(
            f"{shown([str(table) for table in tables])}: rows are missing; score a recording with at least one neuroid "
            f"that responds differently to different stimuli, or a dissimilarity matrix"
        )
    with writing(output) as unfinished:
        write_table(pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(), unfinished)


def prediction_rows(
    predictions: NDArray,
    targets: Targets,
    folds: Sequence[NDArray],
    split: str,
    mapping: str,
    penalty: NDArray | None,
    halves: tuple[Sequence[NDArray], Sequence[NDArray]] | None = None,
    matched: NDArray | None = None,
) -> pd.DataFrame:
    """Return a row of the score table for each target that a mapping predicted on held-out stimuli.

    `r` is pooled over folds (`ventral.mappings.correlation.pooled_r`), and `r_folds` is the mean over folds.
    `r_squared` is the square of `r`, 0 where `r` is negative or missing. `r_even` and `r_odd` are pooled over folds 0,
    2, ... and the folds between, or within each half of a single test set. `n_alone` counts folds of one stimulus,
    which add nothing to r. `ventral.targets.ceilings.with_ceilings` adds the ceilings of neurons.

    Parameters
    ----------
    predictions : (n, targets) array
        Prediction of each stimulus by the fit without its fold.
    targets : Targets
        Measured values for the same n stimuli.
    folds : sequence of integer arrays
        Rows of each fold.
    split, mapping : str
        Names of the folds' split and of the mapping.
    penalty : (folds, targets) array or None
        Chosen penalty of each target in each fold, for mappings with penalties.
    halves : pair of sequences of integer arrays, optional
        Folds of each half of a single test set; by default from `ventral.targets.splits.halves_of`.
    matched : (folds, targets) array, optional
        Held-out correlations with matched units; `r_matched` is their mean over folds.
    """
    sums = sums_within_folds(predictions, targets.values, folds)
    r = pooled_r(sums)
    if len(folds) > 1:
        r_even, r_odd = (pooled_r(sums.pooled(slice(first, None, 2))) for first in (0, 1))
    else:
        r_even, r_odd = (_r_of_half(predictions, targets.values, half) for half in halves or halves_of(folds))
    return pd.DataFrame(
        {
            "area": targets.areas,
            "time_bin": targets.time_bins,
            "target": targets.names,
            "target_kind": targets.kinds,
            "split": split,
            "mapping": mapping,
            "n_stimuli": len(targets.values),
            "n_folds": len(folds),
            "r": r,
            "r_folds": r_folds(sums),
            "r_squared": r_squared(r),
            "r_matched": np.nan if matched is None else matched.mean(axis=0),
            "r_even": r_even,
            "r_odd": r_odd,
            "n_alone": (sums.n == 1).sum(axis=0),
            "alpha": np.nan if penalty is None else np.exp(np.log(penalty).mean(axis=0)),
        }
    )


def median_over_draws(tables: Sequence[pd.DataFrame], keys: Sequence[str]) -> pd.DataFrame:
    """Join the rows of several random draws of training and test sets to one row for each target.

    Parameters
    ----------
    tables : sequence of DataFrame
        Rows of each draw; a single table is returned unchanged.
    keys : sequence of str
        Columns that identify a target.

    Returns
    -------
    DataFrame
        Medians over draws; NaN if one is NaN. `r_even` and `r_odd` use the draws with stimuli in that half. `r_folds`
        is the mean over draws. `n_folds`, if present, is the number of draws. `OF_DRAWS` has r squared of each draw.
    """
    if len(tables) == 1:
        return tables[0]
    rows = pd.concat(tables, ignore_index=True)
    if "r_squared" in rows:
        rows[OF_DRAWS] = rows["r_squared"]
        if "r_squared_corrected" in rows:
            rows[OF_DRAWS] = rows["r_squared_corrected"].fillna(rows["r_squared"])
    groups = rows.groupby(list(keys), sort=False)
    numbers = groups.first().select_dtypes("number").columns
    table = groups.first()
    for column in numbers:
        found = groups[column]
        table[column] = found.median()
        if column not in ("r_even", "r_odd"):
            table[column] = table[column].where(found.count() == len(tables))
    if "r_folds" in table:
        table["r_folds"] = groups["r_folds"].agg(lambda values: values.mean(skipna=False))
    if "n_folds" in table:
        table["n_folds"] = len(tables)
    if "r_squared" in table:
        table[OF_DRAWS] = groups[OF_DRAWS].agg(list)
    return table.reset_index()


def correlation_in_folds(predictions: NDArray, values: NDArray, folds: Sequence[NDArray]) -> NDArray:
    """Return Pearson's r of each column, computed within each fold and averaged over folds.

    Parameters
    ----------
    predictions, values : (n, targets) arrays
        Held-out predictions and measured values.
    folds : sequence of integer arrays
        Rows of each fold.

    Returns
    -------
    (targets,) array
        Mean r; NaN if predictions or values do not vary within some fold.
    """
    return np.mean([_pearson(predictions[fold], values[fold]) for fold in folds], axis=0)


def _r_of_half(predictions: NDArray, values: NDArray, half: Sequence[NDArray]) -> NDArray[np.float64]:
    """Return r (targets,) pooled over some folds; NaN if these are empty."""
    folds = [fold for fold in half if len(fold)]
    if not folds:
        return np.full(values.shape[1], np.nan)
    return pooled_r(sums_within_folds(predictions, values, folds))


def _pearson(a: NDArray, b: NDArray) -> NDArray:
    deviations = []
    for values in (a, b):
        columns, varying = unit_columns(values)
        # The sign of deviations as small as rounding errors has no meaning.
        columns[:, ~varying] = np.nan
        deviations.append(columns)
    return np.einsum("ij,ij->j", *deviations)


def write_table(table: pd.DataFrame, path: Path, *more: str) -> None:
    """Write rows as a score table with all columns and `more`, sorted so that equal rows give equal files."""
    table = table.reindex(columns=[*COLUMNS, *more]).astype(COLUMNS)
    table = table.fillna({"time_bin": "", "distance": "", "comparison": ""})
    write_parquet(table.sort_values(SORTED_BY, ignore_index=True, kind="stable", key=by_run), path)
