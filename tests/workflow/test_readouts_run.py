"""Readouts come out of a run, predict without its stimuli, and are known to the audit and the crate."""

import json
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import pandas as pd
import pytest

from tests.workflow.conftest import Experiment, command, environment

BEST = {"outputs": {"readouts": "best"}, "bootstrap": 100}
READOUTS = "results/readouts/rec/tiny"


@pytest.fixture(scope="module")
def ran(tmp_path_factory) -> Experiment:
    experiment = Experiment(tmp_path_factory.mktemp("readouts"))
    experiment.printed = experiment.run(**BEST)
    return experiment


def layers_of_readouts(experiment: Experiment) -> list[str]:
    files = (experiment.folder / READOUTS).glob("*.zarr.zip")
    return [file.name.removesuffix(".zarr.zip") for file in files]


def test_the_best_layers_have_readouts_and_nothing_is_left_to_do(ran):
    table = pd.read_csv(ran.folder / "results" / "best_layers.csv", dtype={"best_layer": str})
    rows = table[(table["model"] == "tiny") & (table["split"] == "stimuli") & (table["mapping"] == "ridge")]
    assert layers_of_readouts(ran) == rows["best_layer"].tolist()
    assert [path.name for path in (ran.folder / "results/readouts/rec/pixels").glob("*.md")] == ["pixels.md"]
    assert not list((ran.folder / "results" / "activations").glob("*/*/*"))
    assert "Nothing to be done" in ran.run("--dry-run", **BEST)


def test_a_folder_is_predicted_without_the_stimuli_and_features_of_the_run(ran, tmp_path):
    (layer,) = layers_of_readouts(ran)
    for name in (f"{layer}.zarr.zip", f"{layer}.md"):
        shutil.copy(ran.folder / READOUTS / name, tmp_path)
    shutil.copy(ran.folder / "tinynet.py", tmp_path)
    shutil.copytree(ran.folder / "images", tmp_path / "new")
    words = ["--readout", f"{layer}.zarr.zip", "--stimuli", "new", "--output", "predicted.csv"]
    run = [sys.executable, "-m", "ventral", "predict", *words]
    folder = command()[command().index("--snakefile") + 1].removesuffix("Snakefile") + "workflow"
    known = environment(tmp_path) | {"PYTHONPATH": f"{tmp_path}:{folder}"}
    done = subprocess.run(run, cwd=tmp_path, env=known, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    predicted = pd.read_csv(tmp_path / "predicted.csv", index_col="stimulus")
    responses = np.nanmean(np.load(ran.folder / "responses.npy"), axis=2)
    assert predicted.index.tolist() == [f"image{k}.png" for k in range(48)]
    # Fitted to these.
    assert min(np.corrcoef(predicted.to_numpy()[:, k], responses[k])[0, 1] for k in range(6)) > 0.5


def test_the_audit_makes_a_readout_again_and_the_crate_holds_it(ran):
    ran.run("audit", "crate", **BEST, audit={"sample": 0, "outputs": [READOUTS]})
    found = json.loads((ran.folder / "results" / "audit" / "audit.json").read_text())
    verdicts = {output["path"]: output["verdict"] for output in found["outputs"]}
    assert verdicts[READOUTS] == "re-run and equal"
    (layer,) = layers_of_readouts(ran)
    written = (ran.folder / READOUTS / f"{layer}.zarr.zip").read_bytes()
    with zipfile.ZipFile(ran.folder / "results" / "crate.zip") as archive:
        assert archive.read(f"{READOUTS}/{layer}.zarr.zip") == written
        graph = {entity["@id"]: entity for entity in json.loads(archive.read("ro-crate-metadata.json"))["@graph"]}
    assert graph[f"{READOUTS}/"]["@type"] == "Dataset"
    assert "readouts/rec/tiny" in graph[f"{READOUTS}/"]["description"]


def test_a_run_that_does_not_ask_plans_no_readout(ran):
    planned = ran.run("--dry-run", "--forceall", bootstrap=100)
    assert "rule gram:" in planned
    assert "rule readout:" not in planned
    assert "results/readouts" not in planned


def test_a_wrong_layer_is_told_before_anything_is_extracted(experiment):
    printed = finish_wrong(experiment, {"tiny": ["0", "3"]})
    assert "config key outputs.readouts: '3' is none of the layers that are taken of the model tiny" in printed
    assert not (experiment.folder / "results" / "models").exists()
    experiment.config["models"]["tiny"]["layers"] = ["*"]
    printed = finish_wrong(experiment, {"tiny": ["0", "7"]})
    assert "config key outputs.readouts: '7' is none of the layers that are taken of the model tiny" in printed
    assert not (experiment.folder / "results" / "grams").exists()


def finish_wrong(experiment: Experiment, readouts: dict) -> str:
    process = experiment.start("results/models/tiny.json", outputs={"readouts": readouts})
    printed, _ = process.communicate(timeout=300)
    assert process.returncode != 0
    return printed
