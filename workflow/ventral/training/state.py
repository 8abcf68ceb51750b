"""Save and read the progress of training and the trained weights."""

import hashlib
import io
import json
import math
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from ventral.models.checkpoints import TRAINED
from ventral.outputs import sha256, writing
from ventral.training.task import Task

FINAL = "final.safetensors"
HELD_OUT = "held_out.parquet"
ANSWERS = "answers.parquet"
STATE = "state.pt"
DIGEST_BYTES = 32


def epoch_file(epoch: int) -> str:
    """Return the name of the file of a checkpoint."""
    return f"epoch_{epoch:04d}.safetensors"


@dataclass
class State:
    """Progress of training, without the weights and the optimiser's moments.

    Attributes
    ----------
    epoch : int
        Last completed epoch.
    history : list of dict
        Rows of metrics.csv.
    seen : (n,) int64 tensor
        Number of training passes of each stimulus.
    best_epoch, best_loss, best_weights
        Number, loss and weights of the epoch with the lowest validation loss.
    checkpoints : dict of str
        SHA-256 of the file of each checkpoint so far, by epoch.
    problem : str
        Reason why training cannot continue; '' if it can.
    correlations : dict of (neuroids,) tensors
        Correlations of the final network's outputs with responses, by part.
    held_out : (test stimuli, neuroids) tensor or None
        Outputs of the final network for the test part.
    answers : (test stimuli, steps, labels) int64 tensor or None
        Numbers of the names that the final network gives the test part, under each label.
    finished : bool
        True if only the results remain to be written.
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
    held_out: Tensor | None = None
    answers: Tensor | None = None
    finished: bool = False


def read_state(folder: Path, fingerprint: str) -> dict | None:
    """Return the state written by `Trainer._save`, or None if there is no state file.

    Raises
    ------
    ValueError
        If the file is damaged, or belongs to training with other options.
    """
    path = folder / STATE
    if not path.exists():
        return None
    content = path.read_bytes()
    if hashlib.sha256(content[DIGEST_BYTES:]).digest() != content[:DIGEST_BYTES]:
        raise ValueError(f"{path} is damaged")
    saved = torch.load(io.BytesIO(content[DIGEST_BYTES:]), map_location="cpu", weights_only=True)
    if saved["fingerprint"] != fingerprint:
        raise ValueError(f"{path} belongs to training with other options or stimuli")
    saved["progress"] = State(**saved["progress"])
    for epoch, expected in saved["progress"].checkpoints.items():
        path = folder / epoch_file(epoch)
        if not path.exists() or sha256(path) != expected:
            raise ValueError(f"{path} is damaged or missing")
    return saved


def write_weights(path: Path, task: Task, state_dict: dict[str, Tensor], epoch: int) -> None:
    """Write weights as safetensors with a description of their training; equal weights give equal bytes."""
    from safetensors.torch import save

    about = {
        "model": task.spec["name"],
        "architecture": task.spec["network"]["architecture"],
        "epoch": epoch,
        "neuroids" if task.spec["recording"] else "classes": task.outputs,
    }
    # The metadata is a single entry, because the order of several entries would vary.
    metadata = {TRAINED: json.dumps(about, sort_keys=True)}
    tensors = {name: values.detach().cpu().contiguous().clone() for name, values in state_dict.items()}
    with writing(path) as unfinished:
        unfinished.write_bytes(save(tensors, metadata=metadata))
