"""Rendering of one object by casting rays on the CPU, without a screen or a graphics driver."""

from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from ventral.objects.surface import Surface, rotation_matrix

# Rays for each pixel along each side, for smooth edges.
OVERSAMPLING = 2
# Position of the camera relative to an object that is not rotated, in degrees: to its left and a little above.
AZIMUTH, ELEVATION = 35.0, 15.0
# Direction that light comes from as the camera sees it (right, up, towards the camera), and its strength.
KEY_LIGHT, KEY_STRENGTH = np.array([-0.5, 0.75, 0.6]) / np.linalg.norm([-0.5, 0.75, 0.6]), 0.75
FILL_LIGHT, FILL_STRENGTH = np.array([0.7, 0.1, 0.7]) / np.linalg.norm([0.7, 0.1, 0.7]), 0.25
AMBIENT, SPECULAR, SHININESS = 0.22, 0.15, 20
TOWARDS_CAMERA = np.array([0.0, 0.0, 1.0])
# Shadow rays start this far off the surface, in radii of the object, so as not to hit it where they start.
OFF_SURFACE = 1e-3


class Scene:
    """An object before a camera in parallel projection, under two lights, of which the stronger casts shadows.

    Parameters
    ----------
    surface : Surface
        The object.
    size : int
        Side of the square images, in pixels.
    """

    def __init__(self, surface: Surface, size: int) -> None:
        from embreex.mesh_construction import TriangleMesh
        from embreex.rtcore_scene import EmbreeScene

        self._surface, self._size = surface, size
        self._tracer = EmbreeScene()
        TriangleMesh(self._tracer, surface.points, surface.triangles)
        azimuth, elevation = np.deg2rad([AZIMUTH, ELEVATION])
        right = np.array([-np.sin(azimuth), np.cos(azimuth), 0])
        towards = np.array(
            [np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)]
        )
        # Axes of the image (right, up, towards the camera) in the space of an object that is not rotated.
        self._axes = np.stack([right, np.cross(towards, right), towards])

    def draw(
        self, position: tuple[float, float], size: float, rotation: tuple[float, float, float]
    ) -> NDArray[np.float32]:
        """Return the image of the object and its coverage of each pixel.

        Parameters
        ----------
        position : (right, up)
            Centre of the object's sphere, in image widths from the centre of the image.
        size : float
            Diameter of the object's sphere, in image widths.
        rotation : (x, y, z)
            Angles in degrees about fixed axes: first about z (upright), then y (to its left), then x (forward).

        Returns
        -------
        (4, size, size) float32 array
            Red, green and blue, 0 to 255, each multiplied by the coverage; and the coverage, 0 to 1.
        """
        side = self._size * OVERSAMPLING
        # From the object's space to the camera's.
        turned = self._axes @ rotation_matrix(rotation)
        middles = (np.arange(side) + 0.5) / side - 0.5
        across, up = (middles - position[0]) / (size / 2), (-middles - position[1]) / (size / 2)
        columns, rows = np.flatnonzero(np.abs(across) <= 1), np.flatnonzero(np.abs(up) <= 1)
        image = np.zeros((side, side, 4), np.float32)
        if len(rows) and len(columns):
            image[np.ix_(rows, columns)] = self._traced(across[columns], up[rows], turned)
        k = OVERSAMPLING
        rays = [image[i::k, j::k] for i in range(k) for j in range(k)]
        return (sum(rays) / k**2).transpose(2, 0, 1)

    def _traced(self, across: NDArray, up: NDArray, turned: NDArray) -> NDArray[np.float32]:
        """Return colour and coverage (rows, columns, 4) of rays at some places, which are in radii of the object."""
        points = np.stack(np.broadcast_arrays(across[None], up[:, None], 2.0), axis=-1).reshape(-1, 3)
        origins = (points @ turned).astype(np.float32)
        towards = (TOWARDS_CAMERA @ turned).astype(np.float32)
        hits = self._tracer.run(origins, _repeated(-towards, len(origins)), output=True)
        hit = np.flatnonzero(hits["primID"] >= 0)
        result = np.zeros((len(points), 4), np.float32)
        if len(hit):
            triangles = hits["primID"][hit]
            corners = self._surface.triangles[triangles]
            u, v = hits["u"][hit, None], hits["v"][hit, None]
            shares = np.stack([1 - u - v, u, v], axis=1)
            places = origins[hit] - hits["tfar"][hit, None] * towards
            normals = (self._surface.normals[triangles] * shares).sum(axis=1) @ turned.T
            colours = (self._surface.colours[corners] * shares).sum(axis=1)
            result[hit, :3] = self._lit(colours, normals, places, hits["Ng"][hit], turned)
            result[hit, 3] = 1
        return result.reshape(len(up), len(across), 4)

    def _lit(self, colours: NDArray, normals: NDArray, places: NDArray, facing: NDArray, turned: NDArray) -> NDArray:
        """Return the light that surfaces send to the camera: reflection after Lambert, highlights after Blinn 1977."""
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-6)
        normals *= np.where(normals[:, 2:] < 0, -1, 1)
        towards = (TOWARDS_CAMERA @ turned).astype(np.float32)
        facing = facing / np.maximum(np.linalg.norm(facing, axis=1, keepdims=True), 1e-12)
        facing = facing * np.where(facing @ towards < 0, -1, 1)[:, None]
        starts = (places + OFF_SURFACE * facing).astype(np.float32)
        to_light = (KEY_LIGHT @ turned).astype(np.float32)
        unlit = self._tracer.run(starts, _repeated(to_light, len(starts)), query="OCCLUDED") >= 0
        light, highlight = np.full(len(normals), AMBIENT), np.zeros(len(normals))
        for direction, strength in ((KEY_LIGHT, KEY_STRENGTH * ~unlit), (FILL_LIGHT, FILL_STRENGTH)):
            halfway = direction + TOWARDS_CAMERA
            halfway /= np.linalg.norm(halfway)
            light += strength * np.maximum(normals @ direction, 0)
            highlight += strength * np.maximum(normals @ halfway, 0) ** SHININESS
        return np.minimum(colours * light[:, None] + 255 * SPECULAR * highlight[:, None], 255)


def drawn_by() -> str:
    """Return the name and version of the library that casts the rays."""
    return f"Embree, embreex {version('embreex')}"


def _repeated(direction: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    return np.tile(direction, (count, 1))
