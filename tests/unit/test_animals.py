"""Scores of several animals and sessions of one set, summarised over animals."""

import logging

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import xarray as xr

from tests.unit.synthetic_results import RECORDING, SETTINGS, scores_of_a_run
from tests.unit.synthetic_scores import matrix_table, score_table
from ventral.configuration.resolution import resolve
from ventral.errors import InputError
from ventral.report.methods import methods, plain
from ventral.report.summary import best_over_animals, with_places
from ventral.report.tables import animals_section
from ventral.scores.table import write_table
from ventral.statistics.animals import (
    COLUMNS,
    TOO_FEW,
    animals,
    interval_of_mean,
    recorded_neuroids,
    summary_over_animals,
)
from ventral.statistics.summaries import area_summary
from ventral.store import write_dataset
from ventral.tables import read_csv

DRAWS = {"n_bootstrap": 200, "seed": 0}


def scored(recording, r, layer="a", reliability=1.0, model="net", area="V4"):
    """Rows of one layer: a neuron for each r, equally scored in both halves of the folds."""
    names = [f"n{k}" for k in range(len(r))]
    rows = pd.DataFrame({"r": r, "target": names}).assign(reliability=reliability)
    for half in ("even", "odd"):
        rows[f"r_{half}"], rows[f"reliability_{half}"] = rows["r"], rows["reliability"]
    rows["predictivity"] = rows["r"] / np.sqrt(rows["reliability"])
    return rows.assign(
        recording=recording, model=model, family="pretrained", layer=layer, depth=0.1 if layer == "a" else 0.9
    ).assign(area=area, time_bin="", split="stimuli", mapping="ridge", target_kind="neuron", given_ceiling=np.nan)


def members(animals_of, n=20, group="set", session=None):
    """The neuroids n0, n1, ... of each recording, given its animal."""
    rows = [
        (recording, f"n{k}", group, animal, session or f"{recording}/")
        for recording, animal in animals_of.items()
        for k in range(n)
    ]
    table = pd.DataFrame(rows, columns=["recording", "target", "group", "animal", "session"])
    return table.set_index(["recording", "target"])


def summarise(scores, neuroids, threshold=0.1, **draws):
    return summary_over_animals(scores, neuroids, threshold, **DRAWS | draws)


def test_two_sessions_of_one_animal_are_one_animal():
    # All neurons of F together have the median 0.3; the mean of the medians of F's sessions would be 0.45.
    scores = pd.concat([scored("f1", [0.1, 0.3, 0.2]), scored("f2", [0.7, 0.7]), scored("n1", [0.5, 0.9, 0.8])])
    table = summarise(scores, members({"f1": "F", "f2": "F", "n1": "N"})).set_index("animal")
    assert table["median"].to_dict() == pytest.approx({"F": 0.3, "N": 0.8})
    assert table["n_neuroids"].to_dict() == {"F": 5, "N": 3}
    assert table["n_sessions"].to_dict() == {"F": 2, "N": 1}
    assert table["mean"].tolist() == pytest.approx([0.55, 0.55])
    assert set(table["n_animals"]) == {2}
    assert set(table["measure"]) == {"predictivity"}


def test_subjects_of_one_recording_are_summarised_as_in_the_field():
    """The median over the voxels of each subject, and its mean with its standard error over subjects."""
    r = np.random.default_rng(0).uniform(0.1, 0.9, (6, 7))
    names = np.repeat([f"subject{k}" for k in range(6)], 7)
    table = summarise(scored("voxels", r.ravel()), members({"voxels": ""}, n=42).assign(animal=names))
    medians = np.median(r, axis=1)
    assert table["animal"].tolist() == sorted(set(names))
    np.testing.assert_allclose(table["median"], medians)
    np.testing.assert_allclose(table["mean"], medians.mean())
    np.testing.assert_allclose(table["sem"], scipy.stats.sem(medians))
    alone = summarise(scored("voxels", r[0]), members({"voxels": "subject0"}, n=7))
    assert alone["sem"].isna().all()


def test_fewer_than_five_animals_have_no_interval_and_the_table_says_so():
    for n, over in ((4, TOO_FEW), (5, "animals")):
        scores = pd.concat([scored(f"s{k}", [0.1 * k, 0.2]) for k in range(n)])
        table = summarise(scores, members({f"s{k}": str(k) for k in range(n)}))
        assert set(table["interval_over"]) == {over}
        assert set(table["n_animals"]) == {n}
        assert table[["low", "high"]].notna().all(axis=None) == (n == 5)


def test_the_median_of_an_animal_is_that_of_its_area():
    tables = [score_table({"net": 4, "pixels": 1}, {"V4": 15, "IT": 9}, recording=f"s{k}", seed=k) for k in range(2)]
    rng = np.random.default_rng(0)
    scores = pd.concat(tables, ignore_index=True)
    for half in ("even", "odd"):
        noise = dict(zip(scores["target"].unique(), rng.normal(0, 0.4, 24), strict=True))
        scores[f"reliability_{half}"] += scores["target"].map(noise)
    neuroids = scores[["recording", "target"]].drop_duplicates()
    neuroids = neuroids.assign(group="set", animal=neuroids["recording"], session=neuroids["recording"])
    found = summarise(scores, neuroids.set_index(["recording", "target"]), threshold=0.6)
    expected = area_summary(scores, 0.6, **DRAWS).rename(columns={"recording": "animal"})
    both = found.merge(expected, on=["animal", "area", "model", "layer"], suffixes=("", "_expected"))
    assert len(both) == len(expected) == 20
    assert both["median"].notna().any()
    np.testing.assert_allclose(both["median"], both["predictivity"])
    np.testing.assert_array_equal(both["n_neuroids"], both["n_neuroids_expected"])
    assert (both["n_neuroids"] < both["area"].map({"V4": 15, "IT": 9})).any()


def test_where_an_animal_has_no_repetitions_all_are_compared_by_r():
    scores = pd.concat([scored("f", [0.2, 0.4], reliability=0.25), scored("n", [0.3, 0.5], reliability=np.nan)])
    neuroids = members({"f": "F", "n": "N"})
    table = summarise(scores, neuroids).set_index("animal")
    assert set(table["measure"]) == {"r"}
    assert table["median"].to_dict() == pytest.approx({"F": 0.3, "N": 0.4})
    # Another session of N has repetitions; its first one then adds nothing.
    more = pd.concat([scores, scored("m", [0.25], reliability=0.25)])
    table = summarise(more, pd.concat([neuroids, members({"m": "N"})])).set_index("animal")
    assert set(table["measure"]) == {"predictivity"}
    assert table["median"].to_dict() == pytest.approx({"F": 0.6, "N": 0.5})
    assert table["n_sessions"].to_dict() == {"F": 1, "N": 1}


def test_an_animal_without_a_reliable_neuron_is_named_and_not_counted():
    scores = pd.concat([scored("f", [0.2, 0.4]), scored("n", [0.3, 0.5], reliability=0.05)])
    table = summarise(scores, members({"f": "F", "n": "N"})).set_index("animal")
    assert table["n_neuroids"].to_dict() == {"F": 2, "N": 0}
    assert table["n_sessions"].to_dict() == {"F": 1, "N": 0}
    assert np.isnan(table.loc["N", "median"])
    assert set(table["n_animals"]) == {1}
    assert table["mean"].tolist() == pytest.approx([0.3, 0.3])


def test_one_layer_is_the_best_for_all_animals():
    # Each animal alone has another best layer: b for F, c for G. Over both, a is the best.
    by_layer = {"a": (0.5, 0.5), "b": (0.6, 0.1), "c": (0.1, 0.6)}
    parts = [scored(name, [r], layer) for layer, pair in by_layer.items() for name, r in zip("fg", pair, strict=True)]
    # A layer that one animal lacks is higher, over fewer animals.
    table = summarise(pd.concat([*parts, scored("f", [0.9], "d")]), members({"f": "F", "g": "G"}))
    assert table.loc[table["best_layer"], ["layer", "animal"]].to_numpy().tolist() == [["a", "F"], ["a", "G"]]
    assert set(table.loc[table["layer"] == "d", "n_animals"]) == {1}


def test_areas_and_splits_stand_for_the_recordings_that_have_them():
    scores = pd.concat([scored("f", [0.2]), scored("g", [0.4]), scored("g", [0.6], area="IT")])
    table = summarise(scores.drop_duplicates(["recording", "area"]), members({"f": "F", "g": "G"}))
    assert table.groupby("area")["animal"].agg(list).to_dict() == {"IT": ["G"], "V4": ["F", "G"]}


def test_sets_are_apart_and_other_recordings_are_skipped():
    scores = pd.concat([scored(name, [r]) for name, r in zip("fghx", (0.1, 0.3, 0.5, 0.9), strict=True)])
    neuroids = pd.concat([members({"f": "F", "g": "G"}), members({"h": "F"}, group="other")])
    table = summarise(scores, neuroids)
    assert table.groupby("group")["mean"].first().to_dict() == pytest.approx({"set": 0.2, "other": 0.5})
    assert list(table.columns) == COLUMNS


def test_recorded_areas_and_matrices_are_no_models_of_a_set():
    recorded = scored("f", [0.2]).assign(family="recorded")
    assert summarise(recorded, members({"f": "F", "g": "G"})).empty
    matrices = matrix_table({"net": 1}, {"IT": 2}, recording="f")
    assert list(summarise(matrices, members({"f": "F", "g": "G"})).columns) == COLUMNS


@pytest.mark.parametrize("n", [5, 8])
def test_the_interval_covers_the_true_mean_in_95_percent_of_experiments(n):
    medians = np.random.default_rng(100 + n).normal(0.5, 0.1, (1000, n))
    ends = np.array([interval_of_mean(of_experiment, 500, seed) for seed, of_experiment in enumerate(medians)])
    covered = np.mean((ends[:, 0] <= 0.5) & (ends[:, 1] >= 0.5))
    # The standard error of the share is 0.007. Plain percentiles hold the mean in 84 and 89 % of experiments.
    assert 0.93 <= covered <= 0.97


def test_layers_share_the_samples_of_animals():
    medians = np.array([0.1, 0.4, 0.3, 0.8, 0.5, 0.2])
    low, high = interval_of_mean(medians, **DRAWS)
    assert low < medians.mean() < high
    np.testing.assert_allclose(interval_of_mean(medians + 0.1, **DRAWS), (low + 0.1, high + 0.1))
    assert interval_of_mean(medians, n_bootstrap=200, seed=1) != (low, high)


def store(path, recording, animal=None, session=None, n=3):
    names = [f"n{k}" for k in range(n)]
    coordinates = {"animal": animal, "session": session}
    coords = {name: ("neuroid", np.array(values, object)) for name, values in coordinates.items() if values}
    dataset = xr.Dataset(
        {"reliability": ("neuroid", np.ones(n))},
        coords={"neuroid": np.array(names, object), **coords},
        attrs={"recording": recording},
    )
    write_dataset(dataset, path)
    return path


def test_animals_and_sessions_come_from_the_recordings(tmp_path, caplog):
    paths = [
        store(tmp_path / "a.zarr", "a", ["F", "F", "N"], ["1", "2", "1"]),
        store(tmp_path / "b.zarr", "b", ["F", "", "F"]),
        store(tmp_path / "c.zarr", "c"),
        store(tmp_path / "alone.zarr", "alone", ["F"] * 3),
        store(tmp_path / "two.zarr", "two", ["F", "N", "N"]),
    ]
    groups = dict.fromkeys("abc", "set") | {"alone": "single", "two": "pair"}
    with caplog.at_level(logging.WARNING):
        table = recorded_neuroids(paths, groups)
    # A set of one animal in one session has nothing to summarise.
    assert set(table["group"]) == {"set", "pair"}
    assert table.loc["a", "animal"].tolist() == ["F", "F", "N"]
    assert table.loc["b", "animal"].tolist() == ["F", "unknown", "F"]
    assert set(table.loc["c", "animal"]) == {"unknown"}
    assert table.loc[["a", "b", "c"], "session"].nunique() == 4
    (said,) = caplog.messages
    assert said.startswith("b, c: the animal of some neuroids is not known")


def test_the_stage_writes_the_table(tmp_path):
    scores = pd.concat([scored("f", [0.2, 0.4, 0.3]), scored("g", [0.6, 0.7, 0.8])])
    counted = {"n_stimuli": 20, "n_features": 8, "n_folds": 5, "n_leaked": 0, "simulated": False}
    write_table(scores.assign(**counted), tmp_path / "scores.parquet")
    paths = [store(tmp_path / f"{name}.zarr", name, [animal] * 3) for name, animal in (("f", "007"), ("g", "N"))]
    output = tmp_path / "animals.csv"
    animals(tmp_path / "scores.parquet", paths, output, {"f": "set", "g": "set"}, 0.1, **DRAWS)
    table = read_csv(output, "group", "animal")
    assert list(table.columns) == COLUMNS
    assert table["animal"].tolist() == ["007", "N"]
    assert table["mean"].tolist() == pytest.approx([0.5, 0.5])
    # One recording alone has one animal in one session.
    animals(tmp_path / "scores.parquet", paths[:1], output, {"f": "set"}, 0.1, **DRAWS)
    assert read_csv(output, "group", "animal").empty


@pytest.mark.parametrize(("n", "said"), [(2, "0.41</td>{}2; too few for an interval<"), (6, " to 0.49)</td>{}6<")])
def test_the_page_has_one_row_for_each_area_and_split_of_a_set(n, said):
    recordings = {f"s{k}": f"<{k}>" for k in range(n)}
    rows = [("net", "a", 0.0), ("net", "b", 0.1), ("worse", "a", 0.2)]
    parts = [
        scored(recording, [0.4 + 0.02 * k - less], layer, model=model)
        for k, recording in enumerate(recordings)
        for model, layer, less in rows
    ]
    table = with_places(summarise(pd.concat(parts), members(recordings, group="my set")))
    best = best_over_animals(table)
    assert best["animal"].tolist() == sorted(recordings.values())
    assert set(zip(best["model"], best["layer"], best["n_animals"], strict=True)) == {("net", "a", n)}
    text = animals_section(table)
    assert said.format('<td class="number">') in text
    assert text.count("<tr ") == 1
    assert "&lt;0&gt; 0.40 (1 neuron, 1 session); &lt;1&gt; 0.42 (" in text
    assert "<0>" not in text


def test_a_run_without_sets_says_nothing_of_animals():
    assert animals_section(None) == animals_section(pd.DataFrame(columns=COLUMNS)) == ""
    unreliable = [scored(name, [0.5], reliability=0.01) for name in "fg"]
    assert animals_section(with_places(summarise(pd.concat(unreliable), members({"f": "F", "g": "G"})))) == ""
    assert "over animals" not in plain(methods(scores_of_a_run(), SETTINGS, [RECORDING], {}))


def test_recordings_of_a_published_set_are_one_group_and_the_user_may_change_this():
    config = {"dataset": {"cowley2023": {"sessions": [190923, 210325]}, "kriegeskorte2008": {}}, "models": ["pixels"]}
    groups = {name: spec.get("group") for name, spec in resolve(config)["recordings"].items()}
    assert groups == {"cowley2023_190923": "cowley2023", "cowley2023_210325": "cowley2023", "kriegeskorte2008": None}
    changed = config | {"recordings": {"cowley2023_190923": {"group": None}, "cowley2023_210325": {"group": "mine"}}}
    groups = {name: spec.get("group") for name, spec in resolve(changed)["recordings"].items()}
    assert groups == {"cowley2023_190923": None, "cowley2023_210325": "mine", "kriegeskorte2008": None}


def test_matrices_belong_to_no_group():
    config = {"stimuli": {"s": {"images": "images"}}, "models": ["pixels"]}
    recording = {"stimuli": "s", "matrices": "m.npz", "area": "IT", "group": "mine"}
    with pytest.raises(InputError, match=r"config key recordings\.fmri\.group: belongs to `responses`"):
        resolve(config | {"recordings": {"fmri": recording}})
