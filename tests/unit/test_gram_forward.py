"""Gram matrices from forward passes alone are those of extracted features, whatever the memory and the attempts."""

import itertools
import logging

import numpy as np
import pytest
import torch
from PIL import Image

from ventral.activations.extraction import Extraction, extract_part
from ventral.errors import InputError
from ventral.grams import forward, products
from ventral.grams.forward import Columns, columns_within, gram_forward
from ventral.grams.streaming import FEATURES_PER_BLOCK, gram
from ventral.models.passes import NotEnoughMemory
from ventral.models.zoo import resolve_model
from ventral.stimuli.ingestion import ingest
from ventral.store import open_store

N = 21
MODULE = """
import torch
from torch import nn

def make():
    torch.manual_seed(3)
    early = nn.Sequential(nn.Conv2d(3, 70, 3), nn.ReLU(inplace=True))
    return nn.Sequential(early, nn.Conv2d(70, 12, 5), nn.Flatten(), nn.Linear(432, 5))

def large():
    network = make()
    network[3].bias.data[2] = torch.inf
    return network
"""
LAYERS = ["0", "1", "3"]
BLOCK = N * FEATURES_PER_BLOCK * 2


@pytest.fixture(scope="module")
def stimuli(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stimuli")
    (folder / "images").mkdir()
    rng = np.random.default_rng(0)
    for k in range(N):
        Image.fromarray(rng.integers(0, 255, (12, 12, 3), dtype=np.uint8)).save(folder / "images" / f"image{k:02d}.png")
    ingest({"images": str(folder / "images")}, folder / "stimuli.zarr", name="mine")
    return folder / "stimuli.zarr"


@pytest.fixture
def spec(importable):
    # The first layer has 7,000 features: two blocks.
    name = importable("net_to_multiply", MODULE)
    return resolve_model("m", {"architecture": f"{name}:make", "size": 12, "layers": LAYERS})


@pytest.fixture
def by_the_disk(stimuli, spec, tmp_path):
    """The bytes of the store that extraction and `gram` make."""
    return extracted(stimuli, spec, tmp_path)


def extracted(stimuli, spec, folder):
    options = {"batch_size": 8, "device": "cpu"}
    extract_part(stimuli, spec, folder / "0", part=0, parts=1, shards=3, **options)
    gram([folder / "0"], folder / "disk.zarr.zip", seed=4)
    return (folder / "disk.zarr.zip").read_bytes()


def forwarded(stimuli, spec, path, **options):
    gram_forward(stimuli, spec, path, **{"seed": 4, "device": "cpu", "batch_size": 8} | options)
    return path.read_bytes()


@pytest.fixture
def passes(monkeypatch):
    """How many stimuli each pass over them had room for, in blocks."""
    sweeps, features = [], forward._features

    def counted(extraction, place, held, progress):
        sweeps.append([tuple(columns) for columns in held])
        return features(extraction, place, held, progress)

    monkeypatch.setattr(forward, "_features", counted)
    return sweeps


def with_room(monkeypatch, n_bytes):
    made = forward.InMemory.__init__

    def small(self, *arguments):
        made(self, *arguments)
        self.room = n_bytes

    monkeypatch.setattr(forward.InMemory, "__init__", small)


def test_the_store_is_that_of_extracted_features(stimuli, spec, tmp_path, by_the_disk, passes):
    assert forwarded(stimuli, spec, tmp_path / "forward.zarr.zip") == by_the_disk
    assert passes == [[(0, 0, 7000), (1, 0, 432), (2, 0, 5)]]
    assert [path.name for path in tmp_path.iterdir() if "unfinished" in path.name] == []


def test_the_store_of_the_stimuli_themselves(stimuli, tmp_path):
    spec = resolve_model("pixels")
    assert forwarded(stimuli, spec, tmp_path / "forward.zarr.zip") == extracted(stimuli, spec, tmp_path)


@pytest.mark.parametrize("blocks", [1, 2])
def test_bits_do_not_depend_on_memory(stimuli, spec, tmp_path, by_the_disk, passes, monkeypatch, blocks):
    with_room(monkeypatch, blocks * BLOCK)
    assert forwarded(stimuli, spec, tmp_path / "forward.zarr.zip", cores=2) == by_the_disk
    apart = [[(0, 0, 4096)], [(0, 4096, 7000), (1, 0, 432), (2, 0, 5)]]
    assert passes == (apart if blocks == 1 else [[(0, 0, 7000), (1, 0, 432), (2, 0, 5)]])


def test_scaled_features_are_the_same(stimuli, spec, tmp_path, monkeypatch):
    monkeypatch.setattr("ventral.activations.forward.AS_THEY_ARE", (2.0**20, 2.0**21))
    with_room(monkeypatch, BLOCK)
    made = extracted(stimuli, spec, tmp_path)
    assert open_store(tmp_path / "disk.zarr.zip")["3"]["sample"].dtype == np.float32
    assert forwarded(stimuli, spec, tmp_path / "forward.zarr.zip") == made


def test_what_is_finished_is_kept(stimuli, spec, tmp_path, by_the_disk, passes, monkeypatch, caplog):
    with_room(monkeypatch, BLOCK)
    path, keep = tmp_path / "forward.zarr.zip", forward._keep_layer

    def killed(folder, layer, *arguments):
        if layer["name"] == "1":
            raise KeyboardInterrupt
        keep(folder, layer, *arguments)

    monkeypatch.setattr(forward, "_keep_layer", killed)
    with pytest.raises(KeyboardInterrupt):
        forwarded(stimuli, spec, path)
    assert not path.exists()
    passes.clear()
    monkeypatch.setattr(forward, "_keep_layer", keep)
    with caplog.at_level(logging.INFO):
        assert forwarded(stimuli, spec, path) == by_the_disk
    assert passes == [[(1, 0, 432), (2, 0, 5)]]
    assert "1 of 3 layers are kept from an earlier attempt" in caplog.text


@pytest.mark.parametrize("changed", [{}, {"seed": 5}])
def test_sums_over_a_part_of_a_layer_are_kept(stimuli, spec, tmp_path, by_the_disk, passes, monkeypatch, changed):
    with_room(monkeypatch, BLOCK)
    path, features = tmp_path / "forward.zarr.zip", forward._features

    def killed(extraction, place, held, progress):
        if held[0].start:
            raise KeyboardInterrupt
        return features(extraction, place, held, progress)

    monkeypatch.setattr(forward, "_features", killed)
    with pytest.raises(KeyboardInterrupt):
        forwarded(stimuli, spec, path, **changed)
    passes.clear()
    monkeypatch.setattr(forward, "_features", features)
    assert forwarded(stimuli, spec, path) == by_the_disk
    # Sums for another sample of units are of no use.
    assert passes[0][0] == ((0, 0, 4096) if changed else (0, 4096, 7000))


def test_less_is_held_when_memory_runs_out(stimuli, spec, tmp_path, by_the_disk, passes, monkeypatch, caplog):
    empty = forward.InMemory.empty

    def scarce(self, n, columns):
        if columns > FEATURES_PER_BLOCK:
            raise MemoryError
        return empty(self, n, columns)

    monkeypatch.setattr(forward.InMemory, "empty", scarce)
    with_room(monkeypatch, 2 * BLOCK)
    assert forwarded(stimuli, spec, tmp_path / "forward.zarr.zip") == by_the_disk
    assert passes[1:] == [[(0, 0, 4096)], [(0, 4096, 7000), (1, 0, 432), (2, 0, 5)]]
    assert "out of memory" in caplog.text


def test_memory_that_never_suffices(stimuli, spec, tmp_path, monkeypatch):
    def scarce(*_):
        raise NotEnoughMemory("memory does not suffice for a forward pass of 1 stimuli")

    monkeypatch.setattr("ventral.activations.forward.Network.compute", scarce)
    with pytest.raises(InputError, match="memory does not suffice for a forward pass of one stimulus"):
        forwarded(stimuli, spec, tmp_path / "forward.zarr.zip")
    with pytest.raises(InputError, match=r"grams\.memory_mb: 1 does not suffice for 21 stimuli in .*; set it to 2 or"):
        forwarded(stimuli, spec, tmp_path / "forward.zarr.zip", memory_mb=1)


def test_features_that_are_not_finite(stimuli, spec, tmp_path):
    spec["architecture"] = spec["architecture"].replace("make", "large")
    with pytest.raises(InputError, match=r"layer 3: the features of stimulus image00\.png are not finite as float16"):
        forwarded(stimuli, spec, tmp_path / "forward.zarr.zip")


def test_blocks_that_fit_are_taken_in_order():
    unfinished = [Columns(1, 4096, 9000), Columns(2, 0, 20000), Columns(3, 0, 10)]
    assert columns_within(unfinished, 10**6, 4) == unfinished
    assert columns_within(unfinished, 60_000, 4) == [Columns(1, 4096, 9000), Columns(2, 0, 8192)]
    assert columns_within(unfinished, 19_616, 4) == [Columns(1, 4096, 9000)]
    assert columns_within(unfinished, 16_384, 4) == [Columns(1, 4096, 8192)]


def stores_alike(first, second, tolerance):
    """Whether two stores agree, Gram matrices within a share of the norms of the features."""
    one, other = open_store(first), open_store(second)
    for name in LAYERS:
        matrices = [store[name]["gram"][:] for store in (one, other)]
        norms = np.sqrt(np.diag(matrices[0]))
        assert np.max(np.abs(matrices[1] - matrices[0]) / np.outer(norms, norms)) <= tolerance
        assert np.array_equal(matrices[1], matrices[1].T)
        np.testing.assert_allclose(other[name]["row_sums"][:], one[name]["row_sums"][:], rtol=1e-9)
        for array in ("sample", "sampled_features"):
            np.testing.assert_array_equal(other[name][array][:], one[name][array][:])


@pytest.fixture
def card(monkeypatch):
    """A GPU that is the CPU, with as much free memory as a test says."""
    free = {"bytes": 10**9}
    monkeypatch.setattr(forward, "free_memory", lambda _device: free["bytes"])
    made = forward.OnDevice
    monkeypatch.setattr(forward, "OnDevice", lambda *arguments: made(*arguments[:-1], "cpu"))
    opened = Extraction.opened.__func__

    def on_card(cls, *arguments, **options):
        from contextlib import contextmanager

        @contextmanager
        def opening():
            with opened(cls, *arguments, **options) as extraction:
                extraction.representation.device = "cuda"
                extraction.representation.buffers = None
                yield extraction

        return opening()

    monkeypatch.setattr(Extraction, "opened", classmethod(on_card))
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    return free


@pytest.mark.parametrize(("float64", "tolerance"), [(True, 1e-13), (False, 3e-6)])
@pytest.mark.parametrize("blocks", [1, 100])
def test_a_device_gives_the_same_within_the_bound(
    stimuli, spec, tmp_path, by_the_disk, card, passes, monkeypatch, float64, tolerance, blocks
):
    monkeypatch.setattr(products, "has_fast_float64", lambda _place: float64)
    monkeypatch.setattr(torch, "autocast", None)
    card["bytes"] = int((products.bytes_on_device(N) + blocks * BLOCK) / forward.SHARE_FOR_FEATURES) + 10
    forwarded(stimuli, spec, tmp_path / "forward.zarr.zip")
    stores_alike(tmp_path / "disk.zarr.zip", tmp_path / "forward.zarr.zip", tolerance)
    assert len(passes) == (2 if blocks == 1 else 1)


def test_a_device_without_memory_says_what_it_needs(stimuli, spec, tmp_path, card):
    card["bytes"] = 2**20
    with pytest.raises(InputError, match=r"grams\.from: for 21 stimuli, `forward` needs \d+ MiB .* 1 MiB are free"):
        forwarded(stimuli, spec, tmp_path / "forward.zarr.zip")


@pytest.mark.parametrize("float64", [True, False])
def test_blocks_are_halved_when_memory_runs_out(float64, monkeypatch):
    rng = np.random.default_rng(1)
    block = torch.from_numpy(rng.normal(size=(9, 700)).astype(np.float16))
    add, widths = products._add_product, []

    def scarce(matrix, row_sums, values):
        widths.append(values.shape[1])
        if values.shape[1] > 200:
            raise torch.OutOfMemoryError("CUDA out of memory")
        add(matrix, row_sums, values)

    monkeypatch.setattr(products, "_add_product", scarce)
    matrix, row_sums = torch.zeros((9, 9), dtype=torch.float64), torch.zeros(9, dtype=torch.float64)
    products._add_block(matrix, row_sums, block, float64)
    values = block.double().numpy()
    np.testing.assert_allclose(matrix.numpy(), values @ values.T, atol=1e-4)
    np.testing.assert_allclose(row_sums.numpy(), values.sum(axis=1), atol=1e-4)
    assert sum(width for width in widths if width <= 200) == 700
    assert any(first > 200 for first, _ in itertools.pairwise(widths))


def test_too_little_memory_on_a_device(monkeypatch):
    def never(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(products, "_add_product", never)
    sums = products.LayerSums.none(3)
    with pytest.raises(InputError, match="the memory of the GPU does not suffice for the Gram matrix of 3 stimuli"):
        products.add_blocks(sums, forward.Held(torch.ones(3, 8), 0), 8, np.arange(2), device="cpu")
    assert sums.features == 0
