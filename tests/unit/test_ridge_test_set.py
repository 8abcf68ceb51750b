"""The engine for one training and one test set against scikit-learn's Ridge, refitted for every fold and penalty."""

import logging
import tracemalloc

import dask
import numpy as np
import pytest
from dask.delayed import delayed
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, KFold, PredefinedSplit

from ventral.mappings import held_out, ridge_test_set
from ventral.running.parallel import computing


def refit(features, responses, training, test, inner, penalties):
    """Return squared errors (m, targets) over inner sets, and predictions (m, n_test, targets), of every single fit."""
    squares = np.zeros((len(penalties), responses.shape[1]))
    predictions = np.empty((len(penalties), len(test), responses.shape[1]))
    for m, penalty in enumerate(penalties):

        def predicted(rows, others, penalty=penalty):
            model = Ridge(alpha=penalty).fit(features[rows], responses[rows])
            return model.predict(features[others]).reshape(len(others), -1)

        predictions[m] = predicted(training, test)
        for fold in inner:
            squares[m] += np.square(responses[fold] - predicted(np.setdiff1d(training, fold), fold)).sum(axis=0)
    return squares, predictions


def assert_equals_refitting(result, features, responses, training, test, inner, penalties):
    squares, predictions = refit(features, responses, training, test, inner, penalties)
    assert result.predictions.shape == (len(test), responses.shape[1])
    for target, m in enumerate(result.candidate):
        errors = squares[:, target]
        # Where penalties are tied to rounding, either is right.
        assert errors[m] <= errors.min() * (1 + 1e-9)
        if (errors <= errors.min() * (1 + 1e-9)).sum() == 1:
            assert m == errors.argmin()
        assert result.penalty[target] == penalties[m]
        scale = np.abs(responses[:, target]).max() + 1e-300
        np.testing.assert_allclose(result.predictions[:, target], predictions[m, :, target], atol=1e-8 * scale)


def by_features(features, responses, training, test, inner, penalties):
    arguments = responses, training, test, inner
    return ridge_test_set.test_set_feature_graph(features, list(penalties), *arguments).compute()


@st.composite
def problems(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    # Inner sets, test set, the training set beside a validation set, and rows that are in none.
    sizes = draw(st.lists(st.integers(1, 9), min_size=1, max_size=5))
    n_test, n_training, n_unused = draw(st.integers(1, 5)), draw(st.integers(1, 20)), draw(st.integers(0, 3))
    n, p, targets = sum(sizes) + n_test + n_training + n_unused, draw(st.integers(1, 60)), draw(st.integers(1, 4))
    features = rng.normal(size=(n, p)) + draw(st.sampled_from([0.0, 1.0, 5.0]))
    features[:, : draw(st.integers(0, p - 1))] = 1.0  # features that do not vary
    features *= 10.0 ** draw(st.integers(-6, 6))
    weights = rng.normal(size=(p, targets)) / np.linalg.norm(features - features.mean(axis=0))
    responses = features @ weights * np.sqrt(n) + rng.normal(size=(n, targets)) * draw(st.sampled_from([0.1, 1.0]))
    responses += rng.normal() * 10
    *inner, test, beside, _ = np.split(rng.permutation(n), np.cumsum([*sizes, n_test, n_training]))
    training = beside if len(inner) == 1 else rng.permutation(np.concatenate(inner))
    centred = features - features.mean(axis=0)
    penalties = np.geomspace(1e-3, 1e4, draw(st.integers(1, 8))) * np.square(centred).sum() / n
    return features, responses, training, test, inner, penalties


@settings(max_examples=60)
@given(problem=problems())
def test_equals_refitting_with_scikit_learn(precision, problem):
    features, *rest = problem
    assert_equals_refitting(ridge_test_set.test_set_ridge(features @ features.T, *rest), *problem)


@settings(max_examples=60)
@given(problem=problems())
def test_equals_refitting_from_the_features(problem):
    assert_equals_refitting(by_features(*problem), *problem)


def a_problem(n=150, p=200, targets=12, n_test=20, inner=5, seed=0):
    """Features whose spectrum falls, and targets whose best penalties differ, the stimuli in no order."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n + n_test, p)) * np.arange(1, p + 1) ** -0.5 + rng.normal(size=p)
    signal = features @ rng.normal(size=(p, targets))
    noise = rng.normal(size=signal.shape) * np.geomspace(0.02, 20, targets)
    responses = (signal - signal.mean(axis=0)) / signal.std(axis=0) + noise
    training, test = np.split(rng.permutation(n + n_test), [n])
    if inner == 1:
        validation, training = np.split(training, [n // 4])
        sets = [validation]
    else:
        sets = np.array_split(training, inner)
    centred = features - features.mean(axis=0)
    penalties = np.geomspace(1e-8, 1e4, 16) * np.square(centred).sum() / n
    return features, responses, training, test, sets, penalties


@pytest.mark.parametrize("inner", [1, 2, 5])
def test_equals_the_grid_search_of_scikit_learn(inner):
    features, responses, training, test, sets, penalties = a_problem(inner=inner)
    result = ridge_test_set.test_set_ridge(features @ features.T, responses, training, test, sets, penalties)
    if inner == 1:
        rows = np.concatenate([training, sets[0]])
        splitter = PredefinedSplit(np.repeat([-1, 0], [len(training), len(sets[0])]))
    else:
        # Folds of equal size: the mean over folds of mean squared errors orders penalties as the sum of squares does.
        rows, splitter = training, KFold(inner)
    for target in range(responses.shape[1]):
        search = GridSearchCV(
            Ridge(), {"alpha": penalties}, cv=splitter, scoring="neg_mean_squared_error", refit=False
        ).fit(features[rows], responses[rows, target])
        assert search.best_params_["alpha"] == result.penalty[target]
        model = Ridge(alpha=result.penalty[target]).fit(features[training], responses[training, target])
        np.testing.assert_allclose(result.predictions[:, target], model.predict(features[test]), atol=1e-7)


def test_float32_chooses_what_float64_does_and_predicts_as_precisely(monkeypatch):
    # More rows than are copied at a time.
    features, *rest = a_problem(n=600, p=500, targets=40)
    used, results = [], []
    inverse = ridge_test_set.float32_inverse
    monkeypatch.setattr(ridge_test_set, "float32_inverse", lambda *a: used.append(inverse(*a)) or used[-1])
    for smallest in (0, 10**9):
        monkeypatch.setattr(held_out, "FLOAT32_FROM", smallest)
        results.append(ridge_test_set.test_set_ridge(features @ features.T, *rest))
        if not smallest:
            # The smallest penalties are beyond float32.
            assert {values is None for values in used} == {True, False}
    assert len(np.unique(results[0].candidate)) > 5
    assert np.array_equal(results[0].candidate, results[1].candidate)
    np.testing.assert_allclose(results[0].predictions, results[1].predictions, atol=1e-12)
    assert_equals_refitting(results[0], features, *rest)


def test_close_candidates_are_refined_or_computed_in_float64(monkeypatch):
    features, responses, *sets, penalties = a_problem(n=300, p=250, targets=3)
    monkeypatch.setattr(held_out, "FLOAT32_FROM", 0)
    monkeypatch.setattr(held_out, "MARGIN", 1e9)
    exact = ridge_test_set.test_set_ridge
    calls = []
    for name in ("_refined_fold_errors", "_float64_fold_errors"):
        original = getattr(ridge_test_set, name)
        monkeypatch.setattr(
            ridge_test_set, name, lambda *a, name=name, original=original: calls.append(name) or original(*a)
        )
    assert_equals_refitting(
        exact(features @ features.T, responses, *sets, penalties), features, responses, *sets, penalties
    )
    assert "_refined_fold_errors" in calls
    many = np.repeat(responses, 5, axis=1)
    calls.clear()
    assert_equals_refitting(exact(features @ features.T, many, *sets, penalties), features, many, *sets, penalties)
    assert "_refined_fold_errors" not in calls


def test_candidates_may_be_of_different_matrices():
    rng = np.random.default_rng(6)
    first, second = rng.normal(size=(2, 50, 20))
    responses = np.column_stack([first[:, 0], second[:, 0]]) + 0.1 * rng.normal(size=(50, 2))
    training, test = np.split(rng.permutation(50), [40])
    sets = training, test, np.array_split(training, 4)
    candidates = [(first @ first.T, 1.0), (second @ second.T, 1.0)]
    result = ridge_test_set.test_set_ridge_graph(candidates, responses, *sets).compute()
    assert (result.candidate == [0, 1]).all()
    alone = ridge_test_set.test_set_ridge(first @ first.T, responses[:, :1], *sets, [1.0])
    np.testing.assert_allclose(result.predictions[:, :1], alone.predictions, atol=1e-10)


@pytest.mark.parametrize("inner", [1, 5])
def test_responses_of_test_and_other_stimuli_change_nothing(inner):
    features, responses, training, test, sets, penalties = a_problem(inner=inner)
    before = ridge_test_set.test_set_ridge(features @ features.T, responses, training, test, sets, penalties)
    responses[test] = 1e3
    after = ridge_test_set.test_set_ridge(features @ features.T, responses, training, test, sets, penalties)
    assert np.array_equal(before.predictions, after.predictions)
    shown = ridge_test_set.test_set_ridge(features @ features.T, responses, training, test[:3], sets, penalties)
    np.testing.assert_allclose(shown.predictions, before.predictions[:3], atol=1e-12)


def test_validation_stimuli_choose_the_penalty_only():
    features, responses, training, test, (validation,), _ = a_problem(inner=1)
    before = ridge_test_set.test_set_ridge(features @ features.T, responses, training, test, [validation], [1.0])
    responses[validation] = 1e3
    after = ridge_test_set.test_set_ridge(features @ features.T, responses, training, test, [validation], [1.0])
    assert np.array_equal(before.predictions, after.predictions)


@pytest.mark.parametrize("inner", [1, 5])
def test_results_do_not_depend_on_workers_nor_on_blocks_of_targets(precision, monkeypatch, inner):
    features, *rest = a_problem(targets=40, inner=inner)
    arguments = features @ features.T, *rest
    results = []
    for cores in (1, 2, 4):
        with computing(cores):
            results.append(ridge_test_set.test_set_ridge(*arguments))
    for result in results[1:]:
        assert np.array_equal(result.predictions, results[0].predictions)
        assert np.array_equal(result.penalty, results[0].penalty)
    monkeypatch.setattr(ridge_test_set, "TARGETS_AT_ONCE", 16)
    monkeypatch.setattr(ridge_test_set, "REFINED_AT_ONCE", 16)
    in_blocks = ridge_test_set.test_set_ridge(*arguments)
    assert np.array_equal(in_blocks.penalty, results[0].penalty)
    np.testing.assert_allclose(in_blocks.predictions, results[0].predictions, atol=1e-12)


def test_constant_targets_and_identical_stimuli_are_predicted_by_the_mean(precision):
    sets = np.arange(6), np.array([6, 7]), [np.arange(3), np.arange(3, 6)]
    varying = np.random.default_rng(0).normal(size=(8, 4))
    result = ridge_test_set.test_set_ridge(varying @ varying.T, np.full(8, 7.0), *sets, [1.0, 2.0])
    np.testing.assert_allclose(result.predictions, 7.0, rtol=1e-12)
    result = ridge_test_set.test_set_ridge(np.ones((8, 8)), [1, 2, 3, 4, 5, 6, 100, 100], *sets, [1.0])
    np.testing.assert_allclose(result.predictions, 3.5)


def test_the_cheaper_form_is_taken_and_the_other_not_computed():
    def refused():
        raise AssertionError("this form is not the cheaper one")

    for n, p in ((300, 20), (100, 400)):
        features, responses, *sets, penalties = a_problem(n=n, p=p)
        penalties, few = penalties[3:], p < n
        gram = delayed(refused)() if few else features @ features.T
        given_features = features if few else delayed(refused)()
        graph = ridge_test_set.cheaper_test_set_graph(gram, given_features, p, list(penalties), responses, *sets)
        result = graph.compute()
        expected = ridge_test_set.test_set_ridge(features @ features.T, responses, *sets, penalties)
        assert np.array_equal(result.candidate, expected.candidate)
        # With fewer features than stimuli, rounding of the Gram matrix is divided by the penalty.
        np.testing.assert_allclose(result.predictions, expected.predictions, atol=1e-6)
    without = ridge_test_set.cheaper_test_set_graph(
        features @ features.T, None, 20, list(penalties), responses, *sets
    ).compute()
    assert np.array_equal(without.candidate, expected.candidate)


def test_as_many_stimuli_as_things_by_few_features():
    """With 22,248 training stimuli, of the form by features: the truth is known, and scikit-learn's predictions."""
    rng = np.random.default_rng(0)
    n, n_test, p, targets = 22_248, 100, 400, 256
    features = rng.normal(size=(n + n_test, p)).astype(np.float32) + 2
    weights = rng.normal(size=(p, targets)) / np.sqrt(p)
    signal = features @ weights
    noise = np.geomspace(0.1, 100, targets)
    responses = signal + noise * rng.normal(size=signal.shape)
    training, test = np.split(rng.permutation(n + n_test), [n])
    inner = np.array_split(training, 5)
    penalties = np.geomspace(1e-2, 1e8, 11)
    gram = delayed(None)
    with computing(2):
        result = ridge_test_set.cheaper_test_set_graph(
            gram, features, p, list(penalties), responses, training, test, inner
        ).compute()
    # Of least squares, the mean squared error of a prediction is noise^2 (p + 1) / n, about; ridge is no worse.
    errors = np.sqrt(np.square(result.predictions - signal[test]).mean(axis=0))
    assert (errors < 1.5 * noise * np.sqrt((p + 1) / n)).all()
    some = [0, 100, 255]
    assert (np.diff(result.penalty[some]) > 0).all()
    model = Ridge(alpha=result.penalty[some]).fit(features[training].astype(float), responses[np.ix_(training, some)])
    np.testing.assert_allclose(result.predictions[:, some], model.predict(features[test].astype(float)), atol=1e-6)


@pytest.mark.parametrize("inner", [1, 2, 5])
@pytest.mark.parametrize("form", ["gram", "features"])
def test_memory_stays_below_what_is_stated(form, inner):
    features, responses, *sets, penalties = a_problem(n=1600, p=300, inner=inner, n_test=200)
    training, _, folds = sets
    penalties = penalties[::3]
    gram = features @ features.T
    p = features.shape[1] if form == "features" else None
    stated = ridge_test_set.bytes_needed(len(training), len(responses), p, responses.shape[1], max(map(len, folds)))
    if form == "gram":
        graph = ridge_test_set.test_set_ridge_graph([(gram, a) for a in penalties], responses, *sets)
    else:
        graph = ridge_test_set.test_set_feature_graph(features, list(penalties), responses, *sets)
    with dask.config.set(scheduler="synchronous"):
        tracemalloc.start()
        graph.compute()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    taken = (gram if form == "gram" else features).nbytes + responses.nbytes + peak
    assert taken < stated.shared + stated.per_task
    # Beside the given matrix, one of the training stimuli in float64, and of a fold at most two.
    if form == "gram":
        assert peak < 8 * (1.35 * len(training) ** 2 + 2 * max(map(len, folds)) ** 2)


def test_memory_of_large_problems_is_stated_in_the_log(caplog):
    sets = np.arange(12_000), np.arange(12_000, 12_100), np.array_split(np.arange(12_000), 5)
    with caplog.at_level(logging.INFO):
        ridge_test_set.cheaper_test_set_graph(None, None, 10**5, [1.0], np.zeros((12_100, 2)), *sets)
    assert "ridge on 12000 training stimuli and 100 test stimuli, by the Gram matrix: needs 1.1 GiB" in caplog.text
    caplog.clear()
    sets = np.arange(15), np.arange(15, 20), np.array_split(np.arange(15), 3)
    with caplog.at_level(logging.INFO):
        ridge_test_set.cheaper_test_set_graph(np.eye(20), np.eye(20), 20, [1.0], np.ones((20, 1)), *sets)
    assert not caplog.text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gram": np.eye(5)}, r"gram has shape \(5, 5\); with 8 stimuli"),
        ({"responses": [1, 2, np.nan, 4, 5, 6, 7, 8]}, "responses of target 0 are not all finite"),
        ({"penalties": [0.0]}, "penalties must be positive"),
        ({"training": []}, "training is empty"),
        ({"test": [8]}, "test must hold rows from 0 to 7 without repeats"),
        ({"test": [-1]}, "test must hold rows from 0 to 7 without repeats"),
        ({"test": [6, 6]}, "test must hold rows from 0 to 7 without repeats"),
        ({"test": [6.5]}, "test must hold integer rows, got float64"),
        ({"test": [5, 6]}, "row 5 is in training and in test"),
        ({"inner": []}, "inner is empty; it must hold two or more folds"),
        ({"inner": [[0, 1], [2, 3]]}, "inner folds must hold each of the 6 training rows exactly once"),
        ({"inner": [[0, 1, 2], [2, 3, 4, 5]]}, "inner folds must hold each of the 6 training rows exactly once"),
        ({"inner": [[5, 7]]}, "validation row 5 is in training"),
        ({"inner": [[6, 7]]}, "validation row 6 is in test"),
    ],
)
def test_bad_input_is_refused(change, message):
    arguments = {
        "gram": np.eye(8),
        "responses": np.arange(8.0),
        "training": np.arange(6),
        "test": [6],
        "inner": [[0, 1, 2], [3, 4, 5]],
        "penalties": [1.0],
    }
    with pytest.raises(ValueError, match=message):
        ridge_test_set.test_set_ridge(**(arguments | change))
