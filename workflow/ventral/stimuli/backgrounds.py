"""Backgrounds of rendered objects: crops of natural photographs, and noise with a natural spectrum."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ventral.errors import InputError, shown
from ventral.stimuli.files import FOLDER, Listing, kind_of
from ventral.stimuli.images import list_images

PHOTOGRAPHS, NOISE = "photographs", "noise"
# Range of a crop's side, as a share of the photograph's shorter side.
CROP = (0.3, 1.0)
# Mean and standard deviation of noise, on the scale from 0 to 255.
NOISE_MEAN, NOISE_DEVIATION = 115.0, 45.0
# Variation of a pixel's colour, relative to its lightness.
COLOUR = 0.25
# Colour modes of photographs that become 8-bit RGB without a visible loss.
EIGHT_BITS = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "LAB", "HSV")
SMALLEST = 2


class Backgrounds:
    """Sources of backgrounds, each of which is drawn equally often for every object.

    Parameters
    ----------
    sources : sequence of str
        `photographs` (those of installed packages), `noise`, or folders of photographs.
    key : str
        Config key of the sources, for messages.

    Raises
    ------
    InputError
        If a folder has no images, or two of one name. Also if an image cannot be read, does not have 8 bits a channel,
        or is a single pixel.
    """

    def __init__(self, sources: Sequence[str], key: str) -> None:
        self._kinds = [_photographs(source, key) if source != NOISE else {NOISE: None} for source in sources]

    def draw(self, size: int, rng: np.random.Generator) -> tuple[NDArray[np.uint8], str]:
        """Return a background (3, size, size), and the name of its photograph, or `noise`."""
        photographs = self._kinds[rng.integers(len(self._kinds))]
        name = list(photographs)[rng.integers(len(photographs))]
        if photographs[name] is None:
            return noise(size, rng), name
        return crop(photographs[name], size, rng), name


def check(sources: Sequence[str], key: str) -> None:
    """Check that every source has backgrounds, without opening photographs.

    Raises
    ------
    InputError
        If a source is not known and is not a folder with images.
    """
    for source in _folders(sources):
        _listed(source, key)


def report_left_out(sources: Sequence[str], key: str) -> None:
    """Log a warning for the files that are left out of folders among the sources."""
    for source in _folders(sources):
        _listed(source, key).warn(f"{key}: {source}")


def crop(photograph: NDArray[np.uint8], size: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return a random square part (3, size, size) of a photograph (H, W, 3), mirrored or not."""
    import PIL.Image

    height, width = photograph.shape[:2]
    side = round(min(height, width) * rng.uniform(*CROP))
    top, left = rng.integers(height - side + 1), rng.integers(width - side + 1)
    part = photograph[top : top + side, left : left + side]
    part = part[:, ::-1] if rng.random() < 0.5 else part
    image = PIL.Image.fromarray(np.ascontiguousarray(part)).resize((size, size), PIL.Image.Resampling.BICUBIC)
    return np.asarray(image).transpose(2, 0, 1)


def noise(size: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return noise (3, size, size) whose amplitude falls as 1 / frequency, as in natural images.

    Field 1987, Journal of the Optical Society of America A 4:2379. Colours vary less than lightness.
    """
    down, across = np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None]
    frequency = np.hypot(down, across)
    amplitude = np.divide(1, frequency, out=np.zeros_like(frequency), where=frequency > 0)
    planes = np.fft.irfft2(np.fft.rfft2(rng.standard_normal((4, size, size))) * amplitude, s=(size, size))
    planes /= planes.std(axis=(1, 2), keepdims=True)
    mixed = (planes[0] + COLOUR * planes[1:]) / np.hypot(1, COLOUR)
    return np.clip(np.round(NOISE_MEAN + NOISE_DEVIATION * mixed), 0, 255).astype(np.uint8)


def _folders(sources: Sequence[str]) -> list[str]:
    return [source for source in sources if source not in (PHOTOGRAPHS, NOISE)]


def _listed(folder: str, key: str) -> Listing:
    if kind_of(folder) != FOLDER:
        raise InputError(f"{key}: {folder!r} is neither `{PHOTOGRAPHS}` nor `{NOISE}`, nor a folder of photographs")
    listing = list_images(Path(folder), key)
    counts = Counter(Path(file).name for file in listing.files)
    if twice := [file for file in listing.files if counts[Path(file).name] > 1]:
        raise InputError(
            f"{key}: {folder}: photographs of one name: {shown(twice)}; rename them: a background is known by its name"
        )
    return listing


def _photographs(source: str, key: str) -> dict[str, NDArray[np.uint8]]:
    if source == PHOTOGRAPHS:
        from ventral.stimuli.photographs import photographs

        return photographs()
    return {Path(file).name: _read(Path(source, file), key) for file in _listed(source, key).files}


def _read(path: Path, key: str) -> NDArray[np.uint8]:
    """Return the pixels (H, W, 3) of a photograph."""
    import PIL.Image

    try:
        with PIL.Image.open(path) as image:
            mode, pixels = image.mode, np.asarray(image.convert("RGB"))
    except MemoryError:
        raise
    except Exception as error:  # Pillow's decoders raise more kinds than they document
        raise InputError(f"{key}: {path}: cannot be read as an image: {error}; replace it") from error
    if mode not in EIGHT_BITS:
        raise InputError(f"{key}: {path}: its pixels are {mode}; save it as 8-bit RGB or grey")
    if min(pixels.shape[:2]) < SMALLEST:
        raise InputError(f"{key}: {path}: {pixels.shape[1]} x {pixels.shape[0]} pixels are too few; replace it")
    return pixels
