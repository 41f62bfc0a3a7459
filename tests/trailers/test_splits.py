import random
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from iterstrat.ml_stratifiers import IterativeStratification

from mmx.params import SplitParams
from mmx.sample.plan import trailers
from mmx.trailers.places import read_places, write_places
from mmx.trailers.splits import SCHEMA, SPLITS, SplitConflictError, assign

PAPER = SplitParams()
SAMPLE = SplitParams(train=0.6, validation=0.15, test=0.25)
GENRES = ["Action", "Comedy", "Drama", "War"]

Groups = dict[str, str]
Labels = dict[str, list[str]]


@st.composite
def collections(draw: st.DrawFn, most: int = 30) -> tuple[Groups, Labels]:
    """Trailers t0, t1, ... in groups of some, each with some genres or none."""
    count = draw(st.integers(1, most))
    groups = {f"t{n}": f"g{draw(st.integers(0, count - 1))}" for n in range(count)}
    genres = st.lists(st.sampled_from(GENRES), unique=True, max_size=3)
    return groups, {name: draw(genres) for name in groups}


def splits_of(table: pa.Table) -> dict[str, str]:
    rows = table.to_pylist()
    return {row["trailer_id"]: row["split"] for row in rows}


def subset(groups: Groups, labels: Labels, names: Iterable[str]) -> tuple[Groups, Labels]:
    return {n: groups[n] for n in names}, {n: labels[n] for n in names}


def imbalance(splits: dict[str, str], labels: Labels, params: SplitParams) -> float:
    """Mean distance, over genres and splits, of the count from its share."""
    shares = np.array([params.train, params.validation, params.test])
    distance = []
    for genre in {genre for genres in labels.values() for genre in genres}:
        count = Counter(splits[name] for name, genres in labels.items() if genre in genres)
        have = np.array([count[split] for split in SPLITS])
        distance.append(np.abs(have - shares * have.sum()).mean())
    return float(np.mean(distance))


def sample_collection(n: int) -> tuple[Groups, Labels]:
    planned = trailers(n, 3)
    return {one.stem: one.stem for one in planned}, {one.stem: list(one.genres) for one in planned}


@given(collections(), st.integers(0, 3))
def test_every_trailer_has_one_split_and_a_group_shares_it(
    collection: tuple[Groups, Labels], seed: int
) -> None:
    groups, labels = collection
    table = assign(groups, labels, PAPER.model_copy(update={"seed": seed}))
    assert table.schema == SCHEMA
    assert table["trailer_id"].to_pylist() == sorted(groups)
    assert (
        dict(zip(table["trailer_id"].to_pylist(), table["group_id"].to_pylist(), strict=True))
        == groups
    )
    placed = {(row["group_id"], row["split"]) for row in table.to_pylist()}
    assert len(placed) == len(set(groups.values()))
    assert {split for _, split in placed} <= set(SPLITS)


@given(collections(), st.randoms(use_true_random=False))
def test_the_order_of_the_trailers_has_no_effect(
    collection: tuple[Groups, Labels], chance: random.Random
) -> None:
    groups, labels = collection
    names = list(groups)
    chance.shuffle(names)
    shuffled = subset(groups, labels, dict.fromkeys(names))
    mixed = {name: chance.sample(genres, len(genres)) for name, genres in shuffled[1].items()}
    assert assign(shuffled[0], mixed, SAMPLE).equals(assign(groups, labels, SAMPLE))


@given(collections(), st.data())
def test_earlier_splits_are_kept_as_the_collection_grows(
    collection: tuple[Groups, Labels], data: st.DataObject
) -> None:
    groups, labels = collection
    known = data.draw(st.sets(st.sampled_from(sorted(groups))))
    earlier = assign(*subset(groups, labels, known), SAMPLE)
    grown = splits_of(assign(groups, labels, SAMPLE, earlier))
    assert splits_of(earlier).items() <= grown.items()


@given(collections())
def test_an_unchanged_collection_keeps_its_split_under_any_seed(
    collection: tuple[Groups, Labels],
) -> None:
    groups, labels = collection
    earlier = assign(groups, labels, SAMPLE)
    other = SAMPLE.model_copy(update={"seed": 9})
    assert assign(groups, labels, other, earlier).equals(earlier)


@given(collections())
def test_a_split_without_a_share_stays_empty(collection: tuple[Groups, Labels]) -> None:
    params = SplitParams(train=0.7, validation=0.0, test=0.3)
    assert "validation" not in splits_of(assign(*collection, params)).values()


def places(**sides: str) -> pa.Table:
    """A ledger in which every trailer is a group of its own."""
    rows = [{"trailer_id": n, "group_id": n, "split": side} for n, side in sides.items()]
    return pa.Table.from_pylist(rows, SCHEMA)


def test_a_new_trailer_goes_where_its_film_is_or_was() -> None:
    labels = {name: ["Drama"] for name in "acd"}
    earlier = places(a="test", old="validation")
    assert splits_of(assign({"a": "x", "c": "x", "d": "old"}, labels, PAPER, earlier)) == {
        "a": "test",
        "c": "test",
        "d": "validation",
    }


def test_a_film_on_two_sides_is_an_error_until_it_is_accepted() -> None:
    groups, labels = {"a": "x", "b": "x", "c": "x"}, {name: ["Drama"] for name in "abc"}
    earlier = places(a="test", b="train")
    with pytest.raises(SplitConflictError, match=r"two sides of the split: x \(train and test\)"):
        assign(groups, labels, PAPER, earlier)
    moved = PAPER.model_copy(update={"accepted": {"x": "test"}})
    assert set(splits_of(assign(groups, labels, moved, earlier)).values()) == {"test"}
    left = PAPER.model_copy(update={"accepted": {"x": "both"}})
    assert splits_of(assign(groups, labels, left, earlier)) == {
        "a": "test",
        "b": "train",
        "c": "train",
    }


@given(st.data())
def test_whoever_had_a_place_keeps_it_whatever_happens(data: st.DataObject) -> None:
    """Absence, return, regrouping, another order, other labels and seeds, in any sequence."""
    names = [f"t{n}" for n in range(10)]
    first: dict[str, str] = {}
    ledger = None
    for _ in range(data.draw(st.integers(1, 6))):
        present = data.draw(st.lists(st.sampled_from(names), unique=True))
        groups = {name: data.draw(st.sampled_from([name, "g", "h"])) for name in present}
        genres = st.lists(st.sampled_from(GENRES), unique=True)
        labels = {name: data.draw(genres) for name in groups}
        params = SAMPLE.model_copy(update={"seed": data.draw(st.integers(0, 3))})
        sides: dict[str, set[str]] = {}
        for name in first.keys() & groups.keys():
            sides.setdefault(groups[name], set()).add(first[name])
        if any(len(side) > 1 for side in sides.values()):
            with pytest.raises(SplitConflictError):
                assign(groups, labels, params, ledger)
            continue
        table = assign(groups, labels, params, ledger)
        now = splits_of(table)
        assert {name: first.get(name, now[name]) for name in now} == now
        assert len({(groups[name], now[name]) for name in now}) == len(set(groups.values()))
        first |= now
        ledger = pa.concat_tables([table, absent(ledger, now)])


def absent(ledger: pa.Table | None, now: dict[str, str]) -> pa.Table:
    rows = ledger.to_pylist() if ledger else []
    return pa.Table.from_pylist([row for row in rows if row["trailer_id"] not in now], SCHEMA)


def test_the_ledger_keeps_absent_places_beside_the_table(tmp_path: Path) -> None:
    path = tmp_path / "splits.parquet"
    assert write_places(path, places(a="test", b="train"), None) == 0
    plain = path.read_bytes()
    assert write_places(path, places(b="train"), read_places(path)) == 1
    assert pq.read_table(path).to_pylist() == places(b="train").to_pylist()
    assert splits_of(read_places(path)) == {"a": "test", "b": "train"}
    assert write_places(path, places(a="test", b="train"), read_places(path)) == 0
    assert path.read_bytes() == plain


def test_the_papers_sizes_are_met_to_the_trailer() -> None:
    paper = SplitParams(train=0.8004, validation=0.0998, test=0.0998, sizes="exact")
    groups = {f"t{n}": f"t{n}" for n in range(7555)}
    labels = {name: [GENRES[n % 4]] for n, name in enumerate(groups)}
    count = Counter(splits_of(assign(groups, labels, paper)).values())
    assert count == {"train": 6047, "validation": 754, "test": 754}


@given(collections())
def test_exact_sizes_keep_groups_whole_and_earlier_places(
    collection: tuple[Groups, Labels],
) -> None:
    groups, labels = collection
    exact = SAMPLE.model_copy(update={"sizes": "exact"})
    known = sorted(groups)[::2]
    earlier = assign(*subset(groups, labels, known), SAMPLE)
    table = assign(groups, labels, exact, earlier)
    assert splits_of(earlier).items() <= splits_of(table).items()
    assert len({(r["group_id"], r["split"]) for r in table.to_pylist()}) == len({*groups.values()})


def test_sizes_and_genres_are_as_balanced_as_the_librarys_or_better() -> None:
    groups, labels = sample_collection(120)
    names = sorted(groups)
    vocabulary = sorted({genre for genres in labels.values() for genre in genres})
    matrix = np.array([[genre in labels[name] for genre in vocabulary] for name in names])
    shares = np.array([0.6, 0.15, 0.25])
    ours, theirs = [], []
    for seed in range(10):
        random_state = np.random.RandomState(seed)
        order = random_state.permutation(len(names))
        folds = np.empty(len(names), int)
        folds[order] = IterativeStratification(matrix[order].copy(), shares, random_state)
        library = {name: SPLITS[fold] for name, fold in zip(names, folds, strict=True)}
        own = splits_of(assign(groups, labels, SAMPLE.model_copy(update={"seed": seed})))
        ours.append(imbalance(own, labels, SAMPLE))
        theirs.append(imbalance(library, labels, SAMPLE))
    assert np.mean(ours) < np.mean(theirs)


@pytest.mark.parametrize("params", [PAPER, SAMPLE])
def test_shares_are_met_to_two_per_cent(params: SplitParams) -> None:
    count = Counter(splits_of(assign(*sample_collection(200), params)).values())
    shares = {"train": params.train, "validation": params.validation, "test": params.test}
    for split, share in shares.items():
        assert count[split] == pytest.approx(share * 200, abs=4)


def test_other_seeds_give_other_splits() -> None:
    groups, labels = sample_collection(60)
    drawn = {
        tuple(splits_of(assign(groups, labels, SAMPLE.model_copy(update={"seed": seed}))).items())
        for seed in range(5)
    }
    assert len(drawn) == 5


def test_trailers_added_one_by_one_restore_sizes_and_genres() -> None:
    groups, labels = sample_collection(150)
    names = list(groups)
    table = assign(*subset(groups, labels, set(names[:60])), SAMPLE)
    for count in range(61, 151):
        table = assign(*subset(groups, labels, set(names[:count])), SAMPLE, table)
    at_once = imbalance(splits_of(assign(groups, labels, SAMPLE)), labels, SAMPLE)
    one_by_one = imbalance(splits_of(table), labels, SAMPLE)
    chance = random.Random(1)
    drawn = chance.choices(SPLITS, (0.6, 0.15, 0.25), k=150)
    by_chance = imbalance(dict(zip(names, drawn, strict=True)), labels, SAMPLE)
    assert at_once < one_by_one < 0.6 * by_chance


def test_new_trailers_fill_the_split_that_is_short() -> None:
    labels = {f"t{n}": ["Drama"] for n in range(40)}
    groups = {name: name for name in labels}
    known = sorted(labels)[:20]
    earlier = pa.table({"trailer_id": known, "group_id": known, "split": ["train"] * 20})
    count = Counter(splits_of(assign(groups, labels, SAMPLE, earlier)).values())
    assert count == {"train": 24, "validation": 6, "test": 10}


def test_no_trailers_give_no_splits() -> None:
    table = assign({}, {}, PAPER)
    assert len(table) == 0
    assert table.schema == SCHEMA
