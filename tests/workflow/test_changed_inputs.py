"""A changed input is never "Nothing to be done", and an unchanged one always is."""

import os
import re
import shutil
from pathlib import Path

import pytest

from tests.workflow.conftest import Experiment

NOTHING = "Nothing to be done"


@pytest.fixture
def finished(undisturbed, tmp_path) -> Experiment:
    """A copy of a finished run, all of whose files have another time of change."""
    shutil.copytree(undisturbed.folder, tmp_path / "copy")
    return Experiment(tmp_path / "copy")


def rewrite(path: Path, content: bytes) -> None:
    """Write other content, with time stamps older than all results."""
    path.write_bytes(content)
    os.utime(path, (1e9, 1e9))


def planned(printed: str) -> set[str]:
    return set(re.findall(r"^(\w+) +\d+$", printed, re.MULTILINE)) - {"total", "all"}


def test_content_decides(finished):
    folder = finished.folder
    for file in [folder / "images", *folder.rglob("images/*"), folder / "responses.npy", folder / "stimuli.csv"]:
        os.utime(file)
    assert NOTHING in finished.run("--dry-run")
    # An image replaced in place, by a file of the same length with an older time stamp.
    first, second = folder / "images" / "image1.png", folder / "images" / "image2.png"
    kept = first.read_bytes()
    rewrite(first, second.read_bytes())
    printed = finished.run("--dry-run")
    assert "images changed; the jobs that read this file or folder run again" in printed
    assert {"ingest", "recording", "extract", "gram", "fit"} <= planned(printed)
    # As before; other responses of the same length.
    rewrite(first, kept)
    responses = (folder / "responses.npy").read_bytes()
    rewrite(folder / "responses.npy", responses[:-1] + b"\x40")
    printed = finished.run("--dry-run")
    assert "images changed" not in printed
    assert "recording" in planned(printed)
    assert not {"ingest", "extract", "gram"} & planned(printed)
    rewrite(folder / "responses.npy", responses)
    network = folder / "tinynet.py"
    network.write_text(network.read_text().replace("manual_seed(7)", "manual_seed(8)"))
    printed = finished.run("results/scores.parquet")
    assert f"{network} changed" in printed
    assert {"model", "extract", "gram", "fit"} <= planned(printed)
    assert not {"ingest", "recording"} & planned(printed)
    assert NOTHING in finished.run("--dry-run", "results/scores.parquet")


def test_results_of_other_code_are_named_and_kept(finished):
    record = finished.folder / "results" / "provenance" / "grams" / "tiny" / "mine.json"
    record.write_text(re.sub(r'("ventral.grams.streaming": ")[0-9a-f]{64}', r"\g<1>" + "0" * 64, record.read_text()))
    printed = finished.run("--dry-run")
    assert "1 results were made by other code than is here now, and are kept (gram: 1; changed: " in printed
    assert "`--forcerun gram` makes them anew" in printed
    assert NOTHING in printed
