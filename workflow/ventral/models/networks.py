"""Networks of different depth and width for training in this workflow, for images of about 64 x 64 pixels.

Each is a chain of blocks, followed by `pooled` and `readout`. `pooled` has the means of the last block's map over the
parts of a grid, and `readout` is linear. A block of the convolutional networks has a convolution, batch normalisation
(Ioffe and Szegedy 2015, arXiv:1502.03167), rectification, and the maximum over 2 x 2. The residual network has the
basic blocks of He et al. 2016 (arXiv:1512.03385). The first convolution has a stride of two pixels.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence

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
        layers = _normalised(n_before, width, size, stride)
        modules[f"block{k}"] = nn.Sequential(*layers, *([nn.MaxPool2d(2)] if k < 4 else []))
        n_before = width
    return _read_out(modules, n_before, grid)


def residual(widths: Sequence[int], blocks_each: int) -> nn.Module:
    """Return a small residual network: `stem`, `block1`, `block2` and so on, `pooled` and `readout`.

    Parameters
    ----------
    widths : sequence of int
        Numbers of channels of the stem and of each group of blocks, whose first block halves the map.
    blocks_each : int
        Number of blocks in a group.
    """
    modules, n_before = OrderedDict(stem=nn.Sequential(*_normalised(3, widths[0], 5, 2))), widths[0]
    for width in widths[1:]:
        for k in range(blocks_each):
            modules[f"block{len(modules)}"] = ResidualBlock(n_before, width, stride=1 if k else 2)
            n_before = width
    return _read_out(modules, n_before, grid=1)


# `ventral.models.families.small` has the preprocessing and the layers for each of these names.
NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "conv1": lambda: convolutional([64], first_size=7, grid=4),
    "conv2": lambda: convolutional([32, 64], first_size=5, grid=4),
    "conv4": lambda: convolutional([16, 32, 64, 128], first_size=5, grid=2),
    "conv4_wide": lambda: convolutional([32, 64, 128, 256], first_size=5, grid=2),
    "small_resnet": lambda: residual([24, 32, 64, 128], blocks_each=2),
}


def _normalised(n_before: int, n_after: int, size: int, stride: int) -> list[nn.Module]:
    return [
        nn.Conv2d(n_before, n_after, size, stride=stride, padding=size // 2, bias=False),
        nn.BatchNorm2d(n_after),
        nn.ReLU(inplace=True),
    ]


def _read_out(modules: "OrderedDict[str, nn.Module]", n_channels: int, grid: int) -> nn.Module:
    modules["pooled"] = nn.Sequential(nn.AdaptiveAvgPool2d(grid), nn.Flatten())
    modules["readout"] = nn.Linear(n_channels * grid**2, N_OUTPUTS)
    network = nn.Sequential(modules)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            # This keeps the variance through rectifications (He et al. 2015, arXiv:1502.01852).
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return network
