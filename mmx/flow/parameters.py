"""The parameters of Dual TV-L1, with OpenCV's defaults and meaning."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TVL1Params:
    """What determines a flow, for frames in grey levels of 0 to 255.

    Symbols are those of Zach, Pock and Bischof (2007) and of Sanchez, Meinhardt-Llopis and
    Facciolo (2013).
    """

    tau: float = 0.25
    """Time step of the dual variables."""
    lambda_: float = 0.15
    """Weight of the data term: the smaller, the smoother the flow."""
    theta: float = 0.3
    """Tightness between the flow u and its auxiliary v."""
    scales: int = 5
    """Most levels of the pyramid; a level with a side below 16 pixels is not made."""
    scale_step: float = 0.8
    """Size of a level by that of the next finer one, above 0 and below 1."""
    warps: int = 5
    """Linearisations per scale."""
    epsilon: float = 0.01
    """Iterations stop when the root mean square change of u, in pixels, is not above it."""
    inner_iterations: int = 30
    """Most iterations between two median filters."""
    outer_iterations: int = 10
    """Most median filters per warp."""
    median_filtering: int = 5
    """Side of the median filter in pixels: 1 (none), 3 or 5."""
    gamma: float = 0.0
    """Weight of a change of illumination; 0 assumes constant brightness."""
