"""The sound of clips as waves: how far each moment reaches from silence."""

from collections.abc import Sequence

import numpy as np

from mmx.media.clip import Clip
from mmx.stills.sheet import Cells

INK = (196, 204, 200)


def waves(samples: np.ndarray, rate: int, clips: Sequence[Clip], cells: Cells) -> list[np.ndarray]:
    """Return an RGB wave for each clip; the loudest of them fills its height.

    samples: int16 of the whole trailer, `rate` a second.
    """
    peaks = [_peaks(samples[_span(clip, rate)], cells.width) for clip in clips]
    loudest = max((float(each.max()) for each in peaks), default=0.0) or 1.0
    return [_draw(each / loudest, cells) for each in peaks]


def _span(clip: Clip, rate: int) -> slice:
    return slice(round(clip.start_s * rate), round(clip.stop_s * rate))


def _peaks(samples: np.ndarray, count: int) -> np.ndarray:
    """Return the largest of the absolute values in each of `count` equal parts."""
    if not len(samples):
        return np.zeros(count)
    edges = np.arange(count) * len(samples) // count
    return np.maximum.reduceat(np.abs(samples.astype(np.float64)), edges)


def _draw(heights: np.ndarray, cells: Cells) -> np.ndarray:
    """Return bars of these heights, 0..1, from the middle up and down."""
    away = np.abs(np.arange(cells.wave) - (cells.wave - 1) / 2)
    inked = away[:, None] <= np.maximum(heights * cells.wave / 2, 0.5)[None, :]
    return np.where(inked[..., None], np.array(INK, np.uint8), np.uint8(0))
