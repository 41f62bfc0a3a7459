import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmx.trailers.ids import derive_ids, is_trailer_id, slug

videos = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=90)


@pytest.mark.parametrize(
    ("video", "expected"),
    [
        ("Alien.mp4", "alien"),
        ("a/b/The Big  Sleep (1946).mkv", "the-big-sleep-1946"),
        ("Él río.mp4", "el-rio"),
        ("影の海.mp4", ""),
        ("--x--.mp4", "x"),
        ("under_score.webm", "under_score"),
        ("a" * 80 + ".mp4", "a" * 64),
        ("a" * 63 + " b.mp4", "a" * 63),
        (".mp4", "mp4"),
    ],
)
def test_an_id_is_like_the_name_of_the_video(video: str, expected: str) -> None:
    assert slug(video) == expected


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("a", True), ("0_-", True), ("a" * 64, True), ("a" * 65, False), ("", False),
        ("_a", True), ("-a", True), ("A", True), ("é", False), ("a/b", False), ("..", False),
        ("a\n", False), ("a.b", False), ("٣", False),
    ],
)  # fmt: skip
def test_an_id_is_a_safe_name(text: str, valid: bool) -> None:
    assert is_trailer_id(text) is valid


def test_equal_stems_are_told_apart_whatever_comes_first() -> None:
    paths = ["one/film.mp4", "two/film.mp4", "other.mp4"]
    ids = derive_ids(paths, [])
    assert ids["other.mp4"] == "other"
    assert len(set(ids.values())) == 3
    assert all(one.startswith("film-") for one in (ids["one/film.mp4"], ids["two/film.mp4"]))
    assert derive_ids(reversed(paths), []) == ids


def test_an_id_that_is_taken_is_not_given_again() -> None:
    (given_id,) = derive_ids(["film.mp4"], ["film"]).values()
    assert given_id != "film"
    assert derive_ids(["film.mp4"], ["film", given_id])["film.mp4"] not in ("film", given_id)


@given(st.sets(videos, max_size=12), st.sets(st.sampled_from(["a", "b", "film", "t"])))
def test_ids_are_valid_different_and_independent_of_the_order(
    paths: set[str], taken: set[str]
) -> None:
    ids = derive_ids(sorted(paths), taken)
    assert set(ids) == paths
    assert all(map(is_trailer_id, ids.values()))
    assert len(set(ids.values())) == len(paths)
    assert not set(ids.values()) & taken
    assert derive_ids(sorted(paths, reverse=True), taken) == ids
