"""The signatures of videos, each read once and kept in the item store's folder `signatures`."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mmx.engine.atomic import write_atomic
from mmx.engine.canonical import bytes_digest, data_digest
from mmx.engine.code import code_digest
from mmx.engine.pools.local import Lost, map_items
from mmx.engine.progress import ItemProgress
from mmx.errors import UserError
from mmx.media.bounded import bounded
from mmx.media.faults import Limits, MediaFault
from mmx.trailers.signature import Signature, read_signature

SIGNING = ("mmx.media", "mmx.trailers.signature")
"""Code on which a signature depends."""
COMPARING = (*SIGNING, "mmx.trailers.imprint")
"""Code on which it depends whether an imprint fits."""
CLEARED = "cleared"
"""Folder of notes on videos that no imprint fits."""


class SignatureError(UserError):
    """A video killed its reader twice."""


@dataclass(frozen=True)
class SignatureStore:
    """Signatures by the digest of a video's pictures."""

    folder: Path
    limits: Limits

    def read(
        self, videos: Mapping[str, Path], workers: int, step: str
    ) -> Iterator[tuple[str, Signature]]:
        """Yield the signature of each video, as soon as it is there; in no order.

        A video that cannot be decoded is left out. `step` is the word for it in the progress. Raise
        SignatureError.
        """
        unread = dict(videos)
        with ItemProgress(step, len(videos)) as progress:
            for digest, signature in self.kept(videos):
                del unread[digest]
                progress.count(reused=1)
                yield digest, signature
            for digest, made in self._read_all(unread, workers):
                progress.count(computed=made is not None, failed=made is None)
                if made:
                    yield digest, made

    def kept(self, digests: Iterable[str]) -> Iterator[tuple[str, Signature]]:
        """Yield the signatures that are kept and whole."""
        for digest in digests:
            signature = _kept(self._now / digest)
            if signature:
                yield digest, signature

    def drop(self, digests: Collection[str]) -> int:
        """Remove the signatures of some videos, by any version of the code; return how many."""
        gone = [path for path in self._files() if path.name in digests]
        for path in gone:
            path.unlink()
        return len(gone)

    def drop_notes(self) -> None:
        """Remove all notes that `clear` made: they have digests of videos in them."""
        for path in self._files():
            if path.parent.name == CLEARED:
                path.unlink()

    def _files(self) -> list[Path]:
        return [path for path in self.folder.rglob("*") if path.is_file()]

    def cleared(self, imprints: Sequence[str]) -> set[str]:
        """Return the digests of the videos of which is known that none of the imprints fits."""
        path = self._note(imprints)
        return set(path.read_text(encoding="ascii").split()) if path.exists() else set()

    def clear(self, imprints: Sequence[str], digests: Collection[str]) -> None:
        """Note that none of the imprints fits these videos, and nothing else."""
        if digests:
            write_atomic(self._note(imprints), "\n".join(sorted(digests)).encode())

    def _read_all(
        self, videos: Mapping[str, Path], workers: int
    ) -> Iterator[tuple[str, Signature | None]]:
        read = partial(_read_all, folder=self._now, limits=self.limits)
        for jobs, results in map_items(read, list(videos.items()), workers=workers):
            if isinstance(results, Lost):
                raise SignatureError(f"reading {results.job[1].name} killed its process twice")
            yield from zip((digest for digest, _ in jobs), results, strict=True)

    @property
    def _now(self) -> Path:
        """Where the present code keeps signatures."""
        return self.folder / code_digest(SIGNING)[:16]

    def _note(self, imprints: Sequence[str]) -> Path:
        depends = {"imprints": sorted(imprints), "code": code_digest(COMPARING)}
        return self._now / CLEARED / data_digest(depends)


def _kept(path: Path) -> Signature | None:
    """Return a kept signature, if there is one and it is whole."""
    try:
        digest, _, packed = path.read_text(encoding="ascii").partition(" ")
    except (FileNotFoundError, ValueError):
        return None
    return Signature.unpack(packed) if bytes_digest(packed.encode()) == digest else None


def _read_all(
    jobs: Sequence[tuple[str, Path]], folder: Path, limits: Limits
) -> list[Signature | None]:
    return [_read(folder / digest, video, limits) for digest, video in jobs]


def _read(kept: Path, video: Path, limits: Limits) -> Signature | None:
    signature = sign_video(video, limits)
    if signature:
        packed = signature.pack()
        write_atomic(kept, f"{bytes_digest(packed.encode())} {packed}".encode())
    return signature


def sign_video(video: Path, limits: Limits) -> Signature | None:
    """Return the signature of a video; None if it cannot be decoded."""
    try:
        # As it is read back, so that a kept signature and a new one compare alike.
        with bounded(video.stat().st_size, limits):
            return Signature.unpack(read_signature(video, limits).pack())
    except MediaFault:
        return None
