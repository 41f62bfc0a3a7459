"""Commands before a run: sample, init, doctor, merge, accept, profile, tools, experts."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmx.cli.console import print_json, print_notes, print_table
from mmx.cli.options import TAKES_IDS, Json
from mmx.cli.project import open_project

if TYPE_CHECKING:
    from mmx.doctor import Finding
    from mmx.trailers import InitReport

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
    update: Annotated[
        bool, typer.Option("--update", help="Take corrected titles, years, genres; keep pins.")
    ] = False,
    json: Json = False,
) -> None:
    """Write the manifest for your own trailers: links to the videos, their sha256 pinned.

    Rows that are already in the manifest stay as they are, unless --update is given; new rows are
    added. It is an error if no row is accepted.
    """
    from mmx.merge.driver import install_drivers
    from mmx.trailers import TableError
    from mmx.trailers import init as write_manifest
    from mmx.trailers.label_sources import expired_sources

    project = open_project()
    install_drivers(project.layout.root)
    params = project.params.collection
    report = write_manifest(
        project.layout, videos, labels, force=force, params=params, update=update
    )
    if json:
        print_json(report)
    if not report.accepted:
        nothing = ": it has no rows below its header"
        first = next((f": row {row.row}, {row.reason}" for row in report.rejected), nothing)
        raise TableError(f"no row of {labels.name} is accepted{first}")
    if not json:
        _print_report(report, update)
        print_notes(expired_sources(project.layout))


def _print_report(report: "InitReport", update: bool) -> None:
    for row in report.rejected[:_SHOWN]:
        print(f"row {row.row}, {row.title!r}, rejected: {row.reason}")
    if len(report.rejected) > _SHOWN:
        print(f"and {len(report.rejected) - _SHOWN} more rows: --json lists all")
    for row in report.differing[: _SHOWN if update else 0]:
        said = (f"{name} {old!r} -> {new!r}" for name, (old, new) in row.changes.items())
        print(f"{row.trailer_id}: {', '.join(said)}")
    if report.differing:
        done = "updated" if update else "differ from the manifest; `mmx init --update` takes them"
        print(f"{len(report.differing)} rows {done}")
    print(f"{len(report.accepted)} rows accepted, {len(report.rejected)} rejected")
    if report.added:
        print(f"columns of your own, carried along as text: {', '.join(report.added)}")


@app.command(epilog="Example: mmx doctor")
def doctor(json: Json = False) -> None:
    """Look at environment, machine, disks and project, and name what to do about what is wrong.

    `note` costs time or space, `wrong` lets a run fail or changes its results: exit with code 1.
    Nothing is changed.
    """
    from mmx.doctor import examine

    findings = examine(open_project())
    wrong = [each for each in findings if each.state == "wrong"]
    if json:
        print_json({"ok": not wrong, "findings": findings})
    else:
        print_table(("", "what", "found"), [_finding_row(each) for each in findings])
        notes = sum(each.state == "note" for each in findings)
        print(f"{len(wrong)} wrong, {notes} notes" if wrong or notes else "nothing is wrong")
    if wrong:
        raise typer.Exit(1)


def _finding_row(found: "Finding") -> tuple[str, str, str]:
    remedy = f": {found.remedy}" if found.remedy else ""
    return found.state, found.subject, found.found + remedy


@app.command(epilog="Example: mmx merge %O %A %B %P")
def merge(
    base: Annotated[Path, typer.Argument(help="The common ancestor's version.")],
    ours: Annotated[Path, typer.Argument(help="Our version; the result is written there.")],
    theirs: Annotated[Path, typer.Argument(help="Their version.")],
    name: Annotated[str, typer.Argument(help="dvc.lock or data/trailers.csv.")],
) -> None:
    """Merge a file for git, which runs this once `mmx init` has installed it.

    The manifest: the union of the rows, by trailer_id; a conflict is a cell that both sides changed
    differently. dvc.lock: by stage, and the split by trailer; what both sides ran again, the next
    `dvc repro` decides, and it finds the items of both.
    """
    from mmx.layout import find_root
    from mmx.merge.driver import merge_file

    merge_file(find_root(Path()), base, ours, theirs, name)


@app.command(context_settings=TAKES_IDS, epilog="Example: mmx accept alien")
def accept(
    trailer: Annotated[str, typer.Argument(help="trailer_id whose video you replaced.")],
    json: Json = False,
) -> None:
    """Accept the present video file of a trailer: pin its sha256."""
    from mmx.trailers import accept as accept_video

    digest = accept_video(open_project().layout, trailer)
    if json:
        print_json({"trailer_id": trailer, "sha256": digest})
        return
    print(f"{trailer}: sha256 {digest} is pinned; `dvc repro` computes this trailer again")


@app.command(epilog="Example: mmx profile paper")
def profile(
    name: Annotated[Profile, typer.Argument(help="lite or paper.")],
    force: Annotated[bool, typer.Option("--force", help="Overwrite your edits.")] = False,
    json: Json = False,
) -> None:
    """Switch params.yaml to a profile; comments and all other keys stay as they are.

    If weights of the profile's experts are missing, it ends with an error that names each file, its
    addresses, its size and where to put it.
    """
    from mmx.profiles import switch_profile
    from mmx.steps.embed import require_weights

    changed = switch_profile(open_project().layout.params, name.value, force=force)
    if json:
        print_json({"profile": name.value, "changed": changed})
    else:
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
