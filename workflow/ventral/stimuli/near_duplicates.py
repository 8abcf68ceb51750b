"""Stimuli that are nearly the same, such as one file compressed twice, cropped by a pixel or brightened.

Stimuli are compared by outlines, a few hundred numbers each: of images, the grey values of 16 x 16 areas; of other
modalities, values at even distances. Outlines have mean 0 and standard deviation 1. Two stimuli are nearly the same
where their outlines correlate above 0.99 and differ nowhere by more than half a standard deviation. The second rule
tells another small object on the same background, which correlates as highly, from the same stimulus.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ventral.mappings.standardisation import standardised

LEAST_CORRELATION = 0.99
LARGEST_DIFFERENCE = 0.5
ROWS_AT_ONCE = 1024
# More pairs say no more: the set is one of stimuli that are alike.
MOST_PAIRS = 1000


def near_duplicates(names: Sequence[str], digests: Sequence[bytes], outlines: NDArray) -> list[list[str]]:
    """Return the names of pairs of stimuli that are nearly the same, and not equal.

    Parameters
    ----------
    names, digests : sequences of n
        Name, and SHA-256 of the content, of each stimulus.
    outlines : (n, p) array
        Of each stimulus, as its modality has it. A constant outline is like no other.

    Returns
    -------
    list of [str, str]
        In the order of the stimuli; the first thousand.
    """
    units = standardised(outlines.T.astype(np.float64)).T.astype(np.float32)
    pairs: list[list[str]] = []
    for start in range(0, len(units), ROWS_AT_ONCE):
        block = units[start : start + ROWS_AT_ONCE]
        correlations = block @ units[start:].T / units.shape[1]
        first, second = np.nonzero(np.triu(correlations > LEAST_CORRELATION, k=1))
        for i, j in zip(first + start, second + start, strict=True):
            if len(pairs) == MOST_PAIRS:
                return pairs
            if digests[i] != digests[j] and np.abs(units[i] - units[j]).max() < LARGEST_DIFFERENCE:
                pairs.append([names[i], names[j]])
    return pairs
