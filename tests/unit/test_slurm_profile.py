"""The profile for a SLURM cluster fits the rules of the workflow."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.rules_of_workflow import rules

ROOT = Path(__file__).parents[2]
# Their partition depends on the config: `on_device` in workflow/rules/common.smk.
FITS = {"fit", "banded", "partition", "reverse", "predictions"}


@pytest.fixture(scope="module")
def profile() -> dict:
    return yaml.safe_load((ROOT / "profiles" / "slurm" / "config.yaml").read_text())


@pytest.fixture(scope="module")
def groups(profile) -> dict[str, str]:
    """The group of every rule that has one."""
    return dict(entry.split("=") for entry in profile["groups"])


def test_it_names_rules_that_there_are(profile, groups):
    assert groups.keys() | profile["set-resources"].keys() <= rules().keys()


def test_rules_that_may_ask_for_a_gpu_go_to_the_partition_that_has_some(profile):
    to_gpus = {name for name, asked in profile["set-resources"].items() if "slurm_partition" in asked}
    asking = {name for name, rule in rules().items() if "gres" in rule["resources"]}
    assert to_gpus == asking - FITS


def test_rules_of_a_group_say_how_long_one_of_its_jobs_takes(profile, groups):
    # What they say by themselves, many times over, is more than a cluster grants.
    assert all("attempt" in profile["set-resources"][name]["runtime"] for name in groups)


def test_what_the_page_shows_of_the_scores_is_in_the_group_of_the_page(groups):
    # A job between two jobs of a group that is not in the group itself would stop the run.
    shown = set(rules()["report_page"]["inputs"]) & rules().keys()
    of_scores = {name for name in shown if "scores" in rules()[name]["inputs"]}
    assert {"animals", "claims"} <= of_scores
    assert {groups.get(name) for name in of_scores} == {groups["join"]} == {groups["report_page"]}


def test_every_group_says_how_many_jobs_it_holds(profile, groups):
    sizes = dict(entry.split("=") for entry in profile["group-components"])
    assert sizes.keys() == set(groups.values())
    assert all(int(size) > 1 for size in sizes.values())


@pytest.mark.parametrize(
    ("device", "asked"),
    [
        ("cpu", {"slurm_partition": "cpu", "device": "cpu", "gres": "", "dask": "slurm"}),
        ("cuda", {"slurm_partition": "gpu", "device": "cuda", "gres": "gpu:a100:1", "dask": "threads"}),
    ],
)
def test_fits_ask_for_a_gpu_where_the_config_says_so_and_never_else(tmp_path, device, asked):
    config = [f"fits={{device: {device}}}", "gres={fit: 'gpu:a100:1'}", "dask=slurm"]
    line = ["--directory", tmp_path, "--configfile", ROOT / "config" / "demo.yaml", "--config", *config]
    line += ["--snakefile", ROOT / "Snakefile", "--workflow-profile", ROOT / "profiles" / "slurm"]
    command = [sys.executable, "-m", "snakemake", *line, "--dry-run", "--until", "fit", "decode"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for name, expected in (("fit", asked), ("decode", {"slurm_partition": "cpu", "dask": "slurm"})):
        said = re.search(rf"rule {name}:.*?resources: (.*?)$", printed, re.DOTALL | re.MULTILINE).group(1)
        resources = dict(entry.split("=", 1) for entry in said.split(", "))
        assert resources | expected == resources
