"""Run ridge regressions of one representation, as many Dask tasks on the CPU or as one task on a GPU.

The GPU always uses the Gram matrix. The CPU uses the Gram matrix or the features, whichever is cheaper. Both choose the
same penalties, and their predictions differ by at most 1e-8 of the standard deviation of a target's responses.
"""

import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from dask.delayed import Delayed, delayed
from numpy.typing import NDArray

from ventral.errors import InputError
from ventral.mappings.ridge import NestedRidge
from ventral.mappings.ridge_features import cheaper_graphs
from ventral.mappings.ridge_test_set import TestSetRidge, cheaper_test_set_graph
from ventral.running.device_queue import KEY_OF_FITS, DeviceQueue

if TYPE_CHECKING:
    import torch
    from torch import Tensor

# A fit on a GPU holds at least five (n, n) matrices of float64: given, centred, and three for one penalty.
FEWEST_MATRICES = 5


@dataclass(frozen=True)
class NestedFits:
    """Fits of targets on several splits of the same stimuli, with folds held out in turn.

    Attributes
    ----------
    rows : (m,) integer array
        Rows of these stimuli in the representation.
    responses : (m, targets) array
        Finite responses.
    splits : sequence of sequences of integer arrays
        Folds of the m stimuli in each split.
    """

    rows: NDArray[np.intp]
    responses: NDArray[np.float64]
    splits: Sequence[Sequence[NDArray[np.intp]]]

    @property
    def n_results(self) -> int:
        """Number of results, one for each split."""
        return len(self.splits)

    def graphs(
        self, gram: NDArray | Delayed, features: NDArray | Delayed | None, n_features: int, penalties: Sequence
    ) -> list[Delayed]:
        """Return a `NestedRidge` for each split as a Dask graph, given matrices of the m stimuli."""
        return cheaper_graphs(gram, features, n_features, penalties, self.responses, self.splits)

    def on_device(self, gram: "Tensor", penalties: NDArray) -> list[NestedRidge]:
        """Return a `NestedRidge` for each split, given the Gram matrix of all stimuli on a device."""
        from ventral.mappings.ridge_on_device import nested_ridge_on_device

        gram = _selected(gram, self.rows)
        found = nested_ridge_on_device(gram, as_tensor(self.responses, gram.device), self.splits, penalties)
        return [NestedRidge(*map(_as_array, (of.predictions, of.penalty, of.candidate))) for of in found]


@dataclass(frozen=True)
class TestSetFit:
    """A fit of targets on one training set that predicts one test set.

    Attributes
    ----------
    responses : (n, targets) array
        Responses to all stimuli of the representation; NaN for stimuli in neither set.
    training, test : integer arrays
    inner : sequence of integer arrays
        Rows that choose the penalties, as for `ventral.mappings.ridge_test_set.test_set_ridge`.
    """

    # pytest would otherwise collect this class because of its name.
    __test__ = False

    responses: NDArray[np.float64]
    training: NDArray[np.intp]
    test: NDArray[np.intp]
    inner: Sequence[NDArray[np.intp]]
    n_results = 1

    def graphs(
        self, gram: NDArray | Delayed, features: NDArray | Delayed | None, n_features: int, penalties: Sequence
    ) -> list[Delayed]:
        """Return the `TestSetRidge` as a Dask graph, in a list, given matrices of all stimuli."""
        sets = self.training, self.test, self.inner
        return [cheaper_test_set_graph(gram, features, n_features, penalties, self.responses, *sets)]

    def on_device(self, gram: "Tensor", penalties: NDArray) -> list[TestSetRidge]:
        """Return the `TestSetRidge`, in a list, given the Gram matrix of all stimuli on a device."""
        from ventral.mappings.ridge_on_device import test_set_ridge_on_device

        responses = as_tensor(self.responses, gram.device)
        found = test_set_ridge_on_device(gram, responses, self.training, self.test, self.inner, penalties)
        return [TestSetRidge(*map(_as_array, (found.predictions, found.penalty, found.candidate)))]


def ridges_on_device(
    gram: NDArray, penalties: Sequence[float], fits: Sequence[NestedFits | TestSetFit], device: str
) -> list[list[NestedRidge | TestSetRidge]]:
    """Compute all fits of one representation on one device, and return lists of results.

    Parameters
    ----------
    gram : (n, n) array
        Inner products of the feature vectors of all stimuli.
    penalties : sequence of float
        Candidate penalties, in the units of the Gram matrix.
    fits : sequence of NestedFits or TestSetFit
    device : str
        Name of a torch device.

    Raises
    ------
    InputError
        If the device's memory does not suffice for the smallest blocks.
    """
    with fitting_in_memory(len(gram), device):
        of_device = as_tensor(gram, device)
        return [fit.on_device(of_device, np.asarray(penalties)) for fit in fits]


def queued_ridges(
    queue: DeviceQueue, gram: Delayed | NDArray, penalties: Sequence, fits: Sequence[NestedFits | TestSetFit]
) -> list[list[Delayed]]:
    """Return delayed lists of results of all fits of one representation, as one task of a queue."""
    of_all = queue.task(ridges_on_device, gram, penalties, delayed(fits, pure=False, traverse=False))
    return [[of_all[k][s] for s in range(fit.n_results)] for k, fit in enumerate(fits)]


@contextmanager
def fitting_in_memory(n: int, device: str, n_matrices: int = FEWEST_MATRICES) -> Iterator[None]:
    """Turn an out-of-memory error within a `with` block into a message that says how many stimuli would fit.

    Parameters
    ----------
    n : int
        Number of stimuli.
    device : str
        Name of a torch device.
    n_matrices : int
        Smallest number of (n, n) matrices held in memory.

    Raises
    ------
    InputError
        If memory does not suffice even after fits are cut into the smallest blocks.
    """
    import torch

    try:
        yield
    except (MemoryError, torch.OutOfMemoryError) as error:
        reason = str(error).partition("\n")[0]
        # The traceback's frames hold the fit's tensors, and so their memory.
        traceback.clear_frames(error.__traceback__)
        raise InputError(_too_large(n, n_matrices, _free_bytes(device), reason)) from None


def _free_bytes(device: str) -> int | None:
    """Return the free bytes of a GPU; None on another device."""
    import torch

    if torch.device(device).type != "cuda":
        return None
    torch.cuda.empty_cache()
    return torch.cuda.mem_get_info(device)[0]


def _too_large(n: int, n_matrices: int, free: int | None, reason: str) -> str:
    needed = n_matrices * 8 * n**2
    room = "" if free is None else f", of which {free / 2**30:.1f} GiB are free"
    fitting = "" if free is None else f"; about {int((free / (8 * n_matrices)) ** 0.5)} stimuli would fit"
    return (
        f"{KEY_OF_FITS}: memory of the GPU does not suffice for a fit of {n} stimuli, which takes at least "
        f"{needed / 2**30:.1f} GiB{room}{fitting}; set {KEY_OF_FITS} to `cpu`, or use a GPU with more memory ({reason})"
    )


def _selected(gram: "Tensor", rows: NDArray[np.intp]) -> "Tensor":
    """Return the Gram matrix of some stimuli, or the given matrix itself for all stimuli in order."""
    if np.array_equal(rows, np.arange(len(gram))):
        return gram
    import torch

    chosen = torch.from_numpy(rows).to(gram.device)
    return gram[chosen[:, None], chosen]


def as_tensor(values: NDArray, device: "torch.device | str") -> "Tensor":
    """Return values as a float64 tensor on a device."""
    import torch

    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float64)).to(device)


def _as_array(values: "Tensor") -> NDArray:
    return values.cpu().numpy()
