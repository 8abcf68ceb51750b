"""Write the methods section of a paper about the run, with the run's own numbers."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ventral.datasets.registry import DATASETS
from ventral.figures.measures import COMPARISONS
from ventral.grams.recorded import FAMILY
from ventral.mappings.registry import MAPPINGS
from ventral.mappings.whitened import WHITENED
from ventral.models.registry import family_of, model_families
from ventral.report.summary import families, has_models
from ventral.scores.halves import HALVINGS
from ventral.statistics.summaries import RECORDED
from ventral.stimuli import cochleagram
from ventral.stimuli.challenges import CHALLENGES
from ventral.stimuli.modality import MODALITIES
from ventral.stimuli.sounds import COCHLEAGRAM
from ventral.targets.reliability import FEWEST_OF_SAMPLE, LARGEST_STANDARD_ERROR
from ventral.targets.selection import chosen
from ventral.targets.splits import held_out
from ventral.training.exclusion import KINDS

FAMILY_IN_WORDS = {
    "pretrained": "with the weights that they come with",
    "trained": "trained to the end",
    "checkpoint": "at earlier stages of training",
    "fitted": "fitted to neurons",
    "untrained": "before training",
    "permuted": "with trained weights shuffled within each tensor",
    "classical": "not trained (baselines and classical controls)",
    "unknown": "whose training is not known",
}
REFERENCES = {
    "Bashivan et al. 2019": "Bashivan P, Kar K, DiCarlo JJ (2019). Science 364:eaav9436.",
    "Albrecht and Hamilton 1982": "Albrecht DG, Hamilton DB (1982). Journal of Neurophysiology 48:217.",
    "Benjamini and Hochberg 1995": "Benjamini Y, Hochberg Y (1995). Journal of the Royal Statistical Society B 57:289.",
    "Box and Hill 1967": "Box GEP, Hill WJ (1967). Technometrics 9:57.",
    "Brown 1910": "Brown W (1910). British Journal of Psychology 3:296.",
    "Cavanaugh et al. 2002": "Cavanaugh JR, Bair W, Movshon JA (2002). Journal of Neurophysiology 88:2530.",
    "Dapello et al. 2020": "Dapello J, Marques T, Schrimpf M, et al. (2020). NeurIPS 33.",
    "De Valois et al. 1982a": "De Valois RL, Yund EW, Hepler N (1982). Vision Research 22:531.",
    "De Valois et al. 1982b": "De Valois RL, Albrecht DG, Thorell LG (1982). Vision Research 22:545.",
    "Dupre la Tour et al. 2022": "Dupre la Tour T, Eickenberg M, Nunez-Elizalde AO, et al. (2022). NeuroImage 264.",
    "Efron 1979": "Efron B (1979). Annals of Statistics 7:1.",
    "Geary 1954": "Geary RC (1954). The Incorporated Statistician 5:115.",
    "Geirhos et al. 2018": "Geirhos R, Temme CRM, Rauber J, et al. (2018). NeurIPS 31:7549.",
    "Geirhos et al. 2020": "Geirhos R, Meding K, Wichmann FA (2020). NeurIPS 33:13890.",
    "Hesterberg 2015": "Hesterberg TC (2015). The American Statistician 69:371.",
    "Hong et al. 2016": "Hong H, Yamins DLK, Majaj NJ, DiCarlo JJ (2016). Nature Neuroscience 19:613.",
    "Hunter and Reiner 1965": "Hunter WG, Reiner AM (1965). Technometrics 7:307.",
    "Kar et al. 2019": "Kar K, Kubilius J, Schmidt K, Issa EB, DiCarlo JJ (2019). Nature Neuroscience 22:974.",
    "Kell et al. 2018": "Kell AJE, Yamins DLK, Shook EN, Norman-Haignere SV, McDermott JH (2018). Neuron 98:630.",
    "Kriegeskorte et al. 2009": "Kriegeskorte N, Simmons WK, Bellgowan PSF, et al. (2009). Nature Neuroscience 12:535.",
    "Lescroart et al. 2015": "Lescroart MD, Stansbury DE, Gallant JL (2015). Front. Comput. Neurosci. 9:135.",
    "Marques et al. 2021": "Marques T, Schrimpf M, DiCarlo JJ (2021). bioRxiv 2021.03.01.433495.",
    "Muzellec and Kar 2025": "Muzellec S, Kar K (2025). Reverse predictivity, of models' units by neurons.",
    "Nayebi et al. 2023": "Nayebi A, Kong NCL, Zhuang C, et al. (2023). PLoS Computational Biology 19:e1011506.",
    "Nili et al. 2014": "Nili H, Wingfield C, Walther A, et al. (2014). PLoS Computational Biology 10:e1003553.",
    "Nunez-Elizalde et al. 2019": "Nunez-Elizalde AO, Huth AG, Gallant JL (2019). NeuroImage 197:482.",
    "Owen 2007": "Owen AB (2007). Annals of Applied Statistics 1:386.",
    "Peacock 1983": "Peacock JA (1983). Monthly Notices of the Royal Astronomical Society 202:615.",
    "Rajalingham et al. 2018": "Rajalingham R, Issa EB, Bashivan P, et al. (2018). Journal of Neuroscience 38:7255.",
    "Ringach 2002": "Ringach DL (2002). Journal of Neurophysiology 88:455.",
    "Ringach et al. 2002": "Ringach DL, Shapley RM, Hawken MJ (2002). Journal of Neuroscience 22:5639.",
    "Romano and Wolf 2005": "Romano JP, Wolf M (2005). Econometrica 73:1237.",
    "Schoppe et al. 2016": "Schoppe O, Harper NS, Willmore BDB, et al. (2016). Front. Comput. Neurosci. 10:10.",
    "Schrimpf et al. 2018": "Schrimpf M, Kubilius J, Hong H, et al. (2018). bioRxiv 407007.",
    "Skottun et al. 1991": "Skottun BC, De Valois RL, Grosof DH, et al. (1991). Vision Research 31:1079.",
    "Spearman 1910": "Spearman C (1910). British Journal of Psychology 3:271.",
    "Walker et al. 2019": "Walker EY, Sinz FH, Cobos E, et al. (2019). Nature Neuroscience 22:2060.",
    "Willeke et al. 2022": "Willeke KF, Fahey PG, Bashiri M, et al. (2022). arXiv:2206.08666.",
    "Yamins et al. 2014": "Yamins DLK, Hong H, Cadieu CF, et al. (2014). PNAS 111:8619.",
    "Zou and Donner 2008": "Zou GY, Donner A (2008). Statistics in Medicine 27:1693.",
    **{dataset.reference: dataset.work for dataset in DATASETS.values()},
    **{key: work for mapping in MAPPINGS.values() for key, work in mapping.references.items()},
    **{key: work for family in model_families().values() for key, work in family.references.items()},
}
SOFTWARE = ("numpy", "scipy", "scikit-learn", "torch", "torchvision", "pandas", "xarray", "zarr", "dask")


def read_recording(path: Path) -> dict:
    """Read the facts that the methods section gives about a recording.

    Returns
    -------
    dict
        `recording`, `stimuli`, `n_stimuli`, `n_repetitions`, `has_repetitions`, `given_ceiling_kind` ('' where no
        ceilings came with the data) and `simulated`. With neuroids also `areas` (number of usable neuroids by area),
        `n_unusable` (number of the others) and `time_bins` (their names, [] without any). With dissimilarity matrices
        also `subjects` (number by area). With behaviour instead `labels`, `n_choices`, `n_subjects` and `has_classes`.
    """
    from ventral.store import read_dataset

    store = read_dataset(path)
    facts = {name: store.attrs[name] for name in ("recording", "stimuli", "n_repetitions", "has_repetitions")}
    facts["given_ceiling_kind"] = store.attrs.get("given_ceiling_kind", "")
    facts |= {"n_stimuli": store.sizes["stimulus"], "simulated": bool(store.attrs.get("simulated", False))}
    if "choice" in store:
        return facts | {
            "labels": store["label"].values.astype(str).tolist(),
            "n_choices": store.sizes["trial"],
            "n_subjects": store.sizes["individual"],
            "has_classes": "label_of_class" in store,
        }
    areas = pd.Series(store["area"].values.astype(str))
    if "dissimilarities" in store:
        return facts | {"subjects": areas.value_counts(sort=False).to_dict()}
    # A neuron is usable if any time bin of it is.
    usable = (store["left_out"].values.astype(str) == "").reshape(len(areas), -1).any(axis=1)
    facts["time_bins"] = store["time_bin"].values.astype(str).tolist() if "time_bin" in store.dims else []
    return facts | {"areas": areas[usable].value_counts(sort=False).to_dict(), "n_unusable": int((~usable).sum())}


def methods(
    scores: pd.DataFrame, settings: Mapping, recordings: Sequence[Mapping], software: Mapping[str, Sequence[str]]
) -> list[tuple[str, str]]:
    """Return the paragraphs of the methods, each with its heading.

    Parameters
    ----------
    scores : DataFrame
        Score table.
    settings : mapping
        Keys of the completed config: `mappings`, `components`, `penalties`, `reliability_threshold`, `bootstrap`,
        `seed`, `folds`, `recorded_models`, `reverse`, `inter_animal`, `banded`, `partitions` and `brainscore`. More
        are `solution_times`, `decoding`, `first_layers`, `tuning` and `drive` (None if off). `splits` has the splits
        with options. `features` says how features are stored. `rendered` has the options of rendered stimulus sets,
        `synthesised` those of synthesised sounds, and `simulated` those of simulated recordings, by name. `trained`
        names the networks trained on labels. `degrees` has the fields of view of `stimuli` and `models`, by name.
        `forms` has the sentence about the form of the stimuli of each set. `inputs` has the kind of input and its rate
        for each model of sounds; the rate is None for that of the set. `averaged_over_time` names the models whose
        features are means over time. `architectures` has the architecture of each model, by name. `groups` names the
        sets summarised over animals. `next_experiment` has its options, and is empty if off.
    recordings : sequence of mappings
        From `read_recording`.
    software : mapping
        Versions of each package that a job used, 'python' and 'ventral' among them.
    """
    kinds = set(scores["target_kind"])
    paragraphs = [
        ("Stimuli and recordings", _describe_recordings(scores, settings, recordings)),
        ("Models", _describe_models(scores, settings, recordings)),
        ("Mapping", _describe_mappings(scores, settings)),
        ("Held-out stimuli", _describe_splits(scores, settings)),
        ("Scores and noise ceilings", _describe_scores(scores, settings, recordings)),
        ("Similarity of representations", _describe_comparisons(scores, settings, recordings)),
        ("Categorisation", _describe_categorisation() if "category" in kinds and has_models(scores) else ()),
        ("Behaviour", _describe_behaviour(settings, recordings) if "behaviour" in kinds else ()),
        ("Explicitness", _describe_decoding(settings) if settings["decoding"] else ()),
        ("Recorded areas as models", _describe_recorded_areas(settings) if FAMILY in set(scores["family"]) else ()),
        ("Next experiment", _describe_next_experiment(settings) if settings["next_experiment"] else ()),
        ("First layers", _describe_first_layers(settings) if settings["first_layers"] else ()),
        ("Recurrence", _describe_recurrence(settings) if settings["recurrence"]["compared"] else ()),
        ("Images that drive neurons", _describe_drive(settings["drive"], settings) if settings["drive"] else ()),
        ("Tuning to gratings", _describe_tuning(settings) if settings["tuning"] else ()),
        ("Other analyses", _describe_other_analyses(settings)),
        ("Statistics", _describe_statistics(scores, settings) if has_models(scores) else ()),
        ("Software", _describe_software(settings, software)),
    ]
    joined = [(heading, " ".join(sentences)) for heading, sentences in paragraphs]
    return [(heading, text) for heading, text in joined if text]


def references(paragraphs: Sequence[tuple[str, str]]) -> list[str]:
    """Return the works that the paragraphs cite, by author."""
    text = " ".join(text for _, text in paragraphs)
    cited = [key for key in REFERENCES if key in text.replace(f"{key}b", "") or (key.endswith("b") and key in text)]
    return sorted(REFERENCES[key] for key in cited)


def plain(paragraphs: Sequence[tuple[str, str]]) -> str:
    """Return the paragraphs as text."""
    return "\n\n".join(f"{heading}. {text}" for heading, text in paragraphs)


def counted(n: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun."""
    return f"{n:,} {noun if n == 1 else plural or f'{noun}s'}"


def listed(words: Sequence[str]) -> str:
    """Return words with commas, and an 'and' before the last."""
    words = list(words)
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""


def _describe_recordings(scores: pd.DataFrame, settings: Mapping, recordings: Sequence[Mapping]) -> Iterator[str]:
    threshold = settings["reliability_threshold"]
    forms = [settings["forms"].get(name) for name in dict.fromkeys(facts["stimuli"] for facts in recordings)]
    for facts in recordings:
        name = facts["recording"]
        shown = (
            f"{counted(facts['n_stimuli'], 'stimulus', 'stimuli')} (set {facts['stimuli']}"
            f"{_rendered(facts, settings)}{_synthesised(facts, settings)})"
        )
        source = next((f" ({data.reference})" for key, data in DATASETS.items() if name.startswith(key)), "")
        if "n_choices" in facts:
            yield (
                f"Recording {name}{source} has {counted(facts['n_choices'], 'choice')} by "
                f"{counted(facts['n_subjects'], 'subject')} among {len(facts['labels'])} labels, of {shown}."
            )
            continue
        if "subjects" in facts:
            areas = listed(
                [
                    f"{area} ({'one matrix' if n == 1 else f'{n} subjects'})"
                    for area, n in sorted(facts["subjects"].items())
                ]
            )
            yield f"Recording {name}{source} has published dissimilarity matrices of {shown}, for {areas}."
            continue
        n, bins = sum(facts["areas"].values()), facts.get("time_bins", [])
        areas = listed([f"{area} {count}" for area, count in sorted(facts["areas"].items())])
        repetitions = (
            f"with up to {counted(facts['n_repetitions'], 'repetition')} of each"
            if facts["has_repetitions"]
            else "without repetitions"
        )
        if facts["simulated"]:
            simulate = settings["simulated"].get(name, {})
            yield (
                f"Recording {name} is simulated, not measured: {counted(n, 'neuron')} ({areas}) were made from the "
                f"layers of a network that is not among the models{_teacher(simulate)}. They responded to {shown}, "
                f"{repetitions}."
            )
        else:
            in_bins = f", in {counted(len(bins), 'time bin')} ({', '.join(bins)})" if bins else ""
            measured = f"responses of {counted(n, 'neuron')} ({areas}) to {shown}{in_bins}"
            yield f"Recording {name}{source} has {measured}, {repetitions}."
        if facts["n_unusable"]:
            unusable = counted(facts["n_unusable"], "further neuron")
            yield f"{unusable} could not be scored and {_was(facts['n_unusable'])} left out."
        for split, (n_left_out, n_unknown, n_unreliable, n_marked) in _left_out(scores, name, threshold).items():
            noun = ("pair of neuron and bin", "pairs of neuron and bin") if bins else ("neuron",)
            those = counted(n_left_out, *noun) if n_left_out else "No neuron"
            also = (
                f" The reliability over all folds was not above 0 for {counted(n_unreliable, *noun)}."
                if n_unreliable
                else ""
            )
            yield (
                f"{those} of {name} {_was(n_left_out or 1)} left out of summaries of {held_out(split)} for a "
                f"reliability below {threshold:g} within either half of the folds.{also}"
            )
            if n_unknown:
                yield (
                    f"Among them, {counted(n_unknown, *noun)} had no reliability within either half, which needs more "
                    f"than {FEWEST_OF_SAMPLE} held-out stimuli, or degrees of freedom."
                )
            if n_marked:
                yield (
                    f"Among those that were included, {counted(n_marked, *noun)} {_was(n_marked)} marked: the standard "
                    f"error of a perfect model's score was above {LARGEST_STANDARD_ERROR:g} or badly known. A single "
                    f"corrected score of a marked one should not be read."
                )
    yield from filter(None, forms)


def _rendered(facts: Mapping, settings: Mapping) -> str:
    render = settings["rendered"].get(facts["stimuli"])
    if not render:
        return ""
    levels = [f"{name} {', '.join(f'{level:g}' for level in render[name])}" for name in CHALLENGES if render.get(name)]
    return (
        f", rendered: {counted(len(render['categories']), 'category', 'categories')}, {render['exemplars']} objects of "
        f"each, {counted(render['images'], 'image')} of each object, on unrelated backgrounds"
        f"{f', with levels of {listed(levels)}' if levels else ''}"
    )


def _synthesised(facts: Mapping, settings: Mapping) -> str:
    options = settings["synthesised"].get(facts["stimuli"])
    if not options:
        return ""
    kinds = {
        "speech": f"{counted(options['words'], 'word')} in {counted(options['voices'], 'voice')}",
        "music": f"{counted(options['phrases'], 'phrase')} on {counted(options['instruments'], 'instrument')}",
    }
    before = ", before unrelated backgrounds" if options["backgrounds"] != ["none"] else ""
    return f", synthesised: {listed([kinds[kind] for kind in options['kinds']])}{before}"


def _teacher(simulate: Mapping) -> str:
    if not simulate:
        return ""
    teacher = simulate["teacher"]
    name = teacher if isinstance(teacher, str) else teacher.get("architecture", teacher.get("name", ""))
    layers = listed([f"{area} of {_in_bins(spec['layer'])}" for area, spec in simulate["areas"].items()])
    return f" ({name}; {layers}; Fano factor {simulate['fano']:g})"


def _in_bins(layer: str | list[str]) -> str:
    """Return a layer, or those of successive bins of time."""
    return layer if isinstance(layer, str) else f"{', '.join(layer)} in successive bins of time"


def _left_out(scores: pd.DataFrame, recording: str, threshold: float) -> dict[str, tuple[int, int, int, int]]:
    """Count neurons for each split: left out, without a reliability in both halves, with none above 0, and marked.

    Neurons are left out if neither half of the folds includes them. Neurons without a reliability have one over all
    folds together, but in neither half. Marked neurons are counted among those that either half includes. Areas without
    repetitions, whose neurons are all included, are not counted.
    """
    neurons = scores[(scores["recording"] == recording) & (scores["target_kind"] == "neuron")]
    neurons = neurons.drop_duplicates(["split", "area", "time_bin", "target"])
    known = neurons["reliability"].notna().groupby([neurons[name] for name in ("split", "area", "time_bin")])
    neurons = neurons[known.transform("any")]
    of_halves = neurons[["reliability_even", "reliability_odd"]].to_numpy(float)
    taken = chosen(of_halves, threshold).any(axis=1)
    unknown = np.isnan(of_halves).all(axis=1) & neurons["reliability"].notna().to_numpy()
    marked = taken & neurons["marked"].eq(True).fillna(False).to_numpy(bool)
    counts = pd.DataFrame(
        {
            "split": neurons["split"],
            "left_out": ~taken,
            "unknown": unknown,
            "unreliable": neurons["reliability"] <= 0,
            "marked": marked,
        }
    )
    return {split: tuple(map(int, of_split)) for split, *of_split in counts.groupby("split").sum().itertuples()}


def _describe_models(scores: pd.DataFrame, settings: Mapping, recordings: Sequence[Mapping]) -> Iterator[str]:
    named = {family: models for family, models in families(scores).items() if family != FAMILY}
    n = sum(map(len, named.values()))
    if not n:
        return
    kinds = listed([f"{len(models)} {FAMILY_IN_WORDS.get(family, family)}" for family, models in named.items()])
    layers = scores.loc[scores["family"] != FAMILY, ["model", "layer"]].drop_duplicates()
    layers = layers[~layers["layer"].str.contains(" + ", regex=False)]
    yield (
        f"{counted(n, 'model')} {'was' if n == 1 else 'were'} compared ({kinds}), with {counted(len(layers), 'layer')} "
        f"in all. All features of a layer were used, neither subsampled nor projected{_but(settings)}. They entered as "
        f"inner products between stimuli (the Gram matrix)."
    )
    yield from _describe_degrees(scores, settings, recordings)
    yield from _describe_families(scores, settings)
    yield from _describe_inputs(scores, settings)
    averaged = [name for name in settings["averaged_over_time"] if name in scores["model"].unique()]
    if averaged:
        yield f"The features of {listed(averaged)} were averaged over time."
    if permuted := named.get("permuted"):
        yield (
            f"In {listed(permuted)}, the trained values of every weight tensor were shuffled within the tensor "
            f"(Tuckute et al. 2023)."
        )
    yield f"Features were kept as {settings['features']} until their Gram matrix was computed."
    yield from _describe_training(settings["trained"])


def _describe_training(trained: Mapping[str, Mapping]) -> Iterator[str]:
    """Say how networks were trained, given the `modality`, the `labels` and the columns held `apart` of each."""
    if not trained:
        return
    yield f"{listed(trained)} {_was(len(trained))} trained here by supervision."
    if any({*its["labels"]} & {*KINDS} for its in trained.values()):
        yield (
            "No object of the test stimuli was among the training stimuli of a network, and no category of them unless "
            "the config names it."
        )
    for labels, names in _alike(trained, "labels"):
        if len(labels) > 1:
            yield (
                f"{listed(names)} learned {listed(labels)} at once, with outputs of their own. The loss was the sum of "
                f"their mean cross-entropies, each over the stimuli with this label (Kell et al. 2018)."
            )
    for apart, names in _alike(trained, "apart"):
        if apart:
            yield (
                f"The validation and the test part of {listed(names)} shared no {' or '.join(apart)} with training or "
                f"with each other."
            )
    for (modality,), _ in _alike(trained, "modality"):
        if MODALITIES[modality].training.variation:
            yield MODALITIES[modality].training.variation


def _alike(trained: Mapping[str, Mapping], key: str) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    """Yield each value of a list in the descriptions of trained networks, with the networks that have this value."""
    for value in dict.fromkeys(tuple(its[key]) for its in trained.values()):
        yield value, [name for name, its in trained.items() if tuple(its[key]) == value]


def _describe_degrees(scores: pd.DataFrame, settings: Mapping, recordings: Sequence[Mapping]) -> Iterator[str]:
    """Say how images were placed on the inputs of models, where both have a field of view."""
    known, scored = settings["degrees"], scores["model"].unique()
    sets = {facts["stimuli"] for facts in recordings} & known["stimuli"].keys()
    models = [name for name in known["models"] if name in scored]
    if sets and models:
        shown = listed([f"{known['stimuli'][name]:g} in set {name}" for name in sorted(sets)])
        inputs = listed([f"{known['models'][name]:g} of {name}" for name in models])
        yield (
            f"In degrees of visual angle, the width of an image spanned {shown}, and the side of the input {inputs}. "
            f"Images were padded with grey or cropped around their centre, so that they kept their size in degrees."
        )


def _describe_inputs(scores: pd.DataFrame, settings: Mapping) -> Iterator[str]:
    """Say which networks got cochleagrams, and which got waveforms."""
    scored = set(scores["model"])
    inputs = {name: tuple(its) for name, its in settings["inputs"].items() if name in scored}
    for kind, rate in dict.fromkeys(inputs.values()):
        models = listed([name for name, its in inputs.items() if its == (kind, rate)])
        at = "the rate of the set" if rate is None else f"{rate:,} samples per second"
        yield f"The input of {models} was the {kind} of a sound at {at}."
    if any(kind == COCHLEAGRAM for kind, _ in inputs.values()):
        yield (
            f"Cochleagrams (Feather et al. 2023) had {cochleagram.CHANNELS} channels: {cochleagram.BANDPASS} band-pass "
            f"filters, which are half periods of cosines evenly spaced on the ERB scale from {cochleagram.LOWEST:g} to "
            f"{cochleagram.HIGHEST:,g} Hz, with {cochleagram.SAMPLE_FACTOR} low-pass and {cochleagram.SAMPLE_FACTOR} "
            f"high-pass filters. Their envelopes were sampled at {cochleagram.FRAME_RATE} Hz, and raised to the power "
            f"{cochleagram.POWER:g}."
        )


def _describe_families(scores: pd.DataFrame, settings: Mapping) -> Iterator[str]:
    """Give the sentence of each family of the scored models, where their architectures are known."""
    scored = scores["model"].unique()
    known = [(name, family_of(made)) for name, made in settings["architectures"].items() if name in scored]
    for family in model_families().values():
        models = listed([name for name, its in known if its == family])
        if models:
            yield family.sentence.format(models=models)


def _but(settings: Mapping) -> str:
    sampling = [name for name, mapping in MAPPINGS.items() if mapping.samples]
    but = [name.replace("_", "-") for name in sampling if name in settings["mappings"]]
    return f" (except for the mapping {listed(but)}, below)" if but else ""


def _describe_mappings(scores: pd.DataFrame, settings: Mapping) -> Iterator[str]:
    used = set(scores.loc[scores["target_kind"].isin([*RECORDED, "property"]), "mapping"])
    penalties = settings["penalties"]
    grid = (
        f"among {penalties['number']} values from {penalties['lowest']:g} to {penalties['highest']:g}, logarithmically "
        f"spaced, in units of the mean squared distance of the layer's feature vectors from their mean"
        if penalties["number"] > 1
        else f"fixed at {penalties['lowest']:g} times the mean squared distance of feature vectors from their mean"
    )
    kinds = {"neuron": "the responses of each neuron", "property": "each numeric property of the stimuli"}
    ridge = scores.loc[scores["mapping"] == "ridge", "target_kind"].unique()
    targets = listed([words for kind, words in kinds.items() if kind in ridge])
    for name, mapping in MAPPINGS.items():
        if name in used and mapping.fits:
            components = counted(settings["components"], "component")
            distances, comparisons = _distances_and_comparisons(scores[scores["mapping"] == name])
            yield mapping.sentence.format(
                targets=targets, grid=grid, components=components, distances=distances, comparisons=comparisons
            )


def _describe_splits(scores: pd.DataFrame, settings: Mapping) -> Iterator[str]:
    comparing = [name for name, mapping in MAPPINGS.items() if not mapping.fits]
    fitted = scores[~scores["mapping"].isin(comparing)]
    folds = fitted.groupby("split")["n_folds"].unique() if len(fitted) else {}
    words = {
        "stimuli": "stimuli were dealt at random into {n} parts of equal size, each held out in turn, every object "
        "spread evenly over the parts where objects have names (stimuli)",
        "objects": "all stimuli of an object were held out together, each of {n} objects in turn (objects)",
        "categories": "all stimuli of a category were held out together, each of {n} categories in turn (categories)",
    }
    specs = [spec for spec in settings["splits"] if spec["name"] in folds]
    words |= {spec["name"]: _words_of_split(spec, settings["folds"]) for spec in specs}
    said = [
        text.format(n=" or ".join(str(n) for n in sorted(folds[split])))
        for split, text in words.items()
        if split in folds
    ]
    if said:
        yield f"Stimuli were held out in {counted(len(said), 'way')}: {'; '.join(said)}."
        yield "No fit, and no choice of a penalty, saw the stimuli that it was tested on."
        if any("partition" in spec for spec in specs):
            yield "Where a number uses halves of the held-out parts, a single test set is split into alternate stimuli."
        if any("random" in spec for spec in specs):
            yield (
                "Random test sets overlap. Their scores therefore have the ceilings of all stimuli, no intervals over "
                "stimuli, and no claims."
            )
        leaked = (
            fitted.groupby(["stimuli", "split"])["n_leaked"].max() if "n_leaked" in fitted else pd.Series(dtype=int)
        )
        for (stimuli, split), n in leaked[leaked > 0].items():
            yield f"{n:.0f} stimuli of {stimuli} have the same pixels as one in another part of the split {split}."


def _words_of_split(spec: Mapping, n_folds: int) -> str:
    """Describe a split that the config gives with options; `{n}` stands for its number of folds."""
    # Braces in names would be taken for placeholders.
    name, column = (str(spec.get(key, "")).replace("{", "{{").replace("}", "}}") for key in ("name", _column_of(spec)))
    if "random" in spec:
        share = f"{spec['train']:g}" if spec["train"] >= 1 else f"{spec['train']:.0%} of them"
        text = (
            f"stimuli were drawn at random into a training set of {share} and a test set of all others, {{n}} times, "
            f"and scores are medians over these draws"
        )
        if spec.get("leave_one_out"):
            text += ", the penalty chosen by leaving out each stimulus of the training set in turn"
    elif "partition" in spec:
        text = (
            f"models were fitted on the stimuli that the column {column} calls train, and scored on those it calls "
            f"test, the penalty chosen on those it calls validation or, without any, by {n_folds} random parts of train"
        )
    elif spec.get("folds"):
        text = f"whole groups of the column {column} were dealt into {{n}} parts, each held out in turn"
    else:
        text = f"all stimuli of one value of the column {column} were held out together, each of {{n}} in turn"
    return f"{text} ({name})"


def _column_of(spec: Mapping) -> str:
    return "partition" if "partition" in spec else "column"


def _describe_scores(scores: pd.DataFrame, settings: Mapping, recordings: Sequence[Mapping]) -> Iterator[str]:
    of_neuroids = [facts for facts in recordings if "areas" in facts]
    if not of_neuroids or scores.empty:
        return
    yield (
        "A neuron's response is its mean over repetitions. The score r is Pearson's correlation between predicted and "
        "measured responses to held-out stimuli, over all held-out parts. Both are taken as deviations from their "
        "means within each part."
    )
    without = [facts["recording"] for facts in of_neuroids if not facts["has_repetitions"]]
    if len(without) < len(of_neuroids):
        rho = "\N{GREEK SMALL LETTER RHO}"
        yield (
            f"The reliability {rho} of a neuron is the share of the variance of these responses within held-out parts "
            f"that is not noise. The variance over repetitions gives the noise. Predictivity is r / √{rho}: a perfect "
            f"model would reach 1, given the noise of the recording. The score table also has a reliability from "
            f"random halves of the repetitions within the same parts. It is averaged over 100 splits and corrected to "
            f"the full number of repetitions by 2r / (1 + r) (Spearman 1910; Brown 1910). Neurons were chosen by their "
            f"reliability in half of the held-out parts and scored in the other half, both ways, and the two medians "
            f"were averaged."
        )
        yield (
            "The score table also has the fraction of explainable variance explained, and the correlations with "
            "averages and with single responses (Willeke et al. 2022). The normalised correlation (Schoppe et al. "
            "2016) stands beside them. These four take the held-out stimuli with at least two repetitions together."
        )
    if without:
        have = "has" if len(without) == 1 else "have"
        yield f"{listed(without)} {have} no repetitions and so no ceiling: the score is r itself."
    for facts in of_neuroids:
        if facts.get("given_ceiling_kind"):
            yield _describe_given(facts, settings["reliability_threshold"])
    yield (
        f"An area is summarised by the median over its neurons, with a 95 % interval for other neurons and other "
        f"stimuli. Its part for neurons is a percentile interval over {settings['bootstrap']:,} bootstrap samples of "
        f"neurons, the same for all layers (Efron 1979). The error from the influence of stimuli was added (Zou and "
        f"Donner 2008)."
    )


def _describe_given(facts: Mapping, threshold: float) -> str:
    choice = (
        ""
        if facts["has_repetitions"]
        else f" Neurons were left out where the square of this ceiling is below {threshold:g}."
    )
    return (
        f"Ceilings came with {facts['recording']}, as numbers of the kind '{facts['given_ceiling_kind']}'. The column "
        f"`predictivity_given` of the score table is r over the largest r that they allow.{choice}"
    )


def _describe_comparisons(scores: pd.DataFrame, settings: Mapping, recordings: Sequence[Mapping]) -> Iterator[str]:
    used = set(scores["mapping"])
    kinds = {facts["recording"]: "subjects" in facts for facts in recordings}
    if "rsa" in used:
        of, by = _distances_and_comparisons(scores[scores["mapping"] == "rsa"])
        yield MAPPINGS["rsa"].sentence.format(distances=of, comparisons=by)
    if "cka" in used:
        forms = set(scores.loc[scores["mapping"] == "cka", "comparison"])
        said = [
            text
            for form, text in (
                ("biased", "as published (Kornblith et al. 2019)"),
                ("debiased", "without bias (Song et al. 2012; Nguyen et al. 2021)"),
            )
            if form in forms
        ]
        yield MAPPINGS["cka"].sentence.format(forms=listed(said))
    if set(COMPARISONS) & used and not all(kinds.values()):
        yield (
            "The matrix of an area's neurons was computed from their mean responses, each standardised over stimuli. "
            "Its reliability is the covariance of the matrices of random halves of the repetitions over the variance "
            "of the whole matrix. Predictivity is the value over the root of that reliability. These values are lower "
            "with few neurons, so they do not compare areas with different numbers of neurons."
        )
        without = {"kendall": "Kendall's tau-a", "biased": "biased CKA"}
        said = [words for comparison, words in without.items() if comparison in set(scores["comparison"])]
        if "euclidean" in set(scores["distance"]):
            said.append("squared Euclidean distances")
        if said:
            yield f"No such ceiling exists for {listed(said)}."
    if {"rsa", "cka"} & used and scores["subject"].notna().any():
        yield (
            "Values for several subjects' matrices are means over subjects. The noise ceiling begins at the agreement "
            "of a subject with the mean of the others, and ends at the agreement with the mean of all (Nili et al. "
            "2014)."
        )
        if "kendall" in set(scores["comparison"]):
            yield (
                "For tau-a, the upper end is the agreement with the order that most subjects give to each two pairs "
                "of stimuli, which no model exceeds."
            )
    yield from _describe_crossnobis(scores)
    if set(COMPARISONS) & used:
        names = listed([word for name, word in COMPARISONS.items() if name in used])
        yield (
            f"The 95 % intervals of {names} are for other stimuli and, with several matrices, for other subjects. "
            "They are Student's t intervals on Fisher's z scale, with the error over stimuli by the infinitesimal "
            "jackknife."
        )
    if scores["r_error_both"].notna().any():
        yield (
            "The intervals of RSA have the error of the two-factor bootstrap instead (Schütt et al. 2023), for other "
            "stimuli and at the same time other neurons or subjects. Stimuli and neurons (or subjects) were drawn "
            f"{settings['bootstrap']:,} times, together and alone."
        )


def _describe_crossnobis(scores: pd.DataFrame) -> Iterator[str]:
    if "crossnobis" in set(scores["distance"]):
        yield (
            "Crossnobis distances are cross-validated squared Mahalanobis distances of an area's neurons, and may be "
            "negative (Nili et al. 2014; Walther et al. 2016). Deviations of single responses from the mean over "
            "repetitions gave the covariance of the noise, with correlations shrunk towards 0 (Schäfer and Strimmer "
            "2005). Layers, which have no noise, were compared by squared Euclidean distances."
        )
    if set(WHITENED) & set(scores["comparison"]):
        yield (
            "Whitened comparisons take out that errors of distances with a common stimulus are correlated "
            "(Diedrichsen et al. 2021)."
        )


def _distances_and_comparisons(rows: pd.DataFrame) -> tuple[str, str]:
    """Say in words which distances and comparisons of dissimilarities some rows have."""
    distances = {
        "correlation": "1 \N{MINUS SIGN} Pearson's r",
        "cosine": "1 \N{MINUS SIGN} cosine",
        "euclidean": "squared Euclidean distance over the number of features",
        "crossnobis": "crossnobis distance",
    }
    comparisons = {
        "spearman": "Spearman's r",
        "pearson": "Pearson's r",
        "kendall": "Kendall's tau-a",
        "whitened_cosine": "the whitened cosine",
        "whitened_correlation": "the whitened correlation",
    }
    of = listed([words for name, words in distances.items() if name in set(rows["distance"])])
    by = listed([words for name, words in comparisons.items() if name in set(rows["comparison"])])
    return of, by


def _describe_categorisation() -> Iterator[str]:
    yield (
        "How well labels can be read from a layer is the balanced accuracy, on held-out stimuli, of a linear support "
        "vector machine on the same Gram matrix. Its C was chosen, from 0.1 to 100 in powers of ten, by "
        "cross-validation within the other parts alone. The relation of categorisation and predictivity over models "
        "(after Yamins et al. 2014) is given as Pearson's r over the best layer of each model. This r has no interval, "
        "because checkpoints of one training are not independent. Claims use r over trained networks, each the mean "
        "over its checkpoints, with a 95 % interval by Fisher's z."
    )


def _describe_decoding(settings: Mapping) -> Iterator[str]:
    decoding = settings["decoding"]
    units = decoding["units"]
    number = f"{units} units" if units else "as many units as the smallest area of a recording has reliable neurons"
    yield (
        f"What layers and areas make explicit (after Hong et al. 2016) was read from {number}, drawn at random "
        f"{counted(decoding['draws'], 'time')} and standardised over stimuli. Labels were read by a linear support "
        f"vector machine (balanced accuracy; its C, from 0.1 to 100, was chosen within training). Properties were read "
        f"by ridge regression (r as above; the circular correlation for circular properties). Units of models were "
        f"read as they are, and with Gaussian noise that makes them as reliable as an area's neurons. This reliability "
        f"was measured in stimuli that had no part in the choice of these neurons. A model's best layer was chosen, "
        f"for the comparison with an area, on one half of the draws in every other held-out part. It was scored on the "
        f"other draws in the parts between."
    )


def _describe_recorded_areas(settings: Mapping) -> Iterator[str]:
    yield (
        f"Areas of {listed(settings['recorded_models'])} were also scored as if they were layers. Their features were "
        f"the mean responses of their neurons, standardised over stimuli. Neurons that share trials were predicted "
        f"from one half of the repetitions in the other half, for {HALVINGS} random halves, and r was corrected to all "
        f"repetitions."
    )


def _describe_first_layers(settings: Mapping) -> Iterator[str]:
    first, own = settings["first_layers"], settings["degrees"]["models"]
    said = [f"{name} {own.get(name, first['degrees']):g}" for name in first["models"]]
    yield (
        f"Filters of the first convolution of {listed(first['models'])} were taken along their principal colour axis, "
        f"the first singular vector of pixels by channels. A Gabor function was fitted to each by least squares, from "
        f"the best points of a grid. The input was taken to span, in degrees: {listed(said)}. A filter counted as a "
        f"Gabor if the fit explained more variance than 95 % of fits to filters with shuffled pixels."
    )
    yield (
        f"Orientations (De Valois et al. 1982a), spatial frequencies (De Valois et al. 1982b), and the envelope's "
        f"standard deviations in cycles (Ringach 2002) were compared with macaque V1, with counts from Dapello et al. "
        f"2020. The Kolmogorov-Smirnov distance was taken over all filters, with filters that are no Gabors in no bin; "
        f"in two dimensions, it is that of Peacock 1983. Similarity is 0 at the distance of shuffled filters, and 1 at "
        f"that of neurons drawn from the published counts. Its 95 % intervals are over {settings['bootstrap']:,} "
        f"bootstrap samples of filters, centred on the estimate. Scores over Gabors alone are 1 \N{MINUS SIGN} KS / "
        f"KS_max (Marques et al. 2021)."
    )


def _describe_recurrence(settings: Mapping) -> Iterator[str]:
    asked = settings["recurrence"]
    kinds = [f"{kind} ({listed(names)})" for kind, names in asked["compared"]]
    levels = f", over all stimuli and at each level of {asked['split_by']}" if asked["split_by"] else ""
    yield (
        f"The accuracy of {listed(kinds)} was taken at each step, on stimuli that chose nothing in training{levels}. "
        f"Differences are those on the same stimuli. Intervals are percentiles over {settings['bootstrap']:,} "
        f"bootstrap samples of the values of {listed(asked['apart'])}, with all their stimuli. They do not cover other "
        f"trainings."
    )


def _describe_next_experiment(settings: Mapping) -> Iterator[str]:
    asked = settings["next_experiment"]
    about = "Models that were tied" if asked["tied"] else f"Layers of {listed(asked['candidates'])}"
    yield (
        f"{about} were to be told apart by responses of the neurons of {asked['recording']}. From the stimuli "
        f"{asked['pool']}, {asked['chosen']:,} were chosen for each area, one after the other. Each choice left the "
        f"smallest sum over pairs of models of the probability that the wrong model is the likelier one. Responses "
        f"were taken as normal around a model's prediction (Hunter and Reiner 1965). Their variance was the noise of a "
        f"trial plus the variance that held-out predictions miss (Box and Hill 1967). Trials were counted until this "
        f"probability was 5 %, with the chosen stimuli and with {settings['bootstrap']:,} draws of random stimuli."
    )


def _describe_drive(drive: Mapping, settings: Mapping) -> Iterator[str]:
    aims = {
        "excite": "raise its predicted response",
        "inhibit": "lower it",
        "one_hot": "raise its share in the softmax over its area's neurons (Bashivan et al. 2019)",
    }
    moves = [
        f"{word} of up to {drive[key]:g}{unit}"
        for key, word, unit in (
            ("jitter", "shifts", " pixels"),
            ("scale", "relative changes of size", ""),
            ("rotation", "rotations", " degrees"),
        )
        if drive[key]
    ]
    parameters = {"fourier": "Fourier spectrum", "pixels": "pixels"}[drive["parametrisation"]]
    yield (
        f"For {counted(len(drive['neuroids']), 'neuron')} of {drive['recording']}, images were synthesised by gradient "
        f"ascent on their {parameters}, through {drive['model']} and the ridge regression of its best layer, to "
        f"{listed([aims[name] for name in drive['objectives']])}. Each had {drive['seeds']:,} images, from "
        f"{'noise' if drive['start'] == 'noise' else 'the best stimuli of the recording'}, in {drive['steps']:,} steps "
        f"of Adam. Mean and contrast of all images were the means over the recording's stimuli."
    )
    if moves:
        yield f"At every step images had random {listed(moves)}."
    if drive["blur"]:
        yield f"Images were blurred by up to {drive['blur']:g} pixels, less with every step."
    if drive["total_variation"]:
        yield f"The total variation was penalised with a weight of {drive['total_variation']:g}."
    linear = ", and the image of a linear model of the pixels" if drive["linear"] else ""
    pool = f", that of {drive['pool']}" if drive["pool"] else ""
    yield (
        f"Controls were the best stimulus of the recording, also behind a mask of the synthesised image's extent "
        f"(Walker et al. 2019){pool}, the best Gabor function of a grid after an ascent{linear}. The readouts of "
        f"{drive['judge']} judged all images and took no part in the search. Gains are beyond the recording's best "
        f"stimulus with matched mean and contrast, in standard deviations of predictions. Their 95 % intervals are "
        f"from {settings['bootstrap']:,} bootstrap samples of neurons and seeds."
    )


def _describe_tuning(settings: Mapping) -> Iterator[str]:
    tuning, own = settings["tuning"], settings["degrees"]["models"]
    said = [f"{name} {own.get(name, tuning['degrees']):g}" for name in tuning["models"]]
    shown = [f"up to {tuning['units']} units of each layer of {listed(tuning['models'])}"] if said else []
    shown += ["all fitted readouts"] if tuning["readouts"] else []
    spans = f" The input was taken to span, in degrees: {listed(said)}." if said else ""
    yield (
        f"Tuning was measured for {listed(shown)}. Units of maps were those at the middle. Stimuli were sinusoidal "
        f"gratings of 12 orientations, 8 phases and several spatial frequencies, at full contrast in a circular "
        f"aperture on grey.{spans} Responses were taken above the response to grey, and lower ones as 0. Sizes and "
        f"contrasts were then varied at the best orientation and frequency of each unit."
    )
    yield (
        "Properties are the circular variance, and the half width at 1/\N{SQUARE ROOT}2 of the smoothed curve "
        "(Ringach et al. 2002); the preferred spatial frequency and the full width at half height in octaves (De "
        "Valois et al. 1982b); F1/F0 (Skottun et al. 1991); the suppression index and the summation field (Cavanaugh "
        "et al. 2002); and the half saturation and exponent of contrast (Albrecht and Hamilton 1982). Gratings stood "
        "still, so no unit has a direction."
    )
    yield (
        f"Orientations (De Valois et al. 1982a) and spatial frequencies (De Valois et al. 1982b) were compared with "
        f"macaque V1, with counts from Dapello et al. 2020, by the Kolmogorov-Smirnov distance over all units. Units "
        f"that are not tuned lie in no bin. A unit is tuned if its responses are smoother over orientation and "
        f"frequency (Geary 1954) than 95 % of responses in random order; for orientation it also has a bandwidth. "
        f"Similarity is 0 at the distance of units with responses in random order, and 1 at that of neurons drawn from "
        f"the published counts. Its 95 % intervals are over {settings['bootstrap']:,} "
        f"bootstrap samples of units, centred on the estimate."
    )


def _describe_other_analyses(settings: Mapping) -> Iterator[str]:
    if settings["banded"]:
        yield (
            "The contribution of a layer beside others was measured by banded ridge regression (Nunez-Elizalde et al. "
            "2019), which has a penalty for each layer. It is the difference between all layers named and all but one."
        )
    if settings["partitions"]:
        yield (
            "The variance that models explain was partitioned (Lescroart et al. 2015) into parts that one model alone "
            "explains, and parts that several share. Models were fitted apart and together by banded ridge regression "
            "(Dupre la Tour et al. 2022), with a penalty for each model. A model was the mean of its layers' Gram "
            "matrices, each divided by its mean squared distance of features from their mean. Explained variance is "
            "r |r| on held-out stimuli, divided by the reliability where there are repetitions."
        )
    if settings["solution_times"]:
        yield (
            "Solution times (Kar et al. 2019) say when labels read from an area are as right as the choices of "
            "subjects. Labels were read from its neurons in each bin after the onset, by multinomial logistic "
            "regression on held-out stimuli. The solution time of a stimulus is when i1 of this reading first reaches "
            "i1 of the subjects, linearly interpolated between the middles of bins. Challenge stimuli have an i1 of "
            "the subjects above that of a model's last layer by 1.5 or more, and controls differ by 0.4 at most. Their "
            "difference in time was also taken at equal i1 of the subjects, by linear regression. The reliability is "
            "Spearman's r of the times from ten random halves of repetitions and trials, stepped up to all."
        )
    if settings["reverse"]:
        yield (
            f"In reverse (Muzellec and Kar 2025), the neurons of {listed(settings['reverse'])} predicted up to 2,000 "
            f"units of each layer by the same ridge regression on the same splits."
        )
    if settings["brainscore"]:
        yield (
            "For comparison, layers were also scored as Brain-Score 2.4.2 does (Schrimpf et al. 2018), with ten random "
            "splits and partial least squares with 25 components. That score is the squared median r over the "
            "recording's internal consistency."
        )


def _describe_statistics(scores: pd.DataFrame, settings: Mapping) -> Iterator[str]:
    if not (scores["target_kind"] == "neuron").any():
        return
    yield (
        f"Models, and layers of a model, were compared over {settings['bootstrap']:,} resamples of both stimuli "
        f"(within held-out parts) and neurons, the same for all. Predictions and ceilings were not recomputed. Such "
        f"intervals are conservative (Owen 2007). Two-sided p values were corrected within each family of comparisons "
        f"by the step-down test of Romano and Wolf 2005. False discovery rates are those of Benjamini and Hochberg "
        f"1995. Models were compared and ranked by their best layer. That layer was chosen on one random half of the "
        f"neurons in every other held-out part, and scored on the other neurons in the parts between (500 splits, all "
        f"four ways). Otherwise, the maximum over layers would favour models with many layers (Kriegeskorte et al. "
        f"2009). Resamples were centred on this score."
    )
    if settings["groups"]:
        yield (
            f"Recordings of several animals or sessions ({listed(settings['groups'])}) were summarised over animals, "
            f"by the mean of the animals' medians over the neurons of all their sessions. From five animals on, the "
            f"95 % interval is from {settings['bootstrap']:,} bootstrap samples of animals, stretched for few animals "
            f"(Hesterberg 2015). With fewer animals, no interval is given."
        )
    if settings["inter_animal"]:
        yield (
            f"As a ceiling, the neurons of all other animals of {listed(settings['inter_animal'])} predicted each "
            f"animal's neurons, by the same mappings on the same held-out parts. Their inter-animal consistency is r "
            f"over the square roots of two reliabilities (Nayebi et al. 2023). The reliability of the predictions is "
            f"the correlation of fits on halves of the repetitions of both animals, corrected by the formula of "
            f"Spearman and Brown. The reliability of the responses is that of the scores. The consistency was measured "
            f"for an eighth, a quarter, a half and all of the predicting neurons, and extrapolated by "
            f"a saturating curve of their number."
        )


def _describe_behaviour(settings: Mapping, recordings: Sequence[Mapping]) -> Iterator[str]:
    yield (
        "Choices were read from each layer by multinomial logistic regression on held-out stimuli. All features were "
        "centred and scaled by one factor. The penalty was chosen by cross-entropy in three folds of the other stimuli."
    )
    if any(facts.get("has_classes") for facts in recordings):
        yield (
            "Networks also chose by their own outputs. The probability of a label was the mean over its classes of "
            "ImageNet (Geirhos et al. 2018)."
        )
    yield (
        "Error consistency is Cohen's kappa of right and wrong choices of a model and a subject, averaged over "
        "subjects (Geirhos et al. 2020). Its sign was kept. Its ceiling is the mean over all pairs of subjects."
    )
    yield (
        "The measures i1, i2n and o2 correlate patterns of d' (Rajalingham et al. 2018): for each stimulus, for each "
        "stimulus and wrong label less the mean over stimuli of a label, and for each pair of labels. False alarms "
        "were averaged for each pair of labels, and d' was limited to 5 either way (Schrimpf et al. 2018). The ceiling "
        "of a pattern is the root of its reliability, the mean correlation between random halves of the subjects, "
        "stepped up to all subjects (Spearman 1910; Brown 1910)."
    )
    yield (
        f"Each 95 % interval is 1.96 standard errors either way, over {settings['bootstrap']:,} bootstrap samples of "
        f"both stimuli and subjects. Readouts were not fitted anew."
    )


def _describe_software(settings: Mapping, software: Mapping[str, Sequence[str]]) -> Iterator[str]:
    named = {"python": "Python", **{name: name for name in SOFTWARE}}
    versions = [f"{word} {' and '.join(software[name])}" for name, word in named.items() if name in software]
    ventral = " and ".join(software.get("ventral", ()))
    yield (
        f"All results were computed by ventral{f' {ventral}' if ventral else ''}, a Snakemake workflow"
        f"{f', with {listed(versions)}' if versions else ''}. The seed of random draws was {settings['seed']}."
    )


def _was(n: int) -> str:
    return "was" if n == 1 else "were"
