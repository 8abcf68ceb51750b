"""Tables: dining, round, coffee, picnic, desk, bistro with a cloth, folding and billiard table."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ventral.objects.shapes import (
    Part,
    box,
    curve,
    grid,
    joined,
    lathe,
    mirrored,
    mottled,
    painted,
    placed,
    plate,
    tube,
    varied,
)

# Half the length along x, half the width along y, and the height of the top.
SIZES = [
    (0.95, 0.5, 0.75),
    (0.62, 0.62, 0.74),
    (0.68, 0.4, 0.42),
    (0.9, 0.38, 0.74),
    (0.75, 0.38, 0.75),
    (0.42, 0.42, 0.78),
    (0.9, 0.38, 0.74),
    (1.15, 0.65, 0.8),
]
# Colours of the top and of its support.
COLOURS = [
    ((0.5, 0.29, 0.14), (0.36, 0.19, 0.09)),
    ((0.85, 0.84, 0.82), (0.16, 0.16, 0.18)),
    ((0.55, 0.75, 0.78), (0.75, 0.6, 0.25)),
    ((0.72, 0.45, 0.25), (0.55, 0.33, 0.18)),
    ((0.2, 0.35, 0.55), (0.86, 0.84, 0.78)),
    ((0.8, 0.15, 0.13), (0.93, 0.9, 0.85)),
    ((0.92, 0.91, 0.88), (0.45, 0.47, 0.5)),
    ((0.1, 0.48, 0.25), (0.33, 0.12, 0.08)),
]


def parts(design: int, rng: np.random.Generator) -> list[Part]:
    """Return the painted parts of a table of one of eight designs."""
    length, width, height = SIZES[design] * rng.uniform(0.88, 1.12, 3)
    top, base = (varied(colour, rng) for colour in COLOURS[design])
    make = [_dining, _pedestal, _coffee, _picnic, _desk, _bistro, _folding, _billiard][design]
    return make(length, width, height, top, base, rng)


def _dining(x: float, y: float, z: float, top: NDArray, base: NDArray, rng: np.random.Generator) -> list[Part]:
    turned = [(0.035, 0), (0.03, 0.1), (0.05, 0.2), (0.028, 0.25), (0.055, 0.55), (0.03, 0.75), (0.06, 0.8), (0.06, 1)]
    grain = _grain(top, rng)
    return [
        painted(box([0, 0, z - 0.025], [2 * x, 2 * y, 0.05], 0), grain),
        *_edge(x, y, z - 0.025, 0.03, base),
        painted(box([0, 0, z - 0.1], [1.8 * x, 1.75 * y, 0.11]), base),
        painted(_at_corners(lathe(curve(turned, 30) * [1.15, z - 0.05], 20), 0.86 * x, 0.83 * y), base),
    ]


def _pedestal(x: float, _: float, z: float, top: NDArray, base: NDArray, rng: np.random.Generator) -> list[Part]:
    slab = lathe([*((r, z) for r in np.linspace(0, 0.97, 20) * x), (x, z - 0.02), (0.97 * x, z - 0.05), (0, z - 0.05)])
    marble = mottled(top, top * 0.62, 0.12, int(rng.integers(1000)), 0.35)
    stem = [(0.62, 0), (0.6, 0.04), (0.3, 0.07), (0.1, 0.14), (0.075, 0.35), (0.1, 0.6), (0.12, 0.66), (0.3, 0.95)]
    return [painted(slab, marble), painted(lathe(curve(stem, 30) * [0.9 * x, z - 0.05]), base)]


def _coffee(x: float, y: float, z: float, top: NDArray, base: NDArray, _: np.random.Generator) -> list[Part]:
    angle = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    oval = np.stack([x * np.cos(angle), y * np.sin(angle)], axis=1)
    leg = tube(curve([(0.72 * x, 0.68 * y, z - 0.02), (0.66 * x, 0.6 * y, z / 2), (0.78 * x, 0.72 * y, 0)], 10), 0.022)
    rim = tube(np.column_stack([oval, np.full(60, z)])[[*range(60), 0]], 0.02, 10)
    legs = joined([leg, placed(leg, scale=[-1, 1, 1])])
    return [
        painted(plate(oval, 0.025, "z", z), top),
        painted(plate(oval * 0.66, 0.02, "z", 0.35 * z), top * 0.8),
        painted(joined([rim, mirrored(legs)]), base),
    ]


def _picnic(x: float, y: float, z: float, top: NDArray, base: NDArray, rng: np.random.Generator) -> list[Part]:
    made = []
    boards = [(k * y * 0.4, z) for k in (-2, -1, 0, 1, 2)] + [
        (s * (y + d), 0.6 * z) for s in (-1, 1) for d in (0.28, 0.43)
    ]
    for across, height in boards:
        board = box([0, across, height], [2 * x, 0.37 * y, 0.045], 0)
        made.append(painted(board, varied(top, rng, 0.08)))
    for end in (-0.68, 0.68):
        splayed = tube([(end * x, 0.5 * y, z - 0.02), (end * x, y + 0.38, 0)], 0.035, 6)
        beams = [(0.57 * z, y + 0.48), (z - 0.05, 0.9 * y)]
        made += [painted(mirrored(splayed), base)]
        made += [painted(box([end * x + 0.04, 0, h], [0.05, 2 * w, 0.09], 0), base) for h, w in beams]
    return made


def _desk(x: float, y: float, z: float, top: NDArray, base: NDArray, rng: np.random.Generator) -> list[Part]:
    made = [
        painted(box([0, 0, z - 0.02], [2 * x, 2 * y, 0.045], 0), top),
        painted(box([-0.05, y * 0.88, z * 0.6], [1.8 * x, 0.03, 0.5 * z], 0), base * 0.9),
    ]
    # Its drawers open towards the side on which one sits, -y.
    number = int(rng.integers(3, 5))
    tall = (z - 0.09) / number
    for side in (-1, 1):
        made.append(painted(box([side * 0.7 * x, 0, (z - 0.04) / 2], [0.5 * x, 1.85 * y, z - 0.04], 0), base))
        for k in range(number):
            middle = [side * 0.7 * x, -0.93 * y, 0.03 + (k + 0.5) * tall]
            made.append(painted(box(middle, [0.43 * x, 0.04, 0.85 * tall], 0.2), base * 0.78))
            made.append(painted(box(middle + np.array([0, -0.035, 0]), [0.14 * x, 0.03, 0.025]), top * 0.5))
    return made


def _bistro(x: float, _: float, z: float, top: NDArray, base: NDArray, rng: np.random.Generator) -> list[Part]:
    folds = int(rng.integers(7, 10))
    angle = np.linspace(0, 2 * np.pi, 120, endpoint=False)[None]
    down = np.linspace(0, 1, 36)[:, None]
    radius = np.where(down < 0.5, 2 * down, 1.0) * x
    hanging = np.maximum(down - 0.5, 0) * 2
    radius = radius * (1 + hanging * (0.08 + 0.06 * np.cos(folds * angle)))
    height = z - 0.38 * hanging * (1 + 0.1 * np.cos(folds * angle)) * np.ones_like(angle)
    cloth = grid(
        np.stack(np.broadcast_arrays(radius * np.cos(angle), radius * np.sin(angle), height), -1), closed_v=True
    )

    def checks(points: NDArray) -> NDArray:
        share = ((points / (x / 3.5)) % 1 < 0.5).sum(axis=1) / 3
        return base + (top - base) * share[:, None]

    foot = tube(curve([(0, 0, 0.25 * z), (0.3 * x, 0, 0.16 * z), (0.9 * x, 0, 0)], 12), 0.03)
    feet = [placed(foot, (0, 0, turn)) for turn in (0, 120, 240)]
    iron = np.array([0.13, 0.12, 0.12])
    return [painted(cloth, checks), painted(joined([*feet, tube([(0, 0, 0.12), (0, 0, z - 0.02)], 0.035)]), iron)]


def _folding(x: float, y: float, z: float, top: NDArray, base: NDArray, _: np.random.Generator) -> list[Part]:
    made = [painted(box([0, 0, z - 0.025], [2 * x, 2 * y, 0.05], 0.15), top)]
    for end in (-1, 1):
        cross = [
            tube([(end * x * a, 0, 0.02), (end * x * b, 0, z - 0.05)], 0.022, 30) for a, b in ((0.92, 0.3), (0.3, 0.92))
        ]
        rods = [tube([(end * x * a, -0.85 * y, 0.02), (end * x * a, 0.85 * y, 0.02)], 0.022, 30) for a in (0.3, 0.92)]
        pairs = [placed(rod, shift=[0, side * 0.85 * y, 0]) for rod in cross for side in (-1, 1)]
        made.append(painted(joined([*pairs, *rods]), base))
    return made


def _billiard(x: float, y: float, z: float, top: NDArray, base: NDArray, rng: np.random.Generator) -> list[Part]:
    leg = [(0.05, 0), (0.07, 0.1), (0.05, 0.2), (0.1, 0.6), (0.12, 0.75), (0.07, 0.8), (0.1, 1)]
    pockets = [(a * 0.97 * x, b * 0.95 * y) for a in (-1, 0, 1) for b in (-1, 1)]
    balls = [
        painted(placed(lathe(_round(0.04), 14), shift=[*place, z + 0.03]), rng.uniform(0, 1, 3))
        for place in rng.uniform(-0.7, 0.7, (7, 2)) * [x, y]
    ]
    return [
        painted(box([0, 0, z - 0.03], [2 * x, 2 * y, 0.06], 0), top),
        *_edge(x, y, z + 0.01, 0.075, base),
        painted(box([0, 0, z - 0.15], [2 * x, 2 * y, 0.2], 0), base * 0.85),
        *(
            painted(placed(lathe([(0, 0.09), (0.07, 0.088)], 16), shift=[*place, z]), (0.03, 0.03, 0.03))
            for place in pockets
        ),
        painted(_at_corners(lathe(curve(leg, 24) * [1.2, z - 0.15], 18), 0.85 * x, 0.78 * y), base),
        *balls,
    ]


def _round(radius: float) -> NDArray:
    """Return the profile of a ball, to be turned."""
    angle = np.linspace(-np.pi / 2, np.pi / 2, 9)
    return radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def _at_corners(leg: Part, x: float, y: float) -> Part:
    """Return four of a leg."""
    return joined([placed(leg, shift=[a * x, b * y, 0]) for a in (-1, 1) for b in (-1, 1)])


def _edge(x: float, y: float, z: float, radius: float, colour: NDArray) -> list[Part]:
    """Return a rounded rail around a rectangular top."""
    corners = [(x, y, z), (-x, y, z), (-x, -y, z), (x, -y, z), (x, y, z)]
    return [painted(tube([a, b], radius, 12), colour) for a, b in pairwise(corners)]


def _grain(colour: NDArray, rng: np.random.Generator):
    """Return a paint of boards along x, each of a tone of its own."""
    tones = rng.uniform(0.8, 1.15, 64)

    def paint(points: NDArray) -> NDArray:
        return colour * tones[np.floor(points[:, 1] / 0.12).astype(int) % 64, None]

    return paint
