"""Synthesised sounds, from the config to the page, with the baseline of sounds."""

import json

import numpy as np
import pandas as pd
import pytest

from tests.unit.test_synthesis import needs_libraries
from tests.workflow.conftest import run_config
from ventral.stimuli.synthesis import complete, plan, synthesised
from ventral.store import read_dataset

pytestmark = needs_libraries

SET = {
    "synthesis": {
        "words": 4, "voices": 3, "instruments": 4, "phrases": 3, "backgrounds": ["noise", "none"], "snr": [6]
    },
    "rate": 16_000,
    "seconds": 1.25,
}  # fmt: skip


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Neurons prefer speech or music."""
    folder = tmp_path_factory.mktemp("synthesis")
    rng = np.random.default_rng(0)
    is_speech = np.repeat([1.0, 0.0], 12)
    rates = np.stack([is_speech, 1 - is_speech])[:, :, None] + 0.2 * rng.normal(size=(2, 24, 4))
    np.save(folder / "responses.npy", rates)
    config = {
        "results": "results",
        "stimuli": {"heard": SET},
        "recordings": {"rec": {"stimuli": "heard", "responses": "responses.npy", "area": "A1"}},
        "models": {"cochleagram": {"over_time": "kept"}},
        "folds": 3,
        "penalties": {"number": 5},
        "bootstrap": 100,
    }
    run_config(folder, config)
    return folder / "results"


def test_the_set_of_the_run_is_that_of_the_plan(results):
    dataset = read_dataset(results / "stimuli" / "heard.zarr")
    used = json.loads((results / "provenance/stimuli/heard.json").read_text())["config"]["spec"]
    spec = complete(used)
    table = plan(spec)
    assert dataset["waveform"].shape == (24, 20_000)
    assert list(dataset["stimulus"].values) == list(table.index)
    last = table.reset_index().to_dict("records")[-1]
    assert np.array_equal(dataset["waveform"][-1].values, synthesised(spec, last))


def test_the_record_of_the_job_names_the_synthesisers(results):
    record = json.loads((results / "provenance/stimuli/heard.json").read_text())
    assert record["stage"] == "synthesise"
    assert {"espeakng-loader", "tinysoundfont", "pretty_midi", "scipy"} <= set(record["packages"])


def test_models_are_scored_on_the_set(results):
    scores = pd.read_parquet(results / "scores.parquet")
    assert set(scores.query("target_kind == 'property'")["target"]) == {"pitch", "speed"}
    assert scores.query("target_kind == 'neuron'")["r"].median() > 0.3


def test_the_page_shows_and_describes_the_set(results):
    assert (results / "figures" / "contact_sheets" / "heard.svg").stat().st_size > 1000
    page = (results / "report.html").read_text()
    assert "synthesised: 4 words in 3 voices and 3 phrases on 4 instruments, before unrelated backgrounds" in page
