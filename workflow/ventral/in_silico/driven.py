"""Summarise images that drive neurons over the neurons of each area."""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ventral.in_silico.images import CONFIRMED, KINDS, SYNTHESISED, TABLE
from ventral.outputs import writing
from ventral.tables import read_parquet

PANEL = ["recording", "area", "time_bin", "objective"]
MEASURES = ("drive", "judged_drive", "gain", "judged_gain")
LOWEST, HIGHEST = 2.5, 97.5


def drive_summary(driven: Path, output: Path, n_bootstrap: int, seed: int) -> None:
    """Write the mean drive of each kind of image over the neurons of an area, with intervals.

    Parameters
    ----------
    driven : path
        Folder from `ventral.in_silico.driving.drive`.
    output : path
        CSV file to write, as `summary` describes.
    n_bootstrap : int
        Number of bootstrap samples.
    seed : int
    """
    with writing(output) as unfinished:
        found = summary(read_parquet(Path(driven) / TABLE), n_bootstrap, seed)
        found.to_csv(unfinished, index=False, lineterminator="\n")


def summary(table: pd.DataFrame, n_bootstrap: int, seed: int) -> pd.DataFrame:
    """Return the means over neurons of the images of each kind.

    Parameters
    ----------
    table : DataFrame
        From `ventral.in_silico.driving.Experiment.rows_of`.
    n_bootstrap : int
        Number of bootstrap samples.
    seed : int

    Returns
    -------
    DataFrame
        A row for each area, objective and kind of image, with the number of neuroids and images. Then come the means of
        `drive`, `judged_drive`, `gain` and `judged_gain`, and the ends of 95 % intervals for other neurons and, within
        neurons, other seeds. `share` is the mean gain under the judge over that under the network itself. It is NaN
        if the network itself sees no gain. `n_confirmed` counts the images whose gain both networks see, and `n_beyond`
        those outside the measured responses.
    """
    rows = []
    for place, panel in table.groupby(PANEL, sort=False):
        for kind in KINDS:
            images = panel[panel["kind"] == kind]
            if len(images):
                named = dict(zip(PANEL, place, strict=True), model=images["model"].iloc[0])
                rows.append(
                    named | {"judge": images["judge"].iloc[0], "kind": kind} | _means_of(images, n_bootstrap, seed)
                )
    return pd.DataFrame(rows)


def _means_of(images: pd.DataFrame, n_bootstrap: int, seed: int) -> dict[str, float]:
    values = images.pivot(index="neuroid", columns="seed", values=list(MEASURES))
    # (measures, neuroids, seeds)
    values = np.stack([values[measure].to_numpy() for measure in MEASURES])
    samples = resampled_means(values, n_bootstrap, seed)
    found = {"n_neuroids": values.shape[1], "n_images": len(images)}
    for measure, mean, sampled in zip(MEASURES, values.mean(axis=(1, 2)), samples, strict=True):
        low, high = np.percentile(sampled, [LOWEST, HIGHEST])
        found |= {measure: mean, f"{measure}_low": low, f"{measure}_high": high}
    is_synthesised = images["kind"].iloc[0] == SYNTHESISED
    of_gain = dict(zip(MEASURES, zip(values.mean(axis=(1, 2)), samples, strict=True), strict=True))
    shares = _share(*(of_gain[name][0] for name in ("judged_gain", "gain")))
    low, high = np.percentile(_share(*(of_gain[name][1] for name in ("judged_gain", "gain"))), [LOWEST, HIGHEST])
    return found | {
        "share": float(shares) if is_synthesised else np.nan,
        "share_low": low if is_synthesised else np.nan,
        "share_high": high if is_synthesised else np.nan,
        "n_confirmed": int((images["verdict"] == CONFIRMED).sum()),
        "n_beyond": int(images["beyond_seen"].sum()),
    }


def _share(judged: NDArray | float, own: NDArray | float) -> NDArray[np.float64]:
    own = np.asarray(own, float)
    return np.divide(judged, own, out=np.full(own.shape, np.nan), where=own > 0)


def resampled_means(values: NDArray[np.float64], n_bootstrap: int, seed: int) -> NDArray[np.float64]:
    """Return the means (measures, n_bootstrap) over neuroids and seeds that are both drawn with replacement.

    Seeds are drawn anew within each drawn neuroid.

    Parameters
    ----------
    values : (measures, neuroids, seeds) array
    n_bootstrap : int
    seed : int
    """
    rng = np.random.default_rng(seed)
    _, n_neuroids, n_seeds = values.shape
    neuroids = rng.integers(0, n_neuroids, (n_bootstrap, n_neuroids, 1))
    seeds = rng.integers(0, n_seeds, (n_bootstrap, n_neuroids, n_seeds))
    return values[:, neuroids, seeds].mean(axis=(2, 3))
