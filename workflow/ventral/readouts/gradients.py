"""Features of one layer as a differentiable function of images."""

import torch
from numpy.typing import NDArray
from torch import Tensor

from ventral.errors import InputError
from ventral.models.description import build, trace_stimuli, weights_sha256
from ventral.models.layers import choose_layers
from ventral.models.passes import LayerOutputs
from ventral.models.zoo import completed, is_baseline
from ventral.running.devices import choose_device
from ventral.stimuli.images import resize


class DifferentiableLayer:
    """One layer of a model, whose features have gradients with respect to the pixels of images.

    Features are those of `ventral.activations.layer_features.LayerFeatures`, without its rounding of resized pixels and
    of features.

    Parameters
    ----------
    spec : dict
        The model, from `ventral.models.zoo.resolve_model`, with its stimuli from `ventral.models.zoo.on_stimuli`.
    layer : str
        Name of the layer.
    shape : tuple of int
        Shape (3, height, width) of an image.
    device : str
        'auto', 'cpu' or 'cuda'.
    dtype : str
        'float32' or 'float64'.

    Attributes
    ----------
    weights_sha256 : str
        Hash of the weights; empty for a baseline.
    n_features : int
        Number of features of the layer.
    """

    def __init__(self, spec: dict, layer: str, shape: tuple[int, ...], *, device: str, dtype: str) -> None:
        self._spec = spec = completed({**spec, "layers": [layer]})
        self._layer = layer
        self.device, self.dtype = torch.device(choose_device(device)), getattr(torch, dtype)
        self._outputs, self.weights_sha256 = None, ""
        if not is_baseline(spec):
            network = build(spec)
            self.weights_sha256 = weights_sha256(network)
            layers = choose_layers(network, trace_stimuli(network, shape, spec), spec)
            self._outputs = LayerOutputs(network.to(self.device, self.dtype), layers)
        with torch.no_grad():
            self.n_features = self(torch.zeros(2, *shape, dtype=self.dtype, device=self.device)).shape[1]

    def __call__(self, images: Tensor) -> Tensor:
        """Return the features (n, p) of images (n, 3, height, width) with values from 0 to 1.

        Raises
        ------
        InputError
            If the forward pass fails, or the layer has no gradient with respect to the pixels.
        """
        pixels = resize(images.to(self.device, self.dtype) * 255, self._spec)
        if self._outputs is None:
            return pixels.flatten(1)
        mean, std = (pixels.new_tensor(self._spec[name])[:, None, None] for name in ("mean", "std"))
        features: list[Tensor] = []
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
            self._outputs.run((pixels / 255 - mean) / std, lambda _name, output: features.append(output.flatten(1)))
        if pixels.requires_grad and not features[0].requires_grad:
            raise InputError(
                f"layer {self._layer} of {self._spec['name']}: its features have no gradient with respect to the "
                f"pixels; use a layer or a network with gradients"
            )
        return features[0]

    def tensor(self, values: NDArray) -> Tensor:
        """Return an array in the type and on the device of the features."""
        return torch.from_numpy(values).to(self.device, self.dtype)
