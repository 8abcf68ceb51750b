"""Faces: whole heads of eight people, of other shapes, skins, hair, features and expressions."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ventral.objects.shapes import (
    Part,
    curve,
    ellipsoid,
    grid,
    joined,
    lathe,
    mirrored,
    mottled,
    painted,
    placed,
    torus,
    tube,
    varied,
)

# Outline of the head from chin to crown: z, half width, depth before and behind the ears; in decimetres.
OUTLINE = np.array(
    [
        (-1.2, 0.1, 0.6, -0.25), (-1.17, 0.26, 0.84, -0.05), (-1.05, 0.42, 0.92, 0.1), (-0.85, 0.56, 0.92, 0.3),
        (-0.6, 0.65, 0.9, 0.5),
        (-0.35, 0.71, 0.9, 0.72), (0, 0.76, 0.9, 0.92), (0.3, 0.79, 0.92, 1.0), (0.6, 0.77, 0.87, 0.98),
        (0.85, 0.68, 0.72, 0.85),
        (1.03, 0.52, 0.52, 0.64), (1.14, 0.33, 0.32, 0.4), (1.2, 0.02, 0.02, 0.02),
    ]
)  # fmt: skip
EYE, NOSE, MOUTH = 0.02, -0.36, -0.68


class Person(NamedTuple):
    """The shape of a head; measures are relative to an average head, unless stated."""

    wide: float
    jaw: float  # width of the lower face
    nose: tuple[float, float]  # its length forward, its width
    lips: float  # their thickness
    smile: float  # how far the corners of the mouth rise
    gape: float  # how far it opens
    brows: tuple[float, float]  # their tilt (inner ends down, an angry look), thickness
    hairline: list[float]  # z at 0, 45, 90, 135 and 180 degrees from the front
    volume: tuple[float, float]  # of hair at the crown and at its ends
    rough: float  # how uneven the hair is
    skin: tuple[float, float, float]
    hair: tuple[float, float, float]
    iris: tuple[float, float, float]


# fmt: off
PEOPLE = [
    Person(1.0, 1.08, (1.0, 1.0), 0.9, 0.0, 0, (0.0, 1.2), [0.72, 0.62, 0.1, -0.45, -0.6], (0.1, 0.04), 0.03,
           (0.86, 0.66, 0.53), (0.24, 0.15, 0.09), (0.25, 0.4, 0.55)),
    Person(0.94, 0.9, (0.85, 0.85), 1.3, 0.1, 0, (-0.06, 0.8), [0.78, 0.4, -1.6, -1.75, -1.8], (0.12, 0.2), 0.03,
           (0.95, 0.77, 0.66), (0.85, 0.65, 0.3), (0.25, 0.5, 0.35)),
    Person(1.0, 1.0, (0.85, 1.45), 1.7, 0.13, 0.14, (-0.04, 1.1), [0.7, 0.45, -0.1, -0.5, -0.6], (0.5, 0.42), 0.13,
           (0.36, 0.22, 0.15), (0.07, 0.05, 0.05), (0.15, 0.08, 0.05)),
    Person(1.06, 1.15, (1.25, 1.2), 0.8, -0.07, 0, (0.13, 1.7), [2, 2, 2, 2, 2], (0, 0), 0, (0.85, 0.58, 0.47),
           (0.55, 0.22, 0.09), (0.3, 0.3, 0.3)),
    Person(0.97, 0.95, (0.75, 1.05), 1.1, 0.0, 0, (-0.02, 0.9), [0.33, 0.33, -0.75, -0.85, -0.85], (0.12, 0.16), 0.01,
           (0.9, 0.72, 0.54), (0.06, 0.06, 0.08), (0.14, 0.08, 0.05)),
    Person(1.02, 1.05, (1.2, 1.15), 0.7, 0.05, 0, (-0.1, 1.4), [1.4, 1.3, 0.25, -0.35, -0.6], (0.08, 0.12), 0.06,
           (0.88, 0.68, 0.6), (0.84, 0.84, 0.83), (0.35, 0.5, 0.62)),
    Person(0.96, 0.92, (0.95, 1.0), 1.35, -0.1, 0.0, (-0.16, 1.0), [0.75, 0.62, 0.12, -0.3, -0.35], (0.09, 0.05),
           0.02, (0.62, 0.41, 0.27), (0.55, 0.12, 0.13), (0.25, 0.14, 0.08)),
    Person(1.0, 0.98, (1.0, 0.95), 1.0, 0.02, 0.3, (-0.2, 0.9), [0.7, 0.62, 0.25, -0.3, -0.5], (0.02, 0.01), 0.02,
           (0.76, 0.54, 0.38), (0.2, 0.55, 0.6), (0.2, 0.35, 0.2)),
]
# fmt: on


def parts(design: int, rng: np.random.Generator) -> list[Part]:
    """Return the painted parts of the head of one of eight kinds of people."""
    person = PEOPLE[design]
    # Each of the kind has a face of his or her own.
    wide, jaw, lips = (person.wide, person.jaw, person.lips) * rng.uniform(0.94, 1.06, 3)
    person = person._replace(
        wide=wide,
        jaw=jaw,
        lips=lips,
        nose=tuple(person.nose * rng.uniform(0.85, 1.15, 2)),
        smile=person.smile + rng.normal(0, 0.025),
        skin=tuple(varied(person.skin, rng, 0.03)),
        hair=tuple(varied(person.hair, rng, 0.04)),
    )
    made = [_head(person), *_neck(person), *_eyes(person), *_mouth(person), mirrored(_ear(person))]
    strands = _strands(person, rng)
    if max(person.hairline) < 2:
        made.append(painted(_hair(person, rng), strands))
    extra = {0: _stubble, 3: _beard, 4: _glasses, 5: _old, 6: _bun, 7: _mohawk, 1: _earrings}.get(design)
    return made + (extra(person, strands, rng) if extra else [])


def _outline(person: Person, z: ArrayLike) -> tuple[NDArray, NDArray, NDArray]:
    """Return half width and depths in front and behind at heights z."""
    z = np.asarray(z, float)
    half, front, behind = (np.interp(z, *_FINE[[0, k]]) for k in (1, 2, 3))
    lower = np.clip((0.1 - z) / 0.8, 0, 1)
    return half * person.wide * (1 + (person.jaw - 1) * lower), front, behind


_FINE = curve(OUTLINE, 400).T


def _front(person: Person, y: ArrayLike, z: ArrayLike) -> NDArray:
    """Return x of the face at some places, with its nose, sockets, cheeks, lips and chin in relief."""
    half, front, _ = _outline(person, z)
    y, z = np.broadcast_arrays(np.asarray(y, float), np.asarray(z, float))

    def bump(at_y: float, at_z: float, wide: float, tall: float) -> NDArray:
        return np.exp(-(((np.abs(y) - at_y) / wide) ** 2) - ((z - at_z) / tall) ** 2)

    length, width = person.nose
    share = np.clip((0.14 - z) / (0.14 - NOSE), 0, 1)
    # The bridge rises towards the tip and breaks off below it.
    ridge = share**1.3 * (1 / (1 + np.exp((NOSE - 0.03 - z) / 0.022)))
    relief = 0.34 * length * ridge * np.exp(-(np.abs(y / ((0.07 + 0.1 * share**2) * width)) ** 2.4))
    relief = relief + 0.12 * length * bump(0.13 * width, NOSE + 0.04, 0.07 * width, 0.08)
    relief = relief - 0.13 * bump(0.31, EYE, 0.2, 0.13) + 0.06 * bump(0.28, 0.24, 0.3, 0.09)
    relief = relief + 0.07 * bump(0.42, -0.28, 0.2, 0.2) + 0.07 * bump(0, -1.03, 0.2, 0.14)
    relief = relief + 0.05 * bump(0, MOUTH, 0.26, 0.16) - 0.03 * bump(0, -0.86, 0.2, 0.05)
    base = front * np.maximum(1 - np.abs(y / np.maximum(half, 1e-6)) ** 2.2, 0) ** 0.5
    return base + relief * (base > 0.2 * front)


def _head(person: Person) -> Part:
    """Return the skull with its face, finer in front."""
    z = np.interp(np.linspace(0, 1, 58), [0, 0.06, 0.75, 1], [-1.2, -1.14, 0.5, 1.2])[:, None]
    z = np.where(z > 0.9, 0.9 + 0.3 * np.sin(np.pi / 2 * (z - 0.9) / 0.3), z)
    half, _, behind = _outline(person, z)
    across = np.sin(np.linspace(-np.pi / 2, np.pi / 2, 50))[None] * 0.9995
    face = np.stack(np.broadcast_arrays(_front(person, half * across, z), half * across, z), -1)
    turn = np.linspace(np.pi / 2, 3 * np.pi / 2, 20)[None, 1:-1]
    back = np.stack(np.broadcast_arrays(behind * np.cos(turn), half * np.sin(turn), z), -1)
    skin = np.array(person.skin)

    def complexion(points: NDArray) -> NDArray:
        x, y, z = points.T
        flush = 0.5 * np.exp(-(((np.abs(y) - 0.42) / 0.2) ** 2) - ((z + 0.32) / 0.2) ** 2) * (x > 0.3)
        return skin + flush[:, None] * np.array([0.06, -0.07, -0.06]) * skin.mean() / 0.6

    return painted(grid(np.concatenate([face, back], axis=1), closed_v=True), complexion)


def _neck(person: Person) -> list[Part]:
    rows = curve([(-0.1, 0, -0.6, 0.5), (-0.14, 0, -1.15, 0.47), (-0.2, 0, -1.5, 0.5), (-0.22, 0, -1.68, 0.62)], 16)
    return [
        painted(
            placed(tube(rows[:, :3], rows[:, 3] * person.jaw, 30), scale=[1.05, 0.95, 1]), np.array(person.skin) * 0.95
        )
    ]


def _ear(person: Person) -> Part:
    half = float(_outline(person, -0.1)[0])
    skin = np.array(person.skin)
    shell = painted(ellipsoid([0, 0, 0], [0.15, 0.06, 0.25], 11), skin)
    rim = curve([(-0.03, 0.05, -0.24), (-0.14, 0.06, 0), (-0.1, 0.06, 0.2), (0.03, 0.05, 0.24), (0.11, 0.03, 0.12)], 16)
    bowl = painted(ellipsoid([0.01, 0.045, -0.01], [0.075, 0.03, 0.13], 8), skin * 0.72)
    return placed(joined([shell, painted(tube(rim, 0.035, 8), skin), bowl]), (-8, -6, 22), (-0.06, half + 0.01, -0.12))


def _along(person: Person, y: ArrayLike, z: ArrayLike, off: float) -> NDArray:
    """Return places on the face, a little off it."""
    y, z = np.broadcast_arrays(np.asarray(y, float), np.asarray(z, float))
    return np.stack([_front(person, y, z) + off, y, z], axis=-1)


def _eyes(person: Person) -> list[Part]:
    """Return eyes with their lids, and brows."""
    made, skin = [], np.array(person.skin)
    x = float(_front(person, 0.31, EYE)) - 0.05
    made.append(painted(ellipsoid([x, 0.31, EYE], [0.115, 0.15, 0.085], 12), (0.95, 0.94, 0.92)))
    made.append(painted(ellipsoid([x + 0.08, 0.305, EYE], [0.046, 0.07, 0.07], 9), person.iris))
    made.append(painted(ellipsoid([x + 0.098, 0.305, EYE], [0.035, 0.033, 0.033], 7), (0.02, 0.02, 0.02)))
    made.append(painted(ellipsoid([x + 0.13, 0.33, EYE + 0.03], [0.012, 0.014, 0.014], 5), (1, 1, 1)))
    side = np.linspace(-1, 1, 14)
    for height, radius, colour in ((0.085, 0.022, skin * 0.35), (-0.08, 0.016, skin * 0.8)):
        lid = np.stack([x + 0.1 - 0.1 * side**2, 0.31 + 0.17 * side, EYE + height * (1 - side**2)], axis=1)
        made.append(painted(tube(lid, radius, 8), colour))
    fold = np.stack([x + 0.08 - 0.1 * side**2, 0.31 + 0.18 * side, EYE + 0.01 + 0.12 * (1 - side**2)], axis=1)
    made.append(painted(tube(fold, 0.045, 10), skin * 0.94))
    tilt, thick = person.brows
    y = np.linspace(0.13, 0.53, 16)
    arch = 0.25 + tilt * (y - 0.13) / 0.4 - tilt / 2 + 0.05 * np.sin(np.pi * (y - 0.13) / 0.45)
    radius = 0.036 * thick * np.interp(np.linspace(0, 1, 16), [0, 0.15, 0.6, 1], [0.6, 1, 0.9, 0.3])
    brow = placed(tube(_along(person, y, arch, 0.0), radius, 10), shift=[0.0, 0, 0])
    made.append(painted(brow, np.array(person.hair) * 0.75))
    return [mirrored(part) for part in made]


def _mouth(person: Person) -> list[Part]:
    """Return lips, and teeth behind them where they part."""
    wide = 0.27 + 0.5 * max(person.smile, 0)
    side = np.linspace(-1, 1, 22)
    rise, gape = person.smile * side**2 - 0.3 * person.smile, person.gape
    open_by = gape * np.sqrt(np.maximum(1 - side**2, 0))
    red = np.array(person.skin) * np.array([0.88, 0.58, 0.58])
    taper = np.sqrt(np.maximum(1 - side**2, 0.02)) * person.lips
    upper = _along(person, wide * side, MOUTH + 0.025 + rise + 0.3 * open_by, 0.0)
    lower = _along(person, wide * side, MOUTH - 0.035 + rise - 0.7 * open_by, 0.005)
    line = _along(person, 0.98 * wide * side, MOUTH + rise, 0.028 + 0.015 * person.lips)
    made = [painted(tube(upper, 0.04 * taper, 10), red * 0.93), painted(tube(lower, 0.05 * taper, 10), red)]
    if gape:
        inward = np.array([0.02, 0, 0])
        share = np.linspace(0, 1, 8)[:, None, None]
        made.append(painted(grid((1 - share) * (upper + inward) + share * (lower + inward)), (0.25, 0.05, 0.06)))
        teeth = (1 - 0.35 * share) * (upper + 1.4 * inward) + 0.35 * share * (lower + 1.4 * inward)
        made.append(painted(grid(teeth[:, 3:-3]), (0.95, 0.94, 0.9)))
    else:
        made.append(painted(tube(line, 0.012, 8), red * 0.45))
    return made


def _hair(person: Person, rng: np.random.Generator) -> Part:
    """Return the hair as a shell over the head, from the crown down to the hairline."""
    angle = np.linspace(-np.pi, np.pi, 80, endpoint=False)[None]
    line = np.interp(
        np.abs(angle),
        np.deg2rad([0, 45, 62, 90, 135, 180]),
        np.insert(person.hairline, 2, 0.55 * person.hairline[1] + 0.45 * person.hairline[2]),
    )
    line = np.minimum(line, 1.1) + 0.02 * np.sin(23 * angle)
    share = np.linspace(0.0, 1, 32)[:, None]
    # Evenly spaced over a dome: near the crown the height falls with the square of the way.
    z = 1.2 - (1.2 - line) * (1 - np.cos(np.pi / 2 * share)) ** 0.9
    held = np.maximum(z, -0.35)
    half, front, behind = _outline(person, held)
    depth = np.where(np.cos(angle) > 0, front, behind)
    crown, ends = person.volume
    thick = (crown + (ends - crown) * share) * np.minimum(1, 6 * (1 - share) + 0.35)
    thick = thick * np.minimum(1, 5 * share)
    field = sum(
        np.sin(k * angle + p) * np.sin(m * z + q)
        for k, m, p, q in zip((17, 29, 23, 11), (9, 13, 19, 25), *rng.uniform(0, 6, (2, 4)), strict=True)
    )
    thick = thick + person.rough * field / 2 * np.minimum(1, 5 * share)
    x, y = (depth + thick) * np.cos(angle), (half + thick) * np.sin(angle)
    up = z + crown * np.cos(np.pi / 2 * np.minimum(1.3 * share, 1))
    return grid(np.stack(np.broadcast_arrays(x, y, up), axis=-1), closed_v=True)


def _strands(person: Person, rng: np.random.Generator):
    """Return a paint of lighter and darker strands that run down from the crown."""
    hair, phases = np.array(person.hair), rng.uniform(0, 6, 3)

    def paint(points: NDArray) -> NDArray:
        angle = np.arctan2(points[:, 1], points[:, 0])
        tone = sum(np.sin(k * angle + 2 * points[:, 2] + p) for k, p in zip((14, 25, 37), phases, strict=True)) / 3
        return hair * (1 + 0.4 * tone[:, None])

    return paint


def _patch(person: Person, top: list[float], bottom: float, off: float, rough: float) -> Part:
    """Return hair on the lower face, between a line (z in the middle to z at the side) and a height below the chin."""
    across = np.linspace(-1, 1, 61)[None]
    share = np.linspace(0, 1, 26)[:, None]
    line = np.interp(np.abs(across), [0, 0.38, 0.75, 1], top)
    z = line + (bottom + 0.45 * np.abs(across) ** 2 - line) * share
    half, _, _ = _outline(person, np.maximum(z, -0.95))
    y = half * across * 0.995
    bulge = off * np.sqrt(np.clip(4 * share, 0, 1))
    taper = np.where(z < -0.95, np.clip(1 - (-0.95 - z) * 0.9, 0, 1), 1)
    x = (_front(person, y, np.maximum(z, -0.95)) + bulge) * (0.6 + 0.4 * taper)
    x = x + rough * np.sin(40 * y + 3 * np.sin(9 * z))
    return grid(np.stack([x, y * (1 + 1.2 * bulge / 0.8) * taper, z], axis=-1))


def _stubble(person: Person, strands, rng: np.random.Generator) -> list[Part]:
    return [
        painted(
            _patch(person, [-0.78, -0.72, -0.4, -0.1], -1.19, 0.008, 0),
            (2.5 * np.array(person.skin) + person.hair) / 3.5,
        )
    ]


def _beard(person: Person, strands, rng: np.random.Generator) -> list[Part]:
    return [
        painted(_patch(person, [-0.8, -0.7, -0.42, 0.05], -1.6, 0.12, 0.015), strands),
        *_moustache(person, strands, rng),
    ]


def _moustache(person: Person, strands, rng: np.random.Generator) -> list[Part]:
    y = np.linspace(0, 0.4, 14)
    path = _along(person, y, -0.53 - 0.5 * y**2, 0.04)
    radius = np.interp(np.linspace(0, 1, 14), [0, 0.3, 1], [0.06, 0.085, 0.015])
    return [painted(mirrored(tube(path, radius, 12)), np.array(person.hair) * 0.9)]


def _old(person: Person, strands, rng: np.random.Generator) -> list[Part]:
    y, wave = np.linspace(-0.4, 0.4, 20), 0.03 * np.cos(np.linspace(-3, 3, 20))
    wrinkles = [tube(_along(person, y, z + wave, 0.0), 0.012, 6) for z in (0.5, 0.62, 0.74)]
    folds = tube(_along(person, np.linspace(0.2, 0.42, 12), np.linspace(-0.33, -0.72, 12), 0.0), 0.014, 6)
    lines = painted(joined([*wrinkles, mirrored(folds)]), np.array(person.skin) * 0.75)
    return [lines, *_moustache(person, strands, rng)]


def _glasses(person: Person, strands, rng: np.random.Generator) -> list[Part]:
    x, half = float(_front(person, 0.31, EYE)) + 0.2, float(_outline(person, 0.05)[0])
    frame = [
        torus([x, 0.32, EYE], 0.235, 0.026, "x"),
        tube([(x, 0.55, EYE + 0.05), (x - 0.1, half + 0.04, EYE + 0.05), (-0.1, half + 0.05, EYE + 0.02)], 0.024, 8),
    ]
    bridge = tube(curve([(x, 0.09, EYE + 0.02), (x + 0.03, 0, EYE + 0.07), (x, -0.09, EYE + 0.02)], 8), 0.024, 8)
    return [painted(joined([mirrored(joined(frame)), bridge]), varied((0.6, 0.1, 0.12), rng))]


def _bun(person: Person, strands, rng: np.random.Generator) -> list[Part]:
    bun = ellipsoid([-0.55, 0, 1.32], [0.36, 0.38, 0.32], 16)
    half = float(_outline(person, -0.4)[0])
    hoops = mirrored(torus([-0.04, half + 0.07, -0.52], 0.13, 0.022, "y"))
    return [
        painted(bun, strands),
        painted(torus([-0.5, 0, 1.13], 0.26, 0.06, "z"), (0.9, 0.75, 0.25)),
        painted(hoops, (0.85, 0.7, 0.25)),
    ]


def _mohawk(person: Person, strands, rng: np.random.Generator) -> list[Part]:
    made = []
    for angle in np.linspace(0.35, 2.5, 15):
        root = np.array([0.95 * np.cos(angle) - 0.03, 0, 0.25 + 0.95 * np.sin(angle)])
        tip = root + 0.62 * np.array([np.cos(angle), 0, np.sin(angle)]) * rng.uniform(0.85, 1.1)
        spike = placed(
            tube(
                curve([root * 0.9, (root + tip) / 2 + rng.normal(0, 0.02, 3), tip], 8), np.linspace(0.15, 0.02, 8), 10
            ),
            scale=[1, 0.9, 1],
        )
        made.append(spike)
    return [painted(joined(made), strands)]


def _earrings(person: Person, strands, rng: np.random.Generator) -> list[Part]:
    scarf = lathe(curve([(0.52, -1.4), (0.66, -1.45), (0.72, -1.58), (0.66, -1.7), (0.5, -1.72)], 14), 50)
    return [
        painted(
            placed(scarf, shift=[-0.18, 0, 0.05]),
            mottled(varied((0.2, 0.45, 0.5), rng), (0.85, 0.8, 0.7), 0.08, 7, 0.3),
        )
    ]
