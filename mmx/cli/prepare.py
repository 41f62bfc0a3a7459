"""Commands before a run: sample, init, accept, profile, tools, experts."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from mmx.cli.console import print_json, print_table
from mmx.cli.options import Json
from mmx.cli.project import open_project

app = typer.Typer()
_SHOWN = 50
"""Rejected rows that `init` prints."""


class Profile(StrEnum):
    """The profiles of params.yaml."""

    lite = "lite"
    paper = "paper"


@app.command(epilog="Example: mmx sample build/sample --n 120")
def sample(
    folder: Annotated[Path, typer.Argument(help="Where to put videos/ and the tables.")],
    n: Annotated[int, typer.Option(min=1, help="Trailers to generate.")] = 60,
    seed: Annotated[int, typer.Option(help="Random seed of the collection.")] = 0,
    json: Json = False,
) -> None:
    """Generate a collection of small trailers; equal arguments give equal bytes."""
    from mmx.sample.generate import generate

    report = generate(folder, n, seed)
    if json:
        print_json(report)
    else:
        print(f"{report.trailers} trailers and some faulty ones in {report.videos}")
        print(f"next: mmx init --videos {report.videos} --labels {report.labels}")


@app.command(epilog="Example: mmx init --videos ~/trailers --labels ~/trailers/labels.csv")
def init(
    videos: Annotated[Path, typer.Option(help="Folder of videos; never written to.")],
    labels: Annotated[Path, typer.Option(help="CSV: title, year, genres, video, ...")],
    force: Annotated[
        bool, typer.Option("--force", help="Write the manifest anew: titles, genres, pins.")
    ] = False,
    json: Json = False,
) -> None:
    """Write the manifest for your own trailers: links to the videos, their sha256 pinned.

    Rows that are already in the manifest stay as they are; new rows are added.
    """
    from mmx.trailers import init as write_manifest

    project = open_project()
    params = project.params.collection
    report = write_manifest(project.layout, videos, labels, force=force, params=params)
    if json:
        print_json(report)
        return
    for row in report.rejected[:_SHOWN]:
        print(f"row {row.row}, {row.title!r}, rejected: {row.reason}")
    if len(report.rejected) > _SHOWN:
        print(f"and {len(report.rejected) - _SHOWN} more rows: --json lists all")
    print(f"{len(report.accepted)} rows accepted, {len(report.rejected)} rejected")
    if report.added:
        print(f"columns of your own, carried along as text: {', '.join(report.added)}")


@app.command(epilog="Example: mmx accept alien")
def accept(
    trailer: Annotated[str, typer.Argument(help="trailer_id whose video you replaced.")],
) -> None:
    """Accept the present video file of a trailer: pin its sha256."""
    from mmx.trailers import accept as accept_video

    digest = accept_video(open_project().layout, trailer)
    print(f"{trailer}: sha256 {digest} is pinned; `dvc repro` computes this trailer again")


@app.command(epilog="Example: mmx profile paper")
def profile(
    name: Annotated[Profile, typer.Argument(help="lite or paper.")],
    force: Annotated[bool, typer.Option("--force", help="Overwrite your edits.")] = False,
) -> None:
    """Switch params.yaml to a profile; comments and all other keys stay as they are.

    If weights of the profile's experts are missing, it ends with an error that names each file, its
    addresses, its size and where to put it.
    """
    from mmx.profiles import switch_profile
    from mmx.steps.embed import require_weights

    changed = switch_profile(open_project().layout.params, name.value, force=force)
    print(f"params.yaml: {', '.join(changed) or 'nothing'} changed", flush=True)
    require_weights(open_project())


@app.command(epilog="Example: mmx tools --write")
def tools(
    write: Annotated[bool, typer.Option("--write", help="Write tools.yaml.")] = False,
    json: Json = False,
) -> None:
    """Show the versions of packages that affect results, and check or write tools.yaml."""
    from mmx.pipeline.registry import all_tools
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
    """List all experts, and which of them params.yaml uses (embed.experts)."""
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
