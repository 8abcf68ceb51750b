"""The same bits on any number of cores."""

import subprocess
import sys
from pathlib import Path

import ventral

# In a process of its own: the MKL takes its mode when it is first used, for good.
SCRIPT = """
from ventral.running.rounding import round_alike_on_any_cores
round_alike_on_any_cores()

from copy import deepcopy

import numpy as np
import scipy.linalg
import threadpoolctl
import torch
from torch import nn
from ventral.activations import forward

print({library["num_threads"] for library in threadpoolctl.threadpool_info() if library["user_api"] == "blas"})
torch.manual_seed(0)
layers = [nn.Conv2d(3, 384, 5, stride=2), nn.ReLU(), nn.Conv2d(384, 48, 1), nn.Flatten(), nn.Linear(48 * 14 * 14, 40)]
untouched = nn.Sequential(*layers).eval()
forward.build = lambda spec: deepcopy(untouched)
spec = {"name": "net", "layers": ["0", "2", "4"], "max_layers": None, "size": 32, "mean": [0.5] * 3, "std": [0.2] * 3}
spec |= {"architecture": "net", "weights": "random", "crop": None, "resize": None, "interpolation": "bicubic"}
images = np.random.default_rng(0).integers(0, 255, (10, 3, 32, 32), dtype=np.uint8)
options = {"dtype": "float32", "device": "cpu", "autocast": None, "channels_last": True}
bits = {"0": set(), "2": set(), "4": set()}
forward.allocated_cores = lambda wanted: wanted
for threads in (1, 2, 3):
    for size in (5, 32):
        with forward.Network.opened(spec, (3, 32, 32), threads=threads, **options) as network:
            buffers = network.buffers(10)
            for row in range(0, 10, size):
                network.compute(network.staged(images[row : row + size]), size, buffers, row)()
        for name, features in buffers.items():
            bits[name].add(features.numpy().tobytes())
print([len(different) for different in bits.values()])
"""


def test_features_and_products_are_the_same_bits_on_any_number_of_cores():
    package = str(Path(ventral.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env={"PYTHONPATH": package}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["{1}", "[1, 1, 1]"]
