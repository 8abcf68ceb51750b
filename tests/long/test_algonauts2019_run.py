"""The whole way from 78 images to the agreement with early visual cortex and IT of 15 subjects."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student_t

from tests.workflow.conftest import run_config
from ventral.datasets.algonauts2019 import FOLDERS, MATRICES

# Spearman's correlation, mean over subjects, of an independent computation (images at 224 pixels).
EXPECTED = {
    ("human EVC", "_blocks.6"): 0.032,
    ("human EVC", "_blocks.15"): 0.000,
    ("human IT", "_blocks.3"): 0.021,
    ("human IT", "_blocks.14"): 0.055,
}


@pytest.fixture(scope="module")
def run(data_dir, tmp_path_factory):
    """The folder of a run with data_dir that of all data sets."""
    source = data_dir / FOLDERS[-1]
    if not source.is_dir():
        pytest.skip(f"no {source}: it is to have images.zip and {', '.join(MATRICES.values())}")
    folder = tmp_path_factory.mktemp("algonauts2019")
    config = {
        "dataset": "algonauts2019",
        "data_dir": str(data_dir),
        "models": ["efficientnet_lite0"],
        "mappings": ["rsa", "cka"],
        "rsa": {"comparisons": ["spearman", "kendall"]},
        "extraction": {"shards": 1},
    }
    run_config(folder, config, "results/figures/layer_profile.svg")
    return folder


@pytest.fixture(scope="module")
def scores(run) -> pd.DataFrame:
    return pd.read_parquet(run / "results" / "scores.parquet")


@pytest.fixture(scope="module")
def profile(run) -> pd.DataFrame:
    """Means over subjects, with their intervals."""
    table = pd.read_csv(run / "results" / "figures" / "layer_profile.csv", keep_default_na=False, na_values=[""])
    return table[table["comparison"] == "spearman"].set_index(["area", "layer"])


def test_every_layer_has_a_row_for_every_subject(scores):
    counts = scores.groupby(["mapping", "comparison", "target", "layer"])["subject"].agg(["nunique", "size"])
    assert (counts == 15).all(axis=None)
    assert counts.index.get_level_values("layer").nunique() == 18
    ways = {("rsa", "spearman"), ("rsa", "kendall"), ("cka", "biased"), ("cka", "debiased")}
    assert set(counts.index.droplevel(["target", "layer"])) == ways


@pytest.mark.parametrize(("layer", "expected"), EXPECTED.items(), ids=map("-".join, EXPECTED))
def test_agreement_is_that_of_an_independent_computation(profile, layer, expected):
    assert profile.loc[layer, "r"] == pytest.approx(expected, abs=0.005)


def test_early_visual_cortex_is_like_early_or_middle_layers_and_it_like_late_ones(profile):
    depth = {area: rows.loc[rows["r"].idxmax(), "depth"] for area, rows in profile.groupby("area")}
    assert depth["human EVC"] < 0.6
    assert depth["human IT"] > 0.8


def test_intervals_are_over_stimuli_and_subjects(profile, scores):
    assert set(profile["n_neuroids"]) == {15}
    rows = scores.query("comparison == 'spearman' and target == 'IT' and layer == '_blocks.14'")
    row = profile.loc[("human IT", "_blocks.14")]
    assert row["r"] == pytest.approx(rows["r"].mean())
    of_subjects, of_stimuli = rows["r"].var() / 15, rows["r_error"].mean() ** 2
    both = of_subjects + of_stimuli
    freedom = both**2 / (of_subjects**2 / 14 + of_stimuli**2 / 77)
    half = student_t.ppf(0.975, freedom) * np.sqrt(both) / (1 - row["r"] ** 2)
    expected = np.tanh(np.arctanh(row["r"]) + half * np.array([-1, 1]))
    np.testing.assert_allclose(row[["r_low", "r_high"]].astype(float), expected)
    assert row["interval_over"] == "stimuli and subjects"


def test_subjects_agree_with_each_other_within_the_noise_ceiling(profile, scores):
    for _, rows in profile.groupby("area"):
        low, high = rows[["ceiling_low", "ceiling_high"]].iloc[0]
        assert 0 <= low < high
    rows = scores.query("comparison == 'spearman' and layer == '_bn0' and target == 'IT'")
    assert rows["ceiling_low"].mean() == pytest.approx(profile.loc[("human IT", "_bn0"), "ceiling_low"])


def test_figure_has_a_panel_for_each_area_and_comparison(run):
    svg = (run / "results" / "figures" / "layer_profile.svg").read_text()
    for text in ("algonauts2019, human EVC", "RSA, Spearman r", "RSA, Kendall tau-a", "CKA, debiased", "noise ceiling"):
        assert text in svg
