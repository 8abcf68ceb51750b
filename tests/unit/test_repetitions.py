"""Scores against single repetitions equal the published formulas, written out with loops over trials."""

import warnings

import numpy as np
import pytest
from scipy.stats import pearsonr

from ventral.mappings.repetitions import MEASURES, Repetitions, scores_over_repetitions
from ventral.recordings.noise import noise_of

REPETITIONS, N, NEURONS = 6, 40, 5


def recorded(seed=0, missing=0.0, noise=1.0, n=N):
    rng = np.random.default_rng(seed)
    rates = 2 * rng.normal(size=(n, NEURONS)) + 5
    responses = rates + noise * rng.normal(size=(REPETITIONS, n, NEURONS))
    # All stimuli of a repetition share a drift.
    responses += rng.normal(size=(REPETITIONS, 1, 1)) * 0.5
    responses[rng.random(responses.shape) < missing] = np.nan
    return rates, responses, rng


def repetitions(responses, blocks):
    noise = noise_of(responses, blocks)
    return Repetitions(noise.counts, noise.means, noise.squares, noise.variances_of_means)


def published(prediction, responses):
    """FEVE and both correlations of one neuron as neuralpredictors computes them, from lists of trials."""
    trials = [column[np.isfinite(column)] for column in responses.T]
    pairs = [(p, y) for p, y in zip(prediction, trials, strict=True) if len(y) > 1 and np.isfinite(p)]
    noise = np.mean([y.var(ddof=1) for _, y in pairs])
    everything = np.concatenate([y for _, y in pairs])
    repeated = np.concatenate([np.full(len(y), p) for p, y in pairs])
    total, error = everything.var(ddof=1), np.mean((everything - repeated) ** 2)
    return {
        "feve": 1 - (error - noise) / (total - noise),
        "r_average": pearsonr(*np.transpose([(p, y.mean()) for p, y in pairs])).statistic,
        "r_single_trial": pearsonr(repeated, everything).statistic,
    }


def schoppe(prediction, responses):
    """CC_norm of one neuron, from equations 2, 3 and 6 of Schoppe et al. 2016."""
    n = len(responses)
    signal_power = (np.var(responses.sum(axis=0), ddof=1) - np.var(responses, axis=1, ddof=1).sum()) / (n * (n - 1))
    covariance = np.cov(prediction, responses.mean(axis=0))[0, 1]
    return covariance / np.sqrt(np.var(prediction, ddof=1) * signal_power)


@pytest.mark.parametrize("missing", [0.0, 0.6])
def test_scores_equal_those_of_neuralpredictors(missing):
    rates, responses, rng = recorded(missing=missing)
    predictions = 0.7 * rates + rng.normal(size=rates.shape)
    predictions[3, 1] = np.nan
    found = scores_over_repetitions(predictions, repetitions(responses, blocks=False))
    if missing:
        counts = np.isfinite(responses).sum(axis=0)
        assert (counts < 2).any()
        assert len(np.unique(counts)) > 3
    for k in range(NEURONS):
        for name, value in published(predictions[:, k], responses[:, :, k]).items():
            assert found[name][k] == pytest.approx(value, rel=1e-10)


def test_the_normalised_correlation_equals_schoppe_et_al():
    rates, responses, rng = recorded()
    predictions = rates + rng.normal(size=rates.shape)
    found = scores_over_repetitions(predictions, repetitions(responses, blocks=True))["cc_norm"]
    expected = [schoppe(predictions[:, k], responses[:, :, k]) for k in range(NEURONS)]
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_a_perfect_model_scores_one_and_noise_lowers_the_correlations_alone():
    rates, responses, _ = recorded(seed=1, noise=3.0, n=4000)
    found = scores_over_repetitions(rates, repetitions(responses, blocks=True))
    np.testing.assert_allclose(found["cc_norm"], 1, atol=0.03)
    assert (found["r_single_trial"] < found["r_average"]).all()
    assert (found["r_average"] < 0.9).all()
    rng = np.random.default_rng(2)
    without_drift = rates + 3 * rng.normal(size=responses.shape)
    found = scores_over_repetitions(rates, repetitions(without_drift, blocks=False))
    np.testing.assert_allclose(found["feve"], 1, atol=0.03)
    scaled = scores_over_repetitions(2 * rates, repetitions(without_drift, blocks=False))
    np.testing.assert_allclose(scaled["cc_norm"], found["cc_norm"])
    assert (scaled["feve"] < 0).all()


def test_a_model_of_noise_explains_nothing():
    _, responses, rng = recorded(n=4000)
    found = scores_over_repetitions(rng.normal(size=(4000, NEURONS)), repetitions(responses, blocks=True))
    for name in ("cc_norm", "r_average", "r_single_trial"):
        np.testing.assert_allclose(found[name], 0, atol=0.06)
    mean = np.broadcast_to(np.nanmean(responses, axis=(0, 1)), responses.shape[1:])
    found = scores_over_repetitions(mean, repetitions(responses, blocks=True))
    np.testing.assert_allclose(found["feve"], 0, atol=0.01)
    assert np.isnan(found["r_average"]).all()
    assert np.isnan(found["cc_norm"]).all()


def test_single_repetitions_silent_neurons_and_pure_noise_have_no_scores():
    rates, responses, rng = recorded()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        once = scores_over_repetitions(rates, repetitions(responses[:1], blocks=False))
        silent = scores_over_repetitions(rates, repetitions(np.full(responses.shape, 0.1), blocks=True))
    for name in MEASURES:
        assert np.isnan(once[name]).all()
        assert np.isnan(silent[name]).all()
    # Noise that cancels over repetitions leaves less variance of means than noise would give.
    cancelling = rng.normal(size=(2, N, NEURONS))
    cancelling[1] = 1e-3 * rng.normal(size=(N, NEURONS)) - cancelling[0]
    found = scores_over_repetitions(rates, repetitions(cancelling, blocks=False))
    assert np.isnan(found["cc_norm"]).all()
    assert np.isnan(found["feve"]).all()
    assert np.isfinite(found["r_average"]).all()
