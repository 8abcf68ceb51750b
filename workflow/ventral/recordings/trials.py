"""Trial tables with one row for each presentation, and responses as columns of counts, an array, or spikes."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ventral.errors import InputError, allowed_instead, shown
from ventral.recordings.arrays import start_of
from ventral.recordings.axes import NEUROID, PRESENTATION, STIMULUS, TIME_BIN
from ventral.recordings.files import open_responses
from ventral.recordings.presentations import IDS, arranged, as_text, in_turn, match_ids, numbered
from ventral.recordings.spikes import PRESENTATION as NAMES
from ventral.recordings.spikes import count_spikes
from ventral.stimuli.tables import read_table, report_columns

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger("ventral")

AXES = (PRESENTATION, NEUROID, TIME_BIN)
STIMULI = (STIMULUS, *IDS)
# A neuroid with one of these columns was recorded only in the presentations with the same value.
APART = ("animal", "session")
# The check at the start of a run reads tables of spikes up to this number of bytes; only the job reads larger ones.
READ_AT_THE_START = 2**24
EXPECTED = "a numeric array (presentations, neuroids) or (presentations, neuroids, bins of time) is right"


@dataclass(frozen=True)
class Trials:
    """Responses to presentations of stimuli.

    Attributes
    ----------
    table : DataFrame
        One row for each presentation.
    values : (presentations, neuroids) or (presentations, neuroids, bins) array
        NaN where not recorded.
    neuroids : list of str or None
        Names of neuroids, if the responses have names.
    axes : list of str
        Order of the axes in the file of the responses.
    in_file : tuple of int
        Shape of the responses in the file.
    """

    table: "pd.DataFrame"
    values: NDArray
    neuroids: list[str] | None
    axes: list[str]
    in_file: tuple[int, ...]


def read_trials(
    spec: dict, key: str, windows: Sequence[Sequence[float]], listed: Sequence[str] | None, *, unread: bool = False
) -> Trials:
    """Read a trial table and the responses to its presentations, and check that they match.

    Parameters
    ----------
    spec : dict
        A recording with `trials`, and `counts`, `responses` or `spikes`.
    key : str
        Config key of the recording, for messages.
    windows : sequence of pairs of float
        Windows in which spikes are counted.
    listed : sequence of str or None
        Names of the neuroids in the order of their table; None without a table.
    unread : bool
        Do not read the values of an array, or a large table of spikes.

    Raises
    ------
    InputError
        If a file cannot be read, a row names no stimulus, or responses and rows do not match.
    """
    table = _table(spec, key)
    if spec.get("counts"):
        values, names = _counts(spec, key, table, listed)
        return Trials(table, values, names, list(AXES[:2]), values.shape)
    if spec.get("spikes"):
        presentations, onsets = _names(table, spec, key), _onsets(table, spec, key)
        start_of(spec["spikes"], f"{key}.spikes")
        if unread and Path(spec["spikes"]).stat().st_size > READ_AT_THE_START:
            names = list(listed or ())
            values = np.zeros((len(table), len(names), len(windows)))
        else:
            values, names = count_spikes(spec["spikes"], f"{key}.spikes", presentations, onsets, windows, listed)
        return Trials(table, values, names, list(AXES), values.shape)
    array = open_responses(spec, key, EXPECTED, unread=unread)
    axes = _axes(spec, array, key)
    if array.shape[axes.index(PRESENTATION)] != len(table):
        raise InputError(
            f"{key}.responses: {spec['responses']}: {array.shape[axes.index(PRESENTATION)]} presentations (shape "
            f"{array.shape}, read as {' x '.join(axes)}), where {spec['trials']} has {len(table)} rows; one "
            f"row a presentation is right, or name the order by `axes`"
        )
    ordered = array.transpose([axes.index(name) for name in AXES if name in axes])
    return Trials(table, ordered, None, axes, array.shape)


def report_trials(trials: Trials, neuroids: "pd.DataFrame", spec: dict, key: str) -> None:
    """Log the columns, and warn of neuroids that were probably not recorded in all sessions."""
    report_columns(trials.table, f"{key}.trials: {spec['trials']}")
    if not spec.get("spikes"):
        return
    for column in APART:
        sessions = trials.table[column].unique() if column in trials.table and column not in neuroids else []
        counts = trials.values.sum(axis=2)
        silent = np.zeros(len(neuroids), dtype=bool)
        for session in sessions:
            silent |= ~counts[trials.table[column] == session].any(axis=0)
        if len(sessions) > 1 and silent.any():
            logger.warning(
                "%s.spikes: %s: %d neuroids have no spike in some %s (%s), and count as silent there; where they were "
                "not recorded, give the table `neuroids` a column `%s` with the one of each",
                key,
                spec["spikes"],
                silent.sum(),
                column,
                shown(neuroids.index[silent].tolist()),
                column,
            )


def rows_presented(trials: Trials, stimuli: Mapping[str, NDArray], spec: dict, key: str) -> NDArray[np.intp]:
    """Return the row in the stimulus set of each presentation.

    Raises
    ------
    InputError
        If a presented stimulus is not in the set.
    """
    place, table, ids = f"{key}.trials: {spec['trials']}", trials.table, _ids(trials.table)
    match = match_ids(ids, stimuli)
    if match.missing:
        row = int(np.flatnonzero(np.isin(ids, match.missing))[0])
        raise InputError(
            f"{place}: column `{_stimulus_column(table)}`, data row {row + 1}: {str(ids[row])!r} is not in the "
            f"stimulus set, by its {match.kind} ({len(match.missing)} such stimuli: {shown(match.missing, 3)}); there, "
            f"they are called {shown(match.names.tolist(), 3)}"
        )
    if not match.is_unique:
        raise InputError(f"{place}: the stimulus set's {match.kind} has the stimuli, but not every one once")
    return match.rows(ids)


def responses_of(
    trials: Trials, neuroids: "pd.DataFrame", stimuli: Mapping[str, NDArray], spec: dict, key: str
) -> NDArray[np.float64]:
    """Return responses (neuroids, n, repetitions), or (neuroids, n, repetitions, bins), NaN where not shown.

    The column `repetition` numbers the repetitions. Without it, the presentations of each stimulus are numbered in the
    order of the column `time`, or else of the rows. Each animal and session is numbered apart if neuroids have one.

    Parameters
    ----------
    trials : Trials
    neuroids : DataFrame
        One row for each neuroid, in the order of the responses. If the trial table has the same column, `animal` and
        `session` determine the presentations in which a neuroid was recorded.
    stimuli : mapping of (n,) arrays
        Columns of the stimulus set, including `stimulus`.
    spec, key
        As for `read_trials`.

    Raises
    ------
    InputError
        If a presented stimulus is not in the set, or a neuroid has two responses in one repetition of a stimulus.
    """
    place = f"{key}.trials: {spec['trials']}"
    table, ids = trials.table, _ids(trials.table)
    rows = rows_presented(trials, stimuli, spec, key)
    values = np.array(trials.values, dtype=np.float64)
    apart = {column: _text(table[column]) for column in APART if column in table and column in neuroids}
    for column, sessions in apart.items():
        own = dict(zip(neuroids.index, _text(neuroids[column]).tolist(), strict=True))
        _leave_out_others(values, sessions, own, f"{place}: column `{column}`")
    groups = np.unique(np.stack([ids, *apart.values()]), axis=1, return_inverse=True)[1]
    if "repetition" in table:
        repetitions = numbered(table["repetition"].to_numpy(), groups)
    else:
        order = table["time"].to_numpy() if "time" in table else np.arange(len(table))
        repetitions = in_turn(groups, order)

    def conflict(presentation: int, neuroid: int, number: int) -> str:
        return (
            f"{place}: data row {presentation + 1}: neuroid {neuroids.index[neuroid]!r} has another response to "
            f"{str(ids[presentation])!r} in the same `repetition` ({number} such responses); number the repetitions of "
            f"every stimulus, or leave the column out"
        )

    return arranged(values, rows, repetitions, len(stimuli[STIMULUS]), conflict)


def _table(spec: dict, key: str) -> "pd.DataFrame":
    place = f"{key}.trials: {spec['trials']}"
    table = read_table(spec["trials"], f"{key}.trials", (*STIMULI, *NAMES, "animal"), (), strict=False)
    if not any(column in table for column in STIMULI):
        raise InputError(
            f"{place}: no column `{STIMULUS}` (nor `stimulus_id` or `image_id`), which says what was presented; "
            f"columns: {', '.join(table.columns)}"
        )
    column = _stimulus_column(table)
    empty = np.flatnonzero(table[column] == "")
    if len(empty):
        raise InputError(
            f"{place}: column `{column}`, data row {empty[0] + 1}: no stimulus ({len(empty)} such rows); take out "
            f"rows in which none was presented"
        )
    return table


def _stimulus_column(table: "pd.DataFrame") -> str:
    return next(column for column in STIMULI if column in table)


def _ids(table: "pd.DataFrame") -> NDArray:
    return _text(table[_stimulus_column(table)])


def _names(table: "pd.DataFrame", spec: dict, key: str) -> list[str]:
    """Return the name of each presentation for spikes: that in the table, or else the number of its row, from 1."""
    found = [column for column in NAMES if column in table]
    if not found:
        return [str(row) for row in range(1, len(table) + 1)]
    names = table[found[0]]
    twice = np.flatnonzero(names.duplicated(keep="first") | (names == ""))
    if len(twice):
        name = names.iloc[twice[0]]
        problem = f"the same as data row {names[names == name].index[0] + 1}" if name else "empty"
        raise InputError(
            f"{key}.trials: {spec['trials']}: column `{found[0]}`, data row {twice[0] + 1}: {name!r} is {problem}; "
            f"every presentation needs its own name, or leave the column out: spikes then give the number of the row"
        )
    return names.tolist()


def _onsets(table: "pd.DataFrame", spec: dict, key: str) -> NDArray[np.float64]:
    """Return the onset of each stimulus in ms on the clock of the spikes: the sum of the columns in `onset`."""
    given = spec.get("onset") or 0.0
    onsets = np.zeros(len(table))
    for part in given if isinstance(given, list) else [given]:
        if not isinstance(part, str):
            onsets += part
            continue
        numeric = [column for column in table if table[column].dtype.kind == "f"]
        if part not in numeric:
            raise InputError(
                f"{key}.onset: {spec['trials']} has no numeric column {part!r}; {allowed_instead(part, numeric)}"
            )
        missing = np.flatnonzero(~np.isfinite(table[part]))
        if len(missing):
            raise InputError(
                f"{key}.trials: {spec['trials']}: column `{part}`, data row {missing[0] + 1}: no time of onset "
                f"({len(missing)} such rows); take out the rows, or give the time in ms"
            )
        onsets += table[part].to_numpy()
    return onsets


def _counts(
    spec: dict, key: str, table: "pd.DataFrame", listed: Sequence[str] | None
) -> tuple[NDArray[np.float64], list[str]]:
    """Return counts (presentations, neuroids), in the order of the table of neuroids, or else of the columns."""
    place = f"{key}.trials: {spec['trials']}"
    numeric = [column for column in table if table[column].dtype.kind == "f"]
    patterns = spec["counts"] if isinstance(spec["counts"], list) else [spec["counts"]]
    for pattern in patterns:
        if not any(fnmatchcase(column, pattern) for column in numeric):
            raise InputError(
                f"{key}.counts: {spec['trials']} has no numeric column {pattern!r}; {allowed_instead(pattern, numeric)}"
            )
    names = [column for column in table if any(fnmatchcase(column, pattern) for pattern in patterns)]
    if text := [column for column in names if column not in numeric]:
        raise InputError(f"{place}: column `{text[0]}`, one of `counts`, has text, not numbers; counts are numbers")
    if listed is not None:
        if different := sorted(set(names) ^ set(listed)):
            where = "columns of `counts`" if different[0] in listed else f"the table {spec['neuroids']}"
            raise InputError(
                f"{key}.neuroids: {different[0]!r} is not in {where} ({len(different)} such neuroids); the column "
                f"`neuroid` has the name of each column of `counts`"
            )
        names = list(listed)
    values = table[names].to_numpy()
    wrong = np.argwhere(values < 0)
    if len(wrong):
        row, column = wrong[0]
        raise InputError(
            f"{place}: column `{names[column]}`, data row {row + 1}: {values[row, column]:g} is negative "
            f"({len(wrong)} such values); counts are 0 or more, and empty where a neuroid was not recorded; give "
            f"other responses as an array, `responses`"
        )
    return values, names


def _axes(spec: dict, array: NDArray, key: str) -> list[str]:
    place = f"{key}.responses: {spec['responses']}"
    if array.dtype.kind not in "fiu":
        raise InputError(f"{place}: its values are {array.dtype}; {EXPECTED}")
    if array.ndim not in (2, 3) or 0 in array.shape:
        raise InputError(f"{place}: its shape is {array.shape}; beside `trials`, {EXPECTED}")
    axes = list(spec.get("axes") or ((NEUROID, PRESENTATION) if spec.get("mask") else AXES[: array.ndim]))
    if sorted(axes) != sorted(AXES[: array.ndim]):
        raise InputError(
            f"{key}.axes: [{', '.join(axes)}], where {spec['responses']} has {array.ndim} axes; beside `trials` they "
            f"are {', '.join(AXES[: array.ndim])}, in the order of the array"
        )
    return axes


def _text(values: "pd.Series") -> NDArray:
    return as_text(values.to_numpy(object))


def _leave_out_others(values: NDArray, of_trials: NDArray, of_neuroids: Mapping[str, str], place: str) -> None:
    """Set responses of neuroids to NaN in presentations without them; responses other than 0 or NaN are refused."""
    known = np.unique(of_trials).tolist()
    for neuroid, own in of_neuroids.items():
        if own not in known:
            raise InputError(
                f"{place}: neuroid {neuroid!r} is of {own!r}, of which there is no presentation; those of the trial "
                f"table: {shown(known, 5)}"
            )
    others = of_trials[:, None] != np.array(list(of_neuroids.values()))
    responded = others & (np.nan_to_num(values.reshape(*others.shape, -1)) != 0).any(axis=2)
    if responded.any():
        row, column = np.argwhere(responded)[0]
        neuroid = list(of_neuroids)[column]
        raise InputError(
            f"{place}: data row {row + 1} is of {str(of_trials[row])!r}, and neuroid {neuroid!r} of "
            f"{of_neuroids[neuroid]!r} responds in it ({responded.sum()} such responses); correct one of the tables"
        )
    values[others] = np.nan
