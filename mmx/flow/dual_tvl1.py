"""Dual TV-L1 optical flow on the CPU, one pair of frames on one core.

Zach, Pock and Bischof (2007) introduced the method; Sanchez, Meinhardt-Llopis and Facciolo (2013)
describe the algorithm that OpenCV has. Meaning of every parameter, borders, order of steps,
stopping rule and rounding are those of OpenCV 5.0, so that the flow is the same to the bit.
"""

import cv2
import numpy as np

from mmx.flow.parameters import TVL1Params
from mmx.flow.pyramid import Backend, coarse_to_fine, level_sizes
from mmx.flow.scale import Scale, prepare

DEFAULTS = TVL1Params()


class TVL1:
    """The flow between frames of one size; keeps its work space from pair to pair.

    One thread at a time may use it.
    """

    def __init__(self, rows: int, width: int, params: TVL1Params = DEFAULTS) -> None:
        """Allocate for frames of rows x width pixels; ValueError when a side is below 2."""
        if min(rows, width) < 2:
            raise ValueError(f"frames of {rows}x{width} pixels have no gradient")
        prepare(params.gamma != 0.0)
        self._params = params
        self._shape = (rows, width)
        self._scales = {size: Scale(*size, params) for size in level_sizes(rows, width, params)}
        self._backend = Backend(_resize, _enlarge, self._solve)

    def flow(self, prev: np.ndarray, next_: np.ndarray) -> np.ndarray:
        """Return the movement from `prev` to `next_`: float32 (H, W, 2), pixels right and down.

        The frames are (H, W), uint8 or floating point with grey levels of 0 to 1, both alike;
        ValueError otherwise.
        """
        if prev.shape != self._shape or next_.shape != self._shape or prev.dtype != next_.dtype:
            raise ValueError(
                f"two frames {self._shape} of one type are needed, not {prev.dtype} {prev.shape}"
                f" and {next_.dtype} {next_.shape}"
            )
        flow = coarse_to_fine(grey_levels(prev), grey_levels(next_), self._params, self._backend)
        steps: np.ndarray = cv2.merge([flow[0], flow[1]])
        return steps

    def _solve(self, prev: np.ndarray, next_: np.ndarray, flow: np.ndarray | None) -> np.ndarray:
        return self._scales[prev.shape].solve(prev, next_, flow)


def tvl1(prev: np.ndarray, next_: np.ndarray, params: TVL1Params = DEFAULTS) -> np.ndarray:
    """Return the movement from `prev` to `next_`: float32 (H, W, 2), pixels right and down.

    The frames are (H, W) with sides of at least 2 pixels, uint8 or floating point with grey levels
    of 0 to 1, both alike; ValueError otherwise. For many pairs of one size, `TVL1` allocates
    only once.
    """
    if prev.ndim != 2:
        raise ValueError(f"a frame has two dimensions, not {prev.ndim}")
    rows, width = prev.shape
    return TVL1(rows, width, params).flow(prev, next_)


def grey_levels(frame: np.ndarray) -> np.ndarray:
    """Return float32 grey levels of 0 to 255 of a uint8 frame, or of a floating one of 0 to 1."""
    if frame.dtype == np.uint8:
        return frame.astype(np.float32)
    if np.issubdtype(frame.dtype, np.floating):
        return frame.astype(np.float32) * np.float32(255.0)
    raise ValueError(f"a frame is uint8 or floating point, not {frame.dtype}")


def _resize(images: np.ndarray, size: tuple[int, int], step: float | None) -> np.ndarray:
    """Bilinear resize of (..., rows, width) by OpenCV."""
    resized = np.empty((*images.shape[:-2], *size), np.float32)
    for index in np.ndindex(images.shape[:-2]):
        if step is None:
            cv2.resize(images[index], size[::-1], dst=resized[index])
        else:
            cv2.resize(images[index], None, dst=resized[index], fx=step, fy=step)
    return resized


def _enlarge(images: np.ndarray, factor: float) -> None:
    """Multiply by a number in float64, unless float32 has it, which is the same."""
    single = np.float32(factor)
    images *= single if float(single) == factor else np.float64(factor)
