"""The whole way from files in the layout of TVSD, and from a session in NWB, to scores of held-out images."""

import re
import subprocess

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.unit.test_nwb import Session, saved, with_trials
from tests.unit.test_tvsd import publish
from tests.workflow.conftest import command, environment, run_config
from tests.workflow.test_run import jobs_of


def write_session(folder):
    """Write a session in NWB, and images whose halves have the grey values that V4 and IT answer to."""
    session = Session(n=40)
    (folder / "halves").mkdir()
    for number, rates in enumerate(session.features):
        pixels = np.repeat(6 * rates, 12).round().astype(np.uint8)
        Image.fromarray(np.tile(pixels, (24, 1))).save(folder / "halves" / f"{number:02d}.png")
    saved(folder / "session.nwb", with_trials(session, stimulus=[f"{number:02d}.png" for number in session.shown]))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a run on channels made of columns of the images, and a model that sees all columns."""
    folder = tmp_path_factory.mktemp("tvsd")
    publish(folder / "published", n_train=60)
    write_session(folder)
    config = {
        "dataset": {"tvsd": {"size": 24}},
        "data_dir": "published",
        "stimuli": {"halves": {"images": "halves", "size": 24}},
        # Trials of the session begin 30 ms before the stimulus.
        "recordings": {"session": {"stimuli": "halves", "nwb": "session.nwb", "onset": 30, "time_bins": [[70, 170]]}},
        "models": {"pixels": {"size": 24}},
        "mappings": ["ridge"],
        "penalties": {"number": 5},
        "bootstrap": 100,
        "extraction": {"shards": 1},
    }
    run_config(folder, config, "results/scores.parquet")
    return folder


@pytest.fixture(scope="module")
def scores(run):
    return pd.read_parquet(run / "results" / "scores.parquet").query("target_kind == 'neuron'")


def test_channels_made_of_the_images_are_predicted_in_the_published_test_images(scores):
    scores = scores[scores["recording"] != "session"]
    assert set(scores["split"]) == {"published"}
    counts = scores.groupby(["recording", "area"]).size()
    assert counts["tvsd_F"].to_dict() == {"IT": 320, "V1": 512, "V4": 192}
    assert counts["tvsd_N"].to_dict() == {"IT": 256, "V1": 512, "V4": 256}
    assert (scores["r"] > 0.8).all()


def test_predictions_reach_the_ceilings_of_thirty_repetitions(scores):
    scores = scores[scores["recording"] != "session"]
    # The noise of one repetition and of training stimuli alone is left.
    for column in ("predictivity", "predictivity_given"):
        assert scores.groupby("area")[column].median().between(0.93, 1.03).all(), column
    assert set(scores["given_ceiling_kind"]) == {"snr"}


def test_units_of_an_nwb_file_are_predicted_in_held_out_images(scores):
    session = scores[scores["recording"] == "session"]
    assert set(session["split"]) == {"stimuli"}
    assert session.groupby("area").size().to_dict() == {"IT": 2, "V4": 2}
    assert (session["r"] > 0.8).all()


def test_files_are_made_again_of_those_that_changed_alone(run):
    arguments = command("--configfile", "config.yaml", "--cores", "2", "--dry-run", "results/scores.parquet")
    (run / "published" / "monkeyN" / "THINGS_normMUA.mat").write_bytes(b"another")
    done = subprocess.run(arguments, cwd=run, env=environment(run), capture_output=True, text=True, check=True)
    printed = done.stdout + done.stderr
    assert set(re.findall(r"datasets/tvsd/(\w+\.\w+)", printed)) >= {"N_responses.npy", "N_neuroids.csv"}
    assert jobs_of(printed)["unpack"] == 2
    assert jobs_of(printed)["recording"] == 1
