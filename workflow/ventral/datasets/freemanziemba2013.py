"""The recordings of Freeman, Ziemba, Heeger, Simoncelli and Movshon 2013 (Nat Neurosci 16:974): V1 and V2 to textures.

The neurons are in macaques, and the images in families of textures. `texture` has the statistics of its family.
`noise` has the same spectrum without these statistics. The source has responses in bins of 1 ms.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ventral.datasets import Dataset, made_by
from ventral.datasets.brainscore import SOURCE, downloads_of, files_of, read_stimuli
from ventral.errors import InputError
from ventral.outputs import writing

NAME = "freemanziemba2013"
# Assembly, table and images, with the aperture that the animals saw.
FILES = [
    "assy_movshon_FreemanZiemba2013_public.nc",
    "image_movshon_FreemanZiemba2013_aperture-public.csv",
    "image_movshon_FreemanZiemba2013_aperture-public.zip",
]
# Checksums of brain-score/vision, brainscore_vision/data/freemanziemba2013.
DOWNLOADS = downloads_of(
    NAME,
    dict(
        zip(
            FILES,
            (
                "761c08f796db4e342555cdb60eef23a4f19ead43",
                "194c9b301a4e3e9cff02481d4c19b39331d52660",
                "ad3c6c237491485c863acd2f4d2f219f737e424c",
            ),
            strict=True,
        )
    ),
)
LABELS = {"texture_type": "category"}
# Coordinates of the bins of time. The last name is that of older files.
START, ENDS = "time_bin_start", ("time_bin_end", "time_bin_stop")


def expand(folder: str | None, results: str, *, window: Sequence[float], resources: str = "resources") -> dict:
    """Return the stimulus set and the recording in the form of the config.

    Parameters
    ----------
    folder : str or None
        Folder with the source's files, or with a folder `freemanziemba2013` that has them; None downloads them.
    results : str
        Folder of all outputs. The standard files are in ``datasets/freemanziemba2013`` below it.
    window : sequence of float
        Start and end, in ms after the onset of the stimulus.
    resources : str
        Folder of downloads.

    Returns
    -------
    dict
        Has `stimuli` and `recordings`, each with the only name `freemanziemba2013`, `unpacks` and `downloads`.

    Raises
    ------
    InputError
        If a file is not in `folder`, or the window ends before it starts.
    """
    if not window[0] < window[1]:
        raise InputError(f"window: {list(window)}; the start, then a later end, are right")
    (source, csv, archive), downloads = files_of(folder, FILES, NAME, DOWNLOADS, resources)
    assembly, table = (f"{results}/datasets/{NAME}/{file}" for file in ("assembly.nc", "stimuli.csv"))
    return {
        "stimuli": {NAME: {"images": archive, "table": table}},
        "recordings": {NAME: {"stimuli": NAME, "responses": assembly, "splits": ["stimuli"]}},
        "unpacks": {
            assembly: made_by(NAME, "assembly", {"source": source}, window=list(window)),
            table: made_by(NAME, "table", {"source": csv}),
        },
        "downloads": downloads,
    }


def write_assembly(output: Path, *, source: str, window: Sequence[float]) -> None:
    """Write the assembly of mean responses in a window of time, without an axis of time.

    Parameters
    ----------
    output : path
        NetCDF file in the layout of BrainIO.
    source : path
        Assembly of the source, in bins of time.
    window : sequence of float
        Start and end, in ms after the onset of the stimulus. A bin counts if all of it lies in the window.

    Raises
    ------
    InputError
        If the file cannot be read, has no bins of time, or none in the window.
    """
    import xarray as xr

    from ventral.datasets.hdf5 import opened

    with opened(source, NAME):
        pass
    with xr.open_dataset(source, engine="h5netcdf") as dataset:
        ends = [name for name in ENDS if name in dataset]
        if START not in dataset or not ends:
            raise InputError(f"{NAME}: {source}: no coordinates `{START}` and `{ENDS[0]}` of bins of time")
        starts, stops = dataset[START].values, dataset[ends[0]].values
        inside = np.flatnonzero((starts >= window[0]) & (stops <= window[1]))
        if not len(inside):
            raise InputError(
                f"{NAME}: {source}: no bin of time lies within {list(window)} ms; bins are from {starts.min():g} to "
                f"{stops.max():g} ms"
            )
        mean = dataset.isel(time_bin=inside).mean("time_bin", keep_attrs=True)
        with writing(output) as unfinished:
            mean.to_netcdf(unfinished, engine="h5netcdf")


def write_table(output: Path, *, source: str) -> None:
    """Write the CSV of the stimuli with the columns of `read_stimuli`; `category` is `texture` or `noise`."""
    table = read_stimuli(source, NAME, LABELS)
    with writing(output) as unfinished:
        table.to_csv(unfinished, index=False, lineterminator="\n")


DATASET = Dataset(
    meaning="Spikes of macaque V1 and V2 to textures and to noise of the same spectrum.",
    expand=expand,
    reference="Freeman et al. 2013",
    work="Freeman J, Ziemba CM, Heeger DJ, Simoncelli EP, Movshon JA (2013). Nature Neuroscience 16:974.",
    options={
        "window": {
            "description": "Start and end of the averaged window, in ms after the onset of the stimulus.",
            "type": "array",
            "minItems": 2,
            "maxItems": 2,
            "items": {"type": "number"},
            "default": [50, 200],
        }
    },
    downloads=DOWNLOADS,
    writers={"assembly": write_assembly, "table": write_table},
    licence="none stated",
    size="not measured",
    source=SOURCE,
)
