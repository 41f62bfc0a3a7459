import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmx.engine.canonical import (
    bytes_digest,
    canonical,
    canonical_floatless,
    data_digest,
    file_digest,
)

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(plain)
def test_canonical_json_reads_back_as_it_was(data: Any) -> None:
    encodable = json.dumps(data, ensure_ascii=False).encode("utf-8", "ignore")
    if "\\ud" not in json.dumps(data):
        assert json.loads(canonical(data)) == data == json.loads(encodable)


text = st.text(st.characters(exclude_categories=["Cs"]))
floatless = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | text,
    lambda inner: st.lists(inner) | st.dictionaries(text, inner),
)


@given(floatless)
def test_without_floats_both_ways_are_one(data: Any) -> None:
    assert canonical_floatless(data) == canonical(data)


def test_the_order_of_keys_does_not_matter() -> None:
    assert (
        canonical({"b": 1, "a": [2, 3]}) == canonical({"a": [2, 3], "b": 1}) == b'{"a":[2,3],"b":1}'
    )


def test_nan_is_refused() -> None:
    with pytest.raises(ValueError):
        canonical(float("nan"))


def test_digests_are_sha256(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abc" * 100_000)
    assert file_digest(path) == hashlib.sha256(b"abc" * 100_000).hexdigest()
    assert bytes_digest(b"abc") == hashlib.sha256(b"abc").hexdigest()
    assert data_digest([1]) == hashlib.sha256(b"[1]").hexdigest()
