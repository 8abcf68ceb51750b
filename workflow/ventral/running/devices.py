"""The device on which a job computes: the CPU or a GPU."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ventral.errors import InputError

if TYPE_CHECKING:
    import torch

# Compute capabilities of NVIDIA's GPUs that compute in float64 at half the speed of float32 or faster.
FAST_FLOAT64 = {(6, 0), (7, 0), (8, 0), (9, 0), (10, 0)}


def choose_device(name: str, key: str = "config key extraction.device") -> str:
    """Return the device, `cpu` or `cuda`, for a setting `auto`, `cpu` or `cuda`; `cpu` does not load torch.

    Parameters
    ----------
    name : str
        'auto', 'cpu' or 'cuda'.
    key : str
        Config key of the device, for messages.

    Raises
    ------
    InputError
        If a GPU is requested and torch sees none.
    """
    if name == "cpu" or (name == "auto" and not _has_gpu()):
        return "cpu"
    if not _has_gpu():
        raise InputError(f"{key}: `cuda`, but torch sees no GPU here; set it to `auto` or `cpu`")
    return "cuda"


def _has_gpu() -> bool:
    try:
        import torch
    except ImportError:
        # The environment of jobs without networks has no torch.
        return False
    return torch.cuda.is_available()


def has_fast_float64(device: "torch.device | str") -> bool:
    """Tell whether float64 takes at most about twice the time of float32 on a device of torch.

    Float64 is fast on CPUs and on GPUs of data centres (P100, V100, A100, H100, H200, B200). On other GPUs float64
    takes at least 32 times as long as float32.
    """
    import torch

    device = torch.device(device)
    return device.type == "cpu" or (device.type == "cuda" and torch.cuda.get_device_capability(device) in FAST_FLOAT64)


def is_tensor(values: object) -> bool:
    """Tell whether values are a tensor of torch, without loading torch."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(values, torch.Tensor)


@contextmanager
def whole_float32() -> Iterator[None]:
    """Multiply float32 matrices on a GPU in float32, without TensorFloat32, inside the block."""
    import torch

    products = torch.backends.cuda.matmul
    before, products.fp32_precision = products.fp32_precision, "ieee"
    try:
        yield
    finally:
        products.fp32_precision = before
