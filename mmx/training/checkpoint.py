"""Checkpoints of a training: its whole state in one file, replaced atomically."""

import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mmx.engine.atomic import atomic_path
from mmx.engine.errors import UserError, machine_fault

FILE = "checkpoint.pt"


class OtherTrainingError(UserError):
    """A checkpoint does not fit the training that it claims to be of."""


class Checkpoint:
    """The state of one training in a scratch folder; without a folder nothing is saved."""

    def __init__(self, folder: Path | None, identity: object, every_s: float) -> None:
        """Set the folder and the training's identity.

        Args:
            folder: where the file lies, or None.
            identity: JSON data that determines the training; other checkpoints are ignored.
            every_s: least seconds between two checkpoints; affects no result.
        """
        self.path = None if folder is None else folder / FILE
        canonical = json.dumps(identity, sort_keys=True)
        self.identity = hashlib.sha256(canonical.encode()).hexdigest()
        self.every_s = every_s
        self.saved = time.monotonic()

    def load(self) -> dict[str, Any] | None:
        """Return the state that was saved last; None where there is none that can be read."""
        if self.path is None or not self.path.is_file():
            return None
        try:
            saved = torch.load(self.path, map_location="cpu", weights_only=True)
            return dict(saved["state"]) if saved["identity"] == self.identity else None
        # Readers of a damaged file raise anything; the training then starts anew.
        except Exception as error:
            if machine_fault(error):
                raise
            return None

    def save(self, state: Callable[[], dict[str, Any]]) -> None:
        """Save the state if enough time has passed, atomically."""
        if self.path is None or time.monotonic() - self.saved < self.every_s:
            return
        with atomic_path(self.path) as temporary:
            torch.save({"identity": self.identity, "state": state()}, temporary)
        self.saved = time.monotonic()


def digest(network: nn.Module) -> str:
    """sha256 of all weights and buffers of a network, as hexadecimal digits."""
    total = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        total.update(name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
    return total.hexdigest()
