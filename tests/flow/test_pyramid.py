from typing import Any

import numpy as np
import pytest

from mmx.flow.parameters import TVL1Params
from mmx.flow.pyramid import Backend, coarse_to_fine, level_sizes


@pytest.mark.parametrize(
    ("size", "params", "expected"),
    [
        ((224, 527), {}, [(224, 527), (179, 422), (143, 338), (114, 270), (91, 216)]),
        ((20, 200), {}, [(20, 200), (16, 160)]),
        ((8, 9), {}, [(8, 9)]),
        ((64, 64), {"scale_step": 0.5, "scales": 9}, [(64, 64), (32, 32), (16, 16)]),
        ((64, 64), {"scales": 2}, [(64, 64), (51, 51)]),
        ((50, 70), {"scale_step": 0.75, "scales": 2}, [(50, 70), (38, 52)]),
    ],
)
def test_level_sizes(
    size: tuple[int, int], params: dict[str, Any], expected: list[tuple[int, int]]
) -> None:
    assert level_sizes(*size, TVL1Params(**params)) == expected


def test_flow_is_handed_down_in_pixels_of_each_level() -> None:
    """A made-up solver that adds one pixel per level, on arrays of zeros."""
    calls = []

    def resize(images: np.ndarray, size: tuple[int, int], step: float | None) -> np.ndarray:
        calls.append((images.ndim, size, step))
        return images[..., :1, :1] * np.ones(size)

    def solve(prev: np.ndarray, next_: np.ndarray, flow: np.ndarray | None) -> np.ndarray:
        start = np.zeros((3, *prev.shape)) if flow is None else flow
        return start + 1.0

    def enlarge(images: np.ndarray, factor: float) -> None:
        images *= factor

    params = TVL1Params(scales=3, scale_step=0.5)
    frame = np.zeros((64, 80))
    flow = coarse_to_fine(frame, frame, params, Backend(resize, enlarge, solve))
    assert flow.shape == (3, 64, 80)
    assert flow[:, 0, 0].tolist() == [7.0, 7.0, 3.0]
    down = [(2, (32, 40), 0.5)] * 2 + [(2, (16, 20), 0.5)] * 2
    assert calls == [*down, (3, (32, 40), None), (3, (64, 80), None)]
