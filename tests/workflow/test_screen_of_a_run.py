"""What `snakemake` prints by the default profile: one screen."""

import subprocess

import yaml

from tests.workflow.conftest import OPTIONS, ROOT, command, environment
from tests.workflow.test_run import jobs_of

TARGET = "results/grams/pixels/mine.zarr.zip"


def printed(experiment, *arguments: str, expect: int = 0, **changes) -> list[str]:
    (experiment.folder / "config.yaml").write_text(yaml.safe_dump(experiment.config | changes))
    by_profile = [word for word in command() if word not in OPTIONS]
    # The logger is found where this checkout is installed; here, where it lies.
    found = environment(experiment.folder)
    found["PYTHONPATH"] += f":{ROOT / 'workflow'}"
    done = subprocess.run(
        [*by_profile, "--configfile", "config.yaml", "--cores", "2", *arguments],
        cwd=experiment.folder, env=found, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == expect, done.stdout + done.stderr
    return (done.stdout + done.stderr).splitlines()


def test_a_run_prints_stages_and_progress_and_the_log_has_the_rest(experiment):
    lines = printed(experiment, TARGET)
    for stage in ("ingest", "model", "extract", "gram"):
        assert [line for line in lines if line.startswith(f"{stage}: 1 job done")]
    assert "All 4 jobs done in" in lines[-2]
    assert len(lines) < 20
    (log,) = (experiment.folder / ".snakemake" / "log").iterdir()
    assert lines[-1] == f"Complete log(s): {log}"
    assert "rule gram:" in log.read_text()
    assert "images/s" in "".join(
        path.read_text() for path in experiment.folder.glob("results/logs/activations/**/*.log")
    )
    assert printed(experiment, TARGET)[-1].startswith("Nothing to be done")
    planned = "\n".join(printed(experiment, TARGET, "--forcerun", "gram", "--dry-run"))
    assert jobs_of(planned)["gram"] == 1
    assert "rule gram:" in planned


def test_a_job_that_fails_says_why_and_where_its_log_is(experiment):
    (experiment.folder / "images" / "image7.png").write_bytes(b"no image")
    lines = printed(experiment, TARGET, expect=1)
    errors = [k for k, line in enumerate(lines) if line.startswith("error: ingest (stimuli mine): ")]
    assert len(errors) == 2
    for k in errors:
        assert "image7.png" in lines[k + 1]
        assert lines[k + 1].endswith("(log: results/logs/stimuli/mine.log)")
