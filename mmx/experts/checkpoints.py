"""From a file of published weights to a network, strictly, and without executing a pickle."""

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from mmx.engine.errors import machine_fault
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


_CAUSE = "WeightsUnpickler error:"
"""What stands before the cause where torch reads no pickle of this kind."""
LONGEST, MOST, LONGEST_REASON = 100, 5, 300
"""Characters of a name, names and characters of a reason in a message."""


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
        raise CheckpointError(f"{path.name} names a tensor twice: {_first(both)}")
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
    if not isinstance(state, Mapping):
        raise CheckpointError(f"{path.name}: state_dict is a {type(state).__name__}, not weights")
    if not all(isinstance(name, str) for name in state):
        raise CheckpointError(f"{path.name} holds names that are not text")
    if all(name.startswith("module.") for name in state):
        state = {name.removeprefix("module."): value for name, value in state.items()}
    return {name: _as_tensor(name, value, path) for name, value in state.items()}


def load_strictly(network: nn.Module, state: State) -> None:
    """Copy `state` into `network`; raise CheckpointError naming what does not fit.

    Only batch norm's counters may be missing. Every number must be finite.
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
    if not any(faults.values()):
        faults = {
            "NaN or infinity": [name for name in sorted(given) if not _is_finite(state[name])]
        }
    if any(faults.values()):
        said = "; ".join(f"{kind}: {_first(names)}" for kind, names in faults.items() if names)
        raise CheckpointError(f"the weights do not fit {type(network).__name__}: {said}")
    network.load_state_dict(state, strict=False)


def _is_finite(value: Tensor) -> bool:
    """Say whether no number is NaN or infinite, also in types of eight bits."""
    return bool(torch.isfinite(value.float() if value.is_floating_point() else value).all())


def _first(names: list[str]) -> str:
    """Return the first names, and how many more there are."""
    shown = ", ".join(name[:LONGEST] for name in names[:MOST])
    return shown + (f" and {len(names) - MOST} more" if len(names) > MOST else "")


def _read(path: Path, format: Format) -> Any:
    try:
        if format == "safetensors":
            return load_file(path)
        with warnings.catch_warnings(), torch.serialization.safe_globals(_NUMPY):
            # torch warns that the encoding is ignored, but uses it.
            warnings.filterwarnings("ignore", "pickle_load_args only works")
            warnings.filterwarnings("ignore", "Validating sparse tensor invariants")
            encoding = "latin1" if format == "torch_latin1" else "utf-8"
            return torch.load(path, map_location="cpu", weights_only=True, encoding=encoding)
    # Readers of a file from anywhere raise anything; only what the machine lacks is no fault of it.
    except Exception as error:
        if machine_fault(error) and not isinstance(error, MemoryError):
            raise
        raise CheckpointError(
            f"{path.name} cannot be read as {format}: {_reason(error)}"
        ) from error


def _reason(error: Exception) -> str:
    """Return the cause that an error names: torch adds advice for programmers."""
    cause = str(error).rpartition(_CAUSE)[2].strip()
    if _CAUSE not in str(error):
        cause = (cause.splitlines() or ["it is empty"])[-1]
    return cause.partition("\n")[0].partition(". Please ")[0][:LONGEST_REASON]


def _as_tensor(name: str, value: object, path: Path) -> Tensor:
    if isinstance(value, Tensor):
        odd = _oddity(value)
    elif isinstance(value, np.ndarray):
        odd = "" if value.dtype.kind in "fiub" else f"an array of {value.dtype}"
    else:
        odd = f"a {type(value).__name__}"
    if odd:
        raise CheckpointError(f"{path.name}: {name[:LONGEST]} is {odd}, not a tensor of numbers")
    if isinstance(value, Tensor):
        return value.detach()
    return torch.from_numpy(np.array(value, np.float32))


def _oddity(value: Tensor) -> str:
    """Return what is odd about a tensor, or nothing: it must hold its real numbers itself."""
    if value.is_quantized or value.layout != torch.strided or value.is_nested:
        return "sparse, nested or quantized"
    if value.is_meta:
        return "without numbers"
    return "complex" if value.is_complex() else ""
