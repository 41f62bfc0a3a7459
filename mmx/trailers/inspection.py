"""The digest and the technical facts of a trailer's file, or what is wrong with it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import partial
from importlib.metadata import version
from json import loads
from pathlib import Path
from typing import Any

from mmx.engine.atomic import write_atomic
from mmx.engine.canonical import canonical, data_digest, file_digest
from mmx.engine.code import code_digest
from mmx.engine.files import FileRefusedError, FileState, InputFile, read_regular, unchanged
from mmx.engine.pools.local import Lost, map_items
from mmx.engine.progress import ItemProgress
from mmx.media.bounded import bounded
from mmx.media.faults import Limits, MediaFault
from mmx.media.probe import Probe, probe
from mmx.trailers.columns import clipped

NO_CACHE = (
    *(FileNotFoundError, IsADirectoryError, FileRefusedError, RecursionError, OverflowError),
    *(ValueError, KeyError, TypeError, AttributeError),
)
"""What reading the cache raises where the file is missing or is not a cache."""
LARGEST_CACHE = 1 << 32
"""Bytes of the cache: a million files have fewer."""

KILLED = "reading it killed its process twice: it is broken, or this machine has too little memory"
"""The fault of a file that is tried again each time, since the machine may have caused it."""

UNFORESEEN = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""Errors of code that meets a header which it was not written for: that file's concern alone."""
MOST_LETTERS = 200


@dataclass(frozen=True)
class Inspection:
    """What reading a file found."""

    sha256: str
    size: int
    """Bytes."""
    facts: dict[str, Any] | None
    """Columns of sources.parquet that come from the probe; None where the file cannot be used."""
    fault: str = ""
    """Why it cannot be used, in one sentence."""


def inspect_files(
    paths: Sequence[Path], limits: Limits, cache: Path, workers: int
) -> dict[Path, Inspection]:
    """Read each file, in worker processes, unless `cache` has the result of an earlier run.

    The cache identifies a file by its FileState; all of it is discarded when the limits or the code
    that reads videos change. A file whose worker died twice has that as its fault. Raise
    InputChangedError for a file that changes while it is read.
    """
    stamp = _stamp(limits)
    known = _load(cache, stamp)
    keys = {path: str(FileState.of(path)) for path in paths}
    found = {path: known[key] for path, key in keys.items() if key in known}
    missing = [path for path in paths if path not in found]
    with ItemProgress("ingest", len(paths)) as progress:
        progress.count(reused=len(found))
        read = partial(_inspect_chunk, limits=limits)
        for jobs, results in map_items(read, missing, workers=workers):
            if isinstance(results, Lost):
                found[results.job] = _killer(results.job)
                progress.count(failed=1)
                continue
            found.update(zip(jobs, results, strict=True))
            progress.count(computed=len(jobs))
    kept = {keys[path]: found[path] for path in found if found[path].fault != KILLED}
    _save(cache, stamp, kept)
    return found


def _killer(path: Path) -> Inspection:
    """Return what is known of a file that killed its reader; it is tried again next time."""
    state = FileState.of(path)
    digest = file_digest(path)
    with unchanged([InputFile(path, digest, state, "run `dvc repro` again")]):
        return Inspection(digest, state.size, None, KILLED)


def _inspect_chunk(paths: Sequence[Path], limits: Limits) -> list[Inspection]:
    return [inspect_file(path, limits) for path in paths]


def inspect_file(path: Path, limits: Limits) -> Inspection:
    """Hash and probe one file; raise InputChangedError if it changes meanwhile."""
    state = FileState.of(path)
    digest = file_digest(path)
    with unchanged([InputFile(path, digest, state, "run `dvc repro` again")]):
        try:
            with bounded(state.size, limits):
                return Inspection(digest, state.size, _probe_facts(probe(path, limits)))
        except MediaFault as fault:
            return Inspection(digest, state.size, None, str(fault))
        except UNFORESEEN as error:
            return Inspection(digest, state.size, None, _unforeseen(error))


def _unforeseen(error: Exception) -> str:
    """Return the fault of a file at which the reading code fails: in one short sentence."""
    words = clipped(str(error))[:MOST_LETTERS]
    return f"reading it fails in a way that was not foreseen: {type(error).__name__}: {words}"


def _probe_facts(found: Probe) -> dict[str, Any]:
    """Return a probe as the columns of sources.parquet: durations, counts and rate as counted."""
    facts = {
        name: str(value) if isinstance(value, Fraction) else value
        for name, value in asdict(found).items()
    }
    seconds, frames = found.duration_from_content, found.frames_from_content
    average = frames / seconds if seconds else 0.0
    return {
        **facts,
        "start_s": float(found.start_s),
        "duration_s": seconds,
        "frames": frames,
        "fps": float(found.rate) if found.rate else average,
        "has_audio": found.audio_codec is not None,
    }


def known_states(cache: Path) -> dict[FileState, str]:
    """Return the sha256 of every file that ingest has read, by the state that it had then.

    The digest of bytes does not depend on the limits or the code. Empty where there is no valid
    cache.
    """
    try:
        files = loads(read_regular(cache, LARGEST_CACHE))["files"].items()
        return {FileState.parse(key): str(fields["sha256"]) for key, fields in files}
    except NO_CACHE:
        return {}


def _stamp(limits: Limits) -> str:
    """Return the digest of all that an inspection depends on besides the file."""
    code = code_digest(["mmx.media", "mmx.trailers.inspection"])
    return data_digest({"limits": asdict(limits), "code": code, "av": version("av")})


def _load(cache: Path, stamp: str) -> dict[str, Inspection]:
    """Return what the cache holds, by the key of the file; empty if it is not a valid cache."""
    try:
        content = loads(read_regular(cache, LARGEST_CACHE))
        if content["stamp"] != stamp:
            return {}
        return {key: Inspection(**fields) for key, fields in content["files"].items()}
    except NO_CACHE:
        return {}


def _save(cache: Path, stamp: str, files: Mapping[str, Inspection]) -> None:
    inspections = {key: asdict(inspection) for key, inspection in files.items()}
    write_atomic(cache, canonical({"stamp": stamp, "files": inspections}))
