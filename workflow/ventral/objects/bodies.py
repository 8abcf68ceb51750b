"""Human bodies without heads, in clothes of several kinds, standing, sitting, walking, running and reaching."""

import numpy as np
from numpy.typing import NDArray

from ventral.objects.shapes import (
    Paint,
    Part,
    curve,
    ellipsoid,
    grid,
    hull,
    loft,
    mottled,
    painted,
    placed,
    stripes,
    tube,
    varied,
)

# Poses, in degrees (forward, outwards) from hanging down: upper arm, forearm, thigh, shin; left, then right. `lean` is
# how far the trunk bends forward.
STANDING = {"arms": [(4, 9, 12, 6), (-2, 10, 8, 5)], "legs": [(2, 4, 0, 3), (-2, 5, -3, 4)], "lean": 0}
WALKING = {"arms": [(-28, 10, -5, 6), (30, 10, 50, 0)], "legs": [(26, 2, 14, 2), (-16, 2, -34, 2)], "lean": 4}
CHEERING = {"arms": [(20, 128, 12, 160), (25, 120, 10, 158)], "legs": [(4, 16, 0, 12), (4, 17, 0, 12)], "lean": -3}
SITTING = {"arms": [(20, 10, 68, -8), (18, 12, 64, -6)], "legs": [(86, 8, 2, 3), (84, 10, -8, 4)], "lean": 2}
AKIMBO = {"arms": [(-22, 48, 22, -52), (-22, 48, 22, -52)], "legs": [(5, 13, 0, 12), (0, 14, -4, 12)], "lean": 0}
RUNNING = {"arms": [(-62, 12, 28, 0), (42, 14, 125, -20)], "legs": [(68, 3, -18, 2), (-24, 4, -82, 3)], "lean": 16}
DANCING = {"arms": [(15, 88, 25, 108), (60, 50, 85, 8)], "legs": [(0, 3, 0, 2), (-62, 18, -74, 12)], "lean": 14}
REACHING = {"arms": [(62, 22, 88, 2), (66, 16, 96, 4)], "legs": [(6, 6, 2, 5), (-4, 6, -6, 6)], "lean": 2}

# Clothes: relative length of sleeves and trouser legs (1 is full length), their width, and a skirt's length and flare.
# Colours are those of shirt, trousers or skirt, shoes and pattern.
DESIGNS = (
    {
        "pose": STANDING, "build": (1.0, 1.0), "sleeve": 0.4, "leg": 1.0, "loose": 1.1, "skirt": None,
        "colours": ((0.85, 0.85, 0.8), (0.2, 0.25, 0.42), (0.25, 0.15, 0.1), (0.7, 0.15, 0.15)), "pattern": "bands",
    },
    {
        "pose": WALKING, "build": (0.86, 0.9), "sleeve": 0.25, "leg": 0.0, "loose": 1.05, "skirt": (0.62, 0.2),
        "colours": ((0.75, 0.2, 0.35), (0.75, 0.2, 0.35), (0.15, 0.1, 0.1), (0.95, 0.85, 0.75)),
        "pattern": "patches",
    },
    {
        "pose": CHEERING, "build": (1.04, 1.0), "sleeve": 0.0, "leg": 0.42, "loose": 1.25, "skirt": None,
        "colours": ((0.95, 0.8, 0.2), (0.15, 0.4, 0.2), (0.9, 0.9, 0.9), (0.15, 0.4, 0.2)), "pattern": "plain",
    },
    {
        "pose": SITTING, "build": (1.02, 1.05), "sleeve": 1.0, "leg": 1.0, "loose": 1.15, "skirt": None,
        "colours": ((0.3, 0.3, 0.33), (0.3, 0.3, 0.33), (0.1, 0.1, 0.1), (0.9, 0.9, 0.92)), "pattern": "shirtfront",
    },
    {
        "pose": AKIMBO, "build": (1.2, 1.45), "sleeve": 1.0, "leg": 1.0, "loose": 1.2, "skirt": None,
        "colours": ((0.75, 0.3, 0.15), (0.45, 0.38, 0.25), (0.35, 0.22, 0.12), (0.15, 0.12, 0.15)),
        "pattern": "checks",
    },
    {
        "pose": RUNNING, "build": (0.9, 0.85), "sleeve": 0.0, "leg": 0.95, "loose": 0.98, "skirt": None,
        "colours": ((0.2, 0.6, 0.75), (0.12, 0.12, 0.14), (0.9, 0.35, 0.2), (0.95, 0.95, 0.95)), "pattern": "plain",
    },
    {
        "pose": DANCING, "build": (0.8, 0.8), "sleeve": 0.0, "leg": 1.0, "loose": 0.95, "skirt": (0.13, 0.42),
        "colours": ((0.9, 0.75, 0.8), (0.93, 0.86, 0.84), (0.9, 0.7, 0.72), (0.9, 0.75, 0.8)), "pattern": "plain",
    },
    {
        "pose": REACHING, "build": (1.0, 1.1), "sleeve": 1.0, "leg": 0.0, "loose": 1.7, "skirt": (0.92, 0.16),
        "colours": ((0.38, 0.28, 0.5), (0.38, 0.28, 0.5), (0.3, 0.2, 0.1), (0.8, 0.65, 0.25)), "pattern": "hems",
    },
)  # fmt: skip
SKINS = ((0.93, 0.76, 0.65), (0.85, 0.65, 0.5), (0.66, 0.45, 0.32), (0.42, 0.28, 0.2))
HIP, SHOULDER, NECK = 0.9, 1.43, 1.58
# Sections of the trunk from crotch to neck: height, half the width, half the depth, and forward shift.
TRUNK = np.array(
    [
        [0.8, 0.06, 0.05, 0], [0.83, 0.13, 0.1, -0.01], [0.91, 0.17, 0.125, -0.015], [1.0, 0.158, 0.11, -0.005],
        [1.1, 0.138, 0.095, 0.005], [1.2, 0.15, 0.108, 0.008], [1.3, 0.17, 0.122, 0.01], [1.38, 0.185, 0.108, 0],
        [1.43, 0.182, 0.085, -0.01], [1.465, 0.13, 0.07, -0.015], [1.485, 0.075, 0.062, -0.015],
    ]
)  # fmt: skip


def parts(design: int, rng: np.random.Generator) -> list[Part]:
    """Return the parts of a body: trunk, neck, arms, legs, hands, feet and what it wears."""
    look = DESIGNS[design]
    width, girth = np.array(look["build"]) * rng.uniform(0.93, 1.07, 2)
    skin = varied(SKINS[rng.integers(len(SKINS))], rng, 0.04)
    shirt, trousers, shoes, extra = (varied(colour, rng) for colour in look["colours"])
    sway = rng.normal(0, 4, (4, 4))
    cloth = _pattern(look["pattern"], shirt, extra, rng)

    upper = [_trunk(width, girth, cloth), painted(tube([[-0.015, 0, 1.45], [-0.005, 0, NECK]], [0.066, 0.056]), skin)]
    if look["pattern"] == "shirtfront":
        front = [[0.115, 0.02, 1.02], [0.13, 0.045, 1.3], [0.07, 0.06, 1.47]]
        rows = [[(x, y * s, z) for s in (-1, -0.5, 0, 0.5, 1)] for x, y, z in curve(front, 12)]
        upper.append(painted(placed(grid(np.array(rows)), scale=(girth, 1, 1), shift=(0.006, 0, 0)), extra))
        tie = curve([[0.13, 0.014, 1.1], [0.142, 0.024, 1.18], [0.138, 0.018, 1.3], [0.09, 0.015, 1.45]], 12)
        rows = [[(x, y * s, z) for s in (-1, 0, 1)] for x, y, z in tie]
        upper.append(painted(placed(grid(np.array(rows)), scale=(girth, 1, 1), shift=(0.01, 0, 0)), (0.6, 0.1, 0.15)))
    lower = []
    for side, arm, leg, off in zip((1, -1), look["pose"]["arms"], look["pose"]["legs"], sway[:2], strict=True):
        shoulder = np.array([-0.01, side * 0.185 * width, SHOULDER - 0.025])
        joints = _joints(shoulder, np.array(arm) + off, side, (0.29, 0.26))
        radii = np.array([0.05, 0.052, 0.046, 0.04, 0.042, 0.028]) * (0.5 + 0.5 * girth)
        upper += [*_limb(joints, radii, look["sleeve"], look["loose"], skin, cloth), *_hand(joints, side, skin)]
        hip = np.array([-0.005, side * 0.088 * width, HIP])
        joints = _joints(hip, np.array(leg) + off / 2, side, (0.43, 0.43))
        radii = np.array([0.095, 0.09, 0.068, 0.056, 0.058, 0.038]) * (0.5 + 0.5 * girth)
        lower += [*_limb(joints, radii, look["leg"], 0.4 + 0.6 * look["loose"], skin, trousers), _foot(joints, shoes)]
    if look["skirt"]:
        lower.append(_skirt(*look["skirt"], width, girth, cloth if look["pattern"] != "plain" else trousers))
    else:
        half, depth = TRUNK[3, 1:3] * 1.03 * [width, girth]
        ring = np.linspace(0, 2 * np.pi, 40, endpoint=False)[:, None]
        belt = loft([np.hstack([depth * np.cos(ring), half * np.sin(ring), 0 * ring + z]) for z in (0.99, 1.04)])
        lower += [_trunk(width * 1.02, girth * 1.03, trousers, top=1.02), painted(belt, shoes * 0.6)]
    lean = look["pose"]["lean"] + sway[3, 0] / 2
    pivot = np.array([0, 0, 0.95])
    return [*(placed(placed(part, shift=-pivot), turn=(0, lean, 0), shift=pivot) for part in upper), *lower]


def _pattern(name: str, cloth: NDArray, extra: NDArray, rng: np.random.Generator) -> Paint:
    if name == "bands":
        return stripes(cloth, extra, "z", 0.045)
    if name == "patches":
        return mottled(cloth, extra, 0.035, int(rng.integers(1 << 30)), share=0.35)
    if name == "checks":
        one, other = stripes(cloth, extra, "z", 0.05), stripes(cloth, extra, "y", 0.05)
        return lambda points: (one(points) + other(points)) / 2
    if name == "hems":
        return lambda points: np.where(np.abs(points[:, 2:] - 0.27) < 0.03, extra, cloth)
    return cloth


def _direction(forward: float, outwards: float, side: int) -> NDArray:
    f, o = np.deg2rad([forward, outwards])
    return np.array([np.sin(f) * np.cos(o), side * np.sin(o), -np.cos(f) * np.cos(o)])


def _joints(root: NDArray, angles: NDArray, side: int, lengths: tuple[float, float]) -> NDArray:
    """Return root, middle joint and end (3, 3) of a limb."""
    middle = root + lengths[0] * _direction(angles[0], angles[1], side)
    return np.array([root, middle, middle + lengths[1] * _direction(angles[2], angles[3], side)])


def _trunk(width: float, girth: float, paint: Paint, top: float = 2.0) -> Part:
    sections = curve(TRUNK, 48)
    sections = sections[sections[:, 0] < top]
    angle = np.linspace(0, 2 * np.pi, 44, endpoint=False)
    z, half, depth, shift = (column[:, None] for column in sections.T)
    ring = np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** 0.85
    x = shift + depth * girth * ring
    points = np.stack(np.broadcast_arrays(x, half * width * np.sin(angle), z), -1)
    return painted(loft(points), paint)


def _limb(joints: NDArray, radii: NDArray, covered: float, loose: float, skin: NDArray, cloth: Paint) -> list[Part]:
    """Return a limb, thickest above the middle of both its halves, and the part of it that is covered by cloth."""
    a, b, c = joints
    anchors = np.array([a, (a + b) / 2, a + 0.9 * (b - a), b + 0.1 * (c - b), b + 0.4 * (c - b), c])
    path = curve(np.column_stack([anchors, radii]), 30)
    limb = [painted(tube(path[:, :3], path[:, 3]), skin), painted(ellipsoid(a, [radii[0]] * 3, 10), skin)]
    if covered:
        sleeve = path[: max(4, round(29 * covered))]
        widening = np.linspace(1.04, loose, len(sleeve)) + 0.08
        limb += [painted(tube(sleeve[:, :3], sleeve[:, 3] * widening), cloth)]
        limb += [painted(ellipsoid(a, [radii[0] * 1.12] * 3, 10), cloth)]
    return limb


def _hand(joints: NDArray, side: int, skin: NDArray) -> list[Part]:
    along = joints[2] - joints[1]
    along /= np.linalg.norm(along)
    inwards = np.cross(along, [0, -side, 0])
    inwards /= max(np.linalg.norm(inwards), 1e-6)
    start = joints[2] - 0.01 * along
    across = np.cross(along, inwards)
    fingers = [
        tube(
            [
                start + 0.07 * along + k * 0.016 * inwards,
                start + (0.15 - 0.012 * abs(k - 0.5)) * along + k * 0.018 * inwards,
            ],
            [0.011, 0.008],
            8,
        )
        for k in (-1.5, -0.5, 0.5, 1.5)
    ]
    palm = loft(
        [
            start + d * along + r * (np.cos(t) * inwards + 0.45 * np.sin(t) * across)
            for d, r in ((0, 0.028), (0.04, 0.038), (0.09, 0.035))
            for t in [np.linspace(0, 2 * np.pi, 16, endpoint=False)[:, None]]
        ]
    )
    thumb = tube(
        [start + 0.02 * along, start + 0.07 * along + 0.055 * inwards, start + 0.1 * along + 0.06 * inwards],
        [0.014, 0.013, 0.009],
        8,
    )
    return [painted(piece, skin) for piece in (*fingers, palm, thumb)]


def _foot(joints: NDArray, colour: NDArray) -> Part:
    """Return a shoe at right angles to the shin."""
    shape = hull(
        [-0.08, -0.06, 0, 0.06, 0.13, 0.18, 0.2],
        [0.02, 0.036, 0.04, 0.044, 0.05, 0.036, 0.015],
        [-0.075] * 7,
        [-0.02, 0.02, 0.045, 0.015, -0.025, -0.04, -0.06],
        squareness=0.8,
    )
    along = joints[2] - joints[1]
    pitch = np.rad2deg(np.arctan2(-along[0], -along[2]))
    return painted(
        placed(shape, turn=(0, max(pitch, -40) * (1 if abs(pitch) > 30 else 0.3), 0), shift=joints[2]), colour
    )


def _skirt(length: float, flare: float, width: float, girth: float, paint: Paint) -> Part:
    """Return a skirt from the waist down, in folds that deepen downwards."""
    t = np.linspace(0, 1, 24)[:, None]
    angle = np.linspace(0, 2 * np.pi, 96, endpoint=False)[None]
    spread = 0.145 * width + flare * t**0.8 + (0.03 + 0.03 * flare) * np.sin(np.pi * np.minimum(t * 1.6, 1))
    folds = 1 + 0.07 * t * np.sin(12 * angle) + 0.03 * t * np.sin(7 * angle)
    x = spread * (0.72 + 0.25 * t) * girth * folds * np.cos(angle)
    z = 1.1 - length * t**1.1 + 0 * angle
    return painted(grid(np.stack([x, spread * folds * np.sin(angle), z], -1), closed_v=True), paint)
