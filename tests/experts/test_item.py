"""The embed step over many trailers: each row its own, each fault its own, little memory."""

import sys
import tracemalloc
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from mmx.engine.rows import ROWS
from mmx.experts import registry
from mmx.experts.forward import load_embedder
from mmx.experts.item import EmbedJob, embed_items
from mmx.experts.preprocess import Pixels
from mmx.experts.reading import read_samples
from mmx.experts.registry import get_expert
from mmx.experts.sampling import Stacks
from mmx.media.clip import Clip
from mmx.media.faults import MediaFault
from mmx.media.frames import read_frames


def rows_of(job: EmbedJob) -> bytes:
    return (job.out / ROWS).read_bytes()


@pytest.fixture
def trailers(
    video: Callable[..., Path], clips: Callable[..., tuple[Clip, ...]]
) -> list[tuple[Path, tuple[Clip, ...]]]:
    """(video, clips) of four small trailers whose samples do not fill batches evenly."""
    lengths = ((9, 1, 14), (2, 2), (30,), (5, 6, 7, 8))
    return [(video(sum(each), seed), clips(*each)) for seed, each in enumerate(lengths)]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lite_appearance", "lite_scene"])
def test_neither_order_nor_neighbours_nor_interruption_changes_a_byte(
    name: str, trailers: list[tuple[Path, tuple[Clip, ...]]], job: Callable[..., EmbedJob]
) -> None:
    expected = []
    for source, cut in trailers:
        alone = job(name, source, cut)
        list(embed_items([alone]))
        expected.append(rows_of(alone))
    assert len(set(expected)) == len(trailers)
    for order in ([0, 1, 2, 3], [3, 1, 0, 2], [2, 3], [1, 1, 0]):
        jobs = [job(name, *trailers[number]) for number in order]
        list(embed_items(jobs))
        assert [rows_of(each) for each in jobs] == [expected[number] for number in order]


def test_rows(
    trailers: list[tuple[Path, tuple[Clip, ...]]],
    job: Callable[..., EmbedJob],
    embedded: Callable[..., list[Any]],
) -> None:
    source, cut = trailers[0]
    [table] = embedded(job("lite_appearance", source, cut))
    assert table["clip"].to_pylist() == [0, 1, 2]
    assert table["samples"].to_pylist() == [3, 1, 3]
    assert table["padded"].to_pylist() == [0, 0, 0]
    assert str(table.schema.field("embedding").type).endswith("[1280]")


def test_a_row_is_the_mean_of_its_frames(
    trailers: list[tuple[Path, tuple[Clip, ...]]],
    job: Callable[..., EmbedJob],
    embedded: Callable[..., list[Any]],
) -> None:
    source, cut = trailers[3]
    expert = get_expert("lite_scene")
    every = job("lite_scene", source, cut, frames=0)
    network = expert.build()
    [table] = embedded(every)
    assert isinstance(expert.preprocess, Pixels)
    frames: dict[int, list[np.ndarray]] = {row: [] for row in range(len(cut))}
    for sample in read_samples(every, expert):
        batch = torch.from_numpy(sample.data.copy())[None].movedim(-1, 1)
        frames[sample.row].append(network(expert.preprocess.normalise(batch))[0].numpy())
    expected = [np.mean(frames[row], axis=0) for row in frames]
    np.testing.assert_allclose(np.stack(table["embedding"].to_pylist()), expected, atol=1e-5)
    assert table["samples"].to_pylist() == [len(frames[row]) for row in frames]


def test_a_broken_video_costs_only_its_own_trailer(
    trailers: list[tuple[Path, tuple[Clip, ...]]],
    tmp_path: Path,
    job: Callable[..., EmbedJob],
    embedded: Callable[..., list[Any]],
) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(trailers[2][0].read_bytes()[:900])
    text = tmp_path / "text.mp4"
    text.write_text("no video")
    (alone,) = embedded(job("lite_scene", *trailers[3]))
    sources = [trailers[0][0], text, trailers[1][0], broken, trailers[3][0]]
    cuts = [trailers[0][1], *[trailers[1][1]] * 2, trailers[2][1], trailers[3][1]]
    results = embedded(*(job("lite_scene", s, c) for s, c in zip(sources, cuts, strict=True)))
    assert [isinstance(result, MediaFault) for result in results] == [
        False,
        True,
        False,
        True,
        False,
    ]
    assert results[-1].equals(alone)
    assert "/" not in str(results[1])


def test_a_fault_leaves_no_rows(
    tmp_path: Path, job: Callable[..., EmbedJob], clips: Callable[..., tuple[Clip, ...]]
) -> None:
    text = tmp_path / "text.mp4"
    text.write_text("no video")
    faulty = job("lite_scene", text, clips(3))
    [fault] = embed_items([faulty])
    assert isinstance(fault, MediaFault)
    assert not list(faulty.out.iterdir())


class MeanColour(torch.nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.flatten(2).mean(dim=2)


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    """Registers experts for the test: the mean colour of what they see."""

    def register(name: str, **changes: Any) -> str:
        module = ModuleType(name)
        vars(module)["EXPERT"] = replace(
            get_expert("lite_scene"), name=name, width=3, network=MeanColour, **changes
        )
        monkeypatch.setitem(sys.modules, name, module)
        monkeypatch.setitem(registry.MODULES, name, name)
        return name

    yield register
    load_embedder.cache_clear()


@pytest.fixture
def colour(register: Callable[..., str]) -> str:
    """An expert of frames."""
    return register("colour")


@pytest.mark.slow
def test_clips_of_1_of_9_and_of_10_000_frames(
    colour: str,
    video: Callable[..., Path],
    job: Callable[..., EmbedJob],
    clips: Callable[..., tuple[Clip, ...]],
    embedded: Callable[..., list[Any]],
) -> None:
    source = video(10_010, size=(16, 32))
    [table] = embedded(job(colour, source, clips(1, 9, 10_000), frames=0, batch=64))
    assert table["samples"].to_pylist() == [1, 9, 10_000]
    pictures = [frame.image for frame in read_frames(source, size=(96, 72))]
    frames = np.mean(pictures, axis=(1, 2)) / 255
    expected = [frames[:1].mean(axis=0), frames[1:10].mean(axis=0), frames[10:].mean(axis=0)]
    np.testing.assert_allclose(table["embedding"].to_pylist(), expected, rtol=1e-5)


@pytest.mark.slow
def test_stacks_of_clips_of_1_of_9_and_of_10_000_frames(
    register: Callable[..., str],
    video: Callable[..., Path],
    job: Callable[..., EmbedJob],
    clips: Callable[..., tuple[Clip, ...]],
    embedded: Callable[..., list[Any]],
) -> None:
    stacks = register("colour_of_stacks", sampling=Stacks(64, 64, "align"))
    source = video(10_010, size=(16, 32))
    [table] = embedded(job(stacks, source, clips(1, 9, 10_000)))
    assert table["samples"].to_pylist() == [1, 1, 157]
    assert table["padded"].to_pylist() == [63, 55, 0]
    pictures = [frame.image for frame in read_frames(source, size=(96, 72))]
    frames = np.mean(pictures, axis=(1, 2)) / 255
    long = frames[10:]
    starts = [*range(0, 9_984, 64), 10_000 - 64]
    expected = [
        frames[0],
        (frames[1:9].sum(axis=0) + 56 * frames[9]) / 64,
        np.mean([long[start : start + 64].mean(axis=0) for start in starts], axis=0),
    ]
    np.testing.assert_allclose(table["embedding"].to_pylist(), expected, rtol=1e-5)


def test_memory_does_not_grow_with_the_clip(
    colour: str,
    video: Callable[..., Path],
    job: Callable[..., EmbedJob],
    clips: Callable[..., tuple[Clip, ...]],
) -> None:
    def peak(frames: int) -> int:
        each = job(colour, video(frames, size=(64, 96)), clips(frames), frames=0, batch=8)
        list(embed_items([each]))
        tracemalloc.start()
        list(embed_items([each]))
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return highest

    # Of each frame, its number and the times of its packet are kept.
    numbers, pictures = 1000 * 500, 1000 * 72 * 96 * 3
    assert peak(1200) - peak(200) < numbers < pictures / 40


def test_a_silent_trailer_has_no_rows(
    wav: Callable[..., Path],
    job: Callable[..., EmbedJob],
    clips: Callable[..., tuple[Clip, ...]],
    embedded: Callable[..., list[Any]],
) -> None:
    cut = clips(30, 30)
    silent, sounding = embedded(
        job("lite_audio", None, cut), job("lite_audio", wav(3 * 16000), cut)
    )
    assert silent.num_rows == 0
    assert silent.schema == sounding.schema
    assert sounding.num_rows == 2


def test_sound_is_a_sequence_and_a_short_clip_includes_its_neighbours(
    wav: Callable[..., Path],
    job: Callable[..., EmbedJob],
    clips: Callable[..., tuple[Clip, ...]],
    embedded: Callable[..., list[Any]],
) -> None:
    [table] = embedded(job("lite_audio", wav(6 * 16000), clips(50, 5, 75, 100)))
    assert table["clip"].to_pylist() == [0, 1, 2, 3]
    assert table["samples"].to_pylist() == [2, 1, 3, 1]
    assert table["padded"].to_pylist() == [0, 15_600 - 3_200, 0, 15_600 - 12_800]
    assert [len(sequence) for sequence in table["embedding"].to_pylist()] == [2, 1, 3, 1]


def test_clips_after_the_end_of_the_sound_have_no_row(
    wav: Callable[..., Path],
    job: Callable[..., EmbedJob],
    clips: Callable[..., tuple[Clip, ...]],
    embedded: Callable[..., list[Any]],
) -> None:
    [table] = embedded(job("lite_audio", wav(2 * 16000), clips(50, 50)))
    assert table["clip"].to_pylist() == [0]


def test_motion_of_clips_with_and_without_flow(
    flow: Callable[..., Path],
    job: Callable[..., EmbedJob],
    clips: Callable[..., tuple[Clip, ...]],
    embedded: Callable[..., list[Any]],
) -> None:
    [table] = embedded(job("lite_motion", flow({0: 4, 2: 2}), clips(5, 1, 3)))
    assert table["samples"].to_pylist() == [4, 1, 2]
    assert table["padded"].to_pylist() == [0, 1, 0]
    still = np.array(table["embedding"].to_pylist()[1])
    assert still.sum() == 10


def test_facts(
    trailers: list[tuple[Path, tuple[Clip, ...]]],
    flow: Callable[..., Path],
    clips: Callable[..., tuple[Clip, ...]],
    job: Callable[..., EmbedJob],
) -> None:
    [facts] = embed_items([job("lite_scene", *trailers[0])])
    assert facts == {"rows": 3, "samples": 7, "padded_clips": 0}
    [facts] = embed_items([job("lite_motion", flow({0: 4}), clips(5, 1))])
    assert facts == {"rows": 2, "samples": 5, "padded_clips": 1}


def test_experts_may_follow_each_other(
    trailers: list[tuple[Path, tuple[Clip, ...]]],
    job: Callable[..., EmbedJob],
    embedded: Callable[..., list[Any]],
) -> None:
    tables = embedded(
        job("lite_scene", *trailers[0]),
        job("lite_appearance", *trailers[0]),
        job("lite_scene", *trailers[1]),
    )
    widths = [table.schema.field("embedding").type.list_size for table in tables]
    assert widths == [894, 1280, 894]


def test_facts_come_before_all_jobs_are_handed_in(
    trailers: list[tuple[Path, tuple[Clip, ...]]], job: Callable[..., EmbedJob]
) -> None:
    taken = []

    def endless() -> Iterator[EmbedJob]:
        for number in range(10_000):
            taken.append(number)
            yield job("lite_scene", *trailers[number % 4])

    results = embed_items(endless())
    assert isinstance(results, Generator)
    assert all(next(results)["rows"] for _ in range(6))
    results.close()
    assert len(taken) < 30


def test_a_clip_past_the_end_is_an_error_of_the_program(
    video: Callable[..., Path],
    job: Callable[..., EmbedJob],
    clips: Callable[..., tuple[Clip, ...]],
    embedded: Callable[..., list[Any]],
) -> None:
    [error] = embedded(job("lite_scene", video(10), clips(8, 8)))
    assert isinstance(error, IndexError)
