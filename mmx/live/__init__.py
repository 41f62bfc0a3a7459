"""`mmx report --serve`: a run as it goes on, and the report, on this machine alone."""

from mmx.live.server import serve
from mmx.live.state import Watch

__all__ = ["Watch", "serve"]
