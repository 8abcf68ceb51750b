"""A check of responses before the stimulus, which depend on the stimulus only if the data have a mistake."""

import logging
from typing import TYPE_CHECKING

import numpy as np

from ventral.recordings.axes import NEUROID
from ventral.recordings.time_bins import BASELINE, TIME_BIN

if TYPE_CHECKING:
    import xarray as xr

logger = logging.getLogger("ventral")

# A correlation up to this number of standard errors from 0 counts as chance.
STANDARD_ERRORS = 2


def report_baseline(recording: "xr.Dataset", place: str) -> None:
    """Log the reliability of responses before the stimulus; warn if it exceeds chance.

    By chance, the correlation of two halves over n repeated stimuli is 0 with a standard error of 1 / sqrt(n). The
    formula of Spearman and Brown is applied to this bound. The median over neuroids varies no more than one neuroid
    does.

    Parameters
    ----------
    recording : Dataset
        Result of `ventral.recordings.ingestion.dataset_of`; nothing is logged without a bin `baseline`.
    place : str
        Source of the responses, for messages.
    """
    if TIME_BIN not in recording.dims or BASELINE not in recording[TIME_BIN]:
        return
    reliability = recording["reliability"].sel({TIME_BIN: recording[TIME_BIN] == BASELINE}).values
    if not np.isfinite(reliability).any():
        logger.info("%s: no repetitions, hence no reliability of the baseline", place)
        return
    repeated = (recording["responses"].count("repetition") > 1).any([NEUROID, TIME_BIN])
    of_halves = STANDARD_ERRORS / np.sqrt(int(repeated.sum()))
    found, bound = np.nanmedian(reliability), 2 * of_halves / (1 + of_halves)
    if found <= bound:
        logger.info("%s: median reliability of the baseline: %.2f, at most %.2f by chance", place, found, bound)
        return
    logger.warning(
        "%s: responses in the baseline, before the stimulus appeared, depend on the stimulus: their median reliability "
        "is %.2f, and at most %.2f by chance; check the time of onset, and whether the order of stimuli repeats",
        place,
        found,
        bound,
    )
