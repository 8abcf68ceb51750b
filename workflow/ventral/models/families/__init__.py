"""Model families: each module of this folder declares one as `FAMILY`, by which it is found.

Every reading of a config imports these modules, so they import torch only within `build`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ventral.stimuli.modality import FIRST


@dataclass(frozen=True)
class Tokens:
    """Places of the tokens in the outputs (n, tokens, width) of a network, as its library documents them.

    Attributes
    ----------
    n_patches : int
        Number of tokens of patches, which are the last ones.
    n_prefix : int
        Number of tokens before these: the class token, registers, a token for distillation.
    has_class : bool
        True if the first token is the class token.
    """

    n_patches: int
    n_prefix: int = 1
    has_class: bool = True


@dataclass(frozen=True)
class ModelFamily:
    """The declaration of a family of models that are built in the same way.

    Attributes
    ----------
    meaning : str
        Description of the models in one line.
    sentence : str
        Sentence for the methods about the models that were compared, with `{models}` for their names.
    build : callable, optional
        Returns the network, a `torch.nn.Module`, given a description from `ventral.models.zoo.resolve_model`. It has
        pretrained weights if the description names them. Random weights come from torch's generator, or from `seed`.
        None for the baseline of a modality, which has no network.
    architectures : dict of dicts
        Options of each architecture that differ from `ventral.models.zoo.DEFAULTS` and from those of the modality, by
        name. They are `weights` (`pretrained`, `random`, or None for models without training), the preprocessing of
        stimuli, and the chosen `layers`.
    covered : str
        Further architectures of the family, in words; empty if there are none.
    covers : callable
        Returns whether an architecture that no family lists by name belongs to this one.
    defaults : dict
        Options of such further architectures, as in `architectures`.
    check : callable, optional
        Refuses wrong names of architectures without loading anything, given the architecture and its config key.
    check_weights : callable
        Refuses weights that are not there, without loading any, given the description and its config key.
    recorded : callable, optional
        Returns the options of `RECORDED` that the library has on record for a model, given its description. The
        function may ask the library, and read files of the model. None if `architectures` and `defaults` have them.
    weights : callable, optional
        Returns `ventral.models.hub.Weights`, given a description. These are pretrained weights in files of a
        repository, or of a folder that a user names under `weights`. Their training is known only to the user.
    tokens : callable
        Returns the `Tokens` of a network; None if it has no tokens, or the library does not document them. Modules
        within a network and networks of users' functions are also passed, so it must accept a module of any library.
    output : callable
        Returns the tensor that the library documents as a module's features, given the module and its output. The
        output may be a tuple, dictionary or dataclass. The first axis of the tensor is the stimuli, also for modules
        with the sequence first. Other outputs are returned unchanged. `ventral.models.outputs` knows torch's own
        modules. Like `tokens`, the function must accept modules of any library.
    modality : str
        Modality of the stimuli, from `ventral.stimuli.modality.MODALITIES`. A user's own network states its modality.
    is_trained : bool
        True if its models are trained for a task, in this workflow or elsewhere.
    has_gradients : bool
        True if features have gradients with respect to the stimuli.
    brings_weights : bool
        True if a network comes with weights of unknown origin.
    without_effect : dict of str
        Reasons why options have no effect, by option; `{architecture}` stands for the name.
    references : dict of str
        References, by their citations in the methods.
    """

    meaning: str
    sentence: str
    build: Callable[[dict], Any] | None = None
    architectures: Mapping[str, Mapping] = field(default_factory=dict)
    covered: str = ""
    covers: Callable[[str], bool] = lambda _architecture: False
    defaults: Mapping = field(default_factory=dict)
    check: Callable[[str, str], None] | None = None
    check_weights: Callable[[dict, str], None] = lambda _spec, _key: None
    recorded: Callable[[dict], dict] | None = None
    weights: Callable[[dict], Any] | None = None
    tokens: Callable[[Any], Tokens | None] = lambda _network: None
    output: Callable[[Any, Any], Any] = lambda _module, output: output
    modality: str = FIRST
    is_trained: bool = True
    has_gradients: bool = True
    brings_weights: bool = False
    without_effect: Mapping[str, str] = field(default_factory=dict)
    references: Mapping[str, str] = field(default_factory=dict)


# Options of the preprocessing of images that libraries have on record.
RECORDED = ("size", "interpolation", "mean", "std")
# Preprocessing for models of fixed form, whose luminance is in 0 to 1.
FIXED_FORM = {"weights": None, "size": 128, "mean": [0.0] * 3, "std": [1.0] * 3}
