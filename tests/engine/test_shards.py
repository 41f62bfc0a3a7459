from collections import Counter

import pytest

from mmx.engine.shards import FEWEST, by_shard, count_of, shard_count, shard_of


@pytest.mark.parametrize(
    ("items", "count"), [(0, 64), (60, 64), (12_288, 64), (12_289, 128), (880_000, 8192)]
)
def test_shards_have_some_hundred_items(items: int, count: int) -> None:
    assert shard_count(items) == count


def test_the_name_of_a_shard_says_how_many_there_are() -> None:
    for count in (64, 128, 256, 8192):
        assert {count_of(shard_of(f"t{n}", count)) for n in range(50)} == {count}
    assert count_of("") == count_of("not-one") == FEWEST


def test_items_are_spread_evenly_and_names_sort_by_number() -> None:
    items = [f"t{number}" for number in range(20_000)]
    shards = by_shard(items, 256)
    assert next(iter(shards)).startswith("0000-") and list(shards)[-1].startswith("00ff-")
    assert len(shards) == 256 and Counter(map(len, shards.values())).keys() <= set(range(40, 120))


def test_twice_as_many_shards_divide_each() -> None:
    for item in map(str, range(200)):
        few, many = (int(shard_of(item, count).partition("-")[0], 16) for count in (128, 256))
        assert many // 2 == few
