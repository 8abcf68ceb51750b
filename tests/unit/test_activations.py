"""Features as a plain forward pass gives them, whatever the shards, batches and memory."""

import logging

import numpy as np
import pytest
import torch
import zarr
from PIL import Image

from ventral import forward
from ventral.activations import extract
from ventral.errors import InputError
from ventral.models import build, preprocess
from ventral.stimuli import ingest, read_pixels
from ventral.zoo import resolve_model

N = 23
MODULE = """
import torch
from torch import nn

class InPlace(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3)
        self.relu = nn.ReLU(inplace=True)
        self.pool = nn.AvgPool2d(5)
        self.late = nn.Linear(24, 3)
        self.never = nn.Linear(3, 3)
        self.batches = []

    def forward(self, x):
        self.batches.append(len(x))
        return self.never(self.late(self.pool(self.relu(self.conv(x))).flatten(1)))

def make():
    return InPlace()

class Large(nn.Module):
    def forward(self, x):
        return x.flatten(1) * 1e6

def large():
    return nn.Sequential(nn.Conv2d(3, 1, 1), Large())
"""


@pytest.fixture(scope="module")
def stimuli(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stimuli")
    (folder / "images").mkdir()
    rng = np.random.default_rng(0)
    for k in range(N):
        Image.fromarray(rng.integers(0, 255, (12, 12, 3), dtype=np.uint8)).save(folder / "images" / f"image{k}.png")
    ingest({"images": str(folder / "images")}, folder / "stimuli.zarr", name="mine")
    return folder / "stimuli.zarr"


@pytest.fixture
def own(importable):
    return importable("net_to_extract", MODULE)


def spec_of(own, function="make", layers=("conv", "relu", "pool", "late"), **options):
    return resolve_model("m", {"architecture": f"{own}:{function}", "size": 12, "layers": list(layers), **options})


def extracted(stimuli, spec, output, start=0, stop=N, **options):
    options = {"dtype": "float32", "device": "cpu", "batch_size": 8} | options
    extract(stimuli, spec, start, stop, output, **options)
    store = zarr.open_group(output, mode="r")
    return {layer["name"]: store[layer["name"]][:] for layer in store.attrs["layers"]}


def reference(stimuli, spec):
    """Every layer from a network that works on a copy of what it is given."""
    network = build(spec)
    network.relu.inplace = False
    found = {}
    for name, module in network.named_modules():
        module.register_forward_hook(lambda _m, _i, output, name=name: found.update({name: output.flatten(1).numpy()}))
    with torch.inference_mode():
        network(preprocess(torch.from_numpy(read_pixels(stimuli, 0, N)), spec))
    return found


def test_features_are_those_of_a_plain_forward_pass(stimuli, own, tmp_path):
    spec = spec_of(own)
    found, expected = extracted(stimuli, spec, tmp_path / "a.zarr"), reference(stimuli, spec)
    assert list(found) == ["conv", "relu", "pool", "late"]
    for name, features in found.items():
        np.testing.assert_allclose(features, expected[name], rtol=1e-5, atol=1e-6)
    # The convolution's output is kept as it was before the rectification changed it in place.
    assert (found["conv"] < 0).any()


def test_nothing_after_the_last_layer_is_computed(stimuli, own, tmp_path, monkeypatch):
    import net_to_extract

    ran = []
    monkeypatch.setattr(net_to_extract.nn.Linear, "forward", lambda self, x: ran.append(self) or x[:, :3])
    extracted(stimuli, spec_of(own, layers=["pool"]), tmp_path / "a.zarr")
    traced_once = 2
    assert len(ran) == traced_once


@pytest.mark.parametrize("options", [{"batch_size": 5}, {"buffer_mb": 0}, {"batch_size": 64}, {"threads": 1}])
def test_bits_do_not_depend_on_shards_or_memory(stimuli, own, tmp_path, options):
    spec = spec_of(own)
    whole = extracted(stimuli, spec, tmp_path / "whole.zarr")
    parts = [
        extracted(stimuli, spec, tmp_path / f"{start}.zarr", start, stop, **options)
        for start, stop in ((0, 1), (1, 10), (10, N))
    ]
    for name, features in whole.items():
        np.testing.assert_array_equal(np.concatenate([part[name] for part in parts]), features)


def test_float16_is_float32_rounded(stimuli, own, tmp_path):
    full, half = (
        extracted(stimuli, spec_of(own), tmp_path / f"{dtype}.zarr", dtype=dtype) for dtype in ("float32", "float16")
    )
    for name in full:
        assert half[name].dtype == np.float16
        np.testing.assert_array_equal(half[name], full[name].astype(np.float16))


def test_autocast_and_channels_last_change_little(stimuli, own, tmp_path):
    plain = extracted(stimuli, spec_of(own), tmp_path / "a.zarr")
    for options, tolerance in (({"autocast": "bfloat16"}, 0.05), ({"channels_last": False}, 1e-5)):
        for name, features in extracted(stimuli, spec_of(own), tmp_path / "b.zarr", **options).items():
            np.testing.assert_allclose(features, plain[name], atol=tolerance * np.abs(plain[name]).max())


def test_the_store_says_where_it_comes_from(stimuli, own, tmp_path):
    extracted(stimuli, spec_of(own), tmp_path / "a.zarr", 3, 9)
    attributes = zarr.open_group(tmp_path / "a.zarr", mode="r").attrs
    assert (attributes["start"], attributes["stop"], attributes["device"]) == (3, 9, "cpu")
    assert attributes["stimuli_sha256"] == zarr.open_group(stimuli, mode="r").attrs["sha256"]
    assert attributes["layers"][0] == {"name": "conv", "depth": 0.5 / 1.5, "shape": [6, 10, 10], "n_features": 600}
    assert len(attributes["weights_sha256"]) == 64


def run_out_of_memory_above(monkeypatch, most):
    compute = forward.Network.compute
    batches = []

    def limited(self, pixels, batch_size, buffers, row):
        batches.append(batch_size)
        if batch_size > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")
        return compute(self, pixels, batch_size, buffers, row)

    monkeypatch.setattr(forward.Network, "compute", limited)
    return batches


def test_batches_are_halved_when_memory_runs_out(stimuli, own, tmp_path, monkeypatch, caplog):
    expected = extracted(stimuli, spec_of(own), tmp_path / "a.zarr")
    batches = run_out_of_memory_above(monkeypatch, 2)
    with caplog.at_level(logging.WARNING):
        found = extracted(stimuli, spec_of(own), tmp_path / "b.zarr")
    assert batches[:3] == [8, 4, 2]
    assert set(batches[3:]) == {2}
    assert [record.getMessage() for record in caplog.records] == [
        "out of memory: batches of 4 from here on",
        "out of memory: batches of 2 from here on",
    ]
    for name in expected:
        np.testing.assert_array_equal(found[name], expected[name])


def test_memory_that_does_not_suffice_for_one_stimulus(stimuli, own, tmp_path, monkeypatch):
    run_out_of_memory_above(monkeypatch, 0)
    with pytest.raises(InputError, match="memory does not suffice for a forward pass of one stimulus"):
        extracted(stimuli, spec_of(own), tmp_path / "a.zarr")
    assert not list(tmp_path.glob("*.zarr*"))


def test_a_size_that_the_network_is_not_made_for(stimuli, own, tmp_path):
    with pytest.raises(InputError, match="forward pass fails on stimuli of 3 x 20 x 20: RuntimeError: .* shapes"):
        extracted(stimuli, spec_of(own, size=20), tmp_path / "a.zarr")


def test_another_error_of_the_network_is_not_taken_for_a_lack_of_memory(stimuli, own, tmp_path, monkeypatch):
    def broken(*_arguments):
        raise RuntimeError("a bug")

    monkeypatch.setattr(forward.Network, "compute", broken)
    with pytest.raises(RuntimeError, match="a bug"):
        extracted(stimuli, spec_of(own), tmp_path / "a.zarr")
    assert not list(tmp_path.glob("*.zarr*"))


def test_features_too_large_for_float16_are_refused(stimuli, own, tmp_path):
    spec = spec_of(own, "large", layers=["1"])
    with pytest.raises(InputError) as caught:
        extracted(stimuli, spec, tmp_path / "a.zarr", dtype="float16")
    assert str(caught.value) == (
        "layer 1: the features of stimulus image0.png are not finite as float16 (largest: 65504); set "
        "`extraction: {dtype: float32}`"
    )
    assert not list(tmp_path.glob("*.zarr*"))
    extracted(stimuli, spec, tmp_path / "a.zarr", dtype="float32")


def test_pixels_are_the_stimuli(stimuli, tmp_path):
    found = extracted(stimuli, resolve_model("pixels"), tmp_path / "a.zarr", dtype="float16")
    np.testing.assert_array_equal(found["pixels"], read_pixels(stimuli, 0, N).reshape(N, -1))


def test_pixels_can_be_made_smaller(stimuli, tmp_path):
    found = extracted(stimuli, resolve_model("pixels", {"size": 4}), tmp_path / "a.zarr")
    assert found["pixels"].shape == (N, 3 * 4 * 4)


def test_a_device_that_is_not_there(stimuli, own, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match=r"extraction.device: `cuda`, but torch sees no GPU here; set it to `auto`"):
        extracted(stimuli, spec_of(own), tmp_path / "a.zarr", device="cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU here")
def test_a_gpu_gives_what_the_cpu_gives(stimuli, own, tmp_path):
    on_cpu, on_gpu = (extracted(stimuli, spec_of(own), tmp_path / device, device=device) for device in ("cpu", "cuda"))
    for name in on_cpu:
        np.testing.assert_allclose(on_gpu[name], on_cpu[name], atol=1e-4)


def test_progress_has_images_per_second(stimuli, own, tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        extracted(stimuli, spec_of(own), tmp_path / "a.zarr")
    assert any(f"extract m 0-{N}: {N}/{N} images, " in line and "images/s" in line for line in caplog.messages)


def test_one_file_a_layer_and_write(stimuli, own, tmp_path):
    extracted(stimuli, spec_of(own), tmp_path / "a.zarr")
    files = [path for path in (tmp_path / "a.zarr").rglob("*") if path.is_file() and path.name != "zarr.json"]
    assert len(files) == 4
