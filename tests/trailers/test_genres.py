import unicodedata

import pytest

from mmx.params import CollectionParams
from mmx.trailers.genres import resolve_genres, split_genres


@pytest.mark.parametrize(
    "text",
    [
        " Drama | Science-Fiction||", '["Drama", "Science-Fiction"]',
        "['Drama','Science-Fiction',]",
        "[Drama, Science-Fiction]", "[ 'Drama' , Science-Fiction ]",
    ],
)  # fmt: skip
def test_genres_stand_between_bars_or_in_a_list(text: str) -> None:
    assert split_genres(text) == ("Drama", "Science-Fiction")
    assert split_genres(unicodedata.normalize("NFD", "Comédie")) == ("Comédie",)


@pytest.mark.parametrize("text", ["", "[]", " | ", "['']", "[" * 5000 + "]"])
def test_what_names_no_genre_and_what_only_looks_like_a_list_is_read(text: str) -> None:
    assert len(split_genres(text)) <= 1


@pytest.mark.parametrize(
    ("genres", "faults"),
    [
        (["Drama"], []),
        (["drama"], ["genre 'drama' is not in the vocabulary (did you mean 'Drama'?)"]),
        (["Wstern"], ["genre 'Wstern' is not in the vocabulary (did you mean 'Western'?)"]),
        (["Telenovela"], ["genre 'Telenovela' is not in the vocabulary"]),
        (["Drama", "Action", "Comedy"], ["there are 3 genres, more than 2"]),
        (["x" * 1000], [f"genre '{'x' * 80}'... is not in the vocabulary"]),
        (
            [f"x{number}" for number in range(9999)],
            [
                "genre 'x0' is not in the vocabulary",
                "genre 'x1' is not in the vocabulary",
                "there are 9999 genres, more than 2",
            ],
        ),
        (
            ["Drama, Action"],
            [
                "genre 'Drama, Action' is not in the vocabulary "
                "(write Drama|Action: genres stand between |)"
            ],
        ),
    ],
)
def test_genres_are_held_against_the_vocabulary(
    genres: list[str], faults: list[str], params: CollectionParams
) -> None:
    assert list(resolve_genres(genres, params).faults) == faults


def test_aliases_become_genres_of_the_vocabulary_once(params: CollectionParams) -> None:
    params = params.model_copy(update={"aliases": {"Oater": "Western", "Laughs": "Comedy"}})
    assert resolve_genres(["Oater", "Western", "Laughs"], params).known == ("Western", "Comedy")
    (fault,) = resolve_genres(["oatr"], params).faults
    assert fault.endswith("(did you mean 'Oater'?)")


def test_unknown_genres_may_be_dropped_but_not_all_of_a_row(params: CollectionParams) -> None:
    params = params.model_copy(update={"unknown_genres": "drop"})
    found = resolve_genres(["Telenovela", "Drama"], params)
    assert (found.known, found.dropped, found.faults) == (("Drama",), ("Telenovela",), ())
    (fault,) = resolve_genres(["Telenovela"], params).faults
    assert fault == "none of the genres 'Telenovela' is in the vocabulary"


@pytest.mark.parametrize("aliases", [{"SciFi": "Science-Fiction"}, {"Drama": "Comedy"}])
def test_an_alias_stands_for_a_genre_and_is_none(aliases: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="aliases: "):
        CollectionParams(genres=("Drama", "Comedy"), aliases=aliases)
