"""Reading of checkpoints without running code, and matching of their names to a network."""

import pickle
import re
from collections import Counter, OrderedDict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from ventral.errors import InputError, shown

# Metadata key of checkpoints from training in this workflow.
TRAINED = "ventral"
# Keys of the state dict in files that also have an optimiser, an epoch and so on.
WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "network", "module")
# Prefix that `torch.compile` adds to names.
COMPILED = "_orig_mod."
SAVE_WEIGHTS = "save its weights alone, where the network is: torch.save(network.state_dict(), 'weights.pth')"
ZIP = b"PK\x03\x04"
# Errors of torch for pickles that it does not read: objects of another library, objects that get items, and code.
UNKNOWN = re.compile(r"GLOBAL ([\w.<>]+) was not an allowed global")
MAPPING = re.compile(r"Can only SETITEMS? for .* but got <class 'checkpoint\.(.+)'>")
LIST = re.compile(r"Can only append to lists, but got <class 'checkpoint\.(.+)'>")
BLOCKED = re.compile(r"unsupported GLOBAL (\S+) whose module")
# Errors of torch for files that it could read only by running code, with the messages that replace them.
PROGRAMS = {
    "TorchScript": "is a TorchScript archive, a program; load it with torch.jit.load, and",
    "legacy .tar": "is in the format of torch before 0.4, which is not read; load it with torch, and",
    "persistent_load of storage": "holds a whole pickled network, which only its own code can open; load it there, and",
    "Unsupported operand": "is no file of torch.save's own pickle protocol, 2; write it again, and",
}


class _Placeholder:
    """A placeholder without content for an object of another library in a file."""

    def __new__(cls, *_arguments) -> "_Placeholder":
        return super().__new__(cls)

    def __init__(self, *_arguments) -> None:
        pass

    def __setstate__(self, _state) -> None:
        pass


class _ListPlaceholder(_Placeholder, list):
    pass


class _MappingPlaceholder:
    # torch adds items to these types only.
    def __new__(cls, *_arguments) -> OrderedDict:
        return OrderedDict()


@dataclass
class Checkpoint:
    """The tensors of a file by name, whether it comes from training in this workflow, and remarks on reading it."""

    tensors: dict[str, Tensor]
    trained_here: bool = False
    remarks: list[str] = field(default_factory=list)


def read_checkpoint(path: Path, key: str) -> Checkpoint:
    """Return the state dict in a file, without running code in the file.

    Parameters
    ----------
    path : Path
        File in the format of safetensors or of `torch.save`, with a state dict, or a mapping that has one under a name
        in `WRAPPERS`.
    key : str
        Config key of the file, for messages.

    Raises
    ------
    InputError
        If the file cannot be read or has other content, which the message names.
    """
    subject = f"{key}: {path}"
    if path.suffix == ".safetensors":
        return _read_safetensors(path, subject)
    loaded, foreign = _read_pickle(path, subject)
    remarks = [f"not read, as no code of other libraries is run: {shown(foreign)}"] if foreign else []
    state = _unwrapped(loaded, subject, remarks)
    others = [name for name, value in state.items() if not isinstance(value, Tensor)]
    if others:
        raise InputError(
            f"{subject}: {others[0]!r} is {_kind(state[others[0]])}, where a state dict has tensors alone; "
            f"{SAVE_WEIGHTS}"
        )
    return Checkpoint({str(name): tensor for name, tensor in state.items()}, remarks=remarks)


def fitted(
    checkpoint: Checkpoint, expected: Mapping[str, Tensor], readout: str | None, subject: str
) -> tuple[dict[str, Tensor], bool]:
    """Return a checkpoint's tensors by the names in a network, and whether the readout is among them.

    Parameters
    ----------
    checkpoint : Checkpoint
        From `read_checkpoint`; remarks are added to it.
    expected : mapping of Tensor
        The network's own state dict.
    readout : str or None
        Name of the network's last linear layer, which alone may be missing or have another shape.
    subject : str
        Subject of the messages.

    Raises
    ------
    InputError
        If names, shapes or types differ, or weights are not numbers.
    """
    state = _renamed(checkpoint, expected, readout, subject)
    differing = _differences(state, expected)
    of_readout = {name for name in differing if readout and name.startswith(f"{readout}.")}
    read_whole = not differing
    if differing and differing.keys() == of_readout and any(not name.startswith(f"{readout}.") for name in expected):
        checkpoint.remarks.append(f"{_listed(differing)}: read up to the readout {readout}, which is not read")
        state = {name: values for name, values in state.items() if not name.startswith(f"{readout}.")}
    elif differing:
        raise InputError(f"{subject}: {_listed(differing)}")
    for name, values in state.items():
        _check_values(name, values, expected[name], subject)
    return state, read_whole


def _read_safetensors(path: Path, subject: str) -> Checkpoint:
    from safetensors import safe_open

    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return Checkpoint(tensors, TRAINED in (file.metadata() or {}))
    except Exception as error:
        raise InputError(f"{subject} cannot be read as a file of safetensors: {error}; get it again") from error


def _read_pickle(path: Path, subject: str) -> tuple[object, list[str]]:
    """Return the content of a file of `torch.save`, and the objects of other libraries, which become placeholders."""
    with path.open("rb") as file:
        is_zip = file.read(len(ZIP)) == ZIP
    placeholders: dict[str, type] = {}
    while True:
        try:
            with torch.serialization.safe_globals([(kind, name) for name, kind in placeholders.items()]):
                # Memory mapping avoids reading unwanted tensors, such as an optimiser's.
                loaded = torch.load(path, map_location="cpu", weights_only=True, mmap=is_zip or None)
            return loaded, sorted(placeholders)
        except Exception as error:
            wanted = _placeholder_for(str(error)) if isinstance(error, pickle.UnpicklingError) else None
            if wanted is None or placeholders.get(wanted[0], _Placeholder).__base__ is wanted[1]:
                raise InputError(f"{subject} {_unreadable(error, path)}") from None
            name, kind = wanted
            placeholders[name] = type(name, (kind,), {"__module__": "checkpoint"})


def _placeholder_for(said: str) -> tuple[str, type] | None:
    """Return the name and the kind of the placeholder without which torch stopped reading a file."""
    for expression, kind in ((UNKNOWN, _Placeholder), (MAPPING, _MappingPlaceholder), (LIST, _ListPlaceholder)):
        found = expression.search(said)
        if found:
            # torch leaves out the module name of built-in objects.
            return found[1] if "." in found[1] else f"builtins.{found[1]}", kind
    return None


def _unreadable(error: Exception, path: Path) -> str:
    said = str(error)
    blocked = BLOCKED.search(said)
    if blocked:
        return f"would run `{blocked[1]}` when it is loaded, and is not: a file of weights never does; do not trust it"
    with path.open("rb") as file:
        begins = file.read(16)
    # Files with other first bytes are no pickles.
    if begins.startswith((ZIP, b"\x80")):
        for reason, instead in PROGRAMS.items():
            if reason in said:
                return f"{instead} {SAVE_WEIGHTS}"
    # torch's messages about pickles advise unsafe loading.
    is_advice = isinstance(error, pickle.UnpicklingError) or not said
    reason = "" if is_advice else f": {said.splitlines()[0].partition('. ')[0]}"
    return (
        f"cannot be read as a file that torch.save wrote (it begins with {begins!r}){reason}; get it again, or "
        f"{SAVE_WEIGHTS}"
    )


def _unwrapped(loaded: object, subject: str, remarks: list[str], depth: int = 0) -> Mapping:
    """Return the innermost mapping under names in `WRAPPERS`, which has tensors."""
    if isinstance(loaded, _Placeholder):
        raise InputError(
            f"{subject} holds a whole pickled object, {_kind(loaded)}, which only its own code can open; load it where "
            f"that code is, and {SAVE_WEIGHTS}"
        )
    if not isinstance(loaded, Mapping):
        raise InputError(f"{subject} holds {_kind(loaded)}, not a state dict; {SAVE_WEIGHTS}")
    inside = [name for name in WRAPPERS if _holds_tensors(loaded.get(name))] if depth < len(WRAPPERS) else []
    pickled = [name for name in WRAPPERS if isinstance(loaded.get(name), _Placeholder)]
    if len(inside) > 1:
        raise InputError(f"{subject} has weights under each of {', '.join(inside)}; save the right ones alone")
    if inside:
        remarks.append(f"the state dict is that under `{inside[0]}`")
        others = [str(name) for name, value in loaded.items() if name != inside[0] and _holds_tensors(value)]
        if others:
            remarks.append(f"other tensors, under {shown(others)}, are not read")
        return _unwrapped(loaded[inside[0]], subject, remarks, depth + 1)
    if not any(isinstance(value, Tensor) for value in loaded.values()):
        if pickled:
            return _unwrapped(loaded[pickled[0]], f"{subject}, under `{pickled[0]}`,", remarks)
        raise InputError(
            f"{subject} is no state dict, and has none under {', '.join(WRAPPERS)}: {_content(loaded)}; {SAVE_WEIGHTS}"
        )
    return loaded


def _content(loaded: Mapping) -> str:
    nested = [str(name) for name, value in loaded.items() if _holds_tensors(value)]
    if nested:
        return f"its tensors are under {shown(nested)}"
    return f"it holds {shown([f'{name} ({_kind(value)})' for name, value in loaded.items()]) or 'nothing'}"


def _holds_tensors(value: object, depth: int = 0) -> bool:
    if not isinstance(value, Mapping) or depth > len(WRAPPERS):
        return False
    return any(isinstance(below, Tensor) or _holds_tensors(below, depth + 1) for below in value.values())


def _kind(value: object) -> str:
    if type(value).__module__ == "checkpoint":
        return f"`{type(value).__name__}`"
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    name = type(value).__name__
    return "None" if value is None else f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def _renamed(
    checkpoint: Checkpoint, expected: Mapping[str, Tensor], readout: str | None, subject: str
) -> dict[str, Tensor]:
    """Return the tensors without the prefixes that wrappers of the network add to their names."""
    state = checkpoint.tensors
    if expected.keys() <= state.keys():
        return state
    if not any(COMPILED in name for name in expected) and any(COMPILED in name for name in state):
        state = {name.replace(COMPILED, ""): values for name, values in state.items()}
        checkpoint.remarks.append(f"`{COMPILED}` was stripped from names")
    needed = {name for name in expected if not (readout and name.startswith(f"{readout}."))} or set(expected)
    counts = Counter(name[:start] for name in state for start in _starts(name) if name[start:] in needed)
    most = max(counts.values(), default=0)
    fitting = sorted(prefix for prefix, count in counts.items() if count == most)
    if not fitting or "" in fitting:
        return state
    if len(fitting) > 1:
        if most < len(needed):
            return state
        if not _are_copies(state, fitting, needed):
            raise InputError(
                f"{subject}: several parts of the file fit, those whose names begin with {shown(fitting)}; save one "
                f"alone"
            )
        checkpoint.remarks.append(f"the parts whose names begin with {shown(fitting)} are equal")
    prefix = min(fitting, key=len)
    checkpoint.remarks.append(f"the prefix `{prefix}` was stripped from names")
    left_out = [name for name in state if not name.startswith(prefix)]
    if left_out:
        checkpoint.remarks.append(f"{len(left_out)} without it were left out, such as {left_out[0]}")
    return {name.removeprefix(prefix): values for name, values in state.items() if name.startswith(prefix)}


def _are_copies(state: Mapping[str, Tensor], prefixes: Sequence[str], names: Collection[str]) -> bool:
    """Tell whether tensors of some names are the same after each of several prefixes."""
    first, *others = prefixes
    return all(torch.equal(state[first + name], state[other + name]) for other in others for name in names)


def _starts(name: str) -> list[int]:
    return [0, *(found.end() for found in re.finditer(r"\.", name))]


def _differences(state: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> dict[str, tuple[str, str]]:
    """Return the kind of difference and its description, for each name that differs."""
    differing = {name: ("missing", name) for name in sorted(expected.keys() - state.keys())}
    differing |= {name: ("unexpected", name) for name in sorted(state.keys() - expected.keys())}
    for name in sorted(expected.keys() & state.keys()):
        found, wanted = tuple(state[name].shape), tuple(expected[name].shape)
        if found != wanted:
            differing[name] = ("of another shape", f"{name} {found} instead of {wanted}")
    return differing


def _listed(differing: Mapping[str, tuple[str, str]]) -> str:
    by_kind: dict[str, list[str]] = {}
    for kind, said in differing.values():
        by_kind.setdefault(kind, []).append(said)
    return "; ".join(f"{len(said)} {kind}, such as {said[0]}" for kind, said in by_kind.items())


def _check_values(name: str, values: Tensor, expected: Tensor, subject: str) -> None:
    if values.layout != torch.strided or values.is_meta or values.is_quantized:
        raise InputError(f"{subject}: {name} is sparse, quantised or without values; save dense tensors of numbers")
    if expected.is_floating_point() and not values.is_floating_point():
        raise InputError(f"{subject}: {name} is of {values.dtype}, where real numbers, {expected.dtype}, are needed")
    if values.is_floating_point() and values.isnan().any():
        n = int(values.isnan().sum())
        raise InputError(
            f"{subject}: {n} of {values.numel()} values of {name} are not numbers (NaN); take a checkpoint from before "
            f"training diverged"
        )
