"""The command that finds films which are in the collection more than once."""

from typing import Annotated

import typer

from mmx.cli.console import print_json, print_table
from mmx.cli.options import Json
from mmx.cli.project import open_project

app = typer.Typer()


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
    which both are.
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
