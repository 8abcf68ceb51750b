"""Time Brain-Score's partial least squares with 25 components on a large layer, in ventral and in Brain-Score.

The ten splits of stimuli are stratified by object, with 90 percent to fit. Brain-Score's regression is timed on one
split with its own options. Their `tol` is scikit-learn's default, which stops before convergence. To compare
predictions, the regression is fitted once more, closer to convergence. Only ventral's time includes reading features.
"""

import json
import shutil
from pathlib import Path

import numpy as np
from measurement import repeated, run_task, task, timed

N_COMPONENTS = 25
N_OBJECTS = 8
# Squared change of the weights at which scikit-learn's power method ends; its default, and one that leaves less undone.
AS_CALLED, CONVERGED = 1e-6, 1e-12


def measure(scratch: Path, options) -> dict:
    size = {"n": 160, "p": 4000, "neurons": 10} if options.quick else {"n": 640, "p": 401_408, "neurons": 50}
    folder = scratch / "pls"
    given = {"folder": folder, "threads": options.threads}
    make(folder=folder, **size)
    result = {
        **size,
        "components": N_COMPONENTS,
        "splits": 10,
        "ventral": ventral(repeats=1 if options.quick else 3, **given),
        "brainscore_one_split": {f"{tol:g}": brainscore(tol=tol, **given) for tol in (AS_CALLED, CONVERGED)},
    }
    result["times_faster"] = (
        10 * result["brainscore_one_split"][f"{AS_CALLED:g}"]["seconds"] / result["ventral"]["seconds"]
    )
    ours, spread = np.load(folder / "ventral.npy"), np.load(folder / "responses.npy").std(axis=0)
    for tol, timing in result["brainscore_one_split"].items():
        timing["largest_difference_sd"] = (np.abs(ours - np.load(folder / f"brainscore_{tol}.npy")) / spread).max()
    shutil.rmtree(folder)
    return result


@task("ventral")
def make(folder: str, n: int, p: int, neurons: int) -> None:
    from activations_on_disk import write_activations
    from sklearn.model_selection import StratifiedShuffleSplit
    from synthetic import feature_blocks, responses

    folder = Path(folder)
    folder.mkdir(parents=True)
    features = np.empty((n, p), np.float16)
    for start, block in feature_blocks(n, p, seed=0):
        features[:, start : start + block.shape[1]] = block
    write_activations(folder / "features.zarr", n, p, (features[start : start + 32] for start in range(0, n, 32)))
    np.save(folder / "features.npy", features)
    np.save(folder / "responses.npy", responses(n, neurons, seed=0))
    objects = np.arange(n) % N_OBJECTS
    splits = StratifiedShuffleSplit(10, train_size=0.9, random_state=1).split(objects, objects)
    (folder / "splits.json").write_text(json.dumps([[part.tolist() for part in split] for split in splits]))


@task("ventral")
def ventral(folder: str, repeats: int, threads: int) -> dict:
    import dask
    import zarr
    from activations_on_disk import LAYER

    from ventral.grams.streaming import sample_of_units, stream_gram
    from ventral.mappings.pls import pls_fit_predict
    from ventral.running.parallel import computing

    folder = Path(folder)
    responses, splits = np.load(folder / "responses.npy"), json.loads((folder / "splits.json").read_text())
    gram_seconds = []

    def run():
        array = zarr.open_group(folder / "features.zarr", mode="r")[LAYER]
        with computing(threads):
            with timed() as taken:
                gram, *_ = stream_gram([array], sample_of_units(array.shape[1], seed=0), workers=threads)
            gram_seconds.append(taken["seconds"])
            return dask.compute(
                *[
                    dask.delayed(pls_fit_predict, pure=False)(gram, responses, training, test, N_COMPONENTS)
                    for training, test in splits
                ]
            )

    taken, predictions = repeated(repeats, run)
    np.save(folder / "ventral.npy", predictions[0])
    return {**taken, "gram_seconds": np.median(gram_seconds)}


@task("brainscore")
def brainscore(folder: str, tol: float, threads: int) -> dict:
    from brainscore_core.supported_data_standards.brainio.assemblies import NeuroidAssembly
    from brainscore_vision.metrics.regression_correlation.metric import pls_regression

    folder = Path(folder)
    training, test = json.loads((folder / "splits.json").read_text())[0]

    def assembly(values, rows):
        stimuli = np.array([f"stimulus{row:05d}" for row in rows])
        neuroids = [f"neuroid{k:07d}" for k in range(values.shape[1])]
        return NeuroidAssembly(
            values,
            coords={
                "stimulus_id": ("presentation", stimuli),
                "object_name": ("presentation", [f"object{row % N_OBJECTS}" for row in rows]),
                "neuroid_id": ("neuroid", neuroids),
                "region": ("neuroid", ["none"] * len(neuroids)),
            },
            dims=["presentation", "neuroid"],
        )

    features, responses = np.load(folder / "features.npy").astype(np.float32), np.load(folder / "responses.npy")
    # In the order of stimuli, as the class sorts what it fits.
    fitted, held_out = np.sort(training), np.array(test)
    source, target = assembly(features[fitted], fitted), assembly(responses[fitted], fitted)
    tested = assembly(features[held_out], held_out)
    del features
    limit = {} if tol == AS_CALLED else {"max_iter": 10_000}
    regression = pls_regression({"tol": tol, **limit})
    with timed() as taken:
        regression.fit(source, target)
        predictions = regression.predict(tested)
    np.save(folder / f"brainscore_{tol:g}.npy", predictions.transpose("presentation", "neuroid").values)
    return taken


if __name__ == "__main__":
    run_task()
