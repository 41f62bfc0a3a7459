"""Around a run: what is done, what it would cost, what to keep."""

from typing import Annotated

import typer

from mmx.cli.console import print_json, print_table
from mmx.cli.options import Json
from mmx.project import open_project

app = typer.Typer()


@app.command(epilog="Example: mmx status --json | jq '.faults'")
def status(json: Json = False) -> None:
    """Say what is done, failed, pending and blocked, step by step, and why."""
    from mmx.upkeep.status import project_status

    found = project_status(open_project())
    if json:
        print_json(found)
        return
    columns = ("step", "done", "failed", "pending", "blocked")
    print_table(columns, [[getattr(step, name) for name in columns] for step in found.steps])
    for fault in found.faults:
        print(f"{fault.step}  {fault.trailer}: {fault.reason}")


@app.command(epilog="Example: mmx plan")
def plan(json: Json = False) -> None:
    """Say how many items a run would compute, and from measured rates at what cost."""
    from mmx.upkeep.plan import project_plan

    plans = project_plan(open_project())
    if json:
        print_json(plans)
        return
    columns = ("step", "compute", "reuse", "seconds_per_item", "hours", "terabytes")
    print_table(columns, [[getattr(step, name) for name in columns] for step in plans])


@app.command(epilog="Example: mmx retry scenes")
def retry(
    step: Annotated[str | None, typer.Argument(help="Only this step.")] = None,
) -> None:
    """Forget recorded faults, so that the next `dvc repro` tries those trailers again."""
    from mmx.upkeep.retry import retry as mark

    print(f"{mark(open_project(), step)} faults will be tried again by `dvc repro`")


@app.command(epilog="Example: mmx adopt flow --sample 20")
def adopt(
    step: Annotated[
        str | None, typer.Argument(help="Step whose code or tools changed; all if none.")
    ] = None,
    sample: Annotated[int, typer.Option(min=1, help="Items to compute again.")] = 10,
    seed: Annotated[int, typer.Option(help="Which items are drawn.")] = 0,
    json: Json = False,
) -> None:
    """Compute a sample with the present code; if it is bit-equal, keep all other results.

    For results that are stale only because code, tools or the interpreter changed, because a module
    moved or a parameter was added. The receipts that are carried over name the sample.
    """
    from mmx.upkeep.adopt import adopt as carry_over
    from mmx.upkeep.adopt import adopt_all

    project = open_project()
    if step is None:
        adopted = adopt_all(project, sample=sample, seed=seed)
    else:
        adopted = [carry_over(project, step, sample=sample, seed=seed)]
    if json:
        print_json(adopted)
        return
    for each in adopted:
        print(f"{each.step}: {each.sampled} recomputed and bit-equal, {each.carried} carried over")
    if not adopted:
        print("no result differs from the present steps in code alone")


@app.command(epilog="Example: mmx renew flow && dvc repro")
def renew(
    step: Annotated[str, typer.Argument(help="Step to compute with the present code.")],
) -> None:
    """Have the next `dvc repro` compute a step with the present code, whatever that costs."""
    from mmx.upkeep.adopt import renew as mark

    mark(open_project(), step)
    print(f"{step}: `dvc repro` computes it with the present code and tools")


@app.command(epilog="Example: mmx prune --dry-run")
def prune(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    json: Json = False,
) -> None:
    """Remove from the item store what no output in the workspace needs and no run would reuse."""
    from mmx.upkeep.prune import prune as clean

    pruned = clean(open_project(), dry_run=dry_run)
    if json:
        print_json(pruned)
    else:
        said = "would be removed" if dry_run else "removed"
        print(f"{pruned.receipts} receipts, {pruned.objects} objects, {pruned.bytes} bytes {said}")
