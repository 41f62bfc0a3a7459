"""The trailers: the manifest, the video files, and the split."""

from mmx.trailers.csvfile import TableError, defuse
from mmx.trailers.enrol import InitReport, RowReport, accept, init
from mmx.trailers.intake import Ingested, IngestError, ingest
from mmx.trailers.manifest import ManifestRow, read_manifest
from mmx.trailers.paths import PathFault

__all__ = [
    "IngestError",
    "Ingested",
    "InitReport",
    "ManifestRow",
    "PathFault",
    "RowReport",
    "TableError",
    "accept",
    "defuse",
    "ingest",
    "init",
    "read_manifest",
]
