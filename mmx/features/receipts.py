"""Receipts as a table: what receipts.parquet holds, and how to get the receipts out again."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

from mmx.features.schema import RECEIPTS_SCHEMA
from mmx.items.canonical import canonical
from mmx.items.receipt import Receipt

Known = dict[tuple[str, str], tuple[Any, str]]
"""What the last receipt of a step had under a key, and its canonical JSON."""


def receipts_table(items: Iterable[tuple[str, Receipt]]) -> pa.Table:
    """Return RECEIPTS_SCHEMA rows, one per fingerprint, sorted by step and fingerprint."""
    receipts: dict[str, Receipt] = {}
    trailers: dict[str, set[str]] = {}
    for trailer_id, receipt in items:
        receipts[receipt.fingerprint] = receipt
        trailers.setdefault(receipt.fingerprint, set()).add(trailer_id)
    known: Known = {}
    rows = [_row(receipt, sorted(trailers[key]), known) for key, receipt in receipts.items()]
    rows.sort(key=lambda row: (row["step"], row["fingerprint"]))
    return pa.Table.from_pylist(rows, RECEIPTS_SCHEMA)


def _row(receipt: Receipt, trailers: list[str], known: Known) -> dict[str, Any]:
    """One row of receipts.parquet."""
    data = receipt.to_dict()
    ingredients = data["ingredients"]
    shared = {key: ingredients[key] for key in ("parameters", "weights", "tools")}
    return {
        "fingerprint": receipt.fingerprint,
        "trailers": trailers,
        **{key: ingredients[key] for key in ("step", "schema", "code")},
        **{key: _shared(value, (ingredients["step"], key), known) for key, value in shared.items()},
        **{key: _json(data[key]) for key in ("outputs", "facts")},
        "inputs": _json(ingredients["inputs"]),
        "output_digest": receipt.output_digest,
        "fault": _json(data["fault"]) if data["fault"] else None,
        "adopted": receipt.adopted,
    }


def receipt_of(row: Mapping[str, Any]) -> Receipt:
    """Return the receipt of a row; raise ReceiptError where the row does not add up."""
    loaded = ("inputs", "parameters", "weights", "tools")
    ingredients = {key: json.loads(row[key]) for key in loaded}
    ingredients |= {key: row[key] for key in ("step", "schema", "code")}
    data = {
        "fingerprint": row["fingerprint"],
        "ingredients": ingredients,
        "outputs": json.loads(row["outputs"]),
        "facts": json.loads(row["facts"]),
        "fault": json.loads(row["fault"]) if row["fault"] else None,
        "adopted": row["adopted"],
    }
    return Receipt.from_dict(data)


def _shared(data: Any, key: tuple[str, str], known: Known) -> str:
    """Canonical JSON of what most receipts of a step have in common, written down once."""
    last, text = known.get(key, (None, ""))
    if last != data:
        text = _json(data)
        known[key] = data, text
    return text


def _json(data: Any) -> str:
    """Canonical JSON as text."""
    return canonical(data).decode()
