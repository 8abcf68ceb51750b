"""Scores of neurons made of known features, on splits by any column, as published, and at random."""

import logging
import tracemalloc
from itertools import combinations

import dask
import numpy as np
import pandas as pd
import pytest
import xarray as xr
import zarr
from dask.delayed import delayed
from scipy.stats import pearsonr
from sklearn.linear_model import LinearRegression, Ridge, RidgeCV

from tests.unit.test_scores import reliability_of, write_layer
from ventral.grams.representations import Representation
from ventral.scores.best_of_draws import chosen_on_halves
from ventral.scores.fitting import fit
from ventral.scores.prediction import Options, predict
from ventral.statistics.best_layers import best_layers_of
from ventral.statistics.bootstrap import read_bootstraps
from ventral.statistics.influence_table import read_influences
from ventral.store import read_dataset, write_dataset
from ventral.targets.splits import make_splits
from ventral.targets.values import Targets

N, NEURONS, REPETITIONS = 120, 6, 4
PENALTIES = [1e-3, 1e-1, 10.0]
PUBLISHED, VALIDATED, RANDOM = (
    {"name": "published", "partition": "set"},
    {"name": "validated", "partition": "three"},
    {"name": "random", "random": 5, "train": 83},
)
SPLITS = [
    {"name": "movie", "column": "movie"},
    {"name": "movies", "column": "movie", "folds": 4},
    PUBLISHED,
    VALIDATED,
    RANDOM,
]
SET = np.where(np.arange(N) % 3 == 1, "test", "train")
THREE = np.where((SET == "train") & (np.arange(N) % 4 == 0), "validation", SET)


@pytest.fixture(scope="module")
def experiment(tmp_path_factory):
    """Neurons that are 20 features and noise; training stimuli shown once, test stimuli four times; another layer."""
    folder, rng = tmp_path_factory.mktemp("splits"), np.random.default_rng(0)
    columns = {
        "movie": ("stimulus", np.repeat(np.arange(12.0), 10)),
        "set": ("stimulus", SET),
        "three": ("stimulus", THREE),
        "size": ("stimulus", rng.uniform(1, 2, N)),
        "object": ("stimulus", np.tile(["a", "b", "c"], N // 3)),
    }
    names = [f"image{k}" for k in range(N)]
    stimuli = xr.Dataset(coords={"stimulus": names, **columns}, attrs={"name": "shown", "sha256": "a" * 64})
    write_dataset(stimuli, folder / "stimuli.zarr")
    features = {"true": rng.normal(size=(N, 20)), "other": rng.normal(size=(N, 150))}
    signal = features["true"] @ rng.normal(size=(20, NEURONS)) / np.sqrt(20)
    responses = signal + 0.3 * rng.normal(size=(REPETITIONS, N, NEURONS))
    responses[1:, SET == "train"] = np.nan
    recording = xr.Dataset(
        {
            "responses": (("repetition", "stimulus", "neuroid"), responses),
            "reliability": ("neuroid", np.full(NEURONS, 0.9)),
            "left_out": ("neuroid", np.full(NEURONS, "")),
        },
        coords={
            "stimulus": names,
            "neuroid": [f"n{k}" for k in range(NEURONS)],
            "area": ("neuroid", ["V4"] * NEURONS),
        },
        attrs={"recording": "rec", "stimuli": "shown", "stimuli_sha256": "a" * 64, "has_repetitions": True},
    )
    write_dataset(recording, folder / "recording.zarr")
    layers = [
        {"name": name, "depth": depth, "shape": [values.shape[1]], "n_features": values.shape[1]}
        for (name, values), depth in zip(features.items(), (0.5, 1.0), strict=True)
    ]
    group = zarr.open_group(folder / "gram.zarr", mode="w")
    group.attrs.update(model="net", family="pretrained", stimuli="shown", stimuli_sha256="a" * 64, layers=layers)
    for name, values in features.items():
        write_layer(group, name, values)
    return {"folder": folder, "features": features, "responses": responses}


def score(folder, output, recording="recording.zarr", **changes):
    arguments = {"splits": SPLITS, "n_folds": 5, "seed": 1, "n_bootstrap": 100, "penalties": PENALTIES} | changes
    fit(folder / "gram.zarr", folder / recording, folder / "stimuli.zarr", output, **arguments)
    return pd.read_parquet(output)


@pytest.fixture(scope="module")
def table(experiment):
    folder = experiment["folder"]
    return score(
        folder,
        folder / "scores.parquet",
        mappings=["ridge", "pls", "ols", "one_to_one", "soft_matching"],
        bootstraps=folder / "bootstraps.parquet",
        influences=folder / "influences.parquet",
        prediction_reliability=True,
    )


def made(spec):
    columns = {"movie": np.repeat(np.arange(12.0), 10), "set": SET, "three": THREE}
    return make_splits([spec], columns, N, 5, 1, "s")[spec["name"]]


def refitted(features, values, training, test, inner):
    """Predictions of the test stimuli, and the penalty, by scikit-learn."""
    scale = np.square(features - features.mean(axis=0)).sum() / len(features)
    errors = []
    for penalty in np.multiply(PENALTIES, scale):
        squares = 0.0
        for held in inner:
            kept = np.setdiff1d(training, held)
            predicted = Ridge(alpha=penalty).fit(features[kept], values[kept]).predict(features[held])
            squares += np.square(values[held] - predicted).sum()
        errors.append(squares)
    penalty = PENALTIES[int(np.argmin(errors))] * scale
    return Ridge(alpha=penalty).fit(features[training], values[training]).predict(features[test]), penalty


def rows_of(table, split, layer, mapping="ridge", kind="neuron"):
    rows = table[(table["split"] == split) & (table["layer"] == layer) & (table["mapping"] == mapping)]
    return rows[rows["target_kind"] == kind].set_index("target")


@pytest.mark.parametrize("split", [spec["name"] for spec in SPLITS])
def test_the_layer_that_neurons_are_made_of_predicts_them_on_every_split(table, split):
    true, other = (rows_of(table, split, layer) for layer in ("true", "other"))
    assert len(true) == len(other) == NEURONS
    assert true["predictivity"].median() > 0.9
    assert abs(other["r"].median()) < 0.25
    assert true["reliability"].between(0.8, 1).all()


@pytest.mark.parametrize("layer", ["true", "other"])
@pytest.mark.parametrize("spec", [PUBLISHED, VALIDATED], ids=["folds", "validation"])
def test_a_published_split_is_one_fit_on_its_training_set(experiment, table, spec, layer):
    rows, means = rows_of(table, spec["name"], layer), np.nanmean(experiment["responses"], axis=0)
    split = made(spec)
    ((training, test),), (inner,) = split.fits, split.inner
    for k in range(NEURONS):
        predicted, penalty = refitted(experiment["features"][layer], means[:, k], training, test, inner)
        row = rows.loc[f"n{k}"]
        assert row["r"] == pytest.approx(pearsonr(predicted, means[test, k]).statistic)
        assert row["r_even"] == pytest.approx(pearsonr(predicted[::2], means[test[::2], k]).statistic)
        assert row["r_odd"] == pytest.approx(pearsonr(predicted[1::2], means[test[1::2], k]).statistic)
        assert row["r_folds"] == pytest.approx(row["r"])
        assert row["alpha"] == pytest.approx(penalty)
        assert (row["n_stimuli"], row["n_folds"]) == (len(test), 1)
        of_neuron = experiment["responses"][:, :, k]
        assert row["reliability"] == pytest.approx(reliability_of(of_neuron, [test]))
        assert row["reliability_even"] == pytest.approx(reliability_of(of_neuron, [test[::2]]))
        assert row["reliability_odd"] == pytest.approx(reliability_of(of_neuron, [test[1::2]]))


@pytest.mark.parametrize("layer", ["true", "other"])
def test_random_training_and_test_sets_give_the_median_over_draws(experiment, table, layer):
    rows, means = rows_of(table, "random", layer), np.nanmean(experiment["responses"], axis=0)
    split = made(RANDOM)
    assert [len(training) for training, _ in split.fits] == [83] * 5
    for k in range(NEURONS):
        found = [
            (refitted(experiment["features"][layer], means[:, k], *of_fit, inner), of_fit[1])
            for of_fit, inner in zip(split.fits, split.inner, strict=True)
        ]
        r = [pearsonr(predicted, means[test, k]).statistic for (predicted, _), test in found]
        of_even = [pearsonr(p[test % 2 == 0], means[test[test % 2 == 0], k]).statistic for (p, _), test in found]
        row = rows.loc[f"n{k}"]
        assert row["r"] == pytest.approx(np.median(r))
        assert row["r_folds"] == pytest.approx(np.mean(r))
        assert row["r_even"] == pytest.approx(np.median(of_even))
        assert row["alpha"] == pytest.approx(np.median([penalty for (_, penalty), _ in found]))
        assert (row["n_stimuli"], row["n_folds"]) == (N - 83, 5)


@pytest.mark.parametrize("spec", SPLITS[:2], ids=["groups", "folds of groups"])
def test_groups_of_a_column_are_held_out_as_folds_are(experiment, table, spec):
    rows, means, split = rows_of(table, spec["name"], "true"), np.nanmean(experiment["responses"], axis=0), made(spec)
    features, predicted = experiment["features"]["true"], np.empty(N)
    for training, test in split.fits:
        inner = [fold for fold in split.folds if fold is not test]
        predicted[test], _ = refitted(features, means[:, 0], training, test, inner)
    deviations = [
        np.concatenate([values[fold] - values[fold].mean() for fold in split.folds])
        for values in (predicted, means[:, 0])
    ]
    x, y = deviations
    assert rows.loc["n0", "r"] == pytest.approx((x @ y) / np.sqrt((x @ x) * (y @ y)))
    assert rows.loc["n0", "n_folds"] == len(split.folds)


def test_other_mappings_are_fitted_on_the_training_set_alone(experiment, table):
    means, features = np.nanmean(experiment["responses"], axis=0), experiment["features"]["true"]
    for spec in (PUBLISHED, VALIDATED):
        ((training, test),) = made(spec).fits
        predicted = LinearRegression().fit(features[training], means[training]).predict(features[test])
        rows = rows_of(table, spec["name"], "true", "ols")
        for k in range(NEURONS):
            assert rows.loc[f"n{k}", "r"] == pytest.approx(pearsonr(predicted[:, k], means[test, k]).statistic)
        assert rows_of(table, spec["name"], "true", "pls")["r"].median() > 0.8
        assert rows_of(table, spec["name"], "true", "one_to_one")["r"].median() > 0.2
    assert len(rows_of(table, "random", "true", "pls")) == NEURONS


def test_properties_are_predicted_on_every_split_and_labels_where_folds_are_held_out_in_turn(table):
    for mapping in ("ridge", "pls"):
        properties = table[(table["target_kind"] == "property") & (table["mapping"] == mapping)]
        # The numbers of the movies are a property, too, except where movies are held out.
        assert set(zip(properties["split"], properties["target"], strict=True)) == {
            *((spec["name"], "size") for spec in SPLITS),
            *((spec["name"], "movie") for spec in SPLITS if "column" not in spec),
        }
    assert set(table.loc[table["mapping"] == "svm", "split"]) == {"movie", "movies"}


def test_intervals_and_claims_are_those_of_test_stimuli(experiment, table):
    bootstraps = read_bootstraps([experiment["folder"] / "bootstraps.parquet"])
    assert set(bootstraps["split"]) == {"movie", "movies", "published", "validated"}
    of_test = bootstraps[(bootstraps["split"] == "published") & (bootstraps["mapping"] == "ridge")].set_index("layer")
    rows = rows_of(table, "published", "true")
    medians = [(rows[f"r_{half}"] / np.sqrt(rows[f"reliability_{half}"])).median() for half in ("even", "odd")]
    assert of_test.loc["true", "median"] == pytest.approx(np.mean(medians))
    low, high = np.nanpercentile(of_test.loc["true", "medians"], [2.5, 97.5])
    assert low < of_test.loc["true", "median"] < high
    influences = read_influences([experiment["folder"] / "influences.parquet"])
    assert set(influences["split"]) == {"movie", "movies", "published", "validated"}
    units = influences[influences["target_kind"] == "neuron"].groupby("split")["units"].agg(lambda of: len(of.iloc[0]))
    assert units.to_dict() == {"movie": 12, "movies": 4, "published": (SET == "test").sum(), "validated": 40}
    best = best_layers_of(table, 0.1, seed=0).query("mapping == 'ridge'").set_index("split")
    assert set(best["best_layer"]) == {"true"}
    assert best.loc["published", "corrected"] == pytest.approx(best.loc["published", "maximum"], abs=0.1)


def test_predictions_are_as_reliable_as_fits_on_halves_of_the_repetitions_agree(experiment, table, tmp_path):
    # Of training stimuli that were shown once, there are no halves.
    assert rows_of(table, "published", "true")["prediction_reliability"].isna().all()
    changed, rng = read_dataset(experiment["folder"] / "recording.zarr").load(), np.random.default_rng(5)
    once = changed["responses"].values[0]
    changed["responses"].values[:] = once + 0.3 * rng.normal(size=(REPETITIONS, N, NEURONS))
    write_dataset(changed, tmp_path / "changed.zarr")
    splits = [PUBLISHED, RANDOM]
    changes = {"splits": splits, "prediction_reliability": True}
    found = score(experiment["folder"], tmp_path / "s.parquet", tmp_path / "changed.zarr", **changes)
    for spec in splits:
        true, other = (rows_of(found, spec["name"], layer)["prediction_reliability"] for layer in ("true", "other"))
        assert true.between(0.85, 1).all()
        assert other.median() < true.median()


DRAWS = {"name": "draws", "random": 4, "train": 83, "leave_one_out": True}


@pytest.fixture(scope="module")
def repeated(experiment, tmp_path_factory):
    """Responses in three repetitions of all stimuli, but one neuron's last, and scores on random training sets."""
    folder, rng = tmp_path_factory.mktemp("repeated"), np.random.default_rng(5)
    changed = read_dataset(experiment["folder"] / "recording.zarr").load()
    responses = changed["responses"].values[0] + 0.8 * rng.normal(size=(REPETITIONS, N, NEURONS))
    responses[3], responses[2, :, 1] = np.nan, np.nan
    changed["responses"].values[:] = responses
    write_dataset(changed, folder / "recording.zarr")
    changes = {"splits": ["stimuli", DRAWS, PUBLISHED], "r_squared_corrected": True}
    table = score(experiment["folder"], folder / "s.parquet", folder / "recording.zarr", **changes)
    return responses[:3], table


def left_one_out(features, values, training, test):
    """Predictions of scikit-learn, with the penalty by leaving out one stimulus at a time."""
    scale = np.square(features - features.mean(axis=0)).sum() / len(features)
    fitted = RidgeCV(alphas=np.multiply(PENALTIES, scale)).fit(features[training], values[training])
    return fitted.predict(features[test])


def spearman_brown(values):
    """The reliability of the mean of all rows, from the median r of pairs, not below r that chance rarely exceeds."""
    values = [row for row in values if np.isfinite(row).all()]
    m, k = np.median([pearsonr(*pair).statistic for pair in combinations(values, 2)]), len(values)
    # The published floors, of 83 training and 82 test sounds, are 0.182 and 0.183.
    floor = {83: 0.1818, 37: 0.2746, 80: 0.1852, 40: 0.2638}[len(values[0])]
    return max(k * m / (1 + (k - 1) * m), floor)


@pytest.mark.parametrize("layer", ["true", "other"])
@pytest.mark.parametrize("spec", [DRAWS, PUBLISHED], ids=["draws", "published"])
def test_r_squared_is_that_of_the_field(experiment, repeated, spec, layer):
    responses, table = repeated
    rows, features = rows_of(table, spec["name"], layer), experiment["features"][layer]
    for k in range(3):
        raw, corrected = [], []
        for (training, test), inner in zip(made(spec).fits, made(spec).inner, strict=True):
            fit_on = left_one_out if spec is DRAWS else lambda *given, inner=inner: refitted(*given, inner)[0]
            mean = np.nanmean(responses[:, :, k], axis=0)
            r = pearsonr(fit_on(features, mean, training, test), mean[test]).statistic
            raw.append(max(r, 0) ** 2)
            single = [of[:, k] for of in responses if np.isfinite(of[0, k])]
            predicted = [fit_on(features, values, training, test) for values in single]
            noise = spearman_brown(responses[:, training, k]) * spearman_brown(predicted)
            corrected.append(raw[-1] / noise)
        assert rows.loc[f"n{k}", "r_squared"] == pytest.approx(np.median(raw))
        assert rows.loc[f"n{k}", "r_squared_corrected"] == pytest.approx(min(np.median(corrected), 1), rel=1e-3)
    assert rows_of(table, spec["name"], layer, kind="property")["r_squared_corrected"].isna().all()


def test_folds_held_out_in_turn_have_r_squared_alone(repeated):
    rows = repeated[1].query("split == 'stimuli' and target_kind == 'neuron'")
    np.testing.assert_allclose(rows["r_squared"], rows["r"].clip(lower=0) ** 2)
    assert (rows["r"] < 0).any()
    assert rows[["r_squared_corrected", "share_best", "r_squared_best"]].isna().all(axis=None)


def test_the_best_layer_is_chosen_on_half_of_the_draws(repeated):
    rows = repeated[1].query("split == 'draws' and target_kind == 'neuron'").set_index(["layer", "target"])
    assert (rows.loc["true", "share_best"] == 1).all()
    assert (rows.loc["other", "share_best"] == 0).all()
    assert rows.loc["other", "r_squared_best"].isna().all()
    # The mean of medians of two draws is near the median of all four.
    apart = rows.loc["true", "r_squared_best"] - rows.loc["true", "r_squared_corrected"]
    assert apart.abs().max() < 0.2
    best = best_layers_of(repeated[1], 0.1, seed=0).set_index("split")
    assert best.loc["draws", "r_squared_best"] == pytest.approx(rows.loc["true", "r_squared_best"].median())
    assert best.loc[["stimuli", "published"], "r_squared_best"].isna().all()


def test_layers_chosen_on_half_of_the_draws_are_scored_on_the_other_half():
    # Two layers of the same scores: the half that chose a layer flatters it. The third layer has no scores.
    draws = np.random.default_rng(1).random((3, 50, 10))
    draws[2, :] = np.nan
    shares, scores = chosen_on_halves(draws, seed=0)
    expected = np.zeros((2, 3))
    for k in range(10):
        order = np.random.default_rng([0, k]).permutation(10)
        best = np.argmax([np.median(of[order[:5]]) for of in draws[:2, 0]])
        expected[:, best] += 1, np.median(draws[best, 0, order[5:]])
    np.testing.assert_allclose(shares[:, 0], expected[0] / 10)
    np.testing.assert_allclose(np.nan_to_num(shares * scores)[:, 0], expected[1] / 10)
    assert np.isnan(scores[2]).all()
    np.testing.assert_allclose(shares.sum(axis=0), 1)
    flattered = np.median(draws[:2], axis=2).max(axis=0).mean()
    assert np.nansum(shares * scores, axis=0).mean() < flattered - 0.03
    # r squared that is corrected for noise counts as 1 at most, as published.
    _, scores = chosen_on_halves(draws + 1, seed=0)
    assert np.nanmax(scores) == np.nanmin(scores) == 1


def test_what_random_test_sets_and_labels_lack_is_told(experiment, tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        score(experiment["folder"], tmp_path / "scores.parquet", splits=[PUBLISHED, RANDOM])
    assert "split random: random test sets overlap" in caplog.text
    assert "labels read from layers: only splits whose folds are held out in turn" in caplog.text
    assert "left out: split published, random" in caplog.text


def test_nothing_of_the_test_responses_is_in_the_choice_of_a_penalty(experiment, table, tmp_path):
    changed = read_dataset(experiment["folder"] / "recording.zarr").load()
    rng = np.random.default_rng(3)
    changed["responses"].values[:, SET == "test"] = rng.normal(size=(REPETITIONS, 40, NEURONS))
    write_dataset(changed, tmp_path / "changed.zarr")
    other = score(experiment["folder"], tmp_path / "s.parquet", tmp_path / "changed.zarr", splits=[PUBLISHED])
    for layer in ("true", "other"):
        before, after = rows_of(table, "published", layer), rows_of(other, "published", layer)
        np.testing.assert_array_equal(before["alpha"], after["alpha"])
    assert abs(rows_of(other, "published", "true")["r"].median()) < 0.3


def test_a_neuron_that_lacks_the_test_stimuli_is_left_out_and_told(experiment, tmp_path, caplog):
    changed = read_dataset(experiment["folder"] / "recording.zarr").load()
    changed["responses"].values[:, SET == "test", 2] = np.nan
    changed["responses"].values[:, np.flatnonzero(SET == "train")[:30], 3] = np.nan
    write_dataset(changed, tmp_path / "changed.zarr")
    with caplog.at_level(logging.WARNING):
        found = score(experiment["folder"], tmp_path / "s.parquet", tmp_path / "changed.zarr", splits=[PUBLISHED])
    assert "left out: n2: values for 80 stimuli" in caplog.text
    assert "at least 4 stimuli to fit on and 4 to score are needed" in caplog.text
    rows = rows_of(found, "published", "true")
    assert sorted(rows.index) == ["n0", "n1", "n3", "n4", "n5"]
    assert (rows["n_stimuli"] == 40).all()
    split, means = made(PUBLISHED), np.nanmean(experiment["responses"][:, :, 3], axis=0)
    training = split.training[30:]
    inner = [np.intersect1d(held, training) for held in split.inner[0]]
    predicted, penalty = refitted(experiment["features"]["true"], means, training, split.folds[0], inner)
    assert rows.loc["n3", "r"] == pytest.approx(pearsonr(predicted, means[split.folds[0]]).statistic)
    assert rows.loc["n3", "alpha"] == pytest.approx(penalty)


def test_neurons_that_lack_different_stimuli_share_the_matrix_of_all():
    n, features = 1500, np.random.default_rng(0).normal(size=(1500, 2100))
    values = features[:, :3].copy()
    values[[0, 1, 2], [0, 1, 2]] = np.nan
    of_targets = (np.full(3, "neuron"), np.array(["a", "b", "c"]), np.full(3, "V4"), np.full(3, np.nan))
    parts = np.where(np.arange(n) % 5 == 3, "test", "train")
    splits = make_splits([{"name": "parts", "partition": "set"}], {"set": parts}, n, 3, 0, "s")
    layer = Representation(features @ features.T, features.sum(axis=1), features[:, :2000], np.arange(2000), 2100)
    given = delayed(layer, pure=False, traverse=False)
    graph = predict(
        given, {"name": "0", "n_features": 2100}, Targets(values, *of_targets), splits, Options(["ridge"], [1.0])
    )
    with dask.config.set(scheduler="synchronous"):
        tracemalloc.start()
        dask.compute([part.predictions for part in graph])
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert len(graph) == 3
    # One matrix of the training stimuli at a time, and of a fold at most two.
    assert peak < 1.35 * 8 * (4 * n / 5) ** 2 + 2 * 8 * (4 * n / 15) ** 2
