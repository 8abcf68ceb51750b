"""The model families that a config may name."""

import importlib
import pkgutil
from collections.abc import Mapping
from difflib import get_close_matches

from ventral.errors import InputError
from ventral.models import families
from ventral.models.families import ModelFamily


def declared_families() -> dict[str, ModelFamily]:
    """Return what each module of `ventral.models.families` declares, by the module's name."""
    names = sorted(module.name for module in pkgutil.iter_modules(families.__path__))
    return {name: importlib.import_module(f"{families.__name__}.{name}").FAMILY for name in names}


FAMILIES = declared_families()


def architectures() -> dict[str, Mapping]:
    """Return the architectures that families have by name, each with the options that differ from the usual ones."""
    return {name: preset for family in FAMILIES.values() for name, preset in family.architectures.items()}


def family_of(architecture: str, key: str = "architecture") -> ModelFamily:
    """Return the family of an architecture: the one that has its name, or else the first that covers it.

    Parameters
    ----------
    architecture : str
        Its name.
    key : str
        Key of the config, for messages.

    Raises
    ------
    InputError
        If there is none, or the name is almost that of an architecture.
    """
    for family in FAMILIES.values():
        if architecture in family.architectures:
            return family
    known = architectures()
    family = next((family for family in FAMILIES.values() if family.covers(architecture)), None)
    near = get_close_matches(architecture, known, n=1, cutoff=0.85) if family is None or family.check is None else []
    if family is not None and not near:
        return family
    guess = f"did you mean `{near[0]}`? " if near else ""
    covered = [family.covered for family in FAMILIES.values() if family.covered]
    raise InputError(f"{key}: no model is called {architecture!r}; {guess}known: {', '.join([*known, *covered])}")
