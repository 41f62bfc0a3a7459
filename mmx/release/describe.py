"""What describes a release: digests, card, Croissant file, notes."""

from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import yaml

import mmx.features.digest
import mmx.release.tables
from mmx.features.card import after_colon, card_head, indented, table_entry
from mmx.features.columns import is_known, meaning_of
from mmx.features.digest import digest_text, shards_text
from mmx.features.facts import StoreFacts, manifest_text
from mmx.features.schema import (
    CARD_FILE,
    CROISSANT_FILE,
    DIGEST_FILE,
    MANIFEST_FILE,
    SHARDS_FILE,
    StoreTable,
)
from mmx.release.about import About, read_about
from mmx.release.tables import EMBEDDINGS, JOINED, PREDICTIONS, SPLITS, release_tables
from mmx.trailers.columns import ADDED
from mmx.trailers.manifest import PARQUET_COLUMNS

REMOVED_FILE = "REMOVED.md"
_MEANINGS = {
    "split": "train, validation or test; null for a trailer with too few clips.",
    "model": "coarse: trained on genres; fine: fine-tuned by contrast.",
    "predicted": "Genres whose probability is above the threshold of params.yaml.",
    "predicted_coarse": "Genres that the coarse model predicts.",
    "predicted_fine": "Genres that the fine-tuned model predicts.",
    "embedding_coarse": "The coarse model's vector.",
    "embedding_fine": "The fine-tuned model's vector.",
}


@dataclass(frozen=True)
class ReleaseFacts(StoreFacts):
    """Facts about a release."""

    @cached_property
    def tables(self) -> list[StoreTable]:
        """Every table, sorted by name."""
        return release_tables(self.store)

    @cached_property
    def about(self) -> About:
        """What release.json says."""
        return read_about(self.store)

    def meaning(self, table: str, column: str) -> str:
        """Return the meaning of a column."""
        if column in _MEANINGS:
            return _MEANINGS[column]
        if table == EMBEDDINGS and column == "embedding":
            return "The model's vector of the trailer."
        if table == PREDICTIONS and column not in ("trailer_id", "split"):
            return f"Probability of the genre {column}."
        labels = PARQUET_COLUMNS.get(column, ADDED).meaning
        return labels if table == JOINED and not is_known(column) else meaning_of(column)


def describe_release(folder: Path) -> str:
    """Write the files that describe a release; return its root digest."""
    # Croissant's library takes seconds to import.
    from mmx.features.croissant import croissant_text

    facts = ReleaseFacts(folder)
    texts = {
        SHARDS_FILE: shards_text(facts.shards),
        DIGEST_FILE: digest_text(facts.digests.values()),
        MANIFEST_FILE: manifest_text(facts.manifest),
        CARD_FILE: _card(facts),
        CROISSANT_FILE: croissant_text(facts, _croissant_about(facts.about)),
    }
    if facts.about.taken:
        texts[REMOVED_FILE] = _removed(facts.about)
    for name, text in texts.items():
        # They may be hard links to another release.
        (folder / name).unlink(missing_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return facts.root


def _croissant_about(about: About) -> dict[str, Any]:
    """Return what Croissant says of a release beyond its tables."""
    found: dict[str, Any] = {
        "name": about.name,
        "version": about.version,
        "datePublished": about.date,
    }
    if about.creator:
        contact = {"email": about.contact} if "@" in about.contact else {}
        found["creator"] = {"@type": "sc:Organization", "name": about.creator, **contact}
    return found | ({"url": about.url} if about.url else {})


def _card(facts: ReleaseFacts) -> str:
    """Return the dataset card, with a configuration per table and its splits."""
    head = card_head(facts) | {"pretty_name": facts.about.name, "configs": _configs(facts)}
    return _template().render(
        about=facts.about,
        head=yaml.safe_dump(head, sort_keys=False, allow_unicode=True),
        experts=facts.experts,
        tables=[table_entry(facts, table) for table in facts.tables],
        root=facts.root,
        tree=indented(mmx.release.tables.__doc__),
        digest=after_colon(mmx.features.digest.__doc__),
    )


def _configs(facts: ReleaseFacts) -> list[dict[str, Any]]:
    """Return a configuration per table, each with the splits that it has."""
    configs = []
    for table in facts.tables:
        data: Any = table.files
        if table.letter:
            splits = [split for split in SPLITS if (facts.store / table.name / split).exists()]
            data = [{"split": each, "path": f"{table.name}/{each}/*.parquet"} for each in splits]
        config: dict[str, Any] = {"config_name": table.name, "data_files": data}
        configs.append(config | ({"default": True} if table.name == JOINED else {}))
    return configs


def _removed(about: About) -> str:
    """Return the note about what was taken out."""
    lines = [f"# Taken out of release {about.version}", ""]
    for each in about.taken:
        count = len(each.tombstones)
        lines += [
            f"{each.date}: {count} {'trailer' if count == 1 else 'trailers'}, {each.reason}",
            "",
            f"- signed off by {each.by}",
            f"- tombstones: {', '.join(each.tombstones)}",
            f"- root digest before: `{each.former_root}`",
            "",
        ]
    return "\n".join(lines)


def _template() -> jinja2.Template:
    """Return the card's template; an undefined name in it is an error."""
    source = files("mmx.release").joinpath("card.md.jinja").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False
    )
    environment.filters["cell"] = lambda value: str(value).replace("|", r"\|").replace("\n", " ")
    return environment.from_string(source + "\n")
