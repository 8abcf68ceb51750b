"""The one kind of error that a user can cause and mend, and what its message offers instead."""

from collections.abc import Iterable, Sequence
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


def shown(names: Sequence[str], most: int = 10) -> str:
    """Return the first names of a list as text, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the names that are most like one that is not known, or the first that are where none is."""
    names = list(known)
    return ", ".join(get_close_matches(name, names, n=5, cutoff=0.3) or names[:5])


def is_out_of_memory(error: BaseException) -> bool:
    """Say whether an error means that memory, of a GPU or of this machine, does not suffice."""
    message = str(error).lower()
    # cuBLAS, cuDNN and cuSOLVER say it by the name of a status.
    known = "out of memory", "can't allocate memory", "status_alloc_failed"
    return isinstance(error, MemoryError) or any(words in message for words in known)
