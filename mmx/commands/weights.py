"""Checkpoints of the experts: what is there, fetch it, check it."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from mmx.commands.options import Json
from mmx.console import print_json, print_table
from mmx.experts.base import Checkpoint
from mmx.experts.registry import get_expert
from mmx.experts.weights import Place, Status, list_weights, weights_folder
from mmx.experts.weights import accept as pin
from mmx.experts.weights import fetch as bring
from mmx.experts.weights import verify as check
from mmx.project import Project, open_project

app = typer.Typer(no_args_is_help=True, help="Checkpoints of the experts.")

Names = Annotated[list[str] | None, typer.Argument(help="Experts; those in params.yaml if none.")]


@app.command("list", epilog="Example: mmx weights list senet154")
def list_(experts: Names = None, json: Json = False) -> None:
    """Say which files of weights there are, where they come from and under which licence."""
    project = open_project()
    show(list_weights(wanted(project, experts), place(project)), json)


@app.command(epilog="Example: mmx weights verify")
def verify(experts: Names = None, json: Json = False) -> None:
    """Hash every file and compare it with what is published and pinned."""
    project = open_project()
    found = check(wanted(project, experts), place(project))
    show(found, json)
    if any(status.state != "ready" for status in found):
        raise typer.Exit(1)


@app.command(epilog="Example: mmx weights fetch --from /media/usb")
def fetch(
    experts: Names = None,
    local: Annotated[Path | None, typer.Option("--from", help="Folder to copy from.")] = None,
) -> None:
    """Fetch what is missing: resumed, checked, pinned in weights.lock.yaml."""
    project = open_project()
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, TransferSpeedColumn()) as progress:
        for checkpoint in wanted(project, experts):
            if not isinstance(checkpoint, Checkpoint):
                continue
            task = progress.add_task(checkpoint.file, total=None)

            def tell(done: int, total: int | None, task=task) -> None:
                progress.update(task, completed=done, total=total)

            status = bring(checkpoint, place(project), local=local, progress=tell)
            progress.console.print(f"{checkpoint.file}: {status.state}, {status.path}")


@app.command(epilog="Example: mmx weights accept senet154")
def accept(experts: Names = None) -> None:
    """Pin files that are not the published ones, such as weights that you trained further."""
    project = open_project()
    for checkpoint in wanted(project, experts):
        if isinstance(checkpoint, Checkpoint):
            status = pin(checkpoint, place(project))
            print(f"{checkpoint.file}: {status.state}, pinned as accepted")


def wanted(project: Project, experts: list[str] | None) -> list:
    """Return the weights of the experts named, or of those that params.yaml lists."""
    names = experts or sorted(project.params.embed.experts)
    return [weights for name in names for weights in get_expert(name).weights]


def place(project: Project) -> Place:
    """Return where weights lie and are pinned."""
    return Place(weights_folder(), project.layout.weights_lock)


def show(found: list[Status], json: bool) -> None:
    """Print one row per file."""
    rows = [
        (each.weights.file, each.state, each.weights.licence, str(each.path), each.reason)
        for each in found
    ]
    columns = ("file", "state", "licence", "path", "why")
    if json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        print_table(columns, rows)
