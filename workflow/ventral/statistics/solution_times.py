"""Compare the solution times of stimuli that are a challenge to a model with those of controls.

Subjects recognise challenge stimuli better than the model does, and so often better than controls, too. Neurons reach a
higher accuracy later. The difference at equal behaviour is the coefficient of `challenge` in a linear regression of the
solution time on `challenge` and the subjects' i1.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ventral.mappings.solution_times import CHALLENGE, CONTROL, NEVER
from ventral.outputs import writing
from ventral.statistics.groups import FEWEST_UNITS
from ventral.tables import read_parquet

PLACE = ["recording", "behaviour", "area", "split", "model", "layer"]
COLUMNS = [*PLACE, "n_neuroids", "n_stimuli", "n_solved", "n_never", "reliability"]
COLUMNS += [f"{what}_{kind}" for kind in (CONTROL, CHALLENGE) for what in ("n", "n_never", "time")]
COLUMNS += [f"{name}{end}" for name in ("difference", "at_equal_i1") for end in ("", "_low", "_high")]


def later_challenges(tables: Sequence[Path], output: Path, n_bootstrap: int, seed: int) -> None:
    """Write how much later challenge stimuli are solved than controls, for each area and model.

    Parameters
    ----------
    tables : sequence of paths
        Tables of `ventral.decoding.solution_times.solution_times`.
    output : path
        CSV to write, with `COLUMNS`. Times are means in ms over solved stimuli. `n_never` counts stimuli that are never
        solved. `difference` is challenge less control, and `at_equal_i1` the same at equal behaviour. Each has its 95 %
        interval over bootstrap samples of the stimuli. Both are NaN with fewer than five solved stimuli of a kind.
    n_bootstrap, seed : int
        Number of bootstrap samples, and seed of their draw.
    """
    table = pd.concat(map(read_parquet, tables), ignore_index=True)
    rows = [
        dict(zip(PLACE, key, strict=True)) | compared(rows, n_bootstrap, seed)
        for key, rows in table.groupby(PLACE, sort=False)
    ]
    with writing(output) as unfinished:
        pd.DataFrame(rows, columns=COLUMNS).to_csv(unfinished, index=False, lineterminator="\n")


def compared(rows: pd.DataFrame, n_bootstrap: int, seed: int) -> dict[str, float]:
    """Return numbers, times and differences of the stimuli of an area for one model, without `PLACE`."""
    never, solved = rows["outcome"] == NEVER, rows["solution_time"].notna()
    found = {"n_neuroids": rows["n_neuroids"].iloc[0], "n_stimuli": len(rows), "n_solved": solved.sum()}
    found |= {"n_never": never.sum(), "reliability": rows["reliability"].iloc[0]}
    for kind in (CONTROL, CHALLENGE):
        mine = rows["kind"] == kind
        found |= {f"n_{kind}": mine.sum(), f"n_never_{kind}": (mine & never).sum()}
        found[f"time_{kind}"] = rows.loc[mine, "solution_time"].mean()
    taken = rows[solved & (rows["kind"] != "")]
    times, challenge = taken["solution_time"].to_numpy(float), (taken["kind"] == CHALLENGE).to_numpy(float)
    numbers = min(challenge.sum(), len(challenge) - challenge.sum())
    values = np.full((n_bootstrap + 1, 2), np.nan)
    if numbers >= FEWEST_UNITS:
        rng, n = np.random.default_rng(seed), len(taken)
        samples = [np.arange(n), *rng.integers(n, size=(n_bootstrap, n))]
        i1 = taken["i1"].to_numpy(float)
        values = np.array([_differences(times[rows], challenge[rows], i1[rows]) for rows in samples])
    low, high = np.percentile(values[1:], [2.5, 97.5], axis=0)
    for k, name in enumerate(("difference", "at_equal_i1")):
        found |= {name: values[0, k], f"{name}_low": low[k], f"{name}_high": high[k]}
    return found


def _differences(times: NDArray, challenge: NDArray, i1: NDArray) -> list[float]:
    """Return the mean time of challenge less that of control, and the same at equal i1."""
    columns = [challenge, np.ones_like(challenge), i1]
    return [float(np.linalg.lstsq(np.column_stack(columns[:k]), times, rcond=None)[0][0]) for k in (2, 3)]
