"""Receipts as a table: from receipts to receipts.parquet and back."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from mmx.engine.canonical import canonical, canonical_floatless
from mmx.engine.receipt import Receipt, adoption_data, record_fields
from mmx.features.schema import RECEIPTS_SCHEMA
from mmx.outputs import read_shard, receipt_files


def step_receipts(out: Path) -> pa.Table:
    """Return `receipts_table` of an output directory, without all of its receipts in memory."""
    parts = [receipts_table(read_shard(path, verify=False).items()) for path in receipt_files(out)]
    if not parts:
        return RECEIPTS_SCHEMA.empty_table()
    table = pa.concat_tables(parts).sort_by([("step", "ascending"), ("fingerprint", "ascending")])
    return _each_once(table.combine_chunks())


def _each_once(table: pa.Table) -> pa.Table:
    """Return sorted rows with those of one fingerprint, from several shards, made one."""
    trailers: dict[str, list[str]] = {}
    firsts = []
    names = table["trailers"].to_pylist()
    for row, fingerprint in enumerate(table["fingerprint"].to_pylist()):
        if fingerprint not in trailers:
            firsts.append(row)
        trailers.setdefault(fingerprint, []).extend(names[row])
    if len(firsts) == len(table):
        return table
    at = RECEIPTS_SCHEMA.get_field_index("trailers")
    merged = pa.array(map(sorted, trailers.values()), RECEIPTS_SCHEMA.field(at).type)
    return table.take(firsts).set_column(at, RECEIPTS_SCHEMA.field(at), merged)


def receipts_table(items: Iterable[tuple[str, Receipt]]) -> pa.Table:
    """Return RECEIPTS_SCHEMA rows, one per fingerprint, sorted by step and fingerprint."""
    receipts: dict[str, Receipt] = {}
    trailers: dict[str, set[str]] = {}
    for trailer_id, receipt in items:
        receipts[receipt.fingerprint] = receipt
        trailers.setdefault(receipt.fingerprint, set()).add(trailer_id)
    made = sorted(receipts.values(), key=lambda one: (one.ingredients.step, one.fingerprint))
    of = [receipt.ingredients for receipt in made]
    columns = {
        "fingerprint": [receipt.fingerprint for receipt in made],
        "step": [each.step for each in of],
        "schema": [each.schema for each in of],
        "trailers": [sorted(trailers[receipt.fingerprint]) for receipt in made],
        "inputs": [_names(each.inputs) for each in of],
        "parameters": _in_common(each.parameters for each in of),
        "code": [each.code for each in of],
        "weights": _in_common(list(map(record_fields, each.weights)) for each in of),
        "tools": _in_common(each.tools for each in of),
        "outputs": [_names(list(map(record_fields, receipt.outputs))) for receipt in made],
        "output_digest": [receipt.output_digest for receipt in made],
        "facts": [_json(receipt.facts) for receipt in made],
        "fault": [
            _json(record_fields(receipt.fault)) if receipt.fault else None for receipt in made
        ],
        "adopted": [_adopted(receipt) for receipt in made],
    }
    return pa.table(columns, RECEIPTS_SCHEMA)


def receipt_of(row: Mapping[str, Any], like: Receipt | None = None) -> Receipt:
    """Return the receipt of a row; raise ReceiptError if the row is inconsistent.

    like: as in `Receipt.from_dict`.
    """
    loaded = ("inputs", "parameters", "weights", "tools")
    ingredients = {key: json.loads(row[key]) for key in loaded}
    ingredients |= {key: row[key] for key in ("step", "schema", "code")}
    data = {
        "fingerprint": row["fingerprint"],
        "ingredients": ingredients,
        "outputs": json.loads(row["outputs"]),
        "facts": json.loads(row["facts"]),
        "fault": json.loads(row["fault"]) if row["fault"] else None,
        "adopted": _loaded(row["adopted"]),
    }
    return Receipt.from_dict(data, like=like)


def _adopted(receipt: Receipt) -> str | None:
    """The evidence of an adoption as JSON; only the fingerprint in receipts of earlier versions."""
    data = adoption_data(receipt.adopted)
    return data if data is None or isinstance(data, str) else _json(data)


def _loaded(adopted: str | None) -> Any:
    """The inverse of `_adopted`."""
    return json.loads(adopted) if adopted and adopted.startswith("{") else adopted


def _in_common(values: Iterable[Any]) -> list[str]:
    """Canonical JSON of values that are mostly equal in succession, serialised once if so."""
    texts: list[str] = []
    last: Any = None
    for value in values:
        texts.append(texts[-1] if texts and value == last else _json(value))
        last = value
    return texts


def _names(data: Any) -> str:
    """Canonical JSON, as text, of data without a float."""
    return canonical_floatless(data).decode()


def _json(data: Any) -> str:
    """Canonical JSON as text."""
    return canonical(data).decode()
