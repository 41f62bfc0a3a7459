from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import pytest

from mmx.model.config import Modality, NetworkConfig
from mmx.report import diagram

CONFIG = NetworkConfig(
    modalities=(Modality("appearance", 2048), Modality("audio", 128, sequence=True)), classes=20
)
EXPERTS = {"appearance": ["senet154"], "audio": ["<b>vggish</b>"]}


def words(markup: str) -> str:
    return " | ".join(node.text or "" for node in ElementTree.fromstring(markup).iter("text"))


def test_the_network_is_drawn_with_its_real_shapes() -> None:
    drawn = words(diagram.to_svg(diagram.plan_network(CONFIG, EXPERTS)))
    for shape in ("senet154", "2048 per clip", "T × 128 per clip", "768", "NetVLAD, 16"):
        assert shape in drawn
    for shape in ("9 clips, 1152", "MLP j to 256", "40 slots, 10240", "bottleneck k, 2048"):
        assert shape in drawn
    assert "head l to 20 logits" in drawn and "heads m, n to 128" in drawn
    assert "(simultaneous)," in drawn


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"fusion": "concat"}, "concatenated"),
        ({"aggregate": "sum"}, "sum of sequences"),
        ({"sequence_head": "only"}, "mean over sequences"),
        ({"pooled": 64}, "means, all to 64"),
    ],
)
def test_variants_are_drawn_as_they_are(change: dict[str, Any], expected: str) -> None:
    assert expected in words(
        diagram.to_svg(diagram.plan_network(replace(CONFIG, **change), EXPERTS))
    )


def test_experts_are_escaped() -> None:
    assert "<b>" not in diagram.to_svg(diagram.plan_network(CONFIG, EXPERTS))


@pytest.mark.parametrize(
    ("length", "stride", "names", "partial"),
    [(9, 9, 3, "4 of 9, masked"), (5, 5, 3, "2 of 5, masked"), (4, 2, 3, "2 of 4, masked")],
)
def test_sequences_are_drawn_as_configured(
    length: int, stride: int, names: int, partial: str
) -> None:
    config = replace(CONFIG, sequence_length=length, sequence_stride=stride)
    drawn = words(diagram.to_svg(diagram.plan_sequences(config)))
    assert [f"s{n + 1}" in drawn for n in range(names + 1)] == [True] * names + [False]
    assert partial in drawn
