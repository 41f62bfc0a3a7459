from xml.etree import ElementTree

from small_world import GENRES, World

from mmx.report import collection
from mmx.report.collection import Archive


def test_an_archive_keeps_rejected_rows_apart(world: World) -> None:
    archive = collection.read_archive(world.layout)
    assert list(archive.trailers) == world.ids
    assert [row["trailer_id"] for row in archive.rejected] == ["<b>x"]
    assert [len(archive.clips[name]) for name in world.ids] == [
        archive.facts[name]["n_clips"] for name in world.ids
    ]


def test_key_figures_are_sums(world: World) -> None:
    archive = collection.read_archive(world.layout)
    found = collection.key_figures(archive, GENRES)
    clips = sum(row["n_clips"] for row in archive.facts.values())
    assert found["accepted"] == found["in_split"] == 48
    assert (found["rejected"], found["clips"], found["genres"]) == (1, clips, 4)
    assert found["frames"] == 24 * (clips + 2 * 48)
    assert found["hours"] == (clips + 2 * 48) / 3600
    assert found["labels"] == 1.5


def test_statistics_count_every_trailer(world: World) -> None:
    archive = collection.read_archive(world.layout)
    for caption, chart in collection.statistics(archive, GENRES):
        words = [node.text or "" for node in ElementTree.fromstring(chart).iter("text")]
        counts = sum(int(word) for word in words[::2])
        per_trailer = 72 if "genre;" in caption else 48
        expected = sum(map(len, archive.clips.values())) if "clip in" in caption else per_trailer
        assert counts == expected, caption


def test_an_empty_collection_has_statistics() -> None:
    archive = Archive({}, [], {}, {}, {})
    assert collection.key_figures(archive, GENRES)["labels"] == 0
    assert len(collection.statistics(archive, GENRES)) == 6


def test_the_listing_says_who_takes_part(world: World) -> None:
    rows = collection.listing(collection.read_archive(world.layout))
    assert [row["split"] for row in rows][:8] == ["train"] * 5 + ["validation"] + ["test"] * 2
    assert rows[0]["seconds"] == rows[0]["clips"] + 2


def test_the_experts_without_any_row_of_a_trailer_are_missing(world: World) -> None:
    ids = [*world.ids[:2], "unknown"]
    found = collection.missing_experts(world.layout.features, ["look", "sound"], ids)
    assert found == [[], [], [0, 1]]
