"""Medians, intervals and correlations, against brute force and SciPy."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import pearsonr
from scipy.stats import t as student_t

from benchmarks.null_experiments import RELIABILITY, layers_of_quality
from tests.unit.synthetic_scores import matrix_table, score_table
from ventral.errors import InputError
from ventral.mappings.correlation import sums_within_folds
from ventral.recordings.noise import noise_of
from ventral.scores.table import write_table
from ventral.statistics.influence import layer_estimates
from ventral.statistics.summaries import (
    area_summary,
    bootstrap_medians,
    categorisation_summary,
    models_by_predictivity,
    read_scores,
)
from ventral.targets.ceilings import HALVES
from ventral.targets.reliability import reliability_within_folds
from ventral.targets.selection import reliability_of_half, score_of_chosen


@given(n=st.integers(1, 9), missing=st.integers(0, 3), seed=st.integers(0, 99))
def test_bootstrap_medians_are_medians_of_samples_drawn_with_replacement(n, missing, seed):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(2, n))
    values[0, :missing] = np.nan
    counts = np.random.default_rng(3).multinomial(n, np.full(n, 1 / n), size=20)
    medians = bootstrap_medians(values, 20, seed=3)
    for k, of_layer in enumerate(values):
        for b, count in enumerate(counts):
            sample = np.repeat(of_layer, count)
            sample = sample[np.isfinite(sample)]
            expected = np.median(sample) if len(sample) else np.nan
            np.testing.assert_allclose(medians[k, b], expected)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("accuracies", "n"), [([0.1, 0.2, np.nan], 2), ([0.5, 0.5, 0.5], 3)])
def test_no_correlation_of_too_few_or_constant_points(accuracies, n):
    scores = score_table({"net": 3}, labels={"object": 0.125})
    scores.loc[scores["target"] == "object", "balanced_accuracy"] = accuracies
    points = categorisation_summary(scores, area_summary(scores, 0.1, n_bootstrap=20, seed=0))
    assert (points["n_points"] == n).all()
    assert points["correlation"].isna().all()


def half_table(n=60, neurons=40, noise=4.0):
    """Scores of predictions that are the noiseless rates, of neurons of which some have no positive reliability."""
    rng = np.random.default_rng(3)
    rates, folds = rng.normal(size=(n, neurons)), np.split(rng.permutation(n), 5)
    trials = noise_of(rates + noise * rng.normal(size=(4, n, neurons)), blocks=True)
    sums = sums_within_folds(rates, trials.means, folds)
    table = pd.DataFrame({"target": [f"n{k}" for k in range(neurons)], "r": sums.pooled().r[0]})
    table["reliability"] = reliability_within_folds(trials, folds).rho
    for first, half in enumerate(("even", "odd")):
        table[f"r_{half}"] = sums.pooled(slice(first, None, 2)).r[0]
        table[f"reliability_{half}"] = reliability_of_half(trials, folds, first)
    table["predictivity"] = table["r"] / np.sqrt(table["reliability"].where(table["reliability"] > 0))
    of = score_table({"net": 1}, {"V4": neurons}).drop(columns=table.columns)
    return pd.concat([of, table], axis=1), (sums, trials, np.ones((n, neurons), dtype=bool), folds)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("threshold", [0.0, 0.3])
def test_neurons_are_chosen_on_other_folds_than_those_they_are_scored_on(threshold):
    scores, arrays = half_table()
    expected = score_of_chosen(*arrays, threshold)
    summary = area_summary(scores.sample(frac=1, random_state=1), threshold, n_bootstrap=200, seed=0)
    row = summary.iloc[0]
    assert row["predictivity"] == pytest.approx(expected.median)
    assert row["summed"] == pytest.approx(
        np.sqrt((scores["r"] * scores["r"].abs()).sum() / scores["reliability"].sum())
    )
    assert row["n_unreliable"] == expected.n_unreliable > 0
    rho = scores[["reliability_even", "reliability_odd"]]
    taken = ((rho >= threshold) & (rho > 0)).any(axis=1)
    assert row["n_neuroids"] == taken.sum()
    assert row["n_neuroids"] + row["n_left_out"] == 40
    assert row["r"] == pytest.approx(scores["r"][taken].median())
    assert row["has_ceiling"]


def test_the_interval_is_that_of_the_number():
    """Of every bootstrap sample, the same two medians, one sample at a time."""
    scores, _ = half_table(noise=2.5)
    row = area_summary(scores, 0.3, n_bootstrap=50, seed=7).iloc[0]
    taken = {half: scores[f"reliability_{half}"] >= 0.3 for half in HALVES}
    members = scores[taken["even"] | taken["odd"]].sort_values("target")
    medians, n = [], len(members)
    for count in np.random.default_rng(7).multinomial(n, np.full(n, 1 / n), size=50):
        sample, of_sample = members.iloc[np.repeat(np.arange(n), count)], []
        for scoring, choosing in (HALVES, HALVES[::-1]):
            chosen = sample[sample[f"reliability_{choosing}"] >= 0.3]
            rho = chosen[f"reliability_{scoring}"].to_numpy()
            with np.errstate(divide="ignore"):
                of_sample.append(np.median(chosen[f"r_{scoring}"] / np.sqrt(np.maximum(rho, 0))))
        medians.append(np.mean(of_sample))
    assert [row["predictivity_low"], row["predictivity_high"]] == pytest.approx(np.percentile(medians, [2.5, 97.5]))
    counts = np.random.default_rng(7).multinomial(40, np.full(40, 1 / 40), size=50)
    by_name = scores.sort_values("target")
    summed = [
        np.sqrt((count * by_name["r"] * by_name["r"].abs()).sum() / (count * by_name["reliability"]).sum())
        for count in counts
    ]
    assert [row["summed_low"], row["summed_high"]] == pytest.approx(np.percentile(summed, [2.5, 97.5]))


@pytest.mark.filterwarnings("error")
def test_where_most_neurons_have_no_positive_reliability_there_is_no_median():
    scores, _ = half_table()
    scores["reliability_odd"] = -0.1
    row = area_summary(scores, 0.0, n_bootstrap=50, seed=0).iloc[0]
    assert row[["predictivity", "predictivity_low", "predictivity_high"]].isna().all()
    assert np.isfinite(row["summed"])
    nobody = area_summary(scores, 0.99, n_bootstrap=50, seed=0).iloc[0]
    assert (nobody["n_neuroids"], nobody["n_left_out"]) == (0, 40)
    assert nobody[["predictivity", "r"]].isna().all()


def test_without_repetitions_there_is_no_ceiling_and_every_neuron_counts():
    summary = area_summary(score_table({"net": 2}, {"V4": 6}, repetitions=False), 0.5, n_bootstrap=1000, seed=0)
    assert not summary["has_ceiling"].any()
    assert summary[["predictivity", "summed"]].isna().all(axis=None)
    assert (summary["n_neuroids"] == 6).all()
    assert (summary["n_unreliable"] == 0).all()
    assert summary[["r", "r_low", "r_high"]].notna().all(axis=None)


def test_a_matrix_is_its_areas_and_has_an_interval_over_stimuli_where_its_error_is_known():
    scores = matrix_table({"net": 2}, {"V1": 1, "IT": 1})
    summary = area_summary(scores, 0.5, n_bootstrap=1000, seed=0)
    assert not summary["has_ceiling"].any()
    assert (summary["n_neuroids"] == 1).all()
    assert summary["predictivity"].isna().all()
    assert (summary["r_low"] < summary["r"]).all()
    unknown = area_summary(scores.assign(r_error=np.nan), 0.5, n_bootstrap=1000, seed=0)
    assert unknown[["r_low", "r_high"]].isna().all(axis=None)
    expected = scores.set_index(["area", "layer"])["r"]
    found = summary.set_index(["area", "layer"])["r"]
    pd.testing.assert_series_equal(found, expected[found.index])


def test_the_order_of_rows_does_not_matter():
    scores = score_table({"a": 3, "b": 2}, {"V4": 9}, ["stimuli", "objects"])
    pd.testing.assert_frame_equal(
        area_summary(scores, 0.1, n_bootstrap=1000, seed=0), area_summary(scores[::-1], 0.1, n_bootstrap=1000, seed=0)
    )


def test_a_models_best_layer_is_marked_and_its_accuracy_stands_beside_it():
    scores = score_table({"a": 4, "b": 3}, {"V4": 9}, labels={"object": 0.125})
    points = categorisation_summary(scores, area_summary(scores, 0.1, n_bootstrap=1000, seed=0))
    for _, rows in points.groupby("model"):
        best = rows[rows["best_layer"]]
        assert best["predictivity"].tolist() == [rows["predictivity"].max()]
    accuracies = scores[scores["target"] == "object"].set_index(["model", "layer"])["balanced_accuracy"]
    found = points.set_index(["model", "layer"])["balanced_accuracy"]
    pd.testing.assert_series_equal(found, accuracies[found.index])
    assert (points["chance"] == 0.125).all()
    assert (points["n_points"] == 7).all()
    expected = pearsonr(points["balanced_accuracy"], points["predictivity"]).statistic
    np.testing.assert_allclose(points["correlation"], expected)


def test_runs_of_a_module_come_by_their_number(tmp_path):
    scores = score_table({"net": 12}, labels={"object": 0.125})
    runs = scores["layer"].str.removeprefix("blocks.").astype(int) + 1
    scores = scores.assign(depth=0.5, layer=[f"V4@{run}@cls" for run in runs]).sample(frac=1, random_state=1)
    in_order = [f"V4@{run}@cls" for run in range(1, 13)]
    summary = area_summary(scores, 0.1, n_bootstrap=20, seed=0)
    assert summary["layer"].tolist() == in_order
    assert categorisation_summary(scores, summary)["layer"].tolist() == in_order
    write_table(scores.assign(n_stimuli=40, n_features=9, n_folds=5, n_leaked=0, simulated=False), tmp_path / "scores")
    assert read_scores(tmp_path / "scores")["layer"].unique().tolist() == in_order


def test_models_come_in_the_order_of_their_best_layer():
    summary = pd.DataFrame({"model": ["a", "a", "b"], "predictivity": [0.1, 0.3, 0.5], "r": [0.1, 0.2, 0.3]})
    assert models_by_predictivity(summary) == ["b", "a"]


def test_layers_that_predict_together_are_no_layers_of_a_profile(tmp_path):
    scores = score_table({"net": 2})
    together = scores.assign(mapping="banded", layer="a + b", depth=np.nan)
    pd.concat([scores, together]).to_parquet(tmp_path / "scores.parquet")
    assert set(read_scores(tmp_path / "scores.parquet")["mapping"]) == {"ridge"}


def test_tables_that_are_no_score_tables(tmp_path):
    path = tmp_path / "scores.parquet"
    with pytest.raises(InputError, match=r"scores.parquet: the file is missing"):
        read_scores(path)
    scores = score_table({"net": 1}, labels={"object": 0.1})
    scores.drop(columns="r").to_parquet(path)
    with pytest.raises(InputError, match="not a score table: the columns r"):
        read_scores(path)
    scores[scores["target_kind"] == "category"].to_parquet(path)
    with pytest.raises(InputError, match="none with target_kind 'neuron', 'matrix' or 'behaviour'"):
        read_scores(path)


def test_the_best_layers_alone_make_one_point_a_model():
    scores = score_table({f"net{k}": 4 for k in range(6)}, labels={"object": 0.125})
    points = categorisation_summary(scores, area_summary(scores, 0.1, n_bootstrap=1000, seed=0))
    best = points[points["best_layer"]]
    assert (points["models_n_points"] == 6).all()
    expected = np.corrcoef(best["balanced_accuracy"], best["predictivity"])[0, 1]
    np.testing.assert_allclose(points["models_correlation"], expected)
    assert not [column for column in points if "correlation_" in column]


def test_marked_neurons_are_counted_among_those_that_are_taken():
    scores = score_table({"net": 2, "other": 1}, {"V4": 6, "IT": 5}, ["stimuli", "objects"])
    scores["marked"] = scores["target"].isin(["V4_0", "V4_1", "IT_4"]) & (scores["split"] == "stimuli")
    scores["marked"] = scores["marked"].astype("boolean").where(scores["target"] != "V4_5")
    # One of the marked is not taken.
    scores.loc[scores["target"] == "V4_1", ["reliability_even", "reliability_odd"]] = 0.05
    summary = area_summary(scores, 0.1, n_bootstrap=20, seed=0)
    counts = summary.groupby(["area", "split"])["n_marked"].unique().map(list).to_dict()
    assert counts == {("IT", "objects"): [0], ("IT", "stimuli"): [1], ("V4", "objects"): [0], ("V4", "stimuli"): [1]}
    assert (summary.query("area == 'V4'")["n_neuroids"] == 5).all()


def test_marked_matrices_are_counted_among_those_that_are_taken():
    scores = matrix_table({"net": 2}, {"IT": 3}).assign(reliability=0.5, predictivity=0.4)
    scores["marked"] = scores["target"] != "IT_1"
    assert area_summary(scores, 0.1, n_bootstrap=20, seed=0)["n_marked"].eq(2).all()
    scores.loc[scores["target"] == "IT_0", "reliability"] = 0.05
    assert area_summary(scores, 0.1, n_bootstrap=20, seed=0)["n_marked"].eq(1).all()


def subjects_table():
    """Of a matrix of six subjects, and of the first of them alone with another comparison."""
    scores = matrix_table({"net": 3, "other": 1}, {"IT": 6})
    scores["subject"] = scores["target"].str[-1].astype(int) + 1
    scores = scores.assign(target="fmri_IT", ceiling_low=scores["subject"] / 10, ceiling_high=0.9)
    return pd.concat([scores, scores[scores["subject"] == 1].assign(comparison="kendall", r=0.5)], ignore_index=True)


def interval(r, error, freedom):
    """Student's t on Fisher's z scale."""
    half = student_t.ppf(0.975, freedom) * error / (1 - r**2)
    return np.tanh(np.arctanh(r) + half * np.array([-1, 1]))


def test_subjects_are_summarised_by_their_mean_with_an_interval_over_stimuli_and_subjects(tmp_path):
    scores = subjects_table()
    scores.astype({"subject": "Int64"}).to_parquet(tmp_path / "scores.parquet")
    read = read_scores(tmp_path / "scores.parquet")
    assert read["target"].iloc[0] == "fmri_IT, subject 1"
    summary = area_summary(read, 0.1, n_bootstrap=1000, seed=0).set_index(["comparison", "model", "layer"])
    of_layer = scores.query("comparison == 'spearman' and model == 'net' and layer == 'blocks.1'")["r"]
    row = summary.loc[("spearman", "net", "blocks.1")]
    assert row["r"] == pytest.approx(of_layer.mean())
    of_subjects, of_stimuli = of_layer.var(ddof=1) / 6, 0.05**2
    both = of_subjects + of_stimuli
    expected = interval(of_layer.mean(), np.sqrt(both), both**2 / (of_subjects**2 / 5 + of_stimuli**2 / 19))
    np.testing.assert_allclose(row[["r_low", "r_high"]].astype(float), expected)
    assert row["interval_over"] == "stimuli and subjects"
    assert (row["n_neuroids"], row["n_left_out"]) == (6, 0)
    assert row["ceiling_low"] == pytest.approx(0.35)
    assert row["ceiling_high"] == pytest.approx(0.9)
    alone = summary.loc[("kendall", "net", "blocks.1")]
    assert (alone["r"], alone["n_neuroids"], alone["interval_over"]) == (0.5, 1, "stimuli")
    np.testing.assert_allclose(alone[["r_low", "r_high"]].astype(float), interval(0.5, 0.05, 19))


def test_a_matrix_of_an_areas_neuroids_has_a_ceiling_and_an_interval_over_stimuli():
    scores = matrix_table({"net": 2}, {"IT": 1}).assign(reliability=0.8)
    scores["predictivity"] = scores["r"] / np.sqrt(0.8)
    summary = area_summary(scores, 0.1, n_bootstrap=1000, seed=0)
    assert summary["has_ceiling"].all()
    np.testing.assert_allclose(summary["predictivity"], scores["predictivity"])
    expected = [interval(r, 0.05, 19) / np.sqrt(0.8) for r in scores["r"]]
    np.testing.assert_allclose(summary[["predictivity_low", "predictivity_high"]], expected)
    assert summary["ceiling_low"].isna().all()


def test_a_matrix_below_the_threshold_of_reliability_is_left_out_and_counted():
    scores = matrix_table({"net": 2}, {"IT": 1}).assign(reliability=0.3)
    scores["predictivity"] = scores["r"] / np.sqrt(0.3)
    summary = area_summary(scores, 0.4, n_bootstrap=1000, seed=0)
    assert summary[["predictivity", "r_low"]].isna().all(axis=None)
    assert (summary["n_left_out"] == 1).all()
    assert (summary["interval_over"] == "").all()


def test_ten_stimuli_are_less_certain_than_a_hundred_with_the_same_error():
    table = matrix_table({"net": 1}, {"IT": 1})
    few, many = (area_summary(table.assign(n_stimuli=n), 0.1, n_bootstrap=10, seed=0).iloc[0] for n in (10, 100))
    assert few["r_high"] - few["r_low"] > 1.1 * (many["r_high"] - many["r_low"])


PLACE = {"recording": "rec", "area": "V4", "time_bin": "", "split": "stimuli", "mapping": "ridge", "model": "net"}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("reliability", [0.25, np.nan])
def test_a_single_neuron_has_an_interval_over_stimuli(reliability):
    scores = score_table({"net": 1}, {"V4": 1}).assign(
        recording="rec", reliability=reliability, reliability_even=reliability, reliability_odd=reliability
    )
    assert area_summary(scores, 0.1, n_bootstrap=100, seed=0)["r_low"].isna().all()
    errors = errors_of(0.1, layer=scores["layer"].iloc[0], over_ceiling=bool(reliability > 0))
    (row,) = area_summary(scores, 0.1, n_bootstrap=100, seed=0, errors=errors).to_dict("records")
    half = student_t.ppf(0.975, 99) * (0.05 if reliability > 0 else 0.1)
    assert [row["r_low"], row["r_high"]] == pytest.approx([row["r"] - half, row["r"] + half])
    assert row["interval_over"] == "stimuli"


def errors_of(error, n_units=100, over_ceiling=True, unit="stimuli", **place):
    row = PLACE | place | {"unit_error": error, "over_ceiling": over_ceiling, "unit": unit, "n_units": n_units}
    return pd.DataFrame([row])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("over_ceiling", "unit", "n_units"), [(True, "stimuli", 100), (False, "objects", 8)])
def test_errors_of_stimuli_and_of_neurons_add_as_squares(over_ceiling, unit, n_units):
    scores = score_table({"net": 2}, {"V4": 20})
    scores["recording"] = "rec"
    alone = area_summary(scores, 0.1, n_bootstrap=100, seed=0)
    layers = alone["layer"]
    errors = errors_of(0.03, n_units, over_ceiling, unit, layer=layers[0])
    both = area_summary(scores, 0.1, n_bootstrap=100, seed=0, errors=errors)
    pd.testing.assert_series_equal(both.loc[1], alone.loc[1])
    assert both["interval_over"].to_list() == [f"{unit} and neurons", "neurons"]
    root = np.sqrt(scores.groupby("target")["reliability"].first().median())
    of_predictivity = 0.03 if over_ceiling else 0.03 / root
    row, before = both.loc[0], alone.loc[0]
    for measure, error in (("predictivity", of_predictivity), ("r", of_predictivity * root)):
        assert row[measure] == before[measure]
        for end, sign in (("low", -1), ("high", 1)):
            moved = np.hypot(before[f"{measure}_{end}"] - before[measure], student_t.ppf(0.975, n_units - 1) * error)
            assert row[f"{measure}_{end}"] == pytest.approx(row[measure] + sign * moved)
    assert row["summed_low"] == before["summed_low"]


def scores_of_predictions(predictions, responses, folds, reliability):
    sums, n = sums_within_folds(predictions, responses, folds), responses.shape[1]
    table = pd.DataFrame({"target": [f"n{k:02}" for k in range(n)]}).assign(
        reliability=reliability, reliability_even=reliability, reliability_odd=reliability
    )
    for name, part in (("r", slice(None)), ("r_even", slice(0, None, 2)), ("r_odd", slice(1, None, 2))):
        table[name] = sums.pooled(part).r[0]
    table["predictivity"] = table["r"] / np.sqrt(reliability)
    of = score_table({"net": 1}, {"V4": n}).drop(columns=table.columns).assign(recording="rec", layer="layer")
    return pd.concat([of, table], axis=1)


def test_where_neurons_err_alike_only_intervals_over_stimuli_too_hold_the_truth():
    covered = np.zeros(2)
    for seed in range(60):
        rng = np.random.default_rng([7, seed])
        (layer,), responses, folds = layers_of_quality(rng, np.array([0.6]), 200, 50, alike=0.8)
        found = layer_estimates([layer], responses, folds, np.full(50, np.sqrt(RELIABILITY)))
        scores = scores_of_predictions(layer, responses, folds, RELIABILITY)
        for k, errors in enumerate((None, errors_of(np.linalg.norm(found.units), 200, layer="layer"))):
            row = area_summary(scores, 0.1, n_bootstrap=100, seed=0, errors=errors).iloc[0]
            covered[k] += row["predictivity_low"] <= 0.6 <= row["predictivity_high"]
    assert covered[0] < 50
    assert covered[1] >= 56
