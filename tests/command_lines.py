"""Command lines of stages, as the rules of the workflow write them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path


def command_line(
    stage: str,
    inputs: Mapping[str, str | Path | Sequence[str | Path]],
    outputs: Mapping[str, str | Path],
    /,
    *more: str,
    **options: object,
) -> list[str]:
    """Return the arguments of a stage: its inputs and outputs by name, anything more, and its options."""
    arguments = [stage]
    for name, paths in inputs.items():
        arguments += ["--input", name, *map(str, [paths] if isinstance(paths, str | Path) else paths)]
    for name, path in outputs.items():
        arguments += ["--output", name, str(path)]
    return [*arguments, *more, "--options", json.dumps(options)]
