"""The forward pass: a row depends on its own sample and on the shape of the batch alone."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from mmx.experts.base import Expert
from mmx.experts.forward import Embedder, load_embedder, reproducible
from mmx.experts.preprocess import LogMel, Pixels
from mmx.experts.registry import expert_names, get_expert
from mmx.experts.sampling import Stacks

SMALLER = {"i3d_flow": 16, "i3d_rgb": 16, "r2plus1d_34": 4, "s3d": 16}
"""Frames per stack here, for the sake of time; the two largest networks see smaller pictures."""


def shortened(name: str) -> Expert:
    expert = get_expert(name)
    if name in SMALLER:
        expert = replace(expert, sampling=Stacks(SMALLER[name], SMALLER[name]))
    if name in ("senet154", "densenet161_places365"):
        assert isinstance(expert.preprocess, Pixels)
        expert = replace(expert, preprocess=replace(expert.preprocess, crop=(96, 96)))
    return expert


def drawn(expert: Expert, count: int, seed: int = 0) -> list[np.ndarray]:
    """Random samples as they are read."""
    generator = np.random.default_rng(seed)
    if isinstance(expert.preprocess, LogMel):
        least = np.log(0.01)  # of silence: what is added before the logarithm
        patches = generator.normal(-1, 2, (count, 1, 96, 64))
        return list(np.maximum(patches, least).astype(np.float32))
    channels = 2 if expert.reads == "flow" else 3
    depth = (expert.sampling.length,) if isinstance(expert.sampling, Stacks) else ()
    shape = (count, *depth, *expert.preprocess.size, channels)
    resize = expert.preprocess.resize
    floats = resize is not None and resize.method in ("torch", "area")
    kind = np.float32 if floats else np.uint8
    return list(generator.integers(0, 256, shape).astype(kind))


def embedder(expert: Expert, samples: int, **settings: Any) -> Embedder:
    """An embedder of a random network, with room for `samples` samples per pass."""
    torch.manual_seed(0)
    network = expert.build()
    for value in network.state_dict().values():
        if value.ndim > 1 and not value.any():
            value.normal_()
    frames = expert.sampling.length if isinstance(expert.sampling, Stacks) else 1
    return Embedder(expert, network, batch=samples * frames, **settings)


def rows(embed: Embedder, samples: list[np.ndarray]) -> np.ndarray:
    """(samples, width), in as many passes as it takes."""
    passes = range(0, len(samples), embed.batch)
    return np.concatenate([embed(samples[begin : begin + embed.batch]) for begin in passes])


@pytest.mark.slow
@pytest.mark.parametrize("name", expert_names())
def test_a_row_depends_neither_on_its_neighbours_nor_on_its_place_and_little_on_batches(
    name: str,
) -> None:
    expert = shortened(name)
    own, first, last = drawn(expert, 3)
    with reproducible():
        embed = embedder(expert, 3)
        alone, together = embed([own]), rows(embed, [first, last, own])
        one_by_one = Embedder(expert, embed.network, batch=1)([own])
    assert alone.shape == (1, expert.width)
    assert together.shape == (3, expert.width)
    assert together[2].tobytes() == alone[0].tobytes()
    assert np.abs(together[2] - one_by_one).max() <= 1e-5 * np.abs(one_by_one).max()
    assert not np.array_equal(together[0], together[2])


@pytest.mark.parametrize("place", range(8))
def test_every_place_of_the_batch_gives_the_same_bytes(place: int) -> None:
    expert = get_expert("lite_appearance")
    own, *others = drawn(expert, 8)
    with reproducible():
        embed = embedder(expert, 8)
        expected = embed([own, *others])[0]
        given = [*others[:place], own, *others[place:]]
        assert embed(given)[place].tobytes() == expected.tobytes()


@pytest.mark.parametrize("name", ["lite_appearance", "lite_scene", "lite_motion", "lite_audio"])
def test_batched_equals_one_by_one(name: str) -> None:
    expert = get_expert(name)
    samples = drawn(expert, 7)
    with reproducible():
        together = rows(embedder(expert, 8), samples)
        single = embedder(expert, 1)
        alone = np.concatenate([single([sample]) for sample in samples])
    assert np.abs(together - alone).max() <= 1e-5 * np.abs(alone).max()


def test_equal_calls_give_equal_bytes() -> None:
    expert = get_expert("lite_appearance")
    samples = drawn(expert, 2)
    with reproducible():
        embed = embedder(expert, 2)
        assert embed(samples).tobytes() == embed(samples).tobytes()


def test_the_network_sees_what_was_declared() -> None:
    expert = get_expert("lite_appearance")
    assert isinstance(expert.preprocess, Pixels)
    [picture] = drawn(expert, 1)
    network = expert.build()
    with torch.inference_mode():
        plain = torch.from_numpy(picture).permute(2, 0, 1)[None].float()
        expected = network((plain - 127) / 128).numpy()
    ours = Embedder(expert, network, batch=1)([picture])
    np.testing.assert_allclose(ours, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "batch", "samples"),
    [
        ("senet154", 32, 32),
        ("i3d_flow", 32, 1),
        ("i3d_flow", 200, 3),
        ("vggish", 8, 8),
        ("lite_scene", 32, 1),
    ],
)
def test_a_batch_counts_frames(name: str, batch: int, samples: int) -> None:
    expert = get_expert(name)
    assert Embedder(expert, torch.nn.Identity(), batch=batch).batch == samples


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_lower_precision_is_close_and_different(precision: str) -> None:
    expert = get_expert("lite_appearance")
    samples = drawn(expert, 2)
    exact = embedder(expert, 2)(samples)
    close = embedder(expert, 2, precision=precision)(samples)
    assert close.dtype == np.float32
    assert not np.array_equal(exact, close)
    lengths = np.linalg.norm(exact, axis=1) * np.linalg.norm(close, axis=1)
    assert ((exact * close).sum(axis=1) / lengths).min() > 0.99


def test_descriptors_are_always_exact() -> None:
    expert = get_expert("lite_scene")
    samples = drawn(expert, 1)
    exact, lower = (embedder(expert, 2, precision=p)(samples) for p in ("float32", "bfloat16"))
    assert exact.tobytes() == lower.tobytes()


def test_one_network_is_loaded_once() -> None:
    setting = ("lite_scene", "float32", 8, (), "cpu")
    first = load_embedder(*setting)
    assert load_embedder(*setting) is first
    load_embedder("lite_audio", *setting[1:])
    assert load_embedder(*setting) is not first


def test_what_is_set_for_reproducibility_is_set_back() -> None:
    before = torch.get_num_threads(), torch.backends.cudnn.allow_tf32
    with reproducible():
        assert torch.get_num_threads() == 1
        assert not torch.backends.cudnn.allow_tf32
    assert (torch.get_num_threads(), torch.backends.cudnn.allow_tf32) == before
