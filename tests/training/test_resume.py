"""An interrupted training continues to equal weights and equal history."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch

from mmx.model.config import NetworkConfig
from mmx.params import FinetuneParams, ModelParams, TrainParams
from mmx.training.checkpoint import FILE, Checkpoint
from mmx.training.coarse import train
from mmx.training.coarse_item import coarse_item
from mmx.training.data import Collection
from mmx.training.fine import finetune
from mmx.training.load import new_network
from mmx.training.run import Run, Trained

if TYPE_CHECKING:
    from tests.training.conftest import Files


ROOT = Path(__file__).parents[2]
AUGMENTED: dict[str, Any] = {
    "batch": 4,
    "lr": 1e-2,
    "threads": 1,
    "clip_dropout": 0.3,
    "feature_noise": 0.1,
}
COARSE = TrainParams(epochs=6, keep="best", **AUGMENTED)
FINE = FinetuneParams(epochs=6, constant_epochs=2, keep="best", pairs="random", **AUGMENTED)

KILLED = """
import os, signal, sys
from pathlib import Path
from mmx.params import ModelParams, TrainParams
from mmx.training.checkpoint import Checkpoint
from mmx.training.coarse_item import coarse_item

save = Checkpoint.save

def save_and_die(self, state):
    self.every_s = 0
    save(self, state)
    if len(state()["history"]) == 2:
        os.kill(os.getpid(), signal.SIGKILL)

Checkpoint.save = save_and_die
features, trailers, splits, out, scratch = map(Path, sys.argv[1:6])
coarse_item(
    features=features, trailers=trailers, splits=splits, genres=("Drama", "Comedy", "Horror"),
    model=ModelParams.model_validate_json(sys.argv[6]),
    train_params=TrainParams.model_validate_json(sys.argv[7]),
    out=out, scratch=scratch, device="cpu",
)
"""


class CutOffError(Exception):
    """Raised in place of the end of the process."""


def cut_off_after(epoch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a training end right after an epoch was recorded and perhaps saved."""
    save = Checkpoint.save

    def save_and_fail(self: Checkpoint, state: Callable[[], Any]) -> None:
        save(self, state)
        if state()["history"][-1]["epoch"] == epoch:
            raise CutOffError

    monkeypatch.setattr(Checkpoint, "save", save_and_fail)


def count_steps(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A list that grows by one with every step of an optimiser from now on."""
    steps, step = [], Run.step

    def count(self: Run, loss: torch.Tensor) -> None:
        steps.append(1)
        step(self, loss)

    monkeypatch.setattr(Run, "step", count)
    return steps


def equal(one: Trained, other: Trained) -> bool:
    pairs = zip(one.network.state_dict().values(), other.network.state_dict().values(), strict=True)
    weights = all(torch.equal(a, b) for a, b in pairs)
    return weights and one.history == other.history and one.kept == other.kept


@pytest.mark.parametrize("epoch", [1, 3, 6])
def test_coarse_training_goes_on(
    epoch: int,
    collection: Collection,
    config: NetworkConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = train(collection, config, COARSE, device="cpu")
    with monkeypatch.context() as patch, pytest.raises(CutOffError):
        cut_off_after(epoch, patch)
        train(collection, config, COARSE, device="cpu", scratch=tmp_path, every_s=0)
    steps = count_steps(monkeypatch)
    resumed = train(collection, config, COARSE, device="cpu", scratch=tmp_path, every_s=0)
    assert equal(resumed, whole)
    assert len(steps) == (6 - epoch) * 3


@pytest.mark.parametrize("epoch", [1, 4])
def test_fine_tuning_goes_on(
    epoch: int,
    collection: Collection,
    config: NetworkConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = finetune(new_network(config, 0), collection, FINE, device="cpu")
    with monkeypatch.context() as patch, pytest.raises(CutOffError):
        cut_off_after(epoch, patch)
        finetune(
            new_network(config, 0), collection, FINE, device="cpu", scratch=tmp_path, every_s=0
        )
    steps = count_steps(monkeypatch)
    resumed = finetune(
        new_network(config, 0), collection, FINE, device="cpu", scratch=tmp_path, every_s=0
    )
    assert equal(resumed, whole)
    assert len(steps) == (6 - epoch) * 3


def test_early_stopping_survives_being_cut_off(
    collection: Collection, config: NetworkConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = COARSE.model_copy(update={"epochs": 40, "patience": 4})
    whole = train(collection, config, params, device="cpu")
    last: Any = whole.history[-1]["epoch"]
    assert last < 40
    for epoch in (last - 2, last):
        with monkeypatch.context() as patch, pytest.raises(CutOffError):
            cut_off_after(epoch, patch)
            train(collection, config, params, device="cpu", scratch=tmp_path, every_s=0)
    assert equal(
        train(collection, config, params, device="cpu", scratch=tmp_path, every_s=0), whole
    )


def test_another_trainings_checkpoint_is_not_used(
    collection: Collection, config: NetworkConfig, tmp_path: Path
) -> None:
    train(collection, config, COARSE, device="cpu", scratch=tmp_path, every_s=0)
    other = COARSE.model_copy(update={"seed": 9})
    found = train(collection, config, other, device="cpu", scratch=tmp_path, every_s=0)
    assert equal(found, train(collection, config, other, device="cpu"))


def test_checkpoints_are_not_written_too_often(
    collection: Collection, config: NetworkConfig, tmp_path: Path
) -> None:
    train(collection, config, COARSE, device="cpu", scratch=tmp_path, every_s=3600)
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_holds_nothing_but_data(
    collection: Collection, config: NetworkConfig, tmp_path: Path
) -> None:
    train(collection, config, COARSE, device="cpu", scratch=tmp_path, every_s=0)
    assert [path.name for path in tmp_path.iterdir()] == [FILE]
    found = torch.load(tmp_path / FILE, weights_only=True)
    assert len(found["state"]["history"]) == 6


@pytest.mark.slow
def test_a_killed_process_leaves_the_bytes_of_an_unkilled_one(
    files: "Files", model: ModelParams, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = TrainParams(epochs=5, batch=4, threads=1)
    for name in ("whole", "killed", "scratch"):
        (tmp_path / name).mkdir()

    def run(out: str, **more: Path) -> None:
        coarse_item(
            features=files.features, trailers=files.trailers, splits=files.splits,
            genres=("Drama", "Comedy", "Horror"), model=model, train_params=params,
            out=tmp_path / out, device="cpu", **more,
        )  # fmt: skip

    places = files.features, files.trailers, files.splits, tmp_path / "killed", tmp_path / "scratch"
    given = *places, model.model_dump_json(), params.model_dump_json()
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    killed = subprocess.run([sys.executable, "-c", KILLED, *map(str, given)], env=environment)
    assert killed.returncode == -signal.SIGKILL
    assert list((tmp_path / "killed").iterdir()) == []
    steps = count_steps(monkeypatch)
    run("killed", scratch=tmp_path / "scratch")
    assert len(steps) == 3 * 3
    run("whole")
    names = sorted(path.name for path in (tmp_path / "whole").iterdir())
    assert names == ["history.json", "model.json", "model.safetensors"]
    for name in names:
        mine, theirs = (tmp_path / folder / name for folder in ("killed", "whole"))
        assert mine.read_bytes() == theirs.read_bytes()
