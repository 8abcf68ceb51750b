"""What a job leaves about itself: what it was made of, by what, where and how."""

import json
import logging
import sys
import threading
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import dask
import pytest

from tests.command_lines import command_line
from ventral import provenance
from ventral.commands import parse
from ventral.provenance import (
    Command,
    code_loaded,
    digest,
    digest_of_module,
    digest_of_record,
    loaded_elsewhere,
    packages_loaded,
    recorded_job,
    source_of,
    weights_named,
)
from ventral.running.parallel import SETTING, compute, computing
from ventral.running.progress import Progress


@pytest.fixture
def job(tmp_path) -> Command:
    """The command of a job that reads a table and writes another."""
    (tmp_path / "in.parquet").write_text("scores")
    return parse(
        command_line(
            "best_layers",
            {"scores": tmp_path / "in.parquet"},
            {"output": tmp_path / "out.csv"},
            reliability_threshold=0.1,
            seed=4,
        )
    )


def recorded(job: Command, path: Path) -> dict:
    with recorded_job(replace(job, provenance=path)):
        job.outputs["output"].write_text("best")
    return json.loads(path.read_text())


def test_a_record_says_what_was_made_of_what(job, tmp_path):
    record = recorded(job, tmp_path / "logs" / "record.json")
    assert record["stage"] == "best_layers"
    assert record["config"] == {"reliability_threshold": 0.1, "seed": 4}
    assert record["inputs"] == {str(tmp_path / "in.parquet"): digest(tmp_path / "in.parquet")}
    assert record["outputs"] == {str(tmp_path / "out.csv"): digest(tmp_path / "out.csv")}
    assert record["code"]["ventral.store"] == digest(Path(provenance.__file__).with_name("store.py"))
    assert record["packages"]["numpy"] == sys.modules["numpy"].__version__
    assert record["sha256"] == digest_of_record(record)


def test_a_record_says_what_the_job_warned_of_each_message_once(job, tmp_path):
    logging.getLogger("ventral").warning("before the job")
    with recorded_job(replace(job, provenance=tmp_path / "record.json")):
        job.outputs["output"].write_text("best")
        logging.getLogger("ventral").info("half of it is done")
        logging.getLogger("ventralis").warning("of another package")
        for k in (1, 1, 2):
            logging.getLogger("ventral.scores.table").warning("%d neuroids are left out", k)
        thread = threading.Thread(target=logging.getLogger("ventral").error, args=("said by a <thread>",))
        thread.start()
        thread.join()
        # As the listener of training does with what its processes log.
        for handler in logging.getLogger().handlers:
            handler.handle(logging.makeLogRecord({"name": "ventral", "levelno": 30, "msg": "of a process"}))
            handler.handle(logging.makeLogRecord({"name": "ventral", "levelno": 20, "msg": "no warning"}))
    record = json.loads((tmp_path / "record.json").read_text())
    said = ["1 neuroids are left out", "2 neuroids are left out", "said by a <thread>", "of a process"]
    assert record["warnings"] == said
    assert record["sha256"] == digest_of_record(record)


def test_nothing_is_collected_once_a_job_is_over(job, tmp_path):
    before = list(logging.getLogger().handlers)
    assert recorded(job, tmp_path / "record.json")["warnings"] == []
    with pytest.raises(ZeroDivisionError), recorded_job(replace(job, provenance=tmp_path / "record.json")):
        raise ZeroDivisionError
    assert logging.getLogger().handlers == before


def test_a_record_that_was_edited_is_not_what_its_hash_says(job, tmp_path):
    record = recorded(job, tmp_path / "record.json")
    record["config"]["seed"] = 5
    assert record["sha256"] != digest_of_record(record)


def test_a_job_that_fails_leaves_no_record_and_not_that_of_its_last_run(job, tmp_path):
    recorded(job, tmp_path / "record.json")
    with pytest.raises(ZeroDivisionError), recorded_job(replace(job, provenance=tmp_path / "record.json")):
        raise ZeroDivisionError
    assert not (tmp_path / "record.json").exists()


def test_how_a_job_runs_and_what_it_only_checks_are_no_part_of_its_config(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("weights.pth").write_text("weights")
    more = ["--checked", '{"together": ["a", "b"]}', "--cores", "2", "--provenance", "record.json"]
    with recorded_job(parse(command_line("model", {"reads": "weights.pth"}, {"output": "out"}, *more, spec={}))):
        Path("out").write_text("described")
    record = json.loads(Path("record.json").read_text())
    assert record["config"] == {"spec": {}}
    assert record["how"] == {"cores": 2}
    assert list(record["inputs"]) == ["weights.pth"]


def test_a_folder_is_its_files_and_their_names(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "chunk").write_bytes(b"12")
    whole = digest(tmp_path / "a")
    (tmp_path / "a" / ".snakemake_timestamp").touch()
    assert digest(tmp_path / "a") == whole
    (tmp_path / "a" / "b" / "chunk").write_bytes(b"13")
    assert digest(tmp_path / "a") != whole
    (tmp_path / "a" / "b" / "chunk").write_bytes(b"12")
    (tmp_path / "a" / "b" / "chunk").rename(tmp_path / "a" / "chunk")
    assert digest(tmp_path / "a") != whole


def test_weights_are_named_by_descriptions_and_stores(tmp_path):
    (tmp_path / "net.json").write_text('{"model": "net", "weights_sha256": "1f"}')
    (tmp_path / "pixels.json").write_text('{"model": "pixels", "weights_sha256": ""}')
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "zarr.json").write_text('{"attributes": {"model": "other", "weights_sha256": "2e"}}')
    (tmp_path / "list.json").write_text("[1]")
    (tmp_path / "table.csv").write_text("a\n")
    assert weights_named(sorted(tmp_path.iterdir())) == {"net": "1f", "other": "2e"}


def test_a_network_of_ones_own_is_code_wherever_it_lies(tmp_path, monkeypatch):
    (tmp_path / "network_of_mine.py").write_text("layers = 3\n")
    assert "network_of_mine" not in code_loaded()
    module = ModuleType("network_of_mine")
    module.__file__ = str(tmp_path / "network_of_mine.py")
    monkeypatch.setitem(sys.modules, "network_of_mine", module)
    code = code_loaded()
    assert code["network_of_mine"] == digest(tmp_path / "network_of_mine.py")
    assert not {"numpy", "json", "ventral.audit", "ventral.provenance"} & code.keys()


def test_a_template_is_code_of_the_module_that_it_lies_beside(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "PACKAGE", tmp_path)
    page, template = tmp_path / "page.py", tmp_path / "page.html"
    page.write_text("TEMPLATE = 'page.html'\n")
    alone = digest_of_module(page)
    assert alone == digest(page)
    template.write_text("<h1>")
    before = digest_of_module(page)
    template.write_text("<h2>")
    assert len({alone, before, digest_of_module(page)}) == 3


def test_modules_that_workers_loaded_count(tmp_path, monkeypatch):
    (tmp_path / "lab").mkdir()
    for name in ("__init__", "layers"):
        (tmp_path / "lab" / f"{name}.py").write_text("raise RuntimeError('is not to be loaded')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(provenance, "_loaded_elsewhere", set())
    assert "ruff" not in packages_loaded()
    loaded_elsewhere(["lab", "lab.layers", "ruff", "json.decoder", "gone"])
    assert code_loaded()["lab.layers"] == digest(tmp_path / "lab" / "layers.py")
    assert "ruff" in packages_loaded()


def load_what_no_other_process_does() -> None:
    import ruff  # noqa: F401


def test_what_only_processes_of_dask_load_counts(monkeypatch):
    monkeypatch.setattr(provenance, "_loaded_elsewhere", set())
    with dask.config.set({SETTING: "processes"}), computing(1):
        compute([dask.delayed(load_what_no_other_process_does, pure=False)()], Progress("test", 1, "tasks"))
    assert "ruff" not in sys.modules
    assert "ruff" in packages_loaded()


def test_the_source_of_a_module_is_found_without_loading_it(tmp_path, monkeypatch):
    (tmp_path / "unloaded" / "inner").mkdir(parents=True)
    for path in ("unloaded/__init__.py", "unloaded/inner/__init__.py", "unloaded/inner/most.py"):
        (tmp_path / path).write_text("raise RuntimeError\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert source_of("unloaded") == tmp_path / "unloaded" / "__init__.py"
    assert source_of("unloaded.inner") == tmp_path / "unloaded" / "inner" / "__init__.py"
    assert source_of("unloaded.inner.most") == tmp_path / "unloaded" / "inner" / "most.py"
    assert source_of("unloaded.other") is None
    assert source_of("no_such_module") is None


def test_of_two_packages_of_a_name_the_first_on_the_path_counts(tmp_path, monkeypatch):
    before = packages_loaded()["numpy"]
    (tmp_path / "numpy-99.0.dist-info").mkdir()
    (tmp_path / "numpy-99.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: numpy\nVersion: 99.0\n")
    (tmp_path / "numpy-99.0.dist-info" / "RECORD").write_text("numpy/__init__.py,,\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert packages_loaded()["numpy"] == "99.0" != before
