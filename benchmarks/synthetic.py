"""Make features with the spectrum of a network's layers, and responses that depend on them.

The eigenvalues of the centred Gram matrix fall as 1/k, roughly as in visual cortex and trained networks (Stringer et
al. 2019, Nature 571:361). Each target is a linear function of the features plus noise. Targets differ in their
signal-to-noise ratio, in the share of signal in directions of small variance, and so in their best penalty. Features
are made in blocks, with one block in memory at a time.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FEATURES_PER_BLOCK = 4096


def latents(n: int, seed: int) -> NDArray[np.float32]:
    """Return what features and responses are made of, (n, n), its column k of variance 1/k."""
    rng = np.random.default_rng(seed)
    return (rng.standard_normal((n, n)) / np.sqrt(np.arange(1, n + 1))).astype(np.float32)


def feature_blocks(n: int, p: int, seed: int) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Give the features (n, p) in blocks: the first column of each, and its columns. Their means are not 0."""
    shared = latents(n, seed)
    rng = np.random.default_rng([seed, 1])
    for start in range(0, p, FEATURES_PER_BLOCK):
        width = min(FEATURES_PER_BLOCK, p - start)
        weights = rng.standard_normal((n, width), dtype=np.float32)
        yield start, shared @ weights + rng.standard_normal(width, dtype=np.float32)


def responses(n: int, targets: int, seed: int) -> NDArray[np.float64]:
    """Return responses (n, targets), their signal of variance 1 and their noise of standard deviation 0.1 to 10."""
    shared = latents(n, seed).astype(np.float64)
    rng = np.random.default_rng([seed, 2])
    # Weights that grow with k put more of the signal into directions of small variance.
    growth = rng.uniform(-0.5, 0.5, targets)
    signal = shared @ (rng.standard_normal((n, targets)) * np.arange(1, n + 1)[:, None] ** growth)
    noise = rng.standard_normal((n, targets)) * np.geomspace(0.1, 10, targets)[rng.permutation(targets)]
    return signal / signal.std(axis=0) + noise


def equal_folds(n: int, n_folds: int, seed: int) -> list[NDArray]:
    """Return folds of random stimuli, of equal size, so that a mean over folds is a mean over stimuli."""
    if n % n_folds:
        raise ValueError(f"{n} stimuli cannot be dealt into {n_folds} folds of equal size")
    return [np.sort(fold) for fold in np.random.default_rng([seed, 3]).permutation(n).reshape(n_folds, -1)]


def write_problem(folder: Path, *, n: int, p: int, targets: int, n_folds: int, n_penalties: int, seed: int = 0) -> None:
    """Write `features.npy` (n, p) float32, `responses.npy`, and `problem.json` with folds and penalties.

    Penalties are a log grid from 1e-4 to 1e4 times the mean squared distance of feature vectors from their mean.
    """
    folder.mkdir(parents=True, exist_ok=True)
    features = np.lib.format.open_memmap(folder / "features.npy", mode="w+", dtype=np.float32, shape=(n, p))
    scale = 0.0
    for start, block in feature_blocks(n, p, seed):
        features[:, start : start + block.shape[1]] = block
        scale += block.var(axis=0, dtype=np.float64).sum()
    features.flush()
    np.save(folder / "responses.npy", responses(n, targets, seed))
    folds = [fold.tolist() for fold in equal_folds(n, n_folds, seed)]
    penalties = (scale * np.geomspace(1e-4, 1e4, n_penalties)).tolist()
    (folder / "problem.json").write_text(json.dumps({"folds": folds, "penalties": penalties}))


def read_problem(folder: Path) -> tuple[NDArray[np.float64], list[NDArray], NDArray[np.float64]]:
    """Return responses, folds and penalties."""
    problem = json.loads((folder / "problem.json").read_text())
    folds = [np.array(fold) for fold in problem["folds"]]
    return np.load(folder / "responses.npy"), folds, np.array(problem["penalties"])
