"""The modality `images`: reading of files into pixels, inputs of networks, and previews.

Files are read such that every model sees the image that was shown:

- Grey images and images with a palette become RGB, and so do images with an alpha channel that is fully opaque.
- Transparent pixels, several frames in one file, and an EXIF orientation other than upright are refused. The file does
  not tell what the animal saw; some presentation software applies the orientation and some does not.
- 16-bit, float, CMYK and other colour spaces are refused, because the conversion to 8-bit RGB is the user's choice.
- Images of different sizes are refused, unless the user gives a size. All images are then resized (bicubic, without
  cropping), as networks' preprocessing does.
- Embedded colour profiles are ignored: the numbers in the file are the pixels.

`ventral.stimuli.modality` declares all this as the modality `images`.
"""

import math
import platform
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ventral.errors import InputError
from ventral.stimuli.files import Listing, list_files

if TYPE_CHECKING:
    import torch
    from matplotlib.axes import Axes
    from PIL.Image import Image
    from torch import Tensor

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"})
PIXELS = "pixels"
AXES = ("channel", "pixel_row", "pixel_column")
EXIF_ORIENTATION = 0x0112
# Side of the example images with which layers are listed, before a model resizes them.
ANY_SIZE = 224
IMAGENET_MEAN, IMAGENET_STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
# Side of the small grey versions by which near-duplicates are recognised.
OUTLINE = 16
# Larger values are a mistake, and may exceed float32.
LARGEST_COLOUR = 1e6
LARGEST_SIZE = 10_000
LARGEST_FIELD = 360
# Around images that are smaller than a model's field of view. Middle grey is also the screen of Brain-Score.
BACKGROUND = 128
SET_OPTIONS = {
    "size": {
        "description": (
            "Side in pixels of the square to which every image is resized (bicubic). By default, all have one size."
        ),
        "type": "integer",
        "minimum": 1,
        "maximum": LARGEST_SIZE,
    },
    "degrees": {
        "description": "Degrees of visual angle that the width of an image spanned in the experiment "
        "([Degrees of visual angle](../docs/degrees.md)).",
        "type": "number",
        "exclusiveMinimum": 0,
        "maximum": LARGEST_FIELD,
    },
}
MODEL_OPTIONS = {
    "size": {
        "description": "Side in pixels of the square to which images are resized, without cropping unless `degrees` "
        "asks for it; `null` keeps the size of the set. For your own function, the default is 224, with the `mean` and "
        "`std` of ImageNet.",
        "without": "from the architecture",
        "type": ["integer", "null"],
        "minimum": 1,
        "maximum": LARGEST_SIZE,
        "default": 224,
    },
    "interpolation": {
        "description": "Interpolation of resizing: `bicubic` or `bilinear`.",
        "without": "from the architecture",
        "enum": ["bicubic", "bilinear"],
        "default": "bilinear",
    },
    "mean": {
        "description": "Numbers subtracted from each channel, with pixels from 0 to 1.",
        "without": "from the architecture",
        "type": "array",
        "minItems": 3,
        "maxItems": 3,
        "items": {"type": "number", "minimum": -LARGEST_COLOUR, "maximum": LARGEST_COLOUR},
        "default": IMAGENET_MEAN,
    },
    "std": {
        "description": "Numbers that divide each channel, after `mean` is subtracted.",
        "without": "from the architecture",
        "type": "array",
        "minItems": 3,
        "maxItems": 3,
        "items": {"type": "number", "minimum": 1 / LARGEST_COLOUR, "maximum": LARGEST_COLOUR},
        "default": IMAGENET_STD,
    },
    "degrees": {
        "description": "Degrees of visual angle that the side of the network's input spans. Images of a set with "
        "`degrees` are then padded or cropped, so that a degree is a degree "
        "([Degrees of visual angle](../docs/degrees.md)).",
        "without": "none: images fill the input",
        "type": ["number", "null"],
        "exclusiveMinimum": 0,
        "maximum": LARGEST_FIELD,
        "default": None,
    },
}
OTHER_CHANNELS = re.compile(r"expected input\[\d+, 3, .* to have (\d+) channels|should contain 3 elements not (\d+)")
PRODUCT = re.compile(r"shapes cannot be multiplied \(\d+x(\d+) and (\d+)x\d+\)")


# Files.


def list_images(images: Path, key: str) -> Listing:
    """List the images of a folder or zip, by `list_files`."""
    return list_files(images, SUFFIXES, key, "images")


def common_shape(
    spec: dict,
    opened: Callable[[str], BinaryIO],
    files: Sequence[str],
    mapped: Callable[[Callable, Sequence[str]], Iterator],
) -> tuple[int, int, int]:
    """Return the shape (3, height, width) of all images: the `size` of the set, or else the most common one."""
    if spec.get("size"):
        return 3, spec["size"], spec["size"]
    width, height = most_common_size(mapped(lambda file: size_of(opened, file), files))
    return 3, height, width


def most_common_size(sizes: Iterator[tuple[int, int] | None]) -> tuple[int, int]:
    """Return the width and height that most images have."""
    counts = Counter(size for size in sizes if size is not None)
    # If no image can be read, any size will do, because decoding reports each of them.
    return counts.most_common(1)[0][0] if counts else (1, 1)


def size_of(opened: Callable[[str], BinaryIO], file: str) -> tuple[int, int] | None:
    """Return width and height from the file's header; None if the header cannot be read."""
    import PIL.Image

    try:
        with opened(file) as stream, PIL.Image.open(stream) as image:
            return image.size
    except MemoryError:
        raise
    except Exception:
        return None


def decode(
    spec: dict,
    opened: Callable[[str], BinaryIO],
    file: str,
    shape: tuple[int, int, int],
    _remark: Callable[[str], None],
) -> NDArray[np.uint8]:
    """Return the pixels (3, height, width) of an image.

    Raises
    ------
    InputError
        If the file cannot be decoded, is of a refused kind, or differs in size while the set has no `size`.
    """
    import PIL.Image

    _, height, width = shape
    try:
        with opened(file) as stream, PIL.Image.open(stream) as image:
            if not spec.get("size") and image.size != (width, height):
                raise InputError(
                    f"{image.size[0]} x {image.size[1]} pixels (width x height), where most have {width} x {height} "
                    f"(`size: N`, beside `images`, resizes all to N x N)"
                )
            rgb = _rgb(image)
            if rgb.size != (width, height):
                rgb = rgb.resize((width, height), PIL.Image.Resampling.BICUBIC)
    except (InputError, MemoryError):
        raise
    except PIL.UnidentifiedImageError:
        raise InputError("not an image, or its beginning is damaged") from None
    except Exception as error:  # Pillow's decoders, and zipfile, raise more kinds than they document
        raise InputError(f"cannot be decoded: {error}") from error
    return np.ascontiguousarray(np.asarray(rgb).transpose(2, 0, 1))


def given(images: NDArray | Sequence, shape: tuple[int, int, int], _options: Mapping) -> NDArray[np.uint8]:
    """Return the pixels (n, 3, height, width) of images given in Python.

    Parameters
    ----------
    images : array or sequence
        An array (n, 3, height, width) or (n, height, width, 3) of uint8, or of floats from 0 to 1. Floats are rounded
        to 8 bits. Or a list of Pillow images, paths of images, or opened files.
    shape : tuple of int
        Shape (3, height, width) that each image must have.

    Raises
    ------
    InputError
        If images are of another size or range, or cannot be read.
    """
    if isinstance(images, list | tuple):
        alone = [_given_alone(image, number, shape) for number, image in enumerate(images)]
        return np.stack(alone) if alone else np.empty((0, *shape), np.uint8)
    return _as_bytes(_channels_first(np.asarray(images), shape))


def _given_alone(image: "Image | str | Path | BinaryIO", number: int, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    import PIL.Image

    place = str(image) if isinstance(image, str | Path) else getattr(image, "name", f"image {number}")
    _, height, width = shape
    try:
        opened = image if isinstance(image, PIL.Image.Image) else PIL.Image.open(image)
        if opened.size != (width, height):
            raise InputError(f"{opened.size[0]} x {opened.size[1]} pixels (width x height); {_right_size(shape)}")
        return np.ascontiguousarray(np.asarray(_rgb(opened)).transpose(2, 0, 1))
    except InputError as error:
        raise InputError(f"{place}: {error}") from None
    except MemoryError:
        raise
    except Exception as error:  # as in `decode`
        raise InputError(f"{place}: cannot be read as an image: {error}") from error


def _channels_first(images: NDArray, shape: tuple[int, int, int]) -> NDArray:
    channels, height, width = shape
    if images.shape[1:] == (channels, height, width):
        return images
    if images.shape[1:] == (height, width, channels):
        return images.transpose(0, 3, 1, 2)
    raise InputError(
        f"images: an array of shape {images.shape}; right is (n, {channels}, {height}, {width}) or (n, {height}, "
        f"{width}, {channels}): {_right_size(shape)}"
    )


def _right_size(shape: tuple[int, int, int]) -> str:
    return f"{shape[2]} x {shape[1]} are right (crop or resize the images first, to the field of view that was shown)"


def _as_bytes(images: NDArray) -> NDArray[np.uint8]:
    if images.dtype == np.uint8:
        return np.ascontiguousarray(images)
    if images.dtype.kind != "f":
        raise InputError(f"images: values of type {images.dtype}; uint8, or floats from 0 to 1, are right")
    lowest, highest = (float(images.min()), float(images.max())) if images.size else (0.0, 0.0)
    # A comparison with NaN is false.
    if not (lowest >= 0 and highest <= 1):
        raise InputError(
            f"images: floats from {lowest:g} to {highest:g}; floats from 0 to 1 are right, neither standardised nor "
            f"normalised, or uint8 from 0 to 255"
        )
    return np.ascontiguousarray(np.rint(images * 255).astype(np.uint8))


def _rgb(image: "Image") -> "Image":
    # Pillow cuts 16-bit RGB down to 8 bits by itself; only the decoder's arguments still tell. (BGR;16 is a bitmap with
    # 16 bits for all three. Images without a file have no decoder.)
    depth = re.search(r"(?<!BGR);(16|32)", str(getattr(image, "tile", "")))
    if depth or image.mode not in ("1", "L", "LA", "P", "PA", "RGB", "RGBA"):
        raise InputError(f"its pixels are {f'{depth[1]}-bit' if depth else image.mode}; save it as 8-bit RGB or grey")
    if getattr(image, "n_frames", 1) > 1:
        raise InputError(f"it has {image.n_frames} frames; save the one that was shown")
    if image.getexif().get(EXIF_ORIENTATION, 1) != 1:
        raise InputError("its EXIF orientation turns or mirrors it; save it as it was shown, without that tag")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        if image.getextrema()[3][0] < 255:
            raise InputError("it has transparent pixels; save it on the background that was shown")
    return image.convert("RGB")


def read_pixels(path: str | Path, start: int, stop: int) -> NDArray[np.uint8]:
    """Return the pixels (stop - start, 3, H, W) of some rows of a store, reading only the chunks that hold them."""
    from ventral.store import open_store

    return open_store(path)[PIXELS][start:stop]


# Inputs of networks.


def without_effect(option: str, spec: dict) -> str:
    """Return the reason why an option has no effect on a model; empty if it has an effect."""
    # The size may be known only to a library.
    alone = option in ("interpolation", "degrees") and spec.get("size", ANY_SIZE) is None
    return "without a `size` that images are resized to" if alone else ""


def prepare(pixels: "Tensor", spec: dict) -> "Tensor":
    """Return the input of a network: pixels resized by `resize`, and normalised.

    Parameters
    ----------
    pixels : (n, 3, height, width) uint8 tensor
        Stimuli, on any device.
    spec : dict
        As for `resize`, with `mean` and `std` of each channel for pixels in 0 to 1.

    Returns
    -------
    (n, 3, size, size) float32 tensor
    """
    images = resize(pixels, spec).float().div_(255)
    return images.sub_(_per_channel(tuple(spec["mean"]), images.device)).div_(
        _per_channel(tuple(spec["std"]), images.device)
    )


@cache
def _per_channel(values: tuple[float, ...], device: "torch.device") -> "Tensor":
    """Return numbers (channels, 1, 1) on a device; they are cached, because every copy waits for the device."""
    import torch

    with torch.inference_mode(False):
        return torch.tensor(values, dtype=torch.float32).to(device)[:, None, None]


def resize(pixels: "Tensor", spec: dict) -> "Tensor":
    """Return uint8 pixels (n, 3, height, width) resized to the square of a model's input.

    Parameters
    ----------
    pixels : (n, 3, height, width) Tensor
        Images, uint8.
    spec : dict
        Has `size` of the square (None keeps that of the stimuli) and `interpolation`. If both `degrees` and
        `stimuli.degrees` are given, images are placed by `placed`; otherwise they fill the square.
    """
    size, degrees = spec["size"], (spec.get("degrees"), spec.get("stimuli", {}).get("degrees"))
    if size is None:
        return pixels
    if None in degrees:
        return resized(pixels, (size, size), spec["interpolation"])
    return placed(pixels, size, degrees[1] / degrees[0], spec["interpolation"])


def placed(pixels: "Tensor", size: int, share: float, interpolation: str) -> "Tensor":
    """Return uint8 images at a given share of a square, padded with grey or cropped around their centre.

    Images keep the ratio of their sides. If the pixels to add or to cut are odd in number, one more is at the bottom or
    the right.

    Parameters
    ----------
    pixels : (n, channels, height, width) Tensor
        Images, uint8.
    size : int
        Side of the square in pixels.
    share : float
        Width of an image over the side of the square.
    interpolation : str
        `bicubic` or `bilinear`.

    Returns
    -------
    (n, channels, size, size) Tensor

    Raises
    ------
    InputError
        If images would be hardly a pixel, or too large to be resized.
    """
    n, channels, height, width = pixels.shape
    shape = tuple(math.floor(size * share * side / width + 0.5) for side in (height, width))
    if not 1 < min(shape) <= max(shape) <= LARGEST_SIZE:
        raise InputError(
            f"degrees: the width of an image spans {share:.4g} times the input of {size} pixels, so images would have "
            f"{shape[1]} x {shape[0]} pixels; right is 2 to {LARGEST_SIZE} on each side. Check the `degrees` of the "
            f"stimuli and of the model"
        )
    (rows, rows_filled), (columns, columns_filled) = (_centred(side, size) for side in shape)
    square = pixels.new_full((n, channels, size, size), BACKGROUND)
    square[..., rows_filled, columns_filled] = resized(pixels, shape, interpolation)[..., rows, columns]
    return square


def _centred(side: int, size: int) -> tuple[slice, slice]:
    """Return the part of an image's side that fits into a square, and the part of the square's side that it fills."""
    both = min(side, size)
    return tuple(slice((whole - both) // 2, (whole - both) // 2 + both) for whole in (side, size))


def resized(pixels: "Tensor", shape: tuple[int, int], interpolation: str) -> "Tensor":
    """Resize images, antialiased, as image libraries do and as networks were trained.

    The bytes are those of torchvision's `transforms.v2.functional.resize`. Importing torchvision takes longer than a
    small network's pass over a thousand images. Images of floats are not rounded, and have gradients.

    Parameters
    ----------
    pixels : (n, channels, height, width) Tensor
        Images from 0 to 255, uint8 or floats.
    shape : (int, int)
        New height and width.
    interpolation : str
        `bicubic` or `bilinear`.

    Returns
    -------
    (n, channels, *shape) Tensor
    """
    import torch
    from torch.nn.functional import interpolate

    if pixels.shape[-2:] == shape:
        return pixels
    if pixels.is_floating_point():
        # Products of matrices give the same gradients in every run, also on a GPU.
        rows, columns = (
            _resizing(*sides, interpolation).to(pixels) for sides in zip(pixels.shape[-2:], shape, strict=True)
        )
        return (rows @ pixels @ columns.T).clamp(0, 255)
    # PyTorch has kernels for bytes on CPUs alone; without vector instructions the bilinear one is slow.
    vectors = torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512") or platform.machine() in (
        "aarch64",
        "arm64",
    )
    if pixels.device.type == "cpu" and (interpolation == "bicubic" or vectors):
        return interpolate(pixels, shape, mode=interpolation, antialias=True)
    images = interpolate(pixels.float(), shape, mode=interpolation, antialias=True)
    return images.clamp_(0, 255).round_().to(torch.uint8)


def _resizing(before: int, after: int, interpolation: str) -> "Tensor":
    """Return the matrix (after, before) that resizes a side of an image."""
    import torch
    from torch.nn.functional import interpolate

    identity = torch.eye(before, dtype=torch.float64)[None, None]
    return interpolate(identity, (after, before), mode=interpolation, antialias=True)[0, 0]


def examples(n: int, shape: tuple[int, int, int], seed: int) -> NDArray[np.uint8]:
    """Return images (n, 3, height, width) of noise with a natural spectrum; fewer are the first of more."""
    import torch

    # Backgrounds list images, too.
    from ventral.stimuli.backgrounds import noise

    rng = np.random.default_rng(seed)
    images = torch.from_numpy(np.stack([noise(ANY_SIZE, rng) for _ in range(n)]))
    return resized(images, shape[1:], "bilinear").numpy()


def hint(message: str) -> str:
    """Return advice for a network that fails on images, given its error message; empty if there is none."""
    other, product = OTHER_CHANNELS.search(message), PRODUCT.search(message)
    if not other and not (product and int(product[1]) == 3 * int(product[2])):
        return ""
    wanted = next(filter(None, other.groups())) if other else "1"
    channels = "one channel" if wanted == "1" else f"{wanted} channels"
    return (
        f"; the network is made for images of {channels}, and stimuli have three, red, green and blue: let its "
        f"forward() turn them into {channels}, such as by `x.mean(1, keepdim=True)`"
    )


def outlines(pixels: NDArray) -> NDArray[np.float32]:
    """Return the grey values (n, at most 256) of images (n, channels, rows, columns), averaged over 16 x 16 areas."""
    grey = pixels.mean(axis=1, dtype=np.float32)
    for axis in (1, 2):
        size = grey.shape[axis]
        starts = np.unique(np.linspace(0, size, OUTLINE, endpoint=False).astype(int))
        grey = np.add.reduceat(grey, starts, axis=axis)
        lengths = np.diff(np.append(starts, size)).astype(np.float32)
        grey /= lengths[:, None] if axis == 1 else lengths
    return grey.reshape(len(grey), -1)


def pixel_features(pixels: NDArray[np.uint8], spec: dict) -> NDArray[np.uint8]:
    """Return the pixels (n, 3, height, width), 0 to 255, resized if the model has a `size`."""
    if spec["size"] is None:
        return pixels
    import torch

    return resize(torch.from_numpy(pixels), spec).numpy()


# Previews.


def preview(axes: "Axes", pixels: NDArray[np.uint8], _kept: Mapping) -> None:
    """Draw the pixels (3, height, width) of an image, to fill the axes."""
    axes.imshow(pixels.transpose(1, 2, 0), interpolation="none", aspect="auto")
    axes.set_axis_off()
