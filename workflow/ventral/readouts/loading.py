"""Load a readout with its network, and predict responses to new stimuli."""

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from ventral.errors import InputError, allowed_instead
from ventral.models.zoo import on_stimuli, sha256_of_weights, weights_file
from ventral.readouts.making import ACCURACY, FORMAT
from ventral.stimuli.modality import FIRST, MODALITIES
from ventral.store import open_store

if TYPE_CHECKING:
    import torch
    import zarr

    from ventral.activations.layer_features import LayerFeatures
    from ventral.readouts.gradients import DifferentiableLayer

BATCH_SIZE = 32
# Rows of weights converted to float64 at a time.
FEATURES_AT_ONCE = 4096


def load_readout(path: str | Path, weights: str | Path | None = None) -> "Readout":
    """Load the readout of a layer; the first prediction loads its network.

    Parameters
    ----------
    path : path
        File LAYER.zarr.zip that the workflow wrote to `results/readouts`.
    weights : path, optional
        Checkpoint of the network's weights, if the file has moved. The weights must be the same.

    Raises
    ------
    InputError
        If the file is missing, damaged, or not a readout.
    """
    if not Path(path).exists():
        raise InputError(f"{path}: file is missing; a readout is a file LAYER.zarr.zip in results/readouts")
    group = open_store(path)
    if group.attrs.get("format") != FORMAT:
        raise InputError(
            f"{path}: not a readout of this version (its format is {group.attrs.get('format')!r}, not {FORMAT!r}); "
            f"a readout is a file LAYER.zarr.zip in results/readouts"
        )
    return Readout(Path(path), group, weights)


class Readout:
    """A readout of one layer of a network for the neuroids of a recording.

    Attributes
    ----------
    path : Path
        File of the readout.
    attributes : dict
        Description of the readout.
    card : str
        The model card, in Markdown.
    neuroids : DataFrame
        A row for each split and neuroid, with `split`, `neuroid`, `area` and `time_bin`. `n_stimuli` and `penalty` are
        those of the fit. `r` on held-out stimuli, `reliability` and `predictivity` come from the score table.
    """

    def __init__(self, path: Path, group: "zarr.Group", weights: str | Path | None = None) -> None:
        self.path, self._group, self._weights_file = path, group, weights
        self.attributes = dict(group.attrs)
        self.card: str = self.attributes["card"]
        self._features: dict[str, LayerFeatures] = {}
        self._layers: dict[tuple[str, str], DifferentiableLayer] = {}

    @cached_property
    def neuroids(self) -> pd.DataFrame:
        """Table of the neuroids and their accuracy, as described in the class."""
        known = {name: self.attributes[name] for name in ("neuroid", "area", "time_bin")}
        known |= {name: self._group[name][:] for name in ("n_stimuli", "penalty")}
        tables = [
            pd.DataFrame({"split": split, **known, **{name: self._group[name][k] for name in ACCURACY}})
            for k, split in enumerate(self.attributes["splits"])
        ]
        return pd.concat(tables, ignore_index=True)

    @property
    def shape(self) -> tuple[int, ...]:
        """Required shape of a stimulus, such as (3, height, width)."""
        return tuple(self.attributes["stimuli"]["shape"])

    def predict(
        self, images: NDArray | Sequence, *, device: str = "auto", batch_size: int = BATCH_SIZE
    ) -> xr.DataArray:
        """Predict the mean responses of the neuroids to new stimuli.

        Parameters
        ----------
        images : array or sequence
            Images (n, 3, height, width) or (n, height, width, 3) of the size that the readout was fitted to. Values are
            uint8, or floats from 0 to 1, which are rounded to 8 bits. Alternatively, a list of Pillow images, of paths,
            or of opened files. Sounds are a list of paths or of opened files, which are read like files of the set. Or
            they are an array (n, samples) with the rate, length and level of the set.
        device : str
            'auto', 'cpu' or 'cuda'.
        batch_size : int
            Stimuli in a forward pass.

        Returns
        -------
        (n, neuroids) DataArray
            Predictions in the units of the responses, with the axes `stimulus` and `neuroid`, and `area` and `time_bin`
            of each neuroid. For a list of paths, `stimulus` has the paths.

        Raises
        ------
        InputError
            If stimuli have another size or range or cannot be read, or if the network or its weights cannot be loaded.
        """
        of_fit = self.attributes["stimuli"]
        stimuli = MODALITIES[of_fit["modality"]].given(images, self.shape, of_fit)
        features = self._features_on(device)
        predicted = [self._apply(batch) for batch in features.compute(stimuli, batch_size)]
        labelled = self._labelled(np.concatenate([np.empty((0, len(self._intercept))), *predicted]))
        paths = [str(image) for image in images if isinstance(image, str | Path)]
        return labelled.assign_coords(stimulus=paths) if paths and len(paths) == len(images) else labelled

    def differentiable(
        self,
        neuroids: Sequence[str] | None = None,
        time_bin: str | None = None,
        *,
        device: str = "auto",
        double: bool = False,
    ) -> "Callable[[torch.Tensor], torch.Tensor]":
        """Return the predictions as a function that torch can differentiate with respect to the pixels.

        Parameters
        ----------
        neuroids : sequence of str, optional
            Names of neuroids; by default all.
        time_bin : str, optional
            Time bin of the neuroids, such as '70-90'; by default all.
        device : str
            'auto', 'cpu' or 'cuda'.
        double : bool
            Compute in float64, not float32.

        Returns
        -------
        function of a tensor
            Returns the predicted responses (n, neuroids), given images (n, 3, height, width) with values from 0 to 1.
            Pixels are not rounded to 8 bits.

        Raises
        ------
        InputError
            If a neuroid is unknown, stimuli are not images, or the network or its weights cannot be loaded.
        """
        columns, layer = self.columns_of(neuroids, time_bin), self._layer_on(device, "float64" if double else "float32")
        weights, intercept = (layer.tensor(array[..., columns]) for array in (self._weights, self._intercept))
        return lambda images: layer(images) @ weights + intercept

    def columns_of(self, neuroids: Sequence[str] | None = None, time_bin: str | None = None) -> NDArray[np.intp]:
        """Return the positions of neuroids among the predictions, as for `differentiable`.

        Raises
        ------
        InputError
            If a neuroid is unknown.
        """
        known = pd.Series(self.attributes["neuroid"], dtype=str)
        if time_bin is not None:
            known = known[np.array(self.attributes["time_bin"], str) == time_bin]
        if neuroids is None:
            return known.index.to_numpy()
        for name in neuroids:
            if name not in set(known):
                raise InputError(f"{self.path}: no neuroid is called {name!r}; {allowed_instead(name, known.unique())}")
        return np.concatenate([np.empty(0, np.intp), *(known.index[known == name] for name in neuroids)])

    def _layer_on(self, device: str, dtype: str) -> "DifferentiableLayer":
        """Return the layer with gradients, loaded once for each device and type, or raise InputError."""
        shown = self.attributes["stimuli"]["modality"]
        if shown != FIRST:
            raise InputError(f"{self.path}: its stimuli are {shown}; gradients are of images alone")
        if (device, dtype) not in self._layers:
            from ventral.readouts.gradients import DifferentiableLayer

            name = self.attributes["layer"]["name"]
            try:
                loaded = DifferentiableLayer(self._spec, name, self.shape, device=device, dtype=dtype)
            except InputError as error:
                raise InputError(f"{self.path}: the network cannot be loaded: {error}") from error
            self._refuse_another(loaded)
            self._layers[device, dtype] = loaded
        return self._layers[device, dtype]

    def _features_on(self, device: str) -> "LayerFeatures":
        """Return the network, loaded once for each device, or raise InputError if its weights differ."""
        if device not in self._features:
            from ventral.activations.layer_features import LayerFeatures

            layer = self.attributes["layer"]["name"]
            precision = self.attributes["precision"]
            try:
                loaded = LayerFeatures(self._spec, layer, self.shape, device=device, **precision)
            except InputError as error:
                raise InputError(f"{self.path}: the network cannot be loaded: {error}") from error
            self._refuse_another(loaded)
            self._features[device] = loaded
        return self._features[device]

    @property
    def _spec(self) -> dict:
        """Description of the model on stimuli as in the fit, with the checkpoint's path given by the user."""
        spec = on_stimuli(self.attributes["model"], self.attributes["stimuli"])
        if self._weights_file is None:
            return spec
        if weights_file(spec) is None:
            raise InputError(
                f"weights: {self._weights_file}: the network's weights are {spec['weights']!r}, not a file; leave "
                f"`weights` out"
            )
        if not Path(self._weights_file).exists():
            raise InputError(f"weights: file {self._weights_file} is missing; give the path of the checkpoint")
        spec = {**spec, "weights": str(self._weights_file)}
        return {**spec, "sha256": sha256_of_weights(spec)}

    def _refuse_another(self, loaded: "LayerFeatures | DifferentiableLayer") -> None:
        expected, layer = self.attributes["weights_sha256"], self.attributes["layer"]
        if loaded.weights_sha256 != expected:
            raise InputError(
                f"{self.path}: made with the network {self.attributes['model']['architecture']} and weights of SHA-256 "
                f"{expected}, but the loaded weights have {loaded.weights_sha256}. Use the same weights: `weights` "
                f"names their checkpoint"
            )
        if loaded.n_features != layer["n_features"]:
            raise InputError(
                f"{self.path}: layer {layer['name']} has {loaded.n_features} features here, but the readout needs "
                f"{layer['n_features']}; use the network that the readout was made with"
            )

    @cached_property
    def _weights(self) -> NDArray[np.float32]:
        return self._group["weights"][:]

    @cached_property
    def _intercept(self) -> NDArray[np.float64]:
        return self._group["intercept"][:]

    def _apply(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the predictions (n, neuroids) of features (n, p), summed in float64."""
        predicted = np.broadcast_to(self._intercept, (len(features), len(self._intercept))).copy()
        for start in range(0, features.shape[1], FEATURES_AT_ONCE):
            block = slice(start, start + FEATURES_AT_ONCE)
            predicted += features[:, block] @ self._weights[block].astype(np.float64)
        return predicted

    def _labelled(self, predictions: NDArray[np.float64]) -> xr.DataArray:
        coordinates = {name: ("neuroid", np.array(self.attributes[name], str)) for name in ("area", "time_bin")}
        coordinates["neuroid"] = np.array(self.attributes["neuroid"], str)
        attributes = {"model": self.attributes["model"]["name"], "layer": self.attributes["layer"]["name"]}
        return xr.DataArray(predictions, coordinates, ("stimulus", "neuroid"), "predictions", attributes)
