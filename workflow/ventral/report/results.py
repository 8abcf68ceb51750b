"""Hold the contents of the page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd


@dataclass(frozen=True)
class Results:
    """The contents of the page.

    Attributes
    ----------
    scores : DataFrame
        Score table.
    layers, categorisation, claims : DataFrame
        Rows of these figures and of the table of claims; `layers` from `ventral.report.summary.layer_table`.
    recordings : list of dict
        From `ventral.report.methods.read_recording`.
    settings : mapping
        As for `ventral.report.methods.methods`.
    records : list of dict
        Records of all jobs.
    audit : dict or None
        Result of the audit, None before any audit.
    ranking, best_layers, animals, inter_animal, behaviour, explicitness : DataFrame or None
        Tables of these stages, None where the run made none.
    figures : sequence of paths
        SVG files that the page shows unchanged.
    players : sequence of (str, str)
        Names and data URIs of stimuli that can be played.
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
    animals: pd.DataFrame | None = None
    inter_animal: pd.DataFrame | None = None
    behaviour: pd.DataFrame | None = None
    explicitness: pd.DataFrame | None = None
    figures: Sequence[Path] = ()
    players: Sequence[tuple[str, str]] = ()
