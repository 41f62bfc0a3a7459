"""The imprint of a film: enough to recognise its pictures, too little to show any of them.

It has, eight times a second, whether a quarter of the picture or its middle is brighter or darker
than it is around that moment; and of at most a dozen cuts the time and 64 bits that stand for the
two pictures beside it, each the side of a random plane that they lie on. The planes follow from a
salt. A copy that was encoded again, cropped, trimmed or sped up fits; another film does not.
"""

import base64
import hashlib
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from mmx.trailers.candidates import AGREEING, MOST, best_fit
from mmx.trailers.likeness import overlay
from mmx.trailers.signature import LOOK, REGIONS, Signature

BITS = 64
"""Planes of which a cut has the side."""
LIKE = 0.5
"""Share of equal sides above that of unequal ones, from which two cuts may be one."""
STILL = 1.0
"""Root of a change of luma up to which light counts as neither brighter nor darker."""
THRESHOLD = 0.65
"""Correlation of light from which a film is recognised; its cuts must agree, too."""
TICKS = 100
"""Units of time in a second."""
SLACK_S = 0.2
"""Seconds by which cuts may miss where the light fits best."""
VERSION = 1
"""Of the packed form, and of what it means."""
_HEAD = 12


@dataclass(frozen=True)
class Imprint:
    """What is kept of one film."""

    salt: str
    light: np.ndarray
    """int8 [samples, regions]: -1 darker, 0, 1 brighter."""
    marks: np.ndarray
    """float [jumps]: seconds, in order."""
    sides: np.ndarray
    """int [jumps, BITS]: -1 or 1."""

    @classmethod
    def of(cls, signature: Signature, salt: str) -> "Imprint":
        """Return the imprint of the film that a signature is of."""
        marks, sides = _cuts(signature, _planes(salt))
        marks = np.rint(marks * TICKS) / TICKS
        return cls(salt, _direction(signature.light), marks, sides)

    def pack(self) -> str:
        """Return the imprint as text, without the salt; `unpack` reads it."""
        head = np.array([VERSION, len(self.light), len(self.marks)], "<u4").tobytes()
        times = np.rint(self.marks * TICKS).astype("<u4").tobytes()
        bits = (self.sides > 0, self.light > 0, self.light < 0)
        return base64.b64encode(b"".join([head, times, *map(_packed, bits)])).decode()

    @classmethod
    def unpack(cls, text: str, salt: str) -> "Imprint":
        """Read what `pack` returned; raise ValueError for anything else."""
        data = base64.b64decode(text, validate=True)
        version, samples, jumps = (int(n) for n in np.frombuffer(data[:_HEAD], "<u4"))
        lengths = (4 * jumps, BITS // 8 * jumps, *[-(-samples * REGIONS // 8)] * 2)
        ends = np.cumsum((_HEAD, *lengths))
        if version != VERSION or len(data) != ends[-1]:
            raise ValueError("not a packed imprint")
        parts = (data[start:end] for start, end in pairwise(ends))
        times, sides, brighter, darker = parts
        shape = (samples, REGIONS)
        return cls(
            salt,
            _unpacked(brighter, shape) - _unpacked(darker, shape),
            np.frombuffer(times, "<u4") / TICKS,
            2 * _unpacked(sides, (jumps, BITS)) - 1,
        )

    def recognises(self, film: Signature) -> bool:
        """Say whether a film has these pictures: all of its light fits, and cuts that way too."""
        marks, sides = _cuts(film, self._planes)
        one, other = np.nonzero(self.sides.astype(np.float32) @ sides.T >= LIKE * BITS)
        here, there = self.marks[one], marks[other]
        if len(one) < AGREEING or best_fit(here[:MOST], there[:MOST]).jumps < AGREEING:
            return False
        how = overlay(self.light, _direction(film.light))
        together = np.abs(here - there * how.speed - how.offset_s) < SLACK_S
        return how.correlation >= THRESHOLD and int(together.sum()) >= AGREEING

    @cached_property
    def _planes(self) -> np.ndarray:
        return _planes(self.salt)


def _cuts(film: Signature, planes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the times of a film's cuts, and their sides; not of cuts between even pictures."""
    seen = film.beside.any(axis=1)
    return film.marks[seen], np.where(film.beside[seen] @ planes > 0, 1, -1)


def _planes(salt: str) -> np.ndarray:
    """Return the planes of a salt, -1 and 1: float32 [values, BITS].

    They must never change: tombstones are kept for years.
    """
    values = 2 * LOOK**2
    data = hashlib.shake_256(f"mmx imprint {salt}".encode()).digest(values * BITS // 8)
    return 2 * _unpacked(data, (values, BITS)).astype(np.float32) - 1


def _direction(light: np.ndarray) -> np.ndarray:
    return np.where(np.abs(light) < STILL, 0, np.sign(light)).astype(np.int8)


def _packed(bits: np.ndarray) -> bytes:
    return np.packbits(bits).tobytes()


def _unpacked(data: bytes, shape: tuple[int, int]) -> np.ndarray:
    bits = np.unpackbits(np.frombuffer(data, np.uint8), count=shape[0] * shape[1])
    return bits.reshape(shape).astype(np.int8)
