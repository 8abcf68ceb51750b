"""Warn of what a config allows and a user may not want, before any job starts."""

from collections import defaultdict
from collections.abc import Iterator

from ventral.configuration.resolution import models_of
from ventral.errors import shown
from ventral.models.zoo import modality_asked
from ventral.stimuli.modality import SYNTHESIS


def doubts(config: dict) -> Iterator[str]:
    """Yield each warning about a config.

    Parameters
    ----------
    config : dict
        From `ventral.configuration.resolution.resolve`.
    """
    yield from _doubts_of_modalities(config)
    yield from _shared_renditions(config)


def _doubts_of_modalities(config: dict) -> Iterator[str]:
    shown_to = [
        (recording["stimuli"], config["models"][model])
        for name, recording in config["recordings"].items()
        for model in models_of(config, name)
    ]
    shown_to += [(training["stimuli"], training["network"]) for training in config["trainings"].values()]
    models = defaultdict(list)
    for stimuli, spec in shown_to:
        if doubt := modality_asked(spec).doubt(spec, config["stimuli"][stimuli]):
            models[stimuli, doubt].append(spec["name"])
    for (stimuli, doubt), names in models.items():
        yield f"config key stimuli.{stimuli}: {doubt} (models: {shown(list(dict.fromkeys(names)))})"


def _shared_renditions(config: dict) -> Iterator[str]:
    """Warn of synthesised sets with other renditions of the same words or phrases, one trained on and one tested."""
    for name, training in config["trainings"].items():
        for tested in training["tested"]:
            trained, other = (config["stimuli"][key].get(SYNTHESIS) for key in (training["stimuli"], tested))
            if not (trained and other):
                continue
            from ventral.stimuli.synthesis import shared_sources

            if sources := shared_sources(trained, other, training["label"]):
                yield (
                    f"config key models.{name}.train.stimuli: {training['stimuli']} and {tested}, which tests the "
                    f"network, share {shown(sources)}, with the same words or instruments. Only pitch, speed and "
                    f"background differ. Set `first_voice` and `first_phrase` of one set beyond those of the other"
                )
