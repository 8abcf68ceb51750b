"""Tests and latencies over bins of time: against loops, on known courses, and without a false rise by chance."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.rises_by_chance import false_rise
from tests.unit.synthetic_scores import score_table
from ventral.figures.over_time import draw_over_time, over_time_figure, over_time_table, times_of_steps
from ventral.recordings.ingestion import ingest
from ventral.statistics.bootstrap import write_bootstraps
from ventral.statistics.over_time import assessed, first_in_a_row, latencies, latency_of, over_time

BINS = ["baseline", "0-20", "20-40", "40-60", "60-80", "80-100"]
COURSE = np.array([0, 0, 0.4, 0.4, 0.5, 0.3])


def test_p_counts_the_resamples_whose_largest_deviation_is_as_large():
    rng = np.random.default_rng(0)
    rise, resampled = np.array([0.1, 1.0, np.nan]), rng.normal(size=(3, 99)) * [[0.5], [0.5], [1]]
    resampled[:2] += rise[:2, None]
    found = assessed(rise, resampled)
    spread = resampled[:2].std(axis=1)
    largest = [max((resampled[k, b] - rise[k]) / spread[k] for k in range(2)) for b in range(99)]
    expected = [(sum(value >= rise[k] / spread[k] for value in largest) + 1) / 100 for k in range(2)]
    assert found.p[:2] == pytest.approx(expected)
    assert np.isnan(found.p[2])
    assert not found.above[2]


@pytest.mark.parametrize("n", [10, 19, 20, 99, 100, 1000])
def test_a_rise_is_above_baseline_where_it_exceeds_the_critical_rise(n):
    rng = np.random.default_rng(n)
    for _ in range(20):
        rise = rng.normal(1.5, 1, size=6)
        found = assessed(rise, rise[:, None] + rng.normal(size=(6, n)))
        assert (found.above == (rise > found.critical)).all()


def test_without_resamples_nothing_is_known():
    found = assessed(np.ones(2), np.full((2, 5), np.nan))
    assert np.isnan(found.p).all()
    assert not found.above.any()


def test_three_bins_in_a_row_make_a_latency():
    above = np.array([[1, 0, 1, 1, 1], [0, 1, 1, 0, 1], [1, 1, 1, 0, 0]], dtype=bool).T
    assert first_in_a_row(above).tolist() == [2, -1, 0]
    assert first_in_a_row(above[:2]).tolist() == [-1, -1, -1]


def test_the_interval_of_a_latency_is_that_of_the_resamples_that_have_one():
    times, rise = np.arange(6) * 10.0, np.array([0, 0, 1, 1, 1, 1.0])
    rng = np.random.default_rng(0)
    resampled = rise[:, None] + 0.01 * rng.normal(size=(6, 200))
    resampled[:, :50] -= 5
    # Half of the others begin one bin later.
    resampled[2, 50:125] = 0
    noise = np.where(np.arange(200) < 50, 0, 1)
    latency, low, high, share = latency_of(times, rise, resampled)
    assert (latency, low, high) == (20, 20, 30)
    assert share == noise.mean()
    assert np.isnan(latency_of(times, 0 * rise, resampled - rise[:, None])[0])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Resampled medians of two layers, of which the second predicts nothing, and a recording with two neuroids."""
    folder, rng = tmp_path_factory.mktemp("over_time"), np.random.default_rng(0)
    rows = []
    for layer, size in {"a": 1, "b": 0}.items():
        for time_bin, score in zip(BINS, COURSE * size, strict=True):
            medians = (score + 0.02 * rng.normal(size=200)).astype(np.float32)
            row = {
                "model": "net",
                "family": "pretrained",
                "recording": "rec",
                "layer": layer,
                "depth": 0.5,
                "area": "IT",
            }
            row |= {"time_bin": time_bin, "split": "stimuli", "mapping": "ridge", "n_neuroids": 9, "median": score}
            rows.append(row | dict.fromkeys(["medians", "first_halves", "second_halves"], medians))
    write_bootstraps(pd.DataFrame(rows), folder / "bootstraps.parquet")
    responses = rng.poisson(5, size=(2, 40, len(BINS))).astype(float)
    responses[0, :, 3:] += 10
    np.save(folder / "responses.npy", responses)
    (folder / "stimuli.csv").write_text("stimulus\n" + "".join(f"s{k}\n" for k in range(40)))
    return folder


def test_each_bin_has_its_rise_over_the_baseline(folder, tmp_path):
    over_time([folder / "bootstraps.parquet"], tmp_path / "table.csv")
    table = pd.read_csv(tmp_path / "table.csv").set_index(["layer", "time_bin"])
    assert list(table.loc["a"].index) == BINS
    assert table.loc["a", "rise"].iloc[1:].to_numpy() == pytest.approx(COURSE[1:])
    assert table.loc["a", "above"].tolist() == [False, False, True, True, True, True]
    assert not table.loc["b", "above"].any()
    assert table.loc[("a", "baseline"), ["rise", "p"]].isna().all()
    assert table.loc["a", "time"].tolist() == [-10, 10, 30, 50, 70, 90]
    assert ((table["low"] < table["median"]) & (table["median"] < table["high"])).all()


def test_latencies_are_those_of_the_courses(folder, tmp_path):
    from ventral.stimuli.ingestion import ingest as ingest_stimuli

    ingest_stimuli({"table": str(folder / "stimuli.csv")}, tmp_path / "stimuli.zarr", name="set")
    edges = [[-20, 0], *([20 * k, 20 * k + 20] for k in range(5))]
    spec = {"stimuli": "set", "responses": str(folder / "responses.npy"), "area": "IT", "baseline": [-20, 0]}
    spec |= {"axes": ["neuroid", "stimulus", "time_bin"], "time_bins": edges}
    ingest(spec, tmp_path / "stimuli.zarr", tmp_path / "rec.zarr", name="rec", seed=0)
    latencies([folder / "bootstraps.parquet"], [tmp_path / "rec.zarr"], [], tmp_path / "table.csv", 300, seed=0)
    table = pd.read_csv(tmp_path / "table.csv")
    assert table["kind"].tolist() == ["layer", "layer", "neuroid", "neuroid"]
    assert table["latency"].iloc[[0, 2]].tolist() == [30, 50]
    assert table["latency"].iloc[[1, 3]].isna().all()
    assert table["share_found"].iloc[[0, 2]].min() > 0.9
    assert (table["low"] <= table["latency"]).iloc[[0, 2]].all()


def test_counts_in_bins_wider_than_the_baseline_are_no_rise(folder, tmp_path):
    from ventral.stimuli.ingestion import ingest as ingest_stimuli

    ingest_stimuli({"table": str(folder / "stimuli.csv")}, tmp_path / "stimuli.zarr", name="set")
    counts = np.random.default_rng(0).poisson(5, size=(2, 40, 21)).astype(float)
    counts[1, :, 9:] += 10
    np.save(tmp_path / "counts.npy", counts)
    spec = {"stimuli": "set", "responses": str(tmp_path / "counts.npy"), "area": "IT", "baseline": [-20, 0]}
    spec |= {"axes": ["neuroid", "stimulus", "time_bin"], "time_bins": {"start": -20, "stop": 400, "width": 20}}
    spec |= {"bins": {"start": 0, "stop": 400, "width": 80, "counts": True}}
    ingest(spec, tmp_path / "stimuli.zarr", tmp_path / "rec.zarr", name="rec", seed=0)
    latencies([], [tmp_path / "rec.zarr"], [], tmp_path / "table.csv", 300, seed=0)
    np.testing.assert_array_equal(pd.read_csv(tmp_path / "table.csv")["latency"], [np.nan, 200])


def test_without_models_or_baseline_tables_have_no_rows(tmp_path):
    over_time([], tmp_path / "table.csv")
    latencies([], [], [], tmp_path / "latencies.csv", 10, seed=0)
    assert len(pd.read_csv(tmp_path / "table.csv")) == len(pd.read_csv(tmp_path / "latencies.csv")) == 0


def test_at_most_one_experiment_in_twenty_has_a_false_rise_in_any_bin():
    # Of 60 experiments, 7 or more are false with a probability below 3 % if 5 % are false.
    assert sum(false_rise(seed) for seed in range(60)) < 7


@pytest.fixture(scope="module")
def table():
    """Scores of two models in bins, of an area with repetitions: the later a bin, the deeper the best layer."""
    parts = []
    for place, time_bin in enumerate(["baseline", "0-20", "20-40"]):
        scores = score_table({"net": 4, "pixels": 1}, {"IT": 9}).assign(time_bin=time_bin)
        for column in ("r", "r_even", "r_odd", "predictivity"):
            scores[column] = scores[column] * 0.1 + 0.2 * place * (1 - abs(scores["depth"] - place / 2))
        parts.append(scores)
    scores = pd.concat(parts, ignore_index=True)
    untimed = score_table({"net": 2}, {"V4": 5}, recording="other")
    table = over_time_table(pd.concat([scores, untimed], ignore_index=True), 0.1, n_bootstrap=50, seed=0)
    return times_of_steps(table, {"net": {"start": 0, "width": 20}})


def test_the_table_has_areas_in_several_bins_and_the_best_layer_of_each(table):
    assert set(table["recording"]) == {"rec"}
    best = table[table["best"] & (table["model"] == "net")].set_index("time_bin")["layer"]
    assert best[["0-20", "20-40"]].tolist() in (["blocks.1", "blocks.3"], ["blocks.2", "blocks.3"])
    assert table.groupby("time_bin")["time"].first().to_dict() == {"baseline": -10, "0-20": 10, "20-40": 30}
    assert table["root_reliability"].between(0.5, 1).all()


def test_lines_and_maps_have_the_medians(table):
    figure = draw_over_time(table)
    lines, mapped = figure.axes[:2]
    of_net = table[table["model"] == "net"]
    drawn = {line.get_label(): line.get_ydata() for line in lines.lines}
    for layer, rows in of_net.groupby("layer"):
        np.testing.assert_allclose(drawn[layer], rows.sort_values("time")["median"])
    grid = of_net.pivot(index="layer", columns="time", values="median").to_numpy(float)
    np.testing.assert_allclose(mapped.collections[0].get_array(), grid)
    np.testing.assert_allclose(
        drawn["_ceiling"], of_net.drop_duplicates("time").sort_values("time")["root_reliability"]
    )
    assert len(mapped.lines[0].get_xdata()) == 3


def test_the_map_has_the_times_of_steps_within_its_limits(table):
    steps = table["layer"].replace({f"blocks.{k}": f"blocks@{k + 1}" for k in range(4)})
    figure = draw_over_time(times_of_steps(table.assign(layer=steps), {"net": {"start": 0, "width": 20}}))
    mapped = figure.axes[1]
    lines = {line[0, 1]: (line[0, 0], line[1, 0]) for line in mapped.collections[1].get_segments()}
    high = mapped.get_xlim()[1]
    assert lines[0] == (0, 20)
    assert lines[1] == (20, min(40, high))


def test_without_bins_the_figure_says_so(tmp_path):
    score_table({"net": 2}).to_parquet(tmp_path / "scores.parquet")
    paths = [tmp_path / f"figure.{kind}" for kind in ("svg", "pdf", "csv")]
    over_time_figure(tmp_path / "scores.parquet", [], *paths, 0.1, n_bootstrap=10, seed=0, steps={})
    assert "No scores over time" in paths[0].read_text()
    assert len(pd.read_csv(paths[2])) == 0
