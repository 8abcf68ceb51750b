"""Published data sets, from their files to the stores that fits read, as jobs of the workflow do it."""

from pathlib import Path

import numpy as np
import xarray as xr
import yaml

from tests.documentation import ROOT
from ventral.configuration.resolution import check_inputs, resolve
from ventral.datasets.registry import DATASETS
from ventral.recordings import ingestion as recordings
from ventral.stimuli import ingestion as stimuli
from ventral.store import read_dataset


def taken_in(name: str, folder: Path, place: Path, **options: object) -> tuple[xr.Dataset, dict[str, xr.Dataset]]:
    """Return the stimuli of a data set, and its recordings by name, by its config with other options."""
    config = yaml.safe_load((ROOT / "config" / f"{name}.yaml").read_text(encoding="utf-8"))
    dataset = {name: config["dataset"][name] | options}
    config = resolve(config | {"dataset": dataset, "data_dir": str(folder), "results": str(place / "results")})
    check_inputs(config)
    for path, made in config["unpacks"].items():
        DATASETS[name].writers[made["writer"]](Path(path), **made["inputs"], **made["options"])
    check_inputs(config)
    stimuli.ingest(config["stimuli"][name], place / "stimuli.zarr", name=name)
    for recording, spec in config["recordings"].items():
        recordings.ingest(spec, place / "stimuli.zarr", place / f"{recording}.zarr", name=recording, n_splits=2)
    read = {recording: read_dataset(place / f"{recording}.zarr").load() for recording in config["recordings"]}
    return read_dataset(place / "stimuli.zarr").load(), read


def correlations(responses: xr.DataArray, features: np.ndarray) -> np.ndarray:
    """Return the correlation (neuroids, features) of mean responses with features (stimuli, features)."""
    means = responses.mean("repetition").transpose("neuroid", "stimulus").values
    return np.corrcoef(np.vstack([means, features.T]))[: len(means), len(means) :]
