"""Training: this project's network against the straightforward padded implementation.

    python benchmarks/train.py [--steps 3] [--batch 32] [--threads 2] [--json FILE]

Both take the same weights through the same steps of coarse training, at the paper's sizes, on
random embeddings of 7,555 trailers whose numbers of clips are distributed as in trailers of 2 to 3
minutes (median shot 2.2 s). `padded` fills 40 x 9 clip slots per trailer, pools every clip's sound
over the longest one's length, and runs g on every concatenated pair of modalities. Each runs in a
process of its own, in turns, so that memory is apart and load is shared. An epoch is extrapolated
from the steps.
"""

import argparse
import json
import multiprocessing
import resource
import statistics
import sys
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from mmx.model.batch import Batch
from mmx.model.config import NetworkConfig
from mmx.model.gating import PaperGate
from mmx.model.losses import weighted_bce
from mmx.model.netvlad import NetVLAD
from mmx.model.network import ModalityInput, Network
from mmx.training.data import Collection, Column

TRAILERS = 7555
WIDTHS = {"appearance": 2048, "scene": 512, "motion": 1024}
AUDIO = 128
PATCH_S = 0.96
GENRES = 20
KEYS = ("loss", "wall_s", "cpu_s", "bytes")
"""Figures of a step: loss, seconds by the clock, core-seconds, peak memory above the floor."""


def shots(trailers: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Lengths in seconds of each trailer's shots: log-normal, at least 10 shots, 2 to 3 minutes."""
    drawn = []
    for _ in range(trailers):
        duration, median = rng.uniform(120, 180), rng.lognormal(np.log(2.2), 0.35)
        lengths = rng.lognormal(np.log(median), 0.8, 400)
        count = int(np.searchsorted(lengths.cumsum(), duration))
        drawn.append(lengths[: min(max(count, 10), 360)])
    return drawn


def random_collection(trailers: list[np.ndarray], seed: int) -> Collection:
    """Trailers with these shots, random embeddings at the paper's widths and random labels."""
    rng = np.random.default_rng(seed)
    offsets = np.cumsum([0, *map(len, trailers)])
    clips = int(offsets[-1])
    everywhere = np.ones(clips, bool)
    columns = {
        name: Column(rng.standard_normal((clips, width), np.float32), everywhere, None)
        for name, width in WIDTHS.items()
    }
    patches = np.maximum(1, np.concatenate(trailers) // PATCH_S).astype(np.int64)
    bounds = np.cumsum([0, *patches])
    sound = rng.standard_normal((int(bounds[-1]), AUDIO), np.float32)
    columns["audio"] = Column(sound, everywhere, bounds)
    return Collection(
        ids=[f"t{number:04}" for number in range(len(trailers))],
        offsets=offsets,
        columns=columns,
        labels=(rng.random((len(trailers), GENRES)) < 0.13).astype(np.uint8),
        primary=np.zeros(len(trailers), np.int64),
        split=np.full(len(trailers), "train"),
        films=np.arange(len(trailers)),
    )


class Padded(nn.Module):
    """The same function of the same weights, in the straightforward padded form."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, batch: Batch) -> Tensor:
        """Logits [trailers, genres] of a batch, computed in all slots of all trailers."""
        config = self.network.config
        places = config.slots * config.sequence_length
        valid = torch.arange(places) < batch.lengths[:, None]
        experts, present = [], []
        for modality in config.modalities:
            vectors, there = self._dense(batch, modality.name, valid)
            part = self.network.inputs[modality.name]
            assert isinstance(part, ModalityInput)
            mean, scale = part.get_buffer("mean"), part.get_buffer("scale")
            if part.pool is not None:
                vectors = self._pool(part.pool, (vectors - mean) / scale, there)
                there = there.any(-1)
            else:
                vectors, there = (vectors[:, :, 0] - mean) / scale, there[..., 0]
            experts.append(part.project(vectors) * there[..., None])
            present.append(there)
        clips = self._fuse(experts, torch.stack(present, -1)) * valid[..., None]
        grouped = clips.reshape(len(clips), config.slots, -1)
        sequences = self.network.j(grouped)
        begun = torch.arange(config.slots) * config.sequence_length < batch.lengths[:, None]
        joined = (sequences * begun[..., None]).flatten(1)
        k, classify = self.network.k, self.network.l
        assert k is not None and classify is not None
        logits: Tensor = classify(k.second(k.first(joined).relu()).relu())
        return logits

    def _dense(self, batch: Batch, name: str, valid: Tensor) -> tuple[Tensor, Tensor]:
        """Pad one modality: [trailers, places, longest, width], and which of it is there."""
        feature = batch.features[name]
        longest = int(feature.counts.max())
        counts = torch.zeros(batch.clips, dtype=torch.int64)
        counts[feature.clips] = feature.counts
        inside = torch.arange(longest) < counts[:, None]
        flat = torch.zeros(batch.clips, longest, feature.values.shape[1])
        flat[inside] = feature.values
        dense = torch.zeros(*valid.shape, *flat.shape[1:])
        dense[valid] = flat
        there = torch.zeros(*valid.shape, longest, dtype=torch.bool)
        there[valid] = inside
        return dense, there

    def _pool(self, pool: NetVLAD, vectors: Tensor, there: Tensor) -> Tensor:
        """NetVLAD over the third axis, padding masked: [trailers, places, width x clusters]."""
        assert pool.bias is not None
        share = (vectors @ pool.clusters + pool.bias).softmax(-1)[..., : pool.centres.shape[1]]
        share = share * there[..., None]
        sums = vectors.mT @ share - share.sum(-2, keepdim=True) * pool.centres
        return normalize(normalize(sums, dim=-2).flatten(-2), dim=-1)

    def _fuse(self, experts: list[Tensor], present: Tensor) -> Tensor:
        """Equations 1 and 2 pair by pair, GEMs, projection: [trailers, places, clip]."""
        fusion = self.network.fusion
        assert fusion.gating is not None
        pairs, gate = fusion.gating.pairs, fusion.gating.gates[0]
        assert isinstance(gate, PaperGate)
        first = torch.cat([pairs.own.weight, pairs.partner.weight], dim=1)
        embedded = []
        for e, expert in enumerate(experts):
            total = torch.zeros_like(expert)
            for f, partner in enumerate(experts):
                if f != e:
                    both = torch.cat([expert, partner], dim=-1)
                    hidden = (both @ first.T + pairs.own.bias).relu()
                    mask = present[..., e, None] & present[..., f, None]
                    total = total + pairs.last(hidden) * mask
            gated = expert * gate.h(total).sigmoid()
            embedded.append(embed_flat(fusion.embed[e], gated) * present[..., e, None])
        joined = torch.cat([*embedded, present.to(experts[0].dtype)], dim=-1)
        return normalize(fusion.project(joined), dim=-1)


def embed_flat(module: nn.Module, values: Tensor) -> Tensor:
    """Apply a module for [clips, dim] to [trailers, places, dim]."""
    embedded: Tensor = module(values.flatten(0, 1)).unflatten(0, values.shape[:2])
    return embedded


@dataclass(frozen=True)
class Task:
    """What both implementations are given."""

    batch: int
    steps: int
    threads: int
    seed: int = 0

    def batches(self) -> tuple[Collection, list[np.ndarray]]:
        """The trailers of the timed steps, drawn from all, and which are in which step."""
        rng = np.random.default_rng(self.seed)
        everyone = shots(TRAILERS, rng)
        chosen = rng.permutation(TRAILERS)[: self.batch * (self.steps + 1)]
        collection = random_collection([everyone[number] for number in chosen], self.seed)
        return collection, np.split(np.arange(len(chosen)), self.steps + 1)


def work(name: str, task: Task, pipe: Connection) -> None:
    """Take one training step whenever asked; answer with what `KEYS` names."""
    torch.set_num_threads(task.threads)
    collection, steps = task.batches()
    torch.manual_seed(task.seed)
    network = Network(NetworkConfig(collection.modalities, GENRES, sequence_head="none"))
    model = Padded(network) if name == "padded" else network
    optimiser = torch.optim.Adam(network.parameters(), lr=3e-5, amsgrad=True)
    positive = torch.full((GENRES,), 5.0)
    floor = peak_bytes()
    for members in steps:
        pipe.recv()
        began = time.perf_counter(), time.process_time()
        output = model(collection.trailers(members))
        logits = output if name == "padded" else output.logits
        loss = weighted_bce(logits, torch.from_numpy(collection.labels[members]), positive)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        wall, cpu = time.perf_counter() - began[0], time.process_time() - began[1]
        pipe.send((loss.item(), wall, cpu, peak_bytes() - floor))


def peak_bytes() -> int:
    """Largest resident size of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def compare(task: Task) -> dict[str, dict[str, list[float]]]:
    """Let both take the same steps in turns; the first step of each only warms up."""
    context = multiprocessing.get_context("spawn")
    pipes: dict[str, Connection] = {}
    found: dict[str, dict[str, list[float]]] = {}
    for name in ("mmx", "padded"):
        pipes[name], theirs = context.Pipe()
        context.Process(target=work, args=(name, task, theirs), daemon=True).start()
        found[name] = {key: [] for key in KEYS}
    for step in range(task.steps + 1):
        for name, pipe in pipes.items():
            pipe.send(step)
            for key, value in zip(KEYS, pipe.recv(), strict=True):
                found[name][key].append(value)
    return found


def summarise(found: dict[str, dict[str, list[float]]], task: Task) -> dict[str, Any]:
    """Medians of the steps after the first, the epoch they make, ratios of paired steps."""
    steps = -(-TRAILERS // task.batch)
    ours, theirs = found["mmx"], found["padded"]
    summary: dict[str, Any] = {
        name: {
            "step_s": statistics.median(one["wall_s"][1:]),
            "step_core_s": statistics.median(one["cpu_s"][1:]),
            "epoch_min": statistics.median(one["wall_s"][1:]) * steps / 60,
            "peak_gib": max(one["bytes"]) / 2**30,
        }
        for name, one in found.items()
    }
    for key in ("wall_s", "cpu_s"):
        ratios = [padded / mine for padded, mine in zip(theirs[key], ours[key], strict=True)]
        summary[f"times_faster_{key}"] = statistics.median(ratios[1:])
    losses = zip(ours["loss"], theirs["loss"], strict=True)
    summary["largest_loss_difference"] = max(abs(mine - padded) for mine, padded in losses)
    return summary


def main() -> None:
    """Run, print a table, and fail unless 4 times faster at equal losses."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=3, help="timed steps, after one to warm up")
    parser.add_argument("--batch", type=int, default=32, help="trailers per step")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, help="write the figures here too")
    given = parser.parse_args()
    task = Task(given.batch, given.steps, given.threads)
    summary = summarise(compare(task), task)
    for name in ("mmx", "padded"):
        figures = summary[name]
        print(
            f"{name:<7} a step {figures['step_s']:6.2f} s, {figures['step_core_s']:6.2f} core-s;"
            f"  an epoch {figures['epoch_min']:6.1f} min;  memory {figures['peak_gib']:5.2f} GiB"
        )
    faster = summary["times_faster_wall_s"], summary["times_faster_cpu_s"]
    print(f"times faster, median of paired steps: {faster[0]:.1f} (core-seconds {faster[1]:.1f})")
    print(f"largest difference of a loss: {summary['largest_loss_difference']:.1e}")
    if given.json:
        given.json.write_text(json.dumps(summary, indent=1) + "\n")
    if faster[1] < 4 or summary["largest_loss_difference"] > 1e-5:
        sys.exit("below 4 times, or losses differ by more than 1e-5")


if __name__ == "__main__":
    main()
