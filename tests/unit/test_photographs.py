"""The photographs that come with installed packages."""

import re

import numpy as np
from skimage import data
from sklearn.datasets import load_sample_image

from ventral.stimuli import photographs as module
from ventral.stimuli.photographs import crops, photographs


def test_photographs_are_rgb_and_always_the_same():
    first, again = photographs(), photographs()
    assert list(first) == list(again)
    for name, pixels in first.items():
        assert pixels.dtype == np.uint8
        assert pixels.ndim == 3
        assert pixels.shape[2] == 3
        assert min(pixels.shape[:2]) >= 128
        assert pixels.std() > 10
        np.testing.assert_array_equal(pixels, again[name])


def test_each_has_a_row_in_the_table_of_licences():
    rows = re.findall(r"^(\w+) +(scikit-\w+), `(\S+)` +(.+)$", module.__doc__, flags=re.MULTILINE)
    assert [row[0] for row in rows] == list(photographs())
    assert all("CC" in row[3] or row[3] == "the same photograph" for row in rows)


def test_grey_textures_have_three_equal_channels():
    np.testing.assert_array_equal(photographs()["grass"], np.dstack([data.grass()] * 3))


def test_the_lake_with_its_boats_is_in_no_photograph():
    """Boats lie in rows 220 to 303: left of column 82, and from column 350 on but for trees, which hide the lake."""
    shown = np.zeros(load_sample_image("china.jpg").shape[:2], dtype=bool)
    for part in module.PARTS_OF_CHINA.values():
        shown[part] = True
    assert not shown[220:303, :82].any()
    assert not shown[220:303, 350:460].any()
    assert not shown[220:299, 350:].any()
    assert shown.mean() > 0.5


def test_crops_are_parts_of_every_photograph_and_those_of_the_seed():
    found = crops(40, 2, seed=3)
    assert found.shape == (2 * len(photographs()), 3, 40, 40)
    np.testing.assert_array_equal(found, crops(40, 2, seed=3))
    assert (found != crops(40, 2, seed=4)).any()
    for k, pixels in enumerate(photographs().values()):
        for crop in found[2 * k : 2 * k + 2].transpose(0, 2, 3, 1):
            windows = np.lib.stride_tricks.sliding_window_view(pixels[..., 0], (40, 40))
            places = np.argwhere((windows[:, :, 0] == crop[0, :, 0]).all(axis=2))
            assert any((pixels[top : top + 40, left : left + 40] == crop).all() for top, left in places)
