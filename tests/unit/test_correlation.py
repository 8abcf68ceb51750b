import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ventral.mappings.correlation import (
    explained_variance,
    median_predictivity,
    pooled_r,
    prediction_reliability,
    predictivity,
    r_folds,
    r_squared,
    reliability_over_pairs,
    resampled_sums,
    smallest_significant_r,
    summed_predictivity,
    sums_within_folds,
)
from ventral.scores.table import correlation_in_folds

SIZES = st.lists(st.integers(1, 6), min_size=2, max_size=6).filter(lambda sizes: max(sizes) > 1)


def data(seed, sizes, missing=0.0, targets=3):
    """Predictions, responses and folds in any order, with missing responses of each target."""
    rng = np.random.default_rng(seed)
    n = sum(sizes)
    x = rng.normal(size=(n, targets))
    y = 5 + x + rng.normal(size=x.shape)
    y[rng.random(x.shape) < missing] = np.nan
    return x, y, np.split(rng.permutation(n), np.cumsum(sizes)[:-1])


def r_by_loops(x, y, folds, weights=None):
    """Pooled r of one target: stimuli as often as they are drawn, centred within folds, joined."""
    a, b = [], []
    for fold in folds:
        rows = [row for row in fold if np.isfinite(x[row]) and np.isfinite(y[row])]
        rows = rows if weights is None else np.repeat(rows, weights[rows]).astype(int)
        if len(rows):
            a.extend(x[rows] - x[rows].mean())
            b.extend(y[rows] - y[rows].mean())
    a, b = np.array(a), np.array(b)
    size = np.sqrt((a * a).sum() * (b * b).sum())
    return (a * b).sum() / size if size > 1e-10 else np.nan


@given(seed=st.integers(0, 10_000), sizes=SIZES, missing=st.sampled_from([0.0, 0.4]))
def test_pooled_r_equals_the_definition_by_loops(seed, sizes, missing):
    x, y, folds = data(seed, sizes, missing)
    expected = [r_by_loops(x[:, k], y[:, k], folds) for k in range(x.shape[1])]
    np.testing.assert_allclose(pooled_r(sums_within_folds(x, y, folds)), expected, rtol=1e-7, atol=1e-9)


@given(seed=st.integers(0, 10_000), sizes=st.lists(st.integers(3, 6), min_size=2, max_size=5))
def test_r_folds_is_the_mean_over_folds(seed, sizes):
    x, y, folds = data(seed, sizes)
    np.testing.assert_allclose(r_folds(sums_within_folds(x, y, folds)), correlation_in_folds(x, y, folds), rtol=1e-9)


def test_one_fold_is_pearson():
    x, y, _ = data(0, [30])
    expected = [np.corrcoef(x[:, k], y[:, k])[0, 1] for k in range(3)]
    np.testing.assert_allclose(pooled_r(sums_within_folds(x, y, [np.arange(30)])), expected)


@given(
    seed=st.integers(0, 10_000),
    sizes=SIZES,
    scale=st.floats(1e-3, 1e3),
    shifts=st.lists(st.floats(-1e3, 1e3), min_size=6, max_size=6),
)
def test_order_scale_and_shifts_of_folds_do_not_matter(seed, sizes, scale, shifts):
    x, y, folds = data(seed, sizes, missing=0.2)
    rng = np.random.default_rng(seed)
    moved = y * scale
    for fold, shift in zip(folds, shifts, strict=False):
        moved[fold] += shift
    order, targets = rng.permutation(len(x)), rng.permutation(3)
    place = np.argsort(order)
    other = sums_within_folds(x[order][:, targets], moved[order][:, targets], [place[fold] for fold in folds[::-1]])
    np.testing.assert_allclose(pooled_r(other), pooled_r(sums_within_folds(x, y, folds))[targets], rtol=1e-5, atol=1e-6)


@pytest.mark.filterwarnings("error")
def test_constant_folds_add_nothing_and_only_if_all_are_constant_is_there_no_r():
    x, y, folds = data(0, [5, 5, 5, 1])
    y[folds[0], 0] = 0.1
    x[folds[1], 1] = 0.1
    y[:, 2] = 0.1
    sums = sums_within_folds(x, y, folds)
    assert sums.yy[0, 0] == 0
    assert sums.xx[1, 1] == 0
    for k in (0, 1):
        assert pooled_r(sums)[k] == pytest.approx(r_by_loops(x[:, k], y[:, k], folds))
    assert np.isnan(pooled_r(sums)[2])
    assert np.isnan(r_folds(sums)).all()


@given(seed=st.integers(0, 10_000), sizes=SIZES, missing=st.sampled_from([0.0, 0.4]))
def test_resampled_r_equals_stimuli_repeated(seed, sizes, missing):
    x, y, folds = data(seed, sizes, missing)
    rng = np.random.default_rng(seed)
    weights = np.ones((4, len(x)), dtype=np.uint8)
    weights[1:] = rng.integers(0, 3, size=(3, len(x)))
    sums = resampled_sums(x, y, folds, weights)
    expected = [[r_by_loops(x[:, k], y[:, k], folds, w) for k in range(3)] for w in weights]
    np.testing.assert_allclose(sums.r, expected, rtol=1e-6, atol=1e-8)
    whole = sums_within_folds(x, y, folds).pooled()
    for name in ("xx", "yy", "xy", "n"):
        np.testing.assert_allclose(getattr(sums, name)[:1], getattr(whole, name), rtol=1e-9, atol=1e-9)


@pytest.mark.filterwarnings("error")
def test_one_stimulus_drawn_again_and_again_has_no_spread():
    x, y, folds = data(0, [5, 5])
    weights = np.zeros((1, 10))
    weights[0, folds[0][0]] = 5
    assert np.isnan(resampled_sums(x, y, folds, weights).r).all()


@pytest.mark.filterwarnings("error")
def test_corrected_scores():
    r, rho = np.array([0.3, -0.3, 0.3, 0.3, np.nan]), np.array([0.25, 0.25, -0.1, np.nan, 0.5])
    np.testing.assert_allclose(predictivity(r, rho), [0.6, -0.6, np.nan, np.nan, np.nan])
    np.testing.assert_allclose(explained_variance(r, rho), [0.36, -0.36, np.nan, np.nan, np.nan])
    np.testing.assert_allclose(predictivity(r[:3], rho[:3], np.array([0.25, -1, 0.25])), [1.2, np.nan, np.nan])
    assert summed_predictivity(r, rho) == pytest.approx(np.sqrt(0.09 / 0.4))
    assert summed_predictivity(-r, rho) == pytest.approx(-np.sqrt(0.09 / 0.4))
    assert np.isnan(summed_predictivity(r[2:], rho[2:]))
    assert median_predictivity(r, rho) == pytest.approx(0.6)
    assert median_predictivity(np.array([0.3, -0.3, -0.3]), np.array([0.25, 0.25, -0.1])) == pytest.approx(-0.6)
    assert np.isnan(median_predictivity(r[3:], rho[3:]))


def test_least_squares_fits_of_halves_correct_for_the_noise_of_predictions():
    rng = np.random.default_rng(0)
    features = np.column_stack([np.ones(300), rng.normal(size=(300, 60))])
    rates = features @ rng.normal(size=(61, 200)) / 8
    halves = rates + 1.5 * rng.normal(size=(2, 300, 200))
    folds = np.split(rng.permutation(300), 5)

    def held_out(responses):
        predictions = np.empty_like(responses)
        for fold in folds:
            rest = np.setdiff1d(np.arange(300), fold)
            predictions[fold] = features[fold] @ np.linalg.lstsq(features[rest], responses[rest])[0]
        return predictions

    mean = halves.mean(axis=0)
    r = pooled_r(sums_within_folds(held_out(mean), rates, folds))
    of_predictions = prediction_reliability(held_out(halves[0])[None], held_out(halves[1])[None], folds)
    assert np.median(r) < 0.9
    assert np.median(predictivity(r, of_predictions)) == pytest.approx(1, abs=0.02)
    np.testing.assert_allclose(prediction_reliability(rates[None], 2 * rates[None] + 1, folds), 1)
    assert np.isnan(prediction_reliability(np.ones((1, 300, 1)), np.ones((1, 300, 1)), folds)).all()


def test_floors_of_reliability_are_the_published_ones():
    """Those of Tuckute et al. 2023, for 83 training and 82 test sounds."""
    np.testing.assert_allclose(smallest_significant_r([83, 82]), [0.182, 0.183], atol=5e-4)


@pytest.mark.parametrize(("n", "noise"), [(83, 0.7), (400, 3.0)])
def test_reliability_over_pairs_is_that_of_the_mean(n, noise):
    rng = np.random.default_rng(0)
    rates = rng.normal(size=(n, 200))
    values = rates + noise * rng.normal(size=(3, n, 200))
    found = reliability_over_pairs(values)
    assert np.median(found) == pytest.approx(1 / (1 + noise**2 / 3), abs=0.02)
    # Unrelated repetitions, and constant ones, are raised to what chance exceeds in 5 % of cases.
    values[:, :, 0], values[0, :, 1], values[1:, :, 2] = 0, -values[1, :, 1], np.nan
    np.testing.assert_allclose(reliability_over_pairs(values)[0], smallest_significant_r(n))
    assert reliability_over_pairs(values)[1] < found[1]
    assert np.isnan(reliability_over_pairs(values)[2])
    assert np.isnan(reliability_over_pairs(values[:1])).all()


def test_r_squared_of_a_negative_or_missing_r_is_0():
    np.testing.assert_allclose(r_squared(np.array([0.5, -0.5, np.nan, 0])), [0.25, 0, 0, 0])
