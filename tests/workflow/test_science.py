"""The whole way from the images to the table, against an independent computation on real recordings."""

import subprocess

import pandas as pd
import pytest
import yaml

from tests.workflow.conftest import command, environment

# Median predictivity over the neurons of session 210325 (five folds; images at 224 pixels), and how far another right
# computation may be from it.
EXPECTED = {
    ("efficientnet_lite0", "_blocks.13", "images"): (0.69, 0.03),
    ("efficientnet_lite0", "_blocks.7", "images"): (0.65, 0.03),
    ("efficientnet_lite0", "_bn0", "images"): (0.31, 0.03),
    ("pixels", "pixels", "images"): (0.30, 0.03),
    ("efficientnet_lite0", "_blocks.13", "objects"): (0.62, 0.02),
    ("efficientnet_lite0", "_blocks.7", "objects"): (0.61, 0.02),
}


@pytest.fixture(scope="module")
def scores(data_dir, tmp_path_factory) -> pd.DataFrame:
    folder = tmp_path_factory.mktemp("science")
    config = {
        "dataset": "cowley2023",
        "data_dir": str(data_dir / "cowley2023_v4"),
        "models": ["efficientnet_lite0", "efficientnet_lite0_random", "pixels"],
        "extraction": {"shards": 1},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    arguments = command("--configfile", "config.yaml", "--cores", "2", "results/scores.parquet")
    done = subprocess.run(arguments, cwd=folder, env=environment(folder), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    table = pd.read_parquet(folder / "results" / "scores.parquet")
    return table[table["target_kind"] == "neuron"]


@pytest.fixture(scope="module")
def medians(scores) -> pd.Series:
    return scores.groupby(["model", "layer", "split"])["predictivity"].median()


@pytest.mark.parametrize(("layer", "expected"), EXPECTED.items(), ids=lambda value: "-".join(map(str, value)))
def test_predictivity_is_that_of_an_independent_computation(medians, layer, expected):
    value, tolerance = expected
    assert medians[layer] == pytest.approx(value, abs=tolerance)


def test_a_network_before_training_is_far_worse(medians):
    best = medians["efficientnet_lite0_random"].xs("images", level="split").max()
    assert best == pytest.approx(0.43, abs=0.06)


def test_every_neuron_has_a_score_for_every_layer(scores):
    counts = scores.groupby(["model", "layer", "split"]).size()
    assert set(counts) == {50}
    assert len(counts) == 2 * (18 + 18 + 1)
    assert scores["predictivity"].notna().all()
