"""Simple coloured surfaces, of which objects are put together.

Every object stands upright on the z axis and faces along +x, its left side along +y. Lengths are in any unit: an
object is scaled to a sphere of radius 1 when it is whole.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import mapbox_earcut
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ventral.objects.surface import Surface, rotation_matrix

Colour = Sequence[float]
Paint = Colour | Callable[[NDArray], NDArray]
GREY = (0.6, 0.6, 0.6)
# Where two faces meet at a larger angle, in degrees, the surface has an edge; else it is shaded as smooth.
EDGE = 40.0


@dataclass(frozen=True)
class Part:
    """A piece of an object: points (m, 3), triangles (k, 3) of indices, and colours (m, 3) in 0 to 1."""

    points: NDArray[np.float64]
    triangles: NDArray[np.int64]
    colours: NDArray[np.float64]


def grid(points: NDArray, closed_u: bool = False, closed_v: bool = False) -> Part:
    """Return the surface through a grid of points (rows, columns, 3); `closed_u` joins the last row to the first."""
    rows, columns = points.shape[:2]
    index = np.arange(rows * columns).reshape(rows, columns)
    if closed_u:
        index = np.vstack([index, index[:1]])
    if closed_v:
        index = np.hstack([index, index[:, :1]])
    a, b, c, d = index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]
    triangles = np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)])
    return _part(points.reshape(-1, 3), triangles)


def superellipsoid(
    centre: ArrayLike, radii: ArrayLike, squareness: tuple[float, float] = (1.0, 1.0), resolution: int = 28
) -> Part:
    """Return a superellipsoid (Barr 1981, IEEE CG&A 1:11): exponents 1 make an ellipsoid, towards 0 a box.

    Parameters
    ----------
    centre, radii : (3,) arrays
        Centre, and half the extent along each axis.
    squareness : (vertical, horizontal)
        Exponents of a section along z, and of one across it.
    resolution : int
        Points from pole to pole; twice as many around.
    """
    v = np.linspace(-np.pi / 2, np.pi / 2, resolution)[:, None]
    u = np.linspace(-np.pi, np.pi, 2 * resolution, endpoint=False)[None]
    vertical, horizontal = squareness

    def power(wave: NDArray, exponent: float) -> NDArray:
        return np.sign(wave) * np.abs(wave) ** exponent

    unit = np.stack(
        np.broadcast_arrays(
            power(np.cos(v), vertical) * power(np.cos(u), horizontal),
            power(np.cos(v), vertical) * power(np.sin(u), horizontal),
            power(np.sin(v), vertical),
        ),
        axis=-1,
    )
    return grid(unit * np.asarray(radii, float) + np.asarray(centre, float), closed_v=True)


def ellipsoid(centre: ArrayLike, radii: ArrayLike, resolution: int = 28) -> Part:
    """Return an ellipsoid with some half axes (3,)."""
    return superellipsoid(centre, radii, resolution=resolution)


def box(centre: ArrayLike, size: ArrayLike, roundness: float = 0.1, resolution: int = 14) -> Part:
    """Return a box with some full edge lengths (3,), its edges rounder towards 1; 0 makes them sharp."""
    if roundness == 0:
        side = np.stack(np.broadcast_arrays(*np.ogrid[-1:1:9j, -1:1:9j], 1.0), axis=-1)
        sides = [grid(np.roll(sign * side, shift, axis=-1)) for shift in range(3) for sign in (1, -1)]
        return placed(joined(sides), scale=np.asarray(size, float) / 2, shift=centre)
    return superellipsoid(centre, np.asarray(size, float) / 2, (roundness, roundness), resolution)


def lathe(profile: ArrayLike, segments: int = 40, flatten: float = 1.0) -> Part:
    """Return the surface of a profile (k, 2) of radius and height turned about z; `flatten` scales it along y."""
    radius, height = np.asarray(profile, float).T
    angle = np.linspace(0, 2 * np.pi, segments, endpoint=False)
    points = np.stack(
        [
            radius[:, None] * np.cos(angle),
            radius[:, None] * np.sin(angle) * flatten,
            np.broadcast_to(height[:, None], (len(height), segments)),
        ],
        axis=-1,
    )
    return grid(points, closed_v=True)


def loft(rings: ArrayLike) -> Part:
    """Return the closed surface through rings (k, m, 3) of points, the first and the last covered."""
    rings = np.asarray(rings, float)
    ends = [np.broadcast_to(ring.mean(axis=0), ring.shape)[None] for ring in (rings[0], rings[-1])]
    return grid(np.concatenate([ends[0], rings, ends[1]]), closed_v=True)


def hull(
    stations: ArrayLike,
    half_widths: ArrayLike,
    bottoms: ArrayLike,
    tops: ArrayLike,
    squareness: float = 1.0,
    m: int = 36,
) -> Part:
    """Return a body along x, such as a fuselage or an animal's trunk, from its sections across y and z.

    Parameters
    ----------
    stations, half_widths, bottoms, tops : (k,) arrays
        x of each section, half its width, and its lowest and highest z.
    squareness : float
        Exponent of the sections: 1 makes ellipses, towards 0 rectangles.
    m : int
        Points around.
    """
    x, w, low, high = (np.asarray(values, float)[:, None] for values in (stations, half_widths, bottoms, tops))
    angle = np.linspace(0, 2 * np.pi, m, endpoint=False)[None]
    across = np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** squareness
    up = np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** squareness
    return loft(np.stack(np.broadcast_arrays(x, w * across, (low + high) / 2 + (high - low) / 2 * up), axis=-1))


def tube(path: ArrayLike, radius: ArrayLike, segments: int = 18) -> Part:
    """Return a tube along a path (k, 3), of one radius or one a point, its ends covered: a rod, a cone, a limb."""
    path = np.asarray(path, float)
    radius = np.broadcast_to(np.asarray(radius, float), len(path))
    along = np.gradient(path, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    # Carried along the path, so that the tube does not twist.
    side = np.cross(along[0], np.eye(3)[np.abs(along[0]).argmin()])
    angle = np.linspace(0, 2 * np.pi, segments, endpoint=False)[:, None]
    rings = []
    for point, r, direction in zip(path, radius, along, strict=True):
        side = side - direction * (side @ direction)
        side /= np.linalg.norm(side)
        rings.append(point + r * (np.cos(angle) * side + np.sin(angle) * np.cross(direction, side)))
    return loft(np.array(rings))


def curve(through: ArrayLike, count: int = 24) -> NDArray[np.float64]:
    """Return points (count, d) of a smooth curve through some points (k, d); a column may also hold a radius."""
    from scipy.interpolate import PchipInterpolator

    through = np.asarray(through, float)
    distance = np.append(0, np.cumsum(np.linalg.norm(np.diff(through, axis=0), axis=1)))
    return PchipInterpolator(distance, through)(np.linspace(0, distance[-1], count))


def varied(colour: Colour, rng: np.random.Generator, amount: float = 0.08) -> NDArray[np.float64]:
    """Return a colour of another brightness and hue, each a little off."""
    return np.clip(np.asarray(colour) * rng.uniform(1 - 2 * amount, 1 + amount) * rng.normal(1, 0.6 * amount, 3), 0, 1)


def torus(centre: ArrayLike, radius: float, thickness: float, axis: str = "y") -> Part:
    """Return a ring of some radius, its tube of radius `thickness`, about an axis x, y or z."""
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)[:, None]
    around = np.linspace(0, 2 * np.pi, 14, endpoint=False)[None]
    distance = radius + thickness * np.cos(around)
    points = np.stack(
        np.broadcast_arrays(distance * np.cos(angle), distance * np.sin(angle), thickness * np.sin(around)), axis=-1
    )
    points = np.roll(points, {"x": 1, "y": 2, "z": 0}[axis], axis=-1)
    return grid(points + np.asarray(centre, float), closed_u=True, closed_v=True)


def plate(outline: ArrayLike, thickness: float, axis: str = "y", at: float = 0.0) -> Part:
    """Return a flat piece: an outline (m, 2), in order and possibly concave, extruded to both sides along an axis.

    The outline's coordinates are (x, z) for axis y, (y, z) for axis x and (x, y) for axis z; its middle is `at` there.
    """
    outline = np.asarray(outline, float)
    normal = "xyz".index(axis)
    face = mapbox_earcut.triangulate_float64(outline, np.array([len(outline)], np.uint32)).reshape(-1, 3)
    ends = [np.insert(outline, normal, at + half, axis=1) for half in (-thickness / 2, thickness / 2)]
    wall = grid(np.stack(ends), closed_v=True)
    return joined([wall, _part(ends[0], face), _part(ends[1], face[:, ::-1])])


def placed(
    part: Part, turn: tuple[float, float, float] = (0, 0, 0), shift: ArrayLike = (0, 0, 0), scale: ArrayLike = 1.0
) -> Part:
    """Return a part scaled, then turned about z, y and x in degrees, given as (x, y, z), then shifted."""
    turned = part.points * np.asarray(scale, float) @ rotation_matrix(turn).T
    return replace(part, points=turned + np.asarray(shift, float))


def mirrored(part: Part) -> Part:
    """Return a part and its mirror image across the plane y = 0, as one: a pair of legs, wings, ears."""
    twin = replace(part, points=part.points * [1, -1, 1], triangles=part.triangles[:, ::-1])
    return joined([part, twin])


def joined(parts: Sequence[Part]) -> Part:
    """Return several parts as one."""
    firsts = np.cumsum([0, *(len(part.points) for part in parts)])
    return Part(
        np.concatenate([part.points for part in parts]),
        np.concatenate([part.triangles + first for part, first in zip(parts, firsts[:-1], strict=True)]),
        np.concatenate([part.colours for part in parts]),
    )


def painted(part: Part, paint: Paint) -> Part:
    """Return a part with a colour, red, green, blue in 0 to 1, or a function of the points (m, 3) to colours (m, 3)."""
    colours = paint(part.points) if callable(paint) else paint
    return replace(part, colours=np.broadcast_to(np.asarray(colours, float), part.points.shape))


def stripes(one: Colour, other: Colour, axis: str, width: float, waviness: float = 0.0) -> Callable[[NDArray], NDArray]:
    """Return a paint of bands of some width across an axis, their edges wavy by a share of the width."""

    def colour(points: NDArray) -> NDArray:
        k = "xyz".index(axis)
        wave = waviness * np.sin(5 / width * points[:, k - 1]) * np.sin(4 / width * points[:, k - 2])
        in_one = np.floor(points[:, k] / width + wave) % 2 == 0
        return np.where(in_one[:, None], one, other)

    return colour


def mottled(one: Colour, other: Colour, size: float, seed: int, share: float = 0.5) -> Callable[[NDArray], NDArray]:
    """Return a paint of irregular patches of some size, a share of them in the second colour, blending at the edges."""
    rng = np.random.default_rng(seed)
    directions, phases = rng.normal(size=(12, 3)) / size, rng.uniform(0, 2 * np.pi, 12)

    def colour(points: NDArray) -> NDArray:
        field = np.sin(points @ directions.T + phases).mean(axis=1) * np.sqrt(24)
        blend = 1 / (1 + np.exp(-6 * (field - 2 * (0.5 - share))))
        return (1 - blend[:, None]) * np.asarray(one) + blend[:, None] * np.asarray(other)

    return colour


def assembled(parts: Sequence[Part]) -> Surface:
    """Return parts as one surface, in a sphere of radius 1 about the middle of its bounding box."""
    whole = joined(parts)
    lowest, highest = whole.points.min(axis=0), whole.points.max(axis=0)
    points = whole.points - (lowest + highest) / 2
    points /= np.linalg.norm(points, axis=1).max()
    return Surface(
        points.astype(np.float32),
        whole.triangles.astype(np.int32),
        corner_normals(points, whole.triangles).astype(np.float32),
        np.clip(np.round(255 * whole.colours), 0, 255).astype(np.uint8),
    )


def corner_normals(points: NDArray, triangles: NDArray) -> NDArray[np.float64]:
    """Return the normal at each corner of each triangle (k, 3, 3), of length 1.

    It is the mean, by area, of the triangles that meet there, of those that make no edge with the corner's own.

    Parameters
    ----------
    points : (m, 3) array
        Points in the same place are taken for one.
    triangles : (k, 3) integer array
    """
    corners = points[triangles]
    areas = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    flat = areas / np.maximum(np.linalg.norm(areas, axis=1, keepdims=True), 1e-300)
    place = np.unique(np.round(points, 6), axis=0, return_inverse=True)[1].ravel()[triangles].ravel()
    triangle = np.repeat(np.arange(len(triangles)), 3)
    order = np.argsort(place, kind="stable")
    counts = np.bincount(place)
    # Each corner with every corner in the same place.
    repeats = counts[place[order]]
    first = np.repeat(np.cumsum(counts) - counts, counts)
    mine = np.repeat(order, repeats)
    within = np.arange(len(mine)) - np.repeat(np.cumsum(repeats) - repeats, repeats)
    others = order[np.repeat(first, repeats) + within]
    smooth = np.einsum("ij,ij->i", flat[triangle[mine]], flat[triangle[others]]) > np.cos(np.deg2rad(EDGE))
    normals = np.stack(
        [
            np.bincount(mine[smooth], areas[triangle[others[smooth]], axis], minlength=len(triangle))
            for axis in range(3)
        ],
        axis=1,
    )
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    normals = np.where(length > 0, normals / np.maximum(length, 1e-300), [0.0, 0.0, 1.0])
    return normals.reshape(-1, 3, 3)


def _part(points: NDArray, triangles: NDArray) -> Part:
    """Return a grey part without the triangles that have collapsed to a line."""
    corners = points[triangles]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    kept = triangles[area > 1e-12 * np.ptp(points, axis=0).max() ** 2]
    return Part(points, kept, np.broadcast_to(GREY, points.shape))
