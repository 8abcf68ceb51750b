"""Gabor fits give back the numbers of Gabors, and say how much of a filter they explain."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import approx_fprime

from ventral.mappings.gabors import NARROWEST, _best_of_grid, _Problem, fit_gabors, gabor, principal_maps

# Standard deviation of the noise over that of the filter: 1 % of the variance of a noisy filter is noise.
NOISE = 0.1


def synthetic(side: int, n: int = 25) -> tuple[pd.DataFrame, np.ndarray]:
    """Gabors within a kernel, of more than a cycle in its side and less than Nyquist's frequency."""
    rng = np.random.default_rng(side)
    known = pd.DataFrame(
        {
            "orientation": rng.uniform(0, 180, n),
            "frequency": rng.uniform(1.2 / side, 0.35, n),
            "phase": rng.uniform(0, 360, n),
            "x": rng.uniform(-0.1, 0.1, n) * side,
            "y": rng.uniform(-0.1, 0.1, n) * side,
            "sigma_x": rng.uniform(0.15, 0.25, n) * side,
            "sigma_y": rng.uniform(0.15, 0.3, n) * side,
            "amplitude": rng.uniform(0.5, 2, n),
        }
    )
    return known, np.stack([gabor(row, side, side) for _, row in known.iterrows()])


def apart(found, known, period):
    return np.abs((found - known + period / 2) % period - period / 2)


@pytest.mark.parametrize("side", [7, 11, 24])
def test_fits_find_the_numbers_of_gabors(side):
    known, images = synthetic(side)
    found = fit_gabors(images)
    assert apart(found["orientation"], known["orientation"], 180).max() < 1e-4
    assert apart(found["phase"], known["phase"], 360).max() < 1e-3
    columns = ["frequency", "x", "y", "sigma_x", "sigma_y", "amplitude"]
    np.testing.assert_allclose(found[columns], known[columns], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found["r2"], 1, atol=1e-9)


@pytest.mark.parametrize("side", [7, 11])
def test_with_noise_orientations_are_within_3_degrees_and_frequencies_within_5_percent(side):
    known, images = synthetic(side)
    noise = np.random.default_rng(0).normal(size=images.shape)
    found = fit_gabors(images + NOISE * images.std(axis=(1, 2), keepdims=True) * noise)
    assert apart(found["orientation"], known["orientation"], 180).max() < 3
    assert np.abs(found["frequency"] / known["frequency"] - 1).max() < 0.05
    assert found["r2"].between(0.97, 1).all()


def test_kernels_need_not_be_square():
    fit = pd.Series({"orientation": 30, "frequency": 0.2, "phase": 200, "x": 1, "y": -1, "amplitude": 1})
    fit["sigma_x"], fit["sigma_y"] = 2, 2.5
    found = fit_gabors(gabor(fit, 9, 14)[None]).iloc[0]
    np.testing.assert_allclose(found[fit.index].astype(float), fit, rtol=1e-5)


def test_orientation_0_varies_along_columns():
    columns = np.cos(2 * np.pi * 0.2 * np.arange(9))
    found = fit_gabors(np.stack([np.tile(columns, (9, 1)), np.tile(columns[:, None], 9)]))
    np.testing.assert_allclose(apart(found["orientation"], [0, 90], 180), 0, atol=1e-3)


def test_derivatives_are_those_of_the_residuals():
    rng = np.random.default_rng(3)
    problem, free = _Problem(rng.normal(size=(1, 5, 6))), 0.5 * rng.normal(size=8)
    numeric = approx_fprime(free, lambda numbers: problem.residuals(numbers[None])[0], 1e-7)
    np.testing.assert_allclose(problem.jacobian(free[None])[0].T, numeric, atol=1e-5)


def test_the_grid_explains_as_much_as_the_projection_on_its_best_point():
    image = np.random.default_rng(4).normal(size=(6, 6))
    x, y, fx, fy, sigma, explained = _best_of_grid(image[None], 0.3)[0]
    assert sigma > NARROWEST
    down, right = np.mgrid[:6, :6] - 2.5
    turn = 2 * np.pi * (fx * (right - x) + fy * (down - y))
    envelope = np.exp(-0.5 * ((right - x) ** 2 + (down - y) ** 2) / sigma**2)
    waves = np.stack([(envelope * np.cos(turn)).ravel(), (envelope * np.sin(turn)).ravel()], axis=1)
    projected = waves @ np.linalg.lstsq(waves, image.ravel(), rcond=None)[0]
    np.testing.assert_allclose(explained, np.square(projected).sum(), rtol=1e-9)


def test_a_constant_filter_has_no_quality_of_fit():
    assert np.isnan(fit_gabors(np.full((1, 5, 5), 0.3))["r2"].iloc[0])


def test_a_colour_filter_is_its_image_times_its_colour():
    rng = np.random.default_rng(5)
    images, colours = rng.normal(size=(2, 4, 5)), np.array([[1, 2, 2], [3, 0, -4]]) / [[3], [5]]
    filters = colours[:, :, None, None] * images[:, None]
    found, axes, shares = principal_maps(filters)
    np.testing.assert_allclose(shares, 1)
    signs = np.array([1, -1])
    np.testing.assert_allclose(axes, colours * signs[:, None], atol=1e-12)
    np.testing.assert_allclose(found, images * signs[:, None, None], atol=1e-12)


def test_of_two_colours_the_one_with_more_variance_is_taken():
    first, second = np.zeros((2, 3, 3))
    first[0, 0], second[1, 1] = 3, 1
    filters = np.stack([first, second, np.zeros((3, 3))])[None]
    images, axes, shares = principal_maps(filters)
    np.testing.assert_allclose(images[0], first, atol=1e-12)
    np.testing.assert_allclose(axes[0], [1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(shares, 0.9)
