"""Projects whose limits on hosts leave tests no wait."""

from dataclasses import replace
from typing import Any

from mmx.params import FetchParams
from mmx.project import Project

QUICK: dict[str, Any] = {"interval_s": 0.0, "rate_mb_s": 1000.0, "timeout_s": 60.0, "tries": 3}


def with_limits(project: Project, **limits: Any) -> Project:
    """The project with these limits and otherwise those of QUICK."""
    params = project.params.model_copy(update={"fetch": FetchParams(**(QUICK | limits))})
    return replace(project, params=params)
