"""README and documentation are in plain English: short sentences, the subject first."""

import re
from collections.abc import Iterator

import pytest

from tests.documentation import README, ROOT, pages

LONGEST_SENTENCE, LONGEST_README = 25, 900

FENCED = re.compile(r"^( *)(```+|:::+).*?^\1\2 *$\n?", re.MULTILINE | re.DOTALL)
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
IMAGE = re.compile(r"!\[[^\]]*\]\([^)]*\)")
LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
CODE = re.compile(r"`[^`]+`")
ITEM = re.compile(r"^ *(?:[-*]|\d+\.) ")
# No prose: headings, rows of tables, quotations, and lines indented as code.
NO_PROSE = re.compile(r"^(?:#|\||>|    )")
# Full stops that end no sentence.
ABBREVIATION = re.compile(r"\b(et al|e\.g|i\.e|vs|Fig|Sci|Nat|J)\.")
END = re.compile(r"(?<=[.!?])[)\"*”]*\s+")


def sentences(text: str) -> Iterator[str]:
    """Give the sentences of a page's paragraphs and list items; inline code is one word."""
    text = COMMENT.sub("", FENCED.sub("\n", text))
    for paragraph in paragraphs(text):
        plain = CODE.sub("Code", LINK.sub(r"\1", IMAGE.sub("", paragraph)))
        yield from (part for part in END.split(ABBREVIATION.sub(r"\1", plain)) if part.strip())


def paragraphs(text: str) -> Iterator[str]:
    """Give paragraphs and list items, each on one line."""
    lines: list[str] = []
    for line in [*text.splitlines(), ""]:
        ends = not line.strip() or (NO_PROSE.match(line) and not lines)
        if ends or ITEM.match(line) or line.startswith(("#", "|", ">")):
            yield " ".join(lines)
            lines = []
        if not ends and not line.startswith(("#", "|", ">")):
            lines.append(ITEM.sub("", line).strip())


def words(text: str) -> list[str]:
    return [word for word in text.split() if re.search(r"\w", word)]


def too_long(text: str) -> list[str]:
    return [sentence for sentence in sentences(text) if len(words(sentence)) > LONGEST_SENTENCE]


def begins_with_of(text: str) -> list[str]:
    return [sentence for sentence in sentences(text) if re.match(r"\W*Of\b", sentence)]


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_sentences_are_short_and_begin_with_their_subject(page):
    text = page.read_text(encoding="utf-8")
    assert not too_long(text)
    assert not begins_with_of(text)


def cells(text: str) -> Iterator[str]:
    """Give the cells of a page's tables; a semicolon separates the entries of a cell."""
    for line in FENCED.sub("\n", text).splitlines():
        if line.startswith("|"):
            yield from (entry.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|")) for entry in cell.split(";"))


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_sentences_in_cells_of_tables_are_short_and_begin_with_their_subject(page):
    for cell in cells(page.read_text(encoding="utf-8")):
        assert not too_long(cell)
        assert not begins_with_of(cell)


@pytest.mark.parametrize(
    "table", [f"| a | b |\n| --- | --- |\n| key | {'word ' * 26} |", "| key | Of two, one is taken. |"]
)
def test_a_bad_sentence_in_a_cell_is_found(table):
    assert sum(len(too_long(cell)) + len(begins_with_of(cell)) for cell in cells(table)) == 1


def test_the_readme_is_short():
    text = COMMENT.sub("", README.read_text(encoding="utf-8"))
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
    assert len(begins_with_of(text)) == 2
