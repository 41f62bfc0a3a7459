"""Flow in 8 bits, as I3D's motion stream was trained: clipped to a bound, mapped linearly."""

import numpy as np


def quantise(flow: np.ndarray, bound: float) -> np.ndarray:
    """Return round((v + bound) * 255 / (2 bound)) as uint8 of every v in `flow`, in pixels.

    Values beyond [-bound, bound] are clipped to it. Halves are rounded to even, so no movement
    (127.5) is level 128.
    """
    scaled = (np.clip(flow, -bound, bound) + np.float32(bound)) * np.float32(255 / (2 * bound))
    levels: np.ndarray = np.rint(scaled).astype(np.uint8)
    return levels


def dequantise(image: np.ndarray, bound: float) -> np.ndarray:
    """Return float32 pixels of the levels in `image`; within bound / 255 of what was quantised.

    Level 128, no movement, gives bound / 255.
    """
    return image.astype(np.float32) * np.float32(2 * bound / 255) - np.float32(bound)
