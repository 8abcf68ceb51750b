"""Shoes: a trainer, a high heel, a cowboy boot, a sandal, a lace-up, a rubber boot, a ballet flat and a hiking boot."""

import numpy as np
from numpy.typing import NDArray

from ventral.objects.shapes import (
    Colour,
    Paint,
    Part,
    box,
    curve,
    grid,
    loft,
    mottled,
    painted,
    placed,
    plate,
    tube,
    varied,
)

# Lengths in foot lengths. Sole: half width at ball and heel, pointedness of the toe, thickness at toe and heel, height
# of the lifted heel. Toe: height of the toe box. Opening: front, half width, and height in front and behind. Shaft:
# height above the opening, and widening towards the top.
DESIGNS = (
    {
        "sole": (0.19, 0.14, 0.15, 0.07, 0.1, 0.0), "toe": 0.17, "opening": (0.5, 0.09, 0.36, 0.36),
        "shaft": (0, 0), "colours": ((0.88, 0.88, 0.9), (0.95, 0.95, 0.95), (0.15, 0.4, 0.75)), "laces": 5,
    },
    {
        "sole": (0.16, 0.09, 0.7, 0.025, 0.02, 0.36), "toe": 0.09, "opening": (0.68, 0.085, 0.1, 0.24),
        "shaft": (0, 0), "colours": ((0.75, 0.08, 0.12), (0.1, 0.08, 0.08), (0.75, 0.08, 0.12)), "laces": 0,
    },
    {
        "sole": (0.165, 0.115, 0.75, 0.035, 0.03, 0.16), "toe": 0.13, "opening": (0.38, 0.125, 0.42, 0.4),
        "shaft": (0.62, 0.3), "colours": ((0.5, 0.3, 0.16), (0.2, 0.12, 0.08), (0.8, 0.65, 0.4)), "laces": 0,
    },
    {
        "sole": (0.19, 0.14, 0.1, 0.06, 0.08, 0.03), "toe": 0.0, "opening": (0, 0, 0, 0), "shaft": (0, 0),
        "colours": ((0.55, 0.36, 0.2), (0.3, 0.2, 0.12), (0.72, 0.5, 0.3)), "laces": 0,
    },
    {
        "sole": (0.165, 0.125, 0.45, 0.035, 0.035, 0.07), "toe": 0.14, "opening": (0.47, 0.095, 0.29, 0.3),
        "shaft": (0, 0), "colours": ((0.14, 0.11, 0.1), (0.35, 0.25, 0.18), (0.25, 0.18, 0.14)), "laces": 4,
    },
    {
        "sole": (0.19, 0.145, 0.1, 0.06, 0.06, 0.02), "toe": 0.2, "opening": (0.42, 0.135, 0.42, 0.42),
        "shaft": (0.75, 0.18), "colours": ((0.9, 0.75, 0.1), (0.25, 0.25, 0.22), (0.95, 0.9, 0.8)), "laces": 0,
    },
    {
        "sole": (0.165, 0.12, 0.25, 0.02, 0.025, 0.0), "toe": 0.1, "opening": (0.75, 0.105, 0.1, 0.22),
        "shaft": (0, 0), "colours": ((0.85, 0.6, 0.65), (0.6, 0.5, 0.42), (0.8, 0.45, 0.55)), "laces": 0,
    },
    {
        "sole": (0.2, 0.155, 0.12, 0.11, 0.14, 0.0), "toe": 0.2, "opening": (0.44, 0.12, 0.42, 0.42),
        "shaft": (0.2, 0.08), "colours": ((0.5, 0.42, 0.3), (0.15, 0.14, 0.13), (0.75, 0.3, 0.12)), "laces": 7,
    },
)  # fmt: skip
INSIDE = 0.45


def parts(design: int, rng: np.random.Generator) -> list[Part]:
    """Return the parts of a left shoe."""
    plan = dict(DESIGNS[design])
    plan["shaft"] = tuple(np.array(plan["shaft"]) * rng.uniform(0.85, 1.15))
    ball, heel, pointed, thin, thick, lift = np.array(plan["sole"]) * rng.uniform(0.88, 1.12, 6)
    upper, sole, accent = (varied(colour, rng) for colour in plan["colours"])
    outline = _outline(ball, heel, pointed)
    found = [_sole(outline, thin, thick, lift, sole, design)]
    if plan["toe"]:
        found += _upper(plan, outline, thin, thick, lift, _paint(design, upper, accent, rng), upper * INSIDE, rng)
    if plan["laces"]:
        found += _laces(plan, thick, lift, (0.95, 0.95, 0.92) if design != 4 else upper * 0.6, upper)
    found += _extras(design, plan, outline, (thin, lift), (upper, sole, accent))
    return found


def _outline(ball: float, heel: float, pointed: float, m: int = 112) -> NDArray:
    """Return the outline of a sole (m, 2), from the heel at x = 0 to the toe at x = 1."""
    angle = np.linspace(0, 2 * np.pi, m, endpoint=False)
    x = 0.5 + 0.5 * np.cos(angle)
    middle = np.interp(
        x, [0, 0.2, 0.45, 0.7, 1], [heel, heel, 0.5 * heel + 0.4 * ball, ball, ball * (1 - 0.25 * pointed)]
    )
    roundness = np.where(x > 0.5, 0.62 + 0.5 * pointed, 0.7)
    side = np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** roundness
    # Bent inwards a little towards the toe, as a foot is.
    return np.stack([x, middle * side - 0.06 * np.sin(np.pi * x) ** 2 + 0.02], 1)


def _lifted(x: NDArray, lift: float) -> NDArray:
    """Return the height to which a lifted heel raises the foot at some x, from the ball of the foot backwards."""
    t = np.clip((0.68 - x) / 0.55, 0, 1)
    spring = 0.05 * np.clip((x - 0.75) / 0.25, 0, 1) ** 2
    return lift * t**2 * (3 - 2 * t) + spring


def _sole(outline: NDArray, thin: float, thick: float, lift: float, colour: NDArray, design: int) -> Part:
    """Return a sole of two layers, or, under a lifted heel, a thin one and a heel's block."""
    x, y = outline.T
    rings = []
    for share, out in ((0, 0.97), (0.05, 1.03), (0.6, 1.05), (0.95, 1.04), (1, 1.0)):
        depth = np.interp(x, [0, 0.4, 0.7, 1], [thick, thick, thin, thin])
        rings.append(np.stack([0.5 + (x - 0.5) * (out + 0.0), y * out, _lifted(x, lift) - depth * (1 - share)], 1))
    band = loft(rings)
    if design in (0, 7):
        tread = lambda p: np.where((np.floor(p[:, :1] * 24) % 2 == 0) & (p[:, 2:] < -0.3 * thin), colour * 0.55, colour)  # noqa: E731
        return painted(band, tread)
    return painted(band, colour)


def _upper(
    plan: dict,
    outline: NDArray,
    thin: float,
    thick: float,
    lift: float,
    paint: Paint,
    inside: Colour,
    rng: np.random.Generator,
) -> list[Part]:
    """Return the upper, from the sole's edge over the toes to the opening, and down again inside."""
    toe = plan["toe"] * rng.uniform(0.95, 1.05)
    front, half, high, behind = plan["opening"]
    angle = np.linspace(0, 2 * np.pi, len(outline), endpoint=False)
    back = 0.035
    x = (front + back) / 2 + (front - back) / 2 * np.cos(angle)
    collar = np.stack(
        [x, half * np.sin(angle) - 0.02 * np.sin(np.pi * x), np.interp(x, [back, front], [behind, high])], 1
    )
    # A collar dips at the ankle.
    collar[:, 2] -= 0.05 * np.sin(np.pi * np.clip((x - back) / (front - back), 0, 1)) * (plan["shaft"][0] == 0)
    rings = []
    for u in np.concatenate([np.linspace(0, 0.3, 9), np.linspace(0.36, 1, 14)]):
        rise = np.sqrt(1 - (1 - min(u / 0.32, 1)) ** 2)
        slope = max(0.0, (u - 0.12) / 0.88) ** 1.25
        xy = outline * (1 - u) + collar[:, :2] * u
        # Walls bulge beyond the sole a little.
        xy += (outline - outline.mean(axis=0)) * 0.04 * np.sin(np.pi * min(u / 0.4, 1))
        box_height = np.minimum(toe, 0.8 * collar[:, 2])
        rings.append(
            np.column_stack([xy, box_height * rise + (collar[:, 2] - box_height) * slope + _lifted(xy[:, 0], lift)])
        )
    top = rings[-1]
    shaft, flare = plan["shaft"]
    if shaft:
        middle = np.array([*top[:, :2].mean(axis=0), 0])
        for s in np.linspace(0, 1, 12)[1:]:
            ring = middle + (top - middle) * [1 + flare * s**1.5, 1 + flare * s, 1]
            scallop = 0.1 * np.abs(np.sin(angle)) ** 2 * s**3 * (flare > 0.25)
            ring[:, 2] = top[:, 2] + s * (shaft - scallop)
            rings.append(ring)
        top = rings[-1]
    outside = painted(grid(np.array(rings), closed_v=True), paint)
    centre = top.mean(axis=0)
    # Into a shaft one sees only so far.
    floor = np.column_stack([outline * 0.85 + outline.mean(axis=0) * 0.15, _lifted(outline[:, 0], lift) + 0.02])
    if shaft:
        floor = centre + (top - centre) * 0.8 - [0, 0, 0.8 * shaft]
    lining = [
        centre + (top - centre) * 0.97,
        *(centre + (top - centre) * 0.93 - [0, 0, d] for d in (0.03, 0.06)),
        floor,
    ]
    lining.append(np.broadcast_to(lining[-1].mean(axis=0), top.shape))
    rim = painted(tube(np.vstack([top, top[:2]]), 0.014, 8), inside)
    return [outside, rim, painted(grid(np.array(lining), closed_v=True), inside)]


def _paint(design: int, upper: NDArray, accent: NDArray, rng: np.random.Generator) -> Paint:
    seed = int(rng.integers(1 << 30))
    if design == 0:
        # Three slanting stripes, a toe cap and a heel.
        return lambda p: np.where(
            (np.abs((p[:, :1] - 0.5 * p[:, 2:] - 0.2) % 0.12 - 0.06) < 0.026)
            & (np.abs(p[:, :1] - 0.5 * p[:, 2:] - 0.38) < 0.18)
            & (p[:, 2:] < 0.25)
            | (p[:, :1] < 0.1) & (p[:, 2:] < 0.28)
            | (p[:, :1] > 0.86) & (p[:, 2:] < 0.08),
            accent,
            upper,
        )
    if design == 2:
        leather = mottled(upper, upper * 0.7, 0.1, seed)
        return lambda p: np.where(
            (np.abs(np.sin(14 * p[:, 2:]) * 0.06 + p[:, :1] - 0.22) < 0.02) & (p[:, 2:] > 0.5)
            | (np.abs(p[:, 2:] - 0.5) < 0.02),
            accent,
            leather(p),
        )
    if design == 4:
        return lambda p: np.where(np.abs(p[:, :1] - 0.74 - 0.2 * np.abs(p[:, 1:2])) < 0.012, accent * 1.6, upper)
    if design == 5:
        return lambda p: np.where((np.abs(p[:, 2:] - 1.08) < 0.035) | (p[:, 2:] < 0.06), accent, upper)
    if design == 7:
        suede = mottled(upper, upper * 0.8, 0.05, seed)
        return lambda p: np.where(
            (p[:, :1] > 0.8) | (p[:, :1] < 0.16) & (p[:, 2:] < 0.3) | (p[:, 2:] > 0.56), accent, suede(p)
        )
    return upper


def _laces(plan: dict, thick: float, lift: float, colour: Colour, tongue: NDArray) -> list[Part]:
    """Return laces to and fro over the instep, and a tongue."""
    front, half, high, _ = plan["opening"]
    shaft = plan["shaft"][0]
    toe = plan["toe"]
    found = []
    for k in range(plan["laces"]):
        share = k / (plan["laces"] - 1)
        u = 0.45 + 0.52 * share
        x = (1 - u) + front * u
        z = toe + (high - toe) * ((u - 0.12) / 0.88) ** 1.25 + _lifted(np.array(x), lift) + 0.012
        if shaft and share > 0.55:
            up = (share - 0.55) / 0.45
            x, z = front + 0.012, high + shaft * up * 0.85
        wide = 0.07 - 0.005 * k
        for sign in (-1, 1):
            path = curve(
                [(x - 0.025 * 0.3, -sign * wide, z - 0.02), (x, 0, z + 0.006), (x - 0.05, sign * wide, z + 0.012)], 10
            )
            found.append(painted(tube(path - [0, 0.01, 0], 0.012, 8), colour))
    if shaft == 0:
        top = [
            (front + 0.06, half * 0.6, high - 0.06),
            (front, half * 0.75, high + 0.03),
            (front - 0.04, half * 0.6, high + 0.09),
        ]
        rows = [[(x, y * s, z - 0.02 * s * s) for s in (-1, -0.5, 0, 0.5, 1)] for x, y, z in curve(top, 8)]
        found.append(painted(grid(np.array(rows)), tongue * 0.85))
        bow = [(0, 0, 0), (-0.03, 0.07, 0.04), (0.02, 0.12, 0.0), (0.03, 0.06, -0.01), (0, 0, 0)]
        loops = [
            placed(tube(curve(np.array(bow) * [1, s, 1], 16), 0.011, 7), shift=(front + 0.01, 0, high + 0.015))
            for s in (-1, 1)
        ]
        found += [painted(loop, colour) for loop in loops]
    return found


def _band(x: float, reach: float, half: float, height: float, width: float, base: float, lean: float = 0.0) -> Part:
    """Return a strap over the foot at some x, from one side of the sole to the other; it leans back towards the top."""
    t = np.linspace(0, np.pi, 24)[None]
    s = np.array([-1, -1, 1, 1, -1])[:, None]
    lift = np.array([0, 0.015, 0.015, 0, 0])[:, None]
    points = np.stack(
        np.broadcast_arrays(
            x + s * width / 2 + lean * np.sin(t),
            (half + lift) * np.cos(t) + reach,
            base + (height + lift) * np.sin(t) ** 0.8,
        ),
        -1,
    )
    return grid(points)


def _extras(design: int, plan: dict, outline: NDArray, heights: tuple[float, float], colours: tuple) -> list[Part]:
    """Return heels, straps, bows and loops."""
    thin, lift = heights
    upper, sole, accent = colours
    ground = -thin
    if design == 1:
        path = [(0.09, 0.0, lift), (0.1, 0, lift * 0.6), (0.07, 0, ground)]
        return [
            painted(
                tube(
                    curve(np.column_stack([path, [0.075, 0.028, 0.022]]), 14)[:, :3],
                    curve(np.column_stack([path, [0.075, 0.028, 0.022]]), 14)[:, 3],
                ),
                upper,
            )
        ]
    if design in (2, 4):
        rings = [
            np.column_stack([outline[(outline[:, 0] < 0.3)] * [s, s] + [o, 0], np.full((outline[:, 0] < 0.3).sum(), z)])
            for z, s, o in ((ground, 0.88, 0.03), (lift * 0.5, 0.92, 0.015), (lift, 1, 0.0))
        ]
        found = [painted(loft(rings), sole)]
        if design == 2:
            loops = [
                tube(curve([(0.2, s * 0.155, 0.98), (0.2, s * 0.175, 1.12), (0.2, s * 0.15, 1.0)], 12), 0.018, 8)
                for s in (-1, 1)
            ]
            found += [painted(loop, accent) for loop in loops]
        return found
    if design == 3:
        foot = plate(outline * 0.98, 0.012, "z", 0.012)
        straps = [
            _band(0.74, -0.02, 0.18, 0.15, 0.13, 0),
            _band(0.56, -0.035, 0.155, 0.2, 0.1, 0),
            _band(0.16, 0.0, 0.13, 0.36, 0.055, 0.02, 0.1),
        ]
        t = np.linspace(-np.pi / 2, np.pi / 2, 20)
        heel = np.stack([np.stack([0.14 - 0.13 * np.cos(t), 0.13 * np.sin(t), 0.12 + s + 0 * t], 1) for s in (0, 0.1)])
        buckle = plate([(0.5, 0.05), (0.62, 0.05), (0.62, 0.15), (0.5, 0.15)], 0.03, "y", 0.12)
        return [
            painted(foot, accent),
            *(painted(strap, upper) for strap in straps),
            painted(grid(heel), upper),
            painted(buckle, (0.8, 0.7, 0.4)),
        ]
    if design == 6:
        loops = [
            tube(curve([(0.78, 0, 0.14), (0.78, s * 0.08, 0.18), (0.77, s * 0.1, 0.12), (0.78, 0, 0.13)], 16), 0.02, 8)
            for s in (-1, 1)
        ]
        return [painted(loop, accent) for loop in loops] + [
            painted(box((0.785, 0, 0.135), (0.05, 0.04, 0.05), 0.5), accent)
        ]
    if design == 7:
        loop = tube(curve([(0.05, 0, 0.55), (0.0, 0, 0.64), (0.04, 0, 0.68)], 12), 0.018, 8)
        return [painted(loop, accent * 0.7)]
    return []
