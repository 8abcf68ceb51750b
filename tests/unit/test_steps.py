"""Steps of recurrent networks over time: matched on other neurons, timed by a rule, and their order."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.order_of_steps import falls, rises, trend_of_teacher
from ventral.configuration.resolution import resolve
from ventral.errors import InputError
from ventral.figures.over_time import times_of_steps
from ventral.models.layer_names import step_of
from ventral.statistics.bootstrap import write_bootstraps
from ventral.statistics.claimed import Evidence, later_steps_predict_later
from ventral.statistics.steps import (
    COLUMNS,
    ORDER,
    best_steps,
    matched_scores,
    order_of_steps,
    step_at,
    steps_over_time,
    trend,
    trend_with_interval,
)

BINS = ["0-20", "20-40", "40-60"]
STEPS = np.array([1, 2, 4])
# Scores of steps 1, 2 and 4 (rows) in each bin: an early bin of early steps, and a late one of late steps.
RISING = np.array([[0.6, 0.4, 0.3], [0.5, 0.5, 0.4], [0.2, 0.4, 0.6]])
SAME = np.outer([0.2, 0.3, 0.5], [0.1, 0.5, 1.0])


@pytest.mark.parametrize("scores", [RISING, RISING[::-1], SAME])
def test_the_trend_is_the_least_squares_fit_of_its_formula(scores):
    """By an independent solver, of the slopes over steps on level and level times bin."""
    levels = scores.mean(axis=0)
    slopes = np.array([np.polyfit(STEPS, column, 1)[0] for column in scores.T])
    design = np.stack([levels, levels * np.arange(3)], axis=1)
    assert trend(scores, STEPS) == pytest.approx(np.linalg.lstsq(design, slopes, rcond=None)[0][1], abs=1e-12)


def test_the_trend_is_nothing_if_all_bins_prefer_the_same_steps():
    assert trend(SAME, STEPS) == pytest.approx(0, abs=1e-12)
    assert trend(RISING, STEPS) > 0.1
    assert trend(RISING[:, ::-1], STEPS) == pytest.approx(-trend(RISING, STEPS))


def test_a_bin_that_nothing_predicts_has_no_weight():
    dead = np.concatenate([np.zeros((3, 1)), RISING], axis=1)
    assert trend(dead, STEPS) == pytest.approx(trend(RISING, STEPS))


def test_the_trends_of_resamples_are_those_of_each():
    resampled = RISING[:, :, None] + 0.05 * np.random.default_rng(0).normal(size=(3, 3, 20))
    single = [trend(resampled[:, :, k], STEPS) for k in range(20)]
    np.testing.assert_allclose(trend(resampled, STEPS), single)
    found = trend_with_interval(RISING, resampled, STEPS)
    assert (found["low"], found["high"]) == pytest.approx(tuple(np.percentile(single, [2.5, 97.5])))
    assert found["p"] == pytest.approx(2 * (sum(value <= 0 for value in single) + 1) / 21)


def test_without_a_known_resample_there_is_no_interval():
    found = trend_with_interval(RISING, np.full((3, 3, 5), np.nan), STEPS)
    assert found["trend"] > 0
    assert np.isnan([found["low"], found["high"], found["p"]]).all()


def test_a_recurrent_teacher_has_an_order_and_a_feed_forward_teacher_has_none():
    """The noise of responses falls from bin to bin, and the first bin has no signal."""
    assert all(rises(trend_of_teacher(seed, recurrent=True)) for seed in range(3))
    found = [trend_of_teacher(seed, recurrent=False) for seed in range(20)]
    # Of 20 experiments, 4 or more are false with a probability below 2 % if 5 % are false.
    assert sum(rises(of) or falls(of) for of in found) < 4


def test_the_best_step_has_its_own_number():
    scores = np.array([[0.1, 0.5, np.nan], [0.3, np.nan, np.nan], [0.2, 0.4, np.nan]])
    np.testing.assert_array_equal(best_steps(scores, STEPS), [2, 1, np.nan])


def test_matched_scores_are_of_the_neurons_that_did_not_choose():
    rng = np.random.default_rng(1)
    first, second = rng.normal(size=(2, 3, 4))
    expected = [(second[first[:, k].argmax(), k] + first[second[:, k].argmax(), k]) / 2 for k in range(4)]
    np.testing.assert_allclose(matched_scores(first, second), expected)
    # Noise alone gains nothing by the choice.
    noise = rng.normal(size=(2, 5, 4000))
    assert matched_scores(*noise).mean() == pytest.approx(0, abs=0.05)
    assert noise.max(axis=1).mean() > 1


@pytest.mark.parametrize(("time", "step"), [(69, np.nan), (70, 1), (89.9, 1), (90, 2), (130, 4)])
def test_steps_have_times_by_the_rule(time, step):
    assert step_at(time, {"start": 70, "width": 20}) == pytest.approx(step, nan_ok=True)
    assert np.isnan(step_at(time, None))


@pytest.mark.parametrize(("name", "step"), [("V4", None), ("V4@3", 3), ("V4@12@cls", 12), ("V4@cls", None)])
def test_the_step_is_in_the_name_of_a_layer(name, step):
    assert step_of(name) == step


def rows(layer: str, scores, spread: float = 0.01, **place) -> list[dict]:
    """Resampled medians of a layer in each bin."""
    rng = np.random.default_rng(len(layer))
    made = []
    for time_bin, score in zip(BINS, scores, strict=True):
        row = {"model": "net", "family": "trained", "recording": "simulated_rec", "layer": layer, "depth": 0.5}
        row |= {"area": "IT", "time_bin": time_bin, "split": "stimuli", "mapping": "ridge"} | place
        halves = {
            name: (score + spread * rng.normal(size=100)).astype(np.float32)
            for name in ("medians", "first_halves", "second_halves")
        }
        made.append(row | {"n_neuroids": 9, "median": score} | halves)
    return made


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """Steps 1, 2 and 4 of a module, a layer that runs once, and both again in an area whose bins are all alike."""
    path = tmp_path_factory.mktemp("steps") / "bootstraps.parquet"
    table = rows("early", [0.3, 0.3, 0.3]) + rows("early", [0.1, 0.1, 0.1], time_bin="baseline")[:1]
    for area, scores in (("IT", RISING), ("V4", SAME), ("V1", RISING[::-1])):
        for step, of_step in zip(STEPS, scores, strict=True):
            table += rows(f"late@{step}", of_step, area=area)
    write_bootstraps(pd.DataFrame(table), path)
    return path


def test_each_bin_has_its_best_step_and_the_matched_and_timed_scores(path, tmp_path):
    steps_over_time([path], tmp_path / "table.csv", {"net": {"start": 0, "width": 20}})
    table = pd.read_csv(tmp_path / "table.csv")
    assert list(table.columns) == COLUMNS
    late = table[(table["area"] == "IT") & (table["layer"] == "late")].set_index("time_bin").loc[BINS]
    assert late["n_steps"].tolist() == [3, 3, 3]
    assert late["best_step"].tolist() == [1, 2, 4]
    assert late["best"].tolist() == [0.6, 0.5, 0.6]
    assert late["matched"].to_numpy() == pytest.approx([0.6, 0.5, 0.6], abs=0.01)
    assert (late["matched_low"] < late["matched"]).all()
    # Step 3, which the rule has in the last bin, was not scored.
    np.testing.assert_array_equal(late["timed_step"], [1, 2, np.nan])
    assert late["timed"].iloc[:2].tolist() == [0.6, 0.5]
    assert late.loc[BINS[2], ["timed", "timed_low", "timed_high"]].isna().all()


def test_a_resample_without_a_score_does_not_hide_the_matched_score(tmp_path):
    table = pd.DataFrame(rows("late@1", [0.1] * 3) + rows("late@2", [0.4] * 3))
    for column in ("first_halves", "second_halves"):
        table.at[0, column][7] = table.at[3, column][7] = np.nan
    write_bootstraps(table, tmp_path / "bootstraps.parquet")
    steps_over_time([tmp_path / "bootstraps.parquet"], tmp_path / "table.csv", {})
    assert pd.read_csv(tmp_path / "table.csv")["matched"].to_numpy() == pytest.approx([0.4] * 3, abs=0.02)


def test_a_layer_that_runs_once_has_one_step(path, tmp_path):
    steps_over_time([path], tmp_path / "table.csv", {})
    early = pd.read_csv(tmp_path / "table.csv").query("layer == 'early'")
    assert early["time_bin"].tolist() == BINS
    assert (early[["n_steps", "best_step", "timed_step"]] == 1).all(axis=None)
    assert early["timed"].tolist() == early["best"].tolist() == [0.3] * 3
    assert early["matched"].to_numpy() == pytest.approx(0.3, abs=0.01)


def test_the_order_is_found_where_there_is_one(path, tmp_path):
    order_of_steps([path], tmp_path / "table.csv")
    table = pd.read_csv(tmp_path / "table.csv").set_index("area")
    assert list(table.reset_index()[ORDER].columns) == ORDER
    assert (table["layer"] == "late").all()
    assert table["slope"].to_dict() == pytest.approx({"IT": 1.5, "V4": 0, "V1": -1.5}, abs=1e-9)
    assert table.loc["IT", "low"] > 0 > table.loc["V1", "high"]
    assert table.loc["V4", "low"] < 0 < table.loc["V4", "high"]
    assert table["p"].between(0, 1).all()
    assert table.loc["IT", "p"] < 0.05 < table.loc["V4", "p"]


def test_the_claim_has_three_verdicts(path, tmp_path):
    order_of_steps([path], tmp_path / "table.csv")
    evidence = Evidence(influences=None, accuracies=None, seed=0, order_of_steps=pd.read_csv(tmp_path / "table.csv"))
    found = {finding.area: finding for finding in later_steps_predict_later("later steps of {layer}", evidence)}
    verdicts = {area: finding.verdict for area, finding in found.items()}
    assert verdicts == {"IT": "holds", "V4": "undecided", "V1": "fails"}
    assert found["IT"].claim == "later steps of late"
    assert found["IT"].evidence == "3 steps in 3 bins; the best step changes by 1.50 a bin"


def test_without_recurrent_networks_tables_have_no_rows(tmp_path):
    steps_over_time([], tmp_path / "steps.csv", {})
    order_of_steps([], tmp_path / "order.csv")
    assert list(pd.read_csv(tmp_path / "steps.csv").columns) == COLUMNS
    assert len(pd.read_csv(tmp_path / "order.csv")) == 0


def test_the_figure_has_the_times_of_steps():
    table = pd.DataFrame({"model": ["net", "net", "other"], "layer": ["V4@1", "V4@3", "V4@2"]})
    table = times_of_steps(table, {"net": {"start": 70, "width": 20}})
    assert table["step"].tolist() == [1, 3, 2]
    assert table["step_start"].tolist()[:2] == [70, 110]
    assert table["step_end"].tolist()[:2] == [90, 130]
    assert table["step_start"].isna().tolist() == [False, False, True]


def test_times_of_an_unknown_model_are_refused():
    config = {
        "stimuli": {"mine": {"images": "x"}},
        "recordings": {"r": {"stimuli": "mine", "responses": "r.npy", "area": "IT"}},
        "models": ["pixels"],
        "steps": {"pixls": {"start": 0, "width": 10}},
    }
    with pytest.raises(InputError, match=r"steps: no model is called 'pixls'.*`pixels`"):
        resolve(config)
