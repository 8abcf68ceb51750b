"""Cars: saloon, beetle, jeep, pickup, sports car, minibus, vintage car and racing car."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ventral.objects.shapes import (
    Part,
    box,
    curve,
    ellipsoid,
    hull,
    joined,
    lathe,
    loft,
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

GLASS, DARK, CHROME = (0.13, 0.17, 0.22), (0.07, 0.07, 0.08), (0.72, 0.73, 0.75)
Rows = list[tuple[float, float, float, float]]


class Car(NamedTuple):
    """Measures of a design in metres; the ground is at z = 0."""

    body: Rows  # x, half width, bottom, top
    cabin: Rows  # the same, of what stands on the body
    pillars: list[float]  # x of the pillars between its windows
    glass: tuple[float, float]  # lowest and highest z of the windows
    wheels: tuple[float, float, float, float, float]  # x in front, x behind, y, radius, width
    lights: tuple[float, float, float, float]  # x, y, z, radius of the headlights
    colours: list[tuple[float, float, float]]  # body, roof, rims
    square: float = 0.35  # exponent of the sections
    rear: tuple[float, float] = (-2.15, 0.75)  # x and z of the rear lights
    bumpers: bool = True


# fmt: off
CARS = [
    Car(
        [(-2.25, 0.7, 0.4, 0.8), (-2.15, 0.82, 0.28, 0.95), (-1.3, 0.9, 0.2, 0.98), (0.8, 0.9, 0.2, 0.95),
         (1.9, 0.84, 0.22, 0.8), (2.2, 0.7, 0.3, 0.68)],
        [(-1.75, 0.66, 0.85, 0.92), (-0.95, 0.64, 0.85, 1.4), (0.1, 0.65, 0.85, 1.45), (0.45, 0.66, 0.85, 1.38),
         (1.2, 0.7, 0.8, 0.9)],
        [-0.9, -0.1],
        (0.98, 1.33),
        (1.4, -1.4, 0.8, 0.33, 0.22),
        (2.08, 0.6, 0.66, 0.13),
        [(0.16, 0.3, 0.6), (0.16, 0.3, 0.6), (0.75, 0.76, 0.78)],
    ),
    Car(
        [(-2.0, 0.3, 0.35, 0.5), (-1.85, 0.6, 0.3, 0.8), (-1.2, 0.68, 0.22, 0.98), (0.8, 0.66, 0.22, 0.95),
         (1.5, 0.55, 0.26, 0.85), (1.85, 0.35, 0.3, 0.55)],
        [(-1.85, 0.25, 0.6, 0.68), (-1.35, 0.5, 0.8, 1.05), (-0.75, 0.58, 0.8, 1.4), (-0.1, 0.6, 0.8, 1.5),
         (0.35, 0.58, 0.8, 1.38), (0.78, 0.55, 0.8, 0.95)],
        [-0.75, -0.1],
        (1.04, 1.34),
        (1.2, -1.2, 0.66, 0.34, 0.18),
        (1.47, 0.62, 0.68, 0.13),
        [(0.78, 0.83, 0.55), (0.78, 0.83, 0.55), (0.85, 0.85, 0.85)],
        0.8,
        (-1.72, 0.6),
    ),
    Car(
        [(-1.85, 0.8, 0.5, 1.0), (-1.8, 0.82, 0.42, 1.06), (0.5, 0.82, 0.42, 1.06), (1.65, 0.72, 0.45, 1.02),
         (1.72, 0.7, 0.5, 0.98)],
        [(-1.8, 0.76, 1.0, 1.78), (-1.7, 0.76, 1.0, 1.84), (0.3, 0.76, 1.0, 1.84), (0.4, 0.76, 1.0, 1.78),
         (0.52, 0.77, 1.0, 1.06)],
        [-1.72, -0.85, -0.2],
        (1.14, 1.62),
        (1.2, -1.15, 0.78, 0.42, 0.28),
        (1.71, 0.5, 0.8, 0.12),
        [(0.33, 0.37, 0.2), (0.75, 0.68, 0.5), (0.3, 0.3, 0.3)],
        0.14,
        (-1.84, 0.85),
    ),
    Car(
        [(-2.6, 0.84, 0.5, 0.76), (-2.55, 0.9, 0.42, 0.82), (-0.6, 0.92, 0.4, 0.86), (0.9, 0.92, 0.4, 1.08),
         (2.1, 0.88, 0.42, 1.02), (2.35, 0.8, 0.5, 0.9)],
        [(-0.62, 0.76, 0.95, 1.1), (-0.55, 0.76, 0.95, 1.72), (0.25, 0.76, 0.95, 1.78), (0.45, 0.76, 0.95, 1.7),
         (1.05, 0.8, 0.95, 1.06)],
        [-0.55, 0.0],
        (1.16, 1.6),
        (1.55, -1.6, 0.82, 0.4, 0.27),
        (2.27, 0.66, 0.8, 0.13),
        [(0.7, 0.25, 0.12), (0.7, 0.25, 0.12), (0.7, 0.7, 0.72)],
        0.22,
        (-2.58, 0.68),
    ),
    Car(
        [(-2.15, 0.8, 0.4, 0.82), (-2.0, 0.93, 0.22, 0.9), (-1.2, 0.98, 0.15, 0.92), (0, 0.9, 0.13, 0.76),
         (1.2, 0.95, 0.14, 0.74), (1.9, 0.85, 0.15, 0.52), (2.25, 0.6, 0.18, 0.32)],
        [(-2.0, 0.6, 0.7, 0.85), (-1.2, 0.62, 0.7, 1.04), (-0.4, 0.6, 0.65, 1.15), (0.1, 0.6, 0.6, 1.1),
         (1.1, 0.68, 0.55, 0.74)],
        [-0.75],
        (0.82, 1.07),
        (1.35, -1.3, 0.86, 0.34, 0.28),
        (1.88, 0.62, 0.56, 0.12),
        [(0.9, 0.72, 0.1), (0.9, 0.72, 0.1), (0.2, 0.2, 0.2)],
        0.5,
        (-2.08, 0.7),
        False,
    ),
    Car(
        [(-2.1, 0.76, 0.4, 0.9), (-2.0, 0.84, 0.3, 1.08), (1.7, 0.84, 0.3, 1.08), (1.98, 0.76, 0.35, 1.0),
         (2.06, 0.6, 0.45, 0.85)],
        [(-2.05, 0.68, 0.95, 1.5), (-1.9, 0.74, 0.95, 1.86), (1.3, 0.74, 0.95, 1.88), (1.65, 0.73, 0.95, 1.75),
         (1.95, 0.72, 0.9, 1.08)],
        [-1.85, -1.1, -0.25, 0.6, 1.3],
        (1.2, 1.62),
        (1.3, -1.25, 0.75, 0.34, 0.2),
        (2.04, 0.52, 0.78, 0.13),
        [(0.2, 0.55, 0.55), (0.93, 0.9, 0.82), (0.9, 0.9, 0.88)],
        0.3,
        (-2.08, 0.75),
    ),
    Car(
        [(-1.5, 0.55, 0.55, 1.0), (-1.4, 0.62, 0.5, 1.15), (0.3, 0.6, 0.5, 1.15), (0.6, 0.48, 0.5, 1.15),
         (1.5, 0.4, 0.5, 1.12), (1.55, 0.38, 0.52, 1.1)],
        [(-1.5, 0.55, 1.05, 1.75), (-1.42, 0.6, 1.05, 1.85), (0.28, 0.6, 1.05, 1.86), (0.36, 0.58, 1.05, 1.75),
         (0.38, 0.58, 1.05, 1.1)],
        [-1.42, -0.85, -0.2],
        (1.22, 1.68),
        (1.35, -1.15, 0.68, 0.45, 0.12),
        (1.6, 0.5, 1.0, 0.15),
        [(0.28, 0.08, 0.1), (0.1, 0.09, 0.09), (0.75, 0.62, 0.3)],
        0.25,
        (-1.52, 0.75),
        False,
    ),
    Car(
        [(-1.9, 0.18, 0.22, 0.5), (-1.2, 0.3, 0.1, 0.78), (-0.6, 0.55, 0.08, 0.82), (-0.1, 0.52, 0.08, 0.62),
         (0.9, 0.27, 0.1, 0.58), (2.1, 0.13, 0.15, 0.36), (2.45, 0.06, 0.2, 0.28)],
        [(-1.5, 0.05, 0.5, 0.6), (-0.9, 0.13, 0.55, 0.98), (-0.62, 0.16, 0.6, 1.08), (-0.55, 0.1, 0.7, 0.95)],
        [],
        (9.0, 9.0),
        (1.5, -1.4, 0.75, 0.36, 0.38),
        (0, 0, 0, 0),
        [(0.85, 0.12, 0.1), (0.92, 0.92, 0.92), (0.35, 0.35, 0.37)],
        0.6,
        (-1.9, 0.3),
        False,
    ),
]
# fmt: on


def parts(design: int, rng: np.random.Generator) -> list[Part]:
    """Return the painted parts of a car of one of eight designs."""
    car = CARS[design]
    body, roof, rim = (varied(colour, rng, 0.1) for colour in car.colours)
    if car.colours[1] == car.colours[0]:
        roof = body
    low, high = car.glass
    front = max(x for x, *_ in car.cabin)

    def cabin(points: NDArray) -> NDArray:
        x, y, z = points.T
        sides = np.abs(y) > 0.85 * np.interp(x, *np.array(car.cabin)[:, :2].T)
        pillar = np.any([np.abs(x - at) < 0.05 for at in car.pillars], axis=0) & sides if car.pillars else False
        window = (z > low) & (z < high) & ~pillar
        return np.where(window[:, None], GLASS, np.where((z >= high)[:, None], roof, body))

    def coat(points: NDArray) -> NDArray:
        two_tone = (design == 5) & (points[:, 2] > 0.85)
        under = points[:, 2] < np.min([row[2] for row in car.body]) + 0.1
        return np.where(under[:, None], DARK, np.where(two_tone[:, None], roof, body))

    made = [
        painted(hull(*curve(car.body, 50).T, squareness=car.square, m=44), coat),
        painted(_cabin(car), cabin),
    ]
    x_front, x_behind, y, radius, width = car.wheels
    for x in (x_front, x_behind):
        half = np.interp(x, *np.array(car.body)[:, :2].T)
        covered = design not in (6, 7)
        place = np.array([x, half + 0.035 - width / 2 if covered else y, radius])
        made.append(mirrored(_wheel(place, radius, width, rim)))
        if covered:
            arch = placed(
                lathe([(0, 0.5), (1.17 * radius, 0.5), (1.17 * radius, -0.5), (0, -0.5)], 32),
                (90, 0, 0),
                scale=[1, 1, 0.2],
            )
            made.append(painted(mirrored(placed(arch, shift=[x, half - 0.088, radius])), DARK))
    x, y, z, size = car.lights
    nose, tail = car.body[-1][0], car.body[0][0]
    if size:
        made.append(painted(mirrored(ellipsoid([x, y, z], [0.6 * size, size, size], 10)), (0.95, 0.94, 0.85)))
        made.append(
            painted(
                mirrored(
                    superellipsoid(
                        [car.rear[0], 0.6 if design != 6 else 0.45, car.rear[1]], [0.07, 0.14, 0.08], (0.4, 0.4), 10
                    )
                ),
                (0.75, 0.06, 0.05),
            )
        )
        plates = [[nose + 0.0, 0, 0.42], [tail - 0.01, 0, 0.55]]
        made += [painted(box(place, [0.06, 0.5, 0.12], resolution=8), (0.9, 0.88, 0.75)) for place in plates]
    if car.bumpers:
        made += [
            painted(
                tube(
                    curve(
                        [(x - s * 0.3, -0.85 * w, z), (x, -0.6 * w, z), (x, 0.6 * w, z), (x - s * 0.3, 0.85 * w, z)], 16
                    ),
                    0.07,
                    10,
                ),
                CHROME if design in (1, 5) else DARK,
            )
            for s, x, w, z in ((1, nose + 0.03, 0.9, 0.45), (-1, tail - 0.03, 0.9, 0.47))
        ]
    if design in (0, 3, 4, 5):
        made.append(
            painted(
                mirrored(
                    ellipsoid(
                        [front - 0.4, np.interp(front - 0.4, *np.array(car.cabin)[:, :2].T) + 0.09, low + 0.02],
                        [0.05, 0.11, 0.07],
                        8,
                    )
                ),
                body,
            )
        )
        made.append(
            painted(
                superellipsoid([nose - 0.06, 0, 0.62 if design != 4 else 0.3], [0.1, 0.38, 0.09], (0.3, 0.3), 10), DARK
            )
        )
    made += _EXTRAS.get(design, lambda *_: [])(body, roof, rng)
    length = rng.uniform(0.92, 1.08)
    return [placed(part, scale=[length, 1, 1]) for part in made]


def _cabin(car: Car) -> Part:
    """Return a hull whose points lie along the edges of its windows, so that these are sharp."""
    table, exponent, gap = np.array(car.cabin), 0.8 * car.square + 0.1, 0.008
    edges = [at + side for at in car.pillars for side in (-0.05 - gap, -0.05 + gap, 0.05 - gap, 0.05 + gap)]
    between = np.interp(np.linspace(0, len(table) - 1, 12 * (len(table) - 1) + 1), np.arange(len(table)), table[:, 0])
    x = np.unique(np.clip([*between, *edges], table[0, 0], table[-1, 0]))
    half, bottom, top = (np.interp(x, table[:, 0], column)[:, None] for column in table.T[1:])
    turn = [np.full_like(half, -np.pi / 2)]
    for height in car.glass:
        for level in (height - gap, height + gap):
            share = np.clip((2 * level - bottom - top) / (top - bottom), -1, 1)
            turn.append(np.arcsin(np.sign(share) * np.abs(share) ** (1 / exponent)))
    turn.append(np.full_like(half, np.pi / 2))
    pieces = [
        first + (last - first) * np.linspace(0, 1, count)[None]
        for first, last, count in zip(turn[::2], turn[1::2], (3, 7, 9), strict=True)
    ]
    turn = np.concatenate(pieces, axis=1)
    turn = np.concatenate([turn, np.pi - turn[:, -2:0:-1]], axis=1)
    across = np.sign(np.cos(turn)) * np.abs(np.cos(turn)) ** exponent
    up = np.sign(np.sin(turn)) * np.abs(np.sin(turn)) ** exponent
    return loft(
        np.stack(np.broadcast_arrays(x[:, None], half * across, (bottom + top + (top - bottom) * up) / 2), axis=-1)
    )


def _wheel(centre: NDArray, radius: float, width: float, rim: NDArray) -> Part:
    """Return a wheel: tyre, rim and five dark holes between its spokes."""
    profile = np.array(
        [
            (0, 0.42),
            (0.2, 0.45),
            (0.55, 0.4),
            (0.6, 0.5),
            (0.66, 0.5),
            (0.9, 0.48),
            (1, 0.3),
            (1, -0.3),
            (0.9, -0.48),
            (0.6, -0.5),
            (0, -0.4),
        ]
    )
    wheel = lathe(profile * [radius, width], 28)
    distance = np.hypot(*wheel.points[:, :2].T) / radius
    angle = np.arctan2(*wheel.points[:, :2].T)
    hole = (distance > 0.4) & (distance < 0.58) & (np.sin(5 * angle) > 0)
    colours = np.where(((distance > 0.63) | hole)[:, None], DARK, rim)
    return placed(painted(wheel, colours), (-90, 0, 0), centre)


def _jeep(body: NDArray, roof: NDArray, rng: np.random.Generator) -> list[Part]:
    spare = placed(_wheel(np.zeros(3), 0.38, 0.22, roof), (0, 0, 90), (-1.98, 0.1, 1.05))
    fender = [
        plate(
            [(x - 0.62, 0.62), (x - 0.4, 0.95), (x + 0.4, 0.95), (x + 0.62, 0.62), (x + 0.45, 0.8), (x - 0.45, 0.8)],
            0.25,
            "y",
            0.82,
        )
        for x in (1.2, -1.15)
    ]
    slots = [box([1.73, y, 0.8], [0.03, 0.06, 0.26], resolution=8) for y in np.linspace(-0.28, 0.28, 6)]
    return [spare, painted(mirrored(joined(fender)), body * 0.55), painted(joined(slots), DARK)]


def _pickup(body: NDArray, roof: NDArray, rng: np.random.Generator) -> list[Part]:
    sides = [box([-1.6, 0.86, 0.98], [1.95, 0.1, 0.3], 0), box([-2.54, 0, 0.98], [0.1, 1.75, 0.3], 0)]
    bed = box([-1.6, 0, 0.9], [1.9, 1.6, 0.02], 0)
    return [painted(joined([mirrored(sides[0]), sides[1]]), body), painted(bed, DARK)]


def _sports(body: NDArray, roof: NDArray, rng: np.random.Generator) -> list[Part]:
    spoiler = superellipsoid([-1.95, 0, 1.18], [0.2, 0.85, 0.025], (0.5, 0.4), 14)
    posts = mirrored(tube([(-1.9, 0.6, 0.85), (-1.95, 0.6, 1.18)], 0.04, 8))
    vents = [placed(superellipsoid([0, 0, 0], [0.25, 0.02, 0.12], (0.6, 0.4), 12), (0, 15, 0), (-0.75, 0.965, 0.55))]
    return [painted(joined([spoiler, posts]), body * 0.9), painted(mirrored(vents[0]), DARK)]


def _vintage(body: NDArray, roof: NDArray, rng: np.random.Generator) -> list[Part]:
    fenders = []
    for x, back in ((1.35, -0.95), (-1.15, -0.55)):
        angle = np.linspace(0.15, 1.05 * np.pi, 20)
        arc = np.stack([x + 0.56 * np.cos(angle), np.full(20, 0.0), 0.47 + 0.56 * np.sin(angle)], axis=1)
        path = np.concatenate([arc, [(x + 0.65 * back, 0, 0.38)]])
        fenders.append(placed(tube(path, 0.035, 10), scale=[1, 5, 1], shift=[0, 0.66, 0]))
    step = box([0.1, 0.68, 0.36], [1.5, 0.3, 0.05])
    grille = superellipsoid([1.57, 0, 0.84], [0.05, 0.36, 0.34], (0.4, 0.4), 14)
    chassis = box([0, 0, 0.45], [2.9, 0.7, 0.14])
    windscreen = tube([(0.4, -0.6, 1.2), (0.4, 0.6, 1.2)], 0.03, 8)
    return [
        painted(mirrored(joined([*fenders, step])), roof),
        painted(joined([grille, windscreen]), (0.8, 0.65, 0.3)),
        painted(chassis, DARK),
        painted(box([1.6, 0, 0.84], [0.06, 0.5, 0.48]), stripes(DARK, (0.5, 0.45, 0.3), "y", 0.05)),
    ]


def _racing(body: NDArray, roof: NDArray, rng: np.random.Generator) -> list[Part]:
    wings = [
        box([2.35, 0, 0.17], [0.45, 1.75, 0.05]),
        box([-1.85, 0, 0.95], [0.42, 1.3, 0.05]),
        box([-1.9, 0, 0.72], [0.3, 1.25, 0.04]),
    ]
    ends = [
        box([2.35, 0.88, 0.24], [0.5, 0.04, 0.25], resolution=8),
        box([-1.85, 0.66, 0.72], [0.5, 0.04, 0.6], resolution=8),
    ]
    arms = [
        tube([(x + d, 0.2, z), (x, 0.7, 0.36)], 0.025, 8) for x in (1.5, -1.4) for d, z in ((-0.3, 0.42), (0.25, 0.25))
    ]
    pod = superellipsoid([-0.55, 0.45, 0.36], [0.75, 0.27, 0.26], (0.5, 0.6), 18)
    helmet = ellipsoid([-0.3, 0, 0.75], [0.16, 0.14, 0.16], 12)
    return [
        painted(joined([*wings, mirrored(joined(ends))]), roof),
        painted(mirrored(pod), body),
        painted(mirrored(joined(arms)), DARK),
        painted(ellipsoid([-0.12, 0, 0.6], [0.36, 0.22, 0.08], 12), DARK),
        painted(helmet, varied((0.2, 0.35, 0.7), rng)),
        painted(torus([0.05, 0, 0.68], 0.1, 0.02, "x"), DARK),
    ]


_EXTRAS = {2: _jeep, 3: _pickup, 4: _sports, 6: _vintage, 7: _racing}
