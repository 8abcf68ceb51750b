"""Random variation of stimuli in training: images are mirrored and shifted."""

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch
    from torch import Tensor

# Largest shift of an image in training, as a share of its side.
SHIFT = 1 / 8


def drawn_moves(generator: np.random.Generator, n: int, shape: tuple[int, ...]) -> tuple[NDArray, NDArray]:
    """Draw shifts (n, 2), down and to the right in pixels, and flips (n,) of images (3, height, width)."""
    furthest = int(SHIFT * min(shape[-2:]))
    shifts = generator.integers(-furthest, furthest, (n, 2), endpoint=True)
    return shifts, generator.random(n) < 0.5


def moved_images(pixels: "Tensor", moves: "Sequence[Tensor]", spec: dict) -> "Tensor":
    """Return images (n, 3, height, width), each mirrored and shifted; the model's `mean` fills uncovered pixels."""
    return moved(pixels, *moves, _colour(tuple(spec["mean"]), pixels.device))


@cache
def _colour(mean: tuple[float, ...], device: "torch.device") -> "Tensor":
    """Return a colour (3, 1, 1) on a device; colours are cached, because every copy waits for the device."""
    import torch

    return torch.tensor([round(255 * value) for value in mean], dtype=torch.uint8, device=device)[:, None, None]


def moved(pixels: "Tensor", shifts: "Tensor", flips: "Tensor", grey: "Tensor") -> "Tensor":
    """Mirror and shift images (n, 3, height, width), each by its own flip and shift.

    Parameters
    ----------
    pixels : (n, 3, height, width) uint8 tensor
        Images.
    shifts : (n, 2) int64 tensor
        Shifts down and to the right in pixels, smaller than the image.
    flips : (n,) bool tensor
        True for images to mirror left to right.
    grey : (3, 1, 1) uint8 tensor
        Colour that fills the uncovered pixels.
    """
    import torch

    if pixels.device.type == "cpu":
        return torch.from_numpy(_copied(*(values.numpy() for values in (pixels, shifts, flips, grey))))
    return _indexed(pixels, shifts, flips, grey)


def _copied(pixels: NDArray, shifts: NDArray, flips: NDArray, grey: NDArray) -> NDArray[np.uint8]:
    """Move images one by one, which is much faster on one core than indexing."""
    filled = np.empty_like(pixels)
    filled[:] = grey
    height, width = pixels.shape[2:]
    for after, before, (down, right), flip in zip(filled, pixels, shifts.tolist(), flips.tolist(), strict=True):
        source = before[:, :, ::-1] if flip else before
        after[:, max(down, 0) : height + min(down, 0), max(right, 0) : width + min(right, 0)] = source[
            :, max(-down, 0) : height - max(down, 0), max(-right, 0) : width - max(right, 0)
        ]
    return filled


def _indexed(pixels: "Tensor", shifts: "Tensor", flips: "Tensor", grey: "Tensor") -> "Tensor":
    """Move all images at once, by indexing the source of every pixel."""
    import torch

    height, width = pixels.shape[2:]
    number, channel, row, column = (torch.arange(n, device=pixels.device) for n in pixels.shape)
    row, column = row - shifts[:, :1], column - shifts[:, 1:]
    there = ((row >= 0) & (row < height))[:, None, :, None] & ((column >= 0) & (column < width))[:, None, None, :]
    column = torch.where(flips[:, None], width - 1 - column, column)
    row, column = row.clamp(0, height - 1)[:, None, :, None], column.clamp(0, width - 1)[:, None, None, :]
    found = pixels[number[:, None, None, None], channel[:, None, None], row, column]
    return torch.where(there, found, grey)
