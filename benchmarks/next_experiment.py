"""Count the trials until the true one of two models is found, with chosen and random stimuli, on simulated neurons.

Two networks of one random hidden layer see the same stimuli. Neurons are linear functions of one of the networks.
Readouts of both networks are fitted to a first experiment with noise. Stimuli of a pool are chosen by these readouts
alone, as `ventral.in_silico.next_experiment` does, and a second experiment is simulated. The model with the higher
likelihood is taken as the true one. Each experiment has networks, neurons and stimuli of its own. The number of trials
is the smallest from which on 80 %, or 90 %, of experiments find the true model. Intervals are over experiments.
"""

import numpy as np
from numpy.typing import NDArray

from ventral.in_silico.discrimination import (
    chosen,
    log_likelihood_ratio,
    separation,
    trials_needed,
    unexplained_variance,
)

LATENT, UNITS, PENALTIES = 30, 200, np.logspace(-3, 2, 11)
FITTED, POOL, REPETITIONS, CHOSEN = 300, 500, 4, 20
EXPERIMENTS, REPEATS, BOOTSTRAPS = 200, 20, 1000
TRIALS = np.unique(np.geomspace(1, 4000, 60).round().astype(int))
# Neurons, share of the noise in the variance of a trial, and correlation between the weights of the two networks.
SETTINGS = ((5, 0.5, 0.9), (5, 0.8, 0.9), (20, 0.8, 0.9), (20, 0.95, 0.9))
LEVELS = (0.8, 0.9)


class Experiment:
    """A first experiment, the readouts of both networks, and their predictions for a pool.

    Attributes
    ----------
    truth : (POOL, neurons) array
        Mean responses to the pool.
    predicted : (2, POOL, neurons) array
        Predictions of the readouts, those of the true network first.
    noise, unexplained : (neurons,) arrays
        As for `ventral.in_silico.discrimination`, both estimated from the first experiment.
    sd : float
        True standard deviation of the noise of a trial.
    """

    def __init__(self, neurons: int, noisy: float, alike: float, rng: np.random.Generator) -> None:
        stimuli = rng.normal(size=(FITTED + POOL, LATENT)) * np.geomspace(1, 0.2, LATENT)
        shared = rng.normal(size=(LATENT, UNITS))
        own = [np.sqrt(alike) * shared + np.sqrt(1 - alike) * rng.normal(size=shared.shape) for _ in range(2)]
        features = [np.maximum(stimuli @ weights, 0) for weights in own]
        signal = features[0] @ rng.normal(size=(UNITS, neurons))
        signal /= signal[:FITTED].std(axis=0)
        self.sd, self.truth = np.sqrt(noisy / (1 - noisy)), signal[FITTED:]
        trials = signal[:FITTED] + self.sd * rng.normal(size=(REPETITIONS, FITTED, neurons))
        means = trials.mean(axis=0)
        self.noise = trials.var(axis=0, ddof=1).mean(axis=0)
        explainable = np.maximum(means.var(axis=0, ddof=1) - self.noise / REPETITIONS, 0)
        reliability = np.maximum(explainable / means.var(axis=0, ddof=1), 1e-3)
        readouts = [ridge(x, means) for x in features]
        self.predicted = np.stack([predicted for predicted, _ in readouts])
        r = np.array([[np.corrcoef(a, b)[0, 1] for a, b in zip(held.T, means.T, strict=True)] for _, held in readouts])
        self.unexplained = unexplained_variance(explainable, r / np.sqrt(reliability)).mean(axis=0)

    def finds(self, stimuli: NDArray, rng: np.random.Generator) -> NDArray[np.float64]:
        """Return the share of repeats (numbers of trials,) in which the true network is the likelier one."""
        n, truth = len(stimuli), self.truth[stimuli]
        sums, before, found = np.zeros((REPEATS, *truth.shape)), np.zeros(n), []
        for trials in TRIALS:
            counts = trials // n + (np.arange(n) < trials % n)
            new = (counts - before)[:, None]
            sums += new * truth + self.sd * np.sqrt(new) * rng.normal(size=sums.shape)
            means, before = sums / np.maximum(counts, 1)[:, None], counts
            ratios = log_likelihood_ratio(means, *self.predicted[:, stimuli], self.noise, self.unexplained, counts)
            found.append(np.mean(ratios > 0))
        return np.array(found)


def ridge(features: NDArray, means: NDArray) -> tuple[NDArray, NDArray]:
    """Return predictions (POOL, neurons) for the pool, and held-out ones (FITTED, neurons) for the fitted stimuli."""
    centred = features - features[:FITTED].mean(axis=0)
    gram, across = centred[:FITTED] @ centred[:FITTED].T, centred[FITTED:] @ centred[:FITTED].T
    values, vectors = np.linalg.eigh(gram)
    average = means.mean(axis=0)
    every = []
    for penalty in PENALTIES * np.trace(gram) / FITTED:
        inverse = (vectors / (values + penalty)) @ vectors.T
        coefficients, hat = inverse @ (means - average), gram @ inverse + 1 / FITTED
        held = means - (means - average - gram @ coefficients) / (1 - np.diag(hat))[:, None]
        every.append((average + across @ coefficients, held))
    best = np.argmin([np.square(means - held).mean(axis=0) for _, held in every], axis=0)
    return tuple(np.stack([every[k][part][:, j] for j, k in enumerate(best)], axis=1) for part in (0, 1))


def trials_until(found: NDArray, level: float) -> float:
    """Return the number of trials from which on the mean of shares (experiments, numbers of trials) is a level."""
    short = np.flatnonzero(found.mean(axis=0) < level)
    first = short[-1] + 1 if len(short) else 0
    return float(TRIALS[first]) if first < len(TRIALS) else np.inf


def interval(values: NDArray) -> str:
    low, high = np.quantile(values, [0.025, 0.975], method="inverted_cdf")
    return f"{low:.3g} to {high:.3g}"


def main() -> None:
    for neurons, noisy, alike in SETTINGS:
        found, expected = [], []
        for seed in range(EXPERIMENTS):
            rng = np.random.default_rng([seed, neurons, int(100 * noisy), int(100 * alike)])
            experiment = Experiment(neurons, noisy, alike, rng)
            differences = experiment.predicted[0] - experiment.predicted[1]
            known = experiment.noise, experiment.unexplained
            best = chosen(separation(differences, *known)[None], CHOSEN, {})
            sets = [best, rng.choice(POOL, CHOSEN, replace=False)]
            found.append([experiment.finds(stimuli, rng) for stimuli in sets])
            expected.append([trials_needed(differences[stimuli], *known) for stimuli in sets])
        found = np.array(found)
        samples = np.random.default_rng(0).integers(0, EXPERIMENTS, (BOOTSTRAPS, EXPERIMENTS))
        print(
            f"{neurons} neurons, noise {noisy}, networks alike {alike}; in the end {found[..., -1].mean(axis=0)} right"
        )
        print(f"  expected for 95 %: chosen and random {np.median(expected, axis=0)}")
        for level in LEVELS:
            drawn = np.array([[trials_until(found[sample, k], level) for k in (0, 1)] for sample in samples])
            counts = [trials_until(found[:, k], level) for k in (0, 1)]
            said = [f"{count:.0f} ({interval(drawn[:, k])})" for k, count in enumerate(counts)]
            fewer = f"{counts[1] / counts[0]:.1f} times fewer ({interval(drawn[:, 1] / drawn[:, 0])})"
            print(f"  for {level:.0%}: chosen {said[0]}, random {said[1]}; {fewer}", flush=True)


if __name__ == "__main__":
    main()
