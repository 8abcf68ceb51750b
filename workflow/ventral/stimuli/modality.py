"""The modalities of stimuli, with the functions that read each, prepare it for networks, and draw it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ventral.errors import InputError, allowed_instead
from ventral.stimuli import images, sounds, variation

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from torch import Tensor


VALUES_OF_OUTLINE = 1024


@dataclass(frozen=True)
class Baseline:
    """The baseline representation, which consists of the stimuli themselves and which every model has to beat.

    Attributes
    ----------
    name : str
        Name of the model, and of its only layer.
    features : callable
        Returns features (n, ...), given stimuli (n, ...) of the set's store and the model.
    sentence : str
        Sentence for the methods, with `{models}` for the names of such models.
    options : dict
        Defaults for this model that differ from those of the modality's `model_options`.
    uses : tuple of str
        Names of the modality's `model_options` that have an effect on the model.
    references : dict of str
        References, by their citations in `sentence`.
    taken : str
        End of a sentence about the model that tells how stimuli are used, including the options in `uses`.
    """

    name: str
    features: Callable[[NDArray, dict], NDArray]
    taken: str
    sentence: str
    options: Mapping[str, object] = field(default_factory=dict)
    uses: tuple[str, ...] = ()
    references: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Training:
    """Functions that keep stimuli in memory for training, vary them at random, and show them to a network.

    Attributes
    ----------
    kept : callable, optional
        Returns what training keeps of stimuli, given stimuli (n, ...) of the store and the model. By default, it is the
        input of the network.
    shown : callable
        Returns the input of the network, given kept stimuli on any device, and the model without `stimuli`.
    drawn : callable
        Returns random numbers, a tuple of arrays (n, ...). Its arguments are a NumPy generator, the number of stimuli
        in an epoch, and the shape of a kept stimulus.
    varied : callable
        Returns kept stimuli (n, ...), each varied by its random numbers, given kept stimuli and their numbers on any
        device, and the model without `stimuli`.
    variation : str
        Sentence for the methods about this variation; empty if there is none.
    """

    kept: "Callable[[Tensor, dict], Tensor] | None" = None
    shown: "Callable[[Tensor, dict], Tensor]" = lambda kept, _spec: kept
    drawn: Callable[[np.random.Generator, int, tuple[int, ...]], tuple[NDArray, ...]] = lambda *_: ()
    varied: "Callable[[Tensor, Sequence[Tensor], dict], Tensor]" = lambda kept, _numbers, _spec: kept
    variation: str = ""


def as_stored(stimuli: NDArray, shape: tuple[int, ...], _options: Mapping) -> NDArray:
    """Return stimuli (n, ...) given in Python, in the form of the store of a set.

    Raises
    ------
    InputError
        If the stimuli have another shape.
    """
    stimuli = np.asarray(stimuli)
    if stimuli.shape[1:] != tuple(shape):
        raise InputError(f"stimuli: an array of shape {stimuli.shape}; right is (n, {', '.join(map(str, shape))})")
    return stimuli


def evenly_spaced(stimuli: NDArray) -> NDArray:
    """Return evenly spaced values (n, at most 1,024) of stimuli (n, ...)."""
    flat = stimuli.reshape(len(stimuli), -1)
    return flat[:, :: -(-flat.shape[1] // VALUES_OF_OUTLINE)]


@dataclass(frozen=True)
class Modality:
    """The declaration of a kind of stimuli.

    Attributes
    ----------
    name : str
        Plural name of the stimuli, which is also the config key of their folder or zip in a stimulus set.
    unit : str
        Singular name of a stimulus.
    meaning : str
        Description of that config key.
    suffixes : collection of str
        Suffixes of files, in lower case.
    array : str
        Name of the stimuli in the store of a set.
    axes : tuple of str
        Names of the axes of one stimulus in the store.
    dtype : str
        Type of the numbers in the store.
    common_shape : callable
        Returns the shape of every stimulus. Its arguments are the set's description, a function that opens a file, the
        files, and a function that maps another function over them in threads.
    decode : callable
        Returns a stimulus of that shape in the form of the store. Its arguments are the set's description, a function
        that opens a file, the file, the shape, and a function that takes remarks. One warning names all files with the
        same remark. It raises InputError, without the file's name, for unusable files.
    any_shape : tuple of int
        Shape of example stimuli for listing the layers of a network before there is a set.
    examples : callable
        Returns stimuli (n, ...) in the form of the store, given their number, shape and a seed. Their values are about
        as large as natural ones. The same seed gives the same stimuli, and fewer stimuli are the first of more.
    prepare : callable
        Returns the float32 input of a network, given stimuli (n, ...) of the store, on any device, and the model.
    reduced : callable
        Returns the features (n, ...) of a layer, given its module, the module's output (n, ...), and the model.
    baseline : Baseline
        Model whose features are the stimuli themselves.
    preview : callable
        Draws one stimulus of the store, to fill axes. Its arguments are these, the stimulus, and the `kept_options`.
    playable : callable, optional
        Returns a data URI of each of some stimuli (n, ...) of the store for the page, given these and the
        `kept_options`. None for stimuli that are seen on the contact sheet.
    given : callable
        Returns stimuli (n, ...) in the form of the store. Its arguments are an array, or a list such as of opened
        files, the shape of a stimulus, and the options from `stored`. It raises InputError for stimuli of another shape
        or range.
    outlines : callable
        Returns a few hundred numbers (n, p) by which near-duplicates are recognised, given stimuli (n, ...) of the
        store.
    set_options : dict of dicts
        Schema of the options of a stimulus set, by name: type, meaning as `description`, and `default` if there is one.
    kept_options : tuple of str
        Names of the `set_options` that `prepare` reads, under `stimuli` in the model. The store has them as attributes.
    given_options : tuple of str
        Names of the `set_options` that `given` reads besides. The store has them as attributes, too.
    paired_options : tuple of str
        Names of the `kept_options` that have an effect only if the model has an option of the same name, which needs
        the set's.
    model_options : dict of dicts
        Schema of the options of a model that `prepare` reads, by name. Each also has a `default`, and `without`, the
        documented default for architectures that have their own.
    without_effect : callable
        Returns the reason why an option has no effect on a model, given both; empty if it has an effect.
    check_model : callable
        Raises InputError for options of a model that cannot work, given the model and its config key.
    doubt : callable
        Returns a warning about a model on stimuli of a set, given the model and the set's description; empty if there
        is none.
    form : str
        Sentence about stimuli of a set as models get them, with `{set}` and options from `stored`; empty if the shape
        says everything.
    hint : callable
        Returns advice for a network that fails on such stimuli, given its error message; empty if there is none.
    training : Training
        How training keeps, varies and shows stimuli. By default, networks are shown the same inputs in every epoch.
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
    preview: Callable[["Axes", NDArray, Mapping], None]
    playable: Callable[[NDArray, Mapping], list[str]] | None = None
    reduced: Callable[[object, "Tensor", dict], "Tensor"] = lambda _module, output, _spec: output
    given: Callable[[NDArray | Sequence, tuple[int, ...], Mapping], NDArray] = as_stored
    outlines: Callable[[NDArray], NDArray] = evenly_spaced
    set_options: Mapping[str, dict] = field(default_factory=dict)
    kept_options: tuple[str, ...] = ()
    given_options: tuple[str, ...] = ()
    paired_options: tuple[str, ...] = ()
    model_options: Mapping[str, dict] = field(default_factory=dict)
    without_effect: Callable[[str, dict], str] = lambda _option, _spec: ""
    check_model: Callable[[dict, str], None] = lambda _spec, _key: None
    doubt: Callable[[dict, Mapping], str] = lambda _spec, _options: ""
    form: str = ""
    hint: Callable[[str], str] = lambda _message: ""
    training: Training = field(default_factory=Training)

    @property
    def attributes(self) -> dict[str, str]:
        """Attributes that mark a store or a model as of this modality; empty for images, the default."""
        return {} if self.name == FIRST else {"modality": self.name}

    def kept(self, options: Mapping) -> dict[str, object]:
        """Return the `kept_options` among options of a set, or among attributes of its store, or their defaults."""
        return self._taken(options, self.kept_options)

    def stored(self, options: Mapping) -> dict[str, object]:
        """Return the `kept_options` and the `given_options`, as `kept` does."""
        return self._taken(options, (*self.kept_options, *self.given_options))

    def formed(self, name: str, options: Mapping) -> str:
        """Return the sentence `form` about a set, given its name and its options, or attributes of its store."""
        return self.form.format(set=name, **self.stored(options))

    def _taken(self, options: Mapping, names: Sequence[str]) -> dict[str, object]:
        found = {name: options.get(name, self.set_options[name].get("default")) for name in names}
        return {name: value for name, value in found.items() if value is not None}


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
            taken="which are taken as they are, with `size`, `interpolation` and `degrees` alone",
            sentence="The features of {models} were the values of the stimuli's pixels.",
            options={"size": None, "mean": [0.0] * 3, "std": [1.0] * 3},
            uses=("size", "interpolation", "degrees"),
        ),
        preview=images.preview,
        given=images.given,
        outlines=images.outlines,
        set_options=images.SET_OPTIONS,
        kept_options=("degrees",),
        paired_options=("degrees",),
        model_options=images.MODEL_OPTIONS,
        without_effect=images.without_effect,
        hint=images.hint,
        training=Training(
            kept=images.resize,
            shown=images.prepare,
            drawn=variation.drawn_moves,
            varied=variation.moved_images,
            variation="Images were mirrored at random in training, and shifted by up to an eighth of their side.",
        ),
    ),
    "sounds": Modality(
        name="sounds",
        unit="sound",
        meaning="Folder or zip of sounds, or several: WAV, FLAC, OGG or MP3, of any rate "
        "([Score sounds](../docs/sounds.md)).",
        suffixes=sounds.SUFFIXES,
        array=sounds.WAVEFORM,
        axes=sounds.AXES,
        dtype="float32",
        common_shape=sounds.common_shape,
        decode=sounds.decode,
        any_shape=(round(sounds.RATE * sounds.SECONDS),),
        examples=sounds.examples,
        prepare=sounds.prepare,
        reduced=sounds.reduced,
        baseline=Baseline(
            name="cochleagram",
            features=sounds.cochleagram_features,
            taken="which is the cochleagram of the sounds, with `rate` and `over_time` alone",
            options={"input": sounds.COCHLEAGRAM, "rate": sounds.RATE},
            sentence=(
                "The features of {models} were the values of the cochleagrams of the stimuli (Feather et al. 2023)."
            ),
            uses=("rate", "over_time"),
            references={
                "Feather et al. 2023": (
                    "Feather J, Leclerc G, Mądry A, McDermott JH (2023). Nature Neuroscience 26:2017."
                )
            },
        ),
        preview=sounds.preview,
        playable=sounds.playable,
        given=sounds.given,
        outlines=sounds.outlines,
        set_options=sounds.SET_OPTIONS,
        kept_options=("rate",),
        given_options=("seconds", "level"),
        model_options=sounds.MODEL_OPTIONS,
        check_model=sounds.check_model,
        doubt=sounds.doubt,
        form="Sounds of {set} were waveforms of {seconds:g} s with one channel and {rate:,} samples per second. Their "
        "mean was 0, and the root of their mean square was {level:g}, before any padding.",
        training=Training(
            kept=variation.kept_sounds,
            shown=lambda kept, _spec: kept.float(),
            drawn=variation.drawn_delays,
            varied=variation.delayed_sounds,
            variation="Sounds were shifted at random in training, by up to an eighth of their length, and made up to "
            "6 dB louder or softer.",
        ),
    ),
}

# Ways to make stimuli, beside folders of them, and the modality of what is made.
RENDER, SYNTHESIS = "render", "synthesis"
WAYS_TO_MAKE = {RENDER: FIRST, SYNTHESIS: "sounds"}


def declared_modality(attributes: Mapping, place: str) -> Modality:
    """Return the modality in a store's attributes or a model's description; images by default.

    Raises
    ------
    InputError
        If the modality is not known; `place` is the file in the message.
    """
    name = attributes.get("modality", FIRST)
    if name not in list(MODALITIES):
        raise InputError(f"{place}: the modality {name!r} is not known; {allowed_instead(str(name), MODALITIES)}")
    return MODALITIES[name]


def modality_shown(spec: Mapping) -> Modality:
    """Return the modality of a stimulus set, given its description in the config."""
    made = next((name for way, name in WAYS_TO_MAKE.items() if way in spec), FIRST)
    return next((modality for name, modality in MODALITIES.items() if name in spec), MODALITIES[made])


def is_table_alone(spec: Mapping) -> bool:
    """Tell whether a stimulus set has names and properties, and no files."""
    return "table" in spec and not any(way in spec for way in (*MODALITIES, *WAYS_TO_MAKE))
