"""Filters of first layers are compared with V1: designed filters, filters without structure, and known samples."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import ks_2samp
from torch import nn

from ventral.errors import InputError
from ventral.figures.filters import draw_distributions, draw_gallery, filter_distributions, filter_gallery
from ventral.models.first_layer import _first_modules, first_filters
from ventral.models.gabor import ORIENTATIONS, WAVELENGTHS, gabor_filters
from ventral.models.zoo import completed, resolve_model
from ventral.scores.first_layers import filters, fitted_filters
from ventral.statistics.claimed import CLAIMS, Evidence
from ventral.statistics.v1 import ALL, PUBLISHED, filter_distances, ks, largest_ks
from ventral.tables import write_parquet

SPECS = {
    "conv1": {"architecture": "conv1", "weights": "random"},
    "wide_field": {"architecture": "conv1", "weights": "random", "degrees": 16},
}
LIKE = "filters of {}, trained on photographs, are like those of V1"
UNLIKE = "filters of {}, before training, are not like those of V1"


def sample(n: int, share: float, seed: int = 0, **named) -> pd.DataFrame:
    """Filters with the properties of neurons of V1, of which a share are Gabors, and filters without structure."""
    rng = np.random.default_rng(seed)
    columns = {}
    for published in PUBLISHED.values():
        flat = rng.choice(published.counts.size, n, p=published.shares.ravel())
        for column, place in zip(published.columns, np.unravel_index(flat, published.counts.shape), strict=True):
            low, high = published.edges[place], published.edges[place + 1]
            columns[column] = low + (high - low) * rng.uniform(0.01, 0.99, n)
    own = pd.DataFrame(columns).assign(kind="filter", gabor=np.arange(n) < share * n, r2=0.9)
    without = [own.assign(kind=kind, gabor=np.arange(n) < 0.05 * n, r2=0.3) for kind in ("shuffled", "random")]
    named = {"model": "net", "architecture": "net", "family": "pretrained", "layer": "0"} | named
    sides = {"rows": 7, "columns": 7, "determined": True, "degrees": 8.0}
    return pd.concat([own, *without], ignore_index=True).assign(**sides | named)


def distances(folder, table) -> pd.DataFrame:
    write_parquet(table, folder / "filters.parquet")
    filter_distances(folder / "filters.parquet", folder / "filter_distances.csv", 300, 0)
    return pd.read_csv(folder / "filter_distances.csv")


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """The filters of two models that differ in their degrees."""
    path = tmp_path_factory.mktemp("filters") / "filters.parquet"
    filters([resolve_model(name, dict(spec)) for name, spec in SPECS.items()], path, degrees=8, seed=0)
    return pd.read_parquet(path)


def test_the_first_layer_of_a_network_is_what_sees_the_input_first():
    late, one, other = nn.Conv2d(4, 2, 3), nn.Conv2d(3, 2, 5, padding=2), nn.Conv2d(3, 2, 3, padding=1)

    class Branches(nn.Module):
        def __init__(self):
            super().__init__()
            self.late, self.point, self.one, self.other = late, nn.Conv2d(3, 3, 1), one, other

        def forward(self, images):
            seen = self.point(images)
            return self.late(torch.cat([self.one(seen), self.other(seen)], dim=1))

    assert _first_modules(Branches(), torch.zeros(1, 3, 9, 9)) == [one, other]


def test_filters_of_v1like_are_those_of_all_wavelengths():
    found = dict(first_filters(completed(resolve_model("v1like", {}))))
    assert list(found) == [f"filters.{k}" for k in range(len(WAVELENGTHS))]
    expected = np.concatenate(gabor_filters(WAVELENGTHS[0], ORIENTATIONS))
    np.testing.assert_allclose(found["filters.0"][:, 0], expected, atol=1e-7)


def test_a_network_without_kernels_is_refused():
    spec = completed(resolve_model("net", {"architecture": f"{__name__}:flat", "size": 8}))
    with pytest.raises(InputError, match=r"first_layers\.models: net has no convolution with kernels larger than one"):
        first_filters(spec)


def flat():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(192, 2))


@pytest.mark.parametrize("wavelength", WAVELENGTHS[:2])
def test_filters_like_those_of_v1_give_the_distributions_of_their_design(wavelength):
    weights = np.concatenate(gabor_filters(wavelength, ORIENTATIONS))[:, None]
    found = fitted_filters(weights, 20, seed=0)
    own = found[found["kind"] == "filter"]
    assert own["gabor"].all()
    designed = np.tile(np.arange(ORIENTATIONS) * 180 / ORIENTATIONS, 2)
    assert np.abs((own["orientation"] - designed + 90) % 180 - 90).max() < 3
    np.testing.assert_allclose(own["frequency"], 1 / wavelength, rtol=0.05)
    # Even before odd.
    assert np.abs((own["phase"] + 90) % 180 - 90).iloc[:ORIENTATIONS].max() < 3
    assert np.abs(own["phase"] % 180 - 90).iloc[ORIENTATIONS:].max() < 3
    np.testing.assert_allclose(own["ny"] / own["nx"], own["aspect"])


def test_random_filters_are_rejected():
    weights = np.random.default_rng(7).normal(size=(40, 3, 7, 7))
    found = fitted_filters(weights, 100, seed=0)
    shares = found.groupby("kind")["gabor"].mean()
    # Of 40 filters at 5 %, 7 or more are Gabors in 0.3 % of networks.
    assert shares["shuffled"] == 0.05
    assert shares["filter"] < 7 / 40
    assert shares["random"] < 13 / 100
    assert found["determined"].all()


def test_shuffled_filters_keep_the_values_and_colours_of_filters():
    weights = np.random.default_rng(8).normal(size=(3, 3, 4, 4))
    found = fitted_filters(weights, 3, seed=0)
    kinds = {kind: rows.reset_index() for kind, rows in found.groupby("kind")}
    for own, shuffled in zip(kinds["filter"].itertuples(), kinds["shuffled"].itertuples(), strict=True):
        np.testing.assert_allclose(np.sort(own.map), np.sort(shuffled.map), atol=1e-12)
        np.testing.assert_allclose(own.colour, shuffled.colour, atol=1e-12)
        assert not np.allclose(own.map, shuffled.map)


def test_frequencies_are_in_cycles_per_degree_of_each_model(table):
    size = resolve_model("conv1", {})["size"]
    for model, degrees in (("conv1", 8), ("wide_field", 16)):
        rows = table[table["model"] == model]
        assert (rows["degrees"] == degrees).all()
        np.testing.assert_allclose(rows["spatial_frequency"], rows["frequency"] * size / degrees)
    assert set(table["family"]) == {"untrained"}
    assert set(table["kind"]) == {"filter", "shuffled", "random"}


def test_distances_are_those_of_kolmogorov_and_smirnov():
    rng = np.random.default_rng(9)
    edges = np.arange(7)
    one, other = rng.integers(0, 6, 30), rng.integers(0, 6, 40)
    shares = [np.histogram(values, edges)[0] / len(values) for values in (one, other)]
    np.testing.assert_allclose(ks(*shares), ks_2samp(one, other).statistic)


def test_distances_in_two_dimensions_are_over_all_quadrants():
    rng = np.random.default_rng(10)
    one, other = (rng.dirichlet(np.ones(12)).reshape(3, 4) for _ in range(2))
    quadrants = [
        abs((one - other)[rows, columns].sum())
        for i, j in product(range(4), range(5))
        for rows, columns in product((slice(i), slice(i, None)), (slice(j), slice(j, None)))
    ]
    np.testing.assert_allclose(ks(one, other, 2), max(quadrants))


def test_the_largest_distance_is_that_of_filters_in_the_rarest_end():
    shares = PUBLISHED["orientation"].shares
    np.testing.assert_allclose(largest_ks(PUBLISHED["orientation"]), 1 - min(shares[0], shares[-1]))


def test_orientations_are_circular_and_values_outside_are_in_no_bin():
    bins = PUBLISHED["orientation"].bins(pd.DataFrame({"orientation": [0, 170, 22, 23, 157, 158]}))
    assert bins.tolist() == [0, 0, 0, 1, 3, 0]
    bins = PUBLISHED["nx and ny"].bins(pd.DataFrame({"nx": [0.05, 0.11, 0.11], "ny": [0.2, 0.11, 1.5]}))
    assert bins.tolist() == [25, 0, 4]


def test_neurons_of_v1_are_as_similar_as_v1_and_shuffled_filters_are_not(tmp_path):
    found = pd.concat([sample(400, 1.0), sample(400, 0.05, model="none")])
    rows = distances(tmp_path, found).query("degrees_times == 1").set_index(["model", "property"])
    assert set(rows.loc["net"].index) == {*PUBLISHED, ALL}
    assert rows.loc["net", "similarity"].between(0.9, 1.1).all()
    assert rows.loc["none", "similarity"].between(-0.1, 0.1).all()
    assert (rows.loc["net", "score_gabors"] > 0.85).all()
    np.testing.assert_allclose(rows.loc[("net", ALL), "ks"], rows.loc["net", "ks"].drop(ALL).mean())
    assert (rows["ks_low"] <= rows["ks"]).all()
    assert (rows["ks"] <= rows["ks_high"]).all()
    assert (rows["auc"] == 1).all()


def test_another_field_of_view_moves_spatial_frequencies_alone(tmp_path):
    found = distances(tmp_path, sample(200, 1.0))
    moved = found[found["degrees_times"] != 1]
    assert set(moved["property"]) == {"spatial frequency"}
    assert moved["degrees"].tolist() == [4.0, 5.68, 11.28, 16.0]
    best = found.query("property == 'spatial frequency' and degrees_times == 1")["similarity"].iloc[0]
    assert moved["similarity"].max() < best
    twice = distances(tmp_path, sample(200, 1.0).assign(spatial_frequency=lambda rows: rows["spatial_frequency"] / 2))
    of_twice = twice.query("property == 'spatial frequency' and degrees_times == 1")["ks"].iloc[0]
    assert of_twice == moved.loc[moved["degrees_times"] == 2, "ks"].iloc[0]


@pytest.mark.parametrize(
    ("share", "verdicts"), [(1.0, ("holds", "fails")), (0.05, ("fails", "holds")), (0.55, ("undecided", "undecided"))]
)
def test_claims_on_filters_hold_fail_or_are_undecided(tmp_path, share, verdicts):
    rows = [sample(64, share, seed=1, model=model, family=model) for model in ("pretrained", "untrained")]
    found = claimed(tmp_path, pd.concat(rows))
    assert found.loc[[LIKE.format("pretrained"), UNLIKE.format("untrained")], "verdict"].tolist() == [*verdicts]
    assert (found["unit"] == "filters").all()
    assert (found["n_units"] == 64).all()


def test_kernels_with_few_pixels_decide_nothing(tmp_path):
    found = claimed(tmp_path, sample(64, 1.0).assign(rows=3, columns=3, determined=False))
    assert found["verdict"].tolist() == ["undecided"]
    assert found["note"].tolist() == ["no interval: a kernel of 3 x 3 has too few pixels for the fit of a Gabor"]


def test_controls_and_networks_of_unknown_training_have_no_claim(tmp_path):
    kinds = ("classical", "unknown", "trained", "checkpoint")
    assert claimed(tmp_path, pd.concat([sample(20, 1.0, model=kind, family=kind) for kind in kinds])).empty


def claimed(folder, table) -> pd.DataFrame:
    evidence = Evidence(influences=None, accuracies=None, seed=0, first_layers=distances(folder, table))
    findings = [
        finding for claim in CLAIMS if claim.name.startswith("filters of") for finding in claim.findings(evidence)
    ]
    return pd.DataFrame(findings).set_index("claim") if findings else pd.DataFrame()


def test_the_gallery_shows_each_filter_with_its_fit(table):
    figure = draw_gallery(table[table["kind"] == "filter"])
    assert len(figure.axes) == 2
    assert {len(axes.images) for axes in figure.axes} == {32}
    n = table.query("kind == 'filter' and model == 'conv1'")
    assert f"of {len(n)} filters are Gabors" in figure.axes[0].texts[0].get_text()


def test_figures_are_the_same_bytes_each_time_and_the_tables_have_their_numbers(tmp_path, table):
    distances(tmp_path, table[table["model"] == "conv1"].groupby("kind").head(3))
    made = []
    for name in ("one", "two"):
        paths = [[tmp_path / f"{name}_{figure}.{kind}" for kind in ("svg", "pdf", "csv")] for figure in "ab"]
        filter_gallery(tmp_path / "filters.parquet", *paths[0])
        filter_distributions(tmp_path / "filters.parquet", tmp_path / "filter_distances.csv", *paths[1])
        made.append([path.read_bytes() for of_figure in paths for path in of_figure])
    assert made[0] == made[1]
    numbers = pd.read_csv(tmp_path / "one_b.csv")
    neurons = numbers[numbers["model"] == "V1"].groupby("panel")["value"].sum()
    np.testing.assert_allclose(neurons, 1)
    assert len(draw_distributions(numbers).axes) == numbers["panel"].nunique() == 6


def test_shares_are_of_all_filters(tmp_path):
    distances(tmp_path, sample(100, 0.5))
    paths = [tmp_path / f"figure.{kind}" for kind in ("svg", "pdf", "csv")]
    filter_distributions(tmp_path / "filters.parquet", tmp_path / "filter_distances.csv", *paths)
    numbers = pd.read_csv(paths[2])
    shares = numbers[numbers["model"] == "net"].groupby("panel")["value"].sum()
    np.testing.assert_allclose(shares[["orientation", "spatial frequency", "nx", "ny"]], 0.5)
