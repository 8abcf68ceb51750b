"""Trees: oak, spruce, palm, poplar, weeping willow, a bare tree, an acacia and a cherry in blossom."""

import numpy as np
from numpy.typing import NDArray

from ventral.objects.shapes import Colour, Part, curve, grid, joined, painted, placed, tube, varied

BARK = (0.36, 0.26, 0.18)
# Trees of branches with leaves in clumps. Trunk: height and radius. Branches: levels, number at each fork, angle to the
# stem (degrees), length relative to the stem, and upward pull (down if below 0). Leaves: size of a clump (across,
# high), number in a clump, size, colour, and colour of the bark.
BRANCHED = {
    0: {
        "trunk": (1.0, 0.17), "levels": 3, "forks": 4, "angle": 48, "ratio": 0.72, "pull": 0.15,
        "clump": (0.36, 0.27), "leaves": 85, "leaf": 0.1, "green": (0.22, 0.4, 0.13), "bark": (0.34, 0.25, 0.18),
    },
    4: {
        "trunk": (1.1, 0.15), "levels": 2, "forks": 6, "angle": 42, "ratio": 0.7, "pull": 0.1, "clump": (0.2, 0.15),
        "leaves": 24, "leaf": 0.1, "green": (0.5, 0.6, 0.25), "bark": (0.4, 0.33, 0.25),
    },
    5: {
        "trunk": (0.9, 0.15), "levels": 5, "forks": 3, "angle": 34, "ratio": 0.76, "pull": 0.12, "clump": (0, 0),
        "leaves": 0, "leaf": 0, "green": BARK, "bark": (0.42, 0.37, 0.33),
    },
    6: {
        "trunk": (1.3, 0.09), "levels": 2, "forks": 5, "angle": 58, "ratio": 0.75, "pull": 0.05,
        "clump": (0.5, 0.1), "leaves": 120, "leaf": 0.07, "green": (0.4, 0.45, 0.15), "bark": (0.45, 0.33, 0.24),
    },
    7: {
        "trunk": (0.55, 0.11), "levels": 3, "forks": 4, "angle": 52, "ratio": 0.85, "pull": 0.1,
        "clump": (0.24, 0.2), "leaves": 80, "leaf": 0.075, "green": (0.93, 0.68, 0.75), "bark": (0.27, 0.17, 0.15),
    },
}  # fmt: skip


def parts(design: int, rng: np.random.Generator) -> list[Part]:
    """Return the parts of a tree: trunk, branches and leaves."""
    return {1: _spruce, 2: _palm, 3: _poplar}.get(design, lambda r: _branched(design, r))(rng)


def _leaves(places: NDArray, size: float, colour: Colour, rng: np.random.Generator, longer: float = 1.6) -> Part:
    """Return a leaf of four corners at each of some places (k, 3), in any direction, each of a shade of its own."""
    count = len(places)
    along = rng.normal(size=(count, 3))
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    across = np.cross(along, rng.normal(size=(count, 3)))
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    length, width = size * longer / 2 * along, size / 2 * across
    points = np.stack([places - length, places + width, places + length, places - width], 1).reshape(-1, 3)
    triangles = (4 * np.arange(count)[:, None, None] + np.array([[0, 1, 2], [0, 2, 3]])).reshape(-1, 3)
    shades = np.repeat(rng.uniform(0.7, 1.25, (count, 1)), 4, axis=0)
    return Part(points, triangles, np.clip(np.asarray(colour) * shades, 0, 1))


def _in_ball(count: int, rng: np.random.Generator) -> NDArray:
    """Return points (count, 3) in the unit ball, more of them near its surface."""
    direction = rng.normal(size=(count, 3))
    return direction / np.linalg.norm(direction, axis=1, keepdims=True) * rng.uniform(0.2, 1, (count, 1)) ** 0.3


def _trunk(height: float, radius: float, bark: NDArray, bend: float = 0.05, top: float = 0.7) -> Part:
    """Return a trunk that widens at its foot."""
    path = [(0, 0, 0), (bend * 0.3, 0, 0.12 * height), (bend, bend * 0.5, 0.6 * height), (0, 0, height)]
    radii = radius * np.array([1.7, 1.1, (1 + top) / 2, top])
    line = curve(np.column_stack([path, radii]), 16)
    shade = lambda points: bark * (1 + 0.2 * np.sin(9 * np.arctan2(points[:, 1:2], points[:, :1]) + 6 * points[:, 2:]))  # noqa: E731
    return painted(tube(line[:, :3], line[:, 3], 20), shade)


def _branched(design: int, rng: np.random.Generator) -> list[Part]:
    plan = BRANCHED[design]
    height, radius = np.array(plan["trunk"]) * rng.uniform(0.88, 1.12, 2)
    bark, green = varied(plan["bark"], rng, 0.05), varied(plan["green"], rng)
    found = [_trunk(height, radius, bark, rng.normal(0, 0.08))]
    stems = [(np.array([0, 0, height]), np.array([0, 0, 1.0]), height, radius * 0.7)]
    tips, twigs = [], []
    for level in range(plan["levels"]):
        grown = []
        for start, direction, length, thickness in stems:
            side = np.cross(direction, [0.3, 0.9, 0.1])
            side /= np.linalg.norm(side)
            other, first = np.cross(direction, side), rng.uniform(0, 2 * np.pi)
            for k in range(plan["forks"]):
                turn = first + 2 * np.pi * k / plan["forks"] + rng.normal(0, 0.25)
                angle = np.deg2rad(plan["angle"] * rng.uniform(0.6, 1.2))
                # One branch goes on where the stem was going.
                angle *= 0.35 if k == 0 else 1
                heading = np.cos(angle) * direction + np.sin(angle) * (np.cos(turn) * side + np.sin(turn) * other)
                heading[2] += plan["pull"]
                heading /= np.linalg.norm(heading)
                reach = length * plan["ratio"] * rng.uniform(0.75, 1.1)
                # Trunk's length counts less, so that crowns are of one size.
                reach = reach * 0.8 if level == 0 else reach
                end = start + reach * heading
                middle = (start + end) / 2 + rng.normal(0, 0.05, 3) * reach - [0, 0, 0.03 * reach]
                thin = thickness * (0.62 if level < plan["levels"] - 1 else 0.3)
                if level == 4:
                    twigs.append((start, end))
                    continue
                found.append(_branch([start, middle, end], [thickness * 0.8, thickness * 0.7, thin], bark, level))
                grown.append((end, heading, reach, thin))
                if level == plan["levels"] - 1:
                    tips.append(end)
                elif level:
                    tips.append(middle)
        stems = grown
    if twigs:
        found.append(_twigs(*np.array(twigs).transpose(1, 0, 2), 0.016, bark * 1.1))
    if design == 4:
        return [*found, *_curtain(np.array(tips), plan, green, rng)]
    if plan["leaves"]:
        across, high = plan["clump"]
        places = [tip + _in_ball(plan["leaves"], rng) * [across, across, high] for tip in tips]
        found.append(_leaves(np.concatenate(places), plan["leaf"], green, rng))
    return found


def _branch(path: list, radii: list, bark: NDArray, level: int) -> Part:
    sides = (10, 8, 6, 4)[level]
    return painted(tube(path, radii, sides), bark * (1 + 0.05 * level))


def _twigs(starts: NDArray, ends: NDArray, radius: float, colour: Colour) -> Part:
    """Return straight thin twigs, each a cone of three sides, between points (k, 3)."""
    along = (ends - starts) / np.linalg.norm(ends - starts, axis=1, keepdims=True)
    side = np.cross(along, [0.31, 0.95, 0.05])
    side *= radius / np.linalg.norm(side, axis=1, keepdims=True)
    other = np.cross(along, side)
    ring = [starts + np.cos(a) * side + np.sin(a) * other for a in 2 * np.pi * np.arange(3) / 3]
    points = np.stack([*ring, ends], 1).reshape(-1, 3)
    triangles = 4 * np.arange(len(starts))[:, None, None] + np.array([[0, 1, 3], [1, 2, 3], [2, 0, 3]])
    return painted(Part(points, triangles.reshape(-1, 3), points), colour)


def _curtain(tips: NDArray, plan: dict, green: NDArray, rng: np.random.Generator) -> list[Part]:
    """Return a willow's twigs, which hang down from the tips of its branches, with leaves all along."""
    starts, ends, places = [], [], []
    for tip in tips:
        for _ in range(4):
            out = tip[:2] / max(np.linalg.norm(tip[:2]), 0.1) * rng.uniform(0.05, 0.4) + rng.normal(0, 0.13, 2)
            low = rng.uniform(0.15, 0.75)
            path = curve(
                [
                    tip, [*(tip[:2] + 0.6 * out), tip[2] + 0.06], [*(tip[:2] + out), tip[2] * 0.75],
                    [*(tip[:2] + 1.1 * out), low],
                ],
                25,
            )  # fmt: skip
            starts.append(path[:-1:4])
            ends.append(path[4::4])
            places.append(np.repeat(path[5:], 2, axis=0) + rng.normal(0, 0.035, (40, 3)))
    twigs = _twigs(np.concatenate(starts), np.concatenate(ends), 0.012, green * 0.6)
    return [twigs, _leaves(np.concatenate(places), plan["leaf"] * 0.5, green, rng, longer=3.5)]


def _spruce(rng: np.random.Generator) -> list[Part]:
    height, spread = rng.uniform(0.9, 1.1, 2) * [2.9, 0.85]
    bark, green = varied(BARK, rng), varied((0.14, 0.3, 0.2), rng)
    found = [painted(tube([(0, 0, 0), (0, 0, height * 0.5), (0, 0, height)], [0.1, 0.06, 0.01], 12), bark)]
    t = np.linspace(0, 1, 7)
    for layer in range(15):
        share = layer / 14
        z, reach = height * (0.12 + 0.84 * share), spread * (1 - share) ** 0.85 + 0.07
        count = 11 - layer // 3
        for k in range(count):
            length = reach * rng.uniform(0.82, 1.1)
            # A bough: a strip that narrows, droops and turns up at its end, its sides hanging.
            across = np.array([-1, -0.5, 0, 0.5, 1])
            half = 0.33 * length * np.sin(np.pi * np.clip(t * 0.85 + 0.12, 0, 1)) + 0.02
            half *= 1 - 0.35 * (np.arange(7) % 2)
            x = length * t[:, None] + 0 * across
            drop = -0.45 * length * t + 0.2 * length * t**3 + rng.normal(0, 0.02)
            bough = np.stack([x, half[:, None] * across, drop[:, None] - 0.55 * half[:, None] * np.abs(across)], -1)
            shade = green * rng.uniform(0.75, 1.2) * (0.7 + 0.6 * t[:, None, None]) * np.ones((1, 5, 1))
            piece = painted(grid(bough), shade.reshape(-1, 3))
            turn = 360 * (k + 0.5 * (layer % 2)) / count + rng.normal(0, 5)
            found.append(placed(piece, turn=(0, 0, turn), shift=(0, 0, z)))
    return [*found, painted(tube([(0, 0, height * 0.95), (0, 0, height * 1.04)], [0.04, 0.005], 8), green)]


def _palm(rng: np.random.Generator) -> list[Part]:
    height, lean, length = rng.uniform(0.85, 1.15, 3) * [2.3, 0.5, 1.25]
    bark, green = varied((0.55, 0.44, 0.32), rng), varied((0.3, 0.48, 0.16), rng)
    path = curve([(0, 0, 0), (lean * 0.3, 0, height * 0.4), (lean, 0.05, height)], 60)
    rings = 0.085 * (1 + 0.7 * np.exp(-path[:, 2] * 5)) * (1 + 0.14 * (np.arange(60) % 3 == 0))
    shades = np.where(np.arange(60) % 3 == 0, 0.75, 1.05)
    trunk = tube(path, rings, 16)
    found = [painted(trunk, bark * shades[np.abs(trunk.points[:, 2:] - path[:, 2]).argmin(axis=1)][:, None])]
    t, top = np.linspace(0, 1, 14), path[-1]
    for k in range(15):
        up, reach = rng.uniform(-15, 68), length * rng.uniform(0.85, 1.1)
        angle = np.deg2rad(up - 95 * t)
        rib = np.cumsum(np.stack([np.cos(angle), 0 * t, np.sin(angle)], 1), axis=0) * reach / 14
        pieces = [tube(rib, np.linspace(0.025, 0.006, 14), 5)]
        for side in (-1, 1):
            for i in range(1, 14):
                # Leaflets hang from the rib, longest in its middle.
                size = 0.42 * reach * np.sin(np.pi * (0.12 + 0.8 * t[i]))
                ahead = (rib[i] - rib[i - 1]) / np.linalg.norm(rib[i] - rib[i - 1])
                end = rib[i] + size * (0.45 * ahead + [0, 0.75 * side, -0.45])
                pieces.append(
                    grid(
                        np.array(
                            [
                                [rib[i] - 0.05 * ahead, rib[i] + 0.05 * ahead],
                                [(rib[i] + end) / 2 - 0.045 * ahead, (rib[i] + end) / 2 + 0.045 * ahead + 0.02],
                                [end, end + 0.012 * ahead],
                            ]
                        )
                    )
                )
        frond = painted(joined(pieces), green * rng.uniform(0.75, 1.2))
        found.append(placed(frond, turn=(0, 0, 137.5 * k), shift=top))
    nut = tube([(0.11, 0, -0.14), (0.11, 0, -0.1), (0.11, 0, -0.02), (0.11, 0, 0.02)], [0.03, 0.075, 0.075, 0.03], 12)
    return [*found, *(painted(placed(nut, (0, 0, 72 * k), top), varied((0.4, 0.28, 0.14), rng)) for k in range(5))]


def _poplar(rng: np.random.Generator) -> list[Part]:
    height, spread = rng.uniform(0.9, 1.1, 2) * [3.1, 0.36]
    bark, green = varied((0.6, 0.58, 0.52), rng), varied((0.62, 0.58, 0.14), rng)
    found = [_trunk(height * 0.9, 0.09, bark, top=0.15)]
    places = []
    for k in range(46):
        z = height * (0.16 + 0.68 * k / 45)
        turn = np.deg2rad(137.5 * k)
        width = spread * np.sin(np.pi * (0.12 + 0.82 * k / 45)) ** 0.6
        end = np.array([width * np.cos(turn), width * np.sin(turn), z + 0.45])
        found.append(painted(tube([(0, 0, z), end * [0.6, 0.6, 1] - [0, 0, 0.2], end], [0.025, 0.018, 0.006], 5), bark))
        places.append(end - [0, 0, 0.12] + _in_ball(90, rng) * [0.16, 0.16, 0.24])
    return [*found, _leaves(np.concatenate(places), 0.075, green, rng, longer=1.2)]
