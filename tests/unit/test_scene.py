"""Pictures of surfaces whose picture is known."""

import numpy as np
import pytest

from ventral.objects.shapes import assembled, box, ellipsoid, painted
from ventral.stimuli.scene import (
    AMBIENT,
    AZIMUTH,
    ELEVATION,
    FILL_STRENGTH,
    KEY_STRENGTH,
    SPECULAR,
    Scene,
    rotation_matrix,
)


@pytest.fixture(scope="module")
def ball() -> Scene:
    return Scene(assembled([painted(ellipsoid([0, 0, 0], [1, 1, 1], 60), (0.6, 0.3, 0.0))]), 64)


def places(coverage):
    """Return the mean place (right, up) of what is covered, in image widths from the middle."""
    middles = (np.arange(len(coverage)) + 0.5) / len(coverage) - 0.5
    return np.array([coverage.sum(axis=0) @ middles, -coverage.sum(axis=1) @ middles]) / coverage.sum()


@pytest.mark.parametrize("position", [(0.0, 0.0), (0.2, -0.1), (-0.15, 0.25)])
@pytest.mark.parametrize("size", [0.2, 0.4])
def test_a_ball_is_where_it_is_put_and_as_large(ball, position, size):
    coverage = ball.draw(position, size, (0, 0, 0))[3]
    np.testing.assert_allclose(places(coverage), position, atol=1 / 64 / 8)
    assert coverage.mean() == pytest.approx(np.pi / 4 * size**2, rel=0.03)


def test_what_is_beyond_the_edge_is_cut_off(ball):
    half = ball.draw((0.5, 0), 0.4, (0, 0, 0))[3]
    assert half.mean() == pytest.approx(np.pi / 4 * 0.4**2 / 2, rel=0.05)
    assert not ball.draw((2, 0), 0.4, (0, 0, 0)).any()


def test_edges_are_covered_in_part_and_colour_goes_with_the_coverage(ball):
    drawn = ball.draw((0, 0), 0.5, (0, 0, 0))
    assert set(np.unique(drawn[3])) == {0, 0.25, 0.5, 0.75, 1}
    assert not drawn[:, drawn[3] == 0].any()
    inside = drawn[:, drawn[3] == 1]
    # Red, half as much green, and no blue but the highlight's.
    np.testing.assert_allclose(inside[0] - inside[2], 2 * (inside[1] - inside[2]), rtol=0.02, atol=1)


def test_light_falls_as_lambert_says(ball):
    """At the middle of a ball the surface faces the camera."""
    red, _, blue, _ = ball.draw((0, 0), 0.8, (0, 0, 0))[:, 31:33, 31:33].mean(axis=(1, 2))
    key, fill = np.array([-0.5, 0.75, 0.6]), np.array([0.7, 0.1, 0.7])
    lit = AMBIENT + KEY_STRENGTH * 0.6 / np.linalg.norm(key) + FILL_STRENGTH * 0.7 / np.linalg.norm(fill)
    assert red - blue == pytest.approx(0.6 * 255 * lit, rel=0.02)
    assert 0 < blue < 255 * SPECULAR


def test_one_part_throws_its_shadow_on_another():
    low = painted(box([0, 0, 0], [2, 2, 0.1], 0), (1, 1, 1))
    high = painted(box([0, 0, 0.8], [0.6, 0.6, 0.05], 0), (1, 1, 1))
    alone, shaded = (Scene(assembled(parts), 96).draw((0, 0), 0.9, (0, 0, 0)) for parts in ([low], [low, high]))
    # In the shadow the stronger light is missing.
    assert shaded[0][shaded[3] == 1].min() < 0.7 * alone[0][alone[3] == 1].min()


def test_an_object_is_turned_about_its_own_axes():
    """A rod along x that is turned by the camera's own azimuth lies across the image or points at the camera."""
    rod = Scene(assembled([painted(box([0, 0, 0], [2, 0.2, 0.2], 0), (1, 1, 1))]), 64)

    def width(turn):
        return rod.draw((0, 0), 0.9, (0, 0, turn))[3].any(axis=0).sum()

    assert width(AZIMUTH) < 0.35 * width(AZIMUTH + 90)
    upright = rod.draw((0, 0), 0.9, (0, 90, 0))[3]
    assert upright.any(axis=1).sum() == pytest.approx(0.9 * np.cos(np.deg2rad(ELEVATION)) * 64, rel=0.1)


@pytest.mark.parametrize("degrees", [(30, 0, 0), (0, -50, 0), (0, 0, 200), (10, 20, 30)])
def test_turns_are_rotations(degrees):
    matrix = rotation_matrix(degrees)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(matrix) == pytest.approx(1)


def test_turning_about_one_axis_turns_the_others_counterclockwise():
    np.testing.assert_allclose(rotation_matrix((90, 0, 0)) @ [0, 1, 0], [0, 0, 1], atol=1e-12)
    np.testing.assert_allclose(rotation_matrix((0, 90, 0)) @ [0, 0, 1], [1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(rotation_matrix((0, 0, 90)) @ [1, 0, 0], [0, 1, 0], atol=1e-12)


def test_a_picture_does_not_depend_on_what_was_drawn_before(ball):
    views = [((0.1, 0), 0.5, (10, 20, 30)), ((-0.3, 0.2), 0.7, (0, 0, 0))]
    first = ball.draw(*views[0])
    ball.draw(*views[1])
    assert np.array_equal(ball.draw(*views[0]), first)
