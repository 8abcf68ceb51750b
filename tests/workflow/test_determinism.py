"""Every output is the same bytes, however many cores, shards, jobs and workers made it, and in batches of any size."""

import json

import zarr

from tests.workflow.conftest import Experiment

# Cut into as many parts as the config says, and deleted when no longer needed.
CUT = ("results/activations/", "results/renders/")
# It says how long every job took.
TIMED = "results/report.html"


def outputs(experiment: Experiment) -> dict[str, str]:
    """SHA-256 of every output, from the records of the jobs that made them."""
    records = (experiment.folder / "results" / "provenance").rglob("*.json")
    made = [json.loads(record.read_text())["outputs"].items() for record in records]
    return {path: sha256 for of_job in made for path, sha256 in of_job if not path.startswith((*CUT, TIMED))}


def test_every_output_is_the_same_bytes_however_it_is_made(undisturbed, experiment):
    extraction = {"shards": 5, "jobs": 2, "batch_size": 5, "keep": True}
    experiment.run("--cores", "1", extraction=extraction, dask="processes")
    again, before = outputs(experiment), outputs(undisturbed)
    for path in ("scores.parquet", "grams/tiny/mine.zarr.zip", "figures/layer_profile.svg", "figures/ranking.pdf"):
        assert f"results/{path}" in before
    assert again == before
    # Activations were asked to be kept.
    folder = experiment.folder / "results" / "activations" / "pixels" / "mine"
    stores = [folder / f"{store}.zarr" for store in ("0/0", "0/1", "1/2", "1/3", "1/4")]
    assert sorted(folder.glob("*/*.zarr")) == stores
    assert zarr.open_group(stores[0], mode="r")["pixels"].shape == (9, 3 * 32 * 32)
