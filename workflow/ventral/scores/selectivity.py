"""What the units of each layer make of one category: how selective they are for it, and how well it can be read out."""

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

# From here on a unit is called selective, as neurons of macaque face patches are: Aparicio, Issa and DiCarlo 2016
# (J. Neurosci. 36:12729).
SELECTIVE = 0.65


def selectivity(
    grams: Sequence[str | Path], stimuli: str | Path, output: str | Path, *, category: str, n_folds: int, seed: int
) -> None:
    """Write, for every layer of some models, how it treats one category of stimuli beside all others.

    Parameters
    ----------
    grams : sequence of paths
        Stores of the models' Gram matrices for these stimuli.
    stimuli : path
        Store of the stimuli, with the label `category`.
    output : path
        CSV to write, a row a layer: `model`, `family`, `layer`, `depth`, `category`, `n_units` (sampled), `selective`
        (share of units with d' above 0.65), `dprime` (mean over units), `n_stimuli`, `balanced_accuracy` of a linear
        support vector machine that tells the category from all others, each of the two with the same weight, on
        held-out stimuli (chance: 0.5), and its `standard_error`.
    category : str
        The category.
    n_folds, seed : int
        Folds of held-out stimuli, and the seed of their deal.

    Raises
    ------
    InputError
        If the stimuli have no such category, or a store is of other stimuli.
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

    The variance of a label's hits is p (1 - p) with p = (hits + 1) / (n + 2), which is no 0 where all are hits (the
    rule of succession), times that of training parts, as in `ventral.statistics.influence`.

    Parameters
    ----------
    is_category : (n,) boolean array
    predictions : (n,) array of str
        What each stimulus was taken for; '' is no prediction.
    folds : sequence of integer arrays
        Held-out rows of each fold, which have both labels.

    Returns
    -------
    float
        NaN where a stimulus has no prediction.
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
    """Return how far each unit's responses to a category lie above those to all other stimuli.

    d' = (mean to the category - mean to the others) / sqrt((variance to the category + variance to the others) / 2).

    Parameters
    ----------
    responses : (n, units) array
    is_category : (n,) boolean array

    Returns
    -------
    (units,) array
        0 where a unit's responses do not differ.
    """
    responses, is_category = np.asarray(responses, np.float64), np.asarray(is_category, bool)
    within, others = responses[is_category], responses[~is_category]
    spread = np.sqrt((within.var(axis=0) + others.var(axis=0)) / 2)
    difference = within.mean(axis=0) - others.mean(axis=0)
    return np.divide(difference, spread, out=np.zeros_like(difference), where=spread > 0)
