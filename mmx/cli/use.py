"""Commands after a run: predict, ablate, report, similar, probe, explore."""

import signal
from collections.abc import Sequence
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmx.cli.console import print_json, print_table
from mmx.cli.options import TAKES_IDS, Json
from mmx.cli.project import open_project

if TYPE_CHECKING:
    from mmx.prediction import Neighbour

app = typer.Typer()


class Space(StrEnum):
    """The two embeddings of a trailer."""

    coarse = "coarse"
    fine = "fine"


@app.command(epilog="Example: mmx predict ~/new-trailer.mp4")
def predict(
    videos: Annotated[list[Path], typer.Argument(help="Videos outside the collection.")],
    json: Json = False,
) -> None:
    """Predict genres and nearest films of new videos, by the steps of the pipeline."""
    from mmx.prediction import predict as run

    predictions = run(open_project(), videos)
    if json:
        print_json(predictions)
        return
    for one in predictions:
        print(f"{one.video}: {', '.join(one.predicted) or 'no genre above the threshold'}")
        print_table(("genre", "probability"), list(one.genres.items())[:6])
        spans = [
            (f"{part.start_s:.1f}-{part.stop_s:.1f} s", ", ".join(list(part.genres)[:3]))
            for part in one.sequences
        ]
        print_table(("sequence", "most probable genres"), spans)
        print_neighbours(one.neighbours)


@app.command(epilog="Example: mmx ablate naive full")
def ablate(
    variants: Annotated[
        list[str] | None,
        typer.Argument(help="Rows to train; by default those that params.yaml lists."),
    ] = None,
    json: Json = False,
) -> None:
    """Train the rows of the paper's tables 2 and 5 with several seeds, and update the report."""
    from mmx.ablations import ablate as run

    names = run(open_project(), variants or ())
    if json:
        print_json({"variants": names})
    else:
        print(f"{len(names)} variants are up to date: {', '.join(names)}")


@app.command(epilog="Example: mmx report --serve")
def report(
    serve: Annotated[
        bool, typer.Option("--serve", help="Show it, and a run as it goes on, in a browser.")
    ] = False,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 0,
    json: Json = False,
) -> None:
    """Say where the report is, or serve it with the progress of a run on this machine alone.

    The page that --serve shows has the steps' progress, failures as they come, curves of trainings,
    and the report, anew when it changes. It is at 127.0.0.1, and asks for nothing from elsewhere.
    Ctrl-C ends it; a run is not affected.
    """
    from mmx.errors import require_output
    from mmx.live import serve as make_server

    project = open_project()
    if not serve:
        require_output(project.layout.root, "reports/index.html")
        print_json({"report": project.layout.page}) if json else print(project.layout.page)
        return
    with make_server(project, port) as server:
        address = f"http://127.0.0.1:{server.server_address[1]}/"
        # No run is stopped by this Ctrl-C, which is how the server ends, from its address on.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        with suppress(KeyboardInterrupt):
            print_json({"address": address}) if json else print(
                f"{address} (Ctrl-C ends it)", flush=True
            )
            server.serve_forever()


@app.command(context_settings=TAKES_IDS, epilog="Example: mmx similar alien --space coarse")
def similar(
    trailer: Annotated[str, typer.Argument(help="trailer_id.")],
    space: Annotated[Space, typer.Option(help="Embedding to compare by.")] = Space.fine,
    json: Json = False,
) -> None:
    """Find the films that are most similar to one film of the collection."""
    from mmx.prediction import similar as find

    found = find(open_project(), trailer, space=space.value)
    if json:
        print_json(found)
    else:
        print_neighbours(found)


@app.command(epilog="Example: mmx probe probes.csv")
def probe(
    table: Annotated[
        Path,
        typer.Argument(
            help="CSV: trailer_id, and a column per probe (director, tags); | between values."
        ),
    ],
    permutations: Annotated[int, typer.Option(min=1, help="Of the values, for chance.")] = 1000,
    json: Json = False,
) -> None:
    """Ask whether near trailers share what no training saw: franchise, director, language, tags.

    Every space is compared with permuted values, the untrained ones too, among all trailers and
    among trailers with the identical genre set.
    """
    from mmx.probe_table import try_probes

    found = try_probes(open_project(), table, permutations=permutations)
    if json:
        print_json(found)
        return
    columns = ("probe", "among", "space", "trailers", "share", "chance", "p")
    rows = [
        (one.probe, one.scope, one.space, one.queries, one.observed, one.chance, one.p)
        for one in found
    ]
    print_table(columns, rows)


@app.command(epilog="Example: mmx explore films.parquet --space look=embedding --space map=x,y")
def explore(
    table: Annotated[Path, typer.Argument(help="A Parquet or CSV file, one row per film.")],
    output: Annotated[Path, typer.Option(help="The page.")] = Path("explorer.html"),
    space: Annotated[
        list[str] | None,
        typer.Option(
            help="A map: NAME=COLUMN with a vector per row, or NAME=X,Y with places. Up to two."
        ),
    ] = None,
    id: Annotated[str, typer.Option(help="Column: identifier.")] = "",
    title: Annotated[str, typer.Option(help="Column: title.")] = "",
    year: Annotated[str, typer.Option(help="Column: year.")] = "",
    labels: Annotated[str, typer.Option(help="Column: labels, a list or between |.")] = "",
    picture: Annotated[str, typer.Option(help="Column: path of a picture below the table.")] = "",
    neighbours: Annotated[int, typer.Option(min=1, help="Nearest films of each.")] = 10,
    perplexity: Annotated[float, typer.Option(min=1, help="Of t-SNE, for vectors.")] = 30.0,
    seed: Annotated[int, typer.Option(min=0, help="Of t-SNE.")] = 0,
    inside: Annotated[
        float,
        typer.Option(
            min=0,
            help="Megabytes of pictures up to which they are inside the page; more lie beside it.",
        ),
    ] = 4.0,
    json: Json = False,
) -> None:
    """Write the report's explorer for any table: one page that works without a server.

    Columns that are not named are found by their usual names (trailer_id or id, title, year, genres
    or labels, picture, embedding, x and y).
    """
    from mmx.report.explore import Columns, Layout, Space
    from mmx.report.explore import explore as write

    spaces = tuple(Space.read(text) for text in space or ())
    columns = Columns(id, title, year, labels, picture, spaces)
    count = write(table, columns, Layout(neighbours, perplexity, seed, inside), output)
    if json:
        print_json({"films": count, "page": output})
    else:
        print(f"{count} films: {output}")


def print_neighbours(found: "Sequence[Neighbour]") -> None:
    """Print the nearest films, nearest first."""
    columns = ("trailer", "title", "year", "genres", "similarity")
    rows = [
        (each.trailer_id, each.title, str(each.year or ""), "|".join(each.genres), each.similarity)
        for each in found
    ]
    print_table(columns, rows)
