"""The tables of a release: accepted trailers only, in a folder for each split.

    trailers/<split>/XX.parquet     one row per trailer: labels, facts, both models' results
    clips/<split>/XX.parquet        one row per clip
    <expert>/<split>/XX.parquet     one row per clip that the expert could embed
    predictions/<split>/XX.parquet  one row per trailer and model: a column per genre
    embeddings/<split>/XX.parquet   one row per trailer and model
    experts.parquet                 one row per expert
    receipts.parquet                one row per fingerprint: what determined those rows

XX is the shard, as in the feature store. `unsplit` is the split of trailers with too few clips.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mmx.engine.parquet import read_parquet, write_parquet
from mmx.features.schema import EXPERTS_FILE, RECEIPTS_FILE, StoreTable

ITEM, SPLIT, MODEL = "trailer_id", "split", "model"
SPLITS = ("train", "validation", "test", "unsplit")
JOINED, PREDICTIONS, EMBEDDINGS = "trailers", "predictions", "embeddings"
HIDDEN = ("video", "status", "reason")
"""Columns of trailers.parquet that are the team's own: paths, why rows were rejected."""
MODELS = ("coarse", "fine")


@dataclass(frozen=True)
class Content:
    """What a release is made of."""

    features: Path
    """The feature store."""
    trailers: pa.Table
    """trailers.parquet."""
    splits: pa.Table
    """splits.parquet."""
    predictions: pa.Table | None = None
    """Both models' probabilities: trailer_id, model, predicted, a column per genre."""
    embeddings: pa.Table | None = None
    """Both models' vectors: trailer_id, model, embedding."""


def write_tables(content: Content, out: Path) -> None:
    """Write all tables of a release into the folder `out`."""
    places = _places(content)
    for table in sorted(path.name for path in content.features.iterdir() if path.is_dir()):
        if table != JOINED and not table.startswith("_"):
            for path in sorted((content.features / table).glob("*.parquet")):
                _write_parts(read_parquet(path), places, out / table)
    _write_parts(_joined(content), places, out / JOINED)
    for name, rows in ((PREDICTIONS, content.predictions), (EMBEDDINGS, content.embeddings)):
        if rows is not None:
            _write_parts(rows, places, out / name)
    write_parquet(read_parquet(content.features / EXPERTS_FILE), out / EXPERTS_FILE)
    write_parquet(_receipts(content, places), out / RECEIPTS_FILE)


def _places(content: Content) -> dict[str, tuple[str, str]]:
    """Return (split, shard) of every accepted trailer that the feature store has."""
    status = content.trailers.select([ITEM, "status"]).to_pylist()
    accepted = {row[ITEM] for row in status if row["status"] == "accepted"}
    splits = dict(zip(*(content.splits[name].to_pylist() for name in (ITEM, SPLIT)), strict=True))
    return {
        trailer: (splits.get(trailer, SPLITS[-1]), path.stem[1:])
        for path in sorted((content.features / "trailers").glob("*.parquet"))
        for trailer in read_parquet(path, [ITEM])[ITEM].to_pylist()
        if trailer in accepted
    }


def _write_parts(table: pa.Table, places: Mapping[str, tuple[str, str]], out: Path) -> None:
    """Write the rows of a table, sorted by trailer, into a file for each split and shard."""
    owners = table[ITEM].to_pylist()
    parts = [places.get(owner) for owner in owners]
    for place in sorted({each for each in parts if each}):
        mask = pa.array([each == place for each in parts])
        path = out / place[0] / f"{place[1]}.parquet"
        write_parquet(table.filter(mask).combine_chunks(), path)


def _joined(content: Content) -> pa.Table:
    """Return one row per trailer: labels, split, facts, what both models say or nulls."""
    labels = content.trailers
    labels = labels.select([name for name in labels.column_names if name not in HIDDEN])
    paths = sorted((content.features / "trailers").glob("*.parquet"))
    facts = pa.concat_tables(map(read_parquet, paths))
    splits = content.splits.select([ITEM, SPLIT])
    parts = [splits, facts, *_by_model(content.predictions, "predicted")]
    parts += _by_model(content.embeddings, "embedding")
    return _left_join(labels, parts).sort_by(ITEM)


def _by_model(table: pa.Table | None, column: str) -> Iterator[pa.Table]:
    """Yield a table of one column for each model, named after both."""
    if table is None:
        return
    for model in MODELS:
        rows = table.filter(pc.equal(table[MODEL], model)).select([ITEM, column])
        yield rows.rename_columns([ITEM, f"{column}_{model}"])


def _left_join(table: pa.Table, others: list[pa.Table]) -> pa.Table:
    """Return the columns of all tables by trailer: rows of the first, nulls where others lack them.

    Arrow's own join cannot carry lists.
    """
    for other in others:
        row = {name: number for number, name in enumerate(other[ITEM].to_pylist())}
        at = pa.array([row.get(name) for name in table[ITEM].to_pylist()], pa.int64())
        for name in other.column_names:
            if name not in table.column_names:
                table = table.append_column(name, other[name].combine_chunks().take(at))
    return table


def _receipts(content: Content, places: Mapping[str, tuple[str, str]]) -> pa.Table:
    """Return the receipts of accepted trailers."""
    table = pq.read_table(content.features / RECEIPTS_FILE)
    owners = [[name for name in names if name in places] for names in table["trailers"].to_pylist()]
    column = pa.array(owners, table["trailers"].type)
    table = table.set_column(table.column_names.index("trailers"), table.field("trailers"), column)
    return table.filter(pa.array([bool(names) for names in owners])).combine_chunks()


def release_tables(folder: Path) -> list[StoreTable]:
    """Return the tables that a release has, sorted by name."""
    folders = [
        path.name for path in folder.iterdir() if path.is_dir() and any(path.glob("*/*.parquet"))
    ]
    sharded = [StoreTable(name, f"{name}/*/*.parquet") for name in folders]
    single = [StoreTable(Path(file).stem, file) for file in (EXPERTS_FILE, RECEIPTS_FILE)]
    return sorted([*sharded, *single], key=lambda table: table.name)
