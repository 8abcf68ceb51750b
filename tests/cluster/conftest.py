"""A SLURM cluster on this machine, and how to run the workflow on it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.conftest import WITHOUT_SLURM
from tests.workflow.conftest import ROOT, Experiment, environment

os.environ["PATH"] = os.environ["PATH"].removeprefix(WITHOUT_SLURM)
HERE = Path(__file__).parent
# On which no node is anybody else's, so that tests may take one down.
CLUSTER = "sandbox"
PROFILE = ROOT / "profiles" / "slurm"
# A node of the cluster has two cores and 5.5 GB. What is said of resources here replaces what the profile says.
LIMITS = ("--cores", "2", "--resources", "mem_mb=5000", "in_turn=1")
# A run of the workflow may wait for other tests' jobs.
PATIENCE_S = 2400


def started_here() -> bool:
    """Whether the cluster of these tests answers."""
    try:
        done = subprocess.run(["scontrol", "show", "config"], capture_output=True, text=True, timeout=30, check=False)
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return False
    return re.search(rf"^ClusterName\s*=\s*{CLUSTER}$", done.stdout, re.MULTILINE) is not None


def pytest_sessionstart(session):
    session.config.was_up = started_here()


def pytest_sessionfinish(session):
    # Not while other workers of pytest-xdist still need it, nor if it is somebody's who works with it.
    if not hasattr(session.config, "workerinput") and not session.config.was_up:
        subprocess.run([HERE / "slurm-down.sh"], check=False)


@pytest.fixture(scope="session")
def cluster() -> None:
    """A SLURM cluster of four nodes, n1 to n4, that answers."""
    if not started_here():
        up = subprocess.run([HERE / "slurm-up.sh"], capture_output=True, text=True, timeout=1200, check=False)
        if up.returncode:
            pytest.skip(f"no SLURM cluster: {up.stderr.strip().splitlines()[-1]}")
    if not started_here():
        pytest.skip(f"the SLURM cluster that answers here is not called {CLUSTER}: it is not one for tests")


def start_on_cluster(folder: Path, config: dict, *arguments: str, profile: Path = PROFILE) -> subprocess.Popen:
    """Start the workflow in the background, on a config in a folder, with the jobs on the cluster."""
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    command = [sys.executable, HERE / "impatient.py", "--snakefile", ROOT / "Snakefile", "--configfile", "config.yaml"]
    return subprocess.Popen(
        [*map(str, command), "--workflow-profile", str(profile), *LIMITS, *arguments],
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish_on_cluster(process: subprocess.Popen, expect: int | None = 0) -> str:
    """Wait for a run of the workflow on the cluster, check its exit status, and return what it printed."""
    try:
        printed, _ = process.communicate(timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        # As by Ctrl-C: Snakemake cancels its jobs.
        process.terminate()
        printed, _ = process.communicate(timeout=120)
        pytest.fail(f"not over after {PATIENCE_S} s:\n{printed}")
    assert expect is None or process.returncode == expect, printed
    return printed


def run_on_cluster(folder: Path, config: dict, *arguments: str) -> str:
    """Run the workflow on a config in a folder, with the jobs on the cluster, and return what it printed."""
    return finish_on_cluster(start_on_cluster(folder, config, *arguments))


class ExperimentOnCluster(Experiment):
    """The small experiment, run on the cluster."""

    def start(self, *arguments: str, **changes) -> subprocess.Popen:
        """Start the workflow in the background."""
        return start_on_cluster(self.folder, self.config | changes, *arguments)

    def run(self, *arguments: str, **changes) -> str:
        """Run the workflow, and return what it printed."""
        return finish_on_cluster(self.start(*arguments, **changes))


@pytest.fixture
def on_cluster(cluster, tmp_path) -> ExperimentOnCluster:
    return ExperimentOnCluster(tmp_path)


# The last may hold what parts the others.
COLUMNS = ("JobIDRaw", "State", "Partition", "Account", "Timelimit", "ReqTRES", "NodeList", "ElapsedRaw", "SubmitLine")


def jobs_of(printed: str) -> list[dict[str, str]]:
    """Return the cluster's own account of the jobs that a run of the workflow started, in the order of submission.

    Parameters
    ----------
    printed : str
        What the workflow printed.

    Returns
    -------
    list of dict
        One for each time that a job was started: COLUMNS of `sacct`, and `rule`, the rule's name, or that of the group
        and its rules, joined by underscores.
    """
    rules = dict(re.findall(r"SLURM jobid (\d+) \(log: \S*?/(?:rule|group)_([^/]+)/", printed))
    if not rules:
        return []
    asked = ["sacct", "--jobs", ",".join(rules), "--duplicates", "--allocations", "--parsable2", "--noheader"]
    done = subprocess.run([*asked, "--format", ",".join(COLUMNS)], capture_output=True, text=True, check=True)
    rows = [dict(zip(COLUMNS, line.split("|", len(COLUMNS) - 1), strict=True)) for line in done.stdout.splitlines()]
    return [row | {"rule": rules[row["JobIDRaw"]]} for row in rows]
