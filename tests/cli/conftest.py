"""A simulated project that has been run, for tests of wrong use."""

import shutil
from pathlib import Path

import pyarrow as pa
import pytest
from projects import recipes, whole

from mmx.engine.parquet import write_parquet
from mmx.layout import Layout
from mmx.trailers.manifest import COLUMNS, write_records

__all__ = ["recipes", "whole"]


@pytest.fixture(scope="session")
def complete(whole: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with a manifest and embeddings; nothing is pinned, so that no video is read."""
    root = tmp_path_factory.mktemp("complete") / "project"
    shutil.copytree(whole, root, symlinks=True)
    layout = Layout(root)
    empty = dict.fromkeys(COLUMNS, "")
    about = {"title": "A film", "year": "1999", "genres": "Drama"}
    names = sorted(path.stem for path in layout.videos.iterdir())
    rows = [{**empty, **about, "trailer_id": name, "video": f"{name}.mp4"} for name in names]
    write_records(layout.manifest, (), rows)
    vectors = [[float(number), 1.0] for number, _ in enumerate(names)]
    columns = {"trailer_id": names, "coarse": vectors, "fine": vectors}
    write_parquet(pa.table(columns), layout.trailer_embeddings)
    return root


@pytest.fixture
def root(complete: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the project that a test may damage, and the folder that commands run in."""
    root = tmp_path / "project"
    shutil.copytree(complete, root, symlinks=True)
    monkeypatch.chdir(root)
    monkeypatch.setenv("MMX_WEIGHTS", str(tmp_path / "weights"))
    return root
