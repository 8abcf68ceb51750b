"""Correct r squared for noise in responses and in predictions, by fits on each single repetition.

The procedure is that of Tuckute et al. 2023 (PLoS Biology 21:e3002366). Mean responses give r squared. It is divided by
the reliability of the training responses, and by that of the predictions of the test stimuli. Single repetitions give
both (`ventral.mappings.correlation.reliability_over_pairs`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from dask.delayed import Delayed, delayed
from numpy.typing import NDArray

from ventral.mappings.correlation import reliability_over_pairs
from ventral.recordings.time_bins import columns_of
from ventral.scores.prediction import Options, Predicted, predict
from ventral.targets.splits import Split
from ventral.targets.values import Targets, neurons

if TYPE_CHECKING:
    import xarray as xr


def single_repetitions(responses: "xr.Dataset") -> list[Targets]:
    """Return the neurons of a recording with the responses of each repetition; empty without repetitions."""
    responses = columns_of(responses)
    if not responses.attrs["has_repetitions"]:
        return []
    targets = neurons(responses)
    kept = responses["responses"].isel(neuroid=np.flatnonzero(responses["left_out"].values == ""))
    repetitions = kept.transpose("repetition", "stimulus", "neuroid").values
    return [replace(targets, values=values) for values in repetitions if np.isfinite(values).any()]


def reliabilities_over_repetitions(
    representation: Delayed,
    layer: Mapping,
    repetitions: Sequence[Targets],
    splits: Mapping[str, Split],
    options: Options,
) -> dict[tuple, Delayed]:
    """Return the reliability of responses times that of predictions, for each test set.

    Parameters
    ----------
    representation, layer, splits, options
        As for `ventral.scores.prediction.predict`. Splits whose folds are held out in turn are skipped.
    repetitions : sequence of Targets
        From `single_repetitions`.

    Returns
    -------
    dict of Series, delayed
        Products by target and time bin, for the `key_of` each prediction of a test set.
    """
    with_test_sets = {name: split for name, split in splits.items() if not split.is_nested}
    parts: dict[tuple, list] = {}
    for number, targets in enumerate(repetitions):
        for part in predict(representation, layer, targets, with_test_sets, options):
            of_part = (number, part.predictions, part.targets, part.rows)
            parts.setdefault(key_of(part), []).append(of_part)
    measured = delayed(repetitions, pure=False, traverse=False)
    return {
        key: delayed(_product, pure=False)(measured, of_set, with_test_sets[key[0]].fits[key[2] or 0][0])
        for key, of_set in parts.items()
    }


def key_of(part: Predicted) -> tuple[str, str, int | None]:
    """Return split, mapping and draw of a prediction."""
    return part.split, part.mapping, part.draw


def with_r_squared_corrected(rows: pd.DataFrame, reliability: pd.Series) -> pd.DataFrame:
    """Add the column `r_squared_corrected`, which may exceed 1, to rows of one test set.

    It is missing for targets that are no neurons, and for neurons without two repetitions of three stimuli.
    """
    places = pd.MultiIndex.from_frame(rows[["target", "time_bin"]])
    corrected = rows["r_squared"] / reliability.reindex(places).to_numpy()
    return rows.assign(r_squared_corrected=corrected.where(rows["target_kind"] == "neuron"))


def _product(
    repetitions: Sequence[Targets],
    parts: Sequence[tuple[int, NDArray, Targets, NDArray[np.intp]]],
    training: NDArray[np.intp],
) -> pd.Series:
    targets = repetitions[0]
    predictions = np.full((len(repetitions), *targets.values.shape), np.nan)
    for number, predicted, group, rows in parts:
        columns = targets.places_of(group.names, group.time_bins)
        predictions[number, np.asarray(rows)[:, None], columns] = predicted
    measured = np.stack([of_repetition.values[training] for of_repetition in repetitions])
    product = reliability_over_pairs(measured) * reliability_over_pairs(predictions)
    return pd.Series(product, pd.MultiIndex.from_arrays([targets.names, targets.time_bins]))
