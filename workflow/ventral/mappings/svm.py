"""How well a linear classifier reads a label from a representation, given only its Gram matrix."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ventral.mappings.standardisation import scaled_gram


def svm_balanced_accuracy(
    gram: NDArray, labels: ArrayLike, folds: Sequence[NDArray], *, equal_labels: bool = False
) -> float:
    """Return the balanced accuracy of a linear support vector machine, averaged over held-out folds.

    Parameters are those of `svm_predictions`. Balanced accuracy is the mean over the labels of the share of each
    label's stimuli that is recognised (chance: 1 / number of labels).

    Returns
    -------
    float
        Between 0 and 1; NaN where the features do not differ between stimuli, or where a fold holds a label that the
        other folds lack.
    """
    return balanced_accuracy(labels, svm_predictions(gram, labels, folds, equal_labels=equal_labels), folds)


def svm_predictions(
    gram: NDArray, labels: ArrayLike, folds: Sequence[NDArray], *, equal_labels: bool = False
) -> NDArray[np.str_]:
    """Return what a linear support vector machine takes each stimulus for, fitted without the stimulus's fold.

    The features are scaled together so that stimuli lie at a mean squared distance of 1 from their mean; then C = 1.

    Parameters
    ----------
    gram : (n, n) array
        Inner products of the stimuli's feature vectors.
    labels : (n,) array
        Label of each stimulus.
    folds : sequence of integer arrays
        Held-out rows of each fold.
    equal_labels : bool
        Give every label the same weight in the fit: where one is rare, all stimuli would be taken for another.

    Returns
    -------
    (n,) array of str
        '' throughout where the features do not differ between stimuli, or where a fold holds a label that the other
        folds lack.
    """
    from sklearn.svm import SVC

    names, codes = np.unique(np.asarray(labels).astype(str), return_inverse=True)
    predictions = np.full(len(codes), "", dtype=names.dtype)
    kernel = scaled_gram(gram)
    training = [np.setdiff1d(np.arange(len(codes)), fold) for fold in folds]
    seen = all(np.isin(codes[fold], codes[rest]).all() for fold, rest in zip(folds, training, strict=True))
    if not kernel.any() or not seen:
        return predictions
    for fold, rest in zip(folds, training, strict=True):
        classifier = SVC(kernel="precomputed", C=1.0, class_weight="balanced" if equal_labels else None)
        classifier.fit(kernel[np.ix_(rest, rest)], codes[rest])
        predictions[fold] = names[classifier.predict(kernel[np.ix_(fold, rest)])]
    return predictions


def balanced_accuracy(labels: ArrayLike, predictions: NDArray, folds: Sequence[NDArray]) -> float:
    """Return the mean over a fold's labels of the share that is recognised of each, averaged over folds.

    Parameters
    ----------
    labels, predictions : (n,) arrays
        What each stimulus is, and what it was taken for; '' is no prediction.
    folds : sequence of integer arrays
        Rows of each fold; a row that is there twice counts twice.

    Returns
    -------
    float
        NaN where a stimulus has no prediction.
    """
    names, codes = np.unique(np.asarray(labels).astype(str), return_inverse=True)
    if (predictions[np.concatenate(folds)] == "").any():
        return float("nan")
    right = predictions == names[codes]
    accuracies = []
    for fold in folds:
        counts = np.bincount(codes[fold], minlength=len(names))
        recognised = np.bincount(codes[fold], weights=right[fold], minlength=len(names))
        accuracies.append((recognised[counts > 0] / counts[counts > 0]).mean())
    return float(np.mean(accuracies))
