"""The line of a user's code from which an error comes."""

import sysconfig
from collections.abc import Iterable
from pathlib import Path

STANDARD_LIBRARY, INSTALLED = (Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "purelib"))
# Lines in these folders do not help to find a mistake in a network.
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
        None if all lines belong to this package, to Python itself or to torch.
    """
    own = installed = None
    for file, line in lines:
        path = Path(file).resolve()
        # Code that was compiled from text has a name in angle brackets instead of a file.
        if file.startswith("<") or any(folder in path.parents for folder in (HERE, *OF_TORCH)):
            continue
        if INSTALLED in path.parents:
            installed = (path, line)
        elif STANDARD_LIBRARY not in path.parents:
            own = (path, line)
    return own or installed
