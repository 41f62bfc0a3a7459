"""The sound of a trailer: each shot's notes and noise, then the style's room."""

import numpy as np

from mmx.sample.looks import Sound, Style

RATE = 24000
"""Samples per second."""
EDGE = 0.01
"""Seconds over which a shot's sound comes and goes."""
PARTIALS = 6
ECHO = 0.18
"""Seconds."""


def shot_sound(sound: Sound, samples: int, detune: float, rng: np.random.Generator) -> np.ndarray:
    """Return float32 mono samples in about -1 to 1; `detune` is a factor of the pitch."""
    time = np.arange(samples, dtype=np.float32) / RATE
    note = time * np.float32(sound.tempo)
    fall = np.exp(-(note % 1) / np.float32(sound.tempo * sound.decay))
    tone = _notes(sound, note.astype(np.int32), detune) * fall
    noise = _band_noise(samples, sound.band, rng) * (1 - sound.beat + sound.beat * fall)
    mixed = (1 - sound.noise) * tone + sound.noise * noise
    edge = np.minimum(time, time[::-1]) / np.float32(EDGE)
    return (mixed * np.minimum(edge, 1)).astype(np.float32)


def _notes(sound: Sound, index: np.ndarray, detune: float) -> np.ndarray:
    chord = np.array(sound.chord, np.float64)
    pitch = sound.pitch * detune * 2 ** (chord[index % len(chord)] / 12)
    phase = np.cumsum(pitch) * (2 * np.pi / RATE)
    loudness = sound.brightness ** np.arange(PARTIALS)
    tone = sum(
        level * np.sin((phase * (n + 1)).astype(np.float32)) for n, level in enumerate(loudness)
    )
    levelled: np.ndarray = tone / np.sqrt((loudness**2).sum())
    return levelled


def _band_noise(samples: int, band: tuple[float, float], rng: np.random.Generator) -> np.ndarray:
    """White noise without what lies outside `band`, of standard deviation 0.5."""
    noise = limit_band(rng.standard_normal(samples, dtype=np.float32), *band)
    return noise * (0.5 / max(float(noise.std()), 1e-6))


def limit_band(samples: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return `samples` without what lies below `low` or above `high` Hertz."""
    spectrum = np.fft.rfft(samples)
    frequency = np.fft.rfftfreq(len(samples), 1 / RATE)
    spectrum[(frequency < low) | (frequency > high)] = 0
    return np.fft.irfft(spectrum, len(samples)).astype(np.float32)


def in_style(samples: np.ndarray, style: Style) -> np.ndarray:
    """Return the sound track in the style's room: echo, hum, damping; float32 in -1 to 1."""
    room = samples.copy()
    delay = int(ECHO * RATE)
    room[delay:] += style.echo * samples[:-delay]
    time = np.arange(len(samples), dtype=np.float32) / RATE
    room += np.float32(style.hum) * np.sin(np.float32(2 * np.pi * 100) * time)
    room = limit_band(room, 0.0, style.damp)
    return np.clip(0.4 * room, -1, 1)
