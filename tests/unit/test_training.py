"""Networks are trained on what they may see, repeatably, and go on where they were stopped."""

import hashlib
import json
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors import safe_open

from tests.command_lines import command_line
from tests.unit.dealt import make_folds
from ventral.configuration.resolution import resolve
from ventral.configuration.schema import SCHEMA
from ventral.errors import InputError
from ventral.models.description import build, preprocess, weights_sha256
from ventral.recordings.ingestion import ingest
from ventral.stimuli import variation
from ventral.stimuli.images import read_pixels
from ventral.stimuli.modality import MODALITIES
from ventral.stimuli.store import complete_set, create_set
from ventral.store import read_dataset
from ventral.training import trainer
from ventral.training.trainer import correlations
from ventral.training.training import train

SIZE = 16
MODULE = """
import torch
from torch import nn

SHOWN = []

class Watched(nn.Sequential):
    def forward(self, images):
        if self.training:
            SHOWN.extend(images.detach().amax(dim=(2, 3)).tolist())
        return super().forward(images)

def watched():
    return Watched(nn.Conv2d(3, 4, 3, stride=4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 5))

def plain():
    return nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(392, 5))

def dropping():
    return nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(768, 5))

def without_linear():
    return nn.Sequential(nn.Conv2d(3, 5, 16), nn.Flatten())

def more_after_linear():
    return nn.Sequential(nn.Flatten(), nn.Linear(768, 5), nn.Linear(5, 2), nn.Unflatten(1, (1, -1)))

class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.readout = nn.Linear(768, 5)

    def forward(self, images):
        outputs = self.readout(images.flatten(1))
        return (outputs, outputs) if self.training else outputs

class Failing(Two):
    def forward(self, images):
        return {}["weights"] if self.training else self.readout(images.flatten(1))

class AlwaysOn(nn.Dropout):
    def train(self, mode=True):
        return super().train(True)

def always_dropping():
    return nn.Sequential(nn.Flatten(), AlwaysOn(0.5), nn.Linear(768, 5))
"""


@pytest.fixture
def own(importable):
    return importable("networks_to_train", MODULE)


def make_set(path, categories=("bears", "cars", "faces"), objects=2, images=8, seed=0, contrast=60):
    """Write a stimulus set whose categories differ in colour; every image has a brightest value of its own."""
    rng = np.random.default_rng(seed)
    rows = [
        (f"{category}_{k}_{image}", f"{category}_{k}", category)
        for category in categories
        for k in range(objects)
        for image in range(images)
    ]
    table = pd.DataFrame(rows, columns=["stimulus", "object", "category"]).set_index("stimulus")
    pixels = rng.integers(40, 120, (len(rows), 3, SIZE, SIZE), dtype=np.uint8)
    for number, category in enumerate(table["category"]):
        pixels[number, categories.index(category) % 3] += np.uint8(contrast)
        # Beyond the reach of any shift, and brighter than all else.
        pixels[number, :, 7:9, 7:9] = np.array([190 + number % 60, 190 + number // 60, 200])[:, None, None]
    create_set(path, table, MODALITIES["images"], (3, SIZE, SIZE))[:] = pixels
    complete_set(path, Path(path).stem, table, [hashlib.sha256(image).digest() for image in pixels])
    return path


def make_recording(path, stimuli, noise=0.1, seed=0):
    """Write a recording of 5 neuroids that respond to the colour of an image, one of them silent."""
    rng = np.random.default_rng(seed)
    shown = read_dataset(stimuli)["pixels"].values.mean(axis=(2, 3))
    signal = (shown - shown.mean(axis=0)) @ rng.normal(size=(3, 5)) / shown.std()
    responses = signal.T[:, :, None] + noise * rng.normal(size=(5, len(shown), 4))
    responses[2] = np.nan
    responses[0, :4] = np.nan
    np.save(path.with_suffix(".npy"), responses)
    path.with_suffix(".csv").write_text("neuroid,area\nn0,V4\nn1,V4\nn2,V4\nn3,IT\nn4,IT\n")
    spec = {"responses": str(path.with_suffix(".npy")), "neuroids": str(path.with_suffix(".csv")), "stimuli": "shown"}
    ingest(spec, stimuli, path, name="rec", n_splits=5)
    return path


def spec_of(architecture="conv2", size=SIZE, seed=0, recording=None, **options):
    """The description of a training, as the config makes it."""
    shown = {"recording": recording} if recording else {"stimuli": "shown", "label": "category"}
    trained = {"architecture": architecture, "size": size, "seed": seed, "train": {**shown, **options}}
    config = {
        "results": "results",
        "stimuli": {"shown": {"images": "shown"}, "tested": {"images": "tested"}},
        "recordings": {
            "rec": {"stimuli": "shown", "responses": "rec.npy", "models": []},
            "other": {"stimuli": "tested", "responses": "other.npy"},
        },
        "models": {"net": trained},
        "folds": 4,
    }
    spec = resolve(config)["trainings"]["net"]
    del spec["device"]
    return spec


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def final_of(folder, spec):
    return build({**spec["network"], "weights": str(folder / "final.safetensors"), "trained_by": "net"})


@pytest.fixture
def shown(tmp_path):
    return make_set(tmp_path / "shown.zarr")


def test_a_network_learns_to_tell_categories_apart(shown, tmp_path):
    spec = spec_of(epochs=12, checkpoints=[0, 1, 12], batch_size=8)
    train(shown, tmp_path / "net", spec)
    metrics = pd.read_csv(tmp_path / "net" / "metrics.csv")
    assert metrics["epoch"].tolist() == list(range(13))
    assert metrics["validation_accuracy"].iloc[0] < 0.7
    assert metrics["validation_accuracy"].iloc[-1] == 1
    assert metrics["train_accuracy"].iloc[-1] > 0.9
    network = final_of(tmp_path / "net", spec)
    pixels = torch.from_numpy(read_dataset(shown)["pixels"].values)
    with torch.inference_mode():
        answers = network(preprocess(pixels, spec["network"])).argmax(1)
    assert (answers.numpy() == np.repeat([0, 1, 2], 16)).mean() > 0.95


def test_checkpoints_are_the_epochs_that_were_asked_for(shown, tmp_path):
    train(shown, tmp_path / "net", spec_of(epochs=3, checkpoints=[2, 0], batch_size=8))
    assert sorted(path.name for path in (tmp_path / "net").iterdir()) == [
        "epoch_0000.safetensors",
        "epoch_0002.safetensors",
        "final.safetensors",
        "metrics.csv",
        "seen.csv",
    ]
    for name, epoch in (("epoch_0000", 0), ("epoch_0002", 2)):
        with safe_open(tmp_path / "net" / f"{name}.safetensors", framework="pt") as file:
            about = json.loads(file.metadata()["ventral"])
        assert about == {"model": "net", "architecture": "conv2", "epoch": epoch, "classes": ["bears", "cars", "faces"]}
    # Those before training are what the seed alone makes.
    shorter = spec_of(epochs=1, checkpoints=[0], batch_size=8, learning_rate=0.1)
    train(shown, tmp_path / "other", shorter)
    first, second = (contents(tmp_path / folder)["epoch_0000.safetensors"] for folder in ("net", "other"))
    assert first == second


def test_the_final_weights_are_those_of_the_lowest_validation_loss(shown, tmp_path):
    epochs = 4
    spec = spec_of(epochs=epochs, checkpoints=list(range(epochs + 1)), batch_size=8, learning_rate=0.1)
    train(shown, tmp_path / "net", spec)
    metrics = pd.read_csv(tmp_path / "net" / "metrics.csv").iloc[1:]
    best = metrics["epoch"][metrics["validation_loss"].idxmin()]
    checkpoint = {**spec["network"], "weights": str(tmp_path / "net" / f"epoch_{best:04d}.safetensors")}
    assert weights_sha256(build(checkpoint | {"trained_by": "net"})) == weights_sha256(final_of(tmp_path / "net", spec))


@pytest.mark.parametrize(
    ("options", "unseen"),
    [
        ({}, {"cars", "cars_0", "cars_1"}),
        ({"see": ["cars"]}, {"cars_0"}),
        ({"exclude": ["bears_1"]}, {"bears_1", "cars"}),
        ({"see": ["cars"], "exclude": ["bears"]}, {"bears", "cars_0"}),
    ],
)
def test_nothing_that_is_excluded_is_ever_seen(own, tmp_path, options, unseen):
    import networks_to_train

    shown = make_set(tmp_path / "shown.zarr", objects=3)
    tested = make_set(tmp_path / "tested.zarr", categories=("cars",), objects=1, seed=1)
    spec = spec_of(f"{own}:watched", epochs=3, batch_size=8, **options)
    networks_to_train.SHOWN.clear()
    train(shown, tmp_path / "net", spec, tested=[tested])
    seen = pd.read_csv(tmp_path / "net" / "seen.csv", index_col="stimulus")
    assert not unseen & {*seen["category"], *seen["object"]}
    table = read_dataset(shown)[["object", "category"]].to_dataframe()
    allowed = table[~table["object"].isin(unseen) & ~table["category"].isin(unseen)]
    assert set(seen["category"]) == set(allowed["category"])
    # A tenth of each label is for validation; the rest was shown in each epoch.
    assert 0.85 * len(allowed) <= len(seen) < len(allowed)
    assert (seen["times"] == 3).all()
    # What the network itself was shown, by the brightest values of each image; first two images, to check its output.
    network = spec["network"]
    values = 255 * (np.array(network["mean"]) + np.array(network["std"]) * np.array(networks_to_train.SHOWN[2:]))
    numbers = np.round(values[:, 0] - 190).astype(int) + 60 * np.round(values[:, 1] - 190).astype(int)
    counted = pd.Series(table.index[numbers]).value_counts()
    assert counted.sort_index().to_dict() == seen["times"].sort_index().to_dict()


def test_the_same_again_gives_the_same_bytes(shown, tmp_path):
    spec = spec_of("conv4", epochs=2, checkpoints=[0, 1], batch_size=8)
    train(shown, tmp_path / "net", spec)
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    torch.manual_seed(5)
    train(shown, tmp_path / "again", spec)
    torch.set_num_threads(threads)
    assert contents(tmp_path / "again") == contents(tmp_path / "net")
    train(shown, tmp_path / "other", spec_of("conv4", epochs=2, checkpoints=[0, 1], batch_size=8, seed=1))
    assert contents(tmp_path / "other")["final.safetensors"] != contents(tmp_path / "net")["final.safetensors"]


def test_training_that_is_killed_goes_on_to_the_same_bytes(shown, tmp_path, caplog):
    spec = spec_of("conv2", epochs=40, checkpoints=[0, 3, 30], batch_size=4, patience=None)
    arguments = command_line("train", {"stimuli": shown}, {"output": tmp_path / "net"}, spec=spec)
    process = subprocess.Popen(
        [sys.executable, "-m", "ventral", *arguments],
        env=os.environ | {"PYTHONPATH": str(SCHEMA.parents[1])},
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while not (tmp_path / ".net.training" / "epoch_0003.safetensors").exists() and time.monotonic() < deadline:
        assert process.poll() is None
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "net").exists()
    with caplog.at_level(logging.INFO, "ventral"):
        train(shown, tmp_path / "net", spec)
    assert "train net: resuming after epoch" in caplog.text
    assert not (tmp_path / ".net.training").exists()
    train(shown, tmp_path / "undisturbed", spec)
    assert contents(tmp_path / "net") == contents(tmp_path / "undisturbed")


class Stopped(Exception):  # noqa: N818
    pass


def stop_after(monkeypatch, saves):
    """Let the trainer stop when it has saved its state so many times."""
    save = trainer.Trainer._save
    done = []

    def stopping(self, state):
        save(self, state)
        done.append(state.epoch)
        if len(done) == saves:
            raise Stopped

    monkeypatch.setattr(trainer.Trainer, "_save", stopping)


@pytest.mark.parametrize("saves", [1, 2, 4])
def test_networks_that_draw_numbers_themselves_go_on_to_the_same_bytes(own, shown, tmp_path, monkeypatch, saves):
    spec = spec_of(f"{own}:dropping", epochs=3, batch_size=8, checkpoints=[0, 1])
    train(shown, tmp_path / "undisturbed", spec)
    stop_after(monkeypatch, saves)
    with pytest.raises(Stopped):
        train(shown, tmp_path / "net", spec)
    monkeypatch.undo()
    train(shown, tmp_path / "net", spec)
    assert contents(tmp_path / "net") == contents(tmp_path / "undisturbed")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("options", "state.pt belongs to training with other options or stimuli"),
        ("state", "state.pt is damaged"),
        ("cut", "state.pt is damaged"),
        ("checkpoint", "epoch_0000.safetensors is damaged or missing"),
    ],
)
def test_a_state_that_cannot_be_used_is_discarded(own, shown, tmp_path, monkeypatch, caplog, damage, said):
    spec = spec_of(f"{own}:plain", epochs=2, batch_size=8, checkpoints=[0])
    stop_after(monkeypatch, 2)
    with pytest.raises(Stopped):
        train(shown, tmp_path / "net", spec_of(f"{own}:plain", epochs=3) if damage == "options" else spec)
    monkeypatch.undo()
    folder = tmp_path / ".net.training"
    content = bytearray((folder / "state.pt").read_bytes())
    if damage == "state":
        content[len(content) // 2] ^= 1
    if damage == "cut":
        del content[20:]
    (folder / "state.pt").write_bytes(content)
    if damage == "checkpoint":
        (folder / "epoch_0000.safetensors").write_bytes(b"")
    train(shown, tmp_path / "net", spec)
    assert f"train net: starting over: {folder}/{said}" in caplog.text
    train(shown, tmp_path / "undisturbed", spec)
    assert contents(tmp_path / "net") == contents(tmp_path / "undisturbed")


def test_training_ends_early_where_nothing_improves_but_not_before_the_last_checkpoint(own, tmp_path):
    # Labels that say nothing of the image: what is learned by heart makes the validation loss rise.
    shown = make_set(tmp_path / "shown.zarr", contrast=0)
    ended = {}
    for last in (1, 9):
        spec = spec_of(f"{own}:plain", epochs=30, batch_size=8, patience=2, checkpoints=[last], learning_rate=0.01)
        train(shown, tmp_path / f"net{last}", spec)
        metrics = pd.read_csv(tmp_path / f"net{last}" / "metrics.csv").iloc[1:]
        ended[last] = metrics["epoch"].max()
        best = metrics["epoch"][metrics["validation_loss"].idxmin()]
        assert ended[last] == max(best + 2, last) < 30
        # Every image as often as there were epochs, those after the best one as well.
        assert set(pd.read_csv(tmp_path / f"net{last}" / "seen.csv")["times"]) == {ended[last]}
    assert ended[1] < ended[9]


def test_a_network_is_fitted_to_neuroids_and_tested_on_images_it_never_saw(own, shown, tmp_path):
    recording = make_recording(tmp_path / "rec.zarr", shown)
    spec = spec_of(f"{own}:plain", recording="rec", epochs=30, batch_size=8, checkpoints=[0])
    train(shown, tmp_path / "net", spec, recording=recording)
    neurons = pd.read_csv(tmp_path / "net" / "neurons.csv", index_col="neuroid")
    # One is silent.
    assert neurons.index.tolist() == ["n0", "n1", "n3", "n4"]
    assert neurons["area"].tolist() == ["V4", "V4", "IT", "IT"]
    assert (neurons[["train_r", "test_r"]] > 0.7).all(axis=None)
    labels = {name: read_dataset(shown)[name].values for name in ("object", "category")}
    test = make_folds("stimuli", labels, 48, 4, 0, "shown")[0]
    seen = pd.read_csv(tmp_path / "net" / "seen.csv")
    assert not set(seen["stimulus"]) & set(read_dataset(shown)["stimulus"].values[test])
    assert len(seen) >= 0.8 * (48 - len(test))
    # The test part's correlations, from the weights that were written.
    network = final_of(tmp_path / "net", spec)
    with torch.inference_mode():
        outputs = network(preprocess(torch.from_numpy(read_pixels(shown, 0, 48)), spec["network"])).numpy()
    means = read_dataset(recording)["responses"].mean("repetition").values
    for output, neuroid in enumerate([0, 1, 3, 4]):
        rows = test[~np.isnan(means[test, neuroid])]
        expected = np.corrcoef(outputs[rows, output], means[rows, neuroid])[0, 1]
        assert neurons["test_r"].iloc[output] == pytest.approx(expected, abs=1e-5)
    held_out = pd.read_parquet(tmp_path / "net" / "held_out.parquet")
    held_out = held_out.pivot(index="stimulus", columns=["neuroid", "time_bin"], values="output")
    assert held_out.index.tolist() == sorted(read_dataset(shown)["stimulus"].values[test])
    assert held_out.columns.tolist() == [(f"n{k}", "") for k in (0, 1, 3, 4)]
    train(shown, tmp_path / "again", spec, recording=recording)
    written, again = ((tmp_path / name / "held_out.parquet").read_bytes() for name in ("net", "again"))
    assert written == again
    in_order = test[np.argsort(read_dataset(shown)["stimulus"].values[test])]
    np.testing.assert_allclose(held_out, outputs[in_order][:, : held_out.shape[1]], rtol=1e-4, atol=1e-5)
    metrics = pd.read_csv(tmp_path / "net" / "metrics.csv")
    best = metrics[metrics["epoch"] == neurons["epochs"].iloc[0]].iloc[0]
    assert best["validation_loss"] == metrics["validation_loss"].iloc[1:].min()
    assert best["test_r IT"] == pytest.approx(neurons["test_r"][["n3", "n4"]].median(), abs=1e-6)
    assert metrics["test_r V4"].iloc[0] < best["test_r V4"]


def test_several_processes_do_as_one_does(own, shown, tmp_path, caplog):
    """Responses with gaps, so that each process has another number of values in its share of a batch."""
    recording = make_recording(tmp_path / "rec.zarr", shown)
    spec = spec_of(f"{own}:plain", recording="rec", epochs=2, batch_size=7, checkpoints=[0, 1], learning_rate=0.001)
    train(shown, tmp_path / "net1", spec, recording=recording)
    caplog.clear()
    with caplog.at_level(logging.INFO, "ventral"):
        train(shown, tmp_path / "net2", spec, recording=recording, device="cpu", processes=2)
    # What the first process logs is passed on, the others are silent.
    assert caplog.text.count("train net: epoch 2, train_loss") == 1
    one, two = (final_of(tmp_path / f"net{processes}", spec).state_dict() for processes in (1, 2))
    for name, values in one.items():
        torch.testing.assert_close(two[name], values, atol=1e-4, rtol=0)
    first, second = (pd.read_csv(tmp_path / f"net{processes}" / "metrics.csv") for processes in (1, 2))
    np.testing.assert_allclose(second, first, atol=1e-3)
    assert contents(tmp_path / "net1")["seen.csv"] == contents(tmp_path / "net2")["seen.csv"]


def test_reduced_precision_is_of_the_products_alone(own, shown, tmp_path):
    losses = {}
    for autocast in ("auto", None, "bfloat16"):
        folder = tmp_path / str(autocast)
        train(shown, folder, spec_of(f"{own}:plain", epochs=6, batch_size=8, autocast=autocast), device="cpu")
        losses[autocast] = pd.read_csv(folder / "metrics.csv")["train_loss"].iloc[1:].to_numpy()
        with safe_open(folder / "final.safetensors", framework="pt") as file:
            assert file.get_tensor("0.weight").dtype == torch.float32
    np.testing.assert_allclose(losses["bfloat16"], losses[None], rtol=0.1)
    assert (losses["bfloat16"] != losses[None]).all()
    # On the CPU there is none unless it is asked for.
    np.testing.assert_array_equal(losses["auto"], losses[None])


def test_labels_are_numbered_alike_whatever_is_excluded(shown, tmp_path):
    tested = make_set(tmp_path / "tested.zarr", categories=("bears",), seed=1)
    train(shown, tmp_path / "net", spec_of(epochs=1, batch_size=8), tested=[tested])
    with safe_open(tmp_path / "net" / "final.safetensors", framework="pt") as file:
        assert json.loads(file.metadata()["ventral"])["classes"] == ["cars", "faces"]
        assert file.get_tensor("readout.weight").shape[0] == 2


@pytest.mark.parametrize(
    ("architecture", "options", "message"),
    [
        ("without_linear", {}, "net.train: networks_to_train:without_linear has no torch.nn.Linear that could be its"),
        ("more_after_linear", {}, r"net.architecture: in evaluation, .* gives \(2, 1, 3\) for 2 stimuli; training"),
        ("Two", {}, "net.architecture: in training, networks_to_train:Two gives tuple for 2 stimuli; training"),
        (
            "Failing",
            {},
            "net: the network's forward pass fails .* KeyError: 'weights', at .*to_train.py, line",
        ),
        ("plain", {"learning_rate": 1e30}, "net.train: the loss is not finite in epoch 1; a `learning_rate` lower"),
        ("plain", {"validation": 0.001}, "net.train.validation: 0.001 of 48 stimuli with 3 labels is less"),
        ("plain", {"exclude": ["bears", "cars"]}, "net.train.stimuli: only category 'faces' of the stimulus set 'show"),
    ],
)
def test_what_cannot_be_trained_is_said(own, shown, tmp_path, architecture, options, message):
    with pytest.raises(InputError, match=f"models.{message}"):
        train(shown, tmp_path / "net", spec_of(f"{own}:{architecture}", epochs=2, batch_size=8, **options))
    assert not (tmp_path / "net").exists()
    assert not (tmp_path / ".net.training").exists()


def test_dropout_that_is_on_in_evaluation_is_said_before_training(own, shown, tmp_path):
    spec, layers = spec_of(f"{own}:always_dropping", epochs=2, batch_size=8), {"layers": ["2"], "max_layers": 1}
    with pytest.raises(InputError, match=r"models.net: the features of a stimulus are .* dropout in module '1'"):
        train(shown, tmp_path / "net", spec, layers=layers)
    assert not (tmp_path / ".net.training").exists()


def test_a_device_that_is_not_there(shown, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match=r"models\.net\.train\.device: `cuda`, but torch sees no GPU here"):
        train(shown, tmp_path / "net", spec_of(), device="cuda")


def test_memory_that_does_not_suffice(own, shown, tmp_path, monkeypatch):
    def out_of_memory(self):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1 GiB")

    monkeypatch.setattr(trainer.Trainer, "run", out_of_memory)
    with pytest.raises(InputError, match=r"models\.net\.train\.batch_size: memory does not suffice for batches of 64"):
        train(shown, tmp_path / "net", spec_of(f"{own}:plain"))


def test_tested_stimuli_without_labels_are_told(own, shown, tmp_path, caplog):
    table = pd.DataFrame(index=pd.Index(["a", "b"], name="stimulus", dtype=object))
    create_set(tmp_path / "bare.zarr", table, MODALITIES["images"], (3, 4, 4))[:] = 1
    complete_set(tmp_path / "bare.zarr", "bare", table, [b"a", b"b"])
    train(shown, tmp_path / "net", spec_of(f"{own}:plain", epochs=1), tested=[tmp_path / "bare.zarr"])
    assert "train net: the stimuli of bare have no labels, so none can be excluded" in caplog.text


@pytest.mark.parametrize("move", [variation.moved, variation._indexed], ids=["on the CPU", "as on a GPU"])
def test_images_are_mirrored_and_then_shifted(move):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 255, (4, 3, 5, 6), dtype=np.uint8)
    shifts, flips = np.array([[0, 0], [2, -1], [-1, 3], [1, 1]]), np.array([False, False, True, True])
    grey = np.array([7, 8, 9], np.uint8)[:, None, None]
    shown = move(*map(torch.from_numpy, (pixels, shifts, flips, grey))).numpy()
    for number in range(4):
        for row in range(5):
            for column in range(6):
                before = row - shifts[number, 0], column - shifts[number, 1]
                there = 0 <= before[0] < 5 and 0 <= before[1] < 6
                place = (before[0], 5 - before[1]) if flips[number] else before
                expected = pixels[number, :, place[0], place[1]] if there else grey[:, 0, 0]
                np.testing.assert_array_equal(shown[number, :, row, column], expected)


def test_images_stay_where_they_are_where_a_gpu_has_too_little_memory(monkeypatch):
    pixels = torch.zeros((10, 3, 8, 8), dtype=torch.uint8)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (2 * pixels.nbytes - 1, 10**9))
    assert trainer.resident(pixels, torch.device("cuda")) is pixels
    assert trainer.resident(pixels, torch.device("cpu")).device.type == "cpu"


def test_correlations_leave_out_what_was_not_measured():
    rng = np.random.default_rng(0)
    predicted, measured = rng.normal(size=(2, 9, 4))
    measured[:3, 0] = np.nan
    measured[1:, 1] = np.nan
    measured[:, 2] = 4.0
    r = correlations(predicted, measured)
    assert r[0] == pytest.approx(np.corrcoef(predicted[3:, 0], measured[3:, 0])[0, 1])
    assert np.isnan(r[1:3]).all()
    assert r[3] == pytest.approx(np.corrcoef(predicted[:, 3], measured[:, 3])[0, 1])


def test_a_layer_that_is_not_there_is_told_before_training(shown, tmp_path):
    layers = {"layers": ["block9"], "max_layers": 16}
    with pytest.raises(InputError, match=r"models\.net\.layers: there is no layer 'block9'; the nearest are block"):
        train(shown, tmp_path / "net", spec_of(epochs=1), layers=layers)
    assert not (tmp_path / "net").exists()
