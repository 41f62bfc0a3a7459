"""The certificate: what was looked through, how, what was removed, and what could not be reached.

It names no trailer: where a path has an id in it, the tombstone's name stands for it.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from mmx.engine.atomic import write_atomic
from mmx.forget.scan import Remains
from mmx.forget.traces import Traces
from mmx.trailers.tombstones import concealed, tombstones_folder

HOW = (
    "Every file was read: compared by sha256 with all that was made of the trailers alone, its "
    "name and bytes searched for their ids, columns of Parquet files decoded. Afterwards all "
    "places were read again, by the tombstones alone."
)


@dataclass(frozen=True)
class Removal:
    """What was removed in one place."""

    place: str
    what: str
    count: int


@dataclass(frozen=True)
class Unreached:
    """What still may have something of the trailers, and what to do about it."""

    what: str
    command: str


@dataclass(frozen=True)
class Model:
    """A model that was trained on one of the trailers."""

    path: str
    md5: str
    """As dvc.lock names it."""
    commit: str
    """The commit that introduced it; empty for the present one."""


@dataclass(frozen=True)
class Certificate:
    """All of it."""

    tombstones: tuple[str, ...]
    date: str
    by: str
    reason: str
    removed: tuple[Removal, ...] = ()
    models: tuple[Model, ...] = ()
    unreached: tuple[Unreached, ...] = ()
    looked_through: dict[str, int] = field(default_factory=dict)
    """Files and bytes that were read again afterwards."""
    remains: tuple[Remains, ...] = ()
    """What that found: nothing, where all is done."""
    how: str = HOW

    @property
    def ok(self) -> bool:
        """True if nothing was found afterwards."""
        return not self.remains


def masked(certificate: Certificate, traces: Traces) -> dict[str, Any]:
    """Return a certificate as JSON data in which no id stands."""
    text = json.dumps(asdict(certificate), ensure_ascii=False)
    for trailer in sorted(traces.ids, key=len, reverse=True):
        text = text.replace(trailer, concealed(trailer)[:16])
    data: dict[str, Any] = json.loads(text)
    return data


def write_certificate(root: Path, certificate: Certificate, traces: Traces) -> Path:
    """Write a certificate beside the tombstones; return its path."""
    number = 1 + len(list(_folder(root).glob("*.json")))
    path = _folder(root) / f"{certificate.date}-{number}.json"
    content = json.dumps(masked(certificate, traces), indent=1, ensure_ascii=False)
    write_atomic(path, f"{content}\n".encode())
    return path


def _folder(root: Path) -> Path:
    return tombstones_folder(root) / "certificates"


def mark_models(root: Path, models: Sequence[Model]) -> None:
    """Add models to those that are marked as having seen trailers that were taken out."""
    known = {each.md5: each for each in (*marked_models(root), *models)}
    lines = [
        json.dumps(asdict(each)) for each in sorted(known.values(), key=lambda m: (m.path, m.md5))
    ]
    write_atomic(_marks(root), "".join(f"{line}\n" for line in lines).encode())


def marked_models(root: Path) -> list[Model]:
    """Return the models that are marked."""
    if not _marks(root).exists():
        return []
    lines = _marks(root).read_text(encoding="utf-8").splitlines()
    return [replace(Model("", "", ""), **json.loads(line)) for line in lines if line]


def _marks(root: Path) -> Path:
    return tombstones_folder(root) / "models.jsonl"
