"""Features as a plain forward pass gives them, whatever the shards, batches and memory."""

import errno
import logging
import re

import numpy as np
import pytest
import torch
import zarr
from PIL import Image

from ventral.activations import forward, transfers
from ventral.activations.extraction import Extraction, _blocks_at_once, extract, extract_shards
from ventral.activations.shardfile import ShardWriter
from ventral.errors import InputError
from ventral.grams.streaming import gram
from ventral.models.description import build, preprocess
from ventral.models.zoo import resolve_model
from ventral.provenance import digest
from ventral.running.progress import Progress
from ventral.shards import shards_of_part, stores_of_parts
from ventral.stimuli.backgrounds import noise
from ventral.stimuli.images import read_pixels
from ventral.stimuli.ingestion import ingest
from ventral.store import open_store

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

class Steep(nn.Module):
    # Steps between neighbouring pixels give far more than natural images lead one to expect.
    def forward(self, x):
        return torch.exp(10 * x.diff(dim=-1)).flatten(1)

def steep():
    return nn.Sequential(nn.Identity(), Steep())

def scaled(factor):
    convolutions = [nn.Conv2d(3, 6, 3), nn.Conv2d(6, 8, 3), nn.Conv2d(8, 5, 3)]
    for convolution in convolutions:
        convolution.weight.data *= factor
        convolution.bias.data.zero_()
    return nn.Sequential(convolutions[0], nn.ReLU(inplace=True), convolutions[1], nn.ReLU(), convolutions[2])

def shrinking():
    return scaled(1e-7)

def growing():
    return scaled(1e6)
"""
CHAIN = ["0", "1", "2", "4"]


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


def scales(path):
    store = zarr.open_group(path, mode="r")
    return {layer["name"]: store[layer["name"]].attrs["scale"] for layer in store.attrs["layers"]}


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


def test_only_stimuli_are_prepared_and_batches_are_filled_up_for_the_network(stimuli, own, tmp_path, monkeypatch):
    prepared, shown = [], []

    def counting(pixels, spec):
        prepared.append(len(pixels))
        return preprocess(pixels, spec)

    def watched(spec):
        network = build(spec)
        shown.append(network.batches)
        return network

    monkeypatch.setattr(forward, "preprocess", counting)
    monkeypatch.setattr(forward, "build", watched)
    extracted(stimuli, spec_of(own), tmp_path / "a.zarr", stop=3)
    assert prepared == [3]
    # The first stimulus is compared with a batch of two.
    assert shown[0][-2:] == [8, 2]


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


SHARDS = {0: (0, 1), 1: (1, 10), 2: (10, N)}
ON_CPU = {"device": "cpu", "batch_size": 8}


def counted_passes(monkeypatch, fail_at=None):
    """Count forward passes, and let one fail."""
    compute, passes = forward.Network.compute, []

    def counted(*arguments):
        passes.append(1)
        if len(passes) == fail_at:
            raise OSError("the node is lost")
        return compute(*arguments)

    monkeypatch.setattr(forward.Network, "compute", counted)
    return passes


def test_shards_of_one_job_are_those_of_jobs_of_their_own(stimuli, own, tmp_path):
    extract_shards(stimuli, spec_of(own), SHARDS, tmp_path / "0", **ON_CPU)
    assert [store.name for store in stores_of_parts([tmp_path / "0"])] == ["0.zarr", "1.zarr", "2.zarr"]
    for shard, (start, stop) in SHARDS.items():
        extract(stimuli, spec_of(own), start, stop, tmp_path / "alone.zarr", **ON_CPU)
        assert digest(tmp_path / "alone.zarr") == digest(tmp_path / "0" / f"{shard}.zarr")


def test_gram_matrices_do_not_depend_on_the_number_of_shards_or_jobs(stimuli, own, tmp_path):
    for n_shards, n_parts in ((1, 1), (12, 1), (12, 5)):
        parts = [tmp_path / f"{n_shards} {n_parts} {part}" for part in range(n_parts)]
        for part, folder in enumerate(parts):
            extract_shards(stimuli, spec_of(own), shards_of_part(N, n_shards, part, n_parts), folder, **ON_CPU)
        gram(stores_of_parts(parts), tmp_path / f"{n_shards} {n_parts}.zip")
    assert len({path.read_bytes() for path in tmp_path.glob("*.zip")}) == 1


def test_an_attempt_goes_on_after_the_shards_of_the_one_before(stimuli, own, tmp_path, monkeypatch):
    extract_shards(stimuli, spec_of(own), SHARDS, tmp_path / "undisturbed", **ON_CPU)
    with monkeypatch.context() as context, pytest.raises(OSError, match="the node is lost"):
        counted_passes(context, fail_at=4)
        extract_shards(stimuli, spec_of(own), SHARDS, tmp_path / "0", **ON_CPU)
    assert not (tmp_path / "0").exists()
    passes = counted_passes(monkeypatch)
    extract_shards(stimuli, spec_of(own), SHARDS, tmp_path / "0", **ON_CPU)
    # The last shard alone, 13 stimuli in batches of 8.
    assert len(passes) == 2
    assert digest(tmp_path / "0") == digest(tmp_path / "undisturbed")
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("changes", [{"dtype": "float32"}, {"layers": ["conv"]}, {"shards": {1: (0, 10), 2: (10, N)}}])
def test_shards_that_were_made_of_something_else_are_made_anew(stimuli, own, tmp_path, monkeypatch, changes):
    with monkeypatch.context() as context, pytest.raises(OSError, match="the node is lost"):
        counted_passes(context, fail_at=4)
        extract_shards(stimuli, spec_of(own), SHARDS, tmp_path / "0", **ON_CPU)
    shards, options = changes.get("shards", SHARDS), ON_CPU | {key: changes[key] for key in changes.keys() & {"dtype"}}
    spec = spec_of(own, layers=changes.get("layers", ["conv", "relu", "pool", "late"]))
    for folder in ("0", "from the start"):
        extract_shards(stimuli, spec, shards, tmp_path / folder, **options)
    assert digest(tmp_path / "0") == digest(tmp_path / "from the start")


def test_nothing_remains_of_an_attempt_that_finished_no_shard(stimuli, own, tmp_path, monkeypatch):
    counted_passes(monkeypatch, fail_at=1)
    with pytest.raises(OSError, match="the node is lost"):
        extract_shards(stimuli, spec_of(own), SHARDS, tmp_path / "made" / "0", **ON_CPU)
    assert not list((tmp_path / "made").iterdir())


def test_activations_that_are_gone(tmp_path):
    (tmp_path / "0").mkdir()
    with pytest.raises(InputError, match="0: the folder has no activations; delete it"):
        stores_of_parts([tmp_path / "0"])


def test_float16_is_float32_rounded(stimuli, own, tmp_path):
    full, half = (
        extracted(stimuli, spec_of(own), tmp_path / f"{dtype}.zarr", dtype=dtype) for dtype in ("float32", "float16")
    )
    for name in full:
        assert half[name].dtype == np.float16
        np.testing.assert_array_equal(half[name], full[name].astype(np.float16))


@pytest.mark.parametrize("function", ["shrinking", "growing"])
def test_features_outside_the_range_of_float16_are_multiplied_by_a_power_of_two(stimuli, own, tmp_path, function):
    spec = spec_of(own, function, CHAIN)
    full = extracted(stimuli, spec, tmp_path / "float32.zarr", dtype="float32")
    half = extracted(stimuli, spec, tmp_path / "float16.zarr", dtype="float16")
    for name, scale in scales(tmp_path / "float16.zarr").items():
        assert np.frexp(scale)[0] == 0.5
        np.testing.assert_array_equal(half[name], (full[name] * np.float32(scale)).astype(np.float16))
        assert 0.5 < np.abs(half[name]).max() < 64
    assert set(scales(tmp_path / "float32.zarr").values()) == {1}


@pytest.mark.parametrize("function", ["shrinking", "growing"])
def test_gram_matrices_of_such_features_are_those_of_a_computation_in_float64(stimuli, own, tmp_path, function):
    spec = spec_of(own, function, CHAIN)
    extracted(stimuli, spec, tmp_path / "a.zarr", dtype="float16")
    gram([tmp_path / "a.zarr"], tmp_path / "gram.zarr")
    store = open_store(tmp_path / "gram.zarr")
    outputs = preprocess(torch.from_numpy(read_pixels(stimuli, 0, N)), spec).double()
    for k, module in enumerate(build(spec).double()):
        outputs = module(outputs)
        if str(k) not in CHAIN:
            continue
        features, found = outputs.flatten(1).clone().numpy(), store[str(k)]
        sizes = np.linalg.norm(features, axis=1)
        assert np.abs(found["gram"][:] - features @ features.T).max() < 1e-3 * sizes.min() ** 2
        tolerance = 1e-3 * np.abs(features).sum(axis=1).min()
        np.testing.assert_allclose(found["row_sums"][:], features.sum(axis=1), rtol=0, atol=tolerance)
        sample = features[:, found["sampled_features"][:]]
        np.testing.assert_allclose(found["sample"][:], sample, rtol=1e-3, atol=1e-6 * np.abs(features).max())


def test_how_features_are_multiplied_does_not_depend_on_the_stimuli(own, tmp_path):
    (tmp_path / "images").mkdir()
    rng = np.random.default_rng(0)
    for k in range(6):
        # Three that are nearly black, and three of full contrast.
        pixels = rng.integers(0, 2 if k < 3 else 256, (12, 12, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "images" / f"image{k}.png")
    ingest({"images": str(tmp_path / "images")}, tmp_path / "stimuli.zarr", name="mine")
    spec = spec_of(own, "shrinking", CHAIN, mean=[0.0] * 3, std=[1.0] * 3)
    bounds = {"whole": (0, 6), "dark": (0, 3), "bright": (3, 6)}
    found = {
        name: extracted(tmp_path / "stimuli.zarr", spec, tmp_path / name, *rows, dtype="float16", batch_size=len(name))
        for name, rows in bounds.items()
    }
    assert np.abs(found["bright"]["4"]).max() > 50 * np.abs(found["dark"]["4"]).max() > 0
    assert scales(tmp_path / "dark") == scales(tmp_path / "bright") == scales(tmp_path / "whole")
    assert set(scales(tmp_path / "dark").values()) != {1}
    for name, features in found["whole"].items():
        np.testing.assert_array_equal(np.concatenate([found["dark"][name], found["bright"][name]]), features)


def test_features_in_the_range_of_float16_are_not_multiplied(stimuli, own, tmp_path):
    extracted(stimuli, spec_of(own), tmp_path / "a.zarr", dtype="float16")
    extracted(stimuli, resolve_model("pixels"), tmp_path / "pixels.zarr", dtype="float16")
    assert scales(tmp_path / "a.zarr") == dict.fromkeys(["conv", "relu", "pool", "late"], 1)
    assert scales(tmp_path / "pixels.zarr") == {"pixels": 1}


def test_the_power_of_two_brings_any_value_into_the_middle_of_float16():
    for largest in (2.0**-4, 1.0, 3.7, 2.0**10, 0.0, np.inf, np.nan):
        assert forward.scale_for_float16(largest) == 1
    for largest in (1e-30, 1.4e-6, 2.0**-5, 0.0624, 1025.0, 65504.0, 1e6, 3.4e38):
        assert 4 <= largest * forward.scale_for_float16(largest) < 8
        assert np.frexp(forward.scale_for_float16(largest))[0] == 0.5
    # The smallest number of float32: a larger power of two would be none of its numbers.
    assert np.isfinite(np.float32(forward.scale_for_float16(1e-45)))


def test_a_network_before_training_has_the_gram_matrices_of_float32(tmp_path):
    (tmp_path / "images").mkdir()
    rng = np.random.default_rng(0)
    for k in range(24):
        pixels = noise(64, rng).transpose(1, 2, 0)
        Image.fromarray(pixels).save(tmp_path / "images" / f"image{k}.png")
    ingest({"images": str(tmp_path / "images")}, tmp_path / "stimuli.zarr", name="mine")
    spec = resolve_model("efficientnet_lite0_random", {"size": 64})
    stores = []
    for dtype in ("float16", "float32"):
        options = {"dtype": dtype, "device": "cpu", "batch_size": 24}
        extract(tmp_path / "stimuli.zarr", spec, 0, 24, tmp_path / f"{dtype}.zarr", **options)
        gram([tmp_path / f"{dtype}.zarr"], tmp_path / f"{dtype}_gram.zarr")
        stores.append(open_store(tmp_path / f"{dtype}_gram.zarr"))
    for layer in stores[0].attrs["layers"]:
        half, full = (store[layer["name"]]["gram"][:] for store in stores)
        for projection in (np.eye(24), np.eye(24) - 1 / 24):
            expected = projection @ full @ projection
            assert np.linalg.norm(projection @ half @ projection - expected) < 1e-2 * np.linalg.norm(expected)
        assert np.linalg.matrix_rank(half) == np.linalg.matrix_rank(full) == 24


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
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert warnings == [
        "out of memory: continuing with batches of 4",
        "out of memory: continuing with batches of 2",
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
    spec = spec_of(own, "steep", layers=["1"])
    with pytest.raises(InputError) as caught:
        extracted(stimuli, spec, tmp_path / "a.zarr", dtype="float16")
    said = re.fullmatch(
        r"layer 1: the features of stimulus image0.png are not finite as float16 \(largest: ([0-9.e+]+)\); set "
        r"`extraction: {dtype: float32}`",
        str(caught.value),
    )
    assert not list(tmp_path.glob("*.zarr*"))
    features = extracted(stimuli, spec, tmp_path / "a.zarr", dtype="float32")["1"]
    assert 65504 < float(said[1]) < features[0].max()


def test_features_are_finite_when_they_are_as_stored():
    # 65519 rounds to the largest number of float16, 65504, and 65520 to infinity.
    values = {65519.0: None, 65520.0: ("a", True), np.inf: ("a", False), np.nan: ("a", False)}
    for value, expected in values.items():
        assert forward._not_finite(["b", "a"], torch.tensor([1.0, value]), torch.float16) == expected
    assert forward._not_finite(["a"], torch.tensor([65520.0]), torch.float32) is None


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


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU here")
@pytest.mark.parametrize("pinned", [True, False])
def test_a_gpu_gives_the_same_bits_for_every_memory(stimuli, own, tmp_path, monkeypatch, pinned):
    if not pinned:
        monkeypatch.setattr(forward, "host_memory", lambda shape, dtype, **_: torch.empty(shape, dtype=dtype))
    for k, buffer_mb in enumerate((0, 1)):
        options = {"dtype": "float16", "device": "cuda", "batch_size": 4, "buffer_mb": buffer_mb}
        found = extracted(stimuli, spec_of(own), tmp_path / str(k), **options)
        expected = extracted(stimuli, spec_of(own), tmp_path / "float32", **options | {"dtype": "float32"})
        for name, features in found.items():
            np.testing.assert_array_equal(features, expected[name].astype(np.float16))


def test_progress_has_images_per_second(stimuli, own, tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        extracted(stimuli, spec_of(own), tmp_path / "a.zarr")
    assert any(f"extract m: {N}/{N} images, " in line and "images/s" in line for line in caplog.messages)


# Memory for blocks of one batch, and for one block of all.
@pytest.mark.parametrize("buffer_mb", [0, 1])
def test_bytes_do_not_depend_on_the_number_of_writers(stimuli, own, tmp_path, buffer_mb):
    for threads in (1, 2, 5):
        output = tmp_path / f"{threads}.zarr"
        with Extraction.opened(stimuli, spec_of(own), buffer_mb=buffer_mb, threads=2, **ON_CPU) as extraction:
            extraction.writers = threads
            extraction.write(0, N, output, Progress("m", N, "images"))
    assert len({digest(path) for path in tmp_path.glob("*.zarr")}) == 1


def test_blocks_in_memory_keep_to_the_buffer_but_are_two():
    layers = [{"n_features": 2**10}, {"n_features": 2**10}]
    # A block of 256 stimuli in float16 takes one mebibyte.
    found = [_blocks_at_once(layers, 10_000, 256, "float16", buffer_mb) for buffer_mb in (0, 2, 3, 100)]
    assert found == [2, 2, 3, 4]
    assert _blocks_at_once(layers, 256, 256, "float16", 100) == 1


def test_a_disk_that_is_full_ends_the_job(stimuli, own, tmp_path, monkeypatch):
    write, written = ShardWriter.write, []

    def until_full(self, array, row, values):
        written.append(row)
        if len(written) > 5:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(self, array, row, values)

    passes = counted_passes(monkeypatch)
    monkeypatch.setattr(ShardWriter, "write", until_full)
    with pytest.raises(OSError, match="No space left"):
        extracted(stimuli, spec_of(own), tmp_path / "a.zarr", batch_size=1, buffer_mb=0)
    # It ends soon, not after all stimuli.
    assert len(passes) < N / 2
    assert not list(tmp_path.glob("*.zarr*"))
    assert not list(tmp_path.glob(".*"))


def test_features_that_are_not_finite_are_refused_before_they_are_written(own, tmp_path, monkeypatch):
    (tmp_path / "images").mkdir()
    rng = np.random.default_rng(0)
    for k in range(7):
        pixels = np.full((12, 12, 3), 100) if k != 3 else rng.integers(0, 255, (12, 12, 3))
        Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "images" / f"image{k}.png")
    ingest({"images": str(tmp_path / "images")}, tmp_path / "stimuli.zarr", name="mine")
    write, written = ShardWriter.write, []

    def noted(self, array, row, values):
        written.append(row)
        write(self, array, row, values)

    monkeypatch.setattr(ShardWriter, "write", noted)
    spec = spec_of(own, "steep", layers=["1"])
    with pytest.raises(InputError, match=r"the features of stimulus image3.png are not finite as float16"):
        extracted(tmp_path / "stimuli.zarr", spec, tmp_path / "a.zarr", dtype="float16", batch_size=2, buffer_mb=0)
    assert written == [0]


def test_memory_that_cannot_be_pinned_is_ordinary_memory(monkeypatch, caplog):
    empty = torch.empty

    def without_pinned(*arguments, pin_memory=False, **options):
        if pin_memory:
            raise RuntimeError("CUDA error: out of memory")
        return empty(*arguments, **options)

    monkeypatch.setattr(torch, "empty", without_pinned)
    with caplog.at_level(logging.WARNING):
        memory = [transfers.host_memory((3, 4), torch.float16, pinned=True) for _ in range(2)]
    assert [(tensor.shape, tensor.dtype) for tensor in memory] == [((3, 4), torch.float16)] * 2
    assert caplog.messages == [
        "pinned memory cannot be allocated (CUDA error: out of memory): copies from and to the GPU are slower"
    ]


def test_one_file_a_layer_and_write(stimuli, own, tmp_path):
    extracted(stimuli, spec_of(own), tmp_path / "a.zarr")
    files = [path for path in (tmp_path / "a.zarr").rglob("*") if path.is_file() and path.name != "zarr.json"]
    assert len(files) == 4
