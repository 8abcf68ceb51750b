"""IT of Muzellec and Kar: bins of time, averaged as published or taken as they are, of two monkeys."""

import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml
from PIL import Image

from tests.documentation import ROOT
from tests.messages import message
from tests.unit.published import correlations, read
from ventral.configuration.resolution import resolve
from ventral.datasets import muzellec2026
from ventral.datasets.muzellec2026 import expand, write_responses

OPTIONS = {"monkeys": ["m1", "m2"], "time_bins": [[70, 180]]}
N_IMAGES, REPETITIONS = 40, 5
# Which colour the neurons of each monkey read.
READ = {"m1": [0, 1, 2], "m2": [2, 0]}


@pytest.fixture
def folder(tmp_path):
    """Neurons respond to a colour from 70 to 170 ms, and to its opposite from 200 ms; else there is noise."""
    rng = np.random.default_rng(0)
    colours = rng.integers(0, 256, (N_IMAGES, 3), dtype=np.uint8)
    (tmp_path / "images").mkdir()
    for k, colour in enumerate(colours):
        pixels = np.broadcast_to(colour, (4, 4, 3))
        Image.fromarray(pixels).save(tmp_path / "images" / f"image_{k:04d}.png")
    (tmp_path / "neural_data").mkdir()
    sign = np.zeros(26)
    sign[7:18], sign[20:] = 1, -1
    for monkey, features in READ.items():
        tuning = sign[:, None, None, None] * colours[:, features].astype(float)[None, :, :, None]
        rates = tuning + rng.normal(size=(26, N_IMAGES, len(features), REPETITIONS))
        # Shown fewer times; and one bin of one repetition is missing.
        rates[:, 3, :, 4] = np.nan
        rates[9, 5, 0, 0] = np.nan
        with h5py.File(tmp_path / "neural_data" / f"rates_{monkey}_active.h5", "w") as file:
            file[f"{monkey}/active"] = rates
    return tmp_path


def rates_of(folder, monkey):
    with h5py.File(folder / "neural_data" / f"rates_{monkey}_active.h5", "r") as file:
        return file[f"{monkey}/active"][:]


def test_neurons_respond_to_their_colour_in_the_published_window(folder):
    _, images, recordings = read("muzellec2026", folder, folder / "out")
    colours = images["muzellec2026"]["pixels"].values[:, :, 0, 0].astype(float)
    assert list(recordings) == ["muzellec2026_m1", "muzellec2026_m2"]
    for monkey, features in READ.items():
        neurons = recordings[f"muzellec2026_{monkey}"]
        assert list(neurons["time_bin"].values) == ["70-180"]
        assert set(neurons["area"].values) == {"IT"}
        assert set(neurons["animal"].values) == {monkey}
        found = correlations(neurons, colours)["IT"]
        assert (found.argmax(axis=1) == features).all()
        assert (found.max(axis=1) > 0.99).all()
        # As the authors' `average_data` does it.
        with pytest.warns(RuntimeWarning, match="Mean of empty slice"):
            published = np.nanmean(rates_of(folder, monkey)[7:18], axis=0)
        ours = neurons["responses"][..., 0].transpose("stimulus", "neuroid", "repetition")
        np.testing.assert_allclose(ours, published, rtol=1e-5)
        assert np.isnan(ours[3, :, 4]).all()


def test_all_bins_are_taken_as_they_are(folder):
    _, images, recordings = read("muzellec2026", folder, folder / "out", monkeys=["m2"], time_bins="all")
    (neurons,) = recordings.values()
    assert list(neurons["time_bin"].values[[0, 7, 25]]) == ["0-10", "70-80", "250-260"]
    colours = images["muzellec2026"]["pixels"].values[:, :, 0, 0].astype(float)
    found = np.array([correlations(neurons.isel(time_bin=k), colours)["IT"] for k in range(26)])
    own = found[:, [0, 1], READ["m2"]]
    assert (own[7:18] > 0.99).all()
    assert (own[20:] < -0.99).all()
    assert (np.abs(own[[*range(7), 18, 19]]) < 0.7).all()


def test_the_config_is_right(folder):
    config = yaml.safe_load((ROOT / "config" / "muzellec2026.yaml").read_text(encoding="utf-8"))
    assert resolve(config | {"data_dir": str(folder)})["recordings"]["muzellec2026_m1"]["time_bins"] == [[70, 180]]


@pytest.mark.parametrize("window", [[70, 175], [-10, 20], [100, 100], [250, 270]])
def test_a_window_that_is_no_bins_of_the_file_is_said(folder, window):
    said = message(expand, str(folder), "results", **OPTIONS | {"time_bins": [[0, 10], window]})
    assert said == (
        f"time_bins: from {window[0]} to {window[1]} ms; multiples of 10 from 0 to 260 are right, the end after the "
        f"start"
    )
    said = message(expand, str(folder), "results", **OPTIONS | {"time_bins": "static"})
    assert said == "time_bins: 'static'; `all`, or start and end of each bin in ms, are right"


def test_absent_files_are_said(folder):
    assert message(expand, None, "results", **OPTIONS).startswith(
        "folder: missing; the data set muzellec2026 is not downloaded by itself: get rates_m1_active.h5, "
    )
    (folder / "images").rename(folder / "pictures")
    assert message(expand, str(folder), "results", **OPTIONS).startswith(
        f"folder: {folder}: no images there; put the 1,320 images there as a folder `images` or as images.zip, "
    )
    (folder / "neural_data" / "rates_m2_active.h5").unlink()
    assert "data set muzellec2026 has no rates_m2_active.h5 in " in message(expand, str(folder), "results", **OPTIONS)


@pytest.mark.parametrize(
    ("arrays", "expected"),
    [
        ({}, "no array `m1/active`; it has nothing; (26 bins, images, neurons, repetitions) is right"),
        ({"m2/active": np.zeros((26, 4, 3, 2))}, "no array `m1/active`; it has m2; (26 bins, "),
        ({"m1/active": np.zeros((4, 3, 2))}, "array `m1/active` (4, 3, 2) of float64; (26 bins, "),
        # As MATLAB, which reverses axes, would have it.
        ({"m1/active": np.zeros((2, 3, 4, 26))}, "array `m1/active` (2, 3, 4, 26); (26 bins, "),
        (None, "no HDF5 file; the published one is right"),
    ],
)
def test_a_file_of_another_kind_is_said(tmp_path, arrays, expected):
    rates = tmp_path / "rates_m1_active.h5"
    if arrays is None:
        rates.write_bytes(b"nothing")
    else:
        with h5py.File(rates, "w") as file:
            for name, values in arrays.items():
                file[name] = values
    said = message(write_responses, tmp_path / "out.npy", rates=rates, monkey="m1", windows=[[70, 180]])
    assert said.startswith(f"muzellec2026: {rates}: {expected}")
    assert not (tmp_path / "out.npy").exists()


def test_expanding_loads_nothing_slow():
    code = (
        "import sys; from ventral.datasets.muzellec2026 import expand; "
        "assert not {'torch', 'pandas', 'zarr', 'scipy', 'h5py'} & set(sys.modules)"
    )
    path = str(Path(muzellec2026.__file__).parents[2])
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": path})
