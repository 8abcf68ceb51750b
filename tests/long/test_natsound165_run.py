"""The whole way from 165 sounds to components of auditory cortex, against an independent computation."""

import pandas as pd
import pytest
import yaml

from tests.documentation import ROOT
from tests.workflow.conftest import run_config
from ventral.datasets.natsound165 import FILE, NAME

FIGURE = "results/figures/layer_profile.csv"
COMPONENTS = ["lowfreq", "highfreq", "envsounds", "pitch", "speech", "music"]
# Median r squared over ten random training sets of 83 sounds; other draws change it by up to 0.04.
EXPECTED = {
    "spectemp": [0.72, 0.58, 0.45, 0.52, 0.70, 0.32],
    "spectemp_log": [0.85, 0.78, 0.45, 0.78, 0.73, 0.52],
    "cochleagram": [0.46, 0.33, 0.21, 0.08, 0.06, 0.12],
}


@pytest.fixture(scope="module")
def run(data_dir, tmp_path_factory):
    """Folder of a run of the config, with the models of the independent computation."""
    if not (data_dir / NAME / FILE).is_file():
        pytest.skip(f"no {data_dir / NAME / FILE}: it is a file of github.com/snormanhaignere/natsound165-neuron2015")
    folder = tmp_path_factory.mktemp(NAME)
    config = yaml.safe_load((ROOT / "config" / f"{NAME}.yaml").read_text(encoding="utf-8"))
    config |= {"results": "results", "data_dir": str(data_dir), "models": list(EXPECTED), "bootstrap": 100}
    run_config(folder, config | {"extraction": {"shards": 1}}, FIGURE, "results/claims.csv")
    return folder


@pytest.fixture(scope="module")
def scores(run) -> pd.DataFrame:
    return pd.read_parquet(run / "results" / "scores.parquet").query("target_kind == 'neuron'")


@pytest.mark.parametrize("model", EXPECTED)
def test_r_squared_is_that_of_an_independent_computation(scores, model):
    rows = scores[(scores["model"] == model) & (scores["split"] == "random")].set_index("target")
    assert (rows["n_stimuli"] == 82).all()
    assert (rows["n_folds"] == 10).all()
    for component, expected in zip(COMPONENTS, EXPECTED[model], strict=True):
        assert rows.loc[component, "r_squared"] == pytest.approx(expected, abs=0.06), component


def test_components_without_repetitions_have_no_ceiling(scores):
    missing = ["predictivity", "reliability", "r_squared_corrected", "feve"]
    assert scores[missing].isna().all(axis=None)
    assert scores["r"].notna().all()


def test_the_layer_profile_has_an_interval_for_each_component_and_model(run):
    profile = pd.read_csv(run / FIGURE).query("split == 'stimuli' and n_neuroids == 1")
    assert set(zip(profile["model"], profile["area"], strict=True)) == {(m, c) for m in EXPECTED for c in COMPONENTS}
    assert (profile["r_low"] < profile["r"]).all()
    assert (profile["r"] < profile["r_high"]).all()
