"""The command line of mmx, assembled from its groups of commands."""

from importlib.metadata import version
from typing import Annotated

import typer

from mmx.cli import audit, films, prepare, upkeep, use, weights

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Rebuild MMX-Trailer-20 and its paper; trace every feature row to its video.",
    epilog="`dvc repro` runs the pipeline; these commands prepare, explain and check it.",
)
GROUPS = {
    "Set up": prepare,
    "Videos": films,
    "Run and keep up": upkeep,
    "Explain, check, publish": audit,
    "Use": use,
}
for title, part in GROUPS.items():
    for command in part.app.registered_commands:
        command.rich_help_panel = title
    app.add_typer(part.app)
app.add_typer(weights.app, name="weights")


def print_version(asked: bool) -> None:
    """Print the version and exit, if asked to."""
    if asked:
        print(f"mmx {version('mmx')}")
        raise typer.Exit


@app.callback()
def options(
    _: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=print_version, is_eager=True),
    ] = False,
) -> None:
    """Handle the options of `mmx` itself."""
