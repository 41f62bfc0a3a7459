"""Trailers are taken out of every place, nothing else changes, and the proof can be repeated."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest
from cut_film import write_copy, write_film
from projects import run_all

from benchmarks import simulated
from mmx.audit.verify import verify
from mmx.dvc_state.cache import find_cache
from mmx.dvc_state.lock import read_lock
from mmx.forget.run import ForgetError, forget, still_there
from mmx.forget.scan import Scan
from mmx.forget.store import clean_store
from mmx.forget.traces import Traces
from mmx.release.about import read_about
from mmx.release.register import folder_of, read_register
from mmx.release.verify import verify_release
from mmx.trailers.duplicates import Pair
from mmx.trailers.pairs_table import read_pairs, write_pairs
from mmx.trailers.signature_store import SignatureStore, sign_video
from mmx.trailers.tombstones import Refusals, TombstoneError, concealed, read_tombstones

if TYPE_CHECKING:
    from tests.forget.conftest import After, World

pytestmark = pytest.mark.slow

GONE = ("t00002", "t00005")


def quiet(what: str) -> None:
    """Say nothing."""


def test_before_there_is_something_in_every_place(before: "World") -> None:
    """Without this the next test could pass for want of anything to find."""
    found = before.holding(*before.secrets)
    for place in ("data/trailers.csv", "data/videos", "data/flow", "data/clips/c", "data/audio"):
        assert any(name.startswith(f"project/{place}") for name in found), place
    for place in (
        "data/features/receipts",
        "data/features/clips",
        "data/embeddings",
        "data/splits",
    ):
        assert any(name.startswith(f"project/{place}") for name in found), place
    for place in (".mmx/objects", ".mmx/journal", ".mmx/runs", ".dvc/cache/files"):
        assert any(name.startswith(f"project/{place}") for name in found), place
    for place in ("remote/files/md5", "project/releases/1.0.0/trailers/", "elsewhere/receipts"):
        assert any(name.startswith(place) for name in found), place


def test_afterwards_no_file_has_anything(after: "After") -> None:
    assert after.world.holding(*after.world.secrets) == []
    certificate = after.done.certificate
    assert certificate.ok and certificate.looked_through["files"] > 300
    assert {each.place for each in certificate.removed} >= {
        "data",
        "data/videos",
        "item store",
        "DVC's cache",
        "remote box",
        "work tree",
    }


def test_all_other_rows_and_files_are_as_they_were(before: "World", after: "After") -> None:
    for name in before.files():
        path, now = before.folder / name, after.world.folder / name
        if not name.startswith("project/data/") or path.suffix != ".parquet":
            continue
        table = pq.read_table(path)
        if "trailer_id" in table.column_names:
            rows = [row for row in table.to_pylist() if row["trailer_id"] not in GONE]
            left = pq.read_table(now).to_pylist() if now.exists() else []
            assert left == rows, name
    for suffix in ("flow", "wav"):
        for path in (before.root / "data").glob(f"*/*.{suffix}"):
            now = after.world.folder / path.relative_to(before.folder)
            assert path.stem in GONE or now.read_bytes() == path.read_bytes()


def test_the_next_run_computes_nothing_and_changes_no_output(
    after: "After", tmp_path: Path
) -> None:
    world = after.world.copy(tmp_path / "world")
    outputs = (*world.root.glob("data/*.parquet"), *world.root.glob("data/*/**/*.parquet"))
    content = {path: path.read_bytes() for path in outputs}
    assert set(run_all(world.project).values()) == {0}
    assert {path: path.read_bytes() for path in content} == content
    assert not verify(world.project).findings


def test_earlier_versions_are_rewritten_in_cache_and_remote(
    before: "World", after: "After"
) -> None:
    """Nothing refers to an object that is gone, and the remote has what the cache has."""
    cache, root = find_cache(after.world.root), after.world.root
    assert cache is not None
    for digest in read_lock(root).outs.values():
        assert cache.path(digest).exists()
    for path in cache.objects():
        if path.name.endswith(".dir"):
            listing = json.loads(path.read_bytes())
            assert all(cache.path(each["md5"]).exists() for each in listing), path
            remote = after.world.folder / "remote/files/md5" / path.parent.name / path.name
            assert remote.read_bytes() == path.read_bytes()
    earlier = find_cache(before.root)
    assert earlier is not None
    count = [len([p for p in c.objects() if p.name.endswith(".dir")]) for c in (earlier, cache)]
    assert count[0] == count[1]


def test_a_return_is_refused_by_content_id_and_address(after: "After", before: "World") -> None:
    refusals = Refusals.of(after.world.project.layout)
    sources = pq.read_table(before.root / "data/sources.parquet").to_pylist()
    for row in sources:
        gone = row["trailer_id"] in GONE
        assert bool(refusals.reason("another-name", "", [row["video_digest"]])) == gone
        assert bool(refusals.reason(row["trailer_id"], "", [])) == gone
    said = refusals.reason("x", "", [sources[2]["sha256"]])
    assert "recognised by its video" in said and concealed(GONE[0])[:16] in said


def test_tombstone_and_certificate_name_nobody(after: "After", before: "World") -> None:
    told = "".join(p.read_text() for p in (after.world.root / "data/forgotten").rglob("*.json*"))
    sources = pq.read_table(before.root / "data/sources.parquet").to_pylist()
    digests = {row[name] for row in sources for name in ("sha256", "video_digest")}
    assert not [word for word in (*GONE, *digests) if word in told]
    assert "the owner asked for it" in told and "simulated@example.org" in told


def test_what_cannot_be_reached_is_named_with_a_command(after: "After") -> None:
    unreached = after.done.certificate.unreached
    assert all(each.command for each in unreached)
    assert [each for each in unreached if GONE[0] in each.what and "filter-repo" in each.command]


@pytest.mark.parametrize("place", ["data/notes.csv", "data/features/x.bin", ".mmx/objects/ab/cd"])
def test_the_proof_finds_what_somebody_put_back(after: "After", tmp_path: Path, place: str) -> None:
    world = after.world.copy(tmp_path / "world")
    scan, failed = still_there(world.project)
    assert not scan.found and not failed
    path = world.root / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"a note about {GONE[1]}, see there")
    (found,) = still_there(world.project)[0].found
    assert found.file.endswith(path.name) and found.tombstone == concealed(GONE[1])[:16]


def test_the_proof_knows_results_under_other_names(
    after: "After", before: "World", tmp_path: Path
) -> None:
    world = after.world.copy(tmp_path / "world")
    remote = world.folder / "remote/files/md5/ab" / ("c" * 30)
    remote.parent.mkdir(exist_ok=True)
    shutil.copy(before.root / f"data/flow/{GONE[0]}.flow", remote)
    shutil.copy(before.root / f"data/flow/{GONE[0]}.flow", world.root / "unrelated.txt")
    assert {each.how for each in still_there(world.project)[0].found} == {"its sha256"}
    assert len(still_there(world.project)[0].found) == 2


class Killed(BaseException):
    """In place of the end of a process."""


def begin_and_die_in(world: "World", function: str) -> None:
    """Take the trailers out, up to the call of a function."""

    def killed(*arguments: object) -> None:
        raise Killed

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
        patch.setattr(function, killed)
        forget(world.project, GONE, "asked", say=quiet)


@pytest.mark.parametrize("stop", ["clean_store", "_clean_objects", "_clean_outputs", "_certified"])
def test_an_interrupted_call_is_finished_by_the_next(own: "World", stop: str) -> None:
    begin_and_die_in(own, f"mmx.forget.run.{stop}")
    assert len(read_tombstones(own.root)) == 2
    with pytest.raises(ForgetError, match="interrupted"):
        forget(own.project, ["t00000"], "asked", say=quiet)
    assert forget(own.project, [], "", say=quiet).certificate.ok
    assert own.holding(*own.secrets) == []
    assert not (own.project.store.root / "forget").exists()


def test_an_interruption_between_cache_and_lock_loses_no_output(own: "World") -> None:
    begin_and_die_in(own, "mmx.forget.run.replace_outs")
    forget(own.project, [], "", say=quiet)
    assert set(run_all(own.project).values()) == {0}


def test_the_tombstone_recognises_the_pictures_and_the_kept_signature_goes(
    own: "World", tmp_path: Path
) -> None:
    project, gone = own.project, own.root / "data/videos/t00002.mp4"
    gone.unlink()
    write_film(gone, 1)
    simulated.write_manifest(own.root)
    simulated.ingest(project)
    digests = {
        row["trailer_id"]: row["video_digest"]
        for row in pq.read_table(own.root / "data/sources.parquet").to_pylist()
    }
    store = SignatureStore(project.signatures, project.limits)
    assert len(list(store.read({digests["t00002"]: gone}, 1, "test"))) == 1
    store.clear(["an imprint"], [digests["t00002"]])
    pairs = [Pair("t00001", "t00002", "file"), Pair("t00001", "t00003", "file")]
    write_pairs(project.layout.duplicates, pairs)
    (film,) = (film for _, film in store.kept([digests["t00002"]]))
    done = forget(project, ["t00002", "t00005"], "asked", say=quiet).certificate
    assert done.ok
    assert read_pairs(project.layout.duplicates) == pairs[1:]
    assert not [path for path in project.signatures.rglob("*") if path.is_file()]
    with_pictures, without = sorted(read_tombstones(own.root), key=lambda t: not t.imprints)
    assert with_pictures.recognises(film) and not without.imprints
    original = write_film(tmp_path / "film.mp4", 1)
    copy = sign_video(write_copy(original, tmp_path / "copy.mkv", "scale=96:-2"), project.limits)
    assert copy and "its pictures" in Refusals.of(project.layout).reason_by_pictures(copy)
    assert [each.what for each in done.unreached if without.name in each.what]
    assert not [each.what for each in done.unreached if with_pictures.name in each.what]
    # In a clone that has no video any more, the imprint stays.
    forget(own.project, ["t00002"], "asked again", say=quiet)
    assert with_pictures.imprints in [each.imprints for each in read_tombstones(own.root)]


def test_a_file_whose_name_is_a_digest_of_a_trailer_is_found(
    after: "After", tmp_path: Path
) -> None:
    world = after.world.copy(tmp_path / "world")
    tombstone = read_tombstones(world.root)[0]
    scan = Scan([replace(tombstone, content=(concealed("d" * 64),))])
    assert scan.look_at_name("item store", f"signatures/x/{'d' * 64}")
    assert not scan.look_at_name("item store", f"signatures/x/{'e' * 64}")


def test_what_is_asked_for_wrongly_is_refused_and_nothing_is_touched(own: "World") -> None:
    with pytest.raises(ForgetError, match="nothing of nobody"):
        forget(own.project, ["nobody"], "asked", say=quiet)
    with pytest.raises(ForgetError, match="a reason"):
        forget(own.project, ["t00002"], " ", say=quiet)
    twin = own.root / "data/videos/t00006.mp4"
    shutil.copy(own.root / "data/videos/t00002.mp4", twin)
    simulated.ingest(own.project)
    with pytest.raises(ForgetError, match="t00006 has the same video"):
        forget(own.project, ["t00002"], "asked", say=quiet)
    assert read_tombstones(own.root) == [] and (own.root / "data/videos/t00002.mp4").exists()


def test_a_remote_that_cannot_be_read_is_named_and_the_rest_is_done(own: "World") -> None:
    os.rename(own.folder / "remote", own.folder / "away")
    (own.folder / "remote").write_text("not a folder")
    found = forget(own.project, ["t00002"], "asked", say=quiet).certificate
    assert [each for each in found.unreached if each.what.startswith("remote box")]
    assert (own.root / "data/flow/t00002.flow").exists() is False


def test_a_damaged_tombstone_is_one_sentence(after: "After", tmp_path: Path) -> None:
    world = after.world.copy(tmp_path / "world")
    path = next((world.root / "data/forgotten").glob("*.json"))
    path.write_text("{}")
    with pytest.raises(TombstoneError, match=r"is not a tombstone"):
        read_tombstones(world.root)


def test_items_of_all_trailers_leave_the_store(own: "World") -> None:
    store = own.project.store
    counts = clean_store(store, Traces(frozenset({"none"})), whole=("scenes",))
    assert counts["receipts"] >= 8 and not list(store.receipts("scenes"))


def test_releases_stay_readable_verify_and_say_what_was_taken_out(
    before: "World", after: "After"
) -> None:
    entries = {each.version: each for each in read_register(after.world.root)}
    assert len(entries) == 2
    for entry in read_register(before.root):
        was, now = (
            folder_of(before.root, entry),
            folder_of(after.world.root, entries[entry.version]),
        )
        assert now.is_relative_to(after.world.folder)
        assert verify_release(now) == []
        (taken,) = read_about(now).taken
        assert taken.former_root == entry.root and taken.reason == "the owner asked for it"
        assert entries[entry.version].root == (now / "digest.txt").read_text().split()[-1]
        note = (now / "REMOVED.md").read_text()
        assert "signed off by simulated" in note and taken.tombstones[0] in note
        for path in was.glob("*/*/*.parquet"):
            rows = [row for row in pq.read_table(path).to_pylist() if row["trailer_id"] not in GONE]
            left = now / path.relative_to(was)
            assert (pq.read_table(left).to_pylist() if left.exists() else []) == rows


def test_an_interrupted_cleaning_of_a_release_is_finished(own: "World") -> None:
    begin_and_die_in(own, "mmx.forget.releases.describe_release")
    forget(own.project, [], "", say=quiet)
    for entry in read_register(own.root):
        folder = folder_of(own.root, entry)
        assert verify_release(folder) == [] and len(read_about(folder).taken) == 1


def test_files_of_the_user_are_left_and_named(own: "World") -> None:
    (own.root / "data/posters").mkdir()
    (own.root / "data/posters/a.png").write_bytes(b"\x89PNG of a poster")
    (own.root / "data/notes.json").write_text(f'{{"about": "{GONE[0]}"}}')
    found = forget(own.project, [GONE[0]], "asked", say=quiet).certificate
    assert (own.root / "data/posters/a.png").exists()
    assert [each.file for each in found.remains] == ["data/notes.json"] and not found.ok
