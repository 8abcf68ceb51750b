"""Through the faults of a cluster, the workflow ends where an undisturbed run ends, and does no finished job again.

A job is a rule with its wildcards, or a group of them; it has finished when SLURM has completed it. Whatever became of
other attempts, one of every job is completed, and no second one.
"""

import random
import re
import subprocess
import time
from collections import Counter
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import psutil
import pytest

from tests.cluster.conftest import ExperimentOnCluster, finish_on_cluster
from tests.workflow.conftest import Experiment, finish

SCORES = "results/scores.parquet"
# The network's features are extracted by three jobs, which are held while there is a file called slow.
EXTRACTION = {"shards": 3, "jobs": 3}
ON_LOST_NODE, SHORT_OF_MEMORY, SHORT_OF_TIME = EXTRACTED = [f"rule_extract/tiny_mine_{part}" for part in range(3)]
PREEMPTED = "rule_recording/rec"
# The first has a node for itself; at its first attempt, the second has too little memory and the third too little time.
TOO_LITTLE = (
    "extract:mem_mb={'0': 5000, '1': 800 * attempt}.get(wildcards.part, 2000)",
    "extract:runtime=attempt if wildcards.part == '2' else 30",
)
ENOUGH = [f"{rule}:mem_mb=2000" for rule in ("extract", "ingest", "model", "recording", "gram", "fit", "join")]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> str:
    """SHA-256 of the score table of a run without a cluster and without a fault."""
    experiment = with_one_network(Experiment(tmp_path_factory.mktemp("undisturbed")))
    experiment.run(SCORES)
    return digest(experiment)


@pytest.fixture
def in_parts(on_cluster) -> ExperimentOnCluster:
    with_one_network(on_cluster).config["extraction"] = EXTRACTION
    return on_cluster


def with_one_network(experiment):
    del experiment.config["models"]["pixels"]
    return experiment


def digest(experiment) -> str:
    return sha256((experiment.folder / SCORES).read_bytes()).hexdigest()


def submitted(experiment) -> dict[str, str]:
    """The job that each job of SLURM is an attempt of, by its number, in the order of submission."""
    logs = sorted((experiment.folder / ".snakemake" / "log").glob("*.log"))
    printed = "\n".join(log.read_text() for log in logs)
    return dict(re.findall(r"SLURM jobid (\d+) \(log: \S*/slurm_logs/(\S+)/\d+\.log\)", printed))


def attempts(experiment) -> list[tuple[str, str]]:
    """Every attempt, those that SLURM itself started again among them, as (job, state)."""
    jobs = submitted(experiment)
    if not jobs:
        return []
    account = ["sacct", "--allocations", "--duplicates", "--noheader", "--parsable2", "--format=JobIDRaw,State"]
    done = subprocess.run([*account, "--jobs", ",".join(jobs)], capture_output=True, text=True, check=True)
    rows = [line.split("|") for line in done.stdout.splitlines()]
    # CANCELLED by whom is not asked.
    return [(jobs[number], state.partition(" ")[0]) for number, state in rows]


def states(experiment, job: str) -> list[str]:
    return [state for attempted, state in attempts(experiment) if attempted == job]


def every_job_finished_once(experiment) -> bool:
    completed = Counter(job for job, state in attempts(experiment) if state == "COMPLETED")
    return completed == Counter(set(submitted(experiment).values()))


def running(experiment) -> dict[str, str]:
    """Number of the attempt of every job that runs, by job."""
    jobs = submitted(experiment)
    done = subprocess.run(
        ["squeue", "--noheader", "--states=R", "--format=%i"], capture_output=True, text=True, check=True
    )
    return {jobs[number]: number for number in done.stdout.split() if number in jobs}


def wait_for(condition, process: subprocess.Popen | None = None):
    """Wait until something is so, while a run goes on, if one does, and return it."""
    deadline = time.monotonic() + 1200
    while time.monotonic() < deadline and (process is None or process.poll() is None):
        if found := condition():
            return found
        time.sleep(0.5)
    if process is None:
        pytest.fail("waited in vain")
    process.terminate()
    pytest.fail(process.communicate(timeout=120)[0])


def shown(*what: str) -> str:
    return subprocess.run(["scontrol", "show", *what], capture_output=True, text=True, check=True).stdout


def update(what: str, *to: str, check: bool = True) -> None:
    subprocess.run(["scontrol", "update", what, *to], check=check)


def start_now(number: str) -> None:
    """Start a job that SLURM has put back into the queue, and would let wait for two minutes."""
    wait_for(lambda: "JobState=PENDING" in shown("job", number))
    update(f"jobid={number}", "starttime=now")


@contextmanager
def power_failure(number: str):
    """Kill all processes of a job and the daemon of its node, which the cluster takes for down during a block."""
    node = re.search(r"\bNodeList=(\w+)", shown("job", number))[1]
    daemon = re.search(r"SlurmdPidFile\s*=\s*(\S+)", shown("config"))[1].replace("%n", node)
    processes = [psutil.Process(int(Path(daemon).read_text()))]
    for process in psutil.process_iter(["cmdline"]):
        if f"[{number}." in " ".join(process.info["cmdline"] or []):
            processes += [process, *process.children(recursive=True)]
    for process in processes:
        process.kill()
    try:
        update(f"nodename={node}", "state=down", "reason=power")
        yield
    finally:
        subprocess.run(["slurmd", "-N", node], check=True)
        # Unless the cluster has taken it back by itself.
        update(f"nodename={node}", "state=resume", check=False)


def test_jobs_are_cancelled_and_preempted_lose_their_node_and_run_out_of_memory_and_time(undisturbed, in_parts):
    slow = in_parts.folder / "slow"
    slow.touch()
    process = in_parts.start("--set-resources", *TOO_LITTLE, *ENOUGH[1:], "--", SCORES)
    cancelled, number = random.choice(wait_for(lambda: sorted(running(in_parts).items()), process))
    subprocess.run(["scancel", number], check=True)

    # As when it is preempted.
    number = wait_for(lambda: running(in_parts).get(PREEMPTED), process)
    subprocess.run(["scontrol", "requeue", number], check=True)
    start_now(number)

    number = wait_for(lambda: running(in_parts).get(ON_LOST_NODE), process)
    wait_for(lambda: list(in_parts.folder.glob("results/activations/tiny/mine/.0.*")), process)
    with power_failure(number):
        wait_for(lambda: len(states(in_parts, ON_LOST_NODE)) > 1, process)
    start_now(number)

    wait_for(lambda: len(states(in_parts, SHORT_OF_MEMORY)) > 1, process)
    wait_for(lambda: "TIMEOUT" in states(in_parts, SHORT_OF_TIME), process)
    slow.unlink()
    finish_on_cluster(process)
    assert digest(in_parts) == undisturbed
    assert every_job_finished_once(in_parts)
    assert set(states(in_parts, cancelled)) == {"CANCELLED", "COMPLETED"}
    assert set(states(in_parts, PREEMPTED)) == {"REQUEUED", "COMPLETED"}
    assert set(states(in_parts, ON_LOST_NODE)) == {"NODE_FAIL", "COMPLETED"}


def test_snakemake_is_killed_and_started_again_and_a_second_one_refuses(undisturbed, in_parts, tmp_path):
    slow, results = in_parts.folder / "slow", in_parts.folder / "results"
    slow.touch()
    process = in_parts.start("--set-resources", *ENOUGH, "--", SCORES)
    wait_for(lambda: set(EXTRACTED) <= running(in_parts).keys(), process)
    assert "--unlock" in finish(in_parts.start("--", SCORES), expect=1)
    elsewhere = with_one_network(ExperimentOnCluster(tmp_path / "elsewhere"))
    printed = finish(elsewhere.start("--", f"{results}/scores.parquet", results=str(results)), expect=1)
    assert f"a run that was started in {in_parts.folder} is making the same results" in printed

    process.kill()
    process.communicate()
    finished = in_parts.outputs()
    assert "--unlock" in finish(in_parts.start("--", SCORES), expect=1)
    finish(in_parts.start("--unlock"))
    printed = finish(in_parts.start("--", SCORES), expect=1)
    assert "jobs of the last run are still on the cluster (" in printed
    slow.unlink()
    wait_for(lambda: not running(in_parts))
    in_parts.run("--set-resources", *ENOUGH, "--", SCORES)
    assert digest(in_parts) == undisturbed
    assert every_job_finished_once(in_parts)
    assert finished.items() <= in_parts.outputs().items()
