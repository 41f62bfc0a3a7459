"""Imprints of the trailers' pictures, by which copies that are encoded anew are refused."""

from collections.abc import Iterable, Iterator, Mapping

from mmx.forget.manifest import ManifestPart
from mmx.project import Project
from mmx.trailers.imprint import Imprint
from mmx.trailers.signature import Signature
from mmx.trailers.signature_store import SignatureStore, sign_video
from mmx.trailers.tombstones import concealed


def take_imprints(
    project: Project,
    ids: Iterable[str],
    part: ManifestPart,
    content: Mapping[str, Iterable[str]],
) -> dict[str, list[str]]:
    """Return packed imprints by trailer: of its video, and of earlier ones whose signature is kept.

    content: digests of videos by trailer. Empty for one of which there is neither.
    """
    found = {}
    for trailer in ids:
        salt = concealed(trailer)
        films = _signatures(project, trailer, part, content.get(trailer, ()))
        found[trailer] = sorted({Imprint.of(film, salt).pack() for film in films})
    return found


def _signatures(
    project: Project, trailer: str, part: ManifestPart, digests: Iterable[str]
) -> Iterator[Signature]:
    kept = SignatureStore(project.signatures, project.limits).kept(sorted(digests))
    yield from (film for _, film in kept)
    for name, video in zip(part.ids, part.videos, strict=True):
        path = project.layout.videos / video
        film = sign_video(path, project.limits) if name == trailer and path.is_file() else None
        if film:
            yield film
