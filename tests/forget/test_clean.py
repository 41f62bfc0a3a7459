"""One file without trailers."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mmx.forget.clean import clean
from mmx.forget.scan import Scan
from mmx.forget.traces import Traces
from mmx.trailers.places import read_places, write_places
from mmx.trailers.splits import SCHEMA
from mmx.trailers.tombstones import Tombstone, concealed


def places(*names: str) -> pa.Table:
    return pa.Table.from_pylist(
        [{"trailer_id": name, "group_id": name, "split": "test"} for name in names], SCHEMA
    )


def test_the_place_of_an_absent_trailer_is_taken_out_too(tmp_path: Path) -> None:
    path, out = tmp_path / "splits.parquet", tmp_path / "out"
    write_places(path, places("alien", "brazil"), places("clue", "dune"))
    assert clean(path, Traces(frozenset({"clue"})), out) is True
    assert read_places(out)["trailer_id"].to_pylist() == ["alien", "brazil", "dune"]
    assert b"clue" not in out.read_bytes()
    assert clean(out, Traces(frozenset({"clue"})), tmp_path / "again") is False
    write_places(path, places("alien"), places("clue"))
    assert clean(path, Traces(frozenset({"clue"})), out) is True
    write_places(path, places("alien"), None)
    assert out.read_bytes() == path.read_bytes()


def test_other_notes_of_a_table_stay(tmp_path: Path) -> None:
    path, out = tmp_path / "trailers.parquet", tmp_path / "out"
    table = places("alien", "drama").replace_schema_metadata({"genres": '["drama"]'})
    pq.write_table(table, path)
    assert clean(path, Traces(frozenset({"drama"})), out) is True
    assert pq.read_schema(out).metadata[b"genres"] == b'["drama"]'


def test_the_proof_looks_at_the_places_of_absent_trailers_too(tmp_path: Path) -> None:
    path = tmp_path / "splits.parquet"
    write_places(path, places("alien"), places("clue"))
    name = concealed("clue")
    scan = Scan([Tombstone(name[:16], name, 4, (), (), (), "2026-01-01", "why", "who")])
    scan.look("work tree", path, "splits.parquet")
    assert [each.how for each in scan.found] == ["an id in a column or a note"]
