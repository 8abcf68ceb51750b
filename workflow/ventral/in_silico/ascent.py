"""Images that raise a score, by gradient ascent on their pixels or their Fourier spectrum.

Mean and contrast of an image are fixed at every step. Random transformations keep the ascent from patterns of single
pixels (Olah, Mordvintsev and Schubert 2017, Distill, doi:10.23915/distill.00007).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

PIXELS, FOURIER = "pixels", "fourier"
# Clipping at the ends of the range lowers the contrast, which each round brings nearer to the wanted one.
ROUNDS = 5
TINY = 1e-12


@dataclass(frozen=True)
class Look:
    """The properties that all images of an experiment share.

    Attributes
    ----------
    shape : tuple of int
        (3, height, width).
    mean, contrast : float
        Mean and standard deviation over pixels and channels, with values from 0 to 1.
    grey : bool
        True if the three channels are equal.
    """

    shape: tuple[int, ...]
    mean: float
    contrast: float
    grey: bool = False


@dataclass(frozen=True)
class Search:
    """Options of the search for an image.

    Attributes
    ----------
    steps : int
        Number of steps.
    parametrisation : str
        `fourier`, the spectrum with amplitudes that fall with frequency, or `pixels`.
    learning_rate : float
        Size of the first step of Adam (Kingma and Ba 2015, arXiv:1412.6980); it falls linearly to 0. Parameters begin
        with a mean square of 1.
    jitter : float
        Largest shift in pixels.
    scale : float
        Largest relative change of size.
    rotation : float
        Largest rotation in degrees.
    blur : float
        Standard deviation in pixels of a Gaussian blur at the first step; it falls linearly to 0.
    total_variation : float
        Weight of the mean squared difference of neighbouring pixels, in units of the squared contrast.
    """

    steps: int
    parametrisation: str = FOURIER
    learning_rate: float = 0.2
    jitter: float = 2
    scale: float = 0.05
    rotation: float = 5
    blur: float = 0
    total_variation: float = 0


def ascend(
    score: Callable[[Tensor], Tensor],
    look: Look,
    search: Search,
    starts: Sequence[NDArray | None],
    *,
    seed: int,
    device: str,
) -> NDArray[np.uint8]:
    """Return images (n, 3, height, width) with a high score.

    Parameters
    ----------
    score : function of a tensor
        Returns the score (n,) of images (n, 3, height, width) with values from 0 to 1.
    look : Look
    search : Search
    starts : sequence of (3, height, width) arrays or None
        Start of each image: an image with values from 0 to 1, or None for noise.
    seed : int
        Seed of the noise and of the transformations, which differ between images by their position.
    device : str
        Device of the images, such as 'cpu' or 'cuda'.
    """
    draws = [np.random.default_rng([seed, k]) for k in range(len(starts))]
    place = {"device": device, "dtype": torch.float32}
    begun = torch.stack([_start(start, look, rng) for start, rng in zip(starts, draws, strict=True)])
    painted, parameters = _parametrised(begun.to(**place), look, search.parametrisation)
    moves = torch.tensor(np.stack([rng.uniform(-1, 1, (search.steps, 4)) for rng in draws], axis=1), **place)
    optimiser = torch.optim.Adam([parameters], lr=search.learning_rate)
    for step in range(search.steps):
        left = 1 - step / search.steps
        optimiser.param_groups[0]["lr"] = search.learning_rate * left
        optimiser.zero_grad()
        images = painted(parameters)
        shown = matched(blurred(images, search.blur * left), look.mean, look.contrast)
        loss = -score(moved(shown, moves[step], search))
        if search.total_variation:
            loss = loss + search.total_variation * total_variation(shown) / look.contrast**2
        loss.sum().backward()
        optimiser.step()
    with torch.no_grad():
        return as_bytes(matched(painted(parameters), look.mean, look.contrast))


def _start(start: NDArray | None, look: Look, rng: np.random.Generator) -> Tensor:
    """Return a start (channels, height, width) with a mean of 0 and a standard deviation of 1."""
    channels = 1 if look.grey else 3
    values = rng.normal(size=(channels, *look.shape[1:])) if start is None else start[:channels]
    return torch.from_numpy((values - values.mean()) / max(values.std(), TINY))


def _parametrised(begun: Tensor, look: Look, parametrisation: str) -> tuple[Callable[[Tensor], Tensor], Tensor]:
    """Return a function from parameters to images (n, 3, height, width), and the parameters of given images."""
    if parametrisation == PIXELS:
        return lambda values: values.expand(-1, 3, -1, -1), begun.clone().requires_grad_(True)
    amplitudes = _amplitudes(look.shape[1:]).to(begun)
    spectrum = torch.view_as_real(torch.fft.rfft2(begun, norm="ortho") / amplitudes)
    # A natural spectrum and noise both begin with a mean square of 1, so that steps are as large for both.
    spectrum = spectrum / spectrum.square().mean(dim=(1, 2, 3, 4), keepdim=True).sqrt()

    def painted(values: Tensor) -> Tensor:
        complex_values = torch.view_as_complex(values) * amplitudes
        return torch.fft.irfft2(complex_values, s=look.shape[1:], norm="ortho").expand(-1, 3, -1, -1)

    return painted, spectrum.requires_grad_(True)


def _amplitudes(sides: Sequence[int]) -> Tensor:
    """Return amplitudes that fall with frequency (rows, columns // 2 + 1); the mean is left to `matched`."""
    rows, columns = torch.fft.fftfreq(sides[0])[:, None], torch.fft.rfftfreq(sides[1])
    return 1 / torch.hypot(rows, columns).clamp_min(1 / max(sides))


def matched(images: Tensor, mean: float, contrast: float) -> Tensor:
    """Return images (n, channels, height, width) with a given mean and standard deviation, from 0 to 1.

    The standard deviation is lower where the range does not allow it, such as for a small spot.
    """
    for _ in range(ROUNDS):
        centred = images - images.mean(dim=(1, 2, 3), keepdim=True)
        deviation = centred.square().mean(dim=(1, 2, 3), keepdim=True).clamp_min(TINY**2).sqrt()
        images = (mean + contrast * centred / deviation).clamp(0, 1)
    return images


def as_bytes(images: Tensor) -> NDArray[np.uint8]:
    """Return images with values from 0 to 1 as bytes."""
    return (images * 255).round().to(torch.uint8).cpu().numpy()


def blurred(images: Tensor, deviation: float) -> Tensor:
    """Return images blurred by a Gaussian of a standard deviation in pixels; edges are renormalised."""
    if not deviation:
        return images
    rows, columns = (_blurring(side, deviation).to(images) for side in images.shape[-2:])
    return rows @ images @ columns.T


def _blurring(side: int, deviation: float) -> Tensor:
    places = torch.arange(side, dtype=torch.float64)
    weights = torch.exp(-0.5 * ((places[:, None] - places) / deviation) ** 2)
    return weights / weights.sum(dim=1, keepdim=True)


def total_variation(images: Tensor) -> Tensor:
    """Return the mean squared difference (n,) of pixels that are neighbours in a column or a row."""
    down, right = images.diff(dim=2), images.diff(dim=3)
    return down.square().mean(dim=(1, 2, 3)) + right.square().mean(dim=(1, 2, 3))


def moved(images: Tensor, numbers: Tensor, search: Search) -> Tensor:
    """Return images shifted, scaled and rotated about their centre, with bilinear interpolation.

    Pixels from outside an image are those at its nearest edge.

    Parameters
    ----------
    images : (n, channels, height, width) tensor
    numbers : (n, 4) tensor
        From -1 to 1: shift down and to the right, size, and angle, as shares of the largest ones in `search`.
    search : Search
    """
    if not (search.jitter or search.scale or search.rotation):
        return images
    height, width = images.shape[-2:]
    down, right = (numbers[:, :2] * search.jitter).T[:, :, None, None]
    size = (1 + numbers[:, 2] * search.scale)[:, None, None]
    angle = (numbers[:, 3] * math.radians(search.rotation))[:, None, None]
    y, x = (torch.arange(side).to(images) - (side - 1) / 2 for side in (height, width))
    y, x = torch.meshgrid(y, x, indexing="ij")
    from_y = (torch.cos(angle) * y - torch.sin(angle) * x) / size + (height - 1) / 2 - down
    from_x = (torch.sin(angle) * y + torch.cos(angle) * x) / size + (width - 1) / 2 - right
    return _sampled(images, from_y.clamp(0, height - 1), from_x.clamp(0, width - 1))


def _sampled(images: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """Return images at places (n, height, width); gradients of indexing are the same in every run, on a GPU, too."""
    last = images.permute(0, 2, 3, 1)
    image = torch.arange(len(images), device=images.device)[:, None, None]
    top, left = y.floor().long(), x.floor().long()
    bottom = (top + 1).clamp_max(images.shape[2] - 1)
    right = (left + 1).clamp_max(images.shape[3] - 1)
    below, beside = (y - top)[..., None], (x - left)[..., None]
    upper = last[image, top, left] * (1 - beside) + last[image, top, right] * beside
    lower = last[image, bottom, left] * (1 - beside) + last[image, bottom, right] * beside
    return (upper * (1 - below) + lower * below).permute(0, 3, 1, 2)
