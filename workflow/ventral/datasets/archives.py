"""Zips of images with the same bytes in each run."""

import io
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ventral.outputs import writing


def write_zip(output: Path, files: Iterable[tuple[str, bytes]]) -> None:
    """Write a zip of files, from the name and the content of each."""
    with writing(output) as unfinished, zipfile.ZipFile(unfinished, "w") as archive:
        for name, content in files:
            # A zip with the time of writing would have other bytes in each run.
            archive.writestr(zipfile.ZipInfo(name), content)


def png(pixels: NDArray[np.uint8]) -> bytes:
    """Return an image (H, W) of grey values or (H, W, 3) as a PNG file."""
    from PIL import Image

    content = io.BytesIO()
    Image.fromarray(pixels).save(content, format="png")
    return content.getvalue()
