"""A project of the template, and a host on this machine."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fetch_limits import with_limits
from video_server import Host, serving

from mmx.layout import Layout
from mmx.project import Project, open_project

TOP = Path(__file__).parents[2]


@pytest.fixture
def host() -> Iterator[Host]:
    with serving() as found:
        yield found


@pytest.fixture
def project(tmp_path: Path) -> Project:
    root = tmp_path / "project"
    root.mkdir()
    shutil.copy(TOP / "params.yaml", root)
    return with_limits(open_project(root))


@pytest.fixture
def listed(project: Project, host: Host) -> Callable[..., Path]:
    """Write a list of plain paths at the host, or of YouTube's ids."""

    def written(*names: str, column: str = "url") -> Path:
        path = project.layout.root / "list.csv"
        cells = (host.url(name) if column == "url" else name for name in names)
        rows = [f"Film {n},{1990 + n},Drama,{cell}" for n, cell in enumerate(cells)]
        path.write_text("\n".join([f"title,year,genres,{column}", *rows]) + "\n")
        return path

    return written


@pytest.fixture
def layout(project: Project) -> Layout:
    return project.layout
