"""From a file of published weights to a network, strictly, and without executing a pickle."""

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Literal

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from mmx.errors import UserError

Format = Literal["torch", "torch_latin1", "safetensors"]
State = dict[str, Tensor]

COUNTER = "num_batches_tracked"
"""Batch norm's counter: of no effect here, and absent from files older than PyTorch 0.4.1."""

_SCALAR: Any = np.float64(0).__reduce__()[0]
_ARRAY: Any = np.zeros(0).__reduce__()[0]
_NUMPY: list[Callable[..., Any] | tuple[Callable[..., Any], str]] = [
    *((_SCALAR, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")),
    *((_ARRAY, f"numpy.{core}.multiarray._reconstruct") for core in ("core", "_core")),
    np.ndarray,
    np.dtype,
    type(np.dtype("float32")),
    type(np.dtype("float64")),
    type(np.dtype("int64")),
]
"""Constructors of numbers and arrays, which some files hold beside tensors; none runs code."""


class CheckpointError(UserError):
    """A file of weights is not a valid one, holds code, or does not fit the network."""


def load_published(
    network: nn.Module,
    path: Path,
    format: Format = "torch",
    rename: Callable[[str], str] = str,
) -> None:
    """Load the published file `path` into `network`; `rename` maps its names to the network's."""
    state = read_state(path, format)
    renamed = {rename(name): value for name, value in state.items()}
    if len(renamed) < len(state):
        both = [name for name in state if rename(name) != name and rename(name) in state]
        raise CheckpointError(f"{path.name} names a tensor twice: {', '.join(both)}")
    load_strictly(network, renamed)


def read_state(path: Path, format: Format) -> State:
    """Return name -> tensor, on the CPU; without what the training program wrapped around it.

    That is a dictionary with `state_dict` among arch, epoch and scores, and the prefix `module.` of
    a network that was trained on several GPUs. Arrays become float32 tensors.
    """
    content = _read(path, format)
    if not isinstance(content, Mapping):
        raise CheckpointError(f"{path.name} holds a {type(content).__name__}, not weights by name")
    state = content.get("state_dict", content)
    if not all(isinstance(name, str) for name in state):
        raise CheckpointError(f"{path.name} holds names that are not text")
    if all(name.startswith("module.") for name in state):
        state = {name.removeprefix("module."): value for name, value in state.items()}
    return {name: _as_tensor(name, value, path) for name, value in state.items()}


def load_strictly(network: nn.Module, state: State) -> None:
    """Copy `state` into `network`; raise CheckpointError naming what is missing, extra, misshapen.

    Only batch norm's counters may be missing.
    """
    wanted = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    given = {name: tuple(value.shape) for name, value in state.items()}
    missing = sorted(name for name in wanted.keys() - given.keys() if not name.endswith(COUNTER))
    extra = sorted(given.keys() - wanted.keys())
    misshapen = [
        f"{name} (wanted {wanted[name]}, found {given[name]})"
        for name in sorted(wanted.keys() & given.keys())
        if wanted[name] != given[name]
    ]
    faults = {"missing": missing, "extra": extra, "misshapen": misshapen}
    if any(faults.values()):
        said = "; ".join(f"{kind}: {', '.join(names)}" for kind, names in faults.items() if names)
        raise CheckpointError(f"the weights do not fit {type(network).__name__}: {said}")
    network.load_state_dict(state, strict=False)


def _read(path: Path, format: Format) -> Any:
    try:
        if format == "safetensors":
            return load_file(path)
        with warnings.catch_warnings(), torch.serialization.safe_globals(_NUMPY):
            # torch warns that the encoding is ignored, but uses it.
            warnings.filterwarnings("ignore", "pickle_load_args only works")
            encoding = "latin1" if format == "torch_latin1" else "utf-8"
            return torch.load(path, map_location="cpu", weights_only=True, encoding=encoding)
    except (UnpicklingError, SafetensorError, RuntimeError, ValueError, EOFError) as error:
        reason = (str(error).strip().splitlines() or ["it is empty"])[-1]
        raise CheckpointError(f"{path.name} cannot be read as {format}: {reason}") from error


def _as_tensor(name: str, value: object, path: Path) -> Tensor:
    if isinstance(value, Tensor):
        return value
    if isinstance(value, np.ndarray):
        return torch.from_numpy(np.ascontiguousarray(value)).float()
    raise CheckpointError(f"{path.name}: {name} is a {type(value).__name__}, not a tensor")
