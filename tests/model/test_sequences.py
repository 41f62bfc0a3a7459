"""Index arithmetic of sequences and slots: literal lists, then properties over many sizes."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmx.model.sequences import clip_index, cut_spans, slot_index


def spans_of(lengths: list[int], length: int, stride: int) -> list[tuple[int, int, int]]:
    spans = cut_spans(torch.tensor(lengths), length, stride)
    return list(zip(spans.trailer.tolist(), spans.start.tolist(), spans.stop.tolist(), strict=True))


@pytest.mark.parametrize(
    ("clips", "length", "stride", "expected"),
    [
        (18, 9, 9, [(0, 9), (9, 18)]),
        (19, 9, 9, [(0, 9), (9, 18), (18, 19)]),
        (5, 9, 9, [(0, 5)]),
        (9, 9, 9, [(0, 9)]),
        (1, 1, 1, [(0, 1)]),
        (3, 1, 1, [(0, 1), (1, 2), (2, 3)]),
        (7, 4, 2, [(0, 4), (2, 6), (4, 7)]),
        (6, 4, 2, [(0, 4), (2, 6)]),
        (10, 2, 4, [(0, 2), (4, 6), (8, 10)]),
        (8, 2, 4, [(0, 2), (4, 6)]),
        (9, 2, 4, [(0, 2), (4, 6), (8, 9)]),
    ],
)
def test_a_trailer_is_cut(
    clips: int, length: int, stride: int, expected: list[tuple[int, int]]
) -> None:
    assert spans_of([clips], length, stride) == [(0, *span) for span in expected]


def cut_naively(clips: int, length: int, stride: int) -> list[tuple[int, int]]:
    """Every start in turn, as long as it brings a clip that was not there before."""
    spans: list[tuple[int, int]] = []
    start = 0
    while start < clips and (not spans or spans[-1][1] < clips):
        spans.append((start, min(start + length, clips)))
        start += stride
    return spans


@settings(deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=5), st.integers(1, 12), st.integers(1, 12))
def test_cutting_is_the_naive_loop(lengths: list[int], length: int, stride: int) -> None:
    expected = [
        (trailer, *span)
        for trailer, clips in enumerate(lengths)
        for span in cut_naively(clips, length, stride)
    ]
    assert spans_of(lengths, length, stride) == expected
    spans = cut_spans(torch.tensor(lengths), length, stride)
    assert spans.counts.tolist() == [len(cut_naively(n, length, stride)) for n in lengths]


@settings(deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=5), st.integers(1, 12), st.integers(1, 12))
def test_clips_lie_where_the_spans_say(lengths: list[int], length: int, stride: int) -> None:
    total = torch.tensor(lengths)
    spans = cut_spans(total, length, stride)
    index = clip_index(spans, total, length)
    assert index.shape == (len(spans.start), length)
    for row, trailer, start, stop in zip(
        index.tolist(), spans.trailer, spans.start, spans.stop, strict=True
    ):
        first = sum(lengths[:trailer])
        padding = [sum(lengths)] * (length - int(stop - start))
        assert row == [*range(first + start, first + stop), *padding]


@pytest.mark.parametrize(
    ("count", "slots", "expected"),
    [
        (3, 5, [0, 1, 2]),
        (5, 5, [0, 1, 2, 3, 4]),
        (9, 5, [0, 2, 4, 6, 8]),
        (6, 5, [0, 1, 3, 4, 5]),
        (4, 1, [0]),
        (100, 2, [0, 99]),
    ],
)
def test_slots_of_one_trailer(count: int, slots: int, expected: list[int]) -> None:
    assert slot_index(torch.tensor([count]), slots).tolist() == [expected]


@settings(deadline=None)
@given(st.lists(st.integers(1, 60), min_size=1, max_size=5), st.integers(1, 45))
def test_slots_of_many_trailers(counts: list[int], slots: int) -> None:
    index = slot_index(torch.tensor(counts), slots)
    assert index.shape == (len(counts), min(slots, max(counts)))
    for trailer, row in enumerate(index.tolist()):
        first, filled = sum(counts[:trailer]), min(slots, counts[trailer])
        kept = row[:filled]
        assert row[filled:] == [sum(counts)] * (len(row) - filled)
        assert kept == sorted(set(kept))
        assert kept[0] == first
        assert kept[-1] == first + (counts[trailer] - 1 if slots > 1 else 0)
        gaps = {after - before for before, after in pairwise(kept)}
        assert not gaps or max(gaps) - min(gaps) <= 1
