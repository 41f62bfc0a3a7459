"""Whether two films are one: their light, laid over each other at every offset and some speeds.

Two films that look alike do not change at the same moments, so that no offset fits.
"""

from dataclasses import dataclass, replace

import numpy as np

from mmx.trailers.signature import LOOKS, RATE, Signature

SPEEDS = (1.0, 1.05, 1 / 1.05, 25 / 24, 24 / 25, 24 / 23.976, 23.976 / 24)
"""Speeds of the second film over the first that are tried: as filmed, and a twentieth and 25/24
faster or slower."""
SHARED = 0.5
"""Part of the shorter film that must lie over the other."""
LEAST_S = 4.0
"""Seconds that must."""
THRESHOLD = 0.58
"""Correlation from which two films count as one; `benchmarks/duplicates.py` measures it."""
PICTURES = 0.58
"""Correlation of pictures from which they count as the same."""


@dataclass(frozen=True)
class Likeness:
    """How the second of two films lies over the first."""

    correlation: float
    """Of the light where both are, at most 1."""
    speed: float
    """Of the second over the first."""
    offset_s: float
    """Where the second begins in the first, in seconds of the first; negative: before it."""
    shared_s: float
    """Seconds of the first in which both are."""
    pictures: float = 0.0
    """Median correlation of the pictures that lie over each other; 0 where none are."""

    @property
    def same(self) -> bool:
        """Whether the two count as one film."""
        return self.correlation >= THRESHOLD and self.pictures >= PICTURES


def compare(first: Signature, second: Signature) -> Likeness:
    """Return the best way to lay one film over the other, over all offsets and `SPEEDS`."""
    best = overlay(first.light, second.light)
    return replace(best, pictures=pictures_alike(first, second, best.speed, best.offset_s))


def pictures_alike(first: Signature, second: Signature, speed: float, offset_s: float) -> float:
    """Return the median correlation of pictures that are shown at the same moment; 0 without any.

    speed, offset_s: how the second lies over the first, as in `Likeness`.
    """
    here = np.arange(len(first.looks))
    there = np.rint((here / LOOKS - offset_s) / speed * LOOKS).astype(int)
    both = (there >= 0) & (there < len(second.looks))
    here, there = here[both], there[both]
    seen = first.looks[here].any(axis=1) & second.looks[there].any(axis=1)
    values = (first.looks[here] * second.looks[there]).sum(axis=1)[seen]
    return float(np.median(values)) if len(values) else 0.0


def overlay(first: np.ndarray, second: np.ndarray) -> Likeness:
    """Return the best way to lay one film's light [samples, regions] over another's."""
    found = [_best_offset(first, second, speed) for speed in SPEEDS]
    return max(found, key=lambda each: each.correlation)


def _best_offset(first: np.ndarray, second: np.ndarray, speed: float) -> Likeness:
    a, b = first, _slowed(second, speed)
    least = max(SHARED * min(len(a), len(b)), LEAST_S * RATE)
    size = 1 << (len(a) + len(b)).bit_length()
    shared = _correlate(np.ones((len(a), 1)), np.ones((len(b), 1)), size)
    product = _correlate(a, b, size)
    energy = _correlate(a**2, np.ones_like(b), size) * _correlate(np.ones_like(a), b**2, size)
    score = np.where(np.rint(shared) >= least, product / np.sqrt(np.maximum(energy, 1.0)), -1.0)
    best = int(score.argmax())
    offset = best if best < len(a) else best - size
    return Likeness(float(score[best]), speed, offset / RATE, float(shared[best]) / RATE)


def _slowed(light: np.ndarray, speed: float) -> np.ndarray:
    """Return the light of a film that runs `speed` times too fast, at its right speed."""
    places = np.arange(int(len(light) * speed)) / speed
    known = np.arange(len(light))
    return np.stack([np.interp(places, known, each) for each in light.T], axis=1)


def _correlate(a: np.ndarray, b: np.ndarray, size: int) -> np.ndarray:
    """Return, by the offset of b in a (negative ones from the end), the sum of a times b."""
    spectrum = np.fft.rfft(a, size, axis=0) * np.conj(np.fft.rfft(b, size, axis=0))
    summed: np.ndarray = np.fft.irfft(spectrum.sum(axis=1), size)
    return summed
