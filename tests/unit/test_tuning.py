"""Model neurons of known tuning are recovered from gratings, and layers are compared with V1."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from ventral.configuration.resolution import resolve
from ventral.datasets.goris2015 import FILES, check_folder, read_curves
from ventral.errors import InputError
from ventral.figures.tuning import aligned, draw_tuning, tuning_figure
from ventral.in_silico.tuning import (
    CONTRASTS,
    _screen_of_readout,
    measured,
    sampled_units,
    tuning,
    tuning_of_readouts,
    tuning_table,
)
from ventral.mappings.gabors import gabor
from ventral.models.zoo import resolve_model
from ventral.statistics.claimed import CLAIMS, Evidence
from ventral.statistics.v1 import ALL, PUBLISHED
from ventral.statistics.v1_tuning import tuning_by_layer
from ventral.stimuli.gratings import Screen, draw_gratings, shown_frequencies
from ventral.tables import read_csv, read_parquet, write_parquet

SIDE, DEGREES = 40, 4.0
SCREEN = Screen(SIDE, SIDE, DEGREES, SIDE)
FREQUENCY, ORIENTATION, C50, EXPONENT = 1.5, 60.0, 0.2, 2.0
SHOWN = [0.6, 0.85, 1.2, 1.7, 2.4, 3.4]
NAMED = {"model": "net", "architecture": "net", "family": "pretrained", "recording": "", "degrees": DEGREES}


def filters(size: int, orientation: float, sigma: float) -> np.ndarray:
    """An even and an odd Gabor (2, size, size) whose mean is 0."""
    fit = {"x": 0.0, "y": 0.0, "amplitude": 1.0, "orientation": orientation, "sigma_x": sigma, "sigma_y": sigma}
    fit["frequency"] = FREQUENCY * DEGREES / SIDE
    pair = np.stack([gabor(pd.Series(fit | {"phase": phase}), size, size) for phase in (0.0, 90.0)])
    return pair - pair.mean(axis=(1, 2), keepdims=True)


def cells(pixels: np.ndarray) -> np.ndarray:
    """Responses (n, 6): simple, complex, suppressed, saturating, silent, and complex with a tonic response."""
    image = (pixels[:, 0].astype(float) - 128) / 127
    even, odd = through(image)
    amplitude = np.hypot(even, odd)
    y, x = np.ogrid[:SIDE, :SIDE]
    around = np.hypot(y - SIDE / 2 + 0.5, x - SIDE / 2 + 0.5) > 10
    surround = np.square(image * around).mean(axis=(1, 2))
    drive = amplitude / np.hypot(*through(best_grating()))
    saturating = drive**EXPONENT / (drive**EXPONENT + C50**EXPONENT)
    return np.stack([even, amplitude, amplitude / (1 + 10 * surround), saturating, 0 * even, 3 + amplitude], axis=1)


def through(image: np.ndarray) -> np.ndarray:
    """Products (2, n) of images (n, rows, columns) with the even and the odd Gabor."""
    return np.einsum("nij,kij->kn", image, filters(SIDE, ORIENTATION, 4.0))


def best_grating() -> np.ndarray:
    """The shown grating of full contrast (1, rows, columns) that the cells like best."""
    properties = {"orientation": ORIENTATION, "spatial_frequency": SHOWN[3], "phase": 0.0, "contrast": 1.0}
    pixels = draw_gratings(pd.DataFrame([properties | {"diameter": DEGREES}]), SCREEN)
    return (pixels[:, 0].astype(float) - 128) / 127


@pytest.fixture(scope="module")
def known() -> pd.DataFrame:
    """The table of the model neurons."""
    named = pd.DataFrame({"layer": "cells", "depth": 0.2, "unit": list("abcdef")}).assign(**NAMED)
    frequencies = shown_frequencies(SHOWN, SCREEN)
    tuned = measured(cells, SCREEN, frequencies, named["layer"], 64, "cells")
    return tuning_table(tuned, named, seed=0)


def test_preferences_of_gabors_are_found(known):
    rows = known[(known["kind"] == "unit") & known["responds"]]
    assert rows["unit"].tolist() == list("abcdf")
    assert np.abs(rows["orientation"] - ORIENTATION).max() < 3
    np.testing.assert_allclose(rows["spatial_frequency"][:2], FREQUENCY, rtol=0.1)
    assert rows["selective"].all()
    assert rows["in_order"].all()


def test_simple_complex_suppressed_and_saturating_cells(known):
    unit = known[known["kind"] == "unit"].set_index("unit")
    assert unit.loc["a", "f1_f0"] == pytest.approx(math.pi / 2, rel=0.06)
    assert unit.loc["b", "f1_f0"] < 0.05
    assert unit.loc["b", "suppression"] < 0.05
    assert unit.loc["c", "suppression"] > 0.3
    assert unit.loc["d", "c50"] == pytest.approx(C50, rel=0.1)
    assert unit.loc["d", "contrast_exponent"] == pytest.approx(EXPONENT, rel=0.1)
    # Linear in contrast.
    assert np.isnan(unit.loc["b", "c50"])
    # What a unit does on grey does not count.
    np.testing.assert_allclose(unit.loc["f", "contrast_curve"], unit.loc["b", "contrast_curve"])
    assert len(unit.loc["f", "contrast_curve"]) == len(CONTRASTS)


def test_a_silent_unit_has_no_properties(known):
    silent = known[(known["unit"] == "e")]
    assert not silent[["responds", "selective", "in_order"]].any(axis=None)
    assert silent[["orientation", "circular_variance", "f1_f0", "suppression", "c50"]].isna().all(axis=None)


def test_random_orders_are_rarely_tuned(known):
    shuffled = known[(known["kind"] == "shuffled") & known["responds"]]
    assert len(shuffled) >= 80
    assert shuffled["in_order"].mean() <= 0.06
    assert shuffled["selective"].mean() <= 0.06


def bank():
    """A convolution with Gabors of four orientations."""
    network = nn.Sequential(
        nn.Conv2d(3, 4, 15, padding=7, bias=False), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    weights = np.stack([filters(15, 45.0 * k, 3.0)[0] for k in range(4)])
    with torch.no_grad():
        network[0].weight.copy_(torch.from_numpy(weights)[:, None].expand(-1, 3, -1, -1))
    return network


def test_units_of_a_network_have_the_tuning_of_their_filters(tmp_path):
    options = {"architecture": f"{__name__}:bank", "size": SIDE, "layers": ["0", "1"], "degrees": DEGREES}
    asked = {"degrees": 99, "units": 4, "frequencies": [0.75, 1.5, 2.5, 1.0], "seed": 0, "device": "cpu"}
    tuning(resolve_model("bank", options), tmp_path / "bank.parquet", **asked, batch_size=40)
    table = read_parquet(tmp_path / "bank.parquet")
    units = table[table["kind"] == "unit"]
    assert units.groupby("layer").size().to_dict() == {"0": 4, "1": 4}
    assert (units["degrees"] == DEGREES).all()
    away = (units["orientation"].to_numpy() - np.tile(45.0 * np.arange(4), 2) + 90) % 180 - 90
    assert np.abs(away).max() < 3
    np.testing.assert_allclose(units["f1_f0"], math.pi / 2, rtol=0.06)
    # The centre of the maps.
    middle = SIDE // 2 * SIDE + SIDE // 2
    assert units["unit"].tolist() == [str(k * SIDE**2 + middle) for k in range(4)] * 2


def test_units_are_sampled_in_the_middle_of_maps_and_anywhere_else():
    assert sampled_units((3, 4, 5), 9, 0).tolist() == [12, 32, 52]
    few = sampled_units((100, 3, 3), 7, 0)
    assert len(set(few)) == 7
    assert set(few % 9) == {4}
    assert len(sampled_units((10,), 3, 0)) == 3
    assert sampled_units((2, 3), 99, 0).tolist() == list(range(6))


def test_the_screen_of_a_readout_is_that_of_its_stimuli():
    stimuli = {"modality": "images", "shape": [3, 60, 80], "degrees": 4.0}
    of_model = {"size": 40, "degrees": 8.0}
    screen = _screen_of_readout({"stimuli": stimuli, "model": of_model}, 9.0, "file")
    # Half of the input of 40 pixels.
    assert (screen.degrees, screen.pixels_seen, screen.nyquist, screen.side) == (4, 20, 2.5, 3)
    of_model["degrees"] = None
    assert _screen_of_readout({"stimuli": stimuli, "model": of_model}, 9.0, "file").nyquist == 5
    del stimuli["degrees"]
    assert _screen_of_readout({"stimuli": stimuli, "model": {"size": None}}, 9.0, "file").degrees == 9
    with pytest.raises(InputError, match="file: a readout of sounds, and gratings are images; leave it out"):
        _screen_of_readout({"stimuli": {"modality": "sounds"}, "model": {}}, 9.0, "file")


def test_a_folder_without_readouts_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"no readout LAYER\.zarr\.zip is here"):
        tuning_of_readouts(tmp_path, tmp_path / "out.parquet", degrees=8, frequencies=None, seed=0)


def layer(name: str, depth: float, share: float, seed: int, n: int = 64, **named) -> pd.DataFrame:
    """Units of which a share have the preferences of neurons of V1 and the others none, and shuffled ones."""
    rng = np.random.default_rng(seed)
    columns = {}
    for published in PUBLISHED.values():
        if len(published.columns) == 1:
            place = rng.choice(published.counts.size, n, p=published.shares)
            low, high = published.edges[place], published.edges[place + 1]
            columns[published.columns[0]] = low + (high - low) * rng.uniform(0.01, 0.99, n)
    tuned = np.arange(n) < share * n
    others = ("circular_variance", "orientation_bandwidth", "frequency_bandwidth", "f1_f0", "suppression", "c50")
    curves = {name: [np.ones(4)] * n for name in ("orientation_curve", "frequency_curve")}
    curves |= {"orientations": [np.arange(4) * 45.0] * n, "frequencies": [2.0 ** np.arange(4)] * n}
    own = pd.DataFrame(columns).assign(**dict.fromkeys((*others, "summation_diameter", "contrast_exponent"), 0.5))
    own = own.assign(**curves, **NAMED, layer=name, depth=depth, unit="0", responds=True)
    own = own.assign(**named, kind="unit", selective=tuned, in_order=tuned)
    few = np.arange(n) < 0.05 * n
    return pd.concat([own, own.assign(kind="shuffled", selective=few, in_order=few)], ignore_index=True)


def summarised(folder, *layers: pd.DataFrame) -> pd.DataFrame:
    write_parquet(pd.concat(layers), folder / "units.parquet")
    tuning_by_layer([folder / "units.parquet"], folder / "tuning.csv", 200, 0)
    return read_csv(folder / "tuning.csv")


def test_units_like_neurons_are_similar_and_units_without_tuning_are_not(tmp_path):
    table = summarised(tmp_path, layer("like", 0.2, 1, 0, n=400), layer("unlike", 0.8, 0.05, 1))
    rows = table[table["degrees_times"] == 1].set_index(["layer", "property"])
    for name in ("orientation", "spatial frequency", ALL):
        assert rows.loc[("like", name), "similarity"] > 0.9
        assert rows.loc[("like", name), "similarity_low"] < rows.loc[("like", name), "similarity"]
        assert abs(rows.loc[("unlike", name), "similarity"]) < 0.05
    assert rows.loc[("like", "orientation"), "n_known"] == 400
    assert rows.loc[("unlike", "orientation"), "n_known"] == 4
    assert np.isnan(rows.loc[("like", "orientation"), "median"])
    assert 2 < rows.loc[("like", "spatial frequency"), "median"] < 4
    assert rows.loc[("like", "c50"), ["median", "median_low", "quartile_high"]].eq(0.5).all()
    fields = table[(table["layer"] == "like") & (table["property"] == "spatial frequency")]
    assert fields["similarity"].idxmax() == fields.index[fields["degrees_times"] == 1][0]


CLAIM = "the layer of net whose tuning is most like that of V1 lies at a depth of 0 to 0.4"


@pytest.mark.parametrize(
    ("early", "late", "verdict"), [(0.95, 0.4, "holds"), (0.4, 0.95, "fails"), (0.7, 0.7, "undecided")]
)
def test_the_claim_about_layers_holds_fails_or_is_undecided(tmp_path, early, late, verdict):
    shares = {"a": (0.1, early), "b": (0.3, 0.4), "c": (0.6, 0.3), "d": (1.0, late)}
    layers = [layer(name, *place, seed) for seed, (name, place) in enumerate(shares.items())]
    finding = claimed(tmp_path, *layers)[0]
    assert (finding.claim, finding.verdict, finding.n_units) == (CLAIM, verdict, 64)
    assert finding.low < finding.estimate < finding.high
    assert (finding.p < 0.05) == (verdict != "undecided")


def test_only_layers_of_trained_networks_on_both_sides_are_compared(tmp_path):
    readout = layer("a", 0.1, 1, 0, recording="rec", model="other")
    late, untrained = layer("z", 0.9, 1, 1), layer("a", 0.1, 1, 2, model="random", family="untrained")
    (finding,) = claimed(tmp_path, readout, late, untrained)
    assert (finding.verdict, finding.note) == ("undecided", "no layer inside this range was shown gratings")


def claimed(folder, *layers) -> list:
    evidence = Evidence(influences=None, accuracies=None, seed=0, tuning=summarised(folder, *layers))
    (claim,) = [claim for claim in CLAIMS if "tuning" in claim.name]
    return list(claim.findings(evidence))


def neurons(folder):
    """The two tables of recorded neurons: one unit that likes 45 degrees and 225, and 2 cycles per degree."""
    degrees = np.arange(16) * 22.5
    rate = np.exp(2 * np.cos(2 * np.radians(degrees - 45))) + (degrees < 180)
    orientations = pd.DataFrame({"unit": "u", "area": "V1", "family": 0, "contrast": 0, "orientation_deg": degrees})
    orientations = pd.concat([orientations.assign(rate_hz=rate), orientations.assign(rate_hz=99.0, family=1)])
    orientations.to_csv(folder / FILES[1], index=False)
    frequencies = pd.DataFrame({"unit": "u", "area": "V1", "value": [1, 2, 4], "rate_hz": [3.0, 5.0, 1.0]})
    frequencies.to_csv(folder / FILES[0], index=False)
    return [folder / name for name in FILES]


def test_curves_of_recorded_neurons_are_over_orientations_and_above_the_lowest(tmp_path):
    curves = read_curves(neurons(tmp_path)[::-1])
    of = {name: rows.set_index("x")["rate"] for name, rows in curves.groupby("property")}
    assert of["orientation"].index.tolist() == (np.arange(8) * 22.5).tolist()
    assert of["orientation"].idxmax() == 45
    assert of["orientation"].max() == pytest.approx(np.exp(2) - np.exp(-2))
    assert of["spatial frequency"].to_dict() == {1: 2, 2: 4, 4: 0}


def test_tables_of_recorded_neurons_that_are_missing_or_lack_a_column_are_named(tmp_path):
    neurons(tmp_path)
    pd.DataFrame({"unit": ["u"]}).to_csv(tmp_path / FILES[1])
    with pytest.raises(InputError, match=rf"key: .*{FILES[1]} has no column area; it has Unnamed: 0, unit"):
        check_folder(str(tmp_path), "key")
    (tmp_path / FILES[0]).unlink()
    with pytest.raises(InputError, match=rf"key: .*{FILES[0]} is missing; the folder has"):
        check_folder(str(tmp_path), "key")


def test_curves_are_drawn_around_their_best_grating():
    x, value = aligned(np.arange(4) * 45.0, np.array([1.0, 0, 2, 4]), "orientation")
    assert (x.tolist(), value.tolist()) == ([-90, -45, 0, 45], [0, 0.5, 1, 0.25])
    x, value = aligned(np.array([1.0, 2, 8]), np.array([1.0, 4, 2]), "spatial frequency")
    assert (x.tolist(), value.tolist()) == ([-1, 0, 2], [0.25, 1, 0.5])


def test_the_figure_is_the_same_bytes_each_time_and_its_table_has_the_numbers(tmp_path):
    layers = [layer("a", 0.1, 0.5, 0), layer("b", 0.9, 0.1, 1), layer("b", 0.9, 1, 2, recording="rec")]
    summary = summarised(tmp_path, *layers)
    made = []
    for name in ("one", "two"):
        paths = [tmp_path / f"{name}.{kind}" for kind in ("svg", "pdf", "csv")]
        tuning_figure([tmp_path / "units.parquet"], tmp_path / "tuning.csv", *paths, neurons=neurons(tmp_path))
        made.append([path.read_bytes() for path in paths])
    assert made[0] == made[1]
    numbers = read_csv(tmp_path / "one.csv")
    shares = numbers[(numbers["kind"] == "shares") & (numbers["property"] == "orientation")]
    sums = shares.groupby(["model", "layer", "recording"], dropna=False)["value"].sum().round(3)
    # Shares are of all units, and those of neurons sum to 1.
    assert sums.tolist() == [1.0, 0.5, 1.0, 0.109]
    assert {"V1, u", "a"} <= set(numbers[numbers["kind"] == "curves"]["layer"])
    similar = numbers[numbers["panel"] == "Similarity to V1"]
    expected = summary[(summary["property"] == ALL) & (summary["degrees_times"] == 1)]["similarity"]
    np.testing.assert_allclose(similar["value"], expected)
    assert len(draw_tuning(numbers).axes) == numbers["panel"].nunique() == 14


RECORDING = {"stimuli": "s", "responses": "r.npy", "area": "V1"}


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"models": []}, r"tuning\.models: nothing is shown gratings; name models, or set `readouts: true`"),
        ({"models": ["pixls"]}, r"tuning\.models: no model is called 'pixls'; did you mean `pixels`"),
        ({"models": ["pixels"]}, r"tuning\.models: pixels has no network, and so no units; leave it out"),
        ({"models": [], "readouts": True}, r"tuning\.readouts: no readouts of images are made; name their layers in"),
        ({"models": ["conv1"], "frequencies": [1, 2, 3, 9]}, r"frequencies: 9 cycles per degree; on 64 pixels that .*"),
        ({"models": ["conv1"], "degrees": 60}, r"degrees: the screen of 64 pixels over 60 degrees can show 1 of the"),
        ({"models": ["conv1"], "neurons": "no_folder"}, r"tuning\.neurons: no_folder/sf_tuning\.csv is missing"),
        ({"models": ["conv1"], "units": 1}, r"config key in_silico\.tuning\.units"),
    ],
)
def test_what_is_wrong_with_the_config_is_said(asked, message):
    models = {"pixels": None, "conv1": {"weights": "random", "size": 64}}
    config = {
        "results": "results",
        "stimuli": {"s": {"images": "i"}},
        "recordings": {"r": {"stimuli": "s", "responses": "r.npy", "area": "V1"}},
    }
    with pytest.raises(InputError, match=message):
        resolve(config | {"models": models, "in_silico": {"tuning": asked}})
