"""Networks as people write them: which are refused, what is said, and which are none the worse for the checks."""

import json
import logging
import re

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from ventral.activations.extraction import extract
from ventral.errors import InputError
from ventral.models.description import (
    build,
    check_layers_repeatable,
    describe,
    examples,
    trace_stimuli,
    weights_sha256,
)
from ventral.models.layers import choose_layers
from ventral.models.registry import architectures, family_of
from ventral.models.repeatability import ROUNDING, difference, largest_differences
from ventral.models.zoo import resolve_model
from ventral.stimuli.ingestion import ingest
from ventral.stimuli.modality import declared_modality

N, SIZE = 13, 12
MODULE = '''
import random
import sys

import numpy as np
import torch
import torchvision
from torch import nn
from torch.nn import functional as F


def between(function, **modules):
    """A chain in which something happens between two layers that are taken, `first` and `last`."""

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Conv2d(3, 4, 3, stride=3)
            for name, module in modules.items():
                setattr(self, name, module)
            self.last = nn.Sequential(nn.Flatten(), nn.Linear(64, 5))

        def forward(self, x):
            return self.last(function(self, self.first(x)))

    return Network()


class AlwaysOn(nn.Dropout):
    def train(self, mode=True):
        return super().train(True)


class BatchNormAlwaysOn(nn.BatchNorm2d):
    def train(self, mode=True):
        return super().train(True)


class Calling(nn.Module):
    """A module that gives whatever a function makes of its input."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def ending(function):
    return nn.Sequential(nn.Conv2d(3, 4, 3, stride=3), Calling(function))


# Features by chance.
def functional_dropout():
    return between(lambda self, x: F.dropout(x, 0.3, training=True))

def dropout_module():
    return between(lambda self, x: self.drop(x), drop=AlwaysOn(0.1))

def channel_dropout():
    return between(lambda self, x: F.dropout2d(x, 0.5, True))

def stochastic_depth():
    return between(lambda self, x: x + torchvision.ops.stochastic_depth(x, 0.5, "row", True))

def small_noise():
    return between(lambda self, x: x + 0.02 * x.std() * torch.randn_like(x))

def noise_of_numpy():
    return between(lambda self, x: x + torch.from_numpy(np.random.normal(size=tuple(x.shape))).float())

def noise_of_python():
    return between(lambda self, x: x * random.uniform(0.5, 1.5))

def noise_of_an_own_generator():
    generator = np.random.default_rng()
    return between(lambda self, x: x * float(generator.uniform(0.5, 1.5)))

def noise_that_is_seeded():
    return between(lambda self, x: x + torch.randn(x.shape, generator=torch.Generator().manual_seed(0)))

def seldom():
    return between(lambda self, x: 2 * x if torch.rand(()) < 0.4 else x)

def leaky_by_chance():
    return between(lambda self, x: F.rrelu(x, training=True))

# Features that other images change.
def norm_without_statistics():
    return between(lambda self, x: self.norm(x), norm=nn.BatchNorm2d(4, track_running_stats=False))

def norm_in_training():
    return between(lambda self, x: self.norm(x), norm=BatchNormAlwaysOn(4))

def functional_norm():
    return between(lambda self, x: F.batch_norm(x, None, None, training=True))

def batch_mean():
    return between(lambda self, x: x - x.mean(0, keepdim=True))

def batch_largest():
    return between(lambda self, x: x / x.amax())

def batch_smallest():
    return between(lambda self, x: x - x.amin())

def rounded_by_the_batch():
    return between(lambda self, x: torch.round(x / x.abs().amax() * 127) / 127)

def neighbour():
    return between(lambda self, x: x + x.roll(1, 0))

def before():
    return between(lambda self, x: x.cumsum(0))

def attention_over_the_batch():
    # Made for (tokens, n, channels), and given (n, tokens, channels).
    attention = nn.MultiheadAttention(4, 2)
    def attend(self, x):
        tokens = x.flatten(2).transpose(1, 2)
        return self.attention(tokens, tokens, tokens)[0].transpose(1, 2)
    return between(attend, attention=attention)

def number():
    return between(lambda self, x: x / len(x))

def place():
    return between(lambda self, x: x + torch.arange(len(x))[:, None, None, None])

class Remembering(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("memory", torch.zeros(4, 4, 4))

    def forward(self, x):
        self.memory += x.detach().mean(0)
        return x + self.memory

def remembering():
    return between(lambda self, x: self.unit(x), unit=Remembering())

def remembering_without_a_buffer():
    def remember(self, x):
        self.passes = getattr(self, "passes", 0) + 1
        return x * self.passes
    return between(remember)

# Layers that do not always run, or not always alike.
class Turning(nn.Module):
    def __init__(self, turn):
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 4, 3, stride=3), nn.Flatten()
        self.one, self.other, self.turn = nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1), turn

    def forward(self, x):
        x = self.first(x)
        return self.last(self.other(x) if self.turn(x) else self.one(x))

def turning_at_three():
    return Turning(lambda x: len(x) > 2)

def turning_by_chance():
    return Turning(lambda x: random.random() < 0.5)

def turning_at_eight():
    return Turning(lambda x: len(x) == 8)

def features_by_number():
    return ending(lambda x: x.flatten(1) @ x.flatten(1).T)

def at_eight(then, otherwise=lambda x: x.flatten(1)):
    return ending(lambda x: then(x) if len(x) == 8 else otherwise(x))

def batch_mean_at_eight():
    return at_eight(lambda x: x.flatten(1) - x.flatten(1).mean(0))

def other_shape_at_eight():
    return at_eight(lambda x: x.flatten(1)[:, :5])

def other_type_at_eight():
    return at_eight(lambda x: x.flatten(1) > 0)

def complex_at_eight():
    return at_eight(lambda x: x.flatten(1) * 1j)

def tuple_at_eight():
    return at_eight(lambda x: (x,))

def fewer_rows_at_eight():
    return at_eight(lambda x: x.flatten(1)[:3])

def failing_at_eight():
    return at_eight(lambda x: {}["weights"])

def leaving_at_eight():
    return at_eight(lambda x: sys.exit("bye"))

class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 4, 3, stride=3), nn.Flatten()

    def forward(self, x):
        if len(x) == 8:
            self.first(x)
        return self.last(self.first(x))

def twice_at_eight():
    return Twice()

class Order(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.other = nn.Flatten(), nn.Flatten()

    def forward(self, x):
        first, second = (self.other, self.one) if len(x) == 8 else (self.one, self.other)
        return first(x) + second(x)

def order_at_eight():
    return Order()

# Outputs that are no features.
def no_features():
    return ending(lambda x: x.flatten(1)[:, :0])

def complex_numbers():
    return ending(lambda x: torch.fft.fft2(x))

def a_tuple():
    return ending(lambda x: (x, x))

def a_dictionary():
    return ending(lambda x: {"features": x})

def sequence_first():
    return ending(lambda x: x.flatten(2).permute(2, 0, 1))

def one_number():
    return ending(lambda x: x.flatten(1).sum(1))

def a_loss():
    return ending(lambda x: x.mean())

def sparse():
    return ending(lambda x: x.flatten(1).relu().to_sparse())

def quantised():
    return ending(lambda x: torch.quantize_per_tensor(x, 0.1, 0, torch.qint8))

def several_times():
    shared = nn.ReLU()
    return nn.Sequential(nn.Conv2d(3, 4, 3), shared, nn.Conv2d(4, 4, 3), shared)

def without_modules():
    return Calling(lambda x: x.flatten(1))

def lazy():
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(4))

def scripted():
    return torch.jit.script(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()))

def scripted_within():
    return nn.Sequential(nn.Conv2d(3, 4, 3), scripted_block(), nn.ReLU())

def scripted_block():
    return torch.jit.script(nn.Sequential(nn.Conv2d(4, 4, 3), nn.ReLU()))

# Forward passes that fail.
def failing():
    return ending(lambda x: {}["weights"])

def leaving():
    return ending(lambda x: sys.exit(3))

def asserting():
    def check(x):
        assert x.shape[1] == 99
    return ending(check)

def importing():
    def load(x):
        import no_such_package_anywhere
    return ending(load)

def out_of_memory():
    return ending(lambda x: torch.zeros(2 ** 50))

def one_channel():
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU())

def one_channel_without_convolution():
    return nn.Sequential(nn.Flatten(), nn.Linear(12 * 12, 4))

def one_channel_normalised():
    return nn.Sequential(nn.BatchNorm2d(1), nn.Flatten())

def other_size():
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 20 * 20, 4))

def without_values():
    return nn.Sequential(nn.Conv2d(3, 4, 3)).to("meta")

def on_a_gpu():
    return ending(lambda x: x + torch.ones(1, device="cuda"))

def two_inputs():
    class Two(nn.Module):
        def forward(self, x, mask):
            return x
    return Two()

# Good ones that look bad.
def chance_after_the_last_layer():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), AlwaysOn(0.5))

def chance_that_nobody_reads():
    return between(lambda self, x: torch.rand(3) is None or x)

def zeros():
    return between(lambda self, x: x * 0, drop=nn.Dropout(0.5))

def not_a_number():
    return between(lambda self, x: x / 0)

def signs():
    return between(lambda self, x: torch.sign(x))

def dropout_that_is_off():
    drop, norm = nn.Dropout(), nn.BatchNorm2d(4)
    return between(lambda self, x: self.norm(F.dropout(self.drop(x), 0.5, self.training)), drop=drop, norm=norm)

class Careful(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 4, 3), nn.Flatten()

    def forward(self, x):
        try:
            return self.last(self.first(x))
        except Exception:
            return self.last(self.first(x.flip(0)))

def careful():
    return Careful()

def tiny_numbers():
    return between(lambda self, x: x * 1e-30)

def overflowing_in_float16():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 1))
    for module in network:
        module.weight.data.fill_(1e3)
    return network
'''
LINES = MODULE.splitlines()


@pytest.fixture
def own(importable):
    return importable("networks_to_refuse", MODULE)


@pytest.fixture(scope="module")
def stimuli(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stimuli")
    (folder / "images").mkdir()
    rng = np.random.default_rng(0)
    for k in range(N):
        Image.fromarray(rng.integers(0, 255, (SIZE, SIZE, 3), dtype=np.uint8)).save(folder / "images" / f"i{k:02}.png")
    ingest({"images": str(folder / "images")}, folder / "stimuli.zarr", name="mine")
    return folder / "stimuli.zarr"


def spec_of(own, function, layers=("*",), **options):
    layers = layers if layers == "auto" else list(layers)
    return resolve_model("m", {"architecture": f"{own}:{function}", "size": SIZE, "layers": layers, **options})


def refusal(own, function, path, layers=("*",)):
    """Return what is said when a network is described; nothing must be left of the description."""
    with pytest.raises(InputError) as caught:
        describe(spec_of(own, function, layers), path / "m.json")
    assert not list(path.glob("*m.json*"))
    assert "Traceback" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("function", "cause"),
    [
        ("functional_dropout", "dropout, at .*networks_to_refuse.py, line LINE"),
        ("dropout_module", r"dropout in module 'drop' \(AlwaysOn\), at .*networks_to_refuse.py, line LINE"),
        ("channel_dropout", "dropout, at .*networks_to_refuse.py, line LINE"),
        ("stochastic_depth", "random numbers, drawn by bernoulli, at .*networks_to_refuse.py, line LINE"),
        ("small_noise", "random numbers, drawn by randn_like, at .*networks_to_refuse.py, line LINE"),
        ("noise_of_numpy", "random numbers of NumPy's or Python's generator"),
        ("noise_of_python", "random numbers of NumPy's or Python's generator"),
        ("noise_of_an_own_generator", "noise, or the other stimuli of the batch"),
        ("noise_that_is_seeded", "random numbers, drawn by randn, at .*networks_to_refuse.py, line LINE"),
        ("seldom", "random numbers, drawn by rand"),
        ("leaky_by_chance", "random numbers, drawn by rrelu"),
        ("norm_without_statistics", r"without running statistics in module 'norm' \(BatchNorm2d\), at .*line LINE"),
        ("norm_in_training", r"in training mode or .* in module 'norm' \(BatchNormAlwaysOn\), at .*line LINE"),
        ("functional_norm", "batch normalisation in training mode or without running statistics, at .*line LINE"),
        ("batch_mean", "noise, or the other stimuli of the batch, such as their mean"),
        ("batch_largest", "noise, or the other stimuli of the batch"),
        ("batch_smallest", "noise, or the other stimuli of the batch"),
        ("rounded_by_the_batch", "noise, or the other stimuli of the batch"),
        ("neighbour", "noise, or the other stimuli of the batch"),
        ("before", "noise, or the other stimuli of the batch"),
        ("attention_over_the_batch", "noise, or the other stimuli of the batch"),
        ("number", "noise, or the other stimuli of the batch"),
        ("place", "noise, or the other stimuli of the batch"),
        ("remembering", r"changes the buffer 'unit.memory', and so remembers earlier batches"),
        ("remembering_without_a_buffer", "noise, or the other stimuli of the batch"),
    ],
)
def test_features_by_chance_or_of_other_images_are_refused(own, tmp_path, function, cause):
    said = refusal(own, function, tmp_path, ["first", "last"])
    line = LINES.index(f"def {function}():") + 2
    assert re.search(cause.replace("LINE", str(line)), said), said
    # The layer before is the same in every batch.
    assert said.startswith("models.m: the features of a stimulus are not the same in every batch. Layer 'last' differs")
    describe(spec_of(own, function, ["first"]), tmp_path / "m.json")


def test_which_layer_differs_first_and_by_how_much(own, tmp_path):
    said = refusal(own, "number", tmp_path, ["*", "last.*"])
    # Half and third parts: |1/2 - 1/3| / mean(1/2, 1/3) = 0.4.
    assert "Layer 'last.0' differs by 0.4 of its size from batch to batch, where rounding makes 0.001 at most" in said


@pytest.mark.parametrize(
    ("function", "layer", "message"),
    [
        (
            "turning_at_three",
            "one",
            r"models.m: layer 'one' does not run, or later than in the trace: forward\(\)",
        ),
        ("turning_by_chance", "o*", r"layer '(one|other)' does not run, or later than in the trace"),
        (
            "features_by_number",
            "1",
            r"layer '1' gives features of shape \(3,\), where the trace saw floating-point numbers of shape \(2,\)",
        ),
        ("no_features", "1", r"models.m.layers: '1' gives no features: its output has the shape \(2, 0\)"),
        ("complex_numbers", "1", "models.m.layers: '1' gives complex numbers"),
        ("a_tuple", "1", "'1' gives a tuple, not a tensor; the nearest layers are 0"),
        ("a_dictionary", "1", "'1' gives a dict, not a tensor"),
        ("sequence_first", "1", r"'1' gives a tensor \(16, 2, 4\), whose first axis is not the 2 stimuli, as of seq"),
        ("one_number", "1", "'1' gives one number a stimulus, without an axis of features"),
        ("a_loss", "1", r"'1' gives a tensor \(\), whose first axis is not the 2 stimuli;"),
        ("sparse", "1", "'1' gives a sparse tensor"),
        ("quantised", "1", "'1' gives a quantised tensor"),
        ("several_times", "1@3", "'1@3' is no layer: '1' runs 2 times in a forward pass; the nearest layers are 1@2"),
        ("several_times", "0@1", "'0@1' is no layer: '0' runs once in a forward pass, and has no `@1` in its name"),
        ("several_times", "1@cls", "'1@1@cls' has no tokens that are known: no library documents how those of this"),
        ("scripted_within", "1", "'1' is compiled by TorchScript, so that its output cannot be seen"),
        ("scripted_within", "1.1", "'1.1' is compiled by TorchScript, so that its output cannot be seen"),
        ("scripted", "1", "models.m: the network is compiled by TorchScript .* return the torch.nn.Module"),
        ("lazy", "1", "models.m.architecture: .* returned a network with lazy modules, whose shapes are not known yet"),
        ("without_modules", "auto", "models.m.layers: `auto` finds no module that gives features"),
    ],
)
def test_outputs_that_are_no_features_are_refused(own, tmp_path, function, layer, message):
    said = refusal(own, function, tmp_path, layer if layer == "auto" else [layer])
    assert re.search(message, said), said


@pytest.mark.parametrize(
    ("function", "message", "no_hint"),
    [
        ("failing", r"3 x 12 x 12: KeyError: 'weights' in module '1' \(Calling\), at .*refuse.py, line LINE$", "size"),
        ("leaving", r"SystemExit: 3 in module '1' \(Calling\), at .*refuse.py, line LINE$", "size"),
        ("asserting", r"AssertionError in module '1' \(Calling\), at .*refuse.py, line NEXT$", "size"),
        ("importing", r"ModuleNotFoundError: No module named 'no_such_package_anywhere' in .* line NEXT$", "size"),
        ("out_of_memory", r"models.m: memory does not suffice for a forward pass of 2 stimuli of 3 x 12 x 12", "line"),
        ("one_channel", r"module '0' \(Conv2d\); the network is made for images of one channel", "`size`"),
        ("one_channel_without_convolution", "made for images of one channel, and stimuli have three", "`size`"),
        ("one_channel_normalised", "made for images of one channel, and stimuli have three", "`size`"),
        ("other_size", r"module '1' \(Linear\); is the model's `size` the one it was made for\?", "channels"),
        ("without_values", "returned a network on the device meta, without values; build it on the CPU", "`size`"),
        ("on_a_gpu", "let forward.. make its tensors on the device of its input", "`size`"),
        ("two_inputs", r"TypeError: .*forward\(\) missing 1 required positional argument: 'mask'", "`size`"),
    ],
)
def test_errors_of_a_forward_pass_say_where_they_are_and_what_may_help(own, tmp_path, function, message, no_hint):
    said = refusal(own, function, tmp_path, ["0"])
    line = LINES.index(f"def {function}():") + 2
    assert re.match(r"models\.m(\.architecture)?: ", said)
    assert re.search(message.replace("LINE", str(line)).replace("NEXT", str(line + 1)), said), said
    assert no_hint not in said


@pytest.mark.parametrize(
    ("function", "layers", "message"),
    [
        ("turning_at_eight", ["one", "last"], r"layer 'one' does not run, or later than in the trace"),
        ("order_at_eight", ["one", "other"], r"layer 'one' does not run, or later than in the trace"),
        (
            "batch_mean_at_eight",
            ["0", "1"],
            r"layer '1': the features of a stimulus in a batch of 8 differ by .* from those in a batch of 2; rounding",
        ),
        ("twice_at_eight", ["first", "last"], r"layer 'first' runs more than once, where the trace saw one run"),
        (
            "other_shape_at_eight",
            ["0", "1"],
            r"layer '1' gives features of shape \(5,\), where the .* shape \(64,\)",
        ),
        (
            "other_type_at_eight",
            ["0", "1"],
            r"layer '1' gives numbers of type torch.bool, where the trace saw floating-point",
        ),
        (
            "complex_at_eight",
            ["0", "1"],
            r"layer '1' gives complex numbers, where the trace saw floating-point numbers",
        ),
        ("tuple_at_eight", ["0", "1"], r"layer '1' gives a tuple, not a tensor, where the trace saw"),
        (
            "fewer_rows_at_eight",
            ["0", "1"],
            r"layer '1' gives a tensor \(3, 64\), whose first axis is not the 8 stimuli",
        ),
        (
            "failing_at_eight",
            ["0", "1"],
            r"KeyError: 'weights' in module '1' \(Calling\), at .*networks_to_refuse.py, line LINE$",
        ),
        (
            "leaving_at_eight",
            ["0", "1"],
            r"SystemExit: bye in module '1' \(Calling\), at .*refuse.py, line LINE$",
        ),
    ],
)
def test_a_batch_unlike_the_trace_is_refused_and_stored_nowhere(own, stimuli, tmp_path, function, layers, message):
    spec = spec_of(own, function, layers)
    describe(spec, tmp_path / "m.json")
    with pytest.raises(InputError) as caught:
        extract(stimuli, spec, 0, N, tmp_path / "a.zarr", device="cpu", batch_size=8)
    line = LINES.index(f"def {function}():") + 2
    said = str(caught.value)
    assert said.startswith("models.m: in the batch of 8 stimuli, i00.png to i07.png: ")
    assert re.search(message.replace("LINE", str(line)), said), said
    assert not list(tmp_path.glob("*.zarr*"))


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_an_overflow_under_autocast_is_told_about_autocast(own, stimuli, tmp_path, dtype):
    spec = spec_of(own, "overflowing_in_float16", ["1"])
    options = {"device": "cpu", "batch_size": 8, "dtype": dtype}
    with pytest.raises(InputError, match="overflow within the forward pass: set `extraction: {autocast: bfloat"):
        extract(stimuli, spec, 0, N, tmp_path / "a.zarr", autocast="float16", **options)
    extract(stimuli, spec, 0, N, tmp_path / "a.zarr", autocast="bfloat16", **options)


def test_features_that_are_no_numbers_are_not_told_about_types(own, stimuli, tmp_path):
    with pytest.raises(InputError, match="the network's output for this stimulus is not a number"):
        extract(stimuli, spec_of(own, "not_a_number", ["last"]), 0, N, tmp_path / "a.zarr", dtype="float16")


GOOD = (
    "chance_after_the_last_layer",
    "chance_that_nobody_reads",
    "zeros",
    "not_a_number",
    "signs",
    "dropout_that_is_off",
    "careful",
    "tiny_numbers",
)


@pytest.mark.parametrize("function", GOOD)
def test_good_networks_that_look_bad_pass(own, stimuli, tmp_path, function):
    layers = ["0", "1"] if function == "chance_after_the_last_layer" else ["first", "last"]
    describe(spec_of(own, function, layers), tmp_path / "m.json")
    assert [layer["name"] for layer in json.loads((tmp_path / "m.json").read_text())["layers"]] == layers
    if function != "not_a_number":
        extract(stimuli, spec_of(own, function, layers), 0, N, tmp_path / "a.zarr", device="cpu", batch_size=8)


SMALLER = {"size": 64}
# Some have their weights in a file of the user.
OFFERED = {
    name: {}
    for name in architectures()
    if family_of(name).build and not name.startswith(("efficientnet", "cochcnn9", "cochresnet50"))
}
OFFERED |= dict.fromkeys(("efficientnet_lite0", "efficientnet_lite0_random", "resnet18_random"), SMALLER)
OFFERED |= dict.fromkeys(("cochcnn9_random",))


@pytest.mark.parametrize("name", [*OFFERED, "vit_b_32_random"])
def test_networks_that_are_offered_by_name_pass(name):
    spec = resolve_model(name, OFFERED.get(name))
    network, shape = build(spec), declared_modality(spec, name).any_shape
    layers = choose_layers(network, trace_stimuli(network, shape, spec), spec)
    found = largest_differences(network, layers, examples(3, shape, spec))
    assert list(found) == [layer.name for layer in layers]
    assert max(found.values()) < ROUNDING / 100


def test_a_unit_that_rounding_turns_over_for_some_images_is_no_reason_to_refuse():
    shown = []

    class Counting(nn.Module):
        def forward(self, x):
            shown.append(x)
            # As if rounding decided: of one set of images, and in one batch.
            return x.flatten(1)[:, :2] * (1 + (len(shown) == 3))

    network = nn.Sequential(Counting()).eval()
    spec = resolve_model("m", {"layers": ["0"], "size": 8})
    layers = choose_layers(network, trace_stimuli(network, (3, 8, 8), spec), spec)
    check_layers_repeatable(network, layers, (3, 8, 8), spec)
    both_sets_of_images = 1 + 2 * 3
    assert len(shown) == both_sets_of_images


def test_networks_without_chance_cost_three_small_passes(own):
    network = build(spec_of(own, "signs"))
    sizes = []
    network.register_forward_pre_hook(lambda _module, inputs: sizes.append(len(inputs[0])))
    spec = spec_of(own, "signs", ["last"])
    layers = choose_layers(network, trace_stimuli(network, (3, 8, 8), spec), spec)
    check_layers_repeatable(network, layers, (3, 8, 8), spec)
    assert sizes == [2, 2, 3, 2]
    assert not any(module._forward_hooks for module in network.modules())


def test_the_difference_of_features():
    one = torch.tensor([1.0, -2.0, 1.0])
    assert difference(one, one) == difference(0 * one, 0 * one) == 0
    assert difference(one, -one) == 2
    assert difference(one * 1e-30, 1.5 * one * 1e-30) == pytest.approx(0.4)
    holes = torch.tensor([np.nan, np.inf, 1.0])
    assert difference(holes, holes) == 0
    assert difference(holes, one) == np.inf
    assert difference(torch.tensor([True, False]), torch.tensor([True, True])) == pytest.approx(2 / 3)


SKIPPING = """
from torch import nn

class Block(nn.Module):
    def __init__(self, several):
        super().__init__()
        self.conv, self.several = nn.Conv2d(3, 3, 1), several

    def forward(self, x):
        x = x[0] if isinstance(x, tuple) else x
        return (self.conv(x), x) if self.several else self.conv(x)

def make():
    shared = nn.ReLU()
    blocks = [Block(True), Block(True), Block(False), shared, nn.Conv2d(3, 3, 1), shared, nn.Conv2d(3, 2, 1)]
    return nn.Sequential(*blocks)
"""


TUPLES = "0, 1 (gives a tuple, not a tensor)"


@pytest.mark.parametrize(
    ("layers", "taken", "names", "said"),
    [
        (
            "auto",
            ["2", "3@1", "3@2", "6"],
            {"0", "1"},
            f"models.m.layers: `auto` leaves out 2 of the modules that it stands for: {TUPLES}",
        ),
        (
            ["*"],
            ["2", "3@1", "4", "3@2", "6"],
            {"0", "1"},
            f"a glob leaves out 2 of the modules that it stands for: {TUPLES}",
        ),
        (
            ["[23]@2", "3@1"],
            ["3@1", "3@2"],
            {"2@2"},
            "2@2 (is no layer: '2' runs once in a forward pass",
        ),
        (["[01].conv", "6"], ["0.conv", "1.conv", "6"], set(), ""),
        (["2", "4"], ["2", "4"], set(), ""),
    ],
)
def test_modules_that_are_passed_over_are_said(importable, tmp_path, caplog, layers, taken, names, said):
    own = importable("networks_to_skip", SKIPPING)
    with caplog.at_level(logging.WARNING, "ventral"):
        describe(spec_of(own, "make", layers), tmp_path / "m.json")
    description = json.loads((tmp_path / "m.json").read_text())
    assert [layer["name"] for layer in description["layers"]] == taken
    assert {module["name"] for module in description["skipped"]} == names
    assert all(module["reason"] for module in description["skipped"])
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == bool(names)
    assert said in "".join(warnings)


def test_a_glob_that_fits_only_what_is_no_layer(importable, tmp_path):
    own = importable("networks_to_skip", SKIPPING)
    with pytest.raises(InputError, match=r"'0\*' matches no layer, only 0 \(gives a tuple, not a tensor\); there are"):
        describe(spec_of(own, "make", ["0*"]), tmp_path / "m.json")


def test_a_network_of_torchvision_whose_modules_run_twice(tmp_path):
    describe(resolve_model("resnet18_random", {"layers": ["layer1.0.relu"], "size": 32}), tmp_path / "m.json")
    layers = json.loads((tmp_path / "m.json").read_text())["layers"]
    assert [(layer["name"], layer["step"]) for layer in layers] == [("layer1.0.relu@1", 1), ("layer1.0.relu@2", 2)]
    assert layers[0]["depth"] < layers[1]["depth"]


def test_weights_of_any_type_have_a_hash():
    class Odd(nn.Module):
        def __init__(self, changed=None):
            super().__init__()
            values = {
                "complex": torch.ones(2, dtype=torch.complex64),
                "conjugate": torch.full((2,), 1j).conj(),
                "boolean": torch.tensor([True, False]),
                "scalar": torch.tensor(3.0),
                "empty": torch.empty(0),
                "brain": torch.ones(2, dtype=torch.bfloat16),
                "byte_each": torch.ones(2).to(torch.float8_e4m3fn),
                "tensor_quantised": torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8),
                "channel_quantised": torch.quantize_per_channel(
                    torch.ones(2, 2), torch.tensor([0.1, 0.2]), torch.zeros(2), 0, torch.qint8
                ),
                "sparse": torch.eye(2).to_sparse(),
            }
            if changed in values:
                values[changed] = torch.zeros(1)
            for name, tensor in values.items():
                self.register_buffer(name, tensor)

    assert weights_sha256(Odd()) == weights_sha256(Odd())
    changes = list(Odd()._buffers)
    assert len({weights_sha256(Odd(name)) for name in changes}) == len(changes)
    # Of tensors that everybody has, the hash is the one that earlier results are labelled with.
    torch.manual_seed(0)
    assert weights_sha256(nn.BatchNorm1d(2)).startswith("8cd0afdd160820f4")
