"""Spikes in a table of trials, in bins of time with a baseline, from the tables to scores, claims and the page."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.workflow.conftest import run_config

N, REPETITIONS, NEURONS = 48, 6, 6


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Neurons that count a quarter of each image's light from 50 ms on; images in two folders, one of them linked."""
    folder = tmp_path_factory.mktemp("spikes")
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 255, (N, 4, 4, 3), dtype=np.uint8)
    for part in ("odd", "elsewhere/even"):
        (folder / part).mkdir(parents=True)
    (folder / "even").mkdir()
    (folder / "even" / "linked").symlink_to(folder / "elsewhere" / "even")
    for k, image in enumerate(pixels):
        place = folder / ("odd" if k % 2 else "elsewhere/even") / f"im{k:02d}.png"
        Image.fromarray(image).resize((16, 16), Image.Resampling.NEAREST).save(place)
    order = rng.permutation(np.repeat(np.arange(N), REPETITIONS))
    photodiode = rng.uniform(10, 30, len(order)).round(1)
    trials = pd.DataFrame({"stimulus": [f"im{k:02d}" for k in order], "photodiode": photodiode})
    trials.to_csv(folder / "trials.csv", index=False, sep=";")
    light = pixels.reshape(N, -1).astype(float) @ rng.normal(size=(48, NEURONS))
    rates = 15 + 8 * (light - light.mean(axis=0)) / light.std(axis=0)
    spikes = [
        (trial + 1, f"n{neuron}", round(photodiode[trial] + start + after, 2))
        for trial, stimulus in enumerate(order)
        for neuron in range(NEURONS)
        for start, rate in ((-150, 10), (50, max(rates[stimulus, neuron], 0.5)))
        for after in rng.uniform(0, 150 if start < 0 else 100, rng.poisson(rate))
    ]
    pd.DataFrame(spikes, columns=["trial", "neuroid", "time"]).to_parquet(folder / "spikes.parquet")
    (folder / "neuroids.csv").write_text("neuroid,area\n" + "".join(f"n{k},V4\n" for k in range(NEURONS)))
    recording = {
        "stimuli": "mine",
        "trials": "trials.csv",
        "spikes": "spikes.parquet",
        "neuroids": "neuroids.csv",
        "onset": "photodiode",
        "time_bins": [[50, 150]],
        "baseline": [-100, 0],
    }
    config = {
        "results": "results",
        "stimuli": {"mine": {"images": ["odd", "even"]}},
        "recordings": {"rec": recording},
        "models": {"pixels": {"size": 8}},
        "folds": 4,
        "penalties": {"number": 5},
        "bootstrap": 100,
        "audit": {"sample": 0},
    }
    run_config(folder, config)
    run_config(folder, config, "audit")
    return folder / "results"


def test_neurons_are_predicted_after_the_stimulus_and_not_before(results):
    table = pd.read_parquet(results / "scores.parquet").query("target_kind == 'neuron' and mapping == 'ridge'")
    assert set(table["time_bin"]) == {"baseline", "50-150"}
    medians = table.groupby("time_bin")["predictivity"].median()
    assert medians["50-150"] > 0.5
    r = table.groupby("time_bin")["r"].median()
    assert abs(r["baseline"]) < 2 / np.sqrt(N) < r["50-150"]
    reliability = table.groupby("time_bin")["reliability"].median()
    assert reliability["50-150"] > 0.8 > 0.3 > reliability["baseline"]


def test_the_baseline_is_reported_as_a_check(results):
    table = pd.read_csv(results / "baselines.csv")
    assert table[["recording", "area", "model", "mapping"]].values.tolist() == [["rec", "V4", "pixels", "ridge"]]
    assert table["near_zero"].all()
    assert table["n_neuroids"].tolist() == [NEURONS]
    assert "near 0: at most 0." in (results / "logs" / "baselines.log").read_text()
    log = (results / "logs" / "recordings" / "rec.log").read_text()
    assert "median reliability of the baseline: " in log
    assert "trials.csv: read with a semicolon between columns" in log


def test_the_rise_over_the_baseline_is_shown(results):
    table = pd.read_csv(results / "over_time.csv").set_index("time_bin")
    assert table["above"].to_dict() == {"baseline": False, "50-150": True}
    latencies = pd.read_csv(results / "latencies.csv")
    assert latencies["kind"].value_counts().to_dict() == {"neuroid": NEURONS, "layer": 1}
    assert latencies["latency"].isna().all()  # one bin is no three in a row
    assert "Predictivity over time" in (results / "report.html").read_text(encoding="utf-8")


def test_the_baseline_is_asked_for_no_claim(results):
    claims = pd.read_csv(results / "claims.csv")
    assert "baseline" not in set(claims["time_bin"])


def test_images_of_both_folders_are_there_under_the_folder_s_name(results):
    table = pd.read_csv(results / "figures" / "contact_sheets" / "mine.csv")
    assert table.shape[0] > 0
    assert (results / "report.html").read_text(encoding="utf-8").count("baseline") > 0


def test_the_audit_passes(results):
    assert json.loads((results / "audit" / "audit.json").read_text())["verdict"] == "passed"
