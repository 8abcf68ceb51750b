import hashlib
import http.server
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.messages import message
from ventral.datasets import cowley2023
from ventral.datasets.cowley2023 import DOWNLOADS, expand
from ventral.datasets.download import fetch
from ventral.outputs import sha256
from ventral.recordings import ingestion as recordings
from ventral.stimuli import ingestion as stimuli
from ventral.store import read_dataset


def touch(folder, *files):
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).touch()


FLAT = "responses_raw_{0}.npy", "responses_repeat_averaged_{0}.npy"
NESTED = "responses_raw/responses_{0}.npy", "responses_repeat_averaged/responses_{0}.npy"


@pytest.mark.parametrize("below", ["", "data_V4_responses/"])
@pytest.mark.parametrize(
    ("images", "responses"), [("images_{0}.zip", FLAT), ("images/images_{0}.zip", NESTED)], ids=["flat", "nested"]
)
def test_files_are_found_in_either_layout(tmp_path, below, images, responses):
    images, raw, averaged = (below + path.format(190923) for path in (images, *responses))
    touch(tmp_path, images, averaged)
    expanded = expand(str(tmp_path), "results", sessions=[190923])
    assert expanded["stimuli"] == {"cowley2023_190923": {"images": str(tmp_path / images)}}
    assert expanded["recordings"]["cowley2023_190923"]["responses"] == str(tmp_path / averaged)
    assert expanded["downloads"] == {}
    touch(tmp_path, raw)
    expanded = expand(str(tmp_path), "results", sessions=["190923"])
    assert expanded["recordings"]["cowley2023_190923"] == {
        "stimuli": "cowley2023_190923",
        "responses": str(tmp_path / raw),
        "area": "V4",
        "animal": "WE",
        "splits": ["stimuli"],
    }


def test_sessions_keep_their_order(tmp_path):
    for session in (210325, 190923, 999999):
        touch(tmp_path, f"images_{session}.zip", f"responses_raw_{session}.npy")
    expanded = expand(str(tmp_path), "results", sessions=[999999, 210325, "190923"])
    ordered = ["cowley2023_999999", "cowley2023_210325", "cowley2023_190923"]
    assert list(expanded["stimuli"]) == list(expanded["recordings"]) == ordered
    assert [recording.get("animal") for recording in expanded["recordings"].values()] == [None, "PE", "WE"]
    splits = [recording["splits"] for recording in expanded["recordings"].values()]
    assert splits == [["stimuli"], ["stimuli", "objects"], ["stimuli"]]


def test_absent_sessions_are_said(tmp_path):
    touch(tmp_path, "images_210325.zip", "images/images_190923.zip")
    said = message(expand, str(tmp_path), "results", sessions=[201025])
    assert said == (
        f"folder: {tmp_path}: session 201025 has none of images_201025.zip, images/images_201025.zip there; "
        "sessions there: 190923, 210325"
    )
    said = message(expand, str(tmp_path), "results", sessions=[210325])
    assert "none of responses_raw_210325.npy, responses_raw/responses_210325.npy" in said
    said = message(expand, str(tmp_path / "nowhere"), "results", sessions=[210325])
    assert said == f"folder: no such folder: {tmp_path / 'nowhere'}"


def test_what_cannot_be_downloaded_is_said():
    said = message(expand, None, "results", sessions=[190924])
    assert said.startswith("sessions: 190924 cannot be downloaded, only 190923, 201025, 210325; ")
    assert message(expand, None, "results", sessions=["../190923"]).startswith(
        "sessions: '../190923' is not a session of six digits"
    )


def test_downloads_are_those_of_the_source():
    expanded = expand(None, "results", sessions=[210325, 201025], resources="elsewhere")
    specs = [*expanded["stimuli"].values(), *expanded["recordings"].values()]
    paths = {spec[kind] for spec in specs for kind in ("images", "responses") if kind in spec}
    assert paths == set(expanded["downloads"])
    assert paths == {
        "elsewhere/cowley2023/images_210325.zip",
        "elsewhere/cowley2023/responses_raw_210325.npy",
        "elsewhere/cowley2023/images_201025.zip",
        "elsewhere/cowley2023/responses_repeat_averaged_201025.npy",
    }
    raw = expanded["downloads"]["elsewhere/cowley2023/responses_raw_210325.npy"]
    assert raw["url"] == (
        "https://raw.githubusercontent.com/cowleygroup/V4_compact_models/f4552ad9d34a466ebc66658f72a08a8e5038f1cf/"
        "data_V4_responses/responses_raw/responses_210325.npy"
    )


def test_checksums_are_those_of_the_published_files(data_dir):
    for path, download in DOWNLOADS.items():
        assert sha256(data_dir / "cowley2023_v4" / Path(path).name) == download["sha256"]


def test_expanding_loads_nothing_slow():
    code = (
        "import sys; from ventral.datasets.cowley2023 import expand; expand(None, 'results', sessions=[210325]); "
        "assert not {'torch', 'pandas', 'numpy', 'zarr', 'requests'} & set(sys.modules)"
    )
    subprocess.run(
        [sys.executable, "-c", code], check=True, env={"PYTHONPATH": str(Path(cowley2023.__file__).parents[2])}
    )


def test_objects_of_the_labelled_session():
    table = pd.read_csv(expand(None, "results", sessions=[210325])["stimuli"]["cowley2023_210325"]["table"])
    objects = ["bear", "elephant", "head", "car", "dog", "apple", "chair", "plane"]
    assert list(table["stimulus"]) == [f"image{k:04d}.jpg" for k in range(1, 641)]
    assert list(table["object"]) == [objects[(k - 1) // 80] for k in range(1, 641)]


def test_real_session_is_ingested(data_dir, tmp_path):
    name = "cowley2023_210325"
    expanded = expand(str(data_dir / "cowley2023_v4"), "results", sessions=[210325])
    spec, recording = expanded["stimuli"][name], expanded["recordings"][name]
    recordings.check(recording, len(stimuli.describe(spec)), f"recordings.{name}")
    stimuli.ingest(spec, tmp_path / "stimuli.zarr", name=name)
    recordings.ingest(recording, tmp_path / "stimuli.zarr", tmp_path / "recording.zarr", name=name)
    images, dataset = read_dataset(tmp_path / "stimuli.zarr"), read_dataset(tmp_path / "recording.zarr")
    assert images["pixels"].shape == (640, 3, 112, 112)
    assert images.attrs["duplicates"] == []
    assert dict(zip(*np.unique(images["object"].values.astype(str), return_counts=True), strict=True))["bear"] == 80
    assert dataset["responses"].shape == (10, 640, 50)
    assert set(dataset["left_out"].values) == {""}
    assert set(dataset["animal"].values) == {"PE"}
    assert abs(float(dataset["reliability"].median()) - 0.75) < 0.02
    assert np.isfinite(recordings.mean_responses(dataset)).all()


@pytest.fixture
def server(tmp_path):
    """Serve a folder on this machine; give the folder and its URL."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

        def do_GET(self):
            if not self.path.endswith("cut"):
                super().do_GET()
                return
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"half")

    folder = tmp_path / "served"
    folder.mkdir()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield folder, f"http://127.0.0.1:{running.server_port}/"
        running.shutdown()
        thread.join()


def test_fetched_file_is_the_served_one(server, tmp_path):
    folder, url = server
    content = np.random.default_rng(0).bytes(3_000_000)
    (folder / "a.npy").write_bytes(content)
    target = tmp_path / "resources" / "cowley2023" / "a.npy"
    fetch(target, url=url + "a.npy", sha256=hashlib.sha256(content).hexdigest())
    assert target.read_bytes() == content
    assert [path.name for path in target.parent.iterdir()] == ["a.npy"]


@pytest.mark.parametrize("earlier", [None, b"earlier"])
@pytest.mark.parametrize("problem", ["other file", "absent", "cut", "no server"])
def test_failed_downloads_leave_nothing(server, tmp_path, problem, earlier):
    folder, url = server
    (folder / "a").write_bytes(b"other")
    url = {"other file": url + "a", "absent": url + "b", "cut": url + "cut", "no server": "http://127.0.0.1:9/a"}[
        problem
    ]
    target = tmp_path / "resources" / "a"
    target.parent.mkdir()
    if earlier:
        target.write_bytes(earlier)
    said = message(fetch, target, url=url, sha256="0" * 64)
    assert said.startswith(f"{url}: ")
    assert said.endswith("as the data set's `folder`")
    if problem == "other file":
        assert hashlib.sha256(b"other").hexdigest() in said
        assert "0" * 64 in said
    # A file of what has come is hidden.
    found = [path for path in target.parent.iterdir() if not path.name.startswith(".")]
    assert [path.read_bytes() for path in found] == ([earlier] if earlier else [])
