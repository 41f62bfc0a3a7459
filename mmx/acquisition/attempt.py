"""One attempt at one video: two lines of the ledger, and a file among the videos or none.

The order makes every kill harmless: a line that it begins, the file whole and flushed to disk, a
line that it is there, and the file among the videos. `place` does the last again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mmx.acquisition.arrived import Arrived
from mmx.acquisition.http import Http
from mmx.acquisition.ledger import Attempt, append, ledger_path, now
from mmx.acquisition.outcome import FetchError, Outcome
from mmx.acquisition.part import Part
from mmx.acquisition.wanted import Wanted
from mmx.acquisition.youtube import YouTube
from mmx.engine.atomic import link_or_copy, sync
from mmx.engine.canonical import file_digest
from mmx.layout import Layout
from mmx.trailers.paths import PathFault, check_kind
from mmx.trailers.tombstones import Refusals


@dataclass(frozen=True)
class Attempts:
    """Makes attempts for one project."""

    layout: Layout
    http: Http
    youtube: YouTube
    refusals: Refusals

    @property
    def folder(self) -> Path:
        """Files in the making; not in git."""
        return self.layout.data / "fetching"

    @property
    def ledger(self) -> Path:
        """Where attempts are recorded."""
        return ledger_path(self.layout.root)

    def fetch(self, wanted: Wanted) -> Attempt:
        """Try to fetch a video, and return what the ledger says of it; raise FetchError."""
        attempt = self._recorded(wanted, partial(self._fetch, wanted))
        self.place(attempt)
        return attempt

    def check(self, wanted: Wanted) -> Attempt:
        """Ask whether a video is there, and return what the ledger says; raise FetchError."""
        return self._recorded(wanted, partial(self._check, wanted))

    def place(self, attempt: Attempt) -> None:
        """Put a fetched file among the videos, unless it is there already."""
        source, target = self.folder / attempt.video, self.layout.videos / attempt.video
        if not source.is_file() or file_digest(source) != attempt.sha256:
            return
        if not target.exists():
            link_or_copy(source, target)
            sync(target.parent)
        source.unlink()

    def _recorded(self, wanted: Wanted, act: Callable[[], Attempt]) -> Attempt:
        """Act between two lines of the ledger."""
        append(self.ledger, _line(wanted, Outcome.begun))
        try:
            attempt = act()
        except FetchError as error:
            append(self.ledger, _line(wanted, error.outcome, reason=str(error)))
            raise
        append(self.ledger, attempt)
        return attempt

    def _check(self, wanted: Wanted) -> Attempt:
        (self.youtube if wanted.youtube_id else self.http).check(wanted.url)
        return _line(wanted, Outcome.there)

    def _fetch(self, wanted: Wanted) -> Attempt:
        if wanted.youtube_id:
            arrived = self.youtube.fetch(wanted.url, self.folder, f"{wanted.stem}.youtube")
        else:
            arrived = self.http.fetch(wanted.url, self.folder / f"{wanted.stem}.part")
        try:
            return self._finished(wanted, arrived)
        except FetchError:
            Part(arrived.path).drop()
            raise

    def _finished(self, wanted: Wanted, arrived: Arrived) -> Attempt:
        """Check a whole file and give it its name; return the line about it."""
        video = f"{wanted.stem}{arrived.suffix}"
        try:
            check_kind(arrived.path, video)
        except PathFault as fault:
            raise FetchError(Outcome.broken, str(fault)) from None
        sync(arrived.path)
        digest, size = file_digest(arrived.path), arrived.path.stat().st_size
        if self.refusals.reason("", "", [digest]):
            raise FetchError(Outcome.refused, "its bytes are those of a trailer that was taken out")
        self._require_free(video, digest)
        arrived.path.replace(self.folder / video)
        sync(self.folder)
        Part(arrived.path).drop()
        return _line(
            wanted,
            Outcome.fetched,
            format=arrived.format,
            uploader=arrived.uploader,
            licence=arrived.licence,
            bytes=str(size),
            sha256=digest,
            video=video,
        )

    def _require_free(self, video: str, digest: str) -> None:
        """Raise FetchError where another file has the name."""
        target = self.layout.videos / video
        if target.exists() and file_digest(target) != digest:
            raise FetchError(Outcome.broken, f"data/videos has another {video}: move it away")


def _line(wanted: Wanted, outcome: Outcome, **told: str) -> Attempt:
    return Attempt(
        date=now(),
        trailer_id=wanted.trailer_id,
        outcome=outcome,
        url=wanted.url,
        year=wanted.cells.get("year", ""),
        **told,
    )
