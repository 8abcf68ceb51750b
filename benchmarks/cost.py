"""Measure cost by the number of stimuli, features and targets, and find where the p x p form is faster.

python benchmarks/cost.py results.json figure.svg    # draws the figure from the measurements
"""

import json
import sys
from pathlib import Path

import numpy as np
from measurement import repeated, run_task, task
from synthetic import equal_folds, feature_blocks, responses

N_FOLDS, N_PENALTIES = 5, 20
WORDS = {"n": "stimuli", "p": "features", "targets": "targets"}
FORMS = {"on_stimuli": "n x n", "on_features": "p x p"}
FULL = {
    "stimuli": {"n": [250, 500, 1000, 2000, 4000], "p": 10_000, "targets": 256},
    "features": {"n": 640, "p": [1000, 4000, 16_000, 64_000, 256_000, 1_000_000], "targets": 256},
    "targets": {"n": 640, "p": 10_000, "targets": [10, 100, 1000, 10_000, 50_000]},
    "crossover": {"n": 2000, "p": [125, 250, 500, 750, 1000, 1500, 2000, 4000], "targets": 256},
}
QUICK = {
    "stimuli": {"n": [50, 100, 200], "p": 1000, "targets": 16},
    "features": {"n": 100, "p": [500, 1000, 2000], "targets": 16},
    "targets": {"n": 100, "p": 1000, "targets": [10, 100, 1000]},
    "crossover": {"n": 200, "p": [25, 50, 100, 200], "targets": 16},
}


def measure(scratch: Path, options) -> dict:
    """Return, for each size that can grow, the fixed sizes and the seconds at each value."""
    sizes = QUICK if options.quick else FULL
    repeats = 1 if options.quick else 3
    given = {"repeats": repeats, "threads": options.threads}
    result = {}
    for along in ("stimuli", "features", "targets"):
        result[along] = {**sizes[along], **growth(**sizes[along], **given)}
    result["crossover"] = {**sizes["crossover"], **forms(**sizes["crossover"], **given)}
    return result


@task("ventral")
def growth(n, p, targets, repeats: int, threads: int) -> dict:
    """Return the seconds of the Gram matrix and of nested ridge, at each value of the argument that is a list."""
    from ventral.grams.streaming import sample_of_units, stream_gram
    from ventral.mappings.ridge import nested_ridge
    from ventral.running.parallel import computing

    taken = {"gram_seconds": [], "ridge_seconds": []}
    sizes = list(np.broadcast(n, p, targets))
    # The first is measured twice, and counts once: what a process pays once is no cost of a size.
    for stimuli, features, columns in [sizes[0], *sizes]:
        X, sampled = _features(stimuli, features), sample_of_units(features, seed=0)
        Y, folds = responses(stimuli, columns, seed=0), equal_folds(stimuli, N_FOLDS, seed=0)
        with computing(threads):
            gram_taken, (gram, *_) = repeated(repeats, lambda: stream_gram([X], sampled, workers=threads))  # noqa: B023
            penalties = _penalties(gram)
            ridge_taken, _ = repeated(repeats, lambda: nested_ridge(gram, Y, folds, penalties))  # noqa: B023
        taken["gram_seconds"].append(gram_taken["seconds"])
        taken["ridge_seconds"].append(ridge_taken["seconds"])
    return {name: seconds[1:] for name, seconds in taken.items()}


@task("ventral")
def forms(n: int, p: list[int], targets: int, repeats: int, threads: int) -> dict:
    """Return the seconds of both forms of nested ridge, given features, and the form that ventral chooses."""
    import dask

    from ventral.mappings.ridge import nested_ridge
    from ventral.mappings.ridge_features import few_enough, nested_ridge_feature_graphs
    from ventral.running.parallel import computing

    taken = {"on_stimuli_seconds": [], "on_features_seconds": [], "chosen": [], "largest_difference_sd": []}
    Y, folds = responses(n, targets, seed=0), equal_folds(n, N_FOLDS, seed=0)
    for features in [p[0], *p]:
        X = _features(n, features).astype(np.float64)
        penalties = _penalties(X @ X.T)

        def on_stimuli():
            return nested_ridge(X @ X.T, Y, folds, penalties)  # noqa: B023

        def on_features():
            return dask.compute(*nested_ridge_feature_graphs(X, list(penalties), Y, [folds]))[0]  # noqa: B023

        results = []
        with computing(threads):
            for form in (on_stimuli, on_features):
                timing, result = repeated(repeats, form)
                taken[f"{form.__name__}_seconds"].append(timing["seconds"])
                results.append(result.predictions)
        few = few_enough(features, [len(fold) for fold in folds], targets, N_PENALTIES)
        taken["chosen"].append("on_features" if few else "on_stimuli")
        taken["largest_difference_sd"].append(float((np.abs(results[0] - results[1]) / Y.std(axis=0)).max()))
    return {name: of_size[1:] for name, of_size in taken.items()}


def _features(n: int, p: int):
    X = np.empty((n, p), np.float32)
    for start, block in feature_blocks(n, p, seed=0):
        X[:, start : start + block.shape[1]] = block
    return X


def _penalties(gram):
    n = len(gram)
    return (np.trace(gram) - gram.sum() / n) / n * np.geomspace(1e-4, 1e4, N_PENALTIES)


def draw(results: Path, figure: Path) -> None:
    """Draw cost against each size on logarithmic axes, with the slope of the last two points."""
    import matplotlib

    matplotlib.use("svg")
    # The same figure from the same numbers, to the byte.
    matplotlib.rcParams.update({"svg.hashsalt": "ventral", "font.size": 8, "svg.fonttype": "none"})
    from matplotlib import pyplot as plt
    from matplotlib import ticker

    measured = json.loads(results.read_text())["measures"]["cost"]["figures"]
    canvas, axes = plt.subplots(1, 4, figsize=(11, 3), layout="constrained")
    along = (("stimuli", "n", "stimuli n"), ("features", "p", "features p"), ("targets", "targets", "targets"))
    for ax, (grown, key, name) in zip(axes, along, strict=False):
        of = measured[grown]
        for part, label in (("gram_seconds", "Gram matrix"), ("ridge_seconds", "nested ridge")):
            slope = np.diff(np.log(of[part][-2:]))[0] / np.diff(np.log(of[key][-2:]))[0]
            ax.loglog(of[key], of[part], marker="o", markersize=3, label=f"{label} (slope {slope:.1f})")
        held = [f"{of[symbol]:,} {word}" for symbol, word in WORDS.items() if symbol != key]
        ax.set(xlabel=name, title=", ".join(held))
    ax, of = axes[3], measured["crossover"]
    for form, label in FORMS.items():
        (line,) = ax.loglog(of["p"], of[f"{form}_seconds"], markersize=3, marker="o", fillstyle="none", label=label)
        chosen = [k for k, choice in enumerate(of["chosen"]) if choice == form]
        at = [of["p"][k] for k in chosen], [of[f"{form}_seconds"][k] for k in chosen]
        ax.loglog(*at, "o", markersize=5, color=line.get_color(), label=f"{label}, chosen")
    ax.set(xlabel="features p", title=f"{of['n']:,} stimuli, {of['targets']:,} targets")
    axes[0].set_ylabel("seconds")
    for ax in axes:
        ax.legend(frameon=False, loc="upper left")
        # Over less than two decades there would be labels between the powers of ten, on top of each other.
        ax.xaxis.set_minor_formatter(ticker.NullFormatter())
        low, high = ax.get_ylim()
        # Room for the legend.
        ax.set_ylim(low, high * (high / low) ** 0.4)
    canvas.savefig(figure, metadata={"Date": None})


if __name__ == "__main__":
    if sys.argv[1].endswith(".json"):
        draw(Path(sys.argv[1]), Path(sys.argv[2]))
    else:
        run_task()
