"""Compare labels read by a linear support vector machine with one C for all layers, and with C chosen in training.

A layer of few dimensions is read best with a small C, and one of many dimensions with a large C. One C for all layers
therefore decides their order.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ventral.mappings.svm import COSTS, balanced_accuracy, chosen_costs, svm_predictions

SEED, N_EXPERIMENTS = 2024, 20
N_LABELS, OF_EACH, N_FOLDS = 8, 40, 5
# Dimensions of a layer, and how far means of labels lie apart.
LAYERS = {
    "few dimensions (20)": (20, 0.5),
    "many dimensions (300)": (300, 0.2),
    "nothing to read (20)": (20, 0.0),
}


def simulate() -> Iterator[dict]:
    """Give the mean balanced accuracy of each layer with each C, and with C chosen within training."""
    for name, layer in LAYERS.items():
        found = [_accuracies(np.random.default_rng([SEED, k]), *layer) for k in range(N_EXPERIMENTS)]
        costs = [*(f"C = {cost:g}" for cost in COSTS), "C chosen"]
        yield {"layer": name, **dict(zip(costs, np.mean(found, axis=0).tolist(), strict=True))}


def _accuracies(rng: np.random.Generator, n_dimensions: int, distance: float) -> NDArray[np.float64]:
    labels = np.repeat(np.arange(N_LABELS), OF_EACH)
    # Most of the variance lies in few dimensions.
    spread = 1 / np.sqrt(np.arange(1, n_dimensions + 1))
    means = distance * spread.mean() * rng.standard_normal((N_LABELS, n_dimensions))
    features = means[labels] + spread * rng.standard_normal((len(labels), n_dimensions))
    folds, gram = np.array_split(rng.permutation(len(labels)), N_FOLDS), features @ features.T
    costs = [*(np.full(N_FOLDS, cost) for cost in COSTS), chosen_costs(gram, labels, folds)]
    return np.array([balanced_accuracy(labels, svm_predictions(gram, labels, folds, of), folds) for of in costs])
