"""Order of the axes in an array of responses, and signs that the order is wrong."""

import warnings
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ventral.errors import InputError

NEUROID, STIMULUS, REPETITION, TIME_BIN = AXES = ("neuroid", "stimulus", "repetition", "time_bin")
# Axis of arrays that belong to a trial table.
PRESENTATION = "presentation"
PLURALS = dict(zip(AXES, ("neuroids", "stimuli", "repetitions", "bins of time"), strict=True))
PLURALS[PRESENTATION] = "presentations"
STIMULI_COMPARED = 100
# In recordings of neurons, means vary more than 3 times as much over neuroids as over repetitions (shares of variance).
CLEARLY, NEGLIGIBLE = 3.0, 0.1
# Means that differ by less than this share of the standard deviation are the same.
SAME = 1e-3
FEWEST_NEUROIDS = 2


def axes_of(spec: dict, n_axes: int, key: str) -> list[str]:
    """Return the names of an array's axes, in order.

    Parameters
    ----------
    spec : dict
        A recording; `axes` names them, or they are the first of `AXES`.
    n_axes : int
        Number of axes of the array.
    key : str
        Config key of `spec`, for messages.

    Raises
    ------
    InputError
        If `axes` lacks neuroids or stimuli, or does not name every axis of the array.
    """
    axes = list(spec.get("axes") or AXES[:n_axes])
    if PRESENTATION in axes:
        raise InputError(
            f"{key}.axes: an axis `{PRESENTATION}` needs a table of which stimulus each one was of; give it as `trials`"
        )
    for name in (NEUROID, STIMULUS):
        if name not in axes:
            raise InputError(
                f"{key}.axes: no `{name}` in {axes}; responses have an axis of neuroids and one of stimuli"
            )
    if len(axes) != n_axes:
        raise InputError(
            f"{key}.axes: {len(axes)} axes, {', '.join(axes)}, where {spec['responses']} has {n_axes}; name each axis "
            f"once, in the order of the array"
        )
    return axes


def in_order(array: NDArray, axes: Sequence[str]) -> NDArray:
    """Return an array as (neuroids, stimuli, repetitions, bins of time), with length 1 for missing axes."""
    present = [name for name in AXES if name in axes]
    ordered = array.transpose([axes.index(name) for name in present])
    return np.expand_dims(ordered, [AXES.index(name) for name in AXES if name not in axes])


def read_as(shape: Sequence[int], axes: Sequence[str]) -> str:
    """Return a shape in words, with the name of each axis."""
    return " x ".join(f"{size} {PLURALS[name]}" for size, name in zip(shape, axes, strict=True))


def line_of(axes: Sequence[str]) -> str:
    """Return the line of the config that gives an order of axes."""
    return f"`axes: [{', '.join(axes)}]`"


def exchanged(axes: Sequence[str], one: str, other: str) -> list[str]:
    """Return the axes with two of them exchanged."""
    return [{one: other, other: one}.get(name, name) for name in axes]


def with_stimuli_elsewhere(shape: Sequence[int], axes: Sequence[str], n_stimuli: int) -> list[str] | None:
    """Return the order of axes in which a shape would have a given number of stimuli; None without such an order.

    The longer of the other two axes is taken as that of neuroids.
    """
    places = [place for place, size in enumerate(shape) if size == n_stimuli and axes[place] != TIME_BIN]
    if not places:
        return None
    found = exchanged(axes, STIMULUS, axes[places[0]])
    if REPETITION in found and shape[found.index(REPETITION)] > shape[found.index(NEUROID)]:
        found = exchanged(found, NEUROID, REPETITION)
    return found


def doubts(responses: NDArray, axes: Sequence[str]) -> Iterator[str]:
    """Yield signs that an array whose axes have no names was read in the wrong order.

    Parameters
    ----------
    responses : (neuroids, n, repetitions) array of numbers
        Responses as they were read; NaN where not shown.
    axes : sequence of str
        Order of the axes in the file.
    """
    sizes = dict(zip((NEUROID, STIMULUS, REPETITION), responses.shape, strict=True))
    for name in (NEUROID, REPETITION):
        if name in axes and sizes[name] == sizes[STIMULUS]:
            yield f"there are as many {PLURALS[name]} as stimuli; {_choice(axes, name, STIMULUS)}"
    if REPETITION in axes and _look_exchanged(responses):
        yield (
            f"what should be repetitions differ as neurons do, and what should be neuroids are alike, as repetitions "
            f"are; {_choice(axes, NEUROID, REPETITION)}"
        )


def copies(responses: NDArray) -> int:
    """Return the number of repetitions that copy the one before: equal wherever both are known, and not constant.

    Parameters
    ----------
    responses : (neuroids, n, repetitions) array of numbers
        NaN where not shown.
    """
    compared = np.linspace(0, responses.shape[1] - 1, min(responses.shape[1], STIMULI_COMPARED)).astype(int)
    values = np.array(responses[:, np.unique(compared)], dtype=np.float64)
    first, second = values[:, :, :-1], values[:, :, 1:]
    known = np.isfinite(first) & np.isfinite(second)
    equal = ((first == second) | ~known).all(axis=(0, 1)) & known.any(axis=(0, 1))
    spread = [np.ptp(values[:, :, k][np.isfinite(values[:, :, k])]) > 0 for k in np.flatnonzero(equal)]
    return int(sum(spread))


def _choice(axes: Sequence[str], one: str, other: str) -> str:
    return f"if the order is another, say {line_of(exchanged(axes, one, other))}; if it is this one, {line_of(axes)}"


def _look_exchanged(responses: NDArray) -> bool:
    """Tell whether neuroids are similar, as repetitions should be, and repetitions differ, as neuroids should.

    Mean responses differ between neuroids, unless each neuroid was standardised. More repetitions than neuroids are
    unusual, and then preferences of neuroids count too. A neuroid prefers the same stimuli in every repetition. This
    similarity exceeds that between neuroids in one repetition.
    """
    n_neuroids, n_stimuli, n_repetitions = responses.shape
    if n_neuroids < FEWEST_NEUROIDS:
        return False
    compared = np.unique(np.linspace(0, n_stimuli - 1, min(n_stimuli, STIMULI_COMPARED)).astype(int))
    values = np.array(responses[:, compared], dtype=np.float64)
    values[~np.isfinite(values)] = np.nan
    by_chance = NEGLIGIBLE + CLEARLY / (n_neuroids * len(compared))
    with warnings.catch_warnings():
        # Stimuli that were not shown have no mean, of which NumPy warns.
        warnings.simplefilter("ignore", RuntimeWarning)
        if _difference_of_means(values, 2) > max(by_chance, CLEARLY * _difference_of_means(values, 0)):
            return True
        if n_repetitions <= n_neuroids or _have_the_same_mean(responses):
            return False
        return _in_common(values, 2, over=0) > max(by_chance, CLEARLY * _in_common(values, 0, over=2))


def _have_the_same_mean(responses: NDArray) -> bool:
    """Tell whether all neuroids have the same mean, as after standardising each."""
    means = [np.nanmean(of_neuroid, dtype=np.float64) for of_neuroid in responses]
    return np.nanstd(means) < SAME * np.nanmean([np.nanstd(of_neuroid, dtype=np.float64) for of_neuroid in responses])


def _difference_of_means(values: NDArray[np.float64], axis: int) -> float:
    """Return the variance of means along an axis, as a share of the variance of all values."""
    others = tuple(other for other in range(3) if other != axis)
    # Differences within a stimulus do not depend on which other stimuli were shown.
    means = np.nanmean(values - np.nanmean(values, axis=axis, keepdims=True), axis=others)
    return float(np.nanvar(means) / np.nanvar(values))


def _in_common(values: NDArray[np.float64], axis: int, over: int) -> float:
    """Return the share of the variance along an axis that is the same over another axis: a mean correlation."""
    deviations = values - np.nanmean(values, axis=axis, keepdims=True)
    counts = np.isfinite(deviations).sum(axis=over)
    squares = np.nansum(deviations**2)
    of_pairs = np.nansum(np.nansum(deviations, axis=over) ** 2 - np.nansum(deviations**2, axis=over))
    return float(of_pairs / (counts * (counts - 1)).sum() / (squares / counts.sum()))
