"""Dumps of labels: each layout, what is taken into the manifest, and what is recorded."""

import gzip
import json
import tracemalloc
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mmx.params import CollectionParams
from mmx.trailers import init, read_manifest
from mmx.trailers.label_dumps import DumpError, FilmLabels, Kind, read_dump
from mmx.trailers.label_import import ImportReport, import_labels
from mmx.trailers.label_sources import expired_sources, read_sources

if TYPE_CHECKING:
    from tests.trailers.conftest import UserFiles

IMDB = """\
tconst\ttitleType\tprimaryTitle\toriginalTitle\tisAdult\tstartYear\tendYear\truntimeMinutes\tgenres
tt0000001\tmovie\tOther\tOther\t0\t1894\t\\N\t1\tDrama
tt0000002\tmovie\tThe "Film\tFilm\t0\t2001\t\\N\t90\tComedy,Sci-Fi
tt0000003\tmovie\tNothing known\tX\t0\t\\N\t\\N\t\\N\t\\N
"""
TMDB = [
    {"imdb_id": "tt0000002", "title": "Film", "release_date": "2001-02-03",
     "genres": [{"id": 35, "name": "Comedy"}, {"id": 878, "name": "Science Fiction"}]},
    {"imdb_id": None, "title": "Without an id", "genres": []},
    {"imdb_id": "tt0000003", "title": "Words", "release_date": "", "genres": ["Drama"]},
]  # fmt: skip
LINKS = "movieId,imdbId,tmdbId\n1,0000002,10\n2,0000003,\n3,11111111,12\n"
MOVIES = """\
movieId,title,genres
1,"Film, The (2001)",Comedy|Sci-Fi
2,Untitled,(no genres listed)
3,Other (1999),Drama
"""
WANTED = frozenset({"tt0000002", "tt0000003", "tt9999999"})
DAY = date(2026, 5, 1)


@pytest.fixture
def params() -> CollectionParams:
    return CollectionParams(
        genres=("Comedy", "Drama", "Science-Fiction"), aliases={"Sci-Fi": "Science-Fiction"}
    )


@pytest.fixture
def imdb(tmp_path: Path) -> Path:
    path = tmp_path / "title.basics.tsv"
    path.write_text(IMDB, encoding="utf-8")
    return path


@pytest.fixture
def take(user_files: "UserFiles", params: CollectionParams, imdb: Path) -> Callable[..., Any]:
    user_files.add("a.mp4", title="Flim", year="2000", genres="Drama", imdb_id="tt0000002")
    user_files.add("b.mp4", title="Kept", year="1990", genres="Drama", imdb_id="tt0000003")
    user_files.add("c.mp4", title="No id", genres="Drama", imdb_id="")
    user_files.add("d.mp4", title="Not in it", genres="Drama", imdb_id="tt9999999")
    init(user_files.layout, user_files.videos, user_files.labels)

    def run(**options: Any) -> ImportReport:
        given = {"params": params, **options}
        return import_labels(user_files.layout, source=("imdb", imdb), day=DAY, **given)

    return run


def test_imdb_plain_and_compressed(imdb: Path, tmp_path: Path) -> None:
    packed = tmp_path / "title.basics.tsv.gz"
    packed.write_bytes(gzip.compress(imdb.read_bytes()))
    found = read_dump("imdb", imdb, WANTED)
    assert found == read_dump("imdb", packed, WANTED)
    assert list(found) == ["tt0000002", "tt0000003"]
    assert found["tt0000002"] == FilmLabels("tt0000002", 'The "Film', "2001", ("Comedy", "Sci-Fi"))
    assert found["tt0000003"] == FilmLabels("tt0000003", "Nothing known")


@pytest.mark.parametrize("form", ["lines", "array", "indented"])
def test_tmdb_as_lines_and_as_an_array(tmp_path: Path, form: str) -> None:
    path = tmp_path / "films.json"
    lines = "\n".join(map(json.dumps, TMDB))
    texts = {"lines": lines, "array": json.dumps(TMDB), "indented": json.dumps(TMDB, indent=2)}
    path.write_text(texts[form])
    found = read_dump("tmdb", path, WANTED)
    said = FilmLabels("tt0000002", "Film", "2001", ("Comedy", "Science Fiction"))
    assert found == {
        "tt0000002": said,
        "tt0000003": FilmLabels("tt0000003", "Words", "", ("Drama",)),
    }


def test_a_single_film_of_tmdb(tmp_path: Path) -> None:
    path = tmp_path / "film.json"
    path.write_text(json.dumps(TMDB[0], indent=2))
    assert list(read_dump("tmdb", path, WANTED)) == ["tt0000002"]


def test_values_of_tmdb_that_are_of_another_type_say_nothing(tmp_path: Path) -> None:
    path = tmp_path / "films.json"
    odd = [{"imdb_id": ["tt0000002"]}, {"imdb_id": "tt0000002", "title": None, "genres": 7}]
    path.write_text("\n".join(map(json.dumps, odd)))
    assert read_dump("tmdb", path, WANTED) == {"tt0000002": FilmLabels("tt0000002")}


def test_movielens(tmp_path: Path) -> None:
    (tmp_path / "links.csv").write_text(LINKS)
    (tmp_path / "movies.csv").write_text(MOVIES)
    found = read_dump("movielens", tmp_path, WANTED | {"tt11111111"})
    assert found == {
        "tt0000002": FilmLabels("tt0000002", "The Film", "2001", ("Comedy", "Sci-Fi")),
        "tt0000003": FilmLabels("tt0000003", "Untitled"),
        "tt11111111": FilmLabels("tt11111111", "Other", "1999", ("Drama",)),
    }


@pytest.mark.parametrize(
    ("kind", "name", "content", "said"),
    [
        ("imdb", "a.tsv", b"id\ttitle\n", "a.tsv has no column tconst, primaryTitle"),
        ("imdb", "a.tsv", IMDB.encode() + b"\xff\n", "it is not UTF-8"),
        ("imdb", "a.tsv.gz", gzip.compress(IMDB.encode())[:-9], "a.tsv.gz cannot be read"),
        ("imdb", "a.tsv.gz", IMDB.encode(), "a.tsv.gz cannot be read"),
        ("tmdb", "a.json", b'{"id": 1, "original_title": "x"}\n', "daily lists of ids"),
        ("tmdb", "a.json", b"{'id': 1}\n", "a.json is not of this layout"),
        ("movielens", "a", b"", "a cannot be read"),
    ],
)
def test_other_files_are_refused_in_a_sentence(
    tmp_path: Path, kind: Kind, name: str, content: bytes, said: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DumpError, match=said):
        read_dump(kind, tmp_path / name, WANTED)


def test_a_large_dump_is_not_held(tmp_path: Path) -> None:
    path = tmp_path / "large.tsv"
    lines = (f"tt{row:08}\tmovie\tT\tT\t0\t2000\t\\N\t1\tDrama\n" for row in range(100_000))
    path.write_text(IMDB.splitlines()[0] + "\n" + "".join(lines))
    tracemalloc.start()
    found = read_dump("imdb", path, frozenset({"tt00099999"}))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert list(found) == ["tt00099999"]
    assert peak < path.stat().st_size / 4


def test_labels_are_corrected_and_pins_kept(
    take: Callable[..., Any], user_files: "UserFiles"
) -> None:
    before = read_manifest(user_files.layout.manifest)
    report = take()
    first, second, *others = read_manifest(user_files.layout.manifest)
    assert (first.title, first.year) == ('The "Film', 2001)
    assert first.genres == ("Comedy", "Science-Fiction")
    assert (second.title, second.year, second.genres) == ("Nothing known", 1990, ("Drama",))
    assert others == before[2:]
    after = (first, second)
    kept = [(row.trailer_id, row.video, row.sha256) for row in after]
    assert kept == [(row.trailer_id, row.video, row.sha256) for row in before[:2]]
    assert all(row.sha256 for row in after)
    assert report.changed[0].changes["title"] == ("Flim", 'The "Film')
    assert (report.without_id, report.unknown) == (1, 1)


def test_a_second_import_changes_nothing(take: Callable[..., Any], user_files: "UserFiles") -> None:
    take()
    before = user_files.layout.manifest.read_bytes()
    assert take().changed == ()
    assert user_files.layout.manifest.read_bytes() == before
    assert len(read_sources(user_files.layout)) == 1


def test_a_dry_run_writes_nothing(take: Callable[..., Any], user_files: "UserFiles") -> None:
    before = user_files.layout.manifest.read_bytes()
    report = take(dry_run=True)
    assert len(report.changed) == 2
    assert user_files.layout.manifest.read_bytes() == before
    assert not user_files.layout.label_sources.exists()


def test_only_what_is_asked_for(take: Callable[..., Any], user_files: "UserFiles") -> None:
    take(take=["genres"])
    row = read_manifest(user_files.layout.manifest)[0]
    assert (row.title, row.year) == ("Flim", 2000)
    assert row.genres == ("Comedy", "Science-Fiction")


def test_the_same_genres_keep_their_order_and_words(
    take: Callable[..., Any], user_files: "UserFiles"
) -> None:
    text = user_files.layout.manifest.read_text()
    changed = text.replace("2000,Drama", "2000,Sci-Fi|Comedy")
    assert changed != text
    user_files.layout.manifest.write_text(changed)
    take()
    assert read_manifest(user_files.layout.manifest)[0].genres == ("Sci-Fi", "Comedy")


@pytest.mark.parametrize(("policy", "genres"), [("reject", ("Drama",)), ("drop", ("Comedy",))])
def test_unknown_genres_follow_the_policy(
    take: Callable[..., Any], user_files: "UserFiles", policy: Any, genres: tuple[str, ...]
) -> None:
    report = take(params=CollectionParams(genres=("Comedy", "Drama"), unknown_genres=policy))
    row = read_manifest(user_files.layout.manifest)[0]
    assert (row.title, row.genres) == ('The "Film', genres)
    refused = [reason for each in report.trailers for reason in each.reasons]
    assert [("Sci-Fi" in reason) for reason in refused] == [True] * (policy == "reject")


def test_the_source_is_recorded_and_expires(
    take: Callable[..., Any], user_files: "UserFiles", imdb: Path
) -> None:
    take(expires=date(2100, 1, 1))
    (source,) = read_sources(user_files.layout)
    assert (source.name, source.date, source.trailers) == ("imdb", "2026-05-01", "2")
    assert len(source.sha256) == 64
    assert expired_sources(user_files.layout, date(2099, 12, 31)) == ()
    (said,) = expired_sources(user_files.layout, date(2100, 1, 1))
    assert "expired on 2100-01-01" in said
    imdb.write_text(IMDB + "\n")
    take()
    assert len(read_sources(user_files.layout)) == 2
    assert expired_sources(user_files.layout, date(2100, 1, 1)) == ()


def test_an_expired_dump_is_refused(take: Callable[..., Any], user_files: "UserFiles") -> None:
    before = user_files.layout.manifest.read_bytes()
    with pytest.raises(DumpError, match="has expired on 2020-01-01"):
        take(expires=date(2020, 1, 1))
    assert user_files.layout.manifest.read_bytes() == before
