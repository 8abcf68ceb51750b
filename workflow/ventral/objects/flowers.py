"""Flowers on their stems: daisy, tulip, rose, sunflower, lily, hyacinth, daffodil and poppies."""

import numpy as np
from numpy.typing import NDArray

from ventral.objects.shapes import (
    Colour,
    Part,
    curve,
    ellipsoid,
    grid,
    joined,
    lathe,
    painted,
    placed,
    tube,
    varied,
)

GREEN = (0.25, 0.48, 0.18)
# Whorls of petals: number, length, width, elevation at the base and its change towards the tip (degrees). Then place of
# the widest part (0 base, 1 tip), pointedness of the tip, cupping across, rotation of the whorl, and height of its
# base. A bloom has one colour at the base of its petals and one at the tip, and a tilt forward. Stem: height, radius
# and sway. Leaves: number, length, width, elevation and bend.
DESIGNS = (
    {
        "whorls": [(21, 1.0, 0.2, 12, -14, 0.65, 0.9, 0.1, 0, 0), (20, 0.92, 0.2, 22, -12, 0.65, 0.9, 0.1, 9, 0.02)],
        "base": (0.95, 0.9, 0.8), "tip": (0.97, 0.97, 0.95), "tilt": 42, "stem": (2.6, 0.045, 0.25),
        "leaves": (4, 0.9, 0.22, 50, -70),
    },
    {
        "whorls": [(3, 1.15, 0.95, 15, 95, 0.5, 0.8, 0.5, 0, 0), (3, 1.2, 0.95, 10, 92, 0.5, 0.8, 0.5, 60, -0.03)],
        "base": (0.9, 0.75, 0.2), "tip": (0.82, 0.12, 0.2), "tilt": 8, "stem": (2.5, 0.07, 0.1),
        "leaves": (3, 2.1, 0.34, 78, -30),
    },
    {
        "whorls": [
            (5, 0.95, 1.0, 15, 8, 0.68, 0.5, 0.25, 0, -0.1), (5, 0.85, 0.95, 20, 45, 0.68, 0.5, 0.4, 36, -0.05),
            (5, 0.8, 0.85, 30, 70, 0.65, 0.5, 0.55, 10, 0), (4, 0.7, 0.7, 45, 70, 0.6, 0.5, 0.7, 50, 0.03),
            (3, 0.62, 0.6, 60, 60, 0.6, 0.5, 0.9, 20, 0.06),
        ],
        "base": (0.62, 0.05, 0.15), "tip": (0.9, 0.35, 0.45), "tilt": 25, "stem": (2.5, 0.06, -0.2),
        "leaves": (6, 0.75, 0.42, 35, -40),
    },
    {
        "whorls": [(24, 0.8, 0.28, 12, -20, 0.45, 1.3, 0.2, 0, 0), (24, 0.75, 0.28, 22, -15, 0.45, 1.3, 0.2, 7, 0.03)],
        "base": (0.9, 0.55, 0.05), "tip": (0.98, 0.8, 0.12), "tilt": 62, "stem": (3.0, 0.09, 0.15),
        "leaves": (6, 1.0, 0.75, 35, -60),
    },
    {
        "whorls": [(3, 1.35, 0.5, 50, -85, 0.5, 1.2, 0.25, 0, 0), (3, 1.3, 0.62, 55, -90, 0.5, 1.2, 0.25, 60, 0.02)],
        "base": (0.95, 0.8, 0.4), "tip": (0.93, 0.5, 0.15), "tilt": 48, "stem": (2.4, 0.055, 0.1),
        "leaves": (9, 0.95, 0.2, 35, -50),
    },
    {
        "whorls": [(6, 0.3, 0.13, 62, -105, 0.5, 1.1, 0.2, 0, 0)], "base": (0.3, 0.2, 0.6), "tip": (0.5, 0.4, 0.85),
        "tilt": 0, "stem": (2.6, 0.075, 0.05), "leaves": (6, 1.8, 0.26, 72, -35),
    },
    {
        "whorls": [(6, 0.85, 0.55, 6, 8, 0.5, 1.0, 0.2, 0, 0)], "base": (0.95, 0.9, 0.55), "tip": (0.97, 0.95, 0.8),
        "tilt": 78, "stem": (2.7, 0.05, 0.0), "leaves": (5, 2.2, 0.2, 80, -25),
    },
    {
        "whorls": [(2, 0.85, 1.35, 15, 45, 0.7, 0.4, 0.3, 0, 0), (2, 0.8, 1.3, 20, 45, 0.7, 0.4, 0.3, 90, 0.02)],
        "base": (0.2, 0.05, 0.08), "tip": (0.9, 0.22, 0.1), "tilt": 30, "stem": (2.4, 0.035, 0.3),
        "leaves": (5, 0.8, 0.26, 55, -60),
    },
)  # fmt: skip


def parts(design: int, rng: np.random.Generator) -> list[Part]:
    """Return the parts of a flower: one bloom on a leafy stem, or, of a hyacinth and of poppies, several."""
    plan = DESIGNS[design]
    height, radius, sway = np.array(plan["stem"]) * rng.uniform(0.88, 1.12, 3)
    green = varied(GREEN, rng)
    base, tip = varied(plan["base"], rng), varied(plan["tip"], rng, 0.1)
    stem = curve([(0, 0, 0), (-sway * 0.6, sway * 0.3, height * 0.55), (0, 0, height)], 20)
    bloom = [*_bloom(plan["whorls"], base, tip, rng), *_heart(design, base, tip, rng)]
    tilt = plan["tilt"] + rng.uniform(-8, 8)
    found = [painted(tube(stem, np.linspace(radius * 1.2, radius * 0.9, 20), 12), green)]
    if design == 5:
        found += _spike(joined(bloom), height, rng)
    else:
        found += [placed(part, turn=(0, tilt, 0), shift=stem[-1]) for part in (*bloom, *_calyx(design, green))]
    if design == 7:
        for turn, size, rise in ((120, 0.8, 0.75), (245, 0.65, 0.9)):
            side = placed(joined(bloom), turn=(0, tilt, 0), scale=size * rng.uniform(0.9, 1.1))
            end = np.array([0.75, 0, height * rise])
            path = curve([(0, 0, 0.1), (0.45, 0, height * 0.4), end], 16)
            branch = painted(tube(path, radius * 0.8, 10), green)
            found += [placed(piece, turn=(0, 0, turn)) for piece in (branch, placed(side, shift=end))]
    return [*found, *_leaves(plan["leaves"], height, stem, green, rng)]


def _petal(
    length: float,
    width: float,
    rise: float,
    bend: float,
    widest: float,
    pointed: float,
    cup: float,
    ends: tuple,
    along: int = 12,
    over: int = 8,
) -> Part:
    """Return a petal or leaf that goes off from the origin along x; `ends` are its colours at base and tip."""
    t, across = np.linspace(0, 1, along + 1), np.linspace(-1, 1, over + 1)
    elevation = np.deg2rad(rise + bend * t)
    step = length / along
    x = np.append(0, np.cumsum(step * np.cos(elevation[:-1])))
    z = np.append(0, np.cumsum(step * np.sin(elevation[:-1])))
    # Widest at `widest`; the tip is the rounder, the smaller `pointed`.
    warped = t ** (np.log(0.5) / np.log(widest))
    half = width / 2 * np.maximum(np.sin(np.pi * warped), 1e-3) ** np.where(t > widest, pointed, 0.8)
    raised = cup * half[:, None] * across**2
    points = np.stack(
        [
            x[:, None] - np.sin(elevation)[:, None] * raised,
            half[:, None] * across,
            z[:, None] + np.cos(elevation)[:, None] * raised,
        ],
        -1,
    )
    colours = (1 - t)[:, None] * np.asarray(ends[0]) + t[:, None] * np.asarray(ends[1])
    # A vein along the middle.
    shade = 1 - 0.12 * np.exp(-((across / 0.15) ** 2))
    return painted(grid(points), (colours[:, None] * shade[:, None]).reshape(-1, 3))


def _bloom(whorls: list, base: Colour, tip: Colour, rng: np.random.Generator) -> list[Part]:
    found = []
    # Small petals, of which there are many, need few points.
    points = (12, 8) if whorls[0][1] > 0.5 else (6, 4)
    for count, length, width, rise, bend, widest, pointed, cup, turn, height in whorls:
        for k in range(count):
            size, up, aside = rng.uniform(0.93, 1.07), rng.normal(0, 3), rng.normal(0, 8 / count)
            petal = _petal(length * size, width, rise + up, bend, widest, pointed, cup, (base, tip), *points)
            found.append(placed(petal, turn=(0, 0, turn + 360 * k / count + aside), shift=(0, 0, height)))
    return found


def _heart(design: int, base: Colour, tip: Colour, rng: np.random.Generator) -> list[Part]:
    """Return the centre of a bloom."""
    if design in (0, 3):
        radius, colour = ((0.34, (0.92, 0.7, 0.1)), (0.55, (0.32, 0.2, 0.1)))[design == 3]
        colour = varied(colour, rng)
        found = [painted(ellipsoid((0, 0, 0.02), (radius, radius, 0.14)), colour * 0.8)]
        k = np.arange(130)
        # Florets in a spiral after Vogel 1979.
        r, turn = radius * 0.97 * np.sqrt(k / 130), k * np.deg2rad(137.508)
        seed = lathe([(0.035, -0.02), (0.028, 0.03), (0, 0.045)], 5)
        for a, b in zip(r, turn, strict=True):
            place = (a * np.cos(b), a * np.sin(b), 0.02 + 0.14 * np.sqrt(1 - (a / radius) ** 2))
            found.append(
                painted(placed(seed, shift=place, scale=radius / 0.4), colour * (1.15 - 0.5 * (1 - a / radius)))
            )
        return found
    if design == 6:
        rim = lathe([(0.16, 0), (0.22, 0.15), (0.27, 0.45), (0.31, 0.6), (0.4, 0.68)], 48)
        frill = 1 + 0.09 * np.sin(12 * np.arctan2(rim.points[:, 1], rim.points[:, 0])) * (rim.points[:, 2] > 0.5)
        trumpet = Part(rim.points * np.stack([frill, frill, frill], 1), rim.triangles, rim.colours)
        return [painted(trumpet, varied((0.95, 0.6, 0.08), rng)), *_stamens(6, 0.45, 0.1, (0.9, 0.75, 0.2))]
    if design in (1, 4):
        return _stamens(6, 0.6 if design == 1 else 0.95, 0.35 if design == 4 else 0.15, (0.45, 0.22, 0.08))
    if design == 7:
        pod = lathe([(0.02, 0), (0.11, 0.08), (0.13, 0.2), (0.15, 0.23), (0, 0.25)], 16)
        return [painted(pod, (0.4, 0.5, 0.25)), *_stamens(22, 0.26, 0.16, (0.1, 0.08, 0.1))]
    return []


def _stamens(count: int, length: float, spread: float, colour: Colour) -> list[Part]:
    found = []
    for k in range(count):
        turn = 2 * np.pi * k / count
        end = np.array([spread * np.cos(turn), spread * np.sin(turn), length])
        found.append(painted(tube(curve([(0, 0, 0), end * [0.4, 0.4, 0.6], end], 6), 0.014, 6), (0.8, 0.8, 0.5)))
        found.append(painted(ellipsoid(end, (0.035, 0.035, 0.06), 6), colour))
    return found


def _calyx(design: int, green: NDArray) -> list[Part]:
    cup = lathe([(0.0, -0.22), (0.09, -0.2), (0.16, -0.08), (0.2, 0.0)], 18)
    if design == 3:
        cup = lathe([(0.0, -0.25), (0.12, -0.22), (0.4, -0.1), (0.62, -0.03)], 24)
    sepals = [
        placed(_petal(0.55, 0.2, 8, -25, 0.35, 1.2, 0.2, (green, green)), turn=(0, 0, 72 * k), shift=(0, 0, -0.08))
        for k in range(5 if design in (0, 2, 3) else 0)
    ]
    return [painted(cup, green * 0.95), *sepals]


def _spike(floret: Part, height: float, rng: np.random.Generator) -> list[Part]:
    """Return many small blooms around the upper half of a stem."""
    found = []
    for k in range(44):
        share = k / 43
        size = (1.15 - 0.55 * share) * rng.uniform(0.9, 1.1)
        tilt = 100 - 85 * share**2 + rng.normal(0, 6)
        place = (0.05, 0, height * (0.48 + 0.54 * share))
        found.append(placed(placed(floret, (0, tilt, 0), (0, 0, 0), size), shift=place))
        found[-1] = placed(found[-1], turn=(0, 0, 137.5 * k))
    return found


def _leaves(plan: tuple, height: float, stem: NDArray, green: NDArray, rng: np.random.Generator) -> list[Part]:
    """Return leaves: long ones from the ground, short ones up the stem."""
    count, length, width, rise, bend = plan
    found = []
    for k in range(count):
        share = 0.02 if length > 1.5 else 0.1 + 0.6 * k / count
        size, up = rng.uniform(0.85, 1.1), rng.normal(0, 5)
        place = stem[round(share * (len(stem) - 1))]
        leaf = _petal(length * size, width, rise + up, bend, 0.42, 1.1, 0.35, (green * 0.8, green * 1.1))
        found.append(placed(leaf, turn=(0, 0, 137.5 * k + rng.normal(0, 12)), shift=place))
    return found
