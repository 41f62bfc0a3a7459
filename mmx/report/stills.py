"""Stills of films for the page: sheets inside it while they are few, else files beside it.

A page reads nothing but its own folder, so that it opens from a file system without a server.
"""

import base64
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from mmx.stills.sheet import Cells


@dataclass(frozen=True)
class Stills:
    """The sheets of films, by position of the film."""

    files: Mapping[int, Path] = field(default_factory=dict)
    clips: Mapping[int, int] = field(default_factory=dict)
    """How many clips each sheet shows."""
    cells: Cells = field(default_factory=lambda: Cells(176))
    moving: bool = True
    """Whether the sheets show flow and sound, too."""


def stills_data(stills: Stills, films: int, page: Path, inside: float) -> dict[str, Any]:
    """Return what the explorer needs to show the stills of so many films; empty without any.

    The sheets are data URLs if they have at most `inside` megabytes together, else addresses
    relative to the page.
    """
    if not stills.files:
        return {}
    within = is_inside(stills, inside)
    address = {
        film: _data_url(path) if within else _relative(path, page)
        for film, path in stills.files.items()
    }
    cells = stills.cells
    return {
        "sheets": [address.get(film, "") for film in range(films)],
        "clips": [stills.clips.get(film, 0) for film in range(films)],
        "width": cells.width,
        "height": cells.height,
        "wave": cells.wave if stills.moving else 0,
        "flow": stills.moving,
        "previews": cells.previews,
    }


def is_inside(stills: Stills, most: float) -> bool:
    """Return whether the sheets have at most so many megabytes together."""
    return sum(path.stat().st_size for path in stills.files.values()) <= most * 1e6


def _data_url(path: Path) -> str:
    return "data:image/webp;base64," + base64.b64encode(path.read_bytes()).decode("ascii")


def _relative(path: Path, page: Path) -> str:
    return quote(Path(os.path.relpath(path, page.parent)).as_posix())
