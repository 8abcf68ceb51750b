"""Every mapping, on the same splits and in the same table; tokens, runs of modules, and a field of view."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from PIL import Image

import ventral
from tests.workflow.conftest import Experiment
from ventral.grams.representations import read_representation
from ventral.stimuli.images import IMAGENET_MEAN, IMAGENET_STD
from ventral.store import open_store

NETWORK = """
import torch
from torch import nn
from torchvision.models import VisionTransformer


class Network(nn.Sequential):
    # Beside a transformer, and before a module that runs three times.
    def __init__(self):
        early = [nn.Conv2d(3, 8, 3, stride=2), nn.ReLU()]
        super().__init__(*early, nn.Conv2d(8, 16, 3, stride=2), nn.ReLU(), nn.Flatten())
        self.last = nn.Linear(784, 4)
        self.seeing = VisionTransformer(
            image_size=32, patch_size=8, num_layers=2, num_heads=2, hidden_dim=16, mlp_dim=32, num_classes=4
        )
        self.again = nn.Sequential(nn.Linear(4, 4), nn.Tanh())

    def forward(self, images):
        x = images
        for module in list(self.children())[:5]:
            x = module(x)
        x = self.last(x)
        # The transformer's head is all zeros before training.
        state = self.seeing(images)
        for _ in range(3):
            state = self.again(x + state)
        return state


def make():
    torch.manual_seed(7)
    return Network()
"""
WHOLE = ["0", "2", "last", "seeing.encoder.ln"]
TOKENS = [*(f"seeing.encoder.layers.encoder_layer_{k}@cls" for k in range(2)), "seeing.encoder.ln@mean"]
RUNS = ["again@1", "again@2", "again@3"]
TAKEN = [*WHOLE, *TOKENS, *RUNS]
PREDICTING = ["ridge", "ols", "pls", "one_to_one", "soft_matching", "factorised"]
CONFIG = {
    "mappings": [*PREDICTING, "rsa", "cka", "versa"],
    "components": 3,
    "banded": {"tiny": ["seeing.encoder.ln@mean", "again@3"]},
    "partitions": {"what_objects_add": ["tiny", "pixels", {"column": "object"}]},
    "outputs": {"readouts": {"tiny": ["seeing.encoder.ln@mean", "again@2"]}, "predictions": {"tiny": ["again@3"]}},
    "brainscore": True,
    "bootstrap": 100,
    "extraction": {"shards": 2},
}


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    experiment = Experiment(tmp_path_factory.mktemp("mappings"))
    (experiment.folder / "tinynet.py").write_text(NETWORK)
    experiment.config["models"]["tiny"]["layers"] = [*WHOLE, "*.*.*.*@cls", "seeing.encoder.ln@mean", "again"]
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
    found = neurons[neurons["layer"] == "last"].groupby("mapping")["r"].count()
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
    assert set(rows["layer"]) == {"seeing.encoder.ln@mean + again@3", "seeing.encoder.ln@mean", "again@3"}
    added = pd.read_csv(ran.folder / "results" / "banded.csv", dtype={"layer": str})
    assert set(added["layer"]) == {"seeing.encoder.ln@mean", "again@3"}


def test_models_are_partitioned(ran, scores):
    folder = ran.folder / "results"
    neurons = pd.read_parquet(folder / "partitions" / "rec" / "what_objects_add.parquet")
    assert set(neurons["split"]) == {"stimuli", "objects"}
    alone = neurons[(neurons["kind"] == "explained") & (neurons["models"] == "pixels")]
    pixels = scores[
        (scores["model"] == "pixels") & (scores["mapping"] == "ridge") & (scores["target_kind"] == "neuron")
    ]
    joined = alone.merge(pixels, on=["target", "split"], suffixes=("", "_scored"))
    assert len(joined) == 6 * 2
    # A model of one layer is ridge regression on it.
    np.testing.assert_allclose(joined["r2"], joined["r"] * joined["r"].abs(), atol=1e-5)
    np.testing.assert_allclose(joined["explained_variance"], joined["explained_variance_scored"], atol=1e-4)
    table = pd.read_csv(folder / "partitions.csv")
    assert len(table) == 14 * 2
    page = (folder / "report.html").read_text()
    assert "What models explain together and alone" in page
    assert "was partitioned (Lescroart et al. 2015)" in page


def test_the_other_number_stands_beside(ran):
    table = pd.read_csv(ran.folder / "results" / "brainscore" / "rec.csv", dtype={"layer": str})
    assert table.groupby("model").size().to_dict() == {"tiny": len(TAKEN), "pixels": 1, "wide": 1}
    np.testing.assert_allclose(table["score"], table["raw"] ** 2 / table["ceiling"])


def test_what_is_resampled_is_every_mapping_that_predicts_from_the_gram(ran):
    table = pd.read_csv(ran.folder / "results" / "best_layers.csv")
    assert set(table["mapping"]) >= {"ridge", "ols", "pls", "one_to_one", "soft_matching"}
    assert (ran.folder / "results" / "comparisons.csv").exists()


def test_tokens_and_runs_have_rows_with_their_step(scores):
    rows = scores[(scores["model"] == "tiny") & (scores["mapping"] == "ridge") & (scores["target_kind"] == "neuron")]
    layers = rows.drop_duplicates("layer").set_index("layer")
    assert set(layers.index) == set(TAKEN)
    assert layers["step"].dropna().to_dict() == {name: k for k, name in enumerate(RUNS, 1)}
    assert layers["n_features"][["seeing.encoder.ln", *TOKENS, "again@1"]].tolist() == [17 * 16, 16, 16, 16, 4]
    assert layers["depth"][RUNS].nunique() == 1
    assert rows.groupby("layer")["r"].count().eq(6 * 2).all()
    assert scores[scores["model"] == "pixels"]["step"].isna().all()


def test_tokens_and_runs_are_in_figures_and_on_the_page(ran):
    profile = pd.read_csv(ran.folder / "results" / "figures" / "layer_profile.csv")
    assert set(profile[profile["model"] == "tiny"]["layer"]) == set(TAKEN)
    page = (ran.folder / "results" / "report.html").read_text()
    assert all(name in page for name in TAKEN)


def test_readouts_and_predictions_are_of_tokens_and_runs(ran):
    folder = ran.folder / "results"
    readouts = {file.name for file in (folder / "readouts" / "rec" / "tiny").glob("*.zarr.zip")}
    assert readouts == {"seeing.encoder.ln@mean.zarr.zip", "again@2.zarr.zip"}
    readout = ventral.load_readout(folder / "readouts" / "rec" / "tiny" / "again@2.zarr.zip")
    assert readout.attributes["layer"]["step"] == 2
    predictions = xr.open_zarr(folder / "predictions" / "rec" / "tiny.zarr", chunks=None)
    assert predictions["layer"].item() == "again@3"


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
