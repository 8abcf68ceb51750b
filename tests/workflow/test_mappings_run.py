"""Every mapping, on the same splits and in the same table; one of the models has a field of view."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from tests.workflow.conftest import NETWORK, Experiment
from ventral.grams.representations import read_representation
from ventral.stimuli.images import IMAGENET_MEAN, IMAGENET_STD
from ventral.store import open_store

PREDICTING = ["ridge", "ols", "pls", "one_to_one", "factorised"]
CONFIG = {
    "mappings": [*PREDICTING, "rsa", "cka"],
    "components": 3,
    "banded": {"tiny": ["0", "5"]},
    "brainscore": True,
    "bootstrap": 100,
    "extraction": {"shards": 2},
}


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    experiment = Experiment(tmp_path_factory.mktemp("mappings"))
    experiment.config["stimuli"]["mine"]["degrees"] = 8
    wide = {"architecture": "tinynet:make", "size": 32, "layers": ["0"], "degrees": 16}
    experiment.config["models"]["wide"] = wide
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


def test_layers_predict_together_and_without_each_other(ran, scores):
    rows = scores[scores["mapping"] == "banded"]
    assert set(rows["layer"]) == {"0 + 5", "0", "5"}
    added = pd.read_csv(ran.folder / "results" / "banded.csv", dtype={"layer": str})
    assert set(added["layer"]) == {"0", "5"}


def test_the_other_number_stands_beside(ran):
    table = pd.read_csv(ran.folder / "results" / "brainscore" / "rec.csv", dtype={"layer": str})
    assert table.groupby("model").size().to_dict() == {"tiny": 3, "pixels": 1, "wide": 1}
    np.testing.assert_allclose(table["score"], table["raw"] ** 2 / table["ceiling"])


def test_what_is_resampled_is_every_mapping_that_predicts_from_the_gram(ran):
    table = pd.read_csv(ran.folder / "results" / "best_layers.csv")
    assert set(table["mapping"]) >= {"ridge", "ols", "pls", "one_to_one"}
    assert (ran.folder / "results" / "comparisons.csv").exists()


def test_images_of_half_the_field_of_view_fill_half_of_the_input(ran):
    """The Gram matrix is that of a plain forward pass, over images that Pillow put on a grey canvas."""
    canvases = []
    for k in range(48):
        image = Image.open(ran.folder / "images" / f"image{k}.png").resize((16, 16), Image.Resampling.BILINEAR)
        canvas = Image.new("RGB", (32, 32), "gray")
        canvas.paste(image, (8, 8))
        canvases.append(np.asarray(canvas, np.float32) / 255)
    shown = (np.stack(canvases) - IMAGENET_MEAN) / IMAGENET_STD
    defined = {}
    exec(NETWORK, defined)
    with torch.inference_mode():
        features = defined["make"]()[0](torch.from_numpy(shown).permute(0, 3, 1, 2).float()).flatten(1).double().numpy()
    path = ran.folder / "results" / "grams" / "wide" / "mine.zarr.zip"
    found = read_representation(path, "0").gram
    np.testing.assert_allclose(found, features @ features.T, atol=2e-3 * np.abs(found).max())
    assert open_store(path).attrs["preprocessing"]["stimuli"] == {"degrees": 8}


def test_fields_of_view_are_in_the_methods_the_records_and_the_logs(ran):
    page = (ran.folder / "results" / "report.html").read_text()
    assert "the width of an image spanned 8 in set mine, and the side of the input 16 of wide" in page
    activations = "activations/{}/mine/0"
    record = json.loads((ran.folder / "results" / "provenance" / f"{activations.format('wide')}.json").read_text())
    assert record["config"]["spec"]["degrees"] == 16
    said = [
        (ran.folder / "results" / "logs" / f"{activations.format(model)}.log").read_text().count("has no effect on")
        for model in ("tiny", "wide")
    ]
    assert said == [1, 0]


def test_nothing_is_left_to_do(ran):
    assert "Nothing to be done" in ran.run("--dry-run", **CONFIG)
