"""Measure ridge regression on one training and one test set, with more features than training stimuli.

Beside the Gram matrix, each task holds one matrix of the training stimuli, and two tasks run at once on two cores. The
forecast of memory is compared with the peak memory of the process. Predictions of some targets are compared with
scikit-learn's `Ridge`.
"""

import shutil
from pathlib import Path

import numpy as np
from measurement import run_task, task, timed

N_TEST, N_FOLDS, N_PENALTIES = 100, 5, 5
FULL = {"n": 9000, "p": 15_000, "targets": 256}
QUICK = {"n": 1000, "p": 1600, "targets": 16}


def measure(scratch: Path, options) -> dict:
    """Measure one layer, from its features to predictions of the test stimuli."""
    size = QUICK if options.quick else FULL
    folder = scratch / "test_set"
    make(folder=folder, **size)
    given = {"folder": folder, "threads": options.threads}
    result = {
        **{**size, "n_test": N_TEST, "n_folds": N_FOLDS, "n_penalties": N_PENALTIES},
        "gram": gram(**given),
        "ridge": ridge(**given),
        "scikit_learn": scikit_learn(targets=2, **given),
    }
    shutil.rmtree(folder)
    return result


@task("ventral")
def make(folder: str, n: int, p: int, targets: int) -> None:
    """Write features whose spectrum falls as 1/k, and responses with noise of standard deviation 0.1 to 10."""
    rng = np.random.default_rng(0)
    features = rng.standard_normal((n + N_TEST, p), dtype=np.float32)
    features *= np.arange(1, p + 1, dtype=np.float32) ** -0.5
    signal = features @ rng.standard_normal((p, targets), dtype=np.float32)
    noise = rng.standard_normal(signal.shape) * np.geomspace(0.1, 10, targets)
    Path(folder).mkdir()
    np.save(Path(folder) / "features.npy", features + rng.standard_normal(p, dtype=np.float32))
    np.save(Path(folder) / "responses.npy", signal / signal.std(axis=0) + noise)


@task("ventral")
def gram(folder: str, threads: int) -> dict:
    from ventral.grams.streaming import sample_of_units, stream_gram
    from ventral.running.parallel import computing

    features = np.load(Path(folder) / "features.npy")
    with computing(threads), timed() as taken:
        matrix, *_ = stream_gram([features], sample_of_units(features.shape[1], seed=0), workers=threads)
    np.save(Path(folder) / "gram.npy", matrix)
    return taken


@task("ventral")
def ridge(folder: str, threads: int) -> dict:
    from ventral.mappings.ridge_test_set import bytes_needed, cheaper_test_set_graph
    from ventral.running.parallel import computing
    from ventral.scores.prediction import penalty_scale

    matrix, values = np.load(Path(folder) / "gram.npy"), np.load(Path(folder) / "responses.npy")
    training, test, inner = _sets(len(matrix))
    penalties = list(penalty_scale(matrix) * np.geomspace(1e-4, 1e2, N_PENALTIES))
    stated = bytes_needed(len(training), len(matrix), None, values.shape[1], max(map(len, inner)))
    with computing(threads) as at_once, timed() as taken:
        result = cheaper_test_set_graph(matrix, None, 0, penalties, values, training, test, inner).compute()
    np.savez(Path(folder) / "ridge.npz", predictions=result.predictions, penalty=result.penalty)
    return {
        **taken,
        "at_once": at_once,
        "stated_mb": (stated.shared + at_once * stated.per_task) / 2**20,
        "matrix_mb": matrix.nbytes / 2**20,
        "penalties_chosen": len(np.unique(result.candidate)),
    }


@task("ventral")
def scikit_learn(folder: str, targets: int, threads: int) -> dict:
    """Return the largest difference from the predictions of `Ridge` at the same penalties."""
    from sklearn.linear_model import Ridge

    features, values = np.load(Path(folder) / "features.npy"), np.load(Path(folder) / "responses.npy")
    training, test, _ = _sets(len(values))
    ours = np.load(Path(folder) / "ridge.npz")
    chosen = np.linspace(0, values.shape[1] - 1, targets).astype(int)
    model = Ridge(alpha=ours["penalty"][chosen], copy_X=False)
    model.fit(features[training].astype(np.float64), values[np.ix_(training, chosen)])
    difference = np.abs(model.predict(features[test].astype(np.float64)) - ours["predictions"][:, chosen])
    return {"largest_difference_sd": float((difference / values[:, chosen].std(axis=0)).max()), "targets": targets}


def _sets(n: int) -> tuple:
    """Return random training and test stimuli, and inner folds."""
    training, test = np.split(np.random.default_rng(1).permutation(n), [n - N_TEST])
    return training, test, np.array_split(training, N_FOLDS)


if __name__ == "__main__":
    run_task()
