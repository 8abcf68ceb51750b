"""Which line of somebody's code an error comes from."""

import sysconfig
from collections.abc import Iterable
from pathlib import Path

STANDARD_LIBRARY, INSTALLED = (Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "purelib"))
# Whose lines say nothing about a mistake in a network.
OF_TORCH = (INSTALLED / "torch", INSTALLED / "torchvision")
HERE = Path(__file__).resolve().parents[1]


def line_of_user_code(lines: Iterable[tuple[str, int]]) -> tuple[Path, int] | None:
    """Return the innermost line of a user's own code, or else of an installed library.

    Parameters
    ----------
    lines : iterable of (str, int)
        File and line of each frame, outermost first.

    Returns
    -------
    (Path, int) or None
        None where all lines are of this package, of Python itself or of torch.
    """
    own = installed = None
    for file, line in lines:
        path = Path(file).resolve()
        # Code that was made of text has no file, but a name in angle brackets.
        if file.startswith("<") or any(folder in path.parents for folder in (HERE, *OF_TORCH)):
            continue
        if INSTALLED in path.parents:
            installed = (path, line)
        elif STANDARD_LIBRARY not in path.parents:
            own = (path, line)
    return own or installed
