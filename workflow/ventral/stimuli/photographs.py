"""Photographs of installed packages, from which models learn and which serve as backgrounds.

None shows a face, an animal, a vehicle, a fruit or furniture, so they have nothing in common with the objects of a
stimulus set. Other photographs in the same packages are left out because they show such objects (a cup, a rocket, a
cat, a horse, people). The photograph of the moon is left out because no licence is stated.

==========  ============================  ==========================================================================
name        package, file                 licence, as the package states it
==========  ============================  ==========================================================================
horizon     scikit-learn, `china.jpg`     CC BY 2.0, danielbuechele on Flickr (photograph 6061409035)
pavilion    scikit-learn, `china.jpg`     the same photograph
trees       scikit-learn, `china.jpg`     the same photograph
flower      scikit-learn, `flower.jpg`    CC BY 2.0, vultilion on Flickr (photograph 6056698931)
grass       scikit-image, `grass.png`     CC0, linolafett on DeviantArt ("Grass 01"); grey
gravel      scikit-image, `gravel.png`    CC0, cc0textures.com ("Gravel04"); grey
brick       scikit-image, `brick.png`     CC0, cc0textures.com ("Bricks25"); grey
==========  ============================  ==========================================================================

Sources of the licences: `sklearn/datasets/images/README.txt`, and the docstrings of `skimage.data`.
"""

import numpy as np
from numpy.typing import NDArray

# Rows and columns of the photograph of a pavilion above a lake, without the lake, which has boats.
PARTS_OF_CHINA = {
    "horizon": np.s_[:218, :],
    "pavilion": np.s_[130:393, 82:345],
    "trees": np.s_[299:427, 460:640],
}


def photographs() -> dict[str, NDArray[np.uint8]]:
    """Return the photographs by name, each (H, W, 3), in the order of the table above.

    Grey photographs have three equal channels. The files of the installed packages are read; nothing is downloaded.
    """
    from skimage import data
    from sklearn.datasets import load_sample_image

    china = load_sample_image("china.jpg")
    found = {name: china[part] for name, part in PARTS_OF_CHINA.items()}
    found["flower"] = load_sample_image("flower.jpg")
    for name in ("grass", "gravel", "brick"):
        found[name] = np.repeat(getattr(data, name)()[..., None], 3, axis=2)
    return {name: np.ascontiguousarray(pixels) for name, pixels in found.items()}


def crops(size: int, per_photograph: int, seed: int) -> NDArray[np.uint8]:
    """Return square parts of the photographs at random places and in full resolution, for training.

    Parameters
    ----------
    size : int
        Side in pixels, 128 at most.
    per_photograph : int
        Number of parts of each photograph.
    seed : int
        Seed of the random places.

    Returns
    -------
    (photographs * per_photograph, 3, size, size) uint8 array
    """
    rng = np.random.default_rng(seed)
    found = []
    for pixels in photographs().values():
        height, width = pixels.shape[:2]
        for _ in range(per_photograph):
            top, left = rng.integers(height - size + 1), rng.integers(width - size + 1)
            found.append(pixels[top : top + size, left : left + size].transpose(2, 0, 1))
    return np.stack(found)
