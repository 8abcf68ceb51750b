"""Objects without a name, each of a few simple shapes, which belong to no category."""

import numpy as np

from ventral.objects.shapes import Part, box, ellipsoid, painted, placed, torus, tube, varied

COLOURS = ((0.7, 0.2, 0.15), (0.2, 0.35, 0.7), (0.25, 0.5, 0.2), (0.8, 0.65, 0.2), (0.5, 0.3, 0.55), (0.6, 0.6, 0.6))
FEWEST, MOST = 2, 4


def parts(design: int, rng: np.random.Generator) -> list[Part]:
    """Return the painted parts of an object; the number of the first part's shape is `design` modulo 4."""
    shapes = [design % 4, *rng.integers(4, size=rng.integers(FEWEST - 1, MOST))]
    return [_piece(int(shape), rng) for shape in shapes]


def _piece(shape: int, rng: np.random.Generator) -> Part:
    radii = rng.uniform(0.25, 0.7, 3)
    piece = (
        lambda: box((0, 0, 0), 2 * radii),
        lambda: ellipsoid((0, 0, 0), radii),
        lambda: tube([(0, 0, -0.8), (0, 0, 0), (0, 0, 0.8)], radii[:2].min() * np.array([1, 1, rng.uniform(0.05, 1)])),
        lambda: torus((0, 0, 0), 0.6, 0.3 * radii[0]),
    )[shape]()
    turned = placed(piece, tuple(rng.uniform(-180, 180, 3)), rng.uniform(-0.5, 0.5, 3))
    return painted(turned, varied(COLOURS[rng.integers(len(COLOURS))], rng))
