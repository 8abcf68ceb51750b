"""The error that a user can cause and correct, and the suggestions in its message."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches


class InputError(ValueError):
    """A mistake in a file, a table or a key of the config.

    The message says what is wrong, where (file, key, row), and what would be right. The command line prints the message
    without a traceback.
    """


def allowed_instead(wrong: object, allowed: Iterable[object]) -> str:
    """Return the end of a message about an unknown name: the most similar known name, and all known names."""
    names = [str(name) for name in allowed]
    near = get_close_matches(str(wrong), names, n=1)
    guess = f"did you mean `{near[0]}`? " if near else ""
    return f"{guess}allowed: {', '.join(names) or 'none'}"


def shown(names: Sequence[str], most: int = 10) -> str:
    """Return the first names of a list as text, and the number of the others."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the known names that resemble an unknown one most, or the first known names if none resembles it."""
    names = list(known)
    return ", ".join(get_close_matches(name, names, n=5, cutoff=0.3) or names[:5])


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error means that a GPU or this machine has too little memory."""
    message = str(error).lower()
    # cuBLAS, cuDNN and cuSOLVER report the name of a status.
    known = "out of memory", "can't allocate memory", "status_alloc_failed"
    return isinstance(error, MemoryError) or any(words in message for words in known)
