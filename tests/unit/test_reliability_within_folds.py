import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ventral.recordings.noise import noise_of
from ventral.recordings.reliability import split_half_reliability
from ventral.targets.reliability import reliability_within_folds


def simulated(seed, n=24, neuroids=3, repetitions=4, missing=0.3):
    """Responses of which each neuroid lacks some, some stimuli shown once, and folds with one of a single stimulus."""
    rng = np.random.default_rng(seed)
    responses = rng.normal(size=(n, neuroids)) + rng.normal(size=(repetitions, n, neuroids))
    responses[rng.random(responses.shape) < missing] = np.nan
    return responses, [*np.array_split(rng.permutation(n - 1), 4), np.array([n - 1])]


def by_loops(noise, folds, scored, k):
    """Reliability and standard error of one neuroid."""
    squares = total = 0.0
    counts, used_folds = [], 0
    for fold in folds:
        rows = [row for row in fold if noise.counts[row, k] and scored[row, k]]
        used_folds += bool(rows)
        counts += [noise.counts[row, k] for row in rows]
        if len(rows) > 1:
            means = noise.means[rows, k]
            squares += sum((means - means.mean()) ** 2)
            variances_of_means = [noise.variances[row, k] / noise.counts[row, k] for row in rows]
            total += (1 - 1 / len(rows)) * sum(variances_of_means)
    inverse = [1 / count for count in counts]
    n = len(counts)
    of_sample = 2 * n / (n - used_folds) * sum(one**2 for one in inverse) / sum(inverse) ** 2
    if 2 / of_sample < 10:
        return np.nan, np.nan
    rho = 1 - (1 - 5 / 3 * of_sample / 2) * total / squares
    error = (1 - rho) / (2 * rho) * np.sqrt(of_sample + 2 / sum(max(c - 1, 0) for c in noise.counts[:, k]))
    return rho, error if rho > 0 else np.inf


@given(seed=st.integers(0, 10_000), missing=st.sampled_from([0.0, 0.3, 0.6]))
def test_equals_the_definition_by_loops(seed, missing):
    responses, folds = simulated(seed, missing=missing)
    responses[:, :8] = np.random.default_rng(seed).normal(size=(4, 8, 3))
    noise = noise_of(responses, blocks=False)
    scored = np.random.default_rng(seed).random((24, 3)) < 0.8
    scored[:8] = True
    found = reliability_within_folds(noise, folds, scored)
    rho, error = np.transpose([by_loops(noise, folds, scored, k) for k in range(3)])
    np.testing.assert_allclose(found.rho, rho, rtol=1e-9)
    np.testing.assert_allclose(found.standard_error, error, rtol=1e-9)


@given(seed=st.integers(0, 10_000), scale=st.floats(1e-2, 1e2), shift=st.floats(-1e2, 1e2))
def test_order_units_and_means_of_folds_do_not_matter(seed, scale, shift):
    responses, folds = simulated(seed, missing=0.2)
    responses[:, :8] = np.random.default_rng(seed).normal(size=(4, 8, 3))
    rng = np.random.default_rng(seed)
    order, neuroids = rng.permutation(24), rng.permutation(3)
    place = np.argsort(order)
    moved = scale * responses + shift
    found = reliability_within_folds(
        noise_of(moved[:, order][:, :, neuroids], False), [place[fold] for fold in folds[::-1]]
    )
    expected = reliability_within_folds(noise_of(responses, False), folds)
    np.testing.assert_allclose(found.rho, expected.rho[neuroids], rtol=1e-6, atol=1e-7)


def test_without_stimuli_shown_once_a_shift_of_a_fold_changes_nothing():
    responses, folds = simulated(0, missing=0)
    expected = reliability_within_folds(noise_of(responses, False), folds).rho
    responses[:, folds[0]] += 100
    np.testing.assert_allclose(reliability_within_folds(noise_of(responses, False), folds).rho, expected)


def test_equal_counts_are_close_to_split_halves():
    rng = np.random.default_rng(0)
    responses = rng.normal(size=(400, 50)) + 1.5 * rng.normal(size=(4, 400, 50))
    folds = np.split(rng.permutation(400), 5)
    rho = reliability_within_folds(noise_of(responses, False), folds).rho
    np.testing.assert_allclose(rho, split_half_reliability(responses, 50, folds=folds), atol=0.05)
    assert rho.mean() == pytest.approx(1 / (1 + 1.5**2 / 4), abs=0.01)


def test_no_signal_gives_a_mean_of_zero_which_is_not_clipped():
    rng = np.random.default_rng(0)
    responses = rng.normal(size=(4, 400, 300))
    found = reliability_within_folds(noise_of(responses, False), np.split(rng.permutation(400), 10))
    assert found.rho.mean() == pytest.approx(0, abs=0.02)
    assert (found.rho < 0).sum() > 100
    # Its standard error is 0.085, and a score counts as valid from rho = 0.145 on.
    assert found.valid.mean() < 0.03
    assert np.isinf(found.standard_error[found.rho <= 0]).all()


@pytest.mark.filterwarnings("error")
def test_what_has_no_reliability():
    responses, folds = simulated(0, missing=0)
    responses[:, :, 0] = 1
    responses[1:, :, 1] = np.nan
    found = reliability_within_folds(noise_of(responses, False), folds)
    np.testing.assert_array_equal(np.isnan(found.rho), [True, True, False])
    assert not found.valid[:2].any()


def test_the_standard_error_is_that_of_perfect_models():
    rng = np.random.default_rng(0)
    counts = np.tile([1, 2, 8], 40)
    rates = rng.normal(size=(120, 2000))
    responses = rates + 1.2 * rng.normal(size=(8, 120, 2000))
    responses[np.arange(8)[:, None] >= counts] = np.nan
    folds = np.split(rng.permutation(120), 30)
    found = reliability_within_folds(noise_of(responses, False), folds)
    centred = np.concatenate([rates[fold] - rates[fold].mean(axis=0) for fold in folds])
    means = noise_of(responses, False).means
    y = np.concatenate([means[fold] - means[fold].mean(axis=0) for fold in folds])
    r = (centred * y).sum(axis=0) / np.sqrt((centred**2).sum(axis=0) * (y**2).sum(axis=0))
    scores = r / np.sqrt(found.rho)
    assert np.median(found.standard_error) == pytest.approx(scores.std(), rel=0.15)


@pytest.mark.parametrize("pairs", [1, 2, 3, 5])
def test_few_stimuli_that_share_folds_have_no_ceiling(pairs):
    rng = np.random.default_rng(pairs)
    noise = noise_of(rng.normal(size=(4, 20 + pairs, 30)), blocks=False)
    rows = np.arange(20 + pairs)
    folds = [*np.split(rows[: 2 * pairs], pairs), *(rows[k : k + 1] for k in range(2 * pairs, len(rows)))]
    found = reliability_within_folds(noise, folds)
    assert np.isnan(found.rho).all()
    assert not found.valid.any()
