"""An output directory: what DVC versions, built from the items of one step.

    <letter>XX.parquet      TableOutput: the rows of all items, in shards
    <item><suffix>          FilesOutput: one file per item, a hard link into the store; how an
                            item is spelt as a file name: mmx/engine/names.py
    <name>                  TreeOutput: the files of the only item, under their own names
    _receipts/rXX.jsonl     one line per item, {"item": ..., "receipt": ...}, sorted

XX is an item's shard; mmx/engine/shards.py says how many there are. Identical items give identical
bytes. An item with a fault has a receipt and
nothing else. This module is the one place that knows the layout.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

import orjson
import pyarrow as pa

from mmx.engine.atomic import link_or_copy, write_atomic
from mmx.engine.canonical import bytes_digest, canonical, file_digest
from mmx.engine.errors import ReceiptError, StoreError
from mmx.engine.files import FileRefusedError, read_regular
from mmx.engine.names import file_name, item_name
from mmx.engine.parquet import UNREADABLE, read_parquet, write_parquet
from mmx.engine.plain import is_plain_name
from mmx.engine.receipt import OutputFile, Receipt
from mmx.engine.rows import decode_rows, encode_rows
from mmx.engine.shards import FEWEST, by_shard, count_of, shard_count, shard_of
from mmx.engine.store import Store

ALL = "all"
"""The only item of a step that processes all trailers at once."""
ITEM, FINGERPRINT = "trailer_id", "fingerprint"
"""Columns that a table adds to the rows of its items."""
_RECEIPTS = "_receipts"
_LARGEST = 1 << 30
"""Bytes of a file of receipts."""


@dataclass(frozen=True)
class Files:
    """The files of an output directory by their names in it: in the work tree or in DVC's cache."""

    paths: Mapping[str, Path]
    damaged: Container[Path] = ()
    """Files that may not be used as a whole; single rows of them may still be unchanged."""
    _tables: dict[str, pa.Table] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def count(self) -> int:
        """Number of the directory's shards."""
        return count_among(self.paths)

    def with_digest(self, name: str, sha256: str) -> Path | None:
        """Return where a file with these bytes lies; None where it is missing or changed."""
        path = self.paths.get(name)
        if path is None or path in self.damaged or not path.exists():
            return None
        return path if file_digest(path) == sha256 else None

    def rows(self, name: str, item: str) -> bytes | None:
        """Return an item's rows from a table, as the item wrote them; None if unreadable."""
        path = self.paths.get(name)
        if path is None:
            return None
        try:
            if name not in self._tables:
                self._tables[name] = read_parquet(path)
            return encode_rows(item_rows(self._tables[name], item))
        except UNREADABLE:
            return None


@dataclass(frozen=True)
class Output(ABC):
    """Where the results of a step are stored, and in which form."""

    folder: str
    """Relative to the project's top, with `/`, as dvc.yaml names it."""

    def path(self, root: Path) -> Path:
        """Return the directory below the project's top folder `root`."""
        return root / self.folder

    @property
    def table(self) -> str:
        """Name of its table in the feature store; empty for a step without rows."""
        return ""

    @abstractmethod
    def shard_of_file(self, name: str, count: int) -> str:
        """Return the shard of the items in the file `name` of a directory of `count` shards."""

    def receipts_of_file(self, name: str, count: int = FEWEST) -> str:
        """Return the name of the receipts file that covers the file `name`."""
        return _receipts_of_shard(self.shard_of_file(name, count))

    @abstractmethod
    def own_files(self, item: str, receipt: Receipt) -> dict[str, OutputFile]:
        """Return the files that hold only an output of this item, by name."""

    @abstractmethod
    def shared_files(
        self, receipts: Mapping[str, Receipt], count: int = FEWEST
    ) -> dict[str, dict[str, Receipt]]:
        """Return the files that hold rows of several items, by name, with the items' receipts.

        count: the number of the directory's shards.
        """

    def names(self, receipts: Mapping[str, Receipt], count: int = FEWEST) -> set[str]:
        """Return the names of all files that the receipts cover; `count` is as in shared_files."""
        own = {name for item, receipt in receipts.items() for name in self.own_files(item, receipt)}
        return own | self.shared_files(receipts, count).keys()

    @abstractmethod
    def files_of_shard(self, shard: str) -> tuple[str, ...]:
        """Return the names of the files that hold only this shard, its receipts among them."""

    @abstractmethod
    def is_whole(
        self,
        made: Mapping[str, Receipt],
        files: Files,
        store: Store,
        is_intact: Callable[[Path], bool],
    ) -> bool:
        """Say whether all outputs of a shard's items are there and unchanged.

        made: the receipts of the shard. is_intact: whether a file has the bytes that it should. An
        item's own file that the store has lost is restored to it.
        """

    @abstractmethod
    def take(self, item: str, receipt: Receipt, files: Files, store: Store) -> bool:
        """Put an item's outputs into the store; say whether all its bytes are unchanged."""

    def write(
        self,
        out: Path,
        receipts: Mapping[str, Receipt],
        store: Store,
        kept: Container[str] = (),
    ) -> None:
        """Write the directory `out`.

        kept: items whose shards have their files in `out` already.
        """
        new = {item: receipt for item, receipt in receipts.items() if item not in kept}
        self.write_content(out, receipts, new, store)
        write_receipts(out, new, shard_count(len(receipts)))

    @abstractmethod
    def write_content(
        self, out: Path, receipts: Mapping[str, Receipt], new: Mapping[str, Receipt], store: Store
    ) -> None:
        """Write all but the receipts. new: the items whose shards are not there yet."""


class _LinkedOutput(Output):
    """Every output of an item is a file of its own."""

    def shared_files(
        self, receipts: Mapping[str, Receipt], count: int = FEWEST
    ) -> dict[str, dict[str, Receipt]]:
        """Return nothing."""
        return {}

    def files_of_shard(self, shard: str) -> tuple[str, ...]:
        """Return the name of its receipts."""
        return (_receipts_of_shard(shard),)

    def is_whole(
        self,
        made: Mapping[str, Receipt],
        files: Files,
        store: Store,
        is_intact: Callable[[Path], bool],
    ) -> bool:
        """Say whether the store has every file, or could be given it back."""
        return all(self.take(item, receipt, files, store) for item, receipt in made.items())

    def take(self, item: str, receipt: Receipt, files: Files, store: Store) -> bool:
        """Link an item's unchanged files into the store."""
        for name, output in self.own_files(item, receipt).items():
            if store.holds(output):
                continue
            path = files.with_digest(name, output.sha256)
            if path is None:
                return False
            store.link(path, output)
        return True

    def write_content(
        self, out: Path, receipts: Mapping[str, Receipt], new: Mapping[str, Receipt], store: Store
    ) -> None:
        """Link the files of all items into `out`."""
        for item, receipt in receipts.items():
            for name, output in self.own_files(item, receipt).items():
                link_or_copy(store.object(output.sha256), out / name)


@dataclass(frozen=True)
class FilesOutput(_LinkedOutput):
    """One file per item; an item may have none."""

    suffix: str
    """Suffix of the files, e.g. `.wav`."""

    def shard_of_file(self, name: str, count: int) -> str:
        """Return the shard of the item that the file is named after."""
        return shard_of(item_name(name.removesuffix(self.suffix)), count)

    def own_files(self, item: str, receipt: Receipt) -> dict[str, OutputFile]:
        """Return the item's file, named after the item."""
        return {f"{file_name(item)}{self.suffix}": output for output in receipt.outputs}


@dataclass(frozen=True)
class TreeOutput(_LinkedOutput):
    """The files of a step's only item."""

    def shard_of_file(self, name: str, count: int) -> str:
        """Return the shard of the only item."""
        return shard_of(ALL, count)

    def own_files(self, item: str, receipt: Receipt) -> dict[str, OutputFile]:
        """Return the item's files under the names that it gave them."""
        return {output.name: output for output in receipt.outputs}


@dataclass(frozen=True)
class TableOutput(Output):
    """The rows of all items, in shards."""

    letter: str
    """First letter of the names of the shards."""

    @property
    def table(self) -> str:
        """Name of its table in the feature store."""
        return PurePosixPath(self.folder).name

    def shard_name(self, shard: str) -> str:
        """Return the name of the file with the rows of a shard."""
        return f"{self.letter}{shard}.parquet"

    def shard_path(self, root: Path, item: str, count: int = FEWEST) -> Path:
        """Return the path of the shard with an item's rows, if it has any."""
        return self.path(root) / self.shard_name(shard_of(item, count))

    def shard_paths(self, root: Path) -> list[Path]:
        """Return every file with rows, sorted."""
        return sorted(self.path(root).glob(self.shard_name("*")))

    def shard_of_file(self, name: str, count: int) -> str:
        """Return the shard that the name ends in."""
        return PurePosixPath(name).stem[1:]

    def own_files(self, item: str, receipt: Receipt) -> dict[str, OutputFile]:
        """Return nothing: items share files."""
        return {}

    def shared_files(
        self, receipts: Mapping[str, Receipt], count: int = FEWEST
    ) -> dict[str, dict[str, Receipt]]:
        """Return the receipts of items with rows, by the name of the file that has the rows."""
        with_rows = by_shard((item for item, made in receipts.items() if made.outputs), count)
        return {
            self.shard_name(shard): {item: receipts[item] for item in items}
            for shard, items in with_rows.items()
        }

    def files_of_shard(self, shard: str) -> tuple[str, ...]:
        """Return the names of its receipts and of its rows."""
        return (_receipts_of_shard(shard), self.shard_name(shard))

    def is_whole(
        self,
        made: Mapping[str, Receipt],
        files: Files,
        store: Store,
        is_intact: Callable[[Path], bool],
    ) -> bool:
        """Say whether the file with the rows has the bytes that it should have."""
        names = self.shared_files(made, files.count)
        return all(name in files.paths and is_intact(files.paths[name]) for name in names)

    def take(self, item: str, receipt: Receipt, files: Files, store: Store) -> bool:
        """Put an item's rows from their shard into the store, if they have the expected digest."""
        for output in receipt.outputs:
            if store.holds(output):
                continue
            content = files.rows(self.shard_name(shard_of(item, files.count)), item)
            if content is None or bytes_digest(content) != output.sha256:
                return False
            store.put_bytes(content, output.name)
        return True

    def write_content(
        self, out: Path, receipts: Mapping[str, Receipt], new: Mapping[str, Receipt], store: Store
    ) -> None:
        """Write the new rows as sorted shards, with the item's name and fingerprint added."""
        for name, made in self.shared_files(new, shard_count(len(receipts))).items():
            rows = [_labelled_rows(item, receipt, store) for item, receipt in made.items()]
            write_parquet(_joined(name, rows), out / name)


def _labelled_rows(item: str, receipt: Receipt, store: Store) -> pa.Table:
    """Return the rows of an item that has any, with `trailer_id` first and `fingerprint` last."""
    path = store.object(receipt.outputs[0].sha256)
    content = path.read_bytes()
    if bytes_digest(content) != receipt.outputs[0].sha256:
        raise StoreError(f"an object of the item store is damaged, {path}: `mmx repair` removes it")
    rows = decode_rows(content)
    name, fingerprint = pa.repeat(item, len(rows)), pa.repeat(receipt.fingerprint, len(rows))
    return rows.add_column(0, ITEM, name).append_column(FINGERPRINT, fingerprint)


def _joined(name: str, rows: Sequence[pa.Table]) -> pa.Table:
    """Return the rows of several items; raise StoreError where their columns differ."""
    try:
        return pa.concat_tables(rows)
    except pa.ArrowException:
        raise StoreError(
            f"rows of {name} in the item store have different columns: `mmx renew` their step"
        ) from None


def item_rows(table: pa.Table, item: str) -> pa.Table:
    """Return an item's rows from a shard, as the item made them: the inverse of labelled_rows."""
    # Imported here: few stages read rows back from a shard, and every worker would load it.
    import pyarrow.compute as pc

    rows = table.filter(pc.equal(table[ITEM], item))
    return rows.drop_columns([ITEM, FINGERPRINT])


def damaged_rows(shard: Path, receipts: Mapping[str, Receipt]) -> list[str]:
    """Return the items whose rows in a shard do not have the digest in their receipts."""
    files = Files({shard.name: shard})
    return [
        item
        for item, receipt in receipts.items()
        if (rows := files.rows(shard.name, item)) is None
        or bytes_digest(rows) != receipt.outputs[0].sha256
    ]


def stray_rows(shard: Path, receipts: Container[str]) -> list[str]:
    """Return the sorted items that have rows in a shard but no receipt; empty if unreadable."""
    try:
        items = set(read_parquet(shard, [ITEM])[ITEM].to_pylist())
    except UNREADABLE:
        return []
    return sorted(item for item in items if item not in receipts)


def content_files(out: Path) -> dict[str, Path]:
    """Return every file of an output directory except receipts, by its name in it, sorted."""
    paths = sorted(path for path in out.rglob("*") if path.is_file())
    named = {path.relative_to(out).as_posix(): path for path in paths}
    return {name: path for name, path in named.items() if not is_receipts(name)}


def receipts_name(item: str, count: int = FEWEST) -> str:
    """Return the name, below a directory of `count` shards, of the file with an item's receipt."""
    return _receipts_of_shard(shard_of(item, count))


def count_among(names: Iterable[str]) -> int:
    """Return the number of shards of the output directory that has files of these names."""
    return count_of(next((PurePosixPath(name).stem for name in names if is_receipts(name)), ""))


def count_in(out: Path) -> int:
    """Return the number of shards of an output directory, which its files of receipts tell."""
    return count_of(next((path.stem for path in (out / _RECEIPTS).glob("r*.jsonl")), ""))


def is_receipts(name: str) -> bool:
    """Say whether a file of an output directory holds receipts, by its name in it."""
    return PurePosixPath(name).parent.name == _RECEIPTS


def _receipts_of_shard(shard: str) -> str:
    return f"{_RECEIPTS}/r{shard}.jsonl"


def receipt_files(out: Path) -> list[Path]:
    """Return the files of receipts below an output directory, sorted."""
    return sorted((out / _RECEIPTS).glob("r*.jsonl"))


def write_receipts(out: Path, receipts: Mapping[str, Receipt], count: int = FEWEST) -> None:
    """Write receipts below `out`, a directory of `count` shards."""
    for shard, items in by_shard(receipts, count).items():
        lines = [receipt_line(item, receipts[item]) + b"\n" for item in items]
        write_atomic(out / _receipts_of_shard(shard), b"".join(lines))


def receipt_line(item: str, receipt: Receipt) -> bytes:
    """Return the line of an item in a file of receipts."""
    return canonical({"item": item, "receipt": receipt.to_dict()})


def read_line(
    line: bytes, *, verify: bool = True, like: Receipt | None = None
) -> tuple[str, Receipt]:
    """Return (item, receipt) of one line; raise ReceiptError where it is not one.

    verify, like: as in `Receipt.from_dict`.
    """
    try:
        entry = orjson.loads(line)
        item, data = entry["item"], entry["receipt"]
    except (ValueError, KeyError, TypeError) as error:
        raise ReceiptError(f"not a receipt: {error}") from None
    if not is_plain_name(item):
        raise ReceiptError("not a receipt: the name of an item is not a plain name")
    return item, Receipt.from_dict(data, verify=verify, like=like)


def read_receipts(out: Path, *, verify: bool = True) -> dict[str, Receipt]:
    """Return the receipts of a directory by item; empty where there are none.

    Raise ReceiptError for a file that is not what `write_receipts` writes. verify: as in
    `Receipt.from_dict`; False for files that DVC has just found unchanged since their stage.
    """
    receipts: dict[str, Receipt] = {}
    for path in receipt_files(out):
        receipts |= read_shard(path, verify=verify)
    return receipts


def read_shard(path: Path, *, verify: bool = True) -> dict[str, Receipt]:
    """Return the receipts of one file of receipts, like `read_receipts`."""
    found: dict[str, Receipt] = {}
    first: Receipt | None = None
    for line in _lines(path):
        item, receipt = read_line(line, verify=verify, like=first)
        found[item] = receipt
        first = first or receipt
    return found


def _lines(path: Path) -> list[bytes]:
    """Return the lines of a file of receipts; raise ReceiptError where it is a pipe or a device."""
    try:
        return read_regular(path, _LARGEST).splitlines()
    except FileRefusedError as error:
        raise ReceiptError(f"{path.name} does not hold receipts: {error}") from None


def valid_receipts(path: Path) -> dict[str, Receipt]:
    """Return the valid receipts of a file, by item; empty where there is no file."""
    return dict(_valid_lines(path)) if path.is_file() else {}


def _valid_lines(path: Path) -> Iterator[tuple[str, Receipt]]:
    with suppress(FileRefusedError):
        for line in read_regular(path, _LARGEST).splitlines():
            with suppress(ReceiptError):
                yield read_line(line)
