import random
import shutil
from pathlib import Path

import numpy as np
import pytest
from cut_film import FPS, TRANSFORMS, changed, film, times

from mmx.engine.parquet import write_parquet
from mmx.project import open_project
from mmx.sample.generate import generate
from mmx.trailers import candidates, ingest, init
from mmx.trailers.csvfile import TableError
from mmx.trailers.duplicates import Pair, near_duplicates, proposed_groups, same_digests
from mmx.trailers.likeness import Likeness, compare
from mmx.trailers.manifest import read_manifest
from mmx.trailers.pairs_table import read_pairs, write_pairs
from mmx.trailers.signature import SIDE, Signature, sign
from mmx.trailers.signatures import accept_groups, find_duplicates

pytestmark = pytest.mark.slow

TOP = Path(__file__).parents[2]


def test_a_transformed_film_is_found_among_others_and_no_other() -> None:
    films = {f"f{seed}": sign(times(film(seed)), film(seed)) for seed in range(12)}
    copies = {f"f3-{how}": changed(film(3), how) for how in TRANSFORMS}
    pairs = near_duplicates(films | copies)
    assert {name for pair in pairs for name in (pair.first, pair.second)} == {"f3", *copies}
    assert {pair.second for pair in pairs if pair.first == "f3"} == copies.keys()


def test_how_one_film_lies_over_another_is_told() -> None:
    whole = sign(times(film(1)), film(1))
    trimmed, faster = (compare(whole, changed(film(1), how)) for how in ("trimmed", "faster"))
    assert trimmed.offset_s == pytest.approx(3 + 5 / FPS, abs=0.13)
    assert trimmed.shared_s == pytest.approx(17, abs=0.5)
    assert faster.speed == 1.05


def test_films_that_look_alike_but_change_at_other_moments_are_two() -> None:
    one = film(2)
    shots = np.split(one, range(FPS, len(one), FPS))
    random.Random(0).shuffle(shots)
    other = np.concatenate(shots)
    assert not compare(sign(times(one), one), sign(times(other), other)).same


def test_films_that_begin_with_one_logo_are_two() -> None:
    logo = film(20, seconds=8)
    films = {f"f{seed}": np.concatenate([logo, film(seed)]) for seed in range(6)}
    assert near_duplicates({name: sign(times(each), each) for name, each in films.items()}) == []


def test_dark_films_look_alike_and_are_two_but_a_copy_of_one_is_found() -> None:
    dark = {f"f{seed}": (film(seed) * 0.12).astype(np.uint8) for seed in range(12)}
    rng = np.random.default_rng(1)
    noise = rng.integers(-1, 2, dark["f5"].shape)
    copy = np.clip(dark["f5"] + noise, 0, 255).astype(np.uint8)
    films = {name: sign(times(each), each) for name, each in {**dark, "copy": copy}.items()}
    assert [(pair.first, pair.second) for pair in near_duplicates(films)] == [("copy", "f5")]


def test_how_many_jumps_are_compared_at_a_time_makes_no_difference(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    films = [sign(times(each), each) for each in (film(seed % 4) for seed in range(8))]
    whole = list(candidates.likely_pairs(films))
    assert whole == [(0, 4), (1, 5), (2, 6), (3, 7)]
    monkeypatch.setattr(candidates, "ROWS", 5)
    monkeypatch.setattr(candidates, "COLUMNS", 7)
    assert list(candidates.likely_pairs(films)) == whole


def test_a_long_film_is_found_by_cuts_near_its_end() -> None:
    long = film(30, seconds=700)
    read = [Signature.unpack(sign(times(each), each).pack()) for each in (long, long[FPS * 90 :])]
    assert np.abs(read[0].marks - sign(times(long), long).marks).max() < 1e-3
    assert [pair.second for pair in near_duplicates({"a": read[0], "b": read[1]})] == ["b"]


def test_products_of_descriptions_are_exact_so_that_no_order_of_adding_matters() -> None:
    beside = np.concatenate([sign(times(each), each).beside for each in map(film, range(4))])
    whole = candidates._whole(np.concatenate([beside, np.full((1, 72), 0.1), np.zeros((1, 72))]))
    exact = whole.astype(np.int64) @ whole.astype(np.int64).T
    assert exact.max() < 2**24
    for order in (slice(None), slice(None, None, -1)):
        columns = whole[:, order]
        added = np.zeros(exact.shape, np.float32)
        for column in columns.T:
            added += np.outer(column, column)
        assert np.array_equal(added, exact)


@pytest.mark.parametrize("frames", [1, 2])
def test_a_film_of_one_or_two_pictures_has_a_signature(frames: int) -> None:
    pictures = film(1)[:frames]
    made = Signature.unpack(sign(times(pictures), pictures).pack())
    assert near_duplicates({"a": made, "b": made}) == []


@pytest.mark.parametrize("pictures", [np.zeros((3, SIDE, SIDE)), np.full((400, SIDE, SIDE), 90.0)])
def test_films_in_which_nothing_happens_are_no_duplicates(pictures: np.ndarray) -> None:
    still = sign(times(pictures), pictures.astype(np.uint8))
    assert not compare(still, still).same
    assert near_duplicates({"a": still, "b": still}) == []
    assert near_duplicates({}) == []


def test_a_packed_signature_is_read_back_and_others_are_refused() -> None:
    made = sign(times(film(4)), film(4))
    read = Signature.unpack(made.pack())
    assert compare(made, read).correlation == pytest.approx(1, abs=1e-3)
    assert read.pack() == made.pack()
    with pytest.raises(ValueError, match="not a packed signature"):
        Signature.unpack(made.pack()[:-8])


def row(name: str, file: str, video: str, sound: str) -> dict[str, str]:
    return {"trailer_id": name, "sha256": file, "video_digest": video, "sound_digest": sound}


def test_equal_digests_are_told_by_the_strongest_kind() -> None:
    rows = [row("a", "1", "v", "s"), row("b", "1", "v", "s"), row("c", "2", "v", "s")]
    rows += [row("d", "3", "v", "other"), row("e", "4", "w", "s")]
    kinds = {(pair.first, pair.second): pair.kind for pair in same_digests(rows)}
    assert kinds == {
        ("a", "b"): "file", ("a", "c"): "streams", ("b", "c"): "streams",
        ("a", "d"): "pictures", ("b", "d"): "pictures", ("c", "d"): "pictures",
    }  # fmt: skip


def test_pairs_are_read_as_they_were_written_and_evidence_that_is_none_is_told(
    tmp_path: Path,
) -> None:
    pairs = [Pair("-a", "b", "file"), Pair("a", "c", "near", Likeness(0.9, 1.05, -2.5, 30.0, 0.8))]
    table = tmp_path / "duplicates.csv"
    assert read_pairs(table) == []
    write_pairs(table, pairs)
    assert read_pairs(table) == pairs
    table.write_text(table.read_text().replace("0.9000", "much"))
    with pytest.raises(TableError, match="row 3, has no evidence"):
        read_pairs(table)


def test_a_proposed_group_takes_in_whole_groups() -> None:
    groups = {"a": "g", "b": "g", "c": "c", "d": "d"}
    assert proposed_groups([Pair("b", "c", "file")], groups) == {"a": "c", "b": "c"}


def test_duplicates_of_a_project_are_proposed_and_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = generate(tmp_path / "sample", 2, 0)
    first = sorted(path for path in made.videos.rglob("*") if path.name.startswith("0000"))[0]
    shutil.copy(first, first.with_name(f"again{first.suffix}"))
    text = made.labels.read_text(encoding="utf-8").splitlines()
    line = next(line for line in text if first.name in line)
    made.labels.write_text("\n".join([*text, line.replace(first.name, f"again{first.suffix}")]))
    (tmp_path / "params.yaml").write_bytes((TOP / "params.yaml").read_bytes())
    monkeypatch.chdir(tmp_path)
    project = open_project()
    init(project.layout, made.videos, made.labels)
    collection = project.params.collection
    tables = ingest(project.layout, collection, cache=project.inspections, workers=1)
    write_parquet(tables.sources, project.layout.sources)
    found = find_duplicates(project)
    assert [(pair.second, pair.kind) for pair in found.pairs] == [("again", "file")] or [
        (pair.first, pair.kind) for pair in found.pairs
    ] == [(first.stem, "file")]
    assert find_duplicates(project) == found
    assert read_pairs(project.layout.duplicates) == [*found.pairs]
    accept_groups(project.layout.manifest, found.groups)
    groups = {each.trailer_id: each.group_id for each in read_manifest(project.layout.manifest)}
    assert len({groups.get(name) or name for name in found.groups} | {*found.groups.values()}) == 1
    assert find_duplicates(project).groups == {}
