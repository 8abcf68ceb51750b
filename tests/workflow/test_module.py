"""Another workflow imports this one, twice side by side."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.workflow.conftest import ROOT, Experiment, command, environment
from tests.workflow.test_run import jobs_of
from ventral.launch import lock as runs

# Its second module has a prefix, its own table of stimuli, and a rule that the importer changes.
IMPORTER = f"""
configfile: "config.yaml"


rule all:
    input:
        "while_running.txt",
        "other.txt",


module ridge:
    snakefile:
        "{ROOT}/Snakefile"
    config:
        config["ridge"]


module pls:
    snakefile:
        "{ROOT}/workflow/Snakefile"
    config:
        config["pls"]
    prefix:
        "second"


use rule * from ridge as ridge_*


use rule * from pls as pls_*


use rule recording from pls as pls_recording with:
    threads: 2


onstart:
    print("the importer's own handler")


rule table:
    input:
        "stimuli.csv",
    output:
        "made.csv",
    shell:
        "cp {{input}} {{output}}"


rule while_running:
    input:
        "results/recordings/rec.zarr",
        "second/results/recordings/rec.zarr",
    output:
        "while_running.txt",
    shell:
        "ls results/{runs.RECORD} second/results/{runs.RECORD} > {{output}}"


rule other:
    output:
        "other.txt",
    shell:
        "touch {{output}}"
"""
RESULTS = ("results", "second/results")


def snakemake(folder: Path, *arguments: str, snakefile: Path | None = None) -> subprocess.CompletedProcess:
    """Run a workflow in a folder, its Snakefile unless another one is given."""
    call = [sys.executable, "-m", "snakemake", "--snakefile", snakefile or "Snakefile", "--cores", "2", *arguments]
    return subprocess.run(
        call, cwd=folder, env=environment(folder), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def printed(folder: Path, *arguments: str) -> str:
    """What a run of the importing workflow prints that ends well."""
    done = snakemake(folder, *arguments)
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def imported(tmp_path_factory) -> Experiment:
    """The importing workflow after a run; not to be changed."""
    experiment = Experiment(tmp_path_factory.mktemp("importer"))
    small = experiment.config | {"models": {"pixels": None}, "audit": {"sample": 0}}
    pls = small | {"mappings": ["pls"], "stimuli": {"mine": {"images": "images", "table": "made.csv"}}}
    (experiment.folder / "config.yaml").write_text(yaml.safe_dump({"ridge": small, "pls": pls}))
    (experiment.folder / "Snakefile").write_text(IMPORTER)
    experiment.printed = printed(experiment.folder)
    return experiment


@pytest.fixture
def copied(imported, tmp_path) -> Path:
    """The same, to be changed."""
    return shutil.copytree(imported.folder, tmp_path / "copied", copy_function=shutil.copy2)


def change(folder: Path, module: str, **changes) -> None:
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config[module] |= changes
    (folder / "config.yaml").write_text(yaml.safe_dump(config))


def test_two_modules_run_side_by_side_each_with_a_lock_of_its_own(imported):
    assert "the importer's own handler" in imported.printed
    for results in RESULTS:
        assert (imported.folder / results / "recordings" / "rec.zarr").is_dir()
        assert f"{results}/{runs.RECORD}" in (imported.folder / "while_running.txt").read_text()
        assert not (imported.folder / results / runs.RECORD).exists()
    assert "Nothing to be done" in printed(imported.folder)


def test_all_targets_of_both_are_planned(imported):
    jobs = jobs_of(printed(imported.folder, "--dry-run", "ridge_all", "pls_all", "ridge_audit", "pls_crate"))
    for module in ("ridge", "pls"):
        each = {"all", "gram", "fit", "join", "layer_profile", "report_page"}
        assert {f"{module}_{name}" for name in each} <= jobs.keys()
    assert {"ridge_audit", "pls_crate"} <= jobs.keys()
    scores = jobs_of(printed(imported.folder, "--dry-run", "second/results/scores.parquet"))
    assert set(scores) == {f"pls_{name}" for name in ("model", "extract", "gram", "fit", "join")}


def test_a_changed_file_or_config_concerns_the_modules_that_read_it(copied):
    change(copied, "pls", recordings={"rec": {"stimuli": "mine", "responses": "responses.npy", "area": "IT"}})
    assert set(jobs_of(printed(copied, "--dry-run"))) == {"pls_recording", "while_running", "all"}
    (copied / "images" / "image1.png").write_bytes((copied / "images" / "image2.png").read_bytes())
    planned = printed(copied, "--dry-run")
    assert "images changed; the jobs that read this file or folder run again" in planned
    assert {"ridge_ingest", "pls_ingest"} <= set(jobs_of(planned))


def test_results_of_other_code_are_named_by_the_rules_of_their_module(copied):
    record = copied / "second" / "results" / "provenance" / "recordings" / "rec.json"
    text = re.sub(r'("ventral.store": ")[0-9a-f]{64}', r"\g<1>" + "0" * 64, record.read_text())
    assert text != record.read_text()
    record.write_text(text)
    said = printed(copied, "--dry-run")
    assert "`--forcerun pls_recording` makes them anew; `snakemake pls_audit` names each" in said


def test_an_audit_in_a_module_is_of_its_own_results(copied):
    done = snakemake(copied, "pls_audit")
    # Most of what the config calls for has not been made here.
    assert done.returncode == 1, done.stdout
    assert f"--snakefile {ROOT}/workflow/Snakefile" in printed(copied, "--dry-run", "--printshellcmds", "pls_audit")
    found = json.loads((copied / "second" / "results" / "audit" / "audit.json").read_text())
    verdicts = {output["path"]: output["verdict"] for output in found["outputs"]}
    assert verdicts["second/results/recordings/rec.zarr"] == "verified"
    assert verdicts["second/results/scores.parquet"] == "missing"
    assert not [path for path in verdicts if not path.startswith("second/results/")]


def test_a_run_elsewhere_that_makes_the_same_results_is_refused_with_the_module_s_name(copied, tmp_path):
    locks = tmp_path / "elsewhere" / ".snakemake" / "locks"
    locks.mkdir(parents=True)
    (locks / "0.output.lock").write_text(f"{copied}/second/results/scores.parquet\n")
    killed = {"folder": str(tmp_path / "elsewhere"), "logs": []}
    (copied / "second" / "results" / runs.RECORD).write_text(json.dumps(killed))
    (copied / "other.txt").unlink()
    done = snakemake(copied)
    assert done.returncode == 1
    assert f"module pls: a run that was started in {tmp_path / 'elsewhere'} is making the same" in done.stdout


def test_after_a_killed_run_each_module_takes_over_its_own_outputs(copied):
    shutil.rmtree(copied / ".snakemake")
    for results in RESULTS:
        (copied / results / runs.RECORD).write_text(json.dumps({"folder": str(copied), "logs": []}))
    (copied / "other.txt").unlink()
    printed(copied)
    assert not [results for results in RESULTS if (copied / results / runs.RECORD).exists()]
    change(copied, "ridge", recordings={"rec": {"stimuli": "mine", "responses": "responses.npy", "area": "IT"}})
    assert "ridge_recording" in jobs_of(printed(copied, "--dry-run"))


def test_its_targets_are_the_default_of_an_importer_without_any(imported, tmp_path):
    config = yaml.safe_load((imported.folder / "config.yaml").read_text())["ridge"]
    (tmp_path / "Snakefile").write_text(
        f'module one:\n    snakefile: "{ROOT}/Snakefile"\n    config: {config}\n\nuse rule * from one as one_*\n'
    )
    for name in ("images", "stimuli.csv", "responses.npy"):
        (tmp_path / name).symlink_to(imported.folder / name)
    assert "one_all" in jobs_of(printed(tmp_path, "--dry-run"))


def test_modules_share_what_is_downloaded(tmp_path):
    config = {"models": {"pixels": None}, "dataset": "cowley2023"}
    module = f'module {{0}}:\n    snakefile: "{ROOT}/Snakefile"\n    config: {config}\n    prefix: "{{0}}"\n\n'
    module += "use rule * from {0} as {0}_*\n\n"
    text = "".join(module.replace("{0}", name) for name in ("one", "two"))
    (tmp_path / "Snakefile").write_text(text)
    jobs = jobs_of(printed(tmp_path, "--dry-run", "one_all", "two_all"))
    assert jobs["one_fit"] == jobs["two_fit"]
    assert "one_fetch" in jobs
    assert "two_fetch" not in jobs


@pytest.mark.parametrize("snakefile", ["Snakefile", "workflow/Snakefile"])
def test_the_config_of_the_working_folder_is_taken(imported, tmp_path, snakefile):
    config = yaml.safe_load((imported.folder / "config.yaml").read_text())["ridge"]
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "config.yaml").write_text(yaml.safe_dump(config))
    for name in ("images", "stimuli.csv", "responses.npy"):
        (tmp_path / name).symlink_to(imported.folder / name)
    done = snakemake(tmp_path, "--dry-run", snakefile=ROOT / snakefile)
    assert done.returncode == 0, done.stdout
    assert "all" in jobs_of(done.stdout)


def test_rules_without_the_package_take_an_installed_checkout_or_say_how_to_install_one(imported, tmp_path):
    """As where they come from GitHub."""
    rules = tmp_path / "workflow"
    shutil.copytree(ROOT / "workflow", rules, ignore=shutil.ignore_patterns("ventral", "__pycache__"))
    arguments = command("--dry-run", "--cores", "2", "--configfile", "ridge.yaml")
    arguments[arguments.index("--snakefile") + 1] = str(rules / "Snakefile")
    config = yaml.safe_load((imported.folder / "config.yaml").read_text())["ridge"]
    for name in ("images", "stimuli.csv", "responses.npy"):
        (tmp_path / name).symlink_to(imported.folder / name)
    (tmp_path / "ridge.yaml").write_text(yaml.safe_dump(config))
    (tmp_path / "not_a_checkout" / "ventral").mkdir(parents=True)
    (tmp_path / "not_a_checkout" / "ventral" / "__init__.py").touch()

    def run(first_on_the_path: Path) -> subprocess.CompletedProcess:
        variables = environment(tmp_path) | {"PYTHONPATH": os.fspath(first_on_the_path)}
        return subprocess.run(arguments, cwd=tmp_path, env=variables, capture_output=True, text=True, check=False)

    found = run(ROOT / "workflow")
    assert found.returncode == 0, found.stdout + found.stderr
    missing = run(tmp_path / "not_a_checkout")
    assert missing.returncode == 1
    assert "install the clone beside Snakemake, with `pip install --editable CLONE`" in missing.stdout + missing.stderr
