"""Every mapping, on the same splits and in the same table."""

import numpy as np
import pandas as pd
import pytest

from tests.workflow.conftest import Experiment

PREDICTING = ["ridge", "ols", "pls", "one_to_one", "factorised"]
CONFIG = {
    "mappings": [*PREDICTING, "rsa", "cka", "versa"],
    "components": 3,
    "banded": {"tiny": ["0", "5"]},
    "brainscore": True,
    "bootstrap": 100,
    "extraction": {"shards": 2},
}


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    experiment = Experiment(tmp_path_factory.mktemp("mappings"))
    experiment.printed = experiment.run(**CONFIG)
    return experiment


@pytest.fixture(scope="module")
def scores(ran) -> pd.DataFrame:
    return pd.read_parquet(ran.folder / "results" / "scores.parquet")


def test_all_predict_the_same_neurons_on_the_same_splits(scores):
    neurons = scores[(scores["target_kind"] == "neuron") & (scores["mapping"] != "banded")]
    for model, layer in (("tiny", "0"), ("pixels", "pixels")):
        of_layer = neurons[(neurons["model"] == model) & (neurons["layer"] == layer)]
        rows = of_layer.groupby(["mapping", "split"])["target"].agg(["nunique", "size"])
        assert set(rows.index) == {(mapping, split) for mapping in PREDICTING for split in ("stimuli", "objects")}
        assert (rows == 6).all(axis=None)


def test_a_vector_has_no_factorised_readout_and_few_features_have_least_squares(scores):
    neurons = scores[scores["target_kind"] == "neuron"]
    found = neurons[neurons["layer"] == "5"].groupby("mapping")["r"].count()
    assert "factorised" not in found
    assert found["ols"] == found["ridge"]


def test_without_a_fit_layers_are_compared_with_the_area(scores):
    rows = scores[scores["mapping"].isin(["rsa", "cka"])]
    assert set(rows["target"]) == {"V4"}
    assert set(rows["split"]) == {"none"}
    assert rows["r"].notna().all()


def test_predictions_are_compared_with_the_area_and_stand_on_the_page(ran, scores):
    rows = scores[scores["mapping"] == "versa"]
    assert set(rows["target"]) == {"V4"}
    assert set(rows["split"]) == {"stimuli", "objects"}
    assert rows["r"].notna().all()
    assert "veRSA, Spearman r" in (ran.folder / "results" / "report.html").read_text()


def test_layers_predict_together_and_without_each_other(ran, scores):
    rows = scores[scores["mapping"] == "banded"]
    assert set(rows["layer"]) == {"0 + 5", "0", "5"}
    added = pd.read_csv(ran.folder / "results" / "banded.csv", dtype={"layer": str})
    assert set(added["layer"]) == {"0", "5"}


def test_the_other_number_stands_beside(ran):
    table = pd.read_csv(ran.folder / "results" / "brainscore" / "rec.csv", dtype={"layer": str})
    assert table.groupby("model").size().to_dict() == {"tiny": 3, "pixels": 1}
    np.testing.assert_allclose(table["score"], table["raw"] ** 2 / table["ceiling"])


def test_what_is_resampled_is_every_mapping_that_predicts_from_the_gram(ran):
    table = pd.read_csv(ran.folder / "results" / "best_layers.csv")
    assert set(table["mapping"]) >= {"ridge", "ols", "pls", "one_to_one"}
    assert (ran.folder / "results" / "comparisons.csv").exists()


def test_nothing_is_left_to_do(ran):
    assert "Nothing to be done" in ran.run("--dry-run", **CONFIG)
