"""Write the files that describe a store: shards.txt, digest.txt, manifest, card, Croissant."""

from collections.abc import Mapping
from pathlib import Path

from mmx.dvc_state.cache import cached_files, is_intact
from mmx.features.digest import ShardDigest, digest_text, read_shards, shards_text
from mmx.features.facts import StoreFacts, manifest_text, read_manifest
from mmx.features.schema import CARD_FILE, CROISSANT_FILE, DIGEST_FILE, MANIFEST_FILE, SHARDS_FILE


def known_shards(root: Path, store: str) -> dict[str, ShardDigest]:
    """Return digests of rows by the sha256 of their Parquet file, to avoid computing them again.

    They are those of the last version of the output directory `store` of the repository in `root`,
    from DVC's cache; empty if it is not there.
    """
    files = cached_files(root, store)
    if not all(name in files and is_intact(files[name]) for name in (MANIFEST_FILE, SHARDS_FILE)):
        return {}
    digests = read_shards(files[SHARDS_FILE].read_text(encoding="utf-8"))
    sha256 = read_manifest(files[MANIFEST_FILE].read_text(encoding="utf-8"))
    return {sha256[name]: digest for name, digest in digests.items()}


def describe(store: Path, known: Mapping[str, ShardDigest] | None = None) -> str:
    """Write the files that describe a store; return the root digest.

    known: digests of rows that need not be computed, by the sha256 of their Parquet file.
    """
    # Croissant's library takes seconds to import, and readers of the store do not need it.
    from mmx.features.card import card_text
    from mmx.features.croissant import croissant_text

    facts = StoreFacts(store, known)
    (store / SHARDS_FILE).write_text(shards_text(facts.shards), encoding="utf-8")
    (store / DIGEST_FILE).write_text(digest_text(facts.digests.values()), encoding="utf-8")
    (store / MANIFEST_FILE).write_text(manifest_text(facts.manifest), encoding="utf-8")
    (store / CARD_FILE).write_text(card_text(facts), encoding="utf-8")
    (store / CROISSANT_FILE).write_text(croissant_text(facts), encoding="utf-8")
    return facts.root
