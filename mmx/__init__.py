"""mmx rebuilds MMX-Trailer-20 and its paper as a pipeline in which every feature row has a past.

As a library: `load_model`, `TrailerDataset` and `predict` here, `mmx.features.load` and
`mmx.flow.tvl1`. They are imported when they are first used, so that `import mmx` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmx import features, flow
    from mmx.library import Model, TrailerDataset, load_model, predict

__all__ = ["Model", "TrailerDataset", "features", "flow", "load_model", "predict"]


def __getattr__(name: str) -> Any:
    """Import a name of the library, or a package, at its first use."""
    if name in ("features", "flow"):
        return import_module(f"mmx.{name}")
    if name in __all__:
        return getattr(import_module("mmx.library"), name)
    raise AttributeError(f"module 'mmx' has no attribute {name!r}")
