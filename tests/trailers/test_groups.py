import random
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from mmx.trailers.groups import film_groups
from mmx.trailers.manifest import ManifestRow


def row(name: str, group: str = "", imdb: str = "") -> ManifestRow:
    return ManifestRow(
        row=2, trailer_id=name, title="T", genres=("Drama",), video=f"{name}.mp4", sha256="",
        group_id=group, imdb_id=imdb,
    )  # fmt: skip


imdb_ids = st.sampled_from(["", "tt0000001", "tt0000002"])
rows = st.lists(
    st.tuples(st.sampled_from(["", "g", "h", "t0"]), imdb_ids),
    max_size=8,
).map(lambda cells: [row(f"t{n}", *each) for n, each in enumerate(cells)])


def test_a_film_is_named_by_group_then_imdb_then_trailer() -> None:
    found = film_groups(
        [row("a", "g", "tt0000001"), row("b", "", "tt0000001"), row("c", "", "tt0000002"), row("d")]
    )
    assert found == {"a": "g", "b": "g", "c": "tt0000002", "d": "d"}


def test_a_group_may_be_named_after_its_first_trailer() -> None:
    assert film_groups([row("a"), row("b", "a")]) == {"a": "a", "b": "a"}


def test_what_is_no_imdb_id_joins_nothing() -> None:
    assert film_groups([row("a", "", "unknown"), row("b", "", "unknown")]) == {"a": "a", "b": "b"}


@given(rows, st.randoms(use_true_random=False))
def test_whatever_shares_an_identifier_shares_a_group_in_any_order(
    films: list[ManifestRow], chance: random.Random
) -> None:
    found = film_groups(films)
    for one, other in combinations(films, 2):
        if one.imdb_id == other.imdb_id != "" or one.group_id == other.group_id != "":
            assert found[one.trailer_id] == found[other.trailer_id]
    assert film_groups(chance.sample(films, len(films))) == found
