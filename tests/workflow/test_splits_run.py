"""Every kind of split in one run, from the tables to the page: areas that are scored as models, and no network."""

import json
import subprocess

import numpy as np
import pandas as pd
import pytest

from tests.workflow.conftest import command, environment, run_config

N = 60
SPLITS = [
    "stimuli",
    {"column": "movie"},
    {"column": "movie", "folds": 5, "name": "movies"},
    {"partition": "set", "name": "published"},
    {"partition": "three", "name": "validated"},
    {"random": 9, "train": 45},
]
NAMES = {"stimuli", "movie", "movies", "published", "validated", "random"}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Neurons of IT in another animal are made of those of V4, and have nothing in common with those of V1."""
    folder = tmp_path_factory.mktemp("splits")
    rng = np.random.default_rng(0)
    rows = []
    for k in range(N):
        part = "test" if k % 3 == 0 else "train"
        three = "validation" if part == "train" and k % 4 == 1 else part
        rows.append(f"s{k},m{k // 6},{part},{three},{rng.uniform():.3f}")
    (folder / "stimuli.csv").write_text("\n".join(["stimulus,movie,set,three,size", *rows]) + "\n")
    of_v4, of_v1 = rng.normal(size=(4, N)), rng.normal(size=(4, N))
    signal = np.concatenate([of_v4, of_v1, rng.normal(size=(5, 4)) @ of_v4 / 2])
    np.save(folder / "responses.npy", signal[:, :, None] + 0.3 * rng.normal(size=(13, N, 4)))
    areas = [*["V4,a"] * 4, *["V1,a"] * 4, *["IT,b"] * 5]
    (folder / "neuroids.csv").write_text("\n".join(["area,animal", *areas]) + "\n")
    config = {
        "results": "results",
        "stimuli": {"names": {"table": "stimuli.csv"}},
        "recordings": {"rec": {"stimuli": "names", "responses": "responses.npy", "neuroids": "neuroids.csv"}},
        "recorded_models": ["rec"],
        "splits": SPLITS,
        "penalties": {"number": 5},
        "bootstrap": 100,
        "audit": {"sample": 0},
    }
    run_config(folder, config)
    run_config(folder, config, "audit")
    return folder / "results"


def test_neurons_are_predicted_by_what_they_are_made_of_on_every_split(results):
    scores = pd.read_parquet(results / "scores.parquet").query("target_kind == 'neuron' and area == 'IT'")
    assert set(scores["split"]) == NAMES
    medians = scores.groupby(["split", "layer"])["predictivity"].median()
    for split in NAMES:
        assert medians[split, "V4, animal a"] > 0.9
        assert abs(medians[split, "V1, animal a"]) < 0.5
    counts = scores.groupby("split")[["n_stimuli", "n_folds"]].first()
    assert counts.loc["published"].tolist() == [20, 1]
    assert counts.loc["random"].tolist() == [15, 9]
    assert counts.loc["movie"].tolist() == [60, 10]
    assert counts.loc["movies"].tolist() == [60, 5]


def test_the_page_says_how_stimuli_were_held_out(results):
    page = (results / "report.html").read_text(encoding="utf-8")
    assert "all stimuli of one value of the column movie were held out together, each of 10 in turn (movie)" in page
    assert "whole groups of the column movie were dealt into 5 parts, each held out in turn (movies)" in page
    assert "the stimuli that the column set calls train, and scored on those it calls test" in page
    assert "a training set of 45 and a test set of all others, 9 times" in page
    assert "no claims" in page


def test_the_log_tells_what_random_test_sets_lack(results):
    logs = "".join(path.read_text() for path in (results / "logs").rglob("*.log"))
    assert "split random: random test sets overlap" in logs


def test_the_audit_passes(results):
    assert json.loads((results / "audit" / "audit.json").read_text())["verdict"] == "passed"


def test_a_word_that_is_no_part_is_named_with_its_row_before_any_job(results):
    folder = results.parent
    text = (folder / "stimuli.csv").read_text().splitlines()
    text[7] = text[7].replace("test", "tset", 1)
    (folder / "wrong.csv").write_text("\n".join(text) + "\n")
    config = {
        "results": "elsewhere",
        "stimuli": {"names": {"table": "wrong.csv"}},
        "recordings": {"rec": {"stimuli": "names", "responses": "responses.npy", "area": "V4"}},
        "splits": [{"partition": "set"}],
    }
    (folder / "wrong.json").write_text(json.dumps(config))
    done = subprocess.run(
        command("--configfile", "wrong.json", "--cores", "2"),
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "split `set`: the column `set` has 'tset' in data row 7; did you mean `test`?" in done.stdout + done.stderr
    assert not (folder / "elsewhere").exists()
