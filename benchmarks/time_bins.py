"""Measure what bins of time cost: a `fit` of many bins beside one of a single bin, both with intervals.

    python benchmarks/time_bins.py [--stimuli 640] [--neurons 50] [--bins 26] [--repetitions 10] [--layers 5]

Adds to benchmarks/results.json, as `time_bins`: wall and CPU seconds of both, and their ratios. The responses are
noise around a signal that all layers have. Stores are written before, and nothing else is in the time.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from measurement import FOLDER, entry, run_task, task, timed

sys.path.insert(0, str(FOLDER.parent / "workflow"))

FEATURES, SHA256 = 1000, "0" * 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, size in (("stimuli", 640), ("neurons", 50), ("bins", 26), ("repetitions", 10), ("layers", 5)):
        parser.add_argument(f"--{name}", type=int, default=size)
    sizes = vars(parser.parse_args())
    with tempfile.TemporaryDirectory() as folder:
        write_stores(Path(folder), **sizes)
        one, many = (fitted(folder=folder, recording=name) for name in ("one", "many"))
    times = {f"times_{name}": many[name] / one[name] for name in ("seconds", "cpu_seconds")}
    output = FOLDER / "results.json"
    results = json.loads(output.read_text(encoding="utf-8"))
    results["measures"]["time_bins"] = entry(sizes | {"one": one, "many": many} | times)
    output.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(json.dumps(results["measures"]["time_bins"]["figures"], indent=1))


@task("ventral")
def fitted(folder: str, recording: str) -> dict:
    """Return the time of a `fit` with the defaults of the config."""
    import numpy as np

    from ventral.running.allocator import keep_freed_memory
    from ventral.scores.fitting import fit

    keep_freed_memory()
    stores = (Path(folder) / f"{name}.zarr" for name in ("gram", recording, "stimuli"))
    tables = (Path(folder) / f"{name}.parquet" for name in ("scores", "bootstraps", "influences"))
    with timed() as taken:
        fit(
            *stores,
            *tables,
            splits=["stimuli"],
            n_folds=5,
            seed=0,
            penalties=np.geomspace(1e-4, 1e4, 20).tolist(),
            n_bootstrap=1000,
            cores=1,
        )
    return taken


def write_stores(folder: Path, *, stimuli: int, neurons: int, bins: int, repetitions: int, layers: int) -> None:
    """Write stimuli, a model's Gram matrices, and recordings of `one` bin and of `many`."""
    import numpy as np
    import pandas as pd
    import xarray as xr

    from ventral.grams.recorded import representation_of
    from ventral.grams.streaming import write_layer
    from ventral.recordings.ingestion import dataset_of
    from ventral.recordings.time_bins import bins_between
    from ventral.store import new_store, write_dataset

    rng = np.random.default_rng(0)
    names = [f"image{k}" for k in range(stimuli)]
    stimulus_set = xr.Dataset(coords={"stimulus": names}, attrs={"name": "set", "sha256": SHA256})
    write_dataset(stimulus_set, folder / "stimuli.zarr")
    described = [
        {"name": f"layer{k}", "depth": (k + 1) / layers, "shape": [FEATURES], "n_features": FEATURES}
        for k in range(layers)
    ]
    latents = rng.normal(size=(stimuli, FEATURES)) / np.sqrt(np.arange(1, FEATURES + 1))
    with new_store(folder / "gram.zarr") as group:
        group.attrs.update(
            model="net", family="pretrained", stimuli="set", stimuli_sha256=SHA256, dtype="float64", layers=described
        )
        for layer in described:
            features = latents + 0.3 * latents.std() * rng.normal(size=latents.shape)
            of = representation_of(features)
            write_layer(group, layer, of.gram, of.row_sums, of.units, of.unit_features)
    signal = latents @ rng.normal(size=(FEATURES, neurons * bins))
    responses = (signal / signal.std(axis=0)).reshape(stimuli, neurons, bins) + 2 * rng.normal(
        size=(repetitions, stimuli, neurons, bins)
    )
    neuroids = pd.DataFrame({"area": "IT"}, index=[f"n{k}" for k in range(neurons)])
    edges = bins_between([[10 * k, 10 * k + 10] for k in range(bins)], "bins")
    for name, values, found in (("one", responses[..., 0], None), ("many", responses, edges)):
        write_dataset(
            dataset_of(values, neuroids, stimulus_set, name, name, seed=0, bins=found), folder / f"{name}.zarr"
        )


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == "fitted":
        run_task()
    else:
        main()
