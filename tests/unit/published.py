"""Published recordings, read as a run reads them, and what their areas respond to."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ventral.configuration.resolution import check_inputs, resolve
from ventral.datasets.unpacking import unpack
from ventral.recordings import ingestion as recordings
from ventral.recordings.ingestion import mean_responses
from ventral.stimuli import ingestion as stimuli
from ventral.store import read_dataset


def read(name: str, folder: Path, results: Path, **options: object) -> tuple[dict, dict, dict]:
    """Return the resolved config of a published data set, its stimulus sets and its recordings, all ingested."""
    config = resolve(
        {"dataset": {name: {"folder": str(folder), **options}}, "models": ["pixels"], "results": str(results)}
    )
    check_inputs(config)
    for path, how in config["unpacks"].items():
        unpack(Path(path), **how)
    check_inputs(config)
    for key, spec in config["stimuli"].items():
        stimuli.ingest(spec, results / f"{key}.stimuli.zarr", name=key)
    for key, spec in config["recordings"].items():
        shown = results / f"{spec['stimuli']}.stimuli.zarr"
        recordings.ingest(spec, shown, results / f"{key}.recording.zarr", name=key)
    return (
        config,
        {key: read_dataset(results / f"{key}.stimuli.zarr") for key in config["stimuli"]},
        {key: read_dataset(results / f"{key}.recording.zarr") for key in config["recordings"]},
    )


def patches(stimulus_set: xr.Dataset, n: int) -> NDArray[np.float64]:
    """Return the mean grey value (n stimuli, n) of each of n columns of equal width of the images."""
    pixels = stimulus_set["pixels"].values.astype(float).mean(axis=(1, 2))
    return np.stack([part.mean(axis=1) for part in np.array_split(pixels, n, axis=1)], axis=1)


def correlations(recording: xr.Dataset, features: NDArray) -> dict[str, NDArray[np.float64]]:
    """Return, by area, the correlation (neuroids, features) of mean responses and features over what was shown."""
    means = mean_responses(recording)
    areas = recording["area"].values.astype(str)
    found = {}
    for area in dict.fromkeys(areas):
        columns = means.values[:, areas == area]
        found[area] = np.array([[_r(column, feature) for feature in features.T] for column in columns.T])
    return found


def _r(response: NDArray, feature: NDArray) -> float:
    shown = ~np.isnan(response)
    return float(np.corrcoef(response[shown], feature[shown])[0, 1])


def responds_to_its_own(found: Mapping[str, NDArray], feature_of_area: Mapping[str, int], least: float = 0.6) -> bool:
    """Say whether every neuroid of every area goes with the feature that it was made of, and with no other."""
    if set(found) != set(feature_of_area):
        return False
    for area, r in found.items():
        own = np.zeros(r.shape[1], dtype=bool)
        own[feature_of_area[area]] = True
        if r[:, own].min() < least or np.abs(r[:, ~own]).max() > least / 2:
            return False
    return True
