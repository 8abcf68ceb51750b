"""Which stimuli are held out together, and why."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ventral.errors import InputError, allowed_instead

LABEL_OF_SPLIT = {"stimuli": None, "objects": "object", "categories": "category"}
FEWEST_FOLDS = 3


def folds_of_stimuli(labels: ArrayLike | None, n_stimuli: int, n_folds: int, seed: int, source: str) -> list[NDArray]:
    """Deal the stimuli at random into folds of equal size, every label in equal parts.

    Parameters
    ----------
    labels : (n_stimuli,) array or None
        Label to stratify by, usually the object; None deals without regard to labels.
    n_stimuli : int
        Number of stimuli.
    n_folds : int
        Number of folds, 3 or more.
    seed : int
        Seed of the deal.
    source : str
        What the stimuli are called in messages.

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
            f"{source}: split `stimuli` puts every object into each of {n_folds} folds, but fewer stimuli than that "
            f"show: {scarce}; set `folds` to {max(FEWEST_FOLDS, counts.min())} or fewer, merge those objects, or "
            f"leave the column `object` out"
        )
    rng = np.random.default_rng(seed)
    fold = np.empty(n_stimuli, dtype=int)
    next_fold = 0
    for code in range(len(values)):
        rows = rng.permutation(np.flatnonzero(codes == code))
        # Each label starts where the last one stopped, so that fold sizes differ by one at most.
        fold[rows] = (next_fold + np.arange(len(rows))) % n_folds
        next_fold = (next_fold + len(rows)) % n_folds
    return [np.flatnonzero(fold == k) for k in range(n_folds)]


def folds_of_labels(labels: ArrayLike, source: str, split: str) -> list[NDArray]:
    """Hold out each label in turn: all stimuli of one object, or of one category.

    Returns
    -------
    list of integer arrays
        Rows of each label, labels in sorted order.

    Raises
    ------
    InputError
        If there are fewer than three labels.
    """
    values, codes = np.unique(np.asarray(labels).astype(str), return_inverse=True)
    if len(values) < FEWEST_FOLDS:
        raise InputError(
            f"{source}: split `{split}` holds out each of at least {FEWEST_FOLDS} {split}; the column "
            f"`{LABEL_OF_SPLIT[split]}` has {len(values)}: {', '.join(values)}"
        )
    return [np.flatnonzero(codes == code) for code in range(len(values))]


def make_folds(
    split: str, labels: dict[str, ArrayLike], n_stimuli: int, n_folds: int, seed: int, source: str
) -> list[NDArray]:
    """Return the outer folds of a split: `stimuli`, `objects` or `categories`.

    Parameters
    ----------
    split : str
        A key of `LABEL_OF_SPLIT`.
    labels : dict of (n_stimuli,) arrays
        The stimuli's labels by name, `object` and `category` where there are any.
    n_stimuli, n_folds, seed, source
        As for `folds_of_stimuli`.

    Raises
    ------
    InputError
        If the split needs a label that the stimuli lack, or has too few of.
    """
    if split == "stimuli":
        return folds_of_stimuli(labels.get("object", labels.get("category")), n_stimuli, n_folds, seed, source)
    needed = LABEL_OF_SPLIT[split]
    if needed not in labels:
        raise InputError(
            f"{source}: split `{split}` needs a column `{needed}` in the stimulus table; it has "
            f"{', '.join(labels) or 'no labels'}. Add the column, or take `{split}` out of `splits`"
        )
    return folds_of_labels(labels[needed], source, split)


def leaked(folds: Sequence[NDArray], duplicates: Sequence[Sequence[int]]) -> NDArray[np.intp]:
    """Return the stimuli that have a duplicate in another fold: what is held out was seen in the fit.

    Parameters
    ----------
    folds : sequence of integer arrays
        Rows of each fold.
    duplicates : sequence of sequences of int
        Rows of stimuli with the same pixels.
    """
    fold_of = {row: k for k, fold in enumerate(folds) for row in np.asarray(fold).tolist()}
    apart = [row for rows in duplicates if len({fold_of[row] for row in rows}) > 1 for row in rows]
    return np.array(sorted(apart), dtype=np.intp)


def splits_apart(folds: Mapping[str, Sequence[NDArray]], pairs: Sequence[Sequence[int]]) -> list[list[str]]:
    """Return, for each pair of rows, the names of the splits in which the two lie in different folds.

    Parameters
    ----------
    folds : dict of sequences of integer arrays
        Rows of each fold of each split.
    pairs : sequence of pairs of int
        Rows of two stimuli.
    """
    fold_of = {
        split: {row: k for k, fold in enumerate(of_split) for row in np.asarray(fold).tolist()}
        for split, of_split in folds.items()
    }
    return [[split for split, of_row in fold_of.items() if of_row[a] != of_row[b]] for a, b in pairs]


def check_category(category: str, labels: dict[str, ArrayLike], stimuli: str, key: str) -> None:
    """Check that a set of stimuli has a category.

    Parameters
    ----------
    category : str
        Its name.
    labels : dict of arrays
        As for `make_folds`.
    stimuli, key : str
        Name of the set, and place of the category in the config, for messages.

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
