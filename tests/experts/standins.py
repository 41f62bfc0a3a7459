"""Stand-ins for the published checkpoints: their names, shapes and formats, and no knowledge.

    python tests/experts/standins.py WEIGHTS_FOLDER LOCK_FILE [EXPERT ...]

Every tensor is a strided view of a few thousand random numbers, so that a network of 115 million
values takes a megabyte on disk, loads through the same door, and is as strict about every key. The
files are accepted in the lock file in place of the published ones, which their digests are not.
"""

import math
import sys
from collections import OrderedDict
from pathlib import Path

import torch
from torch import Tensor

from mmx.experts.base import Checkpoint
from mmx.experts.registry import get_expert
from mmx.experts.weights import Place, accept

PAPER = ("senet154", "resnet18_places365", "i3d_flow", "r2plus1d_34", "vggish")
COUNTER = "num_batches_tracked"

State = dict[str, Tensor]


def hankel(name: str, shape: tuple[int, ...], numbers: Tensor) -> Tensor:
    """A tensor of `shape` in which entry (i, j, ...) is number 7i + 3j + ... of `numbers`."""
    steps = [7, 3, *[1] * len(shape)][: len(shape)]
    needed = 1 + sum(step * (size - 1) for step, size in zip(steps, shape, strict=True))
    offset = sum(name.encode()) * 131 % (len(numbers) - needed)
    return torch.as_strided(numbers, shape, steps, offset)


def random_state(state: State) -> State:
    """Values under which a signal neither dies nor explodes on its way through the network."""
    generator = torch.Generator().manual_seed(11)
    pools: dict[tuple[float, float], Tensor] = {}

    def pool(mean: float, deviation: float) -> Tensor:
        if (mean, deviation) not in pools:
            drawn = torch.randn(100_000, generator=generator)
            pools[mean, deviation] = mean + deviation * drawn
        return pools[mean, deviation]

    made = {}
    for name, value in state.items():
        if name.endswith(COUNTER):
            made[name] = value
            continue
        shape = tuple(value.shape)
        if len(shape) > 1:
            numbers = pool(0.0, 2.0 ** -round(math.log2(math.prod(shape[1:])) / 2))
        elif name.endswith("running_var") or (name.endswith("weight") and len(shape) == 1):
            numbers = pool(1.0, 0.05)
        else:
            numbers = pool(0.0, 0.05)
        made[name] = hankel(name, shape, numbers)
    return made


def without_counters(state: State) -> State:
    return {name: value for name, value in state.items() if not name.endswith(COUNTER)}


def old_densenet_name(name: str) -> str:
    for part in ("norm", "conv"):
        for index in "12":
            name = name.replace(f"{part}{index}.", f"{part}.{index}.") if "layer" in name else name
    return name


def save(expert: str, checkpoint: Checkpoint, state: State, path: Path) -> None:
    """Write `state` in the form in which the file is published."""
    if checkpoint.file.endswith(".pth.tar"):
        if expert.startswith("densenet"):
            state = {old_densenet_name(name): value for name, value in state.items()}
        wrapped = OrderedDict((f"module.{n}", v) for n, v in without_counters(state).items())
        content = {"arch": expert, "epoch": 90, "state_dict": wrapped, "best_prec1": 55.5}
        torch.save(content, path, _use_new_zipfile_serialization=False)
    elif checkpoint.file == "vggish_pca_params.pth":
        arrays = {name: value.double().numpy() for name, value in state.items()}
        torch.save(arrays, path, _use_new_zipfile_serialization=False)
    elif expert == "senet154":
        state = OrderedDict(without_counters(state))
        torch.save(state, path, _use_new_zipfile_serialization=False)
    else:
        torch.save(OrderedDict(state), path)


def write_standins(folder: Path, lock: Path, experts: tuple[str, ...] = PAPER) -> list[Path]:
    """Write and accept a stand-in for each file of weights of `experts`; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name in experts:
        expert = get_expert(name)
        network = expert.build()
        parts = list(network.children()) if expert.modality == "audio" else [network]
        for checkpoint, part in zip(expert.weights, parts, strict=True):
            assert isinstance(checkpoint, Checkpoint)
            path = folder / checkpoint.file
            save(name, checkpoint, random_state(part.state_dict()), path)
            accept(checkpoint, Place(folder, lock))
            written.append(path)
    return written


if __name__ == "__main__":
    weights, lock_file, *names = sys.argv[1:]
    for file in write_standins(Path(weights), Path(lock_file), tuple(names) or PAPER):
        print(file)
