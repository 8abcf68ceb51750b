"""The noise of every neuroid's response to every stimulus, from the variance over repetitions."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ventral.mappings.standardisation import varies

VALUES_AT_ONCE = 2**18
# Smallest number of repeated stimuli for fitting a line of variance on mean.
FEWEST_ON_LINE = 5
# Smallest share of present responses in all repetitions for which a repetition can be a block.
FULL_PRESENCE = 0.9


@dataclass(frozen=True)
class Noise:
    """Mean responses and the noise in them.

    Attributes
    ----------
    means : (n, neuroids) array
        Means over the repetitions of a stimulus; NaN where it was not shown.
    counts : (n, neuroids) integer array
        Numbers of repetitions.
    variances : (n, neuroids) array
        Variance of one response over repetitions. For a stimulus shown once, the variance expected from other stimuli.
        NaN where the stimulus was not shown, and for neuroids without repeated stimuli.
    degrees_of_freedom : (neuroids,) array
        Degrees of freedom of all variances of a neuroid together.
    n_repeated : (neuroids,) integer array
        Number of stimuli with at least two repetitions.
    on_line : (neuroids,) boolean array
        True if stimuli shown once get the variance of a line, False for the pooled variance.
    squares : (n, neuroids) array
        Sum of squared deviations of a stimulus's responses from their mean, drifts of repetitions included.
    """

    means: NDArray[np.float64]
    counts: NDArray[np.intp]
    variances: NDArray[np.float64]
    degrees_of_freedom: NDArray[np.float64]
    n_repeated: NDArray[np.intp]
    on_line: NDArray[np.bool_]
    squares: NDArray[np.float64]

    @property
    def variances_of_means(self) -> NDArray[np.float64]:
        """Noise variance of each mean response (n, neuroids)."""
        return np.divide(self.variances, self.counts, out=np.full(self.means.shape, np.nan), where=self.counts > 0)

    def taken(self, neuroids: NDArray[np.intp]) -> "Noise":
        """Return the noise of some neuroids, by their indices."""
        return Noise(
            self.means[:, neuroids],
            self.counts[:, neuroids],
            self.variances[:, neuroids],
            self.degrees_of_freedom[neuroids],
            self.n_repeated[neuroids],
            self.on_line[neuroids],
            self.squares[:, neuroids],
        )

    def expected_from(self, stimuli: NDArray[np.intp]) -> "Noise":
        """Return the noise with expected variances of stimuli shown once, estimated from repeated ones among `stimuli`.

        Estimates from disjoint stimuli have independent errors.
        """
        weights = np.zeros(self.counts.shape)
        weights[stimuli] = np.maximum(self.counts[stimuli] - 1, 0)
        once = self.counts == 1
        expected, on_line = _expected_variances(self.means, self.variances, weights, once)
        return replace(self, variances=np.where(once, expected, self.variances), on_line=on_line)


def repetitions_are_blocks(responses: NDArray) -> bool:
    """Tell whether nearly every stimulus has a response in nearly every repetition, so that repetitions can be blocks.

    A drift that all stimuli of a repetition share adds to the variance over repetitions, but not to differences between
    mean responses. Its removal costs one degree of freedom for each repetition.

    Parameters
    ----------
    responses : (repetitions, n, neuroids) array
        NaN where a stimulus was not shown.
    """
    shown = sum(np.count_nonzero(~np.isnan(repetition)) for repetition in responses)
    ever = np.zeros(responses.shape[1:], dtype=bool)
    for repetition in responses:
        ever |= ~np.isnan(repetition)
    return len(responses) > 1 and shown >= FULL_PRESENCE * len(responses) * np.count_nonzero(ever)


def noise_of(responses: NDArray, blocks: bool) -> Noise:
    """Return the noise of responses.

    The variance over the m repetitions of a stimulus divides by m - 1. With blocks, the effect of each repetition is
    first removed by least squares on stimuli and repetitions. The lost degrees of freedom are shared by all stimuli. If
    n stimuli are all shown m times, each keeps (m - 1)(n - 1) / n degrees of freedom.

    Parameters
    ----------
    responses : (repetitions, n, neuroids) array
        NaN where a stimulus was not shown.
    blocks : bool
        True if a repetition is a block of trials whose mean drifts, as by `repetitions_are_blocks`.
    """
    none = np.zeros((responses.shape[0], responses.shape[2]))
    counts, means, with_drifts, sums = _spread(responses, none)
    squares = with_drifts
    beyond_first = np.maximum(counts - 1, 0)
    degrees = beyond_first.sum(axis=0).astype(float)
    if blocks:
        effects, removed = _repetition_effects(responses, counts, sums)
        squares = _spread(responses, effects)[2]
        degrees = degrees - removed
    kept = np.divide(degrees, beyond_first.sum(axis=0), out=np.zeros(degrees.shape), where=degrees > 0)
    freedom = beyond_first * kept
    variances = np.divide(squares, freedom, out=np.full(squares.shape, np.nan), where=freedom > 0)
    once = counts == 1
    expected, on_line = _expected_variances(means, variances, freedom, once)
    variances = np.where(once, expected, variances)
    return Noise(means, counts, variances, degrees, (counts > 1).sum(axis=0), on_line, with_drifts)


def _blocks_of_stimuli(responses: NDArray) -> Iterator[slice]:
    repetitions, n, neuroids = responses.shape
    size = max(1, VALUES_AT_ONCE // max(1, repetitions * neuroids))
    yield from (slice(start, start + size) for start in range(0, n, size))


def _spread(responses: NDArray, effects: NDArray) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """Return statistics of responses after subtracting the effects (repetitions, neuroids) of repetitions.

    Returns
    -------
    counts, means, squares : (n, neuroids) arrays
        Squares are sums of squared deviations from the stimuli's means.
    sums : (repetitions, neuroids) array
        Sums of these deviations over stimuli.
    """
    counts, means, squares = (np.empty(responses.shape[1:], dtype) for dtype in (np.intp, float, float))
    sums = np.zeros_like(effects)
    for part in _blocks_of_stimuli(responses):
        counts[part], means[part], deviations = _deviations(responses[:, part] - effects[:, None])
        squares[part] = np.einsum("rsk,rsk->sk", deviations, deviations)
        sums += deviations.sum(axis=1)
    return counts, means, squares, sums


def _deviations(values: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """Return counts and means (n, neuroids) of values (repetitions, n, neuroids), and deviations, 0 where NaN."""
    shown = ~np.isnan(values)
    counts = np.count_nonzero(shown, axis=0)
    sums = np.sum(values, axis=0, where=shown)
    means = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    values -= means
    values[~shown] = 0
    return counts, means, values


def _repetition_effects(responses: NDArray, counts: NDArray, sums: NDArray) -> tuple[NDArray, NDArray]:
    """Return the effects of repetitions (repetitions, neuroids), and the degrees of freedom (neuroids,) they cost.

    Let A (n, repetitions) be 1 where a stimulus was shown, and c its row sums. Let g be the sums over stimuli of
    deviations from the stimuli's means. The effects b solve `(diag(A^T 1) - A^T diag(1/c) A) b = g`.
    """
    effects, removed = np.zeros_like(sums), np.zeros(responses.shape[2])
    for neuroids in alike(responses):
        shown = ~np.isnan(responses[:, :, neuroids[0]])
        shares = shown / np.maximum(counts[:, neuroids[0]], 1)
        normal = np.diag(shown.sum(axis=1)) - shown.astype(float) @ shares.T
        effects[:, neuroids] = np.linalg.pinv(normal, rcond=1e-10, hermitian=True) @ sums[:, neuroids]
        removed[neuroids] = np.linalg.matrix_rank(normal, rtol=1e-10, hermitian=True)
    return effects, removed


def alike(responses: NDArray) -> Iterator[NDArray[np.intp]]:
    """Yield groups of neuroids to which the same repetitions of the same stimuli were shown."""
    packed = np.concatenate([np.packbits(~np.isnan(repetition), axis=0) for repetition in responses])
    groups: dict[bytes, list[int]] = {}
    for neuroid, pattern in enumerate(np.ascontiguousarray(packed.T)):
        groups.setdefault(pattern.tobytes(), []).append(neuroid)
    yield from map(np.array, groups.values())


def _expected_variances(means: NDArray, variances: NDArray, weights: NDArray, once: NDArray) -> tuple[NDArray, NDArray]:
    """Return expected variances (n, neuroids) of stimuli shown once, and whether they come from a line.

    The line of variance on mean is fitted for each neuroid with the degrees of freedom as weights. With fewer repeated
    stimuli than `FEWEST_ON_LINE`, or with equal means, the pooled variance is used instead.

    The line can be negative at the weakest responses, while its sum over stimuli is unbiased. So negative values become
    0, and the others are scaled to the same sum. Clipping alone overestimates noise: at 0.3 spikes a perfect model's
    score would be 1.2 instead of 1.02.
    """
    used = weights > 0
    total = weights.sum(axis=0)
    some = np.where(total > 0, total, np.nan)
    means, measured = np.where(used | once, means, 0), np.where(used, variances, 0)
    centre, pooled = (weights * means).sum(axis=0) / some, (weights * measured).sum(axis=0) / some
    deviations = means - centre
    spread, size = ((weights * part**2).sum(axis=0) for part in (deviations, means))
    on_line = (used.sum(axis=0) >= FEWEST_ON_LINE) & varies(np.sqrt(spread), np.sqrt(size))
    products = (weights * deviations * measured).sum(axis=0)
    slope = np.divide(products, spread, out=np.zeros(spread.shape), where=on_line)
    line = np.where(once, pooled + slope * deviations, 0)
    positive = np.maximum(line, 0)
    wanted, given = np.maximum(line.sum(axis=0), 0), positive.sum(axis=0)
    return positive * np.divide(wanted, given, out=np.ones(given.shape), where=given > 0), on_line
