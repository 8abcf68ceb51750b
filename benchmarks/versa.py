"""Simulate veRSA of features that are unrelated to the responses, which should score 0 on average.

Folds are random, or categories whose responses share a pattern of different strength. Correlations are
over all pairs of stimuli, over pairs of the same fold taken together, or means over folds. `versa` uses the last.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import pdist, squareform
from scipy.stats import spearmanr

from ventral.mappings.ridge import nested_ridge

EXPERIMENTS = 300
SEED = 100
FOLDS, PER_FOLD, NEURONS, FEATURES = 5, 12, 40, 200
PENALTIES = np.array([1e-3, 1e-1, 1, 10])


def experiment(seed: int, categories: bool) -> tuple[float, float, float]:
    """Return Spearman's r of predicted with measured dissimilarities, in the three ways."""
    rng = np.random.default_rng(seed)
    n = FOLDS * PER_FOLD
    fold_of = np.repeat(np.arange(FOLDS), PER_FOLD)
    responses = rng.normal(size=(n, 8)) @ rng.normal(size=(8, NEURONS)) + rng.normal(size=(n, NEURONS))
    patterns, strengths = rng.normal(size=(FOLDS, NEURONS)), rng.uniform(0, 2, FOLDS)
    if categories:
        responses += 1.5 * (strengths[:, None] * patterns)[fold_of]
    features = rng.normal(size=(n, FEATURES))
    scale = np.square(features - features.mean(axis=0)).sum() / n
    folds = [np.flatnonzero(fold_of == fold) for fold in range(FOLDS)]
    predictions = nested_ridge(features @ features.T, responses, folds, scale * PENALTIES).predictions
    measured, predicted = (
        squareform(pdist((values - responses.mean(axis=0)) / responses.std(axis=0), "correlation"))
        for values in (responses, predictions)
    )
    pairs = np.triu_indices(n, 1)
    same = fold_of[pairs[0]] == fold_of[pairs[1]]
    together = tuple(pair[same] for pair in pairs)
    of_folds = [
        _compared(measured, predicted, tuple(pair[fold_of[pair] == k] for pair in together)) for k in range(FOLDS)
    ]
    return _compared(measured, predicted, pairs), _compared(measured, predicted, together), np.mean(of_folds)


def _compared(measured: NDArray, predicted: NDArray, pairs: tuple[NDArray, NDArray]) -> float:
    return spearmanr(measured[pairs], predicted[pairs]).statistic


def main() -> None:
    for categories in (False, True):
        found = np.array([experiment(SEED + k, categories) for k in range(EXPERIMENTS)])
        ways = zip(("all pairs", "same fold, together", "mean over folds"), found.mean(axis=0), strict=True)
        error = found.std(axis=0).max() / np.sqrt(EXPERIMENTS)
        folds = "categories" if categories else "random"
        print(f"{folds} folds: {', '.join(f'{way} {value:.3f}' for way, value in ways)} (errors up to {error:.3f})")


if __name__ == "__main__":
    main()
