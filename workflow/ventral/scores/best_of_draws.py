"""Choose the best layer of each target on half of the random draws of test sets, and score it on the others.

As Tuckute et al. 2023 (PLoS Biology 21:e3002366), ten random halves of the draws choose in turn. The draws overlap, so
some of the flattery of a choice among layers remains.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ventral.scores.table import OF_DRAWS

ITERATIONS = 10


def with_best_of_draws(table: pd.DataFrame, keys: Sequence[str], seed: int) -> pd.DataFrame:
    """Add the columns `share_best` and `r_squared_best` to the rows of all layers of a model.

    `share_best` is the share of the iterations that chose the layer for the target. `r_squared_best` is the mean over
    these iterations of the layer's median r squared in the other draws, NaN if none chose it. Both are NaN for rows
    without draws. The score of the best layer is the sum of their products over layers.

    Parameters
    ----------
    table : DataFrame
        Rows with `layer` and the columns `keys`, and with `OF_DRAWS` from `ventral.scores.table.median_over_draws`.
    keys : sequence of str
        Columns that identify a target of a split.
    seed : int
        Seed of the halves, which all targets share.
    """
    if OF_DRAWS not in table:
        return table
    table = table.assign(share_best=np.nan, r_squared_best=np.nan)
    known = table[table[OF_DRAWS].notna()]
    for _, rows in known.groupby(known[OF_DRAWS].map(len)):
        layers, targets = rows["layer"].factorize()[0], rows.groupby(list(keys), sort=False, dropna=False).ngroup()
        draws = np.stack(rows[OF_DRAWS].to_list())
        cube = np.full((layers.max() + 1, targets.max() + 1, draws.shape[1]), np.nan)
        cube[layers, targets] = draws
        shares, scores = chosen_on_halves(cube, seed)
        table.loc[rows.index, "share_best"] = shares[layers, targets]
        table.loc[rows.index, "r_squared_best"] = scores[layers, targets]
    return table.drop(columns=OF_DRAWS)


def chosen_on_halves(draws: NDArray[np.float64], seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how often each layer was chosen for each target, and its mean score in the other draws.

    Parameters
    ----------
    draws : (layers, targets, draws) array
        Scores; NaN if missing. Two draws or more.
    seed : int
        Iteration k permutes the draws by NumPy's generator with the seed (seed, k). The first half of them chooses.

    Returns
    -------
    shares, scores : (layers, targets) arrays
        The first of equal layers is chosen. A target without a known score has shares of 0. Scores are NaN for layers
        that were never chosen. Medians above 1, of corrected scores, count as 1, as published.
    """
    counts, sums = np.zeros(draws.shape[:2]), np.zeros(draws.shape[:2])
    for iteration in range(ITERATIONS):
        order = np.random.default_rng([seed, iteration]).permutation(draws.shape[2])
        first, others = np.split(order, [len(order) // 2])
        medians = np.median(draws[:, :, first], axis=2)
        best = np.where(np.isnan(medians), -np.inf, medians).argmax(axis=0)
        known = np.flatnonzero(~np.isnan(medians).all(axis=0))
        chosen = best[known], known
        counts[chosen] += 1
        sums[chosen] += np.minimum(np.median(draws[*chosen][:, others], axis=1), 1)
    return counts / ITERATIONS, np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
