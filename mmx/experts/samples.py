"""Samples, which a network embeds one at a time, and how they are made of a stream of pictures.

Pictures are held only while a later stack still needs them: memory does not grow with the length of
a clip.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from mmx.experts.sampling import Frames, Indices, Sampling, Stacks
from mmx.params import EmbedParams

Picture = npt.NDArray[Any]


@dataclass(frozen=True)
class Sample:
    """What a network embeds at once."""

    row: int
    """Which of the job's clips it belongs to, from 0."""
    data: npt.NDArray[Any]
    """(H, W, C), (L, H, W, C) or (1, frames, bands)."""
    padded: int
    """How many of its frames are repeated, or of its sound samples are not the clip's own."""


@dataclass(frozen=True)
class Plan:
    """Which pictures of a stream the samples of one clip are made of."""

    pictures: Indices
    """(S, L), never decreasing, each line's last at least the line's before."""
    padded: int


def plan(sampling: Frames | Stacks, pictures: Indices, made_up: int = 0) -> Plan:
    """Return the samples of a clip that has these `pictures` of a stream, `made_up` among them."""
    count = len(pictures)
    return Plan(pictures[sampling.indices(count)], sampling.padding(count - made_up))


def assemble(
    plans: Iterable[Plan], pictures: Iterable[tuple[int, Picture]], *, stacked: bool
) -> Iterator[Sample]:
    """Yield the samples of `plans` from a stream of (index, picture) with rising indices.

    A sample is the picture itself, or a stack (L, H, W, C) of them. Raises IndexError when the
    stream ends before a picture that is needed.
    """
    stream, held = iter(pictures), dict[int, Picture]()
    for row, each in enumerate(plans):
        for wanted in each.pictures.tolist():
            for index in [index for index in held if index < wanted[0]]:
                del held[index]
            while wanted[-1] not in held:
                following = next(stream, None)
                if following is None:
                    raise IndexError(f"picture {wanted[-1]} is needed and missing")
                held[following[0]] = following[1]
            data = np.stack([held[index] for index in wanted]) if stacked else held[wanted[0]]
            yield Sample(row, data, each.padded)


def chosen_sampling(sampling: Sampling, params: EmbedParams) -> Sampling:
    """Return `sampling` with open values taken from the parameters."""
    if isinstance(sampling, Frames) and sampling.per_clip is None:
        return replace(sampling, per_clip=params.frames_per_clip)
    return sampling
