"""Stimuli that are nearly the same: found among others, against all pairs one by one, and told with their splits."""

import hashlib
import io
import logging
import time

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter
from xarray import Dataset

from ventral.stimuli.images import outlines
from ventral.stimuli.ingestion import ingest
from ventral.stimuli.modality import evenly_spaced
from ventral.stimuli.near_duplicates import MOST_PAIRS, near_duplicates
from ventral.store import read_dataset
from ventral.targets.splits import Split
from ventral.targets.values import warn_of_near_duplicates

SIDE = 64


def scene(seed):
    """A smooth random photograph (3, SIDE, SIDE)."""
    field = gaussian_filter(np.random.default_rng(seed).normal(size=(3, SIDE, SIDE)), (0, 4, 4), mode="wrap")
    return np.clip(128 + 55 * field / field.std(), 0, 255).astype(np.uint8)


def compressed(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels.transpose(1, 2, 0)).save(buffer, "JPEG", quality=40)
    return np.asarray(Image.open(buffer)).transpose(2, 0, 1)


def with_disc(pixels, column, row, radius=5):
    """A faint disc on a photograph."""
    rows, columns = np.ogrid[:SIDE, :SIDE]
    inside = (rows - row) ** 2 + (columns - column) ** 2 < radius**2
    return np.where(inside, np.minimum(pixels, 235) + np.uint8(20), pixels)


def pairs_of(stimuli):
    digests = [hashlib.sha256(stimulus.tobytes()).digest() for stimulus in stimuli]
    return near_duplicates([f"s{k}" for k in range(len(stimuli))], digests, outlines(np.stack(stimuli)))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(compressed, id="compressed again"),
        pytest.param(lambda pixels: (pixels * 0.8 + 10).astype(np.uint8), id="darker"),
        pytest.param(lambda pixels: np.maximum(pixels, 1) - np.uint8(1), id="one grey level"),
    ],
)
def test_a_copy_that_is_not_equal_is_found_among_others(change):
    stimuli = [scene(seed) for seed in range(8)]
    assert pairs_of(stimuli) == []
    assert pairs_of([*stimuli, change(stimuli[3])]) == [["s3", "s8"]]


def test_equal_stimuli_are_none():
    assert pairs_of([scene(0), scene(1), scene(0)]) == []


def test_places_of_a_small_object_on_one_background_are_other_stimuli():
    """The background makes them correlate above 0.99: the object is where they differ."""
    background = scene(0)
    stimuli = [with_disc(background, column, row) for column in (12, 32, 52) for row in (12, 32, 52)]
    assert np.corrcoef(outlines(np.stack(stimuli))).min() > 0.99
    assert pairs_of(stimuli) == []


def test_blocks_find_what_all_pairs_one_by_one_find(monkeypatch):
    monkeypatch.setattr("ventral.stimuli.near_duplicates.ROWS_AT_ONCE", 7)
    rng = np.random.default_rng(1)
    values = rng.normal(size=(20, 30))[rng.integers(20, size=50)] + rng.normal(0, 0.08, size=(50, 30))
    units = (values - values.mean(axis=1, keepdims=True)) / values.std(axis=1, keepdims=True)
    expected = [
        [i, j]
        for i in range(50)
        for j in range(i + 1, 50)
        if np.corrcoef(values[i], values[j])[0, 1] > 0.99 and np.abs(units[i] - units[j]).max() < 0.5
    ]
    found = near_duplicates(range(50), [bytes([k]) for k in range(50)], values)
    assert sorted(found) == expected
    assert 10 < len(expected) < 100


def test_blank_stimuli_are_like_nothing_and_pairs_end_at_a_thousand():
    digests = [bytes([k]) for k in range(60)]
    assert near_duplicates(range(60), digests, np.full((60, 9), 0.3)) == []
    assert len(near_duplicates(range(60), digests, np.arange(9) + np.zeros((60, 1)))) == MOST_PAIRS


def test_outlines_are_means_of_areas_or_values_at_even_distances():
    pixels = np.random.default_rng(0).integers(0, 256, size=(2, 3, 32, 48), dtype=np.uint8)
    expected = pixels.mean(axis=1).reshape(2, 16, 2, 16, 3).mean(axis=(2, 4)).reshape(2, 256)
    np.testing.assert_allclose(outlines(pixels), expected, rtol=1e-5)
    assert outlines(pixels[:, :, :5, :3]).shape == (2, 15)
    signals = np.arange(6000).reshape(2, 3000)
    np.testing.assert_array_equal(evenly_spaced(signals), signals[:, ::3])


def test_thousands_of_stimuli_take_seconds():
    """Twenty thousand took 8 s on one core."""
    values = np.random.default_rng(0).normal(size=(5000, 256)).astype(np.float32)
    started = time.process_time()
    assert near_duplicates(range(len(values)), range(len(values)), values) == []
    assert time.process_time() - started < 20


def test_the_store_of_a_set_knows_its_pairs_and_says_nothing_without_any(tmp_path):
    (tmp_path / "mine").mkdir()
    for k in range(4):
        Image.fromarray(scene(k).transpose(1, 2, 0)).save(tmp_path / "mine" / f"{k}.png")
    ingest({"images": str(tmp_path / "mine")}, tmp_path / "a.zarr", name="mine")
    assert "near_duplicates" not in read_dataset(tmp_path / "a.zarr").attrs
    Image.fromarray(compressed(scene(2)).transpose(1, 2, 0)).save(tmp_path / "mine" / "9.png")
    ingest({"images": str(tmp_path / "mine")}, tmp_path / "b.zarr", name="mine")
    assert read_dataset(tmp_path / "b.zarr").attrs["near_duplicates"] == [["2.png", "9.png"]]


def test_pairs_are_told_once_with_the_splits_that_part_them(caplog):
    stimuli = Dataset(coords={"stimulus": list("abcdef")}, attrs={"name": "set"})
    folds = {
        "stimuli": [np.array([0, 3]), np.array([1, 4]), np.array([2, 5])],
        "objects": [np.array([0, 1]), np.array([2, 3]), np.array([4, 5])],
    }
    splits = {name: Split(name, of_split) for name, of_split in folds.items()}
    with caplog.at_level(logging.WARNING):
        warn_of_near_duplicates(stimuli, splits)
        assert not caplog.records
        stimuli.attrs["near_duplicates"] = [["a", "b"], ["c", "e"], ["b", "e"]]
        warn_of_near_duplicates(stimuli, splits)
        stimuli.attrs["near_duplicates"] = [["c", "d"]]
        warn_of_near_duplicates(stimuli, {"objects": splits["objects"]})
    (record,) = caplog.records
    assert record.getMessage().startswith("stimuli set: 3 pairs are nearly identical, and a fit on one predicts")
    assert record.getMessage().endswith("a ~ b (stimuli), c ~ e (stimuli, objects), b ~ e (objects)")
