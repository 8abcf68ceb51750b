"""Warn of penalties chosen at an edge of their grid, where a wider grid may predict better."""

import logging
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ventral.errors import shown
from ventral.mappings.correlation import sums_within_folds

logger = logging.getLogger(__name__)

# Share of choices at an edge, for a layer and split, that triggers a warning.
MANY = 0.2
EDGES = {"lowest": "lower", "highest": "higher"}


def choices_at_edges(
    layer: str,
    split: str,
    predictions: NDArray,
    values: NDArray,
    folds: Sequence[NDArray],
    candidate: NDArray[np.intp],
    n_penalties: int,
) -> pd.DataFrame:
    """Count the choices of a penalty at each edge of the grid, over targets with a positive r.

    Targets that cannot be predicted are skipped: their mean is the best prediction, at any high penalty.

    Parameters
    ----------
    layer, split : str
        Names.
    predictions, values : (n, targets) arrays
        Held-out predictions and measured values.
    folds : sequence of integer arrays
        Rows of each fold.
    candidate : (folds, targets) integer array
        Index of the chosen penalty, counted from the lowest.
    n_penalties : int
        Number of candidates.

    Returns
    -------
    DataFrame
        One row with `layer`, `split` and numbers of choices: of all penalties (`choices`), of the `lowest` and of the
        `highest`.
    """
    chosen = candidate[:, sums_within_folds(predictions, values, folds).pooled().r[0] > 0]
    counts = {"lowest": (chosen == 0).sum(), "highest": (chosen == n_penalties - 1).sum()}
    return pd.DataFrame([{"layer": layer, "split": split, "choices": chosen.size, **counts}])


def warn_of_edges(counts: pd.DataFrame, model: str, recording: str, penalties: Sequence[float]) -> None:
    """Warn of layers with many choices at an edge of the grid, naming the option that moves the edge.

    Parameters
    ----------
    counts : DataFrame
        Rows of `choices_at_edges`; rows of one layer and split are summed.
    model, recording : str
        Names.
    penalties : sequence of float
        Grid of penalties, ascending. A single penalty has no edge.
    """
    if len(penalties) < 2 or counts.empty:
        return
    sums = counts.groupby(["layer", "split"], sort=False)[["choices", *EDGES]].sum()
    told = []
    for (edge, instead), penalty in zip(EDGES.items(), (penalties[0], penalties[-1]), strict=True):
        share = sums[edge] / sums["choices"].clip(lower=1)
        places = [f"{layer} ({split}, {value:.0%})" for (layer, split), value in share[share > MANY].items()]
        if places:
            told.append(
                f"the {edge} one, {penalty:g}, in {shown(places)}: set `penalties.{edge}` {instead} than {penalty:g}"
            )
    if told:
        logger.warning(
            "model %s, recording %s: ridge penalties chosen at an edge of the grid, for targets with r above 0: %s",
            model,
            recording,
            "; ".join(told),
        )
