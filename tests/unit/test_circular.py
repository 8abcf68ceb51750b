"""Circular correlation against published numbers and brute force."""

import numpy as np
import pytest

from ventral.stimuli.circular import angle_of, angular_error, circular_correlation, has_direction, sine_and_cosine

# Wind directions at 6 and at 12 o'clock (Fisher 1993, Statistical Analysis of Circular Data, B.21).
MORNING = [356, 97, 211, 232, 343, 292, 157, 302, 335, 302, 324, 85, 324, 340, 157, 238, 254, 146, 232, 122, 329]
NOON = [119, 162, 221, 259, 270, 29, 97, 292, 40, 313, 94, 45, 47, 108, 221, 270, 119, 248, 270, 45, 23]


def test_wind_directions_correlate_as_published():
    """The number is that of astropy's documentation of `circcorrcoef`."""
    assert circular_correlation(MORNING, NOON, 360) == pytest.approx(0.2704648826748831, abs=1e-12)


def test_units_and_offsets_do_not_matter():
    turned = (np.array(NOON) + 77) % 360
    for directed in (True, False):
        expected = circular_correlation(MORNING, NOON, 360, directed)
        assert circular_correlation(np.radians(MORNING), np.radians(turned), 2 * np.pi, directed) == pytest.approx(
            expected
        )
        assert circular_correlation(MORNING, -np.array(NOON), 360, directed) == pytest.approx(-expected)


@pytest.mark.parametrize("directed", [True, False])
def test_a_quantity_correlates_perfectly_with_itself_and_not_with_noise(directed):
    rng = np.random.default_rng(0)
    angles = rng.normal(0, 30, 400) if directed else rng.uniform(0, 360, 400)
    assert has_direction(angles, 360) == directed
    assert circular_correlation(angles, angles + 100, 360, directed) == pytest.approx(1, abs=1e-9)
    assert abs(circular_correlation(angles, rng.permutation(angles), 360, directed)) < 0.15


def test_narrow_angles_correlate_as_numbers_do():
    rng = np.random.default_rng(1)
    a = rng.normal(0, 0.5, 200)
    b = a + rng.normal(0, 0.5, 200)
    assert circular_correlation(a, b, 360) == pytest.approx(np.corrcoef(a, b)[0, 1], abs=1e-4)


def test_angles_without_variation_have_no_correlation():
    assert np.isnan(circular_correlation(np.full(9, 20.0), np.arange(9.0), 360))


@pytest.mark.parametrize("directed", [True, False])
def test_folds_are_centred_apart_and_taken_together(directed):
    """Sums over folds by brute force; a constant shift of a fold, and a fold of one, change nothing."""
    rng = np.random.default_rng(2)
    folds = [np.arange(0, 30), np.arange(30, 45), np.array([45])]
    a = rng.normal(0, 40, 46)
    b = a + rng.normal(0, 30, 46)
    found = circular_correlation(a, b, 360, directed, folds)
    sums = np.zeros(3)
    for fold in folds[:2]:
        x, y = np.radians(a[fold]), np.radians(b[fold])
        if directed:
            x0, y0 = (np.arctan2(np.sin(z).sum(), np.cos(z).sum()) for z in (x, y))
            sines = np.sin(x - x0), np.sin(y - y0)
            sums += [(sines[0] * sines[1]).sum(), (sines[0] ** 2).sum(), (sines[1] ** 2).sum()]
    if directed:
        assert found == pytest.approx(sums[0] / np.sqrt(sums[1] * sums[2]))
    shifted = b + np.repeat([0, 100, 0], [30, 15, 1])
    assert circular_correlation(a, shifted, 360, directed, folds) == pytest.approx(found)
    assert circular_correlation(a, b, 360, directed, folds[:2]) == pytest.approx(found)
    assert circular_correlation(a, b, 360, directed, folds[:1]) == pytest.approx(
        circular_correlation(a[:30], b[:30], 360, directed)
    )
    flat = np.where(np.arange(46) < 30, a, 20.0)
    assert np.isfinite(circular_correlation(flat, b, 360, directed, folds))


def test_errors_go_the_shorter_way_round():
    assert angular_error([350, 10, 0], [10, 350, 180], 360) == pytest.approx((20 + 20 + 180) / 3)
    assert angular_error([11.5], [0.5], 12) == pytest.approx(1)


def test_an_angle_is_that_of_its_sine_and_cosine():
    angles = np.array([-170.0, -20.0, 0.0, 45.0, 179.0])
    np.testing.assert_allclose(angle_of(sine_and_cosine(angles, 360), 360), angles)
    np.testing.assert_allclose(angle_of(0.01 * sine_and_cosine([13.0], 12), 12), [1.0])
