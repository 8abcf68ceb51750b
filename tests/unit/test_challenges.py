"""Occlusion, clutter and noise of rendered images: as stated, drawn for each image, and absent unless asked for."""

import numpy as np
import pytest

from ventral.errors import InputError
from ventral.stimuli import challenges
from ventral.stimuli.backgrounds import Backgrounds
from ventral.stimuli.ingestion import describe
from ventral.stimuli.meshes import load_object
from ventral.stimuli.rendering import PLANNED, assemble, background_of, plan, render
from ventral.stimuli.scene import Scene
from ventral.store import open_store, read_dataset

SPEC = {
    "categories": ["cars", "fruits"],
    "exemplars": 2,
    "first_exemplar": 0,
    "images": 8,
    "variation": ["medium"],
    "size": 48,
    "backgrounds": ["photographs", "noise"],
    "seed": 5,
}
LEVELS = {"occlusion": [0, 0.3, 0.6], "clutter": [0, 3], "noise": [0, 0.1]}


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """The store of SPEC alone, with each challenge, and with all of them, by name."""
    folder = tmp_path_factory.mktemp("sets")
    kinds = {"none": {}, **{name: {name: levels} for name, levels in LEVELS.items()}, "all": LEVELS}
    for kind, levels in kinds.items():
        render({**SPEC, **levels}, folder / f"{kind}-0.zarr", name="mine", shard=0, shards=1)
        assemble({**SPEC, **levels}, [folder / f"{kind}-0.zarr"], folder / f"{kind}.zarr", name="mine")
    return {kind: read_dataset(folder / f"{kind}.zarr").load() for kind in kinds}


@pytest.fixture(scope="module")
def coverages():
    """Coverage (n, size, size) of each object, rendered anew from the planned poses."""
    table, made = plan(SPEC), []
    for _, view in table.iterrows():
        surface = load_object(view["category"], int(view["object"][-2:]), None, "key")
        pose = [float(view[name]) for name in PLANNED]
        made.append(Scene(surface, SPEC["size"]).draw((pose[0], pose[1]), pose[2], tuple(pose[3:])))
    return np.stack(made)


def test_without_the_options_an_image_is_the_object_on_its_background(sets, coverages):
    """The store has neither the columns nor other pixels than the object's and the background's."""
    sources = Backgrounds(SPEC["backgrounds"], "key")
    stored = sets["none"]
    assert not {*LEVELS, "occluded"} & set(stored.coords)
    for image, drawn, stimulus in zip(stored["pixels"].values, coverages, stored["stimulus"].values, strict=True):
        behind, _ = background_of(SPEC, stimulus, sources, SPEC["size"])
        assert np.array_equal(image, np.round(drawn[:3] + (1 - drawn[3]) * behind).astype(np.uint8))


def test_level_zero_of_every_option_leaves_the_images_as_they_are(sets):
    none, everything = sets["none"]["pixels"].values, sets["all"]
    zero = (everything["occlusion"] == 0) & (everything["clutter"] == 0) & (everything["noise"] == 0)
    assert zero.values.any()
    assert np.array_equal(everything["pixels"].values[zero.values], none[zero.values])


@pytest.mark.parametrize("challenge", LEVELS)
def test_levels_are_columns_and_change_only_their_images(sets, challenge):
    stored, none = sets[challenge], sets["none"]
    levels = stored[challenge].values
    assert set(levels) == set(LEVELS[challenge])
    changed = (stored["pixels"].values != none["pixels"].values).any(axis=(1, 2, 3))
    assert np.array_equal(changed, levels > 0)
    assert np.array_equal(sets["all"][challenge].values, levels)


def test_the_covered_share_is_that_of_the_rendered_masks(sets, coverages):
    """The occluders are recognised by the pixels that differ; some may by chance have the colour that was there."""
    stored = sets["occlusion"]
    objects = coverages[:, 3] >= 0.5
    differ = (stored["pixels"].values != sets["none"]["pixels"].values).any(axis=1)
    seen = np.array([mask[inside].mean() for mask, inside in zip(differ, objects, strict=True)])
    np.testing.assert_allclose(stored["occluded"].values, seen, atol=0.02)
    np.testing.assert_allclose(
        stored["occluded"].values, stored["occlusion"].values, atol=1 / objects.sum(axis=(1, 2)).min()
    )


def test_occluders_do_not_tell_where_the_object_is():
    coverage = np.zeros((64, 64))
    coverage[8:30, 10:40] = 1
    masks = [challenges.occluders(coverage, 0.4, np.random.default_rng(k)) for k in range(200)]
    inside = np.mean([mask[coverage == 1].mean() for mask in masks])
    outside = np.mean([mask[coverage == 0].mean() for mask in masks])
    assert inside == pytest.approx(0.4, abs=1e-3)
    assert outside == pytest.approx(0.4, abs=0.03)


def test_occluders_are_blobs_larger_than_pixels():
    mask = challenges.occluders(np.ones((64, 64)), 0.5, np.random.default_rng(0))
    assert (mask[1:] == mask[:-1]).mean() > 0.9


def test_an_object_outside_the_image_has_no_covered_share():
    sources = Backgrounds(["noise"], "key")
    pixels = np.zeros((3, 16, 16), np.uint8)
    image, share = challenges.occluded(pixels, np.zeros((16, 16)), 0.5, sources, np.random.default_rng(0))
    assert np.isnan(share)
    assert (image != pixels).any(axis=0).mean() == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("number", [1, 2, 6])
def test_every_other_object_is_seen_apart_from_the_others(number):
    """On white, connected patches are counted by an independent library."""
    from scipy.ndimage import label

    white = np.full((3, 128, 128), 255, np.uint8)
    image = challenges.cluttered(white, number, (2.0, 2.0), np.random.default_rng(1))
    assert label((image != 255).any(axis=0), np.ones((3, 3)))[1] == number


def test_other_objects_are_behind_the_object_and_beside_it(sets, coverages):
    stored = sets["clutter"]
    differ = (stored["pixels"].values != sets["none"]["pixels"].values).any(axis=1)
    assert not (differ & (coverages[:, 3] == 1)).any()
    cluttered = stored["clutter"].values == 3
    assert (differ[cluttered].mean(axis=(1, 2)) > 0.01).all()


def test_noise_has_the_stated_root_mean_square():
    grey = np.full((3, 100, 100), 128, np.uint8)
    noise = challenges.noisy(grey, 0.1, np.random.default_rng(0)) / 255 - 128 / 255
    assert np.sqrt((noise**2).mean()) == pytest.approx(0.1, rel=0.02)
    assert abs(np.corrcoef(noise[0].ravel(), noise[1].ravel())[0, 1]) < 0.05
    assert abs(np.corrcoef(noise[:, 1:].ravel(), noise[:, :-1].ravel())[0, 1]) < 0.05


def test_the_same_seed_makes_the_same_bytes_in_any_shards(sets, tmp_path):
    spec = {**SPEC, **LEVELS}
    for shard in (1, 0):
        render(spec, tmp_path / f"{shard}.zarr", name="mine", shard=shard, shards=2)
    again = np.concatenate([open_store(tmp_path / f"{shard}.zarr")["pixels"][:] for shard in range(2)])
    assert np.array_equal(again, sets["all"]["pixels"].values)


def test_first_images_keep_their_levels_in_a_larger_set():
    few, many = plan({**SPEC, **LEVELS}), plan({**SPEC, **LEVELS, "images": 40})
    first = many.groupby("object").head(SPEC["images"])
    assert np.array_equal(few[list(LEVELS)].to_numpy(), first[list(LEVELS)].to_numpy())


def test_levels_are_equally_frequent_and_independent():
    table = plan({**SPEC, **LEVELS, "images": 1000})
    for challenge, levels in LEVELS.items():
        shares = table[challenge].value_counts(normalize=True)
        np.testing.assert_allclose(shares.to_numpy(), 1 / len(levels), atol=0.03)
    assert np.abs(np.corrcoef(table[list(LEVELS)].T) - np.eye(3)).max() < 0.05


def test_levels_are_columns_before_anything_is_rendered():
    table = describe({"render": {**SPEC, "occlusion": [0, 0.5]}}, "stimuli.mine")
    assert set(table["occlusion"]) == {0, 0.5}


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("occlusion", [0, 1.5], r"stimuli.mine.render.occlusion.*1.5"),
        ("clutter", [2.5], r"stimuli.mine.render.clutter.*2.5"),
        ("noise", [-0.1], r"stimuli.mine.render.noise.*-0.1"),
    ],
)
def test_levels_out_of_range_are_refused(option, value, message):
    from ventral.configuration.resolution import resolve

    config = {
        "stimuli": {"mine": {"render": {option: value}}},
        "recordings": {"r": {"stimuli": "mine", "responses": "r.npy", "area": "IT"}},
        "models": ["pixels"],
    }
    with pytest.raises(InputError, match=message):
        resolve(config)
