import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ventral.recordings.noise import FEWEST_ON_LINE, noise_of, repetitions_are_blocks


def simulated(rng, repetitions, n, neuroids, missing=0.0, same=False):
    responses = 3 + rng.normal(size=(n, neuroids)) + rng.normal(size=(repetitions, n, neuroids))
    absent = rng.random((repetitions, n, 1 if same else neuroids)) < missing
    absent[0] = False
    responses[np.broadcast_to(absent, responses.shape)] = np.nan
    return responses


def variances_by_loops(responses):
    """Variance over repetitions of each stimulus that has two or more."""
    _, n, neuroids = responses.shape
    variances = np.full((n, neuroids), np.nan)
    for k in range(neuroids):
        for stimulus in range(n):
            shown = [value for value in responses[:, stimulus, k] if not np.isnan(value)]
            if len(shown) > 1:
                variances[stimulus, k] = sum((value - np.mean(shown)) ** 2 for value in shown) / (len(shown) - 1)
    return variances


def expected_by_loops(means, counts, variances):
    """A line by polyfit for stimuli shown once, its negative values moved to the others in proportion."""
    once, repeated = counts == 1, counts > 1
    weights = counts[repeated] - 1
    if repeated.sum() < FEWEST_ON_LINE:
        line = np.full(once.sum(), np.average(variances[repeated], weights=weights))
    else:
        # polyfit multiplies residuals, not their squares.
        fit = np.polyfit(means[repeated], variances[repeated], 1, w=np.sqrt(weights))
        line = np.polyval(fit, means[once])
    positive = [max(value, 0) for value in line]
    return np.array(positive) * max(sum(line), 0) / sum(positive) if sum(positive) else np.zeros(once.sum())


@given(
    seed=st.integers(0, 10_000),
    repetitions=st.integers(2, 6),
    n=st.integers(5, 25),
    missing=st.sampled_from([0.0, 0.3, 0.7]),
    same=st.booleans(),
)
def test_equals_the_definition_by_loops(seed, repetitions, n, missing, same):
    responses = simulated(np.random.default_rng(seed), repetitions, n, 3, missing, same)
    # One stimulus at least is repeated, and the means of the repeated ones vary.
    responses[:2, :2] = np.random.default_rng(seed).normal(size=(2, 2, 3))
    noise = noise_of(responses, blocks=False)
    counts = (~np.isnan(responses)).sum(axis=0)
    np.testing.assert_array_equal(noise.counts, counts)
    np.testing.assert_allclose(noise.means, np.nanmean(responses, axis=0), rtol=1e-12)
    np.testing.assert_array_equal(noise.n_repeated, (counts > 1).sum(axis=0))
    np.testing.assert_array_equal(noise.degrees_of_freedom, (counts - 1).sum(axis=0))
    np.testing.assert_array_equal(noise.on_line, (counts > 1).sum(axis=0) >= FEWEST_ON_LINE)
    expected = variances_by_loops(responses)
    for k in range(3):
        once = counts[:, k] == 1
        if once.any():
            expected[once, k] = expected_by_loops(noise.means[:, k], counts[:, k], expected[:, k])
    np.testing.assert_allclose(noise.variances, expected, rtol=1e-7, atol=1e-12)
    np.testing.assert_allclose(noise.variances_of_means, expected / counts, rtol=1e-7, atol=1e-12)


def test_a_full_block_costs_its_share_of_the_degrees_of_freedom():
    rng = np.random.default_rng(0)
    m, n = 4, 9
    responses = simulated(rng, m, n, 2)
    centred = responses - responses.mean(axis=1, keepdims=True)
    squares = ((centred - centred.mean(axis=0)) ** 2).sum(axis=0)
    noise = noise_of(responses, blocks=True)
    np.testing.assert_allclose(noise.variances, squares / ((m - 1) * (n - 1) / n))
    np.testing.assert_allclose(noise.degrees_of_freedom, (m - 1) * (n - 1))


@given(seed=st.integers(0, 10_000), missing=st.sampled_from([0.05, 0.4]), same=st.booleans())
def test_incomplete_blocks_equal_least_squares_on_dummies(seed, missing, same):
    m, n = 4, 12
    responses = simulated(np.random.default_rng(seed), m, n, 3, missing, same)
    noise = noise_of(responses, blocks=True)
    for k in range(3):
        repetition, stimulus = np.nonzero(~np.isnan(responses[:, :, k]))
        values = responses[repetition, stimulus, k]
        design = np.concatenate([np.eye(n)[stimulus], np.eye(m)[repetition]], axis=1)
        residuals = values - design @ np.linalg.lstsq(design, values)[0]
        degrees = len(values) - np.linalg.matrix_rank(design)
        assert noise.degrees_of_freedom[k] == degrees
        counts = np.bincount(stimulus, minlength=n)
        for one in np.flatnonzero(counts > 1):
            share = (counts[one] - 1) * degrees / (counts - 1).sum()
            squares = (residuals[stimulus == one] ** 2).sum()
            assert noise.variances[one, k] == pytest.approx(squares / share, rel=1e-6, abs=1e-12)


@given(seed=st.integers(0, 10_000), drift=st.floats(-1e3, 1e3), missing=st.sampled_from([0.0, 0.1]))
def test_with_blocks_drift_changes_no_variance(seed, drift, missing):
    rng = np.random.default_rng(seed)
    responses = simulated(rng, 4, 15, 2, missing)
    # Means of incomplete stimuli drift, and the line with them: only repeated stimuli are compared.
    still, drifting = noise_of(responses, True), noise_of(responses + drift * rng.normal(size=(4, 1, 2)), True)
    repeated = still.counts > 1
    np.testing.assert_allclose(drifting.variances[repeated], still.variances[repeated], rtol=1e-6, atol=1e-9)


@given(seed=st.integers(0, 10_000), scale=st.floats(1e-2, 1e2), shift=st.floats(-1e2, 1e2), blocks=st.booleans())
def test_order_and_units(seed, scale, shift, blocks):
    rng = np.random.default_rng(seed)
    responses = simulated(rng, 4, 30, 4, 0.4)
    stimuli, neuroids = rng.permutation(30), rng.permutation(4)
    noise = noise_of(responses, blocks)
    other = noise_of((scale * responses + shift)[:, stimuli][:, :, neuroids], blocks)
    expected = scale**2 * noise.variances[stimuli][:, neuroids]
    np.testing.assert_allclose(other.variances, expected, rtol=1e-6, atol=1e-9 * scale**2)
    np.testing.assert_array_equal(other.degrees_of_freedom, noise.degrees_of_freedom[neuroids])


def test_blocks_of_stimuli_change_nothing(monkeypatch):
    responses = simulated(np.random.default_rng(0), 5, 40, 3, 0.3)
    whole = noise_of(responses, blocks=True).variances
    monkeypatch.setattr("ventral.recordings.noise.VALUES_AT_ONCE", 100)
    np.testing.assert_allclose(noise_of(responses, blocks=True).variances, whole, rtol=1e-12)


def test_responses_are_left_as_they_are():
    responses = simulated(np.random.default_rng(0), 3, 12, 2, 0.3)
    before = responses.copy()
    noise_of(responses, blocks=True)
    np.testing.assert_array_equal(responses, before)


@pytest.mark.filterwarnings("error")
def test_without_repetitions_there_is_no_variance():
    responses = np.random.default_rng(0).normal(size=(1, 6, 2))
    for blocks in (False, True):
        noise = noise_of(responses, blocks)
        assert np.isnan(noise.variances).all()
        assert not noise.n_repeated.any()
    assert np.isnan(noise_of(np.full((2, 3, 1), np.nan), False).means).all()


@pytest.mark.filterwarnings("error")
def test_on_a_line_through_the_origin_silence_has_no_noise():
    rates = np.linspace(0, 20, 60)
    responses = np.full((2, 60, 1), np.nan)
    responses[0, :, 0] = rates
    # Two repetitions a deviation sqrt(rate / 2) below and above: a variance that equals the rate.
    deviation = np.sqrt(rates[::2] / 2)
    responses[:, ::2, 0] = rates[::2] + np.stack([deviation, -deviation])
    noise = noise_of(responses, blocks=False)
    np.testing.assert_allclose(noise.variances[:, 0], rates, atol=1e-9)
    assert noise.variances.min() >= 0


def test_what_can_be_a_block():
    responses = np.zeros((10, 20, 3))
    assert repetitions_are_blocks(responses)
    responses[0, :10] = np.nan
    assert repetitions_are_blocks(responses)
    responses[5:, :10] = np.nan
    assert not repetitions_are_blocks(responses)
    assert not repetitions_are_blocks(responses[:1])


def test_disjoint_stimuli_give_estimates_of_their_own():
    responses = simulated(np.random.default_rng(0), 4, 60, 2)
    responses[1:, 40:] = np.nan
    noise = noise_of(responses, blocks=False)
    first = noise.expected_from(np.arange(20))
    changed = responses.copy()
    changed[:, 20:40] *= 3
    np.testing.assert_array_equal(
        noise_of(changed, False).expected_from(np.arange(20)).variances[40:], first.variances[40:]
    )
    np.testing.assert_array_equal(first.variances[:40], noise.variances[:40])
    np.testing.assert_array_equal(noise.expected_from(np.arange(60)).variances, noise.variances)
