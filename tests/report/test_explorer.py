import json

import numpy as np
import pytest

from mmx.evaluation import retrieval
from mmx.report import explorer
from mmx.report.explorer import Extras, Film, Plane

XY = np.array([[0.0, 0.0], [4.0, 1.0], [2.0, -1.0]])
FILMS = [Film("a", "A", 1999, (1, 0)), Film("b", "B", None, (0,)), Film("c", "C", 2001, (1,))]
CLUSTERS = np.array([0, 1, 0])
PLANE = Plane("coarse", XY, retrieval.neighbours(XY + 1, 2), CLUSTERS)


def test_a_bare_table_is_enough() -> None:
    data = explorer.payload(FILMS, ["Drama", "War"], [PLANE], Extras())
    assert data["titles"] == ["A", "B", "C"]
    assert data["years"] == [1999, None, 2001]
    assert data["labels"] == [[1, 0], [0], [1]]
    assert data["k"] == 2
    assert set(data) == {
        "genres", "colours", "ids", "titles", "years", "labels", "k", "spaces", "threshold"
    }  # fmt: skip


def test_a_map_is_centred_with_equal_scales() -> None:
    [space] = explorer.payload(FILMS, ["Drama", "War"], [PLANE], Extras())["spaces"]
    assert space["xy"] == [0, 500, 1000, 750, 500, 250]
    assert (space["clusters"], space["names"]) == ([0, 1, 0], ["War", "Drama"])
    assert space["near"] == PLANE.near.index.ravel().tolist()
    assert space["similarity"][0] == round(1000 * PLANE.near.similarity[0, 0])


@pytest.mark.parametrize("missing", [[[], [1], [0, 1]], [[], [], []]])
def test_missing_experts_are_told_where_there_are_any(missing: list[list[int]]) -> None:
    extras = Extras(experts=["look", "sound"], missing=missing)
    data = explorer.payload(FILMS, ["Drama", "War"], [PLANE], extras)
    assert data.get("missing") == (missing if any(missing) else None)
    assert ("experts" in data) == any(missing)


def test_one_point_has_a_place() -> None:
    plane = Plane("x", XY[:1], retrieval.neighbours(XY[:1], 5), CLUSTERS[:1])
    data = explorer.payload(FILMS[:1], ["Drama", "War"], [plane], Extras())
    assert data["spaces"][0]["xy"] == [500, 500]
    assert data["k"] == 0


def test_extras_are_small_whole_numbers() -> None:
    extras = Extras(
        splits=["train", "test", "test"],
        seconds=[12.4, None, 90.5],
        digests=["ab" * 32, "", ""],
        threshold=0.3,
        probabilities=np.array([[0.126, 0.9]] * 3),
        sequences=[((0.0, 9.6, 20.2), np.array([[0.1, 0.2], [0.3, 0.999]])), None, None],
        stills={"sheets": ["", "a.webp", ""]},
    )
    data = explorer.payload(FILMS, ["Drama", "War"], [PLANE], extras)
    assert data["threshold"] == 30
    assert data["seconds"] == [12, None, 90]
    assert data["probabilities"][0] == [13, 90]
    assert data["sequences"] == [
        {"spans": [0, 10, 20], "values": [[10, 20], [30, 100]]}, None, None
    ]  # fmt: skip
    assert data["digests"][0] == "ab" * 8
    assert data["stills"] == {"sheets": ["", "a.webp", ""]}
    assert "facts" not in data


def test_the_most_frequent_primary_genres_have_colours_of_their_own() -> None:
    labels = [(at % 10, 11) for at in range(55)] + [()]
    found = explorer.colours(labels, 12)
    # Genres 0 to 4 are primary six times, 5 to 9 five times, the others never.
    assert len({*found[:7]}) == 7 and explorer.NEUTRAL not in found[:7]
    assert found[7:] == [explorer.NEUTRAL] * 5


@pytest.mark.parametrize(
    "text", ["</script><script>alert(1)</script>", "<!--", "a & b", "\u2028\u2029", "]]>", 'é"\\']
)
def test_data_cannot_leave_its_script(text: str) -> None:
    written = explorer.to_script({text: [text]})
    assert not set("<>&\u2028\u2029") & set(written)
    assert json.loads(written) == {text: [text]}
