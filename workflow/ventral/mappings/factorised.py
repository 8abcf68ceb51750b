"""Spatially factorised readout: one mask over space times one weighting of channels for each neuron.

A neuron is predicted from a layer's maps x (channels, positions) by

    f(x) = b + sum_c sum_s u_c m_s x_cs,

with channels + positions weights instead of channels x positions (Klindt, Ecker, Euler and Bethge 2017, NeurIPS
30:3506). The weights u of the channels are the same at all positions, and the mask m weights positions. The readout is
an alternative to ridge regression on all features. It predicts better if a neuron has one receptive field, and worse if
a neuron weights channels differently at different positions. u and m minimise

    1/2 sum_n (y_n - f(x_n))^2 + a/2 (|u|^2 + |m|^2).

One penalty suffices: (c u, m / c) predicts the same for every c, so only the product of two penalties would count. The
penalty of a neuron is chosen among shares of the smallest penalty at which u and m are 0. That penalty is the largest
singular value of sum_n y_n x_n. With m fixed, u is a ridge regression on the maps' sums over positions, weighted by m,
and vice versa. Alternating the two never increases the sum above. The fit begins at the largest penalty, with the
singular vectors of that value, and continues to the smallest penalty.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from dask.delayed import delayed
from numpy.typing import NDArray

from ventral.mappings.standardisation import ROUNDING_OF_FLOAT32, varies
from ventral.running.parallel import computed

logger = logging.getLogger(__name__)

# Shares of the smallest penalty at which all weights are 0, the largest first.
PENALTIES = tuple(np.geomspace(0.5, 0.01, 5).tolist())
# On V4 (Cowley et al. 2023), three times as many change median predictivity by less than 0.01.
ALTERNATIONS = 2
INNER_FOLDS = 4
# Maps with a longer side are averaged over squares, to bound memory and time.
LONGEST_SIDE = 8
# More channels are reduced to this number of principal components, because time grows with the square of channels.
MOST_CHANNELS = 256
# Limits the weighted features, and so the number of neurons that are fitted together.
BYTES_AT_ONCE = 2**27


def principal_channels(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return maps (n, channels, positions) of the first `MOST_CHANNELS` principal components, where there are more.

    The mean of each channel over stimuli is first subtracted at each position, because no readout depends on the mean.
    Ridge regression does not depend on a rotation of the channels, so only the components that vary least are lost.
    """
    if maps.shape[1] <= MOST_CHANNELS:
        return maps
    centred = maps - maps.mean(axis=0)
    covariance = sum(stimulus @ stimulus.T for stimulus in centred).astype(np.float64)
    values, axes = np.linalg.eigh(covariance)
    kept = axes[:, ::-1][:, :MOST_CHANNELS]
    logger.info(
        "factorised: %d principal components of %d channels have %.1f %% of their variance",
        MOST_CHANNELS,
        maps.shape[1],
        100 * values[-MOST_CHANNELS:].sum() / max(values.sum(), np.finfo(float).tiny),
    )
    return np.matmul(kept.T.astype(np.float32), centred)


def averaged_down(maps: NDArray) -> NDArray[np.float32]:
    """Return maps (n, channels, height, width) averaged over the smallest squares that bound them to `LONGEST_SIDE`.

    An incomplete square at the lower or right edge is averaged over its pixels within the map.
    """
    square = -(-max(maps.shape[2:]) // LONGEST_SIDE)
    if square == 1:
        return maps
    rows, columns = (np.arange(0, extent, square) for extent in maps.shape[2:])
    sums = np.add.reduceat(np.add.reduceat(maps, rows, axis=2), columns, axis=3)
    heights, widths = np.diff([*rows, maps.shape[2]]), np.diff([*columns, maps.shape[3]])
    return sums / np.outer(heights, widths).astype(np.float32)


@dataclass(frozen=True)
class FactorisedReadout:
    """Held-out predictions of a nested cross-validation.

    Attributes
    ----------
    predictions : (n, neurons) array
        Predicted response to each stimulus by the fit on the other outer folds, at the penalty chosen there.
    penalty : (folds, neurons) array
        Penalty chosen for each neuron within the training part of each outer fold. The unit is the smallest penalty at
        which all weights are 0.
    """

    predictions: NDArray[np.float64]
    penalty: NDArray[np.float64]


def factorised_readout(maps: NDArray, responses: NDArray, folds: Sequence[NDArray]) -> FactorisedReadout:
    """Predict every neuron for every stimulus by a mask and a channel weighting that never saw its fold.

    The inner folds of an outer fold are the other outer folds, merged into four if there are more. The penalty with the
    smallest sum of squared errors over the inner folds is chosen, and the larger of equals.

    Parameters
    ----------
    maps : (n, channels, positions) array
        Features, which are converted to float32.
    responses : (n, neurons) array
        Finite.
    folds : sequence of integer arrays
        Rows of each outer fold; three folds at least, each row in exactly one.

    Returns
    -------
    FactorisedReadout
        The mean of the training part where the neuron, or the maps, do not vary in that part.
    """
    maps, responses = scaled_maps(maps), np.asarray(responses, np.float64)
    inner = [_joined([j for j in range(len(folds)) if j != i]) for i in range(len(folds))]
    # A fit without folds 0 and 1 serves outer fold 0 and inner fold 1, and the other way round.
    without = {tuple(sorted((i, *group))) for i, groups in enumerate(inner) for group in groups}
    without = sorted(without | {(i,) for i in range(len(folds))})
    tasks = [
        delayed(_predictions_without, pure=False, traverse=False)(maps, responses, folds, some) for some in without
    ]
    fitted = dict(zip(without, computed(*tasks), strict=True))
    predictions = np.empty(responses.shape)
    penalty = np.empty((len(folds), responses.shape[1]))
    for i, fold in enumerate(folds):
        errors = sum(
            np.square(fitted[tuple(sorted((i, *group)))][j] - responses[folds[j]]).sum(axis=1)
            for group in inner[i]
            for j in group
        )
        chosen = np.argmin(errors, axis=0)
        penalty[i] = np.array(PENALTIES)[chosen]
        predictions[fold] = np.take_along_axis(fitted[i,][i], chosen[None, None], axis=0)[0]
    return FactorisedReadout(predictions, penalty)


def scaled_maps(maps: NDArray) -> NDArray[np.float32]:
    """Return maps (n, channels, positions) with mean 0 and mean squared distance 1 from the mean; 0 if constant."""
    maps = np.array(maps, np.float32)
    # Scale before squaring, so that neither 1e-30 nor 1e30 leaves the range of float32.
    maps /= max(np.abs(maps).max(), np.finfo(np.float32).tiny)
    maps -= maps.mean(axis=0, dtype=np.float64).astype(np.float32)
    size = np.sqrt(np.einsum("ncs,ncs->", maps, maps, dtype=np.float64) / len(maps))
    # Identical maps differ from their mean by rounding.
    if not varies(size, 1, ROUNDING_OF_FLOAT32):
        return np.zeros_like(maps)
    maps /= np.float32(size)
    return maps


def _joined(folds: list[int]) -> list[tuple[int, ...]]:
    return [tuple(map(int, part)) for part in np.array_split(folds, min(INNER_FOLDS, len(folds)))]


def _predictions_without(maps, responses, folds, without: tuple[int, ...]) -> dict[int, NDArray]:
    """Return, for each fold that is left out of the fit, predictions (penalties, rows, neurons)."""
    rows = np.setdiff1d(np.arange(len(maps)), np.concatenate([folds[j] for j in without]))
    at_once = max(1, BYTES_AT_ONCE // (4 * len(maps) * max(maps.shape[1:])))
    fitted = [
        fit_path(maps, responses[:, start : start + at_once], rows) for start in range(0, responses.shape[1], at_once)
    ]
    channels, masks, intercepts = (np.concatenate(parts, axis=1) for parts in zip(*fitted, strict=True))
    return {
        j: np.stack([predict(maps[folds[j]], *weights) for weights in zip(channels, masks, intercepts, strict=True)])
        for j in without
    }


def predict(maps: NDArray, channels: NDArray, masks: NDArray, intercepts: NDArray | float) -> NDArray[np.float64]:
    """Return b + sum_c sum_s u_c m_s x_cs (n, neurons) of maps (n, channels, positions)."""
    return np.einsum("nts,ts->nt", _over_channels(maps, channels), masks) + intercepts


def fit_path(
    maps: NDArray[np.float32],
    responses: NDArray[np.float64],
    rows: NDArray[np.intp],
    penalties: Sequence[float] = PENALTIES,
    alternations: int = ALTERNATIONS,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Fit masks and channel weightings to some stimuli, at each penalty from the one before.

    Parameters
    ----------
    maps : (n, channels, positions) array
    responses : (n, neurons) array
    rows : (training,) integer array
        Stimuli to fit.
    penalties : (m,) sequence
        Descending shares, below 1, of the smallest penalty at which all weights are 0.
    alternations : int
        Number of ridge regressions of u, each followed by one of m, at each penalty.

    Returns
    -------
    channels (m, neurons, channels), masks (m, neurons, positions), intercepts (m, neurons)
        u and m have equal length. Both are 0 where the neuron or the maps do not vary.
    """
    mean = responses[rows].mean(axis=0)
    deviations = responses[rows] - mean
    channels, masks, largest = _start(maps, deviations, rows, penalties[0])
    path = []
    for share in penalties:
        penalty = share * largest
        # Weight all maps, because a copy of those in `rows` may not fit into memory.
        for _ in range(alternations):
            channels = _ridge(_over_positions(maps, masks)[rows], deviations, penalty)
            masks = _ridge(_over_channels(maps, channels)[rows], deviations, penalty)
            channels, masks = _balanced(channels, masks)
        path.append((channels, masks, mean - predict(maps, channels, masks, 0.0)[rows].mean(axis=0)))
    return tuple(np.stack(parts) for parts in zip(*path, strict=True))


def _start(maps: NDArray, deviations: NDArray, rows: NDArray, share: float) -> tuple[NDArray, NDArray, NDArray]:
    """Return singular vectors u (neurons, channels) and m (neurons, positions), scaled optimally for a penalty.

    The third value is the largest singular value of sum_n y_n x_n of each neuron.
    """
    everywhere = np.zeros((len(maps), deviations.shape[1]), np.float32)
    everywhere[rows] = deviations
    covariance = np.tensordot(everywhere, maps, axes=(0, 0)).astype(np.float64)
    wide = covariance.shape[2] > covariance.shape[1]
    products = covariance @ covariance.swapaxes(1, 2) if wide else covariance.swapaxes(1, 2) @ covariance
    first = np.linalg.eigh(products)[1][:, :, -1]
    second = np.einsum("tcs,tc->ts", covariance, first) if wide else np.einsum("tcs,ts->tc", covariance, first)
    largest = np.linalg.norm(second, axis=1)
    second = np.divide(second, largest[:, None], out=np.zeros_like(second), where=largest[:, None] > 0)
    channels, masks = (first, second) if wide else (second, first)
    # The sign of singular vectors is arbitrary; make most of a mask positive.
    sign = np.where(masks.sum(axis=1) < 0, -1.0, 1.0)[:, None]
    signal = predict(maps, channels, masks, 0.0)[rows]
    power = np.square(signal - signal.mean(axis=0)).sum(axis=0)
    size = np.sqrt(np.divide((1 - share) * largest, power, out=np.zeros_like(power), where=power > 0))[:, None]
    return sign * size * channels, sign * size * masks, largest


def _over_positions(maps: NDArray, masks: NDArray) -> NDArray[np.float32]:
    """Return sum_s m_s x_ncs (n, neurons, channels)."""
    return np.matmul(masks.astype(np.float32), maps.swapaxes(1, 2))


def _over_channels(maps: NDArray, channels: NDArray) -> NDArray[np.float32]:
    """Return sum_c u_c x_ncs (n, neurons, positions)."""
    return np.matmul(channels.astype(np.float32), maps)


def _ridge(features: NDArray, deviations: NDArray, penalty: NDArray) -> NDArray[np.float64]:
    """Return the ridge weights (neurons, p) of each neuron on features of its own (n, neurons, p), both centred here.

    The weights of a neuron are 0 where its penalty is 0, because nothing predicts such a neuron.
    """
    features = np.ascontiguousarray(features.swapaxes(0, 1))
    features -= features.mean(axis=1, keepdims=True)
    _, n, p = features.shape
    penalty, nothing = np.where(penalty > 0, penalty, 1.0), penalty <= 0
    transposed = features.swapaxes(1, 2)
    deviations = deviations.astype(np.float32).T[:, :, None]
    if p <= n:
        weights = _solve(transposed @ features, transposed @ deviations, penalty)
    else:
        weights = transposed @ _solve(features @ transposed, deviations, penalty).astype(np.float32)
    weights = weights[:, :, 0].astype(np.float64)
    weights[nothing] = 0
    return weights


def _solve(products: NDArray, right: NDArray, penalty: NDArray) -> NDArray[np.float64]:
    products = products.astype(np.float64)
    diagonal = np.arange(products.shape[1])
    products[:, diagonal, diagonal] += penalty[:, None]
    return np.linalg.solve(products, right)


def _balanced(channels: NDArray, masks: NDArray) -> tuple[NDArray, NDArray]:
    """Return u and m rescaled to equal length, which keeps predictions and minimises the sum of squares."""
    lengths = np.linalg.norm(channels, axis=1), np.linalg.norm(masks, axis=1)
    known = (lengths[0] > 0) & (lengths[1] > 0)
    ratio = np.sqrt(np.divide(lengths[1], lengths[0], out=np.zeros_like(lengths[0]), where=known))[:, None]
    return channels * ratio, np.divide(masks, ratio, out=np.zeros_like(masks), where=ratio > 0)
