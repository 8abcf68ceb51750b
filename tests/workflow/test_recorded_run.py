"""Recorded areas beside models, and models predicted from recorded areas, from the images to the figures."""

import numpy as np
import pandas as pd
import pytest

from tests.workflow.conftest import finish, with_areas


@pytest.fixture(scope="module")
def results(several_recordings):
    return several_recordings.folder / "results"


def test_areas_predict_each_other_and_the_other_recording(results):
    scores = pd.read_parquet(results / "scores.parquet").query("target_kind == 'neuron' and not simulated")
    areas = scores[scores["family"] == "recorded"]
    pairs = areas.groupby(["recording", "layer", "area"])["target"].nunique().to_dict()
    assert pairs == {
        ("rec", "IT", "V4"): 4,
        ("rec", "V4", "IT"): 2,
        ("other", "IT", "V4"): 6,
        ("other", "V4", "V4"): 6,
        **{(name, area, "IT"): 18 for name in ("first", "second") for area in ("V4", "IT")},
    }
    assert set(areas["model"]) == {"rec"}
    assert set(scores[scores["recording"] == "other"]["model"]) == {"rec"}
    assert set(scores[scores["recording"] == "rec"]["model"]) == {"rec", "tiny"}


def test_sessions_of_an_animal_are_summarised_together(results):
    table = pd.read_csv(results / "animals.csv", dtype={"layer": str})
    assert set(table["group"]) == {"mine"}
    assert set(table["model"]) == {"tiny"}
    assert table.groupby("area")["n_sessions"].max().to_dict() == {"IT": 1, "V4": 2}
    assert set(zip(table["animal"], table["interval_over"], strict=True)) == {("F", "none (fewer than 5 animals)")}
    profile = pd.read_csv(results / "figures" / "layer_profile.csv", dtype={"layer": str}).query("model == 'tiny'")
    both = table.merge(profile.query("recording == 'rec'"), on=["area", "split", "mapping", "layer"])
    assert len(both) == len(table)
    pd.testing.assert_series_equal(both["median"], both["predictivity"], check_names=False)
    assert "Median of each animal" in (results / "report.html").read_text()


def test_animals_predict_each_other(results):
    table = pd.read_csv(results / "inter_animal.csv").set_index(["animal", "n_predictors"])
    assert table.loc["first"].index.tolist() == table.loc["second"].index.tolist() == [2, 4, 9, 18, np.inf]
    mean = table.loc["mean of animals"].iloc[0]
    assert mean["consistency"] == pytest.approx(1, abs=0.35)
    profile = pd.read_csv(results / "figures" / "layer_profile.csv").set_index("recording")
    for recording in ("first", "second"):
        np.testing.assert_allclose(profile.loc[recording, "inter_animal"], mean["consistency"])
    assert profile.loc["rec", "inter_animal"].isna().all()
    page = (results / "report.html").read_text()
    assert "Inter-animal consistency: how well the neurons" in page
    assert "the neurons of all other animals of pair predicted" in page


def test_figures_show_areas_beside_layers_and_the_reverse(results):
    profile = pd.read_csv(results / "figures" / "layer_profile.csv")
    assert "recorded" in set(profile["family"])
    assert "IT of rec" in (results / "figures" / "layer_profile.svg").read_text()
    assert "recorded" not in set(pd.read_csv(results / "figures" / "categorisation.csv")["family"])
    reverse = pd.read_csv(results / "figures" / "reverse.csv", dtype={"layer": str})
    assert set(zip(reverse["area"], reverse["layer"], strict=True)) == {
        (area, layer) for area in ("V4", "IT") for layer in ("0", "2", "5")
    }
    assert reverse[["forward_r", "reverse_r"]].notna().all(axis=None)
    assert (results / "reverse" / "rec" / "tiny.parquet").exists()


def test_a_recording_that_does_not_exist_is_named_at_once(experiment):
    printed = finish(with_areas(experiment).start(recorded_models=["recs"]), expect=1)
    assert "config key recorded_models: no recording is called 'recs'; did you mean `rec`?" in printed
    assert not (experiment.folder / "results").exists()
