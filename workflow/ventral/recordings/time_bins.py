"""Responses in several bins of time: names of bins, and neuroids in bins as columns of one axis.

A target is identified by its name and its bin of time; the bin of an untimed target is ''. Bins only add targets for
the same stimuli, so code that reads columns of neuroids also reads neuroids in bins.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ventral.errors import InputError, shown
from ventral.recordings.axes import NEUROID, TIME_BIN

if TYPE_CHECKING:
    import xarray as xr

START, END = "time_bin_start", "time_bin_end"
# Name of the bin before stimulus onset, in which responses should not depend on the stimulus.
BASELINE = "baseline"
# Largest difference in ms between equal times, which may be rounded.
ROUNDING = 1e-6
# Start and end in ms, as in '-50-0' or '70-90'.
EDGES = re.compile(r"(-?\d+(?:\.\d+)?)-(-?\d+(?:\.\d+)?)")


@dataclass(frozen=True)
class TimeBins:
    """The bins along the axis of time of a recording.

    Attributes
    ----------
    names : sequence of str
        '70-90' for a bin from 70 to 90 ms; without edges, its own name or its number from 1. The bin given to
        `with_baseline` is 'baseline'.
    edges : (bins, 2) array or None
        Start and end of each bin in ms, if they are known.
    """

    names: Sequence[str]
    edges: NDArray[np.float64] | None = None

    @property
    def coordinates(self) -> dict[str, tuple[str, NDArray]]:
        """Coordinates of a store: `time_bin`, and `time_bin_start` and `time_bin_end` if they are known."""
        found = {TIME_BIN: (TIME_BIN, np.array(self.names, dtype=object))}
        if self.edges is not None:
            found |= {START: (TIME_BIN, self.edges[:, 0]), END: (TIME_BIN, self.edges[:, 1])}
        return found


def bins_between(edges: Sequence[Sequence[float]], place: str) -> TimeBins:
    """Return bins by their edges.

    Parameters
    ----------
    edges : sequence of pairs of float
        Start and end of each bin in ms.
    place : str
        Config key of the bins, for messages.

    Raises
    ------
    InputError
        If a bin does not end after its start, or two bins are the same.
    """
    for number, (start, end) in enumerate(edges, 1):
        if not start < end:
            raise InputError(f"{place}: bin {number} is from {start:g} to {end:g} ms; a bin ends after its start")
    names = [f"{start:g}-{end:g}" for start, end in edges]
    check_names(names, place)
    return TimeBins(names, np.array(edges, dtype=np.float64))


def sliding_windows(start: float, stop: float, width: float, step: float, place: str) -> list[list[float]]:
    """Return windows of equal width that begin at equal steps: start and end of each in ms.

    Parameters
    ----------
    start, stop : float
        Start of the first window, and latest end of a window.
    width, step : float
        Width of a window, and time from its start to the start of the next.
    place : str
        Config key of the windows, for messages.

    Raises
    ------
    InputError
        If a width or step is not positive, or no window ends by `stop`.
    """
    for name, value in (("width", width), ("step", step)):
        if value <= 0:
            raise InputError(f"{place}.{name}: {value:g} ms; a positive number is right")
    if start + width > stop:
        raise InputError(f"{place}.stop: {stop:g} ms; {start + width:g} or more, where the first bin ends, is right")
    # Rounding, such as of 0.1 + 0.2, must not lose the last window.
    number = int((stop - start - width) / step + 1e-9) + 1
    return [[start + k * step, start + k * step + width] for k in range(number)]


def edges_of(given: Sequence[Sequence[float]] | Mapping[str, float], place: str) -> list[list[float]]:
    """Return start and end of each bin in ms.

    Parameters
    ----------
    given : sequence of pairs of float, or mapping
        Start and end of each bin; or `start`, `stop`, `width` and optionally `step`, by default the width.
    place : str
        Config key of the bins, for messages.

    Raises
    ------
    InputError
        As for `sliding_windows`.
    """
    if not isinstance(given, Mapping):
        return [list(edges) for edges in given]
    start, stop, width = (given[name] for name in ("start", "stop", "width"))
    return sliding_windows(start, stop, width, given.get("step") or width, place)


def windows_of(spec: dict, key: str) -> list[list[float]]:
    """Return the windows of a recording: its `baseline`, and its `bins` or, without these, its `time_bins`.

    Raises
    ------
    InputError
        As for `sliding_windows`.
    """
    name = "bins" if spec.get("bins") else "time_bins"
    baseline, windows = spec.get("baseline"), edges_of(spec[name], f"{key}.{name}")
    return windows if baseline is None or list(baseline) in windows else [list(baseline), *windows]


def has_counts(spec: dict) -> bool:
    """Return whether the responses of a recording in bins are counts, which grow with the width of a bin."""
    return "nwb" in spec or bool(spec.get("spikes")) or bool((spec.get("bins") or {}).get("counts"))


def chosen_bins(bins: TimeBins | None, spec: dict, key: str) -> TimeBins | None:
    """Return the bins of a recording, given those of its file: the windows of `bins`, or else the file's own.

    Raises
    ------
    InputError
        As for `places_in_windows` and `with_baseline`.
    """
    if spec.get("bins"):
        places_in_windows(bins, spec, key)
        bins = bins_between(windows_of(spec, key), f"{key}.bins")
    return with_baseline(bins, spec.get("baseline"), key)


def in_chosen_bins(responses: NDArray, bins: TimeBins | None, spec: dict, key: str) -> NDArray:
    """Return responses (..., bins) in the windows of `bins`, as means over the file's bins, or as sums with `counts`.

    A response that is missing in one bin of the file is missing in the window. Without `bins`, responses are returned
    unchanged. Brain-Score averages the same bins of a window (`time_align` of its `temporal.py`). There, a bin
    that lies only partly in the window counts by its share; here, such a window is refused.

    Raises
    ------
    InputError
        As for `places_in_windows`.
    """
    if not spec.get("bins"):
        return responses
    joined = np.sum if spec["bins"].get("counts") else np.mean
    places = places_in_windows(bins, spec, key)
    return np.stack([joined(responses[..., inside], axis=-1, dtype=np.float64) for inside in places], axis=-1)


def places_in_windows(bins: TimeBins | None, spec: dict, key: str) -> list[NDArray[np.intp]]:
    """Return the places of the file's bins that lie in each window of a recording.

    Raises
    ------
    InputError
        If the times of the file's bins are not known, or if these bins do not fill a window without a gap or overlap.
    """
    if bins is None or bins.edges is None:
        raise InputError(
            f"{key}.bins: the responses are in no bins of known times; give `time_bins`, the start and end in ms of "
            f"each bin of the file, or leave `bins` out"
        )
    starts, ends = bins.edges.T
    order = np.argsort(starts)
    found = []
    for start, end in windows_of(spec, key):
        inside = order[(starts[order] > start - ROUNDING) & (ends[order] < end + ROUNDING)]
        borders = np.append(starts[inside], end), np.append(start, ends[inside])
        if not np.allclose(*borders, rtol=0, atol=ROUNDING):
            touched = order[(starts[order] < end) & (ends[order] > start)]
            name = "baseline" if [start, end] == list(spec.get("baseline") or ()) else "bins"
            raise InputError(
                f"{key}.{name}: from {start:g} to {end:g} ms; the bins of the file do not fill this window exactly: "
                f"those in it are {shown([f'{a:g} to {b:g}' for a, b in bins.edges[touched]]) or 'none'}"
            )
        found.append(inside)
    return found


def with_baseline(bins: TimeBins | None, baseline: Sequence[float] | None, key: str) -> TimeBins | None:
    """Return bins in which the one before the stimulus has the name `baseline`.

    Parameters
    ----------
    bins : TimeBins or None
    baseline : (start, end) or None
        Edges of the baseline in ms after onset; None changes nothing.
    key : str
        Config key of the recording, for messages.

    Raises
    ------
    InputError
        If the baseline does not end before the stimulus, or is not among the bins.
    """
    if baseline is None:
        return bins
    start, end = baseline
    if not start < end <= 0:
        raise InputError(
            f"{key}.baseline: from {start:g} to {end:g} ms; a baseline ends when the stimulus appears, at 0"
        )
    if bins is None or bins.edges is None:
        raise InputError(
            f"{key}.baseline: the responses are in no bins of known times; give `time_bins`, or leave it out"
        )
    here = (bins.edges == (start, end)).all(axis=1)
    if not here.any():
        raise InputError(
            f"{key}.baseline: no bin is from {start:g} to {end:g} ms; the bins are {', '.join(bins.names)}; name one "
            f"of them by its start and end"
        )
    return TimeBins([BASELINE if own else name for own, name in zip(here, bins.names, strict=True)], bins.edges)


def numbered_bins(n_bins: int) -> TimeBins:
    """Return bins without known times, named by numbers from 1."""
    return TimeBins([str(number) for number in range(1, n_bins + 1)])


def check_names(names: Sequence[str], place: str) -> None:
    """Check that every bin has a name of its own.

    Raises
    ------
    InputError
        If two bins have the same name.
    """
    for number, name in enumerate(names, 1):
        if name in names[: number - 1]:
            raise InputError(
                f"{place}: bins {names.index(name) + 1} and {number} of time are both {name!r}; give each bin once"
            )


def read_recording(path: str | Path) -> "xr.Dataset":
    """Read the store of a recording, with neuroids in bins of time as columns by `columns_of`."""
    from ventral.store import read_dataset

    return columns_of(read_dataset(path))


def columns_of(recording: "xr.Dataset") -> "xr.Dataset":
    """Return a recording with one column for each neuroid in each bin of time, along the dimension `neuroid`.

    Neuroids keep their names, and the coordinate `time_bin` distinguishes their bins. A recording without bins is
    returned unchanged.
    """
    if TIME_BIN not in recording.dims:
        return recording
    return recording.stack(column=(NEUROID, TIME_BIN), create_index=False).swap_dims(column=NEUROID)


def bins_of(recording: "xr.Dataset") -> NDArray[np.str_]:
    """Return the bin of time (columns,) of each column of a recording; '' without bins."""
    if TIME_BIN in recording.coords:
        return recording[TIME_BIN].values.astype(str)
    return np.full(recording.sizes[NEUROID], "")


def time_order(time_bin: str) -> tuple[float, str]:
    """Return the sorting key of a bin of time: the baseline first, then by the leading number, then by name."""
    if time_bin == BASELINE:
        return float("-inf"), time_bin
    number = re.match(r"-?\d+(\.\d+)?", time_bin)
    return float(number[0]) if number else float("inf"), time_bin


def times_of(time_bins: Sequence[str]) -> NDArray[np.float64]:
    """Return the middle of each bin in ms, or its number where a name has no edges.

    A baseline, whose name has no edges, is one step before the first other bin.

    Parameters
    ----------
    time_bins : sequence of str
        Names of different bins, in the order of `time_order`.
    """
    found = [EDGES.fullmatch(name) for name in time_bins if name != BASELINE]
    after = np.array([(float(edges[1]) + float(edges[2])) / 2 if edges else np.nan for edges in found])
    if np.isnan(after).any():
        after = np.arange(1.0, len(after) + 1)
    if len(after) == len(time_bins):
        return after
    step = np.median(np.diff(after)) if len(after) > 1 else 1.0
    return np.array([after[0] - step, *after]) if len(after) else np.zeros(1)


def place_of(area: str, time_bin: str) -> str:
    """Return an area with its bin of time in words: 'IT, 70-90', or 'IT' without a bin."""
    return f"{area}, {time_bin}" if time_bin else area
