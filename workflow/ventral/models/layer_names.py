"""Names of layers: a module, and after ``@`` which of its runs, and which of its tokens."""

import re
from dataclasses import dataclass

from ventral.errors import InputError

MARK = "@"
CLASS_TOKEN, MEAN_OF_PATCHES = "cls", "mean"
# In the order in which layers of one output come; without a suffix, all tokens.
TOKENS = ("", CLASS_TOKEN, MEAN_OF_PATCHES)
AUTO = ("auto", *(f"auto{MARK}{tokens}" for tokens in TOKENS if tokens))


@dataclass(frozen=True)
class LayerName:
    """The name of a layer, or a glob for several, in its parts.

    Attributes
    ----------
    module : str
        Name of the module in the network, or a glob.
    step : int, optional
        Which of its runs in a forward pass, from 1; None of a module that runs once, and for all runs.
    tokens : str
        One of `TOKENS`.
    """

    module: str
    step: int | None = None
    tokens: str = ""

    def __str__(self) -> str:
        """Return the name as it stands in configs, tables and stores, such as ``blocks.3@2@cls``."""
        suffixes = [str(suffix) for suffix in (self.step, self.tokens) if suffix]
        return MARK.join([self.module, *suffixes])


def parsed(name: str) -> LayerName:
    """Return the parts of a layer's name, or of a glob.

    Raises
    ------
    InputError
        If what follows ``@`` is neither the number of a run nor the name of tokens.
    """
    module, *suffixes = name.split(MARK)
    step = int(suffixes.pop(0)) if suffixes and suffixes[0].isdecimal() else None
    tokens = suffixes.pop(0) if suffixes and suffixes[0] in TOKENS[1:] else ""
    if suffixes or not module or step == 0:
        wrong = f"{MARK}{suffixes[0]}" if suffixes else f"{MARK}0" if step == 0 else name
        raise InputError(
            f"{wrong!r} in {name!r} is no suffix of a layer; right are `@{CLASS_TOKEN}` (the class token), "
            f"`@{MEAN_OF_PATCHES}` (the mean of the patches), `@1`, `@2` and so on (the runs of a module that runs "
            f"several times), or a run and tokens, `@2@{CLASS_TOKEN}`"
        )
    return LayerName(module, step, tokens)


def without_step(name: str) -> str:
    """Return a layer's name without the number of a run: what a config calls all runs."""
    return re.sub(rf"{MARK}\d+(?={MARK}|$)", "", name)
