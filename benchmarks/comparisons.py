"""Compare RSA with rsatoolbox, CKA with its plain computation, and PLS with ikpls: time and agreement."""

import shutil
from pathlib import Path

import numpy as np
from measurement import repeated, run_task, task, timed
from synthetic import read_problem, write_problem

N_COMPONENTS = 25


def measure(scratch: Path, options) -> dict:
    size = {"n": 100, "p": 2000, "targets": 10} if options.quick else {"n": 640, "p": 100_000, "targets": 50}
    folders = [scratch / "first", scratch / "second"]
    for seed, folder in enumerate(folders):
        make(folder=folder, problem={**size, "n_folds": 5, "n_penalties": 1, "seed": seed})
    given = {"folders": folders, "repeats": 1 if options.quick else 3, "threads": options.threads}
    result = {
        **size,
        "gram": gram(**given),
        "rsa": {"ventral": rsa_ventral(**given), "rsatoolbox": rsa_rsatoolbox(**given)},
        "cka": {"ventral": cka_ventral(**given), "plain": cka_plain(**given)},
        "pls": {"ventral": pls_ventral(**given), "ikpls": pls_ikpls(**given)},
    }
    for name, key in (("rsa", "r"), ("cka", "cka")):
        values = [timing[key] for timing in result[name].values()]
        result[name]["largest_difference"] = max(values) - min(values)
    spread = np.load(folders[0] / "responses.npy").std(axis=0)
    ours = np.load(folders[0] / "pls_ventral.npy")
    theirs = np.load(folders[0] / "pls_ikpls.npy")
    result["pls"]["largest_difference_sd"] = (np.abs(ours - theirs) / spread).max()
    for folder in folders:
        shutil.rmtree(folder)
    return result


@task("ventral")
def make(folder: str, problem: dict) -> None:
    write_problem(Path(folder), **problem)


@task("ventral")
def gram(folders: list[str], repeats: int, threads: int) -> dict:
    """Compute the Gram matrices of two layers, which all of ventral's mappings share; the seconds are for one."""
    from ventral.grams.streaming import sample_of_units, stream_gram
    from ventral.running.parallel import computing

    for folder in folders:
        features = np.load(Path(folder) / "features.npy")
        sampled = sample_of_units(features.shape[1], seed=0)
        with computing(threads):
            taken, (matrix, row_sums, _) = repeated(
                repeats,
                lambda: stream_gram([features], sampled, workers=threads),  # noqa: B023
            )
        np.savez(Path(folder) / "gram.npz", gram=matrix, row_sums=row_sums, n_features=features.shape[1])
    return taken


@task("ventral")
def rsa_ventral(folders: list[str], repeats: int, threads: int) -> dict:
    """Return Spearman's correlation of two layers' correlation distances, from their Gram matrices."""
    import scipy.stats  # noqa: F401  what ventral imports at its first use is no time of RSA

    from ventral.mappings.rsa import comparable, compare, correlation_distances, upper_triangle

    layers = [np.load(Path(folder) / "gram.npz") for folder in folders]
    layers = [(layer["gram"], layer["row_sums"], int(layer["n_features"])) for layer in layers]

    def run() -> float:
        first, second = (comparable(upper_triangle(correlation_distances(*layer)), "spearman") for layer in layers)
        return float(compare(first, second[None], "spearman")[0])

    taken, r = repeated(repeats, run)
    return {**taken, "r": r}


@task("peers")
def rsa_rsatoolbox(folders: list[str], repeats: int, threads: int) -> dict:
    import rsatoolbox

    layers = [np.load(Path(folder) / "features.npy") for folder in folders]
    layers = [rsatoolbox.data.Dataset(features.astype(np.float64)) for features in layers]

    def run() -> float:
        first, second = (rsatoolbox.rdm.calc_rdm(layer, method="correlation") for layer in layers)
        return float(rsatoolbox.rdm.compare(first, second, method="spearman").item())

    taken, r = repeated(repeats, run)
    return {**taken, "r": r}


@task("ventral")
def cka_ventral(folders: list[str], repeats: int, threads: int) -> dict:
    from ventral.mappings.cka import linear_cka, unit_centred_gram

    grams = [np.load(Path(folder) / "gram.npz")["gram"] for folder in folders]
    taken, value = repeated(repeats, lambda: linear_cka(*(unit_centred_gram(gram, "biased") for gram in grams)))
    return {**taken, "cka": value}


@task("ventral")
def cka_plain(folders: list[str], repeats: int, threads: int) -> dict:
    """Return CKA from its definition, Gram matrices of centred features included."""
    X, Y = (np.load(Path(folder) / "features.npy").astype(np.float64) for folder in folders)

    def run() -> float:
        x, y = X - X.mean(axis=0), Y - Y.mean(axis=0)
        K, L = x @ x.T, y @ y.T
        return float(np.vdot(K, L) / (np.linalg.norm(K) * np.linalg.norm(L)))

    taken, value = repeated(repeats, run)
    return {**taken, "cka": value}


@task("ventral")
def pls_ventral(folders: list[str], repeats: int, threads: int) -> dict:
    import scipy.linalg  # noqa: F401  as above

    from ventral.mappings.pls import pls_predictions

    matrix = np.load(Path(folders[0]) / "gram.npz")["gram"]
    responses, folds, _ = read_problem(Path(folders[0]))
    taken, predictions = repeated(repeats, lambda: pls_predictions(matrix, responses, folds, N_COMPONENTS))
    np.save(Path(folders[0]) / "pls_ventral.npy", predictions)
    return taken


@task("peers")
def pls_ikpls(folders: list[str], repeats: int, threads: int) -> dict:
    """Fit and predict each fold with algorithm 1; algorithm 2 makes a p x p matrix, too large here."""
    from ikpls.numpy import PLS

    features = np.load(Path(folders[0]) / "features.npy").astype(np.float64)
    responses, folds, _ = read_problem(Path(folders[0]))
    predictions = np.empty(responses.shape)
    with timed() as taken:
        for i, fold in enumerate(folds):
            training = np.concatenate([other for k, other in enumerate(folds) if k != i])
            model = PLS(algorithm=1, scale_X=False, scale_Y=False)
            model.fit(features[training], responses[training], N_COMPONENTS)
            predictions[fold] = model.predict(features[fold], n_components=N_COMPONENTS)
    np.save(Path(folders[0]) / "pls_ikpls.npy", predictions)
    return taken


if __name__ == "__main__":
    run_task()
