"""Recordings of stimuli whose files are not here, decoded without any model, from the tables to the page."""

import json

import numpy as np
import pandas as pd
import pytest

from tests.workflow.conftest import run_config

N = 24


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Two areas of three neurons each; the first of IT has the size of the stimulus as its response, almost."""
    folder = tmp_path_factory.mktemp("no_models")
    rng = np.random.default_rng(0)
    size = rng.permutation(N) / N
    rows = [f"s{k},object{k % 2},{size[k]:.4f}" for k in range(N)]
    (folder / "stimuli.csv").write_text("\n".join(["stimulus,object,size", *rows]) + "\n")
    rates = rng.normal(size=(6, N))
    rates[3] = 4 * size
    np.save(folder / "responses.npy", rates[:, :, None] + 0.2 * rng.normal(size=(6, N, 3)))
    (folder / "neuroids.csv").write_text("area\n" + "V4\n" * 3 + "IT\n" * 3)
    config = {
        "results": "results",
        "stimuli": {"names": {"table": "stimuli.csv"}},
        "recordings": {"rec": {"stimuli": "names", "responses": "responses.npy", "neuroids": "neuroids.csv"}},
        "decoding": {"draws": 2},
        "folds": 3,
        "penalties": {"number": 3},
        "bootstrap": 100,
        "audit": {"sample": 0},
    }
    run_config(folder, config)
    run_config(folder, config, "audit")
    return folder / "results"


def test_areas_are_decoded_without_a_model(results):
    table = pd.read_csv(results / "explicit.csv").query("target == 'size'").set_index("layer")
    assert set(table["family"]) == {"recorded"}
    assert table.loc["IT", "score"] > 0.9 > table.loc["V4", "score"]
    assert not (results / "decoding").exists()


def test_tables_of_scores_have_no_rows_and_say_so(results):
    assert len(pd.read_parquet(results / "scores.parquet")) == 0
    for name in ("claims", "figures/layer_profile", "figures/categorisation"):
        assert len(pd.read_csv(results / f"{name}.csv")) == 0
    assert "No scores" in (results / "figures" / "layer_profile.svg").read_text()
    assert "No categorisation scores" in (results / "figures" / "categorisation.svg").read_text()
    assert "no model or area is scored" in (results / "logs" / "join.log").read_text()


def test_a_set_without_files_has_no_contact_sheet(results):
    assert (results / "stimuli" / "names.zarr").is_dir()
    assert not (results / "figures" / "contact_sheets").exists()


def test_the_page_says_that_nothing_is_scored_and_shows_what_is_decoded(results):
    page = (results / "report.html").read_text(encoding="utf-8")
    assert "1 recording of V4 and IT. No model is scored against them." in page
    assert "No model is scored: the config names no model" in page
    assert "What layers and areas make explicit" in page
    assert "0 models" not in page


def test_the_audit_passes(results):
    assert json.loads((results / "audit" / "audit.json").read_text())["verdict"] == "passed"
