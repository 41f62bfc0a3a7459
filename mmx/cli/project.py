"""Open the project a command runs in.

Its modules are imported when a command needs them, so that help and completion answer at once.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmx.project import Project


def open_project() -> "Project":
    """Open the project that the working folder lies in; raise ParamsError where there is none."""
    from mmx import project
    from mmx.engine.startup import spare_pandas

    spare_pandas()
    return project.open_project()
