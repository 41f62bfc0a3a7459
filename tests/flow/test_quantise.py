import numpy as np
import pytest

from mmx.flow.quantise import dequantise, quantise


def test_levels_of_known_movements() -> None:
    flow = np.array([-1e9, -20.0, -19.93, 0.0, 10.0, 20.0, 1e9, np.inf], np.float32)
    assert quantise(flow, 20.0).tolist() == [0, 0, 0, 128, 191, 255, 255, 255]


@pytest.mark.parametrize("bound", [5.0, 20.0, 32.0])
def test_what_comes_back_is_within_half_a_level(bound: float) -> None:
    flow = np.random.default_rng(0).uniform(-bound, bound, (50, 60, 2)).astype(np.float32)
    image = quantise(flow, bound)
    assert image.dtype == np.uint8
    assert np.abs(dequantise(image, bound) - flow).max() <= bound / 255 * (1 + 1e-4)
    assert np.array_equal(quantise(dequantise(image, bound), bound), image)
