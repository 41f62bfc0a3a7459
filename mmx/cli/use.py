"""Commands after a run: predict, ablate, similar."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmx.cli.console import print_json, print_table
from mmx.cli.options import TAKES_IDS, Json
from mmx.project import open_project

if TYPE_CHECKING:
    from mmx.predict import Neighbour

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
    from mmx.predict import predict as run

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
) -> None:
    """Train the rows of the paper's tables 2 and 5 with several seeds, and update the report."""
    from mmx.ablations import ablate as run

    names = run(open_project(), variants or ())
    print(f"{len(names)} variants are up to date: {', '.join(names)}")


@app.command(context_settings=TAKES_IDS, epilog="Example: mmx similar alien --space coarse")
def similar(
    trailer: Annotated[str, typer.Argument(help="trailer_id.")],
    space: Annotated[Space, typer.Option(help="Embedding to compare by.")] = Space.fine,
    json: Json = False,
) -> None:
    """Find the films that are most similar to one film of the collection."""
    from mmx.predict import similar as find

    found = find(open_project(), trailer, space=space.value)
    if json:
        print_json(found)
    else:
        print_neighbours(found)


def print_neighbours(found: "Sequence[Neighbour]") -> None:
    """Print the nearest films, nearest first."""
    columns = ("trailer", "title", "year", "genres", "similarity")
    rows = [
        (each.trailer_id, each.title, str(each.year or ""), "|".join(each.genres), each.similarity)
        for each in found
    ]
    print_table(columns, rows)
