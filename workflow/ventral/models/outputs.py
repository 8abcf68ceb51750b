"""The features in the outputs of modules, and the tokens in them, as families and torch document them."""

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
    """Return the `Tokens` of a network, or of the outermost module in it that a family knows; else None."""
    known = (family.tokens(module) for module in network.modules() for family in families)
    return next((tokens for tokens in known if tokens is not None), None)


def output_by(families: Sequence[ModelFamily]) -> Callable[[nn.Module, Any], Any]:
    """Return a function that returns a module's features, given the module and its output.

    The first family that returns something else than the output itself decides. Else `torch_output` decides.
    """

    def output_of(module: nn.Module, output: Any) -> Any:
        for family in families:
            found = family.output(module, output)
            if found is not output:
                return found
        return torch_output(module, output)

    return output_of


def has_tokens(output: Tensor, tokens: Tokens | None) -> bool:
    """Tell whether the output (n, ...) of a module has all tokens of a network, prefix and patches, with features.

    Embeddings of the patches alone, attention by heads, and maps do not have them.
    """
    return (
        tokens is not None
        and isinstance(output, Tensor)
        and output.ndim == 3
        and output.shape[1] == tokens.n_prefix + tokens.n_patches
        and output.is_floating_point()
    )


def tokens_in(tokens: Tokens) -> list[str]:
    """Return the suffixes from `ventral.models.layer_names` of the tokens that a layer has."""
    return [CLASS_TOKEN, MEAN_OF_PATCHES] if tokens.has_class else [MEAN_OF_PATCHES]


def features_of(
    module: nn.Module, output: Any, which: str, tokens: Tokens | None, output_of: Callable[[nn.Module, Any], Any]
) -> Any:
    """Return the features in the output of a module: all tokens (n, tokens, width), or one token or mean (n, width).

    Parameters
    ----------
    module : nn.Module
        Module of a network.
    output
        Output of the module.
    which : str
        Chosen tokens, one of `ventral.models.layer_names.TOKENS`. An output without tokens is returned whole.
    tokens : Tokens, optional
        Places of the tokens.
    output_of : function of a module and its output
        From `output_by`.
    """
    features = output_of(module, output)
    if not which or not has_tokens(features, tokens):
        return features
    return features[:, 0] if which == CLASS_TOKEN else features[:, tokens.n_prefix :].mean(dim=1)


def torch_output(module: nn.Module, output: Any) -> Any:
    """Return the features (n, ...) in the output of a module of torch, and the output of other modules unchanged.

    Attention returns features with the weights, and recurrent modules return them with the last state. All of these
    modules, and layers of transformers, have the sequence first unless they have `batch_first`.
    """
    if isinstance(module, (nn.MultiheadAttention, *RECURRENT)):
        return _stimuli_first(output[0], module.batch_first)
    if isinstance(module, nn.TransformerEncoderLayer | nn.TransformerDecoderLayer):
        return _stimuli_first(output, module.self_attn.batch_first)
    if isinstance(module, nn.TransformerEncoder | nn.TransformerDecoder):
        return torch_output(module.layers[-1], output)
    return output


def _stimuli_first(features: Any, batch_first: bool) -> Any:
    """Return features (tokens, n, width) as (n, tokens, width), and anything else unchanged."""
    if batch_first or not isinstance(features, Tensor) or features.ndim != 3:
        return features
    return features.transpose(0, 1)
