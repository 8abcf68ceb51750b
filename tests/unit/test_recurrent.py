"""Recurrent networks do what their connections say, their controls are equal to them, and training reads every step."""

import hashlib

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from ventral.configuration.resolution import resolve
from ventral.errors import InputError
from ventral.models.description import build, preprocess, trace_stimuli
from ventral.models.families.small_recurrent import FAMILY
from ventral.models.layers import choose_layers
from ventral.models.recurrent import NETWORKS, STEPS, RecurrentNetwork, unrolled_depth
from ventral.models.zoo import resolve_model
from ventral.stimuli.modality import MODALITIES
from ventral.stimuli.store import complete_set, create_set
from ventral.store import read_dataset
from ventral.training import trainer
from ventral.training.training import train

CONTROLS = ("small_b_features", "small_b_kernels", "small_b_deep")
SIZE = 16
MODULE = """
from torch import nn
from ventral.models.recurrent import RecurrentNetwork

def tiny():
    return RecurrentNetwork(((4,), (6,)), (3, 3), lateral=True, top_down=True, steps=3)

def forgetful():
    network = nn.Sequential(nn.Flatten(), nn.Linear(768, 8))
    network.steps_read_out = 3
    return network
"""


def tiny(**options) -> RecurrentNetwork:
    torch.manual_seed(3)
    connections = {"lateral": True, "top_down": True, "steps": 3} | options
    return RecurrentNetwork(((4,), (6,)), (3, 3), **connections)


def n_parameters(network: nn.Module) -> int:
    return sum(values.numel() for values in network.parameters())


@pytest.mark.parametrize("name", CONTROLS)
def test_controls_have_as_many_parameters(name):
    assert n_parameters(NETWORKS[name]()) == pytest.approx(n_parameters(NETWORKS["small_blt"]()), rel=0.02)


def longest_path(n_layers: int, steps: int, *, lateral: bool, top_down: bool) -> int:
    """Convolutions on the longest path to the last layer at the last step, from every path to each state."""
    longest = {}
    for step in range(steps):
        for layer in range(n_layers):
            below = [longest[layer - 1, step]] if layer else [0]
            same = [longest[layer, step - 1]] if lateral and step else []
            above = [longest[layer + 1, step - 1]] if top_down and step and layer + 1 < n_layers else []
            longest[layer, step] = 1 + max(below + same + above)
    return longest[n_layers - 1, steps - 1]


@pytest.mark.parametrize(("lateral", "top_down"), [(True, True), (True, False), (False, True), (False, False)])
@pytest.mark.parametrize(("n_layers", "steps"), [(1, 3), (2, 1), (3, 4), (4, 2)])
def test_the_unrolled_depth_is_the_longest_path(n_layers, steps, lateral, top_down):
    expected = longest_path(n_layers, steps, lateral=lateral, top_down=top_down)
    assert unrolled_depth(n_layers, steps, lateral=lateral, top_down=top_down) == expected


def test_the_deep_control_is_as_deep_as_the_unrolled_network():
    def depth(name):
        return sum(name.startswith("layer") for name, _ in NETWORKS[name]().named_children())

    assert depth("small_b_deep") == unrolled_depth(depth("small_blt"), STEPS, lateral=True, top_down=True) == 9


def test_every_network_has_its_preset_and_only_the_connections_of_its_name():
    assert NETWORKS.keys() == FAMILY.architectures.keys()
    for name, make in NETWORKS.items():
        letters, names = name.split("_")[1], [name for name, _ in make().named_parameters()]
        assert any(".lateral." in name for name in names) == ("l" in letters)
        assert any(".top_down." in name for name in names) == ("t" in letters)


def test_without_recurrence_every_step_gives_the_same_even_after_training():
    network = tiny(lateral=False, top_down=False)
    optimiser = torch.optim.AdamW(network.parameters(), lr=0.1)
    images, targets = torch.rand(5, 3, SIZE, SIZE), torch.arange(5)
    for _ in range(2):
        loss = cross_entropy(network(images).flatten(0, 1), targets.repeat_interleave(3))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.inference_mode():
        answers = network.eval()(images)
    assert torch.equal(answers[:, 0], answers[:, 1])
    assert torch.equal(answers[:, 0], answers[:, 2])
    assert not torch.equal(answers[0], answers[1])


@pytest.mark.parametrize("connections", [{"lateral": False}, {"top_down": False}, {}])
def test_with_recurrence_steps_differ(connections):
    with torch.inference_mode():
        answers = tiny(**connections).eval()(torch.rand(2, 3, SIZE, SIZE))
    assert not torch.allclose(answers[:, 0], answers[:, 1])
    assert not torch.allclose(answers[:, 1], answers[:, 2])


def convolved(maps: np.ndarray, kernels: np.ndarray, stride: int = 1) -> np.ndarray:
    """Cross-correlation of maps (channels, rows, columns), padded by half a kernel."""
    half = kernels.shape[-1] // 2
    padded = np.pad(maps, ((0, 0), (half, half), (half, half)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, kernels.shape[-2:], axis=(1, 2))[:, ::stride, ::stride]
    return np.einsum("chwij,ocij->ohw", windows, kernels)


def spread(maps: np.ndarray, kernels: np.ndarray) -> np.ndarray:
    """Transposed convolution to maps twice as large: every value adds a kernel (below, 3, 3) around its place."""
    _, rows, columns = maps.shape
    result = np.zeros((kernels.shape[1], 2 * rows + 2, 2 * columns + 2))
    for channel, row, column in np.ndindex(maps.shape):
        place = (slice(None), slice(2 * row, 2 * row + 3), slice(2 * column, 2 * column + 3))
        result[place] += maps[channel, row, column] * kernels[channel]
    return result[:, 1 : 2 * rows + 1, 1 : 2 * columns + 1]


def normalised(maps: np.ndarray, norm: nn.BatchNorm2d) -> np.ndarray:
    mean, var, weight, bias = (
        values.detach().double().numpy()[:, None, None]
        for values in (norm.running_mean, norm.running_var, norm.weight, norm.bias)
    )
    return np.maximum((maps - mean) / np.sqrt(var + norm.eps) * weight + bias, 0)


def test_two_steps_of_a_tiny_network_are_a_computation_by_hand():
    network = tiny().eval()
    for norm in (module for module in network.modules() if isinstance(module, nn.BatchNorm2d)):
        for values in (norm.running_mean, norm.weight.data, norm.bias.data):
            nn.init.normal_(values)
        nn.init.uniform_(norm.running_var, 0.5, 2)
    image = torch.rand(1, 3, 8, 8)
    b1, l1, t1, b2, l2 = (
        network.get_submodule(name).weight.detach().double().numpy()
        for name in ("layer1.bottom_up", "layer1.lateral", "layer1.top_down", "layer2.bottom_up", "layer2.lateral")
    )
    seen = convolved(image[0].double().numpy(), b1, stride=2)

    def above(state):
        return convolved(state.reshape(4, 2, 2, 2, 2).max(axis=(2, 4)), b2)

    first = normalised(seen, network.layer1.norms[0])
    second = normalised(above(first), network.layer2.norms[0])
    answers = [second]
    first_after = normalised(seen + convolved(first, l1) + spread(second, t1), network.layer1.norms[1])
    answers.append(normalised(above(first_after) + convolved(second, l2), network.layer2.norms[1]))
    readout = network.readout
    weight, bias = (values.detach().double().numpy() for values in (readout.weight, readout.bias))
    with torch.inference_mode():
        found = network(image)[0].double().numpy()
    for step, state in enumerate(answers):
        np.testing.assert_allclose(found[step], weight @ state.mean(axis=(1, 2)) + bias, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("side", [15, 17, 18])
def test_maps_of_any_size_fit_together(side):
    assert tiny()(torch.rand(2, 3, side, side + 3)).shape == (2, 3, 8)


def test_every_step_of_a_layer_is_a_layer():
    spec = resolve_model("small_bt")
    network = build(spec)
    layers = choose_layers(network, trace_stimuli(network, (3, 32, 32), spec), spec)
    assert [(layer.name, layer.step) for layer in layers] == [
        (f"{module}@{step}", step)
        for step in range(1, STEPS + 1)
        for module in ("layer1", "layer2", "layer3", "pooled")
    ]


@pytest.fixture
def shown(tmp_path):
    """A set of 48 images of 3 categories and 12 objects, whose colour tells the category."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {"category": [f"c{k % 3}" for k in range(48)], "object": [f"o{k % 12:02d}" for k in range(48)]}
    )
    table.index = pd.Index([f"im{k}" for k in range(48)], name="stimulus", dtype=object)
    pixels = rng.integers(0, 120, (48, 3, SIZE, SIZE), dtype=np.uint8)
    pixels[np.arange(48), np.arange(48) % 3] += np.uint8(90)
    path = tmp_path / "shown.zarr"
    create_set(path, table, MODALITIES["images"], (3, SIZE, SIZE))[:] = pixels
    complete_set(path, "shown", table, [hashlib.sha256(one).digest() for one in pixels])
    return path


def spec_of(architecture, **options):
    training = {"stimuli": "shown", "label": "category", "apart": ["object"], "validation": 0.25, **options}
    config = {
        "results": "results",
        "stimuli": {"shown": {"images": "shown"}, "tested": {"images": "tested"}},
        "recordings": {"rec": {"stimuli": "tested", "responses": "rec.npy"}},
        "models": {"net": {"architecture": architecture, "size": SIZE, "train": training}},
    }
    spec = resolve(config)["trainings"]["net"]
    del spec["device"]
    return spec


def test_the_loss_is_the_mean_over_steps_and_answers_are_those_of_each_step(importable, shown, tmp_path):
    spec = spec_of(f"{importable('recurrent_networks', MODULE)}:tiny", epochs=3, batch_size=8)
    train(shown, tmp_path / "net", spec)
    metrics = pd.read_csv(tmp_path / "net" / "metrics.csv")
    seen = pd.read_csv(tmp_path / "net" / "seen.csv")
    answers = pd.read_parquet(tmp_path / "net" / "answers.parquet")
    weights = str(tmp_path / "net" / "final.safetensors")
    network = build({**spec["network"], "weights": weights, "trained_by": "net"})
    dataset = read_dataset(shown)
    names, labels = dataset["stimulus"].values, dataset["category"].values.astype(str)
    images = preprocess(torch.from_numpy(dataset["pixels"].values), spec["network"])
    with torch.inference_mode():
        outputs = network(images)
    tested = set(answers["stimulus"])
    # One object of four in each category, with its four images.
    assert len(tested) == 12
    assert not tested & set(seen["stimulus"])
    validation = np.flatnonzero(~np.isin(names, [*tested, *seen["stimulus"]]))
    targets = torch.from_numpy(np.searchsorted(["c0", "c1", "c2"], labels))
    loss = np.mean([cross_entropy(outputs[validation, k], targets[validation]).item() for k in range(3)])
    assert metrics["validation_loss"].min() == pytest.approx(loss, rel=1e-4)
    expected = pd.DataFrame(outputs.argmax(2).numpy(), index=names, columns=[1, 2, 3])
    found = answers.pivot(index="stimulus", columns="step", values="answer")
    assert (found == "c" + expected.loc[found.index].astype(str)).all(axis=None)
    assert (answers["name"].to_numpy() == pd.Series(labels, names)[answers["stimulus"]].to_numpy()).all()
    best = metrics.loc[metrics["epoch"] > 0, "validation_loss"].idxmin()
    right = answers.query("step == 3")
    assert metrics["test_accuracy"][best] == pytest.approx((right["answer"] == right["name"]).mean())


def test_training_goes_on_where_it_stopped(importable, shown, tmp_path, monkeypatch):
    spec = spec_of(f"{importable('recurrent_networks', MODULE)}:tiny", epochs=2, batch_size=8)
    train(shown, tmp_path / "undisturbed", spec)
    save, saved = trainer.Trainer._save, []

    def stopping(self, state):
        save(self, state)
        saved.append(state.epoch)
        if len(saved) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(trainer.Trainer, "_save", stopping)
    with pytest.raises(KeyboardInterrupt):
        train(shown, tmp_path / "net", spec)
    monkeypatch.setattr(trainer.Trainer, "_save", save)
    train(shown, tmp_path / "net", spec)
    contents = [
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("undisturbed", "net")
    ]
    assert "answers.parquet" in contents[0]
    assert contents[0] == contents[1]


def test_a_network_without_the_outputs_of_its_steps_is_refused(importable, shown, tmp_path):
    spec = spec_of(f"{importable('recurrent_networks', MODULE)}:forgetful", epochs=1)
    with pytest.raises(InputError, match=r"gives \(2, 3\) for 2 stimuli; training needs a tensor \(2, 3, 3\)"):
        train(shown, tmp_path / "net", spec)
