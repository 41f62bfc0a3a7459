"""What the tables promise: in one modality genres are alike, in all four they are not."""

from itertools import combinations

import numpy as np
import pytest

from mmx.sample.looks import GENRES, MATTERS, MOVES, SOUNDS, STAGES, STYLES
from mmx.sample.shapes import SHAPES
from mmx.sample.textures import LAYOUTS, TEXTURES

TABLES = {"matter": MATTERS, "stage": STAGES, "move": MOVES, "sound": SOUNDS}


def chances(place: int, modality: str) -> np.ndarray:
    """Probability of each row of a table in a shot of each genre: genres x rows, closed form."""
    names = list(TABLES[modality])
    chance = np.zeros((len(GENRES), len(names)))
    for number, genre in enumerate(GENRES.values()):
        degree = genre.degrees[place]
        chance[number] = (1 - degree) / len(names)
        chance[number, names.index(getattr(genre, modality))] += degree
    return chance


def best_guess(*tables: np.ndarray) -> float:
    """How often the best guess at the genre of one shot is right, all genres equally likely."""
    joint = np.ones((len(GENRES), 1))
    for table in tables:
        joint = (joint[:, :, None] * table[:, None, :]).reshape(len(GENRES), -1)
    return float(joint.max(axis=0).sum() / len(GENRES))


def test_the_twenty_genres_of_the_paper_are_there() -> None:
    assert len(GENRES) == 20
    assert "Romance" not in GENRES


@pytest.mark.parametrize("modality", TABLES)
def test_genres_use_every_row_of_a_table_and_share_rows(modality: str) -> None:
    used = [getattr(genre, modality) for genre in GENRES.values()]
    assert set(used) == set(TABLES[modality])
    assert max(map(used.count, used)) >= 2


def test_two_genres_differ_in_two_modalities_at_least() -> None:
    for first, second in combinations(GENRES.values(), 2):
        different = sum(getattr(first, name) != getattr(second, name) for name in TABLES)
        assert different >= 2, (first, second)


def test_genres_show_to_different_degrees() -> None:
    degrees = np.array([genre.degrees for genre in GENRES.values()])
    assert degrees.min() > 0.3
    assert degrees.max() < 1
    assert np.all(degrees.std(axis=0) > 0.05)


def test_no_modality_suffices_and_each_adds_to_the_others() -> None:
    tables = [chances(place, name) for place, name in enumerate(TABLES)]
    everything = best_guess(*tables)
    assert best_guess(np.ones((len(GENRES), 1))) == pytest.approx(1 / 20)
    for place, table in enumerate(tables):
        others = [other for number, other in enumerate(tables) if number != place]
        assert 0.15 < best_guess(table) < 0.35
        assert best_guess(*others) < everything - 0.05
    assert everything > 0.6


def test_every_name_in_the_tables_can_be_drawn() -> None:
    assert {matter.texture for matter in MATTERS.values()} == set(TEXTURES)
    assert {matter.shape for matter in MATTERS.values()} == set(SHAPES)
    assert {stage.layout for stage in STAGES.values()} == set(LAYOUTS)


def test_no_two_styles_share_a_trait_of_every_modality() -> None:
    for first, second in combinations(STYLES.values(), 2):
        assert first.tint != second.tint
        assert (first.sway, first.roll) != (second.sway, second.roll) or first.lines != second.lines
        assert (first.echo, first.hum, first.damp) != (second.echo, second.hum, second.damp)
