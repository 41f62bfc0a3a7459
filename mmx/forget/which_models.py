"""Models that were trained on trailers, of the present version and of earlier ones."""

from collections.abc import Iterator

from mmx.dvc_state.history import History, HistoryError, Version
from mmx.engine.parquet import UNREADABLE, read_parquet
from mmx.forget.certificate import Model
from mmx.outputs import ITEM

MODELS, SPLITS = "models/", "data/splits.parquet"
UNSEEN = "test"
"""The split that no training reads."""


def models_that_saw(history: History, ids: frozenset[str]) -> list[Model]:
    """Return the models of all versions whose training read one of the trailers.

    Where the split of a version is not in DVC's cache, its models count as having seen them.
    """
    found: dict[str, Model] = {}
    for version in _versions(history):
        commit = version.commit.sha if version.commit else ""
        models = {path: md5 for path, md5 in version.outs.items() if path.startswith(MODELS)}
        if models and _trained_on(version, ids):
            found |= {md5: Model(path, md5, commit) for path, md5 in models.items()}
    return sorted(found.values(), key=lambda model: (model.path, model.md5))


def _versions(history: History) -> Iterator[Version]:
    """Yield the present version, then the earlier ones, newest first."""
    if history.now:
        yield history.now
    yield from history.all_versions


def _trained_on(version: Version, ids: frozenset[str]) -> bool:
    """Say whether a version's split has one of the trailers outside the test."""
    try:
        rows = read_parquet(version.cache.path(version.outs[SPLITS]), [ITEM, "split"]).to_pylist()
    except (*UNREADABLE, HistoryError):
        return True
    return any(row[ITEM] in ids and row["split"] != UNSEEN for row in rows)
