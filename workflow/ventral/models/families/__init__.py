"""Model families: each module of this folder declares one as `FAMILY`, by which it is found.

Every reading of a config imports these modules, so they import torch only within `build`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ventral.stimuli.modality import FIRST


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
    modality : str
        Modality of the stimuli, from `ventral.stimuli.modality.MODALITIES`. A user's own network states its modality.
    is_trained : bool
        True if its models are trained for a task, in this workflow or elsewhere.
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
    modality: str = FIRST
    is_trained: bool = True
    brings_weights: bool = False
    without_effect: Mapping[str, str] = field(default_factory=dict)
    references: Mapping[str, str] = field(default_factory=dict)


# Preprocessing for models of fixed form, whose luminance is in 0 to 1.
FIXED_FORM = {"weights": None, "size": 128, "mean": [0.0] * 3, "std": [1.0] * 3}
