"""The documentation names what is there, and its configs are right."""

import re

import pytest
import yaml

import ventral
from tests.documentation import ROOT, blocks, pages
from ventral.configuration import schema
from ventral.configuration.resolution import resolve
from ventral.scores.table import COLUMNS

# What an example leaves out because another example has it.
REST = {
    "results": "results/mine",
    "stimuli": {
        "my_images": {"images": "images"},
        "my_training_images": {"images": "training"},
        "my_sounds": {"sounds": "sounds"},
        "my_training_sounds": {"sounds": "training"},
    },
    "recordings": {
        "my_neurons": {"stimuli": "my_images", "responses": "responses.npy"},
        "my_voxels": {"stimuli": "my_sounds", "responses": "responses.npy"},
    },
    "models": {"pixels": None},
}
CONFIGS = [
    pytest.param(block, id=f"{page.relative_to(ROOT)}-{k}")
    for page in pages()
    for k, block in enumerate(blocks(page, "yaml"))
]


def test_every_test_that_the_documentation_names_is_there():
    tests = {
        name
        for file in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", file.read_text(encoding="utf-8"), re.MULTILINE)
    }
    for page in pages():
        named = set(re.findall(r"`(?:[\w/]+\.py::)?(test_\w+)`", page.read_text(encoding="utf-8")))
        # A public function is called like a test.
        missing = named - tests - {"test_set_ridge"}
        assert not missing, f"{page.name}: {sorted(missing)}"


def test_every_file_of_the_checkout_that_the_documentation_names_is_there():
    for page in pages():
        text = page.read_text(encoding="utf-8")
        named = set(re.findall(r"`((?:benchmarks|config|docs|envs|profiles|tests|workflow)/[\w./]+\.\w+)`", text))
        # The page on bad input names tests by their place in tests/.
        missing = [name for name in named if not ((ROOT / name).exists() or (ROOT / "tests" / name).exists())]
        # `make docs` makes the site.
        missing = [name for name in missing if "mine" not in name and not name.startswith("docs/_build/")]
        assert not missing, f"{page.name}: {missing}"


@pytest.mark.parametrize("block", CONFIGS)
def test_every_config_of_the_documentation_is_right(block, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = yaml.safe_load(block)
    schema.check(schema.typed(config))
    named = {key: REST[key] | (config.get(key) or {}) for key in ("stimuli", "recordings")}
    resolve(REST | config | named)


def test_targets_of_snakemake_stand_before_the_config_files():
    # Snakemake takes every word after --configfile for a config file.
    for page in pages():
        after = re.findall(r"--configfile \S+ ([^-\s#`|\\][^\s`]*)", page.read_text(encoding="utf-8"))
        assert all(word.endswith(".yaml") for word in after), f"{page.name}: {after}"


def test_every_column_of_the_score_table_is_explained():
    rows = re.findall(r"^\| (`.*?`) \| ", (ROOT / "docs" / "scores.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(COLUMNS) <= {name for row in rows for name in re.findall(r"`(\w+)`", row)}


def test_every_public_name_is_in_the_api():
    named = re.findall(r":: ventral\.(\w+)$", (ROOT / "docs" / "api.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(ventral.__all__) <= set(named)


def test_every_page_is_in_one_table_of_contents():
    site = sorted((ROOT / "docs").glob("*.md"))
    listed = [name for page in site for block in blocks(page, "{toctree}") for name in re.findall(r"(?m)^\w+$", block)]
    assert sorted(["index", *listed]) == [page.stem for page in site]
