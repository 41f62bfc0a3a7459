import re

from hypothesis import given
from hypothesis import strategies as st

from mmx.engine.names import file_name, item_name

items = st.text("aAbBzZ09_-", min_size=1, max_size=64)


@given(items, items)
def test_names_differ_where_case_is_ignored_and_give_the_item_back(one: str, other: str) -> None:
    assert item_name(file_name(one)) == one
    assert (file_name(one).lower() == file_name(other).lower()) is (one == other)
    assert re.match("[a-z0-9]", file_name(one))
    assert len(file_name(one)) <= 64 + 17


@given(st.from_regex("[a-z0-9][a-z0-9_-]{0,63}", fullmatch=True))
def test_an_item_in_lower_case_is_its_own_name(item: str) -> None:
    assert file_name(item) == item
