"""Figures that show the numbers of the table beside them, and are the same bytes every time."""

import numpy as np
import pandas as pd
import pytest

from tests.unit.synthetic_scores import score_table
from ventral import figures
from ventral.summaries import area_summary, categorisation_summary

SCORES = {
    "one area": score_table({"net": 5, "pixels": 1}, labels={"object": 0.125}),
    "areas and splits": score_table(
        {"net": 4, "other": 3}, {"V4": 9, "IT": 7}, ["images", "objects"], labels={"object": 0.1, "category": 0.5}
    ),
    "no repetitions": score_table({"net": 3}, repetitions=False, labels={"object": 0.125}),
    "no labels": score_table({"net": 3}, splits=["images"]),
    "objects alone": score_table({"net": 3}, splits=["objects"]),
    "many models": score_table({f"model_with_a_long_name_{k}": 2 for k in range(12)}, labels={"object": 0.125}),
    "one neuron, one layer": score_table({"net": 1}, {"V4": 1}, labels={"object": 0.125}),
}


def drawn(draw, scores, folder):
    folder.mkdir()
    scores.to_parquet(folder / "scores.parquet")
    paths = [folder / f"figure.{kind}" for kind in ("svg", "pdf", "csv")]
    draw(folder / "scores.parquet", *paths, 0.1)
    return [path.read_bytes() for path in paths]


@pytest.mark.parametrize("name", SCORES)
@pytest.mark.parametrize("draw", [figures.layer_profile, figures.categorisation])
def test_the_same_scores_give_the_same_bytes(tmp_path, draw, name):
    svg, pdf, csv = drawn(draw, SCORES[name], tmp_path / "a")
    assert [svg, pdf, csv] == drawn(draw, SCORES[name].sample(frac=1, random_state=0), tmp_path / "b")
    assert svg.startswith(b"<?xml")
    assert pdf.startswith(b"%PDF")
    for model in SCORES[name]["model"].unique():
        assert model.encode() in csv


def test_lines_go_through_the_medians():
    summary = area_summary(SCORES["one area"], 0.1)
    (axes,) = figures.draw_layer_profile(summary).axes
    (line,) = [line for line in axes.lines if line.get_label() == "net"]
    rows = summary[summary["model"] == "net"]
    np.testing.assert_array_equal(line.get_xdata(), rows["depth"])
    np.testing.assert_array_equal(line.get_ydata(), rows["predictivity"])
    (pixels,) = [line for line in axes.lines if line.get_label() == "pixels"]
    assert list(pixels.get_xdata()) == [0, 1]
    assert any(line.get_label() == "_ceiling" and set(line.get_ydata()) == {1} for line in axes.lines)


def test_a_panel_for_each_area_and_split():
    summary = area_summary(SCORES["areas and splits"], 0.1)
    assert len(figures.draw_layer_profile(summary).axes) == 4


def test_without_repetitions_the_axis_says_raw_r():
    (axes,) = figures.draw_layer_profile(area_summary(SCORES["no repetitions"], 0.1)).axes
    assert axes.get_ylabel() == "Median raw r"
    assert not [line for line in axes.lines if line.get_label() == "_ceiling"]


def test_one_point_a_layer_and_the_best_is_marked():
    scores = SCORES["one area"]
    summary = categorisation_summary(scores, area_summary(scores, 0.1))
    (axes,) = figures.draw_categorisation(summary).axes
    lines = {line.get_label(): line for line in axes.lines}
    rows = summary[summary["model"] == "net"]
    np.testing.assert_array_equal(lines["net"].get_xdata(), rows["balanced_accuracy"])
    np.testing.assert_array_equal(lines["net"].get_ydata(), rows["predictivity"])
    assert list(lines["_best of net"].get_ydata()) == [rows["predictivity"].max()]
    said = " ".join(text.get_text() for text in axes.texts).replace("\N{MINUS SIGN}", "-")
    assert f"r = {summary['correlation'].iloc[0]:.2f}" in said


@pytest.mark.parametrize(
    ("name", "reason"),
    [("no labels", "no labels to tell these stimuli apart"), ("objects alone", "split images was not scored")],
)
def test_a_figure_without_points_says_why(name, reason):
    summary = categorisation_summary(SCORES[name], area_summary(SCORES[name], 0.1))
    texts = [text.get_text() for axes in figures.draw_categorisation(summary).axes for text in axes.texts]
    assert any(reason in text for text in texts)


def test_the_table_has_every_number_of_the_figure(tmp_path):
    *_, csv = drawn(figures.layer_profile, SCORES["one area"], tmp_path / "a")
    table = pd.read_csv(tmp_path / "a" / "figure.csv")
    assert len(csv)
    expected = area_summary(SCORES["one area"], 0.1)
    np.testing.assert_allclose(table["predictivity_low"], expected["predictivity_low"])
    assert (table["reliability_threshold"] == 0.1).all()
    assert (table["ceiling"] == 1).all()
