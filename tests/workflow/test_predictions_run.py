"""Predictions come out of a run, give its scores, and are known to the audit and the crate."""

import json
import re
import shutil
import zipfile

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tests.workflow.conftest import Experiment
from ventral.mappings.correlation import pooled_r, sums_within_folds

ASKED = {"outputs": {"predictions": "all"}}
STORES = {model: f"results/predictions/rec/{model}.zarr" for model in ("tiny", "pixels")}


def jobs_of(printed: str) -> dict[str, int]:
    """The table of jobs that snakemake prints before it starts."""
    lines = printed.split("Job stats:")[1].split("total")[0].splitlines()
    return {words[0]: int(words[1]) for words in map(str.split, lines) if len(words) == 2 and words[1].isdigit()}


@pytest.fixture(scope="module")
def ran(undisturbed, tmp_path_factory) -> Experiment:
    """The undisturbed run, to which predictions were added."""
    folder = tmp_path_factory.mktemp("predictions")
    shutil.copytree(undisturbed.folder, folder / "copy", copy_function=shutil.copy2)
    experiment = Experiment(folder / "unused")
    experiment.folder = folder / "copy"
    experiment.forecast = experiment.run("--dry-run", **ASKED)
    experiment.printed = experiment.run(**ASKED)
    return experiment


def test_only_predictions_are_made_and_their_size_is_told_before(ran):
    assert jobs_of(ran.printed) == {"predictions": 2, "all": 1}
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


def test_the_audit_makes_predictions_again_and_the_crate_holds_them(ran):
    path = STORES["tiny"]
    ran.run("audit", "crate", **ASKED, audit={"sample": 0, "outputs": [path]})
    found = json.loads((ran.folder / "results" / "audit" / "audit.json").read_text())
    verdicts = {output["path"]: output["verdict"] for output in found["outputs"]}
    assert verdicts[path] == "re-run and equal"
    with zipfile.ZipFile(ran.folder / "results" / "crate.zip") as archive:
        assert archive.read(f"{path}/zarr.json") == (ran.folder / path / "zarr.json").read_bytes()
        graph = {entity["@id"]: entity for entity in json.loads(archive.read("ro-crate-metadata.json"))["@graph"]}
    assert graph[f"{path}/"]["@type"] == "Dataset"


def test_a_run_that_does_not_ask_plans_no_predictions(ran, undisturbed):
    planned = jobs_of(ran.run("--dry-run", "--forceall"))
    assert planned == jobs_of(undisturbed.printed)
    assert "predictions" not in planned
