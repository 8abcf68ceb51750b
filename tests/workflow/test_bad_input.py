"""What a user gets to see: the workflow stops before any job, and says what to change."""

import datetime
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest

from tests.workflow.conftest import ROOT, command, environment, finish
from ventral.configuration.resolution import check_inputs, resolve
from ventral.configuration.schema import typed
from ventral.errors import InputError


def refused(experiment, *arguments: str, **changes) -> str:
    printed = finish(experiment.start(*arguments, **changes), expect=1)
    assert "Traceback" not in printed
    return printed


def said(printed: str) -> list[str]:
    """Return what is printed below the heading of a mistake: no line of our own files."""
    return printed.partition("Refused:\n")[2].splitlines()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"modles": ["pixels"]}, "unknown key `modles`; did you mean `models`? allowed: results,"),
        ({"stimuli": {"mine": {"images": "nowhere"}}}, "stimuli.mine.images"),
        ({"folds": 13}, "puts every object into each of 13 folds"),
        ({"results": "stimuli.csv/results"}, "config key results: stimuli.csv/results cannot be made"),
        ({"models": {"m": {"architecture": "broken:make"}}}, "broken.py, line 1)"),
        (
            {"models": {"m": {"architecture": "resnet18", "weights": "weights.pth", "sha256": "0" * 64}}},
            "models.m.sha256: weights.pth has the sha256",
        ),
    ],
)
def test_before_any_job(experiment, monkeypatch, changes, message):
    """By what the rules ask before they are read; the tests below see the workflow print it."""
    (experiment.folder / "weights.pth").write_bytes(b"weights")
    (experiment.folder / "broken.py").write_text("def make(:")
    monkeypatch.chdir(experiment.folder)
    monkeypatch.syspath_prepend(experiment.folder)
    with pytest.raises(InputError) as refusal:
        check_inputs(resolve(typed(experiment.config | changes)), fetched="resources/")
    assert message in str(refusal.value)
    assert not (experiment.folder / "results").exists()


def test_every_mistake_of_a_config_is_printed_by_its_key_and_nothing_else(experiment):
    wrong = {"results": "<logs>/{x}", "bootstrap": "many", "folds": 5.5, "seed": -1}
    lines = said(refused(experiment, **wrong, models={"a" * 20: None, "-x": None}))
    keys = [line.split(": ")[0] for line in lines]
    assert keys == [f"config key {key}" for key in ("bootstrap", "folds", "models", "models", "results", "seed")]


def test_a_key_that_stands_twice_in_one_of_two_config_files(experiment):
    (experiment.folder / "more.yaml").write_text("folds: 4\nseed: 1\nfolds: 6\n")
    (line,) = said(refused(experiment, "--configfile", "config.yaml", "more.yaml"))
    assert line.endswith("more.yaml, line 3: the key 'folds' is in line 1 already, and would replace it; keep one")


def test_a_config_that_is_not_in_utf8(experiment):
    config = experiment.folder / "config" / "config.yaml"
    config.parent.mkdir()
    config.write_text("models: [pixels]\n", encoding="utf-16")
    arguments, folder = command("--cores", "1"), experiment.folder
    done = subprocess.run(arguments, cwd=folder, env=environment(folder), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert said(done.stderr) == ["config/config.yaml, line 1: it is in UTF-16; save the file as UTF-8"]


@pytest.mark.skipif(shutil.which("sbatch") is not None, reason="SLURM is on this machine")
def test_the_profile_for_slurm_where_it_is_not(experiment):
    profile = ("--workflow-profile", str(ROOT / "profiles" / "slurm"))
    (line,) = said(refused(experiment, *profile))
    assert "SLURM's command `sbatch` is not on PATH here" in line
    assert not (experiment.folder / "results").exists()


def test_odd_values_that_are_right_are_planned_audit_and_crate_too(experiment):
    recording = experiment.config["recordings"]["rec"] | {"area": "V4 {model} <logs>"}
    printed = experiment.run(
        "--dry-run",
        "audit",
        "crate",
        recordings={210325: recording, datetime.date(2020, 1, 1): recording, "a" * 12: recording},
        banded={"tiny": ["0", "{model}"]},
        models=experiment.config["models"] | {"tiny": {"architecture": "tinynet:make", "layers": ["{model}", "0"]}},
        folds="4.0",
        bootstrap="1e3",
        penalties={"lowest": "1e-3", "number": 5.0},
        brainscore="yes",
        results="./a 'b'//",
    )
    assert "rule audit:" in printed
    assert "a 'b'/crate.zip" in printed
    assert "a 'b'/recordings/2020-01-01.zarr" in printed


def test_responses_to_another_number_of_images(experiment):
    np.save(experiment.folder / "responses.npy", np.zeros((6, 47, 5)))
    printed = refused(experiment)
    assert "recordings.rec.responses" in printed
    assert "47" in printed
    assert "48" in printed
    assert not (experiment.folder / "results").exists()


def test_a_truncated_image_is_named_before_extraction(experiment):
    path = experiment.folder / "images" / "image7.png"
    path.write_bytes(path.read_bytes()[:-40])
    printed = refused(experiment)
    assert "image7.png" in printed
    assert not (experiment.folder / "results" / "activations").exists()


def test_an_unknown_layer_is_named_with_its_neighbours_before_extraction(experiment):
    experiment.config["models"]["tiny"]["layers"] = ["0", "layer7"]
    printed = refused(experiment)
    assert "models.tiny.layers: there is no layer 'layer7'; the nearest are 0, 1, 2" in printed
    assert not (experiment.folder / "results" / "activations" / "tiny").exists()


def test_ones_own_module_that_exits_is_told_as_it_is_before_extraction(experiment):
    (experiment.folder / "leaving.py").write_text("import sys\nsys.exit(0)")
    experiment.config["models"]["tiny"]["architecture"] = "leaving:make"
    printed = refused(experiment)
    assert "models.tiny.architecture: importing leaving failed: SystemExit: 0 (" in printed
    assert "leaving.py, line 2)" in printed
    assert not (experiment.folder / "results" / "activations" / "tiny").exists()


def test_silent_neurons_are_left_out_counted_and_named(experiment):
    responses = np.load(experiment.folder / "responses.npy")
    responses[2], responses[5] = np.nan, 3.0
    np.save(experiment.folder / "responses.npy", responses)
    experiment.run("results/scores.parquet", models={"pixels": None})
    log = (experiment.folder / "results" / "logs" / "recordings" / "rec.log").read_text()
    assert "2 of 6" in log
    scores = pd.read_parquet(experiment.folder / "results" / "scores.parquet").query("target_kind == 'neuron'")
    assert scores["target"].nunique() == 4
