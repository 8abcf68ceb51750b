"""The support vector machine on a Gram matrix against scikit-learn's on the features."""

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GridSearchCV
from sklearn.svm import SVC

from ventral.mappings.svm import (
    COSTS,
    UNCHOSEN,
    balanced_accuracy,
    chosen_costs,
    svm_predictions,
)


def accuracy_of(gram, labels, folds, **options):
    costs = chosen_costs(gram, labels, folds, **options)
    return balanced_accuracy(labels, svm_predictions(gram, labels, folds, costs, **options), folds)


def clusters(rng, n, p, labels, distance):
    return rng.normal(size=(n, p)) + distance * rng.normal(size=(labels.max() + 1, p))[labels] + 7


def scaled(features):
    """Centred, at a mean squared length of 1."""
    return (features - features.mean(axis=0)) / np.sqrt(features.var(axis=0).sum())


def grid_search(features, labels, parts, k, class_weight=None):
    """Refit a linear machine on the features without part k, at the C that scikit-learn chooses on the parts beside."""
    fold = parts[k]
    training = np.setdiff1d(np.arange(len(labels)), fold)
    place = np.full(len(labels), -1)
    place[training] = np.arange(len(training))
    splits = []
    for beside in ((k + 1) % len(parts), (k - 1) % len(parts)):
        rest = np.concatenate([other for j, other in enumerate(parts) if j not in (k, beside)])
        splits.append((place[rest], place[parts[beside]]))
    search = GridSearchCV(
        SVC(kernel="linear", class_weight=class_weight), {"C": COSTS}, scoring="balanced_accuracy", cv=splits
    )
    search.fit(scaled(features)[training], labels[training])
    return search.best_params_["C"], search.predict(scaled(features)[fold])


@pytest.mark.parametrize("equal_labels", [False, True])
@pytest.mark.parametrize(("distance", "seed"), [(0.1, 0), (0.2, 1), (0.6, 2)])
def test_equals_a_grid_search_on_the_features(distance, seed, equal_labels):
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(4), [30, 20, 25, 15])
    features = clusters(rng, 90, 60, labels, distance)
    folds = [np.arange(k, 90, 5) for k in range(5)]
    gram = features @ features.T
    costs = chosen_costs(gram, labels, folds, equal_labels=equal_labels)
    predictions = svm_predictions(gram, labels, folds, costs, equal_labels=equal_labels)
    accuracies = []
    for k, fold in enumerate(folds):
        cost, expected = grid_search(features, labels, folds, k, "balanced" if equal_labels else None)
        assert costs[k] == cost
        np.testing.assert_array_equal(predictions[fold].astype(int), expected)
        accuracies.append(balanced_accuracy_score(labels[fold], expected))
    assert accuracy_of(gram, labels, folds, equal_labels=equal_labels) == np.mean(accuracies)


def test_categories_of_held_out_objects_equal_a_grid_search_on_other_objects():
    """Ten objects of two categories are dealt into five parts, one object of each category in each."""
    rng = np.random.default_rng(3)
    objects = np.tile(np.arange(10), 12)
    labels = objects // 5
    features = clusters(rng, 120, 40, objects, 0.5) + clusters(rng, 120, 40, labels, 0.3)
    folds = [np.flatnonzero(objects == k) for k in range(10)]
    parts = [np.flatnonzero(objects % 5 == k) for k in range(5)]
    gram = features @ features.T
    costs = chosen_costs(gram, labels, folds)
    predictions = svm_predictions(gram, labels, folds, costs)
    for k, fold in enumerate(folds):
        cost, _ = grid_search(features, labels, parts, k % 5)
        assert costs[k] == cost
        rest = np.setdiff1d(np.arange(120), fold)
        expected = SVC(kernel="linear", C=cost).fit(scaled(features)[rest], labels[rest])
        np.testing.assert_array_equal(predictions[fold].astype(int), expected.predict(scaled(features)[fold]))
    assert len(set(costs)) > 1


def test_the_choice_does_not_see_the_fold_that_it_is_for():
    rng = np.random.default_rng(5)
    labels = np.arange(100) % 4
    features = clusters(rng, 100, 30, labels, 0.2)
    folds = [np.arange(k * 20, k * 20 + 20) for k in range(5)]
    shuffled = labels.copy()
    shuffled[folds[2]] = np.roll(labels[folds[2]], 1)
    gram = features @ features.T
    assert chosen_costs(gram, labels, folds)[2] == chosen_costs(gram, shuffled, folds)[2]


def test_a_label_of_a_weak_direction_needs_a_large_c():
    """A small C takes the difference of the labels' means, which the strong directions drown."""
    rng = np.random.default_rng(6)
    folds = [np.arange(k, 200, 5) for k in range(5)]
    features = rng.normal(size=(200, 5)) * [5, 5, 5, 5, 0.5]
    labels = features[:, 4] > 0
    gram = features @ features.T
    assert chosen_costs(gram, labels, folds).min() >= 10
    at_1 = balanced_accuracy(labels, svm_predictions(gram, labels, folds, np.ones(5)), folds)
    assert accuracy_of(gram, labels, folds) > at_1 + 0.1


def test_equals_are_settled_for_the_smallest_c():
    labels = np.repeat([0, 1], 20)
    features = labels[:, None] + np.zeros((40, 3))
    folds = [np.arange(k, 40, 5) for k in range(5)]
    np.testing.assert_array_equal(chosen_costs(features @ features.T, labels, folds), COSTS[0])


def test_without_an_inner_fold_that_can_be_read_c_is_1():
    """Without two of three folds, one label is left in training, wherever both labels are not in each fold."""
    labels = np.array([0, 0, 1, 1, 0, 1])
    folds = [np.array([0, 1]), np.array([2, 3]), np.array([4, 5])]
    features = np.random.default_rng(0).normal(size=(6, 4))
    costs = chosen_costs(features @ features.T, labels, folds)
    # Training on the last fold alone, which has both labels, chooses for the first two.
    assert costs[2] == UNCHOSEN
    assert np.isfinite(costs).all()


def test_units_of_the_features_do_not_matter():
    rng = np.random.default_rng(1)
    labels = np.tile(np.arange(3), 20)
    features = clusters(rng, 60, 50, labels, 0.2)
    folds = [np.arange(k * 12, k * 12 + 12) for k in range(5)]
    accuracies = {accuracy_of(features @ features.T * scale, labels, folds) for scale in (1e-12, 1.0, 1e12)}
    assert len(accuracies) == 1


def test_identical_stimuli_and_unseen_labels_have_no_accuracy():
    labels = np.tile([0, 1], 6)
    folds = [np.arange(4), np.arange(4, 8), np.arange(8, 12)]
    assert np.isnan(accuracy_of(np.full((12, 12), 3.0), labels, folds))
    by_label = [np.flatnonzero(labels == 0), np.flatnonzero(labels == 1)]
    assert np.isnan(accuracy_of(np.eye(12), labels, by_label))


def test_a_rare_label_counts_as_much_as_the_others():
    """Two labels, one of them a tenth: without equal weight, most stimuli are taken for the other."""
    rng = np.random.default_rng(4)
    rare = np.arange(200) % 10 == 0
    features = rng.normal(size=(200, 5)) + 0.7 * rare[:, None]
    folds = [np.random.default_rng(0).permutation(200)[k::4] for k in range(4)]
    gram = features @ features.T
    equal, unequal = (accuracy_of(gram, rare, folds, equal_labels=weight) for weight in (True, False))
    assert equal > 0.75
    assert unequal < 0.65
