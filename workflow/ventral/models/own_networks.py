"""Networks from users' own functions, with checks that jobs can work with them."""

import logging
from collections.abc import Callable

import torch
from torch import Tensor, nn

from ventral.errors import InputError, shown
from ventral.models.own import call_own, import_own
from ventral.models.zoo import weights_file

logger = logging.getLogger(__name__)


def own_network(spec: dict) -> nn.Module:
    """Return the network of a user's function, in float32, on the CPU.

    Parameters
    ----------
    spec : dict
        From `ventral.models.zoo.resolve_model`, with `package.module:function` as `architecture`.

    Raises
    ------
    InputError
        If the function fails, does not return a network, or returns another network each time.
    """
    name, key = spec["architecture"], f"models.{spec['name']}.architecture"
    function = import_own(name, key)
    # Save the state after the import, which may draw numbers once.
    generator = torch.get_rng_state()
    network = _made(function, name, key)
    if weights_file(spec) is None:
        torch.set_rng_state(generator)
        _refuse_unseeded(network, function, name, key)
    kinds = {f"{tensor.dtype} on {tensor.device.type}" for tensor in _tensors(network) if tensor.is_floating_point()}
    others = sorted(kinds - {"torch.float32 on cpu"})
    if others:
        logger.warning("%s: %s() returned weights of %s; they are taken as float32", key, name, shown(others))
    return network.cpu().float()


def _made(function: Callable, name: str, key: str) -> nn.Module:
    network = call_own(function, name, key)
    if not isinstance(network, nn.Module):
        found = f"the class {network.__name__}" if isinstance(network, type) else type(network).__name__
        raise InputError(f"{key}: {name}() returned {found}, a torch.nn.Module is needed")
    if any(isinstance(tensor, nn.parameter.UninitializedTensorMixin) for tensor in _tensors(network)):
        raise InputError(
            f"{key}: {name}() returned a network with lazy modules, whose shapes are not known yet; show it a "
            f"stimulus before it is returned, or use modules that are told their sizes"
        )
    if any(tensor.is_meta for tensor in _tensors(network)):
        raise InputError(f"{key}: {name}() returned a network on the device meta, without values; build it on the CPU")
    extra = [entry for entry, value in network.state_dict().items() if not isinstance(value, Tensor)]
    if extra:
        raise InputError(f"{key}: {name}() returned a network whose state dict has {extra[0]}, which is no tensor")
    return network


def _tensors(network: nn.Module) -> list[Tensor]:
    return [*network.parameters(), *network.buffers()]


def _refuse_unseeded(network: nn.Module, function: Callable, name: str, key: str) -> None:
    """Refuse a function that returns other weights each time, since every job would have another network."""
    try:
        first, second = network.state_dict(), _made(function, name, key).state_dict()
    except InputError:
        # Some functions cannot be called twice in one process; extraction compares weights with the description.
        return
    differing = first.keys() ^ second.keys() or {entry for entry in first if not _is_same(first[entry], second[entry])}
    if differing:
        raise InputError(
            f"{key}: {name}() returns another network each time: {min(differing)} differs in two calls, so that every "
            f"job would have its own. Let it draw from torch's own generator, which `seed` sets, or give every other "
            f"generator a seed"
        )


def _is_same(first: Tensor, second: Tensor) -> bool:
    return first.shape == second.shape and torch.equal(_bytes(first), _bytes(second))


def _bytes(values: Tensor) -> Tensor:
    return values.detach().cpu().contiguous().flatten().view(torch.uint8)
