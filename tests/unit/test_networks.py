"""Networks made to be trained here: what they are made of, and that their layers are there."""

import pytest
import torch
from torch import nn

from ventral.models.description import build, trace_stimuli, weights_sha256, with_outputs
from ventral.models.families.small import FAMILY
from ventral.models.layers import choose_layers
from ventral.models.networks import NETWORKS
from ventral.models.zoo import resolve_model

LAYERS = {
    "conv1": ["block1", "pooled"],
    "conv2": ["block1", "block2", "pooled"],
    "conv4": ["block1", "block2", "block3", "block4", "pooled"],
    "conv4_wide": ["block1", "block2", "block3", "block4", "pooled"],
    "small_resnet": ["stem", *(f"block{k}" for k in range(1, 7)), "pooled"],
}


def multiplications(network: nn.Module, size: int) -> int:
    """Multiply-accumulates of one forward pass, counted from what every convolution and linear map gives."""
    total = 0

    def count(module, _inputs, output):
        nonlocal total
        total += module.weight[0].numel() * output[0].numel()

    handles = [
        module.register_forward_hook(count) for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear)
    ]
    with torch.inference_mode():
        network(torch.zeros(1, 3, size, size))
    for handle in handles:
        handle.remove()
    return total


@pytest.mark.parametrize("name", LAYERS)
def test_the_end_of_each_block_is_a_layer(name):
    spec = resolve_model(name)
    network = build(spec)
    layers = choose_layers(network, trace_stimuli(network, (3, 64, 64), spec), spec)
    assert [layer.name for layer in layers] == LAYERS[name]
    assert [layer.depth for layer in layers] == sorted(layer.depth for layer in layers)
    # All but the readout has been passed.
    assert layers[-2].depth == layers[-1].depth < 1


def test_every_network_has_its_preset():
    assert NETWORKS.keys() == LAYERS.keys() == FAMILY.architectures.keys()


def test_deeper_and_wider_networks_do_more():
    cost = {name: multiplications(build(resolve_model(name)), 64) for name in NETWORKS}
    assert 20e6 < cost["small_resnet"] < 30e6
    assert all(cost[name] < cost["small_resnet"] for name in NETWORKS if name != "small_resnet")
    assert cost["conv4_wide"] > 2 * cost["conv4"]


def test_they_are_before_training_unless_trained():
    assert resolve_model("conv2")["weights"] == "random"
    first, again, other = (weights_sha256(build(resolve_model("conv2", {"seed": seed}))) for seed in (0, 0, 1))
    assert first == again != other


def test_the_residual_network_passes_its_input_on_beside_its_blocks():
    block = build(resolve_model("small_resnet")).block2
    for parameter in (block.norm2.weight, block.norm2.bias):
        nn.init.zeros_(parameter)
    images = torch.rand(2, 32, 8, 8)
    assert torch.equal(block(images), images)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_readout_has_as_many_outputs_as_are_asked_for(name):
    network = with_outputs(build(resolve_model(name)), [3], resolve_model(name))
    assert network(torch.zeros(2, 3, 96, 96)).shape == (2, 3)
    assert network.readout.out_features == 3
