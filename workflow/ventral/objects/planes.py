"""Planes: airliner, jet fighter, biplane, light aircraft, propeller fighter, supersonic, cargo plane, flying boat."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

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
    mottled,
    painted,
    placed,
    torus,
    tube,
    varied,
)

GLASS = (0.1, 0.14, 0.2)
DARK = (0.12, 0.12, 0.13)


class Wing(NamedTuple):
    """The left half of a pair of wings: leading edge at root and tip (x, y, z), chords there, colour (an index)."""

    root: tuple[float, float, float]
    tip: tuple[float, float, float]
    chords: tuple[float, float]
    colour: int = 0


class Plane(NamedTuple):
    """Measures of a design, in lengths of its fuselage, which reaches from x = -0.5 to 0.5."""

    fuselage: list[tuple[float, float, float, float]]  # x, half width, bottom, top
    wings: list[Wing]
    fin: Wing  # as a wing that lies flat, to be turned upright
    colours: list[tuple[float, float, float]]  # upper side, trim, lower side
    windows: tuple[float, float, float, int] = (0, 0, 0, 0)  # first and last x, z, number
    canopy: tuple[float, float, float, float, float, float] | None = None  # centre x and z, half axes, squareness
    jets: tuple[tuple[float, float, float, float, float], ...] = ()  # x, y, z, radius, length
    propellers: tuple[tuple[float, float, float, float, int], ...] = ()  # x, y, z, radius, blades
    nacelles: tuple[tuple[float, float, float, float, float], ...] = ()  # x, y, z, radius, length
    wheels: tuple[tuple[float, float, float, float], ...] = ()  # x, y, z, radius
    struts: tuple[tuple[tuple[float, float, float], tuple[float, float, float]], ...] = ()


def _round(*rows: tuple[float, float, float]) -> list[tuple[float, float, float, float]]:
    """Return rows of a fuselage of round sections from x, radius and z of the middle."""
    return [(x, r, z - r, z + r) for x, r, z in rows]


# fmt: off
PLANES = [
    Plane(
        _round((-0.5, 0.006, 0.035), (-0.36, 0.035, 0.02), (-0.2, 0.056, 0), (0.36, 0.056, 0),
         (0.45, 0.038, -0.008), (0.49, 0.016, -0.015), (0.5, 0.003, -0.018)),
        [Wing((0.12, 0.03, -0.03), (-0.12, 0.5, 0.03), (0.22, 0.05)),
         Wing((-0.36, 0.01, 0.03), (-0.47, 0.19, 0.05), (0.11, 0.04))],
        Wing((-0.32, 0.03, 0), (-0.48, 0.22, 0), (0.15, 0.06), 1),
        [(0.92, 0.92, 0.93), (0.1, 0.25, 0.6), (0.8, 0.8, 0.82)],
        windows=(-0.3, 0.38, 0.015, 26),
        canopy=(0.452, 0.014, 0.02, 0.026, 0.012, 0.8),
        jets=((0.12, 0.17, -0.055, 0.036, 0.13),),
    ),
    Plane(
        [(-0.5, 0.05, -0.03, 0.05), (-0.3, 0.075, -0.045, 0.055), (0, 0.075, -0.05, 0.06), (0.2, 0.05, -0.045, 0.05),
         (0.36, 0.03, -0.03, 0.025), (0.5, 0.003, -0.006, 0)],
        [Wing((0.14, 0.05, 0), (-0.28, 0.33, 0), (0.46, 0.08)),
         Wing((-0.38, 0.05, 0), (-0.53, 0.2, -0.01), (0.16, 0.06)),
         Wing((0.28, 0.03, 0.005), (0.05, 0.08, 0.005), (0.3, 0.1))],
        Wing((-0.26, 0.03, 0), (-0.48, 0.21, 0), (0.22, 0.09)),
        [(0.42, 0.46, 0.4), (0.25, 0.3, 0.24), (0.6, 0.63, 0.66)],
        canopy=(0.24, 0.045, 0.11, 0.03, 0.038, 1.0),
        jets=((-0.4, 0.035, 0.008, 0.038, 0.16),),
        nacelles=((-0.28, 0.335, 0, 0.012, 0.22),),
    ),
    Plane(
        [(-0.5, 0.005, -0.01, 0.04), (-0.2, 0.045, -0.05, 0.06), (0.1, 0.07, -0.08, 0.08),
         (0.35, 0.075, -0.08, 0.075), (0.44, 0.07, -0.07, 0.07), (0.45, 0.03, -0.03, 0.03)],
        [Wing((0.3, 0.0, -0.06), (0.27, 0.6, -0.03), (0.19, 0.17), 1),
         Wing((0.36, 0.0, 0.2), (0.33, 0.62, 0.21), (0.19, 0.17), 1),
         Wing((-0.34, 0, 0.02), (-0.38, 0.2, 0.02), (0.13, 0.1), 1)],
        Wing((-0.36, 0.02, 0), (-0.42, 0.17, 0), (0.13, 0.1), 1),
        [(0.75, 0.12, 0.1), (0.93, 0.82, 0.3), (0.6, 0.1, 0.1)],
        canopy=(0.08, 0.075, 0.05, 0.04, 0.03, 1.0),
        propellers=((0.46, 0, 0, 0.19, 2),),
        wheels=((0.3, 0.14, -0.2, 0.06), (-0.47, 0, -0.04, 0.02)),
        struts=(((0.27, 0.42, -0.04), (0.31, 0.42, 0.2)), ((0.15, 0.42, -0.04), (0.2, 0.42, 0.2)),
         ((0.3, 0.05, 0.07), (0.31, 0.1, 0.2)), ((0.2, 0.05, 0.07), (0.2, 0.1, 0.2)), ((0.33, 0.05, -0.06),
         (0.3, 0.13, -0.2)), ((0.22, 0.05, -0.06), (0.3, 0.13, -0.2))),
    ),
    Plane(
        [(-0.5, 0.008, 0, 0.05), (-0.2, 0.04, -0.035, 0.06), (0.02, 0.075, -0.08, 0.1), (0.2, 0.078, -0.09, 0.1),
         (0.28, 0.07, -0.09, 0.045), (0.44, 0.055, -0.075, 0.025), (0.47, 0.02, -0.05, 0)],
        [Wing((0.2, 0.02, 0.1), (0.17, 0.66, 0.13), (0.2, 0.13)),
         Wing((-0.35, 0.01, 0.03), (-0.38, 0.22, 0.03), (0.13, 0.09))],
        Wing((-0.28, 0.03, 0), (-0.45, 0.22, 0), (0.2, 0.08), 1),
        [(0.93, 0.9, 0.82), (0.85, 0.4, 0.08), (0.85, 0.4, 0.08)],
        windows=(-0.02, 0.16, 0.045, 3),
        canopy=(0.215, 0.055, 0.07, 0.07, 0.035, 0.6),
        propellers=((0.49, 0, -0.022, 0.15, 2),),
        wheels=((0.06, 0.17, -0.2, 0.045), (0.38, 0, -0.2, 0.04)),
        struts=(((0.1, 0.07, -0.06), (0.11, 0.36, 0.11)), ((0.08, 0.05, -0.07), (0.06, 0.16, -0.2)),
         ((0.36, 0, -0.06), (0.38, 0, -0.2))),
    ),
    Plane(
        [(-0.5, 0.005, 0.01, 0.04), (-0.25, 0.035, -0.03, 0.06), (0, 0.062, -0.06, 0.085),
         (0.25, 0.065, -0.065, 0.065), (0.43, 0.05, -0.05, 0.045), (0.5, 0.006, -0.006, 0.006)],
        [Wing((0.25, 0.03, -0.05), (0.16, 0.34, -0.01), (0.3, 0.24)),
         Wing((0.16, 0.34, -0.01), (0.03, 0.56, 0.025), (0.24, 0.05)),
         Wing((-0.36, 0.01, 0.03), (-0.41, 0.19, 0.03), (0.13, 0.06))],
        Wing((-0.34, 0.02, 0), (-0.42, 0.17, 0), (0.15, 0.07)),
        [(0.36, 0.34, 0.2), (0.85, 0.8, 0.7), (0.62, 0.72, 0.78)],
        canopy=(0.06, 0.08, 0.09, 0.035, 0.045, 1.0),
        propellers=((0.47, 0, 0, 0.19, 4),),
    ),
    Plane(
        _round((-0.5, 0.004, 0.0), (-0.3, 0.026, 0), (0, 0.029, 0), (0.33, 0.028, 0), (0.43, 0.015, -0.01),
         (0.5, 0.002, -0.025)),
        [Wing((0.22, 0.02, -0.015), (0.0, 0.07, -0.015), (0.6, 0.4)),
         Wing((0.0, 0.07, -0.015), (-0.27, 0.24, -0.02), (0.4, 0.1))],
        Wing((-0.22, 0.02, 0), (-0.43, 0.14, 0), (0.27, 0.08), 1),
        [(0.9, 0.9, 0.88), (0.7, 0.1, 0.12), (0.9, 0.9, 0.88)],
        windows=(-0.2, 0.32, 0.008, 30),
        canopy=(0.395, 0.01, 0.035, 0.012, 0.01, 0.8),
        nacelles=((-0.25, 0.11, -0.035, 0.022, 0.2), (-0.25, 0.155, -0.035, 0.022, 0.2)),
    ),
    Plane(
        [(-0.5, 0.01, 0.06, 0.09), (-0.3, 0.06, -0.03, 0.09), (-0.15, 0.08, -0.085, 0.09),
         (0.28, 0.08, -0.085, 0.09), (0.4, 0.07, -0.08, 0.075), (0.47, 0.045, -0.065, 0.02),
         (0.5, 0.015, -0.04, -0.01)],
        [Wing((0.16, 0.02, 0.09), (0.1, 0.66, 0.1), (0.19, 0.08)),
         Wing((-0.38, 0.01, 0.09), (-0.43, 0.26, 0.09), (0.13, 0.07))],
        Wing((-0.3, 0.08, 0), (-0.45, 0.31, 0), (0.2, 0.1)),
        [(0.42, 0.4, 0.3), (0.3, 0.32, 0.2), (0.5, 0.48, 0.4)],
        windows=(-0.05, 0.25, 0.02, 4),
        canopy=(0.41, 0.045, 0.045, 0.055, 0.022, 0.6),
        propellers=((0.275, 0.2, 0.07, 0.09, 4), (0.255, 0.38, 0.075, 0.09, 4)),
        nacelles=((0.14, 0.2, 0.07, 0.028, 0.24), (0.12, 0.38, 0.075, 0.028, 0.24)),
    ),
    Plane(
        [(-0.5, 0.01, 0.05, 0.09), (-0.25, 0.05, -0.03, 0.07), (-0.02, 0.08, -0.07, 0.07), (0, 0.085, -0.1, 0.07),
         (0.25, 0.085, -0.11, 0.07), (0.42, 0.06, -0.08, 0.05), (0.5, 0.01, -0.01, 0.02)],
        [Wing((0.2, 0.0, 0.19), (0.16, 0.78, 0.2), (0.23, 0.12)),
         Wing((-0.34, 0.01, 0.12), (-0.38, 0.26, 0.13), (0.14, 0.08))],
        Wing((-0.25, 0.02, 0), (-0.42, 0.24, 0), (0.25, 0.1)),
        [(0.15, 0.35, 0.45), (0.92, 0.75, 0.2), (0.82, 0.85, 0.84)],
        windows=(-0.15, 0.2, 0.03, 5),
        canopy=(0.33, 0.065, 0.06, 0.06, 0.035, 0.7),
        propellers=((0.31, 0.17, 0.2, 0.12, 3),),
        nacelles=((0.2, 0.17, 0.2, 0.045, 0.22), (0.1, 0.6, 0.03, 0.028, 0.22)),
        struts=(((0.1, 0.02, 0.05), (0.1, 0.03, 0.19)), ((0.06, 0.07, 0.0), (0.1, 0.33, 0.19)), ((0.16, 0.07, 0.0),
         (0.17, 0.33, 0.19)), ((0.1, 0.6, 0.03), (0.1, 0.6, 0.19))),
    ),
]
# fmt: on


def parts(design: int, rng: np.random.Generator) -> list[Part]:
    """Return the painted parts of a plane of one of eight designs."""
    plane = PLANES[design]
    colours = [varied(colour, rng) for colour in plane.colours]
    upper, trim, lower = colours
    rows = curve(plane.fuselage, 60)
    middle = np.median((rows[:, 2] + rows[:, 3]) / 2)
    if design in (4, 6):
        camouflage = mottled(upper, trim if design == 6 else upper * 1.5, 0.06, int(rng.integers(1000)))
    else:
        camouflage = None

    def coat(points: NDArray) -> NDArray:
        top = camouflage(points) if camouflage else np.where((points[:, 2] > middle - 0.012)[:, None], upper, trim)
        return np.where((points[:, 2] < middle - 0.03)[:, None], lower, top)

    made = [painted(hull(*rows.T, m=40), coat)]
    made += [
        painted(mirrored(_wing(wing)), camouflage if camouflage and wing.colour == 0 else colours[wing.colour])
        for wing in plane.wings
    ]
    fin = placed(_wing(plane.fin), (90, 0, 0))
    made.append(painted(fin, camouflage if camouflage else colours[plane.fin.colour]))
    if plane.canopy:
        x, z, *axes, square = plane.canopy
        made.append(painted(placed(ellipsoid([0, 0, 0], axes, 16), (0, 0 if square == 1 else 18, 0), (x, 0, z)), GLASS))
    first, last, z, number = plane.windows
    for x in np.linspace(first, last, number):
        half = np.interp(x, rows[:, 0], rows[:, 1])
        made.append(
            painted(
                mirrored(
                    ellipsoid(
                        [x, 0.975 * half, z],
                        [min(0.3 / number, 0.028) * abs(last - first), 0.1 * half, 0.011 if number > 9 else 0.02],
                        5,
                    )
                ),
                GLASS,
            )
        )
    made += [part for place in plane.jets for part in _jet(*place, trim)]
    made += [part for place in plane.propellers for part in _propeller(*place, trim, rng)]
    for x, y, z, radius, length in plane.nacelles:
        profile = curve([(-0.5, 0.1), (-0.2, 0.8), (0.2, 1), (0.47, 0.75), (0.5, 0.5)], 16)
        made.append(
            painted(
                mirrored(
                    tube(
                        np.stack([x + length * profile[:, 0], np.full(16, y), np.full(16, z)], 1),
                        radius * profile[:, 1],
                    )
                ),
                trim if design == 1 else lower,
            )
        )
    for x, y, z, radius in plane.wheels:
        made.append(
            painted(
                mirrored(
                    joined(
                        [
                            torus([x, y, z], 0.66 * radius, 0.34 * radius),
                            ellipsoid([x, y, z], [0.5 * radius, 0.25 * radius, 0.5 * radius], 8),
                        ]
                    )
                ),
                DARK,
            )
        )
    made += [painted(mirrored(tube(ends, 0.009, 8)), trim * 0.8) for ends in plane.struts]
    # Another plane of the kind is somewhat longer or wider, and taller.
    scale = [1.0, *rng.uniform(0.9, 1.1, 2)]
    return [placed(part, scale=scale) for part in made]


def _wing(wing: Wing) -> Part:
    """Return a wing of airfoil sections, 12 % thick at the root and 8 % at the tip."""
    share = np.array([0, 0.01, 0.05, 0.15, 0.3, 0.5, 0.75, 1.0])
    thick = np.array([0, 0.25, 0.6, 0.92, 1.0, 0.85, 0.45, 0.04]) / 2
    section = np.stack([np.r_[share, share[::-1][1:-1]], np.r_[thick, -0.7 * thick[::-1][1:-1]]], axis=1)
    rings = []
    for along in np.r_[np.linspace(0, 0.97, 14), 1.0]:
        lead = np.asarray(wing.root) + along * (np.asarray(wing.tip) - wing.root)
        chord = wing.chords[0] + along * (wing.chords[1] - wing.chords[0])
        height = (0.12 - 0.04 * along) * chord * (1.0 if along < 1 else 0.3)
        rings.append(lead + np.stack([-section[:, 0] * chord, 0 * section[:, 0], section[:, 1] * height], axis=1))
    return loft(np.array(rings))


def _jet(x: float, y: float, z: float, radius: float, length: float, trim: ArrayLike) -> list[Part]:
    """Return a pair of jet engines with dark mouths."""
    profile = [
        (0.0, 0.42),
        (0.85, 0.42),
        (0.9, 0.5),
        (1.0, 0.45),
        (1.05, 0.2),
        (0.9, -0.25),
        (0.6, -0.5),
        (0.55, -0.42),
        (0, -0.42),
    ]
    pod = placed(lathe(np.array(profile) * [radius, length], 24), (0, 90, 0), (x, y, z))
    deep = np.abs(pod.points[:, 0] - x) / length
    radial = np.hypot(pod.points[:, 1] - y, pod.points[:, 2] - z) / radius
    colours = np.where(((radial < 0.86) & (np.abs(deep - 0.42) < 0.01))[:, None], DARK, np.asarray(trim))
    pylon = box([x - 0.02, y, z + 0.9 * radius], [0.7 * length, 0.012, 1.2 * radius], resolution=8)
    return [mirrored(painted(pod, colours)), mirrored(painted(pylon, (0.7, 0.7, 0.72)))]


def _propeller(
    x: float, y: float, z: float, radius: float, number: int, trim: ArrayLike, rng: np.random.Generator
) -> list[Part]:
    """Return a propeller, or a pair of them, with its spinner."""
    made = [painted(ellipsoid([0, 0, 0], [0.045, 0.022, 0.022], 12), trim)]
    start = rng.uniform(0, 360)
    for k in range(number):
        blade = ellipsoid([0, 0, radius / 2], [0.005, 0.095 * radius, radius / 2], 12)
        tip = blade.points[:, 2:] > 0.86 * radius
        made.append(placed(painted(blade, np.where(tip, (0.85, 0.7, 0.15), DARK)), (start + 360 * k / number, 0, 0)))
    whole = placed(joined(made), shift=[x, y, z])
    return [mirrored(whole) if y else whole]
