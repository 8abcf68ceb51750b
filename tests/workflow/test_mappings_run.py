"""Every mapping, on the same splits and in the same table; tokens and runs of modules as any layer."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import ventral
from tests.workflow.conftest import Experiment

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
PREDICTING = ["ridge", "ols", "pls", "one_to_one", "factorised"]
CONFIG = {
    "mappings": [*PREDICTING, "rsa", "cka"],
    "components": 3,
    "banded": {"tiny": ["seeing.encoder.ln@mean", "again@3"]},
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


def test_layers_predict_together_and_without_each_other(ran, scores):
    rows = scores[scores["mapping"] == "banded"]
    assert set(rows["layer"]) == {"seeing.encoder.ln@mean + again@3", "seeing.encoder.ln@mean", "again@3"}
    added = pd.read_csv(ran.folder / "results" / "banded.csv", dtype={"layer": str})
    assert set(added["layer"]) == {"seeing.encoder.ln@mean", "again@3"}


def test_the_other_number_stands_beside(ran):
    table = pd.read_csv(ran.folder / "results" / "brainscore" / "rec.csv", dtype={"layer": str})
    assert table.groupby("model").size().to_dict() == {"tiny": len(TAKEN), "pixels": 1}
    np.testing.assert_allclose(table["score"], table["raw"] ** 2 / table["ceiling"])


def test_what_is_resampled_is_every_mapping_that_predicts_from_the_gram(ran):
    table = pd.read_csv(ran.folder / "results" / "best_layers.csv")
    assert set(table["mapping"]) >= {"ridge", "ols", "pls", "one_to_one"}
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


def test_nothing_is_left_to_do(ran):
    assert "Nothing to be done" in ran.run("--dry-run", **CONFIG)
