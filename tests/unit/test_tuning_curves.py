"""Properties of tuning curves have the values of model neurons whose tuning is known."""

import numpy as np
import pytest

from ventral.in_silico.tuning_curves import (
    circular_variance,
    contiguity_ratio,
    contrast_responses,
    frequency_tuning,
    modulation_ratio,
    orientation_tuning,
    saturation,
    size_tuning,
)

ORIENTATIONS = np.arange(12) * 15.0
FREQUENCIES = 0.5 * 2 ** (np.arange(10) / 2)
CONTRASTS = 2.0 ** np.arange(-5, 1)


def von_mises(preferred: float, kappa: float) -> np.ndarray:
    return np.exp(kappa * (np.cos(2 * np.radians(ORIENTATIONS - preferred)) - 1))


def test_a_flat_curve_has_no_orientation_and_a_single_point_is_all_orientation():
    curves = np.stack([np.ones(12), np.eye(12)[3], np.zeros(12)])
    np.testing.assert_allclose(circular_variance(curves, ORIENTATIONS), [1, 0, np.nan], atol=1e-12)
    _, bandwidth = orientation_tuning(curves, ORIENTATIONS)
    assert np.isnan(bandwidth[[0, 2]]).all()


@pytest.mark.parametrize("kappa", [0.5, 2.0])
def test_circular_variance_is_that_of_the_von_mises_distribution(kappa):
    from scipy.special import i0, i1

    found = circular_variance(von_mises(40, kappa)[None], ORIENTATIONS)
    np.testing.assert_allclose(found, 1 - i1(kappa) / i0(kappa), rtol=1e-6)


@pytest.mark.parametrize("preferred", [0, 7, 90, 173])
def test_preferred_orientation_and_bandwidth(preferred):
    kappa = 2.0
    found, bandwidth = orientation_tuning(von_mises(preferred, kappa)[None], ORIENTATIONS)
    assert abs((found[0] - preferred + 90) % 180 - 90) < 1
    # exp(kappa (cos 2x - 1)) is 1 / sqrt(2) there. Smoothing widens the curve a little.
    half = np.degrees(np.arccos(1 - np.log(2) / 2 / kappa)) / 2
    assert half - 0.5 < bandwidth[0] < half + 3


def test_preferred_frequency_and_bandwidth_in_octaves():
    sigma = 0.8
    curve = np.exp(-0.5 * np.square(np.log2(FREQUENCIES / 3) / sigma))[None]
    found, octaves = frequency_tuning(curve, FREQUENCIES)
    assert found[0] == pytest.approx(3, rel=0.03)
    assert octaves[0] == pytest.approx(2 * sigma * np.sqrt(2 * np.log(2)), rel=0.06)


def test_a_low_pass_curve_has_no_bandwidth():
    found, octaves = frequency_tuning(np.exp(-FREQUENCIES)[None], FREQUENCIES)
    assert found[0] == FREQUENCIES[0]
    assert np.isnan(octaves[0])


def test_simple_and_complex_cells_differ_in_their_modulation():
    # The grating may begin anywhere in the cycle of a cell.
    phases = np.arange(8) * np.pi / 4 + np.linspace(0, np.pi / 4, 50)[:, None]
    assert modulation_ratio(np.maximum(np.cos(phases), 0)).mean() == pytest.approx(np.pi / 2, rel=0.01)
    assert modulation_ratio(np.ones_like(phases)).max() < 1e-12
    np.testing.assert_allclose(modulation_ratio(2 + np.cos(phases)), 0.5)
    assert np.isnan(modulation_ratio(np.zeros((1, 8))))


def test_suppression_by_a_divisive_surround():
    diameters = 0.5 * 2 ** (np.arange(9) / 2)
    centre, surround = (1 - np.exp(-np.square(diameters / width)) for width in (1.0, 4.0))
    curves = np.stack([centre / (1 + surround), centre])
    index, field = size_tuning(curves, diameters)
    assert index[0] == pytest.approx(1 - curves[0, -1] / curves[0].max())
    assert index[0] > 0.25
    assert index[1] == 0
    assert field[0] == diameters[(curves[0] >= 0.95 * curves[0].max()).argmax()]
    assert field[1] > field[0]


@pytest.mark.parametrize(("c50", "exponent"), [(0.1, 2.0), (0.3, 1.0), (0.06, 3.5)])
def test_half_saturation_and_exponent_of_naka_and_rushton(c50, exponent):
    found = contrast_responses(7.5 * saturation(CONTRASTS, c50, exponent)[None], CONTRASTS).iloc[0]
    assert found["c50"] == pytest.approx(c50, rel=0.01)
    assert found["contrast_exponent"] == pytest.approx(exponent, rel=0.01)
    assert found["contrast_r2"] > 0.9999


def test_a_linear_unit_does_not_saturate_and_one_without_responses_has_no_fit():
    found = contrast_responses(np.stack([CONTRASTS, np.zeros(6), np.full(6, np.nan)]), CONTRASTS)
    assert np.isnan(found["c50"]).all()
    assert found["contrast_exponent"][0] == pytest.approx(1, abs=0.05)
    assert found["contrast_exponent"].isna().tolist() == [False, True, True]


def test_responses_in_order_are_smoother_than_the_same_in_random_order():
    rng = np.random.default_rng(0)
    grid = np.outer(von_mises(40, 3), np.exp(-0.5 * np.square(np.log2(FREQUENCIES / 3) / 0.5)))[None]
    shuffled = rng.permuted(np.repeat(grid.reshape(1, -1), 500, axis=0), axis=1).reshape(500, *grid.shape[1:])
    random = contiguity_ratio(shuffled)
    assert random.mean() == pytest.approx(1, rel=0.05)
    assert contiguity_ratio(grid)[0] < random.min()
    assert np.isnan(contiguity_ratio(np.ones((1, 12, 10))))


def test_the_contiguity_ratio_is_that_of_all_pairs():
    grid = np.random.default_rng(1).normal(size=(1, 3, 2))
    values = {(i, j): grid[0, i, j] for i in range(3) for j in range(2)}
    near = [((i, j), ((i + 1) % 3, j)) for i, j in values] + [((i, 0), (i, 1)) for i in range(3)]
    between = np.mean([(values[a] - values[b]) ** 2 for a, b in near])
    any_two = np.mean([(a - b) ** 2 for place, a in values.items() for other, b in values.items() if place != other])
    np.testing.assert_allclose(contiguity_ratio(grid), between / any_two)
