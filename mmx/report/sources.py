"""The artefacts of a project that the report shows, without the videos."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mmx.evaluation import plots, tables
from mmx.evaluation.ablations import read_ablations
from mmx.evaluation.item import EXPLORER, METRICS, PREDICTIONS, SIMILARITY
from mmx.evaluation.scores import Json
from mmx.layout import Layout
from mmx.params import Params
from mmx.report.collection import Archive, read_archive
from mmx.report.evidence import Evidence, read_paper
from mmx.report.explorer import Film
from mmx.training.load import ModelDescription, load_description


@dataclass(frozen=True)
class Sources:
    """A project whose stages have run. Films are numbered by their row in explorer.parquet."""

    layout: Layout
    params: Params
    archive: Archive
    description: ModelDescription
    """Of the fine-tuned model: network, experts, vocabulary."""
    table: pa.Table
    """explorer.parquet."""
    evidence: Evidence

    @cached_property
    def ids(self) -> list[str]:
        """Ids of the films."""
        ids: list[str] = self.table["trailer_id"].to_pylist()
        return ids

    @cached_property
    def films(self) -> list[Film]:
        """Every film with its present title and year."""
        known = (self.archive.trailers[name] for name in self.ids)
        genres = self.table["genres"].to_pylist()
        return [
            Film(name, row["title"], row["year"], tuple(own))
            for name, row, own in zip(self.ids, known, genres, strict=True)
        ]

    @cached_property
    def videos(self) -> dict[str, Path]:
        """The file of every accepted trailer by id."""
        rows = pq.read_table(self.layout.sources, columns=["trailer_id", "video"]).to_pylist()
        return {row["trailer_id"]: self.layout.data / row["video"] for row in rows}

    def probabilities(self, model: str) -> dict[str, dict[str, float]]:
        """Return what `model` gives every genre, by trailer."""
        table = pq.read_table(
            self.layout.evaluation / PREDICTIONS, filters=[("model", "==", model)]
        )
        found: dict[str, dict[str, float]] = {}
        for row in table.to_pylist():
            found.setdefault(row["trailer_id"], {})[row["genre"]] = row["probability"]
        return found

    @property
    def curves(self) -> Json:
        """Precision-recall curves of the test split."""
        return plots.read_curves(self.layout.evaluation / "plots" / plots.CURVES)

    @property
    def digests(self) -> list[str]:
        """The lines of the feature store's digest.txt; empty if there is none."""
        path = self.layout.features / "digest.txt"
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []

    @property
    def similarity(self) -> list[Json]:
        """Section 4.4's sets of genres, largest first."""
        sets: list[Json] = tables.read_json(self.layout.evaluation / SIMILARITY)
        return sets


def read_sources(layout: Layout, params: Params) -> Sources:
    """Read everything that the page shows except videos."""
    description = load_description(layout.fine)
    evidence = Evidence(
        metrics=tables.read_json(layout.evaluation / METRICS),
        ablations=read_ablations(layout.ablations),
        genres=description.genres,
        length=description.config.sequence_length,
        paper=read_paper(),
    )
    table = pq.read_table(layout.evaluation / EXPLORER)
    return Sources(layout, params, read_archive(layout), description, table, evidence)
