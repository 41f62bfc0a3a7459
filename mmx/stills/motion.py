"""Optical flow as a picture: hue says where it moves, brightness how much; black is rest."""

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np

from mmx.flow.store import FlowReader

NONE = 128
"""The level of a flow image that says: no movement."""
LEAST = 6.0
"""Levels that are drawn at full brightness at least, so that noise stays dark."""


def flow_pictures(path: Path, middles: Mapping[int, int]) -> dict[int, np.ndarray]:
    """Return an RGB picture of the flow nearest to a frame, for each clip of `middles` by index.

    A clip without flow has none. Raise DamagedFlowError for a damaged file.
    """
    nearest: dict[int, tuple[int, bytes]] = {}
    with FlowReader(path) as reader:
        for pair, packet in reader.records():
            if pair.clip not in middles:
                continue
            away = abs(pair.prev_index - middles[pair.clip])
            if pair.clip not in nearest or away < nearest[pair.clip][0]:
                nearest[pair.clip] = away, packet
        return {clip: _draw(reader.decode(packet)) for clip, (_, packet) in nearest.items()}


def _draw(levels: np.ndarray) -> np.ndarray:
    """Return the uint8 RGB picture of H x W x 2 levels: to the right, then down.

    The fastest fiftieth of the picture has full brightness.
    """
    across, down = np.moveaxis(levels.astype(np.float32) - NONE, -1, 0)
    speed, angle = cv2.cartToPolar(across, down, angleInDegrees=True)
    full = max(float(np.quantile(speed, 0.98)), LEAST)
    value = np.rint(255 * np.minimum(speed / full, 1)).astype(np.uint8)
    hue = np.rint(angle / 2).astype(np.uint8) % 180
    hsv = np.stack([hue, np.full_like(hue, 170), value], axis=-1)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
