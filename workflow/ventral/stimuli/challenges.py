"""Challenges to the recognition of rendered objects: other objects beside them, occluders before them, and noise."""

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ventral.objects import make_object
from ventral.stimuli.backgrounds import Backgrounds
from ventral.stimuli.draws import named_generator

if TYPE_CHECKING:
    from ventral.stimuli.scene import Scene

OCCLUSION, CLUTTER, NOISE = CHALLENGES = ("occlusion", "clutter", "noise")
# Standard deviation of the Gaussian that smooths the noise whose lowest places are occluders, in image widths.
SMOOTHNESS = 0.04
# Range of the diameters of other objects' spheres in image widths, and number of different objects.
DIAMETERS, NAMELESS = (0.2, 0.3), 64
# Number of random places, of which an object gets the one with most room.
PLACES = 30


def drawn_levels(spec: dict, name: str, n: int) -> dict[str, NDArray[np.float64]]:
    """Return the level (n,) of each challenge of a set for the images of an object, in `CHALLENGES`.

    Parameters
    ----------
    spec : dict
        Options of the set. `occlusion`, `clutter` and `noise` are lists of levels. Images without the option have none.
    name : str
        Name of the object.
    n : int
        Number of its images.
    """
    # Drawn as shares of the list, so that the first images do not depend on the number of images.
    shares = {challenge: named_generator(spec["seed"], name, challenge).random(n) for challenge in CHALLENGES}
    return {
        challenge: np.array(spec[challenge], float)[(shares[challenge] * len(spec[challenge])).astype(int)]
        for challenge in CHALLENGES
        if challenge in spec
    }


def occluders(coverage: NDArray, share: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return the pixels (size, size) that blobs cover: a share of the object's pixels, and as many elsewhere.

    The blobs are where smooth Gaussian noise is below a threshold. The background is covered as often as the object, so
    the blobs do not tell where the object is.

    Parameters
    ----------
    coverage : (size, size) array
        Share of each pixel that the object covers. Pixels with at least a half belong to the object.
    share : float
        Share of the object's pixels, from 0 to below 1.
    rng : Generator
        Random numbers of the image.
    """
    size = len(coverage)
    down, across = np.fft.fftfreq(size, 1 / size)[:, None], np.fft.rfftfreq(size, 1 / size)[None]
    gain = np.exp(-2 * (np.pi * SMOOTHNESS) ** 2 * (down**2 + across**2))
    field = np.fft.irfft2(np.fft.rfft2(rng.standard_normal((size, size))) * gain, s=(size, size))
    belongs = coverage >= 0.5
    values = np.sort(field[belongs] if belongs.any() else field, axis=None)
    covered = round(share * len(values))
    return field < values[covered] if covered else np.zeros_like(belongs)


def occluded(
    pixels: NDArray[np.uint8], coverage: NDArray, share: float, sources: Backgrounds, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], float]:
    """Return an image (3, size, size) behind blobs of another background, and the covered share of the object.

    The share is that of the object's pixels, NaN if there are none.
    """
    mask, belongs = occluders(coverage, share, rng), coverage >= 0.5
    texture = sources.draw(len(coverage), rng)[0]
    return np.where(mask, texture, pixels), float(mask[belongs].mean()) if belongs.any() else np.nan


def cluttered(
    behind: NDArray[np.uint8], number: int, centre: tuple[float, float], rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Return a background (3, size, size) with some objects of no category, far from each other and from a centre.

    Parameters
    ----------
    behind : (3, size, size) uint8 array
        Background.
    number : int
        Number of objects.
    centre : (right, up)
        Centre of the object that will be shown before them, in image widths from the centre of the image.
    rng : Generator
        Random numbers of the image.
    """
    taken = [centre]
    for _ in range(number):
        scene = _scene(int(rng.integers(NAMELESS)), behind.shape[-1])
        diameter = rng.uniform(*DIAMETERS)
        furthest = (1 - diameter) / 2
        places = rng.uniform(-furthest, furthest, (PLACES, 2))
        # The best candidate of Mitchell 1991 (Computer Graphics 25:157).
        room = np.linalg.norm(places[:, None] - np.array(taken), axis=2).min(axis=1)
        taken.append(tuple(places[room.argmax()]))
        behind = composed(scene.draw(taken[-1], diameter, tuple(rng.uniform(-180, 180, 3))), behind)
    return behind


def noisy(pixels: NDArray[np.uint8], rms: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return an image (3, size, size) with Gaussian noise, independent for each pixel and colour.

    Parameters
    ----------
    pixels : (3, size, size) uint8 array
        Image.
    rms : float
        Root mean square of the noise as a share of 255, before values beyond 0 and 255 are cut.
    rng : Generator
        Random numbers of the image.
    """
    return np.clip(np.round(pixels + 255 * rms * rng.standard_normal(pixels.shape)), 0, 255).astype(np.uint8)


def composed(drawn: NDArray[np.float32], background: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return an image (3, size, size) of an object (4, size, size) from `Scene.draw` on a background."""
    return np.round(drawn[:3] + (1 - drawn[3]) * background).astype(np.uint8)


@cache
def _scene(number: int, size: int) -> "Scene":
    from ventral.stimuli.scene import Scene

    return Scene(make_object("nameless", number), size)
