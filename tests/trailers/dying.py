"""A reader that kills its process, in a module that a new process can import."""

import os
from pathlib import Path

from mmx.media.faults import Limits
from mmx.trailers.inspection_log import Inspection


def read_or_die(paths: list[Path], limits: Limits) -> list[Inspection]:
    """Kill the process at a text file, as a decoder might; find nothing in other files."""
    if any(path.name == "text.mp4" for path in paths):
        os._exit(9)
    return [Inspection("0" * 64, 1, None, "read") for _ in paths]
