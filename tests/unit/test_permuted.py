"""Permuted weights: the same values in every tensor, in another order."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from ventral.errors import InputError
from ventral.models.description import build, describe
from ventral.models.listing import listing
from ventral.models.permuted import permute_weights
from ventral.models.zoo import check_model, family, resolve_model
from ventral.outputs import sha256
from ventral.simulation.teacher import resolve_simulation

MODULE = """
import torch
from torch import nn

def make():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    values = torch.linspace(0.5, 1.5, 4)
    network[1].running_mean.copy_(values)
    network[1].weight.data.copy_(values)
    return network
"""


@pytest.fixture
def own(importable):
    return importable("net_to_permute", MODULE)


def spec_of(own, **options):
    return resolve_model("m", {"architecture": f"{own}:make", "size": 8, "layers": ["0", "1", "4"], **options})


def sorted_values(values: torch.Tensor) -> torch.Tensor:
    return values.flatten().sort().values


def test_the_order_is_that_of_numpys_generator_by_name():
    network = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1))
    before = {name: values.detach().numpy().copy() for name, values in network.named_parameters()}
    permute_weights(network, seed=5)
    for place, name in enumerate(["0.bias", "0.weight", "1.bias", "1.weight"]):
        expected = np.random.default_rng([5, place]).permutation(before[name].ravel()).reshape(before[name].shape)
        np.testing.assert_array_equal(network.get_parameter(name).detach(), expected)


def test_tied_tensors_stay_tied():
    network = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    network[1].weight = network[0].weight
    before = sorted_values(network[0].weight)
    permute_weights(network, seed=0)
    assert network[1].weight is network[0].weight
    assert torch.equal(sorted_values(network[0].weight), before)


def test_values_stay_in_their_tensors_and_buffers_are_kept(own):
    trained, permuted, again, other = (
        build(spec_of(own, **options)).state_dict()
        for options in ({}, {"weights": "permuted"}, {"permuted": True}, {"weights": "permuted", "seed": 1})
    )
    for name in ("0.weight", "0.bias", "1.weight", "4.weight"):
        assert torch.equal(sorted_values(permuted[name]), sorted_values(trained[name]))
        assert torch.equal(permuted[name], again[name])
        assert not torch.equal(permuted[name], trained[name])
    assert not torch.equal(permuted["4.weight"], other["4.weight"])
    assert torch.equal(permuted["1.running_mean"], trained["1.running_mean"])


def test_a_checkpoint_may_be_permuted(own, tmp_path):
    path = tmp_path / "trained.pth"
    torch.save(build(spec_of(own, weights="random", seed=9)).state_dict(), path)
    options = {"weights": str(path), "sha256": sha256(path)}
    trained, permuted = (build(spec_of(own, **options, **more)) for more in ({}, {"permuted": True}))
    assert torch.equal(sorted_values(permuted[4].weight), sorted_values(trained[4].weight))
    assert not torch.equal(permuted[4].weight, trained[4].weight)


def test_a_name_may_end_in_permuted():
    spec = resolve_model("efficientnet_lite0_permuted", {"seed": 3})
    assert (spec["architecture"], spec["weights"], spec["permuted"]) == ("efficientnet_lite0", "pretrained", True)
    assert family(spec) == "permuted"
    check_model(spec)
    assert "permuted" not in resolve_model("efficientnet_lite0")
    assert resolve_model("m", {"architecture": "efficientnet_lite0", "weights": "permuted"}) == {
        **resolve_model("efficientnet_lite0_permuted"),
        "name": "m",
    }


def test_a_permuted_network_is_described_as_one(own, tmp_path):
    described = {}
    for name, options in {"trained": {}, "permuted": {"permuted": True}}.items():
        describe(spec_of(own, **options), tmp_path / f"{name}.json")
        described[name] = json.loads((tmp_path / f"{name}.json").read_text())
    assert described["permuted"]["permuted"]
    assert "permuted: True" in listing(described["permuted"])
    assert "permuted" not in described["trained"]
    assert described["permuted"]["layers"] == described["trained"]["layers"]
    assert described["permuted"]["weights_sha256"] != described["trained"]["weights_sha256"]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        (
            "conv2_permuted",
            {},
            "models.conv2_permuted.weights: only trained weights can be permuted",
        ),
        ("m", {"architecture": "resnet18", "weights": "random", "permuted": True}, "those of resnet18 are random"),
        ("pixels_permuted", {}, "models.pixels_permuted.weights: pixels is not trained for any task"),
        (
            "m",
            {"architecture": "v1like", "weights": "permuted"},
            "models.m.weights: v1like is not trained",
        ),
        ("resnet18_permuted", {"train": {}}, "models.resnet18_permuted: permuted weights are a control for trained w"),
    ],
)
def test_only_trained_weights_are_permuted(name, options, message):
    with pytest.raises(InputError) as caught:
        check_model(resolve_model(name, options))
    assert message in str(caught.value)


def test_a_permuted_teacher_is_another_network_than_the_trained_one():
    simulation = {"teacher": "resnet18_permuted", "areas": {"V1": {"layer": "layer1", "neuroids": 2}}}
    others = {"a": resolve_model("resnet18"), "b": resolve_model("resnet18_permuted", {"seed": 1})}
    assert resolve_simulation(simulation, others, "simulated")["teacher"]["permuted"]
    with pytest.raises(InputError, match="is the same network"):
        resolve_simulation(simulation, {"c": resolve_model("resnet18_permuted")}, "simulated")
