"""A queue that runs the tasks of one GPU in a Dask graph one after the other."""

from collections.abc import Callable

import dask
from dask.delayed import Delayed

from ventral.errors import InputError
from ventral.running.devices import choose_device
from ventral.running.parallel import SETTING

KEY_OF_FITS = "config key fits.device"


class DeviceQueue:
    """A queue of tasks on one device, which run one at a time and so never compete for memory.

    Parameters
    ----------
    device : str
        torch's name of the device, which each task gets as its last argument.
    """

    def __init__(self, device: str) -> None:
        self.device = device
        self._before = None

    def task(self, function: Callable, *arguments: object) -> Delayed:
        """Return a call of a function on the device, delayed until the task before has ended."""
        result = dask.delayed(_run_after, pure=False)(self._before, function, *arguments, self.device)
        self._before = dask.delayed(_ended, pure=False)(result)
        return result


def device_queue(device: str) -> DeviceQueue | None:
    """Return the queue of the GPU on which a job computes its fits; None for the CPU.

    Parameters
    ----------
    device : str
        'auto', 'cpu' or 'cuda'.

    Raises
    ------
    InputError
        If a GPU is requested and torch sees none, or tasks do not run in threads of this process, which has the GPU.
    """
    if choose_device(device, KEY_OF_FITS) == "cpu":
        return None
    where = dask.config.get(SETTING, "threads")
    if where != "threads":
        raise InputError(
            f"{KEY_OF_FITS}: fits on a GPU run in threads, not by `{where}`; run the command with `--dask threads`"
        )
    return DeviceQueue("cuda")


def _run_after(_before: None, function: Callable, *arguments: object) -> object:
    return function(*arguments)


def _ended(_result: object) -> None:
    """Mark that a result exists, without keeping the result in memory."""
