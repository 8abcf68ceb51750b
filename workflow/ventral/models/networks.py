"""Networks of different depth and width for training in this workflow.

Most are for images of about 64 x 64 pixels, and some for cochleagrams. Each is a chain of blocks, followed by `pooled`
and `readout`. `pooled` has the means of the last block's map over the parts of a grid, and `readout` is linear. A block
of the convolutional networks has a convolution, batch normalisation (Ioffe and Szegedy 2015, arXiv:1502.03167),
rectification, and the maximum over 2 x 2. The residual network has the basic blocks of He et al. 2016
(arXiv:1512.03385). The first convolution has a stride of two pixels, or of three channels and three frames.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

# Number of outputs of the readout, which training replaces.
N_OUTPUTS = 8


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions with a shortcut, which is a 1 x 1 convolution if the block changes the shape.

    Parameters
    ----------
    n_before, n_after : int
        Numbers of channels of the maps before and after the block.
    stride : int
        Stride of the first convolution.
    """

    def __init__(self, n_before: int, n_after: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(n_before, n_after, 3, stride=stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(n_after)
        self.conv2 = nn.Conv2d(n_after, n_after, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(n_after)
        self.shortcut = nn.Identity()
        if stride != 1 or n_before != n_after:
            self.shortcut = nn.Sequential(
                nn.Conv2d(n_before, n_after, 1, stride=stride, bias=False), nn.BatchNorm2d(n_after)
            )

    def forward(self, images: Tensor) -> Tensor:
        """Return the maps (n, n_after, height / stride, width / stride) for maps (n, n_before, height, width)."""
        residual = functional.relu(self.norm1(self.conv1(images)), inplace=True)
        return functional.relu(self.norm2(self.conv2(residual)) + self.shortcut(images), inplace=True)


def convolutional(widths: Sequence[int], first_size: int, grid: int) -> nn.Module:
    """Return a chain of convolutions, `block1`, `block2` and so on, `pooled` and `readout`.

    Parameters
    ----------
    widths : sequence of int
        Number of channels of each block. The fourth block and later ones do not halve the map.
    first_size : int
        Side of the first block's filters in pixels; the others have a side of 3.
    grid : int
        Side of the grid of means in `pooled`.
    """
    modules, n_before = OrderedDict(), 3
    for k, width in enumerate(widths, 1):
        size, stride = (first_size, 2) if k == 1 else (3, 1)
        layers = _normalised(n_before, width, (size, size), stride)
        modules[f"block{k}"] = nn.Sequential(*layers, *([nn.MaxPool2d(2)] if k < 4 else []))
        n_before = width
    return _read_out(modules, n_before, (grid, grid))


def residual(widths: Sequence[int], blocks_each: int) -> nn.Module:
    """Return a small residual network: `stem`, `block1`, `block2` and so on, `pooled` and `readout`.

    Parameters
    ----------
    widths : sequence of int
        Numbers of channels of the stem and of each group of blocks, whose first block halves the map.
    blocks_each : int
        Number of blocks in a group.
    """
    modules, n_before = OrderedDict(stem=nn.Sequential(*_normalised(3, widths[0], (5, 5), 2))), widths[0]
    for width in widths[1:]:
        for k in range(blocks_each):
            modules[f"block{len(modules)}"] = ResidualBlock(n_before, width, stride=1 if k else 2)
            n_before = width
    return _read_out(modules, n_before, (1, 1))


class Branched(nn.Module):
    """Two networks that share their first blocks, each with a readout (Kell et al. 2018, Neuron 98:630).

    Parameters
    ----------
    make : callable
        Returns a chain of blocks that ends in `readout`.
    n_shared : int
        Number of blocks of the chain that the branches share.
    """

    readouts = ("branch1.readout", "branch2.readout")

    def __init__(self, make: Callable[[], nn.Module], n_shared: int) -> None:
        super().__init__()
        for name, module in list(make().named_children())[:n_shared]:
            self.add_module(name, module)
        for branch in ("branch1", "branch2"):
            own = list(make().named_children())[n_shared:]
            self.add_module(branch, nn.Sequential(OrderedDict(own)))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the outputs of both readouts, one after the other, (n, outputs of both)."""
        *shared, first, second = self.children()
        for block in shared:
            inputs = block(inputs)
        # Branches take turns, so that their layers complete in the order of depth.
        outputs = [inputs, inputs]
        for blocks in zip(first, second, strict=True):
            outputs = [block(output) for block, output in zip(blocks, outputs, strict=True)]
        return torch.cat(outputs, dim=1)


def cochlear() -> nn.Module:
    """Return a chain of four convolutional blocks for cochleagrams (n, 1, channels, frames), `pooled` and `readout`.

    The filters of the first block span about 2 channels of equal rectangular bandwidth and 45 ms. `pooled` has the
    means over the parts of a grid of 2 parts in frequency and 4 in time.
    """
    modules = OrderedDict(
        block1=nn.Sequential(*_normalised(1, 16, (13, 9), (3, 3)), nn.MaxPool2d(2)),
        block2=nn.Sequential(*_normalised(16, 32, (5, 5), (1, 1)), nn.MaxPool2d(2)),
        block3=nn.Sequential(*_normalised(32, 64, (3, 3), (1, 1)), nn.MaxPool2d(2)),
        block4=nn.Sequential(*_normalised(64, 128, (3, 3), (1, 1))),
    )
    return _read_out(modules, 128, (2, 4))


# `ventral.models.families.small` and `small_cochlear` have the preprocessing and the layers for each of these names.
NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "conv1": lambda: convolutional([64], first_size=7, grid=4),
    "conv2": lambda: convolutional([32, 64], first_size=5, grid=4),
    "conv4": lambda: convolutional([16, 32, 64, 128], first_size=5, grid=2),
    "conv4_wide": lambda: convolutional([32, 64, 128, 256], first_size=5, grid=2),
    "small_resnet": lambda: residual([24, 32, 64, 128], blocks_each=2),
}
COCHLEAR: dict[str, Callable[[], nn.Module]] = {
    "small_cochcnn": cochlear,
    "small_cochcnn_branched": lambda: Branched(cochlear, n_shared=2),
}


def _normalised(n_before: int, n_after: int, size: tuple[int, int], stride: int | tuple[int, int]) -> list[nn.Module]:
    padding = tuple(side // 2 for side in size)
    return [
        nn.Conv2d(n_before, n_after, size, stride=stride, padding=padding, bias=False),
        nn.BatchNorm2d(n_after),
        nn.ReLU(inplace=True),
    ]


def _read_out(modules: "OrderedDict[str, nn.Module]", n_channels: int, grid: tuple[int, int]) -> nn.Module:
    modules["pooled"] = nn.Sequential(nn.AdaptiveAvgPool2d(grid), nn.Flatten())
    modules["readout"] = nn.Linear(n_channels * grid[0] * grid[1], N_OUTPUTS)
    network = nn.Sequential(modules)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            # This keeps the variance through rectifications (He et al. 2015, arXiv:1502.01852).
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return network
