"""Fetch a list in a process that can be killed: python fetching.py PROJECT LIST."""

import sys
from dataclasses import replace
from pathlib import Path

from mmx.acquisition.run import fetch
from mmx.params import FetchParams
from mmx.project import open_project

if __name__ == "__main__":
    project = open_project(Path(sys.argv[1]))
    quick = FetchParams(interval_s=0, rate_mb_s=1000)
    params = project.params.model_copy(update={"fetch": quick})
    fetch(replace(project, params=params), Path(sys.argv[2]))
