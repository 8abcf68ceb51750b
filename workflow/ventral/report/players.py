"""Show some stimuli on the page that can be played, such as sounds."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np

from ventral.stimuli.modality import declared_modality
from ventral.store import read_dataset

MOST_PLAYED = 12


def read_players(stimuli: Sequence[Path]) -> list[tuple[str, str]]:
    """Return the names of at most `MOST_PLAYED` stimuli, evenly spaced in each set, and a data URI of each.

    Parameters
    ----------
    stimuli : sequence of paths
        Stores of sets whose modality has `playable`.
    """
    n_each = max(1, MOST_PLAYED // max(1, len(stimuli)))
    return [player for path in stimuli[:MOST_PLAYED] for player in _players_of_set(path, n_each)]


def _players_of_set(path: Path, count: int) -> list[tuple[str, str]]:
    dataset = read_dataset(path)
    modality, n = declared_modality(dataset.attrs, str(path)), dataset.sizes["stimulus"]
    rows = np.unique(np.linspace(0, n - 1, min(count, n)).round().astype(int))
    chosen = dataset[modality.array][rows].values
    names = [f"{dataset.attrs['name']}: {name}" for name in dataset["stimulus"].values[rows]]
    return list(zip(names, modality.playable(chosen, modality.kept(dataset.attrs)), strict=True))


def players_section(players: Sequence[tuple[str, str]]) -> str:
    """Return the HTML of players, with a name and a data URI each; nothing without players."""
    if not players:
        return ""
    drawn = "".join(
        f'<figure><figcaption>{escape(name)}</figcaption><audio controls preload="none" aria-label="{escape(name)}" '
        f'src="{source}"></audio></figure>'
        for name, source in players
    )
    return (
        '<section id="played" aria-labelledby="played-title"><h2 id="played-title">Stimuli to play</h2>'
        '<p class="caption">Some stimuli of each set, as models hear them, compressed for this page. Only the first '
        f'seconds of long ones are here.</p><div class="panels">{drawn}</div></section>'
    )
