"""Synthesise images for which two models of the same neurons predict responses that differ most."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ventral.errors import InputError, allowed_instead
from ventral.in_silico.driving import look_of
from ventral.in_silico.next_experiment import questions
from ventral.in_silico.pool import predictions_for
from ventral.recordings.time_bins import place_of, read_recording
from ventral.stimuli.images import read_pixels

if TYPE_CHECKING:
    from torch import Tensor

    from ventral.in_silico.ascent import Search
    from ventral.readouts.loading import Readout


def controversial_images(
    readouts: "Sequence[Readout]",
    recording: str | Path,
    stimuli: str | Path,
    place: str,
    *,
    n_images: int,
    seed: int,
    reliability_threshold: float,
    search: "Search",
    device: str = "auto",
) -> NDArray[np.uint8]:
    """Return images (n_images, 3, height, width) that tell two readouts of the same neurons apart.

    Gradient ascent on the pixels raises the expected log likelihood ratio of a trial, as
    `ventral.in_silico.discrimination` defines it (Golan, Raju and Kriegeskorte 2020, PNAS 117:29330). Mean and contrast
    are those of the recording's stimuli, and pixels stay within their range.

    Parameters
    ----------
    readouts : sequence of two Readouts
        From `ventral.load_readout`.
    recording, stimuli : paths
        Stores of the recording that the readouts are of, and of its stimuli.
    place : str
        Area of the neurons, with its time bin where the recording has several: 'IT' or 'IT, 70-90'.
    n_images : int
        Number of images, which start from different noise.
    seed : int
        Seed of the noise and of the random transformations.
    reliability_threshold : float
        Neuroids of a lower reliability are left out.
    search : Search
        From `ventral.in_silico.ascent`.
    device : str
        'auto', 'cpu' or 'cuda'.

    Raises
    ------
    InputError
        If there are not two readouts of the same neuroids, the recording has no repetitions, or the area is unknown.
    """
    from ventral.in_silico.ascent import ascend
    from ventral.running.devices import choose_device

    if len(readouts) != 2:
        raise InputError(f"readouts: {len(readouts)}; two are right")
    device, responses = choose_device(device), read_recording(recording)
    # Noise and accuracy do not depend on the stimuli of this prediction.
    predicted = predictions_for(readouts, read_pixels(stimuli, 0, 1), ["first"], device=device)
    asked = {
        place_of(question.place["area"], question.place["time_bin"]): question
        for question in questions(predicted, responses, reliability_threshold)
    }
    if place not in asked:
        raise InputError(f"place: no reliable neuroids of {place!r}; {allowed_instead(place, asked)}")
    question = asked[place]
    _, noise, unexplained = question.compared((0, 1))
    first, second = (
        readout.differentiable(question.neuroids, question.place["time_bin"] or None, device=device)
        for readout in readouts
    )

    def log_ratio(images: "Tensor") -> "Tensor":
        differences = first(images) - second(images)
        return (differences.square() / differences.new_tensor(noise + unexplained)).sum(dim=1) / 2

    shown = np.flatnonzero(np.isfinite(responses["responses"].values).any(axis=(0, 2)))
    look = look_of(Path(stimuli), shown)
    return ascend(log_ratio, look, search, [None] * n_images, seed=seed, device=device)
