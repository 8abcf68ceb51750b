"""The two-factor bootstrap: the error of RSA for other stimuli and, at the same time, other neurons or subjects.

Schuett, Kipnis, Diedrichsen and Kriegeskorte 2023 (eLife 12:e82566). Drawing stimuli and neurons together counts noise
of their combinations three times, so that its variance is too large. Drawing each factor alone gives the two variances
that correct the third. Two copies of a drawn stimulus are no pair, because their distance is 0 in every matrix.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ventral.mappings.rsa import comparable, compare
from ventral.mappings.whitened import WHITENED, unit_whitened

# Draws with fewer different stimuli are left out, as in rsatoolbox.
FEWEST_DIFFERENT = 3


@dataclass(frozen=True)
class Draws:
    """Resamples of stimuli and of neurons or subjects.

    Attributes
    ----------
    stimuli : (draws, n) integer array
    units : (draws, units) integer array
        Neurons or subjects.
    """

    stimuli: NDArray[np.intp]
    units: NDArray[np.intp]


def draws_of(n_stimuli: int, n_units: int, n_bootstrap: int, seed: int) -> Draws:
    """Draw stimuli and units with replacement, as many as there are, `n_bootstrap` times."""
    rng = np.random.default_rng(seed)
    return Draws(*(rng.integers(0, n, size=(n_bootstrap, n)) for n in (n_stimuli, n_units)))


def two_factor_error(
    layer: NDArray, measured: Callable[[NDArray[np.intp]], NDArray], comparison: str, draws: Draws
) -> float:
    """Return the standard error of an RSA value for other stimuli and other units.

    Parameters
    ----------
    layer : (n, n) array
        Dissimilarities of a layer.
    measured : callable
        Returns the measured dissimilarities (matrices, n, n), given the units drawn. The value is the mean over
        matrices.
    comparison : str
        As for `drawn_similarity`.
    draws : Draws

    Returns
    -------
    float
        NaN with fewer than two units, or if fewer than two draws have a value.
    """
    n, n_units = draws.stimuli.shape[1], draws.units.shape[1]
    if n_units < 2:
        return np.nan
    every, whole = np.arange(n), measured(np.arange(n_units))
    of_layer = _prepared(layer[None], every, comparison)
    values = np.full((len(draws.stimuli), 3), np.nan)
    for k, (stimuli, units) in enumerate(zip(draws.stimuli, draws.units, strict=True)):
        if len(np.unique(stimuli)) >= FEWEST_DIFFERENT:
            drawn, on_drawn = measured(units), _prepared(layer[None], stimuli, comparison)
            values[k] = (
                _similarity(on_drawn, _prepared(drawn, stimuli, comparison), comparison),
                _similarity(of_layer, _prepared(drawn, every, comparison), comparison),
                _similarity(on_drawn, _prepared(whole, stimuli, comparison), comparison),
            )
    values = values[np.isfinite(values).all(axis=1)]
    if len(values) < 2:
        return np.nan
    return float(np.sqrt(two_factor_variance(*values.var(axis=0, ddof=1), n_units, n)))


def two_factor_variance(both: float, of_units: float, of_stimuli: float, n_units: int, n_stimuli: int) -> float:
    """Return the corrected variance, from those over draws of both factors, of units, and of stimuli.

    For many units and stimuli, the variance is 2 (V_units + V_stimuli) - V_both. The factors n / (n - 1) correct for
    small samples, as in rsatoolbox. The result is not below that of one factor alone, and not above that of both.
    """
    units, stimuli = n_units / (n_units - 1), n_stimuli / (n_stimuli - 1)
    variance = units * of_units + stimuli * of_stimuli - units * stimuli * (both - of_units - of_stimuli)
    return min(max(variance, units * of_units, stimuli * of_stimuli), both)


def drawn_similarity(layer: NDArray, measured: NDArray, stimuli: NDArray[np.intp], comparison: str) -> float:
    """Return the similarity of two matrices on drawn stimuli, without pairs of copies of a stimulus.

    Parameters
    ----------
    layer, measured : (n, n) arrays
        Dissimilarities.
    stimuli : (m,) integer array
        Rows drawn.
    comparison : str
        `spearman`, `pearson`, `kendall`, `whitened_cosine` or `whitened_correlation`.
    """
    return _similarity(*(_prepared(matrix[None], stimuli, comparison) for matrix in (layer, measured)), comparison)


def _prepared(matrices: NDArray, stimuli: NDArray[np.intp], comparison: str) -> NDArray[np.float64]:
    """Return the vectors (matrices, values) that a comparison takes of matrices (matrices, n, n) on drawn stimuli."""
    # In this order, copies of a pair come from the same element, and are tied.
    stimuli = np.sort(stimuli)
    different = stimuli[:, None] != stimuli
    if comparison in WHITENED:
        present = different | np.eye(len(stimuli), dtype=bool)
        rows = np.ix_(stimuli, stimuli)
        return np.stack([unit_whitened(matrix[rows], comparison, present).ravel() for matrix in matrices])
    first, second = (stimuli[places] for places in np.nonzero(np.triu(different, k=1)))
    return comparable(matrices[:, first, second], comparison)


def _similarity(layer: NDArray, measured: NDArray, comparison: str) -> float:
    return float(compare(layer[0], measured, comparison).mean())
