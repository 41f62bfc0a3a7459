"""What a fingerprint covers, and whether an item differs from a receipt in code or tools only."""

from collections.abc import Callable
from functools import cache
from typing import Any

from mmx.engine.code import code_digest
from mmx.engine.imports import imported_modules
from mmx.engine.receipt import Ingredients, Receipt, Weight
from mmx.pipeline.step import ItemStep, TrailerStep, parameters_of
from mmx.pipeline.upstream import STREAM_COLUMNS, Upstream
from mmx.project import Project
from mmx.tools import tool_versions

NEUTRAL = (
    "mmx.engine",
    "mmx.errors",
    "mmx.experts.registry",
    "mmx.layout",
    "mmx.media.meter",
    "mmx.outputs",
    "mmx.params",
    "mmx.pipeline",
    "mmx.project",
    "mmx.rates",
)
"""Modules that do not affect results: bookkeeping, types, paths, limits."""


def step_modules(step: ItemStep) -> tuple[str, ...]:
    """Return the modules whose code determines a step's results, sorted."""
    return _reached(step.code)


@cache
def _reached(starts: tuple[str, ...]) -> tuple[str, ...]:
    return imported_modules(starts, NEUTRAL)


@cache
def _code(starts: tuple[str, ...]) -> str:
    return code_digest(_reached(starts))


def step_code(step: ItemStep) -> str:
    """Return the digest of the code that determines a step's results."""
    return _code(step.code)


def ingredients_of(step: ItemStep, project: Project) -> Callable[[dict[str, str]], Ingredients]:
    """Return a function from an item's inputs to its ingredients; the others are common to all."""
    parameters = parameters_of(step, project.params)
    code, tools = step_code(step), tool_versions(step.tools)
    weights = step.weights(project) if isinstance(step, TrailerStep) else ()

    def ingredients(inputs: dict[str, str]) -> Ingredients:
        return Ingredients(step.name, step.schema, inputs, parameters, code, tools, weights)

    return ingredients


def differs_in_code_alone(
    step: TrailerStep, new: Ingredients, old: Receipt, upstream: Upstream, trailer: str
) -> bool:
    """Return whether an item differs from a receipt in code, tools or interpreter only.

    Inputs are equal if the receipt names the same streams or, in earlier versions, the same file;
    parameters if they are equal after normalisation, with birth values for those added since.
    """
    made = old.ingredients
    if made == new:
        return False
    same = same_inputs(new.inputs, made.inputs, upstream.sources[trailer]["sha256"])
    return (
        same
        and _means_the_same(step, made.parameters, new.parameters)
        and _weights_of(made.weights) == _weights_of(new.weights)
    )


def same_inputs(new: dict[str, str], old: dict[str, str], file: str) -> bool:
    """Return whether two items had the same inputs; `file` is the sha256 of the present video."""
    if old == new:
        return True
    named_the_file = {role: digest for role, digest in new.items() if role not in STREAM_COLUMNS}
    return old == {**named_the_file, "video": file}


def _means_the_same(step: ItemStep, old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Return whether the parameters of a receipt and of an item are equal after normalisation."""
    try:
        return step.normalise(old) == new
    except (KeyError, AttributeError, TypeError):
        return False


def _weights_of(weights: tuple[Weight, ...]) -> list[str]:
    """Return the part of the weights that a fingerprint covers."""
    return sorted(weight.sha256 for weight in weights)
