"""One small ViT and one small ConvNeXt of each library, from a hub on this machine to scores."""

import json

import pandas as pd
import pytest

from tests.hub import ARCHITECTURES, Hub, make_repositories, served
from tests.workflow.conftest import Experiment
from ventral.outputs import sha256

MODELS = {
    "timm_vit": "timm/test_vit.r160_in1k",
    "timm_convnext": "timm/test_convnext.r160_in1k",
    "hf_vit": "lab/vit",
    "hf_convnext": "lab/convnext",
    "clip_vit": "lab/open-vit",
    "clip_convnext": "lab/open-convnext",
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hub")
    make_repositories(folder / "repositories")
    experiment = Experiment(folder / "experiment")
    options = {name: {"architecture": ARCHITECTURES[at], "max_layers": 4} for name, at in MODELS.items()}
    # One of a folder that was downloaded by hand.
    local = folder / "repositories" / MODELS["hf_vit"]
    options["hf_vit"] |= {"weights": str(local), "sha256": sha256(local / "model.safetensors")}
    options["timm_vit"]["trained_on"] = "ImageNet"
    with served(folder / "repositories") as hub, pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_ENDPOINT", hub.url)
        patch.setenv("HF_HOME", str(folder / "cache"))
        small = {"splits": ["stimuli"], "penalties": {"number": 3}, "folds": 3, "grams": {"from": "forward"}}
        experiment.run("results/scores.parquet", models=options, **small)
        yield experiment, hub


def test_every_model_has_scores(run):
    experiment, _ = run
    scores = pd.read_parquet(experiment.folder / "results" / "scores.parquet")
    fitted = scores[scores["mapping"] == "ridge"]
    assert set(fitted["model"]) == set(MODELS)
    assert fitted["r"].notna().all()
    assert dict(zip(scores["model"], scores["family"], strict=True)) == {
        **dict.fromkeys(MODELS, "unknown"),
        "timm_vit": "pretrained",
    }


def test_records_have_commit_and_hash(run):
    experiment, hub = run
    for name, repository in MODELS.items():
        said = json.loads((experiment.folder / "results" / "models" / f"{name}.json").read_text())
        (commit,) = hub.commits[repository]
        assert said["origin"]["sha256"] == sha256(next(commit.glob("*.safetensors")))
        if name == "hf_vit":
            assert said["origin"]["folder"] == str(commit)
        else:
            assert said["origin"]["revision"] == Hub.name_of(commit)
        assert len(said["layers"]) == 4


def test_each_file_is_downloaded_once(run):
    _, hub = run
    downloads = [path for path in hub.asked if path.startswith("GET")]
    weights = [path for path in downloads if path.endswith(".safetensors")]
    assert len(weights) == len(set(weights)) == len(MODELS) - 1
