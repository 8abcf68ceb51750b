"""Fruits: apple, bananas, pear, pineapple, grapes, strawberry, slice of watermelon and cherries."""

import numpy as np
from numpy.typing import NDArray

from ventral.objects.shapes import (
    Part,
    curve,
    ellipsoid,
    grid,
    hull,
    lathe,
    mottled,
    painted,
    placed,
    tube,
    varied,
)

WOOD = (0.33, 0.22, 0.1)
LEAF = (0.22, 0.45, 0.14)


def parts(design: int, rng: np.random.Generator) -> list[Part]:
    """Return the painted parts of a fruit of one of eight designs."""
    return [_apple, _bananas, _pear, _pineapple, _grapes, _strawberry, _watermelon, _cherries][design](rng)


def _apple(rng: np.random.Generator) -> list[Part]:
    tall = rng.uniform(0.85, 1.05)
    profile = [
        (0, -0.72),
        (0.12, -0.78),
        (0.3, -0.85),
        (0.6, -0.65),
        (0.88, -0.15),
        (1, 0.25),
        (0.85, 0.68),
        (0.5, 0.86),
    ]
    body = lathe(curve([*profile, (0.22, 0.76), (0.06, 0.56), (0, 0.5)], 40) * [1, tall], 48)
    # Five ribs, as of the core's five chambers.
    angle = np.arctan2(body.points[:, 1], body.points[:, 0])
    body = placed(body, scale=1 + 0.025 * np.stack([np.cos(5 * angle)] * 3, 1) * np.array([1, 1, 0]))
    red, yellow = varied((0.72, 0.1, 0.08), rng, 0.1), varied((0.85, 0.72, 0.25), rng)
    blush = mottled(red, yellow, 0.5, int(rng.integers(1000)), rng.uniform(0.2, 0.5))
    stem = tube(curve([(0, 0, 0.5), (0.02, 0.02, 0.8), (0.1, 0.06, 1.1)], 8) * [1, 1, tall], [0.04] * 7 + [0.06], 10)
    return [painted(body, blush), painted(stem, WOOD), _leaf((0.03, 0.03, 0.85 * tall), 0.6, 35, -20)]


def _bananas(rng: np.random.Generator) -> list[Part]:
    made, number = [], int(rng.integers(2, 4))
    yellow, bend = varied((0.9, 0.75, 0.15), rng), rng.uniform(0.9, 1.25)
    for k in range(number):
        angle = np.linspace(-1, 1, 40) * bend
        path = np.stack([np.sin(angle), np.zeros(40), 1 - np.cos(angle)], axis=1) * 1.2
        share = np.linspace(0, 1, 40)
        radius = np.interp(
            share, [0, 0.03, 0.1, 0.25, 0.5, 0.8, 0.93, 0.97, 1], [0.05, 0.07, 0.13, 0.2, 0.22, 0.18, 0.08, 0.06, 0.06]
        )
        fruit = tube(path, radius, 10)
        x = fruit.points[:, 0] / np.abs(path[:, 0]).max()
        colour = np.where(((x < -0.97) | (x > 0.99))[:, None], (0.2, 0.13, 0.06), yellow * rng.uniform(0.93, 1.05))
        colour = np.where(((x > 0.88) & (x <= 0.99))[:, None], (0.6, 0.62, 0.2), colour)
        spread = 22 * (k - (number - 1) / 2)
        made.append(placed(painted(fruit, colour), (spread, 0, spread * 0.9), (0, -0.28 * spread / 22, 0)))
    return made


def _pear(rng: np.random.Generator) -> list[Part]:
    profile = np.array(
        [
            (0, -0.78),
            (0.3, -0.86),
            (0.62, -0.7),
            (0.8, -0.3),
            (0.68, 0.15),
            (0.42, 0.6),
            (0.33, 0.95),
            (0.2, 1.15),
            (0, 1.15),
        ]
    )
    body = lathe(curve(profile * rng.uniform(0.92, 1.08, 2), 44), 44)
    green, brown = varied((0.62, 0.68, 0.2), rng, 0.08), varied((0.58, 0.5, 0.17), rng)
    top = body.points[:, 2].max()
    # The neck leans.
    lean = rng.uniform(0.05, 0.2)
    body = placed(
        body, shift=np.stack([lean * np.maximum(body.points[:, 2], 0) ** 2, *np.zeros((2, len(body.points)))], 1)
    )
    base = np.array([lean * top**2, 0, top])
    stem = tube(base + curve([(0, 0, -0.05), (0.02, 0, 0.2), (0.12, 0, 0.42)], 8), 0.04, 10)
    speckle = mottled(green, brown, 0.12, int(rng.integers(1000)), 0.22)
    return [painted(body, speckle), painted(stem, WOOD), _leaf(np.add(base, [0.03, 0, 0.15]), 0.5, 160, 20)]


def _pineapple(rng: np.random.Generator) -> list[Part]:
    tall, lobes = rng.uniform(0.9, 1.15), 9
    z, angle = np.linspace(-1, 1, 76)[:, None], np.linspace(0, 2 * np.pi, 90, endpoint=False)[None]
    profile = 0.68 * np.maximum(1 - np.abs(z) ** 3.2, 0) ** 0.5
    # Lozenges between two families of spirals.
    eyes = np.abs(np.sin(lobes / 2 * angle + 9 * z) * np.sin(lobes / 2 * angle - 9 * z)) ** 0.6
    radius = profile * (1 + 0.13 * (eyes - 0.5))
    body = grid(
        np.stack(np.broadcast_arrays(radius * np.cos(angle), radius * np.sin(angle), z * tall), -1), closed_v=True
    )
    gold, dark = varied((0.8, 0.55, 0.16), rng), varied((0.35, 0.27, 0.09), rng)
    share = np.minimum(eyes * 1.3, 1).reshape(-1, 1)
    made = [painted(body, dark + (gold - dark) * share)]
    for k in range(26):
        turn, rise = 137.5 * k, 1 - k / 26
        out, up = 0.16 + 0.5 * rise, tall * 0.9 + 0.45 + 0.55 * (1 - rise)
        path = curve([(0.05, 0, 0.92 * tall), (0.6 * out, 0, (0.95 * tall + up) / 2), (out, 0, up)], 8)
        blade = placed(tube(path, np.linspace(0.1, 0.008, 8), 8), scale=[1, 1.1, 1])
        made.append(painted(placed(blade, (0, 0, turn)), varied((0.28, 0.45, 0.22), rng, 0.08)))
    return made


def _grapes(rng: np.random.Generator) -> list[Part]:
    made, purple = [], varied((0.36, 0.14, 0.38), rng, 0.1)
    rows = int(rng.integers(7, 9))
    for row in range(rows):
        share = row / (rows - 1)
        ring = 0.62 * np.sin(np.pi * (0.26 + 0.66 * share)) ** 1.2 * (1 - 0.25 * share)
        number = max(round(2 * np.pi * ring / 0.36), 1)
        for k in range(number):
            angle = 2 * np.pi * (k + 0.5 * (row % 2)) / number + rng.normal(0, 0.06)
            place = [ring * np.cos(angle), ring * np.sin(angle), 0.75 - 1.75 * share]
            grape = ellipsoid(place + rng.normal(0, 0.025, 3), np.array([0.2, 0.2, 0.22]) * rng.uniform(0.9, 1.1), 9)
            made.append(painted(grape, varied(purple, rng, 0.09)))
    stem = tube(curve([(0, 0, 0.5), (0, 0, 1.0), (0.12, 0, 1.25)], 8), 0.045, 10)
    return [
        *made,
        painted(ellipsoid([0, 0, 0], [0.42, 0.42, 0.8], 10), purple * 0.5),
        painted(stem, WOOD),
        _leaf((0, 0, 0.95), 0.75, 60, -15),
    ]


def _strawberry(rng: np.random.Generator) -> list[Part]:
    profile = np.array(
        [(0, -1.1), (0.16, -1.05), (0.42, -0.65), (0.7, 0), (0.76, 0.38), (0.55, 0.62), (0.2, 0.68), (0, 0.64)]
    )
    body = lathe(curve(profile * rng.uniform(0.92, 1.1, 2), 40), 40)
    made = [painted(body, varied((0.82, 0.1, 0.1), rng))]
    places = body.points[(np.linalg.norm(body.points[:, :2], axis=1) > 0.12) & (body.points[:, 2] < 0.55)]
    kept: list[NDArray] = []
    for place in places[rng.permutation(len(places))]:
        if all(np.linalg.norm(place - other) > 0.2 for other in kept):
            kept.append(place)
    made += [painted(ellipsoid(place, [0.028, 0.028, 0.042], 5), (0.92, 0.8, 0.4)) for place in kept]
    top = body.points[:, 2].max()
    made += [_leaf((0, 0, top - 0.02), 0.62, turn + rng.normal(0, 6), -12) for turn in range(0, 360, 45)]
    return [
        *made,
        painted(tube(curve([(0, 0, top - 0.05), (0, 0.03, top + 0.2), (0.1, 0.05, top + 0.42)], 8), 0.045, 10), LEAF),
    ]


def _watermelon(rng: np.random.Generator) -> list[Part]:
    thick, opening = rng.uniform(0.28, 0.45), rng.uniform(1.25, 1.5)
    made = []
    # Flesh, white and rind: discs cut to a wedge, one around the other.
    angle = np.linspace(-opening, opening, 60) - np.pi / 2
    red, rind = varied((0.87, 0.2, 0.2), rng), varied((0.14, 0.36, 0.14), rng)
    rings = np.array([0, 0.2, 0.4, 0.6, 0.75, 0.86, 0.88, 0.92, 0.94, 1.0])
    shades = [red] * 6 + [(0.9, 0.85, 0.7)] * 2 + [rind] * 2
    for side in (-1, 1):
        points = np.stack(
            np.broadcast_arrays(rings[:, None] * np.cos(angle), side * thick, rings[:, None] * np.sin(angle)), -1
        )
        made.append(painted(grid(points), np.repeat(shades, 60, axis=0)))
    across = np.linspace(-thick, thick, 14)
    outside = np.stack(np.broadcast_arrays(np.cos(angle)[:, None], across, np.sin(angle)[:, None]), -1)
    bands = np.where((np.sin(angle * 11 + 0.4 * np.sin(angle * 5)) > 0)[:, None], rind, varied((0.45, 0.62, 0.28), rng))
    made.append(painted(grid(outside), np.repeat(bands, 14, axis=0)))
    for end in (0, -1):
        cut = np.stack(
            np.broadcast_arrays(rings[:, None] * np.cos(angle[end]), across, rings[:, None] * np.sin(angle[end])), -1
        )
        made.append(painted(grid(cut), np.repeat(shades, 14, axis=0)))
    for _ in range(15):
        radius, turn = rng.uniform(0.3, 0.75), rng.uniform(-0.85, 0.85) * opening - np.pi / 2
        for side in (-1, 1):
            seed = ellipsoid([0, 0, 0], [0.045, 0.02, 0.028], 6)
            made.append(
                painted(
                    placed(
                        seed, (0, -np.rad2deg(turn), 0), (radius * np.cos(turn), side * thick, radius * np.sin(turn))
                    ),
                    (0.08, 0.05, 0.04),
                )
            )
    return [placed(part, (0, 0, 90)) for part in made]


def _cherries(rng: np.random.Generator) -> list[Part]:
    red, made = varied((0.55, 0.04, 0.1), rng, 0.12), []
    top = np.array([0.05, 0.0, rng.uniform(1.3, 1.7)])
    for side, low in ((-1, -0.1), (1, rng.uniform(0.05, 0.25))):
        size = rng.uniform(0.42, 0.5)
        middle = np.array([side * 0.1, side * rng.uniform(0.5, 0.65), low])
        profile = curve([(0, -0.92), (0.5, -0.86), (0.95, -0.3), (1, 0.25), (0.7, 0.8), (0.3, 0.88), (0, 0.7)], 26)
        made.append(painted(placed(lathe(profile * size, 32), shift=middle), red * rng.uniform(0.9, 1.2)))
        path = curve([np.add(middle, [0, 0, 0.65 * size]), middle * [0.8, 0.85, 1] + [0, 0, 0.9], top], 14)
        made.append(painted(tube(path, [0.028] * 12 + [0.035, 0.05], 10), (0.45, 0.5, 0.2)))
    return [*made, _leaf(top, 0.85, 100, -15), _leaf(top, 0.7, 250, -25)]


def _leaf(base: NDArray | tuple, length: float, turn: float, droop: float) -> Part:
    """Return a leaf from its base, turned about z and drooping at its tip (degrees)."""
    share = np.linspace(0, 1, 14)
    half = 0.28 * length * np.sin(np.pi * share**0.8) + 0.004
    middle = 0.1 * length * np.sin(np.pi * share)
    blade = hull(share * length, half, middle - 0.012, middle + 0.012 + 0.01 * length, m=14)
    return painted(placed(blade, (0, -droop, turn), base), LEAF)
