"""A folder of files that play videos, a table of labels, and an empty project."""

import csv
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import settings

from mmx.layout import Layout
from mmx.params import CollectionParams

settings.register_profile("mmx", deadline=None, derandomize=True, database=None)
settings.load_profile("mmx")

GENRES = ("Action", "Comedy", "Drama", "Western")
GOOD = {"title": "A Film", "year": "1999", "genres": "Drama|Action"}


@pytest.fixture
def params() -> CollectionParams:
    return CollectionParams(genres=GENRES, max_labels=2)


@dataclass
class UserFiles:
    """What a user has: videos, labels, and a project."""

    root: Path
    rows: list[dict[str, str]] = field(default_factory=list)

    @property
    def layout(self) -> Layout:
        return Layout(self.root / "project")

    @property
    def videos(self) -> Path:
        return self.root / "videos"

    @property
    def labels(self) -> Path:
        return self.root / "labels.csv"

    def add(self, video: str, content: bytes | None = None, /, **cells: str) -> Path:
        """Put a row into the table, and a file where it says unless `content` is empty."""
        self.rows.append({**GOOD, "video": video, **cells})
        path = self.videos / video
        if content != b"":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content or f"bytes of {video}".encode())
        self.write()
        return path

    def write(self) -> None:
        columns = list(dict.fromkeys(name for row in self.rows for name in row))
        with self.labels.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, columns, restval="")
            writer.writeheader()
            writer.writerows(self.rows)

    def manifest(self) -> list[dict[str, str]]:
        """The manifest as a plain reader of CSV sees it."""
        with self.layout.manifest.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))


@pytest.fixture
def user_files(tmp_path: Path) -> UserFiles:
    made = UserFiles(tmp_path)
    made.videos.mkdir()
    made.layout.root.mkdir()
    return made


@pytest.fixture
def write_manifest(user_files: UserFiles) -> Callable[..., Path]:
    """Write a manifest by hand: rows of cells, over the cells of a good row."""

    def write(*rows: dict[str, str]) -> Path:
        good = {"trailer_id": "a", **GOOD, "video": "a.mp4", "sha256": ""}
        whole = [{**good, **row} for row in rows]
        path = user_files.layout.manifest
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8", newline="") as file:
            columns = dict.fromkeys(name for row in whole for name in row)
            writer = csv.DictWriter(file, list(columns))
            writer.writeheader()
            writer.writerows(whole)
        return path

    return write
