"""Collect the values to predict for every stimulus: responses of neurons and properties of stimuli."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ventral.errors import shown
from ventral.recordings.ingestion import mean_responses
from ventral.recordings.time_bins import bins_of, columns_of, place_of
from ventral.targets.splits import Split, leaked, make_splits, splits_apart

if TYPE_CHECKING:
    import xarray as xr

logger = logging.getLogger(__name__)

# Attributes of each target beside its values.
OF_TARGETS = ("kinds", "names", "areas", "reliability", "time_bins")


@dataclass(frozen=True)
class Targets:
    """Values to predict, with one column for each target.

    Attributes
    ----------
    values : (n, targets) array
        Values; NaN if a target has no value for a stimulus.
    kinds, names, areas : (targets,) arrays of str
        Kind of each target ('neuron' or 'property'), its name, and its area ('' for a property).
    reliability : (targets,) array
        Split-half reliability over all stimuli, from the recording's store; NaN if missing.
    time_bins : (targets,) array of str
        Time bin of each target, or '' without time bins, which is the default. Targets of the same name in several bins
        are one neuron.
    """

    values: NDArray[np.float64]
    kinds: NDArray
    names: NDArray
    areas: NDArray
    reliability: NDArray[np.float64]
    time_bins: NDArray | None = None

    def __post_init__(self):
        if self.time_bins is None:
            object.__setattr__(self, "time_bins", np.full(len(self.names), ""))

    def places_of(self, names: NDArray, time_bins: NDArray) -> NDArray[np.intp]:
        """Return the positions of targets given by name and time bin."""
        places = {key: place for place, key in enumerate(zip(self.names, self.time_bins, strict=True))}
        return np.array([places[key] for key in zip(names, time_bins, strict=True)], dtype=np.intp)

    def taken(self, columns: NDArray[np.intp], rows: NDArray[np.intp]) -> "Targets":
        """Return a subset of the targets, by position, with their values for a subset of stimuli."""
        return Targets(self.values[np.ix_(rows, columns)], *(getattr(self, name)[columns] for name in OF_TARGETS))


def neurons(responses: "xr.Dataset") -> Targets:
    """Return the mean responses in each time bin of the neuroids that are not left out."""
    responses = columns_of(responses)
    kept = responses.isel(neuroid=np.flatnonzero(responses["left_out"].values == ""))
    return Targets(
        values=mean_responses(kept).transpose("stimulus", "neuroid").values,
        kinds=np.full(kept.sizes["neuroid"], "neuron"),
        names=kept["neuroid"].values.astype(str),
        areas=kept["area"].values.astype(str),
        reliability=kept["reliability"].values,
        time_bins=bins_of(kept),
    )


def properties(stimuli: "xr.Dataset") -> Targets:
    """Return the numeric properties of the stimuli that vary between stimuli."""
    columns = {
        name: coordinate.values.astype(float)
        for name, coordinate in sorted(stimuli.coords.items())
        if coordinate.dtype.kind in "fiu" and name != "stimulus"
    }
    columns = {name: values for name, values in columns.items() if len(np.unique(values[np.isfinite(values)])) > 1}
    names = np.array(list(columns), dtype=str)
    values = np.column_stack(list(columns.values())) if columns else np.empty((stimuli.sizes["stimulus"], 0))
    n = len(names)
    return Targets(values, np.full(n, "property"), names, np.full(n, ""), np.full(n, np.nan))


def together(*targets: Targets) -> Targets:
    """Join targets, so that targets with values for the same stimuli share one factorisation for each penalty."""
    return Targets(
        np.concatenate([some.values for some in targets], axis=1),
        *(np.concatenate([getattr(some, name) for some in targets]) for name in OF_TARGETS),
    )


def labels_of(stimuli: "xr.Dataset") -> dict[str, NDArray]:
    """Return the labels `object` and `category` of the stimuli as text, if the set has them."""
    return {name: stimuli[name].values.astype(str) for name in ("object", "category") if name in stimuli.coords}


def texts_of(stimuli: "xr.Dataset") -> dict[str, NDArray]:
    """Return the columns of text of the stimuli, `object` and `category` among them, with '' where there is none."""
    return {
        name: values.values.astype(str)
        for name, values in stimuli.coords.items()
        if values.dtype.kind not in "biuf" and name != "stimulus"
    }


def same_stimuli(values: NDArray[np.float64]) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Yield groups of columns of values (n, targets) that are finite in the same rows, with these rows."""
    present = np.isfinite(values)
    # Sorting many columns is slow.
    if present.size and (present == present[:, :1]).all():
        yield np.arange(present.shape[1]), np.flatnonzero(present[:, 0])
        return
    patterns, group_of = np.unique(present, axis=1, return_inverse=True) if present.shape[1] else (present, [])
    for k in range(patterns.shape[1]):
        yield np.flatnonzero(np.ravel(group_of) == k), np.flatnonzero(patterns[:, k])


def grouped_by_missing(targets: Targets, split: Split) -> Iterator[tuple[Targets, NDArray[np.intp], Split]]:
    """Yield the targets in groups that have values for the same stimuli.

    Yields
    ------
    group : Targets
        Targets of the group, with values (m, targets) for the group's m stimuli.
    rows : (m,) integer array
        Rows of these stimuli.
    split : Split
        Split restricted to the m stimuli. Targets with too few stimuli for its fits, such as values in fewer than three
        folds, are left out with a warning.
    """
    for columns, rows in same_stimuli(targets.values):
        remaining = split.placed(rows)
        if not split.suffices(np.isfinite(targets.values[:, columns[:1]])).all():
            logger.warning(
                "left out: %s: values for %d stimuli in %d folds, %s",
                ", ".join(map(place_of, targets.names[columns], targets.time_bins[columns])),
                len(rows),
                len(remaining.folds),
                split.needed,
            )
            continue
        yield targets.taken(columns, rows), rows, remaining


def grouped_over_splits(
    targets: Targets, splits: Mapping[str, Split]
) -> list[tuple[Targets, NDArray[np.intp], dict[str, Split]]]:
    """Return groups of targets that have values for the same stimuli, with these rows and the restricted splits.

    Groups are formed as in `grouped_by_missing`. A split with too few stimuli for a fit is left out of a group.
    """
    groups: dict[bytes, tuple[Targets, NDArray, dict]] = {}
    for name, split in splits.items():
        for group, rows, remaining in grouped_by_missing(targets, split):
            groups.setdefault(rows.tobytes(), (group, rows, {}))[2][name] = remaining
    return list(groups.values())


def splits_of(stimulus_set: "xr.Dataset", specs: Sequence[str | Mapping], n_folds: int, seed: int) -> dict[str, Split]:
    """Return the splits of a stimulus set by name, and warn of folds with a single stimulus.

    Parameters
    ----------
    stimulus_set : Dataset
        Store of the stimuli.
    specs, n_folds, seed
        As for `ventral.targets.splits.make_splits`.

    Raises
    ------
    InputError
        If a split cannot be made of these stimuli.
    """
    columns = {name: values.values for name, values in stimulus_set.coords.items() if name != "stimulus"}
    source = f"stimuli {stimulus_set.attrs['name']}"
    splits = make_splits(specs, columns, stimulus_set.sizes["stimulus"], n_folds, seed, source)
    for name, split in splits.items():
        alone = sum(len(fold) == 1 for fold in split.folds)
        if alone:
            logger.warning(
                "%s, split %s: %d of %d folds hold a single stimulus; such a fold adds nothing to r (column "
                "`n_alone`), and the mean over folds, `r_folds`, is not defined",
                source,
                name,
                alone,
                len(split.folds),
            )
    return splits


def nested_alone(splits: Mapping[str, Split], what: str) -> dict[str, Split]:
    """Return the splits whose folds are held out in turn, and warn of other splits, which `what` cannot use."""
    if others := [name for name, split in splits.items() if not split.is_nested]:
        logger.warning(
            "%s: only splits whose folds are held out in turn are used; left out: split %s", what, ", ".join(others)
        )
    return {name: split for name, split in splits.items() if split.is_nested}


def n_leaked(stimulus_set: "xr.Dataset", splits: Mapping[str, Split]) -> dict[str, int]:
    """Count the stimuli of each split with a duplicate in the fit that predicts them, and warn of them."""
    names = stimulus_set["stimulus"].values.astype(str).tolist()
    row_of = {name: row for row, name in enumerate(names)}
    duplicates = [[row_of[name] for name in alike] for alike in stimulus_set.attrs.get("duplicates", [])]
    counts = {}
    for name, split in splits.items():
        rows = leaked(split, duplicates)
        counts[name] = len(rows)
        if len(rows):
            logger.warning(
                "stimuli %s, split %s: %d have the same pixels as a stimulus in the fit that predicts them (column "
                "`n_leaked`): %s",
                stimulus_set.attrs["name"],
                name,
                len(rows),
                shown([names[row] for row in rows]),
            )
    return counts


def warn_of_near_duplicates(stimulus_set: "xr.Dataset", splits: Mapping[str, Split]) -> None:
    """Warn once of pairs of nearly identical stimuli of which a fit on one predicts the other, naming the splits.

    Stores from earlier versions do not list such pairs.
    """
    names = stimulus_set["stimulus"].values.astype(str).tolist()
    row_of = {name: row for row, name in enumerate(names)}
    pairs = stimulus_set.attrs.get("near_duplicates", [])
    apart = splits_apart(splits, [(row_of[a], row_of[b]) for a, b in pairs])
    told = [f"{a} ~ {b} ({', '.join(some)})" for (a, b), some in zip(pairs, apart, strict=True) if some]
    if told:
        logger.warning(
            "stimuli %s: %d pairs are nearly identical, and a fit on one predicts the other. Keep one of each pair, "
            "and enter the responses to both as its repetitions: %s",
            stimulus_set.attrs["name"],
            len(told),
            shown(told),
        )
