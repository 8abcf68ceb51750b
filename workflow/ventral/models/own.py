"""A user's own function that returns a network: finding it without running code, importing and calling it."""

import importlib
import importlib.machinery
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ventral.errors import InputError, nearest
from ventral.models.places import line_of_user_code
from ventral.provenance import package_of_a_network


def check_own(architecture: str, key: str) -> None:
    """Check `package.module:function` without running any of its code.

    Parameters
    ----------
    architecture : str
        Value in the config.
    key : str
        Config key, for messages.

    Raises
    ------
    InputError
        If the value does not have this form, or the module is missing. Also if the source of the module, or of a
        package around it, is not valid Python.
    """
    module, _, function = architecture.partition(":")
    is_path = "/" in module or module.endswith(".py")
    if is_path or not all(part.isidentifier() for part in [*module.split("."), function]):
        instead = f"; put its folder on PYTHONPATH, and name it `{Path(module).stem}:make`" if is_path else ""
        raise InputError(
            f"{key}: {architecture!r} is not of the form package.module:function, such as mylab.networks:make{instead}"
        )
    for spec in _specs(module, architecture, key):
        source = spec.origin or ""
        if source.endswith(".py"):
            with _told(f"{key}: {source} cannot be read as Python"):
                compile(Path(source).read_bytes(), source, "exec", dont_inherit=True)


def import_own(architecture: str, key: str) -> Callable:
    """Import a user's module, and return the function that the config names.

    Raises
    ------
    InputError
        If the user's code raises any exception except an interruption from the keyboard; the message has file and line.
        Also if the function is missing, or needs arguments.
    """
    module, _, name = architecture.partition(":")
    with _told(f"{key}: importing {module} failed"):
        imported = importlib.import_module(module)
    package_of_a_network(module.partition(".")[0])
    if not hasattr(imported, name):
        known = [other for other, value in vars(imported).items() if callable(value) and not other.startswith("_")]
        raise InputError(
            f"{key}: the module {module} has no {name!r}; the nearest in {getattr(imported, '__file__', module)}: "
            f"{nearest(name, known) or 'none'}"
        )
    function = getattr(imported, name)
    if not callable(function) or (hasattr(function, "named_modules") and not isinstance(function, type)):
        raise InputError(
            f"{key}: {architecture} is an object of type {type(function).__name__}; name a function without arguments "
            f"that returns a torch.nn.Module"
        )
    _refuse_arguments(function, architecture, key)
    return function


def call_own(function: Callable, architecture: str, key: str) -> object:
    """Call a user's function, and return its result.

    Raises
    ------
    InputError
        If the function raises an exception, as for `import_own`.
    """
    with _told(f"{key}: {architecture}() failed"):
        return function()


def _specs(module: str, architecture: str, key: str) -> Iterator[importlib.machinery.ModuleSpec]:
    """Yield the spec of each package around a module, and of the module, without importing them."""
    parts, search = module.split("."), None
    for end in range(1, len(parts) + 1):
        name = ".".join(parts[:end])
        with _told(f"{key}: looking for the module {module} of {architecture} failed"):
            # An imported package may find its modules elsewhere, which is known only after the import.
            spec = _find_spec(name, search) or (importlib.util.find_spec(name) if end > 1 else None)
        if spec is None:
            raise InputError(
                f"{key}: the module {module} of {architecture} cannot be imported: no module is called {name}; install "
                f"it, or put its folder on PYTHONPATH"
            )
        yield spec
        search = spec.submodule_search_locations
        if search is None and end < len(parts):
            raise InputError(
                f"{key}: the module {module} of {architecture} cannot be imported: {name} ({spec.origin}) is a module, "
                f"not a package"
            )


def _find_spec(name: str, search: Sequence[str] | None) -> importlib.machinery.ModuleSpec | None:
    loaded = getattr(sys.modules.get(name), "__spec__", None)
    # `importlib.util.find_spec` would import, and so run, the packages around a module.
    return loaded or next(filter(None, (finder.find_spec(name, search) for finder in sys.meta_path)), None)


def _refuse_arguments(function: Callable, architecture: str, key: str) -> None:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return
    any_number = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    needed = [
        name
        for name, parameter in signature.parameters.items()
        if parameter.default is parameter.empty and parameter.kind not in any_number
    ]
    if needed:
        raise InputError(
            f"{key}: {architecture} needs the arguments {', '.join(needed)}; name a function that needs none, such as "
            f"`def make(): return {architecture.rpartition(':')[2]}(...)`"
        )


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Turn any exception of a user's code into an error of the config, with the place in that code."""
    try:
        yield
    except (KeyboardInterrupt, InputError):
        raise
    except BaseException as error:
        said = str(error).strip() if not isinstance(error, SyntaxError) else error.msg
        raise InputError(f"{what}: {type(error).__name__}{f': {said}' if said else ''}{_place(error)}") from error


def _place(error: BaseException) -> str:
    if isinstance(error, SyntaxError) and error.filename:
        return f" ({error.filename}, line {error.lineno})"
    at = line_of_user_code((frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__))
    return f" ({at[0]}, line {at[1]})" if at else ""
