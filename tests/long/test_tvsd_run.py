"""The whole way from files in the layout of TVSD to scores of the published test images."""

import re
import subprocess

import pandas as pd
import pytest

from tests.unit.test_tvsd import publish
from tests.workflow.conftest import command, environment, run_config
from tests.workflow.test_run import jobs_of


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a run on channels made of columns of the images, and a model that sees all columns."""
    folder = tmp_path_factory.mktemp("tvsd")
    publish(folder / "published", n_train=60)
    config = {
        "dataset": {"tvsd": {"size": 24}},
        "data_dir": "published",
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
    assert set(scores["split"]) == {"published"}
    counts = scores.groupby(["recording", "area"]).size()
    assert counts["tvsd_F"].to_dict() == {"IT": 320, "V1": 512, "V4": 192}
    assert counts["tvsd_N"].to_dict() == {"IT": 256, "V1": 512, "V4": 256}
    assert (scores["r"] > 0.8).all()


def test_predictions_reach_the_ceilings_of_thirty_repetitions(scores):
    # The noise of one repetition and of training stimuli alone is left.
    for column in ("predictivity", "predictivity_given"):
        assert scores.groupby("area")[column].median().between(0.93, 1.03).all(), column
    assert set(scores["given_ceiling_kind"]) == {"snr"}


def test_files_are_made_again_of_those_that_changed_alone(run):
    arguments = command("--configfile", "config.yaml", "--cores", "2", "--dry-run", "results/scores.parquet")
    (run / "published" / "monkeyN" / "THINGS_normMUA.mat").write_bytes(b"another")
    done = subprocess.run(arguments, cwd=run, env=environment(run), capture_output=True, text=True, check=True)
    printed = done.stdout + done.stderr
    assert set(re.findall(r"datasets/tvsd/(\w+\.\w+)", printed)) >= {"N_responses.npy", "N_neuroids.csv"}
    assert jobs_of(printed)["unpack"] == 2
    assert jobs_of(printed)["recording"] == 1
