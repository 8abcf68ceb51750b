"""What the figure of networks fitted to neurons shows is what their training measured."""

import numpy as np
import pandas as pd
import pytest

from tests.unit.synthetic_scores import score_table
from ventral.figures.fitted import RIDGE, TEST, TRAIN, draw_fitted, fitted, fitted_table, ridge_on_best_layer
from ventral.statistics.best_layers import N_SPLITS, corrected_over_halves, halves_of

CURVE = pd.DataFrame(
    {
        "epoch": [0, 1, 2],
        "train_loss": [np.nan, 1.0, 0.5],
        "train_r V4": [0.0, 0.5, 0.9],
        "test_r V4": [0.0, 0.2, 0.1],
        "train_r IT": [0.1, 0.6, 0.8],
        "test_r IT": [0.0, 0.3, 0.2],
    }
)


@pytest.fixture
def scores() -> pd.DataFrame:
    """Of `net` the family is pretrained, of `other` trained, of `control` checkpoint."""
    return score_table({"net": 3, "other": 3, "control": 3}, {"V4": 9, "IT": 7}, ["stimuli", "objects"])


def neuroids(areas=(("V4", 9), ("IT", 7))) -> pd.DataFrame:
    """What a network predicts: all neuroids of the score table, but for the first of V4, of which it has no r."""
    names = [(f"{area}_{k}", area) for area, n in areas for k in range(n)]
    table = pd.DataFrame(names, columns=["neuroid", "area"]).assign(time_bin="", train_r=0.9, test_r=0.3)
    table.loc[table["neuroid"] == "V4_0", "test_r"] = np.nan
    return table


def table_of(scores, curves=None, recordings=("rec",)) -> pd.DataFrame:
    curves = curves or {"fit": CURVE}
    of_networks = dict(zip(curves, recordings, strict=True))
    return fitted_table(curves, dict.fromkeys(curves, neuroids()), of_networks, scores, seed=3)


def test_curves_and_ridge_regression_on_the_same_neurons_stand_side_by_side(scores):
    table = table_of(scores)
    values = table.set_index(["area", "part", "epoch"])["r"].sort_index()
    assert values["V4", TRAIN, 2] == 0.9
    assert values["IT", TEST, 1] == 0.3
    counts = table.groupby(["area", "part"])["n_neuroids"].unique()
    assert counts["V4", RIDGE] == counts["V4", TEST] == [8]
    assert counts["IT", RIDGE] == [7]
    rows = scores.query("area == 'V4' and split == 'stimuli' and model in ('net', 'other') and target != 'V4_0'")
    even, odd = (rows.pivot(index=["model", "layer"], columns="target", values=f"r_{k}") for k in ("even", "odd"))
    expected, _ = corrected_over_halves(even.to_numpy(), odd.to_numpy(), halves_of(8, N_SPLITS, 3))
    np.testing.assert_allclose(values["V4", RIDGE], expected)
    assert len(table) == 2 * 3 * 3


def test_the_table_and_the_figure_say_that_stimuli_differ(scores):
    table = table_of(scores)
    assert table.groupby("part")["folds"].unique().map(list).to_dict() == {
        TRAIN: ["training part"],
        TEST: ["fold 0"],
        RIDGE: ["all folds"],
    }
    said = [text.get_text() for text in draw_fitted(table).legends[0].get_texts()]
    assert f"{TEST} (fold 0)" in said
    assert f"{RIDGE} (all folds, the same neurons)" in said


def test_ridge_regression_has_no_head_start_by_the_number_of_layers():
    rng = np.random.default_rng(0)
    found = []
    for _ in range(30):
        # Layers that are equally good, with errors that neurons share.
        rows = [
            {"model": "net", "layer": str(k), "target": f"n{j}", "family": "trained", "split": "stimuli"}
            | {"mapping": "ridge", "target_kind": "neuron", "r_even": 0.5 + even, "r_odd": 0.5 + odd}
            for k, (even, odd) in enumerate(rng.normal(0, 0.1, (18, 2)))
            for j in range(6)
        ]
        found.append(ridge_on_best_layer(pd.DataFrame(rows), pd.Series([f"n{j}" for j in range(6)]), seed=0)[0])
    assert np.mean(found) == pytest.approx(0.5, abs=0.05)
    assert max(found) < 0.8


def test_a_recording_without_scores_has_no_line_of_ridge_regression(scores):
    assert set(table_of(scores, recordings=["another"])["part"]) == {TRAIN, TEST}


def test_every_network_and_area_has_a_panel(scores):
    curves = {"a": CURVE, "b": CURVE.drop(columns=["train_r IT", "test_r IT"])}
    figure = draw_fitted(table_of(scores, curves, ["rec", "rec"]))
    assert len(figure.axes) == 3
    (line,) = [line for line in figure.axes[0].lines if line.get_label() == TRAIN]
    np.testing.assert_array_equal(line.get_ydata(), CURVE["train_r V4"])


def test_the_same_numbers_give_the_same_files(tmp_path, scores):
    (tmp_path / "fit").mkdir()
    CURVE.to_csv(tmp_path / "fit" / "metrics.csv", index=False)
    neuroids().to_csv(tmp_path / "fit" / "neurons.csv", index=False)
    scores.to_parquet(tmp_path / "scores.parquet")
    made = []
    for name in ("one", "two"):
        paths = [tmp_path / f"{name}.{kind}" for kind in ("svg", "pdf", "csv")]
        fitted(
            [tmp_path / "fit"],
            tmp_path / "scores.parquet",
            *paths,
            recordings=["rec"],
            seed=0,
        )
        made.append([path.read_bytes() for path in paths])
    assert made[0] == made[1]
