"""Standard files, made from published files."""

import importlib
import logging
from pathlib import Path

logger = logging.getLogger("ventral")


def unpack(output: Path, *, dataset: str, writer: str, inputs: dict, options: dict) -> None:
    """Write one standard file of a published data set.

    Parameters
    ----------
    output : path
        File to write.
    dataset : str
        Name of the data set, and of its module.
    writer : str
        Name of the writer.
    inputs : dict of str or list of str
        Published files, by the keyword of the writer.
    options : dict
        Further keywords of the writer.

    Raises
    ------
    InputError
        If the files are not as published.
    """
    # The registry would load the modules of all data sets, so that a change of one module would rerun all of them.
    declared = importlib.import_module(f"{__package__}.{dataset}").DATASET
    declared.writers[writer](output, **inputs, **options)
    logger.info("wrote %s of %s, %d bytes", output.name, dataset, output.stat().st_size)
