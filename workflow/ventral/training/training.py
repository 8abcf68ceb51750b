"""Job that trains one network, from stores of stimuli and a recording to a folder of weights."""

import logging
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from ventral.errors import InputError, is_out_of_memory
from ventral.models.zoo import completed, modality_asked
from ventral.outputs import writing
from ventral.running.devices import choose_device
from ventral.tables import write_parquet
from ventral.training.state import ANSWERS, FINAL, HELD_OUT, State, epoch_file, read_state, write_weights
from ventral.training.task import NONE, Task, check_network, prepare
from ventral.training.trainer import spawn, work

logger = logging.getLogger("ventral")


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
    """Train a network, and write its weights, metrics and seen stimuli.

    The folder has ``final.safetensors`` and one file for each checkpoint, such as ``epoch_0004.safetensors``.
    ``metrics.csv`` has one row for each epoch, starting with epoch 0 before training. ``seen.csv`` lists every training
    stimulus and its number of passes. A network fitted to neuroids adds two files. ``neurons.csv`` has each neuroid's
    correlation with the final network on the training and test parts. ``held_out.parquet`` has the final network's
    `output` for each `stimulus` of the test part, `neuroid` and `time_bin`. The test part is fold 0 of split `stimuli`.
    Neither training nor the choice of the epoch uses this part.

    A network with labels and a test part, by `apart`, adds ``answers.parquet``. For each `stimulus` of the test part
    with a name under a `label`, and each `step` from 1, the file has this `name`, and the `answer` of the final
    network. Feed-forward networks have one step.

    Parameters
    ----------
    stimuli : path
        Store of the training set.
    output : path
        Folder to write. The state of unfinished training lies in a folder beside it.
    spec : dict
        Options, from `trainings` in `ventral.configuration.resolution.resolve`. `name` is the model's name, and
        `network` its description before training. `label` or `recording` is the target. `exclude` and `see` are those
        of `training_rows`. `folds` and `folds_seed` define the split. The rest are `epochs`, `patience`, `batch_size`,
        `learning_rate`, `weight_decay`, `validation`, `checkpoints` and `autocast`.
    tested : sequence of paths
        Stores of the stimulus sets that the network is tested on.
    recording : path, optional
        Store of the recording that the network is fitted to.
    layers : dict, optional
        Requested `layers` and `max_layers` of the trained network. Training does not depend on them, but unknown names
        are reported before training starts.
    device : str
        'auto', 'cpu' or 'cuda'.
    processes : int, optional
        Number of processes that share each batch; by default one for each GPU, or one without a GPU. Each process
        normalises batches (`nn.BatchNorm2d`) by its own share.

    Raises
    ------
    InputError
        If too few stimuli are left to train on, the network cannot be loaded or has no readout, or training diverges.
        Also if the device is missing or its memory does not suffice.
    """
    key, spec = f"models.{spec['name']}.train", {**spec, "network": completed(spec["network"])}
    output, place = Path(output), choose_device(device, f"{key}.device")
    task = prepare(stimuli, spec, tested, recording)
    check_network(task, layers)
    processes = processes or (torch.cuda.device_count() if place == "cuda" else 1)
    # Batch normalisation needs a variance, so every process needs two stimuli of every batch.
    processes = max(1, min(processes, len(task.parts["train"]) // task.n_batches // 2))
    folder = output.with_name(f".{output.name}.training")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        if processes == 1:
            work(0, 1, task, folder, place)
        else:
            spawn(processes, task, folder, place)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise InputError(
            f"{key}.batch_size: memory does not suffice for batches of {spec['batch_size']} "
            f"{modality_asked(spec['network']).name}; set a smaller size"
        ) from error
    state = read_state(folder, task.fingerprint)["progress"]
    if state.problem:
        shutil.rmtree(folder)
        raise InputError(f"{key}: {state.problem}")
    with writing(output) as unfinished:
        _write_results(unfinished, task, state, folder)
    shutil.rmtree(folder)


def _write_results(folder: Path, task: Task, state: State, unfinished: Path) -> None:
    folder.mkdir()
    for epoch in state.checkpoints:
        shutil.copyfile(unfinished / epoch_file(epoch), folder / epoch_file(epoch))
    write_weights(folder / FINAL, task, state.best_weights, state.best_epoch)
    pd.DataFrame(state.history).to_csv(folder / "metrics.csv", index=False)
    seen = task.stimuli.assign(times=state.seen.numpy())
    seen[seen["times"] > 0].to_csv(folder / "seen.csv", index=False)
    if task.neuroids is not None:
        table = task.neuroids.assign(**{f"{part}_r": values.numpy() for part, values in state.correlations.items()})
        columns = ["neuroid", "area", "time_bin", "train_r", "test_r", "reliability", "epochs"]
        table.assign(epochs=state.best_epoch)[columns].to_csv(folder / "neurons.csv", index=False)
        write_parquet(_held_out(task, state.held_out.numpy()), folder / HELD_OUT)
    if state.answers is not None:
        write_parquet(_answers(task, state.answers.numpy()), folder / ANSWERS)
    logger.info(
        "train %s: kept the weights of epoch %d, validation loss %.4g",
        task.spec["name"],
        state.best_epoch,
        state.best_loss,
    )


def _held_out(task: Task, outputs: NDArray) -> pd.DataFrame:
    """Return the outputs (test stimuli, neuroids) in long form."""
    stimuli = task.stimuli["stimulus"].to_numpy()[task.parts["test"]]
    names = {name: np.tile(task.neuroids[name], len(stimuli)) for name in ("neuroid", "time_bin")}
    return pd.DataFrame({"stimulus": np.repeat(stimuli, outputs.shape[1]), **names, "output": outputs.ravel()})


def _answers(task: Task, answers: NDArray) -> pd.DataFrame:
    """Return the answers (test stimuli, steps, labels) in long form."""
    rows, tables = task.parts["test"], []
    for k, (label, names) in enumerate(task.classes.items()):
        targets, names = task.targets[rows, k].numpy(), np.array(names, dtype=object)
        for step in range(answers.shape[1]):
            table = {
                "stimulus": task.stimuli["stimulus"].to_numpy()[rows],
                "label": label,
                "step": step + 1,
                "name": names[targets],
                "answer": names[answers[:, step, k]],
            }
            tables.append(pd.DataFrame(table)[targets != NONE])
    return pd.concat(tables, ignore_index=True)
