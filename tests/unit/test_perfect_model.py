"""A perfect model, whose predictions are the noiseless rates, scores 1: quick versions of benchmarks/ceilings.py."""

import pytest

from benchmarks import ceilings

QUICK = ceilings.Size(neurons=150, levels=(0.3, 0.7))
# A median over 150 neurons has 0.1 of a score's standard error; bounds are the beside three of these.
WHERE_VALID = {"counts": 0.03, "objects": 0.03, "selective": 0.02, "poisson": 0.03, "drift": 0.03}


@pytest.mark.filterwarnings("ignore:Mean of empty slice", "ignore:invalid value")
@pytest.mark.parametrize("name", WHERE_VALID)
def test_a_perfect_model_scores_one_where_the_score_is_valid(name):
    scores = dict(ceilings.CASES[name](QUICK))
    off = {
        case: score.after
        for case, score in scores.items()
        if score.standard_error <= 0.25 and abs(score.after - 1) > WHERE_VALID[name] + 0.3 * score.standard_error
    }
    assert not off
    assert sum(score.standard_error <= 0.25 for score in scores.values()) > 0.8 * len(scores)


def test_before_a_perfect_model_did_not():
    scores = dict(ceilings.counts_cases(ceilings.Size(neurons=60, levels=(0.3,))))
    assert scores["half once, half 10; 600 stimuli, rho 0.3"].before < 0.75
    assert scores["20 of 30, the others once; 600 stimuli, rho 0.3"].before < 0.75


def test_neurons_are_not_chosen_by_the_ceiling_of_their_score():
    scores = dict(ceilings.selection_cases(ceilings.Size(neurons=200, levels=())))
    assert scores["selection, 600 stimuli, rho 0.1"].before < 0.9
    assert scores["selection, 600 stimuli, rho 0.1"].after == pytest.approx(1.01, abs=0.04)
    assert scores["selection, 600 stimuli, rho 0.2"].after == pytest.approx(1, abs=0.03)
    for n in (100, 600):
        assert scores[f"selection, {n} stimuli, rho 0.5"].after == pytest.approx(1, abs=0.03)


def test_pooled_r_has_no_bias_in_small_folds():
    for case, score in ceilings.fold_size_cases(QUICK):
        assert score.after == pytest.approx(0.6, abs=0.01), case
    assert dict(ceilings.fold_size_cases(QUICK))["r of 0.60, folds of 2"].before_in_folds < 0.45


def test_fits_are_corrected_for_the_noise_of_their_predictions():
    for case, score in ceilings.fitted_cases(ceilings.Size(neurons=90, levels=())):
        assert score.before < 0.93, case
        assert score.after == pytest.approx(1, abs=0.05), case
