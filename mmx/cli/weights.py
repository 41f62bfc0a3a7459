"""Weights of the experts: list, verify, fetch and accept files."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmx.cli.console import print_json
from mmx.cli.options import Json
from mmx.cli.project import open_project

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from mmx.experts.base import Checkpoint, Source, Weights
    from mmx.experts.weights import WeightsFile
    from mmx.project import Project

app = typer.Typer(no_args_is_help=True, help="Checkpoints of the experts.")

Names = Annotated[
    list[str] | None, typer.Argument(help="Experts; by default those that params.yaml lists.")
]


@app.command("list", epilog="Example: mmx weights list senet154")
def list_(experts: Names = None, json: Json = False) -> None:
    """List every file of weights: present or not, its addresses, size, licence and digest."""
    from mmx.experts.weights import list_weights
    from mmx.steps.embed import listed_weights, weights_place

    project = open_project()
    show(list_weights(listed_weights(project, experts or ()), weights_place(project)), json)


@app.command(epilog="Example: mmx weights verify")
def verify(experts: Names = None, json: Json = False) -> None:
    """Hash every file and compare it with the published and the pinned digest."""
    from mmx.experts.weights import verify as check
    from mmx.steps.embed import listed_weights, weights_place

    project = open_project()
    found = check(listed_weights(project, experts or ()), weights_place(project))
    show(found, json)
    if any(status.state != "ready" for status in found):
        raise typer.Exit(1)


@app.command(epilog="Example: mmx weights fetch --from /media/usb")
def fetch(
    experts: Names = None,
    local: Annotated[Path | None, typer.Option("--from", help="Folder to copy from.")] = None,
    json: Json = False,
) -> None:
    """Fetch missing files: resume downloads, check digests, pin them in weights.lock.yaml.

    If one file cannot be fetched, the others still are.
    """
    from mmx.experts.pins import WeightsError
    from mmx.experts.weights import fetch as bring
    from mmx.steps.embed import weights_place

    project = open_project()
    failures: list[str] = []
    found: list[WeightsFile] = []
    with download_progress(quiet=json) as progress:
        for checkpoint in checkpoints(project, experts):
            task = progress.add_task(checkpoint.file, total=None)

            def tell(done: int, total: int | None, task: "TaskID" = task) -> None:
                progress.update(task, completed=done, total=total)

            try:
                status = bring(checkpoint, weights_place(project), local=local, progress=tell)
            except WeightsError as error:
                failures.append(str(error))
                continue
            found.append(status)
            progress.console.print(f"{checkpoint.file}: {status.state}, {status.path}")
        if not progress.tasks:
            progress.console.print("nothing to fetch: these experts need no files, or packages do")
    if json:
        print_json([status_data(status) for status in found])
    if failures:
        raise WeightsError("\n".join(failures))


@app.command(epilog="Example: mmx weights accept senet154")
def accept(experts: Names = None, json: Json = False) -> None:
    """Pin files other than the published ones, such as weights that you trained further."""
    from mmx.experts.weights import accept as pin
    from mmx.steps.embed import weights_place

    project = open_project()
    wanted = checkpoints(project, experts)
    found = [pin(checkpoint, weights_place(project)) for checkpoint in wanted]
    if json:
        print_json([status_data(status) for status in found])
        return
    for checkpoint, status in zip(wanted, found, strict=True):
        print(f"{checkpoint.file}: {status.state}, pinned as accepted")


def download_progress(*, quiet: bool) -> "Progress":
    """Return a progress display of bytes, their rate and the time left; quiet: nothing is shown."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=12),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=Console(quiet=quiet),
    )


def checkpoints(project: "Project", experts: list[str] | None) -> "list[Checkpoint]":
    """Return the weights that can be fetched: all but those contained in packages."""
    from mmx.experts.base import Checkpoint
    from mmx.steps.embed import listed_weights

    listed = listed_weights(project, experts or ())
    return [weights for weights in listed if isinstance(weights, Checkpoint)]


def show(found: "list[WeightsFile]", json: bool) -> None:
    """Print each file with its sources below it."""
    if json:
        print_json([status_data(status) for status in found])
        return
    for status in found:
        print(f"{status.weights.file}: {status.state}, {status.weights.licence}, {status.path}")
        for line in (*sources_of(status.weights), *filter(None, [status.reason])):
            print(f"  {line}")


def sources_of(weights: "Weights") -> list[str]:
    """Return a line for each source: address or package, size, expected digest."""
    from mmx.experts.base import Packaged
    from mmx.experts.weights import size_of

    if isinstance(weights, Packaged):
        return [f"package {weights.package} (sha256 {weights.sha256})"]
    return [f"{source.url} ({size_of(source)}, {digest_of(source)})" for source in weights.sources]


def digest_of(source: "Source") -> str:
    """Return the published digest with its kind."""
    if source.digest is None:
        return "no digest is published: pinned on first use"
    return f"{source.digest.kind} {source.digest.value}"


def status_data(status: "WeightsFile") -> dict[str, Any]:
    """Return one file's declaration and its state as JSON data."""
    found = {"state": status.state, "path": status.path, "why": status.reason}
    sha256 = status.hashes.sha256 if status.hashes else None
    return {**asdict(status.weights), **found, "found_sha256": sha256}
