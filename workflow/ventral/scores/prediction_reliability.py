"""Estimate the reliability of predictions, which inherit noise from the fitted responses.

Fits on two random halves of the repetitions predict the same held-out stimuli.
`ventral.mappings.correlation.prediction_reliability` corrects the correlation of their predictions to all repetitions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from dask.delayed import Delayed, delayed
from numpy.typing import NDArray

from ventral.mappings.correlation import prediction_reliability
from ventral.recordings.reliability import means_of_halves
from ventral.recordings.time_bins import columns_of
from ventral.scores.prediction import Options, predict
from ventral.scores.table import median_over_draws
from ventral.targets.splits import Split
from ventral.targets.values import Targets, neurons

if TYPE_CHECKING:
    import xarray as xr

HALVINGS = 2
KEYS = ["split", "mapping", "target", "time_bin"]


def halves_of_repetitions(responses: "xr.Dataset", seed: int) -> list[tuple[Targets, Targets]]:
    """Return the neurons of a recording with means over each half of the repetitions, for two random divisions.

    Parameters
    ----------
    responses : Dataset
        Store of a recording of neuroids.
    seed : int
        As for `ventral.recordings.reliability.means_of_halves`.

    Returns
    -------
    list
        Pairs of halves; empty without repetitions.
    """
    responses = columns_of(responses)
    if not responses.attrs["has_repetitions"]:
        return []
    targets = neurons(responses)
    kept = responses["responses"].isel(neuroid=np.flatnonzero(responses["left_out"].values == ""))
    halves = means_of_halves(kept.transpose("repetition", "stimulus", "neuroid").values, HALVINGS, seed)
    return [(replace(targets, values=first), replace(targets, values=second)) for first, second in halves]


def predict_from_halves(
    representation: Delayed,
    layer: Mapping,
    halves: Sequence[tuple[Targets, Targets]],
    splits: Mapping[str, Split],
    options: Options,
) -> list[Delayed]:
    """Return tables of the reliability of predictions, one for each split and predicting mapping.

    Parameters
    ----------
    representation, layer, splits, options
        As for `ventral.scores.prediction.predict`.
    halves : sequence of pairs of Targets
        Targets from `halves_of_repetitions`.

    Returns
    -------
    list of DataFrame, delayed
        Tables with `split`, `mapping`, `target`, `time_bin` and `prediction_reliability`.
    """
    parts: dict[tuple[str, str], dict[int | None, list]] = {}
    for halving, pair in enumerate(halves):
        for side, targets in enumerate(pair):
            for part in predict(representation, layer, targets, splits, options):
                of_part = (halving, side, part.predictions, part.targets, part.rows)
                draws = parts.setdefault((part.split, part.mapping), {})
                draws.setdefault(part.draw, []).append(of_part)
    tables = []
    for (split, mapping), draws in parts.items():
        folds = splits[split].folds
        of_draws = [
            delayed(_reliabilities, pure=False)(
                of_draw, halves[0][0], folds if draw is None else [folds[draw]], split, mapping
            )
            for draw, of_draw in draws.items()
        ]
        tables.append(delayed(median_over_draws, pure=False)(of_draws, KEYS))
    return tables


def with_prediction_reliability(rows: pd.DataFrame, tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Add the reliabilities from `predict_from_halves` to rows of one layer."""
    if not tables:
        return rows
    found = pd.concat(tables).set_index(KEYS)["prediction_reliability"]
    values = found.reindex(pd.MultiIndex.from_frame(rows[KEYS])).to_numpy()
    return rows.assign(prediction_reliability=np.where(rows["target_kind"] == "neuron", values, np.nan))


def _reliabilities(
    parts: Sequence[tuple[int, int, NDArray, Targets, NDArray]],
    targets: Targets,
    folds: Sequence[NDArray],
    split: str,
    mapping: str,
) -> pd.DataFrame:
    predictions = np.full((2, HALVINGS, *targets.values.shape), np.nan)
    for halving, side, predicted, group, rows in parts:
        columns = targets.places_of(group.names, group.time_bins)
        predictions[side, halving, np.asarray(rows)[:, None], columns] = predicted
    return pd.DataFrame(
        {
            "split": split,
            "mapping": mapping,
            "target": targets.names,
            "time_bin": targets.time_bins,
            "prediction_reliability": prediction_reliability(*predictions, folds),
        }
    )
