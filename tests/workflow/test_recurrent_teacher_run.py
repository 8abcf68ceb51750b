"""A recording in time, simulated from a recurrent teacher in one area and from a feed-forward teacher in the other."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.stats import spearmanr

from tests.workflow.conftest import run_config
from ventral.grams.representations import read_representation
from ventral.store import read_dataset

NETWORK = '''
import torch
from torch import nn


class Glancing(nn.Module):
    """Sees one of four strips of the image after the other, and keeps some of its state."""

    def __init__(self):
        super().__init__()
        self.look = nn.Linear(3 * 16 * 4, 24)
        self.cell = nn.Sequential(nn.Linear(24, 24), nn.Tanh())

    def forward(self, images):
        state = 0
        for k in range(4):
            state = self.cell(self.look(images[..., 4 * k : 4 * k + 4].flatten(1)) + 0.3 * state)
        return state


def make():
    return Glancing()
'''
BINS = [[0, 20], [20, 40], [40, 60], [60, 80]]
RECURRENT, FEED_FORWARD = "simulated IT", "simulated V4"


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("teacher")
    (folder / "glancing.py").write_text(NETWORK)
    (folder / "images").mkdir()
    rng = np.random.default_rng(0)
    for k in range(64):
        pixels = rng.integers(0, 255, (4, 4, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((16, 16), Image.Resampling.NEAREST).save(folder / "images" / f"im{k:02d}.png")
    network = {"architecture": "glancing:make", "weights": "random", "size": 16}
    areas = {
        "IT": {"layer": [f"cell@{k}" for k in range(1, 5)], "neuroids": 12},
        "V4": {"layer": "cell@4", "neuroids": 12, "field": 1},
    }
    simulate = {"teacher": {**network, "seed": 2}, "areas": areas, "time_bins": BINS, "repetitions": 6, "spikes": 40}
    config = {
        "results": "results",
        "stimuli": {"mine": {"images": "images"}},
        "recordings": {"simulated_in_time": {"stimuli": "mine", "simulate": simulate}},
        "models": {"net": {**network, "seed": 7, "layers": ["cell"]}},
        "steps": {"net": {"start": 0, "width": 20}},
        "splits": ["stimuli"],
        "mappings": ["ridge", "rsa"],
        "folds": 4,
        "penalties": {"number": 5},
        "bootstrap": 200,
        "audit": {"sample": 0},
    }
    run_config(folder, config)
    return folder / "results"


def test_the_recording_says_that_it_is_simulated(results):
    recording = read_dataset(results / "recordings" / "simulated_in_time.zarr")
    assert recording.attrs["simulated"] is True
    assert recording["responses"].shape == (6, 64, 24, 4)
    scores = pd.read_parquet(results / "scores.parquet").query("target_kind == 'neuron'")
    assert scores["simulated"].all()
    assert set(scores["area"]) == {RECURRENT, FEED_FORWARD}
    assert set(scores["step"]) == {1, 2, 3, 4}


def test_the_best_step_follows_a_recurrent_teacher_alone(results):
    table = pd.read_csv(results / "steps_over_time.csv")
    best = {area: rows.sort_values("time")["best_step"].tolist() for area, rows in table.groupby("area")}
    assert best == {RECURRENT: [1, 2, 3, 4], FEED_FORWARD: [4, 4, 4, 4]}
    recurrent = table[table["area"] == RECURRENT]
    assert recurrent["timed_step"].tolist() == [1, 2, 3, 4]
    np.testing.assert_allclose(recurrent["timed"], recurrent["best"])
    assert (recurrent["matched"] > 0.5).all()


def test_only_the_recurrent_teacher_has_an_order(results):
    order = pd.read_csv(results / "order_of_steps.csv").set_index("area")
    assert order.loc[RECURRENT, "low"] > 0
    assert order.loc[FEED_FORWARD, "low"] < 0 < order.loc[FEED_FORWARD, "high"]
    claims = pd.read_csv(results / "claims.csv")
    claims = claims[claims["claim"] == "later steps of cell of net predict later responses"].set_index("area")
    assert claims["verdict"].to_dict() == {RECURRENT: "holds", FEED_FORWARD: "undecided"}
    assert claims["simulated"].all()


def test_the_figure_has_the_steps_and_their_times(results):
    table = pd.read_csv(results / "figures" / "over_time.csv").drop_duplicates("layer").set_index("layer")
    cells = table.loc[[f"cell@{k}" for k in range(1, 5)]]
    assert cells["step"].tolist() == [1, 2, 3, 4]
    assert cells["step_start"].tolist() == [0, 20, 40, 60]


def test_matrices_of_bins_are_compared_with_every_step(results):
    """By numpy and scipy, from the stores; the best step of each bin follows the recurrent teacher in the figure."""
    recording = read_dataset(results / "recordings" / "simulated_in_time.zarr")
    responses = recording["responses"].mean("repetition")
    scores = pd.read_parquet(results / "scores.parquet").query("mapping == 'rsa'")
    upper = np.triu_indices(64, 1)
    for row in scores[scores["area"] == RECURRENT].to_dict("records"):
        values = responses.sel(time_bin=row["time_bin"]).values[:, recording["area"].values == RECURRENT]
        patterns = np.corrcoef((values - values.mean(axis=0)) / values.std(axis=0))
        layer = read_representation(next((results / "grams" / "net").iterdir()), row["layer"])
        centred = layer.gram - np.outer(layer.row_sums, layer.row_sums) / layer.n_features
        lengths = np.sqrt(np.diag(centred))
        expected = spearmanr(1 - patterns[upper], 1 - (centred / np.outer(lengths, lengths))[upper])[0]
        assert row["r"] == pytest.approx(expected, abs=1e-4)
    figure = pd.read_csv(results / "figures" / "over_time.csv").query("mapping == 'rsa' and best").sort_values("time")
    best = {area: rows["step"].tolist() for area, rows in figure.groupby("area")}
    assert best == {RECURRENT: [1, 2, 3, 4], FEED_FORWARD: [4, 4, 4, 4]}
    drawn = (results / "figures" / "over_time.svg").read_text()
    assert drawn.count(f"simulated_in_time, {RECURRENT}: net") == 2
