"""What the product reads from a coded film: numbers, their times, bursts."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from coded_film import lateness, number_of, onsets

from mmx.media.audio import extract_audio
from mmx.media.faults import DEFAULT_LIMITS, Limits
from mmx.media.frames import read_frames
from mmx.media.probe import Probe, probe
from mmx.media.wav import read_wav

RATE = 16000


@dataclass(frozen=True)
class Seen:
    """A film as probe, frames and audio read it."""

    probe: Probe
    numbers: list[int]
    times: list[float]
    heard: list[float]
    """When each burst begins."""
    sound_s: float

    @property
    def late(self) -> list[float]:
        """Seconds by which each burst is late, by the frame that it belongs to."""
        return lateness(self.numbers, self.times, self.heard)


def see(path: Path, limits: Limits = DEFAULT_LIMITS) -> Seen:
    """Read a film through the product."""
    frames = [(number_of(f.image), float(f.time)) for f in read_frames(path, limits=limits)]
    wav = path.parent / f"{path.name}.wav"
    count = extract_audio(path, wav, rate=RATE, limits=limits)
    heard = onsets(np.array(read_wav(wav)), RATE) if count else []
    numbers, times = [n for n, _ in frames], [t for _, t in frames]
    return Seen(probe(path, limits), numbers, times, heard, count / RATE)


def assert_right(seen: Seen, frames: int, bursts: int, rate: int = 25) -> None:
    """Check that numbers run on by one, and that bursts are at their frames to 20 ms."""
    assert seen.numbers == list(range(frames))
    assert np.allclose(seen.times, np.arange(frames) / rate, atol=0.0015)
    assert seen.probe.frames_from_content == frames
    assert abs(seen.probe.duration_from_content - frames / rate) < 0.0015
    assert len(seen.heard) == bursts
    assert max(map(abs, seen.late), default=0) < 0.02
    assert abs(seen.sound_s - frames / rate) < 0.07 or not bursts
    assert abs(seen.probe.sound_s - seen.sound_s) < 0.001
