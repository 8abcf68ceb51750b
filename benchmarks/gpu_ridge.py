"""Ridge regression in torch on one device: time of nested cross-validation, many targets, and a large test set.

`python benchmarks/gpu_ridge.py [--device cuda] [--quick]` prints JSON. The goals hold for one GPU of a data centre.
Each case is run once before it is timed. Choices and predictions of some targets are compared with the NumPy engine.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow"))

PENALTIES, FOLDS, CHECKED = 20, 5, 8
# Regressions of one target at one penalty: five outer training parts, and four inner ones in each.
FITS = FOLDS + FOLDS * (FOLDS - 1)
CASES = {
    "nested": {"n": 2560, "p": 6000, "targets": 256},
    "many_targets": {"n": 1000, "p": 4000, "targets": 20_000},
}
TEST_SET = {"n": 22_248, "p": 30_000, "targets": 1024}
N_TEST = 100
GOALS = {"nested": 0.2, "many_targets": 0.2, "test_set": 60.0}


def problem(n: int, p: int, targets: int, device):
    """Return a Gram matrix, responses with noise of standard deviation 0.1 to 10, and penalties, made on the device."""
    import torch

    random = torch.Generator(device).manual_seed(0)
    given = {"device": device, "generator": random}
    features = torch.randn(n, p, dtype=torch.float32, **given)
    features *= torch.arange(1, p + 1, device=device) ** -0.5
    signal = features @ torch.randn(p, targets, **given)
    gram = torch.zeros(n, n, dtype=torch.float64, device=device)
    for block in features.split(2048, dim=1):
        gram.addmm_(block.double(), block.double().T)
    noise = torch.randn(n, targets, dtype=torch.float64, **given) * torch.logspace(-1, 1, targets, device=device)
    responses = (signal / signal.std(dim=0)).double() + noise
    return gram, responses, np.geomspace(1e-4, 1e6, PENALTIES) * float(gram.trace()) / n


def timed(compute, device) -> tuple[object, list[float]]:
    """Return what is computed, and the seconds that two runs after a first one took."""
    import torch

    def wait() -> None:
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    seconds = []
    for _ in range(3):
        wait()
        start = time.perf_counter()
        result = compute()
        wait()
        seconds.append(time.perf_counter() - start)
    return result, seconds[1:]


def compared(result, expected, responses, some) -> dict:
    """Return how the results of some targets differ from those of the NumPy engine."""
    predictions = result.predictions[:, some].cpu().numpy()
    size = responses[:, some].std(dim=0).cpu().numpy()
    return {
        "choices_that_differ": int((result.candidate[..., some].cpu().numpy() != expected.candidate).sum()),
        "largest_difference_in_sd": float(np.max(np.abs(predictions - expected.predictions) / size)),
    }


def nested(size: dict, device, cores: int) -> dict:
    from ventral import nested_ridge
    from ventral.running.parallel import computing

    gram, responses, penalties = problem(device=device, **size)
    folds = np.array_split(np.random.default_rng(0).permutation(size["n"]), FOLDS)
    result, seconds = timed(lambda: nested_ridge(gram, responses, folds, penalties), device)
    some = np.linspace(0, size["targets"] - 1, CHECKED).astype(int)
    with computing(cores):
        expected = nested_ridge(gram.cpu().numpy(), responses[:, some].cpu().numpy(), folds, penalties)
    return {
        **size,
        "seconds": min(seconds),
        "regressions_per_second": size["targets"] * PENALTIES * FITS / min(seconds),
        **compared(result, expected, responses, some),
    }


def on_test_set(size: dict, device) -> dict:
    """Return what a training set of n stimuli takes; the NumPy engine would take minutes, so it is not asked."""
    from ventral.mappings.ridge_test_set import test_set_ridge

    gram, responses, penalties = problem(size["n"] + N_TEST, size["p"], size["targets"], device)
    training, test = np.split(np.random.default_rng(0).permutation(len(gram)), [size["n"]])
    inner = np.array_split(training, FOLDS)
    result, seconds = timed(lambda: test_set_ridge(gram, responses, training, test, inner, penalties), device)
    errors = result.predictions - responses[test]
    explained = 1 - errors.square().mean(dim=0) / responses[test].var(dim=0, correction=0)
    return {**size, "n_test": N_TEST, "seconds": min(seconds), "median_explained": float(explained.median())}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="small sizes, which measure nothing")
    options = parser.parse_args()
    import torch

    device, shrink = torch.device(options.device), 16 if options.quick else 1
    smaller = {name: {key: value // shrink for key, value in size.items()} for name, size in CASES.items()}
    result = {name: nested(size, device, options.cores) for name, size in smaller.items()}
    result["test_set"] = on_test_set(
        {key: value // (shrink * 4 if options.quick else 1) for key, value in TEST_SET.items()}, device
    )
    for name, goal in GOALS.items():
        result[name]["holds"] = result[name]["seconds"] <= goal
    if device.type == "cuda":
        result["device"] = torch.cuda.get_device_name(device)
        result["peak_gib"] = torch.cuda.max_memory_allocated(device) / 2**30
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
