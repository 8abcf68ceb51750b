"""The one kind of error that a user can cause and mend, and what its message offers instead."""

from collections.abc import Iterable
from difflib import get_close_matches


class InputError(ValueError):
    """A file, a table or a key of the config is not what it has to be.

    The message names what is wrong, where it stands (file, key, row) and what would be right. The command line prints
    it without a traceback.
    """


def allowed_instead(wrong: object, allowed: Iterable[object]) -> str:
    """Return the end of a message about a name that is not known: the nearest that is, and all that are."""
    names = [str(name) for name in allowed]
    near = get_close_matches(str(wrong), names, n=1)
    guess = f"did you mean `{near[0]}`? " if near else ""
    return f"{guess}allowed: {', '.join(names) or 'none'}"
