"""Config files as they are written: what YAML itself passes over in silence, named with file and line."""

import json
from collections.abc import Iterable
from pathlib import Path

import yaml

from ventral.configuration.schema import brief
from ventral.errors import InputError

TAG = "tag:yaml.org,2002:"
# What YAML 1.1 may take a name for, and cannot give back as it was written.
NOT_NAMES = {"bool": "true or false", "null": "nothing", "float": "a number", "timestamp": "a date"}


def check_files(paths: Iterable[str | Path]) -> None:
    """Check what is lost once config files are read.

    Parameters
    ----------
    paths : iterable of paths
        YAML or JSON. Nothing is checked of a pipe, which is read only once, nor of a file that is not there.

    Raises
    ------
    InputError
        If a key stands twice in one place; if YAML takes a name for another type, or an integer for another number
        than it looks like (`010` is 8); if a file is empty, has no names at its top, is not in UTF-8, or is neither
        YAML nor JSON.
    """
    for path in map(Path, paths):
        if path.is_file():
            _check_file(path)


def _check_file(path: Path) -> None:
    root = _composed(path, _text(path))
    if root is None:
        raise InputError(f"{path}: nothing is in it; a config has at least `models`")
    if not isinstance(root, yaml.MappingNode):
        raise InputError(f"{path}: its top is no mapping; a config has names such as `models:` there")
    _check_node(root, path, set())


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: the config file cannot be read: {error.strerror}") from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        in_utf16 = content.startswith((b"\xff\xfe", b"\xfe\xff"))
        line = content[: error.start].count(b"\n") + 1
        problem = "it is in UTF-16" if in_utf16 else f"the byte {content[error.start]:#x} is not UTF-8 (Latin-1?)"
        raise InputError(f"{path}, line {line}: {problem}; save the file as UTF-8") from error


def _composed(path: Path, text: str) -> yaml.Node | None:
    try:
        json.loads(text)
        # YAML reads JSON, but for tabs, which JSON has only between its words.
        text = text.replace("\t", " ")
    except (ValueError, RecursionError):
        pass
    try:
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise InputError(f"{path}{line}: neither YAML nor JSON: {error.problem}") from error
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        raise InputError(f"{path}, line {line}: a config has no character {chr(error.character)!r}") from error
    except RecursionError:
        raise InputError(f"{path}: nested too deeply") from None


def _check_node(node: yaml.Node, path: Path, checked: set[int]) -> None:
    # What an alias stands for is checked where it is defined, and may contain itself.
    if id(node) in checked:
        return
    checked.add(id(node))
    if not node.tag.startswith(TAG):
        raise InputError(f"{path}, line {node.start_mark.line + 1}: YAML has no type {node.tag!r}; take the tag out")
    if isinstance(node, yaml.ScalarNode):
        _check_integer(node, path)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _check_node(item, path, checked)
    else:
        _check_names([name for name, _ in node.value], path)
        for _, content in node.value:
            _check_node(content, path, checked)


def _check_names(names: list[yaml.Node], path: Path) -> None:
    lines = {}
    for name in names:
        line = name.start_mark.line + 1
        if not isinstance(name, yaml.ScalarNode):
            raise InputError(f"{path}, line {line}: a key is a name, not a list or a mapping")
        _check_integer(name, path)
        kind = name.tag.removeprefix(TAG)
        if kind in NOT_NAMES and not (kind == "timestamp" and len(name.value) == len("2020-01-01")):
            raise InputError(
                f"{path}, line {line}: YAML takes the name `{name.value}` for {NOT_NAMES[kind]}; put it in quotes"
            )
        if name.value in lines:
            raise InputError(
                f"{path}, line {line}: the key {brief(name.value)} stands in line {lines[name.value]} already, and "
                f"would replace it; keep one"
            )
        lines[name.value] = line


def _check_integer(node: yaml.ScalarNode, path: Path) -> None:
    """Refuse integers that look like another one, or like text: octal, hexadecimal, in minutes and seconds."""
    if node.tag != f"{TAG}int" or node.style:
        return
    try:
        value = yaml.SafeLoader("").construct_yaml_int(node)
        plain = str(value)
    except ValueError:
        value, plain = "too many digits", ""
    if plain != node.value:
        raise InputError(
            f"{path}, line {node.start_mark.line + 1}: YAML takes {brief(node.value)} for {value}; write the number in "
            f"decimals, without a sign or zeros before it, or text in quotes"
        )
