"""Films that were taken out and come back encoded anew: recognised by the imprints of tombstones.

Only where a tombstone has an imprint are videos looked at, each once as long as the imprints are
the same.
"""

from collections.abc import Mapping
from pathlib import Path

from mmx.trailers.signature_store import SignatureStore
from mmx.trailers.tombstones import Refusals


def returned(
    videos: Mapping[str, Path], refusals: Refusals, store: SignatureStore, workers: int
) -> dict[str, str]:
    """Return why videos are refused, by the digest of their pictures; raise SignatureError."""
    imprints = refusals.imprints
    if not imprints:
        return {}
    cleared = store.cleared(imprints)
    unknown = {digest: path for digest, path in videos.items() if digest not in cleared}
    if not unknown:
        return {}
    signed = store.read(unknown, workers, "taken out before?")
    reasons = {digest: refusals.reason_by_pictures(film) for digest, film in signed}
    store.clear(imprints, cleared & videos.keys() | {d for d, why in reasons.items() if not why})
    refused = {digest: reason for digest, reason in reasons.items() if reason}
    # Nothing that was made of them is kept; they are read again as long as the manifest has them.
    store.drop(refused)
    return refused
