"""The ceiling that belongs to a correlation within held-out folds: reliability within the same folds."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from ventral.recordings.reliability import split_half_reliability
from ventral.recordings.time_bins import bins_of, columns_of


def fold_reliabilities(
    responses: xr.Dataset, folds: Mapping[str, Sequence[NDArray]], seed: int, n_splits: int = 100
) -> dict[str, dict[tuple[str, str], float]]:
    """Return the reliability of every neuroid within the folds of each split, by split, and neuroid and bin of time.

    Parameters
    ----------
    responses : Dataset
        Store of a recording.
    folds : mapping of sequences of integer arrays
        Held-out folds of each split.
    seed, n_splits : int
        As for `ventral.recordings.reliability.split_half_reliability`.

    Returns
    -------
    dict of dict
        NaN without repetitions; nothing of a recording of dissimilarity matrices.
    """
    if "responses" not in responses:
        return {}
    responses = columns_of(responses)
    kept = responses.isel(neuroid=np.flatnonzero(responses["left_out"].values == ""))
    keys = list(zip(kept["neuroid"].values.astype(str).tolist(), bins_of(kept).tolist(), strict=True))
    values = kept["responses"].transpose("repetition", "stimulus", "neuroid").values
    return {
        split: dict(zip(keys, split_half_reliability(values, n_splits, seed, of_split).tolist(), strict=True))
        for split, of_split in folds.items()
    }


def with_fold_ceilings(
    rows: pd.DataFrame, reliabilities: Mapping[str, Mapping[tuple[str, str], float]]
) -> pd.DataFrame:
    """Return rows of the score table with `fold_reliability` and `fold_predictivity`, r over the root of it.

    Parameters
    ----------
    rows : DataFrame
        Of one recording; what is no neuron has neither. Where nothing was predicted, there is no `r` and they are
        returned as they are.
    reliabilities : dict of dict
        From `fold_reliabilities`.
    """
    if "r" not in rows:
        return rows
    places = rows[["split", "target", "time_bin"]].to_numpy()
    rho = np.array([reliabilities.get(split, {}).get((name, time), np.nan) for split, name, time in places])
    rho[(rows["target_kind"] != "neuron").to_numpy()] = np.nan
    ceiling = np.sqrt(np.where(rho > 0, rho, np.nan))
    return rows.assign(fold_reliability=rho, fold_predictivity=rows["r"].astype(float) / ceiling)
