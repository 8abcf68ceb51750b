"""Sizes of the blocks of a computation that fit into the available memory."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch

from ventral.errors import InputError, is_out_of_memory

Result = TypeVar("Result")

# Share of a GPU's free memory for which blocks are planned; the rest is for uncounted allocations.
SHARE_OF_FREE = 0.7
# On a CPU, blocks are planned for this many bytes.
BYTES_ON_CPU = 2**31
FEWEST_TARGETS = 64


@dataclass(frozen=True)
class Blocks:
    """Numbers of penalties, pairs of folds and targets that are computed at a time."""

    penalties: int
    pairs: int
    targets: int


@dataclass(frozen=True)
class Needs:
    """Bytes that a computation needs, and the numbers of items that can be divided into blocks.

    Attributes
    ----------
    fixed : int
        Bytes needed once besides the inputs, for centred Gram matrices.
    per_target : int
        Bytes for each target.
    per_penalty, per_penalty_and_target : int
        Bytes for each penalty of a block, and for each target of such a penalty.
    per_pair, per_pair_and_target : int
        Bytes for each pair of folds and penalty of a block, and for each target of such a pair.
    penalties, pairs, targets, stimuli : int
        Total numbers. Memory grows with the square of the number of stimuli.
    """

    fixed: int
    per_target: int
    per_penalty: int
    per_penalty_and_target: int
    per_pair: int
    per_pair_and_target: int
    penalties: int
    pairs: int
    targets: int
    stimuli: int

    def blocks(self, budget: int) -> Blocks:
        """Return the largest blocks that fit, or else the smallest; half of the memory is for pairs of folds."""
        targets = self.targets
        while targets > FEWEST_TARGETS and self.bytes(Blocks(1, 1, targets)) > budget:
            targets = max(FEWEST_TARGETS, -(-targets // 2))
        left = budget - self.bytes(Blocks(0, 0, targets))
        of_penalty = self.per_penalty + self.per_penalty_and_target * targets
        of_pair = self.per_pair + self.per_pair_and_target * targets
        penalties = min(self.penalties, max(1, left // 2 // of_penalty))
        pairs = min(self.pairs, max(1, (left // penalties - of_penalty) // max(of_pair, 1)))
        return Blocks(penalties, pairs, targets)

    def bytes(self, blocks: Blocks) -> int:
        """Return the bytes that blocks need together."""
        of_pairs = blocks.pairs * (self.per_pair + self.per_pair_and_target * blocks.targets)
        of_penalty = self.per_penalty + self.per_penalty_and_target * blocks.targets + of_pairs
        return self.fixed + self.per_target * blocks.targets + blocks.penalties * of_penalty


def within_memory(
    compute: Callable[[Blocks], Result], needs: Needs, device: torch.device, memory_bytes: int | None
) -> Result:
    """Return the result of a computation in blocks, with smaller blocks if the GPU has too little memory.

    Parameters
    ----------
    compute : function of Blocks
    needs : Needs
    device : torch.device
    memory_bytes : int or None
        Memory for which blocks are planned; None for most of the free memory.

    Raises
    ------
    InputError
        If the smallest blocks do not fit.
    """
    budget = free_bytes(device) if memory_bytes is None else memory_bytes
    while True:
        blocks = needs.blocks(budget)
        try:
            return compute(blocks)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            reason = str(error).splitlines()[0]
        # Not in the except clause, because the error keeps the tensors of the failed computation alive.
        torch.cuda.empty_cache()
        if blocks == needs.blocks(0):
            raise InputError(_too_large(needs, blocks, device, reason))
        while needs.blocks(budget) == blocks:
            budget //= 2


def free_bytes(device: torch.device) -> int:
    """Return the number of bytes for which blocks are planned on a device."""
    if device.type != "cuda":
        return BYTES_ON_CPU
    free, _ = torch.cuda.mem_get_info(device)
    unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(SHARE_OF_FREE * (free + unused))


def _too_large(needs: Needs, blocks: Blocks, device: torch.device, reason: str) -> str:
    free, needed = free_bytes(device), needs.bytes(blocks)
    return (
        f"ridge regression of {needs.stimuli} stimuli, at one penalty and for {blocks.targets} targets at once, needs "
        f"{needed / 2**30:.2g} GiB on `{device}` beside its inputs; the free memory that it may use is "
        f"{free / 2**30:.2g} GiB, enough for about {int(needs.stimuli * min(free / needed, 1) ** 0.5)} stimuli; use "
        f"a GPU with more memory, fewer stimuli, or the device `cpu` ({reason})"
    )
