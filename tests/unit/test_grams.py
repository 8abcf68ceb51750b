"""Streamed Gram matrices against one product, whatever the shards, the cores and the memory."""

import itertools
from functools import partial

import numpy as np
import pytest
import zarr

from ventral.errors import InputError
from ventral.grams import products
from ventral.grams import streaming as grams
from ventral.grams.streaming import gram, sample_of_units
from ventral.store import create_array, open_store

LAYERS = [
    {"name": "early.0", "depth": 0.25, "shape": [3, 50, 60], "n_features": 9000},
    {"name": "late", "depth": 1.0, "shape": [7], "n_features": 7},
]


def write_shard(path, features, start, **changes):
    stop = start + len(features["late"])
    group = zarr.open_group(path, mode="w", zarr_format=3)
    attributes = {
        "model": "m",
        "family": "untrained",
        "stimuli": "s",
        "stimuli_sha256": "0" * 64,
        "weights_sha256": "1" * 64,
        "dtype": "float16",
        "device": "cpu",
        "preprocessing": {},
        "layers": LAYERS,
        "n_stimuli": 23,
        "start": start,
        "stop": stop,
    }
    group.attrs.update(attributes | changes)
    for name, values in features.items():
        array = create_array(
            group, name, values.shape, str(values.dtype), (8, 4096), (8, values.shape[1]), compress=False
        )
        array[:] = values
    return path


@pytest.fixture
def features():
    rng = np.random.default_rng(0)
    return {layer["name"]: rng.normal(2, 1, size=(23, layer["n_features"])).astype(np.float16) for layer in LAYERS}


def shards_of(folder, features, bounds):
    return [
        write_shard(folder / f"{start}.zarr", {name: values[start:stop] for name, values in features.items()}, start)
        for start, stop in itertools.pairwise(bounds)
    ]


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_equals_the_product_of_the_features(tmp_path, features, dtype):
    features = {name: values.astype(dtype) for name, values in features.items()}
    shards = shards_of(tmp_path, features, [0, 10, 23])
    gram(reversed(shards), tmp_path / "gram.zarr", seed=3)
    store = open_store(tmp_path / "gram.zarr")
    assert store.attrs["layers"] == LAYERS
    assert store.attrs["family"] == "untrained"
    for layer in LAYERS:
        x = features[layer["name"]].astype(np.float64)
        group = store[layer["name"]]
        np.testing.assert_allclose(group["gram"][:], x @ x.T, rtol=1e-13)
        np.testing.assert_allclose(group["row_sums"][:], x.sum(axis=1), rtol=1e-13)
        assert np.array_equal(group["gram"][:], group["gram"][:].T)
        sampled = group["sampled_features"][:]
        assert len(np.unique(sampled)) == min(2000, x.shape[1])
        assert np.array_equal(sampled, sample_of_units(x.shape[1], 3))
        np.testing.assert_array_equal(group["sample"][:], features[layer["name"]][:, sampled])
        assert group.attrs["n_features"] == layer["n_features"]


def test_a_power_of_two_that_features_were_multiplied_by_is_divided_out_again(tmp_path, features):
    shards = shards_of(tmp_path, features, [0, 10, 23])
    gram(shards, tmp_path / "as_stored.zarr")
    for shard in shards:
        zarr.open_group(shard, mode="a")["late"].attrs["scale"] = 2.0**25
    gram(shards, tmp_path / "gram.zarr")
    as_stored, found = (open_store(tmp_path / name) for name in ("as_stored.zarr", "gram.zarr"))
    for layer, scale in (("early.0", 1.0), ("late", 2.0**25)):
        for array, factor in (("gram", scale**2), ("row_sums", scale), ("sample", scale)):
            np.testing.assert_array_equal(found[layer][array][:] * factor, as_stored[layer][array][:])
    assert (found["early.0"]["sample"].dtype, found["late"]["sample"].dtype) == (np.float16, np.float32)
    assert found.attrs["layers"] == LAYERS


def test_shards_whose_features_were_multiplied_by_different_powers_of_two(tmp_path, features):
    shards = shards_of(tmp_path, features, [0, 10, 23])
    zarr.open_group(shards[1], mode="a")["late"].attrs["scale"] = 8.0
    with pytest.raises(
        InputError, match=r"10\.zarr: features of layer late are multiplied by 8, .*0\.zarr by 1; extract"
    ):
        gram(shards, tmp_path / "gram.zarr")
    assert not (tmp_path / "gram.zarr").exists()


def test_bits_do_not_depend_on_shards_cores_or_memory(tmp_path, features):
    whole = shards_of(tmp_path / "one", features, [0, 23])
    uneven = shards_of(tmp_path / "three", features, [0, 1, 9, 23])
    run = {
        "one shard": partial(gram, whole),
        "three shards": partial(gram, uneven),
        "four cores": partial(gram, uneven, cores=4),
        "little memory": partial(gram, whole, cores=4, memory_mb=2),
    }
    for name, compute in run.items():
        compute(tmp_path / f"{name}.zarr")
    stores = [open_store(tmp_path / f"{name}.zarr") for name in run]
    for store in stores[1:]:
        for layer in LAYERS:
            for array in ("gram", "row_sums", "sample"):
                assert np.array_equal(store[layer["name"]][array][:], stores[0][layer["name"]][array][:])


@pytest.mark.parametrize(("float64", "tolerance"), [(True, 1e-13), (False, 3e-6)])
def test_a_device_gives_the_same_within_the_bound(tmp_path, features, monkeypatch, float64, tolerance):
    shards = shards_of(tmp_path, features, [0, 10, 23])
    monkeypatch.setattr(products, "has_fast_float64", lambda _place: float64)
    on_device = products.add_blocks
    # The GPU is the CPU, by the code of the GPU.
    monkeypatch.setattr(products, "add_blocks", lambda *given, **how: on_device(*given, **how | {"device": "cpu"}))
    gram(shards, tmp_path / "cpu.zarr", seed=3)
    monkeypatch.setattr(grams, "choose_device", lambda name, _key: name)
    gram(shards, tmp_path / "gpu.zarr", seed=3, device="cuda", cores=2)
    stores = [open_store(tmp_path / name) for name in ("cpu.zarr", "gpu.zarr")]
    assert dict(stores[0].attrs) == dict(stores[1].attrs)
    for layer in LAYERS:
        one, other = (store[layer["name"]] for store in stores)
        norms = np.sqrt(np.diag(one["gram"][:]))
        assert np.max(np.abs(other["gram"][:] - one["gram"][:]) / np.outer(norms, norms)) <= tolerance
        assert np.array_equal(other["gram"][:], other["gram"][:].T)
        np.testing.assert_allclose(other["row_sums"][:], one["row_sums"][:], rtol=1e-12)
        for name in ("sample", "sampled_features"):
            np.testing.assert_array_equal(other[name][:], one[name][:])


def test_a_device_that_is_not_there(tmp_path, features):
    with pytest.raises(InputError, match=r"config key grams\.device: `cuda`, but torch sees no GPU here"):
        gram(shards_of(tmp_path, features, [0, 23]), tmp_path / "gram.zarr", device="cuda")


def test_blocks_in_flight_keep_to_the_memory(tmp_path, features, monkeypatch):
    waves = []
    compute = grams.dask.compute
    monkeypatch.setattr(grams.dask, "compute", lambda *tasks: waves.append(len(tasks)) or compute(*tasks))
    monkeypatch.setattr("ventral.running.parallel.allocated_cores", lambda wanted: wanted)
    shards = shards_of(tmp_path, features, [0, 23])
    block = 23 * grams.FEATURES_PER_BLOCK * 12 / 2**20
    for memory_mb, most in ((int(2 * block) + 1, 2), (1000, 3)):
        waves.clear()
        gram(shards, tmp_path / "gram.zarr", cores=8, memory_mb=memory_mb)
        assert max(waves) == most


def test_too_little_memory_says_how_much_is_needed(tmp_path, features, monkeypatch):
    shards = shards_of(tmp_path, features, [0, 23])
    monkeypatch.setattr(grams, "FEATURES_PER_BLOCK", 2**20)
    with pytest.raises(
        InputError, match=r"grams\.memory_mb: 1 does not suffice for 23 stimuli; set grams\.memory_mb to \d+"
    ):
        gram(shards, tmp_path / "gram.zarr", memory_mb=1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"start": 11}, "starts at stimulus 11, expected stimulus 10"),
        ({"weights_sha256": "2" * 64}, "weights_sha256 differs"),
        ({"stimuli_sha256": "2" * 64}, "stimuli_sha256 differs"),
        ({"dtype": "float32"}, "dtype differs"),
        ({"stop": 20}, r"10\.zarr: ends at stimulus 20 of 23; extract the rest"),
    ],
)
def test_shards_that_do_not_fit_together(tmp_path, features, changes, message):
    shards = shards_of(tmp_path, features, [0, 10, 23])
    zarr.open_group(shards[1], mode="a").attrs.update(changes)
    with pytest.raises(InputError, match=message):
        gram(shards, tmp_path / "gram.zarr")
    assert not (tmp_path / "gram.zarr").exists()


def test_the_store_is_one_file_and_the_same_each_time(tmp_path, features):
    shards = shards_of(tmp_path, features, [0, 10, 23])
    for name in ("once", "again"):
        gram(shards, tmp_path / "grams" / f"{name}.zarr.zip")
    made = sorted((tmp_path / "grams").iterdir())
    assert [path.name for path in made] == ["again.zarr.zip", "once.zarr.zip"]
    assert made[0].read_bytes() == made[1].read_bytes()


def test_features_that_are_not_finite(tmp_path, features):
    features["late"][4, 2] = np.inf
    with pytest.raises(InputError, match="layer late: the features of stimulus 4 are not finite"):
        gram(shards_of(tmp_path, features, [0, 23]), tmp_path / "gram.zarr")
    assert not (tmp_path / "gram.zarr").exists()
