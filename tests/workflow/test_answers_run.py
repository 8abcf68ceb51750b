"""Predictions and readouts come out of a run, give its scores, and are known to the audit and the crate."""

import json
import re
import shutil
import subprocess
import sys
import zipfile
from itertools import product
from urllib.parse import quote

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import ventral
from tests.workflow.conftest import Experiment, command, environment
from tests.workflow.test_run import jobs_of
from ventral.mappings.correlation import pooled_r, sums_within_folds
from ventral.tables import read_csv, read_parquet

NEURONS = ["neuroid_1", "neuroid_2"]
DRIVE = {"recording": "rec", "neuroids": NEURONS, "model": "tiny", "judge": "pixels", "seeds": 1, "steps": 4}
NEXT = {"recording": "rec", "pool": "mine", "candidates": {"tiny": "best", "pixels": "best"}, "chosen": 5}
TUNING = {"models": ["tiny"], "readouts": True, "degrees": 4, "units": 3, "frequencies": [0.5, 1, 1.5, 2.5]}
ASKED = {
    "outputs": {"predictions": "all", "readouts": "best"},
    "first_layers": {"models": ["tiny"]},
    "in_silico": {"drive": DRIVE, "next_experiment": NEXT, "tuning": TUNING},
}
STORES = {model: f"results/predictions/rec/{model}.zarr" for model in ("tiny", "pixels")}
READOUTS = "results/readouts/rec/tiny"
DRIVEN = "results/driven"


@pytest.fixture(scope="module")
def ran(undisturbed, tmp_path_factory) -> Experiment:
    """The undisturbed run, to which predictions and readouts were added."""
    experiment = undisturbed.copy(tmp_path_factory.mktemp("answers") / "copy")
    experiment.forecast = experiment.run("--dry-run", outputs={"predictions": "all"})
    experiment.printed = experiment.run(**ASKED)
    return experiment


@pytest.fixture(scope="module")
def audited(ran) -> tuple[dict[str, str], zipfile.ZipFile]:
    """The verdict on each output by an audit that makes predictions and readouts again, and the crate."""
    ran.run("audit", "crate", **ASKED, audit={"sample": 0, "outputs": [STORES["tiny"], READOUTS, DRIVEN]})
    found = json.loads((ran.folder / "results" / "audit" / "audit.json").read_text())
    verdicts = {output["path"]: output["verdict"] for output in found["outputs"]}
    with zipfile.ZipFile(ran.folder / "results" / "crate.zip") as crate:
        yield verdicts, crate


def entities(crate: zipfile.ZipFile) -> dict[str, dict]:
    return {entity["@id"]: entity for entity in json.loads(crate.read("ro-crate-metadata.json"))["@graph"]}


def layers_of_readouts(experiment: Experiment) -> list[str]:
    files = (experiment.folder / READOUTS).glob("*.zarr.zip")
    return [file.name.removesuffix(".zarr.zip") for file in files]


def test_a_finished_run_makes_predictions_alone_and_tells_their_size_before(ran):
    assert jobs_of(ran.forecast) == {"predictions": 2, "all": 1}
    assert jobs_of(ran.printed)["readout"] == 2
    # 48 stimuli x 6 neuroids x 8 bytes, for responses and for 3 layers or 1 on 2 splits: 2,304 x (1 + 6 + 1 + 2).
    (disk,) = re.findall(r"^forecast, disk: (.+)$", ran.forecast, re.MULTILINE)
    assert disk == "predictions: 23 kB"
    log = (ran.folder / "results" / "logs" / "predictions" / "rec" / "tiny.log").read_text()
    assert "predictions of 3 layers for 6 neuroids and 48 stimuli, by ridge, on stimuli, objects: 0.0161 MB" in log
    assert "Nothing to be done" in ran.run("--dry-run", **ASKED)


@pytest.mark.filterwarnings("error")
def test_predictions_give_the_scores_of_the_run(ran):
    scores = pd.read_parquet(ran.folder / "results" / "scores.parquet")
    rows = scores[(scores["target_kind"] == "neuron") & (scores["mapping"] == "ridge")]
    expected = rows.set_index(["model", "layer", "split", "target"])["r"]
    found = {}
    for model, path in STORES.items():
        store = xr.open_zarr(ran.folder / path, chunks=None)
        assert store.attrs["recording"] == "rec"
        assert store["size"].dims == ("stimulus",)
        predicted = store["predicted"] if "layer" in store.dims else store["predicted"].expand_dims("layer")
        for split, fold in zip(store["split"].values, store["fold"].values, strict=True):
            folds = [np.flatnonzero(fold == k) for k in np.unique(fold)]
            for layer in predicted["layer"].values:
                of_layer = predicted.sel(split=split, layer=layer).values
                r = pooled_r(sums_within_folds(of_layer, store["measured"].values, folds))
                keys = [(model, layer, split, name) for name in store["neuroid"].values]
                found |= dict(zip(keys, r, strict=True))
    assert len(found) == len(expected) == 4 * 2 * 6
    np.testing.assert_allclose([found[key] for key in expected.index], expected.astype(float), rtol=1e-12)


def test_the_audit_makes_predictions_again_and_the_crate_holds_them(ran, audited):
    verdicts, crate = audited
    path = STORES["tiny"]
    assert verdicts[path] == "rerun and equal"
    assert crate.read(f"{path}/zarr.json") == (ran.folder / path / "zarr.json").read_bytes()
    assert entities(crate)[f"{path}/"]["@type"] == "Dataset"


def test_the_best_layers_have_readouts(ran):
    table = pd.read_csv(ran.folder / "results" / "best_layers.csv", dtype={"best_layer": str})
    rows = table[(table["model"] == "tiny") & (table["split"] == "stimuli") & (table["mapping"] == "ridge")]
    assert layers_of_readouts(ran) == rows["best_layer"].tolist()
    assert [path.name for path in (ran.folder / "results/readouts/rec/pixels").glob("*.md")] == ["pixels.md"]
    assert not list((ran.folder / "results" / "activations").glob("*/*/*"))


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


def test_the_audit_makes_a_readout_again_and_the_crate_holds_it(ran, audited):
    verdicts, crate = audited
    assert verdicts[READOUTS] == "rerun and equal"
    (layer,) = layers_of_readouts(ran)
    path = f"{READOUTS}/{layer}.zarr.zip"
    assert crate.read(path) == (ran.folder / path).read_bytes()
    assert entities(crate)[f"{READOUTS}/"]["@type"] == "Dataset"
    assert "readouts/rec/tiny" in entities(crate)[f"{READOUTS}/"]["description"]


def test_the_filters_of_a_first_layer_stand_beside_v1_and_in_the_crate(ran, audited):
    results, (verdicts, crate) = ran.folder / "results", audited
    filters = read_parquet(results / "filters.parquet")
    assert filters.groupby("kind").size().to_dict() == {"filter": 8, "shuffled": 100, "random": 100}
    np.testing.assert_allclose(filters["spatial_frequency"], filters["frequency"] * 32 / 8)
    distances = pd.read_csv(results / "filter_distances.csv")
    assert set(distances["model"]) == {"tiny"}
    assert not distances["determined"].any()
    page = (results / "report.html").read_text(encoding="utf-8")
    for shown in ("Filters of first layers", "Filters of first layers and neurons of V1", "Ringach DL (2002)"):
        assert shown in page
    for path in ("filters.parquet", "filter_distances.csv", "figures/filters.svg", "figures/filter_distributions.csv"):
        assert verdicts[f"results/{path}"] == "verified"
        assert f"results/{path}" in crate.namelist()


def test_the_stimuli_of_the_next_experiment_are_chosen_and_their_trials_counted(ran, audited):
    results, (verdicts, crate) = ran.folder / "results", audited
    chosen = read_csv(results / "next_experiment.csv", "layer")
    assert chosen.groupby(["model", "layer"])["rank"].apply(list).tolist() == [[1, 2, 3, 4, 5]] * 2
    assert chosen["stimulus"].nunique() == 5
    trials = read_csv(results / "next_experiment_trials.csv", "layer_a", "layer_b")
    assert set(trials[["model_a", "model_b"]].to_numpy().ravel()) == {"tiny", "pixels"}
    assert trials["log_ratio"].item() > trials["random_log_ratio"].item()
    page = (results / "report.html").read_text(encoding="utf-8")
    for shown in ("Stimuli of the next experiment", "Box GEP, Hill WJ (1967)"):
        assert shown in page
    for path in ("next_experiment.csv", "next_experiment_trials.csv", "figures/next_experiment.svg"):
        assert verdicts[f"results/{path}"] == "verified"
        assert f"results/{path}" in crate.namelist()
    assert verdicts["results/next_experiment.zarr"] == "verified"


def test_images_that_drive_neurons_stand_on_the_page_and_in_the_crate(ran, audited, monkeypatch):
    results, (verdicts, crate) = ran.folder / "results", audited
    monkeypatch.syspath_prepend(ran.folder)
    table = read_parquet(ran.folder / DRIVEN / "stimuli.parquet")
    kinds = ["synthesised", "natural", "natural_matched", "natural_masked", "gabor", "linear"]
    assert list(zip(table["neuroid"], table["kind"], strict=True)) == list(product(NEURONS, kinds))
    readout = ventral.load_readout(ran.folder / READOUTS / f"{quote(table['model_layer'].iloc[0])}.zarr.zip")
    for row in table.itertuples():
        predicted = readout.predict([ran.folder / DRIVEN / row.image]).sel(neuroid=row.neuroid).item()
        assert row.response == pytest.approx(predicted, rel=1e-4, abs=1e-5)
    sys.modules.pop("tinynet")
    means = pd.read_csv(results / "drive.csv")
    assert means.set_index("kind").loc["synthesised", "gain"] == pytest.approx(
        table.loc[table["kind"] == "synthesised", "gain"].mean()
    )
    page = (results / "report.html").read_text(encoding="utf-8")
    for shown in ("Images that drive neurons", "For 2 neurons of rec, images were synthesised", "Walker EY"):
        assert shown in page
    assert verdicts[DRIVEN] == "rerun and equal"
    for path in (f"{DRIVEN}/{table['image'].iloc[0]}", "results/drive.csv", "results/figures/driven.svg"):
        assert path in crate.namelist()


def test_layers_and_readouts_are_shown_gratings_and_stand_on_the_page_and_in_the_crate(ran, audited):
    results, (verdicts, crate) = ran.folder / "results", audited
    layers = read_parquet(results / "tuning" / "tiny.parquet")
    assert layers[layers["kind"] == "unit"].groupby("layer").size().to_dict() == {"0": 3, "2": 3, "5": 3}
    readouts = read_parquet(results / "tuning_of_readouts" / "rec" / "tiny.parquet")
    assert layers_of_readouts(ran) == readouts["layer"].unique().tolist()
    assert (readouts["kind"] == "unit").sum() == 6
    table = pd.read_csv(results / "tuning.csv", keep_default_na=False)
    # Pixels have a readout, too.
    assert table.groupby("model")["recording"].unique().map(sorted).to_dict() == {
        "pixels": ["rec"],
        "tiny": ["", "rec"],
    }
    assert set(table["property"]) >= {"orientation", "spatial frequency", "all", "circular_variance", "f1_f0", "c50"}
    page = (results / "report.html").read_text(encoding="utf-8")
    assert "Tuning to gratings" in page
    assert "Skottun BC" in page
    for path in ("tuning/tiny.parquet", "tuning.csv", "figures/tuning.svg", "tuning_of_readouts/rec/tiny.parquet"):
        assert verdicts[f"results/{path}"] == "verified"
        assert f"results/{path}" in crate.namelist()


def test_a_run_that_does_not_ask_plans_neither(ran, undisturbed):
    planned = jobs_of(ran.run("--dry-run", "--forceall"))
    assert planned == jobs_of(undisturbed.printed)
    assert not {"predictions", "readout"} & planned.keys()


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
