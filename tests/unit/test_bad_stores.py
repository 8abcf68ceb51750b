"""Stores, tables and records that lost or changed a byte after they were written: each is one error that says so."""

import json
import logging
import os
import pickle
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
import zarr
from PIL import Image

from tests.command_lines import command_line
from ventral import integrity
from ventral.__main__ import main
from ventral.errors import InputError
from ventral.integrity import check_store
from ventral.models.zoo import resolve_model
from ventral.outputs import packing
from ventral.stimuli.images import read_pixels
from ventral.stimuli.rendering import assemble, render
from ventral.stimuli.tables import read_table
from ventral.store import changing, create_array, new_store, open_store, read_dataset, write_dataset
from ventral.tables import parse_parquet, read_parquet, write_parquet

N = 12
STIMULI, RECORDING, ACTIVATIONS = "stimuli/mine.zarr", "recordings/rec.zarr", "activations/pixels/mine/0"
GRAM, SCORES, BOOTSTRAPS = "grams/pixels/mine.zarr.zip", "scores/rec/pixels.parquet", "bootstraps/rec/pixels.parquet"
RENDERED = {
    "categories": ["fruits"],
    "exemplars": 2,
    "first_exemplar": 0,
    "images": 1,
    "variation": ["low"],
    "size": 16,
    "backgrounds": "noise",
    "seed": 3,
}
SEED, THRESHOLD = {"seed": 0}, {"reliability_threshold": 0.1}
FIT = {"splits": ["stimuli"], "n_folds": 3, "penalties": [0.1, 1], "n_bootstrap": 20} | SEED | THRESHOLD
PART = {"spec": resolve_model("pixels"), "dtype": "float32", "part": 0, "parts": 1, "shards": 2}
OF_STIMULI = {"recording": RECORDING, "stimuli": STIMULI}
COMMANDS = {
    "stimuli": ({}, {"output": STIMULI}, {"name": "mine"}),
    "recording": ({"stimuli": STIMULI}, {"output": RECORDING}, {"name": "rec"} | SEED),
    "extract": ({"stimuli": STIMULI}, {"output": ACTIVATIONS}, PART),
    "gram": ({"parts": ACTIVATIONS}, {"output": GRAM}, SEED),
    "recorded_gram": ({"recording": RECORDING}, {"output": "grams/rec/mine.zarr.zip"}, {}),
    "fit": ({"gram": GRAM} | OF_STIMULI, {"output": SCORES, "bootstraps": BOOTSTRAPS}, FIT),
    "join": ({"tables": SCORES}, {"output": "scores.parquet"}, {}),
    "best_layers": ({"scores": "scores.parquet"}, {"output": "best_layers.csv"}, SEED | THRESHOLD),
    "compare": (
        {"bootstraps": BOOTSTRAPS, "best_layers": "best_layers.csv"},
        {"output": "comparisons.csv"},
        {},
    ),
}


def run(stage: str, *more: str, reads: Sequence[str] = (), **options) -> tuple[int, str]:
    """Run a stage in the working folder, and return its exit status and its log."""
    log = Path("log")
    inputs, outputs, told = COMMANDS[stage]
    line = command_line(stage, {**inputs, "reads": reads}, outputs, "--log", str(log), *more, **told, **options)
    status = main(line)
    logger = logging.getLogger()
    for handler in [one for one in logger.handlers if getattr(one, "baseFilename", None) == str(log.absolute())]:
        logger.removeHandler(handler)
        handler.close()
    return status, log.read_text()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Results of real stages, from twelve images to a score table."""
    folder = tmp_path_factory.mktemp("whole")
    rng = np.random.default_rng(0)
    (folder / "images").mkdir()
    for k in range(N):
        Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(folder / "images" / f"i{k:02d}.png")
    names = [f"i{k:02d}.png" for k in range(N)]
    pd.DataFrame({"stimulus": names, "object": ["a", "b"] * 6, "weight": 0.0}).to_csv(folder / "t.csv", index=False)
    np.save(folder / "responses.npy", rng.normal(size=(4, N, 1)) + 0.3 * rng.normal(size=(4, N, 3)))
    stimuli = {"images": str(folder / "images"), "table": str(folder / "t.csv")}
    recording = {"stimuli": "mine", "responses": str(folder / "responses.npy"), "area": "IT"}
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        assert run("stimuli", spec=stimuli)[0] == 0
        assert run("recording", spec=recording)[0] == 0
        for stage in ("extract", "gram", "recorded_gram", "fit", "join", "best_layers", "compare"):
            assert run(stage)[0] == 0, stage
    return folder


@pytest.fixture
def results(whole, tmp_path, monkeypatch):
    """A copy of the results, to be damaged, as the working folder."""
    shutil.copytree(whole, tmp_path / "results")
    monkeypatch.chdir(tmp_path / "results")
    return tmp_path / "results"


def lost(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def halved(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.write_bytes(content)


def no_text(path: Path) -> None:
    path.write_bytes(b"\xff\xfe\x00{")


PIXELS = f"{STIMULI}/pixels/c/0/0/0/0"
SHARD = f"{ACTIVATIONS}/1.zarr"
LACKS = r"array `{}`: 1 of its 1 files are missing or empty, first `{}`; "
UNLIKE = r"`{}` (has changed since it was written|cannot be read)"
UNREADABLE = r"array `{}` cannot be read \(.*\); "
NO_PARQUET = r"cannot be read: the file was damaged"
BAD = [
    # What is damaged, how, the stage that reads it, what is said of it.
    (PIXELS, lost, "extract", LACKS.format("pixels", "pixels/c/0/0/0/0")),
    (PIXELS, lost, "fit", LACKS.format("pixels", "pixels/c/0/0/0/0")),
    (PIXELS, cut, "extract", UNREADABLE.format("pixels")),
    (PIXELS, halved, "extract", UNREADABLE.format("pixels")),
    (PIXELS, emptied, "extract", LACKS.format("pixels", "pixels/c/0/0/0/0")),
    (PIXELS, flipped, "extract", UNREADABLE.format("pixels")),
    (f"{STIMULI}/pixels/zarr.json", lost, "extract", r"`pixels/zarr.json` is missing"),
    (f"{STIMULI}/pixels/zarr.json", flipped, "extract", UNLIKE.format("pixels/zarr.json")),
    (f"{STIMULI}/pixels/zarr.json", emptied, "extract", r"`pixels/zarr.json` cannot be read"),
    (f"{STIMULI}/pixels/c", lost, "extract", LACKS.format("pixels", "pixels/c/0/0/0/0")),
    (f"{STIMULI}/pixels", lost, "fit", r"array or group `pixels` is missing"),
    (f"{STIMULI}/stimulus/c/0", lost, "fit", LACKS.format("stimulus", "stimulus/c/0")),
    (f"{STIMULI}/stimulus/c/0", flipped, "fit", UNREADABLE.format("stimulus")),
    (f"{STIMULI}/object/c/0", lost, "fit", LACKS.format("object", "object/c/0")),
    # An array of zeros, of which zarr would write no file.
    (f"{STIMULI}/weight/c/0", lost, "fit", LACKS.format("weight", "weight/c/0")),
    (f"{STIMULI}/weight", lost, "fit", r"array or group `weight` is missing"),
    (f"{STIMULI}/zarr.json", lost, "fit", r"`zarr.json` is missing"),
    (f"{STIMULI}/zarr.json", emptied, "extract", r"`zarr.json` cannot be read"),
    (f"{STIMULI}/zarr.json", no_text, "fit", r"`zarr.json` cannot be read"),
    (STIMULI, lost, "fit", r"the store is missing"),
    (f"{RECORDING}/responses/c/0/0/0", lost, "fit", LACKS.format("responses", "responses/c/0/0/0")),
    (f"{RECORDING}/responses/c/0/0/0", flipped, "fit", UNREADABLE.format("responses")),
    (f"{RECORDING}/responses/c/0/0/0", cut, "recorded_gram", UNREADABLE.format("responses")),
    (f"{RECORDING}/reliability/c/0", lost, "fit", LACKS.format("reliability", "reliability/c/0")),
    (f"{RECORDING}/reliability/c/0", emptied, "fit", LACKS.format("reliability", "reliability/c/0")),
    (f"{RECORDING}/reliability", lost, "fit", r"array or group `reliability` is missing"),
    # Empty text for every neuron.
    (f"{RECORDING}/left_out/c/0", lost, "fit", LACKS.format("left_out", "left_out/c/0")),
    (f"{RECORDING}/area/c/0", lost, "recorded_gram", LACKS.format("area", "area/c/0")),
    (f"{RECORDING}/zarr.json", flipped, "fit", UNLIKE.format("zarr.json")),
    (f"{SHARD}/pixels/c/0/0", lost, "gram", LACKS.format("pixels", "pixels/c/0/0")),
    (f"{SHARD}/pixels/c/0/0", halved, "gram", UNREADABLE.format("pixels")),
    (f"{SHARD}/pixels/c/0/0", flipped, "gram", UNREADABLE.format("pixels")),
    (f"{SHARD}/pixels", lost, "gram", r"array or group `pixels` is missing"),
    (GRAM, halved, "fit", r"its content cannot be read \(File is not a zip file\)"),
    (GRAM, cut, "fit", r"its content cannot be read"),
    (GRAM, emptied, "fit", r"its content cannot be read"),
    (GRAM, flipped, "fit", r"cannot be read"),
    (SCORES, flipped, "join", NO_PARQUET),
    (SCORES, halved, "join", NO_PARQUET),
    (SCORES, emptied, "join", NO_PARQUET),
    (SCORES, lost, "join", r"the file is missing"),
    (SCORES, no_text, "join", NO_PARQUET),
    ("scores.parquet", flipped, "best_layers", NO_PARQUET),
    ("scores.parquet", cut, "best_layers", NO_PARQUET),
    (BOOTSTRAPS, flipped, "compare", NO_PARQUET),
    (BOOTSTRAPS, halved, "compare", NO_PARQUET),
    ("best_layers.csv", cut, "compare", r"cannot be read: the last row is truncated"),
    ("best_layers.csv", emptied, "compare", r"cannot be read"),
    ("best_layers.csv", no_text, "compare", r"cannot be read"),
]


def made_by_one_job(damaged: str) -> str:
    """Return what a user is to delete: the output of the job that made a damaged file."""
    output = next((one for one in (STIMULI, RECORDING, ACTIVATIONS) if damaged.startswith(one)), damaged)
    return "the file" if output.endswith((".parquet", ".csv")) else output


@pytest.mark.parametrize(
    ("damaged", "how", "stage", "message"), BAD, ids=[f"{path}-{how.__name__}-{stage}" for path, how, stage, _ in BAD]
)
def test_a_damaged_input_is_one_error_that_names_it_and_the_remedy(results, damaged, how, stage, message):
    how(results / damaged)
    status, log = run(stage)
    assert status == 1
    assert "Traceback" not in log
    named = next((one for one in (STIMULI, RECORDING, SHARD) if damaged.startswith(one)), damaged)
    (line,) = [line for line in log.splitlines() if f"{stage}: " in line and named in line]
    assert re.search(f"{re.escape(named)}: .*{message}", line), line
    if how is not lost or damaged not in (STIMULI, SCORES):
        assert f"delete {made_by_one_job(damaged)} and start the same command again" in line, line


@pytest.mark.parametrize("how", [emptied, no_text, halved])
def test_a_damaged_description_of_a_model_is_told_before_anything_is_computed(results, how, monkeypatch):
    Path("pixels.json").write_text(json.dumps({"model": "pixels", "weights_sha256": "", "layers": []}))
    how(Path("pixels.json"))
    lost(results / ACTIVATIONS)
    status, log = run("extract", "--provenance", "record.json", reads=["pixels.json"])
    assert status == 1
    assert re.search(r"ERROR extract: pixels\.json: cannot be read \(.*\); delete pixels\.json and start", log)
    assert "Traceback" not in log
    assert not (results / ACTIVATIONS).exists()


def test_nothing_is_said_of_what_is_whole(results):
    before = {stage: (results / path).read_bytes() for stage, path in (("gram", GRAM), ("fit", SCORES))}
    for stage in ("extract", "gram", "fit", "join", "best_layers", "compare"):
        assert run(stage)[0] == 0, stage
    assert before == {stage: (results / path).read_bytes() for stage, path in (("gram", GRAM), ("fit", SCORES))}


@pytest.mark.parametrize(
    ("damaged", "how", "message"),
    [
        ("pixels/c/0/0/0/0", lost, r"0\.zarr: array `pixels`.*1 of its 1 files are missing"),
        ("pixels/c/0/0/0/0", flipped, r"0\.zarr: array `pixels` cannot be read"),
        ("measured/c/0/0", lost, r"0\.zarr: array `measured`.*1 of its 1 files are missing"),
        ("measured", lost, r"0\.zarr: array or group `measured` is missing"),
    ],
)
def test_a_damaged_shard_of_rendered_images(tmp_path, damaged, how, message):
    shard = tmp_path / "renders" / "mine" / "0.zarr"
    render(RENDERED, shard, name="mine", shard=0, shards=1)
    how(shard / damaged)
    with pytest.raises(InputError, match=rf"{message}.*delete .*renders/mine/0\.zarr and start"):
        assemble(RENDERED, [shard], tmp_path / "mine.zarr", name="mine")


def test_files_that_are_missing_are_counted_by_array(tmp_path):
    with new_store(tmp_path / "s.zarr") as group:
        for name in ("a", "b", "deep/c"):
            create_array(group, name, (100, 4), "float32", (1, 4), (1, 4))[:] = 0
    for file in ("a/c/7/0", "a/c/50/0", "a/c/3/0", "deep/c/c/99/0"):
        (tmp_path / "s.zarr" / file).unlink()
    message = r"array `a`: 3 of its 100 files are .*, first `a/c/3/0`, array `deep/c`: 1 of its 100 files"
    with pytest.raises(InputError, match=message):
        open_store(tmp_path / "s.zarr")


@pytest.mark.parametrize("value", [0, np.nan, 1.5])
def test_values_that_zarr_takes_for_nothing_are_written(tmp_path, value):
    text = np.array(["", "", ""], dtype=object)
    coordinates = {"stimulus": text, "x": ("stimulus", [value] * 3), "one": 0.0, "none": ("nothing", [])}
    dataset = xr.Dataset({"y": (("stimulus", "n"), np.full((3, 2), value))}, coords=coordinates)
    write_dataset(dataset, tmp_path / "s.zarr")
    files = [path.relative_to(tmp_path / "s.zarr").as_posix() for path in (tmp_path / "s.zarr").rglob("*")]
    assert {"y/c/0/0", "x/c/0", "stimulus/c/0", "one/c"} <= set(files)
    xr.testing.assert_identical(read_dataset(tmp_path / "s.zarr"), dataset)


def test_an_absent_file_of_a_store_without_checksums(tmp_path):
    """As earlier versions and other programs write stores."""
    group = zarr.open_group(tmp_path / "s.zarr", mode="w")
    group.create_array("x", data=np.ones((4, 4)), chunks=(2, 2))
    check_store(tmp_path / "s.zarr")
    (tmp_path / "s.zarr" / "x" / "c" / "1" / "0").unlink()
    with pytest.raises(InputError, match=r"array `x`: 1 of its 4 files are .*, first `x/c/1/0`"):
        open_store(tmp_path / "s.zarr")
    (tmp_path / "s.zarr" / "x" / "zarr.json").unlink()
    with pytest.raises(InputError, match=r"`x/zarr.json` is missing"):
        open_store(tmp_path / "s.zarr")


def test_a_lost_entry_of_a_packed_store(tmp_path):
    with packing(tmp_path / "a.zarr.zip") as folder:
        with new_store(folder) as group:
            create_array(group, "x", (4,), "float32", (2,), (2,))[:] = 0
        (folder / "x" / "c" / "1").unlink()
    with pytest.raises(InputError, match=r"a\.zarr\.zip: array `x`: 1 of its 2 files are .*, first `x/c/1`"):
        open_store(tmp_path / "a.zarr.zip")


def test_a_packed_store_is_looked_through_once(tmp_path, monkeypatch):
    with packing(tmp_path / "a.zarr.zip") as folder, new_store(folder) as group:
        create_array(group, "x", (4,), "float32", (2,), (2,))[:] = 0
    looked = []
    monkeypatch.setattr(integrity, "_check", lambda path, *_: looked.append(path))
    for _ in range(3):
        open_store(tmp_path / "a.zarr.zip")
    assert len(looked) == 1


def test_an_attribute_that_is_changed_by_another_program(tmp_path):
    with new_store(tmp_path / "s.zarr") as group:
        group.attrs["scale"] = 1.0
    zarr.open_group(tmp_path / "s.zarr", mode="a").attrs["scale"] = 3.0
    with pytest.raises(InputError, match=r"s\.zarr: `zarr.json` has changed since it was written"):
        open_store(tmp_path / "s.zarr")
    with changing(tmp_path / "s.zarr") as group:
        group.attrs["scale"] = 2.0
    assert open_store(tmp_path / "s.zarr").attrs["scale"] == 2.0


def test_a_missing_file_of_many_is_found_whoever_reads(results):
    lost(results / PIXELS)
    for read in (open_store, read_dataset, check_store, lambda path: read_pixels(path, 0, 1)):
        with pytest.raises(InputError, match=r"mine\.zarr: array `pixels`.*1 of its 1 files are missing"):
            read(STIMULI)


def test_values_are_checked_where_they_are_used(results):
    """A Dataset reads numbers late; the error comes then, and is the same."""
    flipped(results / RECORDING / "responses" / "c" / "0" / "0" / "0")
    responses = read_dataset(RECORDING)["responses"]
    with pytest.raises(InputError, match=r"recordings/rec\.zarr: array `responses` cannot be read \(.*[Cc]hecksum"):
        _ = responses.values


def test_an_error_of_reading_reaches_another_process(results):
    flipped(results / ACTIVATIONS / "0.zarr" / "pixels" / "c" / "0" / "0")
    environment = os.environ | {"PYTHONPATH": str(Path(integrity.__file__).parents[1])}
    code = "import pickle, sys; pickle.load(sys.stdin.buffer)[:]"
    array = open_store(f"{ACTIVATIONS}/0.zarr")["pixels"]
    found = subprocess.run(
        [sys.executable, "-c", code], input=pickle.dumps(array), capture_output=True, check=False, env=environment
    )
    assert b"InputError" in found.stderr
    assert b"array `pixels` cannot be read" in found.stderr


def contents(path: Path) -> dict:
    """Return all values and attributes of a store, but for the checksums."""
    store = open_store(path)
    members = {"": store, **dict(store.members(max_depth=None))}
    values = {name: member[...].tolist() for name, member in members.items() if isinstance(member, zarr.Array)}
    return values | {f"{name} attributes": dict(member.attrs) for name, member in members.items()}


@pytest.fixture
def small_store(tmp_path):
    coordinates = {"stimulus": np.array(["a", "", "ü"], dtype=object)}
    values = (("stimulus", "n"), np.arange(6.0).reshape(3, 2))
    write_dataset(xr.Dataset({"y": values}, coords=coordinates, attrs={"sha256": "ab", "n": 3}), tmp_path / "s.zarr")
    return tmp_path / "s.zarr"


def flip(file: Path, place: int, bit: int) -> None:
    # In place: to write a file anew takes far longer on some disks.
    with file.open("r+b") as opened:
        opened.seek(place)
        (byte,) = opened.read(1)
        opened.seek(place)
        opened.write(bytes([byte ^ 1 << bit]))


def silently_wrong(store: Path, file: Path, every: int) -> list[int]:
    """Return the bytes of a file that, with a bit flipped, give neither an InputError nor what was written."""
    before, wrong = contents(store), []
    for place in range(0, file.stat().st_size, every):
        flip(file, place, place % 8)
        try:
            now = contents(store)
        except InputError:
            pass
        else:
            # A flipped letter in the name of the checksums leaves all else as it was.
            kept = {key: value for key, value in now[" attributes"].items() if key in before[" attributes"]}
            if now | {" attributes": kept | {"checksums": 0}} != before | {
                " attributes": before[" attributes"] | {"checksums": 0}
            }:
                wrong.append(place)
        flip(file, place, place % 8)
    return wrong


def test_no_flipped_byte_of_a_store_is_taken_for_data(small_store):
    for file in sorted(path for path in small_store.rglob("*") if path.is_file()):
        assert not silently_wrong(small_store, file, every=1 if file.name != "zarr.json" else 5), file


def test_no_flipped_byte_of_a_packed_store_is_taken_for_data(tmp_path):
    with packing(tmp_path / "a.zarr.zip") as folder, new_store(folder) as group:
        group.attrs["layers"] = ["a"]
        create_array(group, "a", (6,), "float32", (2,), (4,), compress=False)[:] = np.arange(6)
    integrity._check_archive.cache_clear()
    assert not silently_wrong(tmp_path / "a.zarr.zip", tmp_path / "a.zarr.zip", every=3)


@pytest.fixture
def table():
    return pd.DataFrame(
        {
            "model": pd.array(["net", None, "pixels"], "string"),
            "r": [0.168, np.nan, 0.016],
            "subject": pd.array([1, None, 2], "Int64"),
            "medians": [np.arange(3, dtype=np.float32)] * 3,
        }
    )


def test_a_table_returns_as_it_was_written_to_any_reader(table, tmp_path):
    write_parquet(table, tmp_path / "t.parquet")
    pd.testing.assert_frame_equal(read_parquet(tmp_path / "t.parquet"), table)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "t.parquet"), table)
    pd.testing.assert_frame_equal(read_parquet(tmp_path / "t.parquet", ["r"]), table[["r"]])


def test_no_flipped_byte_of_a_table_is_taken_for_data(table, tmp_path):
    write_parquet(table, tmp_path / "t.parquet")
    content = (tmp_path / "t.parquet").read_bytes()
    read = []
    for place in range(len(content)):
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 8
        try:
            pd.testing.assert_frame_equal(parse_parquet(bytes(damaged)), table)
        except ValueError:
            continue
        read.append(place)
    # A flipped letter in the words before the checksum leaves the table as it was.
    assert len(read) < 50


def test_no_table_that_was_cut_is_read(table, tmp_path):
    write_parquet(table, tmp_path / "t.parquet")
    content = (tmp_path / "t.parquet").read_bytes()
    for size in range(len(content)):
        with pytest.raises(ValueError, match="damaged"):
            parse_parquet(content[:size])


def test_a_table_of_an_earlier_version_is_read(table, tmp_path):
    table.to_parquet(tmp_path / "t.parquet", index=False)
    pd.testing.assert_frame_equal(read_parquet(tmp_path / "t.parquet"), table)


@pytest.mark.parametrize("how", [halved, cut, emptied, no_text, flipped])
def test_a_damaged_parquet_table_of_the_user(tmp_path, how):
    path = tmp_path / "stimuli.parquet"
    table = pd.DataFrame({"stimulus": [f"image{k}.png" for k in range(200)], "size": np.arange(200.0)})
    table.to_parquet(path, write_page_checksum=True)
    assert len(read_table(path, "stimuli.s.table", (), (), strict=True)) == 200
    how(path)
    message = r"^stimuli\.s\.table: .*stimuli\.parquet: cannot be read as a table, damaged or no Parquet file: "
    with pytest.raises(InputError, match=message) as raised:
        read_table(path, "stimuli.s.table", (), (), strict=True)
    assert "delete" not in str(raised.value)


def test_no_module_opens_a_store_past_the_checks():
    package = Path(integrity.__file__).parent
    opening = re.compile(r"open_zarr\(|zarr\.open|ZipStore\(|LocalStore\(")
    found = {path.name for path in package.rglob("*.py") if opening.search(path.read_text(encoding="utf-8"))}
    assert found == {"store.py"}


def test_no_module_reads_or_writes_parquet_past_the_checks():
    package = Path(integrity.__file__).parent
    past = re.compile(r"pd\.read_parquet|\.to_parquet\(|import pyarrow")
    found = {path for path in package.rglob("*.py") if past.search(path.read_text(encoding="utf-8"))}
    assert found == {package / "tables.py", package / "stimuli" / "tables.py"}


def test_a_chunk_that_is_lost_after_the_store_was_opened(whole, tmp_path):
    shutil.copytree(whole / STIMULI, tmp_path / "s.zarr")
    store, dataset = open_store(tmp_path / "s.zarr"), read_dataset(tmp_path / "s.zarr")
    shutil.rmtree(tmp_path / "s.zarr" / "pixels" / "c")
    for read in (lambda: store["pixels"][:], lambda: dataset["pixels"].values):
        with pytest.raises(InputError, match=r"s\.zarr: array `pixels`: `pixels/c/0/0/0/0` is missing"):
            read()


def test_a_folder_in_the_place_of_a_chunk(whole, tmp_path):
    shutil.copytree(whole / STIMULI, tmp_path / "s.zarr")
    chunk = tmp_path / "s.zarr" / "pixels" / "c" / "0" / "0" / "0" / "0"
    chunk.unlink()
    chunk.mkdir()
    with pytest.raises(InputError, match="1 of its 1 files are missing"):
        open_store(tmp_path / "s.zarr")


@pytest.mark.parametrize("name", ["@eaDir", "__MACOSX", ".snapshot"])
def test_a_folder_that_a_file_system_adds_is_no_damage(whole, tmp_path, name):
    shutil.copytree(whole / STIMULI, tmp_path / "s.zarr")
    (tmp_path / "s.zarr" / name).mkdir()
    assert "pixels" in open_store(tmp_path / "s.zarr")
