"""Ranks and their consistency against SciPy."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau, rankdata

from ventral.figures import ranking as module
from ventral.figures.ranking import draw_ranking, kendall_tau, ranking, ranking_of, ranks
from ventral.statistics.bootstrap import COLUMNS as BOOTSTRAP_COLUMNS
from ventral.statistics.bootstrap import RESAMPLED, write_bootstraps


@given(seed=st.integers(0, 10_000), n_models=st.integers(2, 7))
def test_ranks_and_tau_are_those_of_scipy(seed, n_models):
    scores = np.random.default_rng(seed).integers(0, 5, size=(n_models, 9)).astype(float)
    found = ranks(scores)
    np.testing.assert_array_equal(found, rankdata(-scores, axis=0))
    expected = [kendalltau(found[:, 0], of_sample).statistic for of_sample in found.T]
    np.testing.assert_allclose(kendall_tau(found[:, 0], found), expected)


def resampled(n_bootstrap=400):
    """Models a, b and c: a is far ahead, b is ahead of c in three of four resamples."""
    ahead = np.where(np.arange(n_bootstrap) % 4 > 0, 0.01, -0.01)
    medians = {"a": np.full(n_bootstrap, 0.9), "b": 0.5 + ahead, "c": np.full(n_bootstrap, 0.5)}
    table = pd.DataFrame(
        [
            {"model": model, "family": "trained", "recording": "rec", "layer": "x", "depth": 1.0, "area": "V4"}
            | {"time_bin": "", "split": split, "mapping": "ridge", "n_neuroids": 8, "median": values.mean()}
            | {name: values.astype("f4") for name in RESAMPLED}
            for split in ("stimuli", "objects")
            for model, values in medians.items()
        ]
    )
    best = table[["recording", "area", "time_bin", "split", "mapping", "model", "family", "n_neuroids"]].assign(
        best_layer="x", measure="predictivity", corrected=table["median"]
    )
    return table, best


def test_a_rank_is_as_sure_as_its_resamples():
    table = ranking_of(*resampled()).query("split == 'stimuli'").set_index("model")
    assert list(table.index) == ["a", "b", "c"]
    assert table["rank"].tolist() == [1, 2, 3]
    assert table[["low", "median_rank", "high"]].to_numpy().tolist() == [[1, 1, 1], [2, 2, 3], [2, 3, 3]]
    # Where b and c change places, two of three pairs keep their order: tau is 1/3.
    assert table["consistency"].unique() == pytest.approx(0.75 + 0.25 / 3)
    assert (table["n_models"] == 3).all()


def test_models_whose_score_is_not_known_are_not_ranked():
    bootstraps, best = resampled()
    best.loc[best["model"] == "b", "corrected"] = np.nan
    assert ranking_of(bootstraps, best)["model"].tolist() == ["a", "c"] * 2


@pytest.mark.parametrize("some", [["a", "b", "c"], ["a"], []])
def test_the_figure_shows_the_table_and_is_the_same_bytes_every_time(tmp_path, some):
    bootstraps, best = resampled()
    table = bootstraps[bootstraps["model"].isin(some)]
    best[best["model"].isin(some)].to_csv(tmp_path / "best.csv", index=False)
    for k in range(2):
        write_bootstraps(table.sample(frac=1, random_state=k), tmp_path / f"{k}.parquet")
        paths = [tmp_path / f"{k}.{kind}" for kind in ("svg", "pdf", "csv")]
        ranking([tmp_path / f"{k}.parquet"], tmp_path / "best.csv", *paths)
    for kind in ("svg", "pdf", "csv"):
        assert (tmp_path / f"0.{kind}").read_bytes() == (tmp_path / f"1.{kind}").read_bytes()
    written = pd.read_csv(tmp_path / "0.csv")
    assert list(written.columns) == module.COLUMNS
    assert written["model"].tolist() == some * 2


def test_a_model_stands_at_its_rank_with_its_interval():
    table = ranking_of(*resampled())
    figure = draw_ranking(table)
    assert len(figure.axes) == 2
    lines = {line.get_label(): line for line in figure.axes[0].lines}
    assert [lines[model].get_xdata()[0] for model in "abc"] == [1, 2, 3]
    intervals = [segment[:, 0].tolist() for line in figure.axes[0].collections for segment in line.get_segments()]
    assert intervals == [[1, 1], [2, 3], [2, 3]]


def test_a_table_of_medians_is_read_as_it_was_written(tmp_path):
    from ventral.statistics.bootstrap import read_bootstraps

    table, _ = resampled(20)
    write_bootstraps(table, tmp_path / "a.parquet")
    found = read_bootstraps([tmp_path / "a.parquet"])
    assert list(found.columns) == [*BOOTSTRAP_COLUMNS, *RESAMPLED]
    expected = table.sort_values(["split", "model"], kind="stable")
    np.testing.assert_array_equal(np.stack(found["medians"]), np.stack(expected["medians"]))
