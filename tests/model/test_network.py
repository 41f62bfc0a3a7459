"""The network: against the padded benchmark implementation, and what must not change it."""

import importlib.util
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from mmx.model.batch import Batch, Feature
from mmx.model.config import GatingConfig, Modality, NetworkConfig
from mmx.model.network import Network, Output

if TYPE_CHECKING:
    from tests.model.conftest import BatchMaker, NetworkMaker


LENGTHS = [7, 1, 11, 3]
MISSING = {"audio": [0, 3, 7], "motion": [3], "scene": [9, 10, 11, 12]}
VARIANTS: dict[str, dict[str, Any]] = {
    "published": {},
    "sum": {"aggregate": "sum"},
    "naive concatenation": {"fusion": "concat"},
    "sequences only": {"sequence_head": "only"},
    "no sequence head": {"sequence_head": "none"},
    "ghosts": {"ghosts": 2},
    "stride": {"sequence_stride": 2, "slots": 6},
    "original": {"gating": GatingConfig("original", "sequential", True)},
}


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    """benchmarks/train.py, whose padded implementation is written independently."""
    path = Path(__file__).parents[2] / "benchmarks" / "train.py"
    spec = importlib.util.spec_from_file_location("benchmark_train", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def outputs_equal(one: Output, other: Output) -> None:
    for name in ("clips", "sequences", "trailer", "logits", "sequence_logits"):
        torch.testing.assert_close(getattr(one, name), getattr(other, name), atol=1e-11, rtol=1e-9)


@pytest.mark.parametrize("missing", [{}, MISSING])
def test_values_and_gradients_equal_the_padded_implementation(
    missing: dict[str, Any],
    make_network: "NetworkMaker",
    make_batch: "BatchMaker",
    benchmark: ModuleType,
) -> None:
    network = make_network(sequence_head="none")
    batch = make_batch(LENGTHS, missing)
    labels = torch.tensor([[1, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1], [1, 1, 0, 0]]).double()
    positive = torch.tensor([1, 2, 3, 4]).double()
    gradients = []
    torch.set_default_dtype(torch.float64)
    try:
        for logits in (network(batch).logits, benchmark.Padded(network)(batch)):
            network.zero_grad()
            binary_cross_entropy_with_logits(logits, labels, pos_weight=positive).backward()
            gradients.append(
                {n: p.grad.clone() for n, p in network.named_parameters() if p.grad is not None}
            )
            gradients[-1]["logits"] = logits.detach()
    finally:
        torch.set_default_dtype(torch.float32)
    assert gradients[0].keys() == gradients[1].keys()
    for name in gradients[0]:
        torch.testing.assert_close(gradients[0][name], gradients[1][name], atol=1e-9, rtol=1e-7)


@pytest.mark.parametrize("variant", VARIANTS)
def test_shapes(variant: str, make_network: "NetworkMaker", make_batch: "BatchMaker") -> None:
    network = make_network(**VARIANTS[variant]).eval()
    output = network(make_batch(LENGTHS, MISSING))
    config, sequences = network.config, len(output.spans.start)
    assert output.clips.shape == (sum(LENGTHS), config.clip)
    assert output.sequences.shape == (sequences, config.sequence)
    assert output.trailer.shape == (len(LENGTHS), config.bottleneck)
    assert output.logits.shape == (len(LENGTHS), config.classes)
    if config.sequence_head == "none":
        assert output.sequence_logits is None
    else:
        assert output.sequence_logits.shape == (sequences, config.classes)
    assert network.project(output.trailer).shape == (len(LENGTHS), config.projection)
    torch.testing.assert_close(
        output.clips.norm(dim=1), torch.ones(sum(LENGTHS)), check_dtype=False
    )
    assert (output.trailer >= 0).all()


@pytest.mark.parametrize("variant", ["published", "sum", "sequences only", "stride", "original"])
def test_a_trailer_does_not_depend_on_the_others(
    variant: str,
    make_network: "NetworkMaker",
    make_batch: "BatchMaker",
    cut: Callable[[Batch, Sequence[int]], Batch],
) -> None:
    network = make_network(**VARIANTS[variant]).eval()
    batch = make_batch(LENGTHS, MISSING)
    together = network(batch)
    for trailer in range(len(LENGTHS)):
        alone = network(cut(batch, [trailer]))
        rows = together.spans.trailer == trailer
        for found, expected in (
            (alone.trailer[0], together.trailer[trailer]),
            (alone.logits[0], together.logits[trailer]),
            (alone.sequences, together.sequences[rows]),
            (alone.sequence_logits, together.sequence_logits[rows]),
        ):
            torch.testing.assert_close(found, expected, atol=1e-11, rtol=1e-9)


def test_the_order_of_trailers_is_the_order_of_the_output(
    make_network: "NetworkMaker",
    make_batch: "BatchMaker",
    cut: Callable[[Batch, Sequence[int]], Batch],
) -> None:
    network, batch = make_network(), make_batch(LENGTHS, MISSING)
    order = [2, 0, 3, 1]
    turned = network(cut(batch, order))
    torch.testing.assert_close(turned.logits, network(batch).logits[order], atol=1e-11, rtol=1e-9)


def test_the_order_of_clips_matters_within_a_sequence(
    make_network: "NetworkMaker",
    make_batch: "BatchMaker",
    cut: Callable[[Batch, Sequence[int]], Batch],
) -> None:
    network, batch = make_network(), make_batch([3], {})
    turned = cut(Batch(batch.features, torch.tensor([1, 1, 1])), [2, 1, 0])
    backward = network(Batch(turned.features, torch.tensor([3])))
    straight = network(batch)
    torch.testing.assert_close(backward.clips.flip(0), straight.clips, atol=1e-11, rtol=1e-9)
    assert (backward.trailer - straight.trailer).abs().max() > 1e-6


def test_the_order_of_modalities_does_not_matter(
    make_network: "NetworkMaker", make_batch: "BatchMaker", small: dict[str, Any]
) -> None:
    network, batch = make_network(), make_batch(LENGTHS, MISSING)
    dim, order = small["dim"], [2, 0, 3, 1]
    turned = make_network(modalities=tuple(small["modalities"][m] for m in order))
    state = network.state_dict()
    for place, m in enumerate(order):
        for name in [n for n in state if n.startswith(f"fusion.embed.{m}.")]:
            new = name.replace(f"embed.{m}.", f"embed.{place}.")
            turned.state_dict()[new].copy_(state[name])
    weight = state["fusion.project.weight"]
    columns = [torch.arange(m * dim, (m + 1) * dim) for m in order]
    columns.append(4 * dim + torch.tensor(order))
    others = {n: t for n, t in state.items() if not n.startswith("fusion.embed")}
    others["fusion.project.weight"] = weight[:, torch.cat(columns)]
    turned.load_state_dict(others, strict=False)
    outputs_equal(turned(batch), network(batch))


@pytest.mark.parametrize("variant", ["published", "naive concatenation"])
def test_a_modality_that_is_missing_everywhere(
    variant: str, make_network: "NetworkMaker", make_batch: "BatchMaker"
) -> None:
    network = make_network(**VARIANTS[variant])
    batch = make_batch([4, 2], {"audio": range(6)})
    before = network(batch)
    before.logits.sum().backward()
    assert all(
        p.grad is None or p.grad.abs().max() == 0 for p in network.inputs["audio"].parameters()
    )
    with torch.no_grad():
        for parameter in network.inputs["audio"].parameters():
            parameter.add_(1)
    outputs_equal(network(batch), before)


def test_presence_is_told_apart_from_zero(
    make_network: "NetworkMaker", make_batch: "BatchMaker"
) -> None:
    network = make_network(fusion="concat")
    with torch.no_grad():
        for parameter in network.get_submodule("inputs.scene.project").parameters():
            parameter.zero_()
    here, gone = make_batch([4]), make_batch([4], {"scene": range(4)})
    gone = replace(gone, features={**here.features, "scene": gone.features["scene"]})
    assert (network(here).clips - network(gone).clips).abs().max() > 1e-4


def test_inputs_are_standardised(make_network: "NetworkMaker", make_batch: "BatchMaker") -> None:
    network, batch = make_network(), make_batch(LENGTHS)
    expected = network(batch)
    shift = {
        m.name: (torch.rand(m.width), 1 + torch.rand(m.width)) for m in network.config.modalities
    }
    moved = {
        name: Feature((f.values * shift[name][1]) + shift[name][0], f.clips, f.counts)
        for name, f in batch.features.items()
    }
    network.standardise(
        {
            name: (mean * shift[name][1] + shift[name][0], scale * shift[name][1])
            for name, part in network.inputs.items()
            for mean, scale in [(part.get_buffer("mean"), part.get_buffer("scale"))]
        }
    )
    outputs_equal(network(Batch(moved, batch.lengths)), expected)


def test_a_probe_changes_neither_trailers_nor_gradients(
    make_network: "NetworkMaker", make_batch: "BatchMaker"
) -> None:
    batch = make_batch(LENGTHS)
    probed, plain = make_network(), make_network(sequence_head="none")
    plain.load_state_dict(probed.state_dict(), strict=False)
    torch.testing.assert_close(probed(batch).logits, plain(batch).logits, atol=0, rtol=0)
    probed(batch).sequence_logits.square().sum().backward()
    taught = {name for name, p in probed.named_parameters() if p.grad is not None}
    assert probed.sequence_head is not None
    assert taught == {
        f"sequence_head.{name}" for name, _ in probed.sequence_head.named_parameters()
    }


def test_where_sequences_are_classified_the_trailer_is_their_mean(
    make_network: "NetworkMaker", make_batch: "BatchMaker"
) -> None:
    network = make_network(sequence_head="only")
    output = network(make_batch(LENGTHS))
    for trailer in range(len(LENGTHS)):
        rows = output.sequence_logits[output.spans.trailer == trailer]
        torch.testing.assert_close(output.logits[trailer], rows.mean(0), atol=1e-12, rtol=1e-9)
    output.sequence_logits.sum().backward()
    gradient = network.fusion.project.weight.grad
    assert gradient is not None and gradient.abs().max() > 0


def test_initial_weights_do_not_depend_on_the_probe(small: dict[str, Any]) -> None:
    states = []
    for head in ("probe", "none"):
        torch.manual_seed(0)
        states.append(Network(NetworkConfig(**small, sequence_head=head)).state_dict())
    assert all(torch.equal(states[0][name], tensor) for name, tensor in states[1].items())


def test_an_untrained_network_does_not_depend_on_the_order_of_clips(
    small: dict[str, Any], make_batch: "BatchMaker", cut: Callable[[Batch, Sequence[int]], Batch]
) -> None:
    torch.manual_seed(0)
    network = Network(NetworkConfig(**small)).double()
    batch = make_batch([3])
    turned = cut(Batch(batch.features, torch.ones(3, dtype=torch.int64)), [2, 0, 1])
    turned = Batch(turned.features, batch.lengths)
    torch.testing.assert_close(
        network(turned).trailer, network(batch).trailer, atol=1e-11, rtol=1e-9
    )


def test_signals_keep_their_size_at_the_start() -> None:
    """Differences between trailers neither vanish nor explode on the way to the logits."""
    torch.manual_seed(0)
    modalities = (Modality("appearance", 64), Modality("scene", 64))
    network = Network(NetworkConfig(modalities, 20, dim=64, slots=4, bottleneck=256))
    lengths = torch.full((50,), 36)
    values = torch.randn(50, 1, 64).expand(50, 36, 64).flatten(0, 1)
    here = torch.arange(len(values)), torch.ones(len(values), dtype=torch.int64)
    batch = Batch({m.name: Feature(values, *here) for m in modalities}, lengths)
    with torch.inference_mode():
        output = network(batch)
    for tensor in (output.sequences, output.trailer, output.logits):
        assert 0.1 < tensor.std(0).mean() < 10


def test_summed_sequences_may_come_in_any_order(
    make_network: "NetworkMaker",
    make_batch: "BatchMaker",
    cut: Callable[[Batch, Sequence[int]], Batch],
) -> None:
    network = make_network(aggregate="sum", sequence_length=1, sequence_stride=1)
    batch = make_batch([5])
    turned = cut(Batch(batch.features, torch.ones(5, dtype=torch.int64)), [3, 1, 0, 4, 2])
    turned = Batch(turned.features, batch.lengths)
    torch.testing.assert_close(network(turned).logits, network(batch).logits, atol=1e-11, rtol=1e-9)


def test_paper_sizes() -> None:
    """The shapes of section 7, without the memory: on the meta device."""
    modalities = (
        Modality("appearance", 2048),
        Modality("scene", 512),
        Modality("motion", 1024),
        Modality("audio", 128, sequence=True),
    )
    with torch.device("meta"):
        network = Network(NetworkConfig(modalities, 20))
    shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    assert shapes["inputs.appearance.project.weight"] == (768, 2048)
    assert shapes["inputs.audio.project.weight"] == (768, 2048)
    assert shapes["fusion.project.weight"] == (128, 4 * 768 + 4)
    assert shapes["j.0.weight"] == (256, 1152)
    assert shapes["k.first.weight"] == (2048, 10240)
    assert shapes["k.second.weight"] == (2048, 2048)
    assert shapes["l.0.weight"] == (1024, 2048)
    assert shapes["l.2.weight"] == (20, 1024)
    assert shapes["m.0.weight"] == (128, 2048)
    assert shapes["n.2.weight"] == (128, 128)


def test_a_configuration_survives_json(small: dict[str, Any]) -> None:
    config = NetworkConfig(**small, gating=GatingConfig("original", include_self=True))
    assert NetworkConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"modalities": ()}, "at least one modality"),
        ({"modalities": (Modality("audio", 3), Modality("audio", 4))}, "must differ"),
        ({"slots": 0}, "at least 1: slots"),
        ({"ghosts": -1}, "ghosts"),
    ],
)
def test_impossible_configurations_are_refused(
    change: dict[str, Any], words: str, small: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match=words):
        NetworkConfig(**{**small, **change})


def test_means_are_over_all_vectors_of_a_trailer_and_zero_where_there_are_none(
    make_network: "NetworkMaker", make_batch: "BatchMaker"
) -> None:
    network, batch = make_network(), make_batch(LENGTHS, MISSING)
    found = network.means(batch)
    column = 0
    for modality in network.config.modalities:
        feature, own = batch.features[modality.name], network.inputs[modality.name]
        values = (feature.values - own.get_buffer("mean")) / own.get_buffer("scale")
        owner = torch.arange(4).repeat_interleave(batch.lengths)[feature.clips]
        owner = owner.repeat_interleave(feature.counts)
        for trailer in range(4):
            rows = values[owner == trailer]
            expected = rows.mean(0) if len(rows) else torch.zeros(modality.width).double()
            place = found[trailer, column : column + modality.width]
            torch.testing.assert_close(place, expected)
        column += modality.width
    assert found.shape == (4, column)


def test_trailers_are_compared_in_the_space_of_mean_features_if_there_is_one(
    make_network: "NetworkMaker", make_batch: "BatchMaker"
) -> None:
    network, batch = make_network(), make_batch(LENGTHS)
    before = network(batch)
    assert before.pooled is None and before.embedding is before.trailer
    width = sum(modality.width for modality in network.config.modalities)
    centre, projection = torch.randn(width).double(), torch.randn(3, width).double()
    network.add_pooled_space(centre, projection)
    network.double()
    after = network(batch)
    outputs_equal(before, after)
    expected = (network.means(batch) - centre) @ projection.T
    torch.testing.assert_close(after.embedding, expected, atol=1e-5, rtol=1e-5)
    assert network.config.pooled == 3
    again = Network(NetworkConfig.from_dict(json.loads(json.dumps(network.config.to_dict()))))
    again.double().load_state_dict(network.state_dict())
    outputs_equal(again(batch), after)
    torch.testing.assert_close(again(batch).embedding, after.embedding)
