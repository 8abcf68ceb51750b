"""Fixtures that all tests share."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

from ventral.running.rounding import round_alike_on_any_cores

# As jobs do, before anything is computed: on processors of Intel's, other bits come out otherwise.
round_alike_on_any_cores()

# No test fails for a slow machine.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

ROOT = Path(__file__).parents[1]
# At every start of Snakemake, its plugin for SLURM asks `scontrol`, and waits nine seconds where no controller answers.
WITHOUT_SLURM = f"{ROOT / 'tests' / 'without_slurm'}{os.pathsep}"
os.environ["PATH"] = WITHOUT_SLURM + os.environ["PATH"]


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of published recordings: VENTRAL_DATA, or `shared/data` beside the checkout."""
    folder = Path(os.environ.get("VENTRAL_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no published recordings at {folder}: set VENTRAL_DATA to their folder")
    return folder
