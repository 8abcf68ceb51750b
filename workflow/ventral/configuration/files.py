"""Check the text of config files for mistakes that YAML accepts silently, and name their file and line."""

import json
from collections.abc import Iterable
from pathlib import Path

import yaml

from ventral.configuration.schema import brief
from ventral.errors import InputError

TAG = "tag:yaml.org,2002:"
# Types that YAML 1.1 may give to a name, which lose its spelling.
NOT_NAMES = {"bool": "true or false", "null": "nothing", "float": "a number", "timestamp": "a date"}


def check_files(paths: Iterable[str | Path]) -> None:
    """Check config files for mistakes that are lost once the files are read.

    Parameters
    ----------
    paths : iterable of paths
        YAML or JSON. Pipes, which can be read only once, and missing files are not checked.

    Raises
    ------
    InputError
        If a key occurs twice in one mapping. If YAML gives a name another type, or reads an integer as another number
        than it looks like (`010` is 8). If a file is empty, has no names at its top, is not UTF-8, or is neither YAML
        nor JSON.
    """
    for path in map(Path, paths):
        if path.is_file():
            _check_file(path)


def _check_file(path: Path) -> None:
    root = _composed(path, _text(path))
    if root is None:
        raise InputError(f"{path}: the file is empty; a config has at least `models`")
    if not isinstance(root, yaml.MappingNode):
        raise InputError(f"{path}: the top level is not a mapping; a config has names such as `models:` there")
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
        # YAML reads JSON except for tabs, which JSON allows between its tokens only.
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
        raise InputError(
            f"{path}, line {line}: the character {chr(error.character)!r} is not allowed in a config; remove it"
        ) from error
    except RecursionError:
        raise InputError(f"{path}: nested too deeply") from None


def _check_node(node: yaml.Node, path: Path, checked: set[int]) -> None:
    # The value of an alias is checked at its definition, and may contain itself.
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
                f"{path}, line {line}: the key {brief(name.value)} is in line {lines[name.value]} already, and would "
                f"replace it; keep one"
            )
        lines[name.value] = line


def _check_integer(node: yaml.ScalarNode, path: Path) -> None:
    """Refuse integers that YAML reads as other numbers than they look like: octal, hexadecimal, sexagesimal."""
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
