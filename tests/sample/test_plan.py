from collections import Counter

import numpy as np
import pytest

from mmx.sample.encode import FORMATS, SILENT, TURNED, VARIABLE
from mmx.sample.looks import GENRES, STYLES
from mmx.sample.plan import SECOND_TRAILER, trailers
from mmx.trailers.ids import slug


def test_a_larger_collection_begins_with_a_smaller_one() -> None:
    assert trailers(40, 1)[:13] == trailers(13, 1)


def test_another_seed_is_another_collection() -> None:
    first, second = trailers(20, 1), trailers(20, 2)
    assert [one.genres for one in first] != [one.genres for one in second]
    assert [one.style for one in first] != [one.style for one in second]


def test_genres_are_skewed_as_in_the_paper_with_some_of_each() -> None:
    planned = trailers(60, 0)
    count = Counter(genre for trailer in planned for genre in trailer.genres)
    assert set(count) == set(GENRES)
    assert min(count.values()) >= 3
    support = [genre.support for genre in GENRES.values()]
    assert np.corrcoef(support, [count[name] for name in GENRES])[0, 1] > 0.95


def test_trailers_have_one_to_six_genres_and_none_twice() -> None:
    sizes = [len(trailer.genres) for trailer in trailers(600, 0)]
    assert set(sizes) == {1, 2, 3, 4, 5, 6}
    assert np.mean(sizes) == pytest.approx(2.6, abs=0.15)
    assert all(len(set(one.genres)) == len(one.genres) for one in trailers(600, 0))


def test_styles_are_equally_frequent_and_tell_nothing_of_the_genre() -> None:
    planned = trailers(600, 0)
    assert set(Counter(one.style for one in planned).values()) == {600 // len(STYLES)}
    drama = Counter(one.style for one in planned if "Drama" in one.genres)
    expected = drama.total() / len(STYLES)
    chi_square = sum((drama[style] - expected) ** 2 / expected for style in STYLES)
    assert chi_square < 13.3, "99 % of chi squares with 4 degrees of freedom are below"


def test_every_format_is_used() -> None:
    used = [trailer.form for trailer in trailers(12, 0)]
    assert all(form in used for form in (*FORMATS, SILENT, VARIABLE, TURNED))


def test_two_trailers_of_one_film_share_group_genres_and_year() -> None:
    first, second = trailers(8, 0)[SECOND_TRAILER - 1 : SECOND_TRAILER + 1]
    assert first.group_id == second.group_id != ""
    assert (first.genres, first.year) == (second.genres, second.year)
    assert first.stem != second.stem
    assert [one.group_id for one in trailers(8, 0)].count("") == 6


def test_a_file_name_is_its_own_trailer_id() -> None:
    planned = trailers(600, 0)
    assert all(slug(trailer.video) == trailer.stem for trailer in planned)
    assert len({trailer.stem for trailer in planned}) == 600


def test_titles_try_what_titles_can_be() -> None:
    titles = [trailer.title for trailer in trailers(12, 0)]
    assert any(title.startswith("=") for title in titles)
    assert any("<" in title for title in titles)
    assert any('"' in title and "," in title for title in titles)
    assert any(not title.isascii() for title in titles)
