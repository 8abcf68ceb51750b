"""Penalties at an edge of the grid: counted by hand, and told once a job."""

import numpy as np
import pandas as pd
import pytest

from ventral.scores.penalty_edges import choices_at_edges, warn_of_edges

GRID = [0.001, 1.0, 1000.0]


def test_choices_of_targets_with_a_positive_r_are_counted():
    values = np.random.default_rng(0).normal(size=(12, 3))
    # The third target is predicted the wrong way round.
    predictions = values * [1, 0.5, -1]
    folds = [np.arange(k, 12, 4) for k in range(4)]
    candidate = np.array([[0, 0, 2], [0, 1, 2], [2, 1, 2], [1, 1, 2]])
    found = choices_at_edges("conv", "stimuli", predictions, values, folds, candidate, 3)
    assert found.to_dict("records") == [{"layer": "conv", "split": "stimuli", "choices": 8, "lowest": 3, "highest": 1}]


def counts(*rows):
    return pd.DataFrame(rows, columns=["layer", "split", "choices", "lowest", "highest"])


def test_one_warning_names_layers_edges_and_options(caplog):
    table = counts(
        ("a", "stimuli", 50, 20, 0),
        ("a", "stimuli", 50, 10, 0),
        ("a", "objects", 100, 20, 0),
        ("b", "stimuli", 8, 0, 6),
    )
    warn_of_edges(table, "net", "rec", GRID)
    assert [record.getMessage() for record in caplog.records] == [
        "model net, recording rec: ridge penalties chosen at an edge of the grid, for targets with r above 0: the "
        "lowest one, 0.001, in a (stimuli, 30%): set `penalties.lowest` lower than 0.001; the highest one, 1000, in b "
        "(stimuli, 75%): set `penalties.highest` higher than 1000"
    ]


@pytest.mark.parametrize(
    ("table", "grid"),
    [
        pytest.param(counts(("a", "stimuli", 100, 20, 20)), GRID, id="a fifth is not more than a fifth"),
        pytest.param(counts(("a", "stimuli", 100, 100, 100)), [1.0], id="a single penalty"),
        pytest.param(counts(("a", "stimuli", 0, 0, 0)), GRID, id="nothing predicted"),
        pytest.param(pd.DataFrame(), GRID, id="no ridge"),
    ],
)
def test_nothing_is_told_where_there_is_nothing_to_widen(table, grid, caplog):
    warn_of_edges(table, "net", "rec", grid)
    assert not caplog.records
