"""Simulate animals with a known share of signals in common, and measure that share as `inter_animal` does.

    PYTHONPATH=workflow python benchmarks/inter_animal.py EXPERIMENTS [SEED]

Each neuron's signal is the sum of a shared part and a part of its own. The shared part is a random direction among
latent signals that all animals have. The truth is the correlation of the signal and its shared part, which no neurons
of other animals can exceed. With few predicting neurons, their own parts and the directions that they lack lower the
consistency.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from ventral.recordings.ingestion import dataset_of
from ventral.scores.inter_animal import inter_animal
from ventral.statistics.inter_animal import MEAN
from ventral.store import write_dataset

DESIGN = {"n": 240, "neurons": 64, "repetitions": 6, "latents": 5, "noise": 1.5, "animals": 2}
OPTIONS = {
    "group": "set",
    "mappings": ["ridge"],
    "splits": ["stimuli"],
    "n_folds": 5,
    "penalties": np.geomspace(1e-3, 1e3, 13).tolist(),
    "n_bootstrap": 200,
    "reliability_threshold": 0.1,
}


def responses_of(truth: float, latents: np.ndarray, design: dict, rng: np.random.Generator) -> np.ndarray:
    """Return the responses (repetitions, stimuli, neurons) of an animal."""
    directions = rng.normal(size=(latents.shape[1], design["neurons"]))
    shared = latents @ (directions / np.linalg.norm(directions, axis=0))
    signal = truth * shared + np.sqrt(1 - truth**2) * rng.normal(size=shared.shape)
    return signal + design["noise"] * rng.normal(size=(design["repetitions"], *shared.shape))


def measured(truth: float, seed: int, cores: int = 1, **changes) -> pd.DataFrame:
    """Return the table that `inter_animal` writes for one simulated experiment."""
    design = DESIGN | changes
    rng = np.random.default_rng([seed, round(100 * truth)])
    latents = rng.normal(size=(design["n"], design["latents"]))
    names = [f"image{k}" for k in range(design["n"])]
    stimuli = xr.Dataset(coords={"stimulus": names}, attrs={"name": "set", "sha256": f"{seed + 1:064x}"[::-1]})
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{animal}.zarr" for animal in range(design["animals"])]
        write_dataset(stimuli, Path(folder) / "stimuli.zarr")
        for path in paths:
            neuroids = pd.DataFrame({"area": "IT", "animal": path.stem}, index=range(design["neurons"]))
            neuroids.index = neuroids.index.astype(str).rename("neuroid")
            responses = responses_of(truth, latents, design, rng)
            write_dataset(dataset_of(responses, neuroids, stimuli, path.stem, path.stem, n_splits=2), path)
        output = Path(folder) / "table.parquet"
        inter_animal(paths, Path(folder) / "stimuli.zarr", output, seed=seed, cores=cores, **OPTIONS)
        return pd.read_parquet(output)


if __name__ == "__main__":
    n_experiments, first = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0
    for truth in (1.0, 0.7):
        for changes in ({}, {"neurons": 32}, {"latents": 20, "neurons": 128}, {"noise": 3.0}):
            tables = [measured(truth, first + k, **changes) for k in range(n_experiments)]
            rows = pd.concat(table[(table["animal"] == MEAN)] for table in tables)
            whole = np.mean(
                [t[np.isfinite(t["n_predictors"])].groupby("animal").tail(1)["consistency"] for t in tables]
            )
            held = ((rows["low"] <= truth) & (rows["high"] >= truth)).mean()
            print(
                f"truth {truth} {changes}: whole {whole:.3f}, extrapolated {rows['consistency'].mean():.3f} +- "
                f"{rows['consistency'].std():.3f}, interval holds the truth {held:.2f}, width "
                f"{(rows['high'] - rows['low']).mean():.3f}",
                flush=True,
            )
