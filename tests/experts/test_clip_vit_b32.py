"""CLIP's image tower: our names against timm's own conversion of the published layout."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from timm.models.vision_transformer import VisionTransformer, _convert_openai_clip
from torch import nn

from mmx.experts.checkpoints import CheckpointError
from mmx.experts.clip_vit_b32 import EXPERT, FILE, RENAMED, tower

WIDTH, BLOCKS = 768, 12


@pytest.fixture(scope="module")
def published() -> dict[str, torch.Tensor]:
    """Random weights under the names and shapes of the file, and a piece of the text tower."""
    generator = torch.Generator().manual_seed(0)
    shapes = {
        "conv1.weight": (WIDTH, 3, 32, 32),
        "class_embedding": (WIDTH,),
        "positional_embedding": (50, WIDTH),
        "proj": (WIDTH, 512),
    }
    norms = ["ln_pre", "ln_post"]
    for block in (f"transformer.resblocks.{number}" for number in range(BLOCKS)):
        norms += [f"{block}.ln_1", f"{block}.ln_2"]
        shapes[f"{block}.attn.in_proj_weight"] = (3 * WIDTH, WIDTH)
        shapes[f"{block}.attn.in_proj_bias"] = (3 * WIDTH,)
        for layer, out, into in (
            ("attn.out_proj", WIDTH, WIDTH),
            ("mlp.c_fc", 4 * WIDTH, WIDTH),
            ("mlp.c_proj", WIDTH, 4 * WIDTH),
        ):
            shapes[f"{block}.{layer}.weight"] = (out, into)
            shapes[f"{block}.{layer}.bias"] = (out,)
    shapes |= {f"{norm}.{part}": (WIDTH,) for norm in norms for part in ("weight", "bias")}
    state = {
        f"visual.{name}": torch.randn(shape, generator=generator) * 0.02
        for name, shape in shapes.items()
    }
    return state | {"token_embedding.weight": torch.zeros(10, 512), "logit_scale": torch.zeros(())}


@pytest.fixture
def load(tmp_path: Path) -> Callable[[Mapping[str, torch.Tensor]], nn.Module]:
    def from_state(state: Mapping[str, torch.Tensor]) -> nn.Module:
        path = tmp_path / FILE
        torch.save({"epoch": 32, "state_dict": {f"module.{k}": v for k, v in state.items()}}, path)
        return EXPERT.build({FILE: path})

    return from_state


@pytest.mark.slow
def test_features_equal_timms_own_conversion(
    published: dict[str, torch.Tensor], load: Callable[[Mapping[str, torch.Tensor]], nn.Module]
) -> None:
    reference = EXPERT.network().eval()
    assert isinstance(reference, VisionTransformer)
    reference.load_state_dict(_convert_openai_clip(dict(published), reference))
    pictures = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        expected, ours = reference(pictures), load(published)(pictures)
    assert expected.std() > 0
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-5 * expected.abs().max().item())


def test_a_tensor_too_many_is_refused(
    published: dict[str, torch.Tensor], load: Callable[[Mapping[str, torch.Tensor]], nn.Module]
) -> None:
    state = published | {"visual.extra.weight": torch.zeros(3)}
    with pytest.raises(CheckpointError, match=r"extra: extra\.weight"):
        load(state)


def test_a_missing_tensor_is_refused(
    published: dict[str, torch.Tensor], load: Callable[[Mapping[str, torch.Tensor]], nn.Module]
) -> None:
    state = {name: value for name, value in published.items() if "3.ln_2.bias" not in name}
    with pytest.raises(CheckpointError, match=r"missing: blocks\.3\.norm2\.bias"):
        load(state)


def test_no_old_name_is_left(published: dict[str, torch.Tensor]) -> None:
    names = tower(published)
    assert not [name for name in names for old, _ in RENAMED[3:-1] if old in name]
    assert "head.weight" in names
