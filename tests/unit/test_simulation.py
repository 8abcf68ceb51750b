"""Simulated recordings against what they were made to be: reliability, best layers, ceilings, preferred objects."""

import hashlib

import numpy as np
import pandas as pd
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from tests.messages import message
from ventral.activations.extraction import extract
from ventral.configuration.resolution import check_inputs, resolve
from ventral.errors import InputError
from ventral.grams.streaming import gram
from ventral.models.zoo import resolve_model
from ventral.outputs import writing
from ventral.recordings.ingestion import ingest
from ventral.scores.fitting import fit
from ventral.scores.selectivity import dprime
from ventral.simulation.neurons import (
    FIELDS,
    SPREAD,
    ReceptiveField,
    drive,
    firing_rates,
    map_shape,
    noisy,
    population,
    receptive_field,
    true_reliability,
)
from ventral.simulation.simulation import simulate
from ventral.simulation.teacher import check, describe_teacher, resolve_simulation
from ventral.stimuli.modality import MODALITIES
from ventral.stimuli.store import complete_set, create_set
from ventral.store import read_dataset

NETWORK = """
import torch
from torch import nn


class Tokens(nn.Module):
    def forward(self, maps):
        return maps.flatten(2).transpose(1, 2)


def block(channels_in, channels):
    convolution = nn.Conv2d(channels_in, channels, 3, stride=2, padding=1)
    nn.init.normal_(convolution.weight, std=(2 / (9 * channels_in)) ** 0.5)
    nn.init.normal_(convolution.bias, std=0.5)
    return nn.Sequential(convolution, nn.ReLU())


def make():
    return nn.Sequential(block(3, 16), block(16, 32), block(32, 64), Tokens(), nn.Linear(64, 5))
"""
LAYERS = {"V1": "0", "V4": "1", "IT": "2"}
SIZE = 32
KEY = "recordings.simulated.simulate"


@pytest.fixture(scope="module", autouse=True)
def teacher_is_importable(tmp_path_factory):
    folder = tmp_path_factory.mktemp("modules")
    (folder / "hiddenteacher.py").write_text(NETWORK)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield


def teacher(**options):
    return {"architecture": "hiddenteacher:make", "weights": "random", "seed": 3, "size": SIZE, **options}


def described(areas=None, neuroids=24, models=(), **options):
    """The description of a simulated recording, as the config's checks complete it."""
    areas = {area: {"layer": layer, "neuroids": neuroids} for area, layer in LAYERS.items()} if areas is None else areas
    recording = {"stimuli": "set", "simulate": {"teacher": teacher(), "areas": areas, **options}}
    config = {
        "models": ["pixels", *models],
        "stimuli": {"set": {"images": "x"}},
        "recordings": {"simulated": recording},
    }
    return resolve(config)["recordings"]["simulated"]["simulate"]


def write_set(path, pixels, objects):
    columns = {} if objects is None else {"object": objects}
    table = pd.DataFrame(
        columns, index=pd.Index([f"image{k}" for k in range(len(pixels))], dtype=object, name="stimulus")
    )
    with writing(path) as unfinished:
        create_set(unfinished, table, MODALITIES["images"], pixels.shape[1:])[:] = pixels
        complete_set(unfinished, "set", table, [hashlib.sha256(image).digest() for image in pixels])


@pytest.fixture(scope="module")
def blends(tmp_path_factory):
    """400 images in a space of 12 dimensions, with 8 objects for centres."""
    rng = np.random.default_rng(0)
    n, dimensions = 400, 12
    basis = gaussian_filter(rng.normal(size=(dimensions, 3, SIZE, SIZE)), (0, 0, 2, 2))
    objects = np.arange(n) % 8
    places = rng.normal(size=(8, dimensions))[objects] + rng.normal(size=(n, dimensions))
    blended = np.tensordot(places, basis / basis.std(), axes=1)
    folder = tmp_path_factory.mktemp("blends")
    pixels = np.clip(127 + 55 * blended / np.sqrt(dimensions), 0, 255).astype(np.uint8)
    write_set(folder / "stimuli.zarr", pixels, np.array([f"object{k}" for k in objects]))
    return folder


@pytest.fixture(scope="module")
def simulated(blends):
    """Simulate a recording of the blends under some description, once for each."""

    def run(output="again.zarr", **options):
        options = {"spec": described(**options), "stimuli": blends / "stimuli.zarr", "output": blends / output}
        simulate(**options, name="simulated", cores=1, n_splits=40)
        return read_dataset(blends / output).load()

    return run


@pytest.fixture(scope="module")
def plain(simulated):
    return simulated("plain.zarr", spikes=3, repetitions=6)


@pytest.fixture(scope="module")
def scored(blends):
    """Score layers of the teacher against a recording."""
    for layers in (["0", "1", "2"], ["1"]):
        spec = resolve_model("teacher", teacher(layers=layers))
        name = "".join(layers)
        extract(blends / "stimuli.zarr", spec, 0, 400, blends / f"{name}.zarr", dtype="float32", threads=1)
        gram([blends / f"{name}.zarr"], blends / f"{name}_gram.zarr")

    def run(recording, layers="012"):
        options = {"splits": ["stimuli"], "n_folds": 5, "seed": 0, "n_bootstrap": 100}
        options["penalties"] = np.geomspace(1e-4, 1e2, 7).tolist()
        output = blends / "scores.parquet"
        fit(blends / f"{layers}_gram.zarr", blends / recording, blends / "stimuli.zarr", output, **options)
        return pd.read_parquet(output)

    return run


# The noise


@settings(max_examples=30)
@given(rate=st.floats(0.5, 50), fano=st.floats(0.25, 4), seed=st.integers(0, 2**32 - 1))
def test_responses_have_the_rate_for_mean_and_fano_times_the_rate_for_variance(rate, fano, seed):
    n = 20_000
    responses = noisy(np.array([rate]), n, fano, np.random.default_rng(seed))[:, 0]
    variance = fano * rate
    assert abs(responses.mean() - rate) < 6 * np.sqrt(variance / n)
    # The variance of a sample variance, from the fourth moment of Poisson numbers.
    assert abs(responses.var(ddof=1) - variance) < 6 * variance * np.sqrt((2 + fano / rate) / n)
    np.testing.assert_allclose(responses / fano, np.round(responses / fano), atol=1e-9)


def test_repetitions_are_independent():
    rates = np.full(20_000, 3.0)
    responses = noisy(rates, 4, 1.5, np.random.default_rng(0))
    np.testing.assert_allclose(np.corrcoef(responses), np.eye(4), atol=0.04)


@given(
    rates=st.lists(st.floats(0.01, 100), min_size=3, max_size=20).filter(lambda rates: np.ptp(rates) > 1e-3),
    fano=st.floats(0.1, 10),
    repetitions=st.integers(1, 50),
)
def test_laws_of_true_reliability(rates, fano, repetitions):
    rates = np.array(rates)[:, None]
    rho = true_reliability(rates, fano, repetitions)
    assert 0 < rho < 1
    np.testing.assert_allclose(true_reliability(rates, 2 * fano, repetitions), rho / (2 - rho))
    np.testing.assert_allclose(true_reliability(rates, fano, 2 * repetitions), 2 * rho / (1 + rho))
    # Responses in another unit are as reliable.
    np.testing.assert_allclose(true_reliability(10 * rates, 10 * fano, repetitions), rho)


def test_true_reliability_is_the_square_of_the_correlation_of_rates_and_mean_responses():
    rng = np.random.default_rng(0)
    rates = firing_rates(rng.normal(size=50_000), 2.0)
    means = noisy(rates, 3, 1.5, rng).mean(axis=0)
    rho = true_reliability(rates[:, None], 1.5, 3)[0]
    assert 0.2 < rho < 0.8
    assert np.corrcoef(rates, means)[0, 1] ** 2 == pytest.approx(rho, abs=0.01)


# What neurons read


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((6, 4, 5), (6, 4, 5)), ((5, 5, 9), (9, 5, 5)), ((5, 5, 5), (5, 5, 5)), ((7, 9), (9, 7, 1)), ((9,), (9, 1, 1))],
)
def test_axes_of_layers(shape, expected):
    assert map_shape(shape) == expected


@pytest.mark.parametrize("shape", [(6, 8, 8), (8, 8, 6), (64, 6), (6,)])
def test_a_whole_field_reads_the_mean_of_every_channel(shape):
    rng = np.random.default_rng(0)
    outputs = rng.normal(size=(30, *shape))
    means = outputs.reshape(30, -1, 6).mean(axis=1) if shape[-1] == 6 else outputs.mean(axis=(2, 3))
    area = {"neuroids": 3, "field": 1.0}
    _, rates = population(outputs.reshape(30, -1), shape, None, "IT", area, spikes=5, seed=1)
    _, expected = population(means, (6,), None, "IT", area, spikes=5, seed=1)
    np.testing.assert_allclose(rates, expected)


@given(
    shape=st.tuples(st.integers(1, 40), st.integers(1, 20), st.integers(1, 20)),
    share=st.floats(0.01, 1),
    seed=st.integers(0, 1000),
)
def test_receptive_fields_are_squares_of_the_map(shape, share, seed):
    field = receptive_field(shape, share, np.random.default_rng(seed))
    channels, rows, columns = shape
    assert 0 <= field.top <= rows - field.height
    assert 0 <= field.left <= columns - field.width
    assert abs(field.height - share * rows) <= max(0.5, 1 - share * rows)
    expected = channels if share == 1 else max(1, round(np.sqrt(channels)))
    assert len(set(field.channels)) == len(field.channels) == expected
    assert list(field.channels) == sorted(field.channels)


def test_signals_are_means_over_the_field():
    maps = np.random.default_rng(0).normal(size=(5, 4, 6, 7)).astype(np.float32)
    signals = ReceptiveField(channels=(1, 3), top=2, left=4, height=2, width=3).signals(maps)
    for stimulus in range(5):
        for k, channel in enumerate((1, 3)):
            values = [float(maps[stimulus, channel, i, j]) for i in (2, 3) for j in (4, 5, 6)]
            assert signals[stimulus, k] == pytest.approx(sum(values) / 6)


def test_drive_goes_towards_the_preferred_object():
    rng = np.random.default_rng(0)
    signals = rng.normal(size=(200, 10))
    belongs = np.arange(200) < 40
    signals[belongs] += 0.6 * rng.normal(size=10)
    driven = drive(signals, belongs, np.random.default_rng(1))
    assert (driven.mean(), driven.var()) == pytest.approx((0, 1))
    standardised = (signals - signals.mean(axis=0)) / signals.std(axis=0)
    projection = standardised @ standardised[belongs].mean(axis=0)
    assert np.corrcoef(driven, projection)[0, 1] == pytest.approx(0.8, abs=0.1)
    without = drive(signals, None, np.random.default_rng(1))
    assert np.corrcoef(without, projection)[0, 1] < 0.6


@pytest.mark.filterwarnings("error")
def test_what_does_not_vary_drives_nothing():
    assert (drive(np.full((9, 3), 0.1), None, np.random.default_rng(0)) == 0).all()
    table, rates = population(np.full((9, 3), 0.1), (3,), None, "IT", {"neuroids": 2, "field": 1.0}, spikes=4, seed=0)
    assert (np.ptp(rates, axis=0) == 0).all()
    np.testing.assert_allclose(true_reliability(rates, 1.0, 5), 0, atol=1e-20)
    np.testing.assert_allclose(table["mean_rate"], rates[0])


def test_mean_rates_are_lognormal_with_the_mean_that_is_asked():
    features = np.random.default_rng(0).normal(size=(20, 4))
    area = {"neuroids": 3000, "field": 1.0}
    table, rates = population(features, (4,), None, "IT", area, spikes=7, seed=0)
    np.testing.assert_allclose(table["mean_rate"], rates.mean(axis=0))
    assert rates.min() > 0
    logarithms = np.log(table["mean_rate"])
    assert table["mean_rate"].mean() == pytest.approx(7, abs=6 * 7 * SPREAD / np.sqrt(3000))
    assert logarithms.std() == pytest.approx(SPREAD, rel=0.1)
    assert abs(((logarithms - logarithms.mean()) ** 3).mean() / logarithms.std() ** 3) < 0.3


# Known answers


def test_the_store_is_that_of_a_recording_which_says_that_it_is_simulated(plain, blends):
    assert plain["responses"].dims == ("repetition", "stimulus", "neuroid")
    assert plain["responses"].shape == (6, 400, 72)
    assert plain["rates"].dims == ("stimulus", "neuroid")
    assert plain.attrs["simulated"] is True
    assert plain.attrs["recording"] == "simulated"
    assert plain.attrs["stimuli_sha256"] == read_dataset(blends / "stimuli.zarr").attrs["sha256"]
    assert plain.attrs["n_repetitions"] == 6
    assert list(dict.fromkeys(plain["area"].values)) == ["simulated V1", "simulated V4", "simulated IT"]
    assert plain["neuroid"].values[[0, -1]].tolist() == ["simulated_V1_0001", "simulated_IT_0024"]
    np.testing.assert_allclose(plain["mean_rate"], plain["rates"].mean("stimulus"))
    np.testing.assert_allclose(plain["true_reliability"], true_reliability(plain["rates"].values, 1.0, 6))
    prefers = plain["preferred_object"].values != ""
    assert (prefers == (plain["area"].values == "simulated IT")).all()
    # The teacher's layers are gone.
    assert not [path for path in blends.iterdir() if path.name.startswith(".")]


def test_responses_scatter_about_the_rates(plain):
    excess = (plain["responses"] - plain["rates"]) / np.sqrt(plain["rates"])
    assert float(excess.mean()) == pytest.approx(0, abs=0.01)
    assert float(excess.var()) == pytest.approx(1, abs=0.02)


def test_estimated_reliability_is_the_true_one(plain):
    true, estimated = plain["true_reliability"].values, plain["reliability"].values
    assert 0.4 < true.min() < 0.8 < true.max()
    assert np.corrcoef(true, estimated)[0, 1] > 0.98
    error = estimated - true
    assert abs(error.mean()) < 4 * error.std() / np.sqrt(len(error))
    assert np.abs(error).mean() < 0.02


def test_twice_the_noise_lowers_reliability_and_r_but_not_predictivity(simulated, scored, plain):
    areas = {"V4": {"layer": "1", "neuroids": 24}}
    noisier = simulated("noisier.zarr", areas=areas, spikes=3, repetitions=6, fano=8.0)
    noise = simulated("noise.zarr", areas=areas, spikes=3, repetitions=6, fano=4.0)
    np.testing.assert_array_equal(noise["rates"], plain["rates"].values[:, plain["area"] == "simulated V4"])
    np.testing.assert_array_equal(noise["rates"], noisier["rates"])
    rho = noise["true_reliability"]
    np.testing.assert_allclose(noisier["true_reliability"], rho / (2 - rho))
    rho = noise["reliability"].values
    assert noisier["reliability"].values.mean() == pytest.approx((rho / (2 - rho)).mean(), abs=0.03)

    scores = {
        name: scored(f"{name}.zarr", "1").query("target_kind == 'neuron'").set_index("target")
        for name in ("noise", "noisier")
    }
    fallen = scores["noisier"]["r"] / scores["noise"]["r"]
    expected = np.sqrt(noisier["true_reliability"].values / noise["true_reliability"].values)
    assert expected.mean() < 0.9
    # Weights are fitted to noisier responses, too, and so predict a little worse.
    assert fallen.mean() == pytest.approx(expected.mean(), abs=0.06)
    predictivity = [scores[name]["predictivity"].median() for name in ("noise", "noisier")]
    assert predictivity[1] == pytest.approx(predictivity[0], abs=0.06)


def test_twice_the_repetitions_follow_spearman_and_brown(simulated, plain):
    doubled = simulated(spikes=3, repetitions=12)
    np.testing.assert_array_equal(doubled["responses"][:6], plain["responses"])
    rho = plain["true_reliability"]
    np.testing.assert_allclose(doubled["true_reliability"], 2 * rho / (1 + rho))
    rho = plain["reliability"].values
    np.testing.assert_allclose(doubled["reliability"], 2 * rho / (1 + rho), atol=0.06)
    assert doubled["reliability"].values.mean() == pytest.approx((2 * rho / (1 + rho)).mean(), abs=0.01)


def test_the_layer_that_an_area_is_made_of_predicts_it_best_and_close_to_the_ceiling(simulated, scored):
    simulated("best.zarr", neuroids=40)
    table = scored("best.zarr").query("target_kind == 'neuron'")
    assert table["simulated"].all()
    for area, layer in LAYERS.items():
        of_area = table[table["area"] == f"simulated {area}"]
        by_neuron = of_area.pivot(index="target", columns="layer", values="predictivity")
        assert by_neuron.median().idxmax() == layer
        # The threshold and the power are not linear, and so keep it below 1.
        assert 0.8 < by_neuron[layer].median() < 1
        for other in set(LAYERS.values()) - {layer}:
            gain = by_neuron[layer] - by_neuron[other]
            assert gain.mean() > 2 * gain.std() / np.sqrt(len(gain))


def test_twice_the_neurons_are_the_same_and_as_many_more(simulated, plain):
    doubled = simulated(neuroids=48, spikes=3, repetitions=6)
    for area in LAYERS:
        few, many = (data.isel(neuroid=data["area"].values == f"simulated {area}") for data in (plain, doubled))
        for variable in ("responses", "rates", "reliability", "preferred_object", "neuroid"):
            np.testing.assert_array_equal(many[variable].isel(neuroid=slice(24)), few[variable])
        more = many["reliability"].values[24:]
        # The standard error of the difference of two medians of normal samples.
        error = 1.2533 * np.sqrt((few["reliability"].var() + more.var()) / 24)
        assert abs(np.median(few["reliability"]) - np.median(more)) < 3 * error
        assert len(np.unique(many["rates"].values, axis=1).T) == 48


def test_a_neuron_does_not_depend_on_other_areas_but_on_the_seed(simulated, plain):
    alone = simulated(areas={"IT": {"layer": "2", "neuroids": 5}}, spikes=3, repetitions=6)
    of_it = plain.isel(neuroid=plain["area"].values == "simulated IT").isel(neuroid=slice(5))
    np.testing.assert_array_equal(alone["responses"], of_it["responses"])
    other = simulated(areas={"IT": {"layer": "2", "neuroids": 5}}, spikes=3, repetitions=6, seed=1)
    assert np.corrcoef(other["rates"].T, alone["rates"].T)[:5, 5:].max() < 0.999


def test_neurons_of_a_whole_field_prefer_their_object_and_local_ones_hardly_any(tmp_path):
    # Objects are patches of noise, anywhere in the image: no place tells them apart.
    rng = np.random.default_rng(0)
    patches = gaussian_filter(rng.normal(size=(6, 3, 10, 10)), (0, 0, 1, 1))
    patches = 70 * patches / patches.std(axis=(1, 2, 3), keepdims=True)
    kinds = np.arange(300) % 6
    pixels = np.full((300, 3, SIZE, SIZE), 127.0)
    for image, kind in zip(pixels, kinds, strict=True):
        top, left = rng.integers(SIZE - 10, size=2)
        image[:, top : top + 10, left : left + 10] += patches[kind]
    objects = np.array([f"object{k}" for k in kinds])
    write_set(tmp_path / "stimuli.zarr", np.clip(pixels, 0, 255).astype(np.uint8), objects)
    simulate(described(neuroids=30), tmp_path / "stimuli.zarr", tmp_path / "out.zarr", name="simulated", cores=1)
    recording = read_dataset(tmp_path / "out.zarr")
    rates = recording["rates"].values
    to_each = np.array([dprime(rates, objects == kind) for kind in np.unique(objects)])
    area, preferred = recording["area"].values, recording["preferred_object"].values
    of_it = np.flatnonzero(area == "simulated IT")
    rows = np.searchsorted(np.unique(objects), preferred[of_it].astype(str))
    own = to_each[rows, of_it]
    others = (to_each[:, of_it].sum(axis=0) - own) / 5
    assert (own > 0.5).all()
    assert np.median(own) > 1
    assert np.median(others) < 0
    # Even the best of six objects stands out little at one place.
    assert np.median(to_each[:, area == "simulated V1"].max(axis=0)) < 0.3 * np.median(own)


@pytest.mark.parametrize("objects", [None, np.full(40, "the only one")])
def test_without_several_objects_none_is_preferred(tmp_path, objects):
    pixels = np.random.default_rng(0).integers(0, 255, (40, 3, SIZE, SIZE), dtype=np.uint8)
    write_set(tmp_path / "stimuli.zarr", pixels, objects)
    simulate(described(neuroids=2), tmp_path / "stimuli.zarr", tmp_path / "out.zarr", name="simulated", cores=1)
    recording = read_dataset(tmp_path / "out.zarr")
    assert set(recording["preferred_object"].values) == {""}
    assert (recording["rates"].std("stimulus") > 0).all()


def test_pixels_and_layers_without_a_map_can_be_read(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (20, 3, SIZE, SIZE), dtype=np.uint8)
    write_set(tmp_path / "stimuli.zarr", pixels, None)
    areas = {"IT": {"layer": "4", "neuroids": 3}, "FST": {"layer": "1", "neuroids": 2, "field": 0.5}}
    simulate(described(areas), tmp_path / "stimuli.zarr", tmp_path / "out.zarr", name="simulated", cores=1)
    areas = {"V1": {"layer": "pixels", "neuroids": 3}}
    spec = resolve_simulation({**described(areas), "teacher": "pixels"}, {}, "simulated")
    simulate(spec, tmp_path / "stimuli.zarr", tmp_path / "pixels.zarr", name="simulated")
    for store, neurons in (("out", 5), ("pixels", 3)):
        recording = read_dataset(tmp_path / f"{store}.zarr")
        assert recording.sizes["neuroid"] == neurons
        assert (recording["true_reliability"] > 0.3).all()


def test_bins_of_time_read_their_own_layers(tmp_path):
    """Of a single layer all bins have the rates of a recording without bins, and each its own noise."""
    pixels = np.random.default_rng(0).integers(0, 255, (20, 3, SIZE, SIZE), dtype=np.uint8)
    write_set(tmp_path / "stimuli.zarr", pixels, np.array(["a", "b"] * 10))
    bins = {"time_bins": [[0, 20], [20, 40]]}
    areas = {"IT": {"layer": ["2", "1"], "neuroids": 3}, "V4": {"layer": "1", "neuroids": 2}}
    alone = {area: {"layer": layer, "neuroids": 3} for area, layer in (("IT", "1"), ("V4", "1"))}
    for name, spec in {"bins": described(areas, **bins), "alone": described(alone)}.items():
        simulate(spec, tmp_path / "stimuli.zarr", tmp_path / f"{name}.zarr", name="simulated", n_splits=5)
    timed, untimed = (read_dataset(tmp_path / f"{name}.zarr") for name in ("bins", "alone"))
    assert timed["responses"].dims == ("repetition", "stimulus", "neuroid", "time_bin")
    assert timed["time_bin"].values.tolist() == ["0-20", "20-40"]
    assert timed.attrs["simulated"] is True
    rates, expected = timed["rates"].values, untimed["rates"].values
    np.testing.assert_allclose(rates[:, :3, 1], expected[:, :3])
    np.testing.assert_allclose(rates[:, 3:], np.repeat(expected[:, 3:5, None], 2, axis=2))
    assert not np.isclose(rates[:, :3, 0], rates[:, :3, 1]).all(axis=0).any()
    responses = timed["responses"].values
    assert (responses[..., 0] != responses[..., 1]).any(axis=(0, 1)).all()
    assert np.array_equal(responses[:, :, 3:, 0], untimed["responses"].values[:, :, 3:5])
    np.testing.assert_allclose(timed["true_reliability"], true_reliability(rates, 1.0, 10))
    np.testing.assert_allclose(timed["mean_rate"], rates.mean(axis=(0, 2)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, r"areas.IT.layer: 2 layers for 0 `time_bins`; name one layer for each bin"),
        ({"time_bins": [[0, 20], [20, 40], [40, 60]]}, r"areas.IT.layer: 2 layers for 3 `time_bins`"),
        ({"time_bins": [[0, 20], [40, 20]]}, r"simulate.time_bins: bin 2 is from 40 to 20 ms"),
    ],
)
def test_layers_of_bins_are_as_many_as_the_bins(options, message):
    with pytest.raises(InputError, match=message):
        described({"IT": {"layer": ["1", "2"], "neuroids": 2}}, **options)


def test_measured_responses_are_not_simulated(blends, scored, plain, tmp_path):
    np.save(tmp_path / "responses.npy", plain["responses"].values.transpose(2, 1, 0)[:3])
    spec = {"stimuli": "set", "responses": str(tmp_path / "responses.npy")}
    ingest(spec, blends / "stimuli.zarr", blends / "measured.zarr", name="rec")
    measured = scored("measured.zarr", "1")
    assert not measured["simulated"].any()
    assert len(measured)


# What is wrong is said


def test_the_teacher_is_completed_as_a_model_is():
    spec = described({"V1": {"layer": "0", "neuroids": 2}, "MT": {"layer": "0", "neuroids": 2, "field": 0.5}})
    assert spec["teacher"] == {**resolve_model("teacher", teacher()), "name": "teacher"}
    assert (spec["areas"]["V1"]["field"], spec["areas"]["MT"]["field"]) == (FIELDS["V1"], 0.5)
    assert (spec["repetitions"], spec["fano"], spec["spikes"], spec["seed"]) == (10, 1.0, 10, 0)
    assert resolve_simulation({**spec, "teacher": "resnet50_random"}, {}, "simulated")["teacher"]["weights"] == "random"


def configured(tmp_path, simulation, name="simulated_rec", models=("pixels",), **options):
    """A config of 12 images, and what is simulated of them."""
    (tmp_path / "images").mkdir(exist_ok=True)
    from PIL import Image

    for k in range(12):
        Image.new("RGB", (8, 8)).save(tmp_path / "images" / f"image{k}.png")
    areas = {"V1": {"layer": "0", "neuroids": 2}}
    simulation = {"teacher": teacher(), "areas": areas} | simulation
    return {
        "results": str(tmp_path / "results"),
        "stimuli": {"mine": {"images": str(tmp_path / "images")}},
        "recordings": {name: {"stimuli": "mine", "simulate": simulation, **options}},
        "models": models if isinstance(models, dict) else list(models),
    }


PLACE = "recordings.simulated_rec.simulate"


@pytest.mark.parametrize(
    ("simulation", "expected"),
    [
        ({"teacher": "efficientnet_lite9"}, f"{PLACE}.teacher.architecture: no model is called 'efficientnet_lite9'"),
        ({"teacher": teacher(architecture="no_module:make")}, f"{PLACE}.teacher.architecture: the module no_module"),
        ({"teacher": teacher(wieghts="random")}, f"{PLACE}.teacher: unknown option `wieghts`; did you mean `weights`?"),
        ({"teacher": teacher(size=0)}, f"{PLACE}.teacher.size: 0 is less than the minimum of 1"),
        ({"teacher": teacher(weights="best.pth")}, f"{PLACE}.teacher.weights: no such file: best.pth"),
        ({"teacher": {"weights": "random"}}, f"{PLACE}.teacher.architecture: missing; a teacher is the name"),
        ({"teacher": teacher(layers=["0"])}, f"{PLACE}.teacher.layers: a teacher does not have this option"),
        ({"teacher": ["conv2"]}, f"{PLACE}.teacher: "),
        ({"areas": {}}, f"{PLACE}.areas: "),
        ({"areas": {"V1": {"neuroids": 2}}}, f"missing key in `{PLACE}.areas.V1`: layer"),
        ({"areas": {"V1": {"layer": "0"}}}, f"missing key in `{PLACE}.areas.V1`: neuroids"),
        ({"areas": {"V1": {"layer": "0", "neuroids": 0}}}, f"{PLACE}.areas.V1.neuroids: 0 is less than the minimum"),
        ({"areas": {"V1": {"layer": "*", "neuroids": 2}}}, f"{PLACE}.areas.V1.layer: '*' stands for several layers"),
        ({"areas": {"MT": {"layer": "0", "neuroids": 2}}}, f"{PLACE}.areas.MT.field: missing; "),
        ({"areas": {"V1": {"layer": "0", "neuroids": 2, "field": 0}}}, f"{PLACE}.areas.V1.field: 0 is less than"),
        ({"areas": {"V1": {"layer": "0", "neuroids": 2, "field": 2}}}, f"{PLACE}.areas.V1.field: 2 is greater than"),
        ({"fano": 0}, f"{PLACE}.fano: 0 is less than the minimum of 0.001"),
        ({"fano": -1.0}, f"{PLACE}.fano: -1.0 is less than the minimum of 0.001"),
        ({"spikes": 0}, f"{PLACE}.spikes: 0 is less than"),
        ({"repetitions": 0}, f"{PLACE}.repetitions: 0 is less than the minimum of 1"),
        ({"noise": 2}, f"unknown key `noise` in `{PLACE}`"),
    ],
)
def test_wrong_descriptions_are_said_before_any_work(tmp_path, simulation, expected):
    config = configured(tmp_path, simulation)
    assert expected in message(lambda: check_inputs(resolve(config)))


def test_a_good_description_passes(tmp_path):
    check_inputs(resolve(configured(tmp_path, {})))


def test_a_name_that_hides_what_it_is_is_refused(tmp_path):
    said = message(resolve, configured(tmp_path, {}, name="monkey1"))
    assert said.startswith("config key recordings.monkey1: the name of a recording made with `simulate` must contain")
    assert said.endswith("rename the recording to `simulated_monkey1`")


@pytest.mark.parametrize(
    ("model", "is_teacher"),
    [
        (teacher(), True),
        (teacher(size=16, layers=["1"]), True),
        (teacher(seed=4), False),
        (teacher(weights="pretrained"), False),
        (teacher(architecture="hiddenteacher:other"), False),
    ],
)
def test_the_teacher_is_not_among_the_models(tmp_path, model, is_teacher):
    config = configured(tmp_path, {}, models={"pixels": None, "student": model})
    if is_teacher:
        said = message(resolve, config)
        assert said.startswith(
            f"config key {PLACE}.teacher: the model `student` is the same network, hiddenteacher:make"
        )
        assert "Take `student` out of `models`" in said
    else:
        resolve(config)


@pytest.mark.parametrize(("seed", "is_teacher"), [(3, True), (4, False)])
def test_the_teacher_is_no_network_before_its_training(tmp_path, seed, is_teacher):
    training = {"stimuli": "others", "label": "object", "epochs": 2, "checkpoints": [0, 1]}
    student = {"architecture": "conv2", "seed": seed, "train": training}
    config = configured(tmp_path, {"teacher": {"architecture": "conv2", "seed": 3}}, models={"student": student})
    config["stimuli"]["others"] = {"render": {}}
    if is_teacher:
        assert f"{PLACE}.teacher: the model `student.epoch0` is the same network" in message(resolve, config)
    else:
        assert "student.epoch1" in resolve(config)["models"]


def test_a_checkpoint_is_the_same_wherever_it_lies():
    spec = described()
    one, other = (
        teacher(weights=f"{folder}/best.pth", sha256=digest * 64) for folder, digest in (("a", "a"), ("b", "A"))
    )
    models = {"student": resolve_model("student", one)}
    assert "`student` is the same network" in message(
        resolve_simulation, {**spec, "teacher": other}, models, "simulated"
    )
    resolve_simulation({**spec, "teacher": other | {"sha256": "c" * 64}}, models, "simulated")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"responses": "a.npy"}, "it has responses and simulate; a recording has one of: `responses`"),
        ({"area": "V4"}, ".area: belongs to `responses`; `simulate` has its own `areas`"),
        ({"neuroids": "a.csv"}, ".neuroids: belongs to `responses`"),
    ],
)
def test_a_recording_is_measured_or_simulated(tmp_path, options, expected):
    assert expected in message(resolve, configured(tmp_path, {}, **options))


def test_unknown_layers_are_said_with_their_neighbours(tmp_path):
    spec = described({"V1": {"layer": "0", "neuroids": 2}, "IT": {"layer": "2.9", "neuroids": 2}})
    said = message(describe_teacher, spec, tmp_path / "teacher.json", name="simulated")
    assert said.startswith(f"{KEY}.areas.IT.layer: hiddenteacher:make has no layer '2.9'; the nearest are")
    assert "2.0" in said
    assert list(tmp_path.iterdir()) == []
    describe_teacher(described(), tmp_path / "teacher.json", name="simulated")
    assert '"available"' in (tmp_path / "teacher.json").read_text()


def test_a_teacher_that_cannot_be_made_is_said_in_its_place(tmp_path):
    spec = resolve_simulation({**described(), "teacher": teacher(architecture="hiddenteacher:none")}, {}, "simulated")
    said = message(describe_teacher, spec, tmp_path / "teacher.json", name="simulated")
    assert said.startswith(f"{KEY}.teacher.architecture: the module hiddenteacher has no 'none'; the nearest in ")


def test_parts_of_a_map_need_a_layer_with_a_map(blends):
    spec = described({"V1": {"layer": "4", "neuroids": 2}})
    said = message(simulate, spec, blends / "stimuli.zarr", blends / "none.zarr", name="simulated", cores=1)
    assert said.startswith(
        f"{KEY}.areas.V1.layer: '4' has no map of channels, rows and columns (its output is (16, 5))"
    )
    assert not [path for path in blends.iterdir() if "none" in path.name]


def test_a_killed_job_leaves_nothing_that_the_next_one_minds(blends, simulated, plain):
    left = blends / ".again.zarr.teacher"
    zarr.open_group(left, mode="w").create_array("0", data=np.zeros(3))
    again = simulated(spikes=3, repetitions=6)
    np.testing.assert_array_equal(again["responses"], plain["responses"])
    assert not left.exists()


def test_a_missing_checkpoint_is_said_in_its_place():
    spec = resolve_simulation({**described(), "teacher": teacher(weights="gone.pth")}, {}, "simulated")
    assert message(check, spec, KEY) == f"{KEY}.teacher.weights: no such file: gone.pth"
