"""A declaration refuses what contradicts itself, and can be written down."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from mmx.experts.base import ExpertError
from mmx.experts.registry import get_expert


def test_weights_and_a_way_to_load_them_come_together() -> None:
    expert = get_expert("lite_appearance")
    with pytest.raises(ExpertError, match="lite_appearance: weights and a way"):
        replace(expert, load=None)
    with pytest.raises(ExpertError, match="come together"):
        replace(expert, weights=())


def test_a_file_that_is_not_given_is_named() -> None:
    with pytest.raises(ExpertError, match="clip_vit_b32: no path is given for clip_vit_b32_laion"):
        get_expert("clip_vit_b32").build({"other.pt": Path("other.pt")})


def test_a_network_is_built_for_evaluation() -> None:
    network = get_expert("lite_appearance").build()
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_a_declaration_is_plain_data() -> None:
    said = json.loads(json.dumps(get_expert("senet154").describe()))
    assert said["sampling"] == {"kind": "Frames", "per_clip": None}
    assert said["preprocess"]["resize"] == {"kind": "Resize", "size": 256, "method": "pillow"}
    assert said["weights"][0]["sources"][0]["digest"]["kind"] == "sha256_prefix"
    assert (said["summary"][:9], said["paper_width"]) == ("SENet154 ", 2048)
    assert not {"network", "load", "about"} & set(said)
