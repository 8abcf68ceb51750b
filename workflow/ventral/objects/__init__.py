"""Objects made by code: eight categories for tests and others for training, each with any number of exemplars.

The categories are those of Yamins et al. 2014 (PNAS 111:8619). The tested ones are animals, boats, cars, chairs, faces,
fruits, planes and tables. The others are part of their screening set, which shares no category with the tested ones.
"""

import importlib
import zlib

import numpy as np

TESTED = ("animals", "boats", "cars", "chairs", "faces", "fruits", "planes", "tables")
OTHERS = ("bodies", "buildings", "flowers", "instruments", "jewelry", "shoes", "tools", "trees")
CATEGORIES = TESTED + OTHERS


def make_object(category: str, exemplar: int):
    """Return an exemplar of a category.

    Parameters
    ----------
    category : str
        One of `CATEGORIES`.
    exemplar : int
        0 or more. The first eight have each a design of their own; later ones vary these.

    Returns
    -------
    ventral.objects.surface.Surface
        Upright along +z, facing +x, in a sphere of radius 1 about the origin.
    """
    from ventral.objects.shapes import assembled

    module = importlib.import_module(f"ventral.objects.{category}")
    # Not Python's own hash, which differs from process to process.
    rng = np.random.default_rng([zlib.crc32(category.encode()), exemplar])
    return assembled(module.parts(exemplar % 8, rng))
