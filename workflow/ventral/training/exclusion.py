"""Exclude categories and objects of the test stimuli from training."""

from collections.abc import Mapping
from difflib import get_close_matches

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ventral.errors import InputError, shown

KINDS = ("category", "object")
FEWEST_CLASSES = 2


def training_rows(
    training: dict, labels: Mapping[str, ArrayLike], n_stimuli: int, tested: Mapping[str, Mapping[str, ArrayLike]]
) -> tuple[NDArray[np.intp], dict[str, list[str]]]:
    """Return the stimuli that a network may be trained on, and the excluded categories and objects.

    Every category of the tested sets is excluded, except those under `see`. Every object of the tested sets and every
    name under `exclude` is excluded, too. If the training set has only one of the labels `category` and `object`, this
    label is compared with both.

    Parameters
    ----------
    training : dict
        Options of the training: `name` of the model, `stimuli`, `label` (None for a network fitted to a recording),
        `exclude` and `see`.
    labels : mapping of (n_stimuli,) arrays
        Labels `category` and `object` of the training set, if the set has them.
    n_stimuli : int
        Number of stimuli in the training set.
    tested : mapping
        Labels of each set that the network is tested on, by name of the set.

    Returns
    -------
    rows : integer array
        Rows that may be trained on, ascending.
    excluded : dict of lists
        Excluded names for `category` and `object`, sorted.

    Raises
    ------
    InputError
        If the training set lacks the label, `exclude` or `see` names an unknown label, or too few stimuli are left.
    """
    key, source = f"models.{training['name']}.train", f"the stimulus set {training['stimuli']!r}"
    labels = {kind: np.asarray(labels[kind]).astype(str) for kind in KINDS if kind in labels}
    label = training["label"]
    if label and label not in labels:
        raise InputError(
            f"{key}.label: {source} has no column `{label}`; the set has {', '.join(labels) or 'no labels'}"
        )
    _check_names(training, labels, key, source)
    named = {kind: set(training["exclude"]) & set(labels.get(kind, ())) for kind in KINDS}
    of_tests = {
        kind: {str(name) for of_set in tested.values() for name in np.unique(np.asarray(of_set.get(kind, []), str))}
        for kind in KINDS
    }
    of_tests["category"] -= set(training["see"])
    excluded = {kind: sorted(of_tests[kind] | named[kind]) for kind in KINDS}
    kept = np.ones(n_stimuli, dtype=bool)
    for kind, other in (KINDS, KINDS[::-1]):
        column = labels.get(kind, labels.get(other))
        if column is not None:
            kept &= ~np.isin(column, excluded[kind])
    _check_left(training, labels, kept, excluded, list(tested), key, source)
    return np.flatnonzero(kept), excluded


def _check_names(training: dict, labels: Mapping[str, NDArray], key: str, source: str) -> None:
    for option, kinds, means in (("exclude", KINDS, "category or object"), ("see", KINDS[:1], "category")):
        known = [str(name) for kind in kinds if kind in labels for name in np.unique(labels[kind])]
        for name in training[option]:
            if name not in known:
                near = ", ".join(get_close_matches(name, known, n=3, cutoff=0.4) or known[:5])
                raise InputError(
                    f"{key}.{option}: {name!r} is no {means} of {source}; "
                    f"{f'the nearest are {near}' if near else 'the set has no such labels'}"
                )
            if option == "see" and name in training["exclude"]:
                raise InputError(f"{key}.see: {name!r} is also under `exclude`; remove {name!r} from one of the two")


def _check_left(training, labels, kept, excluded, tested, key, source) -> None:
    label = training["label"]
    left = np.unique(labels[label][kept]) if label else None
    if kept.any() and (left is None or len(left) >= FEWEST_CLASSES):
        return
    there = {kind: sorted(set(excluded[kind]) & set(labels[kind])) for kind in labels}
    taken = "; ".join(f"{kind}: {shown(names, 8)}" for kind, names in there.items() if names)
    remains = f"only {label} {str(left[0])!r} of {source} is left" if kept.any() else f"nothing of {source} is left"
    sets = f" (tested on: {', '.join(tested)})" if tested else ""
    raise InputError(
        f"{key}.stimuli: {remains} to train on, but at least {FEWEST_CLASSES} labels are needed; excluded are "
        f"{taken or 'none'}{sets}. Categories under `see` are never excluded, tested objects always"
    )
