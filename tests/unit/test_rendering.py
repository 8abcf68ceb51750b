"""Rendered sets: what is planned is what is seen, whichever job draws it, and backgrounds tell nothing of objects."""

import numpy as np
import pandas as pd
import pytest
import zarr
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score

from ventral.errors import InputError
from ventral.stimuli.backgrounds import Backgrounds
from ventral.stimuli.rendering import (
    DIAMETER,
    LEVELS,
    MEASURED,
    PLANNED,
    assemble,
    background_of,
    measures,
    plan,
    render,
)
from ventral.store import read_dataset

SPEC = {
    "categories": ["cars", "faces", "fruits"],
    "exemplars": 2,
    "first_exemplar": 0,
    "images": 6,
    "variation": ["low", "high"],
    "size": 32,
    "backgrounds": ["photographs", "noise"],
    "seed": 3,
}


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    """The set of SPEC, rendered in one shard and in five."""
    folder = tmp_path_factory.mktemp("rendered")
    for shards in (1, 5):
        paths = [folder / f"{shards}-{shard}.zarr" for shard in range(shards)]
        for shard, path in reversed(list(enumerate(paths))):
            render(SPEC, path, name="mine", shard=shard, shards=shards)
        assemble(SPEC, paths, folder / f"{shards}.zarr", name="mine", degrees=8 if shards == 1 else None)
    return folder


def test_the_same_images_however_they_are_sharded(rendered):
    one, five = (zarr.open_group(rendered / f"{shards}.zarr", mode="r") for shards in (1, 5))
    assert np.array_equal(one["pixels"][:], five["pixels"][:])
    assert one.attrs["sha256"] == five.attrs["sha256"]
    assert one.attrs["degrees"] == 8
    assert "degrees" not in five.attrs


def test_a_second_rendering_writes_the_same_files(rendered, tmp_path):
    render(SPEC, tmp_path / "again.zarr", name="mine", shard=0, shards=1)
    first, second = (
        {str(path.relative_to(store)): path.read_bytes() for path in sorted(store.rglob("*")) if path.is_file()}
        for store in (rendered / "1-0.zarr", tmp_path / "again.zarr")
    )
    assert first == second


def test_a_rendered_set_is_a_set_like_any_other(rendered):
    stimuli = read_dataset(rendered / "1.zarr")
    assert dict(stimuli.sizes) == {"stimulus": 36, "channel": 3, "pixel_row": 32, "pixel_column": 32}
    assert stimuli["pixels"].dtype == np.uint8
    table = plan(SPEC)
    assert list(stimuli["stimulus"].values) == list(table.index)
    for column in ("object", "category", "variation", *PLANNED):
        assert (stimuli[column].values == table[column].to_numpy()).all()
    assert {"background", *MEASURED} <= set(stimuli.coords)
    assert stimuli.attrs["name"] == "mine"
    assert not stimuli.attrs["duplicates"]
    assert "near_duplicates" not in stimuli.attrs
    assert "Embree" in stimuli.attrs["drawn_by"]


def test_images_of_an_object_are_dealt_over_the_levels_in_turn():
    table = plan(SPEC)
    assert list(table["variation"])[:4] == ["low", "high", "low", "high"]
    assert set(table["object"]) == {f"{category}_0{k}" for category in SPEC["categories"] for k in range(2)}
    assert table.index.is_unique


@pytest.mark.parametrize("level", LEVELS)
def test_poses_fill_the_range_of_their_level_evenly(level):
    table = plan({**SPEC, "variation": [level], "images": 500})
    shift, ratio, turn = LEVELS[level]
    for column, limit in zip(PLANNED, (shift / 2, shift / 2, np.log(ratio), turn, turn, turn), strict=True):
        values = np.log(table[column] / DIAMETER) if column == "size" else table[column]
        if limit == 0:
            np.testing.assert_allclose(values, 0, atol=1e-12)
            continue
        assert np.abs(values).max() == pytest.approx(limit, rel=0.01)
        counts = np.histogram(values, bins=5, range=(-limit, limit))[0]
        np.testing.assert_allclose(counts, len(values) / 5, rtol=0.15)
    if turn:
        correlations = np.corrcoef(table[["position_x", "position_y", "rotation_z"]].T)
        assert np.abs(correlations - np.eye(3)).max() < 0.08


def test_a_set_begins_with_the_images_of_a_smaller_one():
    few, many = plan(SPEC), plan({**SPEC, "images": 8, "categories": ["faces"]})
    first = few[few["object"] == "faces_00"][list(PLANNED)].to_numpy()
    assert np.array_equal(many[many["object"] == "faces_00"][list(PLANNED)].to_numpy()[:6], first)


def test_other_seeds_and_other_exemplars_have_other_poses():
    poses = [
        plan(spec).query("variation == 'high'")[list(PLANNED)].to_numpy()
        for spec in (SPEC, {**SPEC, "seed": 4}, {**SPEC, "first_exemplar": 2})
    ]
    assert not np.isclose(poses[0], poses[1]).any()
    assert not np.isclose(poses[0], poses[2]).any()


def test_the_object_is_seen_where_it_was_planned(rendered):
    stimuli = read_dataset(rendered / "1.zarr")
    table = pd.DataFrame({name: stimuli[name].values for name in (*PLANNED, *MEASURED)})
    inside = table[(table["box_left"] > -0.5) & (table["box_left"] + table["box_width"] < 0.5)]
    inside = inside[(inside["box_bottom"] > -0.5) & (inside["box_bottom"] + inside["box_height"] < 0.5)]
    assert len(inside) > 10
    for planned, left, extent in (
        ("position_x", "box_left", "box_width"),
        ("position_y", "box_bottom", "box_height"),
    ):
        assert (inside[extent] <= inside["size"] + 2 / 32).all()
        assert (inside[left] >= inside[planned] - inside["size"] / 2 - 1 / 32).all()
        assert (inside[left] + inside[extent] <= inside[planned] + inside["size"] / 2 + 1 / 32).all()
    assert (table["area"] > 0).all()


def test_measures_are_those_of_a_mask_that_is_known():
    coverage = np.zeros((10, 10))
    coverage[2:4, 5:9] = 1
    coverage[4, 5:9] = 0.4
    expected = {
        "centroid_x": 0.2,
        "centroid_y": 0.2,
        "box_left": 0.0,
        "box_bottom": 0.1,
        "box_width": 0.4,
        "box_height": 0.2,
        "area": 0.08,
    }
    np.testing.assert_allclose(measures(coverage), [expected[name] for name in MEASURED])
    nothing = measures(np.zeros((4, 4)))
    assert nothing[-1] == 0
    assert np.isnan(nothing[:-1]).all()


def test_backgrounds_tell_nothing_about_categories():
    """A classifier that sees the background alone is at chance; one that sees the object's position says so too."""
    spec = {**SPEC, "images": 40}
    table = plan(spec)
    sources = Backgrounds(spec["backgrounds"], "key")
    pixels = np.stack([background_of(spec, stimulus, sources, 16)[0].ravel() for stimulus in table.index]) / 255
    features = np.hstack([pixels, pixels.reshape(len(pixels), 3, -1).mean(axis=2), pixels.std(axis=1, keepdims=True)])
    classifier = LogisticRegression(C=0.1, max_iter=300)
    accuracy = cross_val_score(classifier, features, table["category"], cv=4).mean()
    # Three standard deviations of the accuracy of guessing.
    assert accuracy == pytest.approx(1 / 3, abs=3 * np.sqrt(1 / 3 * 2 / 3 / len(table)))


def test_the_background_is_seen_where_the_object_is_not(rendered):
    stimuli = read_dataset(rendered / "1.zarr")
    sources = Backgrounds(SPEC["backgrounds"], "key")
    for row in (0, 17, 35):
        behind, name = background_of(SPEC, stimuli["stimulus"].values[row], sources, 32)
        assert stimuli["background"].values[row] == name
        same = (stimuli["pixels"].values[row] == behind).all(axis=0).mean()
        assert same == pytest.approx(1 - stimuli["area"].values[row], abs=0.15)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"categories": ["cats"]}, r"stimuli.s.render.categories: 'cats' is not made by code"),
        ({"exemplars": 1}, r"stimuli.s.render.exemplars: 1; a category needs at least 2 objects"),
        ({"backgrounds": "nowhere"}, r"stimuli.s.render.backgrounds: 'nowhere' is neither"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_rendered(changes, message):
    with pytest.raises(InputError, match=message):
        plan({**SPEC, **changes}, "stimuli.s.render")


def test_fewer_meshes_than_exemplars(tmp_path):
    for name in ("a.ply", "b.ply"):
        (tmp_path / name).touch()
    spec = {**SPEC, "categories": {"mine": str(tmp_path)}, "exemplars": 3}
    with pytest.raises(InputError, match=r"mine: 2 meshes, where exemplars 0 to 2 are asked for; .* to 2 or less"):
        plan(spec, "stimuli.s.render")


def test_an_unreadable_mesh_leaves_no_store(tmp_path):
    for name in ("a.ply", "b.ply"):
        (tmp_path / name).write_text("no mesh")
    spec = {**SPEC, "categories": {"mine": str(tmp_path)}}
    with pytest.raises(InputError, match=r"stimuli.s.render.categories.mine: .*a.ply: cannot be read as a mesh"):
        render(spec, tmp_path / "out.zarr", name="s", shard=0, shards=1)
    assert not (tmp_path / "out.zarr").exists()
