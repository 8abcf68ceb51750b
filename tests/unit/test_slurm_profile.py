"""The profile for a SLURM cluster fits the rules of the workflow."""

from pathlib import Path

import pytest
import yaml

from tests.rules_of_workflow import rules

ROOT = Path(__file__).parents[2]


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
    assert to_gpus == {name for name, rule in rules().items() if "gres" in rule["resources"]}


def test_rules_of_a_group_say_how_long_one_of_its_jobs_takes(profile, groups):
    # What they say by themselves, many times over, is more than a cluster grants.
    assert all("attempt" in profile["set-resources"][name]["runtime"] for name in groups)


def test_every_group_says_how_many_jobs_it_holds(profile, groups):
    sizes = dict(entry.split("=") for entry in profile["group-components"])
    assert sizes.keys() == set(groups.values())
    assert all(int(size) > 1 for size in sizes.values())
