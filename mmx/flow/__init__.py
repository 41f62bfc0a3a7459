"""Dual TV-L1 optical flow: `tvl1` for two frames; sampling, quantising and the flow file."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmx.flow.dual_tvl1 import tvl1
    from mmx.flow.parameters import TVL1Params

__all__ = ["TVL1Params", "tvl1"]
_MODULES = {"tvl1": "mmx.flow.dual_tvl1", "TVL1Params": "mmx.flow.parameters"}


def __getattr__(name: str) -> Any:
    """Import the solver at its first use: it loads OpenCV and compiled kernels."""
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    raise AttributeError(f"module 'mmx.flow' has no attribute {name!r}")
