"""Template images of NWB files, as a zip for a stimulus set."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ventral.datasets.archives import png, write_zip
from ventral.datasets.hdf5 import opened
from ventral.errors import InputError
from ventral.recordings.nwb import kind_of

if TYPE_CHECKING:
    import h5py

TEMPLATES = "stimulus/templates"


def write_images(output: str | Path, *, nwb: str | Path) -> None:
    """Write a zip of PNG files of the template images of a file, with the names in the file.

    Frames of a series have no names. Their names here are their numbers, from 0, as in an `IndexSeries`. Pixels are as
    stored: rows first.

    Parameters
    ----------
    output : path
        The zip.
    nwb : path
        NWB file, with images in `/stimulus/templates`.

    Raises
    ------
    InputError
        If the file cannot be read, or has no images of uint8.
    """
    place = f"nwb: {nwb}"
    with opened(nwb, "nwb") as file:
        images = dict(_images(file.get(TEMPLATES, {}), place))
        if not images:
            raise InputError(f"{place}: no images in `/{TEMPLATES}`; they come as files of their own")
        write_zip(Path(output), ((f"{name}.png", png(pixels())) for name, pixels in images.items()))


def _images(templates: "h5py.Group", place: str) -> Iterator[tuple[str, object]]:
    """Give the name of each image, and a function that reads its pixels (H, W) or (H, W, 3)."""
    for name, entry in templates.items():
        if kind_of(entry) == "Images":
            for image, pixels in entry.items():
                if image != "order_of_images":
                    _check(pixels, (2, 3), f"{place}: {pixels.name}")
                    yield image.removesuffix(".png"), lambda pixels=pixels: pixels[:]
        else:
            frames = entry["data"]
            _check(frames, (3, 4), f"{place}: {frames.name} of {name}")
            for k in range(len(frames)):
                yield str(k), lambda frames=frames, k=k: frames[k]


def _check(pixels: "h5py.Dataset", n_axes: tuple[int, ...], place: str) -> None:
    if pixels.dtype != np.uint8 or pixels.ndim not in n_axes:
        raise InputError(f"{place}: {pixels.shape} of {pixels.dtype}; images of uint8, rows first, are right")
