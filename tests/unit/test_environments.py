"""The environments of the jobs are those of the lock file, and have what the jobs import."""

import ast
import importlib.metadata
import re
import runpy
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest
import yaml

from tests.rules_of_workflow import rules, rules_of_stages
from ventral.commands import stages
from ventral.models.registry import FAMILIES
from ventral.stimuli.modality import MODALITIES

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "workflow" / "ventral"
NETWORKS = {"torch", "torchvision", "kornia", "safetensors", "efficientnet-lite-pytorch"}


@pytest.fixture(scope="module")
def generate() -> dict:
    return runpy.run_path(str(ROOT / "envs" / "generate.py"))


def environment(name: str) -> dict:
    return yaml.safe_load((ROOT / "envs" / f"{name}.yaml").read_text())


def pinned(lines: list[str]) -> set[str]:
    """Pins as text, without their hashes."""
    return {match[0].strip() for line in lines if (match := re.match(r"[\w.-]+==[^\\]+", line))}


def pins_of(name: str) -> set[str]:
    return pinned(environment(name)["dependencies"][-1]["pip"])


def names(pins: set[str]) -> set[str]:
    return {pin.partition("==")[0] for pin in pins}


@pytest.mark.parametrize("name", ["cpu", "gpu"])
def test_an_environment_is_made_of_the_lock_file(generate, name):
    written = (ROOT / "envs" / f"{name}.yaml").read_text()
    assert written == generate["environment"](generate["EXTRAS"][name]), "run `make lock`, or envs/generate.py"
    assert pins_of(name) <= pinned((ROOT / "envs" / "requirements.lock").read_text().splitlines())


def test_every_environment_of_networks_gets_packages_alone_by_their_hashes(generate):
    alone = (ROOT / "envs" / "no_deps.txt").read_text()
    pins = pinned(alone.splitlines())
    hashes = r"( \\\n    --hash=sha256:[0-9a-f]{64})+\n"
    assert re.fullmatch(rf"(#.*\n)+([\w.-]+==[\w.]+( ; python_full_version [\w.<'>= ]+)?{hashes})+", alone)
    script = (ROOT / "envs" / "gpu.post-deploy.sh").read_text()
    assert script == generate["post_deploy"](), "run `make lock`, or envs/generate.py"
    assert alone in script
    assert not (ROOT / "envs" / "cpu.post-deploy.sh").exists()
    install = "install .*--no-deps --require-hashes --requirement "
    assert re.search(f"{install}/dev/stdin << 'PINS'", script)
    assert re.search(f"{install}/opt/ventral/envs/no_deps.txt", (ROOT / "envs" / "Dockerfile").read_text())
    makefile = (ROOT / "Makefile").read_text()
    assert re.search(f"{install}envs/no_deps.txt", makefile)
    assert re.search(r"^\.venv/installed:.* envs/no_deps\.txt ", makefile, re.MULTILINE)
    # The lock file would have the packages that they ask for.
    for file in ("pyproject.toml", "envs/requirements.lock"):
        assert not names(pins) & set(re.findall(r"[\w-]+", (ROOT / file).read_text()))


def test_jobs_on_the_cpu_have_no_networks_and_no_job_has_what_starts_jobs():
    cpu, gpu = names(pins_of("cpu")), names(pins_of("gpu"))
    assert cpu < gpu
    assert not cpu & NETWORKS
    assert gpu >= NETWORKS
    assert not gpu & {"snakemake", "snakemake-executor-plugin-slurm", "pytest", "ruff", "roc-validator", "selenium"}


def test_what_is_needed_is_followed_through_the_packages_that_need_it(generate):
    lock = """
a==1 \\
    --hash=sha256:00
    # via ventral (pyproject.toml)
b==2 ; sys_platform == 'linux' \\
    --hash=sha256:00
    # via
    #   a
    #   tool
c==3 ; python_full_version < '3.12' \\
    --hash=sha256:00
    # via b
c==4 ; python_full_version >= '3.12' \\
    --hash=sha256:00
    # via b
tool==5
    # via ventral (pyproject.toml)
"""
    pins, needed_by = generate["locked"](lock)
    assert pins["b"] == ["b==2 ; sys_platform == 'linux'"]
    assert pins["c"] == ["c==3 ; python_full_version < '3.12'", "c==4 ; python_full_version >= '3.12'"]
    assert generate["with_dependencies"]({"a"}, needed_by) == {"a", "b", "c"}


def environments() -> dict[str, str]:
    """The environment of every stage, by its name."""
    return {stage: Path(rule["conda"]).stem for stage, rule in rules_of_stages().items()}


def test_every_rule_has_an_environment_and_the_modules_of_the_config():
    found = {name: rule for name, rule in rules().items() if rule["shell"] and not rule["handover"]}
    assert len(found) > 25
    for name, rule in found.items():
        assert Path(rule["conda"]).stem in ("cpu", "gpu"), name
        assert rule["envmodules"] == ["one/2"], name


# What every stage starts with, and what imports packages of networks in functions that only jobs with networks, or on a
# GPU, call.
STARTED_WITH = (
    "ventral.__main__",
    "ventral.commands",
    "ventral.stimuli.images",
    "ventral.running.devices",
    "ventral.grams.products",
    "ventral.scores.ridges",
)
# Imported in functions that are called with tensors, or by jobs on a GPU, or to synthesise music.
NOT_ON_CPU = (
    "ventral.mappings.ridge_on_device",
    "ventral.mappings.pls_on_device",
    "ventral.stimuli.cochleagram",
    "ventral.stimuli.music",
)


def module_of(stage: str) -> str:
    """The module of a stage's function."""
    return f"ventral.{stages()[stage].rpartition('.')[0]}"


def imports_in(source: str) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            # A module may be imported from its package.
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def shown_to_networks(module: str) -> set[str]:
    """Functions of a module that modalities declare for stages that run a network or a baseline."""
    declared = [
        function
        for modality in MODALITIES.values()
        for function in (
            *(modality.prepare, modality.examples, modality.reduced, modality.baseline.features),
            *(modality.training.kept, modality.training.shown, modality.training.varied),
        )
        if function is not None
    ]
    return {function.__name__ for function in declared if function.__module__ == module}


def without(names: set[str], source: str) -> str:
    """The source of a module without some functions, without what these alone call, and without imports for types."""
    body = [node for node in ast.parse(source).body if not ast.unparse(node).startswith("if TYPE_CHECKING:")]
    before = None
    while names != before:
        kept = [node for node in body if getattr(node, "name", "") not in names]
        before, names = names, names | (mentioned([node for node in body if node not in kept]) - mentioned(kept))
    return "\n".join(ast.unparse(node) for node in kept)


def mentioned(nodes: list[ast.stmt]) -> set[str]:
    return {name.id for node in nodes for name in ast.walk(node) if isinstance(name, ast.Name)}


@cache
def imports_of(module: str, environment: str) -> set[str]:
    """Everything that a module of ventral imports, in its functions, too; nothing where there is no such module."""
    file = PACKAGE.parent.joinpath(*module.split("."))
    files = [path for path in (file.with_suffix(".py"), file / "__init__.py") if path.is_file()]
    if module in STARTED_WITH:
        return imports_at_once(files[0])
    source = files[0].read_text() if files else ""
    return imports_in(source if environment == "gpu" else without(shown_to_networks(module), source))


def imports_at_once(file: Path) -> set[str]:
    """What a module imports outside its functions."""
    body = ast.parse(file.read_text()).body
    return imports_in("\n".join(ast.unparse(node) for node in body if isinstance(node, ast.Import | ast.ImportFrom)))


def reached(modules: set[str], environment: str) -> set[str]:
    """Names that are imported from outside ventral and the standard library by modules and those that they import."""
    seen, outside, left = set(), set(), modules | set(STARTED_WITH)
    while left:
        module = left.pop()
        if module.partition(".")[0] != "ventral":
            outside.add(module.partition(".")[0])
        elif module not in seen and (environment == "gpu" or not module.startswith(NOT_ON_CPU)):
            seen.add(module)
            left |= imports_of(module, environment)
    return outside - sys.stdlib_module_names


@cache
def distributions() -> dict[str, list[str]]:
    return importlib.metadata.packages_distributions()


@pytest.mark.parametrize("stage", sorted(environments()))
def test_an_environment_has_what_a_stage_imports(generate, stage):
    name = environments()[stage]
    modules = {module_of(stage)}
    if name == "gpu":
        # Found in a folder, not imported by name.
        modules |= {f"ventral.models.families.{family}" for family in FAMILIES}
    assert all(imports_of(module, name) for module in modules)
    available = names(pins_of(name))
    if name == "gpu":
        available |= names(pinned((ROOT / "envs" / "no_deps.txt").read_text().splitlines()))
    for module in reached(modules, name):
        owners = {generate["normalised"](owner) for owner in distributions().get(module, [])}
        assert owners & available, f"{stage} may import {module}, which envs/{name}.yaml does not have"


def test_the_image_has_the_lock_file_and_the_python_of_the_environments(generate):
    recipe = (ROOT / "envs" / "Dockerfile").read_text()
    python = generate["PYTHON"]
    assert f"FROM python:{python}-slim\n" in recipe
    assert f"python ={python}" in environment("cpu")["dependencies"]
    assert f"python ={python}" in environment("gpu")["dependencies"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == f">={python}"
    assert "--require-hashes --requirement /opt/ventral/envs/requirements.lock" in recipe
    copied = [source for line in re.findall(r"^COPY (.*)", recipe, re.MULTILINE) for source in line.split()[:-1]]
    assert {"Snakefile", "workflow", "config", "profiles", "envs/requirements.lock", "envs/no_deps.txt"} <= set(copied)
    assert all((ROOT / source).exists() for source in copied)
