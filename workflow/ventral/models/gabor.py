"""Controls made of Gabor filters: responses like those of V1, and statistics of their combinations, as in V2."""

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ventral.models.controls import Control, Joined

# Wavelengths in pixels; for stimuli of 128 pixels these are 32 to 4 cycles per image.
WAVELENGTHS = (4, 8, 16, 32)
ORIENTATIONS = 8
# Full width at half height, in octaves: the median of macaque V1 (De Valois et al. 1982, Vision Research 22:545).
BANDWIDTH = 1.4
# Contrast at half saturation, in units of a filter's own grating.
SEMI_SATURATION = 0.1
# Side and distance of the windows for averages of combinations, in positions half a wavelength apart.
WINDOW, WINDOW_STEP = 8, 4
# Displacements (down, right) of neighbours, in positions.
NEIGHBOURS = ((0, 2), (2, 0), (2, 2), (2, -2))
# Added to variances, so that windows without variation have correlation 0.
LEAST_VARIANCE = 0.01


class V1Like(Control):
    """Simple and complex cells: Gabor filters, divisively normalised.

    Filters have eight orientations and four wavelengths an octave apart, with pairs in quadrature (e, o), at positions
    half a wavelength apart. The energy E = e² + o² is averaged over orientations and a Gaussian neighbourhood with a
    standard deviation of one wavelength, which gives P. With the semi-saturation s,

        simple:  ⌊±e⌋ / √(s² + P),  ⌊±o⌋ / √(s² + P)        complex:  √E / √(s² + P)

    The energy is that of Adelson and Bergen 1985 (Journal of the Optical Society of America A 2:284). The normalisation
    is that of Heeger 1992 (Visual Neuroscience 9:181). Pinto, Cox and DiCarlo 2008 (PLoS Computational Biology 4:e27)
    used the model as a control. The outermost pixels continue images beyond their edges.

    Attributes
    ----------
    simple : Joined
        Four phases of each filter, with 174,080 features for images of 128 pixels.
    complex : Joined
        43,520 features.
    """

    def __init__(self) -> None:
        super().__init__()
        self.filters = nn.ModuleList(Quadrature(wavelength) for wavelength in WAVELENGTHS)
        self.simple, self.complex = Joined(), Joined()

    def represent(self, luminance: Tensor) -> Tensor:
        """Return the complex cells' responses (n, features) to luminance (n, 1, height, width)."""
        pairs, complexes = self.responses(luminance)
        self.simple([functional.relu(torch.cat([pair, -pair], dim=1)) for pair in pairs])
        return self.complex(complexes)

    def responses(self, luminance: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Return the normalised responses of each wavelength's filters and complex cells.

        Returns
        -------
        pairs : list of (n, 2 * orientations, rows, columns) tensors
            Responses of the filters, all even ones before all odd ones.
        complexes : list of (n, orientations, rows, columns) tensors
        """
        pairs, complexes = [], []
        for quadrature in self.filters:
            pair = quadrature(luminance)
            energy = pair.square().unflatten(1, (2, -1)).sum(dim=1)
            deviation = torch.sqrt(SEMI_SATURATION**2 + _neighbourhood(energy.mean(dim=1, keepdim=True)))
            pairs.append(pair / deviation)
            complexes.append(energy.sqrt() / deviation)
        return pairs, complexes


class V2Like(Control):
    """Combinations of neighbouring V1-like complex cells, within windows four wavelengths wide.

    Let a and b be the responses of two complex cells, and ⟨⟩ the mean over a window. The cells have different
    orientations at the same place, the same orientation at neighbouring places, or wavelengths an octave apart.

        product:  √⟨ab⟩        correlation:  (⟨ab⟩ - ⟨a⟩⟨b⟩) / √((⟨a²⟩ - ⟨a⟩² + v)(⟨b²⟩ - ⟨b⟩² + v))

    Such statistics describe textures (Portilla and Simoncelli 2000, International Journal of Computer Vision 40:49). V2
    is sensitive to them, and V1 is not (Freeman et al. 2013, Nature Neuroscience 16:974).

    Attributes
    ----------
    products, correlations : Joined
        25,776 features each, of images of 128 pixels.
    """

    def __init__(self) -> None:
        super().__init__()
        self.v1 = V1Like()
        self.products, self.correlations = Joined(), Joined()

    def represent(self, luminance: Tensor) -> Tensor:
        """Return the correlations (n, features) of luminance (n, 1, height, width)."""
        products, correlations = [], []
        for first, second in combinations(self.v1.responses(luminance)[1]):
            product, correlation = _statistics(first, second)
            products.append(product)
            correlations.append(correlation)
        self.products(products)
        return self.correlations(correlations)


class Quadrature(nn.Module):
    """Even and odd Gabor filters of one wavelength, at positions half a wavelength apart from a quarter wavelength on.

    Parameters
    ----------
    wavelength : int
        Wavelength in pixels, a multiple of 4.
    """

    def __init__(self, wavelength: int) -> None:
        super().__init__()
        self.step = wavelength // 2
        filters = np.concatenate(gabor_filters(wavelength, ORIENTATIONS))
        self.weight = nn.Parameter(torch.from_numpy(filters[:, None]).float(), requires_grad=False)

    def forward(self, luminance: Tensor) -> Tensor:
        """Return the responses (n, 2 * orientations, rows, columns), even before odd."""
        after = self.weight.shape[-1] // 2
        before = after - self.step // 2
        continued = functional.pad(luminance, (before, after, before, after), mode="replicate")
        return functional.conv2d(continued, self.weight, stride=self.step)


def gabor_filters(wavelength: float, orientations: int) -> tuple[NDArray, NDArray]:
    """Return even and odd Gabor filters of evenly spaced orientations.

    A filter sums to 0, and its response to its own grating of contrast 1 (luminance 0 to 1) has the amplitude 1.

    Parameters
    ----------
    wavelength : float
        Wavelength in pixels.
    orientations : int
        Number of orientations; the first varies along the columns of the image.

    Returns
    -------
    even, odd : (orientations, side, side) float64 arrays
    """
    from skimage.filters import gabor_kernel

    angles = np.arange(orientations) * math.pi / orientations
    kernels = [gabor_kernel(1 / wavelength, theta, bandwidth=BANDWIDTH) for theta in angles]
    reach = max(max(kernel.shape) for kernel in kernels) // 2
    filters = []
    for kernel, theta in zip(kernels, angles, strict=True):
        envelope = np.abs(kernel)
        balanced = kernel - envelope * (kernel.sum() / envelope.sum())
        filters.append(cut_or_filled(balanced / _amplitude(balanced, wavelength, theta), reach))
    return np.real(filters), np.imag(filters)


def cut_or_filled(kernel: NDArray, reach: int) -> NDArray:
    """Return a kernel with odd sides, cut or padded with zeros to the side 2 * reach + 1 about the same centre."""
    sides = [side // 2 for side in kernel.shape]
    filled = np.pad(kernel, [(max(0, reach - side),) * 2 for side in sides])
    rows, columns = (slice(side // 2 - reach, side // 2 + reach + 1) for side in filled.shape)
    return filled[rows, columns]


def combinations(complexes: Sequence[Tensor]) -> list[tuple[Tensor, Tensor]]:
    """Return pairs of maps with equal shapes, which are combined position by position.

    Parameters
    ----------
    complexes : sequence of (n, orientations, rows, columns) tensors
        Responses of each wavelength, an octave apart.

    Returns
    -------
    list of pairs of (n, combinations, rows, columns) tensors
        For each wavelength, all pairs of orientations, and each orientation with itself at each of `NEIGHBOURS`. Then,
        for each two successive wavelengths, all orientations of one with all orientations of the other.
    """
    pairs = []
    reach = max(max(map(abs, displacement)) for displacement in NEIGHBOURS)
    for responses in complexes:
        orientations, rows, columns = responses.shape[1:]
        one, other = torch.triu_indices(orientations, orientations, offset=1, device=responses.device)
        pairs.append((responses[:, one], responses[:, other]))
        continued = functional.pad(responses, (reach,) * 4, mode="replicate")
        for down, right in NEIGHBOURS:
            top, left = reach + down, reach + right
            pairs.append((responses, continued[:, :, top : top + rows, left : left + columns]))
    for fine, coarse in pairwise(complexes):
        # Four positions of the finer filters surround each position of the coarser ones.
        fine = functional.adaptive_avg_pool2d(fine, coarse.shape[-2:])
        orientations = fine.shape[1]
        pairs.append((fine.repeat_interleave(orientations, dim=1), coarse.repeat(1, orientations, 1, 1)))
    return pairs


def _amplitude(kernel: NDArray, wavelength: float, theta: float) -> float:
    y, x = np.ogrid[tuple(slice(-(side // 2), side // 2 + 1) for side in kernel.shape)]
    phase = 2 * math.pi / wavelength * (x * math.cos(theta) + y * math.sin(theta))
    return 0.5 * (kernel.real * np.cos(phase)).sum()


def _neighbourhood(energy: Tensor) -> Tensor:
    """Return energy (n, 1, rows, columns) averaged with a Gaussian of two positions, one wavelength."""
    deviation, reach = 2.0, 4
    places = torch.arange(-reach, reach + 1, dtype=energy.dtype, device=energy.device)
    weights = torch.exp(-0.5 * (places / deviation).square())
    weights = weights / weights.sum()
    continued = functional.pad(energy, (reach,) * 4, mode="replicate")
    return functional.conv2d(functional.conv2d(continued, weights.view(1, 1, -1, 1)), weights.view(1, 1, 1, -1))


def _statistics(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    product, one, other = _windows(first * second), _windows(first), _windows(second)
    variance_one = _windows(first.square()) - one.square() + LEAST_VARIANCE
    variance_other = _windows(second.square()) - other.square() + LEAST_VARIANCE
    return product.sqrt(), (product - one * other) / torch.sqrt(variance_one * variance_other)


def _windows(maps: Tensor) -> Tensor:
    edge = (WINDOW - WINDOW_STEP) // 2
    return functional.avg_pool2d(functional.pad(maps, (edge,) * 4, mode="replicate"), WINDOW, WINDOW_STEP)
