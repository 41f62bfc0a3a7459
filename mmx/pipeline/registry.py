"""All steps, found by their files in mmx/steps/ and sorted by dependency."""

import pkgutil
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import TypeVar

import mmx.steps
from mmx.engine.run import Outcome
from mmx.errors import did_you_mean
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
    """Return every step in the order of dependencies, families with the members in params.yaml.

    At equal depth single steps come before families, then by name.
    """
    found: list[Step] = []
    family: set[str] = set()
    for module in step_modules():
        if hasattr(module, "STEP"):
            found.append(module.STEP)
        else:
            members = module.steps(params)
            family |= {step.name for step in members if hasattr(module, "FAMILY")}
            found += members
    by_name = {step.name: step for step in found}
    return sorted(found, key=lambda step: (_depth(step, by_name), step.name in family, step.name))


def _depth(step: Step, by_name: Mapping[str, Step]) -> int:
    """Return the length of the longest chain of dependencies of a step."""
    needs = step.needs if isinstance(step, ItemStep) else ()
    return max((1 + _depth(by_name[name], by_name) for name in needs if name in by_name), default=0)


def item_steps(params: Params) -> list[ItemStep]:
    """Return the steps that have receipts, in the order of dependencies."""
    return [step for step in all_steps(params) if isinstance(step, ItemStep)]


def steps_with_results(project: Project) -> list[ItemStep]:
    """Return the steps of `item_steps`, and ablations that only the work tree still has."""
    listed = item_steps(project.params)
    folders = sorted(project.layout.ablations.glob("*/"))
    made = (known_step(f"ablate@{path.name}", project.params) for path in folders)
    return [*listed, *(step for step in made if isinstance(step, ItemStep) and step not in listed)]


def trailer_steps(params: Params) -> list[TrailerStep]:
    """Return the steps whose items are trailers, in the order of dependencies."""
    return [step for step in all_steps(params) if isinstance(step, TrailerStep)]


def find_step(name: str, params: Params) -> Step:
    """Return a step by name; UnknownStepError lists the known ones."""
    return _one_of(name, all_steps(params))


def known_step(name: str, params: Params) -> Step | None:
    """Return a step by name, including members of families that params.yaml no longer lists.

    None for an unknown name.
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
    """Return steps of trailers with all their dependencies, in the order of dependencies."""
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
    """Return a step that has receipts; UnknownStepError lists the known ones."""
    return _one_of(name, item_steps(params))


def find_trailer_step(name: str, params: Params) -> TrailerStep:
    """Return a step of trailers by name; UnknownStepError lists the known ones."""
    steps = trailer_steps(params)
    if name in {step.name for step in all_steps(params)} - {step.name for step in steps}:
        raise UnknownStepError(
            f"{name} reads all trailers at once: `dvc repro {name}` runs it; steps whose items are "
            f"trailers: {', '.join(step.name for step in steps)}"
        )
    return _one_of(name, steps)


def _one_of(name: str, steps: list[AnyStep]) -> AnyStep:
    for step in steps:
        if step.name == name:
            return step
    known = [step.name for step in steps]
    near = did_you_mean(name, known)
    raise UnknownStepError(f"there is no step {name!r}{near or f'; there are {_listed(known)}'}")


def _listed(names: list[str]) -> str:
    """Return names in a row, a long family by its first member."""
    families = Counter(name.partition("@")[0] for name in names)
    seen: dict[str, str] = {}
    for name in names:
        family = name.partition("@")[0]
        seen.setdefault(family if families[family] > _MANY else name, name)
    return ", ".join(
        f"{name} and {families[key] - 1} more of {key}" if families[key] > _MANY else name
        for key, name in seen.items()
    )


_MANY = 6
"""Members of a family that a message names."""


def all_tools() -> tuple[str, ...]:
    """Return the tools of all steps, including possible members of families; sorted."""
    named = [
        module.STEP.tools if hasattr(module, "STEP") else module.tools()
        for module in step_modules()
    ]
    return tuple(sorted({tool for tools in named for tool in tools}))
