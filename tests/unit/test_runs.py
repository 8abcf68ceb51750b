"""Two runs never make the same results at once, nor a run and what is left of another."""

import json

import pytest

from tests.unit.synthetic_results import record
from ventral.audit.plan import read_plan
from ventral.errors import InputError
from ventral.launch import lock as runs


@pytest.fixture
def squeue(tmp_path, monkeypatch):
    """A function that sets what `squeue` prints, its exit status, and returns what it was last asked."""
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")

    def answer(printed: str, status: int = 0):
        program = programs / "squeue"
        program.write_text(f'#!/bin/sh\necho "$*" > {tmp_path}/asked\nprintf "{printed}"\nexit {status}\n')
        program.chmod(0o755)
        return tmp_path / "asked"

    return answer


def begin(tmp_path, folder: str = "here", log: str = "") -> None:
    """Begin a run in a folder, on the results folder `shared`, with a log."""
    log_file = tmp_path / folder / ".snakemake" / "log" / "snakemake.log"
    log_file.parent.mkdir(parents=True, exist_ok=True)
    runs.begin(tmp_path / "shared", tmp_path / folder, [".snakemake/log/snakemake.log"])
    # The cluster's name of a run is in its log when the run has begun.
    log_file.write_text(log)


def lock(tmp_path, folder: str, file) -> None:
    locks = tmp_path / folder / ".snakemake" / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    (locks / "0.output.lock").write_text(f"{file}\n")


@pytest.mark.parametrize("relative", [False, True])
def test_a_run_in_another_folder_is_making_the_same_results(tmp_path, relative):
    begin(tmp_path, "here")
    lock(tmp_path, "here", "../shared/scores.parquet" if relative else tmp_path / "shared" / "scores.parquet")
    with pytest.raises(
        InputError, match=r"started in .*here is making the same results, .*shared.*`snakemake --unlock`"
    ):
        begin(tmp_path, "there")
    # Snakemake itself says so of the same folder.
    begin(tmp_path, "here")


def test_a_run_in_another_folder_is_over_or_makes_other_results(tmp_path):
    begin(tmp_path, "here")
    begin(tmp_path, "there")
    lock(tmp_path, "there", tmp_path / "elsewhere" / "scores.parquet")
    begin(tmp_path, "here")
    assert json.loads((tmp_path / "shared" / runs.RECORD).read_text())["folder"] == str(tmp_path / "here")


def test_a_run_that_has_ended_is_forgotten(tmp_path):
    begin(tmp_path, "here")
    lock(tmp_path, "here", tmp_path / "shared" / "scores.parquet")
    runs.end(tmp_path / "shared")
    begin(tmp_path, "there")


def test_what_was_made_by_another_config(tmp_path):
    output, provenance = tmp_path / "scores.parquet", tmp_path / "join.json"
    arguments = f"best_layers --input scores {tmp_path}/in --output output {output} --provenance {provenance}"
    command = f"python -m ventral {arguments} --options '{{\"seed\": %d}}'"
    made = record("best_layers", str(output), config=read_plan(command % 1).jobs[0].config)
    provenance.write_text(json.dumps(made))
    runs.check_made_by(command % 1)
    with pytest.raises(InputError, match=r"scores.parquet: made .* another config \(config `seed`: recorded 1, now 2"):
        runs.check_made_by(command % 2)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"folder": "here"}', b'{"folder": 5, "logs": []}']
)
def test_a_record_of_a_run_that_cannot_be_read_is_that_of_one_that_was_killed(tmp_path, caplog, content):
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / runs.RECORD).write_bytes(content)
    assert runs.begin(tmp_path / "shared", tmp_path / "here", ["log"])
    assert ".run.json: cannot be read" in caplog.text
    assert "a run was killed here, and the folder that it was started in and its logs are not known" in caplog.text
    caplog.clear()
    assert runs.begin(tmp_path / "shared", tmp_path / "here", ["log"])
    assert not caplog.text


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b"\xff\xfe", b'{"config": {"seed": 1}}'])
def test_a_record_of_a_job_that_cannot_be_read(tmp_path, content):
    provenance = tmp_path / "join.json"
    if content is not None:
        provenance.write_bytes(content)
    command = f"python -m ventral best_layers --output output {tmp_path}/out.csv --provenance {provenance}"
    with pytest.raises(
        InputError, match=r"join\.json: not a record of a job; delete the file and start the same command again"
    ):
        runs.check_made_by(command)


def test_jobs_of_the_last_run_are_still_on_the_cluster(tmp_path, squeue):
    asked = squeue("RUNNING\\nPENDING\\nPENDING\\n")
    begin(tmp_path, log="Building DAG of jobs...\nSLURM run ID: 12-ab\nSelect jobs\n")
    for folder in ("here", "there"):
        with pytest.raises(
            InputError, match=r"\(1 running, 2 pending\), and would run twice: .* `scancel --name=12-ab`"
        ):
            begin(tmp_path, folder)
    assert "--name=12-ab" in asked.read_text()
    squeue("")
    begin(tmp_path, log="Building DAG of jobs...\n")
    asked.unlink()
    begin(tmp_path)
    assert not asked.exists()


def test_a_cluster_that_does_not_answer(tmp_path, squeue):
    squeue("slurm_load_jobs error", 1)
    begin(tmp_path, log="SLURM run ID: 12-ab\n")
    with pytest.raises(InputError, match="the cluster does not say whether jobs of the last run are left"):
        begin(tmp_path)


def test_results_of_a_cluster_are_gone_on_with_elsewhere(tmp_path, monkeypatch):
    begin(tmp_path, log="SLURM run ID: 12-ab\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    begin(tmp_path, "there")
