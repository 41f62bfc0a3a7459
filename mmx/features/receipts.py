"""Receipts as a table: what receipts.parquet holds, and how to get the receipts out again."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

from mmx.features.schema import RECEIPTS_SCHEMA
from mmx.items.canonical import canonical
from mmx.items.receipt import Receipt


def receipts_table(items: Iterable[tuple[str, Receipt]]) -> pa.Table:
    """Return RECEIPTS_SCHEMA rows, one per fingerprint, sorted by step and fingerprint."""
    receipts: dict[str, Receipt] = {}
    trailers: dict[str, set[str]] = {}
    for trailer_id, receipt in items:
        receipts[receipt.fingerprint] = receipt
        trailers.setdefault(receipt.fingerprint, set()).add(trailer_id)
    rows = [_row(receipt, sorted(trailers[key])) for key, receipt in receipts.items()]
    rows.sort(key=lambda row: (row["step"], row["fingerprint"]))
    return pa.Table.from_pylist(rows, RECEIPTS_SCHEMA)


def _row(receipt: Receipt, trailers: list[str]) -> dict[str, Any]:
    """One row of receipts.parquet."""
    data = receipt.to_dict()
    ingredients = data["ingredients"]
    return {
        "fingerprint": receipt.fingerprint,
        "trailers": trailers,
        **{key: ingredients[key] for key in ("step", "schema", "code")},
        **{key: _json(ingredients[key]) for key in ("inputs", "parameters", "weights", "tools")},
        **{key: _json(data[key]) for key in ("outputs", "facts")},
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


def _json(data: Any) -> str:
    """Canonical JSON as text."""
    return canonical(data).decode()
