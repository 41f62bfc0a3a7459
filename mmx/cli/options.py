"""Options that commands share."""

from typing import Annotated

import typer

TAKES_IDS = {"ignore_unknown_options": True}
"""For commands whose arguments are ids: one may begin with -, like some of YouTube's."""
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
