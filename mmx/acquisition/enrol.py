"""Put fetched videos into the manifest, each with its address."""

import csv
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from mmx.acquisition.ledger import Attempt, History
from mmx.acquisition.wanted import Wanted
from mmx.project import Project
from mmx.trailers.enrol import InitReport, init

COLUMNS = (
    "trailer_id", "title", "year", "genres", "video", "imdb_id", "url", "youtube_id", "license",
)  # fmt: skip
"""Of the rows that are written; other columns of the list follow."""


def enrol(project: Project, wanted: Sequence[Wanted], history: History) -> InitReport:
    """Add the videos of a list that are there to the manifest, as `mmx init` does.

    Rows that it has already stay as they are.
    """
    found = [(each, history.fetched.get(each.trailer_id)) for each in wanted]
    rows = [
        _row(each, attempt)
        for each, attempt in found
        if attempt and (project.layout.videos / attempt.video).is_file()
    ]
    if not rows:
        return InitReport(())
    with tempfile.TemporaryDirectory() as folder:
        labels = Path(folder) / "fetched.csv"
        _write(labels, rows)
        return init(project.layout, project.layout.videos, labels, params=project.params.collection)


def _write(path: Path, rows: Iterable[dict[str, str]]) -> None:
    """Write a table of labels: mmx's own columns, and the list's."""
    used = (name for row in rows for name in row)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, tuple(dict.fromkeys((*COLUMNS, *used))), restval="")
        writer.writeheader()
        writer.writerows(rows)


def _row(wanted: Wanted, attempt: Attempt) -> dict[str, str]:
    cells = {name: text for name, text in wanted.cells.items() if name != "sha256"}
    own = {
        "trailer_id": wanted.trailer_id,
        "video": attempt.video,
        "url": attempt.url,
        "youtube_id": wanted.youtube_id,
        "license": cells.get("license", "") or attempt.licence,
    }
    return {**cells, **own}
