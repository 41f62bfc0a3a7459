"""YAMNet from the package's weights, against outputs that the original gave in TensorFlow."""

from pathlib import Path

import numpy as np
import pytest
import torch

from mmx.experts import logmel
from mmx.experts.checkpoints import CheckpointError
from mmx.experts.networks.yamnet import COUNTERS, YAMNet, read_published
from mmx.experts.weights import Place, require
from mmx.experts.yamnet import EXPERT, FILE

ORIGINAL = Path(__file__).parent / "data" / "yamnet_outputs.npz"
"""What TensorFlow 2.15.1 computed from the published model for `sound`: embeddings and scores of
the patches that begin at 0, 0.96 and 1.92 s."""


def sound() -> np.ndarray:
    """Three seconds, 16-bit: a tone that rises and pulses, with noise, then half a second of none.

    The noise is by arithmetic, so that every version of numpy makes the same.
    """
    n = np.arange(48000, dtype=np.uint64)
    t = n / 16000
    noise = (n * np.uint64(2654435761) % np.uint64(1 << 32)) / 2**31 - 1
    tone = np.sin(2 * np.pi * (110 * t + 400 * t**2)) * (1 + np.sin(6 * np.pi * t)) / 2
    return np.round(np.where(t < 2.5, 0.4 * tone + 0.05 * noise, 0) * 32767).astype(np.int16)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("weights")
    [status] = require(EXPERT.weights, Place(folder, folder / "lock"))
    return {FILE: status.path}


@pytest.fixture(scope="module")
def network(weights: dict[str, Path]) -> YAMNet:
    network = EXPERT.build(weights)
    assert isinstance(network, YAMNet)
    return network


def test_embeddings_and_scores_are_those_of_the_original(network: YAMNet) -> None:
    original = np.load(ORIGINAL)
    starts = np.arange(3) * logmel.PATCH_STEP
    patches = torch.from_numpy(logmel.log_mel_patches(sound(), starts))[:, None]
    with torch.inference_mode():
        embeddings = network(patches)
        scores = network.classify(embeddings)
    assert np.abs(original["embeddings"]).max() > 5
    assert original["scores"].max() > 0.9
    assert np.abs(embeddings.numpy() - original["embeddings"]).max() < 1e-4
    assert np.abs(scores.numpy() - original["scores"]).max() < 1e-4


def test_the_offset_is_replaced_as_if_the_spectrogram_had_been_made_with_it(
    network: YAMNet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in silence, and from the loudest sound to the quietest."""
    noise = np.random.default_rng(0).normal(0, 1, 16000) * np.logspace(0, -6, 16000)
    samples = np.concatenate([(noise.clip(-1, 1) * 32767), np.zeros(4000)]).astype(np.int16)
    ours = network.offset(torch.from_numpy(logmel.log_mel(samples)))
    monkeypatch.setattr(logmel, "OFFSET", 0.001)
    assert np.abs(ours.numpy() - logmel.log_mel(samples)).max() < 5e-6


def test_after_the_tensors_that_are_read_the_file_has_no_others(
    weights: dict[str, Path], network: YAMNet
) -> None:
    state = read_published(weights[FILE], network)
    read = [value for value in state.values() if not (value == 1).all()]
    assert len(state) - len(read) == 2 * 27  # scales and counters of the batch norms
    rest = weights[FILE].read_bytes()[COUNTERS + 4 * sum(value.numel() for value in read) :]
    assert b"layer_with_weights-0" in rest  # the description of the checkpoint
    assert len(rest) < 125_000


def test_a_file_that_is_cut_is_refused(weights: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(weights[FILE].read_bytes()[:1_000_000])
    with pytest.raises(CheckpointError, match="too short for YAMNet"):
        EXPERT.build({FILE: tmp_path / FILE})
