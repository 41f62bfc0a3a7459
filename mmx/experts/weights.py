"""Files of weights: found, fetched, checked, pinned.

A digest is checked by the kind that its publisher gives: a whole sha256, the first digits of one,
or git's name of a blob. On first use the whole sha256 is pinned in a lock file, which is to be
committed, and from then on any other file is refused.
"""

import logging
import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Literal
from urllib.parse import urlsplit

from mmx.engine.receipt import Weight
from mmx.experts.base import Checkpoint, Digest, Packaged, Source, Weights
from mmx.experts.download import DownloadError, Progress, discard, download, part_path
from mmx.experts.pins import (
    Hashes,
    Pin,
    WeightsError,
    hash_file,
    locked_folder,
    read_pins,
    write_pins,
)

ENVIRONMENT = "MMX_WEIGHTS"
"""Environment variable that names the folder of weights."""
_BEGINNINGS = {"torch": (b"PK\x03\x04", b"\x80\x02"), "torch_latin1": (b"PK\x03\x04", b"\x80\x02")}
"""First bytes of the formats; a web page that says "not found" begins otherwise."""

log = logging.getLogger(__name__)


class MissingWeights(WeightsError):
    """Files are missing; the message has the address, size and path of each."""


class RefusedWeights(WeightsError):
    """A file is not the one that was published or pinned."""


@dataclass(frozen=True)
class Place:
    """The folder of weights and the file that pins their digests."""

    folder: Path
    """Holds the files; may be read-only, and shared by projects."""
    lock: Path
    """`weights.lock.yaml` of the project."""


@dataclass(frozen=True)
class WeightsFile:
    """One file of weights: its state, digests and source."""

    weights: Weights
    """The declaration."""
    path: Path
    """Where it is, or should be."""
    state: Literal["present", "ready", "missing", "refused"]
    """`present`: there, not checked; `ready`: there and checked."""
    hashes: Hashes | None = None
    """Digests of the file, where it was read."""
    source: str = ""
    """The address or package that published these bytes; empty where the user accepted others."""
    reason: str = ""
    """Why it is refused."""


def weights_folder(given: Path | None = None) -> Path:
    """Return `given`, else what MMX_WEIGHTS names, else `mmx/weights` in the user's cache."""
    if given is not None:
        return given
    if named := os.environ.get(ENVIRONMENT):
        return Path(named)
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "mmx" / "weights"


def list_weights(wanted: Iterable[Weights], place: Place) -> list[WeightsFile]:
    """Say which files are there, without reading them."""
    return [_find(weights, place.folder) for weights in wanted]


def verify(wanted: Iterable[Weights], place: Place) -> list[WeightsFile]:
    """Hash every file and compare it with what is published and pinned; write nothing."""
    pins = read_pins(place.lock)
    return [_examine(status, pins) for status in list_weights(wanted, place)]


def require_present(wanted: Iterable[Weights], place: Place) -> None:
    """Raise MissingWeights for all files that are missing; none is read."""
    _refuse_missing(list_weights(wanted, place))


def _refuse_missing(found: Iterable[WeightsFile]) -> None:
    missing = [status for status in found if status.state == "missing"]
    if missing:
        raise MissingWeights(_how_to_get(missing))


def require(wanted: Iterable[Weights], place: Place) -> list[WeightsFile]:
    """Return every file checked and pinned, or raise for all that are missing or refused.

    Raises MissingWeights or RefusedWeights before anything is computed.
    """
    found = verify(wanted, place)
    _refuse_missing(found)
    refused = [status.reason for status in found if status.state == "refused"]
    if refused:
        raise RefusedWeights("\n".join(refused))
    for status in found:
        if isinstance(status.weights, Checkpoint) and status.hashes:
            _pin(status.weights, status.hashes, place.lock)
    return found


def ingredient_of(status: WeightsFile) -> Weight:
    """Return the entry in receipts of a checked file of weights."""
    assert status.hashes
    weights = status.weights
    return Weight(weights.file, status.hashes.sha256, status.source, weights.licence)


def fetch(
    checkpoint: Checkpoint,
    place: Place,
    *,
    local: Path | None = None,
    progress: Progress = lambda done, total: None,
    pause_s: float = 1.0,
) -> WeightsFile:
    """Bring one file to its folder, checked and pinned; a file that is there and correct stays.

    It is copied from the folder `local`, or else downloaded from the first of its sources that
    gives it, resumed and renamed when whole. Raises RefusedWeights for a wrong file, MissingWeights
    when no source gives it.
    """
    place.folder.mkdir(parents=True, exist_ok=True)
    with locked_folder(place.folder):
        [found] = verify([checkpoint], place)
        if found.state == "refused":
            raise RefusedWeights(f"{found.reason} Delete it to fetch it again.")
        if found.state == "missing" and local is not None:
            _copy(checkpoint, place, local)
        elif found.state == "missing":
            _download(checkpoint, place, progress, pause_s)
    return require([checkpoint], place)[0]


def accept(checkpoint: Checkpoint, place: Place) -> WeightsFile:
    """Pin the present file in place of the published one, and mark it as accepted.

    For weights that were trained further or converted, and for tests. Raises MissingWeights.
    """
    found = _find(checkpoint, place.folder)
    if found.state == "missing":
        raise MissingWeights(_how_to_get([found]))
    hashes = hash_file(found.path)
    with locked_folder(place.lock.parent):
        pins = read_pins(place.lock)
        pins[checkpoint.file] = Pin(hashes.sha256, hashes.size, source="", accepted=True)
        write_pins(place.lock, pins)
    return verify([checkpoint], place)[0]


def _find(weights: Weights, folder: Path) -> WeightsFile:
    """Look for a file under its own name, then under the names of its addresses."""
    if isinstance(weights, Packaged):
        return _find_packaged(weights)
    names = [weights.file, *(PurePosixPath(urlsplit(s.url).path).name for s in weights.sources)]
    for name in names:
        if (folder / name).is_file():
            return WeightsFile(weights, folder / name, "present")
    return WeightsFile(weights, folder / weights.file, "missing")


def _find_packaged(weights: Packaged) -> WeightsFile:
    spec = find_spec(weights.package)
    folders = spec.submodule_search_locations if spec else None
    path = Path(folders[0] if folders else weights.package) / weights.path
    return WeightsFile(weights, path, "present" if path.is_file() else "missing")


def _examine(status: WeightsFile, pins: dict[str, Pin]) -> WeightsFile:
    """Return a present file as ready or refused."""
    if status.state == "missing":
        return status
    weights, pin, hashes = status.weights, pins.get(status.weights.file), hash_file(status.path)
    if isinstance(weights, Packaged):
        source = weights.package
        reason = _refusal(weights.file, hashes, [Digest("sha256", weights.sha256)], None)
    else:
        source = "" if pin and pin.accepted else _published_by(weights, hashes)
        reason = _refusal(status.path.name, hashes, [s.digest for s in weights.sources], pin)
        reason = reason or _format_fault(weights, status.path)
    return WeightsFile(
        weights, status.path, "refused" if reason else "ready", hashes, source, reason
    )


def _refusal(name: str, hashes: Hashes, expected: Sequence[Digest | None], pin: Pin | None) -> str:
    """Return why a file is refused; empty if it is not. Without a digest, any file is allowed."""
    accepted = pin is not None and pin.accepted
    if not accepted and not any(d is None or hashes.match(d) for d in expected):
        said = " or ".join(f"{digest.kind} {digest.value}" for digest in expected if digest)
        return (
            f"{name} is not what was published: expected {said}, "
            f"found sha256 {hashes.sha256}, git_blob {hashes.git_blob}."
        )
    if pin is not None and pin.sha256 != hashes.sha256:
        return f"{name} has changed: sha256 {pin.sha256} is pinned, found {hashes.sha256}."
    return ""


def _format_fault(checkpoint: Checkpoint, path: Path) -> str:
    beginnings = _BEGINNINGS.get(checkpoint.format)
    with path.open("rb") as file:
        start = file.read(4)
    if beginnings is None or start.startswith(beginnings):
        return ""
    return (
        f"{checkpoint.file} is not a file of format {checkpoint.format}: it begins with {start!r}."
    )


def _copy(checkpoint: Checkpoint, place: Place, local: Path) -> None:
    """Copy the file from another folder; it is checked before it is renamed."""
    source = _find(checkpoint, local)
    if source.state == "missing":
        raise MissingWeights(_how_to_get([source]))
    part = part_path(place.folder, checkpoint.file, source.path.name)
    shutil.copyfile(source.path, part)
    _accept(checkpoint, place, part, [s.digest for s in checkpoint.sources])


def _download(checkpoint: Checkpoint, place: Place, progress: Progress, pause_s: float) -> None:
    """Try the sources in order; a failed address is skipped, a wrong file is an error."""
    failures: list[str] = []
    for source in checkpoint.sources:
        part = part_path(place.folder, checkpoint.file, source.url)
        try:
            final = download(source.url, part, progress, pause_s=pause_s)
        except DownloadError as error:
            failures.append(str(error))
            continue
        if source.digest is None and "http" in (
            urlsplit(source.url).scheme,
            urlsplit(final).scheme,
        ):
            log.warning("%s came over plain http, and no digest is published", checkpoint.file)
        _accept(checkpoint, place, part, [source.digest])
        return
    missing = WeightsFile(checkpoint, place.folder / checkpoint.file, "missing")
    raise MissingWeights("\n".join([*failures, _how_to_get([missing])]))


def _accept(
    checkpoint: Checkpoint, place: Place, part: Path, expected: list[Digest | None]
) -> None:
    """Rename a complete file if it is the right one, else remove it and raise."""
    pin = read_pins(place.lock).get(checkpoint.file)
    reason = _refusal(checkpoint.file, hash_file(part), expected, pin)
    reason = reason or _format_fault(checkpoint, part)
    if reason:
        discard(part)
        raise RefusedWeights(reason)
    os.replace(part, place.folder / checkpoint.file)
    discard(part)


def _pin(checkpoint: Checkpoint, hashes: Hashes, lock: Path) -> None:
    """Pin a checked file, unless it is pinned; warn where no published digest confirms it."""
    with locked_folder(lock.parent):
        pins = read_pins(lock)
        if checkpoint.file in pins:
            return
        pins[checkpoint.file] = Pin(hashes.sha256, hashes.size, _published_by(checkpoint, hashes))
        write_pins(lock, pins)
    if not any(s.digest and hashes.match(s.digest) for s in checkpoint.sources):
        log.warning(
            "no digest of %s is published: its sha256 %s is now pinned in %s, commit it",
            checkpoint.file,
            hashes.sha256,
            lock.name,
        )


def _published_by(checkpoint: Checkpoint, hashes: Hashes) -> str:
    """Return the address whose digest this is, else one without a digest, else an empty text."""
    named = [s.url for s in checkpoint.sources if s.digest is not None and hashes.match(s.digest)]
    silent = [s.url for s in checkpoint.sources if s.digest is None]
    return next(iter([*named, *silent]), "")


def size_of(source: Source) -> str:
    """Return the size of a file for people."""
    return f"{source.size / 1e6:.1f} MB" if source.size else "size unknown"


def _how_to_get(missing: list[WeightsFile]) -> str:
    """Return for each missing file its addresses, its size and where to put it."""
    lines = [
        f"{len(missing)} file(s) of weights missing; `mmx weights fetch` gets them, or by hand:"
    ]
    for status in missing:
        if isinstance(status.weights, Packaged):
            package = status.weights.package
            lines.append(f"- {status.path.name}: `make install`, or install the package {package}")
            continue
        lines.append(f"- put at {status.path}")
        for source in status.weights.sources:
            lines.append(f"  from {source.url} ({size_of(source)})")
    return "\n".join(lines)
