"""Measure the difference by rounding of one image's features between two batches, for every named network.

    nice -n 19 python benchmarks/batch_differences.py [--minutes 25] [--first alexnet_random]

Each network has two numbers, the largest over its named layers and the ends of blocks. `ventral.models.repeatability`
compares `batches` with ROUNDING. `kernels` is the difference between the two memory layouts of the same batch. PyTorch
uses different kernels for them, so this is the effect of rounding if the place or the batch size changes the kernel.
Networks have random weights, and also their pretrained weights if installed. Cheap networks come first. Networks
without time left are named at the end, and `--first` continues with one of them.
"""

import argparse
import sys
import time

import torch
from torch import Tensor, nn
from torchvision import models

from ventral.models.description import build, examples, trace_stimuli
from ventral.models.layers import Layer, choose_layers
from ventral.models.passes import LayerOutputs
from ventral.models.registry import architectures, family_of
from ventral.models.repeatability import ROUNDING, difference, largest_differences
from ventral.models.zoo import resolve_model
from ventral.running.rounding import round_alike_on_any_cores
from ventral.stimuli.images import ANY_SIZE

SHAPE = (3, ANY_SIZE, ANY_SIZE)


def names() -> list[str]:
    """Return all named models except `pixels`, which is not a network."""
    small = [name for name in architectures() if family_of(name).is_trained]
    installed = [name for name in small if architectures()[name].get("weights") != "random"]
    controls = [name for name in architectures() if family_of(name).build and name not in small]
    large = sorted(models.list_models(module=models), key=operations)
    return [*controls, *installed, *(f"{name}_random" for name in (*small, *large))]


def operations(name: str) -> float:
    return min(weights.meta["_ops"] for weights in models.get_model_weights(name))


def measure(name: str) -> tuple[dict[str, float], dict[str, float]]:
    """Return the relative differences of all layers between batches, and between kernels."""
    spec = resolve_model(name, {"max_layers": 10_000})
    network = build(spec)
    traced = trace_stimuli(network, SHAPE, spec)
    wanted = [choose_layers(network, traced, {**spec, "layers": layers}) for layers in (spec["layers"], "auto")]
    layers = [layer for layer in traced.values() if any(layer in some for some in wanted)]
    images = examples(3, SHAPE, spec)
    return largest_differences(network, layers, images), between_kernels(network, layers, images[:2])


def between_kernels(network: nn.Module, layers: list[Layer], images: Tensor) -> dict[str, float]:
    reference: dict[str, Tensor] = {}
    found: dict[str, float] = {}
    outputs = LayerOutputs(network, layers)
    with torch.inference_mode():
        outputs.run(images, lambda name, output: reference.update({name: output.clone()}))
        network.to(memory_format=torch.channels_last)
        images = images.contiguous(memory_format=torch.channels_last)
        outputs.run(images, lambda name, output: found.update({name: difference(reference.pop(name), output)}))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=float("inf"))
    parser.add_argument("--first", choices=names(), default=names()[0], metavar="NETWORK")
    options = parser.parse_args()
    end = time.monotonic() + 60 * options.minutes
    round_alike_on_any_cores()
    print(f"{'network':28} {'layers':>6} {'batches':>8} {'kernels':>8} {'seconds':>8}  layer of the largest of both")
    above, left = [], names()[names().index(options.first) :]
    while left and time.monotonic() < end:
        began = time.monotonic()
        batches, kernels = measure(left[0])
        layer = max(batches, key=lambda name: max(batches[name], kernels[name]))
        largest, seconds = (max(batches.values()), max(kernels.values())), time.monotonic() - began
        print(f"{left[0]:28} {len(batches):6} {largest[0]:8.1e} {largest[1]:8.1e} {seconds:8.1f}  {layer}", flush=True)
        above += [left[0]] * (max(largest) > ROUNDING)
        left = left[1:]
    print(f"above {ROUNDING:g}: {', '.join(above) or 'none'}; not measured: {', '.join(left) or 'none'}")
    sys.exit(bool(above))


if __name__ == "__main__":
    main()
