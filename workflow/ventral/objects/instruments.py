"""Musical instruments: guitar, violin, drum, trumpet, grand piano, saxophone, harp and xylophone."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ventral.objects.shapes import (
    Paint,
    Part,
    box,
    curve,
    ellipsoid,
    grid,
    joined,
    lathe,
    mottled,
    painted,
    placed,
    plate,
    torus,
    tube,
    varied,
)

WOOD, BRASS, BLACK = (0.7, 0.42, 0.2), (0.88, 0.66, 0.25), (0.08, 0.08, 0.09)


def parts(design: int, rng: np.random.Generator) -> list[Part]:
    """Return the parts of an instrument."""
    kinds = (_guitar, _violin, _drum, _trumpet, _piano, _saxophone, _harp, _xylophone)
    return kinds[design](rng)


def _body(half: ArrayLike, depth: float, top: Paint, side: Paint, arch: float = 0.0) -> list[Part]:
    """Return the flat box of a stringed instrument, facing +x, from half its width (k, 2) at heights z, y.

    `arch` is how far its top and back bulge.
    """
    half = np.asarray(half, float)
    fine = curve(half, 48)
    ring = np.concatenate([fine * [1, 1], fine[::-1] * [1, -1]])[:, ::-1]
    middle = np.array([0, fine[:, 0].mean()])
    found = []
    for sign, paint in ((1, top), (-1, side)):
        rows = [
            np.insert(
                np.stack([ring[:, 0] * s, ring[:, 1] + (1 - s) * 0.3 * (middle[1] - ring[:, 1])], 1),
                0,
                sign * (depth / 2 + arch * (1 - s**2)),
                axis=1,
            )
            for s in (1, 0.9, 0.75, 0.5, 0.25, 0)
        ]
        found.append(painted(grid(np.array(rows), closed_v=True), paint))
    wall = [np.insert(ring, 0, x, axis=1) for x in (-depth / 2, depth / 2)]
    edge = np.insert(ring, 0, depth / 2, axis=1)
    binding = tube(np.vstack([edge, edge[:2]]), 0.018, 6)
    return [*found, painted(grid(np.array(wall), closed_v=True), side), painted(binding, (0.15, 0.08, 0.05))]


def _grain(colour: NDArray, rng: np.random.Generator, across: ArrayLike = (1, 1, 0.1)) -> Paint:
    grain = mottled(colour, colour * 0.78, 0.07, int(rng.integers(1 << 30)), share=0.4)
    return lambda points: grain(points * across)


def _guitar(rng: np.random.Generator) -> list[Part]:
    wide, neck = rng.uniform(0.87, 1.13, 2) * [1.0, 1.75]
    top, side = varied((0.85, 0.6, 0.32), rng), varied((0.45, 0.22, 0.12), rng)
    half = np.array(
        [
            (0, 0.02), (0.02, 0.3), (0.2, 0.6), (0.5, 0.68), (0.85, 0.5), (1.08, 0.42), (1.3, 0.48), (1.5, 0.48),
            (1.66, 0.3), (1.7, 0.02),
        ]
    ) * [1, wide]  # fmt: skip
    found = _body(half, 0.36, _grain(top, rng), side)
    front, end = 0.18, 1.68 + neck
    disc = placed(lathe([(0, 0.012), (0.21, 0.012), (0.21, 0)], 36), (0, 90, 0), (front, 0, 1.1))
    rosette = torus((front, 0, 1.1), 0.23, 0.02, "x")
    bridge = box((front + 0.03, 0, 0.48), (0.07, 0.56, 0.1), 0.4)
    board = plate([(-0.085, 1.25), (0.085, 1.25), (0.068, end), (-0.068, end)], 0.06, "x", front + 0.035)
    shaft = tube([(front - 0.04, 0, 1.6), (front - 0.03, 0, end)], [0.085, 0.07], 16)
    headstock = plate(
        [
            (-0.07, end - 0.03), (0.07, end - 0.03), (0.13, end + 0.1), (0.11, end + 0.48), (0.0, end + 0.52),
            (-0.11, end + 0.48), (-0.13, end + 0.1),
        ],
        0.07,
        "x",
        front - 0.02,
    )  # fmt: skip
    found += [
        painted(disc, (0.06, 0.04, 0.03)),
        painted(rosette, side),
        painted(bridge, side * 0.6),
        painted(board, side * 0.5),
        painted(shaft, side),
        painted(headstock, side * 0.8),
    ]
    found += [
        painted(box((front + 0.07, 0, end - (end - 1.5) * k / 12), (0.012, 0.15, 0.014), 0), (0.8, 0.8, 0.75))
        for k in range(12)
    ]
    for k in range(6):
        y = 0.05 * (k - 2.5)
        string = [
            (front + 0.07, y * 1.5, 0.48),
            (front + 0.09, y * 0.5, end),
            (front + 0.03, 0.06 * np.sign(y), end + 0.12 + 0.13 * (k % 3)),
        ]
        found.append(painted(tube(string, 0.007, 4), (0.85, 0.85, 0.8)))
        peg = tube(
            [(front - 0.02, 0.1 * np.sign(y), string[2][2]), (front - 0.02, 0.2 * np.sign(y), string[2][2])],
            [0.02, 0.04],
            8,
        )
        found.append(painted(peg, (0.85, 0.85, 0.82)))
    return found


def _violin(rng: np.random.Generator) -> list[Part]:
    wide, neck = rng.uniform(0.87, 1.13, 2) * [1.0, 0.95]
    colour = varied((0.66, 0.28, 0.1), rng)
    half = np.array(
        [
            (0, 0.02), (0.02, 0.2), (0.15, 0.42), (0.38, 0.5), (0.6, 0.45), (0.72, 0.5), (0.74, 0.4), (0.85, 0.3),
            (1.0, 0.28), (1.12, 0.36), (1.15, 0.42), (1.3, 0.4), (1.5, 0.36), (1.62, 0.22), (1.68, 0.02),
        ]
    ) * [1, wide]  # fmt: skip
    found = _body(half, 0.18, _grain(colour, rng), colour * 0.8, arch=0.09)
    top, end = 0.19, 1.66 + neck
    board = tube([(top + 0.08, 0, 0.98), (top - 0.02, 0, end)], [0.11, 0.075], 16)
    board = placed(board, scale=(1, 0.85, 1))
    tailpiece = plate([(-0.05, 0.05), (0.05, 0.05), (0.1, 0.55), (-0.1, 0.55)], 0.05, "x", top + 0.06)
    bridge = plate(
        [
            (-0.16, 0), (-0.1, 0.14), (-0.09, 0.19), (0, 0.21), (0.09, 0.19), (0.1, 0.14), (0.16, 0), (0.06, 0.0),
            (0, 0.06), (-0.06, 0),
        ],
        0.03,
        "x",
    )  # fmt: skip
    bridge = placed(bridge, turn=(0, 90, 0), shift=(top - 0.03, 0, 0.78))
    scroll_turn = np.linspace(0, 2.6 * np.pi, 44)
    size = np.linspace(0.13, 0.04, 44)
    scroll = np.stack(
        [top - 0.16 + size * np.cos(scroll_turn + 0.4), 0 * size, end + 0.36 + size * np.sin(scroll_turn + 0.4)], 1
    )
    neck_piece = tube(
        [(top - 0.16, 0, 1.6), (top - 0.07, 0, end), (top - 0.12, 0, end + 0.3)], [0.075, 0.07, 0.055], 14
    )
    found += [painted(piece, BLACK) for piece in (board, tailpiece)]
    found += [
        painted(bridge, (0.85, 0.7, 0.45)),
        painted(tube(scroll, np.linspace(0.06, 0.035, 44), 10), colour * 0.9),
        painted(neck_piece, colour * 0.85),
    ]
    chin = painted(ellipsoid((top - 0.01, 0.24, 0.12), (0.06, 0.2, 0.15), 14), BLACK)
    for side in (-1, 1):
        hole = curve(
            [(0, 0.17, 0.62), (0, 0.21, 0.66), (0, 0.2, 0.75), (0, 0.17, 0.85), (0, 0.15, 0.95), (0, 0.17, 0.98)], 18
        )
        found.append(painted(tube(hole * [1, side, 1] + [0.158, 0, 0], 0.022, 6), (0.05, 0.03, 0.02)))
        for z in (0.08, 0.2):
            peg = tube(
                [
                    (top - 0.1, -side * 0.03, end + z),
                    (top - 0.1, side * 0.2, end + z),
                    (top - 0.1, side * 0.26, end + z),
                ],
                [0.02, 0.025, 0.05],
                8,
            )
            found.append(painted(peg, BLACK))
    for k in range(4):
        y = 0.045 * (k - 1.5)
        found.append(
            painted(
                tube([(top + 0.09, y, 0.55), (top + 0.19, y * 1.1, 0.78), (top + 0.07, y * 0.6, end)], 0.007, 4),
                (0.85, 0.85, 0.85),
            )
        )
    # A bow leans beside it.
    stick = curve([(0.1, 0.72, -0.1), (0.04, 0.66, 1.1), (0.12, 0.6, 2.4)], 20)
    hair = tube([(0.2, 0.72, -0.02), (0.2, 0.6, 2.36)], 0.016, 6)
    frog = box((0.15, 0.72, 0.0), (0.14, 0.06, 0.16), 0.3)
    tip = tube([(0.1, 0.6, 2.4), (0.21, 0.6, 2.36)], [0.025, 0.015], 8)
    return [
        *found,
        chin,
        painted(tube(stick, 0.024, 8), (0.4, 0.2, 0.1)),
        painted(hair, (0.9, 0.88, 0.8)),
        painted(frog, BLACK),
        painted(tip, (0.85, 0.82, 0.75)),
    ]


def _drum(rng: np.random.Generator) -> list[Part]:
    radius, deep = rng.uniform(0.85, 1.15, 2) * [0.9, 0.85]
    shell, chrome = varied((0.75, 0.12, 0.15), rng), varied((0.82, 0.83, 0.85), rng, 0.04)
    body = lathe([(radius * 0.98, 0), (radius, 0.02), (radius, deep - 0.02), (radius * 0.98, deep)], 48)
    skins = [lathe([(0, z), (radius * 0.98, z)], 48) for z in (0, deep)]
    hoops = [
        lathe(
            [(radius * 1.0, z - 0.06), (radius * 1.05, z - 0.06), (radius * 1.05, z + 0.05), (radius * 1.0, z + 0.05)],
            48,
        )
        for z in (0.02, deep)
    ]
    found = [
        painted(body, shell),
        *(painted(skin, (0.93, 0.91, 0.85)) for skin in skins),
        *(painted(h, chrome) for h in hoops),
    ]
    for k in range(10):
        rod = tube([(radius * 1.07, 0, -0.04), (radius * 1.07, 0, deep + 0.05)], 0.022, 8)
        lug = box((radius * 1.04, 0, deep / 2), (0.1, 0.12, 0.3), 0.5)
        found += [placed(painted(piece, chrome), turn=(0, 0, 36 * k)) for piece in (rod, lug)]
    wood = varied((0.82, 0.62, 0.38), rng)
    for side, lean in ((1, 24), (-1, -20)):
        path = curve(
            [(-0.85, 0, 0, 0.045), (0.55, 0, 0, 0.04), (0.75, 0, 0, 0.025), (0.82, 0, 0, 0.045), (0.9, 0, 0, 0.02)], 30
        )
        stick = placed(tube(path[:, :3], path[:, 3], 12), turn=(0, -9, lean), shift=(0.25, side * 0.22, deep + 0.16))
        found.append(painted(stick, wood))
    # It stands on three legs.
    found.append(painted(tube([(0, 0, -0.04), (0, 0, -0.75)], 0.05, 12), chrome * 0.9))
    for k in range(3):
        leg = tube(curve([(0.03, 0, -0.5), (0.4, 0, -0.75), (0.75, 0, -1.25)], 10), 0.035, 8)
        arm = tube(curve([(0.03, 0, -0.35), (0.6, 0, -0.16), (radius * 1.02, 0, -0.04)], 10), 0.035, 8)
        foot = ellipsoid((0.75, 0, -1.25), (0.07, 0.07, 0.05), 8)
        found += [placed(painted(piece, chrome * 0.9), turn=(0, 0, 120 * k + 60)) for piece in (leg, arm)]
        found.append(placed(painted(foot, BLACK), turn=(0, 0, 120 * k + 60)))
    return found


def _trumpet(rng: np.random.Generator) -> list[Part]:
    long, bell = rng.uniform(0.87, 1.13, 2) * [1.0, 0.38]
    brass = varied(((0.88, 0.66, 0.25), (0.82, 0.83, 0.86), (0.85, 0.55, 0.3))[rng.integers(3)], rng, 0.05)
    r, x = 0.05, np.array([1.3, 1.2, 1.05, 0.8, 0.4, -0.2]) * long
    flare = np.array([bell, 0.26, 0.16, 0.1, 0.065, r])
    bell_piece = placed(lathe(curve(np.column_stack([flare, x]), 40), 40), turn=(0, 90, 0), shift=(0, 0, 0.2))
    rim = torus((x[0], 0, 0.2), bell, 0.02, "x")
    t = np.linspace(0, np.pi, 16)
    bend = np.stack([-0.2 * long - 0.4 - 0.24 * np.sin(t), 0 * t, -0.04 + 0.24 * np.cos(t)], 1)
    main = tube(np.vstack([[(-0.2 * long, 0, 0.2)], bend, [(0.1, 0, -0.28)]]), r, 14)
    lead = tube([(-1.25 * long, -0.07, 0.2), (0.8 * long, -0.07, 0.2)], 0.042, 12)
    slide = np.stack([0.8 * long + 0.24 * np.sin(t), -0.07 + 0 * t, -0.04 + 0.24 * np.cos(t)], 1)
    tuning = tube(np.vstack([slide, [(0.1, -0.07, -0.28)]]), 0.05, 12)
    mouth = placed(
        lathe([(0.05, 0), (0.05, 0.12), (0.11, 0.25), (0.12, 0.28), (0.09, 0.28), (0.03, 0.2)], 24),
        (0, -90, 0),
        (-1.2 * long, -0.07, 0.2),
    )
    found = [painted(piece, brass) for piece in (bell_piece, rim, main, lead, tuning)]
    found.append(painted(mouth, (0.8, 0.8, 0.82)))
    silver = varied((0.8, 0.8, 0.83), rng, 0.04)
    for k in range(3):
        place = -0.17 + 0.19 * k
        case = lathe([(0, -0.42), (0.06, -0.42), (0.085, -0.36), (0.085, 0.3), (0.07, 0.34), (0, 0.34)], 20)
        valve = joined(
            [
                tube([(0, 0, 0.3), (0, 0, 0.5)], 0.02, 8),
                placed(lathe([(0, 0.48), (0.065, 0.48), (0.065, 0.52), (0, 0.52)], 16)),
            ]
        )
        found += [
            painted(placed(case, shift=(place, -0.035, 0)), brass * 0.92),
            painted(placed(valve, shift=(place, -0.035, 0)), silver),
        ]
        loop = [(place, 0.03, -0.1), (place, 0.22, -0.1), (place, 0.22, -0.22), (place, 0.03, -0.22)]
        found.append(painted(tube(curve(loop, 20), 0.035, 8), brass))
    ring = torus((0.5, -0.07, 0.3), 0.08, 0.018, "y")
    hook = tube(curve([(0.25, 0, 0.2), (0.3, 0, 0.34), (0.42, 0, 0.34), (0.42, 0, 0.26)], 14), 0.02, 8)
    return [*found, painted(ring, brass), painted(hook, brass)]


def _piano(rng: np.random.Generator) -> list[Part]:
    long, open_by = rng.uniform(0.93, 1.1) * 1.9, rng.uniform(30, 42)
    colour = varied(((0.09, 0.09, 0.1), (0.4, 0.18, 0.08), (0.9, 0.89, 0.86))[rng.integers(3)], rng, 0.05)
    # Keyboard at the +x end; the long straight side at +y.
    outline = np.vstack(
        [
            [(0.35, 0.75), (0.35, -0.75)],
            curve(
                [
                    (0.1, -0.75), (-0.35 * long, -0.7), (-0.6 * long, -0.2), (-0.85 * long, -0.05), (-long, 0.2),
                    (-long * 1.02, 0.5), (-long * 0.95, 0.75),
                ],
                36,
            ),
        ]
    )  # fmt: skip
    inner = outline.mean(axis=0) + (outline - outline.mean(axis=0)) * 0.93
    walls = grid(
        np.stack(
            [
                np.insert(ring, 2, z, axis=1)
                for ring, z in ((outline, 0.75), (outline, 1.08), (inner, 1.08), (inner, 0.92))
            ]
        ),
        closed_v=True,
    )
    floor = plate(outline, 0.06, "z", 0.75)
    gold = varied((0.75, 0.55, 0.22), rng)
    soundboard = plate(inner, 0.02, "z", 0.93)
    lid = placed(placed(plate(outline[2:] - [0, 0.75], 0.035, "z", 0), turn=(-open_by, 0, 0)), shift=(0, 0.75, 1.1))
    prop = tube(
        [
            (-0.3, -0.66, 1.05),
            (-0.3, 0.75 - 1.15 * np.cos(np.deg2rad(open_by)), 1.1 + 1.15 * np.sin(np.deg2rad(open_by))),
        ],
        0.02,
        8,
    )
    found = [painted(piece, colour) for piece in (walls, floor, lid, prop)] + [painted(soundboard, gold)]
    for k in range(22):
        y = -0.55 + 1.2 * k / 21
        reach = -long * np.interp(y, [-0.6, -0.1, 0.2, 0.7], [0.4, 0.72, 0.93, 0.93])
        found.append(
            painted(
                tube([(0.1, y, 0.965), (reach * 0.95, 0.72 - (0.72 - y) * 0.9, 0.965)], 0.006, 3), (0.85, 0.8, 0.65)
            )
        )
    found += [
        painted(box((0.5, 0, 0.78), (0.36, 1.5, 0.1), 0.1), colour),
        painted(box((0.3, 0, 0.98), (0.1, 1.5, 0.26), 0.1), colour),
        *(painted(box((0.5, s * 0.72, 0.88), (0.36, 0.07, 0.22), 0.3), colour) for s in (-1, 1)),
        painted(box((0.1, 0, 1.25), (0.03, 0.75, 0.3), 0.1), colour),
    ]
    keys = 36
    for k in range(keys):
        y = 0.67 * (2 * (k + 0.5) / keys - 1)
        found.append(
            painted(
                plate(
                    [(0.36, y - 0.0165), (0.66, y - 0.0165), (0.66, y + 0.0165), (0.36, y + 0.0165)], 0.05, "z", 0.855
                ),
                (0.95, 0.94, 0.9),
            )
        )
        if k % 7 not in (2, 6):
            z = y + 0.67 / keys
            found.append(
                painted(
                    plate(
                        [(0.36, z - 0.011), (0.54, z - 0.011), (0.54, z + 0.011), (0.36, z + 0.011)], 0.06, "z", 0.89
                    ),
                    BLACK,
                )
            )
    leg = lathe([(0, 0.06), (0.05, 0.06), (0.06, 0.2), (0.085, 0.6), (0.1, 0.66), (0.1, 0.76)], 18)
    for x, y in ((0.2, 0.62), (0.2, -0.62), (-long * 0.85, 0.4)):
        found += [
            painted(placed(leg, shift=(x, y, 0)), colour),
            painted(ellipsoid((x, y, 0.04), (0.06, 0.04, 0.05), 10), BRASS),
        ]
    lyre = [painted(tube([(0.1, y, 0.75), (0.15, y, 0.12)], 0.025, 8), colour) for y in (-0.1, 0.1)]
    pedals = [painted(box((0.26, y, 0.1), (0.22, 0.05, 0.025), 0.5), BRASS) for y in (-0.08, 0, 0.08)]
    return [*found, *lyre, painted(box((0.13, 0, 0.12), (0.1, 0.32, 0.1), 0.2), colour), *pedals]


def _saxophone(rng: np.random.Generator) -> list[Part]:
    tall, bell = rng.uniform(0.87, 1.13, 2) * [2.3, 0.4]
    brass, silver = varied((0.85, 0.6, 0.2), rng, 0.06), varied((0.8, 0.8, 0.82), rng, 0.05)
    path = np.array(
        [
            (-0.28, 0, tall, 0.07), (-0.25, 0, tall * 0.6, 0.105), (-0.22, 0, 0.4, 0.15), (-0.12, 0, 0.1, 0.17),
            (0.1, 0, -0.02, 0.19), (0.32, 0, 0.1, 0.2), (0.44, 0, 0.4, 0.21), (0.52, 0, 0.8, 0.24),
            (0.6, 0, 1.05, 0.32), (0.66, 0, 1.18, bell * 1.1),
        ]
    )  # fmt: skip
    line = curve(path, 64)
    horn = tube(line[:, :3], line[:, 3], 28)
    inside = tube(line[52:, :3] + [0, 0, 0.012], line[52:, 3] * 0.93, 28)
    rim = curve(path[-2:], 4)[-1]
    angle = np.linspace(0, 2 * np.pi, 40)
    ahead = line[-1, :3] - line[-2, :3]
    ahead /= np.linalg.norm(ahead)
    up = np.cross([0, 1, 0], ahead)
    edge = rim[:3] + rim[3] * (np.cos(angle)[:, None] * np.array([0, 1.0, 0]) + np.sin(angle)[:, None] * up)
    crook = curve(
        [
            (-0.28, 0, tall), (-0.28, 0, tall + 0.18), (-0.4, 0, tall + 0.3), (-0.62, 0, tall + 0.28),
            (-0.85, 0, tall + 0.12),
        ],
        24,
    )  # fmt: skip
    found = [
        painted(horn, brass),
        painted(inside, brass * 0.45),
        painted(tube(edge, 0.025, 8), brass),
        painted(tube(crook, np.linspace(0.07, 0.045, 24), 14), brass),
        painted(tube([crook[-2], crook[-1] + [-0.14, 0, -0.11]], [0.065, 0.045], 12), BLACK),
        painted(torus((-0.28, 0, tall), 0.08, 0.025, "z"), silver),
    ]
    for k in range(9):
        z = tall * (0.24 + 0.075 * k)
        at = np.interp(z, line[:30, 2][::-1], np.arange(30)[::-1])
        x, r = line[round(at), 0], line[round(at), 3]
        cup = placed(
            lathe([(0, 0.05), (0.085, 0.05), (0.095, 0.02), (0.08, 0), (0, 0)], 18),
            (0, 90, 0),
            (x + r, 0, z),
            1.15 - 0.05 * k,
        )
        side = placed(
            lathe([(0, 0.05), (0.07, 0.05), (0.08, 0.02), (0.07, 0)], 14),
            (-90, 0, 0),
            (x, r, z + 0.05),
            1.05 - 0.04 * k,
        )
        found += [painted(cup, silver if k % 2 else brass * 0.8), *([painted(side, silver)] if k % 2 else [])]
    for y, x in ((0.13, -0.1), (-0.13, -0.1)):
        found.append(painted(tube([(x - 0.02, y, 0.5), (x - 0.12, y * 0.8, tall * 0.92)], 0.018, 6), silver))
    for z, size in ((0.42, 0.13), (0.7, 0.14)):
        pad = placed(
            lathe([(0, 0.06), (size, 0.05), (size * 1.05, 0), (0, 0)], 20),
            (-90, 0, 0),
            (0.45 + 0.1 * (z > 0.5), 0.2, z),
        )
        found.append(painted(pad, silver))
    brace = torus((0.12, 0, 0.62), 0.2, 0.022, "y")
    return [*found, painted(brace, brass)]


def _harp(rng: np.random.Generator) -> list[Part]:
    tall, deep = rng.uniform(0.87, 1.13, 2) * [2.5, 1.35]
    wood = varied(((0.75, 0.5, 0.2), (0.5, 0.2, 0.1), (0.2, 0.13, 0.1))[rng.integers(3)], rng)
    gold = varied((0.88, 0.68, 0.25), rng, 0.05)
    # The column stands in front; the sounding box slopes up backwards; the neck joins both in a curve.
    column = painted(
        placed(
            lathe(
                [
                    (0.17, 0.1), (0.1, 0.2), (0.075, 0.35), (0.07, tall * 0.85), (0.11, tall * 0.92),
                    (0.09, tall * 0.95), (0.14, tall), (0.1, tall * 1.03), (0, tall * 1.05),
                ],
                24,
            ),
            shift=(deep / 2, 0, 0),
        ),
        gold,
    )  # fmt: skip
    foot, head = np.array([deep / 2 - 0.05, 0, 0.2]), np.array([-deep / 2, 0, tall * 0.74])
    chest = tube(np.linspace(foot, head, 12), np.linspace(0.27, 0.11, 12), 20)
    neck_path = curve(
        [
            head - [0.02, 0, 0.05],
            head - [-0.12, 0, -0.17],
            [-deep * 0.15, 0, tall * 0.72],
            [deep * 0.2, 0, tall * 0.86],
            [deep / 2, 0, tall * 0.97],
        ],
        36,
    )
    neck = tube(neck_path, np.interp(np.linspace(0, 1, 36), [0, 0.15, 0.5, 1], [0.1, 0.12, 0.085, 0.1]), 16)
    base = box((deep / 2 - 0.12, 0, 0.08), (0.75, 0.6, 0.18), 0.35)
    found = [column, painted(chest, _grain(wood, rng)), painted(neck, wood), painted(base, gold * 0.9)]
    count = 24
    for k in range(count):
        share = (k + 0.5) / count
        low = foot + (head - foot) * (0.08 + 0.86 * share) + [0.05, 0, 0.1]
        high = neck_path[np.argmin(np.abs(neck_path[8:, 0] - (deep * 0.42 - 0.85 * deep * share))) + 8] - [0, 0, 0.05]
        found.append(painted(tube([low, high], 0.011, 4), (0.8, 0.15, 0.12) if k % 7 == 0 else (0.92, 0.9, 0.82)))
        found.append(painted(placed(tube([(0, -0.12, 0), (0, 0.12, 0)], 0.014, 5), shift=high - [0, 0, -0.04]), gold))
    scroll = np.linspace(0, 3.2 * np.pi, 40)
    size = np.linspace(0.16, 0.03, 40)
    curl = np.stack([deep / 2 + 0.02 + size * np.cos(scroll), 0 * scroll, tall * 1.08 + size * np.sin(scroll)], 1)
    feet = [
        painted(ellipsoid((deep / 2 - 0.12 + x, y, -0.02), (0.09, 0.09, 0.07), 10), gold)
        for x in (-0.28, 0.28)
        for y in (-0.22, 0.22)
    ]
    return [*found, painted(tube(curl, np.linspace(0.06, 0.03, 40), 10), gold), *feet]


def _xylophone(rng: np.random.Generator) -> list[Part]:
    count, long, wide = int(rng.integers(8, 13)), *(rng.uniform(0.85, 1.15, 2) * [1.0, 0.17])
    hues = np.stack(
        [0.5 + 0.45 * np.cos(2 * np.pi * (np.arange(count) / count * 0.85 + s)) for s in (0, 0.67, 0.33)], 1
    )
    rosewood = varied((0.5, 0.2, 0.13), rng)
    coloured = rng.random() < 0.6
    wood = varied((0.78, 0.58, 0.35), rng)
    span, found = count * wide * 1.15, []
    for k in range(count):
        y, half = span * ((k + 0.5) / count - 0.5), long * (0.62 - 0.3 * k / count)
        colour = hues[k] if coloured else rosewood * rng.uniform(0.8, 1.2)
        bar = box((0, y, 0.2), (2 * half, wide, 0.075), 0.2)
        found.append(painted(bar, colour))
        found += [
            painted(ellipsoid((s * half * 0.72, y, 0.245), (0.03, 0.03, 0.025), 8), (0.85, 0.85, 0.87)) for s in (-1, 1)
        ]
    for s in (-1, 1):
        rail = tube([(s * long * 0.46, -span / 2 - 0.08, 0.1), (s * long * 0.24, span / 2 + 0.08, 0.1)], 0.065, 12)
        found.append(painted(rail, wood))
        end = box((0, s * (span / 2 + 0.06), 0.08), (long * (0.86 + (-0.44 if s > 0 else 0.16)), 0.11, 0.22), 0.25)
        found.append(painted(end, wood * 0.9))
    ball = varied((0.85, 0.2, 0.2), rng)
    for shift, turn in (((0.15, -0.1, 0.42), 62), ((-0.2, 0.25, 0.42), 40)):
        stick = joined([tube([(-0.75, 0, 0.05), (0.5, 0, 0)], 0.025, 10)])
        head = ellipsoid((0.52, 0, 0), (0.1, 0.1, 0.1), 14)
        found += [
            placed(painted(piece, paint), (0, 0, turn), shift) for piece, paint in ((stick, wood * 1.15), (head, ball))
        ]
    return found
