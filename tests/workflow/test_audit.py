"""Results are audited by someone else, elsewhere: a clean folder passes, and what is wrong is found and named."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from tests.command_lines import command_line
from tests.workflow.conftest import ROOT, command, environment

LEFT_OUT = shutil.ignore_patterns(".*", "results", "resources", "__pycache__", "tests", "benchmarks", "docs")
GRAM, SCORES = "results/grams/tiny/mine.zarr.zip", "results/scores/rec/pixels.parquet"
# As the rule runs it, but for jobs that are run again.
AUDIT = command_line(
    "audit",
    {"plan": "results/audit/plan.txt"},
    {"verdicts": "results/audit/audit.json", "page": "results/audit/audit.html"},
    results="results",
    sample=0,
    seed=0,
)


def audit_by_snakemake(checkout: Path, published: Path, **changes) -> subprocess.CompletedProcess:
    config = yaml.safe_load((published / "config.yaml").read_text())
    (published / "audited.yaml").write_text(yaml.safe_dump(config | changes))
    arguments = command("--configfile", "audited.yaml", "--cores", "2", "audit")
    arguments[arguments.index("--snakefile") + 1] = str(checkout / "Snakefile")
    return subprocess.run(
        arguments, cwd=published, env=environment(published), capture_output=True, text=True, check=False
    )


def verdicts(published: Path) -> dict[str, tuple[str, str]]:
    found = json.loads((published / "results" / "audit" / "audit.json").read_text())
    return {output["path"]: (output["verdict"], output["reason"]) for output in found["outputs"]}


@pytest.fixture(scope="module")
def audited(undisturbed, tmp_path_factory) -> tuple[Path, Path]:
    """Another checkout, and elsewhere a copy of the results that it has audited once; neither is to be changed."""
    checkout, published = (tmp_path_factory.mktemp("audit") / name for name in ("checkout", "published"))
    shutil.copytree(ROOT, checkout, ignore=LEFT_OUT)
    shutil.copytree(undisturbed.folder, published, copy_function=shutil.copy2)
    done = audit_by_snakemake(checkout, published, audit={"sample": 1, "outputs": [GRAM]})
    assert done.returncode == 0, done.stdout + done.stderr
    return checkout, published


@pytest.fixture
def copied(audited, tmp_path) -> tuple[Path, Path]:
    """The same, to be changed."""
    checkout, published = tmp_path / "checkout", tmp_path / "published"
    shutil.copytree(audited[0], checkout)
    shutil.copytree(audited[1], published, copy_function=shutil.copy2)
    return checkout, published


def failing(copied: tuple[Path, Path], first_on_the_path: str = "") -> dict[str, tuple[str, str]]:
    """Audit by the plan of the last audit, and return what fails."""
    checkout, published = copied
    path = os.pathsep.join(filter(None, [first_on_the_path, str(checkout / "workflow")]))
    done = subprocess.run(
        [sys.executable, "-m", "ventral", *AUDIT],
        cwd=published,
        env=environment(published) | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    found = {path: said for path, said in verdicts(published).items() if said[0] != "verified"}
    assert done.returncode == bool(found), done.stderr
    # The log has no more.
    for path, (verdict, reason) in list(found.items())[:20]:
        assert f"{path}: {verdict}: {reason}" in done.stderr
        assert verdict in (published / "results" / "audit" / "audit.html").read_text()
    return found


def test_a_clean_folder_passes_elsewhere_and_what_is_run_again_is_equal(audited):
    found = verdicts(audited[1])
    assert {verdict for verdict, _ in found.values()} == {"verified", "rerun and equal"}
    # Activations are gone after a run, and made anew for the Gram matrix.
    for path in (GRAM, "results/activations/tiny/mine/0"):
        assert found[path][0] == "rerun and equal"
        assert "as recorded, to the last bit" in found[path][1]
    on_disk = [path for path in (audited[1] / "results").rglob("*.*") if path.suffix in (".svg", ".parquet", ".csv")]
    assert {str(path.relative_to(audited[1])) for path in on_disk} <= found.keys()
    assert not (audited[1] / "results" / "audit" / "rerun").exists()


def test_one_flipped_byte_in_any_store_or_table_is_found(copied):
    flipped = {
        "results/recordings/rec.zarr": "results/recordings/rec.zarr/responses/c/0/0/0",
        GRAM: GRAM,
        SCORES: SCORES,
        "results/figures/layer_profile.pdf": "results/figures/layer_profile.pdf",
    }
    for path in flipped.values():
        content = bytearray((copied[1] / path).read_bytes())
        content[len(content) // 2] ^= 1
        (copied[1] / path).write_bytes(content)
    found = failing(copied)
    assert found.keys() == flipped.keys()
    assert {verdict for verdict, _ in found.values()} == {"tampered"}


def test_one_changed_line_of_code_is_found(copied):
    module = copied[0] / "workflow" / "ventral" / "mappings" / "ridge.py"
    module.write_text(module.read_text() + "\nROUNDS = 2\n")
    found = failing(copied)
    assert found[SCORES] == ("stale", "module ventral.mappings.ridge changed")
    assert found["results/scores.parquet"][0] == "stale"
    assert (
        f"made from {SCORES}, which is stale (module ventral.mappings.ridge changed)"
        in (found["results/scores.parquet"][1])
    )
    assert not {GRAM, "results/stimuli/mine.zarr", "results/recordings/rec.zarr"} & found.keys()


def test_another_version_of_a_package_is_found(copied, tmp_path):
    shadow = tmp_path / "numpy-99.0.dist-info"
    shadow.mkdir()
    (shadow / "METADATA").write_text("Metadata-Version: 2.1\nName: numpy\nVersion: 99.0\n")
    found = failing(copied, str(tmp_path))
    assert {verdict for verdict, _ in found.values()} == {"stale"}
    assert found[GRAM] == ("stale", f"package numpy: recorded {np.__version__}, now 99.0")


def test_one_changed_value_of_the_config_is_found(copied):
    done = audit_by_snakemake(*copied, penalties={"number": 7}, audit={"sample": 0})
    assert done.returncode != 0
    found = verdicts(copied[1])
    assert found[SCORES][0] == "stale"
    assert found[SCORES][1].startswith("config `penalties`: recorded [0.0001, ")
    assert f"{SCORES}: stale: config `penalties`" in done.stdout + done.stderr
    assert "made from results/scores/rec/" in found["results/figures/layer_profile.svg"][1]
    assert found[GRAM][0] == found["results/stimuli/mine.zarr"][0] == "verified"
