import numpy as np
import pytest

from ventral.mappings.correlation import sums_within_folds
from ventral.recordings.noise import noise_of
from ventral.targets.reliability import reliability_within_folds
from ventral.targets.selection import score_of_chosen


def simulated(n=60, neurons=40, noise=1.0, repetitions=4):
    rng = np.random.default_rng(0)
    rates = rng.normal(size=(n, neurons))
    responses = rates + noise * rng.normal(size=(repetitions, n, neurons))
    return rates, responses, np.split(rng.permutation(n), 5)


def found(rates, responses, folds, threshold):
    noise = noise_of(responses, False)
    scored = np.isfinite(rates) & np.isfinite(noise.means)
    return score_of_chosen(sums_within_folds(rates, noise.means, folds), noise, scored, folds, threshold)


def test_equals_the_halves_one_after_the_other():
    rates, responses, folds = simulated(noise=2.5)
    medians, left_out = [], []
    for choosing, scoring in ((folds[::2], folds[1::2]), (folds[1::2], folds[::2])):
        scores, left = [], 0
        for k in range(40):
            one = responses[:, :, [k]]
            if reliability_within_folds(noise_of(one, False), choosing).rho[0] < 0.3:
                left += 1
                continue
            a = np.concatenate([rates[fold, k] - rates[fold, k].mean() for fold in scoring])
            means = one[:, :, 0].mean(axis=0)
            b = np.concatenate([means[fold] - means[fold].mean() for fold in scoring])
            rho = reliability_within_folds(noise_of(one, False), scoring).rho[0]
            r = (a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum())
            scores.append(r / np.sqrt(rho) if rho > 0 else np.inf)
        medians.append(np.median(scores))
        left_out.append(left)
    score = found(rates, responses, folds, 0.3)
    assert score.median == pytest.approx(np.mean(medians))
    assert score.n_left_out == tuple(left_out)
    assert 0 < sum(left_out) < 80
    rho = reliability_within_folds(noise_of(responses, False), folds).rho
    assert score.n_unreliable == (rho <= 0).sum()
    assert score.n_neurons == 40


@pytest.mark.filterwarnings("error")
def test_neurons_without_repetitions_or_predictions_are_not_counted():
    rates, responses, folds = simulated()
    responses[1:, :, 0] = np.nan
    rates[:, 1] = 1.0
    rates[:, 2] = np.nan
    assert found(rates, responses, folds, 0.1).n_neurons == 37
    nobody = found(rates[:, :1], responses[:, :, :1], folds, 0.1)
    assert np.isnan(nobody.median)
    assert np.isnan(nobody.summed)


@pytest.mark.filterwarnings("error")
def test_order_of_neurons_and_units_do_not_matter():
    rates, responses, folds = simulated(noise=2)
    order = np.random.default_rng(1).permutation(40)
    one, other = found(rates, responses, folds, 0.2), found(7 + rates[:, order], 3 * responses[:, :, order], folds, 0.2)
    assert other.median == pytest.approx(one.median)
    assert other.summed == pytest.approx(one.summed)
    assert (other.n_left_out, other.n_unreliable) == (one.n_left_out, one.n_unreliable)


def test_repeated_stimuli_that_are_not_scored_serve_both_halves():
    rates, responses, _ = simulated(n=60, repetitions=6)
    responses[1:, :30] = np.nan
    scored_folds = np.split(np.random.default_rng(0).permutation(30), 5)
    score = found(rates, responses, scored_folds, 0.1)
    assert np.isfinite(score.median)
