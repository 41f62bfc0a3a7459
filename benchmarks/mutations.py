"""Seeded damage to files as strangers, attackers and broken disks do it, for fuzz_inputs.py."""

import io
import json
import os
import random
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from safetensors.torch import load as load_safetensors
from safetensors.torch import save as save_safetensors

from mmx.damage import DAMAGED

TEXTS = (
    "", " ", "../../secret/token", "/etc/passwd", "..", ".dvcignore", "a/../../b", "a\\b", "a\0b",
    "a\nb", "=HYPERLINK(1)", "é", "한" * 80, "x" * 70_000, "/".join("a" * 3000), "9" * 5000, "-1",
    "1e999", ".inf", ".nan", "NaN", "Infinity", "null", "true", "2024-13-45", "0" * 64, "f" * 64,
    "{", "}", "[", "]", '"', ",", ":", "|", "- ", "&a [*a]", "[" * 3000, "!!python/object:os.x",
    "\N{RIGHT-TO-LEFT OVERRIDE}", "\U0001f600",
)  # fmt: skip
"""Texts that break what reads them carelessly."""
VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 10**23, 10**400, 1.5, float("nan"), float("inf"), [], {}, [[]], {"a": 1},
    *TEXTS,
)  # fmt: skip
"""JSON values in place of others."""
Mutation = Callable[[bytes, random.Random], bytes]


def mutate(path: Path, chance: random.Random) -> str:
    """Damage a file in one to three ways by its kind; return what was done."""
    if chance.random() < 0.03:
        return _replace(path, chance)
    content = path.read_bytes()
    names = []
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        mutation = chance.choice(_mutations(path))
        content = mutation(content, chance)
        names.append(mutation.__name__.strip("_"))
    path.unlink()
    path.write_bytes(content)
    return "+".join(names)


def _mutations(path: Path) -> tuple[Mutation, ...]:
    plain = (_flip, _cut, _zero, _insert, _repeat)
    own: dict[str, tuple[Mutation, ...]] = {
        ".parquet": (_column,) * 8,
        ".json": (_json_value,) * 6,
        ".jsonl": (_json_line,) * 8,
        ".dir": (_json_value,) * 6,
        ".pth": (_state,) * 8,
        ".pt": (_state,) * 8,
        ".safetensors": (_weights,) * 8,
    }
    return plain + own.get(path.suffix, (_text,) * 8)


def _replace(path: Path, chance: random.Random) -> str:
    """Put something else in the place of a file."""
    path.unlink()
    what = chance.choice(("nothing", "folder", "pipe", "empty", "large"))
    if what == "folder":
        path.mkdir()
    elif what == "pipe":
        os.mkfifo(path)
    elif what != "nothing":
        with path.open("wb") as file:
            file.truncate(0 if what == "empty" else 1 << 33)
    return what


def _span(content: bytes, chance: random.Random) -> tuple[int, int]:
    """Return start and end of a random span, mostly a short one."""
    start = chance.randrange(len(content) + 1)
    return start, min(len(content), start + int(2 ** chance.uniform(0, 12)))


def _flip(content: bytes, chance: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(chance.choice((1, 1, 4, 32)) if content else 0):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _cut(content: bytes, chance: random.Random) -> bytes:
    start, end = _span(content, chance)
    return content[:start] + (content[end:] if chance.random() < 0.5 else b"")


def _zero(content: bytes, chance: random.Random) -> bytes:
    start, end = _span(content, chance)
    return content[:start] + chance.choice((b"\0", b"\xff")) * (end - start) + content[end:]


def _insert(content: bytes, chance: random.Random) -> bytes:
    start, _ = _span(content, chance)
    return content[:start] + chance.choice(TEXTS).encode() + content[start:]


def _repeat(content: bytes, chance: random.Random) -> bytes:
    start, end = _span(content, chance)
    return content[:end] + content[start:end] * chance.choice((1, 2, 50)) + content[end:]


def _text(content: bytes, chance: random.Random) -> bytes:
    """Replace, in a text, the word, cell or line at a random place."""
    text = content.decode("utf-8", "surrogateescape")
    sign = chance.choice((" ", ",", "\n", ":"))
    parts = text.split(sign)
    place = chance.randrange(len(parts))
    parts[place] = chance.choice((*TEXTS, chance.choice(parts)))
    encoding = chance.choice(("utf-8", "utf-8", "utf-8", "latin-1", "utf-16"))
    return sign.join(parts).encode(
        encoding, "surrogateescape" if encoding == "utf-8" else "replace"
    )


def _json_value(content: bytes, chance: random.Random) -> bytes:
    """Replace, remove or add one value somewhere in JSON data."""
    try:
        data = json.loads(content)
    except (ValueError, RecursionError):
        return _text(content, chance)
    place = chance.choice([*_places(data)] or [(None, None)])
    if place[0] is None:
        data = chance.choice(VALUES)
    elif chance.random() < 0.2:
        del place[0][place[1]]
    else:
        place[0][place[1]] = chance.choice(VALUES)
    return json.dumps(data, ensure_ascii=False).encode("utf-8", "surrogateescape")


def _places(data: Any) -> Iterable[tuple[Any, Any]]:
    """Yield (container, key) of every value in JSON data."""
    keys = (
        data.keys() if isinstance(data, dict) else range(len(data) if isinstance(data, list) else 0)
    )
    for key in keys:
        yield data, key
        yield from _places(data[key])


def _json_line(content: bytes, chance: random.Random) -> bytes:
    lines = content.splitlines() or [b"{}"]
    place = chance.randrange(len(lines))
    lines[place] = _json_value(lines[place], chance)
    return b"\n".join(lines) + b"\n"


def _column(content: bytes, chance: random.Random) -> bytes:
    """Change one column of a Parquet file: its values, its type, its name, or all rows."""
    try:
        table = pq.read_table(io.BytesIO(content))
        changed = chance.choice(_TABLES)(table, chance.randrange(table.num_columns or 1), chance)
        sink = io.BytesIO()
        pq.write_table(changed, sink)
        return sink.getvalue()
    except (pa.ArrowException, ValueError, KeyError, IndexError, OSError):
        return _flip(content, chance)


def _values(table: pa.Table, place: int, chance: random.Random) -> pa.Table:
    """Put one odd value into a column, which may change its type."""
    column = table.column(place).to_pylist()
    kind = table.schema.field(place).type
    value = chance.choice((*VALUES[:9], *TEXTS))
    column[chance.randrange(len(column))] = value
    try:
        made = pa.array(column, kind)
    except (pa.ArrowException, OverflowError, TypeError):
        made = pa.array([None if each is None else str(each) for each in column])
    return table.set_column(place, table.schema.names[place], made)


def _nulls(table: pa.Table, place: int, chance: random.Random) -> pa.Table:
    kind = table.schema.field(place).type
    return table.set_column(place, table.schema.names[place], pa.nulls(len(table), kind))


def _without(table: pa.Table, place: int, chance: random.Random) -> pa.Table:
    return table.remove_column(place)


def _renamed(table: pa.Table, place: int, chance: random.Random) -> pa.Table:
    names = table.schema.names
    names[place] = chance.choice((*names, "other", ""))
    return table.rename_columns(names)


def _doubled(table: pa.Table, place: int, chance: random.Random) -> pa.Table:
    return pa.concat_tables([table, table])


def _emptied(table: pa.Table, place: int, chance: random.Random) -> pa.Table:
    return table.slice(0, 0)


_TABLES = (_values, _values, _values, _nulls, _without, _renamed, _doubled, _emptied)


def _state(content: bytes, chance: random.Random) -> bytes:
    """Change one entry of a file of PyTorch's."""
    try:
        data = torch.load(io.BytesIO(content), weights_only=True)
    # Of a file that is damaged already, torch's reader raises anything.
    except Exception:
        return _flip(content, chance)
    sink = io.BytesIO()
    torch.save(_odd_state(data, chance), sink)
    return sink.getvalue()


def _odd_state(data: Any, chance: random.Random) -> Any:
    """Return weights by name with one of them changed, or something else than weights."""
    if not isinstance(data, dict) or not data or chance.random() < 0.1:
        return chance.choice((None, 1, "x", [data], {"state_dict": data}, {1: data}, {}))
    name = chance.choice([*data])
    value = data[name]
    odd: tuple[Any, ...] = (None, "x", 1, [1], {}, torch.zeros(0), torch.zeros(2, 2, 2))
    if isinstance(value, torch.Tensor) and value.is_floating_point():
        odd += tuple(value * number for number in (float("nan"), float("inf"), 1j))
        odd += (
            value[..., :1],
            value.to(torch.int8),
            value.to_sparse(),
            value.double(),
            value.bool(),
        )
        odd += (np.zeros(3), torch.zeros(1).expand(10**10))
    return {**data, (name if chance.random() < 0.8 else chance.choice(TEXTS)): chance.choice(odd)}


def _weights(content: bytes, chance: random.Random) -> bytes:
    """Change one tensor of a file of safetensors."""
    try:
        changed = _odd_state(dict(load_safetensors(content)), chance)
        return save_safetensors({name: value.contiguous() for name, value in changed.items()})
    except DAMAGED:
        # A file that is damaged already, or what safetensors cannot hold.
        return _flip(content, chance)
