"""Check that models do not predict responses before stimulus onset, which would reveal a mistake."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd

from ventral.outputs import writing
from ventral.recordings.time_bins import BASELINE
from ventral.tables import read_parquet

logger = logging.getLogger("ventral")

# Columns that define a group: one median each, of a layer chosen within the group.
GROUP = ["recording", "area", "split", "mapping", "model"]
READ = [*GROUP, "family", "layer", "time_bin", "target_kind", "n_stimuli", "r"]
LEVEL = 0.05
COLUMNS = [*GROUP, "layer", "n_neuroids", "n_stimuli", "r", "largest_by_chance", "near_zero"]


def baselines(scores: str | Path, output: str | Path) -> None:
    """Write how well each model's best layer predicts the time bin `baseline` of each area.

    If responses do not depend on the stimulus, a neuroid's r over n held-out stimuli has a standard error of 1 /
    sqrt(n) around 0. Neuroids share trials, so the median over neuroids is assumed to vary as much as a single neuroid.
    The largest of all layers' medians exceeds `largest_by_chance` in at most 5 % of experiments (Bonferroni). All
    neuroids count, because no neuroid should be reliable before onset.

    Parameters
    ----------
    scores : path
        The score table.
    output : path
        CSV with a row for each recording, area, split, mapping and model. Recorded areas do not count as models.
    """
    table = read_parquet(scores, READ)
    table = table[
        (table["time_bin"] == BASELINE) & (table["target_kind"] == "neuron") & (table["family"] != "recorded")
    ]
    rows = [_worst_layer(group, rows) for group, rows in table.dropna(subset="r").groupby(GROUP, sort=True)]
    found = pd.DataFrame(rows, columns=COLUMNS)
    for row in found.itertuples():
        say, verdict = (logger.info, "near 0") if row.near_zero else (logger.warning, "more than chance explains")
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
            "" if row.near_zero else "; check the time of onset, and whether the order of stimuli repeats",
        )
    with writing(output) as unfinished:
        found.to_csv(unfinished, index=False)


def _worst_layer(group: tuple[str, ...], rows: pd.DataFrame) -> tuple:
    """Return the output row of a group, for the layer with the largest median over neuroids."""
    from scipy.special import ndtri

    medians = rows.groupby("layer", sort=False)["r"].median()
    layer, n_stimuli = medians.idxmax(), int(rows["n_stimuli"].min())
    largest = -ndtri(LEVEL / len(medians)) / np.sqrt(n_stimuli)
    n_neuroids = int((rows["layer"] == layer).sum())
    r = medians[layer]
    return (*group, layer, n_neuroids, n_stimuli, r, largest, bool(r <= largest))
