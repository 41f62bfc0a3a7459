"""Fixtures of a simulated project."""

from projects import project, recipes, whole

__all__ = ["project", "recipes", "whole"]
