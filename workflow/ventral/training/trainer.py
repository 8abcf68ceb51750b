"""Train networks to classify labels, or to predict the responses of recorded neuroids.

Labels are learned with cross-entropy. Responses are fitted with the mean squared error of z-scored mean responses, over
all recorded pairs of stimulus and neuroid. The optimiser is AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101). The
learning rate rises over the first steps and then falls as half a cosine. The final weights are those of the epoch with
the lowest loss on the validation part.

Random numbers depend only on the seed, the epoch and the image. Training that is stopped and resumed therefore ends in
the same weights, bit for bit. Training uses one CPU thread, so that the number of cores does not change the weights. To
use more cores, train several networks in parallel.
"""

import hashlib
import io
import logging
import logging.handlers
import math
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, distributed, multiprocessing, nn
from torch.nn import functional
from torch.nn.parallel import DistributedDataParallel

from ventral.models.description import (
    preprocess,
)
from ventral.outputs import sha256, writing
from ventral.recordings.time_bins import place_of
from ventral.running.progress import Progress
from ventral.training.state import STATE, State, epoch_file, read_state, write_weights
from ventral.training.task import Task, network_for

logger = logging.getLogger("ventral")

# Largest shift of an image in training, as a share of its side.
SHIFT = 1 / 8
# Largest share of a GPU's free memory for images.
SHARE_OF_IMAGES = 0.5
WARM_UP = 0.05


def spawn(processes: int, task: Task, folder: Path, place: str) -> None:
    """Train in several processes on this machine, one for each GPU, and forward their log messages."""
    queue = multiprocessing.get_context("spawn").Queue()
    listener = logging.handlers.QueueListener(queue, *logging.getLogger().handlers)
    listener.start()
    try:
        with tempfile.TemporaryDirectory() as meeting:
            multiprocessing.spawn(
                work, (processes, task, folder, place, f"file://{meeting}/store", queue), nprocs=processes
            )
    finally:
        listener.stop()


def work(rank: int, world: int, task: Task, folder: Path, place: str, meeting: str = "", queue=None) -> None:
    """Train in one process, alone or as one of several."""
    if queue is not None:
        logger.setLevel(logging.INFO)
        logging.getLogger().addHandler(logging.handlers.QueueHandler(queue))
    device = torch.device(place, rank) if place == "cuda" else torch.device(place)
    with _repeatable(device):
        if world == 1:
            Trainer(rank, world, task, folder, device).run()
            return
        distributed.init_process_group(
            "nccl" if place == "cuda" else "gloo", init_method=meeting, rank=rank, world_size=world
        )
        try:
            Trainer(rank, world, task, folder, device).run()
        finally:
            distributed.destroy_process_group()


@contextmanager
def _repeatable(device: torch.device) -> Iterator[None]:
    """Compute with one thread and deterministic algorithms within a `with` block."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with (
            torch.random.fork_rng(devices=[device.index] if device.type == "cuda" else []),
            torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False),
            torch.cuda.device(device) if device.type == "cuda" else nullcontext(),
        ):
            yield
    finally:
        torch.set_num_threads(threads)


class Trainer:
    """Trainer of one network, in one of `world` processes that share every batch."""

    def __init__(self, rank: int, world: int, task: Task, folder: Path, device: torch.device) -> None:
        self.rank, self.world, self.task, self.folder, self.device = rank, world, task, folder, device
        self.spec = task.spec
        self.network = network_for(task).to(device, memory_format=torch.channels_last)
        self.pixels, self.targets = resident(task.pixels, device), task.targets.to(device)
        # Divisors of mean losses: the number of stimuli, or of pairs of stimulus and neuroid.
        self.counts = (~task.targets.isnan()).reshape(len(task.targets), -1).sum(1).numpy()
        grey = [round(255 * value) for value in self.spec["network"]["mean"]]
        self.grey = torch.tensor(grey, dtype=torch.uint8, device=device)[:, None, None]
        autocast = self.spec["autocast"]
        if autocast == "auto":
            autocast = "bfloat16" if device.type == "cuda" else None
        self.precision = torch.autocast(device.type, getattr(torch, autocast)) if autocast else nullcontext()
        parameters = list(self.network.parameters())
        # Weight decay would pull biases and the scales of normalisations to 0.
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
        """Train to the end, from the start or from a saved state, and save the final state."""
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

    def _started(self) -> State:
        self.network.load_state_dict(network_for(self.task).state_dict())
        state = State(seen=torch.zeros(len(self.task.targets), dtype=torch.int64))
        names = ["train_loss"] + (["train_accuracy"] if self.task.neuroids is None else [])
        self._close_epoch(state, dict.fromkeys(names, math.nan))
        self._save(state)
        return state

    def _resumed(self) -> State | None:
        """Return the saved state of an earlier run, and load network and optimiser from it."""
        try:
            saved = read_state(self.folder, self.task.fingerprint)
            if saved is None:
                return None
            self.network.load_state_dict(saved["network"])
            self.optimiser.load_state_dict(saved["optimiser"])
        except (ValueError, RuntimeError, KeyError, TypeError) as error:
            if self.rank == 0:
                logger.warning("train %s: starting over: %s", self.spec["name"], error)
            return None
        if self.rank == 0:
            logger.info("train %s: resuming after epoch %d", self.spec["name"], saved["progress"].epoch)
        return saved["progress"]

    def _save(self, state: State) -> None:
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
                # torch does not check files for damage, hence the hash.
                unfinished.write_bytes(hashlib.sha256(buffer.getbuffer()).digest() + buffer.getbuffer())

    def _train_epoch(self, state: State, progress: Progress | None) -> None:
        epoch, rows = state.epoch + 1, self.task.parts["train"]
        generator = np.random.default_rng([self.spec["network"]["seed"], epoch])
        order = generator.permutation(len(rows))
        furthest = int(SHIFT * min(self.task.pixels.shape[-2:]))
        shifts = generator.integers(-furthest, furthest, (len(rows), 2), endpoint=True)
        flips = generator.random(len(rows)) < 0.5
        # This seed is for random numbers inside the network, such as dropout.
        torch.manual_seed(int(generator.integers(2**62)) + self.rank)
        self.parallel.train()
        sums = torch.zeros(2, dtype=torch.float64, device=self.device)
        seen = torch.zeros_like(state.seen)
        # Copies are made once for all steps, because a copy at each step would wait for the previous step.
        on_device = [torch.from_numpy(values[order]).to(self.device) for values in (rows, shifts, flips)]
        parts = zip(*(values.tensor_split(self.task.n_batches) for values in on_device), strict=True)
        batches = np.array_split(rows[order], self.task.n_batches)
        for number, (batch, part) in enumerate(zip(batches, parts, strict=True)):
            mine = torch.from_numpy(batch[self.rank :: self.world])
            places, down_and_right, mirrored = (values[self.rank :: self.world] for values in part)
            seen[mine] += 1
            pixels = self._images(mine, places)
            if self.task.neuroids is None:
                # Only labels allow shifts and mirroring, because neuroids have receptive fields.
                pixels = moved(pixels, down_and_right, mirrored, self.grey)
            rate = self._learning_rate((epoch - 1) * self.task.n_batches + number)
            for group in self.optimiser.param_groups:
                group["lr"] = rate
            outputs = self._forward(self.parallel, pixels)
            targets = self.targets[places]
            loss = self._loss(outputs, targets)
            self.optimiser.zero_grad()
            # Gradients are averaged over processes, but each process sums over its share alone.
            (loss * self.world / self._count(batch)).backward()
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

    def _images(self, rows: Tensor, on_device: Tensor | None = None) -> Tensor:
        """Return the images (len(rows), 3, height, width) of some rows on the device, as bytes."""
        if self.pixels.device == self.device:
            return self.pixels[rows.to(self.device) if on_device is None else on_device]
        return self.pixels[rows].pin_memory().to(self.device, non_blocking=True)

    def _learning_rate(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0."""
        steps = self.spec["epochs"] * self.task.n_batches
        rising = (step + 1) / max(1.0, WARM_UP * steps)
        return self.spec["learning_rate"] * min(rising, (1 + math.cos(math.pi * step / steps)) / 2)

    def _forward(self, network: nn.Module, pixels: Tensor) -> Tensor:
        images = preprocess(pixels, self.spec["network"])
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
        """Sum values over all processes, in place."""
        if self.world > 1:
            shared = values.to(self.device)
            distributed.all_reduce(shared)
            values.copy_(shared)

    def _close_epoch(self, state: State, metrics: dict) -> None:
        """Evaluate the network at the end of an epoch, and record metrics, checkpoints and best weights."""
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
            write_weights(path, self.task, self.network.state_dict(), state.epoch)
            state.checkpoints[state.epoch] = sha256(path)

    def _is_stopped_early(self, state: State) -> bool:
        patience = self.spec["patience"]
        waited = patience is not None and state.epoch - state.best_epoch >= patience
        return waited and state.epoch >= max(self.spec["checkpoints"], default=0)

    def _finish(self, state: State) -> None:
        state.finished = True
        if self.task.neuroids is not None:
            self.network.load_state_dict(state.best_weights)
            state.correlations = {part: torch.from_numpy(self._correlations(part)) for part in ("train", "test")}
            state.held_out = self._outputs(self.task.parts["test"])

    def _outputs(self, rows: NDArray[np.intp]) -> Tensor:
        """Return the network's outputs (len(rows), outputs) in evaluation mode on the CPU, equal in all processes."""
        self.network.eval()
        outputs = torch.zeros(len(rows), len(self.task.outputs), device=self.device)
        with torch.inference_mode():
            for start in range(0, len(rows), self.task.most_images):
                batch = rows[start : start + self.task.most_images]
                if start // self.task.most_images % self.world == self.rank:
                    images = self._images(torch.from_numpy(batch))
                    outputs[start : start + len(batch)] = self._forward(self.network, images)
        self._add_up(outputs)
        return outputs.cpu()

    def _correlations(self, part: str) -> NDArray[np.float64]:
        rows = self.task.parts[part]
        return correlations(self._outputs(rows).numpy(), self.task.targets[rows].numpy())

    def _medians(self) -> dict[str, float]:
        medians = {}
        for part in ("train", "test"):
            of_neuroids = self._correlations(part)
            for place, members in self.task.neuroids.groupby(["area", "time_bin"]).indices.items():
                defined = of_neuroids[members][~np.isnan(of_neuroids[members])]
                medians[f"{part}_r {place_of(*place)}"] = float(np.median(defined)) if len(defined) else math.nan
        return medians


def resident(pixels: Tensor, device: torch.device, share: float = SHARE_OF_IMAGES) -> Tensor:
    """Move images to a device if they take at most a given share of its free memory."""
    if device.type == "cuda" and pixels.nbytes > share * torch.cuda.mem_get_info(device)[0]:
        return pixels
    return pixels.to(device)


def moved(pixels: Tensor, shifts: Tensor, flips: Tensor, grey: Tensor) -> Tensor:
    """Mirror and shift images (n, 3, height, width), each by its own flip and shift.

    Parameters
    ----------
    pixels : (n, 3, height, width) uint8 tensor
        Images.
    shifts : (n, 2) int64 tensor
        Shifts down and to the right in pixels, smaller than the image.
    flips : (n,) bool tensor
        True for images to mirror left to right.
    grey : (3, 1, 1) uint8 tensor
        Colour that fills the uncovered pixels.
    """
    if pixels.device.type == "cpu":
        return torch.from_numpy(_copied(*(values.numpy() for values in (pixels, shifts, flips, grey))))
    return _indexed(pixels, shifts, flips, grey)


def _copied(pixels: NDArray, shifts: NDArray, flips: NDArray, grey: NDArray) -> NDArray[np.uint8]:
    """Move images one by one, which is much faster on one core than indexing."""
    filled = np.empty_like(pixels)
    filled[:] = grey
    height, width = pixels.shape[2:]
    for after, before, (down, right), flip in zip(filled, pixels, shifts.tolist(), flips.tolist(), strict=True):
        source = before[:, :, ::-1] if flip else before
        after[:, max(down, 0) : height + min(down, 0), max(right, 0) : width + min(right, 0)] = source[
            :, max(-down, 0) : height - max(down, 0), max(-right, 0) : width - max(right, 0)
        ]
    return filled


def _indexed(pixels: Tensor, shifts: Tensor, flips: Tensor, grey: Tensor) -> Tensor:
    """Move all images at once, by indexing the source of every pixel."""
    height, width = pixels.shape[2:]
    number, channel, row, column = (torch.arange(n, device=pixels.device) for n in pixels.shape)
    row, column = row - shifts[:, :1], column - shifts[:, 1:]
    there = ((row >= 0) & (row < height))[:, None, :, None] & ((column >= 0) & (column < width))[:, None, None, :]
    column = torch.where(flips[:, None], width - 1 - column, column)
    row, column = row.clamp(0, height - 1)[:, None, :, None], column.clamp(0, width - 1)[:, None, None, :]
    found = pixels[number[:, None, None, None], channel[:, None, None], row, column]
    return torch.where(there, found, grey)


def correlations(predicted: NDArray, measured: NDArray) -> NDArray[np.float64]:
    """Return Pearson's r of each column (n, columns) over its measured rows; NaN if undefined."""
    r = np.full(predicted.shape[1], np.nan)
    for column in range(len(r)):
        there = ~np.isnan(measured[:, column])
        x, y = (values[there, column].astype(np.float64) for values in (predicted, measured))
        if len(x) > 1 and np.ptp(x) > 0 and np.ptp(y) > 0:
            r[column] = np.corrcoef(x, y)[0, 1]
    return r
