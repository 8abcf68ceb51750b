"""Names of layers: a module, and after ``@`` the number of its run, and its tokens."""

import re
from dataclasses import dataclass

from ventral.errors import InputError

MARK = "@"
CLASS_TOKEN, MEAN_OF_PATCHES = "cls", "mean"
# Suffixes, in the order of the layers of one output; the layer without a suffix has all tokens.
TOKENS = ("", CLASS_TOKEN, MEAN_OF_PATCHES)
AUTO = ("auto", *(f"auto{MARK}{tokens}" for tokens in TOKENS if tokens))


@dataclass(frozen=True)
class LayerName:
    """The parts of a layer's name, or of a glob for several layers.

    Attributes
    ----------
    module : str
        Name of the module in the network, or a glob.
    step : int, optional
        Number of the run in a forward pass, from 1; None for all runs, and for a module that runs once.
    tokens : str
        Suffix of the tokens, one of `TOKENS`.
    """

    module: str
    step: int | None = None
    tokens: str = ""

    def __str__(self) -> str:
        """Return the name for configs, tables and stores, such as ``blocks.3@2@cls``."""
        suffixes = [str(suffix) for suffix in (self.step, self.tokens) if suffix]
        return MARK.join([self.module, *suffixes])


def parsed(name: str) -> LayerName:
    """Return the parts of a layer's name, or of a glob.

    Raises
    ------
    InputError
        If the text after ``@`` is neither the number of a run nor a suffix of tokens.
    """
    module, *suffixes = name.split(MARK)
    step = int(suffixes.pop(0)) if suffixes and suffixes[0].isdecimal() else None
    tokens = suffixes.pop(0) if suffixes and suffixes[0] in TOKENS[1:] else ""
    if suffixes or not module or step == 0:
        wrong = f"{MARK}{suffixes[0]}" if suffixes else f"{MARK}0" if step == 0 else name
        raise InputError(
            f"{wrong!r} in {name!r} is no suffix of a layer; right are `@{CLASS_TOKEN}` (the class token), "
            f"`@{MEAN_OF_PATCHES}` (the mean of the patches), and `@1`, `@2` and so on (runs of a module). A run and "
            f"tokens are `@2@{CLASS_TOKEN}`"
        )
    return LayerName(module, step, tokens)


def without_step(name: str) -> str:
    """Return a layer's name without the number of a run, which stands for all runs in a config."""
    return re.sub(rf"{MARK}\d+(?={MARK}|$)", "", name)


def step_of(name: str) -> int | None:
    """Return the number of the run in a layer's name, None for a module that runs once."""
    found = re.search(rf"{MARK}(\d+)(?={MARK}|$)", name)
    return int(found[1]) if found else None
