"""What rounding makes of one image's features in two batches, for every network that is offered by name.

`ventral.models.repeatability.ROUNDING` stands above the largest. Networks have random weights, and those that the
workflow installs their pretrained ones, too. It takes about a quarter of an hour on two cores, and 6 GB of memory:

    nice -n 19 python benchmarks/batch_differences.py > batch_differences.txt
"""

import sys
import time

from torchvision import models

from ventral.models.description import ANY_SIZE, build, noise_images, trace_stimuli
from ventral.models.layers import choose_layers
from ventral.models.repeatability import ROUNDING, largest_differences
from ventral.models.zoo import ARCHITECTURES, NOT_TRAINED, resolve_model
from ventral.rounding import round_alike_on_any_cores

SHAPE = (3, ANY_SIZE, ANY_SIZE)
SETS_OF_IMAGES = 2


def names() -> list[str]:
    """Return all models with a name of their own, `pixels` aside, which is no network."""
    classical = [name for name in NOT_TRAINED if name != "pixels"]
    others = [name for name in (*ARCHITECTURES, *models.list_models(module=models)) if name not in NOT_TRAINED]
    return [*classical, *(f"{name}_random" for name in others), *(n for n in ARCHITECTURES if "lite" in n)]


def measure(name: str) -> dict[str, float]:
    """Return the largest relative difference of every end of a block, and of every layer that the model names."""
    spec = resolve_model(name, {"max_layers": 10_000})
    network = build(spec)
    traced = trace_stimuli(network, SHAPE, spec)
    wanted = [choose_layers(network, traced, {**spec, "layers": layers}) for layers in (spec["layers"], "auto")]
    layers = [layer for layer in traced.values() if any(layer in some for some in wanted)]
    found: dict[str, float] = {}
    for seed in range(SETS_OF_IMAGES):
        for layer, difference in largest_differences(network, layers, noise_images(3, SHAPE, spec, seed)).items():
            found[layer] = max(difference, found.get(layer, 0))
    return found


def main() -> None:
    round_alike_on_any_cores()
    print(f"{'network':28} {'layer':44} {'difference':>10} {'layers':>6} {'seconds':>8}")
    over = []
    for name in names():
        began = time.perf_counter()
        found = measure(name)
        layer = max(found, key=found.get)
        seconds = time.perf_counter() - began
        print(f"{name:28} {layer:44} {found[layer]:10.1e} {len(found):6} {seconds:8.1f}", flush=True)
        if found[layer] > ROUNDING:
            over.append(name)
    print(f"above {ROUNDING:g}: {', '.join(over) or 'none'}")
    sys.exit(bool(over))


if __name__ == "__main__":
    main()
