"""Resampled medians against drawing stimuli and neurons one by one."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ventral.errors import InputError
from ventral.mappings.correlation import pooled_r, resampled_sums, sums_within_folds
from ventral.statistics.bootstrap import (
    RESAMPLED,
    Predictions,
    bootstrap_rows,
    draw,
    intervals,
    read_bootstraps,
    resampled_medians,
    write_bootstraps,
)
from ventral.targets.splits import Split
from ventral.targets.values import Targets, grouped_by_missing, together

N, SHA256 = 40, "3f" * 32
AREAS = np.array(["V4"] * 5 + ["IT"] * 5)
ALL_CHOSEN = np.zeros(len(AREAS), dtype=bool)
FOLDS = np.array_split(np.random.default_rng(0).permutation(N), 3)


def sample(seed, missing=0.0):
    rng = np.random.default_rng(seed)
    values = rng.normal(5, 1, size=(N, len(AREAS)))
    predictions = 0.5 * values + rng.normal(size=values.shape)
    values[rng.random(values.shape) < missing] = np.nan
    return predictions, values


def of_areas(areas, n_stimuli=N):
    n = len(areas)
    names = np.array([f"n{k}" for k in range(n)])
    return Targets(np.zeros((n_stimuli, n)), np.full(n, "neuron"), names, areas, np.full(n, np.nan))


def r_of(x, y, folds):
    """r of deviations from the means of folds, stimulus by stimulus; a fold that lacks any stimuli says nothing."""
    folds = [fold[np.isfinite(y[fold])] for fold in folds]
    a, b = (np.concatenate([v[fold] - v[fold].mean() for fold in folds if len(fold)]) for v in (x, y))
    return (a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum())


def by_loops(predictions, values, folds, divisors, resamples, place):
    """The definition, one resample, neuron and half of the folds at a time."""
    medians = []
    for stimuli, drawn in zip(resamples.stimuli, resamples.neuroids[place], strict=True):
        resampled = [np.repeat(fold, stimuli[fold]) for fold in folds]
        scores = np.array(
            [
                [r_of(predictions[:, k], values[:, k], resampled[first::2]) / divisors[first, k] for k in drawn]
                for first in (0, 1)
            ]
        )
        half = scores.shape[1] // 2
        parts = (scores, scores[:, :half], scores[:, half:])
        medians.append([np.nanmedian(part, axis=1).mean() for part in parts])
    return np.array(medians).T


def whole(predictions, values, folds=FOLDS):
    """Groups of the neurons that have the same stimuli."""
    return [
        Predictions(predictions[np.ix_(rows, columns)], group.values, rows, among.folds, columns)
        for group, rows, among in grouped_by_missing(neurons(values), Split("stimuli", folds))
        for columns in [np.array([int(name[1:]) for name in group.names])]
    ]


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_medians_are_those_of_stimuli_and_neurons_drawn_one_by_one(missing):
    predictions, values = sample(1, missing)
    divisors = np.random.default_rng(2).uniform(0.5, 1, (2, len(AREAS)))
    resamples = draw(of_areas(AREAS), FOLDS, SHA256, 12, seed=3)
    found = resampled_medians(whole(predictions, values), divisors, ALL_CHOSEN, resamples)
    assert set(found) == {("V4", ""), ("IT", "")}
    for place, medians in found.items():
        expected = by_loops(predictions, values, FOLDS, divisors, resamples, place)
        np.testing.assert_allclose(medians, expected, rtol=1e-9)


def test_the_first_resample_is_the_sample():
    predictions, values = sample(4)
    r = pooled_r(sums_within_folds(predictions, values, FOLDS))
    resamples = draw(of_areas(AREAS), FOLDS, SHA256, 5, seed=0)
    found = resampled_medians(whole(predictions, values), np.ones((2, 10)), ~ALL_CHOSEN, resamples)
    for (area, _), medians in found.items():
        assert medians[0, 0] == pytest.approx(np.median(r[area == AREAS]), rel=1e-12)


@pytest.mark.filterwarnings("error")
def test_a_neuron_of_no_positive_reliability_counts_as_beyond_all_others():
    predictions, values = sample(4)
    divisors = np.full((2, 10), 0.9)
    divisors[:, 0] = 0
    resamples = draw(of_areas(AREAS), FOLDS, SHA256, 5, seed=0)
    found = resampled_medians(whole(predictions, values), divisors, ALL_CHOSEN, resamples)
    r = [pooled_r(sums_within_folds(predictions, values, FOLDS[first::2])) / 0.9 for first in (0, 1)]
    assert found["V4", ""][0, 0] == pytest.approx(np.mean([np.median([np.inf, *one[1:5]]) for one in r]))
    divisors[:, :4] = 0
    found = resampled_medians(whole(predictions, values), divisors, ALL_CHOSEN, resamples)
    assert np.isnan(found["V4", ""][0, 0])
    assert np.isfinite(found["IT", ""][0]).all()


def test_blocks_change_nothing(monkeypatch):
    predictions, values = sample(5, 0.1)
    resamples = draw(of_areas(AREAS), FOLDS, SHA256, 30, seed=0)
    arguments = whole(predictions, values), np.ones((2, len(AREAS))), ALL_CHOSEN, resamples
    at_once = resampled_medians(*arguments)
    monkeypatch.setattr("ventral.statistics.bootstrap.VALUES_AT_ONCE", 90)
    blocks = resampled_medians(*arguments)
    for area in at_once:
        np.testing.assert_allclose(blocks[area], at_once[area], rtol=1e-9)


@given(seed=st.integers(0, 99), n=st.integers(1, 9))
def test_what_is_drawn(seed, n):
    areas = np.array(["V4"] * n + ["IT"])
    resamples = draw(of_areas(areas), FOLDS, SHA256, 20, seed)
    assert (resamples.stimuli[0] == 1).all()
    for fold in FOLDS:
        assert (resamples.stimuli[:, fold].sum(axis=1) == len(fold)).all()
    drawn = resamples.neuroids["V4", ""]
    assert drawn.shape == (21, n)
    assert list(drawn[0]) == list(range(n))
    assert set(drawn.ravel()) <= set(range(n))
    for row in drawn[1:]:
        assert not set(row[: n // 2]) & set(row[n // 2 :])
    assert (resamples.neuroids["IT", ""] == n).all()


def test_what_is_drawn_depends_on_the_recording_and_the_seed_alone():
    first, again = (draw(of_areas(AREAS), FOLDS, SHA256, 50, seed=1) for _ in range(2))
    assert (first.stimuli == again.stimuli).all()
    assert (first.neuroids["IT", ""] == again.neuroids["IT", ""]).all()
    fewer = draw(of_areas(AREAS[AREAS != "V4"]), FOLDS, SHA256, 50, seed=1)
    assert (fewer.neuroids["IT", ""] == first.neuroids["IT", ""] - 5).all()
    for other in (
        draw(of_areas(AREAS), FOLDS, SHA256, 50, seed=2),
        draw(of_areas(AREAS), FOLDS, "4f" * 32, 50, seed=1),
    ):
        assert (other.stimuli != first.stimuli).any()


def test_every_neuron_and_stimulus_is_drawn_equally_often():
    resamples = draw(of_areas(AREAS), FOLDS, SHA256, 4000, seed=0)
    assert np.abs(resamples.stimuli[1:].mean(axis=0) - 1).max() < 0.08
    # A count drawn from a fold of m stimuli has variance 1 - 1 / m.
    assert np.abs(resamples.stimuli[1:].var(axis=0) - (1 - 1 / (N / 3))).max() < 0.15
    counts = np.stack([(resamples.neuroids["V4", ""][1:] == k).sum(axis=1) for k in range(5)])
    assert np.abs(counts.mean(axis=1) - 1).max() < 0.06


def test_the_interval_of_a_correlation_is_about_that_of_its_sampling_distribution():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 60))
    y = 0.6 * x + 0.8 * rng.normal(size=x.shape)
    folds = np.array_split(rng.permutation(400), 4)
    weights = draw(of_areas(np.array(["V4"]), 400), folds, SHA256, 500, seed=0).stimuli
    spread = resampled_sums(x, y, folds, weights).r[1:].std(axis=0)
    # Of large samples, the standard error of r is (1 - r^2) / sqrt(n).
    assert spread.mean() == pytest.approx((1 - 0.36) / np.sqrt(400), rel=0.1)


def test_what_has_no_correlation_is_left_out():
    predictions, values = sample(6)
    predictions[FOLDS[1], 0] = 2.0  # constant in one fold, and so in the odd ones
    values[:, 1] = np.nan
    predictions[:, 5:] = 0.1  # all of IT
    divisors = np.ones((2, len(AREAS)))
    divisors[:, 2] = np.nan
    resamples = draw(of_areas(AREAS), FOLDS, SHA256, 20, seed=0)
    found = resampled_medians(whole(predictions, values), divisors, ALL_CHOSEN, resamples)
    even, odd = (pooled_r(sums_within_folds(predictions, values, FOLDS[first::2])) for first in (0, 1))
    assert found["V4", ""][0, 0] == pytest.approx((np.median(even[[0, 3, 4]]) + np.median(odd[[3, 4]])) / 2)
    assert np.isnan(found["IT", ""]).all()


def neurons(values):
    n = values.shape[1]
    names = np.array([f"n{k}" for k in range(n)])
    return Targets(values, np.full(n, "neuron"), names, AREAS[:n], np.full(n, np.nan))


def ceilings(even, odd):
    """The ceilings of neurons n0, n1, ... of the untimed split `stimuli`."""
    places = [("stimuli", f"n{k}", "") for k in range(len(even))]
    return pd.DataFrame(
        {
            "reliability": np.add(even, odd) / 2,
            "reliability_even": even,
            "reliability_odd": odd,
            "given_ceiling": np.nan,
        },
        index=pd.MultiIndex.from_tuples(places, names=["split", "target", "time_bin"]),
    )


def test_rows_are_of_neurons_that_were_chosen_on_other_folds_wherever_their_stimuli_were_missing():
    predictions, values = sample(9)
    values[FOLDS[0][:3], 1] = np.nan
    even, odd = [0.9, 0.8, 0.05, 0.7, 0.6, *[np.nan] * 5], [0.8, 0.7, 0.05, 0.05, 0.5, *[np.nan] * 5]
    recorded = neurons(values)
    properties = Targets(values[:, :1], np.array(["property"]), np.array(["n3"]), np.array([""]), np.array([np.nan]))
    resamples = draw(of_areas(AREAS), FOLDS, SHA256, 30, seed=0)
    parts = [
        (
            np.column_stack([predictions[rows, :1], predicted]),
            together(properties.taken(np.arange(1), rows), group),
            rows,
            among.folds,
        )
        for group, rows, among in grouped_by_missing(recorded, Split("stimuli", FOLDS))
        for predicted in [predictions[np.ix_(rows, [int(name[1:]) for name in group.names])]]
    ]
    arguments = parts, recorded, ceilings(even, odd), "stimuli", "ridge", 0.1, resamples
    table = bootstrap_rows(*arguments).set_index("area")
    r = [[r_of(predictions[:, k], values[:, k], FOLDS[first::2]) for k in range(5)] for first in (0, 1)]
    # Scored on even folds those that odd ones chose, and the other way.
    of_even = np.median([r[0][k] / np.sqrt(even[k]) for k in (0, 1, 4)])
    of_odd = np.median([r[1][k] / np.sqrt(odd[k]) for k in (0, 1, 3, 4)])
    assert table.loc["V4", "median"] == pytest.approx((of_even + of_odd) / 2)
    assert table.loc["V4", "n_neuroids"] == 4
    # IT was recorded without repetitions: its r is raw, of neurons whose given ceiling suffices.
    of_it = [r_of(predictions[:, k], values[:, k], FOLDS) for k in range(5, 10)]
    assert table.loc["IT", "median"] == pytest.approx(np.median(of_it))
    np.testing.assert_allclose(
        table.loc["IT", "medians"],
        resampled_medians(whole(predictions, values), np.ones((2, 10)), ~ALL_CHOSEN, resamples)["IT", ""][0, 1:],
        rtol=1e-6,
    )
    given = ceilings(even, odd).assign(given_ceiling=[*[np.nan] * 5, 0.3, 0.3, 0.4, 0.4, np.nan])
    table = bootstrap_rows(parts, recorded, given, *arguments[3:]).set_index("area")
    assert table.loc["IT", "median"] == pytest.approx(np.median(of_it[2:]))
    assert table.loc["IT", "n_neuroids"] == 3
    assert table.loc["V4", "n_neuroids"] == 4


def test_tables_are_read_as_they_were_written_also_without_rows(tmp_path):
    predictions, values = sample(10)
    recorded = neurons(values)
    parts = [(predictions, recorded, np.arange(N), FOLDS)]
    resamples = draw(of_areas(AREAS), FOLDS, SHA256, 30, seed=0)
    table = bootstrap_rows(
        parts, recorded, ceilings(np.full(10, 0.5), np.full(10, 0.5)), "stimuli", "ridge", 0.1, resamples
    )
    table = table.assign(model="net", family="trained", recording="rec", layer="x", depth=0.5)
    write_bootstraps(table, tmp_path / "some.parquet")
    write_bootstraps(table.iloc[:0], tmp_path / "none.parquet")
    found = read_bootstraps([tmp_path / "none.parquet", tmp_path / "some.parquet"])
    assert found["area"].tolist() == ["IT", "V4"]
    np.testing.assert_array_equal(np.stack(found["medians"]), np.stack(table.sort_values("area")["medians"]))
    interval = intervals(found)
    np.testing.assert_allclose(interval["both_low"], [np.percentile(row, 2.5) for row in found["medians"]])
    empty = read_bootstraps([tmp_path / "none.parquet"])
    assert empty.empty
    assert intervals(empty).empty


def test_tables_that_do_not_belong_together_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"a.parquet: the file is missing"):
        read_bootstraps([tmp_path / "a.parquet"])
    pd.DataFrame({"model": ["x"]}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(InputError, match="not a table of resampled medians: the columns family"):
        read_bootstraps([tmp_path / "a.parquet"])
    row = dict.fromkeys(["model", "family", "recording", "layer", "area", "time_bin", "split", "mapping"], "x")
    row |= {"depth": 0.0, "n_neuroids": 1, "median": 0.0}
    for n in (3, 4):
        lists = {name: [np.zeros(n, "f4")] for name in RESAMPLED}
        write_bootstraps(pd.DataFrame({**{key: [value] for key, value in row.items()}, **lists}), tmp_path / f"{n}")
    with pytest.raises(InputError, match="numbers of resamples differ: 3, 4"):
        read_bootstraps([tmp_path / "3", tmp_path / "4"])


@pytest.mark.parametrize(("shared", "lowest", "highest"), [(True, 0.8, 1.3), (False, 1.2, 2.0)])
def test_a_difference_varies_over_resamples_as_it_does_over_experiments(shared, lowest, highest):
    rng = np.random.default_rng(0)
    n, n_neurons = 80, 20
    areas, folds = np.full(n_neurons, "V4"), np.array_split(np.arange(n), 4)
    differences, spreads = [], []
    for experiment in range(60):
        resamples = draw(of_areas(areas, n), folds, f"{experiment:016x}", 60, seed=0)
        signal = rng.normal(size=(n, 1 if shared else n_neurons))
        values = signal + 0.3 * rng.normal(size=(n, n_neurons))
        # Two models that are equally good; what they miss is the same for all neurons, or each neuron's own.
        medians = [
            resampled_medians([part], np.ones((2, 20)), np.ones(20, dtype=bool), resamples)
            for _ in range(2)
            for predicted in [signal + rng.normal(size=signal.shape) + 0 * values]
            for part in [Predictions(predicted, values, np.arange(n), folds, np.arange(n_neurons))]
        ]
        difference = medians[0]["V4", ""][0] - medians[1]["V4", ""][0]
        differences.append(difference[0])
        spreads.append(difference[1:].std())
    assert lowest < np.mean(spreads) / np.std(differences) < highest
