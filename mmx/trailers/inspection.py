"""The digest and the technical facts of a trailer's file, or what is wrong with it."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from fractions import Fraction
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmx.engine.canonical import data_digest, file_digest
from mmx.engine.code import code_digest
from mmx.engine.files import FileState, InputFile, unchanged
from mmx.engine.pools.local import Lost, map_items
from mmx.engine.progress import ItemProgress
from mmx.media.faults import Limits, MediaFault
from mmx.trailers.columns import clipped
from mmx.trailers.inspection_log import Inspection, InspectionLog

if TYPE_CHECKING:
    from mmx.media.probe import Probe

KILLED = "reading it killed its process twice: it is broken, or this machine has too little memory"
"""The fault of a file that is tried again each time, since the machine may have caused it."""

UNFORESEEN = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""Errors of code that meets a header which it was not written for: that file's concern alone."""
MOST_LETTERS = 200


def inspect_files(
    paths: Sequence[Path], limits: Limits, cache: Path, workers: int
) -> dict[Path, Inspection]:
    """Read each file, in worker processes, unless `cache` has the result of an earlier run.

    The cache identifies a file by its FileState, and has each result as soon as it is found; all of
    it is discarded when the limits or the code that reads videos change. A file whose worker died
    twice has that as its fault. Raise InputChangedError for a file that changes while it is read.
    """
    log = InspectionLog(cache, _stamp(limits))
    known = log.load()
    states = {path: FileState.of(path) for path in paths}
    found = {path: known[state] for path, state in states.items() if state in known}
    missing = [path for path in paths if path not in found]
    if missing:
        with ItemProgress("ingest", len(paths)) as progress, log.appending() as append:
            progress.count(reused=len(found))
            for path, inspection in _inspect_all(missing, limits, workers):
                found[path] = inspection
                killed = inspection.fault == KILLED
                progress.count(computed=not killed, failed=killed)
                if not killed:
                    append(states[path], inspection)
    kept = {states[path]: found[path] for path in paths if found[path].fault != KILLED}
    if kept != known:
        log.keep_only(kept)
    return found


def _inspect_all(
    paths: Sequence[Path], limits: Limits, workers: int
) -> Iterator[tuple[Path, Inspection]]:
    """Yield what is found in each file, as soon as it is."""
    read = partial(_inspect_chunk, limits=limits)
    for jobs, results in map_items(read, paths, workers=workers):
        if isinstance(results, Lost):
            yield results.job, _killer(results.job)
        else:
            yield from zip(jobs, results, strict=True)


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
    # Imported here: most calls find every video in the cache, and need no decoder.
    from mmx.media.bounded import bounded
    from mmx.media.probe import probe

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


def _probe_facts(found: "Probe") -> dict[str, Any]:
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


def _stamp(limits: Limits) -> str:
    """Return the digest of all that an inspection depends on besides the file."""
    code = code_digest(["mmx.media", "mmx.trailers.inspection"])
    return data_digest({"limits": asdict(limits), "code": code, "av": version("av")})
