"""Name the measure of each row of a summary, and choose the range of its axis."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from ventral.targets.splits import held_out

# Axes that end at round numbers end at multiples of this.
STEP = 0.05
# Mappings that compare dissimilarity or Gram matrices, and names of their comparisons. Only `versa` holds stimuli out.
COMPARISONS = {"rsa": "RSA", "cka": "CKA", "versa": "veRSA"}
NAMES = {
    "spearman": "Spearman r",
    "pearson": "Pearson r",
    "kendall": "Kendall tau-a",
    "whitened_cosine": "whitened cosine",
    "whitened_correlation": "whitened correlation",
    "biased": "biased",
    "debiased": "debiased",
}
WITHOUT_CEILING = "r (no ceiling)"


def measures(summary: pd.DataFrame) -> pd.Series:
    """Return the measure of each row: predictivity, r where no ceiling exists, or the comparison of matrices."""
    compared = [_comparison(row) for row in summary[["mapping", "distance", "comparison", "has_ceiling"]].to_numpy()]
    return pd.Series(
        np.select(
            [compares_matrices(summary), summary["has_ceiling"].astype(bool)],
            [compared, "predictivity"],
            WITHOUT_CEILING,
        ),
        index=summary.index,
    )


def named(measure: str) -> str:
    """Return the name that `measures` gives to a measure of the tables."""
    return WITHOUT_CEILING if measure == "r" else measure


def compares_matrices(summary: pd.DataFrame) -> pd.Series:
    """Say which rows compare dissimilarity or Gram matrices instead of predicting neuroids."""
    return summary["mapping"].isin(COMPARISONS)


def named_on_split(measure: str, split: str) -> str:
    """Return a measure with the stimuli that were held out, if any were."""
    return measure if split == "none" else f"{measure}, {held_out(split)}"


def _comparison(row: Sequence) -> str:
    mapping, distance, comparison, has_ceiling = row
    if mapping not in COMPARISONS:
        return ""
    distance = "" if distance in ("", "correlation") else f" ({distance})"
    return f"{COMPARISONS[mapping]}{distance}, {NAMES[comparison]}{' / ceiling' if has_ceiling else ''}"


def scale_medians(axes: Axes, rows: pd.DataFrame, limits: dict[str, tuple[float, float]]) -> None:
    """Give a panel the vertical axis of its measure."""
    measure = measures(rows).iloc[0]
    axes.set_ylim(limits[measure])
    axes.set_ylabel(measure if compares_matrices(rows).iloc[0] else f"Median {measure}")
    # Tick labels have room for two decimals.
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))


def axis_ranges(
    measure: pd.Series,
    values: pd.DataFrame,
    shown: Mapping[str, Sequence[float]],
    widened: Callable[[NDArray], tuple[float, float]],
) -> dict[str, tuple[float, float]]:
    """Return the ends of the axis of each measure, the same for all its panels.

    Parameters
    ----------
    measure : Series of str
        Measure of each row.
    values : DataFrame
        Numbers drawn for each row.
    shown : mapping of str to sequence of float
        Values that the axis of a measure includes in any case, such as its ceiling.
    widened : callable
        `padded` or `rounded_outwards`.
    """
    return {name: widened(np.append(values[measure == name].to_numpy(float), within)) for name, within in shown.items()}


def padded(values: ArrayLike) -> tuple[float, float]:
    """Return the ends of an axis with room beyond all values."""
    low, high = _extremes(values)
    padding = max(0.05 * (high - low), 0.05 - (high - low) / 2)
    return low - padding, high + padding


def rounded_outwards(values: ArrayLike) -> tuple[float, float]:
    """Return the ends of an axis around all values, at round numbers."""
    low, high = _extremes(values)
    low, high = np.floor(low / STEP - 1e-9) * STEP, np.ceil(high / STEP + 1e-9) * STEP
    return round(float(low), 2), round(float(high), 2)


def _extremes(values: ArrayLike) -> tuple[float, float]:
    values = np.asarray(values, dtype=float)
    values = values[np.isfinite(values)]
    return (values.min(), values.max()) if len(values) else (0.0, 1.0)
