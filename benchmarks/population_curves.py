"""Simulate how often the interval of a population curve contains the score of the whole area.

A score is the mean of standard normal values of the neuroids drawn, so that the score of the whole area is 0.
"""

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from scipy.stats import t

from ventral.decoding.explicit import curve_table, layer_table

SEED, N_EXPERIMENTS = 2, 1000
N_NEUROIDS, SIZES, DRAWS = 12, (1, 2, 4, 8, 12), 20
# By t over draws, with the error of the neuroids themselves left out.
LEVEL = 0.975


def areas_of_experiments(n: int, neuroids: int, sizes: Sequence[int], draws: int = DRAWS) -> pd.DataFrame:
    """Return rows of readouts of experiments, each a target: the mean of the values of the neuroids drawn."""
    rng = np.random.default_rng(SEED)
    common = {"recording": "rec", "simulated": False, "stimuli": "set", "target_kind": "property", "measure": "r"}
    common |= {"chance": 0.0, "split": "stimuli", "noise": "recorded", "matched_area": "", "time_bin": ""}
    common |= {"model": "rec", "family": "recorded", "layer": "IT", "depth": np.nan, "angular_error": np.nan}
    rows = []
    for target in range(n):
        values = 0.1 * rng.normal(size=neuroids)
        for units, draw in itertools.product(sizes, range(draws)):
            score = rng.permutation(values)[:units].mean()
            known = {"target": f"t{target:03d}", "units": units, "matched_units": units == neuroids, "draw": draw}
            rows.append(common | known | {"score": score, "resampled": score})
    return pd.DataFrame(rows)


def simulate() -> Iterator[dict]:
    """Give the shares of experiments whose 95 % interval contains the score of the whole area."""
    rows = areas_of_experiments(N_EXPERIMENTS, N_NEUROIDS, SIZES)
    curves = curve_table(rows, layer_table(rows))
    after = ((curves["low"] <= 0) & (curves["high"] >= 0)).groupby(curves["units"]).mean()
    draws = rows.groupby(["target", "units"])["resampled"].agg(["mean", "std"])
    before = (draws["mean"].abs() <= t.ppf(LEVEL, DRAWS - 1) * draws["std"]).groupby("units").mean()
    for units in SIZES:
        yield {"units": f"{units} of {N_NEUROIDS} neuroids", "before": before[units], "after": after[units]}
