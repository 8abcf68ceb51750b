"""The nearest mean by correlation against the definition in loops, and machines tested in another condition."""

import numpy as np

from ventral.mappings.nearest_mean import accuracies_of_shuffles, nearest_mean_predictions
from ventral.mappings.standardisation import standardised
from ventral.mappings.svm import balanced_accuracy, svm_predictions, svm_predictions_across

LABELS = np.resize(["cup", "dog", "pan"], 24)
FOLDS = [np.arange(k, 24, 4) for k in range(4)]


def patterns(seed=0):
    rng = np.random.default_rng(seed)
    means = {label: rng.normal(size=6) for label in ("cup", "dog", "pan")}
    return np.stack([means[label] + rng.normal(size=6) for label in LABELS])


def test_each_pattern_gets_the_label_of_the_mean_that_correlates_best():
    units = patterns()
    tested = np.stack([units, units[::-1] + 1])
    expected = np.empty((2, 24), dtype="U3")
    for fold in FOLDS:
        rest = np.setdiff1d(np.arange(24), fold)
        means = {label: units[[k for k in rest if LABELS[k] == label]].mean(axis=0) for label in set(LABELS)}
        for condition in range(2):
            for row in fold:
                r = {label: np.corrcoef(tested[condition, row], mean)[0, 1] for label, mean in means.items()}
                expected[condition, row] = max(r, key=r.get)
    found = nearest_mean_predictions(units, tested, LABELS, FOLDS)
    assert (found == expected).all()
    assert (found[0] == LABELS).mean() > 0.5


def test_a_label_without_another_stimulus_and_a_flat_pattern_are_not_predicted():
    units = patterns()
    labels = LABELS.astype("U4")
    labels[FOLDS[0]] = "rare"
    tested = units.copy()
    tested[5] = 2
    (found,) = nearest_mean_predictions(units, tested[None], labels, FOLDS)
    assert "rare" not in found[FOLDS[0]]
    assert found[5] == ""


def test_machines_tested_on_what_they_were_fitted_to_are_those_of_the_gram_matrix():
    units = standardised(patterns())
    costs = np.array([0.1, 1, 10, 100])
    other = standardised(patterns(seed=1))
    found = svm_predictions_across(units, np.stack([units, other, 0 * units]), LABELS, FOLDS, costs)
    assert (found[0] == svm_predictions(units @ units.T, LABELS, FOLDS, costs)).all()
    assert (found[1] != found[0]).any()
    assert len(set(found[2])) < 3


def test_machines_without_a_choice_or_a_pattern_predict_nothing():
    units, costs = standardised(patterns()), np.ones(4)
    for fitted, chosen in ((units, costs * np.nan), (0 * units, costs)):
        assert (svm_predictions_across(fitted, units[None], LABELS, FOLDS, chosen) == "").all()


def test_accuracies_of_shuffles_are_those_of_fits_to_shuffled_labels():
    rng, units = np.random.default_rng(1), patterns()
    orders = np.tile(np.arange(24), (5, 1))
    for fold in FOLDS:
        orders[1:, fold] = rng.permuted(orders[1:, fold], axis=1)
    codes = np.unique(LABELS, return_inverse=True)[1]
    found = accuracies_of_shuffles(units, codes, FOLDS, orders)
    for shuffle, order in enumerate(orders):
        (predicted,) = nearest_mean_predictions(units, units[None], LABELS[order], FOLDS)
        expected = [balanced_accuracy(LABELS[order], predicted, [fold]) for fold in FOLDS]
        np.testing.assert_allclose(found[:, shuffle], expected)
    units[FOLDS[2][0]] = 1
    unknown = np.isnan(accuracies_of_shuffles(units, codes, FOLDS, orders))
    assert unknown.all(axis=1).tolist() == unknown.any(axis=1).tolist() == [False, False, True, False]
