"""Networks trained in the workflow, on labels and on a recording, are scored like any other, and so are checkpoints."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.workflow.conftest import Experiment, finish
from tests.workflow.test_run import jobs_of


@pytest.fixture
def trained(tmp_path) -> Experiment:
    """The experiment, with images to train on, of which one category and one object are also tested."""
    experiment = Experiment(tmp_path)
    rng = np.random.default_rng(1)
    table = pd.read_csv(tmp_path / "stimuli.csv").assign(category=["toys", "tools"] * 24)
    table.to_csv(tmp_path / "stimuli.csv", index=False)
    (tmp_path / "more").mkdir()
    lines = ["stimulus,object,category"]
    for k in range(48):
        category = ("cars", "bears", "faces", "toys")[k % 4]
        pixels = rng.integers(0, 160, (32, 32, 3), dtype=np.uint8)
        pixels[:, :, k % 3] += np.uint8(60)
        Image.fromarray(pixels).save(tmp_path / "more" / f"more{k}.png")
        lines.append(f"more{k},{f'{category}{k // 4 % 2}' if k % 8 else 'object0'},{category}")
    (tmp_path / "more.csv").write_text("\n".join(lines))
    np.save(tmp_path / "fit.npy", rng.normal(size=(3, 48, 2)))
    train = {"epochs": 2, "batch_size": 8}
    experiment.config |= {
        "stimuli": experiment.config["stimuli"] | {"more": {"images": "more", "table": "more.csv"}},
        "recordings": experiment.config["recordings"]
        | {"fit": {"stimuli": "more", "responses": "fit.npy", "area": "IT", "models": []}},
        "models": {
            "learned": {
                "architecture": "conv2",
                "size": 32,
                "train": {"stimuli": "more", "label": "category", "checkpoints": [0], **train},
            },
            "fitted": {"architecture": "tinynet:make", "size": 32, "train": {"recording": "fit", **train}},
        },
        "splits": ["stimuli"],
        "extraction": {"shards": 1},
    }
    return experiment


SCORES = "results/scores.parquet"


def test_trained_networks_and_checkpoints_are_models_like_any_other(trained):
    before = jobs_of(trained.run("--dry-run", SCORES))
    # The network, its checkpoint, and the one that is fitted to a recording, but not scored on it.
    assert before["train"] == 2
    assert before["model"] == before["fit"] == 3
    trained.run(*(f"results/models/{name}.json" for name in ("learned", "learned.epoch0", "fitted")))
    results = trained.folder / "results"
    seen = pd.read_csv(results / "models" / "learned" / "seen.csv")
    assert set(seen["category"]) == {"cars", "bears", "faces"}
    assert "object0" not in set(seen["object"])
    assert (seen["times"] == 2).all()
    hashes = [
        json.loads((results / "models" / f"{name}.json").read_text())["weights_sha256"]
        for name in ("learned.epoch0", "learned")
    ]
    assert hashes[0] != hashes[1]
    neurons = pd.read_csv(results / "models" / "fitted" / "neurons.csv")
    assert set(neurons["area"]) == {"IT"}
    assert "images/s" in (results / "logs" / "trainings" / "learned.log").read_text()
    # Other layers need no other training; other options of training do.
    trained.config["models"]["fitted"]["layers"] = ["0"]
    jobs = jobs_of(trained.run("--dry-run", SCORES))
    assert "train" not in jobs
    assert jobs["model"] == 1
    trained.config["models"]["learned"]["train"]["epochs"] = 3
    assert jobs_of(trained.run("--dry-run", SCORES))["train"] == 1


def test_what_must_not_be_trained_on_is_said_before_any_job(trained):
    trained.config["models"]["learned"]["train"]["exclude"] = ["robots"]
    printed = finish(trained.start(), expect=1)
    assert "models.learned.train.exclude: 'robots' is no category or object of the stimulus set 'more'" in printed
    assert "Traceback" not in printed
    assert not (trained.folder / "results").exists()
