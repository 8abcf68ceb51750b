"""The support vector machine on a Gram matrix against scikit-learn's on the features."""

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score
from sklearn.svm import SVC

from ventral.mappings.svm import svm_balanced_accuracy


def clusters(rng, n, p, labels, distance):
    return rng.normal(size=(n, p)) + distance * rng.normal(size=(labels.max() + 1, p))[labels] + 7


def test_equals_a_linear_svm_on_the_features():
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(4), [30, 20, 25, 15])
    features = clusters(rng, 90, 200, labels, 0.2)
    folds = [np.arange(k, 90, 5) for k in range(5)]
    scaled = (features - features.mean(axis=0)) / np.sqrt(features.var(axis=0).sum())
    expected = []
    for fold in folds:
        training = np.setdiff1d(np.arange(90), fold)
        model = SVC(kernel="linear", C=1.0).fit(scaled[training], labels[training])
        expected.append(balanced_accuracy_score(labels[fold], model.predict(scaled[fold])))
    accuracy = svm_balanced_accuracy(features @ features.T, labels, folds)
    assert accuracy == np.mean(expected)
    assert 0.25 < accuracy < 1


def test_units_of_the_features_do_not_matter():
    rng = np.random.default_rng(1)
    labels = np.tile(np.arange(3), 20)
    features = clusters(rng, 60, 50, labels, 0.2)
    folds = [np.arange(k * 12, k * 12 + 12) for k in range(5)]
    accuracies = {svm_balanced_accuracy(features @ features.T * scale, labels, folds) for scale in (1e-12, 1.0, 1e12)}
    assert len(accuracies) == 1


def test_identical_stimuli_and_unseen_labels_have_no_accuracy():
    labels = np.tile([0, 1], 6)
    folds = [np.arange(4), np.arange(4, 8), np.arange(8, 12)]
    assert np.isnan(svm_balanced_accuracy(np.full((12, 12), 3.0), labels, folds))
    by_label = [np.flatnonzero(labels == 0), np.flatnonzero(labels == 1)]
    assert np.isnan(svm_balanced_accuracy(np.eye(12), labels, by_label))


def test_a_rare_label_counts_as_much_as_the_others():
    """Two labels, one of them a tenth: without equal weight, everything is taken for the other."""
    rng = np.random.default_rng(4)
    rare = np.arange(200) % 10 == 0
    features = rng.normal(size=(200, 5)) + 0.7 * rare[:, None]
    folds = [np.random.default_rng(0).permutation(200)[k::4] for k in range(4)]
    gram = features @ features.T
    equal, unequal = (svm_balanced_accuracy(gram, rare, folds, equal_labels=weight) for weight in (True, False))
    assert equal > 0.75
    assert unequal == pytest.approx(0.5, abs=0.05)
    scale = np.trace(gram - gram.mean(axis=0)) / 200
    expected = []
    for fold in folds:
        training = np.setdiff1d(np.arange(200), fold)
        centred = (features - features.mean(axis=0)) / np.sqrt(scale)
        classifier = SVC(kernel="linear", C=1.0, class_weight="balanced").fit(centred[training], rare[training])
        expected.append(balanced_accuracy_score(rare[fold], classifier.predict(centred[fold])))
    assert equal == pytest.approx(np.mean(expected), abs=0.02)
