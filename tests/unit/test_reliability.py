import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ventral.recordings.reliability import means_of_halves, split_half_reliability


def by_loops(responses, n_splits, seed):
    """The definition, one neuroid, split and stimulus at a time."""
    repetitions, n, n_neuroids = responses.shape
    reliability = np.full(n_neuroids, np.nan)
    for neuroid in range(n_neuroids):
        rs = []
        for split in range(n_splits):
            keys = np.random.default_rng([seed, split]).random((repetitions, n))
            halves = []
            for stimulus in range(n):
                shown = [k for k in range(repetitions) if not np.isnan(responses[k, stimulus, neuroid])]
                if len(shown) < 2:
                    continue
                dealt = responses[sorted(shown, key=lambda k: keys[k, stimulus]), stimulus, neuroid]
                halves.append((dealt[: len(shown) // 2].mean(), dealt[len(shown) // 2 :].mean()))
            if halves:
                rs.append(np.corrcoef(np.array(halves).T)[0, 1])
        if rs:
            r = np.mean(rs)
            reliability[neuroid] = 2 * r / (1 + r)
    return reliability


def simulated(rng, repetitions, n, neuroids, noise=1.0):
    return rng.normal(size=(n, neuroids)) + noise * rng.normal(size=(repetitions, n, neuroids))


@given(
    seed=st.integers(0, 10_000),
    repetitions=st.integers(2, 7),
    n=st.integers(6, 15),
    neuroids=st.integers(1, 5),
    missing=st.sampled_from([0.0, 0.3, 0.6]),
    same=st.booleans(),
)
def test_equals_the_definition_by_loops(seed, repetitions, n, neuroids, missing, same):
    rng = np.random.default_rng(seed)
    responses = 5 + simulated(rng, repetitions, n, neuroids, noise=0.3)
    absent = rng.random((repetitions, n, 1 if same else neuroids)) < missing
    # Six stimuli that were repeated keep every correlation clear of -1, where the correction has its pole.
    absent[:2, :6] = False
    responses[np.broadcast_to(absent, responses.shape)] = np.nan
    np.testing.assert_allclose(
        split_half_reliability(responses, n_splits=4, seed=seed), by_loops(responses, 4, seed), rtol=1e-7
    )


def test_blocks_change_nothing(monkeypatch):
    rng = np.random.default_rng(0)
    responses = simulated(rng, 4, 30, 7)
    responses[2:, :10, :3] = np.nan
    whole = split_half_reliability(responses, n_splits=11)
    monkeypatch.setattr("ventral.recordings.reliability.VALUES_AT_ONCE", 300)
    np.testing.assert_allclose(split_half_reliability(responses, n_splits=11), whole, rtol=1e-10)


@given(seed=st.integers(0, 10_000), order=st.permutations(range(6)), kept=st.integers(1, 6))
def test_a_neuroid_does_not_depend_on_the_others(seed, order, kept):
    rng = np.random.default_rng(seed)
    responses = simulated(rng, 5, 20, 6)
    responses[3:, 5:9, ::2] = np.nan
    chosen = order[:kept]
    np.testing.assert_allclose(
        split_half_reliability(responses[:, :, chosen], 5, seed),
        split_half_reliability(responses, 5, seed)[chosen],
        rtol=1e-9,
    )


@given(seed=st.integers(0, 10_000), scale=st.floats(1e-3, 1e3), offset=st.floats(-1e3, 1e3))
def test_units_and_baseline_do_not_matter(seed, scale, offset):
    responses = simulated(np.random.default_rng(seed), 4, 25, 3)
    np.testing.assert_allclose(
        split_half_reliability(scale * responses + offset, 5), split_half_reliability(responses, 5), rtol=1e-5
    )


def test_repetitions_that_were_never_shown_change_nothing():
    responses = simulated(np.random.default_rng(1), 4, 25, 3)
    longer = np.concatenate([responses, np.full((3, 25, 3), np.nan)])
    np.testing.assert_allclose(split_half_reliability(longer), split_half_reliability(responses), rtol=1e-10)


def test_seed_decides():
    responses = simulated(np.random.default_rng(2), 5, 30, 4)
    first = split_half_reliability(responses, 10, seed=1)
    assert (split_half_reliability(responses, 10, seed=1) == first).all()
    assert (split_half_reliability(responses, 10, seed=2) != first).all()


@pytest.mark.parametrize(("repetitions", "noise"), [(2, 0.5), (4, 1.0), (7, 1.0), (10, 3.0)])
def test_recovers_the_reliability_of_a_simulation(repetitions, noise):
    responses = simulated(np.random.default_rng(3), repetitions, 3000, 20, noise)
    truth = 1 / (1 + noise**2 / repetitions)
    estimate = split_half_reliability(responses, 20)
    assert abs(np.median(estimate) - truth) < 0.015
    assert np.abs(estimate - truth).max() < 0.07


def test_pure_noise_is_unreliable():
    responses = np.random.default_rng(4).normal(size=(8, 2000, 20))
    assert abs(np.median(split_half_reliability(responses, 20))) < 0.05


@pytest.mark.filterwarnings("error")
def test_what_has_no_reliability_is_nan():
    rng = np.random.default_rng(5)
    responses = simulated(rng, 4, 20, 6, noise=0.5)
    responses[1:, :, 0] = np.nan  # shown once
    responses[:, :, 1] = np.nan  # never shown
    responses[:, :, 2] = 0.1  # constant, at a value that sums with rounding
    responses[:, :, 3] = 0.1
    responses[3, ::2, 3] = np.nan  # constant, and of unequal counts
    responses[:2, :, 4], responses[2:, :, 4] = 0.1, 0.7  # some halves vary, the mean response does not
    reliability = split_half_reliability(responses)
    assert np.isnan(reliability[:4]).all()
    assert not reliability[4] > 0
    assert reliability[5] > 0.5


def test_halves_that_oppose_each_other_have_no_reliability():
    responses = np.array([[1.0, -1, 2, -2, 3, -3], [-1.0, 1, -2, 2, -3, 3]])[:, :, None]
    assert np.isnan(split_half_reliability(responses, 100)).all()


def test_real_recording(data_dir):
    responses = np.load(data_dir / "cowley2023_v4" / "responses_raw_210325.npy").transpose(2, 1, 0)
    reliability = split_half_reliability(responses)
    assert abs(np.median(reliability) - 0.75) < 0.02
    # Analysis of variance estimates the same quantity without halves: 1 - noise / total variance of the mean.
    counts = (~np.isnan(responses)).sum(axis=0)
    noise = (np.nanvar(responses, axis=0, ddof=1) / counts).mean(axis=0)
    by_variance = 1 - noise / np.nanmean(responses, axis=0).var(axis=0, ddof=1)
    assert np.corrcoef(reliability, by_variance)[0, 1] > 0.99
    assert abs(np.median(reliability) - np.median(by_variance)) < 0.01


def within_folds_by_loops(responses, folds, n_splits, seed):
    """The definition, one neuroid, split and fold at a time."""
    repetitions, n, n_neuroids = responses.shape
    reliability = np.full(n_neuroids, np.nan)
    for neuroid in range(n_neuroids):
        rs = []
        for split in range(n_splits):
            keys = np.random.default_rng([seed, split]).random((repetitions, n))
            for fold in folds:
                halves = []
                for stimulus in fold:
                    shown = np.flatnonzero(~np.isnan(responses[:, stimulus, neuroid]))
                    if len(shown) >= 2:
                        dealt = responses[shown[np.argsort(keys[shown, stimulus])], stimulus, neuroid]
                        halves.append((dealt[: len(shown) // 2].mean(), dealt[len(shown) // 2 :].mean()))
                rs.append(np.corrcoef(np.array(halves).T)[0, 1])
        reliability[neuroid] = 2 * np.mean(rs) / (1 + np.mean(rs))
    return reliability


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_within_folds_it_equals_the_definition_by_loops(missing):
    rng = np.random.default_rng(6)
    responses = simulated(rng, 5, 30, 4, noise=0.5)
    responses[2:][rng.random((3, 30, 4)) < missing] = np.nan
    folds = np.array_split(rng.permutation(30), 4)
    np.testing.assert_allclose(
        split_half_reliability(responses, 6, seed=2, folds=folds), within_folds_by_loops(responses, folds, 6, 2)
    )


def test_differences_between_folds_do_not_count_as_reliable_within_them():
    rng = np.random.default_rng(7)
    folds = np.split(np.arange(60), 3)
    responses = rng.normal(size=(6, 60, 40)) + 5 * np.repeat([0, 1, 2], 20)[:, None]
    assert np.median(split_half_reliability(responses)) > 0.95
    assert abs(np.median(split_half_reliability(responses, folds=folds))) < 0.1


def test_a_fold_that_a_neuroid_was_not_shown_is_none_of_its_folds_but_one_shown_once_has_no_reliability():
    responses = simulated(np.random.default_rng(8), 4, 30, 3)
    folds = np.split(np.arange(30), 3)
    responses[:, folds[0], 1] = np.nan
    responses[1:, folds[0], 2] = np.nan
    reliability = split_half_reliability(responses, 10, folds=folds)
    expected = split_half_reliability(responses[:, :, :2], 10, folds=folds[1:])
    assert reliability[1] == pytest.approx(expected[1])
    assert reliability[0] != pytest.approx(expected[0])
    assert np.isnan(reliability[2])


def test_populations_are_halved_by_repetition_of_each_stimulus():
    """Values that say where they come from: a half's mean is of the same repetitions for all neuroids."""
    repetitions, n = 5, 7
    responses = np.zeros((repetitions, n, 2))
    responses[:, :, 0] = 2.0 ** np.arange(repetitions)[:, None]
    responses[:, :, 1] = 3 * responses[:, :, 0]
    responses[0, 2], responses[1, 4, 1] = np.nan, np.nan
    halvings = list(means_of_halves(responses, 6, seed=1))
    assert len({first.tobytes() for first, _ in halvings}) == 6
    for first, second in halvings:
        whole = [k for k in range(n) if k not in (2, 4)]
        np.testing.assert_allclose(first[whole, 1], 3 * first[whole, 0])
        np.testing.assert_allclose(2 * first[whole, 0] + 3 * second[whole, 0], 2.0**repetitions - 1)
        np.testing.assert_allclose(2 * first[2] + 2 * second[2], [30, 90])
        np.testing.assert_allclose(2 * first[4, 0] + 3 * second[4, 0], 31)


def test_a_stimulus_shown_once_is_in_one_half_alone():
    responses = np.random.default_rng(0).normal(size=(3, 4, 2))
    responses[1:, 0] = np.nan
    ((first, second),) = means_of_halves(responses, 1)
    assert np.isnan(first[0]).all()
    np.testing.assert_array_equal(second[0], responses[0, 0])
    assert np.isfinite(np.concatenate([first[1:], second])).all()
