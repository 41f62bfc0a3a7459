"""S3D: the published layout loads, and the embedding is what its classifier sees."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torchvision.models.video import s3d

from mmx.experts.checkpoints import CheckpointError
from mmx.experts.s3d import EXPERT, FILE


@pytest.fixture
def reference() -> Any:
    torch.manual_seed(0)
    network = s3d(weights=None).eval()
    for value in network.features.state_dict().values():
        if value.ndim == 5:
            torch.nn.init.kaiming_normal_(value)
    return network


@pytest.fixture
def load(tmp_path: Path) -> Callable[[Mapping[str, torch.Tensor]], nn.Module]:
    def from_state(state: Mapping[str, torch.Tensor]) -> nn.Module:
        path = tmp_path / FILE
        torch.save(state, path)
        return EXPERT.build({FILE: path})

    return from_state


@pytest.mark.slow
def test_the_classifier_on_the_embedding_gives_torchvisions_logits(
    reference: Any, load: Callable[[Mapping[str, torch.Tensor]], nn.Module]
) -> None:
    stack = torch.randn(1, 3, 17, 224, 224, generator=torch.Generator().manual_seed(1))
    head = reference.classifier[1]
    with torch.inference_mode():
        expected = reference(stack)
        embedding = load(reference.state_dict())(stack)
        ours = embedding @ head.weight[:, :, 0, 0, 0].T + head.bias
    assert embedding.shape == (1, EXPERT.width)
    assert expected.std() > 0
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-5 * expected.abs().max().item())


def test_a_missing_tensor_is_refused(
    reference: Any, load: Callable[[Mapping[str, torch.Tensor]], nn.Module]
) -> None:
    state = reference.state_dict()
    del state["features.0.0.0.weight"]
    with pytest.raises(CheckpointError, match=r"missing: features\.0\.0\.0\.weight"):
        load(state)
