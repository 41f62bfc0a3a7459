"""The dataset card: README.md of the store, with the YAML head that hubs read."""

from functools import cache
from importlib.resources import files

import jinja2
import yaml

import mmx.features.digest
import mmx.features.schema
from mmx.features.facts import StoreFacts
from mmx.features.schema import StoreTable

TITLE = "MMX trailer features"
SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (10**6, "100K<n<1M"))


def card_text(facts: StoreFacts) -> str:
    """Return the card of a store."""
    return _template().render(
        title=TITLE,
        head=yaml.safe_dump(card_head(facts), sort_keys=False, allow_unicode=True),
        experts=facts.experts,
        tables=[table_entry(facts, table) for table in facts.tables],
        rows={name: digest.rows for name, digest in facts.digests.items()},
        root=facts.root,
        tree=indented(mmx.features.schema.__doc__),
        digest=after_colon(mmx.features.digest.__doc__),
    )


def card_head(facts: StoreFacts) -> dict[str, object]:
    """Return the YAML head: one configuration per table, so that hubs open each by its name."""
    clips = facts.digests["clips"].rows if "clips" in facts.digests else 0
    size = next((name for limit, name in SIZES if clips < limit), "1M<n<10M")
    return {
        "pretty_name": TITLE,
        "license": "other",
        "license_name": "per-expert",
        "license_link": "README.md",
        "task_categories": ["video-classification", "feature-extraction"],
        "tags": ["movies", "trailers", "embeddings", "provenance", "croissant"],
        "size_categories": [size],
        "configs": [
            {"config_name": table.name, "data_files": table.files}
            | ({"default": True} if table.name == "trailers" else {})
            for table in facts.tables
        ],
    }


def table_entry(facts: StoreFacts, table: StoreTable) -> dict[str, object]:
    """The entry of one table in the card."""
    columns = [
        {
            "name": field.name,
            "type": _type_name(str(field.type)),
            "meaning": facts.meaning(table.name, field.name),
        }
        for field in facts.schema(table)
    ]
    digest = facts.digests[table.name]
    return {"name": table.name, "files": table.files, "rows": digest.rows, "columns": columns}


def _type_name(kind: str) -> str:
    """Arrow's name of a type, without the names of list elements."""
    return kind.replace("element: ", "").replace("item: ", "").replace(" not null", "")


def indented(text: str | None) -> str:
    """The indented lines of a docstring: the listing of files."""
    lines = (text or "").splitlines()
    return "\n".join(line[4:] for line in lines if line.startswith("    "))


def after_colon(text: str | None) -> str:
    """A docstring without its first paragraph."""
    return (text or "").partition("\n\n")[2].strip()


@cache
def _template() -> jinja2.Template:
    """The card's template; an undefined name in it is an error."""
    source = files("mmx.features").joinpath("card.md.jinja").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False
    )
    environment.filters["cell"] = lambda value: str(value).replace("|", r"\|").replace("\n", " ")
    return environment.from_string(source + "\n")
