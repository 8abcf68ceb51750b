"""Random variation of stimuli in training: images are mirrored and shifted, and sounds shifted and made louder."""

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ventral.stimuli import sounds
from ventral.stimuli.cochleagram import POWER

if TYPE_CHECKING:
    import torch
    from torch import Tensor

# Largest shift of an image in training, as a share of its side.
SHIFT = 1 / 8
# Largest shift of a sound in training, as a share of its length, and largest change of its level, in dB.
DELAY, GAIN = 1 / 8, 6.0


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


def kept_sounds(waveforms: "Tensor", spec: dict) -> "Tensor":
    """Return the inputs of a network for waveforms (n, samples); cochleagrams as float16, because they are large."""
    inputs = sounds.prepare(waveforms, spec)
    return inputs.half() if spec["input"] == "cochleagram" else inputs


def drawn_delays(generator: np.random.Generator, n: int, shape: tuple[int, ...]) -> tuple[NDArray, NDArray]:
    """Draw delays (n,), in samples or frames, and gains (n,), in dB, of inputs (..., time)."""
    furthest = int(DELAY * shape[-1])
    delays = generator.integers(-furthest, furthest, n, endpoint=True)
    return delays, generator.uniform(-GAIN, GAIN, n).astype(np.float32)


def delayed_sounds(inputs: "Tensor", numbers: "Sequence[Tensor]", spec: dict) -> "Tensor":
    """Return inputs (n, ..., time), each delayed and scaled by its own numbers; zeros fill uncovered times.

    A cochleagram is scaled as that of a scaled waveform is.
    """
    import torch

    delays, gains = (values.view(-1, *[1] * (inputs.ndim - 1)) for values in numbers)
    time = torch.arange(inputs.shape[-1], device=inputs.device) - delays
    there = (time >= 0) & (time < inputs.shape[-1])
    shifted = inputs.float().gather(-1, time.clamp(0, inputs.shape[-1] - 1).expand(inputs.shape))
    power = POWER if spec["input"] == "cochleagram" else 1
    return shifted * (there * 10 ** (power * gains / 20))
