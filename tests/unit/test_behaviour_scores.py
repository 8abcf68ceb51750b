"""Rows of the score table for behaviour: values, ceilings and intervals of simulated subjects."""

import numpy as np
import pandas as pd
import pytest
import torch

from ventral.activations.class_probabilities import classify
from ventral.mappings.behaviour import Choices, accuracy_of_subjects, error_consistency
from ventral.models.zoo import resolve_model
from ventral.recordings.choices import N_CLASSES
from ventral.report.tables import behaviour_section
from ventral.scores.behaviour import (
    TABLE,
    behaviour_table,
    choice_rows,
    output_rows,
    readout_rows,
    resampled_subjects,
)
from ventral.scores.table import COLUMNS
from ventral.stimuli.ingestion import ingest
from ventral.store import read_dataset

N_LABELS, N_SUBJECTS, N_EACH = 4, 6, 20
TRUTH = np.repeat(np.arange(N_LABELS), N_EACH)
N = len(TRUTH)
NAMES = np.array(["boat", "car", "dog", "face"])


def probabilities(seed: int) -> np.ndarray:
    """Probabilities of labels: the right one is more probable for some stimuli than for others."""
    rng = np.random.default_rng(seed)
    strength = rng.normal(0, 1, (N, N_LABELS))
    strength[np.arange(N), TRUTH] += rng.normal(1.2, 1, N)
    return np.exp(strength) / np.exp(strength).sum(axis=1, keepdims=True)


def chosen_by(given: np.ndarray, seed: int) -> Choices:
    """Each subject sees every stimulus once, and chooses by these probabilities."""
    rng = np.random.default_rng(seed)
    subject, stimulus = (part.ravel() for part in np.mgrid[:N_SUBJECTS, :N])
    choice = np.array([rng.choice(N_LABELS, p=given[row]) for row in stimulus])
    return Choices(TRUTH, N_LABELS, N_SUBJECTS, stimulus, subject, choice)


@pytest.fixture(scope="module")
def subjects():
    return resampled_subjects(chosen_by(probabilities(0), 1), n_bootstrap=100, seed=2)


def by_measure(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.set_index("target")


def test_the_probabilities_that_subjects_choose_by_agree_up_to_the_ceiling(subjects):
    rows = by_measure(choice_rows(probabilities(0), subjects))
    for name in ("accuracy_by_stimulus", "i1", "i2n"):
        assert rows["r"][name] == pytest.approx(rows["ceiling_low"][name], abs=0.12), name
    for name in ("accuracy_by_stimulus", "i1", "i2n", "o2"):
        assert rows["predictivity"][name] == pytest.approx(rows["r"][name] / np.sqrt(rows["reliability"][name]))
        assert rows["ceiling_low"][name] == rows["ceiling_high"][name]


def test_other_probabilities_agree_with_nothing(subjects):
    rows = by_measure(choice_rows(probabilities(5), subjects))
    for name in ("accuracy_by_stimulus", "i1", "i2n", "error_consistency"):
        assert abs(rows["r"][name]) < 4 * rows["r_error"][name] + 0.05, name


def test_accuracy_and_error_consistency_are_those_of_the_choices(subjects):
    given = probabilities(3)
    rows = by_measure(choice_rows(given, subjects))
    correct = given.argmax(axis=1) == TRUTH
    accuracy = accuracy_of_subjects(subjects.choices)
    kappa = error_consistency(correct[None].astype(float), accuracy, np.ones(N))
    pairs = error_consistency(accuracy, accuracy, np.ones(N))
    assert rows["r"]["accuracy"] == pytest.approx(correct.mean())
    assert rows["chance"]["accuracy"] == 1 / N_LABELS
    assert rows["r"]["error_consistency"] == pytest.approx(kappa.mean())
    assert rows["ceiling_low"]["accuracy"] == pytest.approx(accuracy.mean())
    assert rows["ceiling_low"]["error_consistency"] == pytest.approx(pairs[np.triu_indices(N_SUBJECTS, 1)].mean())


def test_intervals_are_as_wide_as_new_stimuli_and_subjects_would_make_them(subjects):
    """The error of an accuracy is the binomial one; a constant predictor has none."""
    given = probabilities(3)
    rows = by_measure(choice_rows(given, subjects))
    p = (given.argmax(axis=1) == TRUTH).mean()
    assert rows["r_error"]["accuracy"] == pytest.approx(np.sqrt(p * (1 - p) / N), rel=0.25)
    assert (rows["r_error"] > 0).all()
    assert (rows["standard_error"][["accuracy", "error_consistency"]] > 0).all()


def test_stimuli_without_probabilities_are_left_out(subjects):
    given = probabilities(3)
    given[::5] = np.nan
    rows = by_measure(choice_rows(given, subjects))
    kept = np.arange(N) % 5 != 0
    assert rows["n_stimuli"]["accuracy"] == kept.sum()
    assert rows["r"]["accuracy"] == pytest.approx((given[kept].argmax(axis=1) == TRUTH[kept]).mean())
    assert rows["r"].notna().all()


def test_readouts_find_labels_in_features(subjects):
    rng = np.random.default_rng(4)
    features = 2 * np.eye(N_LABELS)[TRUTH] @ rng.normal(size=(N_LABELS, 10)) + rng.normal(size=(N, 10))
    folds = [np.arange(first, N, 5) for first in range(5)]
    rows = readout_rows(features @ features.T, NAMES[TRUTH], subjects, folds, "stimuli")
    assert set(rows["mapping"]) == {"logistic"}
    assert set(rows["split"]) == {"stimuli"}
    assert by_measure(rows)["r"]["accuracy"] > 0.8
    assert set(rows.columns) <= set(COLUMNS)


def test_outputs_are_means_over_the_classes_of_a_label(subjects):
    given = probabilities(3)
    label_of_class = np.array([0, 1, 1, 2, 3, -1])
    # A sum instead of a mean would favour the label with two classes.
    outputs = np.column_stack([given[:, 0], given[:, 1], given[:, 1], given[:, 2], given[:, 3], np.full(N, 9.0)])
    rows, expected = output_rows(outputs, label_of_class, subjects), choice_rows(given, subjects)
    np.testing.assert_allclose(rows["r"].to_numpy(), expected["r"].to_numpy())
    assert set(rows["mapping"]) == {"outputs"}


def test_the_table_names_one_best_layer(subjects):
    layers = [
        choice_rows(probabilities(seed), subjects).assign(layer=f"block.{seed}", depth=seed / 10) for seed in (3, 3, 5)
    ]
    scores = pd.concat(layers, ignore_index=True).assign(
        recording="people", stimuli="mine", model="net", family="pretrained", split="stimuli", mapping="logistic"
    )
    neuron = scores.head(1).assign(target_kind="neuron")
    table = behaviour_table(pd.concat([scores, neuron], ignore_index=True))
    assert list(table.columns) == TABLE
    assert len(table) == len(scores)
    best = table[table["best_layer"]]
    assert best["measure"].is_unique
    assert (best.set_index("measure")["value"] == table.groupby("measure")["value"].max()).all()
    row, of_scores = best.iloc[0], scores[scores["target"] == best.iloc[0]["measure"]]
    error = of_scores.loc[of_scores["r"] == row["value"], "r_error"].iloc[0]
    assert row["high"] - row["low"] == pytest.approx(2 * 1.96 * error)


def classified(tmp_path, architecture: str) -> np.ndarray:
    from PIL import Image

    rng = np.random.default_rng(0)
    (tmp_path / "images").mkdir()
    for k in range(5):
        Image.fromarray(rng.integers(0, 256, (40, 40, 3), np.uint8)).save(tmp_path / "images" / f"{k}.png")
    ingest({"images": str(tmp_path / "images"), "size": 32}, tmp_path / "mine.zarr", name="mine")
    spec = resolve_model("net", {"architecture": architecture})
    classify(tmp_path / "mine.zarr", tmp_path / "out.zarr", spec=spec, device="cpu", batch_size=2)
    return read_dataset(tmp_path / "out.zarr")["probability"].values


NETWORK = """
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.pooled = torch.nn.AdaptiveAvgPool2d(8)
        self.readout = torch.nn.Linear(3 * 8 * 8, {n})

    def forward(self, images):
        return self.readout(self.pooled(images).flatten(1))

def net():
    torch.manual_seed(0)
    return Net()
"""


def test_classes_are_the_softmax_of_the_outputs(tmp_path, importable):
    module = importable("my_classes", NETWORK.format(n=N_CLASSES))
    found = classified(tmp_path, f"{module}:net")
    assert found.shape == (5, N_CLASSES)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)
    assert len(np.unique(found.argmax(axis=1))) > 1
    assert found.dtype == torch.zeros(1).numpy().dtype


def test_other_outputs_are_no_classes(tmp_path, importable):
    module = importable("my_features", NETWORK.format(n=7))
    assert classified(tmp_path, f"{module}:net").shape == (5, 0)


def test_pixels_make_no_choices(tmp_path):
    assert classified(tmp_path, "pixels").shape == (5, 0)


def test_the_page_shows_the_best_layers_and_outputs(subjects):
    rows = choice_rows(probabilities(3), subjects).assign(
        recording="people", stimuli="mine", model="net", family="pretrained", depth=0.5, mapping="logistic"
    )
    layers = [rows.assign(layer=layer, split="stimuli") for layer in ("conv", "pool")]
    outputs = rows.assign(layer="outputs", mapping="outputs", split="none", depth=1.0)
    table = behaviour_table(pd.concat([*layers, outputs], ignore_index=True))
    section = behaviour_section(table)
    assert section.count("<tr") == 1 + 2 * len(rows)
    assert "<code>conv</code>" in section
    assert "<code>pool</code>" not in section
    value = rows.set_index("target")["r"]["accuracy"]
    assert f'net <code>conv</code></td><td class="number">{value:.2f} (' in section
    assert behaviour_section(None) == ""
