"""Splits hold every stimulus out once, and say so where they cannot be made."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.dealt import make_folds
from ventral.errors import InputError
from ventral.shards import rows_of_shard, shards_of_part
from ventral.targets.splits import Split, halves_of, leaked, make_splits, splits_apart


@given(st.lists(st.integers(5, 30), min_size=1, max_size=6), st.integers(3, 5), st.integers(0, 5))
def test_folds_of_stimuli_partition_and_stratify(counts, n_folds, seed):
    labels = np.repeat([f"object {k}" for k in range(len(counts))], counts)
    folds = make_folds("stimuli", {"object": labels}, len(labels), n_folds, seed, "s")
    assert np.array_equal(np.sort(np.concatenate(folds)), np.arange(len(labels)))
    assert np.ptp([len(fold) for fold in folds]) <= 1
    for label, count in zip(np.unique(labels), counts, strict=False):
        in_folds = [np.sum(labels[fold] == label) for fold in folds]
        assert sum(in_folds) == np.sum(labels == label)
        assert np.ptp(in_folds) <= 1
        assert count >= n_folds


def test_folds_of_stimuli_depend_on_the_seed_alone():
    first, again, other = (make_folds("stimuli", {}, 50, 5, seed, "s") for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize(("split", "label"), [("objects", "object"), ("categories", "category")])
def test_every_label_is_held_out_in_turn(split, label):
    labels = np.array(["car", "dog", "car", "egg", "dog", "car"])
    folds = make_folds(split, {label: labels}, 6, 5, 0, "s")
    assert [fold.tolist() for fold in folds] == [[0, 2, 5], [1, 4], [3]]


def test_an_object_with_fewer_stimuli_than_folds_is_named():
    labels = np.repeat(["bear", "car", "dog"], [8, 4, 8])
    with pytest.raises(InputError, match=r"stimuli\.mine: .*each of 5 folds.*: car \(4\); set `folds` to 4 or fewer"):
        make_folds("stimuli", {"object": labels}, 20, 5, 0, "stimuli.mine")


def test_fewer_stimuli_than_folds():
    with pytest.raises(InputError, match="4 stimuli cannot fill 5 folds"):
        make_folds("stimuli", {}, 4, 5, 0, "s")


def test_too_few_objects_to_hold_out():
    with pytest.raises(InputError, match="at least 3 objects, .* turn; the column `object` has 2: car, dog"):
        make_folds("objects", {"object": np.array(["car", "dog"] * 5)}, 10, 5, 0, "s")


def test_a_split_without_its_label():
    with pytest.raises(InputError, match="split `categories` needs a column `category`.*the table has object"):
        make_folds("categories", {"object": np.array(["a"] * 9)}, 9, 3, 0, "s")


@given(st.integers(1, 300), st.data())
def test_shards_cut_without_gap_or_overlap(n, data):
    n_shards = data.draw(st.integers(1, n))
    bounds = [rows_of_shard(n, shard, n_shards) for shard in range(n_shards)]
    assert bounds[0][0] == 0
    assert bounds[-1][1] == n
    assert all(stop == start for (_, stop), (start, _) in itertools.pairwise(bounds))
    assert np.ptp([stop - start for start, stop in bounds]) <= 1


@given(st.integers(1, 40), st.data())
def test_jobs_share_the_shards(n_shards, data):
    n_parts = data.draw(st.integers(1, n_shards))
    parts = [shards_of_part(3 * n_shards, n_shards, part, n_parts) for part in range(n_parts)]
    assert [shard for part in parts for shard in part] == list(range(n_shards))
    assert all(rows == rows_of_shard(3 * n_shards, shard, n_shards) for part in parts for shard, rows in part.items())
    assert np.ptp([len(part) for part in parts]) <= 1


def test_more_shards_than_stimuli():
    with pytest.raises(InputError, match=r"extraction\.shards: 3 stimuli cannot be cut into 4 shards"):
        rows_of_shard(3, 0, 4)


def test_what_is_held_out_was_seen_where_a_duplicate_is_in_another_fold():
    split = Split("stimuli", [np.array([0, 1, 2]), np.array([3, 4]), np.array([5, 6])])
    assert leaked(split, [[0, 1], [2, 4], [3, 5, 6]]).tolist() == [2, 3, 4, 5, 6]
    assert leaked(split, []).tolist() == []


def test_a_test_stimulus_was_seen_where_a_duplicate_is_in_training():
    published = Split("set", [np.array([4, 5])], np.array([0, 1]), np.array([2, 3]), inner=[[np.array([2, 3])]])
    assert leaked(published, [[0, 1], [2, 4], [1, 5]]).tolist() == [5]
    assert splits_apart({"set": published}, [(0, 5), (4, 5), (2, 4)]) == [["set"], [], []]


MOVIES = np.repeat([1.0, 2.0, 3.0, 4.0, 10.0], [6, 5, 4, 3, 2])


def made(spec, columns=None, n=20, n_folds=3):
    (split,) = make_splits([{"name": "mine", **spec}], columns or {}, n, n_folds, 0, "stimuli.set").values()
    return split


def test_groups_of_any_column_are_held_out_in_turn():
    split = made({"column": "movie"}, {"movie": MOVIES})
    assert split.groups == ("1", "10", "2", "3", "4")
    assert [len(fold) for fold in split.folds] == [6, 2, 5, 4, 3]
    assert split.is_nested


def test_folds_of_whole_groups_are_of_like_size():
    split = made({"column": "movie", "folds": 3}, {"movie": MOVIES})
    assert np.array_equal(np.sort(np.concatenate(split.folds)), np.arange(20))
    assert sorted(len(fold) for fold in split.folds) == [6, 7, 7]
    for movie in np.unique(MOVIES):
        assert sum(movie in MOVIES[fold] for fold in split.folds) == 1
    assert sorted(", ".join(split.groups).split(", ")) == ["1", "10", "2", "3", "4"]


def test_equal_groups_are_dealt_two_to_a_fold():
    split = made({"column": "movie", "folds": 5}, {"movie": np.repeat(np.arange(10), 4)}, n=40)
    assert [len(fold) for fold in split.folds] == [8] * 5


def test_a_published_test_set_is_scored_by_a_fit_on_the_training_set():
    part = np.array(["train"] * 12 + ["test"] * 8)
    split = made({"partition": "part"}, {"part": part})
    ((training, test),) = split.fits
    assert training.tolist() == list(range(12))
    assert test.tolist() == list(range(12, 20))
    assert sorted(np.concatenate(split.inner[0])) == training.tolist()
    assert [len(part) for part in split.inner[0]] == [4, 4, 4]
    assert not split.is_nested
    assert [[fold.tolist() for fold in half] for half in split.halves] == [[[12, 14, 16, 18]], [[13, 15, 17, 19]]]


def test_published_validation_stimuli_choose_the_penalty_alone():
    part = np.array(["train", "validation", "test", "test"] * 5)
    split = made({"partition": "part"}, {"part": part})
    ((training, test),) = split.fits
    assert set(part[training]) == {"train"}
    assert set(part[test]) == {"test"}
    ((validation,),) = split.inner
    assert set(part[validation]) == {"validation"}


@given(st.integers(12, 40), st.integers(1, 12), st.integers(0, 3))
def test_random_training_and_test_sets_are_all_stimuli(n, draws, seed):
    (split,) = make_splits([{"name": "random", "random": draws, "train": 0.6}], {}, n, 3, seed, "s").values()
    assert len(split.sets) == draws
    for one in split.sets:
        ((training, test),) = one.fits
        assert len(training) == round(0.6 * n)
        assert np.array_equal(np.union1d(training, test), np.arange(n))
        assert np.array_equal(np.sort(np.concatenate(one.inner[0])), training)
        even, odd = one.halves
        assert np.array_equal(np.sort(np.concatenate([*even, *odd])), test)
    assert split.whole.folds[0].tolist() == list(range(n))


def test_random_training_sets_are_those_of_numpys_choice():
    """Tuckute et al. 2023 draw ten sets of 83 of 165 sounds, one after the other."""
    splits = make_splits([{"random": 10, "train": 83, "name": "draws", "leave_one_out": True}], {}, 165, 5, 0, "s")
    np.random.seed(0)  # noqa: NPY002
    for (training, test), inner in zip(splits["draws"].fits, splits["draws"].inner, strict=True):
        drawn = np.random.choice(165, 83, replace=False)  # noqa: NPY002
        assert sorted(drawn) == list(training)
        assert len(test) == 82
        assert sorted(row for (row,) in inner) == list(training)


def test_random_draws_differ_and_depend_on_the_seed_alone():
    spec = {"name": "random", "random": 3, "train": 10}
    first, again, other = (make_splits([spec], {}, 20, 3, seed, "s")["random"].folds for seed in (1, 1, 2))
    assert all(map(np.array_equal, first, again))
    assert not any(map(np.array_equal, first, other))
    assert not np.array_equal(first[0], first[1])


def test_a_split_of_some_stimuli_has_their_places():
    part = np.array(["train"] * 12 + ["test"] * 8)
    split = made({"partition": "part"}, {"part": part}).placed(np.arange(1, 20, 2))
    assert split.training.tolist() == list(range(6))
    assert split.folds[0].tolist() == [6, 7, 8, 9]
    assert np.sort(np.concatenate(split.inner[0])).tolist() == list(range(6))


def test_what_suffices_for_a_fit():
    part = np.array(["train"] * 12 + ["test"] * 8)
    known = np.ones((20, 3), dtype=bool)
    known[3:12, 1] = known[15:, 2] = False
    assert made({"partition": "part"}, {"part": part}).suffices(known).tolist() == [True, False, False]
    folds = Split("s", np.array_split(np.arange(20), 4))
    known[:10, 1] = False
    assert folds.suffices(known).tolist() == [True, False, True]


def test_halves_are_every_other_fold_or_every_other_stimulus():
    even, odd = halves_of([np.array([0]), np.array([1]), np.array([2])])
    assert [fold.tolist() for fold in even] == [[0], [2]]
    assert [fold.tolist() for fold in odd] == [[1]]
    even, odd = halves_of([np.array([3, 5, 8])])
    assert (even[0].tolist(), odd[0].tolist()) == ([3, 8], [5])


PART = ["train"] * 12 + ["test"] * 8


@pytest.mark.parametrize(
    ("spec", "columns", "message"),
    [
        ({"column": "film"}, {"movie": MOVIES}, r"stimuli\.set: split `mine` needs a column `film`.*table has movie"),
        (
            {"column": "movie"},
            {"movie": np.repeat(["a", "b"], 10)},
            r"at least 3 groups, .*; the column `movie` has 2",
        ),
        ({"column": "movie", "folds": 6}, {"movie": MOVIES}, r"5 groups of the column `movie` cannot fill 6 folds"),
        ({"column": "movie"}, {"movie": np.where(MOVIES == 10, np.nan, MOVIES)}, r"no value in data rows 19, 20"),
        ({"partition": "part"}, {}, r"split `mine` needs a column `part`"),
        ({"partition": "part"}, {"part": [*PART[:-1], "tset"]}, r"has 'tset' in data row 20; did you mean `test`"),
        ({"partition": "part"}, {"part": [*PART[:-1], ""]}, r"no value in data rows 20"),
        ({"partition": "part"}, {"part": ["train"] * 20}, r"20 stimuli to train on and 0 to test on; at least 4"),
        ({"partition": "part"}, {"part": ["test"] * 20}, r"0 stimuli to train on and 20 to test on"),
        ({"random": 2, "train": 20}, {}, r"20 stimuli to train on and 0 to test on; at least 4 to train on and 4"),
        ({"random": 2, "train": 83}, {}, r"83 stimuli to train on and 0 to test on"),
        ({"random": 2, "train": 0.05}, {}, r"1 stimuli to train on and 19 to test on"),
    ],
)
def test_what_no_split_can_be_made_of(spec, columns, message):
    with pytest.raises(InputError, match=message):
        made(spec, columns)
