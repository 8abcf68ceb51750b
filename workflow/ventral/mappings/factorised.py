"""Spatially factorised readout: of every neuron one mask over space, times one weighting of channels.

A neuron is predicted from a layer's maps x (channels, positions) by

    f(x) = b + sum_c sum_s u_c m_s x_cs,

channels + positions weights instead of channels x positions: what it responds to, u, is the same wherever it looks, m
(Klindt, Ecker, Euler and Bethge 2017, NeurIPS 30:3506). It is a stated alternative to ridge regression on all
features: better where a neuron has one receptive field, worse where it weights channels differently at different
places. u and m minimise

    1/2 sum_n (y_n - f(x_n))^2 + a/2 (|u|^2 + |m|^2).

As (c u, m / c) predicts the same for every c, penalties a_u and a_m of the two would count by their product alone: one
penalty says all. It is chosen for each neuron among shares of the smallest one at which nothing is predicted, the
largest singular value of sum_n y_n x_n. With m fixed, u is a ridge regression on the maps' sums over positions,
weighted by m, and vice versa: alternating the two never increases the sum above. It begins with the singular vectors
that belong to that value, at the largest penalty, and goes on from there to the smallest.
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

# Shares of the smallest penalty at which nothing is predicted, the largest first.
PENALTIES = tuple(np.geomspace(0.5, 0.01, 5).tolist())
# On V4 (Cowley et al. 2023), three times as many change median predictivity by less than 0.01.
ALTERNATIONS = 2
INNER_FOLDS = 4
# Maps with a longer side are averaged over squares, the smallest that make it no longer than this: positions, and with
# them memory and time, are bounded.
LONGEST_SIDE = 8
# More channels are replaced by so many of their principal components, over stimuli and positions: time grows with the
# square of channels.
MOST_CHANNELS = 256
# Of features that are weighted for each of so many neurons that are fitted together.
BYTES_AT_ONCE = 2**27


def principal_channels(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return maps (n, channels, positions) of the first `MOST_CHANNELS` principal components, where there are more.

    What a channel is at each place on average over the stimuli is subtracted first: no readout depends on it. As ridge
    regression does not depend on a rotation of the channels, all that is lost is the components that vary least.
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

    What is left at the lower and right edge is averaged over the part of a square that is there.
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
        What each stimulus was predicted to evoke by the fit on the other outer folds, at the penalty chosen there.
    penalty : (folds, neurons) array
        The penalty chosen for each neuron within the training part of each outer fold, as a share of the smallest one
        at which nothing is predicted.
    """

    predictions: NDArray[np.float64]
    penalty: NDArray[np.float64]


def factorised_readout(maps: NDArray, responses: NDArray, folds: Sequence[NDArray]) -> FactorisedReadout:
    """Predict every neuron for every stimulus by a mask and a channel weighting that never saw its fold.

    The inner folds of an outer fold are the other outer folds, joined to four where there are more; the penalty with
    the smallest sum of squared errors over them is chosen (the larger of equals).

    Parameters
    ----------
    maps : (n, channels, positions) array
        Features; computed with as float32.
    responses : (n, neurons) array
        Finite.
    folds : sequence of integer arrays
        Rows of each outer fold; three folds at least, each row in exactly one.

    Returns
    -------
    FactorisedReadout
        A neuron that does not vary, or maps that do not, in a training part are predicted by the mean there.
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
    """Return maps (n, channels, positions) minus their mean, the mean squared distance from it 1; 0 if none vary."""
    maps = np.array(maps, np.float32)
    # Scaled before they are squared: neither 1e-30 nor 1e30 is lost in float32.
    maps /= max(np.abs(maps).max(), np.finfo(np.float32).tiny)
    maps -= maps.mean(axis=0, dtype=np.float64).astype(np.float32)
    size = np.sqrt(np.einsum("ncs,ncs->", maps, maps, dtype=np.float64) / len(maps))
    # What is left of identical maps after centring is rounding.
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
        Stimuli to fit to.
    penalties : (m,) sequence
        Descending shares, below 1, of the smallest penalty at which nothing is predicted.
    alternations : int
        Ridge regressions of u, each followed by one of m, at each penalty.

    Returns
    -------
    channels (m, neurons, channels), masks (m, neurons, positions), intercepts (m, neurons)
        Of equal length, u and m; all 0 but the intercept where neuron or maps do not vary.
    """
    mean = responses[rows].mean(axis=0)
    deviations = responses[rows] - mean
    channels, masks, largest = _start(maps, deviations, rows, penalties[0])
    path = []
    for share in penalties:
        penalty = share * largest
        # All maps are weighted, not a copy of those in `rows`: they may take most of the memory.
        for _ in range(alternations):
            channels = _ridge(_over_positions(maps, masks)[rows], deviations, penalty)
            masks = _ridge(_over_channels(maps, channels)[rows], deviations, penalty)
            channels, masks = _balanced(channels, masks)
        path.append((channels, masks, mean - predict(maps, channels, masks, 0.0)[rows].mean(axis=0)))
    return tuple(np.stack(parts) for parts in zip(*path, strict=True))


def _start(maps: NDArray, deviations: NDArray, rows: NDArray, share: float) -> tuple[NDArray, NDArray, NDArray]:
    """Return singular vectors u (neurons, channels) and m (neurons, positions), at the size best for a penalty.

    Third is the largest singular value of sum_n y_n x_n of each neuron.
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
    # The sign of singular vectors is arbitrary: most of a mask is taken to be positive.
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

    0 where the penalty (neurons,) is 0: of a neuron that nothing predicts.
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
    """Return u and m at equal length, which predict the same, at the smallest sum of their squares."""
    lengths = np.linalg.norm(channels, axis=1), np.linalg.norm(masks, axis=1)
    known = (lengths[0] > 0) & (lengths[1] > 0)
    ratio = np.sqrt(np.divide(lengths[1], lengths[0], out=np.zeros_like(lengths[0]), where=known))[:, None]
    return channels * ratio, np.divide(masks, ratio, out=np.zeros_like(masks), where=ratio > 0)
