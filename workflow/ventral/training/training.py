"""Training of networks: to tell labels apart, or to respond as recorded neuroids do.

Labels are learned by cross-entropy. Responses are fitted by the mean squared error of z-scored mean responses, over the
pairs of stimulus and neuroid that there are. The optimiser is AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101), its
rate rises over the first steps and then falls as half a cosine. The weights that count are those of the epoch with the
lowest loss on the validation part.

What is drawn depends on the seed, the epoch and the image alone, never on how training came there: stopped at any time
and started again, it ends in the same weights, bit for bit. On the CPU it uses one thread, so that the weights are the
same whatever the number of cores; train several networks side by side instead.
"""

import hashlib
import io
import json
import logging
import logging.handlers
import math
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, distributed, multiprocessing, nn
from torch.nn import functional
from torch.nn.parallel import DistributedDataParallel

from ventral.activations.forward import choose_device
from ventral.errors import InputError, is_out_of_memory, shown
from ventral.models.checkpoints import TRAINED
from ventral.models.description import (
    build,
    check_layers_repeatable,
    naming,
    preprocess,
    resize,
    trace_stimuli,
    with_outputs,
)
from ventral.models.layers import choose_layers
from ventral.models.passes import telling_errors
from ventral.outputs import sha256, writing
from ventral.recordings.ingestion import mean_responses
from ventral.running.progress import Progress
from ventral.stimuli.ingestion import read_pixels
from ventral.store import read_dataset
from ventral.targets.benchmark import read_stimuli
from ventral.targets.splits import make_folds
from ventral.targets.values import labels_of
from ventral.training.exclusion import training_rows

logger = logging.getLogger("ventral")

FINAL = "final.safetensors"
STATE = "state.pt"
# Largest shift of an image in training, as a share of its side.
SHIFT = 1 / 8
WARM_UP = 0.05
ROWS_PER_READ = 1024
DIGEST_BYTES = 32


def epoch_file(epoch: int) -> str:
    """Return the name of the file of a checkpoint."""
    return f"epoch_{epoch:04d}.safetensors"


def train(
    stimuli: str | Path,
    output: str | Path,
    spec: dict,
    *,
    tested: Sequence[str | Path] = (),
    recording: str | Path | None = None,
    layers: dict | None = None,
    device: str = "auto",
    processes: int | None = None,
) -> None:
    """Train a network, and write its weights and what it saw.

    The folder has ``final.safetensors`` and one file for each checkpoint, such as ``epoch_0004.safetensors``;
    ``metrics.csv``, one row an epoch, from epoch 0, before training; ``seen.csv``, every stimulus that was put through
    the network for training, and how often; and for a network that is fitted to neuroids ``neurons.csv``, the
    correlation of each neuroid's responses with the final network's on the training and the test part. The test part,
    fold 0 of split `images`, takes no part in training, nor in the choice of the epoch.

    Parameters
    ----------
    stimuli : path
        Store of the training set.
    output : path
        Folder to write. The state of unfinished training lies beside it.
    spec : dict
        From `ventral.configuration.resolution.resolve`, under `trainings`: `name`; `network`, its description before
        training; `label` or `recording`; `exclude` and `see`, as for `training_rows`; `epochs`, `patience`, `batch_size`, `learning_rate`,
        `weight_decay`, `validation`, `checkpoints`, `autocast`; `folds` and `folds_seed` of the split.
    tested : sequence of paths
        Stores of the stimulus sets that the network is tested on.
    recording : path, optional
        Store of the recording that it is fitted to.
    layers : dict, optional
        `layers` and `max_layers` that are wanted of the trained network: training does not depend on them, but a name
        that is not there is told before it starts.
    device : str
        'auto', 'cpu' or 'cuda'.
    processes : int, optional
        Processes among which each batch is divided; by default one for every GPU, and one without. Each normalises
        batches (`nn.BatchNorm2d`) by its own share.

    Raises
    ------
    InputError
        If too little is left to train on, the network cannot be had or has no readout, training diverges, there is no
        such device, or its memory does not suffice.
    """
    key = f"models.{spec['name']}.train"
    output, place = Path(output), choose_device(device, f"{key}.device").type
    task = _prepare(stimuli, spec, tested, recording)
    _check_network(task, layers)
    processes = processes or (torch.cuda.device_count() if place == "cuda" else 1)
    # Every process needs two images of every batch, or there is no variance within it.
    processes = max(1, min(processes, len(task.parts["train"]) // task.n_batches // 2))
    folder = output.with_name(f".{output.name}.training")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        if processes == 1:
            _work(0, 1, task, folder, place)
        else:
            _spawn(processes, task, folder, place)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise InputError(
            f"{key}.batch_size: memory does not suffice for {spec['batch_size']} images in a batch; set it lower"
        ) from error
    state = _read_state(folder, task.fingerprint)["progress"]
    if state.problem:
        shutil.rmtree(folder)
        raise InputError(f"{key}: {state.problem}")
    with writing(output) as unfinished:
        _write_results(unfinished, task, state, folder)
    shutil.rmtree(folder)


@dataclass(frozen=True)
class _Task:
    """What is trained, on what; the same in all processes.

    Attributes
    ----------
    spec : dict
        As for `train`.
    fingerprint : str
        Of everything that the result depends on.
    stimuli : DataFrame
        `stimulus` and labels of the images that are read.
    pixels : (n, 3, size, size) uint8 tensor
        Of the same.
    targets : (n,) int64 tensor, or (n, neuroids) float32 tensor
        Number of the label, or z-scored mean response, NaN where there is none.
    outputs : list of str
        Labels or neuroids, in the order of the network's outputs.
    parts : dict of integer arrays
        Rows of `train`, `validation` and, for a recording, `test`.
    neuroids : DataFrame or None
        `neuroid`, `area`, `reliability`, of a recording.
    """

    spec: dict
    fingerprint: str
    stimuli: pd.DataFrame
    pixels: Tensor
    targets: Tensor
    outputs: list[str]
    parts: dict[str, NDArray[np.intp]]
    neuroids: pd.DataFrame | None

    @property
    def n_batches(self) -> int:
        """Batches in an epoch: all as good as equal in size, so that none is a small rest."""
        return max(1, len(self.parts["train"]) // self.spec["batch_size"])

    @property
    def most_images(self) -> int:
        """Images in a batch at most."""
        return -(-len(self.parts["train"]) // self.n_batches)


@dataclass
class _State:
    """How far training has come, beside the weights and the optimiser's moments.

    Attributes
    ----------
    epoch : int
        The last one that is over.
    history : list of dict
        Rows of metrics.csv.
    seen : (n,) int64 tensor
        How often each image was put through the network for training.
    best_epoch, best_loss, best_weights
        Of the epoch with the lowest validation loss.
    checkpoints : dict of str
        SHA-256 of the file of each checkpoint so far, by epoch.
    problem : str
        Why training cannot go on, '' if it can.
    correlations : dict of (neuroids,) tensors
        Of the final network, by part.
    finished : bool
        Nothing is left to do but to write the results.
    """

    seen: Tensor
    epoch: int = 0
    history: list[dict] = field(default_factory=list)
    best_epoch: int = 0
    best_loss: float = math.inf
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    checkpoints: dict[int, str] = field(default_factory=dict)
    problem: str = ""
    correlations: dict[str, Tensor] = field(default_factory=dict)
    finished: bool = False


def _prepare(stimuli, spec: dict, tested, recording) -> _Task:
    """Read what is trained on, once."""
    dataset = read_stimuli(stimuli, [recording] if spec["recording"] else [])
    labels, n = labels_of(dataset), dataset.sizes["stimulus"]
    rows = _left(spec, dataset, labels, tested)
    if spec["recording"]:
        targets, neuroids, parts = _of_recording(spec, recording, dataset, labels, rows)
        outputs = neuroids["neuroid"].tolist()
    else:
        names = labels[spec["label"]]
        outputs, neuroids = np.unique(names[rows]), None
        targets = torch.from_numpy(np.searchsorted(outputs, names))
        parts = dict(zip(("train", "validation"), _divided(rows, names, spec), strict=True))
        outputs = outputs.tolist()
    used = np.sort(np.concatenate(list(parts.values())))
    targets = targets[used]
    content = [
        {key: value for key, value in spec.items() if key != "tested"},
        dataset.attrs["sha256"],
        {part: held.tolist() for part, held in parts.items()},
    ]
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode())
    digest.update(targets.numpy().tobytes())
    return _Task(
        spec=spec,
        fingerprint=digest.hexdigest(),
        stimuli=pd.DataFrame({"stimulus": dataset["stimulus"].values, **labels}).iloc[used].reset_index(drop=True),
        pixels=_read_resized(stimuli, n, used, spec["network"]),
        targets=targets,
        outputs=outputs,
        parts={part: np.searchsorted(used, held) for part, held in parts.items()},
        neuroids=neuroids,
    )


def _left(spec: dict, dataset, labels: Mapping[str, NDArray], tested) -> NDArray[np.intp]:
    """Return the rows that may be trained on, and say in the log what is excluded."""
    stores = [read_dataset(path) for path in tested]
    sets = {store.attrs["name"]: labels_of(store) for store in stores}
    rows, excluded = training_rows(spec, labels, dataset.sizes["stimulus"], sets)
    for name in [name for name, of_set in sets.items() if not of_set]:
        logger.warning("train %s: the stimuli of %s have no labels; none of them can be excluded", spec["name"], name)
    logger.info(
        "train %s: %d of %d stimuli of %s may be shown; excluded: %s",
        spec["name"],
        len(rows),
        dataset.sizes["stimulus"],
        dataset.attrs["name"],
        "; ".join(f"{kind} {shown(names, 8)}" for kind, names in excluded.items() if names) or "nothing",
    )
    return rows


def _of_recording(spec: dict, recording, dataset, labels: Mapping[str, NDArray], rows: NDArray[np.intp]):
    """Return z-scored mean responses (n, neuroids), the table of neuroids, and the rows of the parts."""
    responses = read_dataset(recording)
    name, key = responses.attrs["recording"], f"models.{spec['name']}.train.recording"
    source = f"stimuli {dataset.attrs['name']}"
    test = make_folds("images", labels, dataset.sizes["stimulus"], spec["folds"], spec["folds_seed"], source)[0]
    kinds = labels.get("object", labels.get("category"))
    train, validation = _divided(np.setdiff1d(rows, test), kinds, spec)
    means = mean_responses(responses).values
    present = (~np.isnan(means[train])).any(axis=0) & (responses["left_out"].values == "")
    scale = np.full(means.shape[1], np.nan)
    scale[present] = np.nanstd(means[train][:, present], axis=0)
    kept = scale > 0
    if not kept.any():
        raise InputError(f"{key}: no neuroid of {name} has responses that differ between the stimuli trained on")
    logger.info("train %s: fitted to %d of %d neuroids of %s", spec["name"], kept.sum(), len(kept), name)
    targets = (means[:, kept] - np.nanmean(means[train][:, kept], axis=0)) / scale[kept]
    table = {column: responses[column].values[kept] for column in ("neuroid", "area", "reliability")}
    parts = {"train": train, "validation": validation, "test": test}
    return torch.from_numpy(targets.astype(np.float32)), pd.DataFrame(table), parts


def _divided(rows: NDArray[np.intp], labels: NDArray | None, spec: dict) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Divide rows into those trained on and a share for validation, every label in equal parts."""
    generator = np.random.default_rng(spec["network"]["seed"])
    of_rows = np.zeros(len(rows), dtype=int) if labels is None else labels[rows]
    held = np.zeros(len(rows), dtype=bool)
    for label in np.unique(of_rows):
        places = generator.permutation(np.flatnonzero(of_rows == label))
        # One at least to be trained on; halves are rounded up.
        held[places[: min(len(places) - 1, math.floor(len(places) * spec["validation"] + 0.5))]] = True
    if not held.any():
        raise InputError(
            f"models.{spec['name']}.train.validation: {spec['validation']} of {len(rows)} stimuli with "
            f"{len(np.unique(of_rows))} labels is not one stimulus of any; set it higher, or train on more stimuli"
        )
    return rows[~held], rows[held]


def _read_resized(stimuli, n_stimuli: int, rows: NDArray[np.intp], network: dict) -> Tensor:
    """Return the pixels of some rows, at the network's size."""
    blocks = []
    for start in range(0, n_stimuli, ROWS_PER_READ):
        wanted = rows[(rows >= start) & (rows < start + ROWS_PER_READ)]
        if len(wanted):
            pixels = read_pixels(stimuli, start, min(start + ROWS_PER_READ, n_stimuli))[wanted - start]
            blocks.append(resize(torch.from_numpy(pixels), network))
    return torch.cat(blocks)


def _network(task: _Task) -> nn.Module:
    """Return the network before training, with a readout for the task."""
    network = task.spec["network"]
    return with_outputs(build(network, new_readout=True), len(task.outputs), network).requires_grad_(True)


def _check_network(task: _Task, layers: dict | None) -> None:
    """Refuse a network without the layers that are wanted of it, or whose output is not that of its last linear one."""
    spec = task.spec["network"]
    network, expected = _network(task), (2, len(task.outputs))
    shape = tuple(task.pixels.shape[1:])
    traced = trace_stimuli(network.eval(), shape, spec)
    if layers:
        check_layers_repeatable(network, choose_layers(network, traced, {**spec, **layers}), shape, spec)
    example = preprocess(torch.cat([task.pixels[:1]] * 2), spec)
    for state in ("evaluation", "training"):
        tried = deepcopy(network).train(state == "training")
        with naming(spec), telling_errors(tried, example), torch.no_grad(), torch.random.fork_rng(devices=[]):
            outputs = tried(example)
        found = tuple(outputs.shape) if isinstance(outputs, Tensor) else type(outputs).__name__
        if found != expected:
            raise InputError(
                f"models.{spec['name']}.architecture: in {state}, {spec['architecture']} gives {found} for 2 stimuli, "
                f"where a tensor {expected}, the output of its last linear layer, is needed to train it"
            )


def _spawn(processes: int, task: _Task, folder: Path, place: str) -> None:
    """Train in several processes on this machine, one a GPU; what they log goes where this process logs."""
    queue = multiprocessing.get_context("spawn").Queue()
    listener = logging.handlers.QueueListener(queue, *logging.getLogger().handlers)
    listener.start()
    try:
        with tempfile.TemporaryDirectory() as meeting:
            multiprocessing.spawn(
                _work, (processes, task, folder, place, f"file://{meeting}/store", queue), nprocs=processes
            )
    finally:
        listener.stop()


def _work(rank: int, world: int, task: _Task, folder: Path, place: str, meeting: str = "", queue=None) -> None:
    """Train as one of several processes, or alone."""
    if queue is not None:
        logger.setLevel(logging.INFO)
        logging.getLogger().addHandler(logging.handlers.QueueHandler(queue))
    device = torch.device(place, rank) if place == "cuda" else torch.device(place)
    with _repeatable(device):
        if world == 1:
            _Trainer(rank, world, task, folder, device).run()
            return
        distributed.init_process_group(
            "nccl" if place == "cuda" else "gloo", init_method=meeting, rank=rank, world_size=world
        )
        try:
            _Trainer(rank, world, task, folder, device).run()
        finally:
            distributed.destroy_process_group()


@contextmanager
def _repeatable(device: torch.device) -> Iterator[None]:
    """Compute with one thread and the same algorithms each time, for the time of a block."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with (
            torch.random.fork_rng(devices=[device.index] if device.type == "cuda" else []),
            torch.backends.cudnn.flags(benchmark=False, deterministic=True, allow_tf32=False),
            torch.cuda.device(device) if device.type == "cuda" else nullcontext(),
        ):
            yield
    finally:
        torch.set_num_threads(threads)


class _Trainer:
    """A network in training, in one process of `world`: each takes its share of every batch."""

    def __init__(self, rank: int, world: int, task: _Task, folder: Path, device: torch.device) -> None:
        self.rank, self.world, self.task, self.folder, self.device = rank, world, task, folder, device
        self.spec = task.spec
        self.network = _network(task).to(device, memory_format=torch.channels_last)
        self.targets = task.targets.to(device)
        # What a mean over some rows is divided by: stimuli, or pairs of stimulus and neuroid.
        self.counts = (~task.targets.isnan()).reshape(len(task.targets), -1).sum(1).numpy()
        self.grey = np.array([round(255 * value) for value in self.spec["network"]["mean"]], np.uint8)[:, None, None]
        autocast = self.spec["autocast"]
        if autocast == "auto":
            autocast = "bfloat16" if device.type == "cuda" else None
        self.precision = torch.autocast(device.type, getattr(torch, autocast)) if autocast else nullcontext()
        parameters = list(self.network.parameters())
        # Biases and the scales of normalisations are not pulled to 0.
        self.optimiser = torch.optim.AdamW(
            [
                {"params": [p for p in parameters if p.ndim > 1], "weight_decay": self.spec["weight_decay"]},
                {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
            ],
            fused=True,
        )
        self.parallel = self.network
        if world > 1:
            self.parallel = DistributedDataParallel(
                self.network, device_ids=[device.index] if device.type == "cuda" else None
            )

    def run(self) -> None:
        """Train from where it was stopped, or from the start, and leave the end in the state's file."""
        state = self._resumed() or self._started()
        left = (self.spec["epochs"] - state.epoch) * len(self.task.parts["train"])
        progress = None
        if self.rank == 0 and not state.finished:
            progress = Progress(f"train {self.spec['name']}", left, "images")
        while not (state.finished or state.problem):
            if state.epoch == self.spec["epochs"] or self._is_stopped_early(state):
                self._finish(state)
            else:
                self._train_epoch(state, progress)
            self._save(state)

    def _started(self) -> _State:
        self.network.load_state_dict(_network(self.task).state_dict())
        state = _State(seen=torch.zeros(len(self.task.targets), dtype=torch.int64))
        names = ["train_loss"] + (["train_accuracy"] if self.task.neuroids is None else [])
        self._close_epoch(state, dict.fromkeys(names, math.nan))
        self._save(state)
        return state

    def _resumed(self) -> _State | None:
        """Return the state that an earlier run left, with the network and the optimiser put into it."""
        try:
            saved = _read_state(self.folder, self.task.fingerprint)
            if saved is None:
                return None
            self.network.load_state_dict(saved["network"])
            self.optimiser.load_state_dict(saved["optimiser"])
        except (ValueError, RuntimeError, KeyError, TypeError) as error:
            if self.rank == 0:
                logger.warning("train %s: starts anew: %s", self.spec["name"], error)
            return None
        if self.rank == 0:
            logger.info("train %s: goes on after epoch %d", self.spec["name"], saved["progress"].epoch)
        return saved["progress"]

    def _save(self, state: _State) -> None:
        if self.rank == 0:
            content = {
                "fingerprint": self.task.fingerprint,
                "progress": vars(state),
                "network": self.network.state_dict(),
                "optimiser": self.optimiser.state_dict(),
            }
            buffer = io.BytesIO()
            torch.save(content, buffer)
            with writing(self.folder / STATE) as unfinished:
                # torch does not check what it reads.
                unfinished.write_bytes(hashlib.sha256(buffer.getbuffer()).digest() + buffer.getbuffer())

    def _train_epoch(self, state: _State, progress: Progress | None) -> None:
        epoch, rows = state.epoch + 1, self.task.parts["train"]
        generator = np.random.default_rng([self.spec["network"]["seed"], epoch])
        order = generator.permutation(len(rows))
        furthest = int(SHIFT * min(self.task.pixels.shape[-2:]))
        shifts = generator.integers(-furthest, furthest, (len(rows), 2), endpoint=True)
        flips = generator.random(len(rows)) < 0.5
        # Of what the network itself draws, such as dropout.
        torch.manual_seed(int(generator.integers(2**62)) + self.rank)
        self.parallel.train()
        sums = torch.zeros(2, dtype=torch.float64, device=self.device)
        seen = torch.zeros_like(state.seen)
        for number, batch in enumerate(np.array_split(order, self.task.n_batches)):
            mine = batch[self.rank :: self.world]
            places = torch.from_numpy(rows[mine])
            seen[places] += 1
            pixels = self.task.pixels[places]
            if self.task.neuroids is None:
                # Neuroids know left from right, and where: what they are fitted with stays in its place.
                pixels = torch.from_numpy(moved(pixels.numpy(), shifts[mine], flips[mine], self.grey))
            rate = self._learning_rate((epoch - 1) * self.task.n_batches + number)
            for group in self.optimiser.param_groups:
                group["lr"] = rate
            outputs = self._forward(self.parallel, pixels)
            targets = self.targets[places.to(self.device)]
            loss = self._loss(outputs, targets)
            self.optimiser.zero_grad()
            # Gradients are averaged over processes, and each has summed over its share alone.
            (loss * self.world / self._count(rows[batch])).backward()
            self.optimiser.step()
            sums += torch.stack([loss.detach().double(), self._n_right(outputs.detach(), targets)])
            if progress is not None:
                progress.advance(len(batch))
        self._add_up(sums)
        self._add_up(seen)
        state.epoch, state.seen = epoch, state.seen + seen
        loss, right = sums.tolist()
        metrics = {"train_loss": loss / self._count(rows)}
        if self.task.neuroids is None:
            metrics["train_accuracy"] = right / len(rows)
        self._close_epoch(state, metrics)

    def _learning_rate(self, step: int) -> float:
        """Return the rate of a step, the first being 0."""
        steps = self.spec["epochs"] * self.task.n_batches
        rising = (step + 1) / max(1.0, WARM_UP * steps)
        return self.spec["learning_rate"] * min(rising, (1 + math.cos(math.pi * step / steps)) / 2)

    def _forward(self, network: nn.Module, pixels: Tensor) -> Tensor:
        images = preprocess(pixels.to(self.device, non_blocking=True), self.spec["network"])
        with self.precision:
            return network(images.contiguous(memory_format=torch.channels_last)).float()

    def _loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the sum of losses over stimuli, or over pairs of stimulus and neuroid."""
        if self.task.neuroids is None:
            return functional.cross_entropy(outputs, targets, reduction="sum")
        there = ~targets.isnan()
        return ((outputs - targets.nan_to_num()).square() * there).sum()

    def _count(self, rows: NDArray[np.intp]) -> float:
        return max(1.0, float(self.counts[rows].sum()))

    def _n_right(self, outputs: Tensor, targets: Tensor) -> Tensor:
        right = outputs.argmax(1) == targets if self.task.neuroids is None else torch.zeros(1, device=self.device)
        return right.sum().double()

    def _add_up(self, values: Tensor) -> None:
        """Add what all processes have, in place."""
        if self.world > 1:
            shared = values.to(self.device)
            distributed.all_reduce(shared)
            values.copy_(shared)

    def _close_epoch(self, state: _State, metrics: dict) -> None:
        """Measure the network at the end of an epoch, and note what is to be kept."""
        if self.world > 1:
            for buffer in self.network.buffers():
                distributed.broadcast(buffer, 0)
        rows = self.task.parts["validation"]
        outputs, targets = self._outputs(rows), self.task.targets[rows]
        loss = self._loss(outputs, targets).item() / self._count(rows)
        row = {"epoch": state.epoch, **metrics, "validation_loss": loss}
        if self.task.neuroids is None:
            row["validation_accuracy"] = self._n_right(outputs, targets).item() / len(rows)
        else:
            row |= self._medians()
        state.history.append(row)
        if self.rank == 0:
            measured = [f"{name} {value:.4g}" for name, value in row.items() if not math.isnan(value)]
            logger.info("train %s: %s", self.spec["name"], ", ".join(measured))
        if not math.isfinite(loss) or (state.epoch and not math.isfinite(row["train_loss"])):
            state.problem = (
                f"the loss is not finite in epoch {state.epoch}; a `learning_rate` lower than "
                f"{self.spec['learning_rate']:g} may help"
            )
        if state.epoch and loss < state.best_loss:
            state.best_epoch, state.best_loss = state.epoch, loss
            state.best_weights = {name: values.cpu().clone() for name, values in self.network.state_dict().items()}
        if state.epoch in self.spec["checkpoints"] and self.rank == 0:
            path = self.folder / epoch_file(state.epoch)
            _write_weights(path, self.task, self.network.state_dict(), state.epoch)
            state.checkpoints[state.epoch] = sha256(path)

    def _is_stopped_early(self, state: _State) -> bool:
        patience = self.spec["patience"]
        waited = patience is not None and state.epoch - state.best_epoch >= patience
        return waited and state.epoch >= max(self.spec["checkpoints"], default=0)

    def _finish(self, state: _State) -> None:
        state.finished = True
        if self.task.neuroids is not None:
            self.network.load_state_dict(state.best_weights)
            state.correlations = {part: torch.from_numpy(self._correlations(part)) for part in ("train", "test")}

    def _outputs(self, rows: NDArray[np.intp]) -> Tensor:
        """Return the network's outputs (len(rows), outputs) in evaluation, on the CPU, the same in all processes."""
        self.network.eval()
        outputs = torch.zeros(len(rows), len(self.task.outputs))
        with torch.inference_mode():
            for start in range(0, len(rows), self.task.most_images):
                batch = rows[start : start + self.task.most_images]
                if start // self.task.most_images % self.world == self.rank:
                    outputs[start : start + len(batch)] = self._forward(self.network, self.task.pixels[batch]).cpu()
        self._add_up(outputs)
        return outputs

    def _correlations(self, part: str) -> NDArray[np.float64]:
        rows = self.task.parts[part]
        return correlations(self._outputs(rows).numpy(), self.task.targets[rows].numpy())

    def _medians(self) -> dict[str, float]:
        medians = {}
        for part in ("train", "test"):
            of_neuroids = self._correlations(part)
            for area, members in self.task.neuroids.groupby("area").indices.items():
                defined = of_neuroids[members][~np.isnan(of_neuroids[members])]
                medians[f"{part}_r {area}"] = float(np.median(defined)) if len(defined) else math.nan
        return medians


def moved(
    pixels: NDArray[np.uint8], shifts: NDArray[np.int64], flips: NDArray[np.bool_], grey: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Return images (n, 3, height, width), each mirrored or not and then shifted.

    Parameters
    ----------
    pixels : (n, 3, height, width) array
        Images.
    shifts : (n, 2) array
        Down and to the right, in pixels, fewer than the image has.
    flips : (n,) array
        Which to mirror, left to right.
    grey : (3, 1, 1) array
        What fills the rest.
    """
    filled = np.empty_like(pixels)
    filled[:] = grey
    height, width = pixels.shape[2:]
    for after, before, (down, right), flip in zip(filled, pixels, shifts.tolist(), flips.tolist(), strict=True):
        source = before[:, :, ::-1] if flip else before
        after[:, max(down, 0) : height + min(down, 0), max(right, 0) : width + min(right, 0)] = source[
            :, max(-down, 0) : height - max(down, 0), max(-right, 0) : width - max(right, 0)
        ]
    return filled


def correlations(predicted: NDArray, measured: NDArray) -> NDArray[np.float64]:
    """Return Pearson's r of each column (n, columns) over the rows that were measured; NaN where it is not defined."""
    r = np.full(predicted.shape[1], np.nan)
    for column in range(len(r)):
        there = ~np.isnan(measured[:, column])
        x, y = (values[there, column].astype(np.float64) for values in (predicted, measured))
        if len(x) > 1 and np.ptp(x) > 0 and np.ptp(y) > 0:
            r[column] = np.corrcoef(x, y)[0, 1]
    return r


def _read_state(folder: Path, fingerprint: str) -> dict | None:
    """Return what `_Trainer._save` has written, None where nothing is.

    Raises
    ------
    ValueError
        If it is damaged, or belongs to other training.
    """
    path = folder / STATE
    if not path.exists():
        return None
    content = path.read_bytes()
    if hashlib.sha256(content[DIGEST_BYTES:]).digest() != content[:DIGEST_BYTES]:
        raise ValueError(f"{path} is damaged")
    saved = torch.load(io.BytesIO(content[DIGEST_BYTES:]), map_location="cpu", weights_only=True)
    if saved["fingerprint"] != fingerprint:
        raise ValueError(f"{path} is of training with other options or stimuli")
    saved["progress"] = _State(**saved["progress"])
    for epoch, expected in saved["progress"].checkpoints.items():
        path = folder / epoch_file(epoch)
        if not path.exists() or sha256(path) != expected:
            raise ValueError(f"{path} is damaged or missing")
    return saved


def _write_weights(path: Path, task: _Task, state_dict: dict[str, Tensor], epoch: int) -> None:
    from safetensors.torch import save

    about = {
        "model": task.spec["name"],
        "architecture": task.spec["network"]["architecture"],
        "epoch": epoch,
        "neuroids" if task.spec["recording"] else "classes": task.outputs,
    }
    # One entry: the file keeps several in an order that differs from time to time.
    metadata = {TRAINED: json.dumps(about, sort_keys=True)}
    tensors = {name: values.detach().cpu().contiguous().clone() for name, values in state_dict.items()}
    with writing(path) as unfinished:
        unfinished.write_bytes(save(tensors, metadata=metadata))


def _write_results(folder: Path, task: _Task, state: _State, unfinished: Path) -> None:
    folder.mkdir()
    for epoch in state.checkpoints:
        shutil.copyfile(unfinished / epoch_file(epoch), folder / epoch_file(epoch))
    _write_weights(folder / FINAL, task, state.best_weights, state.best_epoch)
    pd.DataFrame(state.history).to_csv(folder / "metrics.csv", index=False)
    seen = task.stimuli.assign(times=state.seen.numpy())
    seen[seen["times"] > 0].to_csv(folder / "seen.csv", index=False)
    if task.neuroids is not None:
        table = task.neuroids.assign(**{f"{part}_r": values.numpy() for part, values in state.correlations.items()})
        columns = ["neuroid", "area", "train_r", "test_r", "reliability", "epochs"]
        table.assign(epochs=state.best_epoch)[columns].to_csv(folder / "neurons.csv", index=False)
    logger.info(
        "train %s: the weights of epoch %d, validation loss %.4g", task.spec["name"], state.best_epoch, state.best_loss
    )
