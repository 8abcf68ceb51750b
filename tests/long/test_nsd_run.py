"""The whole way from betas of NSD to scores of the published test images, of two subjects in one run."""

import numpy as np
import pandas as pd
import pytest

from tests.unit.synthetic_nsd import FEATURE_OF_AREA, write_nsd
from tests.workflow.conftest import run_config


@pytest.fixture(scope="module")
def scores(tmp_path_factory):
    """Scores of pixels, of which the voxels are made."""
    folder = tmp_path_factory.mktemp("nsd_run")
    write_nsd(folder / "nsd")
    config = {
        "dataset": {"nsd": {"folder": "nsd", "subjects": [1, 2], "sessions": 2}},
        "models": ["pixels"],
        "mappings": ["ridge"],
        "penalties": {"number": 5},
        "bootstrap": 100,
        "extraction": {"shards": 1},
    }
    run_config(folder, config, "results/scores.parquet")
    return pd.read_parquet(folder / "results" / "scores.parquet").query("target_kind == 'neuron'")


def test_the_true_model_reaches_the_ceilings_of_both_subjects(scores):
    assert set(scores["recording"]) == {"nsd_subj01", "nsd_subj02"}
    assert set(scores["split"]) == {"published"}
    assert set(scores["area"]) == set(FEATURE_OF_AREA)
    medians = scores.groupby(["recording", "area"])[["predictivity", "predictivity_given"]].median()
    np.testing.assert_allclose(medians, 1, atol=0.06)


def test_voxels_have_the_ceiling_of_three_trials(scores):
    assert set(scores["given_ceiling_kind"]) == {"ncsnr"}
    np.testing.assert_allclose(scores["given_ceiling"], np.sqrt(1 / (1 + 1 / 3)), rtol=1e-6)
