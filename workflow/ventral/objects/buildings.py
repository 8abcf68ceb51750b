"""Buildings: a house, a skyscraper, a church, a castle, a temple, a mosque, a pagoda and a block of flats."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ventral.objects.shapes import (
    Colour,
    Paint,
    Part,
    box,
    joined,
    lathe,
    loft,
    mottled,
    painted,
    placed,
    plate,
    tube,
    varied,
)

GLASS, DOOR = (0.16, 0.2, 0.28), (0.35, 0.2, 0.12)


def parts(design: int, rng: np.random.Generator) -> list[Part]:
    """Return the parts of a building."""
    kinds = (_house, _skyscraper, _church, _castle, _temple, _mosque, _pagoda, _flats)
    return kinds[design](rng)


def _blocks(centres: ArrayLike, sizes: ArrayLike, colour: Colour) -> Part:
    """Return plain boxes with the fewest triangles, for what there are many of, at centres (k, 3), of sizes (k, 3)."""
    corners = np.array(
        [[i, j, h] for h in (-0.5, 0.5) for i, j in ((-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5))]
    )
    faces = [(0, 1, 5, 4), (1, 2, 6, 5), (2, 3, 7, 6), (3, 0, 4, 7), (4, 5, 6, 7), (3, 2, 1, 0)]
    triangles = np.array([t for a, b, c, d in faces for t in ((a, b, c), (a, c, d))])
    points = np.asarray(centres, float)[:, None] + corners * np.asarray(sizes, float)[:, None]
    triangles = (triangles + 8 * np.arange(len(points))[:, None, None]).reshape(-1, 3)
    points = points.reshape(-1, 3)
    return painted(Part(points, triangles, points), colour)


def _block(centre: ArrayLike, size: ArrayLike, colour: Colour) -> Part:
    return _blocks([centre], [size], colour)


def _walls(centre: ArrayLike, size: ArrayLike, paint: Paint) -> Part:
    return painted(box(centre, size, roundness=0), paint)


def _windows(
    low: ArrayLike,
    size: ArrayLike,
    rows: int,
    columns: tuple[int, int],
    pane: tuple[float, float],
    frame: Colour,
    glass: Colour = GLASS,
) -> list[Part]:
    """Return windows with frames in rows on all four sides of a box, given its lowest corner and its size.

    `columns` is how many there are on sides that face x and on those that face y; `pane` is width and height of one.
    """
    low, size = np.asarray(low, float), np.asarray(size, float)
    centres, sizes = [], []
    for axis, count in ((0, columns[0]), (1, columns[1])):
        i, j, side = (grid.ravel() for grid in np.meshgrid(np.arange(count), np.arange(rows), (0, 1)))
        share = np.empty((len(i), 3))
        share[:, axis], share[:, 1 - axis], share[:, 2] = side, (i + 0.5) / count, (j + 0.5) / rows
        extent = np.full((len(i), 3), pane[0])
        extent[:, axis], extent[:, 2] = 0.04, pane[1]
        centres.append(low + size * share)
        sizes.append(extent)
    places, panes = np.concatenate(centres), np.concatenate(sizes)
    return [
        _blocks(places, panes * [1.3, 1.3, 1.15] * np.where(panes == 0.04, 0.5, 1), frame),
        _blocks(places, panes, glass),
    ]


def _gable(
    low_z: float, length: float, width: float, rise: float, paint: Paint, wall: Colour, at: float = 0
) -> list[Part]:
    """Return a roof with its ridge along x: two slabs that stand out a little over a gable wall."""
    half, over = width / 2, 0.12 * width
    slope = rise / half
    line = [(-half - over, -slope * over), (0, rise), (half + over, -slope * over)]
    up = [(y, z + low_z + 0.06 * width) for y, z in line]
    down = [(y, z + low_z) for y, z in line[::-1]]
    steps = np.linspace(-length / 2 - over, length / 2 + over, 13) + at
    slabs = [painted(plate(up + down, b - a, "x", (a + b) / 2), paint) for a, b in pairwise(steps)]
    return [*slabs, painted(plate([(-half, low_z), (0, low_z + rise), (half, low_z)], length, "x", at), wall)]


def _columns(places: Sequence, bottom: float, height: float, radius: float, colour: Colour) -> list[Part]:
    profile = [(1.3, 0), (1.3, 0.04), (1, 0.07), (0.85, 0.92), (1.3, 0.96), (1.35, 1), (0, 1)]
    shaft = painted(lathe(np.array(profile) * [radius, height], 14), colour)
    return [placed(shaft, shift=(x, y, bottom)) for x, y in places]


def _dome(radius: float, height: float, bulge: float) -> NDArray:
    """Return the profile of an onion dome, or of half a ball without a bulge."""
    t = np.linspace(0, np.pi / 2, 22)
    return np.stack(
        [radius * np.cos(t) * (1 + bulge * np.sin(2 * t)), height * (t * 2 / np.pi * 0.5 + 0.5 * np.sin(t))], 1
    )


def _house(rng: np.random.Generator) -> list[Part]:
    wall, roof = varied((0.88, 0.8, 0.62), rng), varied((0.6, 0.25, 0.17), rng)
    length, width, height, rise = rng.uniform(0.9, 1.1, 4) * [2.4, 1.8, 1.35, 1.0]
    white = (0.92, 0.92, 0.9)
    tiles = mottled(roof, roof * 0.7, 0.15, int(rng.integers(1 << 30)))
    windows = _windows((-length / 2, -width / 2, 0.1), (length, width, height - 0.1), 2, (2, 3), (0.26, 0.34), white)
    porch = [
        _block((length / 2 + 0.25, 0, 0.06), (0.5, 0.8, 0.12), (0.6, 0.58, 0.55)),
        _block((length / 2 + 0.25, 0, 0.8), (0.56, 0.8, 0.06), roof),
        _block((length / 2 + 0.03, 0, 0.38), (0.06, 0.34, 0.7), varied(DOOR, rng)),
    ]
    chimney = [
        _walls((-0.3 * length, 0.22 * width, height + rise * 0.75), (0.26, 0.26, 0.9), varied((0.5, 0.3, 0.25), rng)),
        _block((-0.3 * length, 0.22 * width, height + rise * 0.75 + 0.46), (0.34, 0.34, 0.07), (0.4, 0.38, 0.36)),
    ]
    attic = [_block((length / 2, 0, height + 0.32 * rise), (0.06, 0.3, 0.3), GLASS)]
    posts = _columns([(length / 2 + 0.45, y) for y in (-0.34, 0.34)], 0.1, 0.68, 0.045, white)
    body = [_walls((0, 0, height / 2), (length, width, height), wall)]
    return [*body, *_gable(height, length, width, rise, tiles, wall), *windows, *porch, *chimney, *attic, *posts]


def _skyscraper(rng: np.random.Generator) -> list[Part]:
    stone, glass = varied((0.62, 0.64, 0.66), rng), varied((0.25, 0.38, 0.52), rng)
    found, z = [], 0.0
    for width, height, floors, bays in ((1.5, 0.5, 2, 6), (1.15, 2.4, 12, 5), (0.85, 1.2, 6, 4), (0.5, 0.55, 3, 3)):
        w, h = rng.uniform(0.94, 1.06, 2) * [width, height]
        found += [
            _walls((0, 0, z + h / 2), (w, w, h), stone),
            _block((0, 0, z + h), (w * 1.04, w * 1.04, 0.06), stone * 0.8),
        ]
        found += _windows(
            (-w / 2, -w / 2, z), (w, w, h), floors, (bays, bays), (w / bays * 0.6, h / floors * 0.62),
            stone * 0.75,
            glass,
        )  # fmt: skip
        z += h
    spire = lathe([(0.16, z), (0.12, z + 0.2), (0.05, z + 0.3), (0.02, z + 1.0), (0, z + 1.05)], 16)
    return [*found, painted(spire, stone * 0.8)]


def _church(rng: np.random.Generator) -> list[Part]:
    wall, slate = varied((0.9, 0.9, 0.87), rng), varied((0.32, 0.34, 0.42), rng)
    length, height, tower, spire = rng.uniform(0.92, 1.08, 4) * [2.6, 1.1, 2.2, 1.8]
    slates = mottled(slate, slate * 1.3, 0.12, int(rng.integers(1 << 30)))
    found = [_walls((0, 0, height / 2), (length, 1.3, height), wall), *_gable(height, length, 1.3, 0.95, slates, wall)]
    found += [_walls((length / 2 + 0.2, 0, tower / 2), (0.75, 0.75, tower), wall)]
    steeple = placed(lathe([(0.6, 0), (0.58, 0.05), (0.35, spire * 0.3), (0, spire)], 4), turn=(0, 0, 45))
    found += [painted(placed(steeple, shift=(length / 2 + 0.2, 0, tower)), slates)]
    top, x = tower + spire, length / 2 + 0.2
    found += [
        _block((x, 0, top + 0.12), (0.05, 0.05, 0.4), (0.8, 0.65, 0.2)),
        _block((x, 0, top + 0.18), (0.05, 0.24, 0.05), (0.8, 0.65, 0.2)),
    ]
    arch = [(-0.11, 0), (0.11, 0), *((0.11 * np.cos(t), 0.42 + 0.16 * np.sin(t)) for t in np.linspace(0, np.pi, 12))]

    def arched(axis: str, at: float, across: float, low: float, scale: float, colour: Colour) -> Part:
        return painted(plate(np.array(arch) * scale + [across, low], 0.06, axis, at), colour)

    for k in range(4):
        for side in (-1, 1):
            found.append(arched("y", side * 0.65, (k - 1.7) * length / 4.4, 0.3, 1.0, GLASS))
    front = x + 0.375
    found += [arched("x", front, 0, 0, 1.5, varied(DOOR, rng)), arched("x", front, 0, tower - 0.75, 0.9, GLASS)]
    found += [arched("y", side * 0.375, x, tower - 0.75, 0.9, GLASS) for side in (-1, 1)]
    clock = placed(lathe([(0, 0.02), (0.16, 0.02), (0.16, -0.02)], 24), turn=(0, 90, 0), shift=(front, 0, tower - 1.05))
    return [*found, painted(clock, (0.9, 0.85, 0.6))]


def _castle(rng: np.random.Generator) -> list[Part]:
    stone, roof = varied((0.6, 0.55, 0.48), rng), varied((0.25, 0.35, 0.5), rng)
    half, wall, tower = rng.uniform(0.92, 1.08, 3) * [1.2, 0.9, 1.6]
    paint = mottled(stone, stone * 0.78, 0.12, int(rng.integers(1 << 30)))
    found = []

    def merlons(x: float, y: float, z: float, radius: float) -> list[Part]:
        turns = np.arange(10) * 36
        one = _block((radius, 0, z), (0.08, 0.14, 0.14), stone * 0.95)
        return [placed(one, turn=(0, 0, turn), shift=(x, y, 0)) for turn in turns]

    for k, (x, y) in enumerate([(half, half), (half, -half), (-half, -half), (-half, half)]):
        high = tower * (1 + 0.12 * k)
        profile = [(0.4, 0), (0.36, 0.3), (0.35, high - 0.25), (0.42, high - 0.1), (0.42, high), (0, high)]
        found += [painted(placed(lathe(profile, 28), shift=(x, y, 0)), paint), *merlons(x, y, high + 0.07, 0.38)]
        if k % 2:
            cone = placed(lathe([(0.38, 0), (0.32, 0.1), (0, 0.95)], 28), shift=(x, y, high))
            found.append(painted(cone, roof))
        found += [_block((x + 0.35 * np.sign(x), y, high * 0.6), (0.06, 0.09, 0.26), (0.1, 0.1, 0.1))]
    for axis, sign in ((0, 1), (0, -1), (1, 1), (1, -1)):
        centre, size = np.array([0, 0, wall / 2]), np.array([0.22, 2 * half, wall])
        centre[axis] = sign * half
        found.append(_walls(centre, size if axis == 0 else size[[1, 0, 2]], paint))
        for place in np.linspace(-half + 0.5, half - 0.5, 6):
            spot = np.array([place, place, wall + 0.07])
            spot[axis] = sign * half
            found.append(_block(spot, (0.22, 0.14, 0.14) if axis == 0 else (0.14, 0.22, 0.14), stone))
    found += [_walls((-0.2, 0, tower * 0.65), (1.1, 1.1, tower * 1.3), paint), _gatehouse(half, wall, stone)]
    found += _windows((-0.75, -0.55, tower * 0.7), (1.1, 1.1, tower * 0.6), 1, (3, 3), (0.12, 0.28), stone * 0.7)
    found += [
        placed(_block((x, y, tower * 1.3 + 0.08), (0.16, 0.16, 0.16), stone), shift=(-0.2, 0, 0))
        for x in np.linspace(-0.47, 0.47, 4)
        for y in np.linspace(-0.47, 0.47, 4)
        if abs(x) > 0.4 or abs(y) > 0.4
    ]
    pole = tube([(-0.2, 0, tower * 1.3), (-0.2, 0, tower * 1.3 + 0.7)], 0.02)
    flag = plate([(-0.2, tower * 1.3 + 0.7), (0.25, tower * 1.3 + 0.58), (-0.2, tower * 1.3 + 0.45)], 0.02)
    return [*found, painted(pole, (0.3, 0.3, 0.3)), painted(flag, varied((0.8, 0.15, 0.15), rng))]


def _gatehouse(half: float, wall: float, stone: NDArray) -> Part:
    arch = [(-0.2, 0), (0.2, 0), *((0.2 * np.cos(t), 0.4 + 0.2 * np.sin(t)) for t in np.linspace(0, np.pi, 14))]
    gate = painted(plate(arch, 0.1, "x", half + 0.22), (0.25, 0.16, 0.1))
    return joined([_walls((half, 0, wall * 0.6), (0.46, 0.7, wall * 1.2), stone * 0.92), gate])


def _temple(rng: np.random.Generator) -> list[Part]:
    marble = varied((0.88, 0.85, 0.76), rng)
    along, across = int(rng.integers(7, 9)), 6
    length, width, height = rng.uniform(0.94, 1.06, 3) * [3.0, 1.9, 1.15]
    found = [
        _walls((0, 0, z), (length + s, width + s, 0.1), marble * shade)
        for z, s, shade in ((0.05, 0.6, 0.85), (0.15, 0.42, 0.92), (0.25, 0.24, 1.0))
    ]
    xs, ys = np.linspace(-length / 2, length / 2, along), np.linspace(-width / 2, width / 2, across)
    places = [(x, y) for x in xs for y in ys if x in xs[[0, -1]] or y in ys[[0, -1]]]
    found += _columns(places, 0.3, height, 0.1, marble)
    top = 0.3 + height
    found += [_walls((0, 0, 0.3 + height / 2), (length * 0.7, width * 0.6, height), marble * 0.75)]
    found += [_block((length * 0.35, 0, 0.75), (0.06, 0.4, 0.85), (0.2, 0.15, 0.1))]
    found += [_walls((0, 0, top + 0.09), (length + 0.25, width + 0.25, 0.18), marble)]
    found += [_walls((0, 0, top + 0.21), (length + 0.38, width + 0.38, 0.07), marble * 0.9)]
    tiles = varied((0.72, 0.45, 0.32), rng)
    return [*found, *_gable(top + 0.24, length + 0.1, width + 0.1, 0.5, tiles, marble * 0.95)]


def _mosque(rng: np.random.Generator) -> list[Part]:
    wall, dome = varied((0.92, 0.88, 0.8), rng), varied((0.2, 0.55, 0.6), rng)
    half, height, minaret = rng.uniform(0.93, 1.07, 3) * [1.15, 1.0, 2.7]
    gold = (0.85, 0.68, 0.25)
    found = [
        _walls((0, 0, height / 2), (2 * half, 2 * half, height), wall),
        _walls((0, 0, height), (2 * half + 0.12, 2 * half + 0.12, 0.08), wall * 0.85),
    ]
    drum = lathe([(0.82, 0), (0.8, 0.35), (0.86, 0.38), (0.86, 0.42), (0, 0.42)], 40)
    found += [painted(placed(drum, shift=(0, 0, height)), wall * 0.95)]
    bulge = rng.uniform(0.1, 0.2)
    found += [painted(placed(lathe(_dome(0.8, 1.15, bulge), 44), shift=(0, 0, height + 0.42)), dome)]
    found += [painted(tube([(0, 0, height + 1.5), (0, 0, height + 1.95)], [0.06, 0.015]), gold)]
    for turn in np.arange(12) * 30:
        found.append(placed(_block((0.8, 0, height + 0.2), (0.06, 0.12, 0.22), GLASS), turn=(0, 0, turn)))
    profile = [
        (0.16, 0), (0.14, 0.3), (0.12, minaret * 0.68), (0.2, minaret * 0.71), (0.2, minaret * 0.76),
        (0.1, minaret * 0.76), (0.1, minaret * 0.88), (0.13, minaret * 0.89), (0.1, minaret * 0.91),
        (0.02, minaret), (0, minaret + 0.2),
    ]  # fmt: skip
    for x, y in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
        spot = (x * (half + 0.05), y * (half + 0.05), 0)
        paint = lambda points: np.where(points[:, 2:] > minaret * 0.885, dome, wall)  # noqa: E731
        found.append(placed(painted(lathe(profile, 20), paint), shift=spot))
        small = placed(lathe(_dome(0.28, 0.42, bulge), 24), shift=(x * half * 0.72, y * half * 0.72, height))
        found.append(painted(small, dome))
    t = np.linspace(0, np.pi, 14)
    arch = np.array([(-0.16, 0), (0.16, 0), *zip(0.16 * np.cos(t), 0.45 + 0.22 * np.sin(t) ** 1.5, strict=True)])
    for k in (-1, 0, 1):
        shape = arch * (1.35 if k == 0 else 0.9) + [k * half * 0.62, 0]
        for axis in "xy":
            found += [painted(plate(shape, 0.06, axis, side * half), (0.2, 0.25, 0.35)) for side in (-1, 1)]
    return found


def _pagoda(rng: np.random.Generator) -> list[Part]:
    wood, tiles, wall = (varied(c, rng) for c in ((0.65, 0.15, 0.1), (0.22, 0.28, 0.27), (0.92, 0.88, 0.78)))
    storeys, shrink = int(rng.integers(4, 6)), rng.uniform(0.82, 0.88)
    found, z, half = [_walls((0, 0, 0.08), (2.3, 2.3, 0.16), (0.6, 0.58, 0.55))], 0.16, 0.8
    angle = np.linspace(-np.pi, np.pi, 64, endpoint=False)
    square = 1 / np.maximum(np.abs(np.cos(angle)), np.abs(np.sin(angle)))
    for _ in range(storeys):
        high = 0.62 * half + 0.15
        found += [_walls((0, 0, z + high / 2), (2 * half, 2 * half, high), wall)]
        posts = np.linspace(-half, half, 4)
        found += [
            _block((x, y, z + high / 2), (0.09, 0.09, high), wood)
            for x in posts
            for y in posts
            if max(abs(x), abs(y)) > half * 0.99
        ]
        found += [
            _block(
                (half * x, half * y, z + high * 0.42),
                (0.05 + abs(y) * half * 0.5, 0.05 + abs(x) * half * 0.5, high * 0.7),
                wood * 0.55,
            )
            for x, y in ((1, 0), (-1, 0), (0, 1), (0, -1))
        ]
        z += high
        rings = []
        for share, rise in ((1.55, 0.0), (1.57, 0.06), (1.3, 0.1), (1.05, 0.2), (0.8, 0.38)):
            # Corners of the eaves turn up.
            corner = 0.16 * ((square - 1) / 0.414) ** 3 * max(share - 0.9, 0)
            r = half * share * square
            rings.append(np.stack([r * np.cos(angle), r * np.sin(angle), z + half * rise + corner], -1))
        found.append(painted(loft(rings), tiles))
        z += 0.3 * half
        half *= shrink
    spire = [
        (0.12, z - 0.1),
        (0.06, z + 0.1),
        *((r, z + 0.15 + 0.07 * k) for k in range(8) for r in (0.03, 0.1, 0.03)),
        (0.02, z + 0.85),
        (0, z + 0.95),
    ]
    return [*found, painted(lathe(spire, 14), (0.75, 0.6, 0.25))]


def _flats(rng: np.random.Generator) -> list[Part]:
    wall, panel = varied((0.78, 0.62, 0.5), rng), varied((0.3, 0.55, 0.45), rng)
    floors, bays = int(rng.integers(6, 8)), int(rng.integers(6, 8))
    width, depth, storey = bays * 0.52, 1.2, 0.42
    height = floors * storey + 0.1
    found = [
        _walls((0, 0, height / 2), (depth, width, height), wall),
        _walls((0, 0, height + 0.04), (depth + 0.1, width + 0.1, 0.08), wall * 0.7),
        _walls((-0.1, width * 0.2, height + 0.25), (0.5, 0.7, 0.4), wall * 0.85),
    ]
    found += _windows(
        (-depth / 2, -width / 2, 0.1), (depth, width, height - 0.1), floors, (bays, 2), (0.2, 0.24), (0.9, 0.9, 0.9)
    )
    for floor in range(1, floors):
        for bay in range(bays):
            if bay % 3 == 2:
                continue
            y, z = -width / 2 + (bay + 0.5) * 0.52, 0.1 + floor * storey
            found += [
                _block((depth / 2 + 0.14, y, z + 0.02), (0.28, 0.46, 0.04), wall * 0.75),
                _block((depth / 2 + 0.27, y, z + 0.11), (0.03, 0.46, 0.16), panel),
            ]
            found += [_block((depth / 2 + 0.14, y + s * 0.22, z + 0.11), (0.26, 0.03, 0.16), panel) for s in (-1, 1)]
    entrance = (depth / 2 + 0.04, -width / 2 + 0.52 * (bays // 2 + 0.5), 0.24)
    canopy = _block((depth / 2 + 0.3, entrance[1], 0.5), (0.6, 0.9, 0.06), panel * 0.8)
    return [*found, _block(entrance, (0.08, 0.36, 0.46), DOOR), canopy]
