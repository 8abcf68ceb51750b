"""Splits hold every stimulus out once, and say so where they cannot be made."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ventral.errors import InputError
from ventral.shards import rows_of_shard, shards_of_part
from ventral.targets.splits import leaked, make_folds


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
    with pytest.raises(InputError, match="at least 3 objects; the column `object` has 2: car, dog"):
        make_folds("objects", {"object": np.array(["car", "dog"] * 5)}, 10, 5, 0, "s")


def test_a_split_without_its_label():
    with pytest.raises(InputError, match="split `categories` needs a column `category`.*it has object"):
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
    folds = [np.array([0, 1, 2]), np.array([3, 4]), np.array([5, 6])]
    assert leaked(folds, [[0, 1], [2, 4], [3, 5, 6]]).tolist() == [2, 3, 4, 5, 6]
    assert leaked(folds, []).tolist() == []
