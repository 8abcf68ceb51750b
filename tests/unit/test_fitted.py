"""What the figure of networks fitted to neurons shows is what their training measured."""

import numpy as np
import pandas as pd
import pytest

from tests.unit.synthetic_scores import score_table
from ventral.figures.fitted import draw_fitted, fitted, fitted_table
from ventral.statistics.claimed import RIDGE, TEST, TRAIN
from ventral.statistics.summaries import area_summary

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


def test_curves_and_the_best_layer_of_trained_networks_stand_side_by_side(scores):
    summary = area_summary(scores, 0.1, n_bootstrap=1000, seed=0)
    table = fitted_table({"fit": CURVE}, {"fit": "rec"}, summary)
    values = table.set_index(["area", "part", "epoch"])["r"].sort_index()
    assert values["V4", TRAIN, 2] == 0.9
    assert values["IT", TEST, 1] == 0.3
    best = summary.query("area == 'V4' and split == 'stimuli' and model in ('net', 'other')")["r"].max()
    assert (values["V4", RIDGE] == best).all()
    assert len(table) == 2 * 3 * 3


def test_a_recording_without_scores_has_no_line_of_ridge_regression(scores):
    table = fitted_table({"fit": CURVE}, {"fit": "another"}, area_summary(scores, 0.1, n_bootstrap=1000, seed=0))
    assert set(table["part"]) == {TRAIN, TEST}


def test_every_network_and_area_has_a_panel(scores):
    curves = {"a": CURVE, "b": CURVE.drop(columns=["train_r IT", "test_r IT"])}
    figure = draw_fitted(
        fitted_table(curves, {"a": "rec", "b": "rec"}, area_summary(scores, 0.1, n_bootstrap=1000, seed=0))
    )
    assert len(figure.axes) == 3
    (line,) = [line for line in figure.axes[1].lines if line.get_label() == TRAIN]
    np.testing.assert_array_equal(line.get_ydata(), CURVE["train_r V4"])


def test_the_same_numbers_give_the_same_files(tmp_path, scores):
    (tmp_path / "fit").mkdir()
    CURVE.to_csv(tmp_path / "fit" / "metrics.csv", index=False)
    scores.to_parquet(tmp_path / "scores.parquet")
    made = []
    for name in ("one", "two"):
        paths = [tmp_path / f"{name}.{kind}" for kind in ("svg", "pdf", "csv")]
        fitted(
            [tmp_path / "fit"],
            tmp_path / "scores.parquet",
            *paths,
            recordings=["rec"],
            reliability_threshold=0.1,
            n_bootstrap=1000,
            seed=0,
        )
        made.append([path.read_bytes() for path in paths])
    assert made[0] == made[1]
