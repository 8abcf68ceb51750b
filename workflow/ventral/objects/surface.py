"""The surface of an object, and how a surface is turned."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Surface:
    """Triangles in a sphere of radius 1 about the origin.

    Attributes
    ----------
    points : (m, 3) float32 array
    triangles : (k, 3) int32 array
        Indices of points.
    normals : (k, 3, 3) float32 array
        At each corner of each triangle, of length 1; either side may be the outside.
    colours : (m, 3) uint8 array
        Red, green, blue.
    """

    points: NDArray[np.float32]
    triangles: NDArray[np.int32]
    normals: NDArray[np.float32]
    colours: NDArray[np.uint8]


def rotation_matrix(degrees: tuple[float, float, float]) -> NDArray[np.float64]:
    """Return the matrix (3, 3) that turns about fixed axes: first z, then y, then x."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return about_x @ about_y @ about_z
