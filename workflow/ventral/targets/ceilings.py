"""Estimate the ceilings of neurons' scores from the reliability of their responses within held-out folds."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ventral.mappings.correlation import explained_variance, predictivity
from ventral.recordings.given_ceilings import COLUMN, RATIO, largest_r, one_over_repetitions
from ventral.recordings.noise import Noise, noise_of, repetitions_are_blocks
from ventral.recordings.reliability import split_half_reliability
from ventral.recordings.time_bins import bins_of, columns_of
from ventral.targets.reliability import reliability_within_folds
from ventral.targets.selection import reliability_of_half
from ventral.targets.splits import Split
from ventral.targets.values import Targets, same_stimuli

if TYPE_CHECKING:
    import xarray as xr

# Columns that identify a ceiling. Each split and time bin has a separate ceiling.
KEYS = ["split", "target", "time_bin"]
HALVES = ("even", "odd")
WITHIN_FOLDS = ("reliability", "standard_error", *(f"reliability_{half}" for half in HALVES))
NUMBERS = (*WITHIN_FOLDS, "fold_reliability", "given_ceiling")


def ceilings_of_neurons(
    responses: "xr.Dataset", splits: Mapping[str, Split], seed: int, n_splits: int = 100
) -> pd.DataFrame:
    """Return the ceilings of every neuroid that is not left out, for each split.

    Parameters
    ----------
    responses : Dataset
        Store of a recording.
    splits : mapping of Split
        Splits by name. Repeated random test sets share one ceiling, computed with all stimuli as one fold.
    seed, n_splits : int
        As for `ventral.recordings.reliability.split_half_reliability`.

    Returns
    -------
    DataFrame
        Ceilings by `split`, `target` and `time_bin`, with these columns. `reliability` within folds is not clipped.
        `reliability_even` is the reliability within folds 0, 2, ... with noise from these folds, and `reliability_odd`
        within the folds between. `standard_error` belongs to the score of a perfect model. `marked` is true if this
        error is too large or too poorly known. `fold_reliability` comes from split halves within folds. All these
        columns are missing without repetitions. All except `fold_reliability` are missing for neuroids with too few
        stimuli for a split's fits. `given_ceiling` is the largest attainable r that came with the data, and
        `given_ceiling_kind` names its kind; both are missing without such a ceiling. A ceiling computed from `snr` or
        `ncsnr` applies to the stimuli that the split scores. A recording of dissimilarity matrices has no rows.
    """
    if "responses" not in responses:
        return _table({})
    responses = columns_of(responses)
    # The responses are read once, because noise, split halves and given ceilings all need them.
    kept = responses.isel(neuroid=np.flatnonzero(responses["left_out"].values == "")).load()
    values, noise = _repeated(kept), noise_of_neurons(kept)
    names, bins = kept["neuroid"].values.astype(str), bins_of(kept)
    return _table(
        {
            name: pd.DataFrame(
                {
                    "target": names,
                    "time_bin": bins,
                    **_within_folds(noise, split),
                    "fold_reliability": split_half_reliability(values, n_splits, seed, split.whole.folds),
                    "given_ceiling": given_ceilings(kept, np.concatenate(split.whole.folds)),
                    "given_ceiling_kind": responses.attrs.get("given_ceiling_kind"),
                }
            )
            for name, split in splits.items()
        }
    )


def given_ceilings(responses: "xr.Dataset", rows: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the largest attainable r (neuroids,) that came with the data, for some stimuli; NaN if missing.

    A ceiling computed from a ratio of variances depends on how often these stimuli were repeated.

    Parameters
    ----------
    responses : Dataset
        Store of a recording, with a column for each neuroid in each time bin.
    rows : (stimuli,) integer array
        Stimuli that are scored.
    """
    if COLUMN not in responses.coords:
        return np.full(responses.sizes["neuroid"], np.nan)
    if RATIO not in responses.coords:
        return responses[COLUMN].values.astype(float)
    counts = np.count_nonzero(~np.isnan(_repeated(responses)[:, rows]), axis=0)
    return largest_r(responses[RATIO].values.astype(float), one_over_repetitions(counts))


def noise_of_neurons(responses: "xr.Dataset") -> Noise:
    """Estimate the noise of the neuroids in a recording's store, one column for each neuroid."""
    values = _repeated(responses)
    return noise_of(values, blocks=repetitions_are_blocks(values))


def ceilings_in_order(ceilings: pd.DataFrame, neurons: Targets, split: str) -> pd.DataFrame:
    """Return the ceilings of one split, with a row for each neuron; missing if a neuron has none."""
    places = pd.MultiIndex.from_arrays([np.full(len(neurons.names), split), neurons.names, neurons.time_bins])
    return ceilings.reindex(places).reset_index(drop=True)


def with_ceilings(rows: pd.DataFrame, ceilings: pd.DataFrame) -> pd.DataFrame:
    """Add the ceilings of neurons, and r divided by these ceilings, to rows of the score table.

    If rows have `prediction_reliability`, `predictivity_both` is r over the square roots of the reliabilities of
    responses and predictions. `predictivity_given` is r over the ceiling that came with the data.

    Parameters
    ----------
    rows : DataFrame
        Rows of one recording. Rows of other targets than neurons stay unchanged. Rows without a column `r` come from
        scores without predictions, and are returned unchanged.
    ceilings : DataFrame
        Ceilings from `ceilings_of_neurons`.
    """
    if "r" not in rows:
        return rows
    found = ceilings.reindex(pd.MultiIndex.from_frame(rows[KEYS])).set_index(rows.index)
    r = rows["r"].to_numpy(float)
    found["predictivity"] = predictivity(r, found["reliability"].to_numpy())
    found["explained_variance"] = explained_variance(r, found["reliability"].to_numpy())
    found["predictivity_given"] = predictivity(r, found["given_ceiling"].to_numpy(float) ** 2)
    if "prediction_reliability" in rows:
        both = found["reliability"].to_numpy(), rows["prediction_reliability"].to_numpy(float)
        found["predictivity_both"] = predictivity(r, *both)
    found[rows["target_kind"] != "neuron"] = pd.NA
    known = {name: found[name].combine_first(rows[name]) if name in rows else found[name] for name in found}
    return rows.assign(**known)


def _repeated(responses: "xr.Dataset") -> NDArray[np.float64]:
    """Return the responses (repetitions, n, neuroids)."""
    return responses["responses"].transpose("repetition", "stimulus", "neuroid").values


def _within_folds(noise: Noise, split: Split) -> dict[str, NDArray]:
    """Return the ceilings (neuroids,) within folds, computed from the noise."""
    n = noise.means.shape[1]
    found = {name: np.full(n, np.nan) for name in WITHIN_FOLDS}
    found["marked"] = np.zeros(n, dtype=bool)
    sufficient = split.suffices(np.isfinite(noise.means))
    for columns, rows in same_stimuli(noise.means):
        if not sufficient[columns].all():
            continue
        remaining = [among for fold in split.whole.folds if len(among := fold[np.isin(fold, rows)])]
        of_group = noise.taken(columns)
        within = reliability_within_folds(of_group, remaining)
        found["reliability"][columns] = within.rho
        found["standard_error"][columns] = within.standard_error
        found["marked"][columns] = ~within.valid
        for first, half in enumerate(HALVES):
            found[f"reliability_{half}"][columns] = reliability_of_half(of_group, remaining, first)
    return found


def _table(of_splits: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    tables = [table.assign(split=split) for split, table in of_splits.items()]
    columns = [*KEYS, *NUMBERS, "given_ceiling_kind", "marked"]
    table = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)
    table = table.astype(dict.fromkeys(NUMBERS, "float64") | {"given_ceiling_kind": "string", "marked": "boolean"})
    table["marked"] = table["marked"].where(table["reliability"].notna())
    table["given_ceiling_kind"] = table["given_ceiling_kind"].where(table["given_ceiling"].notna())
    return table[columns].set_index(KEYS)
