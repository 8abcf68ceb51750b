"""Which layers a description takes, in which order, how deep they are, and how wrong names are said."""

import math

import pytest
import torch
from torch import nn

from ventral.errors import InputError
from ventral.models.layers import choose_layers, trace


class Block(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU()

    def forward(self, x):
        return self.relu(self.norm(self.conv(x)) + x)


class Network(nn.Module):
    """A stem of simple modules, a stage of two blocks, and a head that runs its activation twice."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.stem_relu = nn.ReLU()
        self.stage = nn.Sequential(Block(4), Block(4))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.twice = nn.ReLU()
        self.pair = Pair()
        self.unused = nn.Linear(3, 3)
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        x = self.pool(self.stage(self.stem_relu(self.stem(x)))).flatten(1)
        return self.head(self.pair(self.twice(self.twice(x)))[0])


class Pair(nn.Module):
    def forward(self, x):
        return x, x


@pytest.fixture
def network():
    return Network().eval()


@pytest.fixture
def traced(network):
    return trace(network, torch.zeros(2, 3, 8, 8))


def chosen(network, traced, layers, max_layers=16):
    spec = {"name": "m", "layers": layers, "max_layers": max_layers}
    return [layer.name for layer in choose_layers(network, traced, spec)]


def test_layers_come_in_the_order_of_completion_with_their_depth(traced):
    names = list(traced)
    assert names.index("stem") < names.index("stage.0.conv") < names.index("stage.0") < names.index("stage.1")
    assert names.index("stage.1") < names.index("stage") < names.index("head")
    # Six modules with weights run: the stem, two convolutions and two normalisations, the head.
    assert [traced[name].depth for name in ("stem", "stage.0", "stage", "head")] == [1 / 6, 3 / 6, 5 / 6, 1]
    assert traced["stage.0"].shape == (4, 8, 8)
    assert (traced["twice@1"].runs, traced["twice@2"].run) == (2, 2)
    assert traced["pair"].problem == "gives a tuple, not a tensor"
    assert not {"unused", ""} & set(traced)


def test_the_largest_value_of_a_layer_is_known_as_it_is_before_the_next_works_in_place():
    chain = nn.Sequential(nn.Flatten(), nn.ReLU(inplace=True), nn.Tanh()).eval()
    traced = trace(chain, torch.tensor([[-7.0, 2.0], [5.0, -1.0]]))
    assert [traced[name].largest for name in "01"] == [7, 5]
    assert traced["2"].largest == pytest.approx(math.tanh(5))


def test_layers_without_fractions_or_values_have_no_largest_value():
    class Whole(nn.Module):
        def forward(self, x):
            return (x > 0).long()

    assert math.isnan(trace(nn.Sequential(Whole()), torch.ones(2, 3))["0"].largest)
    assert math.isnan(trace(nn.Sequential(nn.Flatten()), torch.ones(2, 0, 3))["0"].largest)


def test_hooks_are_gone_after_a_trace(network, traced):
    assert not any(module._forward_hooks for module in network.modules())


def test_names_and_globs(network, traced):
    assert chosen(network, traced, ["head", "stem"]) == ["stem", "head"]
    assert chosen(network, traced, ["stage.*"]) == ["stage.0", "stage.1"]
    assert chosen(network, traced, ["stage.*.conv", "stage.[1].norm"]) == [
        "stage.0.conv",
        "stage.1.conv",
        "stage.1.norm",
    ]
    assert chosen(network, traced, ["s*", "stem"]) == ["stem", "stem_relu", "stage"]
    # A glob passes over what is no layer: the module that gives a tuple.
    assert "pair" not in chosen(network, traced, ["*"])


def test_auto_takes_the_ends_of_blocks(network, traced):
    assert chosen(network, traced, "auto") == ["stem_relu", "stage.0", "stage.1", "twice@2", "head"]
    assert chosen(network, traced, "auto", max_layers=2) == ["stem_relu", "head"]
    assert chosen(network, traced, "auto", max_layers=1) == ["head"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("alexnet", ["features.1", "features.4", "features.7", "features.9", "features.11"]),
        ("resnet18", ["relu", *(f"layer{k}.{j}" for k in (1, 2, 3, 4) for j in (0, 1)), "fc"]),
        ("vit_b_32", ["conv_proj", *(f"encoder.layers.encoder_layer_{k}" for k in range(12))]),
    ],
)
def test_auto_on_networks_that_everybody_knows(name, expected):
    from torchvision import models

    # Without memory or time for weights: shapes are all that a trace needs.
    with torch.device("meta"):
        network = models.get_model(name, weights=None).eval()
        traced = trace(network, torch.zeros(2, 3, 224, 224))
    found = chosen(network, traced, "auto", max_layers=30)
    assert found[: len(expected)] == expected


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (["stage.3"], "models.m.layers: there is no layer 'stage.3'; the nearest are stage.1, stage.0"),
        (["blocks.*"], "models.m.layers: 'blocks.*' matches no layer; there are"),
        (["twice@3"], "'twice@3' is no layer: 'twice' runs 2 times in a forward pass; the nearest layers are twice@2"),
        (["stem@1"], "'stem@1' is no layer: 'stem' runs once in a forward pass, and has no `@1` in its"),
        (["sta*@2"], "'sta*@2' matches no layer, only stage@2 (is no layer: 'stage' runs once in a"),
        (["pair"], "'pair' gives a tuple, not a tensor; the nearest layers are"),
        (["unused"], "'unused' is not called in a forward pass"),
    ],
)
def test_wrong_names_are_said_with_the_nearest(network, traced, layers, message):
    with pytest.raises(InputError) as caught:
        chosen(network, traced, layers)
    assert message in str(caught.value)
