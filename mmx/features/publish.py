"""A published store: the store and the labels in one folder, described together."""

from pathlib import Path

from mmx.engine.atomic import link_or_copy
from mmx.errors import UserError
from mmx.features.describe import describe
from mmx.features.facts import StoreFacts
from mmx.features.schema import LABELS_FILE, SPLITS_FILE
from mmx.features.validate import validate


class PublishError(UserError):
    """The folder is not empty, or the store is not valid."""


def publish(out: Path, *, store: Path, trailers: Path, splits: Path) -> str:
    """Build a publication in the new or empty folder `out` and return its root digest.

    It has every table of `store`, trailers.parquet and splits.parquet, with digests, card and
    Croissant file for all of them. Raise PublishError for a store that is not valid.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise PublishError(f"{out} is not empty: name a new folder")
    _refuse_findings(store)
    for path in StoreFacts(store).paths:
        link_or_copy(path, out / path.relative_to(store))
    link_or_copy(trailers, out / LABELS_FILE)
    link_or_copy(splits, out / SPLITS_FILE)
    root = describe(out)
    _refuse_findings(out)
    return root


def _refuse_findings(store: Path) -> None:
    """Raise PublishError with the first finding of an invalid store."""
    findings = validate(store)
    if findings:
        more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
        raise PublishError(f"the feature store is not valid: {findings[0]}{more}")
