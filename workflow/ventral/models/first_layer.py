"""The filters that a network applies to its input."""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from ventral.errors import InputError
from ventral.models.description import build, examples
from ventral.models.passes import telling_errors
from ventral.models.zoo import modality_asked


def first_filters(spec: dict) -> list[tuple[str, NDArray]]:
    """Return the filters of a model's first convolution, as it applies them to its normalised input.

    The first convolution is the first module that runs with a weight of four dimensions and kernels larger than one
    pixel. Further such modules with the same input belong to it, such as the wavelengths of `v1like`.

    Parameters
    ----------
    spec : dict
        From `resolve_model`, completed.

    Returns
    -------
    list of (name, (n, channels, rows, columns) float64 array)
        One entry for each module.

    Raises
    ------
    InputError
        If the network has no such module.
    """
    network = build(spec)
    found = _first_modules(network, examples(1, modality_asked(spec).any_shape, spec))
    if not found:
        raise InputError(
            f"config key first_layers.models: {spec['name']} has no convolution with kernels larger than one pixel; "
            f"leave it out"
        )
    return [
        (name, module.weight.detach().double().numpy())
        for name, module in network.named_modules()
        if any(module is other for other in found)
    ]


def _first_modules(network: nn.Module, example: Tensor) -> list[nn.Module]:
    runs: list[tuple[nn.Module, Tensor]] = []

    def note(module: nn.Module, inputs: tuple) -> None:
        runs.append((module, inputs[0]))

    hooks = [module.register_forward_pre_hook(note) for module in network.modules() if _has_kernels(module)]
    try:
        with telling_errors(network, example):
            network(example)
    finally:
        for hook in hooks:
            hook.remove()
    return [module for module, given in runs if given is runs[0][1]]


def _has_kernels(module: nn.Module) -> bool:
    weight = getattr(module, "weight", None)
    return isinstance(weight, Tensor) and weight.ndim == 4 and int(np.prod(weight.shape[2:])) > 1
