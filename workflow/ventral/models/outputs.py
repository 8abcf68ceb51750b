"""Which tensor stands for what a module gives, and how the tokens in it lie, as families and torch document them."""

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn

from ventral.models.families import ModelFamily, Tokens
from ventral.models.registry import FAMILIES, family_of

RECURRENT = (nn.RNN, nn.LSTM, nn.GRU)


def families_of_network(spec: dict) -> Sequence[ModelFamily]:
    """Return the families that may know a model's network: its own, and all of a user's function."""
    family = family_of(spec["architecture"])
    return list(FAMILIES.values()) if family.brings_weights else [family]


def tokens_of(network: nn.Module, families: Sequence[ModelFamily]) -> Tokens | None:
    """Return how the tokens of a network lie, None where no family knows."""
    known = (family.tokens(network) for family in families)
    return next((tokens for tokens in known if tokens is not None), None)


def output_by(families: Sequence[ModelFamily]) -> Callable[[nn.Module, Any], Any]:
    """Return a function that gives what stands for a module's output, of the module and its output.

    The first family that has something else than the output itself is believed; then torch's own modules are known.
    """

    def output_of(module: nn.Module, output: Any) -> Any:
        for family in families:
            found = family.output(module, output)
            if found is not output:
                return found
        return torch_output(module, output)

    return output_of


def torch_output(module: nn.Module, output: Any) -> Any:
    """Return the features (n, ...) in what a module of torch gives, and the output of other modules as it is.

    Attention gives them with the weights, recurrent modules with their last state. All of them and layers of
    transformers have the sequence first unless they are told `batch_first`.
    """
    if isinstance(module, (nn.MultiheadAttention, *RECURRENT)):
        return _stimuli_first(output[0], module.batch_first)
    if isinstance(module, nn.TransformerEncoderLayer | nn.TransformerDecoderLayer):
        return _stimuli_first(output, module.self_attn.batch_first)
    if isinstance(module, nn.TransformerEncoder | nn.TransformerDecoder):
        return torch_output(module.layers[-1], output)
    return output


def _stimuli_first(features: Any, batch_first: bool) -> Any:
    """Return features (tokens, n, width) as (n, tokens, width), and whatever is no such tensor as it is."""
    if batch_first or not isinstance(features, Tensor) or features.ndim != 3:
        return features
    return features.transpose(0, 1)
