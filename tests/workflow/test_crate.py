"""A run that is given to others: valid for those who check it, and run again from the one file alone."""

import io
import json
import os
import subprocess
import sys
import zipfile
from collections import defaultdict
from pathlib import Path

import pytest

from tests.workflow.conftest import ROOT, finish

CONTEXT = ROOT / "tests" / "unit" / "data" / "ro-crate-1.1-context.json"
# What only people know: who made the run and who publishes it, and the addresses of software that has none of its own.
UNKNOWN = {
    "The Action SHOULD have an agent that is a Person or Organization",
    "The Application SHOULD have a url",
    "The SoftwareApplication id SHOULD be an absolute URI",
    "The organization SHOULD have a URL.",
    "The Root Data Entity SHOULD have a link to a Contextual Entity representing the `author` of the RO-Crate",
    "The `publisher` property of a `Root Data Entity` SHOULD be an `Organization`",
}


@pytest.fixture(scope="module")
def packed(undisturbed, tmp_path_factory) -> Path:
    """The crate of the undisturbed run, made in a copy of its folder."""
    copied = undisturbed.copy(tmp_path_factory.mktemp("packed") / "copy")
    copied.run("crate")
    return copied.folder / "results" / "crate.zip"


@pytest.fixture(scope="module")
def unpacked(packed, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("stranger")
    with zipfile.ZipFile(packed) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture(scope="module")
def again(unpacked) -> Path:
    """What a stranger gets who runs a crate, on a machine whose modules only write down that they were loaded."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("SNAKEMAKE", "PYTHONPATH"))}
    arguments = ["again/scores.parquet", "--cores", "2", "--software-deployment-method", "env-modules"]
    arguments += ["--config", "results=again", "envmodules=['ventral/1.0','cuda/13']"]
    running = subprocess.Popen(
        [sys.executable, "-m", "snakemake", *arguments],
        cwd=unpacked,
        env=kept | {"BASH_FUNC_module%%": f'() {{ echo "$$ $*" >> "{unpacked}/modules"; }}'},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    finish(running)
    return unpacked / "again"


def cache_with_context(path: Path) -> str:
    """A cache of what the validator would download: RO-Crate's terms, of which an unknown one is an error."""
    import requests
    from requests_cache import CachedSession
    from urllib3 import HTTPResponse

    content = CONTEXT.read_bytes()
    response = requests.Response()
    response.request = requests.Request("GET", json.loads(content)["@id"]).prepare()
    response.url, response.status_code, response._content = response.request.url, 200, content
    response.headers["Content-Type"] = "application/ld+json"
    response.raw = HTTPResponse(io.BytesIO(content), headers=response.headers, status=200, preload_content=False)
    CachedSession(str(path)).cache.save_response(response)
    return str(path)


def test_the_crate_is_a_valid_provenance_run_crate(packed, tmp_path):
    from rocrate_validator import models, services

    settings = services.ValidationSettings(
        rocrate_uri=str(packed),
        profile_identifier="provenance-run-crate-0.5",
        requirement_severity=models.Severity.RECOMMENDED,
        offline=True,
        cache_path=cache_with_context(tmp_path / "cache"),
    )
    result = services.validate(settings)
    assert {check.requirement.profile.identifier for check in result.executed_checks} >= {
        "ro-crate-1.1",
        "process-run-crate-0.5",
        "workflow-ro-crate-1.0",
        "workflow-run-crate-0.5",
        "provenance-run-crate-0.5",
    }
    issues = result.get_issues()
    assert not [str(issue) for issue in issues if issue.severity == models.Severity.REQUIRED]
    assert {issue.message for issue in issues} <= UNKNOWN


def test_a_stranger_gets_the_same_scores_from_the_crate_alone(unpacked, again):
    assert (again / "scores.parquet").read_bytes() == (unpacked / "results" / "scores.parquet").read_bytes()


def test_every_job_loads_the_modules_of_the_config(unpacked, again):
    """In its own shell: jobs that start together write between each other's lines."""
    shells = defaultdict(list)
    for line in (unpacked / "modules").read_text().splitlines():
        shell, done = line.split(" ", 1)
        shells[shell].append(done)
    jobs = len(list((again / "provenance").rglob("*.json")))
    assert list(shells.values()) == [["purge", "load ventral/1.0 cuda/13"]] * jobs
