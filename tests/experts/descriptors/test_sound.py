"""Statistics of log-mel patches against numpy, and on sounds made for it."""

import numpy as np
import torch

from mmx.experts.descriptors.sound import WIDTH, MelStatistics
from mmx.experts.logmel import PATCH_SAMPLES, RATE, log_mel_patches


def described(sound: np.ndarray) -> np.ndarray:
    patches = log_mel_patches((20_000 * sound).astype(np.int16), np.array([0]))
    statistics: np.ndarray = MelStatistics()(torch.from_numpy(patches)[:, None])[0].numpy()
    return statistics


def tone(hertz: float) -> np.ndarray:
    return np.sin(2 * np.pi * hertz * np.arange(PATCH_SAMPLES) / RATE)


def test_the_formula() -> None:
    drawn = np.random.default_rng(0).normal(-1, 2, (3, 1, 96, 64)).astype(np.float32)
    ours = MelStatistics()(torch.from_numpy(drawn)).numpy()
    bands = (drawn[:, 0].astype(float) - np.log(0.01)) / 4.6
    deviation = bands.std(axis=1).reshape(3, 32, 2).mean(axis=2)
    change = np.abs(np.diff(bands, axis=1)).mean(axis=1).reshape(3, 32, 2).mean(axis=2)
    expected = np.concatenate([bands.mean(axis=1), deviation, 4 * change], axis=1)
    assert ours.shape == (3, WIDTH)
    np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-6)


def test_silence_is_zero() -> None:
    assert np.abs(described(np.zeros(PATCH_SAMPLES))).max() < 1e-6


def test_a_higher_tone_is_louder_in_a_higher_band() -> None:
    low, middle, high = (described(tone(hertz))[:64].argmax() for hertz in (200, 1000, 5000))
    assert low < middle < high


def test_a_steady_tone_changes_less_than_beats() -> None:
    beats = tone(1000) * (np.arange(PATCH_SAMPLES) % 4000 < 2000)
    assert described(beats)[64:].sum() > 5 * described(tone(1000))[64:].sum()


def test_values_are_bounded() -> None:
    loudest = np.sign(np.random.default_rng(0).normal(size=PATCH_SAMPLES))
    assert np.abs(described(loudest)).max() < 4
