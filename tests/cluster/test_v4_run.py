"""A session of real recordings, from the images to the figures, with every job on the cluster."""

import json
import re

import pandas as pd
import pytest

from tests.cluster.conftest import jobs_of, run_on_cluster
from tests.long.test_science import EXPECTED

LAYERS = ["_bn0", "_blocks.7", "_blocks.13"]


@pytest.fixture(scope="module")
def run(cluster, data_dir, tmp_path_factory):
    """Where the workflow ran, and what it printed."""
    folder = tmp_path_factory.mktemp("v4")
    config = {
        "results": "results",
        "dataset": "cowley2023",
        "data_dir": str(data_dir / "cowley2023_v4"),
        "sessions": [210325],
        "models": {"efficientnet_lite0": {"layers": LAYERS}, "pixels": None},
        "mappings": ["ridge", "rsa"],
        "gres": "gpu:1",
    }
    return folder, run_on_cluster(folder, config)


@pytest.fixture(scope="module")
def jobs(run) -> pd.DataFrame:
    """What SLURM says of the jobs, with what each of them asked for."""
    table = pd.DataFrame(jobs_of(run[1]))
    options = table["SubmitLine"].str.split(" --wrap").str[0]
    table["minutes"] = options.str.extract(r" -t (\d+)", expand=False).astype(int)
    table["mb"] = options.str.extract(r" --mem (\d+)", expand=False).astype(int)
    table["cores"] = options.str.extract(r" --cpus-per-task=(\d+)", expand=False).astype(int)
    table["gres"] = options.str.extract(r" --gres=(\S+)", expand=False)
    return table


@pytest.mark.parametrize(("layer", "expected"), EXPECTED.items(), ids=lambda value: "-".join(map(str, value)))
def test_predictivity_is_that_of_an_independent_computation(run, layer, expected):
    table = pd.read_parquet(run[0] / "results" / "scores.parquet").query("target_kind == 'neuron'")
    medians = table.groupby(["model", "layer", "split"])["predictivity"].median()
    value, tolerance = expected
    assert medians[layer] == pytest.approx(value, abs=tolerance)


def test_it_ends_in_figures_and_claims(run):
    results = run[0] / "results"
    for figure in ("layer_profile", "categorisation", "ranking", "contact_sheets/cowley2023_210325"):
        assert {path.suffix for path in results.glob(f"figures/{figure}.*")} == {".svg", ".pdf", ".csv"}
    assert (results / "claims.csv").is_file()


def test_every_stage_ran_as_a_job_of_the_cluster_and_succeeded_at_once(run, jobs):
    assert set(jobs["State"]) == {"COMPLETED"}
    assert set(jobs["Account"]) == {"lab"}
    # Everything but the rule `all`, which does nothing.
    here = re.findall(r"^localrule (\w+):", run[1], re.MULTILINE)
    assert here == ["all"]
    started = len(re.findall(r"has been submitted with SLURM jobid", run[1]))
    assert started == len(jobs) == jobs["JobIDRaw"].nunique()


def test_only_what_uses_a_gpu_asks_for_one_and_goes_to_its_partition(jobs):
    on_gpu = jobs["rule"] == "extract"
    assert on_gpu.any()
    assert set(jobs["gres"][on_gpu]) == {"gpu:1"}
    assert set(jobs["Partition"][on_gpu]) == {"gpu"}
    assert set(jobs["NodeList"][on_gpu]) <= {"n1", "n2"}
    assert jobs["gres"][~on_gpu].isna().all()
    assert set(jobs["Partition"][~on_gpu]) == {"cpu"}


def test_fits_are_one_job_that_asks_for_no_more_than_one_of_them_but_for_time(run, jobs):
    (fits,) = jobs[jobs["rule"].str.startswith("fits_")].to_dict("records")
    assert len(list(run[0].glob("results/scores/*/*.parquet"))) == 2
    assert (fits["cores"], fits["mb"], fits["minutes"]) == (2, 5000, 2 * 60)


def test_tables_and_figures_are_one_job_on_one_core(run, jobs):
    (tables,) = jobs[jobs["rule"].str.startswith("tables_")].to_dict("records")
    together = len(
        re.findall(r"^    rule \w+:", run[1].split("Group job tables")[1].split("Job stats")[0], re.MULTILINE)
    )
    assert tables["cores"] == 1
    assert tables["mb"] == 4000
    assert tables["minutes"] >= 7 * 10
    assert together >= 7


def test_jobs_run_on_the_cores_that_they_were_given(run):
    records = [json.loads(path.read_text()) for path in run[0].glob("results/provenance/scores/*/*.json")]
    assert {record["how"]["cores"] for record in records} == {2}
