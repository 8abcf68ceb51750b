"""What the page is made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd


@dataclass(frozen=True)
class Results:
    """All that the page is made of.

    Attributes
    ----------
    scores : DataFrame
        Score table.
    layers, categorisation, claims : DataFrame
        What these figures and this table show; `layers` from `ventral.report.summary.layer_table`.
    recordings : list of dict
        From `ventral.report.methods.read_recording`.
    settings : mapping
        As for `ventral.report.methods.methods`.
    records : list of dict
        Of all jobs.
    audit : dict or None
        What the audit found.
    ranking, best_layers, explicitness : DataFrame or None
        Where there are any.
    figures : sequence of paths
        SVG files that are shown as they are.
    """

    scores: pd.DataFrame
    layers: pd.DataFrame
    categorisation: pd.DataFrame
    claims: pd.DataFrame
    recordings: Sequence[Mapping]
    settings: Mapping
    records: Sequence[dict]
    audit: dict | None = None
    ranking: pd.DataFrame | None = None
    best_layers: pd.DataFrame | None = None
    explicitness: pd.DataFrame | None = None
    figures: Sequence[Path] = ()
