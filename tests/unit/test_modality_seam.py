"""A modality is one entry: a second one goes from files to Gram matrices without a change of the package."""

import json
import logging
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from ventral import activations, grams
from ventral.activations.extraction import extract
from ventral.configuration import schema
from ventral.configuration.resolution import check_inputs, models_of, resolve
from ventral.crate.inputs import own_files
from ventral.errors import InputError
from ventral.figures.contact_sheets import contact_sheet
from ventral.grams.representations import read_representation
from ventral.grams.streaming import gram
from ventral.models.description import describe
from ventral.models.families import ModelFamily
from ventral.models.registry import FAMILIES
from ventral.models.zoo import check_model, preprocessing, resolve_model
from ventral.stimuli import ingestion
from ventral.stimuli.ingestion import ingest
from ventral.stimuli.modality import MODALITIES, Baseline, Modality, declared_modality
from ventral.store import read_dataset

ROOT = schema.SCHEMA.parents[2]
N, LENGTH = 9, 40
MODULE = """
from torch import nn

def make():
    return nn.Sequential(nn.Conv1d(1, 4, 5), nn.ReLU(), nn.Conv1d(4, 2, 5), nn.ReLU())

def of_two_channels():
    return nn.Sequential(nn.Conv1d(2, 4, 5), nn.ReLU())
"""


def common_shape(spec, opened, files, mapped):
    return (max(mapped(lambda file: len(np.load(opened(file))), files)),)


def decode(spec, opened, file, shape, _remark):
    with opened(file) as stream:
        samples = np.load(stream)
    if samples.shape != shape:
        raise InputError(f"{len(samples)} samples, where the longest has {shape[0]}")
    return samples.astype(np.float32)


def preview(axes, samples, _kept):
    axes.plot(samples)
    axes.set_axis_off()


SIGNALS = Modality(
    name="signals",
    unit="signal",
    meaning="Folder or zip of signals.",
    suffixes=frozenset({".npy"}),
    array="samples",
    axes=("sample",),
    dtype="float32",
    common_shape=common_shape,
    decode=decode,
    any_shape=(60,),
    examples=lambda n, shape, seed: np.random.default_rng(seed).normal(size=(n, *shape)).astype(np.float32),
    prepare=lambda samples, spec: spec["gain"] * samples[:, None],
    baseline=Baseline(
        name="amplitude",
        features=lambda samples, _spec: np.abs(samples).mean(axis=1, keepdims=True),
        taken="which are averaged over time",
        sentence="The feature of {models} was the mean amplitude.",
    ),
    preview=preview,
    model_options={
        "gain": {
            "description": "Signals are multiplied by it.",
            "type": "number",
            "exclusiveMinimum": 0,
            "default": 1.0,
        },
    },
    hint=lambda message: "; signals have one channel" if "channels" in message else "",
)


@pytest.fixture
def registered(monkeypatch):
    """A second modality, for the time of a test."""
    monkeypatch.setitem(MODALITIES, "signals", SIGNALS)
    schema.whole.cache_clear()
    schema._validator.cache_clear()
    yield
    monkeypatch.undo()
    schema.whole.cache_clear()
    schema._validator.cache_clear()


@pytest.fixture
def signals(tmp_path, registered):
    """The samples (n, length), and how a config names their files and table."""
    samples = np.random.default_rng(1).normal(size=(N, LENGTH)).astype(np.float32)
    folder, table = tmp_path / "signals", tmp_path / "signals.csv"
    folder.mkdir()
    for k, values in enumerate(samples):
        np.save(folder / f"signal{k}.npy", values)
    columns = {"stimulus": [f"signal{k}" for k in range(N)], "loudness": np.arange(N) / 2}
    pd.DataFrame(columns).to_csv(table, index=False)
    return samples, {"signals": str(folder), "table": str(table)}


@pytest.fixture
def own(importable):
    return importable("net_of_signals", MODULE)


def spec_of(own, function="make", **options):
    return resolve_model("m", {"architecture": f"{own}:{function}", "modality": "signals", **options})


def gram_of(stimuli, spec, folder):
    """Describe a model, extract its features in two shards, and return the representation of each layer."""
    describe(spec, folder / "model.json")
    parts = [folder / "0.zarr", folder / "1.zarr"]
    for (start, stop), part in zip(((0, 5), (5, N)), parts, strict=True):
        extract(stimuli, spec, start, stop, part, dtype="float32", device="cpu", batch_size=4)
    gram(parts, folder / "gram.zarr.zip", seed=0)
    layers = json.loads((folder / "model.json").read_text())["layers"]
    return {layer["name"]: read_representation(folder / "gram.zarr.zip", layer["name"]) for layer in layers}


@pytest.mark.parametrize("package", [activations, grams])
def test_no_module_names_a_modality(package):
    files = sorted(Path(package.__file__).parent.rglob("*.py"))
    assert len(files) > 2
    text = {file.name: file.read_text(encoding="utf-8").lower() for file in files}
    assert not [name for name, code in text.items() if "image" in code or "sound" in code]


def test_a_modality_goes_from_files_to_gram_matrices(signals, own, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    samples, spec = signals
    ingest(spec, tmp_path / "set.zarr", name="mine")
    dataset = read_dataset(tmp_path / "set.zarr")
    assert dataset["samples"].dims == ("stimulus", "sample")
    np.testing.assert_array_equal(dataset["samples"].values, samples)
    np.testing.assert_array_equal(dataset["loudness"].values, np.arange(N) / 2)
    assert dataset.attrs["modality"] == "signals"

    found = gram_of(tmp_path / "set.zarr", model := spec_of(own, seed=3, gain=2), tmp_path)
    torch.manual_seed(3)
    network = __import__(own).make()
    with torch.inference_mode():
        first = network[:2](2 * torch.from_numpy(samples[:, None])).flatten(1).double().numpy()
        last = network(2 * torch.from_numpy(samples[:, None])).flatten(1).double().numpy()
    assert list(found) == ["1", "3"]
    np.testing.assert_allclose(found["1"].gram, first @ first.T, rtol=1e-5)
    np.testing.assert_allclose(found["3"].gram, last @ last.T, rtol=1e-5)
    assert json.loads((tmp_path / "model.json").read_text())["preprocessing"] == {"gain": 2}
    assert any("extract m: 5/5 signals" in line for line in caplog.messages)
    assert model["modality"] == "signals"


def test_the_baseline_of_a_modality(signals, tmp_path):
    samples, spec = signals
    ingest(spec, tmp_path / "set.zarr", name="mine")
    model = resolve_model("amplitude")
    check_model(model)
    (found,) = gram_of(tmp_path / "set.zarr", model, tmp_path).values()
    expected = np.abs(samples).mean(axis=1).astype(np.float64)
    np.testing.assert_allclose(found.gram, np.outer(expected, expected), rtol=1e-6)
    with pytest.raises(InputError, match=r"amplitude\.gain: it has no effect on `amplitude`, which are averaged over"):
        resolve_model("amplitude", {"gain": 2})


def test_a_model_family_that_is_shown_a_modality(registered, monkeypatch):
    ears = ModelFamily(
        meaning="Of a test.",
        sentence="{models} came from a test.",
        build=lambda _spec: None,
        architectures={"ear": {"gain": 3.0}},
        modality="signals",
    )
    monkeypatch.setitem(FAMILIES, "ears", ears)
    spec = resolve_model("ear", {"modality": "signals"})
    assert spec["modality"] == "signals"
    assert preprocessing(spec) == {"gain": 3.0}
    for options, said in (
        ({"modality": "images"}, r"ear\.modality: ear is shown signals, not images"),
        ({"size": 8}, r"ear\.size: belongs to networks with `modality: images`; this one is shown signals"),
        ({"sise": 8}, "unknown option `sise`; .*gain"),
    ):
        with pytest.raises(InputError, match=said):
            resolve_model("ear", options)


def test_files_that_cannot_be_used_are_named_in_the_words_of_the_modality(signals, tmp_path):
    _, spec = signals
    np.save(Path(spec["signals"]) / "signal3.npy", np.zeros(LENGTH - 1))
    with pytest.raises(
        InputError, match=r"stimuli\.mine\.signals: .*: 1 of 9 signals cannot be used; .*\n  signal3.npy: 39 s"
    ):
        ingest(spec, tmp_path / "set.zarr", name="mine")
    np.save(Path(spec["signals"]) / "more.npy", np.zeros(LENGTH))
    with pytest.raises(InputError, match=r"1 of 10 signals in .* have no row: more.npy"):
        ingestion.describe(spec)


def test_a_config_with_two_modalities(signals, own, tmp_path):
    _, spec = signals
    np.save(tmp_path / "responses.npy", np.random.default_rng(2).normal(size=(N, 3)))
    recording = {"stimuli": "mine", "responses": str(tmp_path / "responses.npy"), "axes": ["stimulus", "neuroid"]}
    teacher = {"teacher": "resnet18_random", "areas": {"V4": {"layer": "layer1", "neuroids": 3}}}
    net = {"architecture": f"{own}:make", "modality": "signals", "gain": "2"}
    (tmp_path / "images").mkdir()
    for number in range(N):
        Image.new("RGB", (8, 8)).save(tmp_path / "images" / f"{number}.png")
    config = {
        "results": str(tmp_path / "results"),
        "stimuli": {"mine": spec, "seen": {"images": str(tmp_path / "images")}},
        "recordings": {"heard": recording, "watched": recording | {"stimuli": "seen"}},
        "models": {"net": net, "amplitude": None, "pixels": None},
        "folds": 3,
    }
    resolved = resolve(config)
    check_inputs(resolved)
    assert resolved["models"]["net"]["gain"] == 2
    assert "modality" not in resolved["models"]["pixels"]
    assert models_of(resolved, "heard") == ["net", "amplitude"]
    assert own_files(config)["stimuli.mine.signals"] == spec["signals"]
    for changed, said in (
        (
            {"recordings": {"heard": recording | {"models": ["pixels"]}}},
            "pixels is shown images, and the recording is of",
        ),
        (
            {"recordings": config["recordings"] | {"simulated": {"stimuli": "mine", "simulate": teacher}}},
            r"teacher: .* is shown images, and",
        ),
        ({"stimuli": {"mine": spec | {"size": 8}}}, r"stimuli\.mine\.size: belongs to `images`, not to `signals`"),
        ({"stimuli": {"mine": spec | {"images": "a"}}}, "either `images`, .*, `signals`, a folder or zip"),
        (
            {"models": {"net": net | {"size": 8}}},
            r"net\.size: belongs to networks with `modality: images`; this one is",
        ),
        # Without an image in any recording, a model of images would silently be left out.
        (
            {"recordings": {"heard": recording}},
            r"models\.pixels: it is shown images, and all recordings are of signals; leave it out, or state",
        ),
        ({"models": {"net": net | {"gain": -1}}}, r"models\.net\.gain: -1 is less than or equal to the minimum of 0"),
        ({"models": {"net": net | {"modality": "smells"}}}, "'smells' is not known; allowed: images, sounds, signals"),
        ({"models": {"resnet18": {"modality": "signals"}}}, "resnet18 is shown images, not signals"),
        ({"models": {"conv2": {"train": {"recording": "heard"}}}}, "conv2 is shown images, and mine has signals"),
        ({"first_layers": {"models": ["net"]}}, r"first_layers\.models: net takes no images, so its filters have no"),
    ):
        with pytest.raises(InputError, match=said):
            resolve(config | changed)


def test_a_model_and_stimuli_of_two_modalities_are_refused(signals, tmp_path):
    ingest(signals[1], tmp_path / "set.zarr", name="mine")
    with pytest.raises(InputError, match="pixels: this model takes images, but the stimuli of mine are signals"):
        extract(tmp_path / "set.zarr", resolve_model("pixels"), 0, N, tmp_path / "0.zarr")
    assert not (tmp_path / "0.zarr").exists()


def test_a_network_that_fails_gets_the_hint_of_the_modality(signals, own, tmp_path):
    with pytest.raises(InputError, match="stimuli of 1 x 60: .*; signals have one channel"):
        describe(spec_of(own, "of_two_channels"), tmp_path / "model.json")


def test_the_contact_sheet_shows_the_preview_of_the_modality(signals, tmp_path):
    ingest(signals[1], tmp_path / "set.zarr", name="mine")
    svg, pdf, csv = (tmp_path / f"sheet.{kind}" for kind in ("svg", "pdf", "csv"))
    contact_sheet(tmp_path / "set.zarr", svg, pdf, csv)
    assert svg.read_text().count('id="line2d_') == len(pd.read_csv(csv)) == N


def test_a_store_without_a_modality_has_images():
    assert declared_modality({}, "store") is MODALITIES["images"]
    assert MODALITIES["images"].attributes == {}
    with pytest.raises(InputError, match=r"set\.zarr: the modality 'signals' is not known; allowed: images"):
        declared_modality({"modality": "signals"}, "set.zarr")


def test_what_is_declared_is_whole():
    readme = (ROOT / "config" / "README.md").read_text(encoding="utf-8")
    options = schema.whole()["$defs"]["model"]["properties"]
    for name, modality in MODALITIES.items():
        assert modality.name == name
        assert modality.meaning.endswith(".")
        assert f"`{name}`" in readme
        assert f"- `{modality.baseline.name}`: " in readme
        assert modality.baseline.options.keys() | {*modality.baseline.uses} <= modality.model_options.keys()
        for option, declared in modality.model_options.items():
            assert {"description", "default"} <= declared.keys()
            # Two modalities share an option only where it is the same one.
            assert options[option] == {word: said for word, said in declared.items() if word != "default"}
        for option in modality.set_options.values():
            assert {"description", "type"} <= option.keys()


def test_the_docs_list_the_files_that_a_modality_touches():
    page = (ROOT / "docs" / "adding_modality.md").read_text(encoding="utf-8")
    files = re.findall(r"^\| `([\w/.]+)` \|", page, re.MULTILINE)
    assert 1 <= len(files) <= 5
    there = [file for file in files if "mine" not in file]
    assert there == ["workflow/ventral/stimuli/modality.py", "config/README.md"]
    assert all((ROOT / file).is_file() for file in there)
