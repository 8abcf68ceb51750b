"""Chairs: dining, armchair, office, rocking, bar, deck, shell and cantilever chair."""

import numpy as np
from numpy.typing import NDArray

from ventral.objects.shapes import (
    Part,
    box,
    curve,
    grid,
    hull,
    joined,
    lathe,
    mirrored,
    mottled,
    painted,
    placed,
    stripes,
    superellipsoid,
    torus,
    tube,
    varied,
)

# Half the width and depth of the seat, its height, and the height of the back above it.
SIZES = [
    (0.22, 0.22, 0.46, 0.5),
    (0.3, 0.3, 0.4, 0.55),
    (0.25, 0.24, 0.5, 0.55),
    (0.25, 0.24, 0.44, 0.65),
    (0.2, 0.2, 0.78, 0.3),
    (0.28, 0.45, 0.32, 0.6),
    (0.26, 0.24, 0.43, 0.4),
    (0.24, 0.24, 0.45, 0.42),
]
# Colours of the seat and of the frame.
COLOURS = [
    ((0.75, 0.68, 0.5), (0.45, 0.25, 0.12)),
    ((0.62, 0.2, 0.22), (0.25, 0.15, 0.1)),
    ((0.14, 0.17, 0.26), (0.2, 0.2, 0.21)),
    ((0.85, 0.82, 0.74), (0.83, 0.8, 0.72)),
    ((0.75, 0.14, 0.1), (0.72, 0.73, 0.75)),
    ((0.16, 0.42, 0.65), (0.72, 0.52, 0.3)),
    ((0.88, 0.62, 0.12), (0.6, 0.42, 0.25)),
    ((0.25, 0.4, 0.24), (0.78, 0.78, 0.8)),
]


def parts(design: int, rng: np.random.Generator) -> list[Part]:
    """Return the painted parts of a chair of one of eight designs."""
    sizes = SIZES[design] * rng.uniform(0.9, 1.1, 4)
    seat, frame = (varied(colour, rng) for colour in COLOURS[design])
    make = [_dining, _armchair, _office, _rocking, _bar, _deck, _shell, _cantilever][design]
    return make(*sizes, seat, frame, rng)


def _cushion(x: float, y: float, z: float) -> Part:
    """Return a flat cushion of some half extents, dense across y."""
    share = np.linspace(-1, 1, 61)
    full = np.sqrt(np.maximum(1 - share**8, 1e-4))
    return placed(hull(share * y, x * full**0.4, -z * full, z * full, 0.5, 24), (0, 0, 90))


def _dining(
    w: float, d: float, h: float, back: float, seat: NDArray, frame: NDArray, rng: np.random.Generator
) -> list[Part]:
    legs = [tube([(0.9 * d, 0.9 * w, 0), (0.88 * d, 0.88 * w, h)], [0.02, 0.028], 8)]
    legs.append(
        tube(curve([(-1.2 * d, 0.85 * w, 0), (-0.9 * d, 0.88 * w, h), (-1.25 * d, 0.88 * w, h + back)], 12), 0.024, 8)
    )
    legs += [tube([(0.88 * d, 0.88 * w, 0.4 * h), (-1.0 * d, 0.88 * w, 0.4 * h)], 0.015, 8)]
    slats = [
        box([-(1.02 + 0.22 * share) * d, 0, h + share * back], [0.025, 1.75 * w, 0.07], 0.2)
        for share in np.linspace(0.4, 0.95, int(rng.integers(3, 5)))
    ]
    rails = [box([x * d, 0, h - 0.03], [0.03, 1.75 * w, 0.06]) for x in (0.88, -0.88)]
    return [
        painted(placed(_cushion(d, w, 0.035), shift=[0, 0, h + 0.015]), stripes(seat, seat * 0.55, "y", w / 5)),
        painted(joined([mirrored(joined(legs)), *slats, *rails]), frame),
    ]


def _armchair(
    w: float, d: float, h: float, back: float, seat: NDArray, frame: NDArray, rng: np.random.Generator
) -> list[Part]:
    cloth = mottled(seat, np.array([0.88, 0.75, 0.55]), 0.045, int(rng.integers(1000)), 0.3)
    arm = superellipsoid([0, 1.25 * w, 0.78 * h], [1.15 * d, 0.3 * w, 0.72 * h], (0.3, 0.35), 26)
    roll = tube([(-1.05 * d, 1.28 * w, 1.5 * h), (1.15 * d, 1.28 * w, 1.45 * h)], 0.36 * w, 24)
    body = [
        superellipsoid([0, 0, 0.55 * h], [1.05 * d, w, 0.42 * h], (0.25, 0.25), 24),
        superellipsoid([0.06, 0, h], [1.05 * d, 0.97 * w, 0.1], (0.5, 0.3), 24),
        placed(
            superellipsoid([0, 0, 0], [0.11, 1.25 * w, 0.75 * back], (0.45, 0.4), 30),
            (0, -12, 0),
            (-1.05 * d, 0, h + 0.35 * back),
        ),
        mirrored(joined([arm, roll])),
    ]
    feet = mirrored(
        joined(
            [lathe([(0.02, 0), (0.04, 0.09)], 12), placed(lathe([(0.02, 0), (0.04, 0.09)], 12), shift=[-1.9 * d, 0, 0])]
        )
    )
    legs = [placed(feet, shift=[0.95 * d, s * 1.15 * w, 0]) for s in (-1, 1)]
    return [painted(joined(body), cloth), painted(joined(legs), frame)]


def _office(
    w: float, d: float, h: float, back: float, seat: NDArray, frame: NDArray, rng: np.random.Generator
) -> list[Part]:
    rest = superellipsoid([0, 0, 0], [0.05, 0.95 * w, 0.46 * back], (0.55, 0.5), 22)
    made = [
        painted(superellipsoid([0, 0, h], [d, w, 0.055], (0.6, 0.4), 22), seat),
        painted(placed(rest, (0, -10, 0), (-1.1 * d, 0, h + 0.62 * back)), seat * 1.15),
        painted(
            tube(curve([(-0.1 * d, 0, h - 0.06), (-1.15 * d, 0, h - 0.04), (-1.25 * d, 0, h + 0.4 * back)], 14), 0.03),
            frame,
        ),
        painted(tube([(0, 0, 0.1), (0, 0, 0.26), (0, 0, 0.26), (0, 0, h)], [0.045, 0.045, 0.025, 0.025]), frame * 1.4),
    ]
    for k in range(5):
        spoke = tube([(0, 0, 0.13), (1.15 * d, 0, 0.075)], [0.04, 0.022], 10)
        wheel = torus([1.15 * d, 0, 0.035], 0.018, 0.02)
        made.append(painted(placed(joined([spoke, wheel]), (0, 0, 72 * k + 20)), frame))
    rod = curve([(-0.2 * d, w, h - 0.03), (-0.2 * d, 1.2 * w, h), (-0.2 * d, 1.2 * w, h + 0.2)], 10)
    pad = superellipsoid([0, 1.2 * w, h + 0.22], [0.55 * d, 0.035, 0.02], (0.5, 0.5), 12)
    return [*made, painted(mirrored(joined([tube(rod, 0.016, 8), pad])), frame)]


def _rocking(
    w: float, d: float, h: float, back: float, seat: NDArray, frame: NDArray, rng: np.random.Generator
) -> list[Part]:
    angle = np.linspace(-0.55, 0.5, 24)
    rocker = tube(
        np.stack([1.1 * np.sin(angle) - 0.05, np.full(24, 0.9 * w), 1.12 - 1.1 * np.cos(angle)], 1), 0.022, 10
    )
    turned = [
        tube(
            curve([(x * 0.95 * d, 0.9 * w, 0.05), (x * 0.85 * d, 0.88 * w, 0.5 * h), (x * 0.85 * d, 0.86 * w, h)], 12),
            [0.018, 0.022, 0.026, 0.022, 0.02, 0.026, 0.026, 0.02, 0.022, 0.026, 0.022, 0.02],
            10,
        )
        for x in (-1, 1)
    ]
    top = np.array([-1.5 * d, 0, h + back])
    arm = tube(
        curve([(-1.15 * d, 0.95 * w, h + 0.23), (0, 1.08 * w, h + 0.24), (0.9 * d, 1.05 * w, h + 0.22)], 12), 0.024, 10
    )
    props = [tube([(x * d, 0.92 * w, h), (x * d, 1.05 * w, h + 0.22)], 0.015, 8) for x in (-0.3, 0.75)]
    post = tube([(-0.9 * d, 0.9 * w, h), (top[0], 0.95 * w, h + back)], 0.024, 10)
    spindles = [
        tube([(-0.9 * d, y * w, h), (top[0], 1.02 * y * w, h + back)], 0.011, 8)
        for y in np.linspace(-0.65, 0.65, int(rng.integers(6, 9)))
    ]
    crest = superellipsoid(top, [0.022, 1.02 * w, 0.07], (0.5, 0.4), 14)
    return [
        painted(superellipsoid([0, 0, h], [d, w, 0.03], (0.5, 0.5), 20), seat),
        painted(joined([mirrored(joined([rocker, *turned, arm, *props, post])), *spindles, crest]), frame),
    ]


def _bar(
    w: float, d: float, h: float, back: float, seat: NDArray, frame: NDArray, _: np.random.Generator
) -> list[Part]:
    legs = [
        tube([(a * 1.15 * d, b * 1.15 * w, 0), (a * 0.65 * d, b * 0.65 * w, h)], 0.016, 10)
        for a in (-1, 1)
        for b in (-1, 1)
    ]
    angle = np.linspace(0.62 * np.pi, 1.38 * np.pi, 16)
    hoop = np.stack([1.02 * d * np.cos(angle), 1.02 * w * np.sin(angle)], 1)
    ends = [(*hoop[0], h), *np.insert(hoop, 2, h + back, axis=1), (*hoop[-1], h)]
    cushion = lathe(
        curve([(0, 0.07), (0.7, 0.075), (0.97, 0.05), (1, 0.01), (0.9, -0.03), (0, -0.03)], 24) * [w, 1.0], 36
    )
    pad = [np.insert(0.98 * hoop * s, 2, h + back * z, axis=1) for z, s in ((0.55, 1.0), (1.0, 1.0))]
    return [
        painted(placed(cushion, shift=[0, 0, h]), seat),
        painted(grid(np.array([*pad, pad[1] * [1.08, 1.08, 1], pad[0] * [1.08, 1.08, 1]]), closed_u=True), seat),
        painted(joined([*legs, tube(np.array(ends), 0.015, 8), torus([0, 0, 0.38 * h], 1.38 * w, 0.014, "z")]), frame),
    ]


def _deck(
    w: float, d: float, h: float, back: float, seat: NDArray, frame: NDArray, rng: np.random.Generator
) -> list[Part]:
    front, top = np.array([0.95 * d, 0, h]), np.array([-1.05 * d, 0, h + back])
    sling = curve([front, (0.35 * d, 0, 0.55 * h), (-0.3 * d, 0, 0.75 * h), top], 30)
    across = np.linspace(-0.9, 0.9, 57) * w
    cloth = grid(sling[:, None] + across[None, :, None] * np.array([0, 1, 0]))
    band = w / rng.integers(3, 6)
    long = tube([(1.15 * d, w, 0), np.add(top, [0, w, 0])], 0.02, 8)
    short = tube([(-0.95 * d, 0.92 * w, 0), np.add(front, [0, 0.92 * w, 0])], 0.02, 8)
    prop = tube([(-1.35 * d, 1.06 * w, 0.02), (-0.62 * d, 1.06 * w, h + 0.62 * back)], 0.016, 8)
    foot = tube([(-1.35 * d, 1.06 * w, 0.02), (-0.95 * d, 1.0 * w, 0.01), (1.15 * d, w, 0.01)], 0.016, 8)
    bars = [tube([place - [0, w, 0], np.add(place, [0, w, 0])], 0.02, 8) for place in (front, top)]
    return [
        painted(cloth, stripes(seat, np.array([0.93, 0.9, 0.84]), "y", band)),
        painted(joined([mirrored(joined([long, short, prop, foot])), *bars]), frame),
    ]


def _shell(
    w: float, d: float, h: float, back: float, seat: NDArray, frame: NDArray, _: np.random.Generator
) -> list[Part]:
    # The middle of the shell from its front edge to the top of its back, how wide it is and how far its sides rise.
    rows = curve(
        [
            (1.0, -0.05, 0.8, 0.0),
            (0.8, 0.02, 0.95, 0.12),
            (0, -0.02, 1.0, 0.3),
            (-0.75, 0.05, 1.0, 0.55),
            (-1.05, 0.4, 0.95, 0.3),
            (-1.2, 0.95, 0.75, 0.05),
            (-1.22, 1.05, 0.5, 0.0),
        ],
        40,
    )
    across = np.linspace(-1, 1, 31)[None]
    x, z, half, rise = (rows[:, k, None] for k in range(4))
    lift = rise * np.abs(across) ** 2.5
    layers = [
        np.stack(
            np.broadcast_arrays(
                x * d + 0.45 * d * lift * (z > 0.2),
                half * w * across * 1.05,
                h + z * back + 0.3 * lift * back * 1.4 + s,
            ),
            -1,
        )
        for s in (0.0, -0.015)
    ]
    legs = [
        tube([(a * 0.5 * d, b * 0.5 * w, h - 0.02), (a * 1.05 * d, b * 1.0 * w, 0)], [0.024, 0.013], 10)
        for a in (-1, 1)
        for b in (-1, 1)
    ]
    wires = [
        tube([(0.7 * d, 0.7 * w, 0.6 * h), (-0.7 * d, -0.7 * w, 0.6 * h)], 0.008, 8),
        tube([(0.7 * d, -0.7 * w, 0.6 * h), (-0.7 * d, 0.7 * w, 0.6 * h)], 0.008, 8),
    ]
    return [
        *(painted(grid(layer), seat) for layer in layers),
        painted(joined(legs), frame),
        painted(joined(wires), (0.12, 0.12, 0.12)),
    ]


def _cantilever(
    w: float, d: float, h: float, back: float, seat: NDArray, frame: NDArray, rng: np.random.Generator
) -> list[Part]:
    side = [
        (-0.95 * d, 0.9, 0.02),
        (0.75 * d, 0.9, 0.02),
        (1.0 * d, 0.9, 0.07),
        (1.02 * d, 0.9, h - 0.07),
        (0.85 * d, 0.9, h),
        (-0.85 * d, 0.9, h),
        (-1.05 * d, 0.9, h + 0.06),
        (-1.3 * d, 0.9, h + back),
    ]
    pipe = tube(curve(np.array(side) * [1, w, 1], 50), 0.018, 10)
    weave = stripes(seat, np.array([0.8, 0.7, 0.45]), "y", w / 4.5)
    pads = [
        placed(_cushion(0.9 * d, 0.95 * w, 0.03), shift=[0, 0, h + 0.025]),
        placed(_cushion(0.36 * back, 0.97 * w, 0.03), (0, 79, 0), (-1.2 * d, 0, h + 0.72 * back)),
    ]
    bar = tube([(-0.95 * d, -0.9 * w, 0.02), (-0.95 * d, 0.9 * w, 0.02)], 0.018, 10)
    return [painted(joined(pads), weave), painted(joined([mirrored(pipe), bar]), frame)]
