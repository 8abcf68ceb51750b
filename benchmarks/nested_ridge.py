"""Time nested cross-validated ridge, Gram matrix included: ventral, himalaya, and the bare product X X^T.

Each target has its own penalty, chosen in each outer fold by the other outer folds. himalaya's `KernelRidgeCV` is
fitted once for each outer fold, with the other outer folds as inner folds. Its input is features, as its users call it
(`features`), or parts of one kernel that is computed once (`kernel`), which is its fastest way. Predictions and chosen
penalties are compared with himalaya's in float64, and predictions with scikit-learn's `Ridge`.
"""

import itertools
import shutil
from pathlib import Path

import numpy as np
from measurement import available_gib, repeated, run_task, task, timed
from synthetic import read_problem, write_problem

# Regressions of one target at one penalty: with five folds there are five outer training parts, and four inner in each.
FITS = 25
PENALTIES = 20


def measure(scratch: Path, options) -> list[dict]:
    """Measure with as many features as a network's late and early layers have."""
    # Given features, himalaya needs many times as long, and at the larger size did not end within a quarter of an hour.
    sizes = {60_000: ("kernel", "features"), 400_000: ("kernel",)}
    if options.quick:
        return [measure_problem(scratch / "ridge", {"n": 200, "p": 2000, "targets": 16}, sizes[60_000], options)]
    return [
        measure_problem(scratch / "ridge", {"n": 2560, "p": p, "targets": 256}, forms, options)
        for p, forms in sizes.items()
    ]


def measure_many_targets(scratch: Path, options) -> dict:
    """Measure regressions per second with as many targets as voxels."""
    size = {"n": 200, "p": 1000, "targets": 400} if options.quick else {"n": 1000, "p": 4000, "targets": 20_000}
    result = measure_problem(scratch / "many_targets", size, ("kernel",), options)
    result["regressions"] = size["targets"] * PENALTIES * FITS
    for timing in (result["ventral"], *result["himalaya"].values()):
        timing["regressions_per_second"] = result["regressions"] / timing["seconds"]
    # As many as Conwell et al. fitted (2024, Nature Communications 15:9383).
    result["hours_for_1800_million"] = 1.8e9 / result["ventral"]["regressions_per_second"] / 3600
    return result


def measure_problem(folder: Path, size: dict, forms: tuple[str, ...], options) -> dict:
    problem = {**size, "n_folds": 5, "n_penalties": PENALTIES}
    make(folder=folder, problem=problem)
    given = {"folder": folder, "threads": options.threads}
    repeats = 1 if options.quick else 3
    result = {
        **problem,
        "product": {dtype: product(dtype=dtype, repeats=repeats, **given) for dtype in ("float32", "float64")},
        "ventral": ventral(repeats=repeats, **given),
        "himalaya": {},
        "himalaya_needs_gib": {},
    }
    for form, dtype in itertools.product(forms, ("float32", "float64")):
        needed = himalaya_needs_gib(form, size, dtype)
        if needed < available_gib():
            result["himalaya"][f"{form} {dtype}"] = himalaya(form=form, dtype=dtype, **given)
        else:
            result["himalaya_needs_gib"][f"{form} {dtype}"] = needed
    ours = result["ventral"]["seconds"]
    result["times_product"] = {dtype: ours / timing["seconds"] for dtype, timing in result["product"].items()}
    result["times_faster"] = {way: timing["seconds"] / ours for way, timing in result["himalaya"].items()}
    result["agreement"] = agreement(folder)
    result["agreement"]["scikit_learn"] = scikit_learn(targets=32, **given)
    shutil.rmtree(folder)
    return result


def himalaya_needs_gib(form: str, size: dict, dtype: str) -> float:
    """Return the memory of the features and, for the form on features, about three times that of a training part."""
    copies = 3.5 if form == "features" else 1
    return copies * size["n"] * size["p"] * np.dtype(dtype).itemsize / 2**30


@task("ventral")
def make(folder: str, problem: dict) -> None:
    write_problem(Path(folder), **problem)


@task("peers")
def product(folder: str, dtype: str, repeats: int, threads: int) -> dict:
    features = _features(folder, dtype)
    # NumPy computes half of it, as BLAS's symmetric rank-k update.
    return repeated(repeats, lambda: features @ features.T)[0]


@task("ventral")
def ventral(folder: str, repeats: int, threads: int) -> dict:
    from ventral.grams.streaming import sample_of_units, stream_gram
    from ventral.mappings.ridge import nested_ridge
    from ventral.running.parallel import computing

    features = np.load(Path(folder) / "features.npy")
    responses, folds, penalties = read_problem(Path(folder))
    sampled = sample_of_units(features.shape[1], seed=0)
    parts = []

    def run():
        with computing(threads):
            with timed() as gram_taken:
                gram, *_ = stream_gram([features], sampled, workers=threads)
            with timed() as ridge_taken:
                result = nested_ridge(gram, responses, folds, penalties)
        parts.append((gram_taken["seconds"], ridge_taken["seconds"]))
        return result

    taken, result = repeated(repeats, run)
    np.savez(Path(folder) / "ventral.npz", predictions=result.predictions, penalty=result.penalty)
    gram_seconds, ridge_seconds = np.median(parts, axis=0)
    return {**taken, "gram_seconds": gram_seconds, "ridge_seconds": ridge_seconds}


@task("peers")
def himalaya(folder: str, form: str, dtype: str, threads: int, backend: str = "numpy") -> dict:
    from himalaya.backend import set_backend
    from himalaya.kernel_ridge import KernelRidgeCV

    backend = set_backend(backend)
    # On a GPU when the time begins, as inputs are in memory.
    features = backend.asarray(_features(folder, dtype))
    responses, folds, penalties = read_problem(Path(folder))
    predictions, penalty = np.empty(responses.shape), np.empty((len(folds), responses.shape[1]))
    with timed() as taken:
        kernel = features @ features.T if form == "kernel" else None
        for i, fold in enumerate(folds):
            others = [k for k in range(len(folds)) if k != i]
            training = np.concatenate([folds[k] for k in others])
            inner = np.repeat(np.arange(len(others)), [len(folds[k]) for k in others])
            splits = [(np.flatnonzero(inner != k), np.flatnonzero(inner == k)) for k in range(len(others))]
            model = KernelRidgeCV(
                alphas=penalties,
                kernel="precomputed" if form == "kernel" else "linear",
                # As ours, it is free: centred on each training part.
                fit_intercept=True,
                cv=_Splits(splits),
                warn=False,
            )
            seen = kernel[np.ix_(training, training)] if form == "kernel" else features[training]
            model.fit(seen, backend.asarray(responses[training].astype(dtype)))
            del seen
            shown = kernel[np.ix_(fold, training)] if form == "kernel" else features[fold]
            predictions[fold] = backend.to_numpy(model.predict(shown))
            penalty[i] = backend.to_numpy(model.best_alphas_)
            # It holds the training features, and two copies of these may not fit into memory.
            del model
    np.savez(Path(folder) / f"himalaya_{form}_{dtype}.npz", predictions=predictions, penalty=penalty)
    return taken


def _features(folder: str, dtype: str):
    """Return the features, without holding them in both precisions."""
    path = Path(folder) / "features.npy"
    return np.load(path) if dtype == "float32" else np.load(path, mmap_mode="r").astype(dtype)


class _Splits:
    """Given splits, in the form of scikit-learn's splitters."""

    def __init__(self, splits: list) -> None:
        self._splits = splits

    def split(self, *_):
        return iter(self._splits)

    def get_n_splits(self, *_) -> int:
        return len(self._splits)


def agreement(folder: Path) -> dict:
    """Return how ventral's predictions and penalties differ from himalaya's, and how many penalties were chosen."""
    ours = np.load(folder / "ventral.npz")
    responses, folds, penalties = read_problem(folder)
    spread = responses.std(axis=0)
    grid = np.log(penalties)
    found = {"penalties_chosen": len(np.unique(_nearest(ours["penalty"], grid)))}
    for path in sorted(folder.glob("himalaya_*.npz")):
        theirs = np.load(path)
        same = _nearest(ours["penalty"], grid) == _nearest(theirs["penalty"], grid)
        difference = np.abs(ours["predictions"] - theirs["predictions"]) / spread
        of_same = [difference[fold][:, same[i]] for i, fold in enumerate(folds)]
        found[path.stem.removeprefix("himalaya_").replace("_", " ")] = {
            "same_penalties": same.mean(),
            "largest_difference_sd": max((part.max() for part in of_same if part.size), default=np.nan),
        }
    return found


def _nearest(penalty, grid):
    # himalaya keeps penalties in float32 where features are.
    return np.abs(np.log(penalty)[..., None] - grid).argmin(axis=-1)


@task("peers")
def scikit_learn(folder: str, targets: int, threads: int) -> dict:
    """Return how far ventral's predictions are from `Ridge` in float64 at the same penalties, on some targets."""
    from sklearn.linear_model import Ridge

    features = np.load(Path(folder) / "features.npy", mmap_mode="r")
    responses, folds, _ = read_problem(Path(folder))
    ours = np.load(Path(folder) / "ventral.npz")
    chosen = np.linspace(0, responses.shape[1] - 1, min(targets, responses.shape[1])).astype(int)
    worst = 0.0
    for i, fold in enumerate(folds):
        training = np.concatenate([other for k, other in enumerate(folds) if k != i])
        model = Ridge(alpha=ours["penalty"][i, chosen], copy_X=False)
        model.fit(features[training].astype(np.float64), responses[np.ix_(training, chosen)])
        # Parts of the features at a time: together with the training part they may not fit into memory.
        predicted = np.full((len(fold), len(chosen)), model.intercept_)
        for start in range(0, features.shape[1], 50_000):
            part = features[fold, start : start + 50_000].astype(np.float64)
            predicted += part @ model.coef_[:, start : start + 50_000].T
        difference = np.abs(predicted - ours["predictions"][np.ix_(fold, chosen)])
        worst = max(worst, float((difference / responses[:, chosen].std(axis=0)).max()))
    return {"largest_difference_sd": worst, "targets": len(chosen)}


if __name__ == "__main__":
    run_task()
