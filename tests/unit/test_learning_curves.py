"""The figure of learning curves shows what training measured."""

import numpy as np
import pandas as pd

from ventral.figures.learning_curves import draw_learning_curves, learning_curves

METRICS = pd.DataFrame(
    {
        "epoch": [0, 1, 2],
        "train_loss": [np.nan, 2.0, 1.0],
        "train_accuracy": [np.nan, 0.3, 0.6],
        "validation_loss": [2.1, 1.9, 1.5],
        "validation_accuracy": [0.1, 0.3, 0.4],
    }
)


def test_every_network_has_a_line_for_each_part_and_measure():
    table = pd.concat([METRICS.assign(model="one"), METRICS.assign(model="two")])
    figure = draw_learning_curves(table, (), {})
    assert [axes.get_ylabel() for axes in figure.axes] == ["Accuracy", "Cross-entropy"]
    for axes in figure.axes:
        assert len(axes.lines) == 4
    drawn = [line.get_ydata() for line in figure.axes[0].lines]
    np.testing.assert_array_equal(drawn[1], METRICS["validation_accuracy"])
    assert {"one", "two"} <= {text.get_text() for text in figure.legends[0].get_texts()}


def test_every_label_has_a_panel_if_networks_learn_several():
    both = METRICS.drop(columns=["train_accuracy", "validation_accuracy"])
    for part, change in (("validation", 0.1), ("test", 0.2)):
        both[f"{part}_accuracy word"] = METRICS["validation_accuracy"] + change
        both[f"{part}_accuracy instrument"] = METRICS["validation_accuracy"] - change
    table = pd.concat([METRICS.assign(model="one"), both.assign(model="two")])
    figure = draw_learning_curves(table, (), {"one": ["word"], "two": ["word", "instrument"]})
    assert [axes.get_ylabel() for axes in figure.axes] == [
        "Accuracy, word",
        "Accuracy, instrument",
        "Cross-entropy",
    ]
    assert [len(axes.lines) for axes in figure.axes] == [4, 2, 4]
    drawn = {line.get_linestyle(): line.get_ydata() for line in figure.axes[1].lines}
    np.testing.assert_array_equal(drawn["--"], both["test_accuracy instrument"])
    np.testing.assert_array_equal(drawn["-"], both["validation_accuracy instrument"])
    assert "test stimuli" in {text.get_text() for text in figure.legends[0].get_texts()}


def test_the_same_trainings_give_the_same_files(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        METRICS.to_csv(tmp_path / name / "metrics.csv", index=False)
    made = []
    for stem in ("a", "b"):
        paths = [tmp_path / f"{stem}.{kind}" for kind in ("svg", "pdf", "csv")]
        learning_curves([tmp_path / "one", tmp_path / "two"], *paths)
        made.append([path.read_bytes() for path in paths])
    assert made[0] == made[1]
    assert len(pd.read_csv(tmp_path / "a.csv")) == 6
