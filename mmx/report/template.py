"""Fill the page's templates: escaping, inlining, content security policy.

Titles, identifiers and reasons are untrusted input: the templates escape them, and the explorer's
data is JSON that cannot leave its script element. The content security policy names the hash of
the one script, so that no other runs, and nothing is requested from anywhere.
"""

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from mmx.report.explorer import to_script

FOLDER = Path(__file__).with_name("templates")
SCRIPTS = (
    "dom",
    "stills",
    "colour",
    "points",
    "density",
    "clusters",
    "map",
    "range",
    "list",
    "card",
    "explorer",
)
"""Parts of the page's one script, in order."""


def fill(template: str, context: Mapping[str, Any]) -> str:
    """Fill a template; `context` has the explorer's data under `data`.

    Equal contexts give equal text. A name that the context lacks raises UndefinedError.
    """
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = show_number
    script = Markup("").join(_own(f"explorer/{name}.js") for name in SCRIPTS)
    inlined = {
        "script": script,
        "script_hash": base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        "style": _own("page.css"),
        "film_json": to_script(context["data"]),
    }
    return environment.get_template(template).render(**context, **inlined)


def show_number(value: object) -> str:
    """Show a table's cell: three decimals, thin spaces between thousands, n/a if undefined."""
    if value is None:
        return "n/a"
    if isinstance(value, float):
        return f"{value:.3f}".replace("-", "−")
    return f"{value:,}".replace(",", "\u202f") if isinstance(value, int) else str(value)


def _own(name: str) -> Markup:
    """A file of this package, which needs no escaping."""
    return Markup((FOLDER / name).read_text(encoding="utf-8"))
