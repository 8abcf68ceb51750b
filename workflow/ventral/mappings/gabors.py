"""Fit Gabor functions to small maps, such as the filters of a convolution.

A grid over place, frequency and orientation with round envelopes gives starts, from which least squares goes on. The
grid solves for amplitude and phase exactly, and its sums separate into rows and columns.
"""

import math
from itertools import product

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ventral.mappings.standardisation import varies

# Free numbers of a Gabor: two amplitudes, place, orientation, frequency and two widths.
N_PARAMETERS = 8
# Standard deviations of the grid's envelopes, as shares of the map's shorter side.
WIDTHS = (0.12, 0.2, 0.35)
# Least squares starts from this many of the best points of the grid, each with another width.
STARTS = 2
# In pixels: the narrowest envelope.
NARROWEST = 0.35
# In cycles per pixel, along the wave.
NYQUIST = 0.5
# Largest number of values of the grid, or of derivatives, at once; more would leave the cache.
AT_ONCE = 200_000
# Least squares ends after this many steps, or when a step removes this share of the squared error, or is tiny.
STEPS, SLIGHT, LARGEST_DAMPING = 50, 1e-9, 1e8


def principal_maps(filters: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """Return filters along their principal colour axes.

    A filter is a matrix of pixels by channels. Its first singular vectors are the map and the colour whose product is
    nearest to the filter.

    Parameters
    ----------
    filters : (n, channels, rows, columns) array

    Returns
    -------
    maps : (n, rows, columns) float64 array
        Filters along the colour.
    colours : (n, channels) float64 array
        Colours of length 1, whose sum is not negative.
    shares : (n,) float64 array
        Share of a filter's sum of squares that the map times the colour has.
    """
    n, channels, rows, columns = filters.shape
    pixels = np.asarray(filters, float).reshape(n, channels, -1).swapaxes(1, 2)
    left, lengths, right = np.linalg.svd(pixels, full_matrices=False)
    colours = right[:, 0]
    signs = np.where(colours.sum(axis=1) < 0, -1.0, 1.0)
    maps = left[:, :, 0] * (lengths[:, 0] * signs)[:, None]
    squares = np.square(lengths)
    shares = squares[:, 0] / np.maximum(squares.sum(axis=1), np.finfo(float).tiny)
    return maps.reshape(n, rows, columns), colours * signs[:, None], shares


def gabor(fit: pd.Series, rows: int, columns: int) -> NDArray:
    """Return the map (rows, columns) of a row of `fit_gabors`."""
    y, x = _places(rows, columns)
    along, across = _turned(x - fit["x"], y - fit["y"], math.radians(fit["orientation"]))
    envelope = np.exp(-0.5 * (np.square(along / fit["sigma_x"]) + np.square(across / fit["sigma_y"])))
    return fit["amplitude"] * envelope * np.cos(2 * math.pi * fit["frequency"] * along + math.radians(fit["phase"]))


def fit_gabors(maps: NDArray) -> pd.DataFrame:
    """Fit a Gabor function to each map by least squares.

    With x' = x cos(orientation) + y sin(orientation) and y' across, both from the centre of the envelope,

        amplitude * exp(-(x'/sigma_x)²/2 - (y'/sigma_y)²/2) * cos(2 pi * frequency * x' + phase)

    Parameters
    ----------
    maps : (n, rows, columns) array

    Returns
    -------
    DataFrame
        One row a map. `orientation` in degrees from 0 to 180 is the direction of the wave: 0 varies along columns,
        as vertical bars do. `frequency` in cycles per pixel is between half a cycle in the map's shorter side and
        0.5. `phase` in degrees from 0 to 360 is that at the centre of the envelope. `x`, `y` (from the middle of the
        map, to the right and down), `sigma_x` (along the wave) and `sigma_y` (across) are in pixels. `r2` is the
        fraction of the map's variance that the Gabor explains, and NaN for a constant map.
    """
    maps = np.asarray(maps, float)
    starts = np.stack([_best_of_grid(maps, width) for width in WIDTHS], axis=1)
    starts = np.take_along_axis(starts, np.argsort(-starts[:, :, -1])[:, :STARTS, None], axis=1)
    parts = np.array_split(np.arange(len(maps)), math.ceil(maps.size * STARTS * N_PARAMETERS / AT_ONCE))
    return pd.concat([_fitted(maps[part], starts[part]) for part in parts], ignore_index=True)


def _places(rows: int, columns: int) -> tuple[NDArray, NDArray]:
    """Return the places of pixels down (rows, 1) and to the right (1, columns), from the middle."""
    y, x = np.ogrid[:rows, :columns]
    return y - (rows - 1) / 2, x - (columns - 1) / 2


def _turned(x: NDArray, y: NDArray, angle: NDArray | float) -> tuple[NDArray, NDArray]:
    return x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)


def lowest_frequency(rows: int, columns: int) -> float:
    """Return the lowest frequency of a fit in cycles per pixel: half a cycle in the shorter side."""
    return 0.5 / min(rows, columns)


def _best_of_grid(maps: NDArray, width: float) -> NDArray:
    """Return the best point of a grid with one width for each map.

    Parameters
    ----------
    maps : (n, rows, columns) array
    width : float
        Standard deviation of the round envelope, as a share of the shorter side.

    Returns
    -------
    (n, 6) array
        Place (x, y), frequency along x and along y, standard deviation, and sum of squares that the point explains.
    """
    _, rows, columns = maps.shape
    sigma = max(NARROWEST, width * min(rows, columns))
    frequencies = np.linspace(-NYQUIST, NYQUIST, 2 * math.ceil(6 * sigma * NYQUIST) + 1)
    y, x = _places(rows, columns)
    at_rows, of_rows = _waves(y.ravel(), frequencies[frequencies >= 0], sigma)
    at_columns, of_columns = _waves(x.ravel(), frequencies, sigma)
    radius = np.hypot(at_rows[:, None, 1], at_columns[None, :, 1])
    allowed = (radius >= lowest_frequency(rows, columns)) & (radius <= NYQUIST)
    best = []
    for part in np.array_split(maps, math.ceil(len(maps) * radius.size / AT_ONCE)):
        explained = np.where(allowed, _explained(part, of_rows, of_columns), -np.inf).reshape(len(part), -1)
        best.append(np.stack([explained.argmax(axis=1), explained.max(axis=1)], axis=1))
    place, most = np.concatenate(best).T
    row, column = np.unravel_index(place.astype(np.intp), radius.shape)
    (y0, fy), (x0, fx) = at_rows[row].T, at_columns[column].T
    return np.stack([x0, y0, fx, fy, np.full(len(maps), sigma), most], axis=1)


def _waves(places: NDArray, frequencies: NDArray, sigma: float) -> tuple[NDArray, NDArray]:
    """Return centre and frequency (m, 2) of one-dimensional complex Gabors, and these Gabors (places, m)."""
    n_centres = math.ceil(len(places) / sigma)
    centres = np.linspace(places[0], places[-1], n_centres + (n_centres + 1) % 2)
    at = np.array(list(product(centres, frequencies)))
    from_centre = places[:, None] - at[:, 0]
    return at, np.exp(-0.5 * np.square(from_centre / sigma) + 2j * math.pi * at[:, 1] * from_centre)


def _explained(maps: NDArray, of_rows: NDArray, of_columns: NDArray) -> NDArray:
    """Return the sum of squares (n, m, k) that each Gabor of the grid explains, with the best amplitude and phase."""
    n, rows, columns = maps.shape
    along_rows = maps.reshape(-1, columns).astype(complex) @ of_columns
    products = np.ascontiguousarray(of_rows.T) @ along_rows.reshape(n, rows, -1)
    envelope = np.outer(*(np.square(np.abs(waves)).sum(axis=0) for waves in (of_rows, of_columns)))
    double = np.outer(*(np.square(waves).sum(axis=0) for waves in (of_rows, of_columns)))
    even, odd, mixed = (envelope + double.real) / 2, (envelope - double.real) / 2, double.imag / 2
    determinant = even * odd - np.square(mixed)
    sums = odd * np.square(products.real) + even * np.square(products.imag)
    both = (sums - 2 * mixed * products.real * products.imag) / np.maximum(determinant, np.finfo(float).tiny)
    # Where sine or cosine vanishes on all pixels, one amplitude is left.
    return np.where(determinant > 1e-6 * np.square(envelope), both, np.square(np.abs(products)) / envelope)


def _fitted(maps: NDArray, starts: NDArray) -> pd.DataFrame:
    """Return the better fit of each map (n, rows, columns) from several starts (n, k, 6)."""
    n, n_starts, _ = starts.shape
    problem = _Problem(np.repeat(maps, n_starts, axis=0))
    free, squares = problem.solved(problem.start(starts.reshape(n * n_starts, -1)))
    best = np.arange(n) * n_starts + squares.reshape(n, n_starts).argmin(axis=1)
    return _Problem(maps).described(free[best], squares[best])


class _Problem:
    """Least squares of Gabors on maps, all at once, over free numbers (n, 8): a, b, x, y, angle, f, sigma_x, sigma_y.

    The amplitudes a and b are those of cosine and sine. Place, frequency and widths are free logits within their
    ranges, the last three on a logarithmic scale. SciPy fits one map at a time, which takes ten times as long.
    """

    def __init__(self, maps: NDArray) -> None:
        n, rows, columns = maps.shape
        self.maps = maps.reshape(n, -1)
        self.y, self.x = (places.ravel() for places in np.broadcast_arrays(*_places(rows, columns)))
        middle = np.array([columns, rows]) / 2
        lowest = [lowest_frequency(rows, columns), NARROWEST, NARROWEST]
        highest = [NYQUIST, *[max(rows, columns)] * 2]
        self.low = np.array([*-middle, *np.log(lowest)])
        self.range = np.array([*middle, *np.log(highest)]) - self.low

    def start(self, points: NDArray) -> NDArray:
        """Return the free numbers (n, 8) of points (n, 6) of the grid."""
        x, y, fx, fy, sigma, _ = points.T
        values = np.stack([x, y, np.log(np.hypot(fx, fy)), np.log(sigma), np.log(sigma)], axis=1)
        share = np.clip((values - self.low) / self.range, 0.02, 0.98)
        logits = np.log(share / (1 - share))
        nothing = np.zeros((len(points), 2))
        free = np.concatenate([nothing, logits[:, :2], np.arctan2(fy, fx)[:, None], logits[:, 2:]], axis=1)
        waves = self.jacobian(free)[:, :2].swapaxes(1, 2)
        free[:, :2] = (np.linalg.pinv(waves) @ self.maps[:, :, None])[:, :, 0]
        return free

    def solved(self, free: NDArray) -> tuple[NDArray, NDArray]:
        """Return the numbers (n, 8) at the end of Levenberg and Marquardt's steps, and the squared errors (n,)."""
        residuals = self.residuals(free)
        squares, damping = np.square(residuals).sum(axis=1), np.full(len(free), 1e-2)
        done = np.zeros(len(free), dtype=bool)
        for _ in range(STEPS):
            derivatives = self.jacobian(free)
            products = derivatives @ derivatives.swapaxes(1, 2)
            diagonal = np.einsum("nii->ni", products)
            diagonal += damping[:, None] * diagonal + 1e-12 * (1 + diagonal.max(axis=1, keepdims=True))
            tried = free - np.linalg.solve(products, derivatives @ residuals[:, :, None])[:, :, 0]
            residuals_tried = self.residuals(tried)
            squares_tried = np.square(residuals_tried).sum(axis=1)
            better = squares_tried < squares
            free, residuals = (
                np.where(better[:, None], new, old) for new, old in ((tried, free), (residuals_tried, residuals))
            )
            done |= better & (squares - squares_tried <= SLIGHT * squares)
            squares = np.where(better, squares_tried, squares)
            damping = np.where(better, damping / 5, damping * 3).clip(1e-12, 10 * LARGEST_DAMPING)
            if (done | (damping > LARGEST_DAMPING) | (squares == 0)).all():
                break
        return free, squares

    def parts(self, free: NDArray) -> tuple:
        """Return the envelope, x' and y', cosine and sine (n, pixels), and (5, n) bounded numbers and derivatives."""
        shares = 0.5 * (1 + np.tanh(0.5 * free[:, [2, 3, 5, 6, 7]]))
        bounded = (self.low + self.range * shares).T
        slopes = (self.range * shares * (1 - shares)).T
        bounded[2:] = np.exp(bounded[2:])
        slopes[2:] *= bounded[2:]
        x0, y0, frequency, sigma_x, sigma_y = bounded[:, :, None]
        along, across = _turned(self.x - x0, self.y - y0, free[:, 4, None])
        envelope = np.exp(-0.5 * (np.square(along / sigma_x) + np.square(across / sigma_y)))
        turn = 2 * math.pi * frequency * along
        return envelope, along, across, np.cos(turn), np.sin(turn), bounded, slopes

    def residuals(self, free: NDArray) -> NDArray:
        """Return the Gabors minus the maps (n, pixels)."""
        envelope, _, _, cosine, sine, _, _ = self.parts(free)
        return envelope * (free[:, :1] * cosine + free[:, 1:2] * sine) - self.maps

    def jacobian(self, free: NDArray) -> NDArray:
        """Return the derivatives (n, 8, pixels) of the residuals."""
        envelope, along, across, cosine, sine, bounded, slopes = self.parts(free)
        a, b, *_ = free.T[:, :, None]
        _, _, frequency, sigma_x, sigma_y = bounded[:, :, None]
        slopes = slopes[:, :, None]
        wave = envelope * (a * cosine + b * sine)
        turning = 2 * math.pi * envelope * (b * cosine - a * sine)
        by_along = frequency * turning - wave * along / sigma_x**2
        by_across = -wave * across / sigma_y**2
        cos, sin = np.cos(free[:, 4, None]), np.sin(free[:, 4, None])
        derivatives = [
            envelope * cosine,
            envelope * sine,
            slopes[0] * (by_across * sin - by_along * cos),
            slopes[1] * (-by_across * cos - by_along * sin),
            by_along * across - by_across * along,
            slopes[2] * turning * along,
            slopes[3] * wave * np.square(along) / sigma_x**3,
            slopes[4] * wave * np.square(across) / sigma_y**3,
        ]
        return np.stack(derivatives, axis=1)

    def described(self, free: NDArray, squares: NDArray) -> pd.DataFrame:
        """Return fits in the units of `fit_gabors`."""
        *_, (x, y, frequency, sigma_x, sigma_y), _ = self.parts(free)
        half_turns, angle = np.divmod(free[:, 4], math.pi)
        phase = np.arctan2(-free[:, 1], free[:, 0]) * np.where(half_turns % 2, -1, 1)
        deviation = self.maps.std(axis=1)
        constant = ~varies(deviation, np.abs(self.maps).max(axis=1))
        variance = np.where(constant, np.nan, np.square(deviation) * self.maps.shape[1])
        return pd.DataFrame(
            {
                "orientation": np.degrees(angle) % 180,
                "frequency": frequency,
                "phase": np.degrees(phase) % 360,
                **{"x": x, "y": y, "sigma_x": sigma_x, "sigma_y": sigma_y},
                "amplitude": np.hypot(free[:, 0], free[:, 1]),
                "r2": 1 - squares / variance,
            }
        )
