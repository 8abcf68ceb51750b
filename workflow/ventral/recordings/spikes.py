"""Counting of spikes in windows of time after each stimulus, from tables with one row for each spike."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ventral.errors import InputError, shown
from ventral.recordings.axes import NEUROID
from ventral.stimuli.files import natural
from ventral.stimuli.tables import read_table

# Names of the column with the presentation, in spike tables and trial tables.
PRESENTATION = ("presentation", "trial")
TIME = "time"


def count_spikes(
    path: str,
    key: str,
    presentations: Sequence[str],
    onsets: NDArray[np.float64],
    windows: Sequence[Sequence[float]],
    listed: Sequence[str] | None,
) -> tuple[NDArray[np.float64], list[str]]:
    """Read a spike table, and count the spikes of every neuroid in windows of time after every stimulus.

    Parameters
    ----------
    path : str
        CSV or Parquet file with the columns `presentation` or `trial`, `neuroid`, and `time` in ms.
    key : str
        Config key of the table, for messages.
    presentations : (presentations,) sequence of str
        Name of each presentation in the table.
    onsets : (presentations,) array
        Time of onset of each stimulus, in ms on the clock of `time`.
    windows : (windows,) sequence of pairs of float
        Start and end of each window in ms after onset; a spike at the end is not in the window.
    listed : sequence of str or None
        All neuroids, in order; None takes neuroids with spikes, in natural order.

    Returns
    -------
    counts : (presentations, neuroids, windows) array
    neuroids : list of str

    Raises
    ------
    InputError
        If the table cannot be read, a spike lacks a presentation, neuroid or time, or no spike is in any window.
    """
    place = f"{key}: {path}"
    table = read_table(path, key, (*PRESENTATION, NEUROID), (), strict=True)
    names = _presentations(table, place)
    for column in (NEUROID, TIME):
        if column not in table:
            raise InputError(
                f"{place}: no column `{column}`; a spike table has `presentation` (or `trial`), `neuroid` and `time` "
                f"in ms; columns: {', '.join(table)}"
            )
    times = table[TIME].to_numpy()
    untimed = np.flatnonzero(~np.isfinite(times)) if times.dtype.kind == "f" else np.arange(len(times))
    if len(untimed):
        raise InputError(
            f"{place}: column `time`, data row {untimed[0] + 1}: {str(times[untimed[0]])!r} is no time "
            f"({len(untimed)} such rows); give the time of every spike in ms"
        )
    neuroids = sorted(set(table[NEUROID]), key=natural) if listed is None else list(listed)
    row = _places(names, presentations, "presentation", "the trial table", place)
    column = _places(table[NEUROID], neuroids, "neuroid", "the table `neuroids`", place)
    after = times - onsets[row]
    counts = np.zeros((len(presentations), len(neuroids), len(windows)))
    for k, (start, end) in enumerate(windows):
        inside = (after >= start) & (after < end)
        np.add.at(counts[..., k], (row[inside], column[inside]), 1)
    if not counts.any():
        raise InputError(
            f"{place}: no spike is in any of the windows {', '.join(f'{a:g} to {b:g}' for a, b in windows)} ms: spikes "
            f"are from {after.min():g} to {after.max():g} ms after the stimuli appeared; give times in ms, and with "
            f"`onset` when stimuli appeared on their clock"
        )
    return counts, neuroids


def _presentations(table, place: str):
    """Return the column with the presentation of each spike."""
    found = [column for column in PRESENTATION if column in table]
    if len(found) != 1:
        raise InputError(
            f"{place}: {'both columns' if found else 'no column'} `presentation` {'and' if found else 'nor'} `trial`; "
            f"one of them says of which row of the trial table a spike is; columns: {', '.join(table)}"
        )
    return table[found[0]]


def _places(values, known: Sequence[str], what: str, where: str, place: str) -> NDArray[np.intp]:
    """Return the index of each value of a column among known values."""
    import pandas as pd

    places = pd.Index(known).get_indexer(values)
    unknown = np.flatnonzero(places < 0)
    if len(unknown):
        raise InputError(
            f"{place}: data row {unknown[0] + 1}: {what} {values.iloc[unknown[0]]!r} is not in {where} "
            f"({len(unknown)} such rows); there, they are called {shown(list(known), 3)}"
        )
    return places
