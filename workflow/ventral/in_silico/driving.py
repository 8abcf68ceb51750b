"""Find stimuli that drive neurons through fitted readouts, with control stimuli and a second network as the judge."""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ventral.errors import InputError, allowed_instead, nearest, shown
from ventral.in_silico.images import (
    ALONE,
    CONFIRMED,
    GABOR,
    KINDS,
    LINEAR,
    MASKED,
    MATCHED,
    NATURAL,
    NO_GAIN,
    POOL,
    SYNTHESISED,
    TABLE,
    read_png,
    write_png,
)
from ventral.in_silico.objectives import EXCITE, INHIBIT, ONE_HOT, Aim
from ventral.models.layer_names import MARK
from ventral.outputs import resuming, sha256, writing
from ventral.provenance import code_loaded, hardware, packages_loaded
from ventral.readouts.loading import BATCH_SIZE, Readout, load_readout
from ventral.recordings.time_bins import place_of, read_recording
from ventral.running.devices import choose_device
from ventral.running.progress import Progress
from ventral.stimuli.images import read_pixels
from ventral.store import read_dataset
from ventral.tables import write_parquet
from ventral.targets.benchmark import read_stimuli
from ventral.targets.values import Targets, neurons

if TYPE_CHECKING:
    import torch
    import xarray as xr

    from ventral.in_silico.ascent import Look, Search

logger = logging.getLogger(__name__)

NOISE = "noise"
# Mean and contrast are matched in blocks of this many stimuli.
AT_ONCE = 128


def drive(
    readouts: str | Path,
    judges: str | Path,
    recording: str | Path,
    stimuli: str | Path,
    output: str | Path,
    *,
    neuroids: Sequence[str],
    time_bin: str | None,
    objectives: Sequence[str],
    search: dict,
    start: str,
    seeds: int,
    seed: int,
    reliability_threshold: float,
    linear: str | Path | None = None,
    pool: str | Path | None = None,
    device: str = "auto",
    batch_size: int = BATCH_SIZE,
    cores: int = 1,
) -> None:
    """Write stimuli that drive neurons, controls, and the responses that two networks predict.

    All images but `natural` have the mean and the contrast of the recording's stimuli. Responses are those that
    `ventral.load_readout(...).predict` gives for the written files. If the job is killed, finished images are kept.

    Parameters
    ----------
    readouts, judges : paths
        Folders with the readouts of the network that is optimised, and of another one that judges, from
        `ventral.readouts.making.readout`. Each neuron has the layer that is best for its area and time bin, or the only
        layer.
    recording, stimuli : paths
        Stores of the recording and of its stimuli.
    output : path
        Folder to write, with a PNG file for each image and the table `stimuli.parquet` of `Experiment.rows_of`.
    neuroids : sequence of str
        Names of the neurons.
    time_bin : str or None
        Time bin of the responses, such as '70-90'; None for a recording without bins, or with one.
    objectives : sequence of str
        Objectives, as `ventral.in_silico.objectives.Aim` has them.
    search : dict
        Values of `ventral.in_silico.ascent.Search`.
    start : str
        `noise`, or `natural`, the recording's stimuli with the highest scores.
    seeds : int
        Number of synthesised images of each neuron and objective.
    seed : int
        Seed of noise and transformations.
    reliability_threshold : float
        Neurons below this reliability are no part of the population of `one_hot`.
    linear : path, optional
        Readouts of the pixels themselves, for the control `linear`.
    pool : path, optional
        Store of further stimuli for the control `pool`.
    device : str
        'auto', 'cpu' or 'cuda'.
    batch_size : int
        Images in a forward pass.
    cores : int
        Threads of a CPU.

    Raises
    ------
    InputError
        If a neuron or its readout is missing, a layer has no gradient, or stores do not fit together. Also if the judge
        has the weights of the optimised network.
    """
    from ventral.activations.forward import exact_products
    from ventral.in_silico.ascent import Search

    stimulus_set = read_stimuli(stimuli, [recording])
    targets = read_out(neurons(read_recording(recording)), [readouts, judges])
    columns = columns_of(targets, neuroids, time_bin)
    own, judge = Network(readouts, targets), Network(judges, targets)
    refuse_same_network(own, judge)
    made_of = {
        "readouts": [sha256(file) for network in (own, judge) for file in network.files],
        "linear": [sha256(file) for file in Network(linear, targets).files] if linear else [],
        "stimuli": [read_dataset(path).attrs["sha256"] for path in (stimuli, pool) if path],
        "options": [time_bin, list(objectives), search, start, seeds, seed, reliability_threshold],
        "device": device,
        "hardware": {key: value for key, value in hardware().items() if key != "cores"},
        "code": code_loaded(),
        "packages": packages_loaded(),
    }
    with exact_products(cores), resuming(output, made_of) as folder:
        rows = np.flatnonzero(np.isfinite(targets.values).any(axis=1))
        look = look_of(Path(stimuli), rows)
        sources = natural_sources(stimulus_set, Path(stimuli), rows, pool, look)
        experiment = Experiment(
            targets=targets,
            own=own,
            judge=judge,
            linear=Network(linear, targets) if linear else None,
            sources=sources,
            look=look,
            degrees=stimulus_set.attrs.get("degrees"),
            search=Search(**search),
            start=start,
            n_seeds=seeds,
            seed=seed,
            folder=folder,
            how={"device": device, "batch_size": batch_size},
        )
        experiment.predict_sources(columns)
        if kept := len(list(folder.glob(f"*.{SYNTHESISED}.*.png"))):
            logger.info("%d synthesised images are kept from an earlier attempt", kept)
        progress = Progress("drive", len(columns) * len(objectives), "searches")
        tables = []
        for column in columns:
            area = population_of(targets, column, reliability_threshold)
            for objective in objectives:
                population = area if objective == ONE_HOT else np.array([column])
                tables.append(experiment.rows_of(column, population, objective))
                progress.advance()
        table = pd.concat(tables, ignore_index=True)
        warn_of_range(table)
        with writing(folder / TABLE) as unfinished:
            write_parquet(table, unfinished)


def read_out(targets: Targets, folders: Sequence[str | Path]) -> Targets:
    """Return the targets that the readouts of all folders predict; those with too few values have no readout."""
    for folder in folders:
        for file in sorted(Path(folder).glob("*.zarr.zip"))[:1]:
            attributes = load_readout(file).attributes
            known = set(zip(attributes["neuroid"], attributes["time_bin"], strict=True))
            places = zip(targets.names.tolist(), targets.time_bins.tolist(), strict=True)
            kept = np.array([k for k, place in enumerate(places) if place in known], dtype=np.intp)
            targets = targets.taken(kept, np.arange(len(targets.values)))
    return targets


def columns_of(targets: Targets, neuroids: Sequence[str], time_bin: str | None) -> NDArray[np.intp]:
    """Return the positions of neurons in a time bin among a recording's usable neurons.

    Raises
    ------
    InputError
        If a neuron is unknown, left out, or the recording has no such time bin.
    """
    key = "config key in_silico.drive"
    bins = list(dict.fromkeys(targets.time_bins.tolist()))
    if time_bin is None and len(bins) == 1:
        time_bin = bins[0]
    if time_bin not in bins:
        raise InputError(f"{key}.time_bin: {time_bin!r} is no time bin; {allowed_instead(time_bin, bins)}")
    known = {name: k for k, name in enumerate(targets.names.tolist()) if targets.time_bins[k] == time_bin}
    for name in neuroids:
        if name not in known:
            raise InputError(
                f"{key}.neuroids: the recording has no usable neuroid called {name!r}; similar or first "
                f"names: {nearest(name, known)}"
            )
    return np.array([known[name] for name in neuroids], dtype=np.intp)


def population_of(targets: Targets, column: int, threshold: float) -> NDArray[np.intp]:
    """Return the reliable neurons of a neuron's area and time bin, with the neuron itself."""
    same = (targets.areas == targets.areas[column]) & (targets.time_bins == targets.time_bins[column])
    # Without repetitions no reliability is known, and all neurons count.
    unreliable = targets.reliability < threshold
    return np.flatnonzero(same & (~unreliable | (np.arange(len(same)) == column)))


class Network:
    """The readouts of one network for the neurons of a recording.

    Parameters
    ----------
    folder : path
        Folder from `ventral.readouts.making.readout`.
    targets : Targets
        Neurons of the recording.

    Attributes
    ----------
    files : list of Path
        Files of the readouts.
    """

    def __init__(self, folder: str | Path, targets: Targets) -> None:
        self._folder, self._targets = folder, targets
        self.files = sorted(Path(folder).glob("*.zarr.zip"))
        self._readouts = [load_readout(file) for file in self.files]

    @property
    def weights_sha256(self) -> str:
        """Hash of the network's weights; empty for a baseline."""
        return self._readouts[0].attributes["weights_sha256"] if self._readouts else ""

    def readout(self, column: int) -> Readout:
        """Return the readout of a neuron: of the layer that is best for its area and time bin, or the only one.

        Raises
        ------
        InputError
            If there is none.
        """
        place = place_of(self._targets.areas[column], self._targets.time_bins[column])
        for readout in self._readouts:
            if len(self._readouts) == 1 or place in readout.attributes["best_of"]:
                return readout
        raise InputError(
            f"{self._folder}: no readout is of the best layer for {place}, because no neuron there is reliable enough; "
            f"lower `reliability_threshold`, or choose other neuroids"
        )

    def positions(self, column: int, columns: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return the positions of neurons in the readout of a neuron."""
        names, (time_bin,) = self._targets.names[columns], set(self._targets.time_bins[columns])
        return self.readout(column).columns_of(names.tolist(), time_bin)


def refuse_same_network(own: Network, judge: Network) -> None:
    """Refuse a judge with the weights of the optimised network."""
    if own.weights_sha256 == judge.weights_sha256:
        raise InputError(
            "config key in_silico.drive: the judge has the same weights as the model; a judge is another network"
        )


def look_of(stimuli: Path, rows: NDArray[np.intp]) -> "Look":
    """Return the mean over a recording's stimuli of the mean, and of the contrast, of an image."""
    from ventral.in_silico.ascent import Look

    means, contrasts, grey, shape = [], [], True, ()
    for block in blocks_of(stimuli, rows):
        values = block / 255
        means += values.mean(axis=(1, 2, 3)).tolist()
        contrasts += values.std(axis=(1, 2, 3)).tolist()
        grey = grey and bool((block == block[:, :1]).all())
        shape = block.shape[1:]
    return Look(tuple(shape), float(np.mean(means)), float(np.mean(contrasts)), grey)


def blocks_of(stimuli: Path, rows: NDArray[np.intp]) -> Iterator[NDArray[np.uint8]]:
    """Yield the images (block, 3, height, width) of some rows of a store, in order."""
    for start in range(0, int(rows.max()) + 1, AT_ONCE):
        here = rows[(rows >= start) & (rows < start + AT_ONCE)]
        if len(here):
            yield read_pixels(stimuli, start, int(here.max()) + 1)[here - start]


@dataclass(frozen=True)
class Source:
    """Images among which the best are controls.

    Attributes
    ----------
    kind : str
    names : (n,) array of str
        Names of the stimuli.
    blocks : callable
        Yields the images in order.
    """

    kind: str
    names: NDArray
    blocks: Callable[[], Iterator[NDArray[np.uint8]]]

    def image(self, place: int) -> NDArray[np.uint8]:
        """Return the image (3, height, width) at a place."""
        for block in self.blocks():
            if place < len(block):
                return block[place]
            place -= len(block)
        raise IndexError(place)


def natural_sources(
    stimulus_set: "xr.Dataset", stimuli: Path, rows: NDArray[np.intp], pool: str | Path | None, look: "Look"
) -> list[Source]:
    """Return the recording's stimuli as shown and with the mean and contrast of `look`, the pool, and the Gabors.

    Raises
    ------
    InputError
        If images of the pool have another size.
    """
    from ventral.in_silico.controls import grid_images

    names = stimulus_set["stimulus"].values.astype(str)[rows]
    sources = [
        Source(NATURAL, names, partial(blocks_of, stimuli, rows)),
        Source(MATCHED, names, partial(matched_blocks, stimuli, rows, look)),
    ]
    if pool:
        further = read_dataset(pool)
        shape = further["pixels"].shape[1:]
        if shape != look.shape:
            raise InputError(
                f"config key in_silico.drive: images of the pool {further.attrs['name']} have {shape[2]} x {shape[1]} "
                f"pixels, and those of the recording {look.shape[2]} x {look.shape[1]}; resize the pool by its `size`"
            )
        everything = np.arange(further.sizes["stimulus"])
        names = further["stimulus"].values.astype(str)
        sources.append(Source(POOL, names, partial(matched_blocks, Path(pool), everything, look)))
    return [*sources, Source(GABOR, np.full(0, ""), partial(grid_images, look))]


def matched_blocks(stimuli: Path, rows: NDArray[np.intp], look: "Look") -> Iterator[NDArray[np.uint8]]:
    """Yield images as `blocks_of`, with the mean and contrast of `look`; grey if `look` is grey."""
    import torch

    from ventral.in_silico.ascent import as_bytes, matched

    for block in blocks_of(stimuli, rows):
        values = torch.from_numpy(block / 255)
        if look.grey:
            values = values.mean(dim=1, keepdim=True).expand(-1, 3, -1, -1)
        yield as_bytes(matched(values, look.mean, look.contrast))


@dataclass
class Experiment:
    """The networks, images and options that the searches for one recording share.

    Attributes
    ----------
    targets : Targets
        Neurons of the recording.
    own, judge, linear : Network
        The network that is optimised, the one that judges, and the pixels themselves, if there is a readout of them.
    sources : list of Source
    look : Look
    degrees : float or None
        Degrees that the width of an image spans.
    search : Search
    start, n_seeds, seed
        As for `drive`.
    folder : Path
        Folder of the images.
    how : dict
        `device` and `batch_size`.
    """

    targets: Targets
    own: Network
    judge: Network
    linear: Network | None
    sources: list[Source]
    look: "Look"
    degrees: float | None
    search: "Search"
    start: str
    n_seeds: int
    seed: int
    folder: Path
    how: dict

    def __post_init__(self) -> None:
        # Predictions (n, neuroids) of each readout for each source, by the readout's path and the kind.
        self._predicted: dict[tuple[Path, str], NDArray[np.float64]] = {}

    def predict_sources(self, columns: NDArray[np.intp]) -> None:
        """Predict the responses of all neurons to all sources, by the readouts that some neurons need."""
        own, judges = ({network.readout(k).path: network.readout(k) for k in columns} for network in self._networks)
        asked = [(readout, source) for readout in own.values() for source in self.sources]
        asked += [(readout, self.sources[0]) for readout in judges.values()]
        progress = Progress("predict controls", len(asked), "sets")
        for readout, source in asked:
            blocks = [readout.predict(block, **self.how).values for block in source.blocks()]
            self._predicted[readout.path, source.kind] = np.concatenate(blocks)
            progress.advance()

    @property
    def _networks(self) -> tuple[Network, Network]:
        return self.own, self.judge

    def rows_of(self, column: int, population: NDArray[np.intp], objective: str) -> pd.DataFrame:
        """Return the images of one neuron and objective, after writing them.

        Returns
        -------
        DataFrame
            A row for each image. `kind` is `synthesised`, with its number as `seed`, or a control. Controls are the
            best stimulus of the recording as shown (`natural`) and the best with matched mean and contrast
            (`natural_matched`). The latter is also behind the mask of the synthesised image (`natural_masked`). Further
            controls are the best of the `pool`, the best `gabor`, and the image of the `linear` model of the pixels.
            `image` is the file, and `stimulus` the name of a natural one. `mean` and `contrast` are those of the file.

            `response` and `judged_response` are predicted by the two networks. `drive` and `judged_drive` are in
            standard deviations of the predicted responses to the recording's stimuli, from their mean. `score` and
            `judged_score` are the scores of `Aim`, and `gain` and `judged_gain` are beyond those of `natural_matched`.
            `verdict` is `confirmed` if both gains are positive, `own network only` if the first is, else `no gain`.
            `beyond_seen` says whether `response` is outside the measured responses, `lowest_seen` to `highest_seen`.
        """
        aims = [self._aim(network, column, population, objective) for network in self._networks]
        best = self._best_of_sources(column, population, aims[0])
        found = self._synthesised(column, population, aims[0], best[MATCHED])
        scores = aims[0].score(self._predict(self.own, column, population, np.stack([row["pixels"] for row in found])))
        found += self._controls(column, population, aims[0], best, found[int(np.argmax(scores))]["pixels"])
        pixels = np.stack([row.pop("pixels") for row in found])
        table = pd.DataFrame(found)
        values = self.targets.values[:, column]
        named = {**self._names(column), "objective": objective}
        for role, prefix, aim, network in zip(("model", "judge"), ("", "judged_"), aims, self._networks, strict=True):
            attributes = network.readout(column).attributes
            named[role] = attributes["model"]["name"]
            named[f"{role}_layer"] = attributes["layer"]["name"]
            responses = self._predict(network, column, population, pixels)
            table[f"{prefix}response"] = responses[:, aim.target]
            table[f"{prefix}drive"] = aim.drive(responses)[:, aim.target]
            table[f"{prefix}score"] = aim.score(responses)
            reference = table.loc[table["kind"] == MATCHED, f"{prefix}score"].item()
            table[f"{prefix}gain"] = table[f"{prefix}score"] - reference
        for place, (name, value) in enumerate(named.items()):
            table.insert(place, name, value)
        lowest, highest = np.nanmin(values), np.nanmax(values)
        return table.assign(
            verdict=np.select([table["gain"] <= 0, table["judged_gain"] > 0], [NO_GAIN, CONFIRMED], ALONE),
            mean=pixels.mean(axis=(1, 2, 3)) / 255,
            contrast=pixels.std(axis=(1, 2, 3)) / 255,
            degrees=np.nan if self.degrees is None else float(self.degrees),
            lowest_seen=lowest,
            highest_seen=highest,
            beyond_seen=(table["response"] < lowest) | (table["response"] > highest),
        )

    def _names(self, column: int) -> dict[str, str]:
        """Return the neuron's place in tables."""
        return {
            "recording": str(self.own.readout(column).attributes["recording"]),
            "neuroid": str(self.targets.names[column]),
            "area": str(self.targets.areas[column]),
            "time_bin": str(self.targets.time_bins[column]),
        }

    def _aim(self, network: Network, column: int, population: NDArray[np.intp], objective: str) -> Aim:
        """Return the objective in the units of a network's predictions."""
        readout = network.readout(column)
        natural = self._predicted[readout.path, NATURAL][:, network.positions(column, population)]
        deviation = natural.std(axis=0)
        if not deviation.all():
            raise InputError(
                f"{readout.path}: a neuron's predicted response is the same for all stimuli of the recording; leave "
                f"out {self.targets.names[column]}"
            )
        target = int(np.flatnonzero(population == column)[0])
        return Aim(objective, target, natural.mean(axis=0), deviation)

    def _predict(
        self, network: Network, column: int, population: NDArray[np.intp], pixels: NDArray[np.uint8]
    ) -> NDArray[np.float64]:
        """Return the responses (n, population) that the readout of a neuron predicts."""
        predicted = network.readout(column).predict(pixels, **self.how).values
        return predicted[:, network.positions(column, population)]

    def _slope(
        self, network: Network, column: int, population: NDArray[np.intp], aim: Aim
    ) -> Callable[["torch.Tensor"], "torch.Tensor"]:
        """Return the score of images as a function with gradients."""
        names, time_bin = self.targets.names[population].tolist(), str(self.targets.time_bins[column])
        respond = network.readout(column).differentiable(names, time_bin, device=self.how["device"])
        return lambda images: aim.differentiable(respond(images))

    def _best_of_sources(self, column: int, population: NDArray[np.intp], aim: Aim) -> dict[str, NDArray[np.intp]]:
        """Return the places of each source's images by their score, the best first."""
        path, places = self.own.readout(column).path, self.own.positions(column, population)
        return {
            source.kind: np.argsort(-aim.score(self._predicted[path, source.kind][:, places]), kind="stable")
            for source in self.sources
        }

    def _synthesised(self, column: int, population: NDArray[np.intp], aim: Aim, natural: NDArray[np.intp]) -> list:
        """Return rows with the synthesised images, of which files of an earlier attempt are kept."""
        from ventral.in_silico.ascent import ascend

        files = [self._file(column, aim.objective, f"{SYNTHESISED}.{k}") for k in range(self.n_seeds)]
        if not all((self.folder / file).exists() for file in files):
            matched = next(source for source in self.sources if source.kind == MATCHED)
            starts = [
                None if self.start == NOISE else matched.image(natural[k % len(natural)]) / 255
                for k in range(self.n_seeds)
            ]
            score = self._slope(self.own, column, population, aim)
            images = ascend(score, self.look, self.search, starts, seed=self.seed, device=self._device)
            for file, image in zip(files, images, strict=True):
                self._write(file, image)
        return [self._row(SYNTHESISED, file, seed=k) for k, file in enumerate(files)]

    @property
    def _device(self) -> str:
        return choose_device(self.how["device"])

    def _controls(
        self, column: int, population: NDArray[np.intp], aim: Aim, best: dict, synthesised: NDArray[np.uint8]
    ) -> list[dict]:
        """Return rows with the control images, in the order of `KINDS`."""
        from ventral.in_silico.controls import best_gabor, gabor_grid, linear_image, masked

        images, names = {}, {}
        for source in self.sources[:-1]:
            images[source.kind] = source.image(best[source.kind][0])
            names[source.kind] = source.names[best[source.kind][0]]
        images[MASKED] = masked(images[MATCHED][None], synthesised, self.look)[0]
        names[MASKED] = names[MATCHED]
        if self.linear is not None:
            sign = INHIBIT if aim.objective == INHIBIT else EXCITE
            alone = Aim(sign, 0, np.zeros(1), np.ones(1))
            score = self._slope(self.linear, column, np.array([column]), alone)
            images[LINEAR] = linear_image(score, self.look, self._device)
        file = self._file(column, aim.objective, GABOR)
        if not (self.folder / file).exists():
            score, begun = self._slope(self.own, column, population, aim), gabor_grid(self.look)[best[GABOR][0]]
            self._write(file, best_gabor(score, begun, self.look, self.search.steps, self._device))
        for kind, image in images.items():
            self._write(self._file(column, aim.objective, kind), image)
        kinds = [kind for kind in KINDS if kind in {*images, GABOR}]
        return [self._row(kind, self._file(column, aim.objective, kind), names.get(kind, "")) for kind in kinds]

    def _file(self, column: int, objective: str, ending: str) -> str:
        name = ".".join(filter(None, [self.targets.names[column], self.targets.time_bins[column]]))
        return f"{quote(name, safe=MARK)}.{objective}.{ending}.png"

    def _row(self, kind: str, file: str, stimulus: str = "", seed: int = 0) -> dict:
        return {"kind": kind, "seed": seed, "stimulus": stimulus, "image": file, "pixels": read_png(self.folder / file)}

    def _write(self, file: str, image: NDArray[np.uint8]) -> None:
        write_png(self.folder / file, image, self.degrees)


def warn_of_range(table: pd.DataFrame) -> None:
    """Warn if synthesised images leave the range of the measured responses."""
    beyond = table[(table["kind"] == SYNTHESISED) & table["beyond_seen"]]
    if len(beyond):
        names = list(dict.fromkeys(beyond["neuroid"]))
        logger.warning(
            "%d of %d synthesised images: the predicted response lies outside the measured responses, so the readout "
            "extrapolates: %s",
            *(len(beyond), (table["kind"] == SYNTHESISED).sum(), shown(names)),
        )
