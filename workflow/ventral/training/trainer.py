"""Train networks to classify labels, or to predict the responses of recorded neuroids.

Labels are learned with cross-entropy, as a mean over the stimuli that have a label. Several labels are learned at once,
with outputs of their own (Kell et al. 2018, Neuron 98:630); the loss is then the sum over labels. Responses are fitted
with the mean squared error of z-scored mean responses, over all recorded pairs of stimulus and neuroid. If a
network has a readout at each step, the loss is the mean over steps (Spoerer et al. 2020, PLoS Computational Biology
16:e1008215). Its answer is that of the last step. The optimiser is AdamW (Loshchilov and Hutter 2019,
arXiv:1711.05101). The learning rate rises over the first steps and then falls as half a cosine. The final weights are
those of the epoch with the lowest loss on the validation part.

Random numbers depend only on the seed, the epoch and the stimulus. Training that is stopped and resumed therefore ends
in the same weights, bit for bit. Training uses one CPU thread, so that the number of cores does not change the weights.
To use more cores, train several networks in parallel.
"""

import hashlib
import io
import logging
import logging.handlers
import math
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, distributed, multiprocessing, nn
from torch.nn import functional
from torch.nn.parallel import DistributedDataParallel

from ventral.models.zoo import modality_asked
from ventral.outputs import sha256, writing
from ventral.recordings.time_bins import place_of
from ventral.running.progress import Progress
from ventral.training.state import STATE, State, epoch_file, read_state, write_weights
from ventral.training.task import NONE, Task, network_for, steps_of

logger = logging.getLogger("ventral")

# Largest share of a GPU's free memory for stimuli.
SHARE_OF_STIMULI = 0.5
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
        self.n_steps = steps_of(self.network)
        self.kept, self.targets = resident(task.kept, device), task.targets.to(device)
        # Divisors of mean losses: for each label the number of stimuli, or the number of pairs of stimulus and neuroid.
        self.counts = (task.there if task.neuroids is None else task.there.sum(1, keepdim=True)).numpy()
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
            progress = Progress(f"train {self.spec['name']}", left, modality_asked(self.spec["network"]).name)
        while not (state.finished or state.problem):
            if state.epoch == self.spec["epochs"] or self._is_stopped_early(state):
                self._finish(state)
            else:
                self._train_epoch(state, progress)
            self._save(state)

    def _started(self) -> State:
        self.network.load_state_dict(network_for(self.task).state_dict())
        state = State(seen=torch.zeros(len(self.task.targets), dtype=torch.int64))
        self._close_epoch(
            state, {"train_loss": math.nan, **self._accuracies("train", [math.nan] * len(self.task.n_outputs))}
        )
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
        numbers = self.task.training.drawn(generator, len(rows), tuple(self.task.kept.shape[1:]))
        # This seed is for random numbers inside the network, such as dropout.
        torch.manual_seed(int(generator.integers(2**62)) + self.rank)
        self.parallel.train()
        sums = torch.zeros((2, len(self.task.n_outputs)), dtype=torch.float64, device=self.device)
        seen = torch.zeros_like(state.seen)
        # Copies are made once for all steps, because a copy at each step would wait for the previous step.
        on_device = [torch.from_numpy(values[order]).to(self.device) for values in (rows, *numbers)]
        parts = zip(*(values.tensor_split(self.task.n_batches) for values in on_device), strict=True)
        batches = np.array_split(rows[order], self.task.n_batches)
        for number, (batch, part) in enumerate(zip(batches, parts, strict=True)):
            mine = torch.from_numpy(batch[self.rank :: self.world])
            places, *numbers = (values[self.rank :: self.world] for values in part)
            seen[mine] += 1
            stimuli = self._stimuli(mine, places)
            if self.task.neuroids is None:
                # Only labels allow such variation, because neuroids have receptive fields.
                stimuli = self.task.training.varied(stimuli, numbers, self.spec["network"])
            rate = self._learning_rate((epoch - 1) * self.task.n_batches + number)
            for group in self.optimiser.param_groups:
                group["lr"] = rate
            outputs = self._forward(self.parallel, stimuli)
            targets = self.targets[places]
            losses = self._losses(outputs, targets)
            self.optimiser.zero_grad()
            # Gradients are averaged over processes, but each process sums over its share alone.
            means = [loss * self.world / n for loss, n in zip(losses, self._counts(batch), strict=True)]
            sum(means[1:], means[0]).backward()
            self.optimiser.step()
            sums += torch.stack([torch.stack(losses).detach().double(), self._n_right(outputs.detach(), targets)])
            if progress is not None:
                progress.advance(len(batch))
        self._add_up(sums)
        self._add_up(seen)
        state.epoch, state.seen = epoch, state.seen + seen
        losses, right = sums.cpu().numpy() / self._counts(rows)
        self._close_epoch(state, {"train_loss": losses.sum().item(), **self._accuracies("train", right)})

    def _stimuli(self, rows: Tensor, on_device: Tensor | None = None) -> Tensor:
        """Return the kept stimuli (len(rows), ...) of some rows on the device."""
        if self.kept.device == self.device:
            return self.kept[rows.to(self.device) if on_device is None else on_device]
        return self.kept[rows].pin_memory().to(self.device, non_blocking=True)

    def _learning_rate(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0."""
        steps = self.spec["epochs"] * self.task.n_batches
        rising = (step + 1) / max(1.0, WARM_UP * steps)
        return self.spec["learning_rate"] * min(rising, (1 + math.cos(math.pi * step / steps)) / 2)

    def _forward(self, network: nn.Module, stimuli: Tensor) -> Tensor:
        """Return the outputs (n, steps, outputs) for stimuli as they are kept."""
        inputs = self.task.training.shown(stimuli, self.spec["network"])
        # Convolutions over two axes are fastest with channels last.
        layout = torch.channels_last if inputs.ndim == 4 else torch.contiguous_format
        with self.precision:
            outputs = network(inputs.contiguous(memory_format=layout)).float()
        return outputs.reshape(len(stimuli), self.n_steps, -1)

    def _losses(self, outputs: Tensor, targets: Tensor) -> list[Tensor]:
        """Return the mean over steps of `_losses_of_step`, for outputs (n, steps, outputs)."""
        of_steps = [self._losses_of_step(of_step, targets) for of_step in outputs.unbind(1)]
        return [sum(losses[1:], losses[0]) / self.n_steps for losses in zip(*of_steps, strict=True)]

    def _losses_of_step(self, outputs: Tensor, targets: Tensor) -> list[Tensor]:
        """Return the sum of losses over stimuli for each label, or over pairs of stimulus and neuroid."""
        if self.task.neuroids is None:
            return [
                functional.cross_entropy(of_label, numbers, reduction="sum", ignore_index=NONE)
                for of_label, numbers in zip(self._by_label(outputs), targets.unbind(1), strict=True)
            ]
        there = ~targets.isnan()
        return [((outputs - targets.nan_to_num()).square() * there).sum()]

    def _by_label(self, outputs: Tensor) -> Sequence[Tensor]:
        return outputs.split(self.task.n_outputs, dim=-1)

    def _answers(self, outputs: Tensor) -> Tensor:
        """Return the number of the most likely name under each label (..., labels), for outputs (..., outputs)."""
        return torch.stack([of_label.argmax(-1) for of_label in self._by_label(outputs)], dim=-1)

    def _counts(self, rows: NDArray[np.intp]) -> list[float]:
        return np.maximum(1.0, self.counts[rows].sum(axis=0)).tolist()

    def _n_right(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return how many stimuli are recognised, for each label; 0 for neuroids."""
        if self.task.neuroids is not None:
            return torch.zeros(1, dtype=torch.float64, device=outputs.device)
        return (self._answers(outputs[:, -1]) == targets).sum(0).double()

    def _accuracies(self, part: str, values: Iterable[float]) -> dict[str, float]:
        """Return the columns of accuracies in a part, one for each label; none for neuroids."""
        if self.task.neuroids is not None:
            return {}
        names = self.task.classes if len(self.task.classes) > 1 else [""]
        return {f"{part}_accuracy {name}".rstrip(): float(value) for name, value in zip(names, values, strict=True)}

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
        loss = sum(loss.item() / n for loss, n in zip(self._losses(outputs, targets), self._counts(rows), strict=True))
        row = {"epoch": state.epoch, **metrics, "validation_loss": loss}
        row |= self._accuracies("validation", self._n_right(outputs, targets).numpy() / self._counts(rows))
        if self.task.neuroids is not None:
            row |= self._medians()
        elif "test" in self.task.parts:
            rows = self.task.parts["test"]
            right = self._n_right(self._outputs(rows), self.task.targets[rows])
            row |= self._accuracies("test", right.numpy() / self._counts(rows))
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
            state.held_out = self._outputs(self.task.parts["test"])[:, -1]
        elif "test" in self.task.parts:
            self.network.load_state_dict(state.best_weights)
            state.answers = self._answers(self._outputs(self.task.parts["test"]))

    def _outputs(self, rows: NDArray[np.intp]) -> Tensor:
        """Return the outputs (len(rows), steps, outputs) in evaluation mode on the CPU, equal in all processes."""
        self.network.eval()
        outputs = torch.zeros(len(rows), self.n_steps, sum(self.task.n_outputs), device=self.device)
        with torch.inference_mode():
            for start in range(0, len(rows), self.task.largest_batch):
                batch = rows[start : start + self.task.largest_batch]
                if start // self.task.largest_batch % self.world == self.rank:
                    stimuli = self._stimuli(torch.from_numpy(batch))
                    outputs[start : start + len(batch)] = self._forward(self.network, stimuli)
        self._add_up(outputs)
        return outputs.cpu()

    def _correlations(self, part: str) -> NDArray[np.float64]:
        rows = self.task.parts[part]
        return correlations(self._outputs(rows)[:, -1].numpy(), self.task.targets[rows].numpy())

    def _medians(self) -> dict[str, float]:
        medians = {}
        for part in ("train", "test"):
            of_neuroids = self._correlations(part)
            for place, members in self.task.neuroids.groupby(["area", "time_bin"]).indices.items():
                defined = of_neuroids[members][~np.isnan(of_neuroids[members])]
                medians[f"{part}_r {place_of(*place)}"] = float(np.median(defined)) if len(defined) else math.nan
        return medians


def resident(stimuli: Tensor, device: torch.device, share: float = SHARE_OF_STIMULI) -> Tensor:
    """Move stimuli to a device if they take at most a given share of its free memory."""
    if device.type == "cuda" and stimuli.nbytes > share * torch.cuda.mem_get_info(device)[0]:
        return stimuli
    return stimuli.to(device)


def correlations(predicted: NDArray, measured: NDArray) -> NDArray[np.float64]:
    """Return Pearson's r of each column (n, columns) over its measured rows; NaN if undefined."""
    r = np.full(predicted.shape[1], np.nan)
    for column in range(len(r)):
        there = ~np.isnan(measured[:, column])
        x, y = (values[there, column].astype(np.float64) for values in (predicted, measured))
        if len(x) > 1 and np.ptp(x) > 0 and np.ptp(y) > 0:
            r[column] = np.corrcoef(x, y)[0, 1]
    return r
