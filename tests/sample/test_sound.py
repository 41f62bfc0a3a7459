from dataclasses import replace

import numpy as np
import pytest

from mmx.sample.looks import SOUNDS, Sound, Style
from mmx.sample.sound import ECHO, RATE, in_style, limit_band, shot_sound

TONE = Sound(440, (0,), 0.0, 1.0, 50.0, 0.0, (100, 1000), 0.0)
PLAIN = Style(0, 0, 0, (1, 1, 1), 0, (0, 0), 0, 0, 0, RATE / 2)


def make(sound: Sound, detune: float = 1.0) -> np.ndarray:
    return shot_sound(sound, RATE, detune, np.random.default_rng(2))


def power(samples: np.ndarray, low: float, high: float) -> float:
    """Share of the power between two frequencies."""
    spectrum = np.abs(np.fft.rfft(samples)) ** 2
    frequency = np.fft.rfftfreq(len(samples), 1 / RATE)
    return float(spectrum[(frequency >= low) & (frequency <= high)].sum() / spectrum.sum())


@pytest.mark.parametrize("detune", [0.8, 1.0, 1.25])
def test_a_note_has_its_pitch(detune: float) -> None:
    assert power(make(TONE, detune), 440 * detune - 5, 440 * detune + 5) > 0.95


def test_brightness_adds_partials() -> None:
    assert power(make(replace(TONE, brightness=0.8)), 870, 890) > 0.1
    assert power(make(TONE), 870, 890) < 1e-4


def test_noise_lies_in_its_band() -> None:
    noise = make(replace(TONE, noise=1.0, band=(2000, 3000)))
    assert power(noise, 1990, 3010) > 0.99


def test_notes_fall_to_a_third_in_their_decay() -> None:
    falling = make(replace(TONE, tempo=1.0, decay=0.2))
    loudness = [np.abs(falling[int(at * RATE) :][: RATE // 50]).max() for at in (0.1, 0.3)]
    assert loudness[1] / loudness[0] == pytest.approx(np.exp(-1), abs=0.02)


def test_beats_put_the_noise_into_bursts() -> None:
    steady, bursts = (
        make(replace(TONE, noise=1.0, tempo=4.0, decay=0.05, beat=beat)) for beat in (0.0, 1.0)
    )
    late = slice(RATE // 4 - RATE // 50, RATE // 4)
    assert np.abs(bursts[late]).max() < 0.1 * np.abs(steady[late]).max()


@pytest.mark.parametrize("name", SOUNDS)
def test_every_sound_is_heard_and_finite_and_does_not_click(name: str) -> None:
    samples = make(SOUNDS[name])
    assert samples.dtype == np.float32
    assert len(samples) == RATE
    assert np.isfinite(samples).all()
    assert samples.std() > 0.05
    assert samples[0] == 0 == samples[-1]


def test_the_band_filter_agrees_with_two_sines() -> None:
    time = np.arange(RATE) / RATE
    low, high = np.sin(2 * np.pi * 300 * time), np.sin(2 * np.pi * 3000 * time)
    np.testing.assert_allclose(limit_band(low + high, 0, 1000), low, atol=1e-6)


def test_an_echo_comes_once_and_later() -> None:
    click = np.zeros(RATE, np.float32)
    click[100] = 1
    heard = in_style(click, replace(PLAIN, echo=0.5))
    assert heard[100] == pytest.approx(0.4, abs=1e-4)
    assert heard[100 + int(ECHO * RATE)] == pytest.approx(0.2, abs=1e-4)
    assert np.count_nonzero(np.abs(heard) > 1e-3) == 2


def test_a_style_hums_and_damps() -> None:
    noise = make(replace(TONE, noise=1.0, band=(50, 11000)))
    assert power(in_style(noise, replace(PLAIN, damp=4000)), 4010, 12000) < 1e-6
    assert power(in_style(noise * 0.01, replace(PLAIN, hum=0.3)), 99, 101) > 0.9
