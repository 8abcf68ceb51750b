"""The Python examples of README and documentation run on a finished run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests import documented_run
from tests.documentation import ROOT, blocks, pages
from tests.workflow.conftest import run_config

# These pages show entries of registries, which other tests add from outside.
EXAMPLES = [page for page in pages() if blocks(page, "python") and not page.name.startswith("adding_")]


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("documented")
    documented_run.write(folder)
    run_config(folder, yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8")))
    return folder


@pytest.mark.parametrize("page", EXAMPLES, ids=lambda page: page.name)
def test_the_examples_of_a_page_run_one_after_another(finished, page):
    paths = os.pathsep.join([str(finished), str(ROOT / "workflow")])
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(blocks(page, "python"))],
        cwd=finished,
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
