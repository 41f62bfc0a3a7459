"""Parity with the published code of collaborative experts: its formulas, written out naively.

The order of computation, the names and the shapes are the original's: modalities in alphabetical
order, each pair (i, j) with j = i included, and y_i overwritten before expert i + 1.
"""

from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor

from mmx.model.batch import Batch
from mmx.model.config import GatingConfig, Modality, NetworkConfig
from mmx.model.network import Network
from mmx.model.original import from_original

if TYPE_CHECKING:
    from tests.model.conftest import BatchMaker


DIM, CLUSTERS, EPS = 8, 3, 1e-5
MODALITIES = (
    Modality("audio", 6, sequence=True),
    Modality("motion", 5),
    Modality("rgb", 11),
    Modality("scene", 7),
)
ORIGINAL = GatingConfig("original", "sequential", include_self=True)


def norm_shapes(prefix: str, width: int) -> dict[str, tuple[int, ...]]:
    names = ("weight", "bias", "running_mean", "running_var")
    return {f"{prefix}.{name}": (width,) for name in names} | {f"{prefix}.num_batches_tracked": ()}


def linear_shapes(prefix: str, outer: int, inner: int) -> dict[str, tuple[int, ...]]:
    return {f"{prefix}.weight": (outer, inner), f"{prefix}.bias": (outer,)}


def original_shapes() -> dict[str, tuple[int, ...]]:
    """Names and shapes of the original's tensors at these sizes."""
    shapes: dict[str, tuple[int, ...]] = {
        "pooling.audio.clusters": (6, CLUSTERS),
        "pooling.audio.clusters2": (1, 6, CLUSTERS),
    }
    shapes |= norm_shapes("pooling.audio.batch_norm", CLUSTERS)
    widths = [6 * CLUSTERS, 5, 11, 7]
    for i, width in enumerate(widths):
        shapes |= linear_shapes(f"ce.video_dim_reduce.{i}.fc", DIM, width)
    shapes |= linear_shapes("ce.g_reason_1", DIM, 2 * DIM)
    for layer in (0, 3):
        shapes |= norm_shapes(f"ce.g_reason_shared.{layer}", DIM)
        shapes |= linear_shapes(f"ce.g_reason_shared.{layer + 2}", DIM, DIM)
    for i in range(4):
        shapes |= linear_shapes(f"ce.video_GU.{i}.cg.fc", DIM, DIM)
        shapes |= norm_shapes(f"ce.video_GU.{i}.cg.batch_norm", DIM)
        shapes |= norm_shapes(f"ce.video_GU.{i}.cg.batch_norm2", DIM)
    return shapes | linear_shapes("ce.classifier", 20, 4 * DIM)


@pytest.fixture
def state() -> dict[str, Tensor]:
    """Random weights under the original's names."""
    generator = torch.Generator().manual_seed(5)

    def draw(name: str, shape: tuple[int, ...]) -> Tensor:
        if name.endswith("num_batches_tracked"):
            return torch.tensor(0)
        values = torch.randn(shape, generator=generator, dtype=torch.float64)
        return values.abs() + 0.5 if name.endswith("running_var") else 0.5 * values

    return {name: draw(name, shape) for name, shape in original_shapes().items()}


@pytest.fixture
def network(state: dict[str, Tensor]) -> Network:
    config = NetworkConfig(
        MODALITIES, 20, dim=DIM, clusters=CLUSTERS, gating=ORIGINAL, bottleneck=8, classifier=4,
        slots=2, sequence=4, clip=4,
    )  # fmt: skip
    network = Network(config).double()
    names = [modality.name for modality in MODALITIES]
    loaded = network.load_state_dict(from_original(state, names), strict=False)
    assert not loaded.unexpected_keys
    parts = ("inputs", "fusion.gating")
    left = [name for name in loaded.missing_keys if name.startswith(parts)]
    assert all(name.endswith((".mean", ".scale")) for name in left)
    return network


class Naive:
    """The original's computation on its own state dict."""

    def __init__(self, state: dict[str, Tensor], train: bool) -> None:
        self.state, self.train = dict(state), train

    def norm(self, name: str, x: Tensor) -> Tensor:
        """Batch normalisation, with the side effect on the running statistics."""
        mean, var = self.state[f"{name}.running_mean"], self.state[f"{name}.running_var"]
        if self.train:
            n = len(x)
            now, spread = x.mean(0), x.var(0, unbiased=False)
            self.state[f"{name}.running_mean"] = 0.9 * mean + 0.1 * now
            self.state[f"{name}.running_var"] = 0.9 * var + 0.1 * spread * n / (n - 1)
            mean, var = now, spread
        scaled = (x - mean) / (var + EPS).sqrt()
        return scaled * self.state[f"{name}.weight"] + self.state[f"{name}.bias"]

    def linear(self, name: str, x: Tensor) -> Tensor:
        return x @ self.state[f"{name}.weight"].T + self.state[f"{name}.bias"]

    def pool(self, runs: list[Tensor]) -> Tensor:
        """NetVLAD per clip; its normalisation runs over all vectors of the batch."""
        clusters, centres = (
            self.state["pooling.audio.clusters"],
            self.state["pooling.audio.clusters2"],
        )
        scores = self.norm("pooling.audio.batch_norm", torch.cat(runs) @ clusters)
        shares = scores.softmax(1).split([len(run) for run in runs])
        pooled = []
        for run, share in zip(runs, shares, strict=True):
            vlad = torch.zeros(6, CLUSTERS, dtype=torch.float64)
            for k in range(CLUSTERS):
                for n in range(len(run)):
                    vlad[:, k] += share[n, k] * (run[n] - centres[0, :, k])
                vlad[:, k] /= vlad[:, k].norm()
            flat = vlad.reshape(-1)
            pooled.append(flat / flat.norm())
        return torch.stack(pooled)

    def mish(self, x: Tensor) -> Tensor:
        return x * torch.tanh(torch.log1p(torch.exp(x)))

    def pair(self, own: Tensor, partner: Tensor) -> Tensor:
        t = self.linear("ce.g_reason_1", torch.cat([own, partner], dim=1))
        for layer in (0, 3):
            t = self.mish(self.norm(f"ce.g_reason_shared.{layer}", t))
            t = self.linear(f"ce.g_reason_shared.{layer + 2}", t)
        return t

    def gate(self, inputs: list[Tensor]) -> list[Tensor]:
        y = [self.linear(f"ce.video_dim_reduce.{i}.fc", x) for i, x in enumerate(inputs)]
        y = [one / one.norm(dim=1, keepdim=True) for one in y]
        for i in range(len(y)):
            total = sum((self.pair(y[i], y[j]) for j in range(len(y))), torch.zeros(()))
            mean = total / (len(y) + 1e-11)
            name = f"ce.video_GU.{i}.cg"
            attention = self.norm(f"{name}.batch_norm", mean)
            own = self.norm(f"{name}.batch_norm2", self.linear(f"{name}.fc", y[i]))
            z = y[i] / (1 + torch.exp(-(attention + own)))
            y[i] = z / z.norm(dim=1, keepdim=True)
        return y


def gate_with(network: Network, batch: Batch) -> list[Tensor]:
    total = batch.clips
    experts = [network.inputs[m.name](batch.features[m.name], total) for m in MODALITIES]
    assert network.fusion.gating is not None
    there = torch.ones(total, len(MODALITIES), dtype=torch.bool)
    gated: list[Tensor] = network.fusion.gating(experts, there)
    return gated


def gate_naively(naive: Naive, batch: Batch) -> list[Tensor]:
    audio = batch.features["audio"]
    runs = list(audio.values.split(audio.counts.tolist()))
    others = [batch.features[m.name].values for m in MODALITIES[1:]]
    return naive.gate([naive.pool(runs), *others])


@pytest.mark.parametrize("train", [False, True])
def test_gating_gives_the_originals_numbers(
    train: bool, state: dict[str, Tensor], network: Network, make_batch: "BatchMaker"
) -> None:
    batch = make_batch([4, 3], modalities=MODALITIES)
    naive = Naive(state, train)
    expected = gate_naively(naive, batch)
    found = gate_with(network.train(train), batch)
    for mine, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-9, rtol=1e-9)


def test_running_statistics_move_once_per_pair(
    state: dict[str, Tensor], network: Network, make_batch: "BatchMaker"
) -> None:
    batch = make_batch([4, 3], modalities=MODALITIES)
    naive = Naive(state, train=True)
    gate_naively(naive, batch)
    gate_with(network.train(), batch)
    own = network.state_dict()
    assert own["fusion.gating.pairs.inner.0.num_batches_tracked"] == 16
    names = [modality.name for modality in MODALITIES]
    for name, expected in from_original(naive.state, names).items():
        if "running" in name:
            torch.testing.assert_close(own[name], expected, atol=1e-9, rtol=1e-9)


def test_simultaneous_order_gives_other_numbers(
    state: dict[str, Tensor], network: Network, make_batch: "BatchMaker"
) -> None:
    batch = make_batch([4, 3], modalities=MODALITIES)
    assert network.fusion.gating is not None
    network.fusion.gating.config = GatingConfig("original", "simultaneous", include_self=True)
    found = gate_with(network.eval(), batch)
    expected = gate_naively(Naive(state, train=False), batch)
    torch.testing.assert_close(found[0], expected[0], atol=1e-9, rtol=1e-9)
    assert (found[3] - expected[3]).abs().max() > 1e-4


def test_every_tensor_but_the_classifier_is_used(state: dict[str, Tensor]) -> None:
    renamed = from_original(state, [modality.name for modality in MODALITIES])
    classifier = {"ce.classifier.weight", "ce.classifier.bias"}
    used = sum(state[name].numel() for name in state.keys() - classifier)
    assert sum(tensor.numel() for tensor in renamed.values()) == used


def test_a_strange_name_is_refused() -> None:
    with pytest.raises(KeyError, match=r"text_GU\.0"):
        from_original({"text_GU.0.fc.weight": torch.zeros(1)}, ["audio"])
