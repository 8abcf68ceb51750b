"""The kinds of stimuli that a set may be of: how each is read, shown to a network, and shown to a reader."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ventral.errors import InputError, allowed_instead
from ventral.stimuli import images

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from torch import Tensor


VALUES_OF_OUTLINE = 1024


@dataclass(frozen=True)
class Baseline:
    """The representation that is nothing but the stimuli themselves, which every model has to beat.

    Attributes
    ----------
    name : str
        Of the model, and of its one layer.
    features : callable
        Features (n, ...) of stimuli (n, ...) as the set's store has them, and of the model.
    sentence : str
        What the methods say of it, with `{models}` for the names of such models.
    options : dict
        Those of the modality's `model_options` whose defaults are others for this model.
    uses : tuple of str
        Those of the modality's `model_options` that change anything about it.
    taken : str
        How stimuli are taken, with what in `uses` changes: the end of a sentence of which its name is the subject.
    """

    name: str
    features: Callable[[NDArray, dict], NDArray]
    taken: str
    sentence: str
    options: Mapping[str, object] = field(default_factory=dict)
    uses: tuple[str, ...] = ()


def as_stored(stimuli: NDArray, shape: tuple[int, ...]) -> NDArray:
    """Return stimuli (n, ...) that somebody has in Python, as the store of a set has them.

    Raises
    ------
    InputError
        If the stimuli are of another shape.
    """
    stimuli = np.asarray(stimuli)
    if stimuli.shape[1:] != tuple(shape):
        raise InputError(f"stimuli: an array of shape {stimuli.shape}; right is (n, {', '.join(map(str, shape))})")
    return stimuli


def evenly_spaced(stimuli: NDArray) -> NDArray:
    """Return values (n, at most 1,024) at even distances of stimuli (n, ...)."""
    flat = stimuli.reshape(len(stimuli), -1)
    return flat[:, :: -(-flat.shape[1] // VALUES_OF_OUTLINE)]


@dataclass(frozen=True)
class Modality:
    """What is declared of a kind of stimuli.

    Attributes
    ----------
    name : str
        What its stimuli are called, several of them. It is also the key of a stimulus set in the config, under which
        their folder or zip stands.
    unit : str
        What one of them is called.
    meaning : str
        Of that key.
    suffixes : collection of str
        How names of files end, in small letters.
    array : str
        Name of the stimuli in the store of a set.
    axes : tuple of str
        Names of the axes of one stimulus in the store.
    dtype : str
        Type of the numbers in the store.
    common_shape : callable
        Shape of every stimulus, of the set's description, a function that opens a file, the files, and a function that
        maps another over them in threads.
    decode : callable
        A stimulus (of that shape) as the store has it, of the set's description, a function that opens a file, the
        file, and the shape. It raises InputError, without the file's name, for a file that cannot be used.
    any_shape : tuple of int
        Shape of stimuli that show which layers a network has, before there is a set.
    examples : callable
        Stimuli (n, ...) as the store of a set has them, of their number, their shape and a seed: always the same, about
        as large in their values as natural ones, and fewer the first of more.
    prepare : callable
        What a network is shown, float32, of stimuli (n, ...) as the store has them, on any device, and the model.
    baseline : Baseline
        The stimuli themselves, as a representation.
    preview : callable
        Draws one stimulus, as the store has it, to fill axes.
    given : callable
        Stimuli (n, ...) as the store has them, of an array that somebody has in Python, or of a list, such as of opened
        files, and the shape of a stimulus. It raises InputError for stimuli of another shape or range.
    outlines : callable
        A few hundred numbers (n, p) by which near-duplicates are told, of stimuli (n, ...) as the store has them.
    set_options : dict of dicts
        Options of a stimulus set by name; each as the schema has it: type, and meaning as `description`.
    model_options : dict of dicts
        Options of a model by name, which `prepare` reads; each as those of a set, with its `default`, and `without`,
        what docs say for it where an architecture has its own.
    without_effect : callable
        Why an option changes nothing about a model, of the option and the model; empty where it does.
    hint : callable
        What may help where a network fails on such stimuli, of the network's message; empty where nothing is known.
    """

    name: str
    unit: str
    meaning: str
    suffixes: frozenset[str]
    array: str
    axes: tuple[str, ...]
    dtype: str
    common_shape: Callable[..., tuple[int, ...]]
    decode: Callable[..., NDArray]
    any_shape: tuple[int, ...]
    examples: Callable[[int, tuple[int, ...], int], NDArray]
    prepare: Callable[["Tensor", dict], "Tensor"]
    baseline: Baseline
    preview: Callable[["Axes", NDArray], None]
    given: Callable[[NDArray | Sequence, tuple[int, ...]], NDArray] = as_stored
    outlines: Callable[[NDArray], NDArray] = evenly_spaced
    set_options: Mapping[str, dict] = field(default_factory=dict)
    model_options: Mapping[str, dict] = field(default_factory=dict)
    without_effect: Callable[[str, dict], str] = lambda _option, _spec: ""
    hint: Callable[[str], str] = lambda _message: ""

    @property
    def attributes(self) -> dict[str, str]:
        """What tells a store or a model of this modality from others: nothing for images, the first there were."""
        return {} if self.name == FIRST else {"modality": self.name}


FIRST = "images"
MODALITIES: dict[str, Modality] = {
    FIRST: Modality(
        name=FIRST,
        unit="image",
        meaning="Folder or zip of images, or several. All images have one size, unless `size` resizes them.",
        suffixes=images.SUFFIXES,
        array=images.PIXELS,
        axes=images.AXES,
        dtype="uint8",
        common_shape=images.common_shape,
        decode=images.decode,
        any_shape=(3, images.ANY_SIZE, images.ANY_SIZE),
        examples=images.examples,
        prepare=images.prepare,
        baseline=Baseline(
            name="pixels",
            features=images.pixel_features,
            taken="which are taken as they are, with `size` and `interpolation` alone",
            sentence="The features of {models} were the values of the stimuli's pixels.",
            options={"size": None, "mean": [0.0] * 3, "std": [1.0] * 3},
            uses=("size", "interpolation"),
        ),
        preview=images.preview,
        given=images.given,
        outlines=images.outlines,
        set_options=images.SET_OPTIONS,
        model_options=images.MODEL_OPTIONS,
        without_effect=images.without_effect,
        hint=images.hint,
    ),
}


def declared_modality(attributes: Mapping, place: str) -> Modality:
    """Return the modality that a store's attributes or a model's description say; images, where they say none.

    Raises
    ------
    InputError
        If no such modality is known; `place` says where it was found.
    """
    name = attributes.get("modality", FIRST)
    if name not in list(MODALITIES):
        raise InputError(f"{place}: the modality {name!r} is not known; {allowed_instead(str(name), MODALITIES)}")
    return MODALITIES[name]


def modality_shown(spec: Mapping) -> Modality:
    """Return the modality of a stimulus set, of its description in the config; rendered stimuli are images."""
    return next((modality for name, modality in MODALITIES.items() if name in spec), MODALITIES[FIRST])


def is_table_alone(spec: Mapping) -> bool:
    """Say whether a stimulus set has names and properties, and no files."""
    return "table" in spec and not any(way in spec for way in (*MODALITIES, "render"))
