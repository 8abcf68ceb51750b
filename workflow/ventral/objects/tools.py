"""Tools: hammer, spanner, saw, screwdriver, pliers, shovel, axe and drill."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ventral.objects.shapes import (
    Paint,
    Part,
    box,
    curve,
    ellipsoid,
    grid,
    hull,
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

STEEL, WOOD = (0.62, 0.64, 0.67), (0.72, 0.5, 0.3)


def parts(design: int, rng: np.random.Generator) -> list[Part]:
    """Return the parts of a tool, its working end up."""
    kinds = (_hammer, _spanner, _saw, _screwdriver, _pliers, _shovel, _axe, _drill)
    return kinds[design](rng)


def _shaft(sections: ArrayLike, squareness: float = 1.0) -> Part:
    """Return a handle along z from sections (k, 4): height, x of the middle, and half extents along x and y."""
    z, x, along, across = curve(sections, 40).T
    return placed(hull(z, across, -x - along, -x + along, squareness), turn=(0, -90, 0))


def _grain(colour: NDArray, rng: np.random.Generator) -> Paint:
    """Return a paint like wood, its grain along z."""
    grain = mottled(colour, colour * 0.75, 0.08, int(rng.integers(1 << 30)), share=0.4)
    return lambda points: grain(points * [1, 1, 0.15])


def _hammer(rng: np.random.Generator) -> list[Part]:
    length, head = rng.uniform(0.83, 1.17, 2) * [2.4, 0.75]
    steel, wood = varied(STEEL, rng), varied(WOOD, rng)
    handle = _shaft(
        [
            (0, 0, 0.1, 0.08), (0.1, 0, 0.125, 0.095), (0.5 * length, 0, 0.085, 0.065),
            (0.75 * length, 0, 0.075, 0.06), (length, 0, 0.1, 0.06),
        ]
    )  # fmt: skip
    x = head * np.array([-0.15, 0.2, 0.45, 0.55, 0.62, 0.66, 0.88, 0.9])
    radius = np.array([0.15, 0.15, 0.12, 0.1, 0.12, 0.165, 0.165, 0.14])
    poll = hull(x, radius, length - radius, length + radius)
    claws = []
    t = np.linspace(0, 1, 14)
    for side in (-1, 1):
        middle = np.stack([-head * (0.1 + 0.95 * t), side * (0.055 + 0.06 * t), length - 0.02 - 0.42 * t**2.2], 1)
        rings = []
        for (px, py, pz), s in zip(middle, t, strict=True):
            a = np.linspace(0, 2 * np.pi, 14, endpoint=False)
            w, h = 0.07 * (1 - 0.25 * s), 0.15 * (1 - 0.8 * s)
            rings.append(np.stack([px + h * 0.5 * s * np.sin(a), py + w * np.cos(a), pz + h * np.sin(a)], 1))
        claws.append(loft(rings))
    return [
        painted(handle, _grain(wood, rng)),
        painted(joined([poll, *claws]), steel),
        painted(box((0, 0, length), (0.3, 0.22, 0.36), 0.4), steel * 0.85),
    ]


def _spanner(rng: np.random.Generator) -> list[Part]:
    length, jaw = rng.uniform(0.85, 1.15, 2) * [2.5, 0.36]
    chrome = varied((0.72, 0.74, 0.78), rng)
    turn = np.deg2rad(np.linspace(118, 422, 44))
    # An open jaw above, at 15 degrees, and a ring below.
    outer = np.stack([jaw * np.cos(turn), jaw * np.sin(turn)], 1)
    inner = (
        np.array([(0.17, 0.3), (0.17, -0.03), (0.09, -0.12), (-0.09, -0.12), (-0.17, -0.03), (-0.17, 0.3)]) * jaw / 0.36
    )
    tilt = np.deg2rad(-15)
    rotation = np.array([[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]])
    head = np.concatenate([outer, inner]) @ rotation.T + [0, length]
    shank = _shaft(
        [
            (0.1, 0, 0.14, 0.06), (0.3, 0, 0.11, 0.05), (0.5 * length, 0, 0.095, 0.045),
            (length - 0.5, 0, 0.12, 0.05), (length - 0.2, 0, 0.2, 0.06),
        ],
        0.6,
    )  # fmt: skip
    angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    ring = []
    for y, scale in ((-0.1, 1), (0.1, 1)):
        hole = 0.15 * (1 + 0.1 * np.abs(np.cos(6 * angle)))
        ring += [
            np.stack([r * np.cos(angle), 0 * angle + y * scale, r * np.sin(angle)], 1)
            for r in ((hole, 0.27) if y < 0 else (0.27, hole))
        ]
    eye = grid(np.array([*ring, ring[0]]), closed_v=True)
    found = [plate(head, 0.16), shank, placed(eye, shift=(0, 0, 0))]
    mark = box((0, 0, 0.5 * length), (0.09, 0.1, 0.8), 0.2)
    return [*(painted(piece, chrome) for piece in found), painted(mark, varied((0.3, 0.35, 0.5), rng))]


def _saw(rng: np.random.Generator) -> list[Part]:
    length, wide = rng.uniform(0.85, 1.15, 2) * [2.3, 0.68]
    steel, wood = varied((0.7, 0.72, 0.74), rng), varied((0.6, 0.3, 0.15), rng)
    count = 34
    toe = 0.24
    # Teeth run up the side at +x.
    z = np.linspace(0.05, length, 2 * count + 1)
    teeth = np.stack([wide / 2 + np.where(np.arange(len(z)) % 2, 0.07, 0.0), z], 1)
    back = [(wide / 2 - toe, length + 0.02), (-wide / 2, 0.1)]
    blade = painted(plate(np.concatenate([teeth, back]), 0.03), steel)
    outline = curve(
        [
            (-0.38, 0.35), (0.0, 0.42), (0.3, 0.1), (0.36, -0.1), (0.12, -0.2), (0.2, -0.55), (0.42, -0.72),
            (0.25, -0.84), (-0.1, -0.72), (-0.36, -0.45), (-0.5, -0.1), (-0.38, 0.35),
        ],
        110,
    )[:-1]  # fmt: skip
    grip = curve(
        [
            (-0.16, 0.0), (-0.02, 0.02), (0.02, -0.15), (0.05, -0.45), (-0.05, -0.52), (-0.2, -0.38),
            (-0.26, -0.12), (-0.16, 0.0),
        ],
        110,
    )[:-1]  # fmt: skip
    layers = []
    for y, shrink in ((-0.11, 0.03), (-0.07, 0), (0.07, 0), (0.11, 0.03)):
        middle = outline.mean(axis=0)
        layers.append(np.insert(outline + shrink * (middle - outline) * 2, 1, y, axis=1))
    holes = [
        np.insert(grip + s * (grip.mean(axis=0) - grip), 1, y, axis=1)
        for y, s in ((0.11, 0), (0.07, 0.12), (-0.07, 0.12), (-0.11, 0))
    ]
    handle = grid(np.array([*layers, *holes, layers[0]]), closed_v=True)
    screws = [
        painted(
            placed(lathe([(0, 0.14), (0.05, 0.14), (0.05, -0.14), (0, -0.14)], 14), (90, 0, 0), (x, 0, z)),
            (0.8, 0.68, 0.35),
        )
        for x, z in ((-0.2, 0.22), (0.05, 0.25), (0.22, 0.02))
    ]
    return [blade, painted(handle, _grain(wood, rng)), *screws]


def _screwdriver(rng: np.random.Generator) -> list[Part]:
    length, thick = rng.uniform(0.83, 1.17, 2) * [1.35, 0.24]
    colour, steel = varied((0.85, 0.35, 0.1), rng), varied(STEEL, rng)
    z, radius = curve(
        [(0, 0.5), (0.04, 0.85), (0.2, 1.0), (0.65, 0.95), (0.85, 0.6), (0.95, 0.55), (1.05, 0.75), (1.1, 0.7)], 50
    ).T
    angle = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    # Six flutes along the thick half of the handle.
    flute = 1 - 0.16 * np.clip((0.75 - z) * 6, 0, 1)[:, None] * np.clip((z - 0.05) * 8, 0, 1)[:, None] * (
        0.5 + 0.5 * np.cos(6 * angle)
    )
    r = thick * radius[:, None] * flute
    handle = loft(np.stack([r * np.cos(angle), r * np.sin(angle), z[:, None] + 0 * angle], -1))
    black = (0.1, 0.1, 0.11)
    grip = painted(
        handle,
        lambda points: np.where(
            (np.hypot(points[:, 0], points[:, 1]) < 0.88 * thick)[:, None]
            & (points[:, 2:] < 0.7)
            & (points[:, 2:] > 0.06),
            black,
            colour,
        ),
    )
    end = 1.05 + length
    shaft = tube([(0, 0, 1.05), (0, 0, end - 0.25)], 0.068, 18)
    tip = _shaft([(end - 0.26, 0, 0.068, 0.068), (end - 0.12, 0, 0.05, 0.11), (end, 0, 0.02, 0.085)], 0.7)
    collar = lathe([(0, 1.08), (0.12, 1.08), (0.11, 1.16), (0, 1.16)], 24)
    return [grip, painted(shaft, steel), painted(tip, steel * 0.8), painted(collar, steel * 0.9)]


def _pliers(rng: np.random.Generator) -> list[Part]:
    spread, length = rng.uniform(0.85, 1.15) * 0.42, rng.uniform(0.85, 1.15) * 1.7
    steel, rubber = varied((0.45, 0.46, 0.48), rng), varied((0.75, 0.12, 0.12), rng)
    found = []
    for side, y in ((1, 0.035), (-1, -0.035)):
        outline = np.array(
            [
                (0.015, 0.95), (0.015, 0.3), (-0.16, 0.12), (-0.2, -0.1), (-0.08, -0.28), (0.14, -0.36),
                (0.3, -0.16), (0.33, 0.08), (0.27, 0.3), (0.16, 0.7), (0.1, 0.95),
            ]
        )  # fmt: skip
        smooth = np.concatenate([curve(outline[:2], 6), curve(outline[1:], 40)[1:]]) * [side, 1]
        found.append(painted(plate(smooth, 0.17, at=y * 0.4), steel))
        # Teeth inside the jaws.
        found += [painted(box((side * 0.02, 0, z), (0.03, 0.16, 0.02), 0), steel * 0.6) for z in (0.5, 0.65, 0.8)]
        path = curve(
            [
                (side * 0.12, y, -0.2), (side * 0.3, y, -0.5), (side * spread * 1.1, y, -0.45 * length),
                (side * spread, y, -0.8 * length), (side * spread * 0.9, y, -length),
            ],
            30,
        )  # fmt: skip
        thick = np.interp(
            np.linspace(0, 1, 30), [0, 0.2, 0.25, 0.3, 0.6, 0.95, 1], [0.1, 0.09, 0.13, 0.12, 0.1, 0.115, 0.08]
        )
        arm = tube(path, thick, 18)
        found.append(painted(arm, lambda p: np.where(p[:, 2:] > -0.52, steel, rubber)))
    pivot = placed(
        lathe([(0, 0.15), (0.1, 0.15), (0.12, 0.12), (0.12, -0.12), (0.1, -0.15), (0, -0.15)], 28), (90, 0, 0)
    )
    return [*found, painted(pivot, steel * 1.3)]


def _shovel(rng: np.random.Generator) -> list[Part]:
    length, width, long = rng.uniform(0.85, 1.15, 3) * [2.5, 0.4, 0.95]
    steel, wood, grip = varied((0.3, 0.34, 0.36), rng), varied(WOOD, rng), varied((0.15, 0.3, 0.5), rng)
    t, across = np.linspace(0, 1, 22)[:, None], np.linspace(-1, 1, 17)[None]
    half = width * np.minimum(1, 1.02 * (1 - t**3.5)) ** 0.6 * np.minimum(1, 0.86 + t)
    # Hollow, with a ridge for the socket.
    hollow = 0.14 * (across**2 - 0.4) * (1 - 0.5 * t) + 0.16 * (t - 0.3) * t
    hollow = hollow - 0.05 * np.exp(-((across / 0.18) ** 2)) * np.clip(1 - 1.6 * t, 0, 1)
    edge = np.stack(np.broadcast_arrays(hollow, half * across, long * t), -1)
    blade = grid(np.concatenate([edge, (edge - [-0.025, 0, 0])[::-1]]), closed_u=True)
    socket = tube([(0.02, 0, 0.3), (-0.05, 0, 0), (-0.06, 0, -0.3)], [0.03, 0.085, 0.078], 18)
    treads = [box((0, s * width * 0.55, 0), (0.09, width * 0.6, 0.035), 0.3) for s in (-1, 1)]
    shaft = tube([(-0.06, 0, -0.1), (-0.06, 0, -length)], 0.062, 18)
    fork = curve(
        [
            (-0.06, -0.2, -length - 0.4), (-0.06, -0.17, -length - 0.12), (-0.06, 0, -length + 0.08),
            (-0.06, 0.17, -length - 0.12), (-0.06, 0.2, -length - 0.4),
        ],
        26,
    )  # fmt: skip
    bar = tube([(-0.06, -0.24, -length - 0.38), (-0.06, 0.24, -length - 0.38)], 0.065, 16)
    found = [
        *(painted(piece, steel) for piece in (blade, socket, *treads)),
        painted(shaft, _grain(wood, rng)),
        painted(tube(fork, 0.055, 14), grip),
        painted(bar, grip * 0.8),
    ]
    return [placed(piece, turn=(180, 0, 0)) for piece in found]


def _axe(rng: np.random.Generator) -> list[Part]:
    length, reach = rng.uniform(0.85, 1.15, 2) * [2.6, 0.72]
    red, wood, steel = varied((0.7, 0.15, 0.12), rng), varied((0.8, 0.62, 0.4), rng), varied((0.75, 0.77, 0.8), rng)
    handle = _shaft(
        [
            (0, -0.05, 0.13, 0.07), (0.12, -0.02, 0.12, 0.075), (0.35, 0.03, 0.085, 0.065),
            (0.5 * length, -0.03, 0.085, 0.06), (0.85 * length, 0.02, 0.095, 0.065), (length, 0, 0.1, 0.06),
        ]
    )  # fmt: skip
    x = np.array([-0.3, -0.28, -0.1, 0.12, 0.3, 0.55, 0.72]) * reach / 0.72
    half = np.array([0.12, 0.13, 0.125, 0.1, 0.06, 0.03, 0.004])
    low = length - 0.15 + np.array([-0.13, -0.14, -0.13, -0.12, -0.2, -0.38, -0.52])
    high = length - 0.15 + np.array([0.13, 0.14, 0.13, 0.13, 0.15, 0.2, 0.22])
    fine = np.column_stack([x, half, low, high])
    t = np.linspace(0, 1, 40)
    x, half, low, high = (np.interp(t, np.linspace(0, 1, 7), column) for column in fine.T)
    head = hull(x, half, low, high, squareness=0.45)
    bright = 0.42 * reach / 0.72
    return [
        painted(handle, _grain(wood, rng)),
        painted(head, lambda p: np.where(p[:, :1] > bright, steel, red)),
        painted(ellipsoid((0, 0, length), (0.08, 0.03, 0.03), 10), wood * 0.7),
    ]


def _drill(rng: np.random.Generator) -> list[Part]:
    long, grip = rng.uniform(0.85, 1.15, 2) * [1.0, 1.0]
    body, black, steel = varied((0.15, 0.5, 0.5), rng), varied((0.14, 0.14, 0.15), rng, 0.03), varied(STEEL, rng)
    x = np.array([-0.72, -0.68, -0.5, 0.0, 0.3, 0.5, 0.56]) * long
    half = np.array([0.14, 0.24, 0.28, 0.28, 0.25, 0.2, 0.17])
    case = painted(hull(x, half * 0.9, -half, half, 0.75), body)
    back = painted(
        hull([-0.8 * long, -0.76 * long, -0.66 * long], [0.1, 0.2, 0.25], [-0.11, -0.22, -0.27], [0.11, 0.22, 0.27]),
        black,
    )
    slots = [painted(box((-0.45 * long + 0.1 * k, 0, 0.06), (0.04, 0.53, 0.22), 0.2), black) for k in range(4)]
    profile = [(0, 0), (0.17, 0), (0.19, 0.06), (0.19, 0.2), (0.17, 0.22), (0.15, 0.36), (0.08, 0.44), (0, 0.44)]
    chuck = painted(placed(lathe(profile, 30), (0, 90, 0), (0.55 * long, 0, 0)), black * 1.3)
    turn = np.linspace(0, 7 * np.pi, 70)
    x = 0.95 * long + np.linspace(0, 0.75, 70)
    twist = [tube(np.stack([x, 0.022 * np.cos(turn + p), 0.022 * np.sin(turn + p)], 1), 0.03, 6) for p in (0, np.pi)]
    handle = _shaft(
        [
            (-1.05 * grip, -0.34, 0.17, 0.13), (-0.7 * grip, -0.3, 0.16, 0.13), (-0.35, -0.22, 0.18, 0.14),
            (0, -0.12, 0.24, 0.16),
        ]
    )  # fmt: skip
    rubber = painted(handle, lambda p: np.where((p[:, :1] < -0.26) | (p[:, 2:] < -0.9 * grip), black, body))
    trigger = painted(box((0.0, 0, -0.4), (0.14, 0.12, 0.24), 0.5), varied((0.8, 0.2, 0.1), rng))
    pack = [
        painted(box((-0.28, 0, -1.2 * grip), (0.78, 0.46, 0.3), 0.25), black),
        painted(box((-0.28, 0, -1.05 * grip), (0.6, 0.4, 0.14), 0.3), body),
    ]
    return [case, back, *slots, chuck, *(painted(piece, steel) for piece in twist), rubber, trigger, *pack]
