"""Sinusoidal gratings in circular apertures on middle grey, with which tuning is measured."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ventral.errors import InputError
from ventral.stimuli.images import BACKGROUND

if TYPE_CHECKING:
    import pandas as pd

# Largest difference from middle grey.
AMPLITUDE = 127
# Spatial frequencies in cycles per degree: middles of the bins published for V1, and one more at each end.
LADDER = 0.6 * 2 ** (np.arange(-1, 10) / 2)
FEWEST_FREQUENCIES = 4
KEY = "config key in_silico.tuning"
# Properties of a grating, in the order of tables.
PROPERTIES = ("orientation", "spatial_frequency", "phase", "diameter", "contrast")


@dataclass(frozen=True)
class Screen:
    """The image that gratings are drawn on.

    Attributes
    ----------
    rows, columns : int
        Pixels.
    degrees : float
        Degrees of visual angle that the width spans.
    pixels_seen : float
        Pixels in the width that reach the network: fewer than `columns` if the network makes the image smaller.
    """

    rows: int
    columns: int
    degrees: float
    pixels_seen: float

    @property
    def nyquist(self) -> float:
        """Spatial frequency, in cycles per degree, below which gratings have two pixels for each cycle."""
        return min(self.columns, self.pixels_seen) / self.degrees / 2

    @property
    def side(self) -> float:
        """Degrees of the shorter side, the diameter of the largest aperture."""
        return self.degrees * min(self.rows, self.columns) / self.columns


def check_frequencies(frequencies: Sequence[float], screen: Screen, key: str) -> None:
    """Refuse spatial frequencies that the screen cannot show.

    Raises
    ------
    InputError
        If a frequency, in cycles per degree, is not below Nyquist's.
    """
    too_high = [frequency for frequency in frequencies if frequency >= screen.nyquist]
    if too_high:
        raise InputError(
            f"{key}: {too_high[0]:g} cycles per degree; on {min(screen.columns, screen.pixels_seen):g} pixels that "
            f"span {screen.degrees:g} degrees, only frequencies below {screen.nyquist:g} have two pixels for each "
            f"cycle (Nyquist). Name lower frequencies, or fewer degrees"
        )


def shown_frequencies(frequencies: Sequence[float] | None, screen: Screen) -> NDArray:
    """Return the spatial frequencies to show: those that are named, or all of `LADDER` that the screen can show.

    Raises
    ------
    InputError
        If a named frequency is not below Nyquist's, or fewer than four are left.
    """
    if frequencies is not None:
        check_frequencies(frequencies, screen, f"{KEY}.frequencies")
        return np.sort(np.asarray(frequencies, float))
    chosen = LADDER[screen.nyquist > LADDER]
    if len(chosen) < FEWEST_FREQUENCIES:
        raise InputError(
            f"{KEY}.degrees: the screen of {screen.columns} pixels over {screen.degrees:g} degrees can show "
            f"{len(chosen)} of the frequencies from {LADDER[0]:.2g} cycles per degree on, {FEWEST_FREQUENCIES} are "
            f"needed; give fewer degrees, or name lower `frequencies`"
        )
    return chosen


def draw_gratings(gratings: "pd.DataFrame", screen: Screen) -> NDArray[np.uint8]:
    """Draw gratings in the form of the store of an image set.

    With x' = x cos(orientation) + y sin(orientation), from the middle to the right and down, a pixel's value is

        128 + 127 * contrast * coverage * cos(2 pi * spatial_frequency * x' + phase).

    The wave is sampled at the centres of pixels, which below Nyquist's frequency shows no other wave (aliasing). The
    coverage is the share of a pixel within the aperture, to first order, so that the edge has no steps.

    Parameters
    ----------
    gratings : DataFrame
        One row for each grating, with the columns `PROPERTIES`. `orientation`, `phase` and `diameter` of the aperture
        are in degrees, and `spatial_frequency` is in cycles per degree. `contrast` is Michelson's. An orientation of 0
        varies along rows, as vertical bars do.
    screen : Screen

    Returns
    -------
    (n, 3, rows, columns) uint8 array

    Raises
    ------
    InputError
        If a spatial frequency is not below Nyquist's, or a contrast is not from 0 to 1.
    """
    orientation, frequency, phase, diameter, contrast = (
        gratings[name].to_numpy(float)[:, None, None] for name in PROPERTIES
    )
    check_frequencies(frequency.ravel(), screen, "gratings, spatial_frequency")
    if contrast.size and not (contrast.min() >= 0 and contrast.max() <= 1):
        raise InputError(f"gratings, contrast: {contrast.min():g} to {contrast.max():g}; 0 to 1 is right")
    degrees_per_pixel = screen.degrees / screen.columns
    y, x = np.ogrid[: screen.rows, : screen.columns]
    y, x = (y - (screen.rows - 1) / 2) * degrees_per_pixel, (x - (screen.columns - 1) / 2) * degrees_per_pixel
    angle = np.radians(orientation)
    wave = np.cos(2 * math.pi * frequency * (x * np.cos(angle) + y * np.sin(angle)) + np.radians(phase))
    coverage = np.clip((diameter / 2 - np.hypot(x, y)) / degrees_per_pixel + 0.5, 0, 1)
    grey = np.rint(BACKGROUND + AMPLITUDE * contrast * coverage * wave).astype(np.uint8)
    return np.repeat(grey[:, None], 3, axis=1)
