"""Control stimuli beside synthesised ones: masked images, Gabor functions, and the images of linear models."""

import math
from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ventral.in_silico.ascent import Look, as_bytes, matched

# The grid of Gabors, in shares of the shorter side: wavelengths, standard deviations, and places from the centre.
WAVELENGTHS = (1 / 12, 1 / 6, 1 / 3)
DEVIATIONS = (1 / 12, 1 / 5)
PLACES = (-0.25, 0.0, 0.25)
ORIENTATIONS, PHASES = 6, 4
# The root of a Gaussian to this power is the mask of Walker et al. 2019.
POWER = 1.875
GABORS_AT_ONCE = 64
# The first step of the ascent on a Gabor, as a share of a length or in radians; it falls linearly to 0.
LARGEST_STEP = 0.05


def masked(images: NDArray[np.uint8], seen: NDArray[np.uint8], look: Look) -> NDArray[np.uint8]:
    """Return images behind the mask of a synthesised image, with the mean and contrast of `look`.

    The mask is the root, to the power 1.875, of a Gaussian (Walker et al. 2019, Nature Neuroscience 22:2060). The
    Gaussian has the moments of the squared deviation of the synthesised image from its mean.

    Parameters
    ----------
    images : (n, 3, height, width) array
    seen : (3, height, width) array
        Synthesised image.
    look : Look
    """
    values = torch.from_numpy(images / 255)
    centred = values - values.mean(dim=(1, 2, 3), keepdim=True)
    return as_bytes(matched(centred * torch.from_numpy(mask_of(seen)), look.mean, look.contrast))


def mask_of(image: NDArray) -> NDArray[np.float64]:
    """Return the mask (height, width), from 0 to 1, of an image (3, height, width)."""
    values = image.astype(float)
    weights = np.square(values - values.mean()).sum(axis=0)
    weights /= max(weights.sum(), np.finfo(float).tiny)
    places = np.stack(np.indices(weights.shape), axis=-1).astype(float)
    apart = places - np.einsum("yx,yxi->i", weights, places)
    # A single bright pixel has no extent.
    covariance = np.einsum("yx,yxi,yxj->ij", weights, apart, apart) + 0.25 * np.eye(2)
    distance = np.einsum("yxi,ij,yxj->yx", apart, np.linalg.inv(covariance), apart)
    return np.exp(-0.5 * distance) ** (POWER / 2)


def gabor_grid(look: Look) -> NDArray[np.float64]:
    """Return the grid of Gabors (n, 7): place down and to the right, orientation, wavelength, phase, two deviations.

    Lengths are shares of the shorter side, and angles are in radians.
    """
    orientations = np.arange(ORIENTATIONS) * math.pi / ORIENTATIONS
    phases = np.arange(PHASES) * 2 * math.pi / PHASES
    axes = np.meshgrid(PLACES, PLACES, orientations, WAVELENGTHS, phases, DEVIATIONS, indexing="ij")
    y, x, orientation, wavelength, phase, deviation = (axis.ravel() for axis in axes)
    grid = np.stack([y, x, orientation, wavelength, phase, deviation, deviation], axis=1)
    # A wave of fewer than two pixels cannot be drawn.
    return grid[grid[:, 3] * min(look.shape[1:]) >= 2]


def gabor_images(numbers: Tensor, look: Look) -> Tensor:
    """Return images (n, 3, height, width) of Gabors (n, 7), with the mean and contrast of `look`."""
    height, width = look.shape[1:]
    shorter = min(height, width)
    y, x = ((torch.arange(side).to(numbers) - (side - 1) / 2) / shorter for side in (height, width))
    down, right, orientation, wavelength, phase, along, across = numbers[:, :, None, None].unbind(1)
    y, x = y[:, None] - down, x - right
    u = torch.cos(orientation) * x + torch.sin(orientation) * y
    v = torch.cos(orientation) * y - torch.sin(orientation) * x
    waves = torch.exp(-0.5 * ((u / along) ** 2 + (v / across) ** 2)) * torch.cos(2 * math.pi * u / wavelength + phase)
    return matched(waves[:, None].expand(-1, 3, -1, -1), look.mean, look.contrast)


def grid_images(look: Look) -> Iterator[NDArray[np.uint8]]:
    """Yield the images of `gabor_grid` as bytes, in blocks."""
    for block in torch.from_numpy(gabor_grid(look)).split(GABORS_AT_ONCE):
        yield as_bytes(gabor_images(block, look))


def best_gabor(
    score: Callable[[Tensor], Tensor], begun: NDArray, look: Look, steps: int, device: str
) -> NDArray[np.uint8]:
    """Return the image (3, height, width) of a Gabor (7,) of the grid, optimised by gradient ascent.

    Parameters
    ----------
    score : function of a tensor
        Returns the score (n,) of images (n, 3, height, width) with values from 0 to 1.
    begun : (7,) array
        The best Gabor of the grid.
    look : Look
    steps : int
        Number of steps of Adam.
    device : str
    """
    start = torch.tensor(begun, dtype=torch.float32, device=device)[None]
    # Lengths and angles change as shares of their scale; lengths stay positive.
    change = torch.zeros_like(start, requires_grad=True)
    optimiser = torch.optim.Adam([change], lr=LARGEST_STEP)
    best, found = -math.inf, start
    for step in range(steps + 1):
        optimiser.param_groups[0]["lr"] = LARGEST_STEP * (1 - step / (steps + 1))
        optimiser.zero_grad()
        numbers = _changed(start, change)
        value = score(gabor_images(numbers, look)).sum()
        if value.item() > best:
            best, found = value.item(), numbers.detach()
        (-value).backward()
        optimiser.step()
    with torch.no_grad():
        return as_bytes(gabor_images(found, look))[0]


def _changed(start: Tensor, change: Tensor) -> Tensor:
    """Return Gabors with places and angles shifted, and lengths multiplied."""
    shifted, multiplied = start + change, start * torch.exp(change)
    return torch.cat([shifted[:, :3], multiplied[:, 3:4], shifted[:, 4:5], multiplied[:, 5:]], dim=1)


def linear_image(score: Callable[[Tensor], Tensor], look: Look, device: str) -> NDArray[np.uint8]:
    """Return the image (3, height, width) along a linear model's gradient, with the mean and contrast of `look`."""
    flat = torch.full((1, *look.shape), look.mean, device=device, requires_grad=True)
    (gradient,) = torch.autograd.grad(score(flat).sum(), flat)
    if look.grey:
        gradient = gradient.mean(dim=1, keepdim=True).expand(-1, 3, -1, -1)
    return as_bytes(matched(gradient, look.mean, look.contrast))[0]
