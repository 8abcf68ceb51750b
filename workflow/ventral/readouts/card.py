"""Write the model card of a readout: its sources, its accuracy, and the conditions of its use."""

import importlib.metadata
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from ventral.stimuli.modality import MODALITIES

# Packages whose versions predictions can depend on.
PACKAGES = ("ventral", "numpy", "scipy", "torch", "torchvision")
LICENCE = (
    "The workflow is under the MIT licence. This licence covers neither the stimuli and responses that the readout was "
    "fitted to, nor the weights of the network. The readout's weights and intercepts derive from all three. Before you "
    "share the readout, check that their licences allow sharing, and name their sources."
)


def described_versions() -> dict[str, str]:
    """Return the installed versions of the packages that predictions can depend on."""
    installed = {distribution.name: distribution.version for distribution in importlib.metadata.distributions()}
    return {name: installed[name] for name in PACKAGES if name in installed}


def model_card(attributes: Mapping, values: Mapping[str, NDArray]) -> str:
    """Return the card of a readout, in Markdown.

    Parameters
    ----------
    attributes : mapping
        Attributes of the readout, as written by `ventral.readouts.making.readout`.
    values : mapping of arrays
        `r`, `reliability` and `predictivity` (splits, neuroids); `penalty` and `n_stimuli` (neuroids,).
    """
    model, layer, stimuli = attributes["model"], attributes["layer"], attributes["stimuli"]
    lines = [
        f"# Readout of {model['name']}, layer {layer['name']}, for {attributes['recording']}",
        "",
        f"Predicts the mean response of each of {len(attributes['neuroid'])} neuroids to a stimulus.",
        "",
        "## Made of",
        "",
        f"- Stimuli: `{stimuli['name']}`, {stimuli['n_stimuli']} {stimuli['modality']}, SHA-256 `{stimuli['sha256']}`.",
        f"- Responses: recording `{attributes['recording']}`, {_span(values['n_stimuli'])} stimuli a neuroid.",
        f"- Network: {model['architecture']}, weights {model['weights'] or 'none'}, SHA-256 of the weights "
        f"`{attributes['weights_sha256'] or 'none'}`; family {attributes['family']}.",
        f"- Layer: `{layer['name']}`, {layer['n_features']} features {tuple(layer['shape'])}, depth "
        f"{layer['depth']:.2f}{_best(attributes['best_of'])}.",
        f"- Fit: ridge regression with an intercept on all stimuli; penalty of each neuroid by cross-validation in "
        f"{attributes['n_folds']} folds (seed {attributes['seed']}), {_span(values['penalty'])}.",
        f"- Versions: {', '.join(f'{name} {version}' for name, version in attributes['versions'].items())}.",
        "",
        "## Valid stimuli",
        "",
        f"- Shape {tuple(stimuli['shape'])} and type {stimuli['dtype']}, as in the fit; other stimuli are refused.",
        f"- Shown to the network after: {_listed(attributes['preprocessing'])}.",
        _form(attributes),
        "",
        "## Accuracy",
        "",
        "Medians over neuroids, on stimuli held out of the fits of the score table. The readout itself was fitted on "
        "all stimuli, so its fit to these stimuli is no test. The ceiling of r is the square root of the reliability.",
        "",
        "| split | area | neuroids | r | reliability | r over its ceiling |",
        "| --- | --- | --- | --- | --- | --- |",
        *_rows_of_accuracy(attributes, values),
        "",
        "## Licence",
        "",
        LICENCE,
    ]
    return "\n".join(lines) + "\n"


def _rows_of_accuracy(attributes: Mapping, values: Mapping[str, NDArray]) -> Iterator[str]:
    places = [
        f"{area}, {time_bin}" if time_bin else area
        for area, time_bin in zip(attributes["area"], attributes["time_bin"], strict=True)
    ]
    for k, split in enumerate(attributes["splits"]):
        for place in dict.fromkeys(places):
            columns = [column for column, other in enumerate(places) if other == place]
            medians = [_median(values[name][k, columns]) for name in ("r", "reliability", "predictivity")]
            yield f"| {split} | {place} | {len(columns)} | {' | '.join(medians)} |"


def _median(values: NDArray) -> str:
    known = values[np.isfinite(values)]
    return f"{np.median(known):.3f}" if len(known) else "not known"


def _span(values: NDArray) -> str:
    """Return the range of some numbers as text."""
    if not len(values):
        return "no"
    low, high = f"{values.min():.4g}", f"{values.max():.4g}"
    return low if low == high else f"{low} to {high}"


def _best(places: list[str]) -> str:
    return f"; the best of the model's layers for {'; '.join(places)}" if places else ""


def _listed(preprocessing: Mapping) -> str:
    return ", ".join(f"{name} {value}" for name, value in preprocessing.items() if name not in ("degrees", "stimuli"))


def _form(attributes: Mapping) -> str:
    stimuli = attributes["stimuli"]
    sentence = MODALITIES[stimuli["modality"]].formed(stimuli["name"], stimuli)
    if sentence:
        return f"- Form: {sentence} Files are brought to this form when they are read."
    return f"- Field of view: {_field_of_view(attributes['preprocessing'])}"


def _field_of_view(preprocessing: Mapping) -> str:
    of_model, of_stimuli = preprocessing.get("degrees"), preprocessing.get("stimuli", {}).get("degrees")
    if of_model is None or of_stimuli is None:
        return (
            "the readout does not know it. Use stimuli of the same visual angle as in the experiment. Nothing is "
            "cropped."
        )
    return (
        f"stimuli are taken to span {of_stimuli:g} degrees in width, and the network's input {of_model:g}. Stimuli are "
        f"padded with grey or cropped around their centre."
    )
