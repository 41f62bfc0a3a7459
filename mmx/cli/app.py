"""The command line of mmx, assembled from its groups of commands."""

import re
import sys
from importlib.metadata import version
from typing import Annotated, ClassVar, NoReturn

import typer
from typer.exceptions import TyperException

from mmx.cli import audit, films, labels, prepare, upkeep, use, weights
from mmx.errors import UserError

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
app.add_typer(labels.app, name="labels")
app.add_typer(weights.app, name="weights")


class UsageError(UserError):
    """The command line names no command, or one in a way that it does not take."""

    exit_code: ClassVar[int] = 2


def run() -> NoReturn:
    """Run the command that the arguments name; raise UsageError for wrong ones."""
    try:
        code = app(prog_name="mmx", standalone_mode=False)
    except TyperException as error:
        if not error.format_message().strip():
            # Without a command: the help has been printed.
            sys.exit(UsageError.exit_code)
        raise UsageError(_sentence(error)) from None
    sys.exit(code)


def _sentence(error: TyperException) -> str:
    """Return what is wrong with the command line and which help says how it is used."""
    said = re.sub(r"Value error, |Input |, unable to parse.*", "", error.format_message())
    said = said.rstrip(".")
    said = re.sub(r"^Got unexpected extra argument\(s\) \((.*)\)", r"takes no argument \1", said)
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "mmx"
    how = " See" if said.endswith("?") else "; see"
    return f"{said[0].lower()}{said[1:]}{how} `{command} --help`"


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
