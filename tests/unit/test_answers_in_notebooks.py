"""What a notebook opens in one line: features of a layer, and the score table as labelled arrays."""

import numpy as np
import pytest
import xarray as xr

import ventral
from tests.unit.synthetic_scores import score_table
from tests.unit.test_grams import LAYERS, shards_of
from ventral.errors import InputError
from ventral.scores.table import write_table
from ventral.store import write_dataset


@pytest.fixture
def results(tmp_path):
    """A folder of results with the features of one model in three shards of two jobs, and what the features are."""
    rng = np.random.default_rng(0)
    features = {layer["name"]: rng.normal(2, 1, (23, layer["n_features"])).astype(np.float16) for layer in LAYERS}
    folder = tmp_path / "activations" / "m" / "s"
    whole = shards_of(folder / "all", features, [0, 5, 10, 23])
    for job, shards in {"0": whole[:2], "1": whole[2:]}.items():
        (folder / job).mkdir()
        for shard in shards:
            shard.rename(folder / job / shard.name)
    (folder / "all").rmdir()
    names = [f"{row}.png" for row in range(23)]
    stimuli = xr.Dataset(coords={"stimulus": names, "size": ("stimulus", np.arange(23.0))})
    write_dataset(stimuli.assign_attrs(name="s", sha256="0" * 64), tmp_path / "stimuli" / "s.zarr")
    return tmp_path, features


def test_features_of_a_layer_are_joined_and_labelled(results):
    folder, features = results
    opened = ventral.open_features(folder, "m", "s", "early.0")
    assert opened.dims == ("stimulus", "feature")
    assert np.array_equal(opened.values, features["early.0"].astype(np.float32))
    assert opened.sel(stimulus="7.png")["size"] == 7
    at = 2 * 3000 + 11 * 60 + 5
    assert [int(opened[name][at]) for name in ("channel", "row", "column")] == [2, 11, 5]
    assert opened.attrs["depth"] == 0.25


def test_features_are_in_the_units_of_the_network(results):
    folder, features = results
    import zarr

    for shard in (folder / "activations" / "m" / "s").glob("*/*.zarr"):
        zarr.open_group(shard, mode="a")["late"].attrs["scale"] = 8.0
    opened = ventral.open_features(folder, "m", "s", "late")
    assert np.array_equal(opened.values, features["late"].astype(np.float32) / 8)
    assert set(opened.coords) == {"stimulus", "size"}


def test_features_that_are_not_there_are_named(results):
    folder, _ = results
    with pytest.raises(InputError, match=r"no layer 'lat'; did you mean `late`\? allowed: early.0, late"):
        ventral.open_features(folder, "m", "s", "lat")
    with pytest.raises(InputError, match=r"n/s: features are missing.*keep: true.* This results folder has m of s"):
        ventral.open_features(folder, "n", "s", "late")
    (folder / "stimuli" / "s.zarr").rename(folder / "gone")
    other = xr.Dataset(coords={"stimulus": ["a"]}).assign_attrs(name="s", sha256="3" * 64)
    write_dataset(other, folder / "stimuli" / "s.zarr")
    with pytest.raises(InputError, match="s.zarr holds other stimuli now"):
        ventral.open_features(folder, "m", "s", "late")


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A score table of two models, two areas and two splits, and its file."""
    rows = score_table({"a": 3, "b": 2}, {"V4": 4, "IT": 3}, ("stimuli", "objects"), labels={"category": 0.1})
    path = tmp_path_factory.mktemp("table") / "scores.parquet"
    write_table(rows.assign(n_stimuli=40, n_features=9, n_folds=5, n_leaked=0, simulated=False), path)
    return rows, path


def test_every_row_of_the_table_has_its_place(table):
    rows, path = table
    scores = ventral.open_scores(path)
    assert scores.sizes == {"layer": 5, "target": 8, "measure": len(rows.groupby(["split", "mapping"]))}
    assert int(scores["r"].notnull().sum()) == rows["r"].notna().sum()
    stacked = scores.stack(row=("layer", "target", "measure"))
    key = ["model", "layer", "target", "split", "mapping"]
    found = {
        tuple(stacked[name].values[k] for name in ("model", "layer_name", "target_name", "split", "mapping")): r
        for k, r in enumerate(stacked["r"].values)
    }
    for row in rows.dropna(subset="r").to_dict("records"):
        assert found[tuple(row[name] for name in key)] == row["r"]


def test_ceilings_that_came_with_the_data_are_numbers_beside_their_kind(table, tmp_path):
    rows = table[0].assign(n_stimuli=40, n_features=9, n_folds=5, n_leaked=0, simulated=False)
    neurons = rows["target_kind"] == "neuron"
    given = rows.assign(
        given_ceiling=np.where(neurons, 0.8, np.nan), given_ceiling_kind=np.where(neurons, "ncsnr", None)
    )
    write_table(given, tmp_path / "scores.parquet")
    scores = ventral.open_scores(tmp_path / "scores.parquet")
    of_neurons = scores.isel(target=(scores["target_kind"] == "neuron").values)
    assert set(of_neurons["given_ceiling_kind"].values) == {"ncsnr"}
    assert set(scores["given_ceiling_kind"].values) == {"ncsnr", ""}
    assert float(of_neurons["given_ceiling"].max()) == 0.8
    assert ventral.brainio_scores(tmp_path / "scores.parquet", "rec", "stimuli").sizes == {"layer": 5, "neuroid": 7}


def test_scores_under_the_names_of_brainio(table, tmp_path):
    rows, path = table
    scores = ventral.brainio_scores(path, "rec", "objects", value="predictivity")
    assert scores.sizes == {"layer": 5, "neuroid": 7}
    medians = scores.groupby("region").median("neuroid").sel(region="V4")
    expected = rows[(rows["split"] == "objects") & (rows["area"] == "V4")].groupby(["model", "layer"])["predictivity"]
    for layer in range(5):
        name = medians["model"].values[layer], medians["layer_name"].values[layer]
        assert medians.values[layer] == pytest.approx(expected.median()[name], rel=1e-12)
    scores.to_netcdf(tmp_path / "scores.nc")
    again = xr.load_dataarray(tmp_path / "scores.nc")
    assert again.identical(scores)
    assert again.attrs == {"identifier": "rec.objects.ridge.predictivity", "stimulus_set_identifier": "set"}


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"recording": "rek"}, r"no recording 'rek'; did you mean `rec`"),
        ({"split": "folds"}, r"no split 'folds'; allowed: objects, stimuli"),
        ({"value": "rr"}, r"no column 'rr' of numbers; did you mean `r`"),
        ({"mapping": "svm"}, r"no neuron of recording 'rec' has a r by mapping 'svm'.* ridge"),
    ],
)
def test_scores_that_are_not_there_are_named(table, told, message):
    with pytest.raises(InputError, match=message):
        ventral.brainio_scores(table[1], **{"recording": "rec", "split": "stimuli"} | told)


def test_a_table_of_something_else_is_refused(tmp_path):
    from ventral.tables import write_parquet

    rows = score_table({"a": 1})
    write_parquet(rows[["r", "area"]], tmp_path / "other.parquet")
    with pytest.raises(InputError, match=r"other.parquet: not a score table: the columns model"):
        ventral.open_scores(tmp_path / "other.parquet")


def test_an_unknown_name_of_the_package_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'open_everything'"):
        getattr(ventral, "open_" + "everything")
