"""The log-mel spectrogram on which VGGish was trained (Hershey et al. 2017), in numpy.

Common libraries define it differently. Here the window is
*periodic*, the spectrum is the *magnitude* and not the power, the triangles are straight in *mel*
and not in Hertz and are not normalised, the constant bin lies below them all, and the logarithm is
natural with an offset of 0.01.
"""

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

RATE = 16000
"""Hertz."""
WINDOW = 400
"""Samples: 25 ms."""
HOP = 160
"""Samples: 10 ms."""
FFT = 512
"""The window is padded with zeros to this many samples."""
BANDS = 64
LOWEST, HIGHEST = 125.0, 7500.0
"""Hertz: outer edges of the first and the last triangle."""
OFFSET = 0.01
FRAMES = 96
"""Spectrogram frames per patch: 0.96 s."""
PATCH_SAMPLES = WINDOW + (FRAMES - 1) * HOP
"""Sound samples that a patch needs: 15,600, of which the last 240 also belong to the next patch."""
PATCH_STEP = FRAMES * HOP
"""Sound samples from one patch to the next: 15,360."""

FloatArray = npt.NDArray[np.float64]


def log_mel(samples: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Return the log-mel spectrogram of mono sound at 16 kHz.

    `samples` (..., n) is int16, or float in [-1, 1]; the result is (..., 1 + (n - 400) // 160, 64),
    each value at least log(0.01) = -4.6. Raises ValueError below one window, 400 samples.
    """
    if samples.shape[-1] < WINDOW:
        raise ValueError(f"a spectrogram needs {WINDOW} samples, not {samples.shape[-1]}")
    sound = samples / 32768 if samples.dtype == np.int16 else samples.astype(np.float64)
    windows = np.lib.stride_tricks.sliding_window_view(sound, WINDOW, axis=-1)[..., ::HOP, :]
    magnitude = np.abs(np.fft.rfft(windows * _periodic_hann(WINDOW), FFT))
    return np.log(magnitude @ mel_matrix() + OFFSET).astype(np.float32)


def log_mel_patches(
    sound: npt.NDArray[np.int16], starts: npt.NDArray[np.int64]
) -> npt.NDArray[np.float32]:
    """Return the patches (P, 96, 64) of `sound` (n,) that begin at the P samples `starts`.

    Sound that ends before a patch does is followed by silence.
    """
    short = max([0, *(starts + PATCH_SAMPLES - len(sound))])
    whole = np.pad(sound, (0, short))
    return log_mel(whole[starts[:, None] + np.arange(PATCH_SAMPLES)])


def _periodic_hann(length: int) -> FloatArray:
    """Return a Hann window whose period is `length`: the zero at its end is left out."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)


def hertz_to_mel(frequency: npt.NDArray[Any]) -> FloatArray:
    """Map Hertz to mel: 1127 ln(1 + f / 700)."""
    return 1127 * np.log1p(frequency / 700)


@cache
def mel_matrix() -> FloatArray:
    """Return the weights (257, 64) that sum magnitudes of an FFT to overlapping mel bands."""
    bins = hertz_to_mel(np.fft.rfftfreq(FFT, 1 / RATE))[:, None]
    lowest, highest = hertz_to_mel(np.array([LOWEST, HIGHEST]))
    edges = np.linspace(float(lowest), float(highest), BANDS + 2)
    lower, centre, upper = edges[:-2], edges[1:-1], edges[2:]
    rising, falling = (bins - lower) / (centre - lower), (upper - bins) / (upper - centre)
    return np.maximum(0, np.minimum(rising, falling))
