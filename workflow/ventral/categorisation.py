"""How well a linear classifier reads a label from a representation, given only its Gram matrix."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray


def svm_balanced_accuracy(
    gram: NDArray, labels: ArrayLike, folds: Sequence[NDArray], *, equal_labels: bool = False
) -> float:
    """Return the balanced accuracy of a linear support vector machine, averaged over held-out folds.

    The features are scaled together so that stimuli lie at a mean squared distance of 1 from their mean; then C = 1.
    Balanced accuracy is the mean over the labels of the share of each label's stimuli that is recognised (chance:
    1 / number of labels).

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
    float
        Between 0 and 1; NaN where the features do not differ between stimuli, or where a fold holds a label that the
        other folds lack.
    """
    from sklearn.svm import SVC

    _, codes = np.unique(np.asarray(labels).astype(str), return_inverse=True)
    centred = gram - gram.mean(axis=0)
    centred = centred - centred.mean(axis=1)[:, None]
    scale = np.trace(centred) / len(centred)
    # What is left of identical stimuli after centring is rounding.
    if scale <= 1e-12 * np.abs(gram).max():
        return float("nan")
    kernel = centred / scale
    accuracies = []
    for fold in folds:
        training = np.setdiff1d(np.arange(len(codes)), fold)
        if not np.isin(codes[fold], codes[training]).all():
            return float("nan")
        classifier = SVC(kernel="precomputed", C=1.0, class_weight="balanced" if equal_labels else None)
        classifier.fit(kernel[np.ix_(training, training)], codes[training])
        right = classifier.predict(kernel[np.ix_(fold, training)]) == codes[fold]
        accuracies.append(np.mean([right[codes[fold] == code].mean() for code in np.unique(codes[fold])]))
    return float(np.mean(accuracies))
