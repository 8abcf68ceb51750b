"""Compute features of one layer for stimuli in memory, identical to the features that extraction stores."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ventral.errors import InputError
from ventral.models.zoo import is_baseline, modality_asked


class LayerFeatures:
    """One layer of a model, ready to compute features of stimuli of one shape.

    Parameters
    ----------
    spec : dict
        The model, from `ventral.models.zoo.resolve_model`.
    layer : str
        Name of the layer.
    shape : tuple of int
        Shape of one stimulus in the stimulus store, such as (3, height, width).
    dtype, autocast, channels_last
        Precision of the features and of the forward pass, as for `ventral.activations.extraction.Extraction.opened`.
    device : str
        'auto', 'cpu' or 'cuda'.

    Attributes
    ----------
    weights_sha256 : str
        Hash of the weights; empty for a baseline.
    n_features : int
        Number of features of the layer.

    Raises
    ------
    InputError
        If the model or the layer cannot be loaded.
    """

    def __init__(
        self,
        spec: dict,
        layer: str,
        shape: tuple[int, ...],
        *,
        dtype: str,
        autocast: str | None,
        channels_last: bool,
        device: str = "auto",
    ) -> None:
        self._spec, self._layer, self._dtype = spec, layer, dtype
        if is_baseline(spec):
            modality = modality_asked(spec)
            example = np.zeros((1, *shape), modality.dtype)
            self._network = None
            self.weights_sha256, self.n_features = "", modality.baseline.features(example, spec).size
            return
        from ventral.activations.forward import Network

        # With one layer chosen, the network stops after this layer.
        self._network = Network({**spec, "layers": [layer]}, shape, dtype, device, autocast, channels_last)
        self.weights_sha256 = self._network.weights_sha256
        self.n_features = self._network.layers[0]["n_features"]

    def compute(self, stimuli: NDArray, batch_size: int) -> Iterator[NDArray]:
        """Yield the features (batch, p) of stimuli (n, ...), batch by batch, rounded like stored features.

        Raises
        ------
        InputError
            If the forward pass fails, memory does not suffice, or features are not finite.
        """
        for start in range(0, len(stimuli), batch_size):
            batch = stimuli[start : start + batch_size]
            yield self._baseline(batch) if self._network is None else self._forward(batch, batch_size)

    def _baseline(self, stimuli: NDArray) -> NDArray:
        features = modality_asked(self._spec).baseline.features(stimuli, self._spec)
        return features.reshape(len(stimuli), -1).astype(self._dtype).astype(np.float64)

    def _forward(self, stimuli: NDArray, batch_size: int) -> NDArray:
        from ventral.activations.forward import exact_products

        buffers = self._network.buffers(len(stimuli))
        with exact_products():
            bad = self._network.compute(self._network.staged(stimuli), batch_size, buffers, 0)()
        if bad is not None:
            raise InputError(f"layer {self._layer}: the features of a stimulus are not finite as {self._dtype}")
        return np.asarray(buffers[self._layer]).astype(np.float64) / self._network.scales[self._layer]
