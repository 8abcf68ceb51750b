"""What a plain run finds changed: content decides, and files are read only where their size or time differs."""

import json
import os
from pathlib import Path

import pytest

from ventral import provenance
from ventral.launch import changes
from ventral.provenance import Command, recorded_job, signature

# A record of a job that read nothing.
RECORD = {"stage": "model", "python": "3.11", "started": "2026-01-01T00:00:00+00:00", "seconds": 1.0, "sha256": "0"}
RECORD |= {name: {} for name in ("config", "inputs", "outputs", "code", "packages", "hardware")}


@pytest.fixture
def made(tmp_path, monkeypatch):
    """A record of a job that read a folder and a file, and the paths of the two."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "images" / "nested").mkdir(parents=True)
    (tmp_path / "images" / "nested" / "a.png").write_bytes(b"image a")
    (tmp_path / "responses.npy").write_bytes(b"responses")
    inputs = {"stimuli": (Path("images"),), "reads": (Path("responses.npy"),)}
    outputs = {"output": Path("store")}
    with recorded_job(Command("recording", inputs, outputs, provenance=tmp_path / "record.json")):
        Path("store").write_text("whole")
    return ["images", "responses.npy"]


def changed(paths) -> list[str]:
    return changes.Inputs("results").changed("record.json", paths)


def rewrite(path, content: bytes) -> None:
    """Write other content of the same length, and set the time stamps back to those of before."""
    before = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_nothing_changed(made):
    assert changed(made) == []


def test_content_of_the_same_size_and_time(made, tmp_path):
    rewrite(tmp_path / "images" / "nested" / "a.png", b"image b")
    assert changed(made) == ["images"]
    rewrite(tmp_path / "responses.npy", b"other one")
    assert changed(made) == ["images", "responses.npy"]


def test_an_older_time_stamp(made, tmp_path):
    (tmp_path / "responses.npy").write_bytes(b"other")
    os.utime(tmp_path / "responses.npy", (1, 1))
    assert changed(made) == ["responses.npy"]


@pytest.mark.parametrize("change", ["added", "removed", "renamed"])
def test_files_of_a_folder(made, tmp_path, change):
    file = tmp_path / "images" / "nested" / "a.png"
    if change == "added":
        (tmp_path / "images" / "b.png").touch()
    elif change == "removed":
        file.unlink()
    else:
        file.rename(file.with_name("b.png"))
    assert changed(made) == ["images"]


@pytest.mark.parametrize("name", [".DS_Store", ".ipynb_checkpoints/a.png", "__MACOSX/a.png"])
def test_what_no_job_reads_is_no_content(made, tmp_path, name):
    file = tmp_path / "images" / name
    file.parent.mkdir(exist_ok=True)
    file.touch()
    assert changed(made) == []


def test_linked_folders_are_content_and_links_back_are_none(made, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "images" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "images")
    (tmp_path / "images" / "up").symlink_to(tmp_path)
    assert changed(made) == []
    (tmp_path / "elsewhere" / "c.png").write_bytes(b"1")
    assert changed(made) == ["images"]


def test_a_link_to_where_nobody_may_look_is_no_error(made, tmp_path, monkeypatch):
    (tmp_path / "images" / "b.png").touch()
    is_file = Path.is_file

    def closed(path):
        if path.name == "b.png":
            raise PermissionError
        return is_file(path)

    monkeypatch.setattr(Path, "is_file", closed)
    assert changed(made) == []


def test_touched_files_are_read_once_and_are_the_same(made, tmp_path, monkeypatch):
    for file in ("images/nested/a.png", "responses.npy"):
        os.utime(tmp_path / file, (5, 5))
    assert changed(made) == []
    monkeypatch.setattr(changes, "digest", lambda path: pytest.fail(f"{path} was read again"))
    assert changed(made) == []


def test_a_file_that_vanished(made, tmp_path):
    (tmp_path / "responses.npy").unlink()
    assert changed(made) == ["responses.npy"]


def test_a_file_that_the_job_did_not_read_is_for_snakemake_to_notice(made):
    assert changed([*made, "neuroids.csv"]) == []


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"inputs": 3}', b"\xff\xfe"])
def test_a_record_that_cannot_be_read(made, tmp_path, content):
    (tmp_path / "record.json").write_bytes(content)
    assert changed(made) == ["record.json"]


def test_without_a_record_the_job_runs_anyway(made, tmp_path):
    (tmp_path / "record.json").unlink()
    assert changed(made) == []


def test_a_record_of_before_signatures(made, tmp_path):
    record = json.loads((tmp_path / "record.json").read_text())
    del record["signatures"], record["own_modules"]
    (tmp_path / "record.json").write_text(json.dumps(record))
    assert changed(made) == []
    (tmp_path / "responses.npy").write_bytes(b"other")
    assert changed(made) == ["responses.npy"]


def test_an_input_that_changes_while_a_job_reads_it(made, tmp_path, caplog):
    inputs = {"reads": (tmp_path / "responses.npy",)}
    with recorded_job(
        Command("recording", inputs, {"output": tmp_path / "store"}, provenance=tmp_path / "record.json")
    ):
        (tmp_path / "responses.npy").write_bytes(b"others")
    assert "responses.npy changed while it was read" in caplog.text
    record = json.loads((tmp_path / "record.json").read_text())
    assert list(record["signatures"].values()) == [None]


def test_a_network_and_what_it_imports_from_its_folder(tmp_path, importable):
    helper = importable("helper_of_mine", "width = 3\n")
    network = importable("network_of_mine", f"import {helper}\n")
    record = tmp_path / "record.json"
    with recorded_job(Command("model", provenance=record)):
        __import__(network)
    assert changes.Inputs(tmp_path).changed(record, []) == []
    (tmp_path / "helper_of_mine.py").write_text("width = 4\n")
    assert changes.Inputs(tmp_path).changed(record, []) == [str(tmp_path / "helper_of_mine.py")]


def test_an_installed_package_that_a_network_comes_from(monkeypatch):
    assert not any(name.startswith("yaml") for name in provenance.code_loaded())
    monkeypatch.setattr(provenance, "_packages_of_networks", set())
    provenance.package_of_a_network("yaml")
    assert {"yaml", "yaml.loader"} <= provenance.code_loaded().keys()


def test_results_of_other_code(tmp_path):
    for name, code in {"a": "0" * 64, "b": provenance.code_loaded()["ventral.outputs"]}.items():
        said = RECORD | {"stage": f"stage_{name}", "code": {"ventral.outputs": code, "network_of_mine": "0"}}
        (tmp_path / f"{name}.json").write_text(json.dumps(said))
    (tmp_path / "broken.json").write_text("")
    assert changes.find_results_of_other_code(tmp_path) == ({"stage_a": 1}, ["ventral.outputs"])
    assert changes.find_results_of_other_code(tmp_path / "nowhere") == ({}, [])


def test_a_signature_reads_no_content_and_knows_time_stamps_of_snakemake(made, tmp_path):
    before = signature("images")
    (tmp_path / "images" / ".snakemake_timestamp").touch()
    assert signature("images") == before


def test_a_network_below_the_working_folder_is_the_recorded_file(tmp_path, importable, monkeypatch):
    """A network may put a folder on the path that the planner does not know, where a namesake is found."""
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "helper_of_two.py").write_text("width = 3\n")
    record = RECORD | {"code": {"helper_of_two": provenance.digest(tmp_path / "lib" / "helper_of_two.py")}}
    record["own_modules"] = {"helper_of_two": str(tmp_path / "lib" / "helper_of_two.py")}
    (tmp_path / "record.json").write_text(json.dumps(record))
    importable("helper_of_two", "width = 5\n")
    monkeypatch.chdir(tmp_path)
    assert changes.Inputs(tmp_path).changed("record.json", []) == []
    (tmp_path / "lib" / "helper_of_two.py").write_text("width = 4\n")
    assert changes.Inputs(tmp_path).changed("record.json", []) == [str(tmp_path / "lib" / "helper_of_two.py")]
