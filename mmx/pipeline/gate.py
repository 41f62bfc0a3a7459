"""The cost gate: stop before hours are spent on results that only code or tools made stale."""

from collections.abc import Iterable, Sequence

from mmx.dvc_state.cached import CachedOutput
from mmx.dvc_state.history import History
from mmx.engine.canonical import data_digest
from mmx.engine.receipt import Receipt
from mmx.engine.run import Task
from mmx.errors import UserError
from mmx.pipeline.changes import changed_files, describe
from mmx.pipeline.cost import hours
from mmx.pipeline.ingredients import differs_in_code_alone, step_code
from mmx.pipeline.step import ItemStep, TrailerStep
from mmx.pipeline.upstream import Upstream
from mmx.project import Project
from mmx.tools import tool_versions


class StaleCodeError(UserError):
    """Results are stale because of code or tools alone, and recomputing them would take long."""

    exit_code = 4


def refuse_costly_recomputation(
    step: TrailerStep,
    upstream: Upstream,
    cached: CachedOutput,
    misses: Sequence[Task],
    shards: int = 1,
) -> None:
    """Raise StaleCodeError if results stale by code or tools alone cost too much to recompute.

    misses: the items to be computed, or one of `shards` equal parts of them. Not raised if
    `mmx renew` was called for the step with the present code and tools.
    """
    project = upstream.project
    stale = _stale_items(step, upstream, cached, misses)
    cost = shards * hours(step, upstream, stale) if stale else 0.0
    if cost <= project.params.run.ask_above or _is_renewed(step, project):
        return
    name = step.name
    raise StaleCodeError(
        f"{name}: {len(stale)} finished items would be computed again{_shared(shards)}, which "
        f"takes about {cost:.1f} hours, only because code or tools changed:\n"
        + "".join(f"  {line}\n" for line in _what_changed(step, project, stale.values()))
        + f"`mmx adopt {name}` recomputes a sample and keeps the rest if it is bit-equal; "
        f"`mmx renew {name}` allows all of them to be recomputed; then run `dvc repro` again. "
        f"run.ask_above is {project.params.run.ask_above:g} hours."
    )


def _shared(shards: int) -> str:
    return f" in this of {shards} shards" if shards > 1 else ""


def _stale_items(
    step: TrailerStep, upstream: Upstream, cached: CachedOutput, misses: Iterable[Task]
) -> dict[str, Receipt]:
    """Return the earlier receipt of each trailer whose item differs in code or tools only."""
    known = cached.by_item
    return {
        task.item: known[task.item]
        for task in misses
        if task.item in known
        and differs_in_code_alone(step, task.ingredients, known[task.item], upstream, task.item)
    }


def _what_changed(step: ItemStep, project: Project, stale: Iterable[Receipt]) -> list[str]:
    """Return a line for each changed source file and tool, as far as they are known."""
    tools = tool_versions(step.tools)
    before: dict[str, set[str]] = {name: set() for name in tools}
    for receipt in stale:
        for name, version in receipt.ingredients.tools.items():
            before.setdefault(name, set()).add(version)
    lines = [
        f"{name} {', '.join(sorted(old)) or 'none'} -> {tools.get(name, 'none')}"
        for name, old in sorted(before.items())
        if old != {tools.get(name)}
    ]
    base = next(History(project.layout.root).versions(step.output.folder), None)
    if base is not None and base.commit is not None:
        lines += describe(changed_files(step, project.layout.root, base.commit.sha))
    return lines or ["the code of the step (the files are not known)"]


def renewal(step: ItemStep) -> str:
    """Return the digest of the step's code and tools, for which `mmx renew` is recorded."""
    return data_digest({"code": step_code(step), "tools": tool_versions(step.tools)})


def _is_renewed(step: ItemStep, project: Project) -> bool:
    """Return whether `mmx renew` was called for the step with the present code and tools."""
    return project.store.renewed(step.name) == renewal(step)
