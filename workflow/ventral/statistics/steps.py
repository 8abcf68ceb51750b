"""Which step of a recurrent network predicts an area in which bin of time, and whether later steps predict it later.

A step is one run of a module in a forward pass. Let s(k, b) be the score of step k in bin b. Let a(b) be its mean over
steps, and c(b) the slope of a straight line through s(k, b) over k. If all bins prefer the same steps, c(b) = a(b) g.
The score then grows by a share g with each step, however well it predicts the bin. Later steps predict later responses
if this share rises with the number of the bin. So t is fitted by least squares:

    c(b) = a(b) (g + t b).

Bins that nothing predicts have a(b) = 0, and so no weight. The best step of a bin would be no such measure: where
nothing predicts, it is random, and lies in the middle on average.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ventral.models.layer_names import step_of, without_step
from ventral.outputs import writing
from ventral.recordings.axes import TIME_BIN
from ventral.recordings.time_bins import BASELINE, time_order, times_of
from ventral.statistics.bootstrap import read_bootstraps

PLACE = ["recording", "area", "split", "mapping", "model", "family"]
BEST = ["best_step", "best_step_low", "best_step_high", "best"]
MATCHED, TIMED = ["matched", "matched_low", "matched_high"], ["timed_step", "timed", "timed_low", "timed_high"]
COLUMNS = [*PLACE, "layer", "n_steps", TIME_BIN, "time", "n_neuroids", *BEST, *MATCHED, *TIMED]
ORDER = [*PLACE, "layer", "n_steps", "n_bins", "n_neuroids", "slope", "trend", "low", "high", "p"]


@dataclass(frozen=True)
class Module:
    """Scores of the steps of a module in bins of time.

    Attributes
    ----------
    place : dict of str
        Values of the columns `PLACE`, and `layer`, the name without a step.
    once : bool
        Whether the module runs once in a forward pass.
    steps : (steps,) array
        Numbers of the steps, ascending; 1 for a layer that runs once.
    bins : sequence of str
        Bins in the order of time, without the baseline.
    times : (bins,) array
        Middle of each bin.
    n_neuroids : (bins,) array
        Number of scored neuroids.
    medians : (steps, bins) array
        Scores.
    resampled, first_halves, second_halves : (steps, bins, B) arrays
        Scores in each resample: of all neuroids, and of each half of them.
    """

    place: dict
    once: bool
    steps: NDArray[np.int64]
    bins: Sequence[str]
    times: NDArray[np.float64]
    n_neuroids: NDArray[np.int64]
    medians: NDArray[np.float64]
    resampled: NDArray[np.float64]
    first_halves: NDArray[np.float64]
    second_halves: NDArray[np.float64]


def steps_over_time(bootstraps: Sequence[Path], output: Path, steps: Mapping[str, Mapping[str, float]]) -> None:
    """Write the best step of each module in each bin, and the scores of steps that are matched to bins.

    Parameters
    ----------
    bootstraps : sequence of paths
        Resampled medians of models, for recordings with time bins.
    output : path
        CSV to write, with `COLUMNS`. A layer that runs once has one step. `best_step` has the highest score, `best`.
        For `matched`, the best step of a bin is chosen on one half of the neurons and scored on the other half. It is
        the mean over both ways and all resamples with a score. `timed_step` is the step whose time, by `steps`, has the
        middle of the bin, and `timed` is its score. Intervals are 95 % intervals for other stimuli and neurons.
    steps : mapping
        `start` and `width` in ms of the steps of each model with times: step k is from start + (k - 1) width to
        start + k width.
    """
    parts = [_rows_of_bins(module, steps.get(module.place["model"])) for module in _modules(bootstraps)]
    with writing(output) as unfinished:
        pd.concat(parts or [pd.DataFrame(columns=COLUMNS)])[COLUMNS].to_csv(
            unfinished, index=False, lineterminator="\n"
        )


def order_of_steps(bootstraps: Sequence[Path], output: Path) -> None:
    """Write for each module with several steps whether later steps predict later responses.

    Parameters
    ----------
    bootstraps : sequence of paths
        Resampled medians of models, for recordings with time bins.
    output : path
        CSV to write, with `ORDER`. `slope` is that of the best step over bins, in steps a bin. `trend` has the 95 %
        interval from `low` to `high` for other stimuli and neurons, and `p` is two-sided.
    """
    several = (module for module in _modules(bootstraps) if len(module.steps) > 1 and len(module.bins) > 1)
    rows = [_order_of_module(module) for module in several]
    with writing(output) as unfinished:
        pd.DataFrame(rows, columns=ORDER).to_csv(unfinished, index=False, lineterminator="\n")


def best_steps(scores: NDArray[np.float64], steps: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the step with the highest of scores (steps, ...), NaN where no score is known."""
    known = np.isfinite(scores)
    best = steps[np.where(known, scores, -np.inf).argmax(axis=0)]
    return np.where(known.any(axis=0), best, np.nan)


def trend(scores: NDArray[np.float64], steps: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return by how much the share by which scores grow with each step rises from bin to bin.

    Parameters
    ----------
    scores : (steps, bins, ...) array
    steps : (steps,) array
        Numbers of the steps, two or more.

    Returns
    -------
    (...) array
        t of the formula above; NaN if a score is unknown.
    """
    centred = steps - steps.mean()
    slopes = np.tensordot(centred, scores, 1) / (centred**2).sum()
    levels = scores.mean(axis=0)
    place = np.arange(scores.shape[1]).reshape(-1, *[1] * (scores.ndim - 2))
    weights = levels**2
    deviations = place - (weights * place).sum(axis=0) / weights.sum(axis=0)
    return (levels * slopes * deviations).sum(axis=0) / (weights * deviations**2).sum(axis=0)


def trend_with_interval(
    scores: NDArray[np.float64], resampled: NDArray[np.float64], steps: NDArray[np.int64]
) -> dict[str, float]:
    """Return the `trend` of scores (steps, bins) with its 95 % interval, `low` to `high`, and two-sided `p`.

    Parameters
    ----------
    scores : (steps, bins) array
    resampled : (steps, bins, B) array
        Scores in each resample. Resamples with an unknown score are skipped.
    steps : (steps,) array
        Numbers of the steps.
    """
    found = {"trend": float(trend(scores, steps)), "low": np.nan, "high": np.nan, "p": np.nan}
    trends = trend(resampled, steps)
    trends = trends[np.isfinite(trends)]
    if not len(trends):
        return found
    low, high = np.percentile(trends, [2.5, 97.5])
    fewest = min((trends <= 0).sum(), (trends >= 0).sum())
    return found | {"low": low, "high": high, "p": min(1.0, 2 * (fewest + 1) / (len(trends) + 1))}


def matched_scores(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the scores (...) of steps that are best on the other half of neurons, as means over both ways.

    Parameters
    ----------
    first, second : (steps, ...) arrays
        Scores of each half of the neurons.
    """
    ways = [_taken(scored, chosen) for chosen, scored in ((first, second), (second, first))]
    return np.mean(ways, axis=0)


def step_at(time: float, rule: Mapping[str, float] | None) -> float:
    """Return the number of the step at a time in ms by a rule with `start` and `width`; NaN before it or without."""
    if rule is None or time < rule["start"]:
        return np.nan
    return float((time - rule["start"]) // rule["width"] + 1)


def _taken(scores: NDArray, chosen: NDArray) -> NDArray[np.float64]:
    best = np.where(np.isfinite(chosen), chosen, -np.inf).argmax(axis=0)
    return np.take_along_axis(scores, best[None], axis=0)[0]


def _modules(bootstraps: Sequence[Path]) -> Iterator[Module]:
    if not bootstraps:
        return
    table = read_bootstraps(bootstraps)
    table = table[~table[TIME_BIN].isin(["", BASELINE])]
    table = table.assign(step=table["layer"].map(step_of).astype(float))
    table["layer"] = table["layer"].map(without_step)
    for key, rows in table.groupby([*PLACE, "layer"], dropna=False, sort=False):
        bins = sorted(set(rows[TIME_BIN]), key=time_order)
        once = bool(rows["step"].isna().all())
        numbers = rows["step"].fillna(1).to_numpy(int)
        steps = np.unique(numbers)
        at = (np.searchsorted(steps, numbers), np.array([bins.index(name) for name in rows[TIME_BIN]]))
        resampled = np.full((3, len(steps), len(bins), len(rows["medians"].iloc[0])), np.nan)
        for k, column in enumerate(("medians", "first_halves", "second_halves")):
            resampled[k][at] = np.stack(rows[column])
        medians, n_neuroids = np.full((len(steps), len(bins)), np.nan), np.zeros(len(bins), dtype=int)
        medians[at], n_neuroids[at[1]] = rows["median"], rows["n_neuroids"]
        place = dict(zip([*PLACE, "layer"], key, strict=True))
        yield Module(place, once, steps, bins, times_of(bins), n_neuroids, medians, *resampled)


def _rows_of_bins(module: Module, rule: Mapping[str, float] | None) -> pd.DataFrame:
    best = best_steps(module.medians, module.steps)
    best_low, best_high = _interval(best_steps(module.resampled, module.steps))
    matched = matched_scores(module.first_halves, module.second_halves)
    timed = np.array([1.0 if module.once else step_at(time, rule) for time in module.times])
    timed[~np.isin(timed, module.steps)] = np.nan
    resampled = np.array([_scores_at(module.resampled, module.steps, k, step) for k, step in enumerate(timed)])
    columns = {
        "n_steps": len(module.steps),
        TIME_BIN: module.bins,
        "time": module.times,
        "n_neuroids": module.n_neuroids,
        "best_step": best,
        "best_step_low": best_low,
        "best_step_high": best_high,
        "best": np.where(np.isnan(best), np.nan, np.fmax.reduce(module.medians, axis=0)),
        "matched": _known_means(matched),
        "timed_step": timed,
        "timed": [_scores_at(module.medians, module.steps, k, step) for k, step in enumerate(timed)],
    }
    for name, values in (("matched", matched), ("timed", resampled.reshape(len(timed), -1))):
        columns[f"{name}_low"], columns[f"{name}_high"] = _interval(values)
    return pd.DataFrame(columns).assign(**module.place)


def _scores_at(scores: NDArray, steps: NDArray, k: int, step: float) -> NDArray[np.float64]:
    """Return the scores (...) of a step in bin k, given scores (steps, bins, ...); NaN without a step."""
    if np.isnan(step):
        return np.full(scores.shape[2:], np.nan)
    return scores[np.searchsorted(steps, int(step)), k]


def _order_of_module(module: Module) -> dict:
    known = np.isfinite(module.medians).all(axis=0)
    best = best_steps(module.medians, module.steps)
    several = known.sum() > 1
    return {
        **module.place,
        "n_steps": len(module.steps),
        "n_bins": int(known.sum()),
        "n_neuroids": int(module.n_neuroids.min()),
        "slope": np.polyfit(np.flatnonzero(known), best[known], 1)[0] if several else np.nan,
        **(trend_with_interval(module.medians[:, known], module.resampled[:, known], module.steps) if several else {}),
    }


def _known_means(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean (bins,) of the known values (bins, B); NaN for bins without a value."""
    known = np.isfinite(values)
    counts = known.sum(axis=1)
    return np.where(known, values, 0).sum(axis=1) / np.where(counts, counts, np.nan)


def _interval(resampled: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the ends (bins,) of the 95 % intervals of values (bins, B); NaN for bins without a value."""
    ends = np.full((2, len(resampled)), np.nan)
    known = np.isfinite(resampled).any(axis=1)
    if known.any():
        ends[:, known] = np.nanpercentile(resampled[known], [2.5, 97.5], axis=1)
    return ends[0], ends[1]
