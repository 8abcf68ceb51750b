"""Small recurrent networks with bottom-up, lateral and top-down connections, and feed-forward controls.

A network is a chain of layers, followed by `pooled`, the means of the last layer's maps, and by `readout`, which is
linear. At each step, a layer adds up convolutions of the layer below and of two last states: its own, and that of the
layer above. This is the form of Spoerer et al. (2017, Frontiers in Psychology 8:1551). Batch normalisation, with
numbers of its own for each step, and rectification follow. The image reaches all layers in the first step, and there is
a readout at each step (Spoerer et al. 2020, PLoS Computational Biology 16:e1008215).

The controls have a single step, without lateral and top-down connections. They have as many parameters as the network
with all connections: in more features, in larger kernels, or in more layers. The deep control has as many layers as the
longest path through the network with all connections, unrolled.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

# Number of outputs of the readout, which training replaces.
N_OUTPUTS = 8
STEPS = 4
WIDTHS = ((16,), (32,), (64,))


class RecurrentLayer(nn.Module):
    """A layer with bottom-up and, if asked for, lateral and top-down connections.

    Parameters
    ----------
    n_below, n_features : int
        Numbers of channels of the map below and of this layer.
    size, stride : int
        Side and stride of the bottom-up kernels.
    lateral : bool
        True for lateral connections.
    n_above : int
        Number of channels of the layer above; 0 for no top-down connections.
    enlarged : int
        Ratio of the sides of this layer's maps and those of the layer above.
    steps : int
        Number of steps.
    """

    def __init__(
        self,
        n_below: int,
        n_features: int,
        size: int,
        stride: int,
        *,
        lateral: bool,
        n_above: int,
        enlarged: int,
        steps: int,
    ) -> None:
        super().__init__()
        self.bottom_up = nn.Conv2d(n_below, n_features, size, stride=stride, padding=size // 2, bias=False)
        self.lateral = nn.Conv2d(n_features, n_features, 3, padding=1, bias=False) if lateral else None
        self.top_down = None
        if n_above:
            self.top_down = nn.ConvTranspose2d(n_above, n_features, 3, stride=enlarged, padding=1, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(n_features) for _ in range(steps))

    def forward(self, driven: Tensor, before: Tensor | None, above: Tensor | None, step: int) -> Tensor:
        """Return the state (n, n_features, height, width) of the layer at a step, counted from 0.

        Parameters
        ----------
        driven : (n, n_features, height, width) tensor
            Output of `bottom_up`.
        before, above : tensors, optional
            States of this layer and of the layer above at the step before; None at step 0.
        """
        if self.lateral is not None and before is not None:
            driven = driven + self.lateral(before)
        if self.top_down is not None and above is not None:
            driven = driven + self.top_down(above, output_size=driven.shape[-2:])
        return functional.relu(self.norms[step](driven))


class RecurrentNetwork(nn.Module):
    """A chain of recurrent layers, `layer1`, `layer2` and so on, `pooled` and `readout`.

    Parameters
    ----------
    widths : sequence of sequences of int
        Number of features of each layer, in groups of layers with maps of one size. Groups are halved by the maximum
        over 2 x 2.
    sizes : sequence of int
        Side of the bottom-up kernels of each layer. The first layer has a stride of 2.
    lateral, top_down : bool
        True for these connections.
    steps : int
        Number of steps.

    Attributes
    ----------
    steps_read_out : int
        Number of steps, by which training knows the shape of the output.
    """

    def __init__(
        self, widths: Sequence[Sequence[int]], sizes: Sequence[int], *, lateral: bool, top_down: bool, steps: int
    ) -> None:
        super().__init__()
        self.steps_read_out = steps
        features = [n for group in widths for n in group]
        self.halved = [k > 0 and place == 0 for k, group in enumerate(widths) for place in range(len(group))]
        self.n_layers = len(features)
        for k, size in enumerate(sizes):
            is_last = k + 1 == self.n_layers
            layer = RecurrentLayer(
                features[k - 1] if k else 3,
                features[k],
                size,
                1 if k else 2,
                lateral=lateral,
                n_above=features[k + 1] if top_down and not is_last else 0,
                enlarged=1 if is_last or not self.halved[k + 1] else 2,
                steps=steps,
            )
            self.add_module(f"layer{k + 1}", layer)
        self.pooled = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.readout = nn.Linear(features[-1], N_OUTPUTS)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        """Return the outputs of the readout at each step, (n, steps, outputs); (n, outputs) for a single step."""
        layers = [self.get_submodule(f"layer{k + 1}") for k in range(self.n_layers)]
        # The image does not change, and its convolution is computed once.
        seen = layers[0].bottom_up(images)
        states: list[Tensor | None] = [None] * (self.n_layers + 1)
        answers = []
        for step in range(self.steps_read_out):
            for k, layer in enumerate(layers):
                # The layer below is at this step already, and the layer above still at the step before.
                driven = layer.bottom_up(self._below(states[k - 1], k)) if k else seen
                states[k] = layer(driven, states[k], states[k + 1], step)
            answers.append(self.readout(self.pooled(states[self.n_layers - 1])))
        return torch.stack(answers, dim=1) if self.steps_read_out > 1 else answers[0]

    def _below(self, state: Tensor, k: int) -> Tensor:
        return functional.max_pool2d(state, 2, ceil_mode=True) if self.halved[k] else state


def unrolled_depth(n_layers: int, steps: int, *, lateral: bool, top_down: bool) -> int:
    """Return the number of convolutions on the longest path from the image to the last readout.

    From step to step, a path may go down one layer and up again, or stay in its layer.
    """
    return n_layers + (steps - 1) * (2 if top_down and n_layers > 1 else int(lateral))


def recurrent(*, lateral: bool, top_down: bool) -> nn.Module:
    """Return a network of three layers with the given connections; without any, it has a single step."""
    steps = STEPS if lateral or top_down else 1
    return RecurrentNetwork(WIDTHS, (5, 3, 3), lateral=lateral, top_down=top_down, steps=steps)


def control(widths: Sequence[Sequence[int]], sizes: Sequence[int]) -> nn.Module:
    """Return a feed-forward network with the given numbers of features and sides of kernels."""
    return RecurrentNetwork(widths, sizes, lateral=False, top_down=False, steps=1)


# `ventral.models.families.small_recurrent` has the preprocessing and the layers for each of these names.
NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "small_blt": lambda: recurrent(lateral=True, top_down=True),
    "small_bl": lambda: recurrent(lateral=True, top_down=False),
    "small_bt": lambda: recurrent(lateral=False, top_down=True),
    "small_b": lambda: recurrent(lateral=False, top_down=False),
    "small_b_features": lambda: control(((32,), (64,), (130,)), (5, 3, 3)),
    "small_b_kernels": lambda: control(WIDTHS, (9, 9, 5)),
    "small_b_deep": lambda: control(((15,) * 3, (28,) * 3, (57,) * 3), (5, *[3] * 8)),
}
