"""Pairs of films that may be one, found without comparing every film with every other whole.

Around a cut two films that are one show the same two pictures, and their cuts lie over each other
at one offset and one speed. A logo that many trailers begin with does so too, so the pictures of
the whole length are looked at before a pair counts as likely.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mmx.trailers.likeness import PICTURES, SPEEDS, pictures_alike
from mmx.trailers.signature import LOOK, Signature

LIKE = 0.66
"""Correlation of the pictures beside two jumps from which they may be one jump."""
AGREEING = 3
"""Shared jumps that must lie over each other; half of a film's jumps if it has few."""
MOST = 64
"""Shared jumps of two films that are looked at."""
SLACK_S = 0.15
"""Seconds by which they may miss."""
LOOSE = 0.1
"""By how much the correlation of pictures may be below `PICTURES`: the offset is a rough one."""
ROWS, COLUMNS = 512, 4096
"""Jumps that are compared with each other at a time: bounds the memory, and fits a cache."""
SCALE = 4000
"""Length to which descriptions of jumps are scaled before they are rounded."""


@dataclass(frozen=True)
class Fit:
    """How many jumps of two films lie over each other, at which speed and offset of the second."""

    jumps: int
    speed: float
    offset_s: float


@dataclass(frozen=True)
class _Jumps:
    """The jumps of all films, film by film."""

    owner: np.ndarray
    """int [jumps]: number of the film."""
    marks: np.ndarray
    """float [jumps]: seconds."""
    pictures: np.ndarray
    """float32 [jumps, values]: whole numbers."""

    @classmethod
    def of(cls, films: Sequence[Signature]) -> "_Jumps":
        count = [len(film.marks) for film in films]
        beside = [film.beside for film in films] or [np.zeros((0, 2 * LOOK**2), np.float32)]
        marks = np.concatenate([film.marks for film in films] or [np.zeros(0)])
        return cls(np.repeat(np.arange(len(films)), count), marks, _whole(np.concatenate(beside)))


def likely_pairs(films: Sequence[Signature]) -> Iterator[tuple[int, int]]:
    """Yield the numbers of films that may be one, sorted: the smaller number first.

    The same on every machine. Memory grows with the number of films, not with that of pairs.
    """
    jumps = _Jumps.of(films)
    borders = np.searchsorted(jumps.owner, np.arange(len(films) + 1))
    first = 0
    while first < len(films):
        # As many whole films as have about `ROWS` jumps; one at least.
        after = int(np.searchsorted(borders, borders[first] + ROWS, "right")) - 1
        after = min(max(after, first + 1), len(films))
        yield from _likely_among(films, jumps, int(borders[first]), int(borders[after]))
        first = after


def _likely_among(
    films: Sequence[Signature], jumps: _Jumps, start: int, stop: int
) -> Iterator[tuple[int, int]]:
    """Yield the likely pairs of the films of some jumps and later films."""
    one, other = _alike(jumps, start, stop)
    keys = jumps.owner[one] * len(films) + jumps.owner[other]
    pairs, begins, counts = np.unique(keys, return_index=True, return_counts=True)
    for pair, begin, count in zip(pairs.tolist(), begins, counts, strict=True):
        i, j = divmod(pair, len(films))
        least = min(AGREEING, max(1, min(len(films[i].marks), len(films[j].marks)) // 2))
        shared = slice(begin, begin + min(count, MOST))
        if count >= least and _fits(films[i], films[j], jumps, one[shared], other[shared], least):
            yield i, j


def _alike(jumps: _Jumps, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
    """Return which of the jumps `start` to `stop` are like which of later films, by film."""
    least, rows = np.float32(LIKE * SCALE**2), jumps.pictures[start:stop]
    found = [np.zeros((0, 2), int)]
    for left in range(start, len(jumps.owner), COLUMNS):
        alike = np.argwhere(rows @ jumps.pictures[left : left + COLUMNS].T > least)
        found.append(alike + np.array([start, left]))
    one, other = np.concatenate(found).T
    later = jumps.owner[one] < jumps.owner[other]
    one, other = one[later], other[later]
    order = np.lexsort((other, one, jumps.owner[other], jumps.owner[one]))
    return one[order], other[order]


def _fits(
    first: Signature,
    second: Signature,
    jumps: _Jumps,
    one: np.ndarray,
    other: np.ndarray,
    least: int,
) -> bool:
    """Say whether enough jumps lie over each other, and the pictures are alike that way."""
    fit = best_fit(jumps.marks[one], jumps.marks[other])
    if fit.jumps < least:
        return False
    return pictures_alike(first, second, fit.speed, fit.offset_s) >= PICTURES - LOOSE


def best_fit(here: np.ndarray, there: np.ndarray) -> Fit:
    """Return the speed and the offset at which most shared jumps lie over each other."""
    offsets = here[:, None] - there[:, None] * np.array(SPEEDS)
    near = np.abs(offsets[:, None] - offsets[None]) < SLACK_S
    count = near.sum(axis=1)
    jump, speed = np.unravel_index(int(count.argmax()), count.shape)
    offset = float(offsets[near[jump, :, speed], speed].mean())
    return Fit(int(count[jump, speed]), SPEEDS[speed], offset)


def _whole(pictures: np.ndarray) -> np.ndarray:
    """Return rows at length `SCALE`, as whole numbers; a row of zeros stays.

    Products of such rows and their sums stay below 2**24, so that float32 has them exactly: they
    do not depend on the order in which a machine adds.
    """
    length = np.linalg.norm(pictures.astype(float), axis=1, keepdims=True)
    whole: np.ndarray = np.rint(pictures * (SCALE / np.maximum(length, 1e-6))).astype(np.float32)
    return whole
