from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pyarrow as pa
import pytest

from mmx.evaluation import intervals, scores, tables
from mmx.report import evidence
from mmx.report.evidence import Evidence, read_paper
from mmx.report.spaces import show_spaces

GENRES = ["Action", "Noir", "War"]
LABELS = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 0]])
CHANCES = np.array([[0.9, 0.2, 0.1], [0.4, 0.8, 0.1], [0.35, 0.6, 0.1], [0.1, 0.1, 0.9]])
RECORD = scores.score(LABELS, CHANCES, GENRES, 0.3)
DRAWS = intervals.draw_films(range(4), 20, seed=0)
INTERVAL = intervals.score_interval(LABELS, CHANCES, GENRES, 0.3, DRAWS)
CURVES = scores.precision_recall(LABELS, CHANCES, GENRES)


def space(level: float) -> dict[str, Any]:
    pair = {"observed": level, "chance": 0.25, "interval": [level - 0.1, level + 0.1]}
    groups = ("primary_genre", "genre_set")
    measured = {
        "silhouette": dict.fromkeys(groups, level / 2),
        "agreement": {"any_label": pair, "primary_genre": pair, "genre_set": None},
    }
    return {"all": measured, "test": measured}


def ablated(title: str, length: int = 9) -> dict[str, Any]:
    mean, deviation = scores.summarise([RECORD, RECORD])
    return {"title": title, "length": length, "mean": mean, "spread": deviation, "curves": CURVES}


@pytest.fixture
def make() -> Callable[..., Evidence]:
    def build(**ablations: dict[str, Any]) -> Evidence:
        test = {"coarse": RECORD, "fine": RECORD, "random": scores.score_random(LABELS, GENRES)}
        test |= {"nearest_whitened": RECORD | {"interval": INTERVAL}, "logistic_audio": RECORD}
        similarity = {"before": 0.9, "after": 0.8, "everyone_before": 0.2, "everyone_after": 0.1}
        similarity |= {"untrained": 0.7, "whitened": 0.6}
        similarity |= {"everyone_untrained": 0.4, "everyone_whitened": 0.3}
        metrics = {
            "splits": {"test": test},
            "spaces": {
                "untrained": space(0.25),
                "whitened": space(0.125),
                "coarse": space(0.5),
                "fine": space(0.75),
            },
            "similarity": similarity,
        }
        names = {name.replace("_", "-"): entry for name, entry in ablations.items()}
        return Evidence(metrics, names, GENRES, 9, read_paper())

    return build


def test_rows_come_in_the_papers_order(make: Callable[..., Evidence]) -> None:
    found = make(audio=ablated("Audio"), length_1=ablated("Sequences of 1", 1))
    own = ["This model", "After fine-tuning, same head"]
    baselines = ["Nearest neighbours, whitened", "Logistic regression, Audio"]
    assert list(found.rows) == ["Audio", *own, *baselines, "Random"]
    assert list(found.deviations) == ["Audio"]
    assert sorted(found.lengths) == [1, 9]


def test_an_ablated_length_replaces_the_single_training(make: Callable[..., Evidence]) -> None:
    assert make().lengths[9] == (RECORD, None)
    assert make(length_9=ablated("Sequences of 9")).lengths[9][1] is not None


def test_the_papers_columns_follow_our_vocabulary(make: Callable[..., Evidence]) -> None:
    found = make(audio=ablated("Audio"))
    own = tables.genre_table(found.rows, found.deviations)
    shown = evidence.show_genres(found, own)
    rows = {line.cells[0]: line for line in shown.lines if line.style == "theirs"}
    assert shown.columns == ("Model", "F1 w", "AU(PRC) w", "P w", "R w", *GENRES)
    theirs = ("MMX-Trailer-20", 0.597, 0.583, 0.554, 0.697, "0.62", "", "0.55")
    assert rows["MMX-Trailer-20"].cells == theirs
    assert all(len(line.cells) in (1, len(shown.columns)) for line in shown.lines)
    audio = next(line for line in shown.lines if line.cells[0] == "Audio")
    assert audio.cells[1] == f"{RECORD['f1']['weighted']:.3f} ± 0.000"
    assert audio.cells[5:] == tuple(RECORD["per_genre"][genre]["f1"] for genre in GENRES)
    assert shown.lines[0].cells[5:] == (2, 2, 0)
    assert all(isinstance(count, int) for count in shown.lines[0].cells[5:])


def test_our_rows_are_marked_and_those_of_the_paper_are_separate(
    make: Callable[..., Evidence],
) -> None:
    found = make()
    areas = tables.area_table(found.areas, found.deviations, 3, 2)
    lengths = tables.length_table(found.lengths)
    datasets = tables.dataset_table(100, 3, [1, 2])
    for shown in (
        evidence.show_areas(found, areas),
        evidence.show_lengths(found, lengths),
        evidence.show_datasets(found, datasets),
    ):
        styles = [line.style for line in shown.lines]
        assert styles[0] == "ours"
        at = styles.index("parting")
        assert set(styles[at + 1 :]) == {"theirs"} and "theirs" not in styles[:at]
        assert all(
            len(line.cells) == len(shown.columns) for line in shown.lines if line.style != "parting"
        )


def test_areas_of_several_seeds_have_their_deviation(make: Callable[..., Evidence]) -> None:
    found = make(full=ablated("Full model"), audio=ablated("Audio"))
    shown = evidence.show_areas(found, tables.area_table(found.areas, found.deviations, 3, 2))
    rows = {line.cells[0]: line.cells for line in shown.lines if line.style != "theirs"}
    assert list(rows)[:3] == ["This model", "After fine-tuning, same head", "Full model"]
    assert rows["This model"][3] == RECORD["ap"]["macro"]
    assert rows["Full model"][3:] == tuple(
        f"{RECORD['ap'][average]:.3f} ± 0.000" for average in ("macro", "micro", "weighted")
    )
    assert "Audio" not in rows


def test_spaces_are_shown_side_by_side(make: Callable[..., Evidence]) -> None:
    rows = {line.cells[0]: line.cells[1:] for line in show_spaces(make()).lines}
    assert rows["Silhouette by primary genre"] == (0.125, 0.0625, 0.25, 0.375, "")
    shown = ("0.250 [0.150, 0.350]", "0.125 [0.025, 0.225]", "0.500 [0.400, 0.600]")
    assert rows["A neighbour shares a label"] == (*shown, "0.750 [0.650, 0.850]", 0.25)
    assert rows["A neighbour has the same genre set"] == (None,) * 5
    assert rows["Cosine similarity within a genre set"] == (0.7, 0.6, 0.9, 0.8, "")
    assert "Among held-out trailers, a neighbour shares a label" in rows


def test_a_baseline_has_its_interval_and_rare_genres_are_grey(
    make: Callable[..., Evidence],
) -> None:
    found = make()
    shown = evidence.show_genres(found, tables.genre_table(found.rows, found.deviations))
    row = next(line for line in shown.lines if line.cells[0] == "Nearest neighbours, whitened")
    low, high = INTERVAL["f1"]["weighted"]
    assert row.cells[1] == f"{RECORD['f1']['weighted']:.3f} [{low:.3f}, {high:.3f}]"
    assert shown.grey == set(GENRES)
    record = {"per_genre": {"a": {"support": 5}, "b": {"support": 4}}}
    assert evidence.few(record) == {"b"}


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("nearest_untrained", "Nearest neighbours, untrained"),
        ("logistic_joined", "Logistic regression, all joined"),
        ("logistic_appearance", "Logistic regression, Image"),
        ("coarse", None),
    ],
)
def test_baselines_have_names_for_people(name: str, title: str | None) -> None:
    assert evidence.baseline_title(name) == title


def test_curves_gain_a_line_per_expert(make: Callable[..., Evidence]) -> None:
    alone = evidence.curve_multiples(make(), CURVES)
    assert [name for name, _, _ in alone] == ["all", "Action", "Noir"]
    assert alone[0][1] == RECORD["ap"]["micro"]
    found = make(audio=ablated("Audio"), appearance=ablated("Image"))
    strokes = [
        sum(
            node.attrib["class"].startswith("line")
            for node in ElementTree.fromstring(chart).iter("path")
        )
        for _, _, chart in (alone[1], evidence.curve_multiples(found, CURVES)[1])
    ]
    assert strokes == [2, 4]
    assert list(evidence.expert_curves(found)) == ["Image", "Audio"]
    names = [name for name, _ in evidence.curve_names(found)]
    assert names == ["This model", "Image", "Audio", "random"]


def test_genres_that_the_paper_lacks_have_no_figure_of_it(make: Callable[..., Evidence]) -> None:
    rows = {row["genre"]: row for row in evidence.per_genre(make())}
    assert (rows["War"]["paper"], rows["Noir"]["paper"]) == (0.55, None)
    assert rows["Action"]["random"] == 0.5
    assert rows["War"]["ap"] is None


def test_epochs_without_a_figure_are_left_out() -> None:
    fine: list[dict[str, Any]] = [
        {"epoch": 0, "silhouette": 0.5},
        {"epoch": 1, "silhouette": None, "train_loss": 1.0},
    ]
    found = evidence.training_curves([], fine)
    assert found["coarse"] == ""
    assert "dot s1" in found["silhouette"] and "dot s1" in found["fine"]


def test_running_time_shows_the_strongest_genres() -> None:
    table = pa.table(
        {
            "sequence_spans": [[0.0, 5.0, 9.0], []],
            "sequence_probabilities": [[[0.1, 0.9, 0.2], [0.3, 0.1, 0.1]], []],
        }
    )
    names, values, spans = evidence.strongest(table, 0, GENRES, count=2)
    assert (names, spans) == (["Noir", "Action"], [0.0, 5.0, 9.0])
    assert values == [[0.9, 0.1], [0.1, 0.3]]
    assert evidence.strongest(table, 1, GENRES) == ([], [], [])


def test_what_the_paper_prints_is_whole() -> None:
    paper = read_paper()
    genres, table = paper["genres"], paper["table2"]
    assert len(genres) == len(table["support"]) == 20
    assert all(len(row["f1_per_genre"]) == 20 for row in table["rows"])
    assert sum(paper["split"].values()) == 7555
    random = next(row for row in table["rows"] if row["variant"] == "random")
    share = np.array(table["support"]) / 754
    assert random["f1_per_genre"] == pytest.approx(2 * share / (1 + share), abs=0.0075)
    assert random["ap_weighted"] == pytest.approx(share.mean(), abs=0.005)
