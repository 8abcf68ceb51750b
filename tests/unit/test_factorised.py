"""The factorised readout against planted neurons, and against alternating refits of scikit-learn's Ridge."""

import logging

import numpy as np
import pandas as pd
import pytest
import xarray as xr
import zarr
from sklearn.linear_model import Ridge

from ventral import nested_ridge
from ventral.errors import InputError
from ventral.mappings import factorised
from ventral.mappings.correlation import pooled_r, sums_within_folds
from ventral.mappings.factorised import (
    averaged_down,
    factorised_readout,
    fit_path,
    predict,
    principal_channels,
    scaled_maps,
)
from ventral.running.parallel import computing
from ventral.scores.factorised import factorise, read_maps
from ventral.scores.table import COLUMNS, correlation_in_folds
from ventral.store import write_dataset


def planted(n=160, channels=12, positions=16, neurons=4, noise=0.3, seed=0):
    """Return maps, responses of neurons with one mask and one weighting of channels each, and these two."""
    rng = np.random.default_rng(seed)
    maps = np.maximum(rng.normal(size=(n, channels, positions)), 0)
    weights, masks = rng.normal(size=(neurons, channels)), rng.exponential(size=(neurons, positions)) ** 3
    signal = np.einsum("ncs,tc,ts->nt", maps, weights, masks)
    signal = (signal - signal.mean(axis=0)) / signal.std(axis=0)
    return maps, signal + noise * rng.normal(size=signal.shape) + 10, weights, masks


def alternating_refits(maps, response, shares, alternations):
    """Return predictions of one neuron for the maps it was fitted to, at each penalty, by scikit-learn alone."""
    deviations = response - response.mean()
    u, values, m = np.linalg.svd(np.einsum("n,ncs->cs", deviations, maps))
    u, m = u[:, 0], m[0]
    signal = np.einsum("ncs,c,s->n", maps, u, m)
    size = np.sqrt((1 - shares[0]) * values[0] / (signal - signal.mean()).var() / len(signal))
    u, m = u * size, m * size
    predictions = []
    for share in shares:
        for _ in range(alternations):
            u = Ridge(alpha=share * values[0]).fit(maps @ m, deviations).coef_
            m = Ridge(alpha=share * values[0]).fit(np.einsum("ncs,c->ns", maps, u), deviations).coef_
            length = np.sqrt(np.linalg.norm(u) * np.linalg.norm(m))
            u, m = (vector * length / np.linalg.norm(vector) for vector in (u, m))
        signal = np.einsum("ncs,c,s->n", maps, u, m)
        predictions.append(response.mean() + signal - signal.mean())
    return np.array(predictions)


def random_folds(n, k, seed=0):
    return np.array_split(np.random.default_rng(seed).permutation(n), k)


@pytest.mark.parametrize(("channels", "positions"), [(5, 9), (9, 4), (40, 6), (3, 40), (1, 7), (7, 1), (1, 1)])
def test_equals_alternating_refits_with_scikit_learn(channels, positions):
    maps, responses, *_ = planted(n=24, channels=channels, positions=positions, neurons=3)
    maps = scaled_maps(maps)
    shares = (0.5, 0.1)
    channel_weights, masks, intercepts = fit_path(maps, responses, np.arange(24), shares, alternations=3)
    for k in range(3):
        expected = alternating_refits(maps.astype(float), responses[:, k], shares, 3)
        for m in range(len(shares)):
            found = predict(maps, channel_weights[m], masks[m], intercepts[m])[:, k]
            np.testing.assert_allclose(found, expected[m], atol=1e-4 * responses[:, k].std())


def test_recovers_masks_and_channel_weights_that_neurons_were_made_of():
    maps, responses, weights, masks = planted(n=400, noise=0.1)
    found_weights, found_masks, _ = fit_path(scaled_maps(maps), responses, np.arange(400))
    for k in range(4):
        assert abs(np.corrcoef(found_masks[-1, k], masks[k])[0, 1]) > 0.97
        assert abs(np.corrcoef(found_weights[-1, k], weights[k])[0, 1]) > 0.97


def test_needs_fewer_stimuli_than_ridge_where_neurons_are_factorised():
    maps, responses, *_ = planted()
    folds = random_folds(len(maps), 5)
    fit = factorised_readout(maps, responses, folds)
    features = maps.reshape(len(maps), -1)
    gram = features @ features.T
    ridge = nested_ridge(gram, responses, folds, np.geomspace(1e-3, 1e3, 10) * np.trace(gram) / len(gram))
    of_factorised = correlation_in_folds(fit.predictions, responses, folds)
    assert (of_factorised > 0.85).all()
    assert (of_factorised > correlation_in_folds(ridge.predictions, responses, folds) + 0.1).all()


def test_noise_is_not_predicted():
    rng = np.random.default_rng(1)
    maps, responses = rng.normal(size=(150, 8, 9)), rng.normal(size=(150, 40))
    folds = random_folds(150, 5)
    fit = factorised_readout(maps, responses, folds)
    r = correlation_in_folds(fit.predictions, responses, folds)
    # Below 0 on average, if anything: what a fold has more of, the others have less of.
    assert -0.15 < np.mean(r) < 3 * r.std() / np.sqrt(40)
    assert (fit.penalty == 0.5).mean() > 0.5


def test_alternating_never_increases_what_is_minimised():
    maps, responses, *_ = planted(n=60, noise=1.0)
    maps = scaled_maps(maps)
    deviations = responses - responses.mean(axis=0)
    largest = np.linalg.svd(np.einsum("nt,ncs->tcs", deviations, maps), compute_uv=False)[:, 0]
    values = []
    for alternations in (1, 2, 4, 8):
        channels, masks, intercepts = (
            part[0] for part in fit_path(maps, responses, np.arange(60), [0.1], alternations)
        )
        errors = np.square(predict(maps, channels, masks, intercepts) - responses).sum(axis=0)
        values.append(errors / 2 + 0.05 * largest * (np.square(channels).sum(axis=1) + np.square(masks).sum(axis=1)))
    assert (np.diff(values, axis=0) <= 1e-5 * values[0]).all()


def test_predictions_do_not_depend_on_the_scale_of_features_or_responses():
    maps, responses, *_ = planted(n=60)
    folds = random_folds(60, 3)
    expected = factorised_readout(maps, responses, folds)
    for scale in (1e-12, 1e12):
        found = factorised_readout(maps * scale, responses, folds)
        assert np.array_equal(found.penalty, expected.penalty)
        np.testing.assert_allclose(found.predictions, expected.predictions, atol=1e-3)
        found = factorised_readout(maps, responses * scale, folds)
        np.testing.assert_allclose(found.predictions / scale, expected.predictions, atol=1e-3)


@pytest.mark.parametrize("k", [4, 7])
def test_held_out_responses_change_no_prediction_of_their_fold(k):
    maps, responses, *_ = planted(n=63)
    folds = random_folds(63, k)
    before = factorised_readout(maps, responses, folds)
    responses = responses.copy()
    responses[folds[1]] *= -100
    after = factorised_readout(maps, responses, folds)
    np.testing.assert_array_equal(before.predictions[folds[1]], after.predictions[folds[1]])
    np.testing.assert_array_equal(before.penalty[1], after.penalty[1])
    assert not np.allclose(before.predictions[folds[0]], after.predictions[folds[0]])


def test_what_does_not_vary_is_predicted_by_its_mean():
    maps, responses, *_ = planted(n=40)
    folds = random_folds(40, 4)
    responses[:, 1] = 3.0
    fit = factorised_readout(maps, responses, folds)
    np.testing.assert_allclose(fit.predictions[:, 1], 3.0)
    assert np.isnan(correlation_in_folds(fit.predictions, responses, folds)[1])
    alone = factorised_readout(maps, responses[:, [0, 2, 3]], folds)
    np.testing.assert_allclose(fit.predictions[:, [0, 2, 3]], alone.predictions, atol=1e-5)
    for same in (np.ones_like(maps), np.zeros_like(maps), np.broadcast_to(maps[:1], maps.shape)):
        predictions = factorised_readout(same, responses, folds).predictions
        for fold in folds:
            mean = np.delete(responses, fold, axis=0).mean(axis=0)
            np.testing.assert_allclose(predictions[fold], np.broadcast_to(mean, (len(fold), 4)))


def test_results_do_not_depend_on_cores_or_on_other_neurons():
    maps, responses, *_ = planted(n=60, neurons=6)
    folds = random_folds(60, 4)
    found = []
    for cores in (1, 3):
        with computing(cores):
            found.append(factorised_readout(maps, responses, folds).predictions)
    np.testing.assert_array_equal(*found)
    np.testing.assert_allclose(factorised_readout(maps, responses[:, 2:3], folds).predictions[:, 0], found[0][:, 2])


@pytest.mark.parametrize(
    ("height", "width", "square"), [(8, 8, 1), (7, 3, 1), (14, 14, 2), (56, 56, 7), (9, 10, 2), (17, 4, 3)]
)
def test_maps_are_averaged_over_squares(height, width, square):
    maps = np.random.default_rng(0).normal(size=(2, 3, height, width)).astype(np.float32)
    found = averaged_down(maps)
    rows, columns = range(0, height, square), range(0, width, square)
    assert found.shape == (2, 3, len(rows), len(columns))
    assert max(found.shape[2:]) <= 8
    for i, top in enumerate(rows):
        for j, left in enumerate(columns):
            expected = maps[:, :, top : top + square, left : left + square].mean(axis=(2, 3))
            np.testing.assert_allclose(found[:, :, i, j], expected, rtol=1e-4, atol=1e-5)


def test_many_channels_are_replaced_by_their_principal_components(monkeypatch):
    rng = np.random.default_rng(0)
    latent = rng.normal(size=(50, 6, 4))
    maps = (np.einsum("nks,kc->ncs", latent, rng.normal(size=(6, 20))) + rng.normal(size=(20, 4))).astype(np.float32)
    assert principal_channels(maps) is maps
    responses = np.einsum("nks,k->n", latent, rng.normal(size=6))[:, None] + rng.normal(size=(50, 1))
    folds = random_folds(50, 4)
    expected = factorised_readout(maps, responses, folds).predictions
    monkeypatch.setattr(factorised, "MOST_CHANNELS", 6)
    components = principal_channels(maps)
    assert components.shape == (50, 6, 4)
    np.testing.assert_allclose(factorised_readout(components, responses, folds).predictions, expected, atol=1e-3)
    powers = np.square(components).sum(axis=(0, 2))
    assert (np.diff(powers) <= 0).all()
    np.testing.assert_allclose(powers.sum(), np.square(maps - maps.mean(axis=0)).sum(), rtol=1e-4)


@pytest.fixture
def experiment(tmp_path):
    """Two shards of a model of a layer of maps and a vector, and a recording of four neurons, one lacking stimuli."""
    n = 60
    maps, responses, *_ = planted(n=n, channels=4, positions=16 * 16)
    stimuli = xr.Dataset(
        coords={
            "stimulus": [f"image{k}" for k in range(n)],
            "object": ("stimulus", np.repeat(["a", "b", "c"], n // 3)),
        },
        attrs={"name": "set", "sha256": "a" * 64},
    )
    write_dataset(stimuli, tmp_path / "stimuli.zarr")
    responses[:5, 3] = np.nan
    recording = xr.Dataset(
        {
            "responses": (("repetition", "stimulus", "neuroid"), responses[None]),
            "reliability": ("neuroid", [0.9, 0.8, np.nan, 0.7]),
            "left_out": ("neuroid", ["", "", "", ""]),
        },
        coords={
            "stimulus": stimuli["stimulus"].values,
            "neuroid": [f"n{k}" for k in range(4)],
            "area": ("neuroid", ["V4"] * 4),
        },
        attrs={"recording": "rec", "stimuli": "set", "stimuli_sha256": "a" * 64, "has_repetitions": True},
    )
    write_dataset(recording, tmp_path / "recording.zarr")
    layers = [
        {"name": "maps", "depth": 0.5, "shape": [4, 16, 16], "n_features": 1024},
        {"name": "vector", "depth": 1.0, "shape": [4], "n_features": 4},
        {"name": "pooled", "depth": 1.0, "shape": [4, 1, 1], "n_features": 4},
    ]
    for k, (start, stop) in enumerate(((0, 25), (25, n))):
        group = zarr.open_group(tmp_path / f"{k}.zarr", mode="w")
        group.attrs.update(
            model="net",
            family="pretrained",
            stimuli="set",
            stimuli_sha256="a" * 64,
            weights_sha256="",
            dtype="float32",
            layers=layers,
            n_stimuli=n,
            start=start,
            stop=stop,
        )
        array = group.create_array("maps", shape=(stop - start, 1024), chunks=(7, 100), dtype="float32")
        array[:] = 4 * maps[start:stop].reshape(stop - start, -1)
        array.attrs["scale"] = 4.0
        for name in ("vector", "pooled"):
            group.create_array(name, data=maps[start:stop, :, 0].astype(np.float32))
    return tmp_path, maps, responses


def score(folder, output="scores.parquet"):
    factorise(
        [folder / "1.zarr", folder / "0.zarr"],
        folder / "recording.zarr",
        folder / "stimuli.zarr",
        folder / output,
        splits=["stimuli", "objects"],
        n_folds=4,
        seed=0,
    )
    return pd.read_parquet(folder / output)


def test_rows_of_the_score_table(experiment, caplog):
    folder, maps, responses = experiment
    with caplog.at_level(logging.INFO):
        table = score(folder)
    assert "without channels x height x width, where it would be a ridge regression: vector, pooled" in caplog.text
    assert list(table.columns) == list(COLUMNS)
    assert set(table["mapping"]) == {"factorised"}
    assert set(table["layer"]) == {"maps"}
    assert set(table["n_features"]) == {4 * 8 * 8}
    assert len(table) == 4 * 2
    assert table.set_index("target")["n_stimuli"].to_dict() == {"n0": 60, "n1": 60, "n2": 60, "n3": 55}
    objects = table[table["split"] == "objects"].set_index("target")
    averaged = averaged_down(maps.reshape(60, 4, 16, 16).astype(np.float32)).reshape(60, 4, 64)
    folds = [np.arange(0, 20), np.arange(20, 40), np.arange(40, 60)]
    fit = factorised_readout(averaged, responses[:, :3], folds)
    r = correlation_in_folds(fit.predictions, responses[:, :3], folds)
    np.testing.assert_allclose(objects.loc[["n0", "n1", "n2"], "r_folds"], r, atol=1e-5)
    pooled = pooled_r(sums_within_folds(fit.predictions, responses[:, :3], folds))
    np.testing.assert_allclose(objects.loc[["n0", "n1", "n2"], "r"], pooled, atol=1e-5)
    # There is one repetition.
    assert objects["predictivity"].isna().all()


def test_features_are_read_in_their_own_units(experiment):
    folder, maps, _ = experiment
    arrays = [zarr.open_group(folder / f"{k}.zarr", mode="r")["maps"] for k in (0, 1)]
    np.testing.assert_allclose(
        read_maps(arrays, [4, 16, 16]),
        averaged_down(maps.reshape(60, 4, 16, 16).astype(np.float32)).reshape(60, 4, 64),
        rtol=1e-5,
    )


def test_a_model_without_maps_makes_an_empty_table(experiment):
    folder, *_ = experiment
    for k in (0, 1):
        group = zarr.open_group(folder / f"{k}.zarr", mode="a")
        group.attrs["layers"] = group.attrs["layers"][1:]
    table = score(folder)
    assert len(table) == 0
    assert list(table.columns) == list(COLUMNS)


def test_stores_of_other_stimuli_are_refused(experiment):
    folder, *_ = experiment
    for k in (0, 1):
        zarr.open_group(folder / f"{k}.zarr", mode="a").attrs["stimuli_sha256"] = "b" * 64
    with pytest.raises(InputError, match="1.zarr: made from other stimuli than .*stimuli.zarr .*; delete .*1.zarr"):
        score(folder)
