"""Where torch computes, and how precisely it does so fast."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from ventral.activations.forward import exact_products
from ventral.errors import is_out_of_memory
from ventral.running.devices import has_fast_float64, is_tensor
from ventral.training.trainer import _repeatable


@pytest.mark.parametrize(
    ("capability", "fast"),
    [
        ((7, 0), True),
        ((8, 0), True),
        ((9, 0), True),
        ((7, 5), False),
        ((8, 6), False),
        ((8, 9), False),
        ((12, 0), False),
    ],
)
def test_gpus_of_data_centres_have_fast_float64(capability, fast, monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    assert has_fast_float64("cuda") is fast
    assert has_fast_float64(torch.device("cuda:1")) is fast


def test_cpus_have_fast_float64():
    assert has_fast_float64("cpu")


def test_tensors_are_told_from_arrays_without_loading_torch():
    assert is_tensor(torch.zeros(2))
    assert not is_tensor(np.zeros(2))
    script = (
        "import sys; sys.path.insert(0, 'workflow')\n"
        "import numpy as np; from ventral import nested_ridge\n"
        "nested_ridge(np.eye(6), np.arange(6.0), [[0, 1], [2, 3], [4, 5]], [1.0])\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_precise_and_repeatable_convolutions_keep_cudnn():
    # The context manager of torch switches cuDNN off, unless it is told not to.
    for block in (exact_products(), _repeatable(torch.device("cpu"))):
        with block:
            assert torch.backends.cudnn.enabled
            assert torch.backends.cudnn.deterministic
            assert not torch.backends.cudnn.allow_tf32


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("CUDA out of memory. Tried to allocate 2.00 GiB", True),
        ("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`", True),
        ("cusolver error: CUSOLVER_STATUS_ALLOC_FAILED, when calling `cusolverDnCreate(handle)`", True),
        ("CUDA error: an illegal memory access was encountered", False),
    ],
)
def test_libraries_of_a_gpu_say_that_memory_ran_out(message, expected):
    assert is_out_of_memory(RuntimeError(message)) is expected
