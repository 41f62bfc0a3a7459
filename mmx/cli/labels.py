"""Labels of trailers: take them from dumps of IMDb, TMDB or MovieLens."""

from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmx.cli.console import print_json
from mmx.cli.options import Json
from mmx.cli.project import open_project

if TYPE_CHECKING:
    from mmx.trailers.label_import import ImportReport

app = typer.Typer(no_args_is_help=True, help="Labels of trailers, from dumps by IMDb id.")
_SHOWN = 50
"""Trailers that `import` prints."""


class Dump(StrEnum):
    """Layouts of dumps."""

    imdb = "imdb"
    tmdb = "tmdb"
    movielens = "movielens"


class Column(StrEnum):
    """What can be taken from a dump."""

    TITLE = "title"
    YEAR = "year"
    GENRES = "genres"


_Day = Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="Day of the dump.")]
_ALL = list(Column)


@app.callback()
def _group() -> None:
    """Keep `import` a command of the group, though it is the only one."""


@app.command(
    "import", epilog="Example: mmx labels import imdb title.basics.tsv.gz --date 2026-05-01"
)
def import_(
    source: Annotated[Dump, typer.Argument(help="imdb, tmdb or movielens.")],
    file: Annotated[Path, typer.Argument(help="The dump, also .gz; of MovieLens, its folder.")],
    date: _Day,
    expires: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Day from which its terms forbid its use."),
    ] = None,
    take: Annotated[list[Column], typer.Option(help="Only this; can be repeated.")] = _ALL,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing.")] = False,
    json: Json = False,
) -> None:
    """Correct titles, years and genres of the manifest by a dump, matched by imdb_id.

    Ids, videos and their pins stay. Genres are translated by collection.aliases of params.yaml;
    those that the vocabulary lacks are treated as collection.unknown_genres says. The dump's date
    and digest go into data/label_sources.csv.
    """
    from mmx.trailers.label_import import import_labels

    project = open_project()
    report = import_labels(
        project.layout,
        project.params.collection,
        (source.value, file),
        date.date(),
        expires.date() if expires else None,
        [column.value for column in take],
        dry_run,
    )
    print_json(report) if json else _print(report, dry_run)


def _print(report: "ImportReport", dry_run: bool) -> None:
    for each in report.trailers[:_SHOWN]:
        said = [f"{name} {old!r} -> {new!r}" for name, (old, new) in each.changes.items()]
        said += [f"not taken: {reason}" for reason in each.reasons]
        print(f"{each.trailer_id} ({each.imdb_id}): {'; '.join(said)}")
    if len(report.trailers) > _SHOWN:
        print(f"and {len(report.trailers) - _SHOWN} more trailers: --json lists all")
    would = "would change" if dry_run else "changed"
    print(
        f"{report.source.trailers} trailers found, {len(report.changed)} {would}; "
        f"{report.unknown} not in the dump, {report.without_id} without imdb_id"
    )
