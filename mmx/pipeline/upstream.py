"""Outputs of the earlier steps: the accepted videos, the clips, each step's receipts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from mmx.engine.canonical import bytes_digest
from mmx.engine.files import FileState, InputChangedError, InputFile
from mmx.engine.parquet import read_parquet
from mmx.engine.receipt import Receipt
from mmx.engine.rows import encode_rows
from mmx.media.clip import Clip
from mmx.outputs import ITEM, TableOutput, count_in, item_rows, read_receipts
from mmx.pipeline.registry import find_trailer_step
from mmx.pipeline.step import SOUND, VIDEO, TrailerStep
from mmx.project import Project

STREAM_COLUMNS = {VIDEO: "video_digest", SOUND: "sound_digest"}
"""Column of sources.parquet with the digest of the stream that a step reads, by role."""


@dataclass(frozen=True)
class Upstream:
    """Outputs of the earlier steps, read when they are asked for."""

    project: Project
    given: pa.Table | None = None
    """A table to use instead of sources.parquet: what ingest would write now."""
    verify: bool = False
    """Whether to compute the fingerprints of receipts again, which files that DVC has just found
    unchanged do not need."""
    _receipts: dict[str, dict[str, Receipt]] = field(default_factory=dict)
    _tables: dict[Path, pa.Table | None] = field(default_factory=dict)
    _counts: dict[Path, int] = field(default_factory=dict)

    @cached_property
    def sources(self) -> dict[str, dict[str, Any]]:
        """Row of sources.parquet by trailer, sorted."""
        table = self.given
        if table is None:
            table = read_parquet(self.project.layout.sources)
        rows = table.to_pylist()
        return {row[ITEM]: row for row in sorted(rows, key=lambda row: row[ITEM])}

    @cached_property
    def _states(self) -> Mapping[FileState, str]:
        # Imported here: it loads the video decoder, which a run with nothing to do does not need.
        from mmx.trailers.inspection_log import known_states

        return known_states(self.project.inspections)

    def video(self, trailer: str) -> InputFile:
        """Return a trailer's video file; it may have been hashed by ingest on another machine."""
        source = self.sources[trailer]
        path = self.project.layout.data / source["video"]
        remedy = f"put the old file back, or `mmx accept {trailer}`; then run `dvc repro`"
        return InputFile.known(path, source["sha256"], self._states, remedy)

    def step(self, name: str) -> TrailerStep:
        """Return an earlier step."""
        return find_trailer_step(name, self.project.params)

    def receipts(self, step: str) -> dict[str, Receipt]:
        """Return the receipts of an earlier step by trailer."""
        if step not in self._receipts:
            out = self.step(step).output.path(self.project.layout.root)
            self._receipts[step] = read_receipts(out, verify=self.verify)
        return self._receipts[step]

    def file(self, step: str, trailer: str) -> InputFile | None:
        """Return the file that an earlier step made of a trailer; None if it made none.

        Raise InputChangedError for a missing file that the receipt names: a trailer whose sound was
        deleted is not mistaken for one without sound.
        """
        output = self.step(step).output
        out = output.path(self.project.layout.root)
        for name, made in output.own_files(trailer, self.receipts(step)[trailer]).items():
            if not (out / name).exists():
                raise InputChangedError(
                    f"{out / name} is missing; run `mmx verify` to list all missing files, and "
                    "`dvc checkout` or `dvc repro` to restore them"
                )
            return InputFile(out / name, made.sha256)
        return None

    def rows(self, step: str, trailer: str) -> pa.Table:
        """Return the rows that an earlier step made of a trailer.

        Raise InputChangedError if they are not those that its receipt records.
        """
        output = self.step(step).output
        assert isinstance(output, TableOutput)
        path = output.shard_path(self.project.layout.root, trailer, self._shards(output))
        if path not in self._tables:
            self._tables[path] = read_parquet(path) if path.exists() else None
        recorded = self.receipts(step)[trailer].outputs[0].sha256
        table = self._tables[path]
        rows = None if table is None else item_rows(table, trailer)
        if rows is None or bytes_digest(encode_rows(rows)) != recorded:
            raise InputChangedError(
                f"{path.name}: the rows of {trailer} are not those that {step} made; "
                "run `mmx verify` to list all changes, and `dvc repro` to make them again"
            )
        return rows

    def _shards(self, output: TableOutput) -> int:
        """Return the number of shards of an earlier step's directory."""
        out = output.path(self.project.layout.root)
        if out not in self._counts:
            self._counts[out] = count_in(out)
        return self._counts[out]

    def clips(self, trailer: str) -> list[Clip]:
        """Return the clips of a trailer, in order; raise InputChangedError as `rows` does."""
        return [
            Clip(row["clip"], row["start"], row["stop"], row["start_s"], row["stop_s"])
            for row in self.rows("scenes", trailer).to_pylist()
        ]

    def inputs(self, step: TrailerStep, trailer: str) -> dict[str, str] | None:
        """Return the digest of each input of an item; None if an earlier step has no result."""
        digests: dict[str, str] = {}
        for need in step.needs:
            if need in STREAM_COLUMNS:
                digests[need] = self.sources[trailer][STREAM_COLUMNS[need]]
                continue
            receipt = self.receipts(need).get(trailer)
            if receipt is None or receipt.fault:
                return None
            digests[need] = receipt.output_digest
        return digests
