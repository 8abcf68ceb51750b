"""Permuted weights, a control for trained networks."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import nn


def permute_weights(network: "nn.Module", seed: int) -> None:
    """Shuffle the values within each parameter tensor of a network, in place, and keep its buffers.

    The values of every tensor stay the same, and their arrangement is lost (Tuckute et al. 2023, PLoS Biology
    21:e3002366). The published control also shuffles running means and variances of batch normalisation, which are
    buffers.

    Parameters
    ----------
    network : nn.Module
        Network with trained weights.
    seed : int
        Seed of NumPy's generator. The order of values depends only on the seed, and on names and sizes of the tensors.
    """
    import torch

    with torch.no_grad():
        for place, (_, values) in enumerate(sorted(network.named_parameters())):
            order = np.random.default_rng([seed, place]).permutation(values.numel())
            values.copy_(values.flatten()[torch.from_numpy(order)].reshape(values.shape))
