"""The packaged network knows what it sees, so its weights are in their places."""

from pathlib import Path

import pytest
import torch
from PIL import Image
from sklearn.datasets import load_sample_image

from mmx.experts.checkpoints import CheckpointError, read_state
from mmx.experts.lite_appearance import EXPERT
from mmx.experts.preprocess import Pixels
from mmx.experts.weights import Place, require

[WEIGHTS] = EXPERT.weights
PALACE, MONASTERY, DAISY = 698, 663, 985


@pytest.fixture
def weights(tmp_path: Path) -> dict[str, Path]:
    [status] = require(EXPERT.weights, Place(tmp_path, tmp_path / "lock"))
    return {WEIGHTS.file: status.path}


@pytest.mark.parametrize(
    ("name", "classes"), [("china.jpg", {PALACE, MONASTERY}), ("flower.jpg", {DAISY})]
)
def test_a_photograph_is_recognised(weights: dict[str, Path], name: str, classes: set[int]) -> None:
    assert isinstance(EXPERT.preprocess, Pixels)
    height, width = EXPERT.preprocess.size
    image = Image.fromarray(load_sample_image(name)).resize((width, height))
    batch = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8)
    pictures = batch.reshape(1, height, width, 3).movedim(-1, 1)
    features = EXPERT.build(weights)(EXPERT.preprocess.normalise(pictures))
    state = read_state(weights[WEIGHTS.file], "torch")
    logits = features @ state["_fc.weight"].T + state["_fc.bias"]
    assert classes <= set(logits[0].topk(5).indices.tolist())


def test_every_tensor_of_the_file_is_used(weights: dict[str, Path]) -> None:
    loaded, state = EXPERT.build(weights).state_dict(), read_state(weights[WEIGHTS.file], "torch")
    kept = [value for name, value in state.items() if not name.startswith("_fc.")]
    assert len(loaded) == len(kept) == 294
    assert all(torch.equal(a, b) for a, b in zip(loaded.values(), kept, strict=True))


def test_a_file_of_another_network_is_refused(tmp_path: Path) -> None:
    path = tmp_path / WEIGHTS.file
    torch.save({"a": torch.zeros(3)}, path)
    with pytest.raises((CheckpointError, ValueError)):
        EXPERT.build({WEIGHTS.file: path})
