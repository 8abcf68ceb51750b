"""Selectivity for a category, against textbook values and units made to be selective."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
import zarr

from ventral.errors import InputError
from ventral.mappings.svm import balanced_accuracy
from ventral.scores.selectivity import SELECTIVE, dprime, selectivity, standard_error
from ventral.store import write_dataset


def test_dprime_is_the_distance_of_means_in_standard_deviations():
    rng = np.random.default_rng(0)
    is_face = np.arange(20000) % 2 == 0
    responses = rng.normal(size=(20000, 3)) * [1, 2, 3] + np.outer(is_face, [1, -1, 0])
    np.testing.assert_allclose(dprime(responses, is_face), [1, -0.5, 0], atol=0.05)


def test_dprime_is_the_same_at_any_scale_and_nothing_for_silent_units():
    rng = np.random.default_rng(1)
    responses = rng.normal(size=(40, 5))
    is_face = np.arange(40) < 10
    np.testing.assert_allclose(dprime(3e-6 * responses + 7, is_face), dprime(responses, is_face), rtol=1e-6)
    assert dprime(np.ones((40, 2)), is_face).tolist() == [0, 0]


@pytest.fixture
def stores(tmp_path):
    """Two layers of 100 units: in `late`, every fourth unit likes faces; in `early`, none does."""
    rng = np.random.default_rng(2)
    categories = np.array(["cars", "faces", "fruits"])[np.arange(90) % 3]
    stimuli = xr.Dataset(
        coords={
            "stimulus": np.array([f"s{k}" for k in range(90)], dtype=object),
            "category": ("stimulus", categories.astype(object)),
        },
        attrs={"name": "mine", "sha256": "a" * 64},
    )
    write_dataset(stimuli, tmp_path / "stimuli.zarr")
    group = zarr.open_group(tmp_path / "grams.zarr", mode="w", zarr_format=3)
    names = [("early", 0.2), ("late", 1.0)]
    layers = [{"name": name, "depth": depth} for name, depth in names]
    group.attrs.update(model="net", family="trained", stimuli_sha256="a" * 64, layers=layers)
    for name, _ in names:
        units = rng.normal(size=(90, 100))
        if name == "late":
            units[:, ::4] += 3.0 * (categories == "faces")[:, None]
        layer = group.create_group(name)
        layer.create_array("sample", data=units.astype(np.float32))
        layer.create_array("gram", data=units @ units.T)
    return tmp_path


def test_layers_are_told_apart_by_the_units_that_like_a_category(stores):
    selectivity(
        [stores / "grams.zarr"], stores / "stimuli.zarr", stores / "out.csv", category="faces", n_folds=5, seed=0
    )
    table = pd.read_csv(stores / "out.csv").set_index("layer")
    assert table.loc["late", "selective"] == pytest.approx(0.25, abs=0.05)
    assert table.loc["early", "selective"] < 0.05
    assert table.loc["late", "balanced_accuracy"] > 0.95 > table.loc["early", "balanced_accuracy"]
    assert table.loc["early", "balanced_accuracy"] == pytest.approx(0.5, abs=0.15)
    assert (table["n_units"] == 100).all()
    assert (table["n_stimuli"] == 90).all()
    assert table["standard_error"].between(0.01, 0.2).all()
    assert SELECTIVE < 3.0


def test_the_standard_error_of_an_accuracy_is_that_of_other_stimuli_and_never_0():
    rng, is_category = np.random.default_rng(0), np.arange(800) < 100
    folds = [np.arange(k, 800, 5) for k in range(5)]
    errors, accuracies = [], []
    for _ in range(400):
        right = rng.random(800) < np.where(is_category, 0.7, 0.9)
        predictions = np.where(right, is_category, ~is_category).astype(str)
        accuracies.append(balanced_accuracy(is_category, predictions, folds))
        errors.append(standard_error(is_category, predictions, folds))
    # Fits on other training parts differ, too: that counts as much again.
    assert np.mean(errors) == pytest.approx(np.sqrt(2) * np.std(accuracies), rel=0.1)
    assert standard_error(is_category, is_category.astype(str), folds) > 0.005
    assert np.isnan(standard_error(is_category, np.full(800, ""), folds))


def test_a_category_that_is_not_there_is_named_with_its_neighbours(stores):
    with pytest.raises(InputError, match=r"unseen.category: .* no category 'face'; did you mean `faces`"):
        selectivity(
            [stores / "grams.zarr"], stores / "stimuli.zarr", stores / "out.csv", category="face", n_folds=5, seed=0
        )
    assert not (stores / "out.csv").exists()
