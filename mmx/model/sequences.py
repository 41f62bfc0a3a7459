"""Index arithmetic: clips into sequences, sequences into slots (sections 3, 5 and 7)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from mmx.model.layers import places_in_runs, starts_of


@dataclass(frozen=True)
class Spans:
    """The sequences of several trailers, in order. On the CPU."""

    trailer: Tensor
    """int64 [sequences]: position of the trailer in the batch."""
    start: Tensor
    """int64 [sequences]: first clip, counted within the trailer."""
    stop: Tensor
    """int64 [sequences]: one past the last clip; `stop - start` is at most the length."""
    counts: Tensor
    """int64 [trailers]: sequences per trailer, at least 1."""


def cut_spans(lengths: Tensor, length: int, stride: int) -> Spans:
    """Cut trailers of `lengths` clips (int64 [trailers], each at least 1) into sequences.

    A sequence starts at every multiple of `stride`, as long as it has a clip that the one
    before it had not. The last one may be partial.

    >>> spans = cut_spans(torch.tensor([5, 2]), length=4, stride=2)
    >>> list(zip(spans.trailer.tolist(), spans.start.tolist(), spans.stop.tolist()))
    [(0, 0, 4), (0, 2, 5), (1, 0, 2)]
    """
    starts = (lengths + stride - 1) // stride
    needed = 1 + (lengths - length + stride - 1) // stride
    counts = torch.minimum(starts, needed).clamp(min=1)
    trailer, place = places_in_runs(counts)
    start = place * stride
    return Spans(trailer, start, torch.minimum(start + length, lengths[trailer]), counts)


def clip_index(spans: Spans, lengths: Tensor, length: int) -> Tensor:
    """Which clip of the batch is at each place of each sequence.

    Returns:
        int64 [sequences, length]; the total number of clips stands for padding.
    """
    within = spans.start[:, None] + torch.arange(length)
    flat = starts_of(lengths)[spans.trailer, None] + within
    return torch.where(within < spans.stop[:, None], flat, lengths.sum())


def slot_index(counts: Tensor, slots: int) -> Tensor:
    """Which sequence of the batch is in each slot of each trailer.

    A trailer with more sequences than slots is sampled evenly, first and last included. Only
    slots that some trailer fills are returned.

    Args:
        counts: int64 [trailers], sequences per trailer.
        slots: slots per trailer.

    Returns:
        int64 [trailers, at most `slots`]; the total number of sequences stands for an empty slot.
    """
    slot = torch.arange(min(slots, int(counts.max())))
    gaps = max(slots - 1, 1)
    spread = (slot * (counts[:, None] - 1) * 2 + gaps) // (2 * gaps)
    place = torch.where(counts[:, None] > slots, spread, slot)
    flat = starts_of(counts)[:, None] + place
    return torch.where(place < counts[:, None], flat, counts.sum())
