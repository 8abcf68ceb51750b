"""Model families: each module of this folder declares one, `FAMILY`, and is found by that.

The modules are read whenever a config is, so that none of them imports torch but within `build`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ventral.stimuli.modality import FIRST


@dataclass(frozen=True)
class Tokens:
    """How tokens lie in the outputs (n, tokens, width) of a network, as its library documents them.

    Attributes
    ----------
    n_patches : int
        Tokens of patches, which are the last ones.
    n_prefix : int
        Tokens before them: the class token, registers, a token for distillation.
    has_class : bool
        Whether the first token is the class token.
    """

    n_patches: int
    n_prefix: int = 1
    has_class: bool = True


@dataclass(frozen=True)
class ModelFamily:
    """What is declared of a family of models, which are built in the same way.

    Attributes
    ----------
    meaning : str
        What its models are, in a line.
    sentence : str
        What the methods say of those that were compared, with `{models}` for their names.
    build : callable, optional
        Returns the network, a `torch.nn.Module`, of a description from `ventral.models.zoo.resolve_model`, with
        pretrained weights where it names them. Weights are drawn from torch's own generator, or with `seed`. None of
        the baseline of a modality, which has no network.
    architectures : dict of dicts
        Its architectures by name, each with the options that differ from `ventral.models.zoo.DEFAULTS` and from
        those of the modality: `weights` (`pretrained`, `random`, or None of what is not trained), what the network is
        shown, and which `layers` are taken.
    covered : str
        What else is of the family than the architectures that it has by name, in words; empty if nothing is.
    covers : callable
        Whether an architecture that no family has by name is of this one.
    defaults : dict
        Options of the architectures that are covered, as those of `architectures`.
    check : callable, optional
        Refuses what is wrong with the name of an architecture, without loading anything; of the architecture and the
        key of the config.
    recorded : callable, optional
        Returns those options of `RECORDED` that its library has on record for a model, of the description; it may ask
        the library, and read files of the model. None where `architectures` and `defaults` have them.
    weights : callable, optional
        Returns `ventral.models.hub.Weights` of a description: pretrained weights that are files of a repository, or of
        a folder that a user names under `weights`. Nobody but the user knows what these were trained on.
    tokens : callable
        Returns `Tokens` of a network, and None of one that has no tokens or whose tokens the library does not document.
        Modules within a network, and the networks of users' functions, are shown to it, so that it must bear a module
        of any library.
    output : callable
        Returns what stands for the output of a module, of the module and its output: the tensor that the library
        documents, of a tuple, dictionary or dataclass; with the stimuli as the first axis, of a module that has the
        sequence first; else the output as it is. torch's own modules are known (`ventral.models.outputs`). As `tokens`,
        it must bear modules of any library.
    modality : str
        What the networks are shown, as `ventral.stimuli.modality.MODALITIES` has it; a user's own say it themselves.
    is_trained : bool
        Whether its models are trained for a task, here or elsewhere.
    brings_weights : bool
        Whether a network comes with weights of which nothing is known.
    without_effect : dict of str
        Options that change nothing, each with the reason; `{architecture}` stands for the name.
    references : dict of str
        The works, by how the methods cite them.
    """

    meaning: str
    sentence: str
    build: Callable[[dict], Any] | None = None
    architectures: Mapping[str, Mapping] = field(default_factory=dict)
    covered: str = ""
    covers: Callable[[str], bool] = lambda _architecture: False
    defaults: Mapping = field(default_factory=dict)
    check: Callable[[str, str], None] | None = None
    recorded: Callable[[dict], dict] | None = None
    weights: Callable[[dict], Any] | None = None
    tokens: Callable[[Any], Tokens | None] = lambda _network: None
    output: Callable[[Any, Any], Any] = lambda _module, output: output
    modality: str = FIRST
    is_trained: bool = True
    brings_weights: bool = False
    without_effect: Mapping[str, str] = field(default_factory=dict)
    references: Mapping[str, str] = field(default_factory=dict)


# What libraries have on record of how images are shown to a network.
RECORDED = ("size", "interpolation", "mean", "std")
# What models of fixed form are shown: luminance is in 0 to 1.
FIXED_FORM = {"weights": None, "size": 128, "mean": [0.0] * 3, "std": [1.0] * 3}
