"""Which tensor stands for what a module gives, and how the tokens in it lie, as families and torch document them."""

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn

from ventral.models.families import ModelFamily, Tokens
from ventral.models.layer_names import CLASS_TOKEN, MEAN_OF_PATCHES
from ventral.models.registry import FAMILIES, family_of

RECURRENT = (nn.RNN, nn.LSTM, nn.GRU)


def families_of_network(spec: dict) -> Sequence[ModelFamily]:
    """Return the families that may know a model's network: its own, and all of a user's function."""
    family = family_of(spec["architecture"])
    return list(FAMILIES.values()) if family.brings_weights else [family]


def tokens_of(network: nn.Module, families: Sequence[ModelFamily]) -> Tokens | None:
    """Return how the tokens of a network lie, or those of the outermost module in it that a family knows, else None."""
    known = (family.tokens(module) for module in network.modules() for family in families)
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


def has_tokens(output: Tensor, tokens: Tokens | None) -> bool:
    """Say whether the output (n, ...) of a module has all tokens of a network, prefix and patches, each with features.

    An embedding of the patches alone, attention by heads and maps have not.
    """
    return (
        tokens is not None
        and isinstance(output, Tensor)
        and output.ndim == 3
        and output.shape[1] == tokens.n_prefix + tokens.n_patches
        and output.is_floating_point()
    )


def tokens_in(tokens: Tokens) -> list[str]:
    """Return which of the tokens of a layer can be taken, by the names that `ventral.models.layer_names` has."""
    return [CLASS_TOKEN, MEAN_OF_PATCHES] if tokens.has_class else [MEAN_OF_PATCHES]


def features_of(
    module: nn.Module, output: Any, which: str, tokens: Tokens | None, output_of: Callable[[nn.Module, Any], Any]
) -> Any:
    """Return the features in the output of a module: all tokens (n, tokens, width), or some (n, width).

    Parameters
    ----------
    module : nn.Module
        The module.
    output
        What it gave.
    which : str
        One of `ventral.models.layer_names.TOKENS`. An output without tokens is returned whole.
    tokens : Tokens, optional
        How they lie.
    output_of : function of a module and its output
        From `output_by`.
    """
    features = output_of(module, output)
    if not which or not has_tokens(features, tokens):
        return features
    return features[:, 0] if which == CLASS_TOKEN else features[:, tokens.n_prefix :].mean(dim=1)


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
