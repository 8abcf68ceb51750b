"""Where torch computes, and how precisely it does so fast."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from ventral.running.devices import has_fast_float64, is_tensor


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
