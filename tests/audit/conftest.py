"""A simulated project for the tests of this folder."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "shared"))

from projects import (
    changed,
    flip,
    outputs,
    project,
    recipes,
    replace_file,
    rerun,
    whole,
)

__all__ = ["changed", "flip", "outputs", "project", "recipes", "replace_file", "rerun", "whole"]
