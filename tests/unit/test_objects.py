"""Objects made by code: valid surfaces, always the same, and each unlike the others."""

import functools
import importlib.util
import itertools

import numpy as np
import pytest

from ventral.objects import CATEGORIES, make_object
from ventral.objects.surface import Surface

MADE = [name for name in CATEGORIES if importlib.util.find_spec(f"ventral.objects.{name}")]
DESIGNS = range(8)
CELLS = 16

made = functools.cache(make_object)


def occupancy(surface: Surface) -> np.ndarray:
    """Return which cells of a coarse grid the surface passes through, from points spread over its triangles."""
    corners = surface.points[surface.triangles]
    # Of order 3 within each triangle: enough for the largest triangles to leave few holes.
    shares = np.array([(i, j, 3 - i - j) for i in range(4) for j in range(4 - i)]) / 3
    points = np.einsum("sc,kcd->ksd", shares, corners).reshape(-1, 3)
    cells = np.clip(((points + 1) / 2 * CELLS).astype(int), 0, CELLS - 1)
    filled = np.zeros((CELLS, CELLS, CELLS), bool)
    filled[tuple(cells.T)] = True
    return filled


@functools.cache
def filled_by(category: str, exemplar: int) -> np.ndarray:
    return occupancy(made(category, exemplar))


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    return (one & other).sum() / (one | other).sum()


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("category", MADE)
def test_an_object_is_a_valid_surface_in_the_unit_sphere(category, design):
    surface = made(category, design)
    assert surface.triangles.ndim == 2
    assert surface.triangles.shape[1] == 3
    assert surface.triangles.min() >= 0
    assert surface.triangles.max() < len(surface.points)
    assert 2_000 <= len(surface.triangles) <= 25_000
    assert np.isfinite(surface.points).all()
    assert np.linalg.norm(surface.points, axis=1).max() == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(surface.points.min(axis=0), -surface.points.max(axis=0), atol=1e-5)
    assert surface.colours.dtype == np.uint8
    assert surface.colours.shape == surface.points.shape
    assert surface.normals.shape == (len(surface.triangles), 3, 3)
    np.testing.assert_allclose(np.linalg.norm(surface.normals, axis=-1), 1, atol=1e-4)


@pytest.mark.parametrize("category", MADE)
def test_an_object_is_the_same_when_it_is_made_again(category):
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    one, again = made(category, 11), make_object(category, 11)
    for name in ("points", "triangles", "normals", "colours"):
        np.testing.assert_array_equal(getattr(one, name), getattr(again, name))
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002


@pytest.mark.parametrize("category", MADE)
def test_the_designs_of_a_category_differ_in_shape(category):
    for one, other in itertools.combinations(DESIGNS, 2):
        assert overlap(filled_by(category, one), filled_by(category, other)) < 0.85, (one, other)


@pytest.mark.parametrize("category", MADE)
def test_the_designs_of_a_category_differ_in_colour(category):
    means = [made(category, design).colours.mean(axis=0) for design in DESIGNS]
    spread = np.linalg.norm(np.std(means, axis=0))
    assert spread > 15


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("category", MADE)
def test_a_later_exemplar_is_another_object_of_the_same_design(category, design):
    one, other = made(category, design), made(category, design + 8)
    if len(one.points) == len(other.points):
        assert np.abs(one.points - other.points).max() > 1e-3
    assert not np.array_equal(one.colours.mean(axis=0), other.colours.mean(axis=0))


@pytest.mark.parametrize("category", MADE)
def test_a_later_exemplar_is_most_like_its_own_design(category):
    own = [overlap(filled_by(category, design), filled_by(category, design + 8)) for design in DESIGNS]
    others = [
        overlap(filled_by(category, one), filled_by(category, other + 8))
        for one, other in itertools.permutations(DESIGNS, 2)
    ]
    assert np.median(own) > np.median(others)


def test_no_colour_tells_the_category():
    """The designs of a category differ more in colour, one from the other, than the categories do in the mean."""
    means = np.array([[made(category, design).colours.mean(axis=0) for design in DESIGNS] for category in MADE])
    within = means.std(axis=1).mean()
    between = means.mean(axis=1).std(axis=0).mean()
    assert between < within
