"""Sentences of texts: of pages of Markdown, and of the docstrings, comments and messages of code."""

import ast
import inspect
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

LONGEST_SENTENCE = 25

FENCED = re.compile(r"^( *)(```+|:::+).*?^\1\2 *$\n?", re.MULTILINE | re.DOTALL)
MARKUP_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
IMAGE = re.compile(r"!\[[^\]]*\]\([^)]*\)")
LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
CODE = re.compile(r"`[^`]+`")
ITEM = re.compile(r"^ *(?:[-*]|\d+\.) ")
# No prose: headings, rows of tables, quotations, and lines indented as code.
NO_PROSE = re.compile(r"^(?:#|\||>|    )")
# Full stops that end no sentence.
ABBREVIATION = re.compile(r"\b(et al|e\.g|i\.e|vs|Fig|Sci|Nat|J)\.")
END = re.compile(r"(?<=[.!?])[)\"*”]*\s+")

# Sections of numpydoc whose text is prose; the lines of all others name a thing, and its indented description follows.
SECTION = re.compile(r"^(\w[\w ]*)\n-{3,}\n", re.MULTILINE)
PROSE_SECTIONS, CODE_SECTIONS = {"Notes", "See Also", "Warnings"}, {"Examples", "References"}
# A table of reStructuredText, between its first and last rule.
TABLE = re.compile(r"^=+(?: +=+)+$.*^=+(?: +=+)+$", re.MULTILINE | re.DOTALL)
# Comments that speak to a tool.
DIRECTIVE = re.compile(r"noqa|type:|fmt:|ruff:|pragma|!")
MESSAGES = {"InputError", "Refused", "damaged"}
LEVELS = {"debug", "info", "warning", "error", "exception"}
# "place: wrong; right" is three sentences.
END_IN_MESSAGE = re.compile(r"(?<=[.!?:;])\s+")


class Text(NamedTuple):
    """A sentence of a source file: where it stands, its kind, and its words."""

    line: int
    kind: str
    sentence: str


def sentences(text: str) -> Iterator[str]:
    """Give the sentences of a page's paragraphs and list items; inline code is one word."""
    text = MARKUP_COMMENT.sub("", FENCED.sub("\n", text))
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


def is_too_long(sentence: str) -> bool:
    return len(words(sentence)) > LONGEST_SENTENCE


def begins_with_of(sentence: str) -> bool:
    return re.match(r"\W*Of\b", sentence) is not None


def offences(file: Path) -> Iterator[Text]:
    """Yield the sentences of a source file that break a rule."""
    for text in texts(file.read_text(encoding="utf-8"), is_python=file.suffix == ".py"):
        asks = text.kind == "summary" and re.match(r"(What|How|Whether)\b", text.sentence)
        if asks or is_too_long(text.sentence) or begins_with_of(text.sentence):
            yield text


def texts(source: str, *, is_python: bool = True) -> Iterator[Text]:
    """Yield the sentences of a source; one of Snakemake has comments and docstrings, its messages are not found."""
    yield from _of_comments(source)
    if is_python:
        tree = ast.parse(source)
        yield from _of_docstrings(tree)
        yield from _of_messages(tree)
    else:
        tokens = tokenize.generate_tokens(io.StringIO(source).readline)
        for token in tokens:
            if token.type == tokenize.STRING and token.string.startswith('"""'):
                yield from _of_docstring(token.start[0], "summary", inspect.cleandoc(ast.literal_eval(token.string)))


def _of_comments(source: str) -> Iterator[Text]:
    block: list[str] = []
    first = last = (0, 0)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT or DIRECTIVE.match(token.string.lstrip("#").strip()):
            continue
        line, column = token.start
        if block and (line, column) != (last[0] + 1, last[1]):
            yield from (Text(first[0], "comment", sentence) for sentence in sentences("\n".join(block)))
            block = []
        first = first if block else token.start
        last = token.start
        block.append(token.string.lstrip("#").strip())
    yield from (Text(first[0], "comment", sentence) for sentence in sentences("\n".join(block)))


def _of_docstrings(tree: ast.Module) -> Iterator[Text]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            if text:
                kind = "module" if isinstance(node, ast.Module) else "summary"
                yield from _of_docstring(node.body[0].lineno, kind, text)


def _of_docstring(line: int, kind: str, text: str) -> Iterator[Text]:
    before, *sections = SECTION.split(TABLE.sub("", text))
    found = list(sentences(before))
    for title, body in zip(sections[::2], sections[1::2], strict=True):
        if title in PROSE_SECTIONS:
            found += sentences(body)
        elif title not in CODE_SECTIONS:
            described = [inspect.cleandoc(f"\n{part}") for part in re.split(r"^\S.*$", body, flags=re.MULTILINE)]
            found += [sentence for part in described for sentence in sentences(part)]
    for number, sentence in enumerate(found):
        yield Text(line, "docstring" if number else kind, sentence)


def _of_messages(tree: ast.Module) -> Iterator[Text]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _is_message(node.func):
            for argument in node.args:
                plain = CODE.sub("Code", ABBREVIATION.sub(r"\1", _literal(argument)))
                yield from (Text(node.lineno, "message", part) for part in END_IN_MESSAGE.split(plain) if part)


def _is_message(function: ast.expr) -> bool:
    if isinstance(function, ast.Attribute):
        return function.attr in LEVELS and isinstance(function.value, ast.Name) and "log" in function.value.id
    return isinstance(function, ast.Name) and function.id in MESSAGES


def _literal(node: ast.expr) -> str:
    """Return the text of a literal, each placeholder one word; nothing of any other expression."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(_literal(part) if isinstance(part, ast.Constant) else "X" for part in parts)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _literal(left) + _literal(right)
    return ""
