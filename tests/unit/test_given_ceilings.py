"""Ceilings that came with the data: from a recording's files to the score table, or refused."""

import logging

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tests.unit.synthetic_scores import score_table
from ventral.decoding.populations import populations
from ventral.errors import InputError
from ventral.recordings.ingestion import check, ingest
from ventral.statistics.best_layers import values_in_halves
from ventral.statistics.influence_table import panels_of
from ventral.statistics.summaries import area_summary
from ventral.store import read_dataset, write_dataset
from ventral.targets.benchmark import read_benchmark
from ventral.targets.selection import attainable
from ventral.targets.splits import Split
from ventral.targets.values import Targets

KEY = "recordings.mine"
NEUROIDS, STIMULI = 4, 30


@pytest.fixture
def stimuli(tmp_path):
    names = np.array([f"image{k}" for k in range(STIMULI)], dtype=object)
    attributes = {"name": "my_set", "sha256": "0" * 64}
    write_dataset(xr.Dataset(coords={"stimulus": names}, attrs=attributes), tmp_path / "stimuli.zarr")
    return tmp_path / "stimuli.zarr"


def recording(tmp_path, repetitions=0, ceiling=None, **columns):
    """A recording with columns of its table of neuroids; of averages without repetitions."""
    shape = (NEUROIDS, STIMULI, repetitions) if repetitions else (NEUROIDS, STIMULI)
    rng = np.random.default_rng(0)
    tuning = rng.normal(size=(NEUROIDS, STIMULI, 1)) if repetitions else 0
    np.save(tmp_path / "r.npy", tuning + rng.normal(size=shape))
    pd.DataFrame({"neuroid": list("abcd"), **columns}).to_csv(tmp_path / "n.csv", index=False)
    spec = {"stimuli": "my_set", "responses": str(tmp_path / "r.npy"), "neuroids": str(tmp_path / "n.csv")}
    return spec | ({"ceiling": ceiling} if ceiling else {})


def taken_in(spec, stimuli, n=STIMULI):
    check(spec, n, KEY)
    store = stimuli.parent / "out.zarr"
    ingest(spec, stimuli, store, name="mine", n_splits=5)
    return read_dataset(store).load()


def warnings_of(caplog):
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize(
    ("kind", "numbers", "expected"),
    [
        ("reliability", [0.25, 0.81, 1, 0], [0.5, 0.9, 1, 0]),
        ("oracle", [0.25, 0.81, 1, 0], [0.25, 0.81, 1, 0]),
        # n = 3: 1 / (1 + 1/3), 4 / (4 + 1/3), 0.25 / (0.25 + 1/3).
        ("snr", [1, 4, 0.25, 0], np.sqrt([3 / 4, 12 / 13, 3 / 7, 0])),
        ("ncsnr", [1, 2, 0.5, 0], np.sqrt([3 / 4, 12 / 13, 3 / 7, 0])),
    ],
)
def test_the_largest_attainable_r_of_every_kind(tmp_path, stimuli, kind, numbers, expected):
    spec = recording(tmp_path, ceiling={"column": "given", "kind": kind, "repetitions": 3}, given=numbers)
    dataset = taken_in(spec, stimuli)
    np.testing.assert_allclose(dataset["given_ceiling"], expected)
    assert dataset.attrs["given_ceiling_kind"] == kind
    assert dataset.attrs["given_ceiling_from"] == "given"
    assert dataset["reliability"].isnull().all()


def test_ratios_are_the_correlation_with_the_truth(tmp_path, stimuli):
    """Signal of SD 1.5 and noise of SD 1 (ncsnr 1.5), means over 4: brute force on 200,000 responses."""
    rng = np.random.default_rng(1)
    signal = 1.5 * rng.normal(size=200_000)
    means = signal + rng.normal(size=(4, len(signal))).mean(axis=0)
    dataset = taken_in(recording(tmp_path, ceiling={"repetitions": 4}, ncsnr=[1.5] * 4), stimuli)
    np.testing.assert_allclose(dataset["given_ceiling"], np.corrcoef(signal, means)[0, 1], atol=0.002)


def test_repetitions_are_counted_where_the_responses_tell_them(tmp_path, stimuli):
    spec = recording(tmp_path, repetitions=4, ncsnr=[1.0] * 4)
    responses = np.load(spec["responses"])
    responses[0, :15, 2:] = np.nan
    responses[0, 15:, 1:] = np.nan
    np.save(spec["responses"], responses)
    found = taken_in(spec, stimuli)["given_ceiling"].values
    # Half of the stimuli of the first neuron twice, half once: NSD's mean of 1/n is 3/4.
    np.testing.assert_allclose(found**2, [1 / 1.75, 0.8, 0.8, 0.8])


def test_ratios_make_the_ceiling_of_the_stimuli_that_a_split_scores(tmp_path, stimuli):
    """Training stimuli shown once, test stimuli four times: 1 / (1 + 1/4), not that of the mean of 1/n, 3/4."""
    spec = recording(tmp_path, repetitions=4, ncsnr=[1.0] * 4)
    responses, test = np.load(spec["responses"]), np.arange(STIMULI) % 3 == 0
    responses[:, ~test, 1:] = np.nan
    np.save(spec["responses"], responses)
    assert taken_in(spec, stimuli)["given_ceiling"].values == pytest.approx(np.sqrt(1 / 1.75))
    parts = read_dataset(stimuli).assign_coords(set=("stimulus", np.where(test, "test", "train")))
    write_dataset(parts.load(), stimuli.parent / "parts.zarr")
    splits = ["stimuli", {"name": "set", "partition": "set"}, {"name": "random", "random": 2, "train": 20}]
    benchmark = read_benchmark([], stimuli.parent / "out.zarr", stimuli.parent / "parts.zarr", splits, 3, 0)
    found = benchmark.ceilings["given_ceiling"].groupby("split").agg(["min", "max"])
    np.testing.assert_allclose(found.loc["set"] ** 2, 0.8)
    np.testing.assert_allclose(found.loc[["stimuli", "random"]] ** 2, 1 / 1.75)
    fixed = {"column": "ncsnr", "repetitions": 3}
    taken_in(spec | {"ceiling": fixed}, stimuli)
    benchmark = read_benchmark([], stimuli.parent / "out.zarr", stimuli.parent / "parts.zarr", splits, 3, 0)
    np.testing.assert_allclose(benchmark.ceilings["given_ceiling"] ** 2, 0.75)


@pytest.mark.parametrize("kind", ["reliability", "oracle"])
def test_a_column_that_is_called_like_a_kind_is_found_and_named(tmp_path, stimuli, caplog, kind):
    spec = recording(tmp_path, **{kind: [0.5, 0.6, np.nan, -0.1]})
    dataset = taken_in(spec, stimuli)
    found, lacking = warnings_of(caplog)
    assert found.startswith(f"{KEY}.neuroids: {spec['neuroids']}: column `{kind}`: taken for ceilings of the kind")
    assert f"`ceiling: {{column: {kind}}}` confirms it" in found
    assert "among 4 neuroids, 1 have no ceiling, and 1 have a negative estimate" in lacking
    np.testing.assert_array_equal(np.isnan(dataset["given_ceiling"]), [False, False, True, False])
    assert dataset["given_ceiling"][3] == 0
    # What the store calls so is its own.
    assert dataset["reliability"].isnull().all()


def test_a_named_column_is_logged_without_a_warning(tmp_path, stimuli, caplog):
    with caplog.at_level(logging.INFO, logger="ventral"):
        taken_in(recording(tmp_path, ceiling={"column": "oracle"}, oracle=[0.5] * 4), stimuli)
    assert warnings_of(caplog) == []
    assert "column `oracle`: taken for ceilings of the kind `oracle`: median of the largest" in caplog.text


def test_a_reliability_that_is_not_taken_is_said_to_be_left_out(tmp_path, stimuli, caplog):
    spec = recording(tmp_path, ceiling={"column": "oracle"}, oracle=[0.5] * 4, reliability=[0.1] * 4)
    assert (taken_in(spec, stimuli)["given_ceiling"] == 0.5).all()
    (said,) = warnings_of(caplog)
    assert said.endswith("column `reliability` left out, as the store has its own")


def test_a_file_of_ceilings(tmp_path, stimuli):
    np.save(tmp_path / "c.npy", [0.36, 0.49, 0.64, np.nan])
    spec = recording(tmp_path, ceiling={"file": str(tmp_path / "c.npy"), "kind": "reliability"})
    np.testing.assert_allclose(taken_in(spec, stimuli)["given_ceiling"], [0.6, 0.7, 0.8, np.nan])


def test_ceilings_of_an_assembly(tmp_path, stimuli):
    array = xr.DataArray(
        np.random.default_rng(0).normal(size=(2 * STIMULI, 3)),
        dims=("presentation", "neuroid"),
        coords={
            "stimulus_id": ("presentation", [f"image{k}" for k in range(STIMULI)] * 2),
            "repetition": ("presentation", np.repeat([0, 1], STIMULI)),
            "neuroid_id": ("neuroid", list("abc")),
            "reliability": ("neuroid", [0.25, 0.36, 0.49]),
        },
        name="rates",
    )
    array.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    spec = {"stimuli": "my_set", "responses": str(tmp_path / "a.nc")}
    dataset = taken_in(spec, stimuli)
    np.testing.assert_allclose(dataset["given_ceiling"], [0.5, 0.6, 0.7])
    assert (dataset["reliability"] != [0.25, 0.36, 0.49]).all()
    with pytest.raises(InputError, match=r"responses: .*a\.nc: column `reliability`: data row 2 is 36 "):
        array.coords["reliability"] = ("neuroid", [0.25, 36.0, 0.49])
        array.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
        check(spec, STIMULI, KEY)


@pytest.mark.parametrize(
    ("columns", "ceiling", "expected"),
    [
        ({"oracle": [0.5, 1.2, 0.5, 0.5]}, None, "neuroids: FOLDER/n.csv: column `oracle`: data row 2 is 1.2 (1 such"),
        (
            {"reliability": [60, 70, 80, 90]},
            None,
            "column `reliability`: data row 1 is 60 (4 such rows); `reliability`",
        ),
        (
            {"ncsnr": [1, 1, -0.5, 1]},
            {"repetitions": 2},
            "column `ncsnr`: data row 3 is -0.5 (1 such rows); `ncsnr` is",
        ),
        ({"oracle": [np.nan] * 4}, None, "column `oracle`: no number"),
        (
            {"oracle": ["0.5", "low", "0.4", "0.5"]},
            None,
            "column `oracle`: data row 2: 'low' is no number (1 such rows)",
        ),
        ({"oracle": [0.5] * 4, "snr": [1] * 4}, None, "the columns `oracle`, `snr` may all be ceilings; say which one"),
        ({"oracle": [0.5] * 4}, {"column": "orcale"}, "ceiling.column: 'orcale' is no column; did you mean `oracle`?"),
        (
            {"nc": [0.5] * 4},
            {"column": "nc"},
            "ceiling: say which kind of numbers they are: `kind`, one of reliability",
        ),
        ({"x": [1] * 4}, {"kind": "oracle"}, "ceiling: it names neither a `column` nor a `file`"),
        ({}, {"file": "FOLDER/none.npy", "kind": "oracle"}, "ceiling.file: no such file: FOLDER/none.npy"),
        ({}, {"file": "FOLDER/n.csv", "kind": "oracle"}, "ceiling.file: FOLDER/n.csv: cannot be read"),
        ({}, {"file": "FOLDER/three.npy", "kind": "oracle"}, "FOLDER/three.npy: its shape is (3,), where there are 4"),
        ({}, {"file": "FOLDER/three.npy"}, "FOLDER/three.npy: its shape is (3,), where there are 4"),
        ({}, {"file": "FOLDER/four.npy"}, "ceiling: say which kind of numbers they are"),
        ({}, {"file": "FOLDER/text.npy", "kind": "oracle"}, "ceiling.file: FOLDER/text.npy: its values are <U3"),
        ({}, {"file": "FOLDER/infinite.npy", "kind": "snr", "repetitions": 1}, "infinite.npy: data row 4 is inf"),
        ({"nc": [1] * 4}, {"file": "FOLDER/four.npy", "column": "nc"}, "ceiling: it has `column` and `file`"),
    ],
)
def test_what_makes_no_ceiling_is_refused_by_key_and_row(tmp_path, columns, ceiling, expected):
    np.save(tmp_path / "three.npy", np.full(3, 0.5))
    np.save(tmp_path / "four.npy", np.full(4, 0.5))
    np.save(tmp_path / "infinite.npy", [1, 1, 1, np.inf])
    np.save(tmp_path / "text.npy", ["0.5"] * 4)
    placed = {k: v.replace("FOLDER", str(tmp_path)) if isinstance(v, str) else v for k, v in (ceiling or {}).items()}
    with pytest.raises(InputError) as caught:
        check(recording(tmp_path, ceiling=placed, **columns), STIMULI, KEY)
    said = str(caught.value)
    assert said.startswith(f"{KEY}.")
    assert expected.replace("FOLDER", str(tmp_path)) in said


@pytest.mark.parametrize("kind", ["snr", "ncsnr"])
def test_ratios_of_unknown_repetitions_are_refused_or_said(tmp_path, stimuli, caplog, kind):
    spec = recording(tmp_path, **{kind: [1.0] * 4})
    assert "given_ceiling" not in taken_in(spec, stimuli).coords
    (said,) = warnings_of(caplog)
    assert said.endswith(
        f"not used: `{kind}` makes no ceiling without the number of repetitions, which the responses do not tell"
    )
    with pytest.raises(InputError, match=rf"say how many were averaged: `ceiling: {{column: {kind}, kind: {kind}, rep"):
        check(spec | {"ceiling": {"column": kind}}, STIMULI, KEY)
    # An axis of repetitions, of which every stimulus has one.
    np.save(spec["responses"], np.stack([np.load(spec["responses"]), np.full((NEUROIDS, STIMULI), np.nan)], axis=2))
    with pytest.raises(InputError, match="say how many were averaged"):
        ingest(spec | {"ceiling": {"column": kind}}, stimuli, tmp_path / "again.zarr", name="mine")


def test_ceilings_of_no_bin_are_refused_or_said(tmp_path, stimuli, caplog):
    spec = recording(tmp_path, oracle=[0.5] * 4) | {"axes": ["neuroid", "stimulus", "time_bin"]}
    np.save(spec["responses"], np.random.default_rng(0).normal(size=(NEUROIDS, STIMULI, 2)))
    assert "given_ceiling" not in taken_in(spec, stimuli).coords
    assert "not used: ceilings of neuroids are of no single bin of time" in caplog.text
    with pytest.raises(InputError, match=r"mine\.ceiling: ceilings of neuroids are of no single bin of time"):
        ingest(spec | {"ceiling": {"column": "oracle"}}, stimuli, tmp_path / "again.zarr", name="mine")


@pytest.mark.parametrize("repetitions", [0, 4])
def test_rows_of_the_score_table_have_the_ceiling_its_kind_and_r_over_it(tmp_path, stimuli, repetitions):
    spec = recording(tmp_path, repetitions, {"column": "oracle"}, oracle=[0.5, 0.8, 0, np.nan])
    taken_in(spec, stimuli)
    benchmark = read_benchmark([], stimuli.parent / "out.zarr", stimuli, ["stimuli"], 3, 0)
    rows = pd.DataFrame({"target": [*"abcd", "a"], "target_kind": ["neuron"] * 4 + ["property"], "r": 0.4})
    table = benchmark.described(rows.assign(split="stimuli", time_bin=""), "net", "trained")
    np.testing.assert_array_equal(table["given_ceiling"], [0.5, 0.8, 0, np.nan, np.nan])
    np.testing.assert_allclose(table["predictivity_given"].astype(float), [0.8, 0.5, np.nan, np.nan, np.nan])
    assert table["given_ceiling_kind"].fillna("").tolist() == ["oracle"] * 3 + ["", ""]
    # The computed ceiling is not touched by the given one.
    assert table["predictivity"][:4].notna().any() == bool(repetitions)


def test_the_square_of_a_given_ceiling_is_compared_with_the_threshold():
    given = np.array([0.5, 0.3, 0, np.nan])
    assert attainable(given, 0.1).tolist() == [True, False, False, True]
    assert attainable(given, 0).tolist() == [True, True, False, True]


def test_without_repetitions_given_ceilings_choose_the_neurons_of_summaries_and_comparisons():
    scores = score_table({"net": 3}, {"V4": 8}, repetitions=False)
    scores["given_ceiling"] = scores["target"].map({f"V4_{k}": 0.2 if k < 3 else 0.7 for k in range(8)})
    summary = area_summary(scores, 0.1, 100, 0)
    assert set(summary["n_neuroids"]) == {5}
    assert set(summary["n_left_out"]) == {3}
    assert not summary["has_ceiling"].any()
    high = scores[scores["given_ceiling"] > 0.5]
    expected = high.groupby("layer")["r"].median()
    np.testing.assert_allclose(summary.set_index("layer")["r"], expected)
    np.testing.assert_allclose(values_in_halves(scores, 0.1).whole.droplevel([0, 1, 2]), expected)
    rng = np.random.default_rng(0)
    names = np.array([f"V4_{k}" for k in range(8)])
    targets = Targets(rng.normal(size=(30, 8)), np.full(8, "neuron"), names, np.full(8, "V4"), np.full(8, np.nan))
    folds = np.split(np.arange(30), 3)
    (panel,) = panels_of(targets, Split("stimuli", folds), 0.1, {}, np.repeat([0.2, 0.7], [3, 5]))
    assert panel.columns.tolist() == [3, 4, 5, 6, 7]


def test_with_repetitions_given_ceilings_choose_nothing():
    scores = score_table({"net": 3}, {"V4": 8})
    given = area_summary(scores.assign(given_ceiling=0.01), 0.1, 100, 0)
    pd.testing.assert_frame_equal(given, area_summary(scores, 0.1, 100, 0))


def test_populations_without_repetitions_are_chosen_and_made_noisy_by_given_ceilings(tmp_path, stimuli, caplog):
    spec = recording(tmp_path, ceiling={"column": "oracle"}, oracle=[0.5, 0.2, 0.8, np.nan])
    (population,) = populations(taken_in(spec, stimuli), np.split(np.arange(STIMULI), 3), 0.1).values()
    np.testing.assert_allclose(population.reliability, [0.25, 0.64])
    assert "squared ceilings that came with the data choose neuroids" in caplog.text
