"""When layers predict an area, its neurons respond, and labels are read: tests over bins of time, and latencies.

Let d be the rise in each bin: the score less that in the baseline, or the score itself without a baseline. Resampled
rises d* share their stimuli and neurons between bins. The largest (d* - d) / s over bins has the 95 % quantile c. Bins
with d > c s are above baseline. By chance, any bin is above baseline in at most 5 % of experiments. This is the maximum
statistic (Nichols and Holmes 2002, Human Brain Mapping 15:1), studentised as by Romano and Wolf (2005, Econometrica
73:1237). The latency is the middle of the first of three such bins in a row.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ventral.outputs import writing
from ventral.recordings.axes import NEUROID, TIME_BIN
from ventral.recordings.ingestion import mean_responses
from ventral.recordings.time_bins import BASELINE, END, START, time_order, times_of
from ventral.statistics.bootstrap import read_bootstraps
from ventral.store import read_dataset
from ventral.tables import read_parquet

if TYPE_CHECKING:
    import xarray as xr

LEVEL = 0.05
# Number of bins above baseline in a row that make a latency.
IN_A_ROW = 3
PLACE = ["recording", "area", "split", "mapping", "model", "family", "layer", "depth"]
COLUMNS = [*PLACE, "time_bin", "time", "n_neuroids", "median", "low", "high", "rise", "p", "above"]
LATENCIES = ["kind", "recording", "area", "neuroid", "target", "held_out", *PLACE[2:]]
LATENCIES += ["latency", "low", "high", "share_found"]
# Columns of a table of decoding over time that say what is read, and their names in the table of latencies.
READING = {
    **{name: name for name in ("recording", "area", "target", "held_out", "split")},
    "classifier": "mapping",
}


@dataclass(frozen=True)
class Rise:
    """The rise above baseline in each bin, and its test.

    Attributes
    ----------
    p : (bins,) array
        p value of a rise, corrected for all bins.
    above : (bins,) array
        True where p is below 0.05.
    critical : (bins,) array
        Smallest rise that is above baseline.
    """

    p: NDArray[np.float64]
    above: NDArray[np.bool_]
    critical: NDArray[np.float64]


def over_time(bootstraps: Sequence[Path], output: Path) -> None:
    """Write the score of each layer in each bin, with its interval and its test against the baseline.

    Parameters
    ----------
    bootstraps : sequence of paths
        Resampled medians of models, for recordings with time bins.
    output : path
        CSV to write, with `COLUMNS`. `time` is the middle of the bin in ms. `median`, from `low` to `high`, is the
        score with its 95 % interval for other stimuli and neurons. `rise` is the median less that of the baseline, or
        the median itself without a baseline. `p` is that of a rise, corrected for the layer's bins, and `above` says
        whether it is below 0.05. The baseline has neither.
    """
    parts = [*map(_rows_of_layer, _layers(bootstraps))] or [pd.DataFrame(columns=COLUMNS)]
    with writing(output) as unfinished:
        pd.concat(parts)[COLUMNS].to_csv(unfinished, index=False, lineterminator="\n")


def latencies(
    bootstraps: Sequence[Path],
    recordings: Sequence[Path],
    decoded: Sequence[Path],
    output: Path,
    n_bootstrap: int,
    seed: int,
) -> None:
    """Write the latency of each layer's score, of each neuroid's mean response, and of each reading of labels.

    Parameters
    ----------
    bootstraps : sequence of paths
        As for `over_time`.
    recordings : sequence of paths
        Stores of recordings with time bins. Neuroids have a latency where there is a baseline.
    decoded : sequence of paths
        Tables of `ventral.decoding.over_time.decode_over_time`. Readings have a latency where shuffled labels say what
        accuracy is above chance, which is then their baseline.
    output : path
        CSV to write, with `LATENCIES`. `kind` is `layer`, `neuroid` or `reading`. `latency` is in ms, and empty without
        three bins above baseline in a row. `low` and `high` are the ends of the 95 % interval over the resamples that
        have a latency, and `share_found` is the share of these resamples. Resamples are of stimuli and neurons for
        layers and readings, and of stimuli for neuroids.
    n_bootstrap, seed : int
        Number of resamples of stimuli for neuroids, and seed of their draw.
    """
    rows = [*map(_latency_of_layer, _layers(bootstraps))]
    for path in recordings:
        rows += _latencies_of_neuroids(read_dataset(path), n_bootstrap, seed)
    for path in decoded:
        rows += _latencies_of_readings(read_parquet(path))
    with writing(output) as unfinished:
        pd.DataFrame(rows, columns=LATENCIES).to_csv(unfinished, index=False, lineterminator="\n")


def assessed(rise: NDArray[np.float64], resampled: NDArray[np.float64]) -> Rise:
    """Test in which bins a score rises above baseline, with the maximum statistic over bins.

    Parameters
    ----------
    rise : (bins,) array
        Rise d in each bin; NaN if undefined.
    resampled : (bins, B) array
        Rises d* in each resample. Resamples with an undefined rise in a bin with a known d are skipped.

    Returns
    -------
    Rise
        With B resamples, p is 1 / (B + 1) or more. p is NaN for undefined rises, and for all without a resample.
    """
    known = np.isfinite(rise)
    p, critical = np.full((2, len(rise)), np.nan)
    complete = resampled[known][:, np.isfinite(resampled[known]).all(axis=0)]
    if known.any() and complete.shape[1]:
        spread = complete.std(axis=1)
        scale = np.where(spread > 0, spread, 1.0)
        largest = np.sort(((complete - rise[known, None]) / scale[:, None]).max(axis=0))
        n = len(largest)
        at_least = n - np.searchsorted(largest, rise[known] / scale, side="left")
        p[known] = (at_least + 1) / (n + 1)
        # p is below the level where fewer than level (n + 1) - 1 of the largest are as large.
        fewest = int(np.ceil(LEVEL * (n + 1))) - 1
        critical[known] = scale * (largest[n - fewest] if fewest > 0 else np.inf)
    return Rise(p, p < LEVEL, critical)


def first_in_a_row(above: NDArray[np.bool_], number: int = IN_A_ROW) -> NDArray[np.intp]:
    """Return the first bin of `above` (bins, samples) from which `number` are true in a row, for each sample; else -1.

    Examples
    --------
    >>> first_in_a_row(np.array([[True], [False], [True], [True], [True]]))
    array([2])
    """
    n_bins = len(above)
    if n_bins < number:
        return np.full(above.shape[1], -1)
    runs = np.all([above[k : n_bins - number + 1 + k] for k in range(number)], axis=0)
    return np.where(runs.any(axis=0), runs.argmax(axis=0), -1)


def latency_of(
    times: NDArray[np.float64], rise: NDArray[np.float64], resampled: NDArray[np.float64]
) -> tuple[float, float, float, float]:
    """Return the latency with its 95 % interval, and the share of resamples with a latency.

    Each resample is compared with the same critical rises as the data.

    Parameters
    ----------
    times : (bins,) array
        Middle of each bin, ascending.
    rise, resampled
        As for `assessed`.
    """
    return latency_above(times, rise, resampled, assessed(rise, resampled).critical)


def latency_above(
    times: NDArray[np.float64],
    rise: NDArray[np.float64],
    resampled: NDArray[np.float64],
    critical: NDArray[np.float64],
) -> tuple[float, float, float, float]:
    """Return the same as `latency_of`, given the smallest rises (bins,) that are above baseline."""
    with np.errstate(invalid="ignore"):
        (first,) = first_in_a_row((rise > critical)[:, None])
        firsts = first_in_a_row(resampled > critical[:, None])
    found = times[firsts[firsts >= 0]]
    ends = np.percentile(found, [2.5, 97.5]) if len(found) else (np.nan, np.nan)
    return (float(times[first]) if first >= 0 else np.nan, *map(float, ends), len(found) / max(1, len(firsts)))


@dataclass(frozen=True)
class Layer:
    """Scores of a layer in each bin, in the order of time.

    Attributes
    ----------
    place : dict of str
        Values of the columns `PLACE`.
    rows : DataFrame
        Rows of resampled medians, one for each bin.
    times : (bins,) array
        Middle of each bin.
    resampled : (bins, B) array
        Medians in each resample.
    """

    place: dict
    rows: pd.DataFrame
    times: NDArray[np.float64]
    resampled: NDArray[np.float64]


def _layers(bootstraps: Sequence[Path]) -> Iterator[Layer]:
    if not bootstraps:
        return
    table = read_bootstraps(bootstraps)
    for key, rows in table[table[TIME_BIN] != ""].groupby(PLACE, dropna=False, sort=False):
        bins = sorted(rows[TIME_BIN], key=time_order)
        rows = rows.set_index(TIME_BIN).loc[bins]
        yield Layer(
            dict(zip(PLACE, key, strict=True)), rows, times_of(bins), np.stack(rows["medians"]).astype(np.float64)
        )


def _rises(names: Sequence[str], values: NDArray, resampled: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """Return which bins are assessed, and their rises (bins,) and resampled rises (bins, B)."""
    after = np.array([name != BASELINE for name in names])
    if after.all():
        return after, values, resampled
    return after, values[after] - values[~after], resampled[after] - resampled[~after]


def _rows_of_layer(layer: Layer) -> pd.DataFrame:
    median, names = layer.rows["median"].to_numpy(float), list(layer.rows.index)
    after, rise, resampled = _rises(names, median, layer.resampled)
    low, high = np.nanpercentile(layer.resampled, [2.5, 97.5], axis=1)
    table = pd.DataFrame(
        {
            TIME_BIN: names,
            "time": layer.times,
            "n_neuroids": layer.rows["n_neuroids"].to_numpy(),
            "median": median,
            "low": low,
            "high": high,
        }
    ).assign(**layer.place)
    test = assessed(rise, resampled)
    table.loc[after, ["rise", "p"]] = np.column_stack([rise, test.p])
    return table.assign(above=table["p"] < LEVEL)


def _latency_of_layer(layer: Layer) -> dict:
    after, rise, resampled = _rises(list(layer.rows.index), layer.rows["median"].to_numpy(float), layer.resampled)
    return {"kind": "layer", **layer.place, **_named(latency_of(layer.times[after], rise, resampled))}


def _named(latency: tuple[float, ...]) -> dict[str, float]:
    return dict(zip(("latency", "low", "high", "share_found"), latency, strict=True))


def _latencies_of_neuroids(recording: "xr.Dataset", n_bootstrap: int, seed: int) -> Iterator[dict]:
    """Yield the latency of the mean response over stimuli of each neuroid; none without a baseline.

    Counts are divided by the width of their bin, because the baseline may be wider than the other bins.
    """
    names = recording[TIME_BIN].values.astype(str) if TIME_BIN in recording.dims else []
    if BASELINE not in names:
        return
    order = sorted(range(len(names)), key=lambda place: time_order(names[place]))
    names = [str(names[place]) for place in order]
    # One column for each neuroid in each bin, bins varying fastest.
    columns = mean_responses(recording).transpose("stimulus", NEUROID).values.astype(np.float64)
    responses = columns.reshape(len(columns), recording.sizes[NEUROID], -1)[:, :, order]
    if recording.attrs.get("counted_in_bins", False):
        responses = responses / (recording[END] - recording[START]).values[order]
    times = times_of(names)
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(len(columns), np.full(len(columns), 1 / len(columns)), size=n_bootstrap)
    for neuroid, area, values in zip(
        recording[NEUROID].values.astype(str),
        recording["area"].values.astype(str),
        np.moveaxis(responses, 1, 0),
        strict=True,
    ):
        shown = np.isfinite(values).all(axis=1)
        counts = weights[:, shown].sum(axis=1)
        if not shown.any() or not counts.all():
            continue
        resampled = (weights[:, shown] @ values[shown] / counts[:, None]).T
        after, rise, resampled = _rises(names, values[shown].mean(axis=0), resampled)
        place = {"kind": "neuroid", "recording": recording.attrs["recording"], "area": area, NEUROID: neuroid}
        yield place | _named(latency_of(times[after], rise, resampled))


def _latencies_of_readings(table: pd.DataFrame) -> Iterator[dict]:
    """Yield the latency of each reading that is tested against shuffled labels; resamples are centred on its scores."""
    tested = table[table["critical"].notna() & (table[TIME_BIN] != BASELINE)]
    for key, rows in tested.groupby(list(READING), sort=False):
        bins = sorted(rows[TIME_BIN], key=time_order)
        rows = rows.set_index(TIME_BIN).loc[bins]
        score, resampled = rows["score"].to_numpy(float), np.stack(rows["resampled"])
        centred = resampled + (score - resampled.mean(axis=1))[:, None]
        place = {"kind": "reading", **dict(zip(READING.values(), key, strict=True))}
        yield place | _named(latency_above(times_of(bins), score, centred, rows["critical"].to_numpy(float)))
