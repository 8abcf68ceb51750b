"""NWB files as pynwb writes them: presentations, spikes, areas and template images; what is missing is said."""

import logging
import shutil
import zipfile
from datetime import UTC, datetime

import h5py
import numpy as np
import pytest
import xarray as xr
from PIL import Image
from pynwb import NWBHDF5IO, NWBFile
from pynwb.base import ImageReferences, Images
from pynwb.file import Subject
from pynwb.image import GrayscaleImage, ImageSeries, IndexSeries, RGBImage

from tests.messages import message
from tests.unit.published import correlations, responds_to_its_own
from ventral.configuration.resolution import resolve
from ventral.datasets.nwb import write_images
from ventral.recordings.ingestion import check, ingest
from ventral.store import read_dataset, write_dataset

KEY = "recordings.mine"
STIMULI, REPETITIONS = 12, 5
WINDOWS = [[-100, 0], [70, 170]]
AREAS = ["IT", "V4", "IT", "V4"]
# Which feature the units of each area read.
READ = {"V4": 0, "IT": 1}


class Session:
    """Units that answer to a feature of images, in random order, 70 to 170 ms after the photodiode saw them.

    Attributes
    ----------
    features : (stimuli, 2) array
        The rates of V4 and of IT.
    shown : (presentations,) array
        Numbers of stimuli.
    onsets : (presentations,) array
        In s.
    spikes : list of arrays
        Times of each unit in s.
    """

    def __init__(self, seed=0, n=STIMULI):
        rng = np.random.default_rng(seed)
        # They are not correlated.
        angles = 2 * np.pi * np.arange(n) / n
        self.features = 21 + 19 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        self.shown = rng.permutation(np.repeat(np.arange(n), REPETITIONS))
        self.onsets = 10 + 0.5 * np.arange(len(self.shown)) + rng.uniform(0, 0.1, len(self.shown))
        self.spikes = []
        for area in AREAS:
            rates = self.features[self.shown, READ[area]]
            evoked = [
                t + rng.uniform(0.07, 0.17, rng.poisson(rate)) for t, rate in zip(self.onsets, rates, strict=True)
            ]
            spontaneous = rng.uniform(self.onsets[0] - 1, self.onsets[-1] + 1, 200)
            self.spikes.append(np.sort(np.concatenate([*evoked, spontaneous])))

    def counts(self, windows=WINDOWS):
        """Spikes (units, stimuli, repetitions, windows), counted one by one."""
        counted = np.full((len(AREAS), self.shown.max() + 1, REPETITIONS, len(windows)), np.nan)
        seen = np.zeros(self.shown.max() + 1, dtype=int)
        for stimulus, onset in zip(self.shown, self.onsets, strict=True):
            for unit, times in enumerate(self.spikes):
                for k, (start, end) in enumerate(windows):
                    inside = (times >= onset + start / 1000) & (times < onset + end / 1000)
                    counted[unit, stimulus, seen[stimulus], k] = inside.sum()
            seen[stimulus] += 1
        return counted

    def file(self):
        """A file with units and electrodes, and no presentations yet."""
        file = NWBFile("a session", "identifier", datetime(2024, 1, 1, tzinfo=UTC))
        file.subject = Subject(subject_id="monkey_a", species="Macaca mulatta")
        probe = file.create_electrode_group("probe", "of a test", "V4, IT", file.create_device("probe"))
        for location in ("V4", "V4", "IT", "IT", "IT"):
            file.add_electrode(location=location, group=probe)
        file.add_unit_column("depth", "on the probe")
        file.add_unit_column("quality", "of the sorting")
        file.add_unit_column("is_sua", "whether one alone")
        # Most electrodes of the first unit are in IT; those of the last are one each, and the first counts.
        electrodes = [[1, 2, 3], [0], [4], [1, 2]]
        for unit, (times, own) in enumerate(zip(self.spikes, electrodes, strict=True)):
            file.add_unit(
                spike_times=times, electrodes=own, depth=10.0 * unit, quality="good", is_sua=unit > 1, id=unit + 100
            )
        return file


def saved(path, file):
    with NWBHDF5IO(path, "w") as io:
        io.write(file)
    return str(path)


def with_trials(session, **columns):
    """A file whose trials begin 30 ms before the photodiode saw the stimulus."""
    file = session.file()
    for name in columns:
        file.add_trial_column(name, "of a test")
    for row, onset in enumerate(session.onsets):
        values = {name: of_rows[row] for name, of_rows in columns.items()}
        file.add_trial(start_time=onset - 0.03, stop_time=onset + 0.3, **values)
    return file


@pytest.fixture(scope="module")
def session():
    return Session()


@pytest.fixture(scope="module")
def written(session, tmp_path_factory):
    path = tmp_path_factory.mktemp("nwb") / "a.nwb"
    return saved(path, with_trials(session, stimulus=[f"{k}" for k in session.shown], seen=session.onsets))


@pytest.fixture
def path(written, tmp_path):
    """A copy of a file whose trials have the columns `stimulus`, a name, and `seen`, by the photodiode."""
    return shutil.copy(written, str(tmp_path / "a.nwb"))


@pytest.fixture
def stimuli(tmp_path):
    names = np.array([f"images/{k}.png" for k in range(STIMULI)], dtype=object)
    attributes = {"name": "my_set", "sha256": "0" * 64}
    write_dataset(xr.Dataset(coords={"stimulus": names}, attrs=attributes), tmp_path / "stimuli.zarr")
    return tmp_path / "stimuli.zarr"


def spec_of(path, **options):
    return {"stimuli": "my_set", "nwb": path, "time_bins": [WINDOWS[1]], "baseline": WINDOWS[0], **options}


def taken_in(spec, stimuli):
    columns = {"stimulus": read_dataset(stimuli)["stimulus"].values}
    n_targets = check(spec, STIMULI, KEY, columns)
    ingest(spec, stimuli, stimuli.parent / "out.zarr", name="mine", n_splits=2)
    read = read_dataset(stimuli.parent / "out.zarr").load()
    assert n_targets == read["left_out"].size
    return read


def assert_units_answer(read, session):
    """Each unit reads the feature of its area; and every count is right."""
    responses = read["responses"].transpose("neuroid", "stimulus", "repetition", "time_bin")
    np.testing.assert_array_equal(responses, session.counts())
    assert list(read["area"].values) == AREAS
    assert responds_to_its_own(correlations(read.sel(time_bin="70-170"), session.features), READ, least=0.95)


def test_trials_with_photodiode_and_numbers_of_stimuli(session, stimuli, tmp_path):
    file = with_trials(session, stim_ID=session.shown.astype(float), pdOnTS=session.onsets)
    read = taken_in(spec_of(saved(tmp_path / "day1.nwb", file), onset="pdOnTS"), stimuli)
    assert_units_answer(read, session)
    assert list(read["time_bin"].values) == ["baseline", "70-170"]
    assert list(read["neuroid"].values) == ["unit_100", "unit_101", "unit_102", "unit_103"]
    assert set(read["animal"].values) == {"monkey_a"}
    assert set(read["session"].values) == {"day1"}
    assert list(read["depth"].values) == [0, 10, 20, 30]
    assert set(read["quality"].values) == {"good"}
    assert list(read["is_sua"].values) == [0, 0, 1, 1]


@pytest.mark.parametrize("onset", [30, ["start_time", 30], ["start_time", 10, 20]])
def test_without_a_photodiode_a_delay_is_added_to_the_start(session, stimuli, path, onset):
    # Rounded edges differ in the last digit, and a spike there may fall into another window.
    read = taken_in(spec_of(path, onset=onset), stimuli)
    responses = read["responses"].transpose("neuroid", "stimulus", "repetition", "time_bin")
    assert (responses != session.counts()).mean() < 0.01


def test_names_may_have_folders_and_be_in_another_column_and_table(session, stimuli, tmp_path):
    file = with_trials(session)
    table = file.create_time_intervals("shown_images", "of a test")
    table.add_column("picture", "which")
    for stimulus, onset in zip(session.shown, session.onsets, strict=True):
        table.add_row(start_time=onset, stop_time=onset + 0.1, picture=f"shown/{stimulus}.bmp")
    path = saved(tmp_path / "a.nwb", file)
    read = taken_in(spec_of(path, presentations="shown_images", stimulus_column="picture"), stimuli)
    assert_units_answer(read, session)


def pictures(order):
    rng = np.random.default_rng(0)
    images = [
        RGBImage(name=f"{k}.png", data=rng.integers(0, 256, (6, 4, 3), np.uint8))
        if k % 2
        else GrayscaleImage(name=f"{k}.png", data=rng.integers(0, 256, (6, 4), np.uint8))
        for k in range(STIMULI)
    ]
    ordered = None if order is None else ImageReferences(name="order_of_images", data=[images[k] for k in order])
    return Images(name="pictures", images=images, order_of_images=ordered)


def with_series(session, order, **times):
    file, images = session.file(), pictures(order)
    file.add_stimulus_template(images)
    numbers = session.shown if order is None else np.argsort(order)[session.shown]
    times = times or {"timestamps": session.onsets}
    series = IndexSeries(name="shown", data=numbers.astype(np.uint32), unit="N/A", indexed_images=images, **times)
    file.add_stimulus(series)
    return file, {image.name: image.data for image in images.images.values()}


def test_a_series_of_indices_names_images_in_their_order(session, stimuli, tmp_path):
    order = np.random.default_rng(1).permutation(STIMULI)
    file, images = with_series(session, order)
    path = saved(tmp_path / "a.nwb", file)
    assert_units_answer(taken_in(spec_of(path), stimuli), session)
    write_images(tmp_path / "images.zip", nwb=path)
    with zipfile.ZipFile(tmp_path / "images.zip") as archive:
        assert sorted(archive.namelist()) == sorted(images)
        for name, pixels in images.items():
            with archive.open(name) as image:
                np.testing.assert_array_equal(np.asarray(Image.open(image)), pixels)


def test_a_series_may_have_a_rate_and_no_names(session, stimuli, tmp_path):
    regular = Session()
    regular.onsets = 10 + 0.5 * np.arange(len(regular.shown))
    file, _ = with_series(regular, np.arange(STIMULI), starting_time=10.0, rate=2.0)
    frames = np.random.default_rng(0).integers(0, 256, (3, 5, 4), np.uint8)
    file.add_stimulus_template(ImageSeries(name="frames", data=frames, unit="N/A", rate=1.0))
    path = saved(tmp_path / "a.nwb", file)
    with h5py.File(path, "a") as opened:
        # Older files link a series of frames instead.
        del opened["stimulus/presentation/shown/indexed_images"], opened["stimulus/templates/pictures"]
    read = taken_in(spec_of(path), stimuli)
    responses = read["responses"].transpose("neuroid", "stimulus", "repetition", "time_bin")
    np.testing.assert_array_equal(responses, regular.counts())
    write_images(tmp_path / "images.zip", nwb=path)
    with zipfile.ZipFile(tmp_path / "images.zip") as archive, archive.open("2.png") as image:
        np.testing.assert_array_equal(np.asarray(Image.open(image)), frames[2])


def test_sessions_are_apart_and_trials_beside_a_series_come_first(stimuli, tmp_path):
    sessions = [Session(1), Session(2)]
    sessions[1].shown[0] = sessions[1].shown[1]
    paths = [
        saved(tmp_path / f"day{k}.nwb", with_trials(one, image_id=one.shown, seen=one.onsets))
        for k, one in enumerate(sessions)
    ]
    read = taken_in(spec_of(paths, onset="seen"), stimuli)
    assert list(read["neuroid"].values[[0, 3, 4, 7]]) == [
        "day0_unit_100",
        "day0_unit_103",
        "day1_unit_100",
        "day1_unit_103",
    ]
    assert list(read["session"].values) == ["day0"] * 4 + ["day1"] * 4
    responses = read["responses"].transpose("neuroid", "stimulus", "repetition", "time_bin").values
    np.testing.assert_array_equal(responses[:4, :, :REPETITIONS], sessions[0].counts())
    # One stimulus was shown once more in the second session, and another once less.
    assert responses.shape[2] == REPETITIONS + 1
    assert np.isnan(responses[:4, :, REPETITIONS]).all()
    shown = (~np.isnan(responses[4, :, :, 0])).sum(axis=1)
    np.testing.assert_array_equal(shown, np.bincount(sessions[1].shown))


def test_units_are_unknown_outside_of_what_was_observed(session, stimuli, path):
    middle = float(np.median(session.onsets))
    with h5py.File(path, "a") as opened:
        units = opened["units"]
        # The second unit was lost in the middle, and found again near the end.
        last = session.onsets[-1]
        spans = [[[0, 1e6]], [[0, middle], [last - 0.2, 1e6]], [[0, 1e6]], [[0, 1e6]]]
        units["obs_intervals"] = np.concatenate(spans).astype(float)
        units["obs_intervals_index"] = np.cumsum([len(span) for span in spans])
    read = taken_in(spec_of(path, onset="seen"), stimuli)
    known = read["responses"].notnull().all("time_bin").sum(["stimulus", "repetition"]).values
    observed = ((session.onsets + 0.17 <= middle) | (session.onsets - 0.1 >= last - 0.2)).sum()
    assert list(known) == [60, observed, 60, 60]
    assert 0 < observed < 60


def test_presentations_without_stimulus_are_left_out_and_said(session, stimuli, tmp_path, caplog):
    names = [str(k) for k in session.shown]
    names[3] = ""
    seen = session.onsets.copy()
    seen[5] = np.nan
    path = saved(tmp_path / "a.nwb", with_trials(session, stimulus=names, seen=seen))
    with caplog.at_level(logging.WARNING):
        read = taken_in(spec_of(path, onset="seen"), stimuli)
    assert int(read["responses"][..., 0, 0].notnull().sum()) == 58
    said = f"{KEY}.nwb: {path}: trials: 2 of 60 presentations have no stimulus or no time of onset, and are left out"
    assert said in caplog.messages


def test_areas_without_electrodes_are_those_of_the_units_or_of_the_config(stimuli, path):
    with h5py.File(path, "a") as opened:
        del opened["units/electrodes"], opened["units/electrodes_index"]
    read = taken_in(spec_of(path, area="PIT", animal="mine"), stimuli)
    assert set(read["area"].values) == {"PIT"}
    # The file says the animal itself.
    assert set(read["animal"].values) == {"monkey_a"}
    with h5py.File(path, "a") as opened:
        opened["units"].create_dataset("brain_area", data=["V4", "V4", "AIT", "CIT"], dtype=h5py.string_dtype())
    assert list(taken_in(spec_of(path), stimuli)["area"].values) == ["V4", "V4", "AIT", "CIT"]


def removed(path, *names):
    with h5py.File(path, "a") as opened:
        for name in names:
            del opened[name]


@pytest.mark.parametrize(
    ("names", "options", "expected"),
    [
        (["intervals"], {}, "no table `/intervals/trials`, nor a series `/stimulus/presentation/trials`, of "),
        (["intervals/trials/stimulus"], {}, "no column `stimulus` nor `stimulus_id` nor `image_id` nor "),
        ([], {"stimulus_column": "stimulos"}, "no column `stimulos`, which names the stimulus; name it by "),
        ([], {"presentations": "trails"}, "no table `/intervals/trails`, nor a series "),
        ([], {"onset": "saen"}, "no numeric column `saen`, of `onset`; did you mean `seen`?"),
        ([], {"onset": "stimulus"}, "no numeric column `stimulus`, of `onset`; allowed: "),
        (["units"], {}, "no `/units`; sorted units with `spike_times` and `spike_times_index` are right"),
        (["units/spike_times"], {}, "`/units` has no `spike_times`; sorted units with "),
        (
            ["general/extracellular_ephys/electrodes/location"],
            {},
            "/general/extracellular_ephys/electrodes: no column `location`, the area of each electrode",
        ),
    ],
)
def test_what_a_file_lacks_is_said(path, names, options, expected):
    removed(path, *names)
    said = message(check, spec_of(path, **options), STIMULI, KEY)
    assert said.startswith(f"{KEY}.nwb: {path}: ")
    assert expected in said


def test_several_values_in_a_row_are_said(session, tmp_path):
    file = with_trials(session)
    file.trials.add_column("stimulus", "two", data=[["a", "b"]] * 60, index=True)
    path = saved(tmp_path / "a.nwb", file)
    assert message(check, spec_of(path), STIMULI, KEY) == (
        f"{KEY}.nwb: {path}: /intervals/trials: column `stimulus` has several values in a row; one in each is right"
    )


def test_images_without_order_and_numbers_beyond_are_said(session, tmp_path):
    path = saved(tmp_path / "a.nwb", with_series(session, None)[0])
    assert message(check, spec_of(path), STIMULI, KEY) == (
        f"{KEY}.nwb: {path}: /stimulus/presentation/shown: the images of `indexed_images` have no `order_of_images`, "
        f"so that nothing says which one a number is of; name a table by `presentations`"
    )
    assert message(check, spec_of(path, onset="seen"), STIMULI, KEY) == (
        f"{KEY}.nwb: {path}: /stimulus/presentation/shown: a series has no columns; leave `onset` out"
    )
    path = saved(tmp_path / "b.nwb", with_series(session, np.arange(STIMULI))[0])
    with h5py.File(path, "a") as opened:
        opened["stimulus/presentation/shown/data"][7] = 12
    assert message(check, spec_of(path), STIMULI, KEY).endswith("number 12 of an image, where there are 12, from 0")


def test_stimuli_of_another_set_are_said(path):
    names = {"stimulus": np.array(["dog1.png", "dog2.png"])}
    assert message(check, spec_of(path), 2, KEY, names) == (
        f"{KEY}.nwb: {path}: 12 stimuli are not in the stimulus set, by its column `stimulus`: 0, 1, 10 and 9 more; "
        f"there, they are called dog1.png, dog2.png"
    )


def test_times_in_ms_and_presentations_of_nothing_are_said(session, stimuli, tmp_path):
    columns = {"stimulus": [str(k) for k in session.shown], "ms": session.onsets * 1000}
    path = saved(tmp_path / "a.nwb", with_trials(session, **columns))
    said = message(ingest, spec_of(path, onset="ms"), stimuli, tmp_path / "out.zarr", name="mine")
    assert said.startswith(f"{KEY}.nwb: {path}: no spike is in any window: spikes are from 9.")
    assert "`onset` says when stimuli appeared, `time_bins` are in ms after" in said
    path = saved(tmp_path / "b.nwb", with_trials(session, stimulus=[""] * 60))
    assert message(check, spec_of(path), STIMULI, KEY).endswith(
        "trials: none of 60 presentations has a stimulus and a time of onset"
    )


def test_a_file_without_units_or_presentations_is_said(session, path):
    with h5py.File(path, "a") as opened:
        for name in ("id", "spike_times_index"):
            del opened[f"units/{name}"]
            opened[f"units/{name}"] = np.zeros(0, dtype=np.int64)
    assert message(check, spec_of(path), STIMULI, KEY) == f"{KEY}.nwb: {path}: `/units` has no unit"
    with h5py.File(path, "a") as opened:
        for name in ("stimulus", "start_time"):
            kind = opened[f"intervals/trials/{name}"].dtype
            del opened[f"intervals/trials/{name}"]
            opened.create_dataset(f"intervals/trials/{name}", shape=(0,), dtype=kind)
    assert message(check, spec_of(path), STIMULI, KEY).endswith(
        "trials: none of 0 presentations has a stimulus and a time of onset"
    )


@pytest.mark.parametrize(
    ("content", "expected"), [(None, "no such file: "), (b"nothing", "cannot be read as HDF5, or is cut short: ")]
)
def test_a_file_that_cannot_be_read_is_said(tmp_path, content, expected):
    path = tmp_path / "a.nwb"
    if content:
        path.write_bytes(content)
    assert expected in message(check, spec_of(str(path)), STIMULI, KEY)


def test_two_sessions_of_one_name_are_said():
    assert message(check, spec_of(["a/day.nwb", "b/day.nwb"]), STIMULI, KEY) == (
        f"{KEY}.nwb: 2 files are called day; sessions need names of their own"
    )


def test_images_that_are_not_there_or_of_another_type_are_said(session, tmp_path):
    path = saved(tmp_path / "a.nwb", session.file())
    assert message(write_images, tmp_path / "out.zip", nwb=path) == (
        f"nwb: {path}: no images in `/stimulus/templates`; they come as files of their own"
    )
    file = session.file()
    file.add_stimulus_template(Images(name="pictures", images=[GrayscaleImage(name="a", data=np.zeros((4, 4)))]))
    path = saved(tmp_path / "b.nwb", file)
    assert message(write_images, tmp_path / "out.zip", nwb=path) == (
        f"nwb: {path}: /stimulus/templates/pictures/a: (4, 4) of float64; images of uint8, rows first, are right"
    )


@pytest.mark.parametrize(
    ("recording", "expected"),
    [
        ({"nwb": "a.nwb"}, "time_bins: missing; give start and end in ms of each window in which spikes are counted"),
        ({"nwb": "a.nwb", "time_bins": [[0, 1]], "neuroids": "n.csv"}, "neuroids: `nwb` files have units and spikes "),
        ({"responses": "r.npy", "presentations": "trials"}, "presentations: belongs to `nwb`, files with presentation"),
        ({"responses": "r.npy", "onset": "start_time"}, "onset: belongs to `trials`, a table of one row a presentatio"),
        (
            {"nwb": "a.nwb", "responses": "r.npy"},
            "it has responses and nwb; a recording has one of: `responses`, an",
        ),
    ],
)
def test_options_that_do_not_fit_are_said(recording, expected):
    config = {"stimuli": {"s": {"images": "images"}}, "recordings": {"mine": {"stimuli": "s", **recording}}}
    said = message(resolve, {"results": "results", "models": ["pixels"], **config})
    assert said.startswith(f"config key {KEY}")
    assert expected in said
