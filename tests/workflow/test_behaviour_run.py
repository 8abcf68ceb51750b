"""Choices of subjects against models and against neurons over time, from the tables of choices to the page."""

import numpy as np
import pandas as pd
import pytest

from tests.workflow.conftest import run_once

N = 48
# Stimuli that each subject gets wrong: the first two agree, and the third errs elsewhere.
WRONG = {"anna": range(12), "bert": range(12), "cora": range(12, 24)}
BINS = [[-50, 0], [0, 50], [50, 100], [100, 150], [150, 200]]


def with_behaviour(experiment):
    """Choices among four objects, and neurons that tell the object from 50 ms on."""
    folder, config = experiment.folder, experiment.config
    if not (folder / "choices.csv").exists():
        rng, code = np.random.default_rng(3), np.arange(N) % 4
        rows = [
            f"{name},image{k},object{(k + (k in wrong) * (1 + k % 3)) % 4}"
            for name, wrong in WRONG.items()
            for k in range(N)
        ]
        (folder / "choices.csv").write_text("\n".join(["subject,stimulus,choice", *rows]) + "\n")
        preferred = 3 * rng.normal(size=(12, 4))[:, code]
        told = np.array([start >= 50 for start, _ in BINS])
        signal = preferred[:, :, None, None] * told
        np.save(folder / "timed.npy", signal + rng.normal(size=(12, N, 3, len(BINS))))
    config["recordings"] = {
        "people": {"stimuli": "mine", "behaviour": {"trials": "choices.csv", "label": "object"}},
        "timed": {
            "stimuli": "mine",
            "responses": "timed.npy",
            "axes": ["neuroid", "stimulus", "repetition", "time_bin"],
            "time_bins": BINS,
            "baseline": [-50, 0],
            "area": "IT",
            "models": [],
        },
    }
    config |= {"splits": ["stimuli"], "folds": 3, "bootstrap": 100, "solution_times": True}
    config["decoding_over_time"] = {"classifiers": ["nearest_mean"], "draws": 4}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return run_once(tmp_path_factory, "behaviour", with_behaviour).folder / "results"


@pytest.fixture(scope="module")
def scores(results):
    scores = pd.read_parquet(results / "scores.parquet")
    return scores[scores["target_kind"] == "behaviour"]


def test_every_layer_is_scored_on_every_measure(scores):
    measures = {"accuracy", "error_consistency", "accuracy_by_stimulus", "i1", "i2n", "o2"}
    for _, rows in scores.groupby(["model", "layer"]):
        assert set(rows["target"]) == measures
    assert scores.groupby("model")["layer"].nunique().to_dict() == {"pixels": 1, "tiny": 3}
    assert set(scores["mapping"]) == {"logistic"}


def test_ceilings_are_those_of_the_choices(scores):
    ceilings = scores.set_index("target")["ceiling_high"]
    assert ceilings["accuracy"].to_numpy() == pytest.approx(0.75)
    # Kappa of the three pairs: 1 of those who agree, and (0.5 - 0.625) / (1 - 0.625) of both others.
    assert ceilings["error_consistency"].to_numpy() == pytest.approx((1 - 2 / 3) / 3)
    patterns = scores[scores["target"].isin(["accuracy_by_stimulus", "i1", "i2n", "o2"])]
    assert np.sqrt(patterns["reliability"].clip(lower=0)).to_numpy() == pytest.approx(
        patterns["ceiling_high"], nan_ok=True
    )
    assert patterns.groupby("target")["reliability"].count()["accuracy_by_stimulus"] == 4


def test_the_table_has_an_interval_for_each_measure(results, scores):
    table = pd.read_csv(results / "behaviour.csv", dtype={"layer": str})
    assert len(table) == len(scores)
    # A measure is unknown where nothing varies.
    known = table.dropna(subset=["value", "low"])
    assert ((known["low"] <= known["value"]) & (known["value"] <= known["high"])).all()
    assert set(known["measure"]) >= {"accuracy", "error_consistency", "accuracy_by_stimulus", "i1"}


def test_neurons_solve_stimuli_when_they_begin_to_tell_objects(results):
    table = pd.read_csv(results / "figures" / "solution_times.csv", keep_default_na=False, na_values=[""])
    assert table.groupby("model").size().to_dict() == {"pixels": N, "tiny": N}
    solved = table[(table["model"] == "tiny") & (table["outcome"] == "solved")]
    assert len(solved) > N / 2
    assert solved["solution_time"].between(25, 125).all()
    summary = pd.read_csv(results / "solution_times.csv").set_index("model")
    assert summary["n_solved"].tolist() == [table["solution_time"].notna().sum() / 2] * 2
    found = pd.read_csv(results / "latencies.csv")
    readings = found[(found["kind"] == "reading") & found["held_out"].isna()]
    assert readings["latency"].tolist() == [75]


def test_the_page_shows_behaviour_and_solution_times(results):
    page = (results / "report.html").read_text(encoding="utf-8")
    assert "Agreement with behaviour" in page
    assert "144 choices by 3 subjects among 4 labels" in page
    assert "Error consistency is Cohen" in page
    assert "Solution times (Kar et al. 2019) say when labels" in page
    assert 'alt="Solution times"' in page
