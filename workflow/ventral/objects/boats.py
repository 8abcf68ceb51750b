"""Boats: sloop, container ship, rowing boat, trawler, motor boat, liner, square-rigged ship and longship."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ventral.objects.shapes import (
    Part,
    box,
    curve,
    ellipsoid,
    grid,
    joined,
    lathe,
    mirrored,
    painted,
    placed,
    plate,
    stripes,
    superellipsoid,
    torus,
    tube,
    varied,
)

WOOD, GLASS, STEEL, DARK = np.array((0.55, 0.36, 0.2)), (0.12, 0.17, 0.24), (0.72, 0.72, 0.73), (0.1, 0.1, 0.11)
CANVAS = np.array((0.93, 0.9, 0.82))
# Sections from the stern, x = -1, to the bow, x = 1: x, half width on deck, keel, sheer, squareness (0 a box).
# fmt: off
HULLS = [
    [(-1, 0.16, -0.02, 0.17, 0.8), (-0.5, 0.27, -0.12, 0.15, 0.8), (0.1, 0.29, -0.15, 0.16, 0.8),
     (0.7, 0.13, -0.08, 0.2, 0.9), (1, 0.005, 0.15, 0.23, 1)],
    [(-1, 0.12, -0.02, 0.16, 0.4), (-0.85, 0.15, -0.1, 0.15, 0.2), (0.6, 0.15, -0.1, 0.15, 0.2),
     (0.85, 0.1, -0.1, 0.19, 0.6), (1, 0.005, -0.06, 0.22, 1)],
    [(-1, 0.22, -0.03, 0.22, 0.8), (-0.4, 0.36, -0.1, 0.17, 0.7), (0.2, 0.36, -0.1, 0.18, 0.7),
     (0.7, 0.2, -0.06, 0.25, 0.9), (1, 0.005, 0.08, 0.34, 1)],
    [(-1, 0.22, 0.02, 0.28, 0.7), (-0.6, 0.32, -0.16, 0.24, 0.6), (0.2, 0.34, -0.18, 0.28, 0.6),
     (0.7, 0.2, -0.14, 0.44, 0.8), (1, 0.005, 0.1, 0.56, 1)],
    [(-1, 0.26, -0.06, 0.14, 0.5), (-0.4, 0.29, -0.08, 0.17, 0.6), (0.3, 0.26, -0.05, 0.22, 0.9),
     (0.75, 0.14, 0.03, 0.24, 1.0), (1, 0.005, 0.2, 0.25, 1)],
    [(-1, 0.06, 0.08, 0.2, 0.6), (-0.85, 0.13, -0.06, 0.19, 0.3), (0.4, 0.14, -0.08, 0.18, 0.3),
     (0.8, 0.08, -0.07, 0.21, 0.8), (1, 0.005, 0.03, 0.25, 1)],
    [(-1, 0.14, 0.12, 0.46, 0.6), (-0.6, 0.22, -0.1, 0.36, 0.6), (0, 0.25, -0.16, 0.24, 0.6),
     (0.6, 0.2, -0.13, 0.3, 0.8), (0.95, 0.05, 0.05, 0.38, 1), (1, 0.005, 0.12, 0.4, 1)],
    [(-1, 0.004, 0.4, 0.52, 1), (-0.9, 0.05, 0.1, 0.36, 1), (-0.5, 0.18, -0.06, 0.15, 0.9),
     (0, 0.22, -0.08, 0.11, 0.9), (0.5, 0.18, -0.06, 0.15, 0.9), (0.9, 0.05, 0.1, 0.36, 1),
     (1, 0.004, 0.4, 0.55, 1)],
]
# fmt: on
# Colours above the water, of the band along the sheer, and below the water.
COLOURS = [
    ((0.93, 0.93, 0.92), (0.1, 0.2, 0.5), (0.12, 0.25, 0.5)),
    ((0.15, 0.2, 0.25), (0.15, 0.2, 0.25), (0.55, 0.14, 0.12)),
    ((0.3, 0.55, 0.5), (0.85, 0.8, 0.65), (0.3, 0.55, 0.5)),
    ((0.15, 0.4, 0.3), (0.9, 0.88, 0.82), (0.45, 0.13, 0.1)),
    ((0.8, 0.12, 0.12), (0.93, 0.92, 0.9), (0.9, 0.9, 0.9)),
    ((0.9, 0.9, 0.9), (0.9, 0.9, 0.9), (0.13, 0.16, 0.3)),
    ((0.4, 0.24, 0.12), (0.75, 0.6, 0.2), (0.3, 0.2, 0.13)),
    ((0.5, 0.33, 0.17), (0.35, 0.22, 0.1), (0.4, 0.26, 0.13)),
]


def parts(design: int, rng: np.random.Generator) -> list[Part]:
    """Return the painted parts of a boat of one of eight designs, 2 long, its waterline near z = 0."""
    colours = [varied(colour, rng) for colour in COLOURS[design]]
    rows = curve(HULLS[design], 48) * [1, rng.uniform(0.9, 1.12), 1, 1, 1]
    rows[:, 4] = np.clip(rows[:, 4], 0.15, 1)
    is_open = design in (2, 7)
    made = _hull(rows, colours, is_open)
    make = [_sloop, _container, _rowing, _trawler, _motor, _liner, _square, _longship][design]
    made += make(rows, colours, rng)
    height = rng.uniform(0.92, 1.08)
    return [placed(part, scale=[1, 1, height]) for part in made]


def _hull(rows: NDArray, colours: list[NDArray], is_open: bool) -> list[Part]:
    """Return a hull with a deck, or hollow with a gunwale."""
    hullside, band, below = colours
    x, half, keel, sheer, square = (rows[:, k, None] for k in range(5))
    turn = np.linspace(0, np.pi, 41)[None]
    across = np.sign(np.cos(turn)) * np.abs(np.cos(turn)) ** square
    down = np.abs(np.sin(turn)) ** square
    outside = np.stack(np.broadcast_arrays(x, half * across, sheer + (keel - sheer) * down), axis=-1)
    height = outside[..., 2]
    colour = np.where((height < 0.0)[..., None], below, hullside)
    colour = np.where((height > sheer - 0.035)[..., None], band, colour)
    made = [painted(grid(outside), colour.reshape(-1, 3))]
    stern = np.stack([outside[0], np.broadcast_to(outside[0].mean(axis=0), outside[0].shape)])
    made.append(painted(grid(stern), hullside))
    rim = outside[:, 0]
    if is_open:
        inside = outside * [0.97, 0.9, 1] + [0, 0, 0.02]
        inside[..., 2] = np.minimum(inside[..., 2], np.broadcast_to(sheer, inside.shape[:2]))
        made.append(painted(grid(inside), WOOD * 0.8))
        made.append(painted(mirrored(tube(rim, 0.016, 8)), band))
    else:
        deck = np.stack([outside[:, 0] + [0, 0, -0.012], outside[:, -1] + [0, 0, -0.012]])
        made.append(painted(grid(deck), WOOD * 1.2))
        made.append(painted(mirrored(tube(rim, 0.008, 8)), band))
    return made


def _house(centre: ArrayLike, size: ArrayLike, colour: ArrayLike, panes: int, windows: float = 0.3) -> list[Part]:
    """Return a deckhouse with a row of windows on each side and in front."""
    (x, y, z), (length, width, height) = centre, size
    made = [painted(superellipsoid(centre, np.asarray(size) / 2, (0.15, 0.2), 16), colour)]
    pane = [0.62 * length / panes, 0.01, windows * height]
    side = [
        box([at, width / 2, z + 0.12 * height], pane, resolution=4)
        for at in x + length * ((np.arange(panes) + 0.5) / panes - 0.5) * 0.9
    ]
    front = [
        box([x + length / 2, at, z + 0.12 * height], [0.01, 0.24 * width, windows * height], resolution=4)
        for at in (-0.3 * width, 0, 0.3 * width)
    ]
    made.append(
        painted(joined([*(placed(part, shift=[0, y, 0]) for part in (mirrored(joined(side)),)), *front]), GLASS)
    )
    return made


def _sail(corners: ArrayLike, belly: ArrayLike, paint) -> Part:
    """Return a sail from its corners (tack, clew, head) or four of them (in order), bellied along a direction."""
    corners = np.asarray(corners, float)
    corners = corners if len(corners) == 4 else np.concatenate([corners, corners[-1:]])
    u, v = np.linspace(0, 1, 25)[:, None, None], np.linspace(0, 1, 25)[None, :, None]
    flat = (1 - v) * ((1 - u) * corners[0] + u * corners[1]) + v * ((1 - u) * corners[3] + u * corners[2])
    return painted(grid(flat + np.asarray(belly) * 4 * (u * (1 - u)) * np.sin(np.pi * v) ** 0.7), paint)


def _sloop(rows: NDArray, colours: list[NDArray], rng: np.random.Generator) -> list[Part]:
    mast = rng.uniform(1.75, 2.05)
    spi = stripes(CANVAS, varied((0.85, 0.3, 0.15), rng), "z", 0.24) if rng.uniform() < 0.7 else CANVAS
    return [
        *_house([-0.05, 0, 0.2], [0.75, 0.3, 0.14], (0.93, 0.93, 0.9), 3),
        painted(tube([(0.15, 0, 0.1), (0.13, 0, mast)], 0.016, 10), STEEL),
        painted(tube([(0.14, 0, 0.33), (-0.8, 0.1, 0.33)], 0.016, 8), STEEL),
        painted(tube([(0.13, 0, mast), (-0.98, 0, 0.17)], 0.005, 6), DARK),
        _sail([(0.13, 0, 0.36), (-0.78, 0.1, 0.36), (0.12, 0, mast - 0.05)], (0, 0.09, 0), CANVAS),
        _sail([(0.97, 0, 0.27), (0.1, 0.2, 0.3), (0.16, 0, mast - 0.25)], (0, 0.1, 0), spi),
        painted(plate([(-0.2, -0.1), (0.15, -0.1), (0.05, -0.42), (-0.15, -0.42)], 0.03), colours[2] * 0.8),
        painted(plate([(-0.95, 0.05), (-0.82, -0.02), (-0.86, -0.28), (-0.96, -0.28)], 0.025), colours[2] * 0.8),
    ]


def _container(rows: NDArray, colours: list[NDArray], rng: np.random.Generator) -> list[Part]:
    tones = [
        varied(tone, rng)
        for tone in (
            (0.7, 0.2, 0.15),
            (0.15, 0.35, 0.6),
            (0.85, 0.55, 0.15),
            (0.25, 0.5, 0.35),
            (0.75, 0.75, 0.72),
            (0.45, 0.25, 0.2),
        )
    ]
    made = []
    for x in np.arange(-0.42, 0.8, 0.155):
        rows_across = 2 if x > 0.6 else 4
        for k in range(rows_across):
            y = (k - (rows_across - 1) / 2) * 0.07
            for level in range(int(rng.integers(2, 5) if x < 0.6 else rng.integers(1, 3))):
                tone = tones[rng.integers(len(tones))]
                made.append(painted(box([x, y, 0.19 + 0.068 * level], [0.145, 0.066, 0.064], 0.1, 4), tone))
    funnel = tube([(-0.86, 0, 0.2), (-0.87, 0, 0.6)], 0.045, 14)
    return [
        *made,
        *_house([-0.7, 0, 0.34], [0.17, 0.27, 0.42], (0.92, 0.9, 0.85), 3, 0.12),
        *_house([-0.7, 0, 0.57], [0.15, 0.34, 0.07], (0.92, 0.9, 0.85), 3, 0.5),
        painted(funnel, stripes(tones[0], tones[2], "z", 0.1)),
        painted(
            joined(
                [tube([(0.88, 0, 0.2), (0.88, 0, 0.42)], 0.01, 8), tube([(-0.7, 0, 0.6), (-0.7, 0, 0.78)], 0.012, 8)]
            ),
            STEEL,
        ),
    ]


def _rowing(rows: NDArray, colours: list[NDArray], rng: np.random.Generator) -> list[Part]:
    seats = [
        box([x, 0, 0.1], [0.16, 1.75 * np.interp(x, rows[:, 0], rows[:, 1]), 0.025], resolution=8)
        for x in (-0.65, -0.1, 0.4)
    ]
    oar = [tube([(0.1, 0.2, 0.3), (0.0, 0.37, 0.22), (-0.25, 0.95, -0.03)], 0.018, 8)]
    blade = placed(superellipsoid([0, 0, 0], [0.06, 0.18, 0.012], (1, 0.6), 12), (-22, 0, 20), (-0.3, 1.03, -0.07))
    return [
        painted(joined(seats), WOOD * 1.1),
        painted(mirrored(oar[0]), WOOD * 1.3),
        painted(mirrored(blade), colours[1]),
    ]


def _trawler(rows: NDArray, colours: list[NDArray], rng: np.random.Generator) -> list[Part]:
    tall = rng.uniform(0.95, 1.15)
    ring = placed(torus([0, 0, 0], 0.055, 0.02), (0, 0, 0), (0.3, 0.245, 0.47))
    return [
        *_house([0.22, 0, 0.45], [0.5, 0.42, 0.4], (0.93, 0.9, 0.82), 3),
        *_house([0.28, 0, 0.7], [0.3, 0.3, 0.16], (0.8, 0.35, 0.15), 2, 0.5),
        painted(tube([(0.05, 0, 0.6), (0.03, 0, 0.9)], 0.05, 14), stripes((0.75, 0.2, 0.12), DARK, "z", 0.15)),
        painted(
            joined(
                [
                    tube([(0.3, 0, 0.7), (0.3, 0, tall + 0.2)], 0.016, 8),
                    tube([(-0.45, 0, 0.2), (-0.45, 0, tall)], 0.026, 10),
                    tube([(-0.45, 0, 0.5), (-0.98, 0, tall - 0.15)], 0.02, 8),
                ]
            ),
            (0.85, 0.7, 0.25),
        ),
        painted(
            joined(
                [
                    tube([(-0.45, 0, tall), (0.3, 0, tall + 0.15)], 0.006, 6),
                    tube([(-0.45, 0, tall), (-0.98, 0, tall - 0.15)], 0.006, 6),
                    tube([(0.3, 0, tall + 0.15), (0.95, 0, 0.55)], 0.006, 6),
                ]
            ),
            DARK,
        ),
        painted(
            mirrored(
                joined(
                    [
                        tube([(-0.92, 0.17, 0.25), (-0.92, 0.17, 0.6)], 0.02, 8),
                        tube([(-0.92, 0, 0.6), (-0.92, 0.18, 0.6)], 0.02, 8),
                    ]
                )
            ),
            (0.85, 0.7, 0.25),
        ),
        painted(ellipsoid([-0.68, 0, 0.26], [0.16, 0.2, 0.1], 12), varied((0.2, 0.5, 0.55), rng)),
        painted(mirrored(ring), (0.9, 0.4, 0.15)),
        painted(placed(lathe([(0.07, -0.16), (0.07, 0.16)], 14), (90, 0, 0), (-0.2, 0, 0.3)), DARK),
    ]


def _motor(rows: NDArray, colours: list[NDArray], rng: np.random.Generator) -> list[Part]:
    screen = np.stack(
        [
            curve([(-0.15, 0.24, 0.19), (0.2, 0.2, 0.2), (0.36, 0, 0.23), (0.2, -0.2, 0.2), (-0.15, -0.24, 0.19)], 30),
            curve(
                [(-0.2, 0.2, 0.33), (0.06, 0.16, 0.36), (0.17, 0, 0.38), (0.06, -0.16, 0.36), (-0.2, -0.2, 0.33)], 30
            ),
        ]
    )
    seats = [
        superellipsoid([x, y, 0.18], [0.1, 0.09, 0.06], (0.4, 0.4), 12) for x in (-0.15, -0.6) for y in (-0.12, 0.12)
    ]
    backs = [
        superellipsoid([x - 0.12, y, 0.25], [0.03, 0.09, 0.1], (0.5, 0.5), 12)
        for x in (-0.15, -0.6)
        for y in (-0.12, 0.12)
    ]
    rail = tube(curve([(0.45, 0.2, 0.2), (0.55, 0.2, 0.3), (0.85, 0.09, 0.33), (0.96, 0, 0.33)], 20), 0.009, 8)
    motor = [
        superellipsoid([-1.07, 0, 0.25], [0.09, 0.08, 0.13], (0.6, 0.5), 14),
        tube([(-1.07, 0, 0.2), (-1.05, 0, -0.2)], 0.035, 10),
        ellipsoid([-1.06, 0, -0.18], [0.09, 0.035, 0.035], 8),
    ]
    return [
        painted(grid(screen), GLASS),
        painted(box([-0.42, 0, 0.14], [0.85, 0.44, 0.03], resolution=10), (0.35, 0.3, 0.27)),
        painted(joined(seats + backs), varied((0.9, 0.85, 0.75), rng)),
        painted(mirrored(rail), STEEL),
        painted(joined(motor), DARK),
        painted(ellipsoid([0.62, 0, 0.22], [0.32, 0.15, 0.05], 16), colours[1]),
    ]


def _liner(rows: NDArray, colours: list[NDArray], rng: np.random.Generator) -> list[Part]:
    made, white = [], np.array((0.93, 0.92, 0.9))
    for level in range(4):
        length, middle = 1.5 - 0.2 * level, -0.08 - 0.03 * level
        made += _house(
            [middle, 0, 0.22 + 0.085 * level],
            [length, 0.26 - 0.02 * level, 0.085],
            white * (1 - 0.03 * (level % 2)),
            16 - 2 * level,
            0.45,
        )
    red = varied((0.8, 0.2, 0.1), rng)
    for x in np.linspace(-0.55, 0.25, int(rng.integers(2, 4))):
        funnel = placed(lathe([(0.07, 0), (0.065, 0.26), (0.05, 0.27), (0, 0.22)], 20), (0, -12, 0), (x, 0, 0.5))
        made.append(painted(funnel, lambda points: np.where((points[:, 2] > 0.69)[:, None], DARK, red)))
    for x in np.linspace(-0.6, 0.4, 6):
        made.append(painted(mirrored(ellipsoid([x, 0.145, 0.33], [0.065, 0.03, 0.028], 7)), (0.9, 0.5, 0.12)))
    masts = [tube([(0.6, 0, 0.2), (0.58, 0, 0.75)], 0.012, 8), tube([(-0.85, 0, 0.2), (-0.87, 0, 0.6)], 0.012, 8)]
    return [*made, painted(joined(masts), STEEL)]


def _square(rows: NDArray, colours: list[NDArray], rng: np.random.Generator) -> list[Part]:
    made, cloth = [], varied((0.88, 0.8, 0.62), rng)
    for x, tall, wide in ((-0.62, 1.25, 0.34), (-0.02, 1.65, 0.46), (0.52, 1.4, 0.4)):
        made.append(painted(tube([(x, 0, 0.2), (x, 0, tall)], [0.028, 0.012], 10), WOOD * 0.7))
        bounds = np.linspace(0.48, tall - 0.06, 4)
        for low, high, share in zip(bounds[:-1], bounds[1:], (1.0, 0.85, 0.65), strict=True):
            half = wide * share
            made.append(
                _sail(
                    [
                        (x + 0.03, -half, low + 0.03),
                        (x + 0.03, half, low + 0.03),
                        (x + 0.03, 0.85 * half, high),
                        (x + 0.03, -0.85 * half, high),
                    ],
                    (0.11, 0, 0),
                    cloth,
                )
            )
            made.append(
                painted(tube([(x + 0.02, -0.95 * half, high), (x + 0.02, 0.95 * half, high)], 0.012, 8), WOOD * 0.6)
            )
        made.append(
            painted(
                plate([(x, tall), (x - 0.16, tall - 0.02), (x, tall - 0.07)], 0.006), varied((0.75, 0.12, 0.12), rng)
            )
        )
    ports = [
        box([x, np.interp(x, rows[:, 0], rows[:, 1]) * 0.97, 0.14], [0.05, 0.03, 0.05], resolution=4)
        for x in np.linspace(-0.7, 0.6, 9)
    ]
    return [
        *made,
        painted(mirrored(joined(ports)), DARK),
        painted(tube([(0.85, 0, 0.36), (1.4, 0, 0.6)], [0.025, 0.012], 10), WOOD * 0.7),
        _sail([(1.35, 0, 0.58), (0.6, 0.05, 0.5), (0.54, 0, 1.3)], (0, 0.06, 0), cloth),
        *_house([-0.78, 0, 0.46], [0.36, 0.28, 0.14], colours[1], 3, 0.4),
    ]


def _longship(rows: NDArray, colours: list[NDArray], rng: np.random.Generator) -> list[Part]:
    red = varied((0.7, 0.13, 0.1), rng)
    curl = [
        tube(
            curve(
                [(s, 0, 0.45), (s * 1.06, 0, 0.62), (s * 1.0, 0, 0.74), (s * 0.92, 0, 0.7)]
                if s < 0
                else [(s, 0, 0.45), (1.08, 0, 0.65), (1.05, 0, 0.8), (1.2, 0, 0.82)],
                20,
            ),
            np.linspace(0.045, 0.03, 20),
            10,
        )
        for s in (-1, 1)
    ]
    made = [
        painted(joined(curl), colours[1]),
        painted(
            joined(
                [
                    tube([(0, 0, -0.05), (0, 0, 1.35)], 0.024, 10),
                    tube([(0.02, -0.62, 1.25), (0.02, 0.62, 1.25)], 0.02, 8),
                ]
            ),
            WOOD * 0.7,
        ),
        _sail(
            [(0.05, -0.55, 0.42), (0.05, 0.55, 0.42), (0.04, 0.58, 1.24), (0.04, -0.58, 1.24)],
            (0.2, 0, 0),
            stripes(red, CANVAS, "y", 0.165),
        ),
    ]
    for k, x in enumerate(np.linspace(-0.6, 0.6, 8)):
        place = np.array(
            [x, np.interp(x, rows[:, 0], rows[:, 1]) * 0.99 + 0.01, np.interp(x, rows[:, 0], rows[:, 3]) - 0.02]
        )
        shield = placed(lathe([(0, 0.035), (0.02, 0.03), (0.025, 0.015), (0.072, 0.0)], 16), (-90, 0, 0), place)
        made.append(painted(mirrored(shield), [(0.85, 0.7, 0.2), red, (0.2, 0.35, 0.5)][k % 3]))
        oar = tube([place - [0, 0.05, 0.03], np.add(place, [-0.16, 0.38, -0.3])], 0.01, 6)
        made.append(painted(mirrored(oar), WOOD))
    return made
