"""Whether models predict responses before the stimulus appeared, which only a mistake can bring about."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd

from ventral.outputs import writing
from ventral.recordings.time_bins import BASELINE
from ventral.tables import read_parquet

logger = logging.getLogger("ventral")

# What each median is of, and among what its layer is chosen.
GROUP = ["recording", "area", "split", "mapping", "model"]
READ = [*GROUP, "family", "layer", "time_bin", "target_kind", "n_stimuli", "r"]
LEVEL = 0.05
COLUMNS = [*GROUP, "layer", "n_neuroids", "n_stimuli", "r", "largest_by_chance", "near_zero"]


def baselines(scores: str | Path, output: str | Path) -> None:
    """Write how well models predict the bin `baseline` of each area, at the layer that predicts the bin best.

    Where responses do not depend on the stimulus, the r of a neuroid over n held-out stimuli has a standard error of
    1 / sqrt(n) around 0. Neuroids share trials, so the median over them is taken to vary as much as one of them.
    `largest_by_chance` is the value that the largest of all layers' medians exceeds in 5 % of experiments at most
    (Bonferroni). All neuroids count, reliable or not: there should be no reliable ones.

    Parameters
    ----------
    scores : path
        The score table.
    output : path
        CSV: a row for each recording, area, split, mapping and model, recorded areas not among these.
    """
    table = read_parquet(scores, READ)
    table = table[
        (table["time_bin"] == BASELINE) & (table["target_kind"] == "neuron") & (table["family"] != "recorded")
    ]
    rows = [_worst_layer(group, rows) for group, rows in table.dropna(subset="r").groupby(GROUP, sort=True)]
    found = pd.DataFrame(rows, columns=COLUMNS)
    for row in found.itertuples():
        say, verdict = (logger.info, "near 0") if row.near_zero else (logger.warning, "more than chance makes of it")
        say(
            "baseline of %s, %s: median r of %d neuroids %.3f by %s (%s, %s), %s: at most %.3f by chance%s",
            row.recording,
            row.area,
            row.n_neuroids,
            row.r,
            f"{row.model} {row.layer}",
            row.mapping,
            row.split,
            verdict,
            row.largest_by_chance,
            "" if row.near_zero else "; look at the time of onset, and at an order of stimuli that repeats",
        )
    with writing(output) as unfinished:
        found.to_csv(unfinished, index=False)


def _worst_layer(group: tuple[str, ...], rows: pd.DataFrame) -> tuple:
    """Return the row of a group: the layer with the largest median over neuroids."""
    from scipy.special import ndtri

    medians = rows.groupby("layer", sort=False)["r"].median()
    layer, n_stimuli = medians.idxmax(), int(rows["n_stimuli"].min())
    largest = -ndtri(LEVEL / len(medians)) / np.sqrt(n_stimuli)
    n_neuroids = int((rows["layer"] == layer).sum())
    r = medians[layer]
    return (*group, layer, n_neuroids, n_stimuli, r, largest, bool(r <= largest))
