"""Population curves that are known are found again, and those that say nothing say so."""

import numpy as np
import pandas as pd
import pytest

from ventral.decoding.population_curves import extrapolated, saturating_curves

SIZES = np.array([1, 2, 4, 8, 16, 32, 64])


def curve(sizes, chance, a, k, c):
    return chance + a / (1 + (k / np.asarray(sizes, dtype=float)) ** c)


@pytest.mark.parametrize(("a", "k", "c"), [(0.6, 20, 0.7), (0.3, 2, 0.5), (0.875, 60, 0.9)])
def test_a_curve_is_found_again(a, k, c):
    found, half = saturating_curves(SIZES, curve(SIZES, 0.125, a, k, c), 0.125, c)
    assert found[0] == pytest.approx(a, rel=0.02)
    assert half[0] == pytest.approx(k, rel=0.05)


def test_the_fit_is_the_best_of_many():
    rng = np.random.default_rng(0)
    scores = curve(SIZES, 0.1, 0.5, 12, 0.7) + rng.normal(0, 0.02, len(SIZES))
    a, k = saturating_curves(SIZES, scores, 0.1, 0.7)

    def error(a, k):
        return np.square(curve(SIZES, 0.1, a, k, 0.7) - scores).sum()

    others = [error(x, y) for x in np.linspace(0, 0.9, 91) for y in np.geomspace(0.1, 640, 120)]
    assert error(a[0], k[0]) <= min(others) + 1e-5


def draws_of(scores, n=20, noise=0.02, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(scores + rng.normal(0, noise, (n, len(scores))), columns=SIZES[: len(scores)])


def test_the_interval_of_an_extrapolation_has_the_true_score():
    inside = 0
    for seed, c in enumerate([0.55, 0.6, 0.7, 0.8, 0.85] * 2):
        score, low, high = extrapolated(draws_of(curve(SIZES, 0.125, 0.6, 15, c), seed=seed), 0.125, 1000, seed=0)
        assert low < score < high
        inside += low <= curve([1000], 0.125, 0.6, 15, c)[0] <= high
    assert inside >= 9


def test_nothing_beyond_chance_stays_there():
    score, _, _ = extrapolated(draws_of(np.full(7, 0.125)), 0.125, 1000, seed=0)
    assert score == pytest.approx(0.125, abs=0.02)


def test_scores_stay_below_one():
    score, _, high = extrapolated(
        draws_of(np.minimum(curve(SIZES, 0, 1, 4, 0.9) * 1.1, 1), noise=0.001), 0.0, 10**6, seed=0
    )
    assert score <= 1
    assert high <= 1


@pytest.mark.parametrize(
    "scores",
    [
        pytest.param(draws_of(curve(SIZES[:3], 0, 0.5, 3, 0.7)), id="three sizes"),
        pytest.param(draws_of(0.002 * SIZES**0.95, noise=1e-5), id="no bend"),
        pytest.param(draws_of(np.full(7, 0.5)).mask(lambda table: table > 0.54), id="scores that are missing"),
    ],
)
def test_what_is_undetermined_is_not_a_number(scores):
    assert np.isnan(extrapolated(scores, 0.0, 1000, seed=0)).all()


def test_a_single_draw_has_no_interval():
    score, low, high = extrapolated(draws_of(curve(SIZES, 0, 0.5, 3, 0.7), n=1), 0.0, 1000, seed=0)
    assert score == pytest.approx(0.5, abs=0.1)
    assert np.isnan([low, high]).all()
