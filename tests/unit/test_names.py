"""Names of functions say what a function does or returns, and one name is one computation."""

import ast
import re
from collections import Counter
from pathlib import Path

from ventral import provenance

PACKAGE = Path(provenance.__file__).parent
FUNCTIONS = [
    (file.relative_to(PACKAGE), node.name)
    for file in sorted(PACKAGE.rglob("*.py"))
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
    if isinstance(node, ast.FunctionDef)
]


def test_no_function_is_called_of_something():
    assert not [f"{file}: {name}" for file, name in FUNCTIONS if re.match(r"_?of_", name)]


def test_one_function_standardises():
    assert Counter(name.lstrip("_") for _, name in FUNCTIONS)["standardised"] == 1


def test_one_rule_says_what_is_rounding():
    text = {file: file.read_text(encoding="utf-8") for file in PACKAGE.rglob("*.py")}
    compared = [file.relative_to(PACKAGE) for file, code in text.items() if re.search(r"[<>]=? 1e-12 \* np", code)]
    # Triangles of a mesh that have no area are not values over stimuli.
    assert set(map(str, compared)) <= {"objects/shapes.py"}
