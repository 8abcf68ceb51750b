"""Resampled medians against drawing stimuli and neurons one by one."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import pearsonr

from ventral.errors import InputError
from ventral.scores.table import correlation_in_folds
from ventral.statistics.bootstrap import (
    RESAMPLED,
    bootstrap_rows,
    draw,
    intervals,
    read_bootstraps,
    resampled_correlations,
    resampled_medians,
    write_bootstraps,
)
from ventral.targets.values import Targets, grouped_by_missing, together

N, SHA256 = 40, "3f" * 32
AREAS = np.array(["V4"] * 5 + ["IT"] * 5)
FOLDS = np.array_split(np.random.default_rng(0).permutation(N), 3)


def sample(seed, missing=0.0):
    rng = np.random.default_rng(seed)
    values = rng.normal(5, 1, size=(N, len(AREAS)))
    predictions = 0.5 * values + rng.normal(size=values.shape)
    values[rng.random(values.shape) < missing] = np.nan
    return predictions, values


def of_areas(areas):
    n = len(areas)
    names = np.array([f"n{k}" for k in range(n)])
    return Targets(np.zeros((N, n)), np.full(n, "neuron"), names, areas, np.full(n, np.nan))


def by_loops(predictions, values, folds, ceilings, resamples, place):
    """The definition, one resample, neuron and fold at a time."""
    medians = []
    for stimuli, drawn in zip(resamples.stimuli, resamples.neuroids[place], strict=True):
        scores = []
        for neuroid in drawn:
            correlations = []
            for fold in folds:
                rows = np.repeat(fold, stimuli[fold])
                rows = rows[np.isfinite(values[rows, neuroid])]
                if len(set(rows)) > 1:
                    correlations.append(pearsonr(predictions[rows, neuroid], values[rows, neuroid]).statistic)
            scores.append(np.mean(correlations) / ceilings[neuroid])
        half = len(scores) // 2
        medians.append([np.nanmedian(part) for part in (scores, scores[:half], scores[half:])])
    return np.array(medians).T


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_medians_are_those_of_stimuli_and_neurons_drawn_one_by_one(missing):
    predictions, values = sample(1, missing)
    ceilings = np.random.default_rng(2).uniform(0.5, 1, len(AREAS))
    resamples = draw(of_areas(AREAS), FOLDS, SHA256, 12, seed=3)
    found = resampled_medians(predictions, values, FOLDS, ceilings, resamples)
    assert set(found) == {("V4", ""), ("IT", "")}
    for place, medians in found.items():
        expected = by_loops(predictions, values, FOLDS, ceilings, resamples, place)
        np.testing.assert_allclose(medians, expected, rtol=1e-9)


def test_the_first_resample_is_the_sample():
    predictions, values = sample(4)
    r = correlation_in_folds(predictions, values, FOLDS)
    ceilings = np.full(len(AREAS), 0.9)
    found = resampled_medians(predictions, values, FOLDS, ceilings, draw(of_areas(AREAS), FOLDS, SHA256, 5, seed=0))
    for (area, _), medians in found.items():
        assert medians[0, 0] == pytest.approx(np.median(r[area == AREAS] / 0.9), rel=1e-12)


def test_blocks_change_nothing(monkeypatch):
    predictions, values = sample(5, 0.1)
    resamples = draw(of_areas(AREAS), FOLDS, SHA256, 30, seed=0)
    whole = resampled_medians(predictions, values, FOLDS, np.ones(len(AREAS)), resamples)
    monkeypatch.setattr("ventral.statistics.bootstrap.VALUES_AT_ONCE", 90)
    blocks = resampled_medians(predictions, values, FOLDS, np.ones(len(AREAS)), resamples)
    for area in whole:
        np.testing.assert_allclose(blocks[area], whole[area], rtol=1e-9)


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
    weights = draw(of_areas(np.array(["V4"])), folds, SHA256, 500, seed=0).stimuli
    spread = resampled_correlations(x, y, folds, weights)[1:].std(axis=0)
    # Of large samples, the standard error of r is (1 - r^2) / sqrt(n).
    assert spread.mean() == pytest.approx((1 - 0.36) / np.sqrt(400), rel=0.1)


def test_what_has_no_correlation_is_left_out():
    predictions, values = sample(6)
    predictions[FOLDS[1], 0] = 2.0  # constant in one fold
    values[:, 1] = np.nan
    predictions[:, 5:] = 0.1  # all of IT
    ceilings = np.ones(len(AREAS))
    ceilings[2] = np.nan
    found = resampled_medians(predictions, values, FOLDS, ceilings, draw(of_areas(AREAS), FOLDS, SHA256, 20, seed=0))
    r = correlation_in_folds(predictions, values, FOLDS)
    assert found["V4", ""][0, 0] == pytest.approx(np.median(r[3:5]))
    assert np.isnan(found["IT", ""]).all()


def test_a_fold_without_any_stimulus_of_a_neuron_is_not_its_fold():
    predictions, values = sample(7)
    values[FOLDS[0]] = np.nan
    weights = np.ones((1, N))
    expected = correlation_in_folds(predictions, values, FOLDS[1:])
    np.testing.assert_allclose(resampled_correlations(predictions, values, FOLDS, weights)[0], expected)


def test_a_resample_of_one_stimulus_says_nothing_of_its_fold():
    predictions, values = sample(8)
    weights = np.ones((1, N))
    weights[0, FOLDS[2]] = 0
    weights[0, FOLDS[2][0]] = len(FOLDS[2])
    expected = correlation_in_folds(predictions, values, FOLDS[:2])
    np.testing.assert_allclose(resampled_correlations(predictions, values, FOLDS, weights)[0], expected)


def neurons(values, reliability):
    n = values.shape[1]
    names = np.array([f"n{k}" for k in range(n)])
    return Targets(values, np.full(n, "neuron"), names, AREAS[:n], np.asarray(reliability, float))


def test_rows_are_of_reliable_neurons_wherever_their_stimuli_were_missing():
    predictions, values = sample(9)
    values[FOLDS[0][:3], 1] = np.nan
    reliability = [0.9, 0.8, 0.05, 0.7, 0.6, *[np.nan] * 5]
    recorded = neurons(values, reliability)
    properties = Targets(values[:, :1], np.array(["property"]), np.array(["n3"]), np.array([""]), np.array([np.nan]))
    resamples = draw(of_areas(AREAS), FOLDS, SHA256, 30, seed=0)
    parts = [
        (np.column_stack([predictions[rows, :1], predicted]), together(properties_of(properties, rows), group), rows)
        for group, rows, _ in grouped_by_missing(recorded, FOLDS)
        for predicted in [predictions[np.ix_(rows, [int(name[1:]) for name in group.names])]]
    ]
    table = bootstrap_rows(parts, recorded, FOLDS, "stimuli", "ridge", 0.1, resamples).set_index("area")
    known = np.isfinite(values[:, 1])
    r = correlation_in_folds(predictions[:, [0, 3, 4]], values[:, [0, 3, 4]], FOLDS)
    r1 = correlation_in_folds(
        predictions[known, 1:2], values[known, 1:2], [np.flatnonzero(np.isin(np.flatnonzero(known), f)) for f in FOLDS]
    )
    expected = np.median(np.append(r, r1) / np.sqrt([0.9, 0.7, 0.6, 0.8]))
    assert table.loc["V4", "median"] == pytest.approx(expected)
    assert table.loc["V4", "n_neuroids"] == 4
    # IT was recorded without repetitions: its r has no ceiling.
    assert table.loc["IT", "median"] == pytest.approx(np.median(correlation_in_folds(predictions, values, FOLDS)[5:]))
    np.testing.assert_allclose(
        table.loc["IT", "medians"],
        resampled_medians(predictions, values, FOLDS, np.ones(10), resamples)["IT", ""][0, 1:],
        rtol=1e-6,
    )


def properties_of(properties, rows):
    return Targets(
        properties.values[rows], *(getattr(properties, n) for n in ("kinds", "names", "areas", "reliability"))
    )


def test_tables_are_read_as_they_were_written_also_without_rows(tmp_path):
    predictions, values = sample(10)
    recorded = neurons(values, np.full(10, 0.5))
    parts = [(predictions, recorded, np.arange(N))]
    table = bootstrap_rows(
        parts, recorded, FOLDS, "stimuli", "ridge", 0.1, draw(of_areas(AREAS), FOLDS, SHA256, 30, seed=0)
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
    with pytest.raises(InputError, match=r"a.parquet: no such file"):
        read_bootstraps([tmp_path / "a.parquet"])
    pd.DataFrame({"model": ["x"]}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(InputError, match="no table of resampled medians: it lacks the columns family"):
        read_bootstraps([tmp_path / "a.parquet"])
    row = dict.fromkeys(["model", "family", "recording", "layer", "area", "time_bin", "split", "mapping"], "x")
    row |= {"depth": 0.0, "n_neuroids": 1, "median": 0.0}
    for n in (3, 4):
        lists = {name: [np.zeros(n, "f4")] for name in RESAMPLED}
        write_bootstraps(pd.DataFrame({**{key: [value] for key, value in row.items()}, **lists}), tmp_path / f"{n}")
    with pytest.raises(InputError, match="resampled 3, 4 times"):
        read_bootstraps([tmp_path / "3", tmp_path / "4"])


@pytest.mark.parametrize(("shared", "lowest", "highest"), [(True, 0.8, 1.3), (False, 1.2, 2.0)])
def test_a_difference_varies_over_resamples_as_it_does_over_experiments(shared, lowest, highest):
    rng = np.random.default_rng(0)
    n, n_neurons = 80, 20
    areas, folds = np.full(n_neurons, "V4"), np.array_split(np.arange(n), 4)
    differences, spreads = [], []
    for experiment in range(60):
        resamples = draw(of_areas(areas), folds, f"{experiment:016x}", 60, seed=0)
        signal = rng.normal(size=(n, 1 if shared else n_neurons))
        values = signal + 0.3 * rng.normal(size=(n, n_neurons))
        # Two models that are equally good; what they miss is the same for all neurons, or each neuron's own.
        medians = [
            resampled_medians(
                signal + rng.normal(size=signal.shape) + 0 * values, values, folds, np.ones(20), resamples
            )
            for _ in range(2)
        ]
        difference = medians[0]["V4", ""][0] - medians[1]["V4", ""][0]
        differences.append(difference[0])
        spreads.append(difference[1:].std())
    assert lowest < np.mean(spreads) / np.std(differences) < highest
