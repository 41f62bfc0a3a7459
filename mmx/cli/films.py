"""Commands about single films: fetch brings them, duplicates finds those that are there twice."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmx.cli.console import print_json, print_table
from mmx.cli.options import Json
from mmx.cli.project import open_project

if TYPE_CHECKING:
    from mmx.acquisition.run import DryRun, Report
    from mmx.acquisition.wanted import Rejected

app = typer.Typer()
_SHOWN = 50
"""Rejected rows that `fetch` prints."""


@app.command(epilog="Example: mmx duplicates --accept")
def duplicates(
    accept: Annotated[
        bool, typer.Option("--accept", help="Write the proposed groups into the manifest.")
    ] = False,
    json: Json = False,
) -> None:
    """Find trailers that are one film, and propose a group_id, so that they share a split.

    Compares the files that ingest accepted: same bytes, same streams, same pictures, or pictures
    that fit at every moment although re-encoded, cropped, trimmed or at another speed. Columns:
    correlation of light and of pictures, speed and offset of the second over the first, seconds in
    which both are. Writes them to data/duplicates.csv, for the report, which is drawn with the
    next evaluation: `dvc repro --single-item --force evaluate` draws it alone.
    """
    from mmx.trailers.signatures import accept_groups, find_duplicates

    project = open_project()
    found = find_duplicates(project)
    if accept:
        accept_groups(project.layout.manifest, found.groups)
    if json:
        print_json(found)
        return
    columns = ("first", "second", "same", "light", "pictures", "speed", "offset", "seconds")
    rows = [
        (pair.first, pair.second, pair.kind, each.correlation, each.pictures, each.speed,
         each.offset_s, each.shared_s)
        if (each := pair.likeness)
        else (pair.first, pair.second, pair.kind, *[None] * 5)
        for pair in found.pairs
    ]  # fmt: skip
    print_table(columns, rows)
    done = "written" if accept else "proposed: `mmx duplicates --accept` writes them"
    print(f"{len(rows)} pairs; groups of {len(found.groups)} trailers {done}")


@app.command(epilog="Example: mmx fetch list.csv --dry-run")
def fetch(
    table: Annotated[
        Path, typer.Argument(metavar="LIST", help="CSV: title, genres, youtube_id or url, ...")
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say how many videos and hours; ask no host.")
    ] = False,
    recheck: Annotated[
        bool, typer.Option("--recheck", help="Only ask of every row whether it is still there.")
    ] = False,
    cookies: Annotated[
        Path | None, typer.Option(help="Cookies to send: a file in Netscape's form.")
    ] = None,
    json: Json = False,
) -> None:
    """Fetch the videos of a list into data/videos and put them into the manifest.

    Goes on where an earlier call ended, also in the middle of a file, and asks hosts no more than
    `fetch` in params.yaml allows. Every attempt is a line of data/fetched.csv. Videos that were
    gone, private, or closed to this region or age are not tried again until --recheck finds them.
    """
    from mmx.acquisition import run

    project = open_project()
    if dry_run:
        plan = run.dry_run(project, table, recheck=recheck)
        print_json(plan) if json else _print_plan(plan)
        return
    report = run.fetch(project, table, cookies=cookies, recheck=recheck)
    print_json(report) if json else _print_fetched(report)


def _print_plan(plan: "DryRun") -> None:
    _print_rejected(plan.rejected)
    print_table(("host", "videos"), list(plan.videos.items()))
    print(
        f"{sum(plan.videos.values())} videos to ask for, {plan.hours:.1f} hours by the limits; "
        f"{plan.kept} fetched before, {plan.dead} not there when last asked for"
    )


def _print_fetched(report: "Report") -> None:
    _print_rejected(report.rejected)
    print_table(("last outcome", "videos"), sorted(report.outcomes.items()))
    if report.dead_by_year:
        years = (f"{year or 'no year'} {count}" for year, count in report.dead_by_year.items())
        print(f"not there, by year: {', '.join(years)}")
    print(f"{report.attempts} attempts, {report.added} trailers added to data/trailers.csv")


def _print_rejected(rejected: "tuple[Rejected, ...]") -> None:
    for row in rejected[:_SHOWN]:
        print(f"row {row.row}, {row.title!r}, rejected: {row.reason}")
    if len(rejected) > _SHOWN:
        print(f"and {len(rejected) - _SHOWN} more rows: --json lists all")
