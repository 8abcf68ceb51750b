"""What a user gets to see: the workflow stops before any job, and says what to change."""

import numpy as np
import pandas as pd
import pytest

from tests.workflow.conftest import finish


def refused(experiment, **changes) -> str:
    printed = finish(experiment.start(**changes), expect=1)
    assert "Traceback" not in printed
    return printed


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
def test_before_any_job(experiment, changes, message):
    (experiment.folder / "weights.pth").write_bytes(b"weights")
    (experiment.folder / "broken.py").write_text("def make(:")
    assert message in refused(experiment, **changes)
    assert not (experiment.folder / "results").exists()


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
