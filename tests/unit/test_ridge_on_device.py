"""Ridge regression in torch against scikit-learn's refits and against the NumPy engine, on torch's device `cpu`."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings

from tests.unit import test_ridge, test_ridge_test_set
from ventral import nested_ridge
from ventral.errors import InputError
from ventral.mappings import held_out, ridge_on_device, ridge_test_set
from ventral.mappings.ridge import NestedRidge
from ventral.mappings.ridge_on_device import (
    matrices,
    memory,
    nested,
    nested_ridge_on_device,
    refinement,
    training_and_test,
)
from ventral.mappings.ridge_on_device.memory import Blocks, Needs
from ventral.running import devices
from ventral.running.parallel import computing


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Small matrices, on cores that others use as well."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with computing(1):
        yield
    torch.set_num_threads(before)


@pytest.fixture(params=[True, False], ids=["float64", "float32"])
def fast_float64(request):
    """Either kind of device."""
    return request.param


@pytest.fixture(autouse=True)
def float32_for_few_stimuli(monkeypatch):
    """Take float32 for however few stimuli on a device without fast float64; the engine in NumPy is left as it is."""
    monkeypatch.setattr(nested, "FLOAT32_FROM", 0)
    monkeypatch.setattr(training_and_test, "FLOAT32_FROM", 0)


def tensors(*arrays):
    return [torch.from_numpy(np.ascontiguousarray(values)) for values in arrays]


def in_arrays(result):
    """The result, of tensors, as the NumPy engine gives it."""
    return type(result)(*(values.numpy() for values in vars(result).values()))


def on_device(gram, responses, folds, penalties, **options):
    gram, responses = tensors(gram, responses)
    (result,) = nested_ridge_on_device(gram, responses, [folds], np.asarray(penalties), **options)
    return in_arrays(result)


def for_test_set(gram, responses, *sets, **options):
    gram, responses = tensors(gram, responses)
    return in_arrays(ridge_on_device.test_set_ridge_on_device(gram, responses, *sets, **options))


def assert_same(result, expected, responses):
    """The same choices, and predictions within 1e-8 standard deviations."""
    assert np.array_equal(result.candidate, expected.candidate)
    assert np.array_equal(result.penalty, expected.penalty)
    size = responses.std(axis=0)
    difference = np.abs(result.predictions - expected.predictions) / np.where(size > 0, size, 1)
    assert difference.max() < 1e-8


def a_problem(sizes=(40, 40, 40, 40, 40), p=150, targets=20, seed=0):
    """Features whose spectrum falls, and targets whose best penalties differ, folds in no order."""
    rng = np.random.default_rng(seed)
    n = sum(sizes)
    features = rng.normal(size=(n, p)) * np.arange(1, p + 1) ** -0.5 + rng.normal(size=p)
    signal = features @ rng.normal(size=(p, targets))
    noise = rng.normal(size=signal.shape) * np.geomspace(0.05, 20, targets)
    responses = (signal - signal.mean(axis=0)) / signal.std(axis=0) + noise
    folds = np.split(rng.permutation(n), np.cumsum(sizes)[:-1])
    penalties = np.geomspace(1e-4, 1e4, 16) * np.square(features - features.mean(axis=0)).sum() / n
    return features @ features.T, responses, folds, penalties


@settings(max_examples=25)
@given(problem=test_ridge.problems())
@pytest.mark.parametrize("fast", [True, False])
def test_equals_refitting_with_scikit_learn(fast, problem):
    features, *rest = problem
    result = on_device(features @ features.T, *rest, fast_float64=fast)
    test_ridge.assert_equals_refitting(result, *problem)


@pytest.mark.parametrize(
    "sizes", [(40,) * 5, (67, 66, 67), (100, 50, 30, 12, 5, 3), (4,) * 20, (1,) * 30], ids=lambda sizes: f"{len(sizes)}"
)
@pytest.mark.parametrize("p", [20, 400])
def test_equals_the_engine_in_numpy(fast_float64, sizes, p):
    problem = a_problem(sizes, p)
    result = on_device(*problem, fast_float64=fast_float64)
    assert len(np.unique(result.candidate)) > 3
    assert_same(result, nested_ridge(*problem), problem[1])


def test_several_splits_share_inverses(fast_float64):
    gram, responses, folds, penalties = a_problem()
    splits = [folds, np.split(np.arange(200), [20, 90]), np.array_split(np.random.default_rng(1).permutation(200), 11)]
    results = nested_ridge_on_device(*tensors(gram, responses), splits, penalties, fast_float64=fast_float64)
    for result, of_split in zip(results, splits, strict=True):
        assert_same(in_arrays(result), nested_ridge(gram, responses, of_split, penalties), responses)


def test_candidates_may_be_of_different_matrices(fast_float64):
    rng = np.random.default_rng(6)
    first, second = rng.normal(size=(2, 50, 20))
    responses = np.column_stack([first[:, 0], second[:, 0]]) + 0.1 * rng.normal(size=(50, 2))
    folds = np.array_split(rng.permutation(50), 5)
    grams = tensors(first @ first.T, second @ second.T)
    (result,) = nested_ridge_on_device(grams, *tensors(responses), [folds], np.ones(2), fast_float64=fast_float64)
    assert (result.candidate.numpy() == [0, 1]).all()
    for target, features in enumerate((first, second)):
        alone = nested_ridge(features @ features.T, responses[:, [target]], folds, [1.0])
        np.testing.assert_allclose(result.predictions[:, [target]], alone.predictions, atol=1e-8)
    with pytest.raises(ValueError, match="2 Gram matrices for 3 penalties"):
        nested_ridge_on_device(grams, *tensors(responses), [folds], np.ones(3))


@pytest.mark.parametrize("memory_bytes", [0, 3 * 10**6, 2 * 10**7])
def test_blocks_change_nothing(fast_float64, memory_bytes, monkeypatch):
    problem = a_problem((50, 45, 30, 8, 4), targets=150)
    taken = []
    blocks_of = Needs.blocks
    monkeypatch.setattr(Needs, "blocks", lambda *arguments: taken.append(blocks_of(*arguments)) or taken[-1])
    whole = on_device(*problem, fast_float64=fast_float64)
    in_blocks = on_device(*problem, fast_float64=fast_float64, memory_bytes=memory_bytes)
    assert taken[0] == Blocks(16, 10, 150)
    assert taken[1] != taken[0]
    assert (taken[1] == Blocks(1, 1, 64)) == (memory_bytes == 0)
    assert np.array_equal(whole.candidate, in_blocks.candidate)
    # In float32 blocks round differently, and predictions are refined until they are as precise as is needed.
    tolerance = 1e-12 if fast_float64 else 1e-8
    np.testing.assert_allclose(whole.predictions, in_blocks.predictions, rtol=0, atol=tolerance * problem[1].std())


def test_float32_is_proved_and_refined(monkeypatch):
    problem = a_problem((80,) * 5, targets=40)
    problem = *problem[:3], np.geomspace(1e-9, 1e4, 20) * np.trace(problem[0]) / 400
    offs, refined = [], []
    choice, fit = held_out.first_choice, nested.held_out_errors
    monkeypatch.setattr(held_out, "first_choice", lambda inner: offs.extend(off for _, off in inner) or choice(inner))
    monkeypatch.setattr(nested, "held_out_errors", lambda *a: refined.append(fit(*a)) or refined[-1])
    assert_same(on_device(*problem, fast_float64=False), nested_ridge(*problem), problem[1])
    # The smallest penalties are beyond float32.
    assert offs[0] == 0
    assert 0 < offs[-1] < 1e-3
    assert refined


def test_pairs_of_folds_beyond_float32_are_computed_in_float64(monkeypatch):
    errors = nested.outer_and_inner_errors

    def beyond_float32(inverse, *rest):
        outer, inner = errors(inverse, *rest)
        if inverse.dtype == torch.float32:
            inner[::2, 0] = torch.nan
        return outer, inner

    monkeypatch.setattr(nested, "outer_and_inner_errors", beyond_float32)
    problem = a_problem()
    assert_same(on_device(*problem, fast_float64=False), nested_ridge(*problem), problem[1])


def test_many_targets_are_not_refined_but_computed_in_float64():
    problem = a_problem(targets=300)
    assert_same(on_device(*problem, fast_float64=False), nested_ridge(*problem), problem[1])


def test_few_stimuli_or_many_folds_are_float64_at_once(monkeypatch):
    def no_float32(*_):
        raise AssertionError

    monkeypatch.setattr(nested, "_with_float32", no_float32)
    problem = a_problem()
    monkeypatch.setattr(nested, "FLOAT32_FROM", 201)
    on_device(*problem, fast_float64=False)
    monkeypatch.setattr(nested, "FLOAT32_FROM", 200)
    monkeypatch.setattr(nested, "MOST_FOLDS_IN_FLOAT32", 4)
    on_device(*problem, fast_float64=False)


def test_ties_go_to_the_earlier_penalty(fast_float64):
    gram, responses, folds, penalties = a_problem(p=60, targets=6)
    responses[:, 0] = 7.0
    repeated = np.concatenate([penalties[8:], penalties, penalties[3:5]])
    # Blocks of one penalty, of several, and of all.
    for memory_bytes in (0, 4 * 10**6, None):
        result = on_device(gram, responses, folds, repeated, fast_float64=fast_float64, memory_bytes=memory_bytes)
        assert_same(result, nested_ridge(gram, responses, folds, repeated), responses)
        assert (result.candidate < 8 + len(penalties)).all()
        assert (result.candidate[:, 0] == 0).all()
        np.testing.assert_allclose(result.predictions[:, 0], 7.0, rtol=1e-12)


def test_one_matrix_given_twice_is_one_candidate(fast_float64):
    gram, responses, folds, penalties = a_problem()
    given, values = tensors(gram, responses)
    penalties = np.repeat(penalties, 2)
    (result,) = nested_ridge_on_device([given] * 32, values, [folds], penalties, fast_float64=fast_float64)
    assert (result.candidate % 2 == 0).all()


@pytest.mark.parametrize("p", [1, 5, 60])
def test_matrices_without_full_rank_choose_what_the_engine_in_numpy_does(fast_float64, p):
    problem = a_problem((15,) * 4, p)
    assert_same(on_device(*problem, fast_float64=fast_float64), nested_ridge(*problem), problem[1])


def test_identical_stimuli_are_predicted_by_the_mean_of_the_others(fast_float64):
    responses = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0])[:, None]
    folds = [np.array([0, 1]), np.array([2, 3]), np.array([4, 5])]
    result = on_device(np.ones((6, 6)), responses, folds, [1.0], fast_float64=fast_float64)
    np.testing.assert_allclose(result.predictions[:, 0], [15, 15, 12.75, 12.75, 3.75, 3.75])


def test_tensors_give_tensors():
    gram, responses, folds, penalties = a_problem()
    expected = nested_ridge(gram, responses, folds, penalties)
    given = torch.from_numpy(gram).requires_grad_()
    result = nested_ridge(given, torch.from_numpy(responses), [torch.from_numpy(fold) for fold in folds], penalties)
    assert isinstance(result, NestedRidge)
    assert {values.dtype for values in vars(result).values()} == {torch.float64, torch.int64}
    assert not result.predictions.requires_grad
    assert_same(in_arrays(result), expected, responses)
    assert np.array_equal(given.detach(), gram)
    # One target, and one of both as a tensor.
    one = nested_ridge(gram, torch.from_numpy(responses[:, 0]), folds, torch.from_numpy(penalties))
    assert_same(in_arrays(one), nested_ridge(gram, responses[:, 0], folds, penalties), responses[:, :1])
    penalties = penalties[8:]
    expected = nested_ridge(gram, responses, folds, penalties)
    rounded = nested_ridge(given.float(), responses, folds, penalties)
    np.testing.assert_allclose(rounded.predictions.detach(), expected.predictions, atol=1e-3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gram": torch.eye(5)}, r"gram has shape \(5, 5\); with 6 stimuli"),
        ({"gram": torch.full((6, 6), torch.nan)}, "gram has values that are not finite"),
        ({"responses": torch.tensor([[0.0, 1]] * 5 + [[0, torch.inf]])}, "responses of target 1 are not all finite"),
        ({"folds": [[0, 1], [2, 3, 4, 5]]}, "at least 3 folds, got 2"),
        ({"penalties": [1.0, 0.0]}, "penalties must be positive"),
    ],
)
def test_bad_input_is_refused(change, message):
    arguments = {
        "gram": torch.eye(6),
        "responses": torch.arange(6.0),
        "folds": [[0, 1], [2, 3], [4, 5]],
        "penalties": [1.0],
    }
    with pytest.raises(ValueError, match=message):
        nested_ridge(**(arguments | change))


def test_a_matrix_that_is_no_gram_matrix_is_refused(fast_float64):
    gram, responses, folds, _ = a_problem()
    with pytest.raises(np.linalg.LinAlgError, match="not positive definite at penalty 0.5"):
        on_device(-gram, responses, folds, [1e9, 0.5], fast_float64=fast_float64)
    sets = folds[0], folds[1], [folds[0][:20], folds[0][20:]]
    with pytest.raises(np.linalg.LinAlgError, match="not positive definite at penalty 0.5"):
        for_test_set(-gram, responses, *sets, [1e9, 0.5], fast_float64=fast_float64)


def out_of_memory_above(largest: int, monkeypatch):
    """Let inverses of more than some matrices at once need more memory than there is; return what was tried."""
    tried = []
    penalised = matrices.penalised

    def limited(grams, *rest):
        tried.append(len(grams))
        if len(grams) > largest:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.\nSee documentation.")
        return penalised(grams, *rest)

    monkeypatch.setattr(refinement, "penalised", limited)
    monkeypatch.setattr(training_and_test, "penalised", limited)
    return tried


def test_without_memory_blocks_are_made_smaller(monkeypatch):
    problem = a_problem()
    expected = on_device(*problem)
    tried = out_of_memory_above(3, monkeypatch)
    result = on_device(*problem)
    assert np.array_equal(result.candidate, expected.candidate)
    np.testing.assert_allclose(result.predictions, expected.predictions, atol=1e-11)
    assert tried[0] == 16
    assert sorted(set(tried), reverse=True) == list(dict.fromkeys(tried[:-1]))


def test_too_little_memory_for_one_penalty_says_what_would_fit(monkeypatch):
    out_of_memory_above(0, monkeypatch)
    with pytest.raises(InputError, match=r"of 200 stimuli, at one penalty .* GiB on `cpu` .* enough for about \d+ st"):
        on_device(*a_problem())


def test_needs_grow_with_blocks():
    needs = Needs(100, 1, 50, 1, 10, 1, penalties=20, pairs=10, targets=1000, stimuli=10)
    for budget in (0, 10**4, 10**5, 10**6, 10**9):
        blocks = needs.blocks(budget)
        smallest = Blocks(1, 1, memory.FEWEST_TARGETS)
        assert needs.bytes(blocks) <= budget or blocks == smallest
    assert needs.blocks(0) == smallest
    assert needs.blocks(10**9) == Blocks(20, 10, 1000)


def test_float32_products_are_not_rounded_further_inside_the_block():
    before = torch.backends.cuda.matmul.fp32_precision
    try:
        torch.backends.cuda.matmul.fp32_precision = "tf32"
        with pytest.raises(KeyError), devices.whole_float32():
            assert torch.backends.cuda.matmul.fp32_precision == "ieee"
            raise KeyError
        assert torch.backends.cuda.matmul.fp32_precision == "tf32"
    finally:
        torch.backends.cuda.matmul.fp32_precision = before


@pytest.mark.parametrize("n", [1, 2, 37, 300])
def test_inverses_of_batches(n, monkeypatch):
    monkeypatch.setattr(matrices, "SUBSTITUTED_UP_TO", 5)
    vectors = torch.randn(2, 3, n, n + 10, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    products = vectors @ vectors.mT
    expected = torch.linalg.inv(products)
    for together in (10**9, 1):
        monkeypatch.setattr(matrices, "BATCHED_UP_TO", together)
        torch.testing.assert_close(matrices.inverses(products.clone()), expected)
    products[1, 2] *= -1
    found = matrices.inverses(products)
    assert found[1, 2].isnan().all()
    torch.testing.assert_close(found[0], expected[0])


@settings(max_examples=25)
@given(problem=test_ridge_test_set.problems())
@pytest.mark.parametrize("fast", [True, False])
def test_a_test_set_equals_refitting_with_scikit_learn(fast, problem):
    features, *rest = problem
    result = for_test_set(features @ features.T, *rest, fast_float64=fast)
    test_ridge_test_set.assert_equals_refitting(result, *problem)


@settings(max_examples=25)
@given(problem=test_ridge_test_set.problems())
def test_a_test_set_by_features_equals_refitting_with_scikit_learn(problem):
    features, *rest = problem
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training_and_test, "few_enough", lambda *_: True)
        result = for_test_set(features @ features.T, *rest, features=torch.from_numpy(features))
    test_ridge_test_set.assert_equals_refitting(result, *problem)


@pytest.mark.parametrize("inner", [1, 2, 5])
@pytest.mark.parametrize("p", [10, 300])
def test_a_test_set_equals_the_engine_in_numpy(fast_float64, inner, p):
    features, responses, *sets, penalties = test_ridge_test_set.a_problem(p=p, inner=inner)
    # Twice: a tie goes to the earlier.
    penalties = np.repeat(penalties[4:], 2)
    gram = features @ features.T
    expected = ridge_test_set.test_set_ridge(gram, responses, *sets, penalties)
    assert len(np.unique(expected.candidate)) > 3
    for options in ({}, {"memory_bytes": 0}, {"features": torch.from_numpy(features)}):
        result = for_test_set(gram, responses, *sets, penalties, fast_float64=fast_float64, **options)
        assert_same(result, expected, responses)


def test_close_candidates_are_refined_or_computed_in_float64(monkeypatch):
    features, responses, *sets, penalties = test_ridge_test_set.a_problem(n=300, p=250, targets=3)
    monkeypatch.setattr(held_out, "MARGIN", 1e9)
    gram, calls = features @ features.T, []
    precise = training_and_test._precise_errors
    monkeypatch.setattr(training_and_test, "_precise_errors", lambda *a: calls.append(a) or precise(*a))
    for repeats in (1, 5):
        calls.clear()
        values = np.repeat(responses, repeats, axis=1)
        expected = ridge_test_set.test_set_ridge(gram, values, *sets, penalties)
        assert_same(for_test_set(gram, values, *sets, penalties, fast_float64=False), expected, values)
        few = [a for a in calls if a[2].shape[1] < values.shape[1] or repeats > 1]
        assert bool(few) == (repeats > 1)


def test_the_form_by_features_is_taken_where_it_is_cheaper(monkeypatch):
    features, responses, *rest = test_ridge_test_set.a_problem(p=10)
    taken = []
    by_features = training_and_test._by_features
    monkeypatch.setattr(training_and_test, "_by_features", lambda *a: taken.append(1) or by_features(*a))
    for_test_set(features @ features.T, responses, *rest, features=torch.from_numpy(features))
    assert taken
    assert training_and_test.few_enough(2048, 22_248, [4450] * 5, 1024)
    assert not training_and_test.few_enough(22_000, 22_248, [4450] * 5, 1024)


def test_a_test_set_of_several_matrices(fast_float64):
    rng = np.random.default_rng(6)
    first, second = rng.normal(size=(2, 50, 20))
    responses = np.column_stack([first[:, 0], second[:, 0]]) + 0.1 * rng.normal(size=(50, 2))
    training, test = np.split(rng.permutation(50), [40])
    for inner in (np.array_split(training, 4), [np.setdiff1d(np.arange(50), [*training, *test[:5]])]):
        sets = training, test[:5], inner
        result = in_arrays(
            ridge_on_device.test_set_ridge_on_device(
                tensors(first @ first.T, second @ second.T),
                *tensors(responses),
                *sets,
                np.ones(2),
                fast_float64=fast_float64,
            )
        )
        assert (result.candidate == [0, 1]).all()
        for target, features in enumerate((first, second)):
            alone = ridge_test_set.test_set_ridge(features @ features.T, responses[:, [target]], *sets, [1.0])
            np.testing.assert_allclose(result.predictions[:, [target]], alone.predictions, atol=1e-8)


def test_tensors_of_a_test_set_give_tensors():
    features, responses, *rest = test_ridge_test_set.a_problem()
    gram = features @ features.T
    result = ridge_test_set.test_set_ridge(*tensors(gram, responses), *rest)
    assert isinstance(result, ridge_test_set.TestSetRidge)
    assert {values.dtype for values in vars(result).values()} == {torch.float64, torch.int64}
    assert_same(in_arrays(result), ridge_test_set.test_set_ridge(gram, responses, *rest), responses)
    with pytest.raises(ValueError, match="is in training and in test"):
        ridge_test_set.test_set_ridge(torch.eye(6), torch.arange(6.0), [0, 1, 2], [2], [[0], [1, 2]], [1.0])


def test_responses_that_are_not_used_may_be_missing():
    features, responses, training, test, *rest = test_ridge_test_set.a_problem()
    gram = features @ features.T
    expected = for_test_set(gram, responses, training, test, *rest)
    responses[test] = np.nan
    result = for_test_set(gram, responses, training, test, *rest)
    assert np.array_equal(result.predictions, expected.predictions)
    few = for_test_set(gram, responses, training, test, *rest, features=torch.from_numpy(features[:, :5]))
    assert np.isfinite(few.predictions).all()
