"""README and documentation are in plain English: short sentences, the subject first."""

import re
from collections.abc import Iterator

import pytest

from tests.documentation import README, ROOT, pages
from tests.prose import FENCED, MARKUP_COMMENT, begins_with_of, is_too_long, sentences, words

LONGEST_README = 900


def too_long(text: str) -> list[str]:
    return [sentence for sentence in sentences(text) if is_too_long(sentence)]


def of_something(text: str) -> list[str]:
    return [sentence for sentence in sentences(text) if begins_with_of(sentence)]


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_sentences_are_short_and_begin_with_their_subject(page):
    text = page.read_text(encoding="utf-8")
    assert not too_long(text)
    assert not of_something(text)


def cells(text: str) -> Iterator[str]:
    """Give the cells of a page's tables; a semicolon separates the entries of a cell."""
    for line in FENCED.sub("\n", text).splitlines():
        if line.startswith("|"):
            yield from (entry.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|")) for entry in cell.split(";"))


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_sentences_in_cells_of_tables_are_short_and_begin_with_their_subject(page):
    for cell in cells(page.read_text(encoding="utf-8")):
        assert not too_long(cell)
        assert not of_something(cell)


@pytest.mark.parametrize(
    "table", [f"| a | b |\n| --- | --- |\n| key | {'word ' * 26} |", "| key | Of two, one is taken. |"]
)
def test_a_bad_sentence_in_a_cell_is_found(table):
    assert sum(len(too_long(cell)) + len(of_something(cell)) for cell in cells(table)) == 1


def test_the_readme_is_short():
    text = MARKUP_COMMENT.sub("", README.read_text(encoding="utf-8"))
    assert len(words(text)) <= LONGEST_README


LONG = "word " * 26


@pytest.mark.parametrize(
    "page",
    [
        f"{LONG}.",
        f"Short.\n{LONG.replace(' ', chr(10))}",
        f"- {LONG}",
        f"- A short item.\n- {LONG}",
        f"`one code` {LONG[:-5]}.",
        f"By Nadeau et al. in {LONG[:-25]}.",
        f"```\ncode\n```\n{LONG}.",
        f"# Heading\n{LONG}.",
    ],
)
def test_a_long_sentence_is_found(page):
    assert len(too_long(page)) == 1


@pytest.mark.parametrize(
    "page", [f"```\n{LONG}\n```", f"| {LONG} |", f"# {LONG}", f"> {LONG}", f"<!-- {LONG} -->", "A short one. " * 9]
)
def test_code_tables_headings_and_quotations_are_no_prose(page):
    assert not too_long(page)


def test_a_sentence_that_begins_with_of_is_found():
    text = "Fine. Of two, one is taken.\n\n- **Of** lists, too.\n- Often not."
    assert len(of_something(text)) == 2
