"""The forward pass: one fixed shape, one thread, one device, one precision.

The kernels of a network depend on the shape of the batch, so every pass has the shape set by the
parameters, and the last batch is filled up with zeros. With the shape fixed, a row of the
result depends neither on its neighbours nor on its place among them (tested for every network).
The number of threads is part of that shape: it is fixed at one. Descriptors see one sample at a
time, because angles and logarithms differ in rounding between the end of an array and its middle.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from mmx.experts.base import Expert
from mmx.experts.networks.folding import fold_norms
from mmx.experts.preprocess import Pixels
from mmx.experts.registry import get_expert
from mmx.experts.sampling import Stacks

PRECISIONS = {"bfloat16": torch.bfloat16, "float16": torch.float16}


class Embedder:
    """An expert's network, ready on its device."""

    def __init__(
        self,
        expert: Expert,
        network: nn.Module,
        *,
        batch: int,
        precision: str = "float32",
        device: str = "cpu",
    ) -> None:
        """`batch` counts frames; a network's pass holds as many whole samples, at least one."""
        self.expert = expert
        self.device = torch.device(device)
        self.batch = max(1, batch // _frames_per_sample(expert)) if expert.weights else 1
        self.dtype = PRECISIONS.get(precision) if expert.weights else None
        self.network = _in_channels_last(fold_norms(network)).to(self.device)

    @property
    def readers(self) -> int:
        """Threads that read ahead: one keeps up with a network on the CPU, not on a GPU."""
        return 1 if self.device.type == "cpu" else min(4, os.cpu_count() or 1)

    def __call__(self, samples: Sequence[npt.NDArray[Any]]) -> npt.NDArray[np.float32]:
        """Embed 1 to `batch` samples of one shape; return (samples, width)."""
        return self.run(self.to_device(samples))[: len(samples)].numpy()

    @torch.inference_mode()
    def to_device(self, samples: Sequence[npt.NDArray[Any]]) -> Tensor:
        """Return samples [L,] H, W, C as one full float32 batch (B, C, [L,] H, W) on the device.

        Pictures are transferred as they were read and normalised there; patches are not changed.
        """
        filled = np.zeros((self.batch, *samples[0].shape), dtype=samples[0].dtype)
        np.stack(samples, out=filled[: len(samples)])
        batch = torch.from_numpy(filled).to(self.device)
        preprocess = self.expert.preprocess
        if not isinstance(preprocess, Pixels):
            return batch
        return preprocess.normalise(batch.movedim(-1, 1))

    @torch.inference_mode()
    def run(self, batch: Tensor) -> Tensor:
        """Return the network's float32 vectors (B, width) of a batch, on the CPU."""
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype is not None):
            vectors: Tensor = self.network(batch).float().cpu()
            return vectors


def _frames_per_sample(expert: Expert) -> int:
    """Return how many frames one sample holds; a patch of sound counts as one."""
    return expert.sampling.length if isinstance(expert.sampling, Stacks) else 1


def _in_channels_last(network: nn.Module) -> nn.Module:
    """Put the kernels of a network into the memory format of the pictures: channels last."""
    ranks = {value.ndim for value in network.state_dict().values()}
    if 5 in ranks:
        return network.to(memory_format=torch.channels_last_3d)
    return network.to(memory_format=torch.channels_last) if 4 in ranks else network


@lru_cache(maxsize=1)
def load_embedder(
    name: str,
    precision: str,
    batch: int,
    weights: tuple[tuple[str, Path], ...],
    device: str,
) -> Embedder:
    """Return the network, of which a process keeps one: another setting replaces it."""
    expert = get_expert(name)
    network = expert.build(dict(weights))
    return Embedder(expert, network, batch=batch, precision=precision, device=device)


@contextmanager
def reproducible() -> Iterator[None]:
    """One thread, deterministic kernels and true float32, within the context."""
    threads, cudnn = torch.get_num_threads(), torch.backends.cudnn
    torch.set_num_threads(1)
    try:
        with cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
            yield
    finally:
        torch.set_num_threads(threads)
