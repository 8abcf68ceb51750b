"""The package is layered: a folder imports from lower floors, and on its own floor only from folders to its left."""

import ast
from pathlib import Path

from ventral import provenance

PACKAGE = Path(provenance.__file__).parent
# From the bottom. On a floor, from left to right.
FLOORS = [
    [
        "errors",
        "folders",
        "outputs",
        "integrity",
        "codec_pipeline",
        "store",
        "tables",
        "shards",
        "provenance",
        "running",
        "objects",
    ],
    ["mappings"],
    ["stimuli", "recordings", "datasets", "models"],
    ["activations", "grams"],
    ["targets"],
    ["training", "simulation"],
    ["statistics", "scores", "decoding", "readouts", "predictions", "in_silico"],
    ["figures", "report"],
    ["configuration", "commands", "audit", "crate", "launch", "__main__"],
]
PLACES = {name: place for place, name in enumerate(name for floor in FLOORS for name in floor)}


def place_of(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(file: Path) -> set[str]:
    """The first part of the name of every module of the package that a file imports, wherever in the file."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "ventral":
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ventral."):
            names.add(node.module.split(".")[1])
        elif isinstance(node, ast.Import):
            names |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("ventral.")}
    return names


def test_every_module_has_a_floor():
    modules = {place_of(file) for file in PACKAGE.rglob("*.py")} - {"__init__"}
    assert modules == PLACES.keys()


def test_imports_point_downwards():
    offenders = [
        f"{file.relative_to(PACKAGE)} imports {name}"
        for file in sorted(PACKAGE.rglob("*.py"))
        if place_of(file) != "__init__"
        for name in sorted(imported(file))
        if PLACES.get(name, len(PLACES)) > PLACES[place_of(file)]
    ]
    assert not offenders, "\n".join(offenders)


def test_no_science_knows_snakemake():
    offenders = [
        f"{file.relative_to(PACKAGE)}" for file in PACKAGE.rglob("*.py") if "import snakemake" in file.read_text()
    ]
    assert not offenders
