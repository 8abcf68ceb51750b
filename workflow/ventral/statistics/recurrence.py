"""How well networks categorise at each step, by a property of the stimuli, and by how much networks differ."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ventral.errors import InputError
from ventral.outputs import writing
from ventral.statistics.summaries import sample_counts
from ventral.store import read_dataset
from ventral.tables import read_parquet

ANSWERS = "answers.parquet"
MOST_LEVELS = 12
NUMBERS = "fiu"
# Level of rows over all stimuli.
EVERY = ""
COLUMNS = ["network", "step", "other", "other_step", "level", "n_stimuli", "n_apart", "value", "low", "high", "chance"]

Series = tuple[str, int]


def recurrence(
    trainings: Sequence[Path],
    stimuli: Path,
    output: Path,
    compared: Sequence[tuple[str, Sequence[str]]],
    apart: Sequence[str],
    split_by: str | None,
    n_bootstrap: int,
    seed: int,
) -> None:
    """Write accuracy on the test part of training, at each step, and the differences between networks.

    Parameters
    ----------
    trainings : sequence of paths
        Folders of trained networks, from `ventral.training.training.train`.
    stimuli : path
        Store of the training set.
    output : path
        CSV with the rows of `recurrence_table`.
    compared : sequence of (str, sequence of str)
        Kinds of networks, each with the names of its trained networks; the first kind is compared with the others.
        Networks at the same place in two kinds have the same test part.
    apart : sequence of str
        Columns of the stimuli that training and the test part share no values of.
    split_by : str or None
        Column of the stimuli whose levels have rows of their own.
    n_bootstrap, seed : int
        Number of bootstrap samples, and seed of their draw.

    Raises
    ------
    InputError
        If the column has too many values, or kinds were tested on different stimuli.
    """
    folders = {Path(folder).name: Path(folder) for folder in trainings}
    columns = read_dataset(stimuli)[list(dict.fromkeys([*apart, *([split_by] if split_by else [])]))].to_dataframe()
    levels = columns[split_by] if split_by else pd.Series(EVERY, index=columns.index)
    if split_by:
        check_levels(levels, split_by)
    right = {
        kind: pd.concat([_right(folders[name]) for name in names], keys=range(len(names))) for kind, names in compared
    }
    for kind, table in right.items():
        if not table.index.equals(next(iter(right.values())).index):
            raise InputError(
                f"config key recurrence.networks.{kind}: these networks were tested on other stimuli than those of "
                f"{next(iter(right))}; let recordings score them on the same stimuli, which training leaves out"
            )
    shown = next(iter(right.values())).index.get_level_values("stimulus")
    units = columns[list(apart)].astype(str).agg("\n".join, axis=1).reindex(shown).to_numpy()
    n_names = read_parquet(folders[compared[0][1][0]] / ANSWERS)["name"].nunique()
    table = recurrence_table(right, units, levels.reindex(shown).to_numpy(), n_bootstrap, seed)
    table["chance"] = np.where(table["other"] == "", 1 / n_names, np.nan)
    with writing(output) as unfinished:
        table[COLUMNS].to_csv(unfinished, index=False)


def check_levels(values: ArrayLike, column: str) -> None:
    """Refuse a property with more than `MOST_LEVELS` levels."""
    n_levels = len(np.unique(np.asarray(values)))
    if n_levels > MOST_LEVELS:
        raise InputError(
            f"config key recurrence.property: column {column!r} has {n_levels} values; name a column with "
            f"{MOST_LEVELS} values at most, such as `variation`"
        )


def recurrence_table(
    right: Mapping[str, pd.DataFrame], units: NDArray, levels: NDArray, n_bootstrap: int, seed: int
) -> pd.DataFrame:
    """Return accuracies and their differences, with 95 % intervals for other units.

    Parameters
    ----------
    right : mapping of DataFrame
        Whether each answer is right, by kind of network. A table has a row for each stimulus of the test parts and a
        column for each step. The rows of all tables are the same.
    units : (n,) array of str
        Units that are drawn with replacement, with all their stimuli: what training and test do not share.
    levels : (n,) array
        Level of the property; equal values if there is no property.
    n_bootstrap, seed : int
        Number of bootstrap samples, and seed of their draw.

    Returns
    -------
    DataFrame
        Rows without `other` have the accuracy of `network` at `step`. Other rows have `value`, the accuracy of
        `network` at `step` less that of `other` at `other_step`, on the same stimuli. The first kind at its last step
        is compared with every other kind at its last step, and with itself at its first step. `level` is '' for all
        stimuli. For numbers, the level 'b less a' has the difference at the highest level less that at the lowest.
        `low` and `high` are percentiles (Efron 1979, Annals of Statistics 7:1). `n_apart` counts the units.
    """
    series = [(kind, int(step)) for kind, table in right.items() for step in table]
    answers = np.concatenate([table.to_numpy(float) for table in right.values()], axis=1)
    names, of_row = np.unique(units, return_inverse=True)
    counts = np.concatenate([np.ones((1, len(names)), int), sample_counts(len(names), n_bootstrap, seed)])
    pairs, shares, table = list(_pairs(right)), {}, []
    for level, rows in _rows_of_levels(levels):
        of_level = shares[level] = _shares(answers[rows], of_row[rows], counts)
        facts = {"level": level, "n_stimuli": len(rows), "n_apart": len(np.unique(of_row[rows]))}
        for place, (kind, step) in enumerate(series):
            table.append({"network": kind, "step": step, "other": "", **facts, **_interval(of_level[:, place])})
        for one, other in pairs:
            table.append({**_named(one, other), **facts, **_interval(_difference(of_level, series, one, other))})
    # Levels in words have no order.
    ordered = [level for level in shares if level != EVERY] if levels.dtype.kind in NUMBERS else []
    for one, other in pairs if ordered else ():
        lowest, highest = (_difference(shares[level], series, one, other) for level in (ordered[0], ordered[-1]))
        facts = {"level": f"{ordered[-1]} less {ordered[0]}", **_interval(highest - lowest)}
        table.append({**_named(one, other), **facts})
    return pd.DataFrame(table, columns=COLUMNS).astype(
        {"other_step": "Int64", "n_stimuli": "Int64", "n_apart": "Int64"}
    )


def _right(folder: Path) -> pd.DataFrame:
    """Return whether the answers of a network are right, a row for each stimulus and a column for each step."""
    answers = read_parquet(folder / ANSWERS)
    answers["right"] = answers["answer"] == answers["name"]
    return answers.pivot(index="stimulus", columns="step", values="right").sort_index()


def _rows_of_levels(levels: NDArray) -> Iterator[tuple[str, NDArray[np.intp]]]:
    """Yield the rows of all stimuli, then those of each level if there are several."""
    yield EVERY, np.arange(len(levels))
    values = np.unique(levels)
    for value in values if len(values) > 1 else ():
        yield f"{value:g}" if values.dtype.kind in NUMBERS else str(value), np.flatnonzero(levels == value)


def _shares(answers: NDArray, units: NDArray, counts: NDArray) -> NDArray[np.float64]:
    """Return the share of right answers (samples, series) in samples that hold each unit `counts` times.

    Parameters
    ----------
    answers : (n, series) array
        1 for right answers, 0 for others.
    units : (n,) integer array
        Unit of each row.
    counts : (samples, units) array
    """
    right = np.zeros((counts.shape[1], answers.shape[1]))
    np.add.at(right, units, answers)
    n = np.bincount(units, minlength=counts.shape[1])
    with np.errstate(invalid="ignore"):
        return counts @ right / (counts @ n)[:, None]


def _pairs(right: Mapping[str, pd.DataFrame]) -> Iterator[tuple[Series, Series]]:
    """Yield the pairs that are compared: the first kind at its last step, with others and with its first step."""
    (first, steps), *others = ((kind, [int(step) for step in table]) for kind, table in right.items())
    for kind, of_kind in others:
        yield (first, steps[-1]), (kind, of_kind[-1])
    if len(steps) > 1:
        yield (first, steps[-1]), (first, steps[0])


def _named(one: Series, other: Series) -> dict:
    return {"network": one[0], "step": one[1], "other": other[0], "other_step": other[1]}


def _difference(shares: NDArray, series: Sequence[Series], one: Series, other: Series) -> NDArray[np.float64]:
    return shares[:, series.index(one)] - shares[:, series.index(other)]


def _interval(samples: NDArray[np.float64]) -> dict[str, float]:
    """Return the value of the original sample, which is the first, and the interval over the others."""
    low, high = np.nanpercentile(samples[1:], [2.5, 97.5])
    return {"value": samples[0], "low": low, "high": high}
