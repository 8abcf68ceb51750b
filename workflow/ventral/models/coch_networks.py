"""CochCNN9 and CochResNet50, networks for cochleagrams (Tuckute et al. 2023, PLoS Biology 21:e3002366).

Names of layers and of parameters are those of the paper and of its checkpoints. The last axis of maps is time.
"""

import math
from collections import OrderedDict
from collections.abc import Callable, Sequence

from torch import Tensor, nn
from torch.nn import functional

from ventral.errors import InputError

# Channels and frames of the cochleagram of a sound of 2 s.
SHAPE = (211, 390)
# Number of outputs of the readout, which training replaces. Those of checkpoints are not read.
N_OUTPUTS = 8


class SameConv2d(nn.Conv2d):
    """A convolution without bias, padded by `padded`."""

    def __init__(self, n_before: int, n_after: int, size: tuple[int, int], stride: tuple[int, int]) -> None:
        super().__init__(n_before, n_after, size, stride=stride, bias=False)

    def forward(self, maps: Tensor) -> Tensor:
        """Return maps (n, n_after, ...) for maps (n, n_before, channels, frames)."""
        return super().forward(padded(maps, self.kernel_size, self.stride, 0.0))


class SameMaxPool2d(nn.MaxPool2d):
    """The maximum over parts of maps, padded by `padded`."""

    def forward(self, maps: Tensor) -> Tensor:
        """Return maps (n, width, ...) for maps (n, width, channels, frames)."""
        return super().forward(padded(maps, self.kernel_size, self.stride, -math.inf))


class SameAvgPool2d(nn.AvgPool2d):
    """The mean over parts of maps, padded by `padded`; the zeros of the padding count."""

    def forward(self, maps: Tensor) -> Tensor:
        """Return maps (n, width, ...) for maps (n, width, channels, frames)."""
        return super().forward(padded(maps, self.kernel_size, self.stride, 0.0))


def padded(maps: Tensor, size: Sequence[int], stride: Sequence[int], value: float) -> Tensor:
    """Return maps (..., channels, frames) padded so that a stride of s keeps one value of s, rounded up.

    If the number of added values is odd, one more is added at the end.
    """
    added = [
        max((math.ceil(n / step) - 1) * step + width - n, 0)
        for n, width, step in zip(maps.shape[-2:], size, stride, strict=True)
    ]
    channels, frames = ((n // 2, n - n // 2) for n in added)
    return functional.pad(maps, (*frames, *channels), value=value)


class CochCNN9(nn.Sequential):
    """Nine layers, after Kell et al. 2018 (Neuron 98:630).

    Parameters
    ----------
    widths : sequence of int
        Numbers of channels of the five convolutions.
    n_units : int
        Number of units of the fully connected layer.
    """

    def __init__(self, widths: Sequence[int] = (96, 256, 512, 1024, 512), n_units: int = 4096) -> None:
        sizes = [((7, 14), (3, 3)), ((4, 8), (2, 2)), *[((2, 5), (1, 1))] * 3]
        pool = ((2, 5), (2, 2))
        modules: OrderedDict[str, nn.Module] = OrderedDict(batchnorm0=nn.BatchNorm2d(1))
        for k, (n_before, n_after, of) in enumerate(zip((1, *widths), widths, sizes, strict=False)):
            modules[f"conv{k}"] = SameConv2d(n_before, n_after, *of)
            modules[f"relu{k}"] = nn.ReLU()
            if k < 2:
                modules[f"maxpool{k}"] = SameMaxPool2d(*pool)
                modules[f"batchnorm{k + 1}"] = nn.BatchNorm2d(n_after)
        modules["avgpool"] = SameAvgPool2d(*pool)
        # The strides leave 5 x 9 of 211 x 390.
        modules |= {"flat": nn.Flatten(), "fullyconnected": nn.Linear(widths[-1] * 5 * 9, n_units)}
        modules |= {"relufc": nn.ReLU(), "dropout": nn.Dropout(), "classification": nn.Linear(n_units, N_OUTPUTS)}
        super().__init__(modules)

    def forward(self, cochleagrams: Tensor) -> Tensor:
        """Return the outputs of the readout for cochleagrams (n, 1, 211, 390).

        Raises
        ------
        InputError
            If cochleagrams have another shape.
        """
        if cochleagrams.shape[1:] != (1, *SHAPE):
            raise InputError(
                f"CochCNN9 takes cochleagrams of 211 x 390, of sounds of 2 s, not {tuple(cochleagrams.shape[1:])}; set "
                f"`seconds: 2` for the stimuli, and `input: cochleagram` for the model"
            )
        return super().forward(cochleagrams)


def coch_resnet50(blocks: Sequence[int] = (3, 4, 6, 3)) -> nn.Module:
    """Return the ResNet-50 of torchvision (He et al. 2016, CVPR, p. 770) with one input channel.

    Parameters
    ----------
    blocks : sequence of int
        Number of bottlenecks in each of `layer1` to `layer4`.
    """
    from torchvision.models.resnet import Bottleneck, ResNet

    body = ResNet(Bottleneck, list(blocks), num_classes=N_OUTPUTS)
    conv1 = nn.Conv2d(1, 64, 7, stride=2, padding=3, bias=False)
    nn.init.kaiming_normal_(conv1.weight, mode="fan_out", nonlinearity="relu")
    first = {"conv1": conv1, "bn1": body.bn1, "conv1_relu1": nn.ReLU(), "maxpool1": body.maxpool}
    middle = {name: body.get_submodule(name) for name in ("layer1", "layer2", "layer3", "layer4", "avgpool")}
    return nn.Sequential(OrderedDict(first | middle | {"flat": nn.Flatten(), "fc": body.fc}))


NETWORKS: dict[str, Callable[[], nn.Module]] = {"cochcnn9": CochCNN9, "cochresnet50": coch_resnet50}
