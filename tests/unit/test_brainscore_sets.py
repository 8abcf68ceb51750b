"""Published sets of Brain-Score in the layout of BrainIO: neurons of each area go with a part of the images."""

import io
import zipfile

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from PIL import Image

from tests.messages import message
from tests.unit.published import correlations, patches, read, responds_to_its_own
from tests.unit.test_brainio import HASHES, NAMES, PUBLISHED, published
from ventral.configuration.resolution import resolve
from ventral.datasets import freemanziemba2013, majajhong2015
from ventral.errors import InputError
from ventral.recordings import brainio
from ventral.targets.splits import make_splits

REPETITIONS = 3


def save_images(path, names, rng):
    """Write a zip of images of two columns of random grey; return the levels (n, 2), from -1 to 1."""
    levels = rng.integers(0, 256, (len(names), 2)).astype(np.uint8)
    with zipfile.ZipFile(path, "w") as archive:
        for name, columns in zip(names, levels, strict=True):
            png = io.BytesIO()
            Image.fromarray(np.broadcast_to(np.repeat(columns, 8)[None], (16, 16)).copy()).save(png, format="png")
            archive.writestr(name, png.getvalue())
    return levels / 128.0 - 1


def presented(n, rng):
    """Stimulus and repetition of each presentation, in a random order."""
    order = rng.permutation(n * REPETITIONS)
    return order % n, order // n


def publish_majajhong2015(folder, *, variations=(0, 3), files=majajhong2015.FILES["public"]):
    rng = np.random.default_rng(0)
    objects = [f"object{k}" for k in range(8)]
    rows = [(variation, name, k) for variation in variations for name in objects for k in range(3)]
    ids = [f"{rng.bytes(8).hex()}" for _ in rows]
    names = [f"{name}_{variation}_{k}_{i}.png" for (variation, name, k), i in zip(rows, ids, strict=True)]
    assembly, csv, archive = (folder / file for file in files)
    levels = save_images(archive, names, rng)
    table = {
        "variation": [variation for variation, *_ in rows],
        "image_id": ids,
        "object_name": [name for _, name, _ in rows],
        "category_name": [f"category{int(name[-1]) // 2}" for _, name, _ in rows],
        "s": rng.uniform(size=len(rows)),
        "filename": names,
    }
    # In another order than that of the zip.
    pd.DataFrame(table).sample(frac=1, random_state=0).to_csv(csv, index=False)
    regions, animals = ["V4", "IT", "IT", "V4", "IT"], ["Chabo", "Chabo", "Tito", "Tito", "Tito"]
    stimulus, repetition = presented(len(rows), rng)
    rates = levels[:, [0 if region == "V4" else 1 for region in regions]]
    responses = rates[stimulus] + 0.2 * rng.normal(size=(len(stimulus), len(regions)))
    xr.DataArray(
        responses[:, :, None],
        dims=["presentation", "neuroid", "time_bin"],
        coords={
            "image_id": ("presentation", np.array(ids)[stimulus]),
            "repetition": ("presentation", repetition),
            "object_name": ("presentation", np.array(table["object_name"])[stimulus]),
            "neuroid_id": ("neuroid", [f"{animal}_{k}" for k, animal in enumerate(animals)]),
            "region": ("neuroid", regions),
            "animal": ("neuroid", animals),
            "time_bin_start": ("time_bin", [70]),
            "time_bin_end": ("time_bin", [170]),
        },
        name="dicarlo.MajajHong2015.public",
        attrs={"identifier": "dicarlo.MajajHong2015.public", "stimulus_set_identifier": "dicarlo.hvm-public"},
    ).to_netcdf(assembly, engine="h5netcdf")


def publish_freemanziemba2013(folder, *, end="time_bin_end", n_bins=300):
    """Write files in bins of 1 ms; neurons respond to the images from 50 to 200 ms alone, and else to the opposite."""
    rng = np.random.default_rng(1)
    kinds = ["texture", "noise"] * 12
    ids = [f"{rng.bytes(8).hex()}" for _ in kinds]
    names = [f"im{k}.png" for k in range(len(kinds))]
    assembly, csv, archive = (folder / file for file in freemanziemba2013.FILES)
    levels = save_images(archive, names, rng)
    table = {"stimulus_id": ids, "texture_type": kinds, "texture_family": [k // 4 for k in range(24)]}
    pd.DataFrame({**table, "filename": names}).to_csv(csv, index=False)
    regions = ["V1", "V2", "V1", "V2"]
    stimulus, repetition = presented(len(kinds), rng)
    rates = levels[:, [0 if region == "V1" else 1 for region in regions]][stimulus]
    starts = np.arange(n_bins)
    sign = np.where((starts >= 50) & (starts < 200), 1.0, -1.0)
    responses = rates[:, :, None] * sign + 0.5 * rng.normal(size=(*rates.shape, n_bins))
    xr.DataArray(
        responses.astype(np.float32),
        dims=["presentation", "neuroid", "time_bin"],
        coords={
            "stimulus_id": ("presentation", np.array(ids)[stimulus]),
            "repetition": ("presentation", repetition),
            "texture_type": ("presentation", np.array(kinds)[stimulus]),
            "neuroid_id": ("neuroid", [f"n{k}" for k in range(4)]),
            "region": ("neuroid", regions),
            "time_bin_start": ("time_bin", starts),
            end: ("time_bin", starts + 1),
        },
        name="movshon.FreemanZiemba2013.public",
        attrs={"identifier": "movshon.FreemanZiemba2013.public"},
    ).to_netcdf(assembly, engine="h5netcdf")


def test_v4_and_it_go_with_the_images_that_they_were_made_of(tmp_path):
    (tmp_path / "majajhong2015").mkdir()
    publish_majajhong2015(tmp_path / "majajhong2015")
    config, stimuli, recordings = read("majajhong2015", tmp_path, tmp_path / "results")
    shown, recording = stimuli["majajhong2015"], recordings["majajhong2015"]
    assert responds_to_its_own(correlations(recording, patches(shown, 2)), {"V4": 0, "IT": 1}, least=0.8)
    assert list(recording["animal"].values) == ["Chabo", "Chabo", "Tito", "Tito", "Tito"]
    assert recording.sizes["repetition"] == REPETITIONS
    for name, label, category in zip(
        shown["stimulus"].values, shown["object"].values, shown["category"].values, strict=True
    ):
        assert name.startswith(f"{label}_")
        assert category == f"category{int(label[-1]) // 2}"
    splits = config["recordings"]["majajhong2015"]["splits"]
    (split,) = make_splits(splits, shown.coords, shown.sizes["stimulus"], 3, 0, "here").values()
    assert split.name == "low_variation"
    assert {name.split("_")[1] for name in shown["stimulus"].values[split.training]} == {"0"}
    assert {name.split("_")[1] for name in shown["stimulus"].values[split.folds[0]]} == {"3"}


def test_all_images_are_split_as_published(tmp_path):
    publish_majajhong2015(tmp_path, variations=(0, 3, 6), files=majajhong2015.FILES["all"])
    config, stimuli, _ = read("majajhong2015", tmp_path, tmp_path / "results", images="all")
    assert config["recordings"]["majajhong2015"]["splits"] == [{"partition": "part", "name": "published"}]
    parts = pd.crosstab(stimuli["majajhong2015"]["variation"].values, stimuli["majajhong2015"]["part"].values)
    assert parts.to_dict() == {
        "test": {"variation0": 0, "variation3": 0, "variation6": 24},
        "train": {"variation0": 24, "variation3": 24, "variation6": 0},
    }


@pytest.mark.parametrize("end", ["time_bin_end", "time_bin_stop"])
def test_v1_and_v2_go_with_the_images_in_the_window(tmp_path, end):
    publish_freemanziemba2013(tmp_path, end=end)
    _, stimuli, recordings = read("freemanziemba2013", tmp_path, tmp_path / "results")
    features = patches(stimuli["freemanziemba2013"], 2)
    recording = recordings["freemanziemba2013"]
    assert responds_to_its_own(correlations(recording, features), {"V1": 0, "V2": 1}, least=0.9)
    assert recording["responses"].dims == ("repetition", "stimulus", "neuroid")
    assert set(stimuli["freemanziemba2013"]["category"].values) == {"texture", "noise"}
    # All of the window, and nothing beside it: responses are those of the rates.
    means = recording["responses"].mean("repetition").values
    np.testing.assert_allclose(means[:, recording["area"].values == "V1"].T, [features[:, 0] / 128 - 1] * 2, atol=0.1)


def test_another_window_has_other_responses(tmp_path):
    publish_freemanziemba2013(tmp_path)
    _, stimuli, recordings = read("freemanziemba2013", tmp_path, tmp_path / "results", window=[200, 300])
    r = correlations(recordings["freemanziemba2013"], patches(stimuli["freemanziemba2013"], 2))
    assert r["V1"][:, 0].max() < -0.9


def test_an_assembly_that_brainscore_wrote_is_averaged_over_its_window(tmp_path):
    # Its one bin of time, from 70 to 170 ms, is all there is to average.
    freemanziemba2013.write_assembly(tmp_path / "mean.nc", source=PUBLISHED, window=[50, 200])
    stimuli = {"stimulus": np.array(NAMES), "stimulus_id": np.array(HASHES, dtype=object)}
    values, neuroids, bins = brainio.read(tmp_path / "mean.nc", "key", stimuli)
    np.testing.assert_array_equal(values, published())
    assert list(neuroids["area"]) == ["V4", "IT", "IT"]
    assert bins is None


def test_what_is_made_is_the_same_bytes_each_time(tmp_path):
    publish_freemanziemba2013(tmp_path)
    source, made = tmp_path / freemanziemba2013.FILES[0], []
    for name in ("one.nc", "two.nc"):
        freemanziemba2013.write_assembly(tmp_path / name, source=source, window=[50, 200])
        made.append((tmp_path / name).read_bytes())
    assert made[0] == made[1]


def test_a_window_without_bins_is_said(tmp_path):
    publish_freemanziemba2013(tmp_path)
    source, output = tmp_path / freemanziemba2013.FILES[0], tmp_path / "out.nc"
    said = message(freemanziemba2013.write_assembly, output, source=source, window=[400, 500])
    assert said == (f"freemanziemba2013: {source}: no bin of time lies within [400, 500] ms; bins are from 0 to 300 ms")
    xr.open_dataset(source, engine="h5netcdf").load().drop_vars("time_bin_start").to_netcdf(output, engine="h5netcdf")
    said = message(freemanziemba2013.write_assembly, tmp_path / "two.nc", source=output, window=[50, 200])
    assert said.endswith("no coordinates `time_bin_start` and `time_bin_end` of bins of time")
    output.write_bytes(b"CDF")
    said = message(freemanziemba2013.write_assembly, tmp_path / "two.nc", source=output, window=[50, 200])
    assert said.endswith("no HDF5 file; the published one is right")
    with pytest.raises(InputError, match=r"window: \[200, 50\]; the start, then a later end, are right"):
        resolve({"dataset": {"freemanziemba2013": {"window": [200, 50]}}, "models": ["pixels"]})


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("image_id,object_name,category_name,variation\na,b,c,0\n", "no column `filename`; columns: image_id, "),
        ("filename,object_name,category_name,variation\na,b,c,0\n", "no column `stimulus_id`; columns: "),
        ("filename,image_id,object_name,category_name,variation\na,x,b,c,high\n", "column `variation` has high; whole"),
        (
            "filename,image_id,object_name,category_name,variation\na,x,b,c,0\n",
            "has 0; whole numbers, among them 3, are",
        ),
    ],
)
def test_a_table_of_another_kind_is_said(tmp_path, content, expected):
    (tmp_path / "stimuli.csv").write_text(content)
    said = message(majajhong2015.write_table, tmp_path / "out.csv", source=tmp_path / "stimuli.csv", tested=3)
    assert said.startswith(f"majajhong2015: {tmp_path / 'stimuli.csv'}: ")
    assert expected in said


@pytest.mark.parametrize("dataset", [majajhong2015, freemanziemba2013])
def test_without_a_folder_the_public_files_are_downloaded(dataset, tmp_path):
    config = resolve({"dataset": dataset.NAME, "models": ["pixels"]})
    assert set(config["downloads"]) == {f"resources/{path}" for path in dataset.DOWNLOADS}
    used = {config["stimuli"][dataset.NAME]["images"], config["recordings"][dataset.NAME]["responses"]}
    used |= {path for made in config["unpacks"].values() for path in made["inputs"].values()}
    assert set(config["downloads"]) == {path for path in used if not path.startswith("results/")}
    assert all(len(download["sha1"]) == 40 for download in dataset.DOWNLOADS.values())
    with pytest.raises(InputError, match=f"data_dir: {tmp_path}: data set {dataset.NAME} has no assy_"):
        resolve({"dataset": dataset.NAME, "data_dir": str(tmp_path), "models": ["pixels"]})


def test_private_images_are_not_downloaded():
    with pytest.raises(
        InputError, match=r"dataset\.majajhong2015\.images: all are not downloaded by themselves: get assy"
    ):
        resolve({"dataset": {"majajhong2015": {"images": "all"}}, "models": ["pixels"]})
