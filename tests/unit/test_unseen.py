"""The figure of a category that was never seen shows what was measured, a panel for each measure."""

import numpy as np
import pandas as pd

from tests.unit.synthetic_scores import matrix_table, score_table
from ventral.figures.unseen import draw_unseen, unseen, unseen_table

SELECTIVITY = pd.DataFrame(
    {
        "model": ["saw"] * 2 + ["never_saw"] * 2,
        "layer": ["early", "late"] * 2,
        "depth": [0.2, 1.0] * 2,
        "category": "faces",
        "n_units": 100,
        "selective": [0.0, 0.4, 0.0, 0.3],
        "dprime": [0.0, 0.5, 0.0, 0.3],
        "balanced_accuracy": [0.6, 0.9, 0.6, 0.8],
    }
)


def scores() -> pd.DataFrame:
    return pd.concat([score_table({"saw": 2}), matrix_table({"saw": 2, "never_saw": 2, "other": 2}, {"macaque IT": 1})])


def test_each_measure_has_a_panel_with_a_line_for_each_model():
    table = unseen_table(SELECTIVITY, scores())
    figure = draw_unseen(table)
    assert [axes.get_ylabel() for axes in figure.axes] == list(dict.fromkeys(table["measure"]))
    assert "RSA with macaque IT, r (uncorrected)" in set(table["measure"])
    for axes in figure.axes:
        assert {"saw", "never_saw"} <= {line.get_label() for line in axes.lines}
    (line,) = [line for line in figure.axes[1].lines if line.get_label() == "never_saw"]
    np.testing.assert_array_equal(line.get_ydata(), [0.0, 0.3])
    assert set(table["model"]) == {"saw", "never_saw"}


def test_without_matrices_there_are_two_panels(tmp_path):
    score_table({"saw": 2}).to_parquet(tmp_path / "scores.parquet")
    SELECTIVITY.to_csv(tmp_path / "selectivity.csv", index=False)
    made = []
    for name in ("one", "two"):
        paths = [tmp_path / f"{name}.{kind}" for kind in ("svg", "pdf", "csv")]
        unseen(tmp_path / "selectivity.csv", tmp_path / "scores.parquet", *paths)
        made.append([path.read_bytes() for path in paths])
    assert made[0] == made[1]
    assert pd.read_csv(tmp_path / "one.csv")["measure"].nunique() == 2


def test_several_subjects_are_drawn_as_their_mean_and_one_comparison_alone():
    subjects = matrix_table({"saw": 2, "never_saw": 2}, {"human IT": 3})
    other = subjects.assign(comparison="kendall", r=0.9)
    table = unseen_table(SELECTIVITY, pd.concat([subjects, other]))
    rows = table[table["measure"] == "RSA with human IT, r (uncorrected)"].set_index(["model", "layer"])["value"]
    expected = subjects.groupby(["model", "layer"])["r"].mean()
    pd.testing.assert_series_equal(rows, expected[rows.index], check_names=False)
    assert len(rows) == 4
