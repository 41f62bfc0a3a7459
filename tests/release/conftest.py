"""Releases of the small collection of features, with what two models would say of it."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP))

from mmx.release.about import About  # noqa: E402
from mmx.release.build import build_release  # noqa: E402
from mmx.release.tables import MODELS, Content  # noqa: E402
from tests.features.conftest import CLIPS, write_collection, write_labels  # noqa: E402

ABOUT = About("1.0.0", "2026-01-31", "Ten films", "An institute", "https://x.org/set", "a@x.org")
SPLITS = dict(zip(CLIPS, ("train", "test", "validation", "train", "unsplit", "train"), strict=True))
REJECTED = "fargo"


def make_content(folder: Path) -> Content:
    """A feature store, labels of which one row was rejected, splits, and both models' tables."""
    write_collection(folder).build(folder / "features")
    labels, _ = write_labels(folder)
    table = pq.read_table(labels)
    status = ["rejected" if name == REJECTED else "accepted" for name in CLIPS]
    reason = ["secret reason" if name == REJECTED else None for name in CLIPS]
    for name, cells in (("status", status), ("reason", reason)):
        column = pa.array(cells, pa.string())
        table = table.set_column(table.column_names.index(name), name, column)
    directors = pa.array([f"Director of {name}" for name in CLIPS])
    table = table.append_column("director", directors)
    members = [name for name in sorted(CLIPS) if SPLITS[name] != "unsplit" and name != REJECTED]
    splits = pa.table({"trailer_id": members, "split": [SPLITS[name] for name in members]})
    names = [name for name in members for _ in MODELS]
    models = [*MODELS] * len(members)
    rng = np.random.default_rng(0)
    values: Any = rng.normal(size=(len(names), 3)).astype(np.float32)
    predictions: dict[str, Any] = {
        "trailer_id": names,
        "model": models,
        "predicted": [["Drama"] if row[0] > 0 else [] for row in values],
        "Drama": values[:, 0],
        "Science-Fiction": values[:, 1],
    }
    vectors = pa.array(list(values), pa.list_(pa.float32(), 3))
    embeddings: dict[str, Any] = {"trailer_id": names, "model": models, "embedding": vectors}
    return Content(folder / "features", table, splits, pa.table(predictions), pa.table(embeddings))


@pytest.fixture(scope="session")
def content(tmp_path_factory: pytest.TempPathFactory) -> Content:
    """What the release is made of: nothing may write to it."""
    return make_content(tmp_path_factory.mktemp("content"))


@pytest.fixture(scope="session")
def release(content: Content, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release: nothing may write to it."""
    out = tmp_path_factory.mktemp("release") / "1.0.0"
    build_release(out, content, ABOUT, "# Changes\n")
    return out
