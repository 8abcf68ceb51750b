"""Accuracies by step and level, their differences and intervals are those of a computation by hand."""

import hashlib
from copy import deepcopy

import numpy as np
import pandas as pd
import pytest

from tests.unit import rich_config
from ventral.configuration.resolution import check_inputs, resolve
from ventral.errors import InputError
from ventral.figures.recurrence import draw_recurrence, recurrence_figure
from ventral.report.methods import _describe_recurrence
from ventral.statistics.recurrence import recurrence, recurrence_table
from ventral.stimuli.modality import MODALITIES
from ventral.stimuli.store import complete_set, create_set
from ventral.tables import read_csv, write_parquet

N_OBJECTS, EACH = 40, 6
UNITS = np.repeat([f"o{k:02d}" for k in range(N_OBJECTS)], EACH)
LEVELS = np.tile([0.0, 0.3, 0.6], N_OBJECTS * EACH // 3)


def answered(seed: int, gain: float) -> dict[str, pd.DataFrame]:
    """Answers of two kinds: both lose with the level, the recurrent one less at its last step."""
    rng = np.random.default_rng(seed)
    easy = rng.normal(scale=0.3, size=N_OBJECTS).repeat(EACH)
    chance = {1: 1 - LEVELS, 2: 1 - (1 - gain) * LEVELS}
    right = {step: rng.normal(scale=0.2, size=len(UNITS)) + easy < p - 0.3 for step, p in chance.items()}
    plain = rng.normal(scale=0.2, size=len(UNITS)) + easy < 0.7 - LEVELS
    return {"BLT": pd.DataFrame(right), "B": pd.DataFrame({1: plain})}


def row(table: pd.DataFrame, **wanted) -> pd.Series:
    (found,) = (of for _, of in table.iterrows() if all(of[key] == value for key, value in wanted.items()))
    return found


def test_values_are_shares_of_right_answers_and_their_differences():
    right = answered(0, 0.5)
    table = recurrence_table(right, UNITS, LEVELS, n_bootstrap=50, seed=0)
    for level, rows in {"": LEVELS >= 0, "0": LEVELS == 0, "0.3": LEVELS == 0.3, "0.6": LEVELS == 0.6}.items():
        first, last, plain = (of[rows].mean() for of in (right["BLT"][1], right["BLT"][2], right["B"][1]))
        assert row(table, network="BLT", step=1, other="", level=level)["value"] == pytest.approx(first)
        assert row(table, network="B", step=1, other="", level=level)["value"] == pytest.approx(plain)
        found = row(table, network="BLT", other="B", level=level)
        assert found["value"] == pytest.approx(last - plain)
        assert (found["step"], found["other_step"], found["n_stimuli"], found["n_apart"]) == (2, 1, rows.sum(), 40)
        assert row(table, network="BLT", other="BLT", level=level)["value"] == pytest.approx(last - first)
    gained = {level: row(table, other="B", level=level)["value"] for level in ("0", "0.6")}
    assert row(table, other="B", level="0.6 less 0")["value"] == pytest.approx(gained["0.6"] - gained["0"])


def test_intervals_are_percentiles_over_resampled_objects():
    right = answered(1, 0.5)
    table = recurrence_table(right, UNITS, LEVELS, n_bootstrap=2000, seed=0)
    rng = np.random.default_rng(5)
    rows_of = [np.flatnonzero(unit == UNITS) for unit in np.unique(UNITS)]
    last, plain = right["BLT"][2].to_numpy(float), right["B"][1].to_numpy(float)
    drawn = []
    for _ in range(2000):
        rows = np.concatenate([rows_of[k] for k in rng.integers(N_OBJECTS, size=N_OBJECTS)])
        high, low = (rows[LEVELS[rows] == level] for level in (0.6, 0))
        differences = [(last[some] - plain[some]).mean() for some in (rows, high, low)]
        drawn.append([differences[0], differences[1] - differences[2]])
    for level, expected in zip(["", "0.6 less 0"], np.percentile(drawn, [2.5, 97.5], axis=0).T, strict=True):
        found = row(table, other="B", level=level)
        np.testing.assert_allclose([found["low"], found["high"]], expected, atol=0.015)


def test_networks_that_do_not_differ_are_found_to_differ_seldom():
    wrong = 0
    for seed in range(200):
        right = np.random.default_rng(seed).random((N_OBJECTS, 2)).repeat(EACH, axis=0) < 0.6
        kinds = {"a": pd.DataFrame({1: right[:, 0]}), "b": pd.DataFrame({1: right[:, 1]})}
        found = row(recurrence_table(kinds, UNITS, np.zeros(len(UNITS)), n_bootstrap=300, seed=0), other="b")
        wrong += found["low"] > 0 or found["high"] < 0
    # Two standard errors of a share of 5 % over 200 tables are 3 %; few objects make percentiles a little narrow.
    assert wrong / 200 < 0.1


@pytest.fixture
def trained(tmp_path):
    """A set with two properties, and the answers of networks to two test parts that share some stimuli."""
    names = [f"im{k}" for k in range(24)]
    table = pd.DataFrame(
        {"object": [f"o{k // 4}" for k in range(24)], "occlusion": [0.5 * (k % 2) for k in range(24)], "x": range(24)},
        index=pd.Index(names, name="stimulus", dtype=object),
    )
    pixels = np.arange(24 * 3 * 4, dtype=np.uint8).reshape(24, 3, 2, 2)
    create_set(tmp_path / "set.zarr", table, MODALITIES["images"], (3, 2, 2))[:] = pixels
    complete_set(tmp_path / "set.zarr", "set", table, [hashlib.sha256(one).digest() for one in pixels])

    def write(name, tested, steps, wrong):
        rows = [
            {"stimulus": f"im{k}", "label": "category", "step": step, "name": f"c{k % 2}", "answer": f"c{k % 2}"}
            for k in tested
            for step in range(1, steps + 1)
        ]
        answers = pd.DataFrame(rows)
        answers.loc[answers["stimulus"].isin(wrong) & (answers["step"] == 1), "answer"] = "c9"
        (tmp_path / name).mkdir()
        write_parquet(answers, tmp_path / name / "answers.parquet")

    write("r0", range(8), 2, ["im0", "im1"])
    write("r1", range(4, 12), 2, ["im11"])
    write("b0", range(8), 1, ["im1", "im3", "im5"])
    write("b1", range(4, 12), 1, [])
    write("elsewhere", range(1, 9), 1, [])
    return tmp_path


def written(folder, compared, **options):
    given = {"apart": ["object"], "split_by": "occlusion", "n_bootstrap": 20, "seed": 0} | options
    trainings = [folder / name for names in compared.values() for name in names]
    recurrence(trainings, folder / "set.zarr", folder / "table.csv", list(compared.items()), **given)
    return read_csv(folder / "table.csv", "other", "level").fillna({"other": "", "level": ""})


def test_networks_of_a_kind_are_pooled(trained):
    table = written(trained, {"R": ["r0", "r1"], "B": ["b0", "b1"]})
    assert row(table, network="R", step=1, other="", level="")["value"] == 13 / 16
    assert row(table, network="R", step=2, other="", level="0.5")["value"] == 1
    assert row(table, network="B", step=1, other="", level="0.5")["value"] == 5 / 8
    found = row(table, network="R", other="B", level="0.5 less 0")
    assert (found["value"], found["n_apart"]) == (3 / 8, pytest.approx(np.nan, nan_ok=True))
    # Three objects: o0 and o1 of the first part, o1 and o2 of the second.
    assert row(table, network="R", step=1, other="", level="")["n_apart"] == 3
    assert set(table.loc[table["other"] == "", "chance"]) == {0.5}
    assert written(trained, {"R": ["r0"]}, split_by=None)["level"].unique().tolist() == [""]


def test_what_cannot_be_compared_is_refused(trained):
    with pytest.raises(InputError, match=r"recurrence\.networks\.B: these networks were tested on other stimuli"):
        written(trained, {"R": ["r0"], "B": ["elsewhere"]})
    with pytest.raises(InputError, match=r"recurrence\.property: column 'x' has 24 values; name a column with 12"):
        written(trained, {"R": ["r0"]}, split_by="x")


def test_the_figure_shows_the_table(trained, tmp_path):
    written(trained, {"R": ["r0", "r1"], "B": ["b0", "b1"]})
    made = []
    for name in ("one", "two"):
        paths = [tmp_path / f"{name}.{kind}" for kind in ("svg", "pdf", "csv")]
        recurrence_figure(trained / "table.csv", *paths, split_by="occlusion")
        made.append([path.read_bytes() for path in paths])
    assert made[0] == made[1]
    table = read_csv(tmp_path / "one.csv", "other", "level").fillna({"other": "", "level": ""})
    steps, levels, differences = draw_recurrence(table, "occlusion").axes
    np.testing.assert_allclose(steps.lines[0].get_ydata(), [13 / 16, 1])
    # The network with one step is a line across the panel.
    np.testing.assert_allclose(steps.lines[1].get_ydata(), [13 / 16, 13 / 16])
    assert levels.get_xlabel() == differences.get_xlabel() == "occlusion"
    np.testing.assert_allclose(levels.lines[1].get_ydata(), [1, 5 / 8])
    assert [text.get_text() for text in differences.get_xticklabels()] == ["0", "0.5", "0.5\nless 0"]
    assert len(draw_recurrence(table[table["level"] == ""], None).axes) == 1
    # A network with one step has nothing to be compared with.
    assert len(draw_recurrence(written(trained, {"B": ["b0"]}), "occlusion").axes) == 2


def changed(folder, change) -> dict:
    config = deepcopy(rich_config.rich(folder))
    change(config)
    return config


WRONG = [
    (
        lambda c: c["recurrence"]["networks"].update(one=["apart3"]),
        r"networks\.one: no network called 'apart3' .*apart",
    ),
    (lambda c: c["recurrence"]["networks"].update(one=["conv1"]), r"networks\.one: conv1 is tested on nothing apart"),
    (
        lambda c: c["models"]["apart1"]["train"].update(label=["category", "object"]),
        r"networks\.one: apart1 learns several labels",
    ),
    (
        lambda c: c["recurrence"]["networks"].update(two=["apart2", "apart1"]),
        r"networks\.two: 2 networks, and 1 of one; name equally many",
    ),
    (lambda c: c["models"]["apart2"]["train"].update(validation=0.4), r"networks\.two: .*`train.validation` differs"),
    (lambda c: c["models"]["apart2"].update(seed=1), r"networks\.two: .* since their `seed` differs"),
    (
        lambda c: c["recurrence"].update(property="varied"),
        r"no column 'varied'; allowed: .*variation",
    ),
    (lambda c: c["recurrence"].update(property="size"), r"recurrence\.property: column 'size' has \d+ values"),
]


@pytest.mark.parametrize(("change", "message"), WRONG)
def test_a_wrong_comparison_is_told_before_any_job(tmp_path, monkeypatch, change, message):
    monkeypatch.chdir(tmp_path)
    config = changed(rich_config.written(tmp_path), change)
    with pytest.raises(InputError, match=message):
        check_inputs(resolve(config))


def test_the_methods_say_what_was_compared():
    compared = [["BLT", ["r0", "r1"]], ["B", ["b0", "b1"]]]
    settings = {"recurrence": {"compared": compared, "apart": ["object"], "split_by": "occlusion"}, "bootstrap": 1000}
    text = " ".join(_describe_recurrence(settings))
    assert "BLT (r0 and r1) and B (b0 and b1)" in text
    assert "at each level of occlusion" in text
    assert "1,000 bootstrap samples of the values of object" in text
