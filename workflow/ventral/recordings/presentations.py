"""Arrangement of responses to single presentations by stimulus and repetition."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from ventral.errors import InputError

# Columns of a stimulus set with the ids of published recordings.
IDS = ("stimulus_id", "image_id")


@dataclass(frozen=True)
class Match:
    """The names in a stimulus set that match the ids of presented stimuli.

    Attributes
    ----------
    kind : str
        Kind of the names, in words.
    names : (n,) array of str
        Names of that kind, in the order of the set.
    missing : list of str
        Ids that are not among the names.
    is_unique : bool
        True if no two stimuli have the same name.
    """

    kind: str
    names: NDArray
    missing: list[str]
    is_unique: bool

    def rows(self, ids: NDArray) -> NDArray[np.intp]:
        """Return the row in the stimulus set of each presentation; all ids must be among the names."""
        row_of = {name: row for row, name in enumerate(self.names.tolist())}
        return np.array([row_of[name] for name in ids.tolist()], dtype=np.intp)


def as_text(values: NDArray) -> NDArray:
    """Return ids as text, with whole numbers without a decimal point, for ids of any type."""
    return np.array([str(int(v)) if isinstance(v, float) and v.is_integer() else str(v) for v in values.tolist()])


def match_ids(ids: NDArray, stimuli: Mapping[str, NDArray]) -> Match:
    """Return the first kind of a set's names that includes all ids, or else the kind that lacks the fewest.

    Kinds are the columns `stimulus_id` and `image_id`, the stimuli's names, and these without folders and extension.

    Parameters
    ----------
    ids : (presentations,) array of str
        As from `as_text`.
    stimuli : mapping of (n,) arrays
        Columns of the stimulus set, `stimulus` among them.
    """
    names = as_text(np.asarray(stimuli["stimulus"]))
    candidates = {f"column `{column}`": as_text(np.asarray(stimuli[column])) for column in IDS if column in stimuli}
    candidates["column `stimulus`"] = names
    candidates["names of images"] = np.array([PurePosixPath(name).stem for name in names])
    different = np.unique(ids).tolist()
    matches = []
    for kind, known in candidates.items():
        found = set(known.tolist())
        missing = [name for name in different if name not in found]
        matches.append(Match(kind, known, missing, len(found) == len(known)))
    whole = [match for match in matches if not match.missing and match.is_unique]
    return whole[0] if whole else min(matches, key=lambda match: len(match.missing))


def numbered(labels: NDArray | None, ids: NDArray) -> NDArray[np.intp]:
    """Return the number, from 0, of each presentation's repetition.

    Labels that count the repetitions of every stimulus are kept. If they continue counting from stimulus to stimulus,
    the presentations of a stimulus are numbered in the order of the labels. Without labels, they are numbered in the
    order of the rows.

    Parameters
    ----------
    labels : (presentations,) array or None
        Labels of the repetitions.
    ids : (presentations,) array
        Ids of the stimuli.
    """
    most = np.unique(ids, return_counts=True)[1].max()
    if labels is None:
        return in_turn(ids, np.arange(len(ids)))
    values, numbers = np.unique(labels, return_inverse=True)
    return numbers if len(values) <= 2 * most else in_turn(ids, labels)


def in_turn(ids: NDArray, labels: NDArray) -> NDArray[np.intp]:
    """Return the number, from 0, of each presentation among those of its stimulus, in the order of labels."""
    import pandas as pd

    order = np.argsort(labels, kind="stable")
    numbers = np.empty(len(ids), dtype=np.intp)
    numbers[order] = pd.Series(ids[order]).groupby(ids[order]).cumcount().to_numpy()
    return numbers


def arranged(
    values: NDArray,
    rows: NDArray[np.intp],
    repetitions: NDArray[np.intp],
    n: int,
    describe_conflict: Callable[[int, int, int], str],
) -> NDArray[np.float64]:
    """Return responses (neuroids, n, repetitions, ...) of presentations, NaN where not shown.

    Presentations of one stimulus and repetition are joined if they have different neuroids.

    Parameters
    ----------
    values : (presentations, neuroids, ...) array
        NaN where a neuroid was not recorded.
    rows, repetitions : (presentations,) arrays of int
        Stimulus of each presentation, and number of the repetition.
    n : int
        Number of stimuli.
    describe_conflict : callable
        Returns the message, given a presentation, a neuroid, and the number of such responses.

    Raises
    ------
    InputError
        If a neuroid has two responses to a stimulus in one repetition.
    """
    responses = np.full((repetitions.max() + 1, n, *values.shape[1:]), np.nan)
    for presentations in _without_repeats(rows, repetitions):
        cells = repetitions[presentations], rows[presentations]
        before, now = responses[cells], values[presentations]
        twice = np.argwhere(~np.isnan(before) & ~np.isnan(now))
        if len(twice):
            presentation, neuroid, *_ = twice[0]
            raise InputError(describe_conflict(presentations[presentation], neuroid, len(twice)))
        responses[cells] = np.where(np.isnan(now), before, now)
    return responses.swapaxes(0, 2)


def _without_repeats(rows: NDArray[np.intp], repetitions: NDArray[np.intp]) -> Iterator[NDArray[np.intp]]:
    """Yield parts of the presentations in which no stimulus and repetition occurs twice."""
    import pandas as pd

    turn = pd.DataFrame({"row": rows, "repetition": repetitions}).groupby(["row", "repetition"]).cumcount().to_numpy()
    for number in range(turn.max() + 1):
        yield np.flatnonzero(turn == number)
