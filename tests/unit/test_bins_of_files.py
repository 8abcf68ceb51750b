"""Windows that join the bins of a file: against a loop over bins, Brain-Score's rule of alignment, and their errors."""

import h5py  # noqa: F401  before xarray reads NetCDF
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from ventral.configuration.resolution import recordings_over_time
from ventral.errors import InputError
from ventral.recordings.ingestion import check, ingest
from ventral.recordings.time_bins import bins_between, chosen_bins, edges_of, in_chosen_bins
from ventral.store import read_dataset, write_dataset

N, NEURONS, REPETITIONS = 4, 2, 3
FINE = {"start": -100, "stop": 300, "width": 10}
STARTS = np.arange(-100, 300, 10)
WANTED = {"start": 70, "stop": 270, "width": 100, "step": 50}
WINDOWS = [[70, 170], [120, 220], [170, 270]]
ARRAY = {"axes": ["neuroid", "stimulus", "repetition", "time_bin"], "time_bins": FINE, "stimuli": "set"}


def aligned(source, targets, values):
    """Brain-Score's `time_align` with mode `portion`: means weighted by the share of a source bin in the target."""
    found = []
    for start, end in targets:
        overlap = [max(0, min(end, stop) - max(start, begin)) / (stop - begin) for begin, stop in source]
        if sum(overlap) * (source[0][1] - source[0][0]) < end - start:
            raise ValueError("not fully covered")
        found.append(np.average(values, axis=-1, weights=overlap))
    return np.stack(found, axis=-1)


@pytest.fixture
def responses():
    values = np.random.default_rng(0).poisson(3, size=(NEURONS, N, REPETITIONS, len(STARTS))).astype(float)
    values[1, 2, 1] = np.nan
    return values


@pytest.fixture
def array(responses, tmp_path):
    np.save(tmp_path / "responses.npy", responses)
    return ARRAY | {"responses": str(tmp_path / "responses.npy")}


def ingested(spec, folder):
    names = [f"s{k}" for k in range(N)]
    stimuli = xr.Dataset(coords={"stimulus": names}, attrs={"name": "set", "sha256": "0" * 64})
    write_dataset(stimuli, folder / "stimuli.zarr")
    ingest(spec, folder / "stimuli.zarr", folder / "recording.zarr", name="rec")
    return read_dataset(folder / "recording.zarr")


def message(spec):
    with pytest.raises(InputError) as raised:
        check(spec, N, "recordings.rec")
    return str(raised.value)


def test_windows_are_means_of_the_bins_in_them_as_brainscore_aligns_them(responses):
    bins = bins_between(edges_of(FINE, "time_bins"), "time_bins")
    spec = {"bins": WANTED}
    found = in_chosen_bins(responses, bins, spec, "key")
    np.testing.assert_allclose(found, aligned(bins.edges.tolist(), WINDOWS, responses))
    for k, (start, end) in enumerate(WINDOWS):
        inside = [place for place, begin in enumerate(STARTS) if begin >= start and begin + 10 <= end]
        np.testing.assert_allclose(found[..., k], responses[..., inside].mean(axis=-1))
    assert chosen_bins(bins, spec, "key").edges.tolist() == WINDOWS


def test_the_static_window_of_brainscore_is_ten_bins_of_10_ms(responses):
    bins = bins_between(edges_of(FINE, "time_bins"), "time_bins")
    spec = {"bins": {"start": 70, "stop": 170, "width": 100}}
    found = in_chosen_bins(responses, bins, spec, "key")
    np.testing.assert_allclose(found[..., 0], responses[..., 17:27].mean(axis=-1))


def test_counts_are_added_up_and_the_order_of_the_files_bins_does_not_matter(responses):
    edges = edges_of(FINE, "time_bins")
    order = np.random.default_rng(1).permutation(len(edges))
    bins = bins_between([edges[place] for place in order], "time_bins")
    found = in_chosen_bins(responses[..., order], bins, {"bins": WANTED | {"counts": True}}, "key")
    np.testing.assert_allclose(found[..., 1], responses[..., 22:32].sum(axis=-1))


def test_an_array_is_ingested_in_windows_with_its_baseline(array, responses, tmp_path):
    spec = array | {"bins": WANTED, "baseline": [-100, 0]}
    assert check(spec, N) == NEURONS * 4
    store = ingested(spec, tmp_path)
    assert store["time_bin"].values.tolist() == ["baseline", "70-170", "120-220", "170-270"]
    found = store["responses"].transpose("neuroid", "stimulus", "repetition", "time_bin").values
    np.testing.assert_allclose(found[..., 0], responses[..., :10].mean(axis=-1))
    np.testing.assert_allclose(found[..., 1:], aligned(edges_of(FINE, ""), WINDOWS, responses))
    assert np.isnan(found).sum() == 4


def test_trials_beside_an_array_are_joined_the_same_way(array, responses, tmp_path):
    table = [(f"s{k}", r) for k in range(N) for r in range(REPETITIONS)]
    pd.DataFrame(table, columns=["stimulus", "repetition"]).to_csv(tmp_path / "trials.csv", index=False)
    presented = responses.transpose(1, 2, 0, 3).reshape(N * REPETITIONS, NEURONS, -1)
    np.save(tmp_path / "presented.npy", presented)
    spec = {"stimuli": "set", "trials": str(tmp_path / "trials.csv"), "responses": str(tmp_path / "presented.npy")}
    spec |= {"time_bins": FINE, "bins": WANTED}
    assert check(spec, N) == NEURONS * 3
    found = ingested(spec, tmp_path)["responses"].values
    np.testing.assert_array_equal(found, ingested(array | {"bins": WANTED}, tmp_path)["responses"].values)


def test_an_assembly_is_joined_by_its_own_bins(array, responses, tmp_path):
    presented = responses.transpose(1, 2, 0, 3).reshape(N * REPETITIONS, NEURONS, -1)
    coordinates = {
        "stimulus_id": ("presentation", np.repeat([f"s{k}" for k in range(N)], REPETITIONS)),
        "repetition": ("presentation", np.tile(np.arange(REPETITIONS), N)),
        "neuroid_id": ("neuroid", ["a", "b"]),
        "time_bin_start": ("time_bin", STARTS),
        "time_bin_end": ("time_bin", STARTS + 10),
    }
    assembly = xr.DataArray(presented, dims=["presentation", "neuroid", "time_bin"], coords=coordinates, name="data")
    assembly.to_netcdf(tmp_path / "assembly.nc", engine="h5netcdf")
    spec = {"stimuli": "set", "responses": str(tmp_path / "assembly.nc"), "bins": WANTED}
    assert check(spec, N) == NEURONS * 3
    store = ingested(spec, tmp_path)
    assert store["time_bin_start"].values.tolist() == [70, 120, 170]
    np.testing.assert_array_equal(
        store["responses"].values, ingested(array | {"bins": WANTED}, tmp_path)["responses"].values
    )


def test_spikes_are_counted_in_windows(tmp_path):
    pd.DataFrame({"stimulus": [f"s{k}" for k in range(N)]}).to_csv(tmp_path / "trials.csv", index=False)
    times = [(1, "a", 75.0), (1, "a", 130.0), (2, "a", 169.9), (3, "a", 170.0), (4, "a", 300.0)]
    pd.DataFrame(times, columns=["presentation", "neuroid", "time"]).to_csv(tmp_path / "spikes.csv", index=False)
    spec = {"stimuli": "set", "trials": str(tmp_path / "trials.csv"), "spikes": str(tmp_path / "spikes.csv")}
    store = ingested(spec | {"bins": WANTED}, tmp_path)
    assert store["responses"].values[0, :, 0].tolist() == [[2, 1, 0], [1, 1, 0], [0, 1, 1], [0, 0, 0]]


def test_recordings_with_several_windows_are_drawn_over_time():
    recordings = {
        "assembly": {"responses": "a.nc", "bins": WANTED},
        "one": {"responses": "a.nc", "bins": {"start": 70, "stop": 170, "width": 100}},
        "array": {"responses": "a.npy", "time_bins": FINE, "bins": None},
        "untimed": {"responses": "a.npy", "time_bins": None},
    }
    assert recordings_over_time({"recordings": recordings}) == ["assembly", "array"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"bins": {"start": 65, "stop": 165, "width": 100}}, "bins: from 65 to 165 ms; the bins of the file do not "),
        ({"bins": {"start": 65, "stop": 90, "width": 25}}, "those in it are 60 to 70, 70 to 80, 80 to 90"),
        ({"bins": {"start": 200, "stop": 400, "width": 200}}, "bins: from 200 to 400 ms; "),
        ({"bins": {"start": 400, "stop": 500, "width": 100}}, "those in it are none"),
        ({"bins": WANTED, "baseline": [-105, 0]}, "baseline: from -105 to 0 ms; the bins of the file do not fill "),
        ({"bins": WANTED | {"width": 300}}, "bins.stop: 270 ms; 370 or more, where the first bin ends, is right"),
        ({"bins": WANTED, "time_bins": None}, "bins: the responses are in no bins of known times; give `time_bins`"),
        ({"time_bins": FINE | {"width": 0}}, "time_bins.width: 0 ms; a positive number is right"),
        ({"time_bins": FINE | {"stop": 200}}, "time_bins: 30 bins, where "),
    ],
)
def test_windows_that_do_not_fit_are_refused(array, changes, said):
    assert said in message(array | changes)


def test_a_gap_or_an_overlap_of_the_files_bins_is_refused():
    for edges in ([[70, 100], [110, 170]], [[70, 130], [120, 170]], [[70, 170], [70, 120]]):
        bins = bins_between(edges, "time_bins")
        with pytest.raises(InputError, match="from 70 to 170 ms; the bins of the file do not fill this window exactly"):
            chosen_bins(bins, {"bins": {"start": 70, "stop": 170, "width": 100}}, "key")
