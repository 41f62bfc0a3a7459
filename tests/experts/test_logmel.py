import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from mmx.experts import logmel

RNG = np.random.default_rng(5)


def naive(
    sound: np.ndarray,
    *,
    window_period: int = 400,
    power: int = 1,
    straight_in: Callable[[float], float] = lambda f: 1127 * math.log(1 + f / 700),
) -> np.ndarray:
    """The definition, one frame and one band at a time, with a written-out Fourier transform."""
    n, k = np.arange(400), np.arange(257)[:, None]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * n / window_period)
    fourier = np.exp(-2j * np.pi * k * n / 512)
    low, high = (1127 * math.log(1 + f / 700) for f in (125, 7500))
    edges = [700 * (math.exp((low + (high - low) * i / 65) / 1127) - 1) for i in range(66)]
    frames = []
    for start in range(0, len(sound) - 399, 160):
        magnitude = np.abs(fourier @ (hann * sound[start : start + 400])) ** power
        frames.append([band(magnitude, edges[i : i + 3], straight_in) for i in range(64)])
    return np.log(np.array(frames) + 0.01)


def band(
    magnitude: np.ndarray, edges: Sequence[float], straight_in: Callable[[float], float]
) -> float:
    left, peak, right = map(straight_in, edges)
    total = 0.0
    for index in range(1, 257):
        x = straight_in(index * 16000 / 512)
        total += magnitude[index] * max(
            0.0, min((x - left) / (peak - left), (right - x) / (right - peak))
        )
    return total


@pytest.fixture(scope="module")
def sound() -> np.ndarray:
    """0.1 s of noise with a constant part, which must not count."""
    return RNG.normal(0.2, 0.3, 1600).clip(-1, 1)


def test_equals_the_written_out_definition(sound: np.ndarray) -> None:
    ours = logmel.log_mel(sound)
    assert ours.shape == (8, 64)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, naive(sound), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "mistake",
    [
        pytest.param({"window_period": 399}, id="symmetric window"),
        pytest.param({"power": 2}, id="power"),
        pytest.param({"straight_in": lambda f: f}, id="triangles straight in Hertz"),
    ],
)
def test_the_common_mistakes_give_other_values(sound: np.ndarray, mistake: dict[str, Any]) -> None:
    assert np.abs(logmel.log_mel(sound) - naive(sound, **mistake)).max() > 1e-3


def test_sixteen_bit_sound_is_scaled_by_its_range(sound: np.ndarray) -> None:
    whole = np.round(sound * 32767).astype(np.int16)
    np.testing.assert_array_equal(logmel.log_mel(whole), logmel.log_mel(whole / 32768))


def test_silence_is_the_logarithm_of_the_offset() -> None:
    silent = logmel.log_mel(np.zeros(15600, np.int16))
    np.testing.assert_allclose(silent, np.log(0.01), rtol=1e-6)


def test_a_constant_is_heard_only_through_the_window() -> None:
    """The constant bin counts for nothing; what leaks into the next bins lies below 125 Hz."""
    constant = logmel.log_mel(np.full(400, 0.5))
    assert logmel.mel_matrix()[0].sum() == 0
    assert constant[0, 20:].max() < np.log(0.02)


def test_a_tone_is_loudest_in_its_own_band() -> None:
    time = np.arange(16000) / 16000
    low, high = logmel.hertz_to_mel(np.array([125.0, 7500.0]))
    edges = np.linspace(low, high, 66)
    for hertz in (440, 1000, 4000):
        loudest = logmel.log_mel(np.sin(2 * np.pi * hertz * time)).mean(0).argmax()
        mel = logmel.hertz_to_mel(np.array(hertz))
        assert edges[loudest] < mel < edges[loudest + 2]


def test_a_window_is_the_least() -> None:
    assert logmel.log_mel(np.zeros(400)).shape == (1, 64)
    with pytest.raises(ValueError, match="400 samples, not 399"):
        logmel.log_mel(np.zeros(399))


def test_patches_are_cuts_of_the_whole_spectrogram() -> None:
    sound = RNG.integers(-20000, 20000, 50_000, dtype=np.int16)
    starts = np.arange(0, len(sound) - logmel.PATCH_SAMPLES + 1, logmel.PATCH_STEP)
    patches = logmel.log_mel_patches(sound, starts)
    assert patches.shape == (3, 96, 64)
    whole = logmel.log_mel(sound)[: 3 * 96]
    np.testing.assert_array_equal(patches.reshape(-1, 64), whole)


def test_a_patch_at_the_end_of_the_sound_is_followed_by_silence() -> None:
    sound = RNG.integers(-20000, 20000, 10_000, dtype=np.int16)
    [patch] = logmel.log_mel_patches(sound, np.array([4000]))
    [padded] = logmel.log_mel_patches(np.append(sound, np.zeros(9600, np.int16)), np.array([4000]))
    np.testing.assert_array_equal(patch, padded)
    np.testing.assert_allclose(patch[40:], np.log(0.01), rtol=1e-6)


def test_no_start_gives_no_patch() -> None:
    none = logmel.log_mel_patches(np.zeros(20_000, np.int16), np.empty(0, np.int64))
    assert none.shape == (0, 96, 64)
