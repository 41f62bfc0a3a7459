"""`mmx forget`: find every byte that was made of trailers, remove it, and certify that.

The order makes it safe to interrupt: tombstones first, so that nothing comes back; then a plan,
which a later call takes up; the places one after the other, each of which may be cleaned again; the
proof and the certificate last.
"""

import getpass
import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

from mmx.dvc_state.forget import clear_rwlock, forget_runs
from mmx.dvc_state.history import History
from mmx.dvc_state.lock import replace_outs
from mmx.dvc_state.tracked import declared_outs
from mmx.engine.atomic import write_atomic
from mmx.engine.canonical import canonical
from mmx.errors import UserError
from mmx.forget.certificate import (
    Certificate,
    Model,
    Removal,
    Unreached,
    mark_models,
    write_certificate,
)
from mmx.forget.imprints import take_imprints
from mmx.forget.manifest import ManifestPart, clean_manifest, rows_of
from mmx.forget.notes import clean_notes
from mmx.forget.objects import CacheObjects, Rewriting
from mmx.forget.places import PLANS, Places, git, scan_all
from mmx.forget.releases import clean_release
from mmx.forget.scan import Scan
from mmx.forget.store import clean_store
from mmx.forget.traces import Collected, Traces, collect
from mmx.forget.tree import clean_file, clean_folder
from mmx.forget.unreached import unreached
from mmx.forget.which_models import models_that_saw
from mmx.pipeline.registry import item_steps
from mmx.pipeline.step import CollectionStep
from mmx.project import Project
from mmx.release.about import Taken
from mmx.trailers.signature_store import SignatureStore
from mmx.trailers.tombstones import Tombstone, concealed, read_tombstones, write_tombstone

PLAN = "plan.json"


class ForgetError(UserError):
    """Trailers cannot be taken out as asked for."""


@dataclass
class Plan:
    """What is to be done: kept in the store until it is."""

    ids: list[str]
    reason: str
    date: str
    by: str
    content: dict[str, list[str]] = field(default_factory=dict)
    """Digests of videos by trailer."""
    derived: list[str] = field(default_factory=list)
    fingerprints: list[str] = field(default_factory=list)
    manifest: ManifestPart = field(default_factory=ManifestPart)
    models: list[Model] = field(default_factory=list)
    imprints: dict[str, list[str]] = field(default_factory=dict)
    """Of the pictures, by trailer."""

    @property
    def traces(self) -> Traces:
        """What is looked for."""
        content = {*filter(None, self.manifest.pins), *chain.from_iterable(self.content.values())}
        parts = (self.ids, content, self.derived, self.fingerprints)
        return Traces(*map(frozenset, parts))


@dataclass(frozen=True)
class Forgotten:
    """What `forget` did."""

    certificate: Certificate
    traces: Traces
    """What was looked for."""
    path: Path
    """Where the certificate is."""


def forget(
    project: Project, ids: Sequence[str], reason: str, *, say: Callable[[str], None] = print
) -> Forgotten:
    """Take trailers out of everything that was made of them.

    Without ids, an interrupted call is taken up. Raise ForgetError for trailers of which nothing is
    there, that share their video with another, or while another call is unfinished; StoreBusyError
    while a run is in progress.
    """
    with project.store.locked("forget"):
        aside = project.store.root / PLANS
        plan = _plan(project, ids, reason, aside)
        _write_tombstones(project.layout.root, plan)
        done = _remove_all(Places(project), plan, aside, say)
        path = write_certificate(project.layout.root, done, plan.traces)
        shutil.rmtree(aside)
    return Forgotten(done, plan.traces, path)


def _plan(project: Project, ids: Sequence[str], reason: str, aside: Path) -> Plan:
    """Return the plan of an interrupted call, or make one."""
    path = aside / PLAN
    if path.exists():
        plan = _read_plan(path)
        if ids and sorted(ids) != plan.ids:
            raise ForgetError("an earlier call was interrupted: finish it with `mmx forget`")
        return plan
    if not ids or not reason.strip():
        raise ForgetError("name trailers and a reason: `mmx forget ID --reason TEXT`")
    plan = _new_plan(project, sorted(set(ids)), reason.strip())
    write_atomic(path, canonical(asdict(plan)))
    return plan


def _write_tombstones(root: Path, plan: Plan) -> None:
    """Write the tombstones, with what earlier ones of the same trailers say: in another clone."""
    earlier = {each.trailer_id: each for each in read_tombstones(root)}
    for made in (_tombstone(plan, trailer) for trailer in plan.ids):
        write_tombstone(root, made.joined(earlier.get(made.trailer_id, made)))


def _read_plan(path: Path) -> Plan:
    data = json.loads(path.read_bytes())
    models = [Model(**each) for each in data["models"]]
    return Plan(**{**data, "manifest": ManifestPart(**data["manifest"]), "models": models})


def _new_plan(project: Project, ids: list[str], reason: str) -> Plan:
    """Collect what the trailers are recognised by, in every version of every output."""
    places = Places(project)
    root = project.layout.root
    manifest = rows_of(project.layout, ids)
    objects = places.cache.objects() if places.cache else ()
    found = collect(ids, [*places.work_tree(), *objects], project.store)
    _refuse_unknown(root, ids, manifest, found)
    if found.shared:
        others = ", ".join(sorted(set(found.shared.values())))
        raise ForgetError(f"{others} has the same video, so that it would stay: name it too")
    traces = found.traces
    models = models_that_saw(History(root), frozenset(ids))
    return Plan(
        ids,
        reason,
        date=datetime.now(UTC).date().isoformat(),
        by=_signer(root),
        content=found.content,
        derived=sorted(traces.derived),
        fingerprints=sorted(traces.fingerprints),
        manifest=manifest,
        models=models,
        imprints=take_imprints(project, ids, manifest, found.content),
    )


def _refuse_unknown(root: Path, ids: list[str], part: ManifestPart, found: Collected) -> None:
    """Raise ForgetError if there is nothing of any of the trailers and never was."""
    known = set(part.ids) | found.known | {t.trailer_id for t in read_tombstones(root)}
    unknown = [each for each in ids if each not in known and concealed(each) not in known]
    if unknown:
        raise ForgetError(
            f"there is nothing of {', '.join(unknown)} here: is the trailer_id right?"
        )


def _signer(root: Path) -> str:
    """Return who does it, as git names them."""
    name, address = (git(root, "config", f"user.{key}") for key in ("name", "email"))
    return f"{name} <{address}>" if name else getpass.getuser()


def _tombstone(plan: Plan, trailer: str) -> Tombstone:
    """Return what remains of a trailer; digests of results are those of all that go with it."""
    name = concealed(trailer)
    return Tombstone(
        name[:16],
        name,
        len(trailer),
        content=_all_concealed([*plan.content.get(trailer, ()), *plan.manifest.pin_of(trailer)]),
        derived=_all_concealed(plan.derived),
        addresses=_all_concealed(plan.manifest.addresses.get(trailer, ())),
        date=plan.date,
        reason=plan.reason,
        by=plan.by,
        imprints=tuple(plan.imprints.get(trailer, ())),
    )


def _all_concealed(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(map(concealed, texts))))


def _remove_all(places: Places, plan: Plan, aside: Path, say: Callable[[str], None]) -> Certificate:
    """Clean every place, then look through all of them."""
    root, traces, project = places.root, plan.traces, places.project
    whole = [s.name for s in item_steps(project.params) if isinstance(s, CollectionStep)]
    removed: list[Removal] = []
    say("manifest, ledgers and videos")
    removed += clean_manifest(project.layout, plan.manifest, traces)
    say("item store")
    counts = clean_store(project.store, traces, whole)
    kept = SignatureStore(project.signatures, project.limits)
    kept.drop_notes()
    counts["signatures"] = kept.drop(traces.content)
    removed += [Removal("item store", what, count) for what, count in counts.items()]
    say("DVC's cache and remotes")
    failed = _clean_objects(places, traces, aside, removed)
    say("work tree")
    removed.append(Removal("work tree", "outputs", _clean_outputs(project, traces)))
    for entry in places.releases:
        say(f"release {entry.version}")
        names = tuple(sorted(concealed(each)[:16] for each in plan.ids))
        taken = Taken(plan.date, names, plan.reason, plan.by, former_root="")
        count = clean_release(root, entry, traces, taken)
        removed.append(Removal(f"release {entry.version}", "files", count))
    mark_models(root, plan.models)
    say("proof: every file is read again")
    return _certified(places, plan, [each for each in removed if each.count], failed)


def _clean_objects(
    places: Places, traces: Traces, aside: Path, removed: list[Removal]
) -> dict[str, str]:
    """Clean DVC's cache, its remotes, and dvc.lock; return why remotes could not be cleaned."""
    if places.cache is None:
        return {}
    failed: dict[str, str] = {}
    rewriting = Rewriting(traces, aside)
    rewriting.load()
    here = CacheObjects(places.cache)
    count = len(rewriting.run(here))
    removed.append(Removal(here.name, "objects", count))
    with places.remotes(aside) as remotes:
        for remote in remotes:
            try:
                removed.append(Removal(remote.name, "objects", len(rewriting.run(remote))))
            except Exception as error:
                # Whatever a kind of remote raises: the others are still cleaned.
                failed[remote.name] = str(error) or type(error).__name__
    forget_runs(places.cache, set(rewriting.changed))
    replace_outs(places.root, dict(_new_entries(here, rewriting.changed)))
    clear_rwlock(places.root)
    clean_notes(places.root, traces)
    return failed


def _new_entries(
    cache: CacheObjects, changed: dict[str, str | None]
) -> Iterator[tuple[str, tuple[str, int, int | None] | None]]:
    """Yield what dvc.lock says of an output now, by its earlier md5."""
    for old, new in changed.items():
        if new is None:
            yield old, None
            continue
        with suppress(FileNotFoundError):
            files = cache.cache.files(new)
            paths = [cache.read(md5) for md5 in (files.values() if files else [new])]
            yield old, (new, sum(p.stat().st_size for p in paths), len(files) or None)


def _clean_outputs(project: Project, traces: Traces) -> int:
    """Clean all outputs; return how many files had something of the trailers.

    Other files in the same folders are the user's own: the proof names those that have any.
    """
    count, layout = 0, project.layout
    declared = {layout.root / out for out in declared_outs(layout.root)}
    declared |= {step.output.path(layout.root) for step in item_steps(project.params)}
    own = {*layout.evaluated, layout.evidence, layout.page}
    for path in sorted(declared | own):
        if path.is_dir():
            count += len(clean_folder(path, traces))
        elif path.is_file():
            count += clean_file(path, traces)
    return count


def _certified(
    places: Places, plan: Plan, removed: list[Removal], failed: dict[str, str]
) -> Certificate:
    """Look through all places by the tombstones, and state the result."""
    root = places.root
    names = {concealed(each)[:16] for each in plan.ids}
    scan = Scan([each for each in read_tombstones(root) if each.name in names])
    failed |= scan_all(places, scan)
    trouble = [Unreached(f"{name}: {why}", "mmx forget ...") for name, why in failed.items()]
    trouble += [_unseen(each) for each in scan.tombstones if not each.imprints]
    return Certificate(
        tombstones=tuple(sorted(names)),
        date=plan.date,
        by=plan.by,
        reason=plan.reason,
        removed=tuple(removed),
        models=tuple(plan.models),
        unreached=(*trouble, *unreached(places, plan.traces, plan.manifest)),
        looked_through={"files": scan.files, "bytes": scan.size},
        remains=tuple(scan.found),
    )


def _unseen(tombstone: Tombstone) -> Unreached:
    """Return what is missing where a trailer's video could not be read."""
    return Unreached(
        f"tombstone {tombstone.name} has no imprint of the pictures, since there was no video: a "
        "copy that is encoded anew would be accepted",
        "mmx forget ID --reason TEXT, in a clone that has the video",
    )


def still_there(project: Project) -> tuple[Scan, dict[str, str]]:
    """Look for all trailers that were ever taken out, in all places, by their tombstones.

    Return the search, and why places could not be looked through, by their name.
    """
    scan = Scan(read_tombstones(project.layout.root))
    return scan, scan_all(Places(project), scan) if scan.tombstones else {}
