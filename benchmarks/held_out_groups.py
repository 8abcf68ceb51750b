"""Simulate how far shared fits underestimate the error of a mean over held-out objects, and the decisions.

Two layers are equally good on average over objects. Fits are ridge regressions (`null_experiments.fitted_on_objects`).
"""

from collections.abc import Iterator

import numpy as np
from null_experiments import fitted_on_objects
from scipy.stats import t

from ventral.statistics.contrasts import LEVEL
from ventral.statistics.groups import group_differences, group_estimates, training_factor

SEED, N_EXPERIMENTS = 2024, 400
ONE_SIZE = {"deviation": 0.0}
DESIGNS = {
    "5 objects of 20 to 120 images": {"n_objects": 5},
    "5 objects of 20 to 120 images, neurons much alike": {"n_objects": 5, "alike": 0.8},
    "5 objects of 10 to 40 images": {"n_objects": 5, "images": (10, 40)},
    "5 objects of 20 images": {"n_objects": 5, "images": (20, 20), **ONE_SIZE},
    "8 objects of 20 to 120 images": {"n_objects": 8},
    "8 objects of 20 to 120 images, neurons much alike": {"n_objects": 8, "alike": 0.8},
    "8 equal objects of 20 images, neurons much alike": {
        "n_objects": 8,
        "images": (20, 20),
        "alike": 0.8,
        "spread": 0.0,
        **ONE_SIZE,
    },
    "12 objects of 10 to 80 images": {"n_objects": 12, "images": (10, 80)},
    "20 objects of 8 images": {"n_objects": 20, "images": (8, 8), **ONE_SIZE},
    "20 objects of 8 to 56 images": {"n_objects": 20, "images": (8, 56)},
    "20 objects of 8 to 56 images, neurons much alike": {"n_objects": 20, "images": (8, 56), "alike": 0.8},
}


def simulate() -> Iterator[dict]:
    """Give a row for each design: the variance over experiments and the shares of decisions."""
    for name, design in DESIGNS.items():
        yield {"ridge fitted": name, **summary(*differences(design, N_EXPERIMENTS))}


def differences(design: dict, n_experiments: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the differences of two layers (experiments, objects), and their variances over neurons (experiments,)."""
    found, of_neurons = [], []
    for k in range(n_experiments):
        estimates = group_estimates(*fitted_on_objects(np.random.default_rng([SEED, k]), **design))
        found.append(group_differences(estimates, 0, 1))
        of_neurons.append(np.square(estimates.neurons[0] - estimates.neurons[1]).sum())
    return np.array(found), np.array(of_neurons)


def summary(found: np.ndarray, of_neurons: np.ndarray) -> dict[str, float]:
    """Return variances of the mean over objects, over those without a factor, and shares decided."""
    n_objects = found.shape[1]
    mean, variance = found.mean(axis=1), found.var(axis=1, ddof=1) / n_objects
    factor = float(training_factor(n_objects))

    def decided(times: float) -> float:
        error = np.sqrt(times * variance + of_neurons)
        return float(np.mean(np.abs(mean) > t.isf(LEVEL, n_objects - 1) * error))

    return {
        "variance": float((np.square(mean).mean() - of_neurons.mean()) / variance.mean()),
        "factor": factor,
        "decided without": decided(1),
        "decided with": decided(factor),
    }
