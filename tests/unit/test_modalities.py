"""Which folders of the package know nothing of the kind of file that a stimulus is."""

import re
from pathlib import Path

import pytest

import ventral

FOLDERS = ("targets", "mappings", "scores", "decoding", "statistics")
WORD = re.compile("image", re.IGNORECASE)
JOURNAL = "NeuroImage"

PACKAGE = Path(ventral.__file__).parent


def mentions(text):
    """Return the lines of a module that name the kind of stimulus, but for those that cite the journal."""
    return [line for line in text.splitlines() if WORD.search(line.replace(JOURNAL, ""))]


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_module_knows_what_kind_of_stimulus_is_shown(folder):
    modules = sorted((PACKAGE / folder).rglob("*.py"))
    assert modules
    found = {str(path.relative_to(PACKAGE)): mentions(path.read_text(encoding="utf-8")) for path in modules}
    assert not {module: lines for module, lines in found.items() if lines}


def test_the_word_is_found_inside_identifiers_and_beside_a_citation():
    assert mentions("n_imageNet = 1")
    assert mentions("an image (Ann 2019, NeuroImage 1:2)")
    assert not mentions("Ann 2019, NeuroImage 1:2")
