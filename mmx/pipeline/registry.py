"""The steps there are, found by their files in mmx/steps/, each after what it needs."""

import pkgutil
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import TypeVar

import mmx.steps
from mmx.engine.run import Outcome
from mmx.params import Params, Section
from mmx.pipeline.step import ItemStep, Step, TrailerStep, UnknownStepError
from mmx.project import Project

AnyStep = TypeVar("AnyStep", bound=Step)


@cache
def step_modules() -> tuple[ModuleType, ...]:
    """Return every module of mmx/steps/, by name."""
    names = sorted(entry.name for entry in pkgutil.iter_modules(mmx.steps.__path__))
    return tuple(import_module(f"{mmx.steps.__name__}.{name}") for name in names)


def step_sections() -> Mapping[str, type[Section]]:
    """Return the sections of params.yaml that steps declare themselves, by their key."""
    single = [module.STEP for module in step_modules() if hasattr(module, "STEP")]
    return {step.name: step.section for step in single if step.section is not None}


def all_steps(params: Params) -> list[Step]:
    """Return every step, families as params.yaml has them, each after what it needs.

    Among those that need equally much, single steps come before families, then by name.
    """
    found: list[Step] = []
    family: set[str] = set()
    for module in step_modules():
        if hasattr(module, "STEP"):
            found.append(module.STEP)
        else:
            members = module.steps(params)
            family |= {step.name for step in members}
            found += members
    by_name = {step.name: step for step in found}
    return sorted(found, key=lambda step: (_depth(step, by_name), step.name in family, step.name))


def _depth(step: Step, by_name: Mapping[str, Step]) -> int:
    """Return the length of the longest chain of steps that leads to this one."""
    needs = step.needs if isinstance(step, ItemStep) else ()
    return max((1 + _depth(by_name[name], by_name) for name in needs if name in by_name), default=0)


def item_steps(params: Params) -> list[ItemStep]:
    """Return the steps that leave receipts, each after what it needs."""
    return [step for step in all_steps(params) if isinstance(step, ItemStep)]


def trailer_steps(params: Params) -> list[TrailerStep]:
    """Return the steps whose items are trailers, each after what it needs."""
    return [step for step in all_steps(params) if isinstance(step, TrailerStep)]


def find_step(name: str, params: Params) -> Step:
    """Return a step by name; raise UnknownStepError naming those there are."""
    steps = {step.name: step for step in all_steps(params)}
    if name not in steps:
        raise UnknownStepError(f"there is no step {name!r}; there are {', '.join(steps)}")
    return steps[name]


def known_step(name: str, params: Params) -> Step | None:
    """Return a step by name, also a member of a family that params.yaml does not list by now.

    None for a name that no step ever had.
    """
    for step in all_steps(params):
        if step.name == name:
            return step
    family, _, member = name.partition("@")
    for module in step_modules():
        if member and getattr(module, "FAMILY", "") == family:
            found: Step | None = module.known_member(member)
            return found
    return None


def with_needs(steps: Iterable[Step], params: Params) -> list[TrailerStep]:
    """Return steps of trailers and all that they need, each after what it needs."""
    ordered: dict[str, TrailerStep] = {}

    def visit(step: Step | None) -> None:
        if isinstance(step, TrailerStep) and step.name not in ordered:
            for need in step.needs:
                visit(known_step(need, params))
            ordered[step.name] = step

    for step in steps:
        visit(step)
    return list(ordered.values())


def run_step(name: str, project: Project) -> Outcome | None:
    """Run a step by name, as `Step.run` does."""
    return find_step(name, project.params).run(project)


def find_item_step(name: str, params: Params) -> ItemStep:
    """Return a step that leaves receipts; raise UnknownStepError naming those there are."""
    return _one_of(name, item_steps(params))


def find_trailer_step(name: str, params: Params) -> TrailerStep:
    """Return a step of trailers by name; raise UnknownStepError naming those there are."""
    return _one_of(name, trailer_steps(params))


def _one_of(name: str, steps: list[AnyStep]) -> AnyStep:
    for step in steps:
        if step.name == name:
            return step
    known = ", ".join(step.name for step in steps)
    raise UnknownStepError(f"there is no such step {name!r}; there are {known}")


def all_tools() -> tuple[str, ...]:
    """Return every tool that any step names, or any that a family may have; sorted."""
    named = [
        module.STEP.tools if hasattr(module, "STEP") else module.tools()
        for module in step_modules()
    ]
    return tuple(sorted({tool for tools in named for tool in tools}))
