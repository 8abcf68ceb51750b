"""The images that drive neurons, with their controls: kinds, verdicts and files."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ventral.outputs import writing

TABLE = "stimuli.parquet"
SYNTHESISED, NATURAL, MATCHED, POOL = "synthesised", "natural", "natural_matched", "pool"
MASKED, GABOR, LINEAR = "natural_masked", "gabor", "linear"
KINDS = (SYNTHESISED, NATURAL, MATCHED, MASKED, POOL, GABOR, LINEAR)
CONFIRMED, ALONE, NO_GAIN = "confirmed", "own network only", "no gain"


def write_png(path: Path, image: NDArray[np.uint8], degrees: float | None) -> None:
    """Write an image (3, height, width) as PNG, with the degrees that its width spans as text, if they are known."""
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    said = PngInfo()
    if degrees is not None:
        said.add_text("degrees", f"{degrees:g}")
    with writing(path) as unfinished:
        Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0))).save(unfinished, format="PNG", pnginfo=said)


def read_png(path: Path) -> NDArray[np.uint8]:
    """Return the pixels (3, height, width) of a PNG file."""
    from PIL import Image

    with Image.open(path) as image:
        return np.asarray(image).transpose(2, 0, 1)
