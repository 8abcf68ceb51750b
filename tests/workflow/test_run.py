"""The workflow from images and responses to figures."""

import re
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from tests.workflow.conftest import ROOT, Experiment, command, environment
from ventral.datasets.registry import DATASETS
from ventral.store import open_store


def test_every_output_is_made(undisturbed):
    results = undisturbed.folder / "results"
    for figure in ("layer_profile", "categorisation", "ranking"):
        for kind in ("svg", "pdf", "csv"):
            assert (results / "figures" / f"{figure}.{kind}").stat().st_size > 100
    scores = pd.read_parquet(results / "scores.parquet")
    assert scores.groupby("model")["layer"].unique().map(sorted).to_dict() == {
        "pixels": ["pixels"],
        "tiny": ["0", "2", "5"],
    }
    assert set(scores["split"]) == {"stimuli", "objects"}
    neurons = scores.query("target_kind == 'neuron' and model == 'pixels' and split == 'stimuli'")
    assert len(neurons) == 6
    assert neurons["predictivity"].median() > 0.5
    assert neurons[["r_folds", "fold_reliability", "reliability_even", "reliability_odd"]].notna().all(axis=None)
    assert set(scores.query("target_kind == 'property'")["target"]) == {"size"}
    comparisons = pd.read_csv(results / "comparisons.csv")
    # Three pairs of layers of tiny, and the two models, for each split.
    assert comparisons.groupby(["split", "compared"]).size().tolist() == [3, 1, 3, 1]
    best = pd.read_csv(results / "best_layers.csv")
    assert best["model"].tolist() == ["pixels", "tiny"] * 2
    assert (pd.read_csv(results / "figures" / "layer_profile.csv")["both_low"].notna()).all()
    # Activations are deleted once the Gram matrices stand.
    assert not list(results.glob("activations/*/*/*"))
    assert open_store(results / "grams" / "tiny" / "mine.zarr.zip")["5"].attrs["n_features"] == 4


@pytest.fixture
def copy_of_undisturbed(undisturbed, tmp_path) -> Experiment:
    return undisturbed.copy(tmp_path / "copy")


def test_nothing_finished_is_done_again(copy_of_undisturbed):
    before = copy_of_undisturbed.outputs()
    assert "Nothing to be done" in copy_of_undisturbed.run()
    assert copy_of_undisturbed.outputs() == before


def jobs_of(printed: str) -> dict[str, int]:
    """The table of jobs that snakemake prints before it starts."""
    lines = printed.split("Job stats:")[1].split("total")[0].splitlines()
    return {words[0]: int(words[1]) for words in map(str.split, lines) if len(words) == 2 and words[1].isdigit()}


# What is made of the joined score table.
OF_SCORES = dict.fromkeys(["layer_profile", "categorisation", "claims", "best_layers", "compare", "ranking"], 1)
OF_SCORES |= {"report_page": 1, "all": 1}


@pytest.mark.parametrize(
    ("changes", "jobs"),
    [
        ({"reliability_threshold": 0.3}, {"fit": 2, "join": 1} | OF_SCORES),
        ({"folds": 6}, {"fit": 2, "join": 1} | OF_SCORES),
        (
            {"models": {"pixels": None, "tiny": {"architecture": "tinynet:make", "size": 32, "layers": ["0"]}}},
            {"model": 1, "extract": 1, "gram": 1, "fit": 1, "join": 1} | OF_SCORES,
        ),
    ],
)
def test_a_changed_config_makes_anew_what_depends_on_it(copy_of_undisturbed, changes, jobs):
    assert jobs_of(copy_of_undisturbed.run("--dry-run", **changes)) == jobs


def test_a_dry_run_ends_with_a_forecast(copy_of_undisturbed):
    said = re.findall(r"^forecast, (.+)$", copy_of_undisturbed.run("--dry-run", folds=6), re.MULTILINE)
    assert [line.split(": ")[0] for line in said] == ["stimuli", "features", "disk", "memory", "time"]
    assert re.fullmatch(r"stimuli: mine \d+", said[0])
    assert said[1].startswith("features: tiny 2,588 in 3 layers; not known yet: pixels ")
    assert said[2] == "disk: tables and figures alone"
    assert re.search(r"fit 2 x [\d.]+ s", said[4])
    assert "forecast" not in copy_of_undisturbed.run("--dry-run")


def test_report_is_one_page_with_the_figures(copy_of_undisturbed):
    copy_of_undisturbed.run("--report", "report.html")
    page = (copy_of_undisturbed.folder / "report.html").read_text()
    for text in ("layer_profile.svg", "categorisation.svg", "scores.parquet", "Figures", "Tables"):
        assert text in page


def test_the_page_has_the_numbers_and_comes_again_after_an_audit(copy_of_undisturbed):
    results = copy_of_undisturbed.folder / "results"
    page = (results / "report.html").read_text()
    for text in ("2 models, 4 layers in all, against 6 neurons in V4", "Not audited yet", "with up to 5 repetitions"):
        assert text in page
    (results / "audit").mkdir()
    (results / "audit" / "audit.json").write_text('{"date": "", "verdict": "passed", "counts": {}, "outputs": []}')
    assert jobs_of(copy_of_undisturbed.run()) == {"report_page": 1, "all": 1}
    assert "Audit passed" in (results / "report.html").read_text()


def test_logs_tell_what_was_done(undisturbed):
    logs = undisturbed.folder / "results" / "logs"
    assert "images/s" in "".join(path.read_text() for path in logs.glob("activations/tiny/mine/*.log"))
    assert "3/3 layers" in (logs / "scores" / "rec" / "tiny.log").read_text()


# Not downloaded; other tests run them from their folders.
NEEDS_DATA = {f"{name}.yaml" for name, dataset in DATASETS.items() if not dataset.downloads}
NEEDS_DATA |= {"natsound165_trained_here.yaml"}


@pytest.mark.parametrize("name", sorted({path.name for path in (ROOT / "config").glob("*.yaml")} - NEEDS_DATA))
def test_ready_configs_dry_run_with_no_data(tmp_path, name):
    checkout = tmp_path / "checkout"
    shutil.copytree(ROOT, checkout, ignore=shutil.ignore_patterns(".*", "results", "resources", "__pycache__"))
    # One that adds to the demo is given beside it.
    names = ["demo.yaml", name] if name == "demo_recordings.yaml" else [name]
    arguments = command("--dry-run", "--configfile", *(f"config/{name}" for name in names))
    arguments[arguments.index("--snakefile") + 1] = "Snakefile"
    done = subprocess.run(
        arguments, cwd=checkout, env=environment(tmp_path), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    embedded = name in ("demo.yaml", "published.yaml", "sounds.yaml", "recurrence.yaml")
    made = "synthesise" if name == "sounds.yaml" else "render"
    sources = {made, "simulate", "train"} if embedded or len(names) > 1 else set()
    sources |= set() if embedded else {"fetch", "ingest"}
    sources |= {"render", "train"} if name == "gpu.yaml" else set()
    sources |= (
        {"gram_forward"}
        if names[0] in ("demo.yaml", "gpu.yaml", "sounds.yaml", "recurrence.yaml")
        else {"extract", "gram"}
    )
    assert {*sources, "fit", "layer_profile"} <= set(jobs_of(done.stdout + done.stderr))
    assert not (checkout / "results").exists()


def test_a_plain_dry_run_takes_the_config_of_the_checkout(tmp_path):
    arguments = command("--dry-run", "--directory", str(ROOT))
    done = subprocess.run(arguments, cwd=ROOT, env=environment(tmp_path), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "rule all" in done.stdout + done.stderr or "Nothing to be done" in done.stdout + done.stderr


def test_the_science_does_not_know_the_workflow():
    package = ROOT / "workflow" / "ventral"
    assert not [path for path in package.rglob("*.py") if "import snakemake" in path.read_text()]
    assert Path(package / "__main__.py").exists()
