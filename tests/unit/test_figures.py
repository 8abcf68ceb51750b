"""Figures that show the numbers of the table beside them, and are the same bytes every time."""

import numpy as np
import pandas as pd
import pytest

from tests.unit.synthetic_scores import matrix_table, score_table
from ventral.figures.categorisation import categorisation, draw_categorisation
from ventral.figures.layer_profile import draw_layer_profile, layer_profile, with_consistency
from ventral.figures.layout import along_the_stream, neuroids_taken
from ventral.figures.style import OTHERS, look_of, looks_of_models
from ventral.report.summary import said_of_neuroids
from ventral.statistics.inter_animal import MEAN
from ventral.statistics.summaries import area_summary, categorisation_summary
from ventral.tables import write_parquet

SCORES = {
    "one area": score_table({"net": 5, "pixels": 1}, labels={"object": 0.125}),
    "areas and splits": score_table(
        {"net": 4, "other": 3}, {"V4": 9, "IT": 7}, ["stimuli", "objects"], labels={"object": 0.1, "category": 0.5}
    ),
    "no repetitions": score_table({"net": 3}, repetitions=False, labels={"object": 0.125}),
    "no labels": score_table({"net": 3}, splits=["stimuli"]),
    "objects alone": score_table({"net": 3}, splits=["objects"]),
    "many models": score_table({f"model_with_a_long_name_{k}": 2 for k in range(12)}, labels={"object": 0.125}),
    "one neuron, one layer": score_table({"net": 1}, {"V4": 1}, labels={"object": 0.125}),
    "matrices": matrix_table({"net": 5, "pixels": 1}, {"V1": 1, "IT": 3}, labels={"category": 0.5}),
    "matrices without labels": matrix_table({"net": 3}, {"IT": 1}),
    "predicted matrices": pd.concat(
        [matrix_table({"net": 4}, {"IT": 1}).assign(mapping="versa", split=split) for split in ("stimuli", "objects")],
        ignore_index=True,
    ),
    "neurons and matrices": pd.concat(
        [
            score_table({"net": 4}, {"V4": 9}, ["stimuli", "objects"], labels={"object": 0.1}),
            matrix_table({"net": 4, "other": 2}, {"V1": 1, "IT": 1, "FFA": 1}, seed=1),
        ],
        ignore_index=True,
    ),
}


def drawn(draw, scores, folder):
    folder.mkdir()
    scores.to_parquet(folder / "scores.parquet")
    paths = [folder / f"figure.{kind}" for kind in ("svg", "pdf", "csv")]
    draw(folder / "scores.parquet", *paths, 0.1, n_bootstrap=100, seed=0)
    return [path.read_bytes() for path in paths]


@pytest.mark.parametrize("name", SCORES)
@pytest.mark.parametrize("draw", [layer_profile, categorisation])
def test_the_same_scores_give_the_same_bytes(tmp_path, draw, name):
    svg, pdf, csv = drawn(draw, SCORES[name], tmp_path / "a")
    assert [svg, pdf, csv] == drawn(draw, SCORES[name].sample(frac=1, random_state=0), tmp_path / "b")
    assert svg.startswith(b"<?xml")
    assert pdf.startswith(b"%PDF")
    for model in SCORES[name]["model"].unique():
        assert model.encode() in csv


def test_lines_go_through_the_medians():
    summary = area_summary(SCORES["one area"], 0.1, n_bootstrap=1000, seed=0)
    (axes,) = draw_layer_profile(summary).axes
    (line,) = [line for line in axes.lines if line.get_label() == "net"]
    rows = summary[summary["model"] == "net"]
    np.testing.assert_array_equal(line.get_xdata(), rows["depth"])
    np.testing.assert_array_equal(line.get_ydata(), rows["predictivity"])
    (pixels,) = [line for line in axes.lines if line.get_label() == "pixels"]
    assert list(pixels.get_xdata()) == [0, 1]
    assert any(line.get_label() == "_ceiling" and set(line.get_ydata()) == {1} for line in axes.lines)


def test_the_consistency_between_animals_is_a_line_with_a_band(tmp_path):
    scores = SCORES["one area"]
    place = scores.loc[scores["target_kind"] == "neuron", ["area", "time_bin", "split", "mapping"]].iloc[0].to_dict()
    of_mean = {"consistency": 0.8, "low": 0.7, "high": 0.85, "group": "both"}
    rows = [place | of_mean | {"animal": animal} for animal in ("F", MEAN)]
    rows[0]["consistency"] = 0.1
    write_parquet(pd.DataFrame(rows), tmp_path / "both.parquet")
    summary = area_summary(scores, 0.1, n_bootstrap=100, seed=0)
    recording = summary["recording"].iloc[0]
    found = with_consistency(summary, [tmp_path / "both.parquet"], {recording: "both"})
    pd.testing.assert_frame_equal(found[summary.columns], summary)
    assert (found[["inter_animal", "inter_animal_low", "inter_animal_high"]] == [0.8, 0.7, 0.85]).all(axis=None)
    (axes,) = draw_layer_profile(found).axes
    (line,) = [line for line in axes.lines if line.get_label() == "_between animals"]
    assert set(line.get_ydata()) == {0.8}
    (band,) = [patch for patch in axes.patches if patch.get_label() == "_interval between animals"]
    assert (band.get_y(), band.get_y() + band.get_height()) == pytest.approx((0.7, 0.85))
    without = with_consistency(summary.assign(has_ceiling=False), [tmp_path / "both.parquet"], {recording: "both"})
    assert without["inter_animal"].isna().all()
    assert with_consistency(summary, [tmp_path / "both.parquet"], {"else": "both"})["inter_animal"].isna().all()


def test_a_panel_for_each_area_and_split():
    summary = area_summary(SCORES["areas and splits"], 0.1, n_bootstrap=1000, seed=0)
    assert len(draw_layer_profile(summary).axes) == 4


def test_predicted_matrices_have_a_panel_for_each_split_that_names_the_split():
    figure = draw_layer_profile(area_summary(SCORES["predicted matrices"], 0.1, n_bootstrap=100, seed=0))
    assert len(figure.axes) == 2
    said = {text.get_text() for text in figure.texts} | {text.get_text() for axes in figure.axes for text in axes.texts}
    for split in ("stimuli", "objects"):
        assert f"veRSA, Spearman r, held-out {split}" in " ".join(sorted(said))


def test_neurons_without_a_positive_reliability_are_counted_in_words():
    scores = SCORES["one area"].copy()
    assert "not above 0" not in neuroids_taken(area_summary(scores, 0.1, n_bootstrap=100, seed=0))
    some = scores["target"].isin(scores["target"].unique()[:2])
    scores.loc[some, ["reliability", "reliability_even", "reliability_odd"]] = -0.1
    summary = area_summary(scores, 0.1, n_bootstrap=100, seed=0)
    n = scores.loc[scores["target_kind"] == "neuron", "target"].nunique()
    assert neuroids_taken(summary) == f"n = {n - 2} neurons, 2 left out\nreliability not above 0: 2"
    assert said_of_neuroids(summary) == f"{n - 2} neurons, 2 left out; reliability not above 0: 2"
    one = area_summary(scores[scores["target"] == "V4_9"], 0.1, n_bootstrap=100, seed=0)
    assert neuroids_taken(one) == "n = 1 neuron, 0 left out"
    assert said_of_neuroids(one) == "1 neuron, 0 left out"


def test_marked_neurons_and_matrices_are_counted_in_words():
    scores = SCORES["one area"].assign(marked=lambda table: table["target"].isin(["V4_1", "V4_2"]))
    summary = area_summary(scores, 0.1, n_bootstrap=100, seed=0)
    assert neuroids_taken(summary).endswith("\ncorrected score uncertain (marked): 2")
    assert said_of_neuroids(summary).endswith("; corrected score uncertain (marked): 2")
    matrices = SCORES["matrices"].assign(reliability=0.5, predictivity=0.4, marked=True)
    figure = draw_layer_profile(area_summary(matrices, 0.1, n_bootstrap=20, seed=0))
    assert "corrected score uncertain (marked): 3" in panel(figure, "fmri, IT")[1]


def test_without_repetitions_the_axis_says_raw_r():
    (axes,) = draw_layer_profile(area_summary(SCORES["no repetitions"], 0.1, n_bootstrap=1000, seed=0)).axes
    assert axes.get_ylabel() == "Median r (no ceiling)"
    assert not [line for line in axes.lines if line.get_label() == "_ceiling"]


def panel(figure, name):
    """The axes of a figure over which a name stands, and all that stands there."""
    for axes in figure.axes:
        texts = [text.get_text() for text in axes.texts]
        if name in texts:
            return axes, texts
    raise AssertionError(f"no panel {name}")


def test_a_matrix_whose_error_is_not_known_is_drawn_as_its_correlation_without_an_interval():
    summary = area_summary(SCORES["matrices"].assign(r_error=np.nan), 0.1, n_bootstrap=1000, seed=0)
    axes, texts = panel(draw_layer_profile(summary), "fmri, V1")
    assert axes.get_ylabel() == "RSA, Spearman r"
    assert "one dissimilarity matrix" in texts
    assert not [text for text in texts if "held-out" in text or "ceiling" in text or "neuroids" in text]
    rows = SCORES["matrices"].query("area == 'V1' and model == 'net'")
    (line,) = [line for line in axes.lines if line.get_label() == "net"]
    np.testing.assert_array_equal(line.get_ydata(), rows["r"])
    for interval in axes.collections:
        assert not interval.get_paths() or np.isnan(interval.get_paths()[0].vertices).all()


def test_several_matrices_of_an_area_are_summarised_by_their_mean():
    axes, texts = panel(draw_layer_profile(area_summary(SCORES["matrices"], 0.1, n_bootstrap=1000, seed=0)), "fmri, IT")
    assert "mean of 3 dissimilarity matrices" in texts
    rows = SCORES["matrices"].query("area == 'IT' and model == 'net'")
    (line,) = [line for line in axes.lines if line.get_label() == "net"]
    np.testing.assert_allclose(line.get_ydata(), rows.groupby("depth")["r"].mean())


def test_the_noise_ceiling_over_subjects_is_a_band_and_every_comparison_has_a_panel():
    scores = matrix_table({"net": 4}, {"IT": 3}).assign(ceiling_low=0.2, ceiling_high=0.7)
    cka = scores.assign(mapping="cka", distance="", comparison="debiased")
    cosine = scores.assign(distance="cosine", comparison="kendall", reliability=0.9, predictivity=scores["r"])
    summary = area_summary(pd.concat([scores, cka, cosine]), 0.1, n_bootstrap=1000, seed=0)
    figure = draw_layer_profile(summary)
    assert {axes.get_ylabel() for axes in figure.axes} == {
        "RSA, Spearman r",
        "CKA, debiased",
        "RSA (cosine), Kendall tau-a / ceiling",
    }
    for axes in figure.axes:
        (band,) = [patch for patch in axes.patches if patch.get_label() == "_noise ceiling"]
        assert (band.get_y(), band.get_y() + band.get_height()) == pytest.approx((0.2, 0.7))


def test_panels_of_matrices_stand_below_those_of_neurons_and_do_not_overlap():
    figure = draw_layer_profile(area_summary(SCORES["neurons and matrices"], 0.1, n_bootstrap=1000, seed=0))
    places = {tuple(np.round(axes.get_position().bounds, 6)) for axes in figure.axes}
    assert len(places) == len(figure.axes) == 5
    lowest_of_neurons = min(
        axes.get_position().y0 for axes in figure.axes if axes.get_ylabel() == "Median predictivity"
    )
    tops = [axes.get_position().y1 for axes in figure.axes if axes.get_ylabel() == "RSA, Spearman r"]
    assert len(tops) == 3
    assert max(tops) < lowest_of_neurons


def test_four_panels_make_a_square():
    summary = area_summary(matrix_table({"net": 2}, dict.fromkeys("abcd", 1)), 0.1, n_bootstrap=1000, seed=0)
    figure = draw_layer_profile(summary)
    assert len({round(axes.get_position().x0, 6) for axes in figure.axes}) == 2


def test_categorisation_is_drawn_against_the_agreement_with_matrices():
    scores = SCORES["matrices"]
    figure = draw_categorisation(categorisation_summary(scores, area_summary(scores, 0.1, n_bootstrap=1000, seed=0)))
    axes, _ = panel(figure, "fmri, V1")
    (points,) = [line for line in axes.lines if line.get_label() == "net"]
    np.testing.assert_array_equal(points.get_ydata(), scores.query("area == 'V1' and model == 'net'")["r"])
    accuracy = scores.query("target == 'category' and model == 'net'")["balanced_accuracy"]
    np.testing.assert_array_equal(points.get_xdata(), accuracy)


def test_one_point_a_layer_and_the_best_is_marked():
    scores = SCORES["one area"]
    summary = categorisation_summary(scores, area_summary(scores, 0.1, n_bootstrap=1000, seed=0))
    (axes,) = draw_categorisation(summary).axes
    lines = {line.get_label(): line for line in axes.lines}
    rows = summary[summary["model"] == "net"]
    np.testing.assert_array_equal(lines["net"].get_xdata(), rows["balanced_accuracy"])
    np.testing.assert_array_equal(lines["net"].get_ydata(), rows["predictivity"])
    assert list(lines["_best of net"].get_ydata()) == [rows["predictivity"].max()]
    said = " ".join(text.get_text() for text in axes.texts).replace("\N{MINUS SIGN}", "-")
    assert f"r = {summary['correlation'].iloc[0]:.2f}" in said


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("no labels", "no labels to tell these stimuli apart"),
        ("objects alone", "split stimuli was not scored"),
        ("matrices without labels", "no labels, or split stimuli not scored"),
    ],
)
def test_a_figure_without_points_says_why(name, reason):
    summary = categorisation_summary(SCORES[name], area_summary(SCORES[name], 0.1, n_bootstrap=1000, seed=0))
    texts = [text.get_text() for axes in draw_categorisation(summary).axes for text in axes.texts]
    assert any(reason in text for text in texts)


def test_the_table_has_every_number_of_the_figure(tmp_path):
    *_, csv = drawn(layer_profile, SCORES["one area"], tmp_path / "a")
    table = pd.read_csv(tmp_path / "a" / "figure.csv")
    assert len(csv)
    expected = area_summary(SCORES["one area"], 0.1, n_bootstrap=100, seed=0)
    np.testing.assert_allclose(table["predictivity_low"], expected["predictivity_low"])
    assert (table["reliability_threshold"] == 0.1).all()
    assert (table["ceiling"] == 1).all()


def test_of_many_models_the_best_of_each_family_stand_out():
    summary = area_summary(SCORES["many models"], 0.1, n_bootstrap=1000, seed=0)
    figure = draw_layer_profile(summary)
    (axes,) = figure.axes
    coloured = {line.get_label() for line in axes.lines if line.get_color() != OTHERS["color"]}
    best = summary.loc[summary.groupby("family")["predictivity"].idxmax()]
    assert coloured & set(summary["model"]) == set(best["model"])
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert {f"{row.model} ({row.family})" for row in best.itertuples()} == set(labels[:-1])
    assert labels[-1] == "models that are not the best of their family"


def test_a_model_has_one_look_in_all_figures_also_when_one_is_added():
    summary = area_summary(SCORES["areas and splits"], 0.1, n_bootstrap=1000, seed=0)
    models = ["other", "not_scored", "net"]
    first = looks_of_models(summary, models)
    added = looks_of_models(summary, [*models, "added", "more"])
    alone = looks_of_models(summary[summary["model"] == "net"], models)
    assert first == added
    assert alone["net"] == first["net"]
    assert first["net"]["color"] != first["other"]["color"]
    assert len({tuple(look_of(place).items()) for place in range(210)}) == 210


def test_areas_come_in_the_order_of_the_stream():
    names = ["PFC2", "human IT", "monkey 1 V4", "IT", "V2", "V1", "a place"]
    assert sorted(names, key=along_the_stream) == ["V1", "V2", "monkey 1 V4", "IT", "human IT", "PFC2", "a place"]


def test_a_recorded_area_is_a_line_across_the_panel_that_it_predicts():
    scores = SCORES["areas and splits"]
    areas = scores[(scores["model"] == "other") & (scores["target_kind"] == "neuron") & (scores["area"] == "IT")]
    areas = areas[areas["layer"] == "blocks.0"].iloc[1:]
    areas = areas.assign(model="rec", family="recorded", layer="V4", depth=np.nan)
    summary = area_summary(pd.concat([scores, areas], ignore_index=True), 0.1, n_bootstrap=1000, seed=0)
    drawn = draw_layer_profile(summary)
    for axes in drawn.axes:
        (title, *_) = [text.get_text() for text in axes.texts if text.get_fontweight() == "bold"]
        lines = {line.get_label(): line for line in axes.lines}
        assert ("_V4" in lines) == (title == "rec, IT")
        assert {"net", "other"} <= set(lines)
        if "_V4" in lines:
            split = "stimuli" if any("stimuli" in text.get_text() for text in axes.texts) else "objects"
            row = summary[(summary["model"] == "rec") & (summary["split"] == split)]
            assert lines["_V4"].get_ydata()[0] == row["predictivity"].iloc[0]
            assert any("n = 7 neurons" in text.get_text() for text in axes.texts)
    with_labels = categorisation_summary(pd.concat([scores, areas]), summary)
    assert set(with_labels["model"]) == {"net", "other"}


def test_an_area_alone_is_drawn_too():
    scores = SCORES["one area"]
    areas = scores[scores["model"] == "pixels"].assign(family="recorded", depth=np.nan)
    summary = area_summary(areas, 0.1, n_bootstrap=1000, seed=0)
    assert summary["depth"].isna().all()
    (axes,) = draw_layer_profile(summary).axes
    assert [line.get_label() for line in axes.lines] == ["_ceiling", "_blocks.0 of pixels"]
