"""A recurrent network is trained, scored layer by layer and step by step, and compared with a feed-forward one."""

import pandas as pd
import pytest

from tests.workflow.conftest import Experiment
from ventral.tables import read_csv

RENDERED = {
    "categories": ["boats", "cars"],
    "exemplars": 4,
    "images": 6,
    "size": 32,
    "shards": 1,
    "backgrounds": "noise",
}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """The results of a run with two networks that are trained here."""
    experiment = Experiment(tmp_path_factory.mktemp("recurrence"))
    train = {"stimuli": "training", "label": "category", "apart": ["object"], "validation": 0.25, "epochs": 1}
    experiment.config |= {
        "stimuli": experiment.config["stimuli"] | {"training": {"render": RENDERED}},
        "models": {
            "recurrent": {"architecture": "small_bt", "size": 32, "train": train},
            "plain": {"architecture": "small_b", "size": 32, "train": train},
        },
        "recurrence": {"networks": {"BT": ["recurrent"], "control": ["plain"]}, "property": "variation"},
        "splits": ["stimuli"],
        "extraction": {"shards": 1},
        "grams": {"from": "forward"},
        "bootstrap": 100,
    }
    experiment.run("results/report.html", "results/best_layers.csv", "results/figures/recurrence.csv")
    return experiment.folder / "results"


def test_steps_are_compared(results):
    table = read_csv(results / "recurrence.csv", "other", "level").fillna({"other": "", "level": ""})
    accuracy = table[(table["other"] == "") & (table["level"] == "")].set_index(["network", "step"])["value"]
    assert accuracy.index.tolist() == [("BT", 1), ("BT", 2), ("BT", 3), ("BT", 4), ("control", 1)]
    answers = pd.read_parquet(results / "models" / "recurrent" / "answers.parquet")
    # One object of four in each of two categories.
    assert answers["stimulus"].nunique() == 12
    for step, rows in answers.groupby("step"):
        assert accuracy["BT", step] == pytest.approx((rows["answer"] == rows["name"]).mean())
    assert set(table["level"]) == {"", "high", "low", "medium"}
    page = (results / "report.html").read_text()
    assert "What recurrence adds" in page
    assert "The accuracy of BT (recurrent) and control (plain) was taken at each step" in page


def test_every_step_of_every_layer_is_scored(results):
    scores = pd.read_parquet(results / "scores.parquet")
    of_steps = scores[scores["model"] == "recurrent"]
    modules = ("layer1", "layer2", "layer3", "pooled")
    assert set(of_steps["layer"]) == {f"{module}@{step}" for module in modules for step in range(1, 5)}
    assert (of_steps["layer"].str.partition("@")[2].astype(int) == of_steps["step"]).all()
    assert scores.loc[scores["model"] == "plain", "step"].isna().all()
    profile = pd.read_csv(results / "figures" / "layer_profile.csv")
    assert set(profile.loc[profile["model"] == "recurrent", "layer"]) == set(of_steps["layer"])
    best = pd.read_csv(results / "best_layers.csv").set_index("model")
    assert best["best_layer"]["recurrent"] in set(of_steps["layer"])
    assert best["best_layer"]["plain"] in modules
