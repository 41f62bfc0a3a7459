"""The command line: each command parses, calls one function, prints."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from mmx.console import print_json, print_table
from mmx.errors import plain_errors
from mmx.project import open_project

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Rebuild MMX-Trailer-20 and its paper; know where every feature row came from.",
    epilog="`dvc repro` runs the pipeline; these commands prepare, explain and check it.",
)
weights_app = typer.Typer(no_args_is_help=True, help="Checkpoints of the experts.")
app.add_typer(weights_app, name="weights")

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


class Profile(StrEnum):
    """The profiles of params.yaml."""

    lite = "lite"
    paper = "paper"


def main() -> None:
    """Run the command line; an expected error is one sentence and exit code 1."""
    with plain_errors():
        app()


@app.command(epilog="Example: mmx sample build/sample --n 120")
def sample(
    folder: Annotated[Path, typer.Argument(help="Where to put videos/ and the tables.")],
    n: Annotated[int, typer.Option(min=1, help="Trailers to generate.")] = 60,
    seed: Annotated[int, typer.Option(help="Another seed is another collection.")] = 0,
    json: Json = False,
) -> None:
    """Generate a collection of small trailers: same arguments, same bytes."""
    from mmx.sample.generate import generate

    report = generate(folder, n, seed)
    if json:
        print_json(report)
    else:
        print(report)


@app.command(epilog="Example: mmx init --videos ~/trailers --labels ~/trailers/labels.csv")
def init(
    videos: Annotated[Path, typer.Option(help="Folder of videos; it is only read.")],
    labels: Annotated[Path, typer.Option(help="CSV: title, year, genres, video, ...")],
    json: Json = False,
) -> None:
    """Write the manifest for your own trailers: links to the videos, their sha256 pinned."""
    from mmx.trailers import init as write_manifest

    report = write_manifest(open_project().layout, videos, labels)
    if json:
        print_json(report)
    else:
        print(report)


@app.command(epilog="Example: mmx accept alien")
def accept(
    trailer: Annotated[str, typer.Argument(help="trailer_id whose video you replaced.")],
) -> None:
    """Accept the bytes that now lie under a trailer's name: pin their sha256."""
    from mmx.trailers import accept as pin

    digest = pin(open_project().layout, trailer)
    print(f"{trailer}: sha256 {digest} is pinned; `dvc repro` redoes this trailer's work")


@app.command(epilog="Example: mmx status --json | jq '.faults'")
def status(json: Json = False) -> None:
    """Say what is done, failed, pending and blocked, step by step, and why."""
    from mmx.overview import project_status

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
    from mmx.overview import project_plan

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
    from mmx.upkeep import retry as mark

    print(f"{mark(open_project(), step)} faults will be tried again by `dvc repro`")


@app.command(epilog="Example: mmx adopt flow --sample 20")
def adopt(
    step: Annotated[str, typer.Argument(help="Step whose code was refactored.")],
    sample: Annotated[int, typer.Option(min=1, help="Items to compute again.")] = 10,
    seed: Annotated[int, typer.Option(help="Which items are drawn.")] = 0,
    json: Json = False,
) -> None:
    """After a refactoring: recompute a sample; if all are bit-equal, keep the other results."""
    from mmx.upkeep import adopt as carry_over

    adopted = carry_over(open_project(), step, sample=sample, seed=seed)
    if json:
        print_json(adopted)
    else:
        print(f"{step}: {adopted.sampled} recomputed and bit-equal, {adopted.carried} carried over")


@app.command(epilog="Example: mmx prune --dry-run")
def prune(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    json: Json = False,
) -> None:
    """Remove from the item store what no output in the workspace needs."""
    from mmx.upkeep import prune as clean

    pruned = clean(open_project(), dry_run=dry_run)
    if json:
        print_json(pruned)
    else:
        said = "would be removed" if dry_run else "removed"
        print(f"{pruned.receipts} receipts, {pruned.objects} objects, {pruned.bytes} bytes {said}")


@app.command(epilog="Example: mmx profile paper")
def profile(
    name: Profile,
    force: Annotated[bool, typer.Option("--force", help="Overwrite your edits.")] = False,
) -> None:
    """Switch params.yaml to a profile; comments and all other keys stay as they are."""
    from mmx.profiles import switch_profile

    changed = switch_profile(open_project().layout.params, name.value, force=force)
    print(f"params.yaml: {', '.join(changed) or 'nothing'} changed")


@app.command(epilog="Example: mmx tools --write")
def tools(
    write: Annotated[bool, typer.Option("--write", help="Write tools.yaml.")] = False,
    json: Json = False,
) -> None:
    """Show the versions that have a part in results, and check or write tools.yaml."""
    from mmx.steps import all_tools
    from mmx.tools import check_tools, tool_versions, write_tools

    project = open_project()
    names = all_tools()
    if write:
        write_tools(project.layout.tools, names)
    versions = tool_versions(names)
    if json:
        print_json(versions)
    else:
        print_table(("tool", "version"), list(versions.items()))
    check_tools(project.layout.tools, names)


@app.command(epilog="Example: mmx experts")
def experts(json: Json = False) -> None:
    """List the experts there are; params.yaml, embed.experts, says which are used."""
    from mmx.experts.registry import expert_names, get_expert

    used = open_project().params.embed.experts
    rows = [
        (each.name, each.name in used, each.modality, each.width, each.reads, each.summary)
        for each in map(get_expert, expert_names())
    ]
    columns = ("expert", "used", "modality", "width", "reads", "what")
    if json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        print_table(columns, rows)


if __name__ == "__main__":
    main()
