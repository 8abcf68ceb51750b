"""Measures of behaviour against brute force on synthetic choices."""

import numpy as np
import pytest
from scipy.stats import norm, pearsonr

from ventral.mappings import behaviour
from ventral.mappings.behaviour import Choices

N_LABELS, N_SUBJECTS = 4, 5
TRUTH = np.repeat(np.arange(N_LABELS), 6)
N = len(TRUTH)


def made(seed: int, distractors: bool, n_trials: int = 3000) -> Choices:
    """Choices that are mostly right, with some of none."""
    rng = np.random.default_rng(seed)
    stimulus, subject = rng.integers(N, size=n_trials), rng.integers(N_SUBJECTS, size=n_trials)
    truth = TRUTH[stimulus]
    wrong = (truth + rng.integers(1, N_LABELS, size=n_trials)) % N_LABELS
    right = rng.random(n_trials) < 0.4 + 0.5 * (np.arange(N) / N)[stimulus]
    choice = np.where(right, truth, wrong)
    choice[rng.random(n_trials) < 0.02] = behaviour.NONE
    return Choices(TRUTH, N_LABELS, N_SUBJECTS, stimulus, subject, choice, wrong if distractors else None)


def truth_is(label: int) -> np.ndarray:
    return np.equal(TRUTH, label)


def confusion_by_hand(choices: Choices, stimulus: int, wrong: int) -> float:
    chosen = {"wrong": 0, "right": 0}
    for trial in range(len(choices.choice)):
        offered = choices.distractor is None or choices.distractor[trial] == wrong
        if choices.stimulus[trial] == stimulus and offered:
            chosen["wrong"] += choices.choice[trial] == wrong
            chosen["right"] += choices.choice[trial] == TRUTH[stimulus]
    return chosen["wrong"] / (chosen["wrong"] + chosen["right"])


def sensitivity_by_hand(confused: np.ndarray, stimulus: int, wrong: int) -> float:
    """d' as Brain-Score's I2 defines it, clipped."""
    false_alarms = [confused[other, TRUTH[stimulus]] for other in range(N) if TRUTH[other] == wrong]
    found = norm.ppf(1 - confused[stimulus, wrong]) - norm.ppf(np.nanmean(false_alarms))
    return max(-5.0, min(5.0, found))


@pytest.mark.parametrize("distractors", [False, True])
def test_confusions_are_shares_of_choices(distractors):
    choices = made(0, distractors)
    confused = behaviour.confusions(choices)
    for stimulus in range(N):
        for wrong in range(N_LABELS):
            if wrong == TRUTH[stimulus]:
                assert np.isnan(confused[stimulus, wrong])
            else:
                assert confused[stimulus, wrong] == pytest.approx(confusion_by_hand(choices, stimulus, wrong))


def test_a_subject_of_weight_2_is_two_subjects():
    choices = made(1, distractors=False)
    weights = np.array([1, 2, 0, 1, 1])
    repeated = np.repeat(np.arange(len(choices.choice)), weights[choices.subject])
    twice = Choices(
        TRUTH,
        N_LABELS,
        N_SUBJECTS,
        choices.stimulus[repeated],
        choices.subject[repeated],
        choices.choice[repeated],
    )
    np.testing.assert_allclose(behaviour.confusions(choices, weights.astype(float)), behaviour.confusions(twice))


def test_confusions_of_probabilities_are_those_of_two_labels():
    probabilities = np.random.default_rng(2).dirichlet(np.ones(N_LABELS), size=N)
    confused = behaviour.confusions_of(probabilities, made(0, distractors=False))
    for stimulus, wrong in [(0, 1), (7, 3), (N - 1, 0)]:
        right = probabilities[stimulus, TRUTH[stimulus]]
        expected = probabilities[stimulus, wrong] / (probabilities[stimulus, wrong] + right)
        assert confused[stimulus, wrong] == pytest.approx(expected)


@pytest.mark.parametrize("distractors", [False, True])
def test_signatures_against_brute_force(distractors):
    ones = np.ones(N)
    confused = [behaviour.confusions(made(seed, distractors)) for seed in (3, 4)]
    found = [behaviour.patterns(each, ones, TRUTH, ones) for each in confused]
    by_hand = [
        np.array(
            [
                [np.nan if wrong == TRUTH[i] else sensitivity_by_hand(each, i, wrong) for wrong in range(N_LABELS)]
                for i in range(N)
            ]
        )
        for each in confused
    ]
    normalised = [each.copy() for each in by_hand]
    for each in normalised:
        for label in range(N_LABELS):
            for wrong in range(N_LABELS):
                each[truth_is(label), wrong] -= each[truth_is(label), wrong].mean()
    labels = [np.full((N_LABELS, N_LABELS), np.nan) for _ in confused]
    for each, of_labels in zip(confused, labels, strict=True):
        for one in range(N_LABELS):
            for other in set(range(N_LABELS)) - {one}:
                hits, alarms = 1 - each[truth_is(one), other].mean(), each[truth_is(other), one].mean()
                of_labels[one, other] = norm.ppf(hits) - norm.ppf(alarms)
    expected = {
        "i1": [np.nanmean(each, axis=1) for each in by_hand],
        "i2n": [each.ravel() for each in normalised],
        "o2": [each.ravel() for each in labels],
    }
    r = behaviour.correlations(*found)
    for name, (one, other) in expected.items():
        kept = np.isfinite(one)
        np.testing.assert_allclose(found[0][name][0][kept], one[kept], err_msg=name, atol=1e-9)
        assert r[name] == pytest.approx(pearsonr(one[kept], other[kept])[0]), name


def test_patterns_of_resampled_stimuli_are_those_of_the_repeated_stimuli():
    rng = np.random.default_rng(5)
    rows = np.sort(np.concatenate([rng.choice(np.flatnonzero(truth_is(label)), 6) for label in range(N_LABELS)]))
    weights = np.bincount(rows, minlength=N).astype(float)
    confused = [behaviour.confusions(made(seed, distractors=False)) for seed in (6, 7)]
    accuracy = rng.random((2, N))
    weighted = behaviour.correlations(
        *(behaviour.patterns(c, a, TRUTH, weights) for c, a in zip(confused, accuracy, strict=True))
    )
    repeated = behaviour.correlations(
        *(
            behaviour.patterns(c[rows], a[rows], TRUTH[rows], np.ones(len(rows)))
            for c, a in zip(confused, accuracy, strict=True)
        )
    )
    assert weighted == pytest.approx(repeated)


def test_sensitivities_are_clipped_and_never_undefined():
    truth = np.array([0, 0, 1, 1])
    # The first stimulus is always taken for label 1, and no stimulus of label 1 is ever taken for label 0.
    confused = np.array([[np.nan, 1.0], [np.nan, 0.0], [0.0, np.nan], [0.0, np.nan]])
    found = behaviour.sensitivities(confused, truth, np.ones(4))
    assert found[0, 1] == 0
    assert found[1, 1] == behaviour.LARGEST_SENSITIVITY
    assert found[2, 0] == behaviour.LARGEST_SENSITIVITY
    confused[2:, 0] = 1.0
    assert behaviour.sensitivities(confused, truth, np.ones(4))[0, 1] == -behaviour.LARGEST_SENSITIVITY
    near = np.array([[np.nan, 0.4], [np.nan, 0.4], [0.3, np.nan], [0.3, np.nan]])
    expected = norm.ppf(0.6) - norm.ppf(0.3)
    assert behaviour.sensitivities(near, truth, np.ones(4))[0, 1] == pytest.approx(expected)


def kappa_by_hand(one: np.ndarray, other: np.ndarray) -> float:
    """As in the code of Geirhos et al. 2020."""
    p, q = one.mean(), other.mean()
    expected = p * q + (1 - p) * (1 - q)
    return ((one == other).mean() - expected) / (1 - expected)


def test_error_consistency_against_brute_force():
    rng = np.random.default_rng(8)
    one, other = (rng.random((3, 50)) < 0.7).astype(float), (rng.random((2, 50)) < 0.6).astype(float)
    found = behaviour.error_consistency(one, other, np.ones(50))
    expected = [[kappa_by_hand(a, b) for b in other] for a in one]
    np.testing.assert_allclose(found, expected)
    assert (found < 0).any(), "a test of the sign needs a negative kappa"


def test_error_consistency_of_subjects_with_other_stimuli_and_weights():
    rng = np.random.default_rng(9)
    one, other = (rng.random(50) < 0.7).astype(float), (rng.random(50) < 0.6).astype(float)
    one[:10], other[40:] = np.nan, np.nan
    weights = rng.integers(0, 3, 50)
    rows = np.repeat(np.arange(50), weights)
    rows = rows[(rows >= 10) & (rows < 40)]
    found = behaviour.error_consistency(one[None], other[None], weights.astype(float))
    assert found[0, 0] == pytest.approx(kappa_by_hand(one[rows], other[rows]))


def test_error_consistency_is_1_for_the_same_errors_and_unknown_without_errors():
    errors = np.array([[1.0, 0.0, 1.0, 1.0]])
    assert behaviour.error_consistency(errors, errors, np.ones(4))[0, 0] == pytest.approx(1)
    assert np.isnan(behaviour.error_consistency(np.ones((1, 4)), np.ones((1, 4)), np.ones(4))[0, 0])


def test_pairs_of_subjects_are_counted_by_their_weights():
    values = np.array([[9.0, 0.2, 0.4], [0.2, 9.0, np.nan], [0.4, np.nan, 9.0]])
    assert behaviour.mean_over_pairs(values, np.ones(3)) == pytest.approx(0.3)
    assert behaviour.mean_over_pairs(values, np.array([1.0, 3.0, 1.0])) == pytest.approx((3 * 0.2 + 0.4) / 4)


def test_no_choice_is_wrong():
    choices = Choices(
        TRUTH[:2], N_LABELS, 2, np.array([0, 1, 0]), np.array([0, 0, 1]), np.array([0, behaviour.NONE, 0])
    )
    found = behaviour.accuracy_of_subjects(choices)
    np.testing.assert_array_equal(found, [[1, 0], [1, np.nan]])
