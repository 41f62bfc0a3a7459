"""Commands around a run: status, plan, work, retry, adopt, renew, prune."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmx.cli.console import cell, duration, listed, print_json, print_notes, print_table, size
from mmx.cli.options import Json
from mmx.cli.project import open_project

if TYPE_CHECKING:
    from mmx.upkeep.plan import StepPlan
    from mmx.upkeep.prices import Prices
    from mmx.upkeep.status import TrailerFault

app = typer.Typer()
_SHOWN = 50
"""Faults that `status` prints."""


@app.command(epilog="Example: mmx status --json | jq '.faults'")
def status(
    json: Json = False,
    hosts: Annotated[
        bool, typer.Option("--hosts", help="Show instead where each step's items were computed.")
    ] = False,
) -> None:
    """Show for each step how many items are done, failed, pending or blocked, and why."""
    from mmx.upkeep.status import hosts as find_hosts
    from mmx.upkeep.status import project_status

    if hosts:
        places = find_hosts(open_project())
        if json:
            print_json(places)
            return
        rows = [
            (each.step, each.host, each.device, each.processor, len(each.items)) for each in places
        ]
        print_table(("step", "host", "device", "processor", "items"), rows)
        return
    found = project_status(open_project())
    if json:
        print_json(found)
        return
    columns = ("step", "done", "failed", "pending", "blocked", "of")
    print_table(columns, [[getattr(step, name) for name in columns] for step in found.steps])
    _print_faults((*found.rejected, *found.faults))
    if found.without_clips:
        print(f"without a clip: {listed(found.without_clips)}")
    print_notes(found.notes)


def _print_faults(faults: "Sequence[TrailerFault]") -> None:
    for fault in faults[:_SHOWN]:
        print(f"{fault.step}  {cell(fault.trailer)}: {cell(fault.reason)}")
    if len(faults) > _SHOWN:
        print(f"and {len(faults) - _SHOWN} more: --json lists all")


@app.command(epilog="Example: mmx plan --prices prices.yaml")
def plan(
    prices: Annotated[
        Path | None,
        typer.Option(
            "--prices",
            help="YAML with core_hour, gpu_hour, terabyte_month, egress_terabyte and currency: "
            "show what it costs in money.",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Show how many items a run would compute, and its estimated time and size.

    Rates are those of the journal, or shipped ones of a CPU for a step that never ran here, by the
    lengths of the videos and the parameters. Steps that read all trailers at once, as training
    does, are not included. `--json` has hours and terabytes.
    """
    from mmx.trailers.label_sources import expired_sources
    from mmx.upkeep.plan import project_plan
    from mmx.upkeep.prices import read_prices

    charged = read_prices(prices) if prices else None
    project = open_project()
    plans = project_plan(project)
    if charged:
        _print_costs(plans, charged, json)
        return
    if json:
        print_json(plans)
        return
    columns = ("step", "compute", "reuse", "per trailer", "time", "size", "rate")
    print_table(columns, [_plan_row(each) for each in plans])
    hours, bytes_ = sum(each.hours for each in plans), sum(each.terabytes for each in plans) * 1e12
    cores = sum(each.core_hours for each in plans)
    print(
        f"together {duration(hours * 3600)} ({duration(cores * 3600)} of cores) "
        f"and {size(bytes_)}, without training"
    )
    if any(each.compute and each.seconds_per_item is None for each in plans):
        print("note: shipped rates are rough; they are replaced by measured ones as steps run here")
    print_notes(expired_sources(project.layout))


def _plan_row(each: "StepPlan") -> tuple[str | int | None, ...]:
    measured = each.seconds_per_item is not None
    per_item = duration(each.seconds_per_item or 0) if measured else None
    needed = (duration(each.hours * 3600), size(each.terabytes * 1e12))
    rate = "measured" if measured else "shipped"
    return each.step, each.compute, each.reuse, per_item, *needed, rate


def _print_costs(plans: "Sequence[StepPlan]", prices: "Prices", json: bool) -> None:
    from mmx.upkeep.prices import step_costs

    costs = step_costs(plans, prices)
    if json:
        print_json({"currency": prices.currency, "costs": costs})
        return
    columns = ("step", "core_hours", "gpu_hours", "terabytes", "computing", "storage", "egress")
    print_table(columns, [[getattr(cost, name) for name in columns] for cost in costs])
    print(
        f"in {prices.currency}: computing once, storage each month, egress each time that these "
        "results are fetched"
    )


@app.command(epilog="Example: mmx work flow --shard 3/8 && dvc repro flow")
def work(
    step: Annotated[str, typer.Argument(help="Step whose items are trailers.")],
    shard: Annotated[
        str,
        typer.Option(help="i/n: the i-th of n parts of the items, counted from 1, or from 0."),
    ] = "1/1",
    json: Json = False,
) -> None:
    """Compute a shard of a step's missing items into the item store; lay out nothing.

    Shards can run at once on all machines that see the project and its store (docs/slurm.md). The
    steps before this one must have been run. Afterwards `dvc repro STEP` finds every item.
    """
    from mmx.pipeline.work import Shard
    from mmx.pipeline.work import work as compute
    from mmx.steps.embed import require_weights_present

    project, part = open_project(), Shard.parse(shard)
    require_weights_present(project)
    done = compute(step, project, part)
    faults, outcome = len(done.outcome.faults), done.outcome
    if json:
        told = {"computed": len(outcome.computed), "reused": len(outcome.reused), "faulty": faults}
        print_json({"step": step, "shard": str(part), **told, "waiting": done.waiting})
        return
    print(
        f"{step} {part}: {len(outcome.computed)} computed, {len(outcome.reused)} reused, "
        f"{faults} of them faulty"
    )
    if done.waiting:
        print(f"note: {done.waiting} trailers wait for an earlier step: `mmx status` lists them")


@app.command(epilog="Example: mmx retry scenes")
def retry(
    step: Annotated[str | None, typer.Argument(help="Only this step.")] = None,
    json: Json = False,
) -> None:
    """Clear recorded faults, so that the next `dvc repro` tries those trailers again."""
    from mmx.upkeep.retry import retry as mark

    count = mark(open_project(), step)
    if json:
        print_json({"cleared": count})
        return
    told = f"{count} faults cleared; `dvc repro` tries these items again"
    print(told if count else "no faults are recorded: there is nothing to try again")


@app.command(epilog="Example: mmx adopt flow --sample 20")
def adopt(
    step: Annotated[
        str | None, typer.Argument(help="Step whose code or tools changed; by default all steps.")
    ] = None,
    sample: Annotated[int, typer.Option(min=1, help="Number of items to recompute.")] = 10,
    seed: Annotated[int, typer.Option(help="Random seed of the sample.")] = 0,
    json: Json = False,
) -> None:
    """Recompute a sample with the present code; if it is bit-equal, keep all other results.

    For results that are stale only because code, tools or the interpreter changed, a module moved
    or a parameter was added. The receipts that are carried over record the sample.
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
        print("nothing to adopt: no result is stale because of code or tools alone")


@app.command(epilog="Example: mmx renew flow && dvc repro")
def renew(
    step: Annotated[str, typer.Argument(help="Step to recompute with the present code.")],
    json: Json = False,
) -> None:
    """Allow the next `dvc repro` to recompute a step with the present code, whatever it costs."""
    from mmx.upkeep.adopt import renew as mark

    mark(open_project(), step)
    if json:
        print_json({"step": step})
    else:
        print(f"{step}: the next `dvc repro` recomputes it with the present code and tools")


@app.command(epilog="Example: mmx prune --dry-run")
def prune(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be removed; remove nothing.")
    ] = False,
    json: Json = False,
) -> None:
    """Remove items that no output in the workspace needs and the next run would not reuse."""
    from mmx.upkeep.prune import prune as clean

    pruned = clean(open_project(), dry_run=dry_run)
    if json:
        print_json(pruned)
    else:
        action = "would be removed" if dry_run else "removed"
        print(
            f"{pruned.receipts} receipts, {pruned.objects} objects, {pruned.bytes} bytes {action}"
        )
