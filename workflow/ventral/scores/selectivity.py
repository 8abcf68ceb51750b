"""Measure the selectivity of each layer's units for one category, and how well the category can be decoded."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ventral.mappings.svm import balanced_accuracy, chosen_costs, svm_predictions
from ventral.outputs import writing
from ventral.running.progress import Progress
from ventral.statistics.influence import MANY_STIMULI, WITH_TRAINING
from ventral.store import open_store
from ventral.targets.benchmark import read_stimuli
from ventral.targets.splits import check_category, folds_of_stimuli
from ventral.targets.values import labels_of

logger = logging.getLogger(__name__)

# Smallest d' of a selective unit, as for neurons of macaque face patches: Aparicio, Issa and DiCarlo 2016 (J. Neurosci.
# 36:12729).
SELECTIVE = 0.65


def selectivity(
    grams: Sequence[str | Path], stimuli: str | Path, output: str | Path, *, category: str, n_folds: int, seed: int
) -> None:
    """Write the selectivity and decoding accuracy of every layer for one category of stimuli.

    Parameters
    ----------
    grams : sequence of paths
        Stores of the models' Gram matrices for these stimuli.
    stimuli : path
        Store of the stimuli, with the label `category`.
    output : path
        CSV to write, with a row for each layer. `model`, `family`, `layer`, `depth` and `category` identify a row.
        `n_units` counts sampled units, and `n_stimuli` stimuli. `selective` is the share of units with d' above 0.65,
        and `dprime` the mean d' over units. `balanced_accuracy` is that of a linear support vector machine on held-out
        stimuli (chance: 0.5), with its `standard_error`. The machine separates the category from all other stimuli,
        with equal weights.
    category : str
        Name of the category.
    n_folds, seed : int
        Number of held-out folds, and seed of their deal.

    Raises
    ------
    InputError
        If the stimuli lack the category, or if a store was made from other stimuli.
    """
    stimulus_set = read_stimuli(stimuli, grams)
    labels = labels_of(stimulus_set)
    check_category(category, labels, stimulus_set.attrs["name"], "unseen.category")
    is_category = labels["category"] == category
    dealt_by = labels.get("object", labels["category"])
    folds = folds_of_stimuli(dealt_by, len(is_category), n_folds, seed, f"stimuli {stimulus_set.attrs['name']}")
    progress = Progress(f"selectivity for {category}", len(grams), "models")
    rows = []
    for path in grams:
        group = open_store(path)
        for layer in group.attrs["layers"]:
            gram = group[layer["name"]]["gram"][:]
            costs = chosen_costs(gram, is_category, folds, equal_labels=True)
            predictions = svm_predictions(gram, is_category, folds, costs, equal_labels=True)
            unit_dprime = dprime(group[layer["name"]]["sample"][:], is_category)
            rows.append(
                {
                    "model": group.attrs["model"],
                    "family": group.attrs["family"],
                    "layer": layer["name"],
                    "depth": layer["depth"],
                    "category": category,
                    "n_units": len(unit_dprime),
                    "selective": np.mean(unit_dprime > SELECTIVE),
                    "dprime": np.mean(unit_dprime),
                    "n_stimuli": len(is_category),
                    "balanced_accuracy": balanced_accuracy(is_category, predictions, folds),
                    "standard_error": standard_error(is_category, predictions, folds),
                }
            )
        progress.advance()
    with writing(output) as unfinished:
        pd.DataFrame(rows).to_csv(unfinished, index=False, lineterminator="\n")


def standard_error(is_category: NDArray, predictions: NDArray, folds: Sequence[NDArray]) -> float:
    """Return the standard error of the balanced accuracy over folds, for other stimuli.

    The variance of a label's hits is p (1 - p). p = (hits + 1) / (n + 2), the rule of succession, avoids a variance of
    0 if all are hits. The variance is multiplied by the factor for training sets of `ventral.statistics.influence`.

    Parameters
    ----------
    is_category : (n,) boolean array
    predictions : (n,) array of str
        Predicted label of each stimulus; '' for no prediction.
    folds : sequence of integer arrays
        Held-out rows of each fold, with both labels in each.

    Returns
    -------
    float
        Standard error; NaN if a stimulus has no prediction.
    """
    if (predictions == "").any():
        return float("nan")
    hits, variance = predictions == is_category.astype(str), 0.0
    for label in (True, False):
        of_label = is_category == label
        p = (hits[of_label].sum() + 1) / (of_label.sum() + 2)
        counts = np.array([of_label[fold].sum() for fold in folds])
        variance += p * (1 - p) * (1 / counts).sum() / (2 * len(folds)) ** 2
    return float(np.sqrt(max(WITH_TRAINING, 1 + MANY_STIMULI / len(hits)) * variance))


def dprime(responses: NDArray, is_category: ArrayLike) -> NDArray[np.float64]:
    """Return d' of each unit between a category and all other stimuli.

    d' = (mean to the category - mean to the others) / sqrt((variance to the category + variance to the others) / 2).

    Parameters
    ----------
    responses : (n, units) array
    is_category : (n,) boolean array

    Returns
    -------
    (units,) array
        d'; 0 if a unit's responses do not differ.
    """
    responses, is_category = np.asarray(responses, np.float64), np.asarray(is_category, bool)
    within, others = responses[is_category], responses[~is_category]
    spread = np.sqrt((within.var(axis=0) + others.var(axis=0)) / 2)
    difference = within.mean(axis=0) - others.mean(axis=0)
    return np.divide(difference, spread, out=np.zeros_like(difference), where=spread > 0)
