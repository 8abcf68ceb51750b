"""Recorded areas as representations: what they predict, and that they predict nothing by shared noise."""

import logging

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.stats import pearsonr
from sklearn.linear_model import RidgeCV

from ventral.errors import InputError
from ventral.grams.recorded import recorded_areas, recorded_gram
from ventral.grams.representations import read_representation
from ventral.recordings.ingestion import dataset_of
from ventral.scores.fitting import fit
from ventral.scores.halves import RELIABILITIES, averaged, halved, neurons_beside, neurons_elsewhere
from ventral.store import open_store, write_dataset

N, REPETITIONS = 120, 6
FIT = {"splits": ["stimuli"], "n_folds": 4, "seed": 3, "n_bootstrap": 100}
FIT["penalties"] = np.geomspace(1e-2, 1e2, 5).tolist()


def stimulus_set(n=N, **labels):
    return xr.Dataset(
        coords={"stimulus": [f"image{k:03d}" for k in range(n)]}
        | {name: ("stimulus", values) for name, values in labels.items()},
        attrs={"name": "set", "sha256": "a" * 64},
    )


def recording(responses, areas, animals=None, name="rec", stimuli=None):
    """The dataset of responses (repetitions, n, neuroids)."""
    neuroids = pd.DataFrame({"area": areas}, index=pd.Index([f"n{k}" for k in range(len(areas))], name="neuroid"))
    if animals is not None:
        neuroids["animal"] = animals
    stimuli = stimulus_set(responses.shape[1]) if stimuli is None else stimuli
    return dataset_of(responses, neuroids, stimuli, name, name, n_splits=20)


def two_areas(signal=1.0, shared_noise=0.0, n=N, seed=0):
    """Four neurons of V4 and three of IT with a common signal, and noise of each trial that all share."""
    rng = np.random.default_rng(seed)
    common = rng.normal(size=(n, 2)) @ rng.normal(size=(2, 7))
    noise = shared_noise * rng.normal(size=(REPETITIONS, n, 1))
    responses = signal * common + noise + rng.normal(size=(REPETITIONS, n, 7)) + 5
    return recording(responses, ["V4"] * 4 + ["IT"] * 3)


def scored(folder, predicting, predicted=None, stimuli=None):
    """The rows that one recording's areas predict of another's, or of its own."""
    predicted = predicting if predicted is None else predicted
    write_dataset(stimulus_set() if stimuli is None else stimuli, folder / "stimuli.zarr")
    write_dataset(predicting, folder / "predicting.zarr")
    write_dataset(predicted, folder / "predicted.zarr")
    recorded_gram(folder / "predicting.zarr", folder / "gram.zarr")
    fit(folder / "gram.zarr", folder / "predicted.zarr", folder / "stimuli.zarr", folder / "scores.parquet", **FIT)
    return pd.read_parquet(folder / "scores.parquet")


def test_a_layer_is_an_area_with_all_its_complete_neurons_standardised(tmp_path, caplog):
    responses = two_areas()["responses"].values
    responses[:, 7, 1] = np.nan
    responses[:, :, 5] = 4.0
    with caplog.at_level(logging.WARNING):
        write_dataset(recording(responses, ["V4"] * 4 + ["IT"] * 3), tmp_path / "rec.zarr")
        recorded_gram(tmp_path / "rec.zarr", tmp_path / "gram.zarr")
    assert "1 neuroids have missing stimuli and are left out of their area's representation: n1" in caplog.text
    store = open_store(tmp_path / "gram.zarr")
    assert store.attrs["family"] == "recorded"
    assert store.attrs["model"] == "rec"
    layers = {layer["name"]: layer for layer in store.attrs["layers"]}
    assert {name: layer["neuroids"] for name, layer in layers.items()} == {"IT": ["n4", "n6"], "V4": ["n0", "n2", "n3"]}
    assert layers["V4"]["depth"] is None
    means = responses[:, :, [0, 2, 3]].mean(axis=0)
    features = (means - means.mean(axis=0)) / means.std(axis=0)
    area = read_representation(tmp_path / "gram.zarr", "V4")
    np.testing.assert_allclose(area.gram, features @ features.T, atol=1e-12)
    np.testing.assert_allclose(area.units, features, atol=1e-12)
    np.testing.assert_allclose(area.row_sums, features.sum(axis=1), atol=1e-12)
    assert area.has_all_features


def test_areas_of_several_animals_are_apart():
    responses = two_areas()["responses"].values
    one = recorded_areas(recording(responses, ["V4"] * 4 + ["IT"] * 3, ["a"] * 7))
    assert [area.name for area in one] == ["IT", "V4"]
    two = recorded_areas(recording(responses, ["V4"] * 4 + ["IT"] * 3, ["a", "a", "b", "b", "a", "b", ""]))
    assert {area.name: area.neuroids.tolist() for area in two} == {
        "IT": [6],
        "IT, animal a": [4],
        "IT, animal b": [5],
        "V4, animal a": [0, 1],
        "V4, animal b": [2, 3],
    }


def test_every_other_neuron_is_predicted_in_one_way_and_no_own_neuron_in_any():
    animals = ["a", "a", "b", "b", "a", "b", ""]
    responses = recording(two_areas()["responses"].values, ["V4"] * 4 + ["IT"] * 3, animals)
    for area in recorded_areas(responses):
        elsewhere = set(neurons_elsewhere(responses, area).names)
        beside = set(neurons_beside(responses, area)["neuroid"].values)
        own = set(responses["neuroid"].values[area.neuroids])
        assert not elsewhere & beside
        assert elsewhere | beside | own == {f"n{k}" for k in range(7)}
        assert not own & (elsewhere | beside)
    (of_a,) = (area for area in recorded_areas(responses) if area.name == "IT, animal a")
    assert set(neurons_elsewhere(responses, of_a).names) == {"n2", "n3", "n5"}


def test_an_area_of_another_recording_predicts_neurons_as_ridge_on_its_mean_responses_does(tmp_path):
    predicting, predicted = two_areas(seed=0), two_areas(seed=1)
    predicted["responses"].values[:] += predicting["responses"].values.mean(axis=0)
    predicted.attrs["recording"] = "other"
    table = scored(tmp_path, predicting, predicted)
    assert set(table["model"]) == {"rec"}
    assert set(table["recording"]) == {"other"}
    assert set(table["layer"]) == {"IT", "V4"}
    assert table["depth"].isna().all()
    assert len(table) == 2 * 7
    features = predicting["responses"].values.mean(axis=0)[:, :4]
    features = (features - features.mean(axis=0)) / features.std(axis=0)
    values = predicted["responses"].values.mean(axis=0)[:, 5]
    order = np.random.default_rng(FIT["seed"]).permutation(N)
    row = table[(table.layer == "V4") & (table.target == "n5")].iloc[0]
    r = []
    for fold in np.array_split(order, FIT["n_folds"]):
        training = np.setdiff1d(np.arange(N), fold)
        model = RidgeCV(alphas=np.array(FIT["penalties"]) * 4).fit(features[training], values[training])
        r.append(pearsonr(model.predict(features[fold]), values[fold]).statistic)
    assert row["r"] == pytest.approx(np.mean(r), abs=0.05)
    assert row["n_features"] == 4


def test_shared_noise_predicts_nothing_and_a_shared_signal_nearly_everything(tmp_path):
    together = two_areas(signal=0.0, shared_noise=2.0)
    assert scored(tmp_path, together)["r"].max() < 0.2
    # As if it were another recording, it would be predicted by noise alone.
    assert scored(tmp_path, together, together.assign_attrs(recording="other"))["r"].min() > 0.7
    signal = scored(tmp_path, two_areas(signal=1.5, shared_noise=1.0))
    assert signal["predictivity"].median() > 0.85
    assert signal["predictivity"].max() < 1.1


def test_an_area_predicts_the_other_areas_of_its_recording_alone(tmp_path):
    table = scored(tmp_path, two_areas())
    assert set(zip(table["layer"], table["area"], strict=True)) == {("V4", "IT"), ("IT", "V4")}
    assert len(table) == 7
    assert not table.duplicated(["layer", "target", "split"]).any()
    np.testing.assert_allclose(table["predictivity"], table["r"] / np.sqrt(table["reliability"]))
    np.testing.assert_allclose(table["explained_variance"], np.square(table["predictivity"]))


def test_neurons_of_another_animal_are_predicted_from_all_repetitions(tmp_path):
    responses = two_areas()["responses"].values
    apart = scored(tmp_path, recording(responses, ["V4"] * 4 + ["IT"] * 3, ["a"] * 4 + ["b"] * 3))
    other = recording(responses, ["V4"] * 4 + ["IT"] * 3, name="other")
    across = scored(tmp_path, recording(responses, ["V4"] * 4 + ["IT"] * 3), other)
    keys = ["area", "target"]
    apart = apart.sort_values(keys, ignore_index=True)
    across = across[across["layer"] != across["area"]].sort_values(keys, ignore_index=True)
    pd.testing.assert_frame_equal(apart[[*keys, "r"]], across[[*keys, "r"]])


def test_halves_have_no_trial_in_common_and_every_trial_in_one():
    responses = two_areas(n=30)
    # The value of a response says which trial it is.
    trials = np.exp2(np.arange(REPETITIONS))[:, None, None]
    trials = np.broadcast_to(trials, (REPETITIONS, 30, 7)).copy()
    trials[5, ::3] = np.nan
    trials += 0.01 * np.arange(30)[:, None]
    responses["responses"].values[:] = trials
    area = recorded_areas(responses)[0]
    assert area.name == "IT"
    halves = list(halved(responses, area, seed=0))
    assert len(halves) == 10
    for one, other in zip(halves[::2], halves[1::2], strict=True):
        for half in (one, other):
            assert set(half.targets.areas) == {"V4"}
            assert np.isfinite(half.targets.values).all()
        counts = np.isfinite(trials[:, :, 0]).sum(axis=0)
        sizes = counts - counts // 2, counts // 2
        whole = np.nansum(trials[:, :, 0] - 0.01 * np.arange(30), axis=0)
        sums = [
            (half.targets.values[:, 0] - 0.01 * np.arange(30)) * size
            for half, size in zip((one, other), sizes, strict=True)
        ]
        np.testing.assert_allclose(sums[0] + sums[1], whole)
    assert not np.array_equal(halves[0].targets.values, halves[2].targets.values)


def test_r_of_halves_times_its_gain_is_that_of_all_repetitions():
    rng = np.random.default_rng(0)
    n = 4000
    signal = rng.normal(size=(n, 1))
    responses = recording(signal + 2 * rng.normal(size=(REPETITIONS, n, 2)), ["V4", "IT"], stimuli=stimulus_set(n))
    whole = pearsonr(signal[:, 0], responses["responses"].values[:, :, 0].mean(axis=0)).statistic
    rho = responses["reliability"].values[0]
    (area, _) = recorded_areas(responses)
    assert area.name == "IT"
    rows = {
        "target_kind": "neuron",
        "area": "V4",
        "time_bin": "",
        "target": "n0",
        "split": "stimuli",
        "mapping": "ridge",
    }
    parts, shares = [], []
    for half in halved(responses, area, seed=0):
        r = pearsonr(signal[:, 0], half.targets.values[:, 0]).statistic
        numbers = dict.fromkeys(RELIABILITIES, r) | {"alpha": 1.0, "n_stimuli": n, "n_folds": 4}
        parts.append(pd.DataFrame([rows | numbers]))
        shares.append(half.share)
    ceilings = pd.DataFrame([dict.fromkeys(RELIABILITIES.values(), rho)], index=PLACES[:1])
    found = averaged(parts, shares, ceilings)
    assert found["r"][0] == pytest.approx(whole, abs=0.01)
    assert found["r"][0] > 1.1 * np.mean([part["r"][0] for part in parts])
    assert next(halved(responses, area, seed=0)).share["n0", ""] == 0.5


PLACES = pd.MultiIndex.from_tuples([("stimuli", "n0", ""), ("stimuli", "b", "")], names=["split", "target", "time_bin"])


def test_stimuli_shown_too_seldom_to_be_halved_are_left_out():
    responses = two_areas()["responses"].values
    responses[1:, 4] = np.nan
    responses = recording(responses, ["V4"] * 4 + ["IT"] * 3)
    for half in halved(responses, recorded_areas(responses)[0], seed=0):
        assert np.isnan(half.targets.values[4]).all()
        assert np.isfinite(np.delete(half.targets.values, 4, axis=0)).all()
        np.testing.assert_allclose(np.delete(half.features, 4, axis=0).std(axis=0), 1, atol=0.01)


def test_without_repetitions_areas_of_one_recording_do_not_predict_each_other(tmp_path, caplog):
    responses = two_areas()["responses"].values.mean(axis=0, keepdims=True)
    with caplog.at_level(logging.WARNING):
        table = scored(
            tmp_path, recording(responses, ["V4"] * 4 + ["IT"] * 3), stimuli=stimulus_set(size=np.linspace(0, 1, N))
        )
    assert set(table["target"]) == {"size"}
    assert "recording rec: IT does not predict V4, because without repetitions" in caplog.text


def test_properties_and_categories_are_predicted_from_areas_too(tmp_path):
    objects = np.repeat(["cup", "dog", "pan"], N // 3)
    table = scored(tmp_path, two_areas(), stimuli=stimulus_set(size=np.linspace(0, 1, N), object=objects))
    of_stimuli = table[table["target_kind"] != "neuron"]
    assert set(zip(of_stimuli["layer"], of_stimuli["target"], strict=True)) == {
        (layer, target) for layer in ("IT", "V4") for target in ("size", "object")
    }


def test_nothing_to_predict_is_an_empty_table(tmp_path):
    responses = two_areas()["responses"].values[:, :, :4]
    assert len(scored(tmp_path, recording(responses, ["V4"] * 4))) == 0


def test_rows_of_halves_are_averaged_and_undefined_where_one_is():
    def row(target, r, alpha=1.0, n_stimuli=9):
        of = {"target_kind": "neuron", "area": "IT", "time_bin": "", "split": "stimuli", "mapping": "ridge"}
        numbers = dict.fromkeys(RELIABILITIES, r) | {"alpha": alpha, "n_stimuli": n_stimuli, "n_folds": 3}
        return pd.DataFrame([of | numbers | {"target": target}])

    parts = [row("n0", 0.4), row("n0", 0.2, 4.0, 8), row("b", np.nan), row("b", 0.2)]
    ceilings = pd.DataFrame({name: [0.5, 0.5] for name in RELIABILITIES.values()}, index=PLACES)
    ceilings["reliability_odd"] = [1.0, -0.2]
    shares = [{("n0", ""): 1.0}, {("n0", ""): 0.5}, {("b", ""): 1.0}, {("b", ""): 1.0}]
    table = averaged(parts, shares, ceilings).set_index("target")
    # A half of the repetitions, of a neuron with a reliability of 0.5: sqrt((1 - 0.5 * 0.5) / 0.5).
    assert table.loc["n0", ["r", "r_folds", "r_even"]].tolist() == pytest.approx(3 * [0.2 + 0.1 * np.sqrt(1.5)])
    assert table.loc["n0", "r_odd"] == pytest.approx(0.3)
    assert table.loc["n0", "alpha"] == pytest.approx(2)
    assert table.loc["n0", "n_stimuli"] == 8
    assert np.isnan(table.loc["b", "r"])


def test_recordings_that_cannot_stand_for_a_model_are_refused(tmp_path):
    matrices = xr.Dataset(
        {"dissimilarities": (("matrix", "pair"), np.ones((1, 3)))},
        attrs={"recording": "fmri", "stimuli": "set", "stimuli_sha256": "a" * 64},
    )
    write_dataset(matrices, tmp_path / "fmri.zarr")
    with pytest.raises(InputError, match="recording fmri has dissimilarity matrices"):
        recorded_gram(tmp_path / "fmri.zarr", tmp_path / "gram.zarr")
    responses = two_areas()["responses"].values
    for neuroid in range(7):
        responses[:, neuroid, neuroid] = np.nan
    write_dataset(recording(responses, ["V4"] * 7), tmp_path / "rec.zarr")
    with pytest.raises(InputError, match="no neuroid has responses to all stimuli"):
        recorded_gram(tmp_path / "rec.zarr", tmp_path / "gram.zarr")
    assert not (tmp_path / "gram.zarr").exists()
