"""The best layer, chosen on one half of the neurons and scored on the other, against loops and where it is known."""

import numpy as np
import pandas as pd
import pytest

from tests.unit.synthetic_scores import matrix_table, score_table
from ventral.statistics.best_layers import COLUMNS, best_layers, best_layers_of, chosen_and_scored, halves_of
from ventral.statistics.summaries import area_summary


def by_loops(values, n_splits, seed):
    """The definition for values (layers, neurons), one half at a time."""
    scored, apparent, chosen = [], [], []
    for first in halves_of(values.shape[1], n_splits, seed):
        for choosing, scoring in ((first, ~first), (~first, first)):
            best = int(np.argmax([np.median(layer[choosing]) for layer in values]))
            chosen.append(best)
            apparent.append(np.median(values[best][choosing]))
            scored.append(np.median(values[best][scoring]))
    share = np.bincount(chosen, minlength=len(values)) / len(chosen)
    return np.mean(scored), np.mean(apparent) - np.mean(scored), share


@pytest.mark.parametrize(("n", "repetitions"), [(9, True), (8, False)])
def test_equals_the_definition_by_loops(n, repetitions):
    scores = score_table({"net": 5, "other": 2}, {"V4": n}, ["stimuli", "objects"], repetitions=repetitions)
    table = best_layers_of(scores, 0.0, n_splits=20, seed=4)
    assert list(table.columns) == COLUMNS
    assert len(table) == 4
    measure = "predictivity" if repetitions else "r"
    for _, row in table.iterrows():
        rows = scores[(scores["model"] == row["model"]) & (scores["split"] == row["split"])]
        values = rows.pivot(index=["depth", "layer"], columns="target", values=measure)
        corrected, optimism, share = by_loops(values.to_numpy(), 20, seed=4)
        medians = values.median(axis=1)
        assert row["measure"] == measure
        assert row["maximum"] == pytest.approx(medians.max())
        assert (row["best_depth"], row["best_layer"]) == medians.idxmax()
        assert row["corrected"] == pytest.approx(corrected)
        assert row["optimism"] == pytest.approx(optimism)
        assert row["share_chosen"] == pytest.approx(share[medians.argmax()])
        said = dict(part.rsplit(" ", 1) for part in row["chosen"].split(", "))
        layers = values.index.get_level_values("layer")
        assert {layer: float(number) for layer, number in said.items()} == pytest.approx(
            {layer: number for layer, number in zip(layers, share, strict=True) if number}, abs=6e-4
        )


def noise(n_layers, n, seed):
    """Scores of layers that are all equally good: 0.5 and noise."""
    values = np.random.default_rng(seed).normal(0.5, 0.2, size=(n_layers, n))
    rows = [
        {"model": "net", "family": "trained", "layer": str(k), "depth": k, "recording": "rec", "area": "V4"}
        | {"time_bin": "", "target": f"n{j}", "target_kind": "neuron", "split": "stimuli", "mapping": "ridge"}
        | {"r": values[k, j], "reliability": 1.0, "predictivity": values[k, j]}
        for k in range(n_layers)
        for j in range(n)
    ]
    return pd.DataFrame(rows)


def test_the_maximum_over_equal_layers_flatters_and_the_corrected_score_does_not():
    tables = [best_layers_of(noise(15, 20, seed), 0.1, n_splits=50, seed=0) for seed in range(40)]
    maximum, corrected, optimism = (
        np.mean([table[column].iloc[0] for table in tables]) for column in ("maximum", "corrected", "optimism")
    )
    assert maximum > 0.55
    assert corrected == pytest.approx(0.5, abs=0.015)
    assert optimism > 0.05


def test_a_single_layer_has_no_optimism():
    row = best_layers_of(score_table({"pixels": 1}, {"V4": 11}), 0.1, seed=0).iloc[0]
    assert row["optimism"] == pytest.approx(0, abs=1e-12)
    assert (row["share_chosen"], row["chosen"]) == (1, "blocks.0 1.000")


def test_a_layer_that_is_clearly_best_is_chosen_by_all_halves():
    scores = noise(4, 12, 0)
    scores.loc[scores["layer"] == "2", "predictivity"] += 5
    row = best_layers_of(scores, 0.1, seed=0).iloc[0]
    assert (row["best_layer"], row["share_chosen"], row["chosen"]) == ("2", 1, "2 1.000")
    assert row["corrected"] == pytest.approx(row["maximum"], abs=0.05)


def test_the_maximum_is_that_of_the_area_summary_and_unreliable_neurons_are_left_out():
    scores = score_table({"net": 4, "pixels": 1}, {"V4": 15, "IT": 9})
    threshold = float(scores["reliability"].median())
    table = best_layers_of(scores, threshold, seed=0).set_index(["area", "model"])
    summary = area_summary(
        scores.assign(distance="", comparison="", ceiling_low=np.nan, ceiling_high=np.nan),
        threshold,
        n_bootstrap=1000,
        seed=0,
    )
    best = summary.groupby(["area", "model"])["predictivity"].max()
    pd.testing.assert_series_equal(table["maximum"], best[table.index], check_names=False)
    assert (table.loc["V4", "n_neuroids"] < 15).all()


@pytest.mark.filterwarnings("error")
def test_one_neuron_has_no_halves():
    row = best_layers_of(score_table({"net": 3}, {"V4": 1}), 0.1, seed=0).iloc[0]
    assert np.isfinite(row["maximum"])
    assert np.isnan(row[["corrected", "optimism", "share_chosen"]].astype(float)).all()
    assert row["chosen"] == ""


def test_matrices_have_no_neurons_to_halve():
    assert best_layers_of(matrix_table({"net": 3}, {"IT": 3}), 0.1, seed=0).empty


def test_a_sample_without_any_score_chooses_nothing():
    chosen, apparent, scored = chosen_and_scored(
        np.array([[np.nan, 1.0], [np.nan, 2.0]]), np.array([[3.0, 4.0], [5.0, 6.0]])
    )
    assert chosen.tolist() == [-1, 1]
    np.testing.assert_array_equal(apparent, [np.nan, 2])
    np.testing.assert_array_equal(scored, [np.nan, 6])


def test_the_order_of_rows_does_not_matter(tmp_path):
    scores = score_table({"a": 3, "b": 2}, {"V4": 9}, ["stimuli", "objects"])
    for k, rows in enumerate((scores, scores[::-1])):
        rows.to_parquet(tmp_path / f"{k}.parquet")
        best_layers(tmp_path / f"{k}.parquet", tmp_path / f"{k}.csv", 0.1, seed=0)
    assert (tmp_path / "0.csv").read_bytes() == (tmp_path / "1.csv").read_bytes()


def test_a_recorded_area_is_no_model():
    scores = score_table({"net": 3, "rec": 2}, {"V4": 5})
    scores.loc[scores["model"] == "rec", "family"] = "recorded"
    assert best_layers_of(scores, 0.1, seed=0)["model"].tolist() == ["net"]
