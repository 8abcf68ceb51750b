"""Tables of influences as `fit` writes them, of made-up predictions."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ventral.statistics.influence_table import Compared, influence_rows, panels_of, write_influences
from ventral.targets.splits import Split
from ventral.targets.values import Targets

SHA256 = "a" * 64
# By the beginning of a model's name.
FAMILIES = ("pretrained", "trained", "untrained", "permuted", "checkpoint", "unknown", "fitted")


def family(model: str) -> str:
    return next((name for name in FAMILIES if model.startswith(name)), "classical")


def neurons(responses: NDArray, area: str = "IT", reliability: float = np.nan, time_bin: str = "") -> Targets:
    n = responses.shape[1]
    names = np.array([f"n{k}" for k in range(n)])
    return Targets(
        responses,
        np.full(n, "neuron"),
        names,
        np.full(n, area),
        np.full(n, reliability),
        np.full(n, time_bin),
    )


def property_of_stimuli(values: NDArray, name: str) -> Targets:
    return Targets(values[:, None], np.array(["property"]), np.array([name]), np.array([""]), np.array([np.nan]))


def write_table(
    path: Path,
    predictions: Mapping[tuple[str, str, float], NDArray],
    targets: Targets,
    folds: Sequence[NDArray],
    split: str = "stimuli",
    group_names: Sequence[str] = (),
    threshold: float = 0.1,
    animals: Mapping[str, str] | None = None,
    mapping: str = "ridge",
    sha256: str = SHA256,
    recording: str = "rec",
    in_first_fold: bool = False,
) -> Path:
    """Write the influences of layers, given the predictions (n, K) of each model, layer and depth."""
    held_out = Split(split, folds, groups=tuple(group_names))
    panels = Compared(split, targets, panels_of(targets, held_out, threshold, animals or {}), sha256)
    panels = panels.in_first_fold(folds[0]) if in_first_fold else panels
    rows = [
        row | {"model": model, "family": family(model), "layer": layer, "depth": depth}
        for (model, layer, depth), predicted in predictions.items()
        for row in influence_rows([(predicted, targets, np.arange(len(predicted)))], panels, mapping)
    ]
    write_influences(pd.DataFrame(rows).assign(recording=recording, stimuli="set"), path)
    return path


def layers_of_scores(scores: Mapping[tuple[str, str, float], float], n: int = 200, n_neurons: int = 20, seed: int = 0):
    """Return predictions of layers with given correlations, responses (n, K), and five folds."""
    rng = np.random.default_rng(seed)
    responses, common = rng.standard_normal((2, n, n_neurons))
    predictions = {}
    for layer, score in scores.items():
        error = np.sqrt(0.7) * common + np.sqrt(0.3) * rng.standard_normal((n, n_neurons))
        predictions[layer] = score * responses + np.sqrt(1 - score**2) * error
    return predictions, responses, np.array_split(rng.permutation(n), 5)
