"""Classification of stimuli by a linear support vector machine, from a representation's Gram matrix alone."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ventral.mappings.standardisation import scaled_gram, varies

if TYPE_CHECKING:
    from sklearn.svm import SVC


# Candidates of C. A smaller C would separate labels by their means alone, as 0.1 nearly does at this scale of features.
COSTS = (0.1, 1.0, 10.0, 100.0)
# Number of parts into which the folds are dealt for the choice of C.
PARTS, FEWEST_PARTS = 5, 3
# Value of C if no inner fold has a label of its training stimuli.
UNCHOSEN = 1.0


def chosen_costs(
    gram: NDArray, labels: ArrayLike, folds: Sequence[NDArray], *, equal_labels: bool = False
) -> NDArray[np.float64]:
    """Return the C of a linear support vector machine for each outer fold, chosen without the stimuli of the fold.

    The folds are dealt into at most five parts, with the folds of one label spread evenly. The inner folds of a part
    are the two neighbouring parts; the last part is a neighbour of the first. The C for the folds of a part is the one
    of `COSTS` with the highest balanced accuracy, averaged over the two inner folds. The smallest of equals is chosen.
    A fit without two parts serves both, so the number of fits does not grow with the number of folds. A stimulus counts
    only if its label is in the training part, because an inner fold may hold the last object of a category.

    Parameters
    ----------
    gram : (n, n) array
        Inner products of the stimuli's feature vectors.
    labels : (n,) array
        Label of each stimulus.
    folds : sequence of integer arrays
        Held-out rows of each fold.
    equal_labels : bool
        Give every label the same weight in the fit. Otherwise a rare label would never be predicted.

    Returns
    -------
    (folds,) array
        All NaN if the features do not differ between stimuli, or if a fold holds a label that the other folds lack.

    Raises
    ------
    ValueError
        With fewer than three folds, because with two folds the same part would choose C and measure accuracy.
    """
    codes = np.unique(np.asarray(labels).astype(str), return_inverse=True)[1]
    kernel = scaled_gram(gram)
    seen = all(np.isin(codes[fold], np.delete(codes, fold)).all() for fold in folds)
    if not kernel.any() or not seen:
        return np.full(len(folds), np.nan)
    if len(folds) < FEWEST_PARTS:
        raise ValueError(f"the choice of C needs at least {FEWEST_PARTS} folds, got {len(folds)}")
    part_of = _dealt(codes, folds)
    parts = [np.concatenate([folds[k] for k in np.flatnonzero(part_of == part)]) for part in range(part_of.max() + 1)]
    accuracies = np.full((len(COSTS), len(parts), len(parts)), np.nan)
    for outer, of_outer in enumerate(parts):
        inner = (outer + 1) % len(parts)
        training = np.delete(np.arange(len(codes)), np.concatenate([of_outer, parts[inner]]))
        found = _accuracies(kernel, codes, training, [parts[inner], of_outer], equal_labels)
        accuracies[:, outer, inner], accuracies[:, inner, outer] = found.T
    known = np.isfinite(accuracies)
    # Round, because means over the same accuracies in another order differ by rounding.
    means = (accuracies.sum(axis=2, where=known) / np.maximum(known.sum(axis=2), 1)).round(12)
    costs = np.where(known.any(axis=(0, 2)), np.array(COSTS)[means.argmax(axis=0)], UNCHOSEN)
    return costs[part_of]


def _dealt(codes: NDArray, folds: Sequence[NDArray]) -> NDArray[np.intp]:
    """Return the part (folds,) of each fold, such that folds of the same label are spread over the parts."""
    part_of = np.empty(len(folds), dtype=np.intp)
    order = np.argsort([codes[fold].min() for fold in folds], kind="stable")
    part_of[order] = np.arange(len(folds)) % PARTS
    return part_of


def _accuracies(
    kernel: NDArray, codes: NDArray, training: NDArray, held_out: Sequence[NDArray], equal_labels: bool
) -> NDArray[np.float64]:
    """Return the balanced accuracy (costs, parts) of parts that are held out together, by the fits at every C."""
    accuracies = np.full((len(COSTS), len(held_out)), np.nan)
    if len(np.unique(codes[training])) < 2:
        return accuracies
    held_out = [rows[np.isin(codes[rows], codes[training])] for rows in held_out]
    rows = np.concatenate(held_out)
    if not len(rows):
        return accuracies
    of_training, of_rows = kernel[np.ix_(training, training)], kernel[np.ix_(rows, training)]
    right = np.zeros(len(codes), dtype=bool)
    for k, cost in enumerate(COSTS):
        classifier = _classifier(cost, equal_labels).fit(of_training, codes[training])
        right[rows] = classifier.predict(of_rows) == codes[rows]
        # Where no coefficient is bounded by C, a larger C gives the same fit.
        unbounded = np.abs(classifier.dual_coef_).max() < cost * classifier.class_weight_.min()
        accuracies[k : None if unbounded else k + 1] = [_recognised(codes, right, part) for part in held_out]
        if unbounded:
            break
    return accuracies


def _classifier(cost: float, equal_labels: bool) -> "SVC":
    from sklearn.svm import SVC

    return SVC(kernel="precomputed", C=cost, class_weight="balanced" if equal_labels else None)


def svm_predictions(
    gram: NDArray, labels: ArrayLike, folds: Sequence[NDArray], costs: NDArray, *, equal_labels: bool = False
) -> NDArray[np.str_]:
    """Return the label that a linear support vector machine predicts for each stimulus, fitted without its fold.

    All features are scaled by one factor, such that the mean squared distance of stimuli from their mean is 1.

    Parameters
    ----------
    gram, labels, folds, equal_labels
        As for `chosen_costs`.
    costs : (folds,) array
        C of the fit without each fold, from `chosen_costs`.

    Returns
    -------
    (n,) array of str
        All '' if the features do not differ between stimuli, or if C is NaN.
    """
    names, codes = np.unique(np.asarray(labels).astype(str), return_inverse=True)
    predictions = np.full(len(codes), "", dtype=names.dtype)
    kernel = scaled_gram(gram)
    if not kernel.any() or np.isnan(costs).any():
        return predictions
    for fold, cost in zip(folds, costs, strict=True):
        rest = np.delete(np.arange(len(codes)), fold)
        classifier = _classifier(cost, equal_labels).fit(kernel[np.ix_(rest, rest)], codes[rest])
        predictions[fold] = names[classifier.predict(kernel[np.ix_(fold, rest)])]
    return predictions


def svm_predictions_across(
    units: NDArray, tested: NDArray, labels: ArrayLike, folds: Sequence[NDArray], costs: NDArray
) -> NDArray[np.str_]:
    """Return the labels that support vector machines, fitted without each fold, predict from other patterns.

    Parameters
    ----------
    units : (n, p) array
        Patterns of mean 0 over stimuli, to which the machines are fitted.
    tested : (conditions, n, p) array
        Patterns of the same stimuli in each condition, of mean 0 over stimuli, whose labels are predicted.
    labels, folds, costs
        As for `svm_predictions`.

    Returns
    -------
    (conditions, n) array of str
        For `tested` equal to `units`, the labels of `svm_predictions`. All '' under the same conditions.
    """
    names, codes = np.unique(np.asarray(labels).astype(str), return_inverse=True)
    predictions = np.full(tested.shape[:2], "", dtype=names.dtype)
    scale = np.square(units).sum() / len(units)
    if not varies(scale, 0.0) or np.isnan(costs).any():
        return predictions
    for fold, cost in zip(folds, costs, strict=True):
        rest = np.delete(np.arange(len(codes)), fold)
        fitted = units[rest]
        classifier = _classifier(cost, equal_labels=False).fit(fitted @ fitted.T / scale, codes[rest])
        patterns = tested[:, fold]
        kernel = patterns.reshape(-1, units.shape[1]) @ fitted.T / scale
        predictions[:, fold] = names[classifier.predict(kernel)].reshape(patterns.shape[:2])
    return predictions


def balanced_accuracy(labels: ArrayLike, predictions: NDArray, folds: Sequence[NDArray]) -> float:
    """Return the balanced accuracy: the share recognised of each label, averaged over a fold's labels, then over folds.

    Parameters
    ----------
    labels, predictions : (n,) arrays
        True and predicted label of each stimulus; '' is no prediction.
    folds : sequence of integer arrays
        Rows of each fold; a row that occurs twice counts twice.

    Returns
    -------
    float
        NaN where a stimulus has no prediction.
    """
    names, codes = np.unique(np.asarray(labels).astype(str), return_inverse=True)
    if (predictions[np.concatenate(folds)] == "").any():
        return float("nan")
    right = predictions == names[codes]
    return float(np.mean([_recognised(codes, right, fold) for fold in folds]))


def _recognised(codes: NDArray, right: NDArray, rows: NDArray) -> float:
    """Return the share of right predictions for each label, averaged over the labels of some rows; NaN without rows."""
    if not len(rows):
        return float("nan")
    counts = np.bincount(codes[rows])
    recognised = np.bincount(codes[rows], weights=right[rows])
    return float((recognised[counts > 0] / counts[counts > 0]).mean())
