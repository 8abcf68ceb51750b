"""Image files, read into pixels or refused.

How images are read, so that every model sees what was shown:

- Grey images and images with a palette become RGB, as does an alpha channel that is opaque throughout.
- Refused, because what the animal saw is not in the file: transparent pixels, an EXIF orientation other than upright
  (some presentation software turns such images, some does not), and several frames in one file.
- Refused, because turning them into 8-bit RGB is a choice for the user: 16-bit, float, CMYK and other colour spaces.
- Images of different sizes are refused, unless the user says which size all are resized to: bicubic, without cropping,
  as networks' preprocessing does.
- Embedded colour profiles are ignored: the numbers in the file are the pixels.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ventral.errors import InputError

if TYPE_CHECKING:
    from PIL.Image import Image

EXIF_ORIENTATION = 0x0112


def most_common_size(sizes: Iterator[tuple[int, int] | None]) -> tuple[int, int]:
    """Return the width and height that most images have."""
    counts = Counter(size for size in sizes if size is not None)
    # Where no image can be read, any size will do: each of them is reported when it is decoded.
    return counts.most_common(1)[0][0] if counts else (1, 1)


def size_of(opened: Callable[[str], BinaryIO], file: str) -> tuple[int, int] | None:
    """Return width and height as the file's header says, None where it cannot be read."""
    import PIL.Image

    try:
        with opened(file) as stream, PIL.Image.open(stream) as image:
            return image.size
    except MemoryError:
        raise
    except Exception:
        return None


def decode(
    opened: Callable[[str], BinaryIO], file: str, size: tuple[int, int], resizing: bool = False
) -> tuple[NDArray[np.uint8], bytes] | InputError:
    """Return the pixels (3, H, W) of an image and their digest, or what is wrong with it."""
    import PIL.Image

    try:
        with opened(file) as stream, PIL.Image.open(stream) as image:
            rgb = _rgb(image, None if resizing else size)
            if rgb.size != size:
                rgb = rgb.resize(size, PIL.Image.Resampling.BICUBIC)
    except InputError as error:
        return error
    except PIL.UnidentifiedImageError:
        return InputError("not an image, or its beginning is damaged")
    except MemoryError:
        raise
    except Exception as error:  # Pillow's decoders, and zipfile, raise more kinds than they document
        return InputError(f"cannot be decoded: {error}")
    pixels = np.ascontiguousarray(np.asarray(rgb).transpose(2, 0, 1))
    return pixels, hashlib.sha256(pixels).digest()


def _rgb(image: "Image", size: tuple[int, int] | None) -> "Image":
    if size is not None and image.size != size:
        raise InputError(
            f"{image.size[0]} x {image.size[1]} pixels (width x height), where most have {size[0]} x {size[1]} "
            f"(`size: N`, beside `images`, resizes all to N x N)"
        )
    # Pillow cuts 16-bit RGB down to 8 bits by itself; only the decoder's arguments still tell.
    # (BGR;16 is a bitmap with 16 bits for all three.)
    depth = re.search(r"(?<!BGR);(16|32)", str(image.tile))
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
