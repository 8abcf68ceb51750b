"""Jewelry: a ring, a pearl necklace, a crown, earrings, a bracelet, a wristwatch, a pendant on a chain and a brooch."""

import numpy as np
from numpy.typing import NDArray

from ventral.objects.shapes import (
    Part,
    box,
    curve,
    ellipsoid,
    grid,
    joined,
    lathe,
    loft,
    painted,
    placed,
    torus,
    tube,
    varied,
)

METALS = ((0.88, 0.68, 0.25), (0.8, 0.81, 0.84), (0.85, 0.58, 0.46))
STONES = (
    (0.75, 0.9, 0.98), (0.75, 0.08, 0.15), (0.1, 0.55, 0.3), (0.12, 0.25, 0.7), (0.5, 0.2, 0.65), (0.95, 0.6, 0.15),
)  # fmt: skip


def parts(design: int, rng: np.random.Generator) -> list[Part]:
    """Return the parts of a piece of jewelry."""
    metal = varied(METALS[rng.integers(3)], rng, 0.05)
    stone = varied(STONES[rng.integers(6)], rng, 0.05)
    kinds = (_ring, _pearls, _crown, _earrings, _bracelet, _watch, _pendant, _brooch)
    return kinds[design](metal, stone, rng)


def _gem(radius: float, colour: NDArray, sides: int = 8, long: float = 1.0) -> Part:
    """Return a cut stone, its table up: each facet of its own shade, to glitter; `long` stretches it along x."""
    turn = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    levels = [(0.0, 0.5, 0), (0.55, 0.5, 0.5), (1, 0.15, 0), (1, 0.05, 0), (0.5, -0.35, 0.5), (0.0, -0.75, 0)]
    rings = [
        np.stack(
            [long * r * np.cos(turn + s * np.pi / sides * 2), r * np.sin(turn + s * np.pi / sides * 2), z + 0 * turn], 1
        )
        for r, z, s in levels
    ]
    whole = grid(np.array(rings) * radius, closed_v=True)
    # A point of its own for each corner of each facet.
    points = whole.points[whole.triangles].reshape(-1, 3)
    shades = np.repeat(0.7 + 0.5 * ((np.arange(len(whole.triangles)) * 7) % 5) / 4, 3)[:, None]
    triangles = np.arange(len(points)).reshape(-1, 3)
    return Part(points, triangles, np.clip(np.asarray(colour) * shades + 0.1 * (shades > 1.1), 0, 1))


def _claws(radius: float, metal: NDArray, count: int = 4, long: float = 1.0) -> list[Part]:
    """Return claws around a stone at the origin, and the cup below it."""
    found = [
        painted(
            placed(
                lathe([(0.3, -0.8), (0.35, -0.7), (0.85, -0.1), (0.8, -0.1), (0.3, -0.7)], 20),
                scale=(radius * long, radius, radius),
            ),
            metal,
        )
    ]
    for turn in (np.arange(count) + 0.5) * 2 * np.pi / count:
        out = np.array([long * np.cos(turn), np.sin(turn), 0]) * radius
        path = [
            out * 0.4 + [0, 0, -0.8 * radius],
            out * 1.02,
            out * 1.0 + [0, 0, 0.2 * radius],
            out * 0.85 + [0, 0, 0.35 * radius],
        ]
        found.append(painted(tube(curve(path, 10), 0.1 * radius, 8), metal))
    return found


def _loop(radii: tuple[float, float], drop: float, count: int) -> NDArray:
    """Return points (count, 3), evenly along an oval in the plane of y and z, pointed downwards by `drop`."""
    t = np.linspace(0, 2 * np.pi, 2000) - np.pi / 2
    y, z = radii[0] * np.cos(t) * (1 - 0.12 * drop * (1 - np.sin(t))), radii[1] * np.sin(t)
    z = z - drop * np.exp(-((y / (0.5 * radii[0])) ** 2)) * (np.sin(t) < 0) * radii[1] * 0.3
    line = np.stack([0.25 * radii[1] * np.sin(t) * -1, y, z], 1)
    length = np.append(0, np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1)))
    where = np.linspace(0, length[-1], count, endpoint=False)
    return np.stack([np.interp(where, length, column) for column in line.T], 1)


def _chain(points: NDArray, size: float, metal: NDArray) -> Part:
    """Return links along a closed line of points, every other one turned on its side."""
    link = torus((0, 0, 0), size, size * 0.3, "z")
    coarse = grid(link.points.reshape(40, 14, 3)[::4, ::3], closed_u=True, closed_v=True)
    found = []
    for k, (point, ahead) in enumerate(
        zip(points, np.roll(points, -1, axis=0) - np.roll(points, 1, axis=0), strict=True)
    ):
        ahead = ahead / np.linalg.norm(ahead)
        side = np.cross(ahead, [1, 0, 0.2])
        side /= np.linalg.norm(side)
        up = np.cross(ahead, side)
        if k % 2:
            side, up = up, -side
        found.append(
            Part(coarse.points * [1.45, 1, 1] @ np.stack([ahead, side, up]) + point, coarse.triangles, coarse.colours)
        )
    return painted(joined(found), metal)


def _ring(metal: NDArray, stone: NDArray, rng: np.random.Generator) -> list[Part]:
    thick, size = rng.uniform(0.85, 1.15, 2) * [0.09, 0.4]
    turn = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    around = np.linspace(0, 2 * np.pi, 18, endpoint=False)
    # Broader and thicker towards the stone.
    grown = thick * (1 + 0.35 * np.sin(turn))[:, None]
    r = 1 + 0.6 * grown * np.cos(around)
    band = grid(
        np.stack([1.4 * grown * np.sin(around), r * np.cos(turn)[:, None], r * np.sin(turn)[:, None]], -1), True, True
    )
    found = [painted(band, metal)]
    found += [placed(piece, shift=(0, 0, 1.05 + 0.8 * size)) for piece in (_gem(size, stone), *_claws(size, metal))]
    for side in (-1, 1):
        for k in (1, 2, 3):
            angle = side * (0.26 + 0.16 * k)
            place = np.array([0, np.sin(angle), np.cos(angle)]) * (1.05 + 0.05)
            small = placed(_gem(0.085, (0.85, 0.93, 1.0), 6), turn=(-np.rad2deg(angle), 0, 0), shift=place)
            found.append(small)
    return found


def _pearls(metal: NDArray, stone: NDArray, rng: np.random.Generator) -> list[Part]:
    colour = varied(((0.95, 0.92, 0.86), (0.93, 0.82, 0.8), (0.35, 0.36, 0.42))[rng.integers(3)], rng, 0.04)
    radii, count = rng.uniform(0.93, 1.07, 2) * [1.0, 1.2], int(rng.integers(40, 47))
    line = _loop(tuple(radii), 0.2, count)
    size = 0.48 * np.linalg.norm(line[1] - line[0])
    ball = ellipsoid((0, 0, 0), (1, 1, 1), 9)
    found = []
    for point in line:
        graded = size * (1.05 - 0.15 * point[2] / radii[1])
        found.append(painted(placed(ball, shift=point, scale=graded), colour * rng.uniform(0.94, 1.03)))
    top = line[count // 2]
    second = _loop(tuple(np.array(radii) * [0.82, 0.86]), 0.15, round(count * 0.84))
    found += [painted(placed(ball, shift=p - [-0.02, 0, -0.14 * radii[1]], scale=size * 0.95), colour) for p in second]
    clasp = lathe([(0, -0.14), (0.07, -0.12), (0.1, 0), (0.07, 0.12), (0, 0.14)], 18)
    return [*found, painted(placed(clasp, turn=(90, 0, 0), shift=top), metal)]


def _crown(metal: NDArray, stone: NDArray, rng: np.random.Generator) -> list[Part]:
    points, high = int(rng.integers(5, 9)), rng.uniform(0.75, 1.05)
    turn = np.linspace(0, 2 * np.pi, points * 24, endpoint=False)
    peak = np.abs(((turn * points / (2 * np.pi)) % 1) - 0.5) * 2
    top = 0.38 + (high - 0.38) * (peak**1.4)
    t = np.linspace(0, 1, 14)[:, None]
    z, flare = top * t, 1 + 0.18 * t * (top / high)
    sides = [np.stack([r * flare * np.cos(turn), r * flare * np.sin(turn), z], -1) for r in (1.0, 0.95)]
    found = [painted(grid(np.concatenate([sides[0], sides[1][::-1]]), closed_u=True, closed_v=True), metal)]
    for z, thick in ((0.03, 0.05), (0.3, 0.035)):
        found.append(painted(torus((0, 0, z), 1.0 + 0.18 * z / high, thick, "z"), metal * 0.9))
    velvet = varied((0.5, 0.06, 0.15), rng)
    found.append(painted(placed(ellipsoid((0, 0, 0.15), (0.93, 0.93, 0.5 * high), 20)), velvet))
    second = STONES[rng.integers(6)]
    for k in range(points):
        angle = 2 * np.pi * k / points
        spot = np.array([np.cos(angle), np.sin(angle), 0])
        found.append(painted(ellipsoid(spot * 1.18 + [0, 0, high + 0.06], [0.085] * 3, 12), (0.95, 0.93, 0.88)))
        for off, colour, size in ((0, stone, 0.13), (np.pi / points, second, 0.1)):
            gem = placed(_gem(size, np.asarray(colour)), turn=(0, 90, 0))
            gem = placed(gem, turn=(0, 0, np.rad2deg(angle + off)))
            place = np.array([np.cos(angle + off), np.sin(angle + off), 0]) * 1.05
            found.append(placed(gem, shift=place - [0, 0, -0.165]))
    return found


def _earrings(metal: NDArray, stone: NDArray, rng: np.random.Generator) -> list[Part]:
    drop, size = rng.uniform(0.85, 1.15, 2) * [0.62, 0.24]
    t = np.linspace(0, 1, 26)
    hook = curve([(-0.12, 0, 0.25), (-0.14, 0, 0.55), (0, 0, 0.72), (0.12, 0, 0.5), (0.02, 0, 0.26), (0, 0, 0.2)], 26)
    one = [painted(tube(hook, 0.022, 8), metal), painted(ellipsoid((0, 0, 0.2), [0.06] * 3, 10), metal)]
    one += [placed(piece, turn=(0, 90, 0)) for piece in (_gem(0.17, (0.85, 0.93, 1.0)), *_claws(0.17, metal))]
    one.append(painted(torus((0, 0, -0.22), 0.06, 0.018, "x"), metal))
    # A drop with facets.
    radius = size * np.sin(np.pi * t**1.6) ** 0.9 * (0.3 + 0.7 * t) ** 0.5
    turn = np.linspace(0, 2 * np.pi, 8, endpoint=False)
    rings = [
        np.stack([0.8 * r * np.cos(turn), r * np.sin(turn), -0.3 - drop * s + 0 * turn], 1)
        for r, s in zip(radius[::3], t[::3], strict=True)
    ]
    one.append(painted(loft(rings), stone))
    for k in range(9):
        angle = np.pi * (0.15 + 0.7 * k / 8)
        out = 1.35 * size * np.array([0, np.cos(angle), -np.sin(angle) * 1.0])
        one.append(painted(ellipsoid(out - [0, 0, 0.3 + 0.6 * drop], [0.045] * 3, 8), metal))
    frame = curve(
        [
            (0, 0, -0.26), (0, 1.1 * size, -0.3 - 0.45 * drop), (0, 1.05 * size, -0.3 - 0.75 * drop),
            (0, 0, -0.36 - 1.05 * drop),
        ],
        22,
    )  # fmt: skip
    one += [painted(tube(frame * [1, s, 1], 0.025, 8), metal) for s in (-1, 1)]
    return [placed(piece, (0, 0, s * 12), (0, s * 0.5, 0)) for piece in one for s in (-1, 1)]


def _bracelet(metal: NDArray, stone: NDArray, rng: np.random.Generator) -> list[Part]:
    count, wide = int(rng.integers(11, 15)), rng.uniform(0.85, 1.15)
    found = []
    second = varied(STONES[rng.integers(6)], rng)
    half = np.pi / count
    for k in range(count):
        turn = 2 * np.pi * k / count
        link = box((0, 0, 0), (0.1, 1.55 * half, 0.4 * wide), 0.45)
        gem = placed(_gem(0.17 * wide, stone if k % 2 else second, 8), turn=(0, 90, 0), shift=(0.08, 0, 0))
        pin = tube([(0, half * 0.7, 0), (0, half * 1.3, 0)], 0.05, 10)
        pins = [painted(placed(pin, shift=(-0.02, 0, z)), metal * 0.8) for z in (-0.1, 0.1)]
        whole = placed(joined([painted(link, metal), gem, *pins]), shift=(1, 0, 0))
        found.append(placed(whole, turn=(0, 0, np.rad2deg(turn))))
    return found


def _watch(metal: NDArray, stone: NDArray, rng: np.random.Generator) -> list[Part]:
    size, dial = (
        rng.uniform(0.9, 1.1) * 0.52,
        varied(((0.93, 0.92, 0.88), (0.1, 0.14, 0.25), (0.12, 0.12, 0.12))[rng.integers(3)], rng),
    )
    leather = varied(((0.35, 0.2, 0.12), (0.12, 0.12, 0.13), (0.5, 0.15, 0.12))[rng.integers(3)], rng)
    profile = [(0, -0.14), (0.85, -0.14), (1, -0.08), (1, 0.08), (0.93, 0.14), (0.84, 0.14), (0.82, 0.1), (0, 0.1)]
    case = painted(lathe(np.array(profile) * [size, 1], 48), metal)
    face = painted(lathe([(0, 0.106), (0.82 * size, 0.106), (0.82 * size, 0.1)], 40), dial)
    ink = np.clip(1 - dial, 0.1, 0.9) if dial.mean() < 0.4 else np.full(3, 0.1)
    pieces = [case, face]
    for hour in range(12):
        mark = painted(box((0.7 * size, 0, 0.11), (0.14 * size, 0.045 * size, 0.02), 0), ink)
        pieces.append(placed(mark, turn=(0, 0, 30 * hour)))
    for length, width, turn, z in ((0.45, 0.07, rng.uniform(0, 360), 0.118), (0.66, 0.05, rng.uniform(0, 360), 0.125)):
        pieces.append(
            placed(
                painted(box((size * length / 2, 0, z), (size * length, width * size, 0.012), 0), ink), turn=(0, 0, turn)
            )
        )
    crown = placed(lathe([(0, 0), (0.07, 0), (0.07, 0.12), (0, 0.12)], 16), (0, 90, 0), (0, 0, 0))
    pieces.append(painted(placed(crown, turn=(0, 0, 90), shift=(0, size * 0.97, 0)), metal))
    # The strap goes around a wrist, its axis y: the watch lies on top, then is turned to face forward.
    turn = np.linspace(0.42, 2 * np.pi - 0.42, 72)
    ring = []
    for inner in (0.0, 0.055):
        width = 0.26 - 0.06 * np.sin(turn / 2)
        ring.append(
            [
                np.stack([(0.85 + inner) * np.sin(turn), s * width, (0.72 + inner) * np.cos(turn) - 0.68], 1)
                for s in (-1, -0.9, 0, 0.9, 1)
            ]
        )
    band = grid(np.array([*ring[0], *ring[1][::-1]]), closed_u=True)
    stitched = lambda p: np.where((np.abs(np.abs(p[:, 1:2]) - 0.19) < 0.02), leather * 1.8, leather)  # noqa: E731
    buckle = [painted(placed(box((0, 0, 0), (0.2, 0.56, 0.06), 0.5), shift=(0.1, 0, -1.45)), metal)]
    lugs = [
        painted(
            tube([(sx * size * 0.7, sy * 0.28, 0.02), (sx * (size + 0.1), sy * 0.26, -0.12)], [0.07, 0.05], 10), metal
        )
        for sx in (-1, 1)
        for sy in (-1, 1)
    ]
    return [placed(piece, turn=(0, 55, 0)) for piece in (*pieces, painted(band, stitched), *buckle, *lugs)]


def _heart(size: float) -> NDArray:
    t = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    y = 16 * np.sin(t) ** 3
    z = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    return np.stack([y, z - 5], 1) * size / 17


def _pendant(metal: NDArray, stone: NDArray, rng: np.random.Generator) -> list[Part]:
    size, radii = rng.uniform(0.88, 1.12) * 0.42, rng.uniform(0.93, 1.07, 2) * [0.72, 1.05]
    line = _loop(tuple(radii), 1.0, 72)
    low = line[np.argmin(line[:, 2])]
    outline = _heart(size)
    rings = [
        np.column_stack([np.full(48, x), outline * s])
        for x, s in ((-0.1, 0.8), (-0.08, 0.95), (0, 1.0), (0.06, 0.97), (0.12, 0.8), (0.15, 0.5), (0.16, 0.2))
    ]
    heart = painted(loft(rings), stone)
    edge = np.column_stack([np.zeros(48), outline * 1.02])
    rim = painted(tube(np.vstack([edge, edge[:2]]), 0.05, 10), metal)
    drop = low - [0, 0, size * 0.95]
    bail = painted(torus(low - [0, 0, 0.06], 0.08, 0.03, "x"), metal)
    gem = placed(_gem(0.12, np.array((0.9, 0.95, 1.0))), (0, 90, 0), drop - [-0.15, 0, -0.05])
    return [_chain(line, 0.055, metal), placed(heart, shift=drop), placed(rim, shift=drop), bail, gem]


def _brooch(metal: NDArray, stone: NDArray, rng: np.random.Generator) -> list[Part]:
    """Return a large oval stone in rings of small ones and pearls, with three drops."""
    long, second = rng.uniform(1.2, 1.45), varied(STONES[rng.integers(6)], rng, 0.05)
    diamond, pearl = np.array([0.88, 0.94, 1.0]), ellipsoid((0, 0, 0), (0.11, 0.11, 0.11), 10)
    oval = np.array([long, 1, 1])
    found = [_gem(0.55, stone, 12, long), *_claws(0.55, metal, 6, long)]
    found.append(
        painted(placed(lathe([(0, -0.25), (0.9, -0.2), (1.0, -0.1), (0.9, -0.04), (0, -0.04)]), scale=oval), metal)
    )
    for count, reach, piece in (
        (22, 0.74, placed(_gem(0.1, diamond, 6), shift=(0, 0, 0.05))),
        (24, 1.0, painted(pearl, (0.94, 0.9, 0.84))),
    ):
        turns = 2 * np.pi * np.arange(count) / count
        found += [placed(piece, shift=oval * [reach * np.cos(turn), reach * np.sin(turn), 0]) for turn in turns]
    for y in (-0.5, 0, 0.5):
        # Down is -x until the whole is turned upright.
        x = -long * np.sqrt(1 - y**2) - 0.1
        link = tube([(x + 0.1, y, -0.05), (x - 0.12, y, -0.05)], 0.035, 8)
        drop = placed(_gem(0.16, second, 8, 1.6), shift=(x - 0.34, y, 0))
        found += [painted(link, metal), drop, *(placed(c, shift=(x - 0.34, y, 0)) for c in _claws(0.16, metal, 4, 1.6))]
    return [placed(piece, turn=(0, 90, 0)) for piece in (placed(part, turn=(0, 0, 180)) for part in found)]
