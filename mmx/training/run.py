"""The state of a training between two epochs, as a checkpoint has it, and early stopping."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmx.model.network import Network
from mmx.params import OptimisationParams
from mmx.training.checkpoint import Checkpoint, OtherTrainingError, digest
from mmx.training.curves import Curves, Row
from mmx.training.data import Collection
from mmx.training.progress import EpochProgress


@dataclass(frozen=True)
class Goal:
    """Name, length, learning rate and criterion of a training."""

    name: str
    epochs: int
    lr: float
    """Learning rate of Adam with AMSGrad."""
    criterion: str
    """The recorded figure by which epochs are compared."""
    sign: int
    """1 if larger is better, -1 if smaller is."""


@dataclass(frozen=True)
class Trained:
    """The result of a training."""

    network: Network
    """On the training's device, with the weights that are kept."""
    history: list[Row]
    """One row per epoch."""
    kept: int
    """Epoch of these weights."""


class Run:
    """Network, optimiser, random state and history of one training."""

    def __init__(
        self,
        network: Network,
        collection: Collection,
        goal: Goal,
        params: OptimisationParams,
        *,
        scratch: Path | None,
        every_s: float,
        live: Path | None,
    ) -> None:
        """Begin, or continue from a checkpoint.

        Args:
            network: what is trained, on its device.
            collection: what it is trained on; the checkpoint of another one is ignored.
            goal: name, length, criterion.
            params: seed, batch, patience, which epoch to keep.
            scratch: folder of the checkpoint, or None.
            every_s: least seconds between two checkpoints.
            live: folder of the curves, or None.
        """
        self.network, self.goal, self.params = network, goal, params
        self.optimiser = torch.optim.Adam(network.parameters(), lr=goal.lr, amsgrad=True)
        self.generator = torch.Generator().manual_seed(params.seed)
        self.history: list[Row] = []
        self.best_epoch = 0
        self.best_weights: dict[str, torch.Tensor] | None = None
        self.losses: list[tuple[torch.Tensor, int]] = []
        identity = [digest(network), params.model_dump(), collection.identity]
        self.checkpoint = Checkpoint(scratch, identity, every_s)
        self._restore()
        self.curves = Curves(live, self.history)
        self.progress = EpochProgress(goal.name, goal.epochs)

    def epochs(self) -> Iterator[int]:
        """Yield the epochs that are left, from 1, until the last or until patience runs out."""
        for epoch in self.progress.follow(self._last_epoch + 1):
            if self._out_of_patience:
                break
            yield epoch
        self.curves.close()

    def batches(self, members: np.ndarray) -> Iterator[np.ndarray]:
        """Shuffle and cut into batches; the last may be smaller."""
        order = torch.randperm(len(members), generator=self.generator).numpy()
        return iter(chunks(members[order], self.params.batch))

    def step(self, loss: torch.Tensor) -> None:
        """One step of the optimiser down the gradient of `loss`."""
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()

    def add_loss(self, loss: torch.Tensor, size: int) -> None:
        """Add the loss of a batch of `size` trailers to the epoch's mean."""
        self.losses.append((loss.detach(), size))

    def mean_loss(self) -> float:
        """Mean over trailers of the losses added since the last call."""
        noted, self.losses = self.losses, []
        return mean_loss(noted)

    def set_rate(self, lr: float) -> None:
        """Set the learning rate."""
        for group in self.optimiser.param_groups:
            group["lr"] = lr

    def record(self, row: Row) -> None:
        """End an epoch: history, best so far, checkpoint, curves, progress."""
        self.history.append(row)
        if self._is_best(row):
            self.best_epoch = int(row["epoch"] or 0)
            if self.params.keep == "best":
                self.best_weights = copy.deepcopy(self.network.state_dict())
        self.checkpoint.save(self.state)
        self.curves.add(row)
        self.progress.show(row)

    def finish(self) -> Trained:
        """Load the weights of the kept epoch into the network."""
        kept = self._last_epoch
        if self.best_weights is not None:
            self.network.load_state_dict(self.best_weights)
            kept = self.best_epoch
        return Trained(self.network, self.history, kept)

    def state(self) -> dict[str, Any]:
        """Return the state that a checkpoint saves."""
        return {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "generator": self.generator.get_state(),
            "history": self.history,
            "best_epoch": self.best_epoch,
            "best_weights": self.best_weights,
        }

    def _restore(self) -> None:
        """Restore the state of the checkpoint, if there is one."""
        state = self.checkpoint.load()
        if state is None:
            return
        try:
            self.network.load_state_dict(state["network"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.generator.set_state(state["generator"])
            self.history = [dict(row) for row in state["history"]]
            self.best_epoch, self.best_weights = state["best_epoch"], state["best_weights"]
        except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
            raise OtherTrainingError(
                f"{self.checkpoint.path} does not fit this training: delete it to begin anew"
            ) from error

    def _is_best(self, row: Row) -> bool:
        """Whether the newest row's figure is better than every earlier one."""
        figures = [one.get(self.goal.criterion) for one in self.history[:-1]]
        earlier = [self.goal.sign * figure for figure in figures if figure is not None]
        figure = row.get(self.goal.criterion)
        return figure is not None and self.goal.sign * figure > max(earlier, default=-np.inf)

    @property
    def _last_epoch(self) -> int:
        """Number of the newest recorded epoch; 0 at the start."""
        return int(self.history[-1]["epoch"] or 0) if self.history else 0

    @property
    def _out_of_patience(self) -> bool:
        """Whether too many epochs have passed since the best one."""
        return 0 < self.params.patience <= self._last_epoch - self.best_epoch


def chunks(members: np.ndarray, size: int) -> list[np.ndarray]:
    """Cut into chunks of `size`; the last may be smaller."""
    return [members[start : start + size] for start in range(0, len(members), size)]


def mean_loss(losses: list[tuple[torch.Tensor, int]]) -> float:
    """Mean over trailers of (loss, trailers) of several batches, summed in float64."""
    values = torch.stack([loss for loss, _ in losses]).double().cpu()
    sizes = torch.tensor([size for _, size in losses], dtype=torch.float64)
    return float((values * sizes).sum() / sizes.sum())


def facts(collection: Collection, trained: Trained) -> dict[str, int]:
    """Return the facts for the receipt of a training."""
    counts = {split: len(collection.members(split)) for split in ("train", "validation", "test")}
    return {**counts, "epochs": int(trained.history[-1]["epoch"] or 0), "kept_epoch": trained.kept}
