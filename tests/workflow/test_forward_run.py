"""A run that leaves no features on the disk gives the Gram matrices and scores of one that does."""

import json
import shutil

import pandas as pd

from tests.workflow.conftest import Experiment


def test_gram_matrices_and_scores_are_those_of_features_on_the_disk(undisturbed, tmp_path):
    shutil.copytree(undisturbed.folder, tmp_path / "copy", copy_function=shutil.copy2)
    copied = Experiment(tmp_path / "unused")
    copied.folder = tmp_path / "copy"
    grams = [f"results/grams/{model}/mine.zarr.zip" for model in ("tiny", "pixels")]
    before = [(undisturbed.folder / path).read_bytes() for path in grams]
    for path in grams:
        (copied.folder / path).unlink()
    printed = copied.run("results/scores.parquet", grams={"from": "forward"})
    assert "gram_forward" in printed
    assert "rule extract" not in printed
    assert [(copied.folder / path).read_bytes() for path in grams] == before
    tables = [pd.read_parquet(folder / "results" / "scores.parquet") for folder in (undisturbed.folder, copied.folder)]
    pd.testing.assert_frame_equal(*tables)
    record = json.loads((copied.folder / "results" / "provenance" / "grams" / "tiny" / "mine.json").read_text())
    assert record["stage"] == "gram_forward"
    log = (copied.folder / "results" / "logs" / "grams" / "tiny" / "mine.log").read_text()
    assert "gram_forward tiny, layers 1 to 3 of 3" in log
