"""The engine against scikit-learn's Ridge, refitted for every outer fold, inner fold and penalty."""

import dask
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

from ventral import nested_ridge, nested_ridge_features
from ventral.mappings import held_out, lapack, ridge, ridge_features
from ventral.mappings.ridge_features import nested_ridge_feature_graphs
from ventral.running import parallel
from ventral.running.parallel import computing


def refit(features, responses, folds, penalties):
    """Return inner squared errors (folds, m, targets) and outer predictions (m, n, targets) of every single fit."""
    inner = np.zeros((len(folds), len(penalties), responses.shape[1]))
    outer = np.empty((len(penalties), *responses.shape))
    for i, outer_fold in enumerate(folds):
        training = np.setdiff1d(np.arange(len(responses)), outer_fold)
        for m, penalty in enumerate(penalties):
            model = Ridge(alpha=penalty).fit(features[training], responses[training])
            outer[m, outer_fold] = model.predict(features[outer_fold]).reshape(len(outer_fold), -1)
            for j, inner_fold in enumerate(folds):
                if j != i:
                    rows = np.setdiff1d(training, inner_fold)
                    model = Ridge(alpha=penalty).fit(features[rows], responses[rows])
                    predicted = model.predict(features[inner_fold]).reshape(len(inner_fold), -1)
                    inner[i, m] += np.square(responses[inner_fold] - predicted).sum(axis=0)
    return inner, outer


def assert_equals_refitting(result, features, responses, folds, penalties):
    inner, outer = refit(features, responses, folds, penalties)
    for i, fold in enumerate(folds):
        chosen = np.searchsorted(penalties, result.penalty[i])
        assert np.array_equal(penalties[chosen], result.penalty[i])
        for target, m in enumerate(chosen):
            errors = inner[i, :, target]
            # Where penalties are tied to rounding, either is right.
            assert errors[m] <= errors.min() * (1 + 1e-9)
            if (errors <= errors.min() * (1 + 1e-9)).sum() == 1:
                assert m == errors.argmin()
            scale = np.abs(responses[:, target]).max() + 1e-300
            np.testing.assert_allclose(result.predictions[fold, target], outer[m, fold, target], atol=1e-8 * scale)


@st.composite
def problems(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    sizes = draw(st.lists(st.integers(1, 9), min_size=3, max_size=6))
    n, p, targets = sum(sizes), draw(st.integers(1, 80)), draw(st.integers(1, 4))
    features = rng.normal(size=(n, p)) + draw(st.sampled_from([0.0, 1.0, 5.0]))
    features[:, : draw(st.integers(0, p - 1))] = 1.0  # features that do not vary
    features *= 10.0 ** draw(st.integers(-6, 6))
    weights = rng.normal(size=(p, targets)) / np.linalg.norm(features - features.mean(axis=0))
    responses = features @ weights * np.sqrt(n) + rng.normal(size=(n, targets)) * draw(st.sampled_from([0.1, 1.0]))
    responses += rng.normal() * 10
    rows = rng.permutation(n)
    folds = np.split(rows, np.cumsum(sizes)[:-1])
    centred = features - features.mean(axis=0)
    penalties = np.geomspace(1e-3, 1e4, draw(st.integers(1, 8))) * np.square(centred).sum() / n
    return features, responses, folds, penalties


@settings(max_examples=40)
@given(problem=problems())
def test_equals_refitting_with_scikit_learn(precision, problem):
    features, *rest = problem
    assert_equals_refitting(nested_ridge(features @ features.T, *rest), *problem)


@settings(max_examples=40)
@given(problem=problems())
def test_equals_refitting_from_the_features(problem):
    features, responses, folds, penalties = problem
    (result,) = dask.compute(*nested_ridge_feature_graphs(features, list(penalties), responses, [folds]))
    assert_equals_refitting(result, *problem)


def test_equals_refitting_at_a_realistic_size(precision):
    rng = np.random.default_rng(0)
    features = np.maximum(rng.normal(size=(120, 1000)), 0)
    responses = features[:, :40] @ rng.normal(size=(40, 6)) + 3 * rng.normal(size=(120, 6))
    folds = np.array_split(rng.permutation(120), 5)
    problem = features, responses, folds, np.geomspace(1, 1e6, 20)
    assert_equals_refitting(nested_ridge(features @ features.T, *problem[1:]), *problem)


def test_float32_chooses_what_float64_does_and_predicts_as_precisely(monkeypatch):
    rng = np.random.default_rng(4)
    n, p = 200, 150
    features = rng.normal(size=(n, p)) * np.arange(1, p + 1) ** -0.5
    signal = features @ rng.normal(size=(p, 40))
    responses = signal / signal.std(axis=0) + rng.normal(size=(n, 40)) * np.geomspace(0.05, 20, 40)
    gram = features @ features.T
    folds = np.array_split(rng.permutation(n), 5)
    penalties = np.geomspace(1e-8, 1e4, 20) * np.trace(gram) / n
    used = []
    inverse = ridge.precise_inverse
    monkeypatch.setattr(ridge, "precise_inverse", lambda *arguments: used.append(inverse(*arguments)) or used[-1])
    results = []
    for smallest in (0, 10**9):
        monkeypatch.setattr(held_out, "FLOAT32_FROM", smallest)
        results.append(nested_ridge(gram, responses, folds, penalties))
    # The smallest penalties are beyond float32.
    assert {values.dtype for values in used[:20]} == {np.dtype("f4"), np.dtype("f8")}
    assert {values.dtype for values in used[20:]} == {np.dtype("f8")}
    assert len(np.unique(results[0].candidate)) > 5
    assert np.array_equal(results[0].candidate, results[1].candidate)
    np.testing.assert_allclose(results[0].predictions, results[1].predictions, atol=1e-7)


@pytest.mark.parametrize("kept", [0, 2**29])
def test_splits_that_share_inverses_equal_each_alone(precision, kept, monkeypatch):
    monkeypatch.setattr(ridge, "KEPT_BYTES", kept)
    rng = np.random.default_rng(5)
    features, responses = rng.normal(size=(60, 90)), rng.normal(size=(60, 7))
    gram, penalties = features @ features.T, np.geomspace(1, 1e3, 6)
    splits = [np.array_split(rng.permutation(60), k) for k in (3, 5, 12)]
    together = dask.compute(*ridge.nested_ridge_graphs([(gram, a) for a in penalties], responses, splits))
    for result, folds in zip(together, splits, strict=True):
        alone = nested_ridge(gram, responses, folds, penalties)
        assert np.array_equal(result.candidate, alone.candidate)
        np.testing.assert_allclose(result.predictions, alone.predictions, atol=1e-7)


def test_candidates_may_be_of_different_matrices():
    rng = np.random.default_rng(6)
    first, second = rng.normal(size=(2, 50, 20))
    responses = np.column_stack([first[:, 0], second[:, 0]]) + 0.1 * rng.normal(size=(50, 2))
    folds = np.array_split(rng.permutation(50), 5)
    candidates = [(first @ first.T, 1.0), (second @ second.T, 1.0)]
    (result,) = dask.compute(*ridge.nested_ridge_graphs(candidates, responses, [folds]))
    assert (result.candidate == [0, 1]).all()
    alone = nested_ridge(first @ first.T, responses[:, :1], folds, [1.0])
    np.testing.assert_allclose(result.predictions[:, :1], alone.predictions, atol=1e-10)


@pytest.mark.parametrize("unit", [1e-12, 1e12])
def test_units_of_features_and_responses_do_not_matter(precision, unit):
    rng = np.random.default_rng(7)
    features, responses = rng.normal(size=(60, 90)), rng.normal(size=(60, 5))
    folds = np.array_split(rng.permutation(60), 5)
    gram, penalties = features @ features.T, np.geomspace(1, 1e3, 6)
    plain = nested_ridge(gram, responses, folds, penalties)
    scaled = nested_ridge(gram * unit**2, responses / unit, folds, penalties * unit**2)
    assert np.array_equal(plain.candidate, scaled.candidate)
    np.testing.assert_allclose(scaled.predictions * unit, plain.predictions, atol=1e-7)


def test_a_target_that_does_not_vary_is_predicted_by_its_value(precision):
    features = np.random.default_rng(8).normal(size=(30, 40))
    responses = np.column_stack([np.full(30, 7.0), features[:, 0]])
    result = nested_ridge(features @ features.T, responses, np.array_split(np.arange(30), 3), [1.0, 10.0])
    np.testing.assert_allclose(result.predictions[:, 0], 7.0, rtol=1e-12)


@pytest.mark.parametrize("features", [np.arange(24.0)[:, None], np.outer(np.arange(24.0), np.ones(500))])
def test_one_direction_is_enough(precision, features):
    responses = np.column_stack([2 * np.arange(24.0) + 1, np.random.default_rng(9).normal(size=24)])
    problem = (
        features,
        responses,
        np.array_split(np.arange(24), 4),
        np.geomspace(1e-2, 1e2, 5) * np.square(features).sum(),
    )
    assert_equals_refitting(nested_ridge(features @ features.T, *problem[1:]), *problem)
    assert_equals_refitting(nested_ridge_features(*problem), *problem)


def test_the_cheaper_form_is_taken_and_both_agree(monkeypatch):
    rng = np.random.default_rng(10)
    taken = []
    for name in ("nested_ridge_graphs", "nested_ridge_feature_graphs"):
        original = getattr(ridge_features, name)
        monkeypatch.setattr(
            ridge_features, name, lambda *a, name=name, original=original: taken.append(name) or original(*a)
        )
    folds = np.array_split(rng.permutation(100), 5)
    for p in (4, 400):
        features, responses = rng.normal(size=(100, p)), rng.normal(size=(100, 3))
        by_features = nested_ridge_features(features, responses, folds, [1.0, 30.0])
        by_gram = nested_ridge(features @ features.T, responses, folds, [1.0, 30.0])
        assert np.array_equal(by_features.candidate, by_gram.candidate)
        np.testing.assert_allclose(by_features.predictions, by_gram.predictions, atol=1e-10)
    assert taken == ["nested_ridge_feature_graphs", "nested_ridge_graphs"]
    assert not ridge_features.few_enough(100, [20] * 5, 10, 20)
    assert ridge_features.few_enough(20, [20] * 5, 10, 20)


def test_every_target_gets_its_own_penalty():
    rng = np.random.default_rng(1)
    features = rng.normal(size=(100, 30))
    clean = features @ rng.normal(size=30)
    noisy = clean + 30 * rng.normal(size=100)
    folds = np.array_split(np.arange(100), 5)
    penalty = nested_ridge(features @ features.T, np.column_stack([clean, noisy]), folds, np.geomspace(1e-2, 1e4, 10))
    assert (penalty.penalty[:, 0] < penalty.penalty[:, 1]).all()


def test_responses_of_one_fold_change_no_prediction_of_it():
    rng = np.random.default_rng(2)
    features, responses = rng.normal(size=(40, 60)), rng.normal(size=(40, 3))
    folds = np.array_split(rng.permutation(40), 4)
    penalties = np.geomspace(1, 1e3, 5)
    before = nested_ridge(features @ features.T, responses, folds, penalties)
    responses[folds[1]] = 1e3 * rng.normal(size=(10, 3))
    after = nested_ridge(features @ features.T, responses, folds, penalties)
    np.testing.assert_allclose(before.predictions[folds[1]], after.predictions[folds[1]], atol=1e-7)
    assert np.array_equal(before.penalty[1], after.penalty[1])


def test_a_gram_matrix_in_blocks_is_the_product(monkeypatch):
    features = np.random.default_rng(0).normal(size=(50, 30))
    for rows in (16, 50):
        monkeypatch.setattr(ridge_features, "GRAM_ROWS_AT_ONCE", rows)
        (gram,) = dask.compute(ridge_features.gram_graph(features))
        np.testing.assert_allclose(gram, features @ features.T, rtol=1e-13, atol=1e-13)
        assert np.array_equal(gram, gram.T)


def test_results_do_not_depend_on_workers(precision, monkeypatch):
    rng = np.random.default_rng(3)
    features, responses = rng.normal(size=(150, 400)), rng.normal(size=(150, 70))
    folds = np.array_split(rng.permutation(150), 5)
    arguments = features @ features.T, responses, folds, np.geomspace(1, 1e4, 12)
    results = [nested_ridge(*arguments)]
    # More than this machine may have.
    monkeypatch.setattr(parallel, "allocated_cores", lambda wanted=None: wanted)
    for cores in (1, 2, 7):
        with computing(cores):
            results.append(nested_ridge(*arguments))
    with dask.config.set(scheduler="synchronous"), computing(1):
        results.append(nested_ridge(*arguments))
    for result in results[1:]:
        assert np.array_equal(result.predictions, results[0].predictions)
        assert np.array_equal(result.penalty, results[0].penalty)
    monkeypatch.setattr(ridge, "TARGETS_AT_ONCE", 16)
    in_blocks = nested_ridge(*arguments)
    assert np.array_equal(in_blocks.penalty, results[0].penalty)
    np.testing.assert_allclose(in_blocks.predictions, results[0].predictions, rtol=1e-12, atol=1e-12)


def test_blocks_beyond_float32_are_computed_in_float64(monkeypatch):
    rng = np.random.default_rng(5)
    features, responses = rng.normal(size=(60, 80)), rng.normal(size=(60, 4))
    folds = np.array_split(rng.permutation(60), 4)
    arguments = features @ features.T, responses, folds, np.geomspace(1, 1e3, 5)
    expected = nested_ridge(*arguments)
    factorise, failed = lapack.factorise, []

    def only_whole_matrices(matrix):
        if matrix.dtype == np.float32 and len(matrix) < 60:
            failed.append(len(matrix))
            raise np.linalg.LinAlgError("not positive definite")
        factorise(matrix)

    monkeypatch.setattr(held_out, "FLOAT32_FROM", 0)
    monkeypatch.setattr(lapack, "factorise", only_whole_matrices)
    result = nested_ridge(*arguments)
    assert failed
    assert np.array_equal(result.penalty, expected.penalty)
    np.testing.assert_allclose(result.predictions, expected.predictions, rtol=1e-9, atol=1e-9)


def test_identical_stimuli_are_predicted_by_the_mean_of_the_others():
    responses = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0])
    folds = [np.array([0, 1]), np.array([2, 3]), np.array([4, 5])]
    result = nested_ridge(np.ones((6, 6)), responses, folds, [1.0])
    np.testing.assert_allclose(result.predictions[:, 0], [15, 15, 12.75, 12.75, 3.75, 3.75])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gram": np.eye(5)}, r"gram has shape \(5, 5\); with 6 stimuli"),
        ({"gram": np.full((6, 6), np.nan)}, "gram has values that are not finite"),
        ({"responses": np.array([[1.0], [np.nan], [2], [3], [4], [5]])}, "responses of target 0 are not all finite"),
        ({"folds": [[0, 1], [2, 3, 4, 5]]}, "at least 3 folds, got 2"),
        ({"folds": [[0, 1], [2, 3], [4]]}, "each of the 6 stimuli exactly once"),
        ({"folds": [[0, 1], [1, 2, 3], [4, 5]]}, "each of the 6 stimuli exactly once"),
        ({"folds": [[0, 1, 2], [], [3, 4, 5]]}, "fold 1 is empty"),
        ({"penalties": [1.0, 0.0]}, "penalties must be positive"),
        ({"penalties": []}, "penalties must be positive"),
    ],
)
def test_bad_input_is_refused(change, message):
    arguments = {
        "gram": np.eye(6),
        "responses": np.arange(6.0)[:, None],
        "folds": [[0, 1], [2, 3], [4, 5]],
        "penalties": [1.0],
    }
    with pytest.raises(ValueError, match=message):
        nested_ridge(**(arguments | change))


def test_many_targets_are_chosen_and_predicted_as_by_float64():
    rng = np.random.default_rng(5)
    features = rng.normal(size=(60, 40)) / np.sqrt(np.arange(1, 41))
    # Errors of noise fall slowly with the penalty, so that float32 alone cannot choose.
    responses = rng.normal(size=(60, ridge.MANY_TARGETS + 20))
    responses[:, ::4] += 3 * features @ rng.normal(size=(40, (ridge.MANY_TARGETS + 20) // 4))
    folds, penalties = np.array_split(rng.permutation(60), 4), np.geomspace(1e-3, 1e7, 24)
    gram = features @ features.T
    together = nested_ridge(gram, responses, folds, penalties)
    for columns in np.array_split(np.arange(responses.shape[1]), 3):
        alone = nested_ridge(gram, responses[:, columns], folds, penalties)
        np.testing.assert_array_equal(together.candidate[:, columns], alone.candidate)
        np.testing.assert_allclose(together.predictions[:, columns], alone.predictions, rtol=0, atol=1e-12)


def test_float32_alone_would_not_choose_among_large_penalties():
    rng = np.random.default_rng(5)
    gram, responses = np.cov(rng.normal(size=(60, 90))), rng.normal(size=(60, 300))
    folds = np.array_split(np.arange(60), 4)
    inner = [
        ridge._inner_errors(held_out.inverse_in(np.float64, gram, penalty), gram, penalty, responses, folds, np.float32)
        for penalty in (1e6, 1e7)
    ]
    assert all(0 < error < 1e-3 for _, error in inner)
    assert held_out.first_choice(inner).close.any()


def test_a_target_without_noise_is_chosen_for_among_many_noisy_targets_as_alone():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(200, 60)) / np.sqrt(np.arange(1, 61))
    responses = rng.normal(size=(200, ridge.MANY_TARGETS + 44))
    exact = features @ rng.normal(size=(60, 5))
    # Not among the targets that stand at equal steps.
    responses[:, 5:10] = exact / exact.std(axis=0) + 1e-5 * rng.normal(size=(200, 5))
    gram, folds = features @ features.T, np.array_split(rng.permutation(200), 5)
    penalties = np.trace(gram) / 200 * np.geomspace(1e-8, 1e4, 13)
    together, alone = (nested_ridge(gram, of, folds, penalties) for of in (responses, responses[:, 5:10]))
    np.testing.assert_array_equal(together.candidate[:, 5:10], alone.candidate)
