"""Near-duplicates among stimuli, such as one image compressed twice, cropped by a pixel or brightened.

Stimuli are compared by outlines of a few hundred numbers each. The outline of an image has the grey values of 16 x 16
areas; other modalities use evenly spaced values. Outlines have mean 0 and standard deviation 1. Two stimuli are nearly
the same if their outlines correlate above 0.99 and differ nowhere by more than half a standard deviation. The second
rule excludes pairs with different small objects on the same background, which correlate as highly.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ventral.mappings.standardisation import standardised

LEAST_CORRELATION = 0.99
LARGEST_DIFFERENCE = 0.5
ROWS_AT_ONCE = 1024
# Further pairs add nothing, because all stimuli of such a set are similar.
MOST_PAIRS = 1000


def near_duplicates(names: Sequence[str], digests: Sequence[bytes], outlines: NDArray) -> list[list[str]]:
    """Return the names of pairs of stimuli that are nearly the same, and not equal.

    Parameters
    ----------
    names, digests : sequences of n
        Name, and SHA-256 of the content, of each stimulus.
    outlines : (n, p) array
        Outline of each stimulus, as its modality defines it. A constant outline resembles no other.

    Returns
    -------
    list of [str, str]
        The first thousand pairs, in the order of the stimuli.
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
