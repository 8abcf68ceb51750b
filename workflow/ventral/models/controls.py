"""Base classes of the classical models of early vision to which networks are compared."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

# Weights of red, green and blue in luminance (ITU-R BT.601).
LUMINANCE = (0.299, 0.587, 0.114)


class Control(nn.Module):
    """A model of fixed form that uses luminance alone.

    A subclass computes its layers in `represent`. Each layer is a submodule whose output is a tensor with one row for
    each stimulus. So layers are found, named and read out as in any network.
    """

    def forward(self, images: Tensor) -> Tensor:
        """Return the last layer for images (n, 3, height, width) with values in 0 to 1."""
        # Reduced precision would change counts and distances, and save little time.
        with torch.autocast(images.device.type, enabled=False):
            return self.represent(luminance_of(images))

    def represent(self, luminance: Tensor) -> Tensor:
        """Return the last layer for luminance (n, 1, height, width), 0 to 1, having run the module of each layer."""
        raise NotImplementedError


class Joined(nn.Module):
    """A layer that joins the values of maps with different sizes, such as several scales, to (n, features)."""

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Return the values of maps (n, ...), one map after the other."""
        return torch.cat([values.flatten(1) for values in maps], dim=1)


def luminance_of(images: Tensor) -> Tensor:
    """Return the luminance (n, 1, height, width) of images (n, 3, height, width)."""
    weights = torch.tensor(LUMINANCE, dtype=images.dtype, device=images.device)
    return (images * weights[:, None, None]).sum(dim=1, keepdim=True)
