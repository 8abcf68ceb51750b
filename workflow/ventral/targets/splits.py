"""Split stimuli into fitted and held-out sets."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ventral.errors import InputError, allowed_instead, shown

LABEL_OF_SPLIT = {"stimuli": None, "objects": "object", "categories": "category"}
FEWEST_FOLDS = 3
# Fewest stimuli in a single training set and in a single test set: two in each half.
FEWEST_OF_SET = 4
PARTS = ("train", "validation", "test")


def _none() -> NDArray[np.intp]:
    return np.array([], dtype=np.intp)


@dataclass(frozen=True)
class Split:
    """A division of stimuli into fitted and held-out sets.

    A fold is predicted by the fit on `training` and all other folds. If `training` is empty, the folds are a partition.
    If `repeated`, the folds are independently drawn test sets.

    Attributes
    ----------
    name : str
        Column `split` of the score table.
    folds : list of integer arrays
        Rows of the stimuli that are scored together; disjoint unless `repeated`.
    training : integer array
        Rows that every fit uses and that are never scored, such as a published training set.
    validation : integer array
        Rows that choose penalties, but are neither fitted nor scored.
    repeated : bool
        True if the folds are random test sets, which overlap. The score is the median over these test sets.
    inner : list of lists of integer arrays
        Parts of the training stimuli, for each fold, that choose the penalty, each left out of a fit in turn. With
        validation stimuli, these are the only part, and no fit uses them. Empty if the other folds serve as these
        parts.
    groups : tuple of str
        Names of the groups of stimuli, such as objects, that each fold holds out; empty if folds are not groups.
    column : str
        Column that defines these groups; '' if folds are not groups.
    """

    name: str
    folds: list[NDArray[np.intp]]
    training: NDArray[np.intp] = field(default_factory=_none)
    validation: NDArray[np.intp] = field(default_factory=_none)
    repeated: bool = False
    inner: list[list[NDArray[np.intp]]] = field(default_factory=list)
    groups: tuple[str, ...] = ()
    column: str = ""

    @property
    def is_nested(self) -> bool:
        """True if the folds are held out in turn and choose each other's penalty."""
        return not self.inner

    @property
    def scored(self) -> NDArray[np.intp]:
        """Rows that are scored, ascending."""
        return np.unique(np.concatenate(self.folds)) if self.folds else _none()

    @property
    def fits(self) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        """Rows of the fitted and of the predicted stimuli of each fit."""
        rows = np.union1d(self.training, self.scored)
        return [(np.setdiff1d(rows, fold), fold) for fold in self.folds]

    @property
    def sets(self) -> "list[Split]":
        """The split as single training and test sets: one, or each random draw."""
        return [
            replace(self, folds=[test], training=training, inner=[inner])
            for (training, test), inner in zip(self.fits, self.inner, strict=True)
        ]

    @property
    def halves(self) -> tuple[list[NDArray[np.intp]], list[NDArray[np.intp]]]:
        """Folds of each half of the held-out stimuli, from `halves_of`; even and odd rows for random test sets."""
        if not self.repeated:
            return halves_of(self.folds)
        return tuple([fold[fold % 2 == first] for fold in self.folds] for first in (0, 1))

    @property
    def whole(self) -> "Split":
        """Split that the ceilings refer to: the split itself, or all stimuli as one fold for random test sets."""
        return Split(self.name, [np.union1d(self.training, self.scored)]) if self.repeated else self

    def placed(self, rows: NDArray[np.intp]) -> "Split":
        """Return the split restricted to some stimuli (ascending rows), renumbered by their place among these."""

        def places(of: NDArray[np.intp]) -> NDArray[np.intp]:
            return np.searchsorted(rows, of[np.isin(of, rows)])

        folds = [places(fold) for fold in self.folds]
        kept = [k for k, fold in enumerate(folds) if len(fold)]
        return replace(
            self,
            folds=[folds[k] for k in kept],
            training=places(self.training),
            validation=places(self.validation),
            inner=[[part for part in map(places, self.inner[k]) if len(part)] for k in kept if self.inner],
            groups=tuple(self.groups[k] for k in kept if self.groups),
        )

    def suffices(self, known: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return a mask of targets (targets,) with enough stimuli for fits, given known values (n, targets)."""
        if self.is_nested:
            return sum(known[fold].any(axis=0).astype(int) for fold in self.folds) >= FEWEST_FOLDS
        fewest_parts = 1 if len(self.validation) else 2
        enough = np.ones(known.shape[1], dtype=bool)
        for (training, test), inner in zip(self.fits, self.inner, strict=True):
            enough &= (known[training].sum(axis=0) >= FEWEST_OF_SET) & (known[test].sum(axis=0) >= FEWEST_OF_SET)
            enough &= sum(known[part].any(axis=0).astype(int) for part in inner) >= fewest_parts
        return enough

    @property
    def needed(self) -> str:
        """Description of the requirement of `suffices`, for messages."""
        if self.is_nested:
            return f"at least {FEWEST_FOLDS} folds are needed"
        return f"at least {FEWEST_OF_SET} stimuli to fit on and {FEWEST_OF_SET} to score are needed"


def halves_of(folds: Sequence[NDArray]) -> tuple[list[NDArray], list[NDArray]]:
    """Return two halves of the held-out folds: folds 0, 2, ... and the folds between, or alternate rows of one fold.

    Parameters
    ----------
    folds : sequence of integer arrays
        Rows of each held-out fold.
    """
    if len(folds) == 1:
        return [folds[0][::2]], [folds[0][1::2]]
    return list(folds[::2]), list(folds[1::2])


def folds_of_stimuli(labels: ArrayLike | None, n_stimuli: int, n_folds: int, seed: int, source: str) -> list[NDArray]:
    """Deal the stimuli at random into folds of equal size, stratified by label.

    Parameters
    ----------
    labels : (n_stimuli,) array or None
        Label to stratify by, usually the object; None ignores labels.
    n_stimuli : int
        Number of stimuli.
    n_folds : int
        Number of folds, 3 or more.
    seed : int
        Seed of the deal.
    source : str
        Name of the stimuli in messages.

    Returns
    -------
    list of integer arrays
        Rows of each fold, ascending.

    Raises
    ------
    InputError
        If a label, or the whole set, has fewer stimuli than there are folds.
    """
    if n_stimuli < n_folds:
        raise InputError(f"{source}: {n_stimuli} stimuli cannot fill {n_folds} folds; set `folds` to fewer")
    labels = np.zeros(n_stimuli, dtype=int) if labels is None else np.asarray(labels).astype(str)
    values, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if (counts < n_folds).any() and len(values) > 1:
        scarce = ", ".join(f"{values[k]} ({counts[k]})" for k in np.flatnonzero(counts < n_folds)[:10])
        raise InputError(
            f"{source}: split `stimuli` puts every object into each of {n_folds} folds, but these objects have fewer "
            f"stimuli: {scarce}; set `folds` to {max(FEWEST_FOLDS, counts.min())} or fewer, merge those objects, or "
            f"leave the column `object` out"
        )
    rng = np.random.default_rng(seed)
    fold = np.empty(n_stimuli, dtype=int)
    next_fold = 0
    for code in range(len(values)):
        rows = rng.permutation(np.flatnonzero(codes == code))
        # Each label starts at the fold where the last one stopped, so that fold sizes differ by one at most.
        fold[rows] = (next_fold + np.arange(len(rows))) % n_folds
        next_fold = (next_fold + len(rows)) % n_folds
    return [np.flatnonzero(fold == k) for k in range(n_folds)]


def groups_of_labels(labels: ArrayLike, source: str, split: str, column: str) -> tuple[list[NDArray], list[str]]:
    """Hold out each label in turn, such as all stimuli of one object.

    Returns
    -------
    folds : list of integer arrays
        Rows of each label, labels in sorted order.
    labels : list of str

    Raises
    ------
    InputError
        If there are fewer than three labels.
    """
    values, codes = np.unique(np.asarray(labels).astype(str), return_inverse=True)
    if len(values) < FEWEST_FOLDS:
        noun = split if split in LABEL_OF_SPLIT else "groups"
        raise InputError(
            f"{source}: split `{split}` needs at least {FEWEST_FOLDS} {noun}, each held out in turn; the column "
            f"`{column}` has {len(values)}: {', '.join(values)}"
        )
    return [np.flatnonzero(codes == code) for code in range(len(values))], values.tolist()


def folds_of_groups(sizes: Sequence[int], n_folds: int, seed: int) -> list[NDArray[np.intp]]:
    """Deal groups of stimuli into folds, largest first, each into the fold with the fewest stimuli so far.

    Parameters
    ----------
    sizes : (groups,) sequence of int
        Stimuli of each group.
    n_folds, seed : int
        Number of folds, all non-empty, and seed for the order of groups of equal size.

    Returns
    -------
    list of integer arrays
        Groups of each fold, ascending.
    """
    order = np.random.default_rng(seed).permutation(len(sizes))
    order = order[np.argsort(-np.asarray(sizes)[order], kind="stable")]
    filled, fold = np.zeros(n_folds, dtype=int), np.empty(len(sizes), dtype=int)
    for group in order:
        fold[group] = filled.argmin()
        filled[fold[group]] += sizes[group]
    return [np.flatnonzero(fold == k) for k in range(n_folds)]


def make_splits(
    specs: Sequence[str | Mapping],
    columns: Mapping[str, ArrayLike],
    n_stimuli: int,
    n_folds: int,
    seed: int,
    source: str,
) -> dict[str, Split]:
    """Return the splits that a config asks for, by name.

    Parameters
    ----------
    specs : sequence of str or dict
        `stimuli`, `objects`, `categories`, or a mapping with a `name` and one of three designs. `column` holds out
        every group of a column in turn, or `folds` of whole groups. `partition` names a column with the values train,
        validation and test. `random` is a number of draws, with `train`, the number of stimuli to fit on, or their
        share if below 1. With `leave_one_out`, each training stimulus is an inner fold.
    columns : dict of (n_stimuli,) arrays
        The stimuli's labels and properties by name.
    n_stimuli, n_folds, seed, source
        As for `folds_of_stimuli`. Within a training set, `n_folds` random folds choose the penalty.

    Raises
    ------
    InputError
        If a split needs a column that is missing, or if one of its parts has too few stimuli.
    """
    made = [_made(spec, columns, n_stimuli, n_folds, seed, source) for spec in specs]
    return {split.name: split for split in made}


def _made(
    spec: str | Mapping, columns: Mapping[str, ArrayLike], n_stimuli: int, n_folds: int, seed: int, source: str
) -> Split:
    if spec == "stimuli":
        labels = columns.get("object", columns.get("category"))
        return Split(spec, folds_of_stimuli(labels, n_stimuli, n_folds, seed, source))
    if isinstance(spec, str):
        spec = {"name": spec, "column": LABEL_OF_SPLIT[spec]}
    if "column" in spec:
        return _by_column(spec, columns, seed, source)
    if "partition" in spec:
        return _published(spec, columns, n_folds, seed, source)
    return _random(spec, n_stimuli, n_folds, seed, source)


def _column(columns: Mapping[str, ArrayLike], column: str, split: str, source: str) -> NDArray[np.str_]:
    """Return the groups (n,) in a column as text."""
    if column not in columns:
        raise InputError(
            f"{source}: split `{split}` needs a column `{column}` in the stimulus table; the table has "
            f"{', '.join(columns) or 'no labels'}. Add the column, or take `{split}` out of `splits`"
        )
    values = np.asarray(columns[column])
    text = np.array([f"{value:g}" if isinstance(value, float) else str(value) for value in values.tolist()])
    if (missing := np.flatnonzero(np.isin(text, ["", "nan"]))).size:
        raise InputError(
            f"{source}: split `{split}`: the column `{column}` has no value in data rows "
            f"{shown([str(row + 1) for row in missing])}; every stimulus needs one"
        )
    return text


def _by_column(spec: Mapping, columns: Mapping[str, ArrayLike], seed: int, source: str) -> Split:
    name, column = spec["name"], spec["column"]
    folds, groups = groups_of_labels(_column(columns, column, name, source), source, name, column)
    if spec.get("folds") is None:
        return Split(name, folds, groups=tuple(groups), column=column)
    if len(groups) < spec["folds"]:
        raise InputError(
            f"{source}: split `{name}`: {len(groups)} groups of the column `{column}` cannot fill {spec['folds']} "
            f"folds; set its `folds` to {len(groups)} or fewer"
        )
    dealt = folds_of_groups([len(fold) for fold in folds], spec["folds"], seed)
    return Split(
        name,
        [np.sort(np.concatenate([folds[group] for group in some])) for some in dealt],
        groups=tuple(", ".join(groups[group] for group in some) for some in dealt),
        column=column,
    )


def _published(spec: Mapping, columns: Mapping[str, ArrayLike], n_folds: int, seed: int, source: str) -> Split:
    name, column = spec["name"], spec["partition"]
    parts = _column(columns, column, name, source)
    if (other := np.flatnonzero(~np.isin(parts, PARTS))).size:
        raise InputError(
            f"{source}: split `{name}`: the column `{column}` has {str(parts[other[0]])!r} in data row "
            f"{other[0] + 1}; {allowed_instead(str(parts[other[0]]), PARTS)}"
        )
    training, validation, test = (np.flatnonzero(parts == part) for part in PARTS)
    _check_sizes(len(training), len(test), 1 if len(validation) else n_folds, f"{source}: split `{name}`")
    inner = [validation] if len(validation) else _dealt(np.random.default_rng(seed).permutation(training), n_folds)
    return Split(name, [test], training, validation, inner=[inner])


def _random(spec: Mapping, n_stimuli: int, n_folds: int, seed: int, source: str) -> Split:
    n_training = int(spec["train"] if spec["train"] >= 1 else round(spec["train"] * n_stimuli))
    _check_sizes(n_training, n_stimuli - n_training, n_folds, f"{source}: split `{spec['name']}`")
    n_inner = n_training if spec.get("leave_one_out") else n_folds
    # With seed 0, the training sets are those that Tuckute et al. 2023 drew by `numpy.random.choice`.
    rng = np.random.RandomState(seed)
    orders = [rng.permutation(n_stimuli) for _ in range(spec["random"])]
    tests = [np.sort(order[n_training:]) for order in orders]
    return Split(
        spec["name"],
        tests,
        training=np.setdiff1d(np.arange(n_stimuli), np.concatenate(tests)),
        repeated=True,
        inner=[_dealt(order[:n_training], n_inner) for order in orders],
    )


def _dealt(rows: NDArray[np.intp], n_folds: int) -> list[NDArray[np.intp]]:
    return [np.sort(rows[k::n_folds]) for k in range(n_folds)]


def _check_sizes(n_training: int, n_test: int, n_folds: int, split: str) -> None:
    """Refuse a training or test set with too few stimuli."""
    fewest = max(FEWEST_OF_SET, n_folds)
    if n_training < fewest or n_test < FEWEST_OF_SET:
        raise InputError(
            f"{split}: the split has {n_training} stimuli to train on and {max(n_test, 0)} to test on; at least "
            f"{fewest} to train on and {FEWEST_OF_SET} to test on are needed"
        )


def leaked(split: Split, duplicates: Sequence[Sequence[int]]) -> NDArray[np.intp]:
    """Return the scored stimuli that have a duplicate in the fit that predicts them.

    Parameters
    ----------
    split : Split
    duplicates : sequence of sequences of int
        Rows of stimuli with the same pixels.
    """
    seen: set[int] = set()
    for training, test in _places(split) if duplicates else ():
        for rows in duplicates:
            if training.intersection(rows):
                seen |= test.intersection(rows)
    return np.array(sorted(seen), dtype=np.intp)


def splits_apart(splits: Mapping[str, Split], pairs: Sequence[Sequence[int]]) -> list[list[str]]:
    """Return, for each pair of stimuli, the names of the splits in which a fit on one predicts the other.

    Parameters
    ----------
    splits : dict of Split
    pairs : sequence of pairs of int
        Rows of two stimuli.
    """
    apart: list[list[str]] = [[] for _ in pairs]
    for name, split in splits.items() if pairs else ():
        places = list(_places(split))
        for names, (a, b) in zip(apart, pairs, strict=True):
            if any((a in fit and b in test) or (b in fit and a in test) for fit, test in places):
                names.append(name)
    return apart


def _places(split: Split) -> Iterator[tuple[set[int], set[int]]]:
    return ((set(training.tolist()), set(test.tolist())) for training, test in split.fits)


def held_out(split: str) -> str:
    """Return a description of the held-out stimuli of a split, such as 'held-out objects'."""
    if split == "none":
        return "nothing held out"
    return f"held-out {split}" if split in LABEL_OF_SPLIT else f"split {split}"


def check_category(category: str, labels: dict[str, ArrayLike], stimuli: str, key: str) -> None:
    """Check that a stimulus set has a category.

    Parameters
    ----------
    category : str
        Name of the category.
    labels : dict of arrays
        Labels of the stimuli, by name.
    stimuli, key : str
        Name of the set, and config key of the category, for messages.

    Raises
    ------
    InputError
        If no stimulus is of this category.
    """
    known = np.unique(np.asarray(labels.get("category", []), dtype=str))
    if category not in known:
        raise InputError(
            f"config key {key}: the stimuli {stimuli} have no category {category!r}; {allowed_instead(category, known)}"
        )
