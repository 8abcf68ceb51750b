"""Labels read in one bin of time and tested in every other, from neurons whose code changes in a known way."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from benchmarks.decoded_by_chance import coverage, false_reading
from ventral.decoding.over_time import LINE, decode_over_time, with_chance
from ventral.errors import InputError
from ventral.figures.decoding_over_time import decoding_over_time, draw_decoding_over_time, in_order
from ventral.recordings.ingestion import ingest
from ventral.statistics.over_time import latencies
from ventral.store import write_dataset
from ventral.tables import read_parquet

OBJECTS, PLACES, TRIALS = ["cup", "dog", "pan"], ["left", "middle", "right"], 6
BINS = [[-100, 0], [0, 100], [100, 200], [200, 300]]
NAMES = ["-100-0", "0-100", "100-200", "200-300"]
OPTIONS = {"splits": [{"name": "place", "column": "place"}], "n_folds": 3, "seed": 1}
OPTIONS |= {"classifiers": ["nearest_mean", "svm"], "draws": 3, "shuffled_within": "shown"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Nothing before the stimulus, one code of objects from 0 to 200 ms, and another after; V4 has no code."""
    folder, rng = tmp_path_factory.mktemp("over_time"), np.random.default_rng(0)
    rows = [(what, place, trial) for what in OBJECTS for place in PLACES for trial in range(TRIALS)]
    what, place, trial = (np.array(column) for column in zip(*rows, strict=True))
    shown = np.char.add(what, place)
    names = [f"{one}{number}" for one, number in zip(shown, trial, strict=True)]
    columns = {"object": what, "place": place, "shown": shown, "one": np.full(len(rows), "same")}
    stimuli = xr.Dataset(
        coords={"stimulus": names} | {name: ("stimulus", values) for name, values in columns.items()},
        attrs={"name": "trials", "sha256": "a" * 64},
    )
    write_dataset(stimuli, folder / "stimuli.zarr")
    codes = 3 * rng.normal(size=(2, 3, 20))
    code = np.unique(what, return_inverse=True)[1]
    signal = np.zeros((40, len(rows), 4))
    signal[:20, :, 1] = signal[:20, :, 2] = codes[0, code].T
    signal[:20, :, 3] = codes[1, code].T
    np.save(folder / "responses.npy", signal + rng.normal(size=signal.shape))
    (folder / "neuroids.csv").write_text("area\n" + "IT\n" * 20 + "V4\n" * 20)
    spec = {"stimuli": "trials", "responses": str(folder / "responses.npy"), "neuroids": str(folder / "neuroids.csv")}
    axes = {"axes": ["neuroid", "stimulus", "time_bin"], "time_bins": BINS}
    ingest(spec | axes, folder / "stimuli.zarr", folder / "recording.zarr", name="rec", seed=0)
    decode(folder, folder / "table.parquet")
    return folder


def decode(folder, output, recording="recording.zarr", **options):
    decode_over_time(folder / recording, folder / "stimuli.zarr", output, **OPTIONS | options)


@pytest.fixture(scope="module")
def table(folder):
    return read_parquet(folder / "table.parquet")


def grid(table, area, classifier):
    rows = table[(table["area"] == area) & (table["classifier"] == classifier) & (table["held_out"] == "")]
    return rows.pivot(index="fit_bin", columns="time_bin", values="score").loc[NAMES, NAMES].to_numpy(float)


@pytest.mark.parametrize("classifier", ["nearest_mean", "svm"])
def test_a_reading_lasts_as_long_as_the_code(table, classifier):
    found = grid(table, "IT", classifier)
    lasting = np.zeros((4, 4), dtype=bool)
    lasting[1:3, 1:3] = lasting[3, 3] = True
    assert (found[lasting] > 0.95).all()
    assert (found[~lasting] < 0.7).all()
    assert abs(grid(table, "V4", classifier).mean() - 1 / 3) < 0.1


def test_each_place_that_is_held_out_has_a_row_where_fit_and_test_have_the_same_bin(table):
    rows = table[(table["area"] == "IT") & (table["classifier"] == "svm") & (table["fit_bin"] == "0-100")]
    assert set(rows.loc[rows["held_out"] != "", "held_out"]) == set(PLACES)
    assert set(rows.loc[rows["held_out"] != "", "time_bin"]) == {"0-100"}
    of_bin = rows[rows["time_bin"] == "0-100"].set_index("held_out")
    assert of_bin.loc[PLACES, "score"].mean() == pytest.approx(of_bin.loc["", "score"])
    assert of_bin.loc["", "n_stimuli"] == 54
    assert set(of_bin["n_neuroids"]) == {20}


def test_intervals_hold_the_scores_and_need_two_draws(folder, table, tmp_path):
    for kind in ("", "both_"):
        assert ((table[f"{kind}low"] <= table["score"]) & (table["score"] <= table[f"{kind}high"])).all()
    decode(folder, tmp_path / "one.parquet", draws=1, classifiers=["nearest_mean"])
    assert read_parquet(tmp_path / "one.parquet")[["low", "high"]].isna().all(axis=None)


def test_scores_above_chance_are_those_above_the_largest_of_shuffled_labels():
    rng = np.random.default_rng(0)
    shuffled, score = rng.uniform(0.2, 0.5, size=(3, 99)), np.array([0.3, 0.6, 0.49])
    table = pd.DataFrame({"score": score, "shuffled": list(shuffled)}).assign(**dict.fromkeys(LINE, "x"))
    untested = table.assign(area="y", shuffled=None)
    found = with_chance(pd.concat([table, untested], ignore_index=True))
    mean, deviation = shuffled.mean(axis=1), shuffled.std(axis=1)
    largest = sorted(max((shuffled[k, b] - mean[k]) / deviation[k] for k in range(3)) for b in range(99))
    expected = [(sum(value >= (score[k] - mean[k]) / deviation[k] for value in largest) + 1) / 100 for k in range(3)]
    assert found["p"][:3].tolist() == pytest.approx(expected)
    # p is below 0.05 where at most 3 of 99 shuffles are as large.
    assert found["critical"][:3].tolist() == pytest.approx(mean + deviation * largest[-4], abs=1e-6)
    assert found["p"][3:].isna().all()


def test_labels_that_are_in_no_response_are_read_in_one_experiment_of_twenty():
    # Of 60 experiments, 7 or more are false with a probability below 3 % if 5 % are false.
    assert sum(false_reading(seed) for seed in range(60)) < 7


def test_intervals_over_neurons_hold_the_score_of_other_neurons():
    of_trials, of_both = coverage(25)
    assert of_both > 0.8 > of_trials


def test_a_reading_begins_with_its_code(folder, tmp_path):
    latencies([], [], [folder / "table.parquet"], tmp_path / "latencies.csv", 10, seed=0)
    found = pd.read_csv(tmp_path / "latencies.csv", keep_default_na=False, na_values=[""])
    found = found.fillna({"held_out": ""}).set_index(["area", "held_out"])
    assert set(found["kind"]) == {"reading"}
    assert set(found["mapping"]) == {"nearest_mean"}
    assert found.loc[("IT", ""), ["target", "split", "latency"]].tolist() == ["object", "place", 50]
    assert found.loc["IT", "latency"].tolist() == [50] * 4
    assert found.loc[("IT", ""), ["low", "high", "share_found"]].tolist() == [50, 50, 1]
    assert found.loc["V4", "latency"].isna().all()


def test_cores_change_no_number_and_shuffles_do(folder, table, tmp_path):
    for name, options in {"cores": {"cores": 3}, "unshuffled": {"shuffled_within": None}}.items():
        decode(folder, tmp_path / name, classifiers=["nearest_mean"], **options)
    same, other = (read_parquet(tmp_path / name)["score"] for name in ("cores", "unshuffled"))
    expected = table.loc[table["classifier"] == "nearest_mean", "score"].to_numpy()
    assert (same.to_numpy() == expected).all()
    assert (other.to_numpy() != expected).any()


def test_a_shuffle_keeps_what_each_row_shows():
    from ventral.decoding.over_time import _shuffled

    groups = np.array([1, 0, 1, 0, 0, 2])
    order = _shuffled(50, groups=groups, seed=[0, 0])
    assert (groups[order] == groups[:, None]).all()
    assert (np.sort(order, axis=0) == np.arange(6)[:, None]).all()
    assert len({tuple(column) for column in order.T}) > 5


def test_what_cannot_be_read_is_said(folder, tmp_path):
    with pytest.raises(
        InputError, match="shuffled_within: stimuli trials have no column 'trail'; allowed: object, one, place"
    ):
        decode(folder, tmp_path / "x", shuffled_within="trail")
    with pytest.raises(InputError, match="no label `object` or `category` differs"):
        decode(folder, tmp_path / "x", splits=["objects"])
    spec = {"stimuli": "trials", "responses": str(tmp_path / "flat.npy")}
    responses = np.load(folder / "responses.npy")
    np.save(tmp_path / "flat.npy", responses[:, :, 1])
    ingest(spec, folder / "stimuli.zarr", tmp_path / "flat.zarr", name="flat", seed=0)
    with pytest.raises(InputError, match="recording flat has no bins of time; leave `decoding_over_time` out"):
        decode(folder, tmp_path / "x", recording=tmp_path / "flat.zarr")
    responses[:, 0, 0] = np.nan
    np.save(tmp_path / "holes.npy", responses)
    spec |= {"responses": str(tmp_path / "holes.npy"), "axes": ["neuroid", "stimulus", "time_bin"], "time_bins": BINS}
    ingest(spec, folder / "stimuli.zarr", tmp_path / "holes.zarr", name="holes", seed=0)
    with pytest.raises(InputError, match="recording holes: no neuroid has responses to all stimuli in all bins"):
        decode(folder, tmp_path / "x", recording=tmp_path / "holes.zarr")


def test_the_figure_has_a_map_for_each_classifier_and_lines_through_the_scores(folder, table, tmp_path):
    paths = [tmp_path / f"figure.{kind}" for kind in ("svg", "pdf", "csv")]
    decoding_over_time([folder / "table.parquet"], *paths)
    assert len(pd.read_csv(paths[2])) == len(table)
    figure = draw_decoding_over_time(table)
    lines, nearest, machine = figure.axes[:3]
    assert lines.get_title(loc="left").startswith("rec, IT: object")
    drawn = {line.get_label(): line for line in lines.lines}
    np.testing.assert_allclose(drawn["nearest mean"].get_ydata(), np.diag(grid(table, "IT", "nearest_mean")))
    np.testing.assert_allclose(drawn["nearest mean"].get_xdata(), [-50, 50, 150, 250])
    assert set(PLACES) < set(drawn)
    for axes, classifier in ((nearest, "nearest_mean"), (machine, "svm")):
        np.testing.assert_allclose(axes.collections[0].get_array(), grid(table, "IT", classifier))


def test_bins_are_drawn_in_the_order_of_time():
    rows = pd.DataFrame({"time_bin": ["100-200", "baseline", "0-100"]})
    assert list(in_order(rows)["time"]) == [-50, 50, 150]
