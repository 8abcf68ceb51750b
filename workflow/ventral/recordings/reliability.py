"""Reliability of each neuroid's responses, which limits the predictions of any model."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ventral.recordings.noise import alike

VALUES_AT_ONCE = 2**21


def split_half_reliability(
    responses: NDArray[np.float64], n_splits: int = 100, seed: int = 0, folds: Sequence[NDArray[np.intp]] | None = None
) -> NDArray[np.float64]:
    """Return the reliability of every neuroid's mean response.

    For each split, the repetitions of a stimulus are dealt at random into two halves, of which the first has
    floor(count / 2). Pearson's r between the means of the halves is computed over the stimuli with at least two
    repetitions, and averaged over splits. The formula `2 r / (1 + r)` corrects r to the full number of repetitions
    (Spearman 1910 and Brown 1910, British Journal of Psychology 3:271 and 3:296).

    All neuroids share the random keys of a split. So the value of a neuroid does not depend on other neuroids, nor on
    their order.

    Parameters
    ----------
    responses : (repetitions, n, neuroids) array
        Finite, or NaN where a stimulus was not shown.
    n_splits : int
        Number of random splits.
    seed : int
        Seed of the keys: split k uses NumPy's generator with the seed (seed, k).
    folds : sequence of integer arrays, optional
        Stimuli of each held-out fold. r is then computed within each fold, and averaged over the folds with any
        stimulus shown to the neuroid. The result is the ceiling of an r of predictions that is averaged over folds.
        Within a fold, such as one object, responses vary less than over all stimuli, and are less reliable.

    Returns
    -------
    (neuroids,) array
        NaN without repeated stimuli, and if a half of a split has the same mean for every stimulus. With folds, NaN if
        that holds in any fold.
    """
    repetitions, n_stimuli, n_neuroids = responses.shape
    shown = ~np.isnan(responses)
    sum_of_r = np.zeros(n_neuroids)
    groups = list(alike(responses))
    for splits in _blocks(n_splits, repetitions * n_stimuli):
        order = np.stack(
            [
                np.argsort(np.random.default_rng([seed, split]).random((repetitions, n_stimuli)), axis=0)
                for split in splits
            ]
        )
        for neuroids in groups:
            counts = shown[:, :, neuroids[0]].sum(axis=0)
            stimuli = np.flatnonzero(counts >= 2)
            shown_folds = [fold for fold in folds if counts[fold].any()] if folds is not None else [stimuli]
            parts = [np.flatnonzero(np.isin(stimuli, fold)) for fold in shown_folds]
            if not parts or not all(map(len, parts)):
                sum_of_r[neuroids] = np.nan
                continue
            half = _half(shown[:, stimuli, neuroids[0]], order[:, :, stimuli])
            for block in _blocks(len(neuroids), max(repetitions, len(splits)) * len(stimuli)):
                chosen = neuroids[block]
                sum_of_r[chosen] += _r_of_halves(responses[:, stimuli[:, None], chosen], half, parts).sum(axis=0)
    r = sum_of_r / n_splits
    return np.divide(2 * r, 1 + r, out=np.full(n_neuroids, np.nan), where=1 + r > 1e-9)


def means_of_halves(
    responses: NDArray[np.float64], n_splits: int, seed: int = 0
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Yield the mean responses of a population in two random halves of the repetitions, for each of several splits.

    A repetition is in the same half for all neuroids, so shared noise is in one half only.

    Parameters
    ----------
    responses : (repetitions, n, neuroids) array
        NaN where a stimulus was not shown.
    n_splits, seed : int
        As for `split_half_reliability`, with the same keys. The repetitions shown to any neuroid are sorted by the
        keys, and the first floor(count / 2) are the first half.

    Yields
    ------
    first, second : (n, neuroids) arrays
        NaN where a neuroid has no repetition in that half.
    """
    shown = ~np.isnan(responses)
    values = np.where(shown, responses, 0)
    for half in random_halves(shown.any(axis=2), n_splits, seed):
        means = []
        for chosen in (half, ~half):
            counts = (shown & chosen[:, :, None]).sum(axis=0)
            sums = (values * chosen[:, :, None]).sum(axis=0)
            means.append(np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0))
        yield means[0], means[1]


def random_halves(shown: NDArray[np.bool_], n_splits: int, seed: int) -> Iterator[NDArray[np.bool_]]:
    """Yield the first half (repetitions, n) of the repetitions shown (repetitions, n), as in `means_of_halves`."""
    for split in range(n_splits):
        order = np.argsort(np.random.default_rng([seed, split]).random(shown.shape), axis=0)
        yield _half(shown, order[None])[0]


def _blocks(count: int, values_each: int) -> list[NDArray[np.intp]]:
    size = max(1, VALUES_AT_ONCE // max(1, values_each))
    return [np.arange(start, min(start + size, count)) for start in range(0, count, size)]


def _half(shown: NDArray[np.bool_], order: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Return the repetitions of the smaller half: the first floor(count / 2) of those shown, in random order.

    Parameters
    ----------
    shown : (repetitions, n) array
    order : (splits, repetitions, n) array
        Repetitions in random order, for each split and stimulus.

    Returns
    -------
    (splits, repetitions, n) array
    """
    in_order = np.take_along_axis(np.broadcast_to(shown, order.shape), order, axis=1)
    first = in_order & (np.cumsum(in_order, axis=1) <= shown.sum(axis=0) // 2)
    half = np.empty_like(first)
    np.put_along_axis(half, order, first, axis=1)
    return half


def _r_of_halves(
    responses: NDArray[np.float64], half: NDArray[np.bool_], parts: Sequence[NDArray[np.intp]]
) -> NDArray[np.float64]:
    """Return Pearson's r between the two halves' means, within each part of the stimuli, averaged over parts.

    Parameters
    ----------
    responses : (repetitions, n, neuroids) array
        Responses to stimuli with at least two repetitions, the same for all neuroids.
    half : (splits, repetitions, n) array
        True for repetitions in the smaller half.
    parts : sequence of integer arrays
        Stimuli of each part.

    Returns
    -------
    (splits, neuroids) array
        NaN where a half does not vary over the stimuli of a part.
    """
    shown = ~np.isnan(responses[:, :, 0])
    # Deviations from the neuroid's mean lose no digits when a half is subtracted from the total.
    deviations = responses - np.nanmean(responses, axis=(0, 1))
    values = np.where(shown[:, :, None], deviations, 0).transpose(1, 0, 2)
    total = np.zeros((half.shape[0], responses.shape[2]))
    for part in parts:
        chosen = half[:, :, part].transpose(2, 0, 1)
        first = chosen.astype(float) @ values[part]
        others = values[part].sum(axis=1)[:, None] - first
        counts = shown[:, part].sum(axis=0)
        # r is the same of sums as of means where all stimuli have the same number of repetitions.
        if (counts != counts[0]).any():
            n_first = chosen.sum(axis=2)[:, :, None]
            first /= n_first
            others /= counts[:, None, None] - n_first
        total += _correlation(first, others)
    return total / len(parts)


def _correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return Pearson's r (splits, neuroids) of values (n, splits, neuroids), which are centred in place.

    NaN where the values of either are the same for all n.
    """
    for values in (a, b):
        values -= values.mean(axis=0)
    products, *squares = (np.einsum("nsk,nsk->sk", *pair) for pair in ((a, b), (a, a), (b, b)))
    lengths = [np.sqrt(np.where(square > 0, square, np.nan)) for square in squares]
    return products / lengths[0] / lengths[1]
