"""The model families that a config may name."""

import importlib
import pkgutil
from collections.abc import Mapping
from difflib import get_close_matches

from ventral.errors import InputError
from ventral.models import families
from ventral.models.families import ModelFamily
from ventral.stimuli.modality import MODALITIES, Modality

# Options of networks that do not apply to the stimuli themselves as a model.
OF_NETWORKS = ("sha256", "seed", "layers", "max_layers", "trained_on")


def declared_families() -> dict[str, ModelFamily]:
    """Return the family that each module of `ventral.models.families` declares, by the module's name."""
    names = sorted(module.name for module in pkgutil.iter_modules(families.__path__))
    modules = {name: importlib.import_module(f"{families.__name__}.{name}") for name in names}
    if undeclared := [module.__file__ for module in modules.values() if not hasattr(module, "FAMILY")]:
        raise InputError(f"{undeclared[0]}: declares no FAMILY; code that a family only imports lives in models/")
    return {name: module.FAMILY for name, module in modules.items()}


FAMILIES = declared_families()


def model_families() -> dict[str, ModelFamily]:
    """Return all model families by name: `FAMILIES`, and the baseline of each modality."""
    return FAMILIES | {modality.baseline.name: _family_of_baseline(modality) for modality in MODALITIES.values()}


def _family_of_baseline(modality: Modality) -> ModelFamily:
    baseline = modality.baseline
    unused = (*OF_NETWORKS, *(option for option in modality.model_options if option not in baseline.uses))
    return ModelFamily(
        meaning=f"The {modality.name} themselves.",
        sentence=baseline.sentence,
        references=baseline.references,
        architectures={baseline.name: {"weights": None, **baseline.options, "layers": [baseline.name]}},
        modality=modality.name,
        is_trained=False,
        without_effect=dict.fromkeys(unused, f"on `{baseline.name}`, {baseline.taken}"),
    )


def architectures() -> dict[str, Mapping]:
    """Return the architectures that families list by name, each with the options that differ from the defaults."""
    return {name: preset for family in model_families().values() for name, preset in family.architectures.items()}


def family_of(architecture: str, key: str = "architecture") -> ModelFamily:
    """Return the family of an architecture: the one that lists its name, or else the first that covers it.

    Parameters
    ----------
    architecture : str
        Name of the architecture.
    key : str
        Config key, for messages.

    Raises
    ------
    InputError
        If there is no such family, or the name is almost that of an architecture.
    """
    declared = model_families().values()
    for family in declared:
        if architecture in family.architectures:
            return family
    known = architectures()
    family = next((family for family in declared if family.covers(architecture)), None)
    near = get_close_matches(architecture, known, n=1, cutoff=0.85) if family is None or family.check is None else []
    if family is not None and not near:
        return family
    guess = f"did you mean `{near[0]}`? " if near else ""
    covered = [family.covered for family in declared if family.covered]
    raise InputError(f"{key}: no model is called {architecture!r}; {guess}known: {', '.join([*known, *covered])}")
