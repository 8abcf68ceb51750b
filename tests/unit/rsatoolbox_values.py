"""Inputs with known values of rsatoolbox 0.3.2, and the script that stores these values in `data/rsatoolbox.json`.

Run `python -m tests.unit.rsatoolbox_values` with rsatoolbox installed, which the tests do not need.
"""

import json
from pathlib import Path

import numpy as np

STORED = Path(__file__).parent / "data" / "rsatoolbox.json"
COMPARISONS = {
    "spearman": "spearman",
    "pearson": "corr",
    "kendall": "tau-a",
    "whitened_cosine": "cosine_cov",
    "whitened_correlation": "corr_cov",
}
DRAWS = 12


def repeated(case):
    """Responses (repetitions, n, neurons) with correlated noise of unequal size, and missing trials if unbalanced."""
    repetitions, n, p = {"balanced": (4, 7, 5), "unbalanced": (5, 7, 5), "wide": (2, 6, 20)}[case]
    rng = np.random.default_rng(2016)
    noise = rng.normal(size=(repetitions, n, p)) @ (np.eye(p) + 0.5 * rng.normal(size=(p, p)))
    responses = rng.normal(size=(n, p)) + noise * np.linspace(0.5, 2, p)
    if case == "unbalanced":
        responses[[0, 3, 4], [2, 2, 5]] = np.nan
    return responses


def squared_distances(n, count, seed=2021):
    """Squared Euclidean distances (count, n, n) of random patterns, which share a part."""
    rng = np.random.default_rng(seed)
    patterns = rng.normal(size=(count, n, 6)) + 1.5 * rng.normal(size=(n, 6))
    return np.square(patterns[:, :, None] - patterns[:, None]).sum(axis=3)


def drawn(n_stimuli, n_units):
    """Draws (DRAWS, n) of stimuli and of units."""
    rng = np.random.default_rng(2023)
    return rng.integers(0, n_stimuli, (DRAWS, n_stimuli)), rng.integers(0, n_units, (DRAWS, n_units))


def population():
    """Mean responses (n, neurons), and the features of a layer."""
    rng = np.random.default_rng(12)
    latent = rng.normal(size=(10, 4))
    return latent @ rng.normal(size=(4, 8)) + rng.normal(size=(10, 8)), latent @ rng.normal(size=(4, 15))


def main():
    from unittest.mock import patch

    from rsatoolbox.data import Dataset
    from rsatoolbox.data.noise import cov_from_unbalanced
    from rsatoolbox.inference import evaluate
    from rsatoolbox.model import ModelFixed
    from rsatoolbox.rdm import RDMs, calc_rdm, compare
    from rsatoolbox.rdm.calc_unbalanced import calc_rdm_unbalanced
    from rsatoolbox.rdm.compare import _cosine_cov_weighted_slow
    from rsatoolbox.util.inference_util import _dual_bootstrap

    stored = {"crossnobis": {}, "compared": {}, "of_subjects": {}, "of_neurons": {}}
    for case in ("balanced", "unbalanced", "wide"):
        responses = repeated(case)
        # rsatoolbox orders stimuli by their first trial.
        stimulus, repetition = np.nonzero(np.isfinite(responses[:, :, 0]).T)
        trials = Dataset(
            responses[repetition, stimulus],
            obs_descriptors={"stimulus": list(stimulus), "repetition": list(repetition)},
        )
        covariance = cov_from_unbalanced(trials, "stimulus", method="shrinkage_diag")
        calc = calc_rdm_unbalanced if case == "unbalanced" else calc_rdm
        distances = calc(
            trials, "crossnobis", "stimulus", noise=np.linalg.inv(covariance), cv_descriptor="repetition"
        ).dissimilarities[0]
        stored["crossnobis"][case] = {"covariance": covariance.tolist(), "distances": distances.tolist()}

    layer, *measured = (RDMs(matrix[None]) for matrix in squared_distances(9, 2))
    rows = drawn(9, 1)[0][0]
    copied = [each.subsample_pattern("index", rows) for each in (layer, measured[0])]
    slow = _cosine_cov_weighted_slow(*(each.get_vectors() for each in (layer, measured[0])))
    for name, method in COMPARISONS.items():
        stored["compared"][name] = {
            "whole": float(compare(layer, measured[0], method)[0, 0]),
            "drawn": float(compare(*copied, method)[0, 0]),
        }
    stored["compared"]["whitened_cosine"]["solved"] = float(slow[0, 0])

    subjects, (stimuli, units) = squared_distances(10, 6), drawn(10, 5)
    layer, measured = RDMs(subjects[:1]), RDMs(subjects[1:])
    for name, method in COMPARISONS.items():
        samples = iter(zip(units, stimuli, strict=True))

        def sample(rdms, samples=samples, **_):
            of_units, of_stimuli = next(samples)
            both = rdms.subsample("index", of_units).subsample_pattern("index", of_stimuli)
            return both, of_units, of_stimuli

        with patch.object(evaluate, "bootstrap_sample", sample):
            result = evaluate.eval_dual_bootstrap(ModelFixed("layer", layer), measured, method, N=DRAWS)
        stored["of_subjects"][name] = float(np.sqrt(result.model_var[0]))

    means, features = population()
    stimuli, units = drawn(*means.shape)
    layer, whole = (RDMs(calc_rdm(Dataset(values), "correlation").get_matrices()) for values in (features, means))
    for name, method in COMPARISONS.items():
        values = []
        for of_stimuli, of_units in zip(stimuli, units, strict=True):
            of_drawn = RDMs(calc_rdm(Dataset(means[:, of_units]), "correlation").get_matrices())
            some = [each.subsample_pattern("index", of_stimuli) for each in (layer, of_drawn, whole)]
            pairs = ((some[0], some[1]), (layer, of_drawn), (some[0], some[2]))
            values.append([compare(*pair, method)[0, 0] for pair in pairs])
        variances = np.var(values, axis=0, ddof=1)
        stored["of_neurons"][name] = float(np.sqrt(_dual_bootstrap(variances, means.shape[1], len(means))))
    STORED.write_text(json.dumps(stored, indent=1) + "\n")


if __name__ == "__main__":
    main()
