"""Command that predicts responses to a folder of stimuli."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import pandas as pd

from ventral.errors import InputError, shown
from ventral.outputs import writing
from ventral.readouts.loading import BATCH_SIZE, Readout, load_readout
from ventral.recordings.time_bins import place_of
from ventral.running.progress import Progress
from ventral.stimuli.files import list_files, opener
from ventral.stimuli.modality import MODALITIES
from ventral.tables import write_parquet

FORMATS = (".csv", ".parquet")


def predict_folder(
    readout: str | Path,
    stimuli: str | Path,
    output: str | Path,
    weights: str | Path | None = None,
    device: str = "auto",
    batch_size: int = BATCH_SIZE,
) -> None:
    """Write a readout's predictions for a folder of stimuli.

    Parameters
    ----------
    readout : path
        File written by `ventral.readouts.making.readout`.
    stimuli : path
        Folder or zip of stimuli.
    output : path
        CSV or Parquet file to write, by its ending. Rows are stimuli, in the natural order of the files' names. Columns
        are neuroids in each time bin. Values are in the units of the responses.
    weights : path, optional
        Checkpoint of the network's weights, if the file has moved.
    device : str
        'auto', 'cpu' or 'cuda'.
    batch_size : int
        Stimuli in a forward pass.

    Raises
    ------
    InputError
        As for `ventral.readouts.loading.Readout.predict`, and if the output has another ending.
    """
    if Path(output).suffix not in FORMATS:
        raise InputError(f"--output {output}: unknown ending; use one of {shown(FORMATS)}")
    loaded = load_readout(readout, weights)
    modality = MODALITIES[loaded.attributes["stimuli"]["modality"]]
    listing = list_files(Path(stimuli), modality.suffixes, "--stimuli", modality.name)
    listing.warn(f"--stimuli: {stimuli}")
    progress = Progress(f"predict {loaded.path.name}", len(listing.files), modality.name)
    tables = []
    for start in range(0, len(listing.files), batch_size):
        files = listing.files[start : start + batch_size]
        tables.append(_predict_files(loaded, Path(stimuli), files, device, batch_size))
        progress.advance(len(files))
    table = pd.concat(tables, ignore_index=True)
    with writing(output) as unfinished:
        if Path(output).suffix == ".csv":
            table.to_csv(unfinished, index=False, lineterminator="\n")
        else:
            write_parquet(table, unfinished)


def _predict_files(loaded: Readout, folder: Path, files: Sequence[str], device: str, batch_size: int) -> pd.DataFrame:
    with ExitStack() as stack:
        open_file = stack.enter_context(opener(folder))
        streams = [stack.enter_context(open_file(file)) for file in files]
        for stream, file in zip(streams, files, strict=True):
            # Files inside a zip have no name, which messages need.
            if not hasattr(stream, "name"):
                stream.name = f"{folder}: {file}"
        predicted = loaded.predict(streams, device=device, batch_size=batch_size)
    names = map(place_of, predicted["neuroid"].values, predicted["time_bin"].values)
    table = pd.DataFrame(predicted.values, columns=list(names))
    table.insert(0, "stimulus", files)
    return table
