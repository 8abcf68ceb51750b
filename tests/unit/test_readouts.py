"""Readouts predict what a direct fit predicts, for stimuli that are not there when they are made, and refuse others."""

import logging
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from PIL import Image
from sklearn.linear_model import Ridge

import ventral
from ventral.__main__ import main
from ventral.activations.extraction import extract_shards
from ventral.audit.comparison import difference
from ventral.configuration.resolution import check_inputs, readouts_of, resolve
from ventral.errors import InputError
from ventral.grams.streaming import gram
from ventral.models.description import build, describe, preprocess
from ventral.models.zoo import on_stimuli, resolve_model
from ventral.readouts import making
from ventral.readouts.making import best_places, readout, ridge_scores, taken_layers
from ventral.scores.fitting import fit
from ventral.statistics.best_layers import best_layers_of
from ventral.statistics.summaries import read_scores
from ventral.stimuli.images import read_pixels
from ventral.stimuli.ingestion import ingest
from ventral.store import open_store, read_dataset, write_dataset

N, NEW, SIDE = 60, 20, 18
LAYERS = ["0", "2", "5"]
MODULE = """
import torch
from torch import nn

def make():
    return nn.Sequential(
        nn.Conv2d(3, 6, 5, stride=2), nn.ReLU(), nn.Conv2d(6, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(128, 9)
    )
"""
PRECISION = {"dtype": "float16", "autocast": None, "channels_last": True}
FITTED = {"penalties": [1e-3, 1e-1, 10.0], "reliability_threshold": 0.1, "n_folds": 4, "seed": 0}
# Weights that are read from a layer: areas X and Y are linear functions of two layers.
AREAS = ["X"] * 3 + ["Y"] * 3


def images(n: int, seed: int) -> np.ndarray:
    """Smooth colour images (n, height, width, 3) of bytes."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 255, (n, 4, 4, 3), dtype=np.uint8)
    return np.stack([np.asarray(Image.fromarray(image).resize((SIDE, SIDE))) for image in small])


def features(spec: dict, layer: str, pixels: np.ndarray) -> np.ndarray:
    """Features (n, p) of a layer by a plain forward pass, in float64."""
    network = build(spec)
    with torch.inference_mode():
        shown = preprocess(torch.from_numpy(pixels), spec)
        return network[: int(layer) + 1](shown).flatten(1).double().numpy()


class Made:
    """Stores of stimuli, of a network's features and Gram matrices, and of neurons that are functions of layers."""

    def __init__(self, folder: Path, spec: dict, **of_set: object) -> None:
        self.folder, self.spec, self.of_set = folder, spec, of_set
        (folder / "images").mkdir()
        for k, image in enumerate(images(N, 0)):
            Image.fromarray(image).save(folder / "images" / f"image{k}.png")
        ingest({"images": str(folder / "images"), **of_set}, folder / "stimuli.zarr", name="mine")
        self.pixels = read_pixels(folder / "stimuli.zarr", 0, N)
        rng = np.random.default_rng(1)
        values = {layer: features(on_stimuli(spec, of_set), layer, self.pixels) for layer in ("2", "5")}
        signal = np.concatenate([x @ rng.normal(size=(x.shape[1], 3)) for x in values.values()], axis=1)
        self.signal = signal / signal.std(axis=0) + 2
        self.write_recording()
        precision = {**PRECISION, "device": "cpu"}
        extract_shards(folder / "stimuli.zarr", spec, {0: (0, 25), 1: (25, N)}, folder / "features", **precision)
        gram([folder / "features"], folder / "gram.zarr.zip")
        shutil.copytree(folder / "features", folder / "parts")
        self.score()

    def write_recording(self, missing: int = 0) -> None:
        noise = 0.3 * np.random.default_rng(2).normal(size=(4, N, 6))
        self.responses = self.signal + noise
        self.responses[:, :missing, 0] = np.nan
        names = {"neuroid": np.array([f"n{k}" for k in range(6)], object), "area": ("neuroid", np.array(AREAS, object))}
        names["stimulus"] = read_dataset(self.folder / "stimuli.zarr")["stimulus"].values
        known = {"reliability": ("neuroid", np.full(6, 0.9)), "left_out": ("neuroid", np.full(6, "", object))}
        values = {"responses": (("repetition", "stimulus", "neuroid"), self.responses)}
        sha256 = read_dataset(self.folder / "stimuli.zarr").attrs["sha256"]
        attributes = {"recording": "rec", "stimuli": "mine", "stimuli_sha256": sha256, "has_repetitions": True}
        write_dataset(xr.Dataset({**values, **known}, names, attributes), self.folder / "recording.zarr")

    def score(self) -> None:
        stores = [self.folder / name for name in ("gram.zarr.zip", "recording.zarr", "stimuli.zarr", "scores.parquet")]
        fit(*stores, splits=["stimuli"], n_bootstrap=100, **FITTED)

    def readouts(self, output: str, layers: object = "all", **changed: object) -> Path:
        inputs = [self.folder / name for name in ("gram.zarr.zip", "recording.zarr", "stimuli.zarr", "scores.parquet")]
        options = {"spec": self.spec, **PRECISION, **FITTED, **changed}
        readout([self.folder / "parts"], *inputs, self.folder / output, layers=layers, **options)
        return self.folder / output


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """The name of the module of one's own network."""
    folder = tmp_path_factory.mktemp("module")
    (folder / "net_read_out.py").write_text(MODULE)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield "net_read_out"
    sys.modules.pop("net_read_out", None)


@pytest.fixture(scope="module")
def made(own, tmp_path_factory):
    options = {"architecture": f"{own}:make", "size": 16, "layers": LAYERS, "seed": 3}
    run = Made(tmp_path_factory.mktemp("made"), resolve_model("net", options))
    run.readouts("readouts")
    return run


@pytest.fixture
def loaded(made):
    return ventral.load_readout(made.folder / "readouts" / "5.zarr.zip")


def direct(made: Made, layer: str, pixels: np.ndarray) -> np.ndarray:
    """What scikit-learn predicts (n, neuroids), fitted to features of a plain forward pass, at the same penalties."""
    fitted = ventral.load_readout(made.folder / "readouts" / f"{layer}.zarr.zip").neuroids
    spec = on_stimuli(made.spec, made.of_set)
    x, new = (features(spec, layer, shown) for shown in (made.pixels, pixels))
    y = made.responses.mean(axis=0)
    fits = [Ridge(alpha=row.penalty, solver="svd").fit(x, y[:, k]) for k, row in enumerate(fitted.itertuples())]
    return np.stack([one.predict(new) for one in fits], axis=1)


# float16 features differ from those of a plain pass by up to 2^-11 of their size.
@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("seed", [0, 9])
def test_predictions_are_a_direct_fit_s(made, layer, seed):
    pixels = images(N, 0) if seed == 0 else images(NEW, seed)
    predicted = ventral.load_readout(made.folder / "readouts" / f"{layer}.zarr.zip").predict(pixels)
    expected = direct(made, layer, pixels.transpose(0, 3, 1, 2))
    assert np.abs((predicted.values - expected) / expected.std(axis=0)).max() < 2e-3


@pytest.fixture(scope="module")
def precise(made, tmp_path_factory):
    """The same with features in float32."""
    folder = tmp_path_factory.mktemp("precise")
    shutil.copytree(made.folder, folder / "made")
    run = Made.__new__(Made)
    run.__dict__.update(made.__dict__, folder=folder / "made")
    shutil.rmtree(run.folder / "parts")
    precision = {**PRECISION, "dtype": "float32", "device": "cpu"}
    stimuli = run.folder / "stimuli.zarr"
    extract_shards(stimuli, run.spec, {0: (0, 11), 1: (11, N)}, run.folder / "parts", **precision)
    gram([run.folder / "parts"], run.folder / "gram.zarr.zip")
    run.score()
    shutil.rmtree(run.folder / "readouts")
    run.readouts("readouts", dtype="float32")
    return run


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("seed", [0, 9])
def test_within_a_ten_thousandth_of_a_standard_deviation(precise, layer, seed):
    pixels = images(N, 0) if seed == 0 else images(NEW, seed)
    predicted = ventral.load_readout(precise.folder / "readouts" / f"{layer}.zarr.zip").predict(pixels)
    expected = direct(precise, layer, pixels.transpose(0, 3, 1, 2))
    assert np.abs((predicted.values - expected) / expected.std(axis=0)).max() < 1e-4


def test_new_images_of_the_neurons_own_layer_are_predicted(precise):
    new = images(NEW, 9)
    rng = np.random.default_rng(1)
    x = {layer: features(precise.spec, layer, precise.pixels) for layer in ("2", "5")}
    weights = {layer: rng.normal(size=(values.shape[1], 3)) for layer, values in x.items()}
    truth = features(precise.spec, "5", new.transpose(0, 3, 1, 2)) @ weights["5"]
    predicted = ventral.load_readout(precise.folder / "readouts" / "5.zarr.zip").predict(new).values[:, 3:]
    r = [np.corrcoef(truth[:, k], predicted[:, k])[0, 1] for k in range(3)]
    assert min(r) > 0.95


def test_stored_features_give_the_predictions_that_a_direct_fit_to_them_gives(made):
    """Rounded to float16 alike, predictions on the stimuli of the fit are a direct fit's to 1e-4 SD, too."""
    store = [open_store(made.folder / "parts" / f"{k}.zarr")["2"] for k in (0, 1)]
    x = np.concatenate([array[:] for array in store]).astype(float) / store[0].attrs["scale"]
    one = ventral.load_readout(made.folder / "readouts" / "2.zarr.zip")
    y, predicted = made.responses.mean(axis=0), one.predict(made.pixels).values
    for k, row in enumerate(one.neuroids.itertuples()):
        expected = Ridge(alpha=row.penalty, solver="svd").fit(x, y[:, k]).predict(x)
        assert np.abs(predicted[:, k] - expected).max() < 1e-4 * expected.std()


def test_every_way_to_give_images_gives_the_same(made, loaded, tmp_path):
    new = images(NEW, 9)
    expected = loaded.predict(new)
    paths = [tmp_path / f"new{k}.png" for k in range(NEW)]
    for image, path in zip(new, paths, strict=True):
        Image.fromarray(image).save(path)
    ways = [new.transpose(0, 3, 1, 2), new / 255, paths, [Image.fromarray(image) for image in new], torch.tensor(new)]
    for way in ways:
        xr.testing.assert_identical(loaded.predict(way).drop_vars("stimulus", errors="ignore"), expected)
    assert loaded.predict(paths)["stimulus"].values.tolist() == list(map(str, paths))
    np.testing.assert_allclose(loaded.predict(new, batch_size=7), expected, atol=1e-4)
    assert expected.dims == ("stimulus", "neuroid")
    assert expected["area"].values.tolist() == AREAS
    assert loaded.predict(new[:0]).shape == (0, 6)


REFUSED = {
    "another size": (lambda new: new[:, :8], r"an array of shape \(20, 8, 18, 3\); right is \(n, 3, 18, 18\) or"),
    "one image": (lambda new: new[0], r"an array of shape \(18, 18, 3\)"),
    "floats of bytes": (lambda new: new.astype(float), r"floats from 0 to 255; floats from 0 to 1 are right"),
    "standardised": (lambda new: (new - new.mean()) / new.std(), "neither standardised nor"),
    "NaN": (lambda new: np.where(new == new[0, 0, 0, 0], np.nan, 0.5), "floats from nan"),
    "integers": (lambda new: new.astype(int), "values of type int64; uint8"),
    "a larger image": (lambda new: [Image.fromarray(new[0]).resize((20, 10))], "image 0: 20 x 10 pixels"),
    "no file": (lambda new: ["nowhere.png"], "nowhere.png: cannot be read as an image"),
    "no image": (lambda new: [3], "image 0: cannot be read as an image"),
    "CMYK": (lambda new: [Image.fromarray(new[0]).convert("CMYK")], "its pixels are CMYK"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_images_of_another_size_or_range_are_refused(loaded, name):
    change, said = REFUSED[name]
    with pytest.raises(InputError, match=said):
        loaded.predict(change(images(NEW, 9)))


def test_other_weights_are_refused(made, tmp_path):
    spec = {**made.spec, "seed": 4}
    shutil.copytree(made.folder / "readouts", tmp_path / "copy")
    other = ventral.load_readout(tmp_path / "copy" / "5.zarr.zip")
    other.attributes["model"] = spec
    with pytest.raises(InputError, match=r"5.zarr.zip: made with .* of SHA-256 [0-9a-f]{64}, but the loaded"):
        other.predict(images(2, 0))


def test_a_checkpoint_may_lie_elsewhere_if_it_is_the_same(made, tmp_path):
    from safetensors.torch import save_file

    network = build(made.spec)
    for name, factor in (("same", 1), ("other", 2)):
        values = {key: value * factor for key, value in network.state_dict().items()}
        save_file(values, tmp_path / f"{name}.safetensors")
    moved = {**made.spec, "weights": str(tmp_path / "gone.safetensors"), "sha256": "0" * 64}
    path, new = made.folder / "readouts" / "5.zarr.zip", images(3, 9)
    for weights in (None, tmp_path / "nowhere.safetensors", tmp_path / "other.safetensors"):
        readout = ventral.load_readout(path, weights)
        readout.attributes["model"] = moved
        with pytest.raises(InputError, match=r"no such file|is missing|but the loaded weights"):
            readout.predict(new)
    same = ventral.load_readout(path, tmp_path / "same.safetensors")
    same.attributes["model"] = moved
    np.testing.assert_array_equal(same.predict(new), ventral.load_readout(path).predict(new))
    with pytest.raises(InputError, match="the network's weights are None, not a file; leave `weights` out"):
        ventral.load_readout(path, tmp_path / "same.safetensors").predict(new)


def test_what_is_no_readout_is_refused(made, tmp_path):
    with pytest.raises(InputError, match=r"nowhere.zarr.zip: file is missing; a readout is"):
        ventral.load_readout("nowhere.zarr.zip")
    with pytest.raises(InputError, match=r"gram.zarr.zip: not a readout of this version"):
        ventral.load_readout(made.folder / "gram.zarr.zip")
    (tmp_path / "text.zarr.zip").write_text("text")
    with pytest.raises(InputError, match=r"text.zarr.zip: "):
        ventral.load_readout(tmp_path / "text.zarr.zip")


def test_the_best_layers_are_those_of_the_table_of_best_layers(made):
    table = ridge_scores(made.folder / "scores.parquet")
    rows = best_layers_of(read_scores(made.folder / "scores.parquet"), 0.1, seed=0)
    expected = dict(zip(rows["area"], rows["best_layer"], strict=True))
    assert expected == {"X": "2", "Y": "5"}
    assert best_places(table, 0.1, seed=0) == {"2": ["X"], "5": ["Y"]}
    written = made.readouts("best", "best")
    assert sorted(path.name for path in written.iterdir()) == ["2.md", "2.zarr.zip", "5.md", "5.zarr.zip"]
    assert (written / "5.zarr.zip").read_bytes() == (made.folder / "readouts" / "5.zarr.zip").read_bytes()


def test_layers_are_taken_by_name_and_others_are_refused(made, caplog):
    assert [path.name for path in sorted(made.readouts("named", ["0"]).iterdir())] == ["0.md", "0.zarr.zip"]
    with pytest.raises(InputError, match=r"outputs.readouts: '3' is none of the layers .* of the model net; the"):
        made.readouts("wrong", ["0", "3"])
    assert not (made.folder / "wrong").exists()
    assert taken_layers("best", [{"name": "0"}], {}, "net", "readouts") == []
    assert "no layer has a score for a reliable enough neuron" in caplog.text


def test_a_wrong_name_of_a_layer_is_told_when_the_model_is_described(made, tmp_path):
    describe(made.spec, tmp_path / "m.json", read_out=["0"])
    with pytest.raises(InputError, match=r"outputs.readouts: '3' is none of the layers .* of the model net"):
        describe(made.spec, tmp_path / "n.json", read_out=["0", "3"])


OWN = {"architecture": "a.module:make"}
CONFIG = {
    "stimuli": {"mine": {"images": "images"}},
    "recordings": {"rec": {"stimuli": "mine", "responses": "r.npy"}, "fmri": {"stimuli": "mine", "matrices": "m.npz"}},
    "models": {"net": {**OWN, "layers": ["conv1", "conv2"]}, "other": {**OWN, "layers": ["conv*"]}, "pixels": None},
}


def asked(readouts: object, **changed: object) -> dict:
    return resolve({**CONFIG, "outputs": {"readouts": readouts}, **changed})


def test_the_config_says_which_layers_of_which_models_have_readouts():
    assert resolve(CONFIG)["outputs"]["readouts"] == {}
    assert readouts_of(resolve(CONFIG)) == {}
    for word in ("best", "all"):
        assert asked(word)["outputs"]["readouts"] == dict.fromkeys(("net", "other", "pixels"), word)
        assert readouts_of(asked(word)) == dict.fromkeys([("rec", "net"), ("rec", "other"), ("rec", "pixels")], word)
    # What every network has; pixels have no such layer.
    assert asked(["conv2"])["outputs"]["readouts"] == {"net": ["conv2"], "other": ["conv2"]}
    assert readouts_of(asked({"pixels": ["pixels"]})) == {("rec", "pixels"): ["pixels"]}
    assert asked({"net": ["conv1"], "other": [7]})["outputs"]["readouts"] == {"net": ["conv1"], "other": ["7"]}


WRONG = {
    "word": ("worst", {}, r"config key outputs.readouts: 'worst' is not known; .*best"),
    "no layer": ([], {}, r"config key outputs.readouts: \[\]"),
    "layer": (
        ["conv3"],
        {},
        r"outputs.readouts: 'conv3' is none of the layers .* model net; .* conv2, conv1",
    ),
    "model": ({"nat": ["conv1"]}, {}, r"outputs.readouts: no model called 'nat' is scored .*; did you mean `net`"),
    "layer of pixels": ({"pixels": ["rgb"]}, {}, r"outputs.readouts: 'rgb' is none of .* the model pixels"),
    "no ridge": ("best", {"mappings": ["pls"]}, r"outputs.readouts: readouts are of ridge regression; add `ridge`"),
    "no neuroids": (
        "all",
        {"recordings": {"fmri": CONFIG["recordings"]["fmri"]}},
        r"no model .* recording of neur",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_no_readout_can_be_of_is_told_before_any_job(name):
    readouts, changed, said = WRONG[name]
    with pytest.raises(InputError, match=said):
        asked(readouts, **changed)


def test_folds_of_stimuli_are_needed_whatever_is_scored(made, tmp_path):
    rows = [f"image{k},object{k % 30}" for k in range(N)]
    (tmp_path / "table.csv").write_text("\n".join(["stimulus,object", *rows]) + "\n")
    np.save(tmp_path / "responses.npy", made.responses.mean(axis=0).T)
    config = {
        "results": str(tmp_path / "results"),
        "stimuli": {"mine": {"images": str(made.folder / "images"), "table": str(tmp_path / "table.csv")}},
        "recordings": {"rec": {"stimuli": "mine", "responses": str(tmp_path / "responses.npy"), "area": "V4"}},
        "models": ["pixels"],
        "splits": ["objects"],
    }
    check_inputs(resolve(config))
    with pytest.raises(InputError, match="split `stimuli` puts every object into each of 5 folds"):
        check_inputs(resolve({**config, "outputs": {"readouts": "best"}}))


def test_the_bytes_do_not_depend_on_cores_shards_or_blocks_of_rows(made, monkeypatch):
    expected = (made.folder / "readouts" / "2.zarr.zip").read_bytes()
    assert (made.readouts("again", ["2"], cores=2) / "2.zarr.zip").read_bytes() == expected
    monkeypatch.setattr(making, "FEATURES_PER_BLOCK", 50)
    blocks = made.readouts("blocks", ["2"]) / "2.zarr.zip"
    assert difference(made.folder / "readouts" / "2.zarr.zip", blocks).size < 1e-6


def test_accuracy_is_that_of_the_score_table_and_the_card_says_it(made, loaded):
    scores = pd.read_parquet(made.folder / "scores.parquet")
    rows = scores[(scores["layer"] == "5") & (scores["target_kind"] == "neuron")].set_index("target")
    assert loaded.neuroids["neuroid"].tolist() == [f"n{k}" for k in range(6)]
    for name in ("r", "reliability", "predictivity"):
        np.testing.assert_array_equal(loaded.neuroids[name], rows[name][loaded.neuroids["neuroid"]])
    median = rows["r"][["n3", "n4", "n5"]].median()
    sha256 = loaded.attributes["stimuli"]["sha256"]
    for said in (f"| stimuli | Y | 3 | {median:.3f} |", sha256, loaded.attributes["weights_sha256"], "MIT licence"):
        assert said in loaded.card
    assert (made.folder / "readouts" / "5.md").read_text() == loaded.card
    assert "the best of the model's layers for Y" in loaded.card


def test_a_neuron_is_fitted_on_the_stimuli_that_it_has(made, tmp_path):
    shutil.copytree(made.folder, tmp_path / "missing")
    run = Made.__new__(Made)
    run.__dict__.update(made.__dict__, folder=tmp_path / "missing")
    run.write_recording(missing=15)
    run.score()
    one = ventral.load_readout(run.readouts("readouts", ["5"]) / "5.zarr.zip")
    assert one.neuroids["n_stimuli"].tolist() == [45, *[60] * 5]
    store = [open_store(run.folder / "parts" / f"{k}.zarr")["5"] for k in (0, 1)]
    x = np.concatenate([array[:] for array in store]).astype(float) / store[0].attrs["scale"]
    predicted = one.predict(made.pixels).values
    for k, rows in ((0, slice(15, None)), (1, slice(None))):
        penalty = one.neuroids["penalty"][k]
        fitted = Ridge(alpha=penalty, solver="svd").fit(x[rows], run.responses.mean(axis=0)[rows, k])
        assert np.abs(predicted[:, k] - fitted.predict(x)).max() < 1e-4 * predicted[:, k].std()


def test_stores_of_other_stimuli_are_refused(made, tmp_path):
    shutil.copytree(made.folder, tmp_path / "other")
    run = Made.__new__(Made)
    run.__dict__.update(made.__dict__, folder=tmp_path / "other")
    recording = read_dataset(run.folder / "recording.zarr").load()
    shutil.rmtree(run.folder / "recording.zarr")
    write_dataset(recording.assign_attrs(stimuli_sha256="b" * 64), run.folder / "recording.zarr")
    with pytest.raises(InputError, match=r"recording.zarr: made from other stimuli than"):
        run.readouts("refused")
    assert not (run.folder / "refused").exists()


def test_pixels_have_readouts(made, tmp_path):
    shutil.copytree(made.folder, tmp_path / "pixels")
    run = Made.__new__(Made)
    run.__dict__.update(made.__dict__, folder=tmp_path / "pixels", spec=resolve_model("pixels"))
    shutil.rmtree(run.folder / "parts")
    extract_shards(run.folder / "stimuli.zarr", run.spec, {0: (0, N)}, run.folder / "parts", **PRECISION)
    gram([run.folder / "parts"], run.folder / "gram.zarr.zip")
    run.score()
    one = ventral.load_readout(run.readouts("readouts") / "pixels.zarr.zip")
    x, new = (pixels.reshape(len(pixels), -1).astype(float) for pixels in (made.pixels, made.pixels[:5]))
    expected = Ridge(alpha=one.neuroids["penalty"][0], solver="svd").fit(x, made.responses.mean(axis=0)[:, 0])
    assert np.abs(one.predict(made.pixels[:5]).values[:, 0] - expected.predict(new)).max() < 1e-4


@pytest.fixture
def quiet():
    before, level = list(logging.getLogger().handlers), logging.getLogger("ventral").level
    yield
    logging.getLogger("ventral").setLevel(level)
    for handler in set(logging.getLogger().handlers) - set(before):
        logging.getLogger().removeHandler(handler)


@pytest.mark.usefixtures("quiet")
def test_the_command_predicts_a_folder(made, loaded, tmp_path):
    (tmp_path / "new").mkdir()
    for k, image in enumerate(images(12, 9)):
        Image.fromarray(image).save(tmp_path / "new" / f"new{k}.png")
    shutil.make_archive(str(tmp_path / "new"), "zip", tmp_path / "new")
    expected = loaded.predict(images(12, 9)).values
    words = ["predict", "--readout", str(loaded.path), "--batch-size", "32", "--device", "cpu"]
    for stimuli, output in (("new", "table.csv"), ("new.zip", "table.parquet")):
        paths = ["--stimuli", str(tmp_path / stimuli), "--output", str(tmp_path / output)]
        assert main([*words, *paths]) == 0
    for table in (pd.read_csv(tmp_path / "table.csv"), pd.read_parquet(tmp_path / "table.parquet")):
        assert table.columns.tolist() == ["stimulus", *(f"n{k}" for k in range(6))]
        assert table["stimulus"].tolist() == [f"new{k}.png" for k in range(12)]
        np.testing.assert_allclose(table.drop(columns="stimulus"), expected, rtol=1e-12)


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize(
    ("output", "size", "said"),
    [
        ("table.txt", SIDE, "unknown ending; use one of .csv, .parquet"),
        ("table.csv", 20, "new.png: 20 x 20 pixels (width x height); 18 x 18 are right"),
    ],
)
def test_the_command_says_what_is_wrong(made, tmp_path, output, size, said):
    (tmp_path / "new").mkdir()
    Image.new("RGB", (size, size)).save(tmp_path / "new" / "new.png")
    paths = ["--stimuli", str(tmp_path / "new"), "--output", str(tmp_path / output), "--log", str(tmp_path / "log")]
    assert main(["predict", "--readout", str(made.folder / "readouts" / "5.zarr.zip"), *paths]) == 1
    log = (tmp_path / "log").read_text()
    assert said in log
    assert "Traceback" not in log
    assert not (tmp_path / output).exists()


def test_the_package_is_imported_fast():
    script = "import sys, ventral; print([n for n in ('numpy', 'torch', 'zarr', 'xarray') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert "load_readout" in ventral.__all__
