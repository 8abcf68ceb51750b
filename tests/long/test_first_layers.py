"""Filters that are learned from photographs are like those of V1, and those before learning are not."""

import numpy as np
import pandas as pd
from skimage import data
from sklearn.decomposition import FastICA

from ventral.scores.first_layers import fitted_filters
from ventral.statistics.v1 import ALL, LIKE_V1, filter_distances
from ventral.tables import write_parquet

SIDE, N_FILTERS, N_PATCHES = 11, 64, 6000
PHOTOGRAPHS = ("astronaut", "coffee", "chelsea", "rocket")
# Degrees of an input of 224 pixels.
DEGREES = 8


def patches() -> np.ndarray:
    """Patches of grey photographs, each with mean 0."""
    rng = np.random.default_rng(0)
    found = []
    for name in PHOTOGRAPHS:
        image = getattr(data, name)().mean(axis=2)
        rows, columns = (rng.integers(0, side - SIDE, N_PATCHES) for side in image.shape)
        found += [image[r : r + SIDE, c : c + SIDE].ravel() for r, c in zip(rows, columns, strict=True)]
    return np.array(found) - np.mean(found, axis=1, keepdims=True)


def test_independent_components_of_photographs_are_like_v1_and_their_start_is_not(tmp_path):
    learned = FastICA(N_FILTERS, whiten="unit-variance", max_iter=300, random_state=0, tol=1e-3).fit(patches())
    start = np.random.default_rng(1).normal(size=(N_FILTERS, SIDE**2))
    tables = [
        fitted_filters(weights.reshape(-1, 1, SIDE, SIDE), 100, seed=0).assign(model=model)
        for model, weights in (("learned", learned.mixing_.T), ("start", start))
    ]
    table = pd.concat(tables, ignore_index=True).assign(architecture="ica", family="", layer="0", degrees=DEGREES)
    table["spatial_frequency"] = table["frequency"] * 224 / DEGREES
    write_parquet(table, tmp_path / "filters.parquet")
    filter_distances(tmp_path / "filters.parquet", tmp_path / "distances.csv", 1000, 0)
    found = pd.read_csv(tmp_path / "distances.csv")
    found = found[found["property"] == ALL].set_index("model")
    assert found.loc["learned", "n_gabors"] == N_FILTERS
    assert found.loc["learned", "similarity_low"] > LIKE_V1
    assert found.loc["start", "similarity_high"] < 0.1
    assert 0.4 < found.loc["start", "auc"] < 0.6
    # Ringach 2002: independent components have more subfields than neurons, and are longer.
    own = table.query("kind == 'filter' and model == 'learned'")
    assert own["aspect"].median() > 1.5
