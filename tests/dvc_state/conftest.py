"""A simulated project for the tests of this folder."""

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
