"""When iterations stop: OpenCV's rule, including its order of additions."""

from typing import NamedTuple

import numpy as np

from mmx.flow.parameters import TVL1Params


class Stop(NamedTuple):
    """The sum of squared changes at which iterations stop."""

    value: np.float32
    """They stop when the sum is not above it, added up pixel by pixel in float32, as by OpenCV."""
    below: float
    """Not above this, the order of additions does not matter."""
    above: float
    """Nor does it above this."""


def stop_for(params: TVL1Params, pixels: int) -> Stop:
    """Return when the iterations on a scale of so many pixels stop."""
    return stop_at(params.epsilon * params.epsilon * pixels, pixels)


def stop_at(value: float | np.float32, pixels: int) -> Stop:
    """Return when iterations stop, and how far the order of additions can move a sum.

    Each addition of n positive float32 numbers moves it by 2^-24 at most; the solvers' own sums
    have far less than 1000 additions one upon the other.
    """
    value = np.float32(value)
    slack = (pixels + 1000) * 2.0**-24
    if slack >= 1.0:
        return Stop(value, 0.0, np.inf)
    return Stop(value, float(value) * (1.0 - slack), float(value) / (1.0 - slack))
