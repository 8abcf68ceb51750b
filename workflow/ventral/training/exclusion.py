"""Exclude categories and objects of the test stimuli from training."""

from collections.abc import Mapping
from difflib import get_close_matches

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ventral.errors import InputError, allowed_instead, shown
from ventral.stimuli.places import as_list

KINDS = ("category", "object")
FEWEST_CLASSES = 2


def training_rows(
    training: dict, texts: Mapping[str, ArrayLike], n_stimuli: int, tested: Mapping[str, Mapping[str, ArrayLike]]
) -> tuple[NDArray[np.intp], dict[str, list[str]]]:
    """Return the stimuli that a network may be trained on, and the excluded categories and objects.

    Every category of the tested sets is excluded, except those under `see`. Every object of the tested sets and every
    name under `exclude` is excluded, too. If the training set has only one of the labels `category` and `object`, this
    label is compared with both.

    Parameters
    ----------
    training : dict
        Options of the training: `name` of the model, `stimuli`, `label`, `exclude`, `see`, and `apart` if it is given.
        `label` is a column or several, or None for a network fitted to a recording.
    texts : mapping of (n_stimuli,) arrays
        Columns of text of the training set, `category` and `object` among them if the set has these. Stimuli without a
        label, '' in every column of `label`, are not trained on.
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
        If the training set lacks a column, or a label has no names. If `exclude` or `see` names an unknown label, or
        too few stimuli are left.
    """
    key, source = f"models.{training['name']}.train", f"the stimulus set {training['stimuli']!r}"
    texts = {column: np.asarray(values).astype(str) for column, values in texts.items()}
    labels = {kind: texts[kind] for kind in KINDS if kind in texts}
    _check_columns(training, texts, key, source)
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
    learned = [texts[label] for label in as_list(training["label"] or [])]
    if learned:
        kept &= np.any([values != "" for values in learned], axis=0)
    _check_left(training, texts, kept, excluded, list(tested), key, source)
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


def _check_columns(training: dict, texts: Mapping[str, NDArray], key: str, source: str) -> None:
    for option in ("label", "apart"):
        for column in as_list(training.get(option) or []):
            if column not in texts:
                raise InputError(
                    f"{key}.{option}: {source} has no column of text `{column}`; {allowed_instead(column, texts)}"
                )
            if not (texts[column] != "").any():
                raise InputError(f"{key}.{option}: the column `{column}` of {source} is empty in every row")


def _check_left(training, texts, kept, excluded, tested, key, source) -> None:
    labels = as_list(training["label"] or [])
    left = {label: np.unique(texts[label][kept & (texts[label] != "")]) for label in labels}
    few = next((label for label, names in left.items() if len(names) < FEWEST_CLASSES), None)
    if kept.any() and few is None:
        return
    there = {kind: sorted(set(excluded[kind]) & set(texts[kind])) for kind in KINDS if kind in texts}
    taken = "; ".join(f"{kind}: {shown(names, 8)}" for kind, names in there.items() if names)
    remains = f"nothing of {source} is left"
    if kept.any():
        remains = (
            f"only {few} {str(left[few][0])!r} of {source} is left"
            if len(left[few])
            else f"no {few} of {source} is left"
        )
    sets = f" (tested on: {', '.join(tested)})" if tested else ""
    raise InputError(
        f"{key}.stimuli: {remains} to train on, but at least {FEWEST_CLASSES} labels are needed; excluded are "
        f"{taken or 'none'}{sets}. Categories under `see` are never excluded, tested objects always"
    )
