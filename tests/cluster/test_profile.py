"""What jobs ask SLURM for, by the profile and the config."""

import re

import pytest


@pytest.mark.parametrize(
    ("gres", "asked"),
    [({}, ""), ("gpu:1", "gpu:1"), ({"extract": "gpu:a100:1", "train": "gpu:h100:2"}, "gpu:a100:1")],
)
def test_the_config_says_which_gpu_is_asked_for(on_cluster, gres, asked):
    printed = on_cluster.run("--dry-run", "--until", "extract", gres=gres)
    assert set(re.findall(r"\bgres=(\S*)", printed)) == {asked}
    # Where the site has them, whichever they are.
    resources = re.search(r"rule extract:.*?resources: (.*?)$", printed, re.DOTALL | re.MULTILINE).group(1)
    assert "slurm_partition=gpu" in resources
