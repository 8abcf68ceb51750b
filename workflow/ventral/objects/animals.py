"""Animals: dog, elephant, horse, parrot, turtle, bear, giraffe and crocodile."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ventral.objects.shapes import (
    Paint,
    Part,
    curve,
    ellipsoid,
    hull,
    joined,
    lathe,
    mirrored,
    mottled,
    painted,
    placed,
    tube,
    varied,
)

BLACK = (0.05, 0.04, 0.04)
Path = list[tuple[float, float, float, float]]


class Quadruped(NamedTuple):
    """Measures of a mammal on four legs; about 1 to the shoulder. Limbs are rows of x, y, z and radius."""

    trunk: Path  # x, half width, bottom, top
    neck: Path
    fore: Path
    hind: Path
    head: Path  # x, half width, bottom, top, about its own middle
    head_at: tuple[float, float, float]  # x, z, and degrees it points down
    eye: tuple[float, float, float, float]  # in the head's space, and radius
    ear: tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float, float]]  # place, radii, turn
    tail: Path
    colours: list[tuple[float, float, float]]  # coat, markings, feet


# fmt: off
MAMMALS = {
    0: Quadruped(
        [(-0.58, 0.05, 0.66, 0.78), (-0.5, 0.15, 0.52, 0.88), (-0.2, 0.155, 0.54, 0.9), (0.15, 0.18, 0.44, 0.92),
         (0.4, 0.17, 0.46, 0.96), (0.52, 0.1, 0.55, 0.9), (0.57, 0.03, 0.66, 0.8)],
        [(0.36, 0, 0.78, 0.18), (0.52, 0, 0.96, 0.14), (0.62, 0, 1.14, 0.115)],
        [(0.38, 0.1, 0.72, 0.12), (0.33, 0.13, 0.45, 0.08), (0.36, 0.13, 0.2, 0.05), (0.36, 0.13, 0.05, 0.055),
         (0.4, 0.13, 0.025, 0.045)],
        [(-0.42, 0.09, 0.7, 0.16), (-0.34, 0.14, 0.47, 0.11), (-0.52, 0.14, 0.25, 0.055), (-0.48, 0.14, 0.05, 0.05),
         (-0.43, 0.14, 0.025, 0.045)],
        [(-0.17, 0.05, -0.06, 0.06), (-0.1, 0.13, -0.12, 0.13), (0.0, 0.14, -0.13, 0.15), (0.1, 0.11, -0.13, 0.12),
         (0.16, 0.075, -0.12, 0.04), (0.3, 0.062, -0.11, 0.015), (0.35, 0.03, -0.07, 0.0)],
        (0.68, 1.22, 8),
        (0.11, 0.085, 0.055, 0.025),
        ((-0.03, 0.145, 0.0), (0.07, 0.028, 0.16), (12, 8, 0)),
        [(-0.54, 0, 0.76, 0.06), (-0.72, 0, 0.9, 0.045), (-0.82, 0, 1.1, 0.035), (-0.8, 0, 1.22, 0.015)],
        [(0.9, 0.86, 0.78), (0.45, 0.24, 0.1), (0.88, 0.82, 0.74)],
    ),
    1: Quadruped(
        [(-0.78, 0.08, 0.6, 0.85), (-0.68, 0.3, 0.45, 1.1), (-0.3, 0.4, 0.36, 1.24), (0.1, 0.4, 0.36, 1.26),
         (0.45, 0.33, 0.44, 1.2), (0.62, 0.2, 0.55, 1.1), (0.7, 0.08, 0.7, 0.95)],
        [(0.4, 0, 0.95, 0.27), (0.7, 0, 1.1, 0.24)],
        [(0.38, 0.22, 0.8, 0.18), (0.4, 0.22, 0.4, 0.135), (0.4, 0.22, 0.1, 0.125), (0.4, 0.22, 0.02, 0.14)],
        [(-0.5, 0.22, 0.8, 0.2), (-0.46, 0.22, 0.42, 0.14), (-0.52, 0.22, 0.1, 0.12), (-0.5, 0.22, 0.02, 0.135)],
        [(-0.26, 0.1, -0.15, 0.15), (-0.15, 0.22, -0.26, 0.26), (0.05, 0.25, -0.3, 0.27), (0.2, 0.19, -0.28, 0.16),
         (0.29, 0.1, -0.22, 0.0), (0.31, 0.04, -0.18, -0.05)],
        (0.86, 1.17, 5),
        (0.14, 0.215, 0.03, 0.025),
        ((-0.16, 0.4, -0.06), (0.04, 0.29, 0.38), (20, 0, 38)),
        [(-0.74, 0, 0.95, 0.05), (-0.86, 0, 0.7, 0.03), (-0.88, 0, 0.45, 0.02), (-0.88, 0, 0.34, 0.045)],
        [(0.5, 0.47, 0.46), (0.42, 0.38, 0.37), (0.38, 0.35, 0.34)],
    ),
    2: Quadruped(
        [(-0.7, 0.06, 0.75, 0.95), (-0.62, 0.2, 0.66, 1.12), (-0.3, 0.22, 0.6, 1.1), (0.0, 0.23, 0.56, 1.06),
         (0.35, 0.2, 0.6, 1.14), (0.52, 0.14, 0.68, 1.12), (0.6, 0.05, 0.8, 1.0)],
        [(0.38, 0, 0.95, 0.2), (0.6, 0, 1.2, 0.14), (0.78, 0, 1.46, 0.1)],
        [(0.42, 0.11, 0.85, 0.14), (0.42, 0.12, 0.55, 0.075), (0.43, 0.12, 0.46, 0.06), (0.43, 0.12, 0.14, 0.042),
         (0.46, 0.12, 0.07, 0.05), (0.47, 0.12, 0.01, 0.065)],
        [(-0.5, 0.11, 0.9, 0.19), (-0.46, 0.13, 0.66, 0.12), (-0.64, 0.13, 0.46, 0.06), (-0.6, 0.13, 0.14, 0.045),
         (-0.57, 0.13, 0.07, 0.05), (-0.56, 0.13, 0.01, 0.065)],
        [(-0.14, 0.04, -0.06, 0.06), (-0.07, 0.1, -0.15, 0.1), (0.06, 0.1, -0.14, 0.09), (0.3, 0.06, -0.08, 0.05),
         (0.42, 0.065, -0.085, 0.045), (0.48, 0.035, -0.05, 0.02)],
        (0.84, 1.5, 38),
        (0.08, 0.095, 0.04, 0.024),
        ((-0.1, 0.06, 0.15), (0.03, 0.025, 0.09), (-10, -25, 0)),
        [(-0.66, 0, 1.0, 0.05), (-0.8, 0, 0.95, 0.06), (-0.9, 0, 0.65, 0.075), (-0.88, 0, 0.35, 0.02)],
        [(0.55, 0.27, 0.12), (0.1, 0.07, 0.05), (0.12, 0.1, 0.09)],
    ),
    5: Quadruped(
        [(-0.72, 0.1, 0.5, 0.75), (-0.62, 0.28, 0.34, 0.98), (-0.25, 0.34, 0.3, 1.0), (0.15, 0.33, 0.3, 0.98),
         (0.4, 0.3, 0.34, 1.06), (0.6, 0.2, 0.45, 0.98), (0.7, 0.08, 0.6, 0.85)],
        [(0.45, 0, 0.75, 0.29), (0.75, 0, 0.84, 0.22)],
        [(0.42, 0.18, 0.65, 0.2), (0.42, 0.22, 0.35, 0.13), (0.42, 0.22, 0.1, 0.105), (0.5, 0.22, 0.06, 0.08),
         (0.56, 0.22, 0.05, 0.05)],
        [(-0.48, 0.18, 0.62, 0.24), (-0.42, 0.22, 0.35, 0.15), (-0.52, 0.22, 0.1, 0.105), (-0.44, 0.22, 0.06, 0.08),
         (-0.36, 0.22, 0.05, 0.05)],
        [(-0.24, 0.08, -0.1, 0.1), (-0.14, 0.21, -0.19, 0.18), (0.0, 0.23, -0.21, 0.2), (0.12, 0.17, -0.2, 0.13),
         (0.2, 0.105, -0.19, 0.02), (0.36, 0.085, -0.17, -0.015), (0.41, 0.04, -0.1, -0.03)],
        (0.88, 0.9, 10),
        (0.17, 0.1, 0.07, 0.022),
        ((-0.05, 0.18, 0.19), (0.045, 0.075, 0.08), (-25, 0, 0)),
        [(-0.7, 0, 0.75, 0.08), (-0.8, 0, 0.68, 0.05), (-0.83, 0, 0.66, 0.02)],
        [(0.42, 0.26, 0.14), (0.68, 0.5, 0.32), (0.22, 0.13, 0.08)],
    ),
    6: Quadruped(
        [(-0.55, 0.06, 1.0, 1.15), (-0.47, 0.17, 0.88, 1.24), (-0.2, 0.2, 0.84, 1.3), (0.15, 0.21, 0.8, 1.42),
         (0.36, 0.17, 0.9, 1.5), (0.46, 0.09, 1.05, 1.42), (0.5, 0.03, 1.2, 1.3)],
        [(0.26, 0, 1.25, 0.22), (0.46, 0, 1.55, 0.15), (0.66, 0, 2.05, 0.105), (0.82, 0, 2.5, 0.085)],
        [(0.3, 0.11, 1.1, 0.15), (0.31, 0.12, 0.78, 0.08), (0.31, 0.12, 0.62, 0.06), (0.31, 0.12, 0.12, 0.042),
         (0.33, 0.12, 0.01, 0.06)],
        [(-0.4, 0.1, 1.05, 0.16), (-0.36, 0.12, 0.78, 0.1), (-0.46, 0.12, 0.58, 0.055), (-0.43, 0.12, 0.12, 0.042),
         (-0.42, 0.12, 0.01, 0.06)],
        [(-0.12, 0.04, -0.06, 0.06), (-0.05, 0.085, -0.1, 0.1), (0.06, 0.085, -0.1, 0.09), (0.22, 0.05, -0.08, 0.03),
         (0.32, 0.045, -0.075, 0.02), (0.36, 0.02, -0.04, 0.0)],
        (0.88, 2.54, 28),
        (0.07, 0.08, 0.03, 0.02),
        ((-0.07, 0.13, 0.06), (0.03, 0.08, 0.035), (20, 0, 20)),
        [(-0.53, 0, 1.1, 0.03), (-0.64, 0, 0.9, 0.02), (-0.66, 0, 0.66, 0.018), (-0.66, 0, 0.5, 0.045),
         (-0.66, 0, 0.42, 0.02)],
        [(0.6, 0.34, 0.13), (0.9, 0.8, 0.58), (0.85, 0.78, 0.6)],
    ),
}
# fmt: on


def parts(design: int, rng: np.random.Generator) -> list[Part]:
    """Return the painted parts of an animal of one of eight designs."""
    made = _mammal(design, rng) if design in MAMMALS else {3: _parrot, 4: _turtle, 7: _crocodile}[design](rng)
    scale = rng.uniform(0.93, 1.07, 3)
    return [placed(part, scale=scale) for part in made]


def _limb(rows: ArrayLike, count: int = 22) -> Part:
    """Return a limb or a neck through rows of x, y, z and radius, with round ends."""
    rows = curve(rows, count)
    ends = []
    for end, inner in ((rows[0], rows[1]), (rows[-1], rows[-2])):
        out = (end - inner)[:3] / np.linalg.norm((end - inner)[:3])
        bow = np.array([0.998, 0.9, 0.7, 0.4])
        cap = end[:3] + 0.8 * end[3] * bow[:, None] * out
        ends.append(np.column_stack([cap, end[3] * np.sqrt(1 - bow**2)]))
    rows = np.concatenate([ends[0], rows, ends[1][::-1]])
    return tube(rows[:, :3], rows[:, 3], 16)


def _cells(
    inside: ArrayLike, border: ArrayLike, size: float, width: float, rng: np.random.Generator, flat: ArrayLike = 1
) -> Paint:
    """Return a paint of the cells nearest to random points, with borders of some width (share of the cells' size)."""
    shift = rng.uniform(0, 1, (12, 12, 12, 3))

    def paint(points: NDArray) -> NDArray:
        at = points * np.asarray(flat) / size
        cell = np.floor(at).astype(int)
        steps = np.stack(np.meshgrid(*[[-1, 0, 1]] * 3, indexing="ij"), -1).reshape(-1, 3)
        near = cell[:, None] + steps
        seeds = near + 0.2 + 0.6 * shift[tuple((near % 12).transpose(2, 0, 1))]
        two = np.sort(np.linalg.norm(at[:, None] - seeds, axis=2), axis=1)[:, :2]
        edge = np.clip((two[:, 1] - two[:, 0]) / width, 0, 1)[:, None] ** 2
        return np.asarray(border) * (1 - edge) + np.asarray(inside) * edge

    return paint


def _eyes(place: ArrayLike, radius: float, iris: ArrayLike = (0.1, 0.07, 0.05)) -> list[Part]:
    """Return a pair of eyes with a glint."""
    x, y, z = place
    return [
        mirrored(painted(ellipsoid([x, y, z], [radius] * 3, 8), iris)),
        mirrored(
            painted(
                ellipsoid([x + 0.6 * radius, y + 0.55 * radius, z + 0.4 * radius], [0.35 * radius] * 3, 5), (1, 1, 1)
            )
        ),
    ]


def _mammal(design: int, rng: np.random.Generator) -> list[Part]:
    m = MAMMALS[design]
    coat, marks, feet = (varied(colour, rng, 0.05) for colour in m.colours)
    seed = int(rng.integers(1000))
    paint: Paint = {
        0: mottled(coat, marks, 0.2, seed, 0.45),
        1: mottled(coat, marks, 0.2, seed),
        2: coat,
        5: mottled(coat, coat * 1.4, 0.12, seed),
        6: _cells(coat, marks, 0.17, 0.3, rng),
    }[design]
    x, z, down = m.head_at

    def head(part: Part) -> Part:
        return placed(part, (0, down, 0), (x, 0, z))

    def shoed(part: Part, height: float) -> Part:
        colours = painted(part, paint).colours
        return painted(part, np.where((part.points[:, 2] < height)[:, None], feet, colours))

    skull = hull(*curve(m.head, 36).T, m=30)
    muzzle = m.head[-1][0]
    face = {0: np.array(marks), 5: coat * 0.95, 6: (coat + marks) / 2}.get(design, coat)
    snout = np.where(
        (skull.points[:, 0] > 0.55 * muzzle)[:, None],
        {0: coat, 2: coat * 0.45, 5: marks, 6: marks}.get(design, coat),
        face,
    )
    ear_at, ear_radii, ear_turn = m.ear
    ears = mirrored(placed(ellipsoid([0, 0, 0], ear_radii, 14), ear_turn, ear_at))
    made = [
        painted(hull(*curve(m.trunk, 56).T, m=56), paint),
        painted(_limb(m.neck, 44), paint),
        *(
            mirrored(shoed(_limb(limb, 30), height))
            for limb, height in (
                (m.fore, {2: 0.06, 6: 0.3}.get(design, 0.1)),
                (m.hind, {2: 0.06, 6: 0.3}.get(design, 0.1)),
            )
        ),
        head(painted(skull, snout)),
        head(painted(ears, {0: marks * 0.8, 2: coat}.get(design, face))),
        *(head(part) for part in _eyes(m.eye[:3], m.eye[3])),
        painted(_limb(m.tail), marks if design == 2 else coat if design != 0 else marks),
    ]
    nostrils = ellipsoid([muzzle - 0.02, 0, m.head[-1][3] - 0.01], [0.045, 0.045, 0.035], 8)
    if design in (0, 5):
        made.append(head(painted(nostrils, BLACK)))
        made.append(
            head(
                painted(
                    tube(
                        curve(
                            [
                                (0.55 * muzzle, 0.09, -0.1),
                                (0.9 * muzzle, 0.05, -0.085),
                                (muzzle, 0, -0.075),
                                (0.9 * muzzle, -0.05, -0.085),
                                (0.55 * muzzle, -0.09, -0.1),
                            ],
                            16,
                        ),
                        0.008,
                        6,
                    ),
                    BLACK,
                )
            )
        )
    if design == 1:
        nose = curve(
            [
                (1.08, 0, 1.08, 0.14),
                (1.24, 0, 0.85, 0.11),
                (1.26, 0, 0.5, 0.08),
                (1.26, 0, 0.25, 0.06),
                (1.36, 0, 0.16, 0.05),
                (1.46, 0, 0.24, 0.045),
            ],
            40,
        )
        rings = nose[:, 3] * (1 + 0.04 * np.sin(np.arange(40) * 2.0))
        tusk = curve([(1.05, 0.13, 0.98, 0.045), (1.25, 0.17, 0.74, 0.036), (1.46, 0.17, 0.76, 0.01)], 20)
        made += [
            painted(tube(nose[:, :3], rings), paint),
            painted(mirrored(tube(tusk[:, :3], tusk[:, 3], 12)), (0.93, 0.89, 0.78)),
        ]
    if design == 2:
        back = curve([(0.36, 0, 1.16), (0.5, 0, 1.33), (0.66, 0, 1.52), (0.76, 0, 1.64), (0.93, 0, 1.58)], 24)
        mane = [
            tube(
                curve([p, np.add(p, [-0.06, 0.07 * s, 0.0]), np.add(p, [-0.1, 0.12 * s, -0.2])], 8),
                np.linspace(0.04, 0.012, 8),
                8,
            )
            for p in back[5::2]
            for s in ([1] if rng.uniform() < 0.7 else [1, -1])
        ]
        blaze = ellipsoid([0.2, 0, 0.055], [0.2, 0.025, 0.03], 10)
        made += [painted(joined([*mane, tube(back[4:], 0.035, 10)]), marks), head(painted(blaze, (0.93, 0.9, 0.86)))]
    if design == 6:
        horns = tube([(-0.03, 0.04, 0.07), (-0.06, 0.055, 0.19)], [0.02, 0.028], 10)
        made += [head(painted(mirrored(horns), (0.25, 0.15, 0.08)))]
    return made


def _parrot(rng: np.random.Generator) -> list[Part]:
    body, wing, belly = (varied(c, rng) for c in ((0.1, 0.35, 0.7), (0.08, 0.22, 0.55), (0.93, 0.7, 0.12)))
    flank = varied((0.85, 0.65, 0.1), rng)
    trunk = hull(
        *curve(
            [
                (-0.55, 0.06, -0.06, 0.06),
                (-0.3, 0.2, -0.2, 0.19),
                (0, 0.29, -0.29, 0.27),
                (0.3, 0.24, -0.24, 0.22),
                (0.5, 0.16, -0.15, 0.17),
            ],
            36,
        ).T,
        m=40,
    )
    coat = np.where((trunk.points[:, 2] < 0.05)[:, None], belly, body)
    skull = ellipsoid([0, 0, 0], [0.24, 0.2, 0.22], 22)
    cheek = np.where(((skull.points[:, 0] > 0.06) & (skull.points[:, 2] < 0.09))[:, None], (0.93, 0.92, 0.88), body)
    beak = curve([(0.14, 0, 0.03, 0.12), (0.3, 0, 0.03, 0.085), (0.37, 0, -0.08, 0.05), (0.34, 0, -0.2, 0.012)], 18)
    jaw = curve([(0.12, 0, -0.1, 0.075), (0.25, 0, -0.15, 0.03)], 8)
    top = (0.34, 0, 1.36)
    pitch = (0, -58, 0)
    feathers = []
    for k in range(6):
        share = k / 5
        plume = placed(
            ellipsoid([-0.35, 0, 0], [0.42 + 0.06 * k, 0.025, 0.1], 12),
            (0, -10 + 13 * share - 4, 0),
            (0.18 - 0.05 * k, 0.27 - 0.012 * k, 0.04 + 0.03 * k),
        )
        feathers.append(painted(plume, wing if k % 2 else flank if k == 2 else body * 0.8))
    tail = [
        placed(ellipsoid([-0.4, 0, 0], [0.45, 0.045, 0.02], 10), (0, 0, turn), (-0.45, 0, 0)) for turn in (-9, 0, 9)
    ]
    legs = []
    for x, y, z in [(0.03, 0.12, 0.62)]:
        legs.append(tube([(x, y, z), (x + 0.04, y, 0.28)], [0.09, 0.04], 10))
        legs += [
            tube(
                curve([(x + 0.04, y, 0.3), (x + 0.04 + 0.14 * s, y + d, 0.27), (x + 0.04 + 0.2 * s, y + d, 0.2)], 8),
                0.026,
                8,
            )
            for s, d in ((1, 0.04), (1, -0.04), (-0.8, 0.03))
        ]
    perch = tube([(0.06, -0.55, 0.2), (0.08, 0.55, 0.22)], 0.06, 14)
    return [
        placed(painted(trunk, coat), pitch, (0.08, 0, 0.88)),
        *(placed(mirrored(part), pitch, (0.08, 0, 0.88)) for part in feathers),
        placed(painted(joined(tail), wing), pitch, (0.08, 0, 0.88)),
        placed(painted(skull, cheek), shift=top),
        placed(painted(tube(beak[:, :3], beak[:, 3]), (0.13, 0.12, 0.12)), shift=top),
        placed(painted(tube(jaw[:, :3], jaw[:, 3]), (0.13, 0.12, 0.12)), shift=top),
        *(placed(part, shift=top) for part in _eyes((0.1, 0.175, 0.05), 0.032)),
        painted(mirrored(joined(legs)), (0.35, 0.32, 0.3)),
        painted(perch, mottled((0.42, 0.3, 0.18), (0.3, 0.2, 0.12), 0.1, 3)),
    ]


def _turtle(rng: np.random.Generator) -> list[Part]:
    skin, shell, line = (varied(c, rng) for c in ((0.5, 0.52, 0.25), (0.42, 0.3, 0.13), (0.82, 0.68, 0.32)))
    profile = curve([(0, 0.5), (0.3, 0.46), (0.62, 0.32), (0.85, 0.1), (0.96, -0.02), (0.93, -0.06)], 60)
    dome = placed(lathe(profile, 90), scale=[1.0, 0.78, rng.uniform(0.9, 1.25)], shift=[0, 0, 0.36])
    spots = mottled(skin, line, 0.05, int(rng.integers(1000)), 0.35)
    belly = ellipsoid([0, 0, 0.3], [0.92, 0.71, 0.12], 20)
    head = hull(
        *curve(
            [
                (-0.12, 0.06, -0.06, 0.06),
                (0, 0.15, -0.12, 0.12),
                (0.15, 0.14, -0.12, 0.11),
                (0.27, 0.06, -0.09, 0.02),
                (0.3, 0.02, -0.05, -0.01),
            ],
            24,
        ).T
    )
    leg = [
        [(0.5, 0.4, 0.33, 0.13), (0.68, 0.66, 0.24, 0.13), (0.74, 0.74, 0.06, 0.11), (0.78, 0.76, 0.02, 0.1)],
        [(-0.55, 0.4, 0.33, 0.14), (-0.72, 0.6, 0.22, 0.13), (-0.76, 0.66, 0.05, 0.11), (-0.74, 0.68, 0.02, 0.1)],
    ]
    claws = [
        ellipsoid([x + 0.1, y + d, 0.03], [0.05, 0.02, 0.025], 5)
        for x, y in ((0.78, 0.76), (-0.72, 0.68))
        for d in (-0.06, 0, 0.06)
    ]
    place = (1.14, 0, 0.56)
    return [
        painted(dome, _cells(shell, line, 0.33, 0.22, rng, (1, 1, 0.6))),
        painted(belly, line),
        painted(_limb([(0.65, 0, 0.34, 0.14), (0.9, 0, 0.42, 0.12), (1.12, 0, 0.54, 0.1)]), spots),
        placed(painted(head, spots), shift=place),
        *(placed(part, shift=place) for part in _eyes((0.17, 0.12, 0.04), 0.03)),
        *(painted(mirrored(_limb(rows)), spots) for rows in leg),
        painted(mirrored(joined(claws)), (0.3, 0.25, 0.18)),
        painted(_limb([(-0.8, 0, 0.3, 0.08), (-1.0, 0, 0.22, 0.05), (-1.12, 0, 0.14, 0.015)]), spots),
    ]


def _crocodile(rng: np.random.Generator) -> list[Part]:
    back, belly = varied((0.33, 0.38, 0.2), rng), varied((0.78, 0.74, 0.52), rng)
    bend = rng.uniform(0.15, 0.35) * rng.choice([-1, 1])
    rows = curve(
        [
            (-1.75, 0.01, 0.1, 0.14),
            (-1.3, 0.06, 0.06, 0.26),
            (-0.7, 0.15, 0.06, 0.38),
            (-0.4, 0.22, 0.08, 0.42),
            (0, 0.28, 0.08, 0.45),
            (0.35, 0.23, 0.1, 0.42),
            (0.6, 0.17, 0.14, 0.4),
        ],
        60,
    )
    skull = curve(
        [
            (0.5, 0.16, 0.14, 0.4),
            (0.7, 0.19, 0.14, 0.44),
            (0.85, 0.16, 0.16, 0.42),
            (0.95, 0.12, 0.17, 0.34),
            (1.25, 0.085, 0.19, 0.29),
            (1.42, 0.1, 0.19, 0.3),
            (1.5, 0.04, 0.21, 0.26),
        ],
        40,
    )
    hide = mottled(back, back * 0.55, 0.09, int(rng.integers(1000)), 0.45)

    def coat(points: NDArray) -> NDArray:
        return np.where((points[:, 2] < 0.17)[:, None], belly, hide(points))

    def bent(part: Part) -> Part:
        x = part.points[:, 0]
        return placed(part, shift=np.stack([0 * x, bend * np.where(x < -0.3, (x + 0.3) ** 2, 0), 0 * x], 1))

    scutes = [
        placed(
            lathe([(0.055, -0.06), (0.03, 0.03), (0, 0.075)], 6, 0.5),
            shift=[x, y * np.interp(x, rows[:, 0], rows[:, 1]), np.interp(x, rows[:, 0], rows[:, 3]) - 0.02],
        )
        for x in np.linspace(-1.6, 0.45, 22)
        for y in ((0.0,) if x < -0.95 else (-0.4, 0.4))
    ]
    legs = [
        [(0.32, 0.16, 0.28, 0.1), (0.36, 0.38, 0.24, 0.075), (0.4, 0.46, 0.06, 0.06), (0.52, 0.5, 0.03, 0.045)],
        [(-0.45, 0.16, 0.28, 0.13), (-0.4, 0.4, 0.24, 0.09), (-0.54, 0.48, 0.06, 0.065), (-0.4, 0.54, 0.03, 0.045)],
    ]
    teeth = [lathe([(0.016, 0.02), (0, -0.045)], 6) for _ in range(9)]
    row = [
        placed(tooth, shift=[x, 1.02 * np.interp(x, skull[:, 0], skull[:, 1]), 0.225])
        for tooth, x in zip(teeth, np.linspace(0.95, 1.44, 9), strict=True)
    ]
    bumps = ellipsoid([0.8, 0.1, 0.43], [0.08, 0.05, 0.05], 10)
    return [
        bent(painted(hull(*rows.T, m=48), coat)),
        painted(hull(*skull.T, m=36, squareness=0.8), lambda p: np.where((p[:, 2] < 0.215)[:, None], belly, hide(p))),
        bent(painted(joined(scutes), back * 0.6)),
        *(painted(mirrored(_limb(leg)), hide) for leg in legs),
        painted(mirrored(joined(row)), (0.95, 0.93, 0.85)),
        painted(mirrored(bumps), back),
        *_eyes((0.83, 0.135, 0.45), 0.03, (0.75, 0.6, 0.1)),
        painted(mirrored(ellipsoid([1.44, 0.04, 0.3], [0.03, 0.025, 0.02], 6)), back * 0.4),
    ]
