"""Tests of pairs against SciPy, statsmodels' formulae written out, and simulations where the answer is known."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control

from ventral.statistics.comparisons import (
    COLUMNS,
    benjamini_hochberg,
    centred_on,
    comparisons_of,
    corrected_scores,
    interval_and_p,
    stepdown,
)
from ventral.statistics.contrasts import holm_adjusted

P_VALUES = st.lists(st.floats(0.001, 1), min_size=1, max_size=12).map(np.array)


@given(p=P_VALUES)
def test_benjamini_hochberg_is_that_of_scipy(p):
    np.testing.assert_allclose(benjamini_hochberg(p), false_discovery_control(p, method="bh"))


@given(p=P_VALUES)
def test_holm_rejects_what_its_procedure_rejects(p):
    adjusted = holm_adjusted(p)
    for level in (0.01, 0.05, 0.3):
        # The procedure itself: go up through the sorted p while p_(k) <= level / (m - k).
        rejected = np.zeros(len(p), bool)
        for k, index in enumerate(np.argsort(p, kind="stable")):
            # At the level itself, rounding must not decide.
            if p[index] > level * (1 + 1e-12) / (len(p) - k):
                break
            rejected[index] = True
        np.testing.assert_array_equal(adjusted <= level * (1 + 1e-12), rejected)


def test_p_is_the_level_at_which_the_interval_reaches_zero():
    rng = np.random.default_rng(0)
    differences = rng.normal(np.array([[0.0], [1.0], [-2.0], [9.0]]), 1, size=(4, 999))
    low, high, p = interval_and_p(differences)
    for k, row in enumerate(differences):
        beyond = min(sum(value <= 0 for value in row), sum(value >= 0 for value in row))
        assert p[k] == min(1, 2 * (beyond + 1) / 1000)
        np.testing.assert_allclose([low[k], high[k]], np.percentile(row, [2.5, 97.5]))
    # No number of resamples shows that a difference never occurs.
    assert p[3] == 2 / 1000


@pytest.mark.filterwarnings("error")
def test_resamples_that_say_nothing_are_not_counted():
    differences = np.array([[1.0, 2.0, np.nan, 3.0], [np.nan] * 4, [0.0] * 4])
    low, high, p = interval_and_p(differences)
    assert p[0] == 2 / 4
    assert np.isnan([low[1], high[1], p[1]]).all()
    assert p[2] == 1


def stepdown_by_loops(observed, differences):
    m, n_bootstrap = differences.shape
    spread = differences.std(axis=1)
    statistic = np.abs(observed) / spread
    adjusted, so_far = np.empty(m), 0.0
    left = list(range(m))
    while left:
        top = max(left, key=lambda k: statistic[k])
        count = 0
        for b in range(n_bootstrap):
            largest = max(abs(differences[k, b] - observed[k]) / spread[k] for k in left)
            count += largest >= statistic[top]
        so_far = max(so_far, (count + 1) / (n_bootstrap + 1))
        adjusted[top] = so_far
        left.remove(top)
    return adjusted


@given(seed=st.integers(0, 10_000), m=st.integers(1, 6))
def test_stepdown_is_the_definition_by_loops(seed, m):
    rng = np.random.default_rng(seed)
    observed = rng.normal(size=m) * 2
    differences = observed[:, None] + rng.normal(size=(m, 40)) + rng.normal(size=40)
    np.testing.assert_allclose(stepdown(observed, differences), stepdown_by_loops(observed, differences))


def test_stepdown_of_many_copies_of_one_pair_costs_nothing():
    rng = np.random.default_rng(0)
    one = 3 + rng.normal(size=(1, 999))
    alone = stepdown(np.array([3.0]), one)
    assert stepdown(np.full(200, 3.0), np.repeat(one, 200, axis=0)) == pytest.approx(alone[0])


def test_any_false_rejection_is_as_rare_as_stated():
    rng = np.random.default_rng(1)
    false = 0
    for _ in range(200):
        # Means of 40 samples of eight variables without any difference, and their bootstrap.
        samples = rng.normal(size=(40, 8))
        drawn = rng.multinomial(40, np.full(40, 1 / 40), size=300) @ samples / 40
        false += (stepdown(samples.mean(axis=0), drawn.T) < 0.05).any()
    assert 0.01 < false / 200 < 0.1


def test_corrected_scores_are_of_neurons_without_a_part_in_the_choice():
    first, second = np.random.default_rng(0).normal(size=(2, 4, 30))
    expected = [(second[np.argmax(first[:, b]), b] + first[np.argmax(second[:, b]), b]) / 2 for b in range(30)]
    np.testing.assert_allclose(corrected_scores(first, second), expected)


def bootstraps(n_bootstrap=200):
    """Two models of three layers and one of one, in two panels; layers 0 and 1 of each are the same."""
    rng = np.random.default_rng(0)
    rows = []
    for split in ("stimuli", "objects"):
        for model, levels in (("good", [0.5, 0.5, 0.8]), ("bad", [0.2, 0.2, 0.3]), ("single", [0.25])):
            for k, level in enumerate(levels):
                noise = np.random.default_rng(k).normal(0, 0.02, n_bootstrap) * (k == 2)
                rows.append(
                    {"model": model, "family": "trained", "recording": "rec", "layer": str(k), "depth": k / 2}
                    | {
                        "area": "V4",
                        "time_bin": "",
                        "split": split,
                        "mapping": "ridge",
                        "n_neuroids": 9,
                        "median": level,
                    }
                    | {
                        name: (level + noise + rng.normal(0, 1e-3, n_bootstrap) * (name != "medians")).astype("f4")
                        for name in ("medians", "first_halves", "second_halves")
                    }
                )
    best = pd.DataFrame(
        [
            {"recording": "rec", "area": "V4", "time_bin": "", "split": split, "mapping": "ridge", "model": model}
            | {"best_layer": layer, "corrected": score}
            for split in ("stimuli", "objects")
            for model, layer, score in (("good", "2", 0.79), ("bad", "2", 0.29), ("single", "0", 0.25))
        ]
    )
    return pd.DataFrame(rows), best


def test_every_pair_is_there_once_with_its_test():
    table = comparisons_of(*bootstraps())
    assert list(table.columns) == COLUMNS
    layers = table.query("compared == 'layers' and split == 'stimuli' and model_a == 'good'").set_index(
        ["layer_a", "layer_b"]
    )
    assert list(layers.index) == [("0", "1"), ("0", "2"), ("1", "2")]
    assert layers.loc[("0", "2"), "difference"] == pytest.approx(-0.3)
    assert layers.loc[("0", "2"), "p"] == 2 / 201
    assert layers.loc[("0", "2"), "p_holm"] == pytest.approx(3 * 2 / 201)
    assert layers["differs"].tolist() == [False, True, True]
    assert layers.loc[("0", "1"), ["difference", "p", "p_holm", "p_stepdown", "q"]].tolist() == [0, 1, 1, 1, 1]
    models = table.query("compared == 'models' and split == 'stimuli'")
    assert list(zip(models["model_a"], models["model_b"], strict=True)) == [
        ("bad", "good"),
        ("bad", "single"),
        ("good", "single"),
    ]
    assert models["difference"].tolist() == pytest.approx([-0.5, 0.04, 0.54])
    assert (models["layer_a"].tolist(), models["layer_b"].tolist()) == (["2", "2", "2"], ["2", "0", "0"])
    assert (table["n_comparisons"] == 3).all()
    assert len(table) == 2 * (3 + 3 + 3)


def test_intervals_of_models_lie_around_the_difference_that_is_printed():
    resampled, best = bootstraps()
    moved = best.assign(corrected=best["corrected"] - 0.2 * (best["model"] == "good"))
    before, after = (comparisons_of(resampled, table).query("compared == 'models'") for table in (best, moved))
    # Resamples of `good` lie around 0.8, whatever its score.
    change = np.where(after["model_b"] == "good", 0.2, np.where(after["model_a"] == "good", -0.2, 0))
    for column in ("difference", "low", "high"):
        np.testing.assert_allclose(after[column] - before[column], change, atol=1e-6)
    assert ((after["low"] < after["difference"]) & (after["difference"] < after["high"])).all()


def test_scores_that_no_resample_has_stay_unknown():
    assert np.isnan(centred_on(np.full(3, np.nan), 0.5)).all()
    np.testing.assert_allclose(centred_on(np.array([0.2, np.nan, 0.4]), 0.5), [0.4, np.nan, 0.6])


def test_too_few_resamples_for_holm_are_named(caplog):
    comparisons_of(*bootstraps(100))
    assert "100 resamples of 3 comparisons" in caplog.text
    assert "set `bootstrap: 120` for values below 0.05" in caplog.text
    caplog.clear()
    comparisons_of(*bootstraps(200))
    assert not caplog.text


def test_nothing_to_compare_is_a_table_without_rows():
    resampled, best = bootstraps()
    table = comparisons_of(resampled[resampled["model"] == "single"], best[best["model"] == "single"])
    assert table.empty
    assert list(table.columns) == COLUMNS
