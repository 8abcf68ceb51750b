"""The control HMAX: alternating layers that match templates and pool the matches over position and scale."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ventral.models.controls import Control, Joined, luminance_of
from ventral.models.gabor import cut_or_filled
from ventral.stimuli.photographs import crops

# Side of each band's smaller filters (the larger ones have two pixels more) and of its C1 windows, in pixels.
BANDS = ((7, 8), (11, 10), (15, 12), (19, 14), (23, 16), (27, 18), (31, 20), (35, 22))
# Filters with at least this side have positions two pixels apart.
COARSE_FROM = 11
ORIENTATIONS = 4
# Sides of prototypes in positions of C1, and number of prototypes of each side.
PROTOTYPE_SIDES, PROTOTYPES = (4, 8, 12, 16), 128
# Side and number of the parts of each photograph from which prototypes are taken.
CROP, CROPS = 128, 1
# Smallest norm of a patch's luminance, so that uniform patches have no response.
LEAST_NORM = 1e-3


class HMAX(Control):
    """Four layers of a feedforward model of the ventral stream.

    - S1: Gabor filters of four orientations and sixteen sizes, |filter · patch| / ‖patch‖, 0 to 1.
    - C1: the largest S1 response among two neighbouring sizes, in a window; windows overlap by half.
    - S2: `exp(-‖X - P‖² / d)` for each prototype P and each piece X of C1 with the size of P. Here d is the mean
      squared distance between two prototypes of that size.
    - C2: the largest S2 response of each prototype, over all places and sizes.

    The model is that of Riesenhuber and Poggio 1999 (Nature Neuroscience 2:1019). Parameters of S1 and C1 are those of
    Serre et al. 2007 (IEEE Transactions on Pattern Analysis and Machine Intelligence 29:411). Prototypes are pieces of
    C1's responses to photographs, at random places. Filters of at least 11 pixels have positions two pixels apart. The
    outermost pixels continue images beyond their edges.

    Parameters
    ----------
    seed : int
        Seed of the prototypes.

    Attributes
    ----------
    s1, c1, s2 : Joined
        All maps of the layer, with 360,448, 13,296 and 710,528 features for images of 128 pixels.
    c2 : Largest
        512 features, one for each prototype.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.bands = nn.ModuleList(Band(side, window) for side, window in BANDS)
        self.s1, self.c1, self.s2, self.c2 = Joined(), Joined(), Joined(), Largest()
        self.prototypes = nn.ModuleList(Prototypes(patches) for patches in _learned(self.bands, seed))
        self.float()

    def represent(self, luminance: Tensor) -> Tensor:
        """Return C2 (n, prototypes) of luminance (n, 1, height, width)."""
        simple = [band(luminance) for band in self.bands]
        self.s1(simple)
        complexes = [band.pooled(responses) for band, responses in zip(self.bands, simple, strict=True)]
        self.c1(complexes)
        similarities = [
            [prototypes(maps) for maps in complexes if min(maps.shape[-2:]) >= prototypes.side]
            for prototypes in self.prototypes
        ]
        if not all(similarities):
            raise ValueError(f"no band of C1 has the {max(PROTOTYPE_SIDES)} positions that the largest prototypes need")
        self.s2([maps for of_side in similarities for maps in of_side])
        return self.c2(similarities)


class Band(nn.Module):
    """S1 filters of two sizes, and the windows of C1 that pool over them.

    Parameters
    ----------
    side : int
        Side of the smaller filters, in pixels.
    window : int
        Side of a window, in pixels.
    """

    def __init__(self, side: int, window: int) -> None:
        super().__init__()
        self.sides = (side, side + 2)
        self.step = 1 if side < COARSE_FROM else 2
        self.window = window // self.step
        filters = np.concatenate([centred_filters(size, side // 2 + 1) for size in self.sides])
        self.weight = nn.Parameter(torch.from_numpy(filters[:, None]), requires_grad=False)

    def forward(self, luminance: Tensor) -> Tensor:
        """Return S1 (n, 2 * orientations, rows, columns), the smaller filters first."""
        reach = self.sides[1] // 2
        continued = functional.pad(luminance, (reach,) * 4, mode="replicate")
        responses = functional.conv2d(continued, self.weight.to(luminance.dtype), stride=self.step).abs()
        squares = continued.square()
        norms = torch.cat([_norms(squares[:, :, 1:-1, 1:-1], self.sides[0], self.step)] * ORIENTATIONS, dim=1)
        norms = torch.cat([norms, *[_norms(squares, self.sides[1], self.step)] * ORIENTATIONS], dim=1)
        return responses / norms

    def pooled(self, responses: Tensor) -> Tensor:
        """Return C1 (n, orientations, rows, columns) of this band's S1."""
        larger = torch.maximum(*responses.chunk(2, dim=1))
        rows = functional.max_pool2d(larger, (self.window, 1), (self.window // 2, 1))
        return functional.max_pool2d(rows, (1, self.window), (1, self.window // 2))


class Prototypes(nn.Module):
    """S2: the similarity of each place of C1 to each prototype.

    Parameters
    ----------
    patches : (prototypes, orientations, side, side) array
        Pieces of C1.
    """

    def __init__(self, patches: NDArray) -> None:
        super().__init__()
        self.side = patches.shape[-1]
        # The mean squared distance between two prototypes is twice their variance.
        self.width = 2 * np.square(patches - patches.mean(axis=0)).sum() / (len(patches) - 1)
        self.weight = nn.Parameter(torch.from_numpy(patches).float(), requires_grad=False)

    def forward(self, maps: Tensor) -> Tensor:
        """Return the similarities (n, prototypes, rows, columns) of C1 (n, orientations, rows, columns), 0 to 1."""
        squares = maps.square().sum(dim=1, keepdim=True)
        one = torch.ones(1, 1, self.side, self.side, dtype=maps.dtype, device=maps.device)
        lengths = functional.conv2d(squares, one) + self.weight.square().sum(dim=(1, 2, 3))[:, None, None]
        distances = (lengths - 2 * functional.conv2d(maps, self.weight)).clamp_min(0)
        return torch.exp(distances / -self.width)


class Largest(nn.Module):
    """C2: the largest similarity of each prototype."""

    def forward(self, similarities: Sequence[Sequence[Tensor]]) -> Tensor:
        """Return (n, prototypes), from maps (n, prototypes, rows, columns) for each side of prototypes and band."""
        return torch.cat(
            [torch.stack([maps.amax(dim=(2, 3)) for maps in of_side]).amax(dim=0) for of_side in similarities], dim=1
        )


def centred_filters(side: int, reach: int) -> NDArray:
    """Return the S1 filters (orientations, 2 * reach + 1, 2 * reach + 1) of one size, with sum 0 and norm 1.

    Filters are 0 outside a circle of diameter `side`. Their parameters follow the table of Serre et al. 2007. The
    standard deviation is `0.0036 side² + 0.35 side + 0.18`, and the wavelength is that divided by 0.8. The Gaussian is
    1 / 0.3 times as long as wide.
    """
    from skimage.filters import gabor_kernel

    deviation = 0.0036 * side**2 + 0.35 * side + 0.18
    y, x = np.mgrid[-(side // 2) : side // 2 + 1, -(side // 2) : side // 2 + 1]
    inside = x**2 + y**2 <= (side / 2) ** 2
    filters = []
    for k in range(ORIENTATIONS):
        theta = k * np.pi / ORIENTATIONS
        kernel = gabor_kernel(0.8 / deviation, theta, sigma_x=deviation, sigma_y=deviation / 0.3).real
        kernel = np.where(inside, cut_or_filled(kernel, side // 2), 0)
        kernel[inside] -= kernel[inside].mean()
        filters.append(cut_or_filled(kernel / np.linalg.norm(kernel), reach))
    return np.stack(filters)


def _norms(squares: Tensor, side: int, step: int) -> Tensor:
    """Return the norms (n, 1, rows, columns) of patches a step apart, from squares (n, 1, height, width)."""
    rows, columns = (_sums(extent, side, step).to(squares) for extent in squares.shape[-2:])
    return (rows @ squares @ columns.T).sqrt().clamp_min(LEAST_NORM)


def _sums(extent: int, side: int, step: int) -> Tensor:
    """Return the matrix (places, extent) that sums `side` neighbours at places a step apart."""
    first, each = torch.arange(0, extent - side + 1, step)[:, None], torch.arange(extent)
    return (each >= first) & (each < first + side)


def _learned(bands: Sequence[Band], seed: int) -> list[NDArray]:
    """Return prototypes (PROTOTYPES, orientations, side, side) of each side, from photographs."""
    rng = np.random.default_rng(seed)
    # Double precision and rounding make prototypes equal to the last bit on every machine.
    luminance = luminance_of(torch.from_numpy(crops(CROP, CROPS, seed)).double() / 255)
    with torch.no_grad():
        complexes = [band.pooled(band(luminance)).numpy() for band in bands]
    learned = []
    for side in PROTOTYPE_SIDES:
        fitting = [maps for maps in complexes if min(maps.shape[-2:]) >= side]
        patches = []
        for _ in range(PROTOTYPES):
            maps = fitting[rng.integers(len(fitting))]
            crop, top, left = rng.integers((len(maps), maps.shape[2] - side + 1, maps.shape[3] - side + 1))
            patches.append(maps[crop, :, top : top + side, left : left + side])
        learned.append(np.round(patches, 5))
    return learned
